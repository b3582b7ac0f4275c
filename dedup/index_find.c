/* A new dump against an index. The keys of the new documents meet, partition by partition in order, the same keys of every run, read
 * side by side; the bands' candidates then meet the sketches of the survivors, file by file. Nothing is looked up at random.
 *
 *   index-exact    text key -> (document, reference)            index-known     the same by document, which then are left out
 *   index-bands    band key -> (document, reference)            index-pairs     the same by document, each pair once
 *   index-near     reference -> (document, reference), verified by sketch
 *   index-found    near matches by document: the earliest one */
#include "dedup/index.h"

#include "dedup/sign.h"

#include <math.h>
#include <stdlib.h>

enum { EXACT, BANDS };
enum {
    WINDOW = 4 << 20, /* bytes of a run that are read at a time, at most */
    MOST_SHIFT = 58   /* and never more than the keys of a 64th, the most a partition has */
};

/* --- the entries of all runs around a key that only rises */

typedef struct {
    const Results *results;
    uint64_t from, to; /* first eight bytes of the keys that are here; empty at first */
    unsigned shift;    /* a window is 1 << shift of them */
    Buf entries;
    size_t at;
} RunCursor;

typedef struct {
    const Index *ix;
    uint32_t width, key_bytes;
    RunCursor *run; /* ix->n_runs */
} Scan;

static unsigned window_shift(uint64_t bytes)
{
    unsigned shift = 63;

    while (shift > 1 && bytes >> (63 - shift) > WINDOW) shift--;
    return shift < MOST_SHIFT ? shift : MOST_SHIFT;
}

static ErrCode scan_new(Scan *s, const Index *ix, int kind, Err *err)
{
    *s = (Scan){.ix = ix,
                .width = kind == EXACT ? INDEX_EXACT_BYTES : INDEX_BAND_BYTES,
                .key_bytes = kind == EXACT ? 16 : 8,
                .run = calloc(ix->n_runs ? ix->n_runs : 1, sizeof *s->run)};
    if (!s->run) return err_nomem(err, "cursors");
    for (uint32_t i = 0; i < ix->n_runs; i++) {
        uint64_t entries = ix->run[i].n_docs * (kind == EXACT ? 1 : ix->bands);
        s->run[i].results = ix->run[i].results[kind];
        s->run[i].shift = window_shift(entries * s->width);
    }
    return ERR_OK;
}

static void scan_clear(Scan *s)
{
    for (uint32_t i = 0; s->run && i < s->ix->n_runs; i++) buf_clear(&s->run[i].entries);
    free(s->run);
}

/* To the first entry whose head is not below: steps that double, then halve (Bentley & Yao 1976), since an index has many more
 * entries than a dump has keys. */
static void cursor_leap(const Scan *s, RunCursor *c, uint64_t head)
{
    size_t lo = c->at / s->width, n = c->entries.n / s->width, step = 1;

    while (lo + step <= n && exchange_be64(c->entries.p + (lo + step - 1) * s->width) < head) {
        lo += step;
        step *= 2;
    }
    for (size_t hi = lo + step <= n ? lo + step - 1 : n; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        if (exchange_be64(c->entries.p + mid * s->width) < head)
            lo = mid + 1;
        else
            hi = mid;
    }
    c->at = lo * s->width;
}

/* Places the run's cursor at its first entry not before the key. */
static ErrCode cursor_seek(const Scan *s, RunCursor *c, const uint8_t *key, Err *err)
{
    uint64_t head = exchange_be64(key);

    if (head < c->from || head >= c->to) {
        c->from = head >> c->shift << c->shift;
        c->to = c->from + ((uint64_t)1 << c->shift);
        if (c->to == 0) c->to = UINT64_MAX;
        c->at = 0;
        buf_reset(&c->entries);
        ErrCode rc = results_range(c->results, c->from, c->to, &c->entries, err);
        if (rc) return rc;
    }
    cursor_leap(s, c, head);
    while (c->at < c->entries.n && memcmp(c->entries.p + c->at, key, s->key_bytes) < 0) c->at += s->width;
    return ERR_OK;
}

