#include "core/slab.h"
#include "tests/check.h"

TEST(slab_is_kept_for_the_next_taker)
{
    enum { N = 3 << 20 };
    Slab *a = slab_take(N), *b = slab_take(N), *c;

    CHECK(a && b && a != b && a->cap >= N && b->cap >= N && a->used == 0);
    CHECK((uintptr_t)slab_bytes(a) % 64 == 0);
    memset(slab_bytes(a), 1, a->cap);
    memset(slab_bytes(b), 2, b->cap);
    a->used = 77;
    slab_give(a, UINT64_MAX);
    c = slab_take(N - 100);
    CHECK(c == a && c->used == 0); /* the same memory */
    memset(slab_bytes(c), 3, c->cap);
    for (size_t i = 0; i < b->cap; i += 4096) CHECK(slab_bytes(b)[i] == 2);
    slab_give(b, 0); /* not kept */
    slab_give(c, 0);
    slab_give(NULL, 0);
}

TEST(slab_beyond_all_memory) { CHECK(slab_take(SIZE_MAX) == NULL && slab_take(SIZE_MAX - 64) == NULL); }
