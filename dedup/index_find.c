/* A new dump against an index. The keys of the new documents meet, partition by partition in order, the same keys of every run, read
 * side by side; the bands' candidates then meet the sketches of the survivors, file by file. Nothing is looked up at random.
 *
 *   index-exact    text key -> (document, reference)            index-known     the same by document, which then are left out
 *   index-bands    band key -> (document, reference)            index-pairs     the same by document, each pair once
 *   index-near     reference -> (document, reference), verified by sketch
 *   index-found    near matches by document: the earliest one */
#include "dedup/index.h"

#include "dedup/sign.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { EXACT = INDEX_EXACT, BANDS = INDEX_BANDS };
enum { MAX_OPEN = 512 /* files at a time */ };

/* --- the entries of all runs around a key that only rises */

/* Of one thread. */
typedef struct {
    const Index *ix;
    int kind;
    uint32_t key_bytes;
    ResultsCursor *run; /* ix->n_runs */
} Scan;

static ErrCode scan_new(Scan *s, const Index *ix, int kind, int threads, Err *err)
{
    *s = (Scan){.ix = ix,
                .kind = kind,
                .key_bytes = kind == EXACT ? 16 : 8,
                .run = calloc(ix->n_runs ? ix->n_runs : 1, sizeof *s->run)};
    if (!s->run) return err_nomem(err, "cursors");
    for (uint32_t i = 0; i < ix->n_runs; i++) {
        s->run[i].results = ix->run[i].results[kind];
        s->run[i].brief = i >= MAX_OPEN / (uint32_t)threads;
    }
    return ERR_OK;
}

static void scan_clear(Scan *s)
{
    for (uint32_t i = 0; s->run && i < s->ix->n_runs; i++) resultscursor_clear(&s->run[i]);
    free(s->run);
}

/* Places the run's cursor at its first entry not before the key. */
static ErrCode scan_seek(const Scan *s, ResultsCursor *c, const uint8_t *key, Err *err)
{
    const uint64_t head = be64_get(key);
    const uint8_t *entry;
    ErrCode rc = resultscursor_seek(c, head, err);

    while (rc == ERR_OK && s->key_bytes > 8 && (entry = resultscursor_peek(c)) != NULL && be64_get(entry) == head &&
           be64_get(entry + 8) < be64_get(key + 8))
        rc = resultscursor_next(c, err);
    return rc;
}

/* The earliest references that a run has under the key, at most `most` of them. */
static ErrCode scan_run(const Scan *s, ResultsCursor *c, const uint8_t *key, uint64_t *ref, uint32_t most,
                        uint32_t *n, Err *err)
{
    const uint8_t *entry;
    ErrCode rc = scan_seek(s, c, key, err);

    *n = 0;
    while (rc == ERR_OK && *n < most && (entry = resultscursor_peek(c)) != NULL) {
        if (be64_get(entry) != be64_get(key)) break;
        if (s->key_bytes > 8 && be64_get(entry + 8) != be64_get(key + 8)) break;
        uint64_t r = be64_get(entry + s->key_bytes);
        if (docid_dataset(r) < s->ix->n_prior && !(s->ix->n_removed && index_is_removed(s->ix, r))) ref[(*n)++] = r;
        rc = resultscursor_next(c, err);
    }
    return rc;
}