static int by_ref(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;

    return (a > b) - (a < b);
}

/* The earliest references under the key, at most `most` of them. */
static ErrCode scan_key(Scan *s, const uint8_t *key, uint64_t *ref, uint32_t most, uint32_t *n, Err *err)
{
    uint64_t all[2 * INDEX_MAX_MATCHES];
    uint32_t n_all = 0;

    *n = 0;
    for (uint32_t i = 0; i < s->ix->n_runs; i++) {
        RunCursor *c = &s->run[i];
        uint32_t of_run = 0;
        ErrCode rc = cursor_seek(s, c, key, err);
        if (rc) return rc;
        for (size_t at = c->at; at < c->entries.n && of_run < most; at += s->width) {
            if (memcmp(c->entries.p + at, key, s->key_bytes) != 0) break;
            uint64_t r = exchange_be64(c->entries.p + at + s->key_bytes);
            if (docid_dataset(r) >= s->ix->n_prior || (s->ix->n_removed && index_is_removed(s->ix, r))) continue;
            all[n_all++] = r;
            of_run++;
        }
        if (n_all < most + 1 && i + 1 < s->ix->n_runs) continue;
        qsort(all, n_all, sizeof *all, by_ref);
        if (n_all > most) n_all = most;
    }
    memcpy(ref, all, n_all * sizeof *ref);
    *n = n_all;
    return ERR_OK;
}

/* --- keys of the new documents */

typedef struct {
    DocTable *t;
    const Index *ix;
    Pass *p;
    const Results *from;
    uint32_t micro;
} Step;

static ErrCode send_exact_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Span exact;
    ErrCode rc = signpart_column(p, sign_column_names[SIGN_EXACT], COL_U64, 2, &exact, err);

    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], doc[DOC_BYTES];
        if (!(p->state[i] & DOC_SHOWN)) continue;
        exchange_key_u64(key, le64_get(exact.p + 16 * (size_t)i + 8), le64_get(exact.p + 16 * (size_t)i));
        doc_put(doc, p->first + i);
        rc = pass_put(s->p, lane, key, doc, sizeof doc, err);
    }
    return rc;
}

static ErrCode send_band_part(const Step *s, SignPart *p, uint32_t b, int lane, Err *err)
{
    char name[COL_NAME_MAX + 1];
    Span band;
    ErrCode rc;

    sign_band_name(name, b);
    rc = signpart_column(p, name, COL_U64, 1, &band, err);
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY];
        if (p->state[i] != DOC_NEAR) continue;
        exchange_key_u64(key, le64_get(band.p + 8 * (size_t)i), p->first + i);
        rc = pass_put(s->p, lane, key, NULL, 0, err);
    }
    return rc;
}

static ErrCode send_bands_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    ErrCode rc = ERR_OK;

    for (uint32_t b = 0; b < s->t->params->bands && rc == ERR_OK; b++) rc = send_band_part(s, p, b, lane, err);
    return rc;
}

static ErrCode send_exact(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return doctable_each_part(s->t, send_exact_part, s, err);
}

static ErrCode send_bands(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return doctable_each_part(s->t, send_bands_part, s, err);
}

static ErrCode put_pair(ResultsOut *out, const uint8_t *doc, uint64_t ref, Err *err)
{
    uint8_t pair[PAIR_BYTES];

    memcpy(pair, doc, DOC_BYTES);
    be64_put(pair + DOC_BYTES, ref);
    return resultsout_put(out, pair, err);
}

static ErrCode meet_exact(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY];
    uint64_t ref;
    uint32_t n;
    Scan scan;
    Span doc;
    bool end;
    ErrCode rc = scan_new(&scan, s->ix, EXACT, err);

    (void)thread, (void)partition;
    while (rc == ERR_OK && (rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        rc = scan_key(&scan, key, &ref, 1, &n, err);
        while (rc == ERR_OK && n && (rc = exchange_next_value(g, &doc, &end, err)) == ERR_OK && !end)
            rc = put_pair(out, doc.p, ref, err);
    }
    scan_clear(&scan);
    return rc;
}

