/* A cursor against the sorted list it goes over. */
#include "core/results.h"
#include "tests/check.h"

#include <limits.h>
#include <stdlib.h>

enum { N = 3000, PARTITIONS = 32, WIDTH = 12 };

/* Heads that repeat, up to some hundred times, and leave partitions empty; ascending. */
static uint64_t head_of(uint32_t i)
{
    static const uint32_t repeats[] = {1, 2, 1, 150, 1, 1, 7, 1};
    uint64_t head = 0;

    for (uint32_t n = 0, k = 0; n <= i; n += repeats[k++ % 8]) head += (mix64(k + 1) >> 55 << 46) + (k % 5 == 0);
    return head;
}

static ErrCode write_records(Results *r, const uint64_t *head)
{
    ResultsOut out = {0};
    Err err;
    ErrCode rc = ERR_OK;

    for (uint32_t p = 0, i = 0; p < PARTITIONS; p++) {
        resultsout_begin(&out, r, p);
        for (; i < N && head[i] >> 59 == p; i++) {
            uint8_t record[WIDTH];
            be64_put(record, head[i]);
            le32_put(record + 8, i);
            if (rc == ERR_OK) rc = resultsout_put(&out, record, &err);
        }
        if (rc == ERR_OK) rc = resultsout_end(&out, &err);
    }
    resultsout_clear(&out);
    return results_settle(r, rc, &err);
}

/* The first `i` not below head, by going through all. */
static uint32_t slow_seek(const uint64_t *head, uint64_t from)
{
    uint32_t i = 0;

    while (i < N && head[i] < from) i++;
    return i;
}

static uint32_t number_of(const ResultsCursor *c)
{
    const uint8_t *p = resultscursor_peek(c);

    return p ? le32_get(p + 8) : N;
}

TEST(a_cursor_finds_what_a_search_of_all_finds)
{
    const Par par = par_alone(1);
    static uint64_t head[N];
    char dir[PATH_MAX];
    Results *r = NULL;
    Err err;

    snprintf(dir, sizeof dir, "%s/results", check_tmpdir());
    for (uint32_t i = 0; i < N; i++) head[i] = head_of(i);
    CHECK(head[N - 1] >> 59 < PARTITIONS - 1 && head[N - 1] > head[0]);
    for (uint32_t piece = 24; piece <= 2400; piece *= 10) {
        const ResultsSpec spec = {.dir = dir,
                                  .key = {piece, 1},
                                  .partitions = PARTITIONS,
                                  .width = WIDTH,
                                  .memory = 4 << 20,
                                  .piece = piece};
        CHECK_OK(results_open(&r, &spec, &par, &err), &err);
        CHECK_OK(write_records(r, head), &err);
        CHECK(results_held_bytes(r) >= UINT64_C(40) * N * WIDTH / piece);
        ResultsCursor all = {.results = r}, c = {.results = r, .brief = piece == 240};
        CHECK_OK(resultscursor_seek(&all, 0, &err), &err);
        for (uint32_t i = 0; i < N; i++) {
            CHECK(number_of(&all) == i);
            CHECK_OK(resultscursor_next(&all, &err), &err);
        }
        CHECK(number_of(&all) == N);
        uint64_t from = 0;
        for (uint32_t k = 0; k < 20000; k++) {
            /* now and then back; else on, by little, by much, to a head there is, or nowhere */
            uint64_t m = mix64(k + 77), step = UINT64_C(1) << (30 + m % 24);
            if ((m >> 32) % 64 == 3)
                from = m;
            else if (m % 7 == 0)
                from = head[m % N];
            else
                from += step;
            if (m % 97 == 0) from = k % 2 ? UINT64_MAX : 0;
            CHECK_OK(resultscursor_seek(&c, from, &err), &err);
            uint32_t want = slow_seek(head, from);
            if (number_of(&c) != want) CHECK(number_of(&c) == want);
            for (uint32_t n = (uint32_t)(m >> 40) % 4; n > 0 && want < N; n--) {
                CHECK_OK(resultscursor_next(&c, &err), &err);
                CHECK(number_of(&c) == ++want);
            }
            if (from > head[N - 1]) from = head[m % N];
        }
        resultscursor_clear(&all);
        resultscursor_clear(&c);
        results_close(r);
    }
}
