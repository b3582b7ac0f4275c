/* Replays a seed directory through a fuzz target without a fuzzing engine: each input once, placed right
 * before an unmapped page. An empty or missing directory fails, since it would test nothing. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "tests/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t n = 0, cap = 0;

    if (!f) return false;
    for (;;) {
        if (n == cap) {
            cap = cap ? cap * 2 : 1 << 16;
            uint8_t *more = realloc(bytes, cap);
            if (!more) exit(99);
            bytes = more;
        }
        size_t got = fread(bytes + n, 1, cap - n, f);
        if (got == 0) break;
        n += got;
    }
    fclose(f);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (n + page - 1) / page * page;
    uint8_t *map = mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + body, page, PROT_NONE) != 0) exit(99);
    if (n) memcpy(map + body - n, bytes, n);
    free(bytes);
    LLVMFuzzerTestOneInput(map + body - n, n);
    munmap(map, body + page);
    return true;
}

int main(int argc, char **argv)
{
    int n_run = 0;

    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        struct dirent *e;
        while (d && (e = readdir(d))) {
            char path[1024];
            if (e->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (!replay(path)) {
                fprintf(stderr, "cannot read %s\n", path);
                return 1;
            }
            n_run++;
        }
        if (d) closedir(d);
    }
    printf("%d inputs replayed\n", n_run);
    return n_run == 0;
}