/* A group is one document's band: those of one key follow each other. */
static ErrCode meet_bands(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY], last[8];
    uint64_t ref[INDEX_MAX_MATCHES];
    uint32_t n = 0;
    bool end, first = true;
    Scan scan;
    ErrCode rc = scan_new(&scan, s->ix, BANDS, err);

    (void)thread, (void)partition;
    while (rc == ERR_OK && (rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if (first || memcmp(key, last, sizeof last) != 0) rc = scan_key(&scan, key, ref, INDEX_MAX_MATCHES, &n, err);
        first = false;
        memcpy(last, key, sizeof last);
        for (uint32_t i = 0; i < n && rc == ERR_OK; i++) rc = put_pair(out, key + 8, ref[i], err);
    }
    scan_clear(&scan);
    return rc;
}

/* --- what is known exactly is left out of the rest */

static ErrCode mark_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Span docs;
    ErrCode rc = signpart_slice(p, s->from, 0, &docs, err);

    (void)lane;
    for (size_t at = 0; rc == ERR_OK && at < docs.n; at += PAIR_BYTES) {
        uint8_t *state = &p->state[doc_get(docs.p + at) - p->first];
        *state = (uint8_t)((*state & DOC_LONG) | DOC_INDEXED);
    }
    return rc;
}

static ErrCode mark_documents(Step *s, const Pass *by_doc, Err *err)
{
    s->from = pass_results(by_doc);
    return par_agree(s->t->par, doctable_each_part(s->t, mark_part, s, err), err);
}

static ErrCode find_exact(Step *s, Pass **out, Err *err)
{
    const StepSpec meet = {.name = "index-exact", .value_bytes = DOC_BYTES, .result_bytes = PAIR_BYTES},
                   sort = {.name = "index-known", .value_bytes = 8, .result_bytes = PAIR_BYTES};
    Pass *met = NULL;
    ErrCode rc = doctable_step(s->t, &meet, &met, err);

    if (rc == ERR_OK) rc = pass_run(met, send_exact, meet_exact, s, err);
    if (rc == ERR_OK) rc = doctable_step(s->t, &sort, out, err);
    if (rc == ERR_OK) rc = sort_by_doc(s->t, pass_results(met), PAIR_BYTES, list_by_doc, *out, err);
    if (rc == ERR_OK) rc = mark_documents(s, *out, err);
    pass_close(met);
    return rc;
}

/* --- candidates by document, each once */

static ErrCode send_pairs(void *ctx, int lane, uint32_t partition, Span pairs, Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY];
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < pairs.n && rc == ERR_OK; at += PAIR_BYTES) {
        doc_key(s->t, doc_get(pairs.p + at), key);
        rc = pass_put(s->p, lane, key, pairs.p + at + DOC_BYTES, 8, err);
    }
    return rc;
}

static ErrCode send_all_pairs(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return results_each(s->from, send_pairs, s, err);
}

