/* Files of encoded documents: what is put comes back, by ranges of partitions, whoever writes and reads; damage shows. */
#include "tools/token_runs.h"

#include "core/log.h"
#include "core/store.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_PARTS = 6, PER_PART = 40 };

/* Record n: a key spread over the partitions, a value of 0 .. 99 bytes. */
static Span record(uint32_t n, uint8_t key[EXCHANGE_KEY], uint8_t value[100])
{
    exchange_key_u64(key, mix64(n), n);
    for (int i = 0; i < 100; i++) value[i] = (uint8_t)(mix64(n * 100u + (unsigned)i) >> 7);
    return span(value, mix64(n + 77) % 100);
}

/* Which records come back, and how often. Slot n is record n's, which is in one segment and so one thread's. */
typedef struct {
    uint32_t n_seen[N_PARTS * PER_PART], n_wrong;
} Seen;

static ErrCode see(void *ctx, int thread, const uint8_t key[EXCHANGE_KEY], Span value, Err *err)
{
    Seen *s = ctx;
    const uint64_t n = be64_get(key + 8);
    uint8_t want_key[EXCHANGE_KEY], want[100];

    (void)thread, (void)err;
    if (n >= N_PARTS * PER_PART || !span_eq(record((uint32_t)n, want_key, want), value) ||
        memcmp(key, want_key, EXCHANGE_KEY) != 0) {
#pragma omp atomic
        s->n_wrong++;
        return ERR_OK;
    }
#pragma omp atomic
    s->n_seen[n]++;
    return ERR_OK;
}

static TokenRunsSpec spec_of(const char *dir, uint32_t partitions)
{
    return (TokenRunsSpec){.dir = dir, .key = {1, 2}, .partitions = partitions, .n_parts = N_PARTS};
}

static void write_parts(const TokenRunsSpec *spec, TokenRange parts, int threads, uint64_t memory)
{
    const Par par = par_alone(threads);
    uint8_t key[EXCHANGE_KEY], value[100];
    TokenRunWriter *w;
    TokenRuns r;
    DomainSet domains = {0};
    DomainCount *count;
    uint64_t bytes;
    Buf made = {0};
    Err err = {0};

    CHECK_OK(tokenruns_open(&r, spec, &par, &err), &err);
    CHECK_OK(tokenrun_new(&w, &r, threads, memory, &err), &err);
    CHECK_OK(tokenrun_begin(w, parts, &err), &err);
    for (uint32_t n = parts.begin * PER_PART; n < parts.end * PER_PART; n++) {
        Span v = record(n, key, value);
        CHECK_OK(tokenrun_put(w, (int)n % threads, key, v, &err), &err);
        CHECK_OK(domainset_at(&domains, n % 3 ? SPAN_LIT("web") : SPAN_LIT("code"), &count, &err), &err);
        count->n_docs++;
    }
    const TokenLost lost = {.bytes = parts.end, .lines = {[LINE_NO_TEXT] = parts.begin + 1}};
    CHECK_OK(tokenrun_end(w, &domains, &lost, &bytes, &err), &err);
    CHECK_OK(tokenrun_finish(w, &made, &err), &err);
    CHECK_OK(tokenruns_tell(&r, &par, &made, &err), &err);
    CHECK(bytes > 0 && r.has[parts.begin]);
    domainset_clear(&domains);
    tokenrun_free(w);
    tokenruns_clear(&r);
}

/* Reads all partitions in ranges of `step` and looks at each record of the parts that are there. */
static void check_all(const TokenRuns *r, uint32_t step)
{
    Seen *s = calloc(1, sizeof *s);
    Err err = {0};

    if (!s) exit(99);
    for (uint32_t p = 0; p < r->spec.partitions; p += step) {
        memset(s, 0, sizeof *s);
        CHECK_OK(tokenruns_read(r, p, p + step, 2, see, s, &err), &err);
        CHECK_INT(0, s->n_wrong);
        for (uint32_t n = 0; n < N_PARTS * PER_PART; n++) {
            const bool inside = r->spec.partitions == 1 || (mix64(n) >> 32) * r->spec.partitions >> 32 == p;
            CHECK(s->n_seen[n] <= r->has[n / PER_PART]);
            if (inside || step == r->spec.partitions) CHECK_INT(r->has[n / PER_PART], s->n_seen[n]);
        }
    }
    free(s);
}

