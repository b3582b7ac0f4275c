/* Filters of an index's runs: which band keys a run surely does not have, so that most keys of new documents are never sent, sorted and looked
 * for. Blocked Bloom filters (Putze, Sanders & Singler 2007): a key sets and asks bits of one cache line. Lines are in the order of
 * keys, so a filter is made while the run is read, a line at a time, and part of it stands for part of the keys. */
#include "dedup/index.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_KERNEL 1
#include <immintrin.h>
#endif

/* Each line belongs to one partition, whose number is a power of two. */
static uint64_t n_lines(const Index *ix, const IndexRun *run)
{
    const uint64_t parts = run->partitions[INDEX_BANDS], keys = run->n_docs * ix->bands;

    return (keys / parts / INDEX_LINE_KEYS + 1) * parts;
}

/* The first key of a line: line i has [i 2^64 / n, (i + 1) 2^64 / n). */
static uint64_t line_head(uint64_t line, uint64_t n) { return (uint64_t)((((__uint128_t)line << 64) + n - 1) / n); }

/* --- making */

typedef struct {
    ResultsCursor keys;
    Results *filter;
    ResultsOut out;
    uint64_t n; /* lines */
} Maker;

static ErrCode make_line(Maker *m, uint64_t line, Err *err)
{
    uint8_t bytes[INDEX_LINE_BYTES] = {0};
    const uint8_t *entry;
    ErrCode rc = ERR_OK;

    be64_put(bytes, line_head(line, m->n));
    while (rc == ERR_OK && (entry = resultscursor_peek(&m->keys)) != NULL) {
        const uint64_t key = be64_get(entry);
        if (indexrun_line(key, m->n) != line) break;
        const IndexMask mask = index_mask(key);
        for (int w = 1; w <= INDEX_LINE_WORDS; w++) le64_put(bytes + 8 * w, le64_get(bytes + 8 * w) | mask.word[w]);
        rc = resultscursor_next(&m->keys, err);
    }
    return rc ? rc : resultsout_put(&m->out, bytes, err);
}

static ErrCode make_partition(Maker *m, uint32_t partition, uint32_t partitions, Err *err)
{
    const uint64_t each = m->n / partitions, first = partition * each;
    ErrCode rc = interrupt_seen() ? err_set(err, ERR_INTR, "interrupted") : ERR_OK;

    if (rc == ERR_OK) rc = resultscursor_seek(&m->keys, line_head(first, m->n), err);
    resultsout_begin(&m->out, m->filter, partition);
    for (uint64_t i = 0; i < each && rc == ERR_OK; i++) rc = make_line(m, first + i, err);
    return rc ? rc : resultsout_end(&m->out, err);
}

static ErrCode make_partitions(const Index *ix, const IndexRun *run, const Par *par, Err *err)
{
    Results *filter = run->results[INDEX_FILTER];
    uint32_t begin, end, failed = UINT32_MAX;
    ErrCode rc = ERR_OK;

    (void)par; /* where there is no OpenMP */
    results_share(filter, &begin, &end);
#pragma omp parallel num_threads(par->threads)
    {
        Maker m = {.keys = {.results = run->results[INDEX_BANDS]}, .filter = filter, .n = n_lines(ix, run)};
#pragma omp for schedule(dynamic, 1)
        for (uint32_t p = begin; p < end; p++) {
            Err own;
            ErrCode mine =
                results_has(filter, p) ? ERR_OK : make_partition(&m, p, run->partitions[INDEX_BANDS], &own);
            if (mine == ERR_OK) continue;
#pragma omp critical(index_filter)
            if (p < failed) {
                failed = p;
                rc = mine;
                *err = own;
            }
        }
        resultscursor_clear(&m.keys);
        resultsout_clear(&m.out);
    }
    return rc;
}

ErrCode indexfilter_build(const Index *ix, IndexRun *run, const Par *par, Err *err)
{
    ErrCode rc = indexrun_open(ix, run, INDEX_BANDS, par, err);

    if (rc == ERR_OK && !results_complete(run->results[INDEX_BANDS]))
        rc = err_set(err, ERR_DATA, "%s is not complete", run->path[INDEX_BANDS]);
    if (rc == ERR_OK) rc = indexrun_open(ix, run, INDEX_FILTER, par, err);
    if (rc == ERR_OK && !results_complete(run->results[INDEX_FILTER]))
        rc = results_settle(run->results[INDEX_FILTER], make_partitions(ix, run, par, err), err);
    indexrun_close(run);
    return rc;
}

/* --- asking */

typedef struct {
    IndexRun *run;
    uint64_t n; /* lines that came */
} Loading;

static ErrCode take_lines(void *ctx, int thread, uint32_t partition, Span lines, Err *err)
{
    Loading *l = ctx;
    const uint64_t first = indexrun_line(be64_get(lines.p), l->run->n_lines), loaded = l->run->n_loaded;
    uint64_t n = lines.n / INDEX_LINE_BYTES; /* side by side */

    (void)thread, (void)partition, (void)err;
    if (n > loaded - (first < loaded ? first : loaded)) n = first < loaded ? loaded - first : 0;
    memcpy(l->run->line + first * INDEX_LINE_BYTES, lines.p, n * INDEX_LINE_BYTES);
#pragma omp atomic update
    l->n += n;
    return ERR_OK;
}