static ErrCode list_once(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    Span ref;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        uint64_t last = UINT64_MAX; /* no reference: dataset 16383 has no part 2^22 - 1 of 2^28 records */
        while ((rc = exchange_next_value(g, &ref, &end, err)) == ERR_OK && !end) {
            if (exchange_be64(ref.p) == last) continue;
            last = exchange_be64(ref.p);
            if ((rc = put_pair(out, key + 8, last, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

/* --- against the survivors, file by file */

/* Keys sort by the file a reference lies in, then by reference. */
static void ref_key(const Index *ix, uint64_t ref, uint8_t key[EXCHANGE_KEY])
{
    uint64_t file = ix->dataset[docid_dataset(ref)].first_file + (uint64_t)docid_part(ref);

    exchange_key_u64(key, file * (UINT64_MAX / ix->n_files), ref);
}

static ErrCode send_sketches_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Span pairs, sketch;
    ErrCode rc;

    if ((rc = signpart_slice(p, s->from, 0, &pairs, err)) != ERR_OK || pairs.n == 0) return rc;
    rc = signpart_column(p, sign_column_names[SIGN_SKETCH], COL_U8, SKETCH_BINS, &sketch, err);
    for (size_t at = 0; at < pairs.n && rc == ERR_OK; at += PAIR_BYTES) {
        uint8_t key[EXCHANGE_KEY], value[DOC_BYTES + SKETCH_BINS];
        uint64_t doc = doc_get(pairs.p + at);
        ref_key(s->ix, exchange_be64(pairs.p + at + DOC_BYTES), key);
        doc_put(value, doc);
        memcpy(value + DOC_BYTES, sketch.p + SKETCH_BINS * (size_t)(doc - p->first), SKETCH_BINS);
        rc = pass_put(s->p, lane, key, value, sizeof value, err);
    }
    return rc;
}

static ErrCode send_sketches(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return doctable_each_part(s->t, send_sketches_part, s, err);
}

static ErrCode compare_sketches(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out,
                                Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY];
    IndexDocsCursor c = {.use = DOCS_SKETCHES};
    Span value;
    bool found, end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        uint64_t ref = exchange_be64(key + 8);
        if ((rc = indexdocs_seek(&c, s->ix, ref, &found, err)) == ERR_OK && !found)
            rc = err_set(err, ERR_DATA, "%s: dataset %u, part %u does not know record %u, which a run names",
                         s->ix->dir, docid_dataset(ref), docid_part(ref), docid_record(ref));
        if (rc) break;
        const uint8_t *sketch = c.docs.sketch.p + SKETCH_BINS * (size_t)c.row;
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end)
            if (sketch_near(sketch, value.p + DOC_BYTES, s->micro) &&
                (rc = put_pair(out, value.p, ref, err)) != ERR_OK)
                break;
        if (rc) break;
    }
    indexdocs_leave(&c);
    return rc;
}

static ErrCode find_near(Step *s, Pass **out, Err *err)
{
    const StepSpec meet = {.name = "index-bands", .value_bytes = 0, .result_bytes = PAIR_BYTES},
                   once = {.name = "index-pairs", .value_bytes = 8, .result_bytes = PAIR_BYTES},
                   verify = {.name = "index-near",
                             .value_bytes = DOC_BYTES + SKETCH_BINS,
                             .result_bytes = PAIR_BYTES},
                   sort = {.name = "index-found", .value_bytes = 8, .result_bytes = PAIR_BYTES};
    Pass *met = NULL, *pairs = NULL, *near = NULL;
    ErrCode rc = doctable_step(s->t, &meet, &met, err);

    if (rc == ERR_OK) rc = pass_run(met, send_bands, meet_bands, s, err);
    if (rc == ERR_OK) rc = doctable_step(s->t, &once, &pairs, err);
    if (rc == ERR_OK) {
        s->from = pass_results(met);
        rc = pass_run(pairs, send_all_pairs, list_once, s, err);
    }
    pass_close(met);
    if (rc == ERR_OK) rc = doctable_step(s->t, &verify, &near, err);
    if (rc == ERR_OK) {
        s->from = pass_results(pairs);
        rc = pass_run(near, send_sketches, compare_sketches, s, err);
    }
    pass_close(pairs);
    if (rc == ERR_OK) rc = doctable_step(s->t, &sort, out, err);
    if (rc == ERR_OK) rc = sort_by_doc(s->t, pass_results(near), PAIR_BYTES, list_by_doc, *out, err);
    if (rc == ERR_OK) rc = mark_documents(s, *out, err);
    pass_close(near);
    return rc;
}

/* --- all of it */

ErrCode index_find(DocTable *t, Index *ix, Pass *found[2], Err *err)
{
    Step s = {.t = t, .ix = ix, .micro = (uint32_t)lround(t->params->verify * 1e6)};
    ErrCode rc = indexruns_open(ix, t->par, err);

    if (rc == ERR_OK) rc = find_exact(&s, &found[EXACT], err);
    if (rc == ERR_OK && !t->params->exact_only) rc = find_near(&s, &found[BANDS], err);
    indexruns_close(ix);
    return rc;
}