/* The earliest of all runs. With as many as are wanted, a run of later datasets has nothing to add. */
static ErrCode scan_key(const Scan *s, const uint8_t *key, uint64_t *ref, uint32_t most, uint32_t *n, Err *err)
{
    const uint64_t head = be64_get(key);
    const IndexMask mask = s->kind == BANDS ? index_mask(head) : (IndexMask){{0}};
    uint64_t all[2 * INDEX_MAX_MATCHES];
    uint32_t n_all = 0, of_run;

    for (uint32_t i = 0; i < s->ix->n_runs; i++) {
        const IndexRun *run = &s->ix->run[i];
        if (n_all == most && run->n_datasets && run->dataset[0] > docid_dataset(all[n_all - 1])) continue;
        if (s->kind == BANDS && !indexrun_may_hold(run, head, &mask)) continue;
        ErrCode rc = scan_run(s, &s->run[i], key, all + n_all, most, &of_run, err);
        if (rc) return rc;
        if (n_all && of_run) {
            n_all += of_run;
            qsort(all, n_all, sizeof *all, u64_compare);
            if (n_all > most) n_all = most;
        } else {
            n_all += of_run;
        }
    }
    memcpy(ref, all, n_all * sizeof *ref);
    *n = n_all;
    return ERR_OK;
}

/* --- keys of the new documents */

typedef struct {
    const DocTable *t;
    const Index *ix;
    Scan *scan; /* of every thread */
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

/* Keys of one band under way. */
typedef struct {
    uint64_t key[INDEX_BATCH], doc[INDEX_BATCH];
    uint32_t n;
} Batch;

/* Those that a run may have are sent. */
static ErrCode send_batch(const Step *s, Batch *b, int lane, Err *err)
{
    bool may[INDEX_BATCH];
    ErrCode rc = ERR_OK;

    index_may_hold(s->ix, b->key, b->n, may);
    for (uint32_t i = 0; i < b->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY];
        exchange_key_u64(key, b->key[i], b->doc[i]);
        if (may[i]) rc = pass_put(s->p, lane, key, NULL, 0, err);
    }
    b->n = 0;
    return rc;
}

/* `near` are the records of those that take part, n u32. */
static ErrCode send_band_part(const Step *s, SignPart *p, uint32_t band, const uint32_t *near, size_t n, int lane,
                              Err *err)
{
    char name[COL_NAME_MAX + 1];
    Batch b = {.n = 0};
    Span keys;
    ErrCode rc;

    sign_band_name(name, band);
    rc = signpart_column(p, name, COL_U64, 1, &keys, err);
    for (size_t i = 0; i < n && rc == ERR_OK; i++) {
        b.key[b.n] = le64_get(keys.p + 8 * (size_t)near[i]);
        b.doc[b.n++] = p->first + near[i];
        if (b.n == INDEX_BATCH) rc = send_batch(s, &b, lane, err);
    }
    return rc ? rc : send_batch(s, &b, lane, err);
}

static ErrCode send_bands_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    uint32_t *near = malloc((p->n + (size_t)1) * sizeof *near);
    size_t n = 0;
    ErrCode rc = near ? ERR_OK : err_nomem(err, "a part's documents");

    for (uint32_t i = 0; rc == ERR_OK && i < p->n; i++) {
        near[n] = i;
        n += p->state[i] == DOC_NEAR;
    }
    for (uint32_t b = 0; n && b < s->t->params->bands && rc == ERR_OK; b++)
        rc = send_band_part(s, p, b, near, n, lane, err);
    free(near);
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
    Span doc;
    bool end;
    ErrCode rc;

    (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        rc = scan_key(&s->scan[thread], key, &ref, 1, &n, err);
        while (rc == ERR_OK && n && (rc = exchange_next_value(g, &doc, &end, err)) == ERR_OK && !end)
            rc = put_pair(out, doc.p, ref, err);
        if (rc) break;
    }
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
    ErrCode rc;

    (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if (first || memcmp(key, last, sizeof last) != 0)
            rc = scan_key(&s->scan[thread], key, ref, INDEX_MAX_MATCHES, &n, err);
        first = false;
        memcpy(last, key, sizeof last);
        for (uint32_t i = 0; i < n && rc == ERR_OK; i++) rc = put_pair(out, key + 8, ref[i], err);
        if (rc) break;
    }
    return rc;
}

