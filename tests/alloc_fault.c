#include "tests/alloc_fault.h"

#include "tests/check.h"

#include <stdatomic.h>
#include <stdlib.h>

/* The linker's names: what the wrapped calls become, and what they were. */
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);

static _Atomic uint64_t nth_wanted, n_seen;

void alloc_fault_arm(uint64_t nth)
{
    atomic_store(&n_seen, 0);
    atomic_store(&nth_wanted, nth);
}

bool alloc_fault_hit(void)
{
    uint64_t nth = atomic_load(&nth_wanted);

    return nth && atomic_load(&n_seen) >= nth;
}

void alloc_fault_each(AllocAttempt attempt, AllocAttempt tidy, void *ctx)
{
    enum { MANY = 20000 };
    uint64_t n = 1, n_refused = 0;
    bool hit = true;

    for (; hit && n < MANY; n++) {
        Err err = {.code = ERR_OK};
        alloc_fault_arm(n);
        ErrCode rc = attempt(ctx, &err);
        hit = alloc_fault_hit();
        alloc_fault_arm(0);
        if (rc != ERR_OK && rc != ERR_NOMEM)
            fprintf(stderr, "allocation %d: code %d, %s\n", (int)n, (int)rc, err.msg);
        CHECK(rc == ERR_OK || (hit && rc == ERR_NOMEM));
        CHECK(rc == ERR_OK || (err.msg[0] && err.code == rc));
        n_refused += rc != ERR_OK;
        if (hit && tidy) CHECK_OK(tidy(ctx, &err), &err);
    }
    CHECK(n < MANY && n_refused > 0);
}

static bool fails(void)
{
    uint64_t nth = atomic_load_explicit(&nth_wanted, memory_order_relaxed);

    return nth && atomic_fetch_add(&n_seen, 1) + 1 == nth;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
void *__wrap_aligned_alloc(size_t alignment, size_t n) { return fails() ? NULL : __real_aligned_alloc(alignment, n); }
