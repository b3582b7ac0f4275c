#include "core/turns.h"
#include "tests/check.h"

#include <pthread.h>
#include <stdlib.h>

/* Numbers 0 .. n - 1, each worked on for another while. */
typedef struct {
    uint32_t n, next, fail_work, fail_take, fail_finish;
    uint32_t mine[8]; /* by thread */
    uint32_t *done;
    uint32_t n_done;
    pthread_mutex_t lock;
    uint32_t n_worked;
} Numbers;

static ErrCode take_number(void *ctx, int thread, bool *end, Err *err)
{
    Numbers *s = ctx;

    if (s->next == s->fail_take) return err_set(err, ERR_SYS, "take %u", (unsigned)s->next);
    *end = s->next == s->n;
    if (!*end) s->mine[thread] = s->next++;
    return ERR_OK;
}

static ErrCode work_number(void *ctx, int thread, Err *err)
{
    Numbers *s = ctx;
    const uint32_t n = s->mine[thread];
    volatile uint32_t spin = n * 7919 % 2003;

    while (spin) spin--;
    pthread_mutex_lock(&s->lock);
    s->n_worked++;
    pthread_mutex_unlock(&s->lock);
    return n >= s->fail_work ? err_set(err, ERR_DATA, "work %u", (unsigned)n) : ERR_OK;
}

static ErrCode finish_number(void *ctx, int thread, Err *err)
{
    Numbers *s = ctx;
    const uint32_t n = s->mine[thread];

    if (n == s->fail_finish) return err_set(err, ERR_SYS, "finish %u", (unsigned)n);
    s->done[s->n_done++] = n;
    return ERR_OK;
}

static const Turns in_order = {take_number, work_number, finish_number};
static const Turns in_no_order = {take_number, work_number, NULL};

static Numbers numbers(uint32_t n)
{
    Numbers s = {.n = n, .fail_work = UINT32_MAX, .fail_take = UINT32_MAX, .fail_finish = UINT32_MAX};

    pthread_mutex_init(&s.lock, NULL);
    s.done = calloc(n + 1, sizeof *s.done);
    CHECK(s.done != NULL);
    return s;
}

static void check_done(const Numbers *s, uint32_t n)
{
    CHECK_INT(n, s->n_done);
    for (uint32_t i = 0; i < s->n_done; i++) CHECK_INT(i, s->done[i]);
}

TEST(pieces_are_finished_in_the_order_in_which_they_are_taken)
{
    static const uint32_t counts[] = {0, 1, 2, 1000};

    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        for (int threads = 1; threads <= 8; threads += threads == 1 ? 1 : 3) {
            Numbers s = numbers(counts[k]), t = numbers(counts[k]);
            Err err = {0};
            CHECK_OK(turns_run(&in_order, &s, threads, &err), &err);
            check_done(&s, counts[k]);
            CHECK_OK(turns_run(&in_no_order, &t, threads, &err), &err);
            CHECK_INT(counts[k], t.n_worked);
            free(s.done);
            free(t.done);
        }
}

/* Whatever else fails behind it, the first failure is told, and all before it is finished. */
TEST(the_first_failure_wins_for_any_number_of_threads)
{
    static const struct {
        uint32_t work, take, finish, first;
        const char *says;
    } cases[] = {{300, 302, 301, 300, "work 300"},
                 {300, 302, 77, 77, "finish 77"},
                 {9999, 41, 9999, 41, "take 41"},
                 {0, 9999, 0, 0, "work 0"}};

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int threads = 1; threads <= 8; threads++) {
            Numbers s = numbers(1000);
            Err err = {0};
            s.fail_work = cases[k].work, s.fail_take = cases[k].take, s.fail_finish = cases[k].finish;
            CHECK(turns_run(&in_order, &s, threads, &err) != ERR_OK);
            CHECK_STR(cases[k].says, err.msg);
            check_done(&s, cases[k].first);
            free(s.done);
        }
}