static ErrCode run_scan(Step *s, Pass *p, int kind, PassSend send, PassReceive receive, Err *err)
{
    const int threads = s->t->par->threads;
    ErrCode rc = (s->scan = calloc((size_t)threads, sizeof *s->scan)) ? ERR_OK : err_nomem(err, "cursors");

    for (int i = 0; i < threads && rc == ERR_OK; i++) rc = scan_new(&s->scan[i], s->ix, kind, threads, err);
    if ((rc = par_agree(s->t->par, rc, err)) == ERR_OK) rc = pass_run(p, send, receive, s, err);
    for (int i = 0; s->scan && i < threads; i++) scan_clear(&s->scan[i]);
    free(s->scan);
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

    if (rc == ERR_OK) rc = run_scan(s, met, EXACT, send_exact, meet_exact, err);
    if (rc == ERR_OK) rc = doctable_step(s->t, &sort, out, err);
    if (rc == ERR_OK) rc = sort_by_doc(s->t, pass_results(met), PAIR_BYTES, list_by_doc, *out, err);
    if (rc == ERR_OK) rc = mark_documents(s, *out, err);
    pass_close(met);
    return rc;
}

/* --- candidates by document, each once */

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
            if (be64_get(ref.p) == last) continue;
            last = be64_get(ref.p);
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
        ref_key(s->ix, be64_get(pairs.p + at + DOC_BYTES), key);
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
    const uint8_t *sketch = NULL;
    Span value;
    bool found, end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        uint64_t ref = be64_get(key + 8);
        if ((rc = indexdocs_seek(&c, s->ix, ref, &found, err)) == ERR_OK && !found)
            rc = err_set(err, ERR_DATA, "%s: dataset %u, part %u does not know record %u, which a run names",
                         s->ix->dir, docid_dataset(ref), docid_part(ref), docid_record(ref));
        if (rc == ERR_OK) rc = indexdocs_sketch(&c, s->ix, &sketch, err);
        if (rc) break;
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

    if (rc == ERR_OK) rc = run_scan(s, met, BANDS, send_bands, meet_bands, err);
    if (rc == ERR_OK) rc = doctable_step(s->t, &once, &pairs, err);
    if (rc == ERR_OK) rc = sort_by_doc(s->t, pass_results(met), PAIR_BYTES, list_once, pairs, err);
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

static uint64_t lists_bytes(const Index *ix)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < ix->n_runs; i++)
        for (int kind = 0; kind < INDEX_KINDS; kind++)
            if (ix->run[i].results[kind]) bytes += results_held_bytes(ix->run[i].results[kind]);
    return bytes;
}

/* What the filters, the runs' lists and the cursors take comes out of the steps' memory. */
static ErrCode share_memory(DocTable *steps, Index *ix, Err *err)
{
    const uint64_t threads = (uint64_t)steps->par->threads,
                   runs = threads * ix->n_runs * INDEX_PIECE + lists_bytes(ix);
    uint64_t filters = 0;
    ErrCode rc = ERR_OK;

    if (runs > steps->memory / 3)
        return err_set(err, ERR_NOMEM, "%s: %" PRIu32 " runs need %" PRIu64 " MiB more of --memory, or fewer threads",
                       ix->dir, ix->n_runs, ((runs * 3 - steps->memory) >> 20) + 1);
    if (ix->bands) rc = indexfilters_load(ix, steps->memory / 2, &filters, err);
    steps->memory -= runs + filters;
    return rc;
}

ErrCode index_find(DocTable *t, Index *ix, Pass *found[2], Err *err)
{
    DocTable steps = *t; /* whose states are the same */
    Step s = {.t = &steps, .ix = ix, .micro = (uint32_t)lround(t->params->verify * 1e6)};
    ErrCode rc = indexruns_open(ix, t->par, err);

    if (rc == ERR_OK) rc = par_agree(t->par, share_memory(&steps, ix, err), err);
    if (rc == ERR_OK) rc = find_exact(&s, &found[EXACT], err);
    if (rc == ERR_OK && !t->params->exact_only) rc = find_near(&s, &found[BANDS], err);
    indexruns_close(ix);
    return rc;
}