TEST(records_come_back_from_any_grouping)
{
    static const uint32_t partitions[] = {1, 4, 8192};
    const Par par = par_alone(2);
    Err err = {0};

    for (int k = 0; k < 3; k++) {
        TokenRunsSpec spec = spec_of(check_tmpdir(), partitions[k]);
        TokenRuns r;
        write_parts(&spec, (TokenRange){0, 2}, 1, 1 << 20);
        write_parts(&spec, (TokenRange){1, 4}, 3, 3000); /* part 1 is there already: this one does not count */
        write_parts(&spec, (TokenRange){2, 3}, 2, 2000); /* several segments a thread */
        write_parts(&spec, (TokenRange){5, 6}, 1, 1);
        CHECK_OK(tokenruns_open(&r, &spec, &par, &err), &err);
        CHECK_INT(3, r.n);
        CHECK_INT(4, r.n_has);
        CHECK(r.has[0] && r.has[1] && r.has[2] && !r.has[3] && !r.has[4] && r.has[5]);
        CHECK_INT(2 + 3 + 6, r.lost.bytes);
        CHECK_INT(1 + 3 + 6, r.lost.lines[LINE_NO_TEXT]);
        CHECK_INT(0, r.lost.lines[LINE_BAD_JSON]);
        CHECK_INT(2, r.domains.n);
        CHECK_INT(4 * PER_PART, r.domains.v[0].n_docs + r.domains.v[1].n_docs);
        check_all(&r, r.spec.partitions);
        if (partitions[k] < 100) check_all(&r, 1);
        tokenruns_clear(&r);
        spec.key.lo++;
        CHECK_OK(tokenruns_open(&r, &spec, &par, &err), &err); /* another job's */
        CHECK_INT(0, r.n);
        tokenruns_clear(&r);
    }
}

/* Two processes that encode the same parts: who reads what the first has made is not disturbed, though the second cuts it into other segments,
 * and who comes later takes each part once. */
TEST(the_same_parts_twice_disturb_nobody)
{
    const TokenRunsSpec spec = spec_of(check_tmpdir(), 4);
    const Par par = par_alone(2);
    TokenRuns before, after;
    StoreList list;
    Err err = {0};

    write_parts(&spec, (TokenRange){0, N_PARTS}, 1, 1 << 20);
    CHECK_OK(tokenruns_open(&before, &spec, &par, &err), &err);
    write_parts(&spec, (TokenRange){0, N_PARTS}, 3, 2000);
    CHECK_OK(tokenruns_open(&after, &spec, &par, &err), &err);
    CHECK_OK(store_list(spec.dir, &list, &err), &err);
    CHECK_INT(2, list.n);
    CHECK_INT(1, after.n);
    check_all(&before, 1);
    check_all(&after, 1);
    storelist_clear(&list);
    tokenruns_clear(&before);
    tokenruns_clear(&after);
}

/* A byte of the file is another one, or its end is missing: it does not count, or reading it fails, or (a byte that nobody reads) all is as
 * it was. */
static void check_damage(const TokenRunsSpec *spec, const char *path, Span bytes)
{
    const Par par = par_alone(1);
    static Seen s;
    TokenRuns r;
    Err err = {0};

    CHECK_OK(store_write(path, bytes, &err), &err);
    CHECK_OK(tokenruns_open(&r, spec, &par, &err), &err);
    memset(&s, 0, sizeof s);
    ErrCode rc = tokenruns_read(&r, 0, spec->partitions, 1, see, &s, &err);
    CHECK_INT(0, s.n_wrong);
    CHECK(rc == ERR_OK || rc == ERR_DATA);
    if (rc == ERR_OK && r.n_has)
        for (uint32_t n = 0; n < PER_PART; n++) CHECK_INT(1, s.n_seen[n]);
    if (rc) CHECK(strstr(err.msg, path) != NULL);
    tokenruns_clear(&r);
}

TEST(damage_shows)
{
    const TokenRunsSpec spec = spec_of(check_tmpdir(), 4);
    StoreList list;
    char path[700];
    Buf file = {0};
    Err err = {0};

    log_setup(LOG_QUIET, 1); /* no warnings */
    write_parts(&spec, (TokenRange){0, 1}, 1, 1 << 20);
    CHECK_OK(store_list(spec.dir, &list, &err), &err);
    CHECK_INT(1, list.n);
    snprintf(path, sizeof path, "%s/%s", spec.dir, list.name[0]);
    storelist_clear(&list);
    CHECK_OK(store_read(path, 1 << 20, &file, &err), &err);
    for (size_t i = 0; i < file.n; i += i + 300 < file.n ? 7 : 1) {
        file.p[i] ^= 0x41;
        check_damage(&spec, path, buf_span(&file));
        file.p[i] ^= 0x41;
    }
    for (size_t n = 0; n < file.n; n += n + 100 < file.n ? 131 : 1) check_damage(&spec, path, span(file.p, n));
    check_damage(&spec, path, buf_span(&file));
    buf_clear(&file);
    log_setup(LOG_NORMAL, 0);
}