static ErrCode load_filter(const Index *ix, IndexRun *run, Err *err)
{
    Loading l = {.run = run};
    ErrCode rc = run->n_loaded ? results_all(run->results[INDEX_FILTER], take_lines, &l, err) : ERR_OK;

    if (rc == ERR_OK && l.n != run->n_loaded)
        rc = err_set(err, ERR_DATA, "%s has not the lines that it should have; %s", run->path[INDEX_FILTER],
                     ix->repair);
    return rc;
}

/* Side by side on huge pages: every key asks a line of each, anywhere. */
ErrCode indexfilters_load(Index *ix, uint64_t memory, uint64_t *taken, Err *err)
{
    uint64_t all = 0, lines = 0;
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < ix->n_runs; i++)
        all += (ix->run[i].n_lines = n_lines(ix, &ix->run[i])) * INDEX_LINE_BYTES;
    for (uint32_t i = 0; i < ix->n_runs; i++) {
        IndexRun *run = &ix->run[i];
        run->n_loaded = all <= memory ? run->n_lines : (uint64_t)((__uint128_t)run->n_lines * memory / all);
        lines += run->n_loaded;
    }
    *taken = lines * INDEX_LINE_BYTES;
    if (!(ix->lines = slab_take((size_t)*taken))) return err_nomem(err, "filters");
    uint8_t *at = slab_bytes(ix->lines);
    for (uint32_t i = 0; i < ix->n_runs && rc == ERR_OK; at += ix->run[i++].n_loaded * INDEX_LINE_BYTES) {
        ix->run[i].line = at;
        rc = load_filter(ix, &ix->run[i], err);
    }
    return rc;
}

/* What is not loaded has all bits. */
static void ask_for_lines(const IndexRun *run, const uint64_t *key, uint32_t n, const uint8_t **line)
{
    static const uint8_t all[INDEX_LINE_BYTES] = {
#define EIGHT 255, 255, 255, 255, 255, 255, 255, 255
        EIGHT, EIGHT, EIGHT, EIGHT, EIGHT,
        EIGHT, EIGHT, EIGHT
#undef EIGHT
    };

    for (uint32_t k = 0; k < n; k++) {
        const uint64_t at = indexrun_line(key[k], run->n_lines);
        line[k] = at < run->n_loaded ? run->line + at * INDEX_LINE_BYTES : all;
        __builtin_prefetch(line[k]);
    }
}

static void make_masks(const uint64_t *key, uint32_t n, IndexMask *mask)
{
    for (uint32_t k = 0; k < n; k++) mask[k] = index_mask(key[k]);
}

static void ask_lines(const uint8_t *const *line, const IndexMask *mask, uint32_t n, bool *may)
{
    for (uint32_t k = 0; k < n; k++) may[k] |= indexline_has(line[k], &mask[k]);
}

#ifdef HAVE_AVX2_KERNEL
__attribute__((target("avx2"))) static void make_masks_avx2(const uint64_t *key, uint32_t n, IndexMask *mask)
{
    const __m256i first = _mm256_set_epi64x(12, 6, 0, 0), second = _mm256_set_epi64x(36, 30, 24, 18),
                  six = _mm256_set1_epi64x(63), one = _mm256_set1_epi64x(1), no_head = _mm256_set_epi64x(1, 1, 1, 0);

    for (uint32_t k = 0; k < n; k++) {
        const __m256i mixed = _mm256_set1_epi64x((long long)mix64(key[k])),
                      low = _mm256_and_si256(_mm256_srlv_epi64(mixed, first), six),
                      high = _mm256_and_si256(_mm256_srlv_epi64(mixed, second), six);
        _mm256_storeu_si256((__m256i *)(void *)&mask[k].word[0], _mm256_sllv_epi64(no_head, low));
        _mm256_storeu_si256((__m256i *)(void *)&mask[k].word[4], _mm256_sllv_epi64(one, high));
    }
}

__attribute__((target("avx2"))) static void ask_lines_avx2(const uint8_t *const *line, const IndexMask *mask,
                                                           uint32_t n, bool *may)
{
    for (uint32_t k = 0; k < n; k++) {
        const __m256i *l = (const __m256i *)(const void *)line[k], *m = (const __m256i *)(const void *)mask[k].word;
        may[k] |= _mm256_testc_si256(_mm256_loadu_si256(l), _mm256_loadu_si256(m)) &
                  _mm256_testc_si256(_mm256_loadu_si256(l + 1), _mm256_loadu_si256(m + 1));
    }
}

static bool have_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
#define make_masks_avx2 make_masks
#define ask_lines_avx2  ask_lines
static bool have_avx2(void) { return false; }
#endif

/* Lines lie anywhere, so that each costs a miss of all caches: those of a batch are asked for together, a run ahead. */
void index_may_hold(const Index *ix, const uint64_t *key, uint32_t n, bool *may)
{
    const bool wide = have_avx2();
    const uint8_t *line[2][INDEX_BATCH];
    IndexMask mask[INDEX_BATCH];

    memset(may, 0, n * sizeof *may);
    if (ix->n_runs) ask_for_lines(&ix->run[0], key, n, line[0]);
    (wide ? make_masks_avx2 : make_masks)(key, n, mask);
    for (uint32_t i = 0; i < ix->n_runs; i++) {
        if (i + 1 < ix->n_runs) ask_for_lines(&ix->run[i + 1], key, n, line[(i + 1) % 2]);
        (wide ? ask_lines_avx2 : ask_lines)(line[i % 2], mask, n, may);
    }
}
