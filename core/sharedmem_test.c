#include "core/sharedmem.h"

#include "tests/check.h"

#include <sys/wait.h>
#include <unistd.h>

/* Where there is none there is nothing to test: callers send messages. */
TEST(shared_memory_is_seen_by_another_process)
{
    SharedMem m;
    SharedName name;
    int status = -1;

    if (!sharedmem_take(&m, 100000, &name)) return;
    CHECK(m.bytes >= 100000);
    memset(m.p, 7, 100000);
    pid_t child = fork();
    if (child == 0) {
        uint8_t *p = sharedmem_see(&name, 100000);
        if (!p) _exit(2);
        for (int i = 0; i < 100000; i++)
            if (p[i] != 7) _exit(1);
        p[99999] = 8;
        sharedmem_leave(p, 100000);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    if (WEXITSTATUS(status) == 0) CHECK_INT(8, m.p[99999]);
    sharedmem_give(&m);
    CHECK(m.p == NULL);
}

TEST(shared_memory_is_not_mistaken)
{
    SharedMem m, other;
    SharedName name, wrong;

    if (!sharedmem_take(&m, 1, &name)) return;
    CHECK(sharedmem_take(&other, 1, &wrong)); /* both at once */
    CHECK(m.p != other.p);
    wrong.place = name.place;
    CHECK(sharedmem_see(&wrong, 1) == NULL); /* another one is there */
    CHECK(sharedmem_see(&name, m.bytes + 1) == NULL);
    wrong = (SharedName){name.place + 1000, name.inode};
    CHECK(sharedmem_see(&wrong, 1) == NULL);
    sharedmem_give(&m);
    sharedmem_give(&other);
}

TEST(shared_memory_is_kept_for_the_next)
{
    SharedMem m;
    SharedName name, again;

    if (!sharedmem_take(&m, 8 << 20, &name)) return;
    uint8_t *p = m.p;
    sharedmem_give(&m);
    CHECK(sharedmem_take(&m, 6 << 20, &again));
    CHECK(m.p == p && again.inode == name.inode);
    sharedmem_give(&m);
    CHECK(sharedmem_take(&m, 2 << 20, &again)); /* too large to be kept for this */
    CHECK_INT(2 << 20, m.bytes);
    sharedmem_give(&m);
}
