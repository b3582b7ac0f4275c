#include "tests/alloc_fault.h"

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

static bool fails(void)
{
    uint64_t nth = atomic_load_explicit(&nth_wanted, memory_order_relaxed);

    return nth && atomic_fetch_add(&n_seen, 1) + 1 == nth;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
void *__wrap_aligned_alloc(size_t alignment, size_t n) { return fails() ? NULL : __real_aligned_alloc(alignment, n); }
