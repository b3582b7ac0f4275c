/* tests/check.h - the unit test harness: TEST(name) { CHECK(...); } registers itself; check.c has main.
 * A failed CHECK prints the place and the values and fails the test, which goes on. */
#ifndef TAMIS_TESTS_CHECK_H
#define TAMIS_TESTS_CHECK_H

#include "core/bytes.h"
#include "core/err.h"

#include <stdio.h>

typedef struct CheckTest {
    const char *name, *file;
    void (*run)(void);
    struct CheckTest *next;
} CheckTest;

void check_register(CheckTest *t);
void check_fail(const char *file, int line, const char *what);
void check_fail_i64(const char *file, int line, const char *what, long long want, long long got);
void check_fail_span(const char *file, int line, const char *what, Span want, Span got);
void check_fail_err(const char *file, int line, const char *what, const Err *err);
/* A fresh empty directory, removed when the process ends. The string lives as long. */
const char *check_tmpdir(void);
/* A copy of `s` whose last byte is the last before an unmapped page, so that a read past the end
 * faults; released by check_edge_free(). An empty span yields a pointer to the unmapped page. */
Span check_edge(Span s);
void check_edge_free(Span s);

/* Sanitizers in the way of a test: ThreadSanitizer knows no threads in a child of a process that had some, AddressSanitizer sees a
 * fault before our handlers do. */
#ifdef __has_feature
#define CHECK_HAS(x) __has_feature(x)
#else
#define CHECK_HAS(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || CHECK_HAS(thread_sanitizer)
#define CHECK_TSAN 1
#else
#define CHECK_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__) || CHECK_HAS(address_sanitizer)
#define CHECK_ASAN 1
#else
#define CHECK_ASAN 0
#endif

#define TEST(fn)                                                 \
    static void test_##fn(void);                                 \
    __attribute__((constructor)) static void register_##fn(void) \
    {                                                            \
        static CheckTest t = {#fn, __FILE__, test_##fn, NULL};   \
        check_register(&t);                                      \
    }                                                            \
    static void test_##fn(void)

#define CHECK(cond) ((cond) ? (void)0 : check_fail(__FILE__, __LINE__, #cond))
#define CHECK_INT(want, got)                                            \
    do {                                                                \
        long long w_ = (long long)(want), g_ = (long long)(got);        \
        if (w_ != g_) check_fail_i64(__FILE__, __LINE__, #got, w_, g_); \
    } while (0)
#define CHECK_SPAN(want, got)                                                    \
    do {                                                                         \
        Span w_ = (want), g_ = (got);                                            \
        if (!span_eq(w_, g_)) check_fail_span(__FILE__, __LINE__, #got, w_, g_); \
    } while (0)
#define CHECK_STR(want, got) CHECK_SPAN(span_str(want), span_str(got))
/* The call must succeed; `err` is the Err it was given. */
#define CHECK_OK(call, err)                                                     \
    do {                                                                        \
        if ((call) != ERR_OK) check_fail_err(__FILE__, __LINE__, #call, (err)); \
    } while (0)

#endif
