#include "dedup/doctable.h"

#include "core/log.h"
#include "core/store.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <limits.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HELD_BYTES = 13,          /* a record: its state here, its label and its place in a forest of components */
    PROCESS_BYTES = 28 << 20, /* libraries, and what signing leaves behind in the allocator: part of every peak */
    THREAD_BYTES = 4 << 20, /* a thread: SIGNPART_RECORDS of the widest columns, with slices and a piece of results */
    STEP_LEAST = 48 << 20,  /* memory for steps at the least */
    PARTITION_RECORDS = 64 << 10, /* what one thread sorts at a time */
    PARTITIONS_LEAST = 64
};

/* --- opening */

typedef struct {
    DocId id;
    uint32_t part;
} RootPart;

static int by_docid(const void *pa, const void *pb)
{
    const RootPart *a = pa, *b = pb;

    return (a->id > b->id) - (a->id < b->id);
}

/* Two views of one dataset would show the same documents twice. */
static ErrCode check_roots(const DocTable *t, const DatasetSet *in, Err *err)
{
    RootPart *roots = malloc((t->n_parts + (size_t)1) * sizeof *roots);
    ErrCode rc = ERR_OK;

    if (!roots) return err_nomem(err, "the list of parts");
    for (uint32_t i = 0; i < t->n_parts; i++) roots[i] = (RootPart){t->docid[i], i};
    qsort(roots, t->n_parts, sizeof *roots, by_docid);
    for (uint32_t i = 1; i < t->n_parts && rc == ERR_OK; i++) {
        uint32_t a, b, local;
        if (roots[i - 1].id != roots[i].id) continue;
        datasetset_locate(in, roots[i - 1].part, &a, &local);
        datasetset_locate(in, roots[i].part, &b, &local);
        rc = err_set(err, ERR_USAGE, "%s and %s show documents of the same dataset: give one of them",
                     dataset_dir(datasetset_at(in, a)), dataset_dir(datasetset_at(in, b)));
    }
    free(roots);
    return rc;
}

static void number_records(DocTable *t, const DatasetSet *in)
{
    for (uint32_t i = 0; i < t->n_parts; i++) {
        t->docid[i] = datasetset_docid(in, i);
        t->first[i + 1] = t->first[i] + datasetset_n_records(in, i);
    }
    t->n = t->first[t->n_parts];
}

static uint32_t n_workers(const DocTable *t) { return t->task.count ? t->task.count : (uint32_t)t->par->n_ranks; }
static uint32_t this_worker(const DocTable *t) { return t->task.count ? t->task.index : (uint32_t)t->par->rank; }

/* Parts go to the worker in whose range of records they begin. */
static uint32_t first_part_of(const DocTable *t, uint32_t worker)
{
    uint32_t part = 0, workers = n_workers(t);

    if (worker == workers) return t->n_parts;
    while (part < t->n_parts && (__uint128_t)t->first[part] * workers < (__uint128_t)t->n * worker) part++;
    return part;
}

static ErrCode alloc_states(DocTable *t, uint64_t memory, Err *err)
{
    uint64_t ranks = (uint64_t)t->par->n_ranks, own = t->first[t->end] - t->first[t->begin];
    uint64_t most = own > t->n / ranks + 1 ? own : t->n / ranks + 1;
    uint64_t held =
        PROCESS_BYTES + (t->task.index ? own : HELD_BYTES * most); /* of tasks the first alone finds components */
    const uint64_t least = held + STEP_LEAST + THREAD_BYTES;

    if (memory < least)
        return err_set(err, ERR_NOMEM, "%" PRIu64 " documents need --memory of at least %" PRIu64 " MiB%s", t->n,
                       (least >> 20) + 1, ranks > 1 ? " a rank" : "");
    t->own = *t->par;
    if (memory - least < (uint64_t)(t->own.threads - 1) * THREAD_BYTES)
        t->own.threads = 1 + (int)((memory - least) / THREAD_BYTES);
    t->par = &t->own;
    t->memory = memory - held - (uint64_t)t->own.threads * THREAD_BYTES;
    t->state = calloc(own ? (size_t)own : 1, 1);
    return t->state ? ERR_OK : err_nomem(err, "the table of documents");
}

/* Which records the inputs show, and which are long enough for shingles. */
static ErrCode read_states(void *ctx, SignPart *p, int lane, Err *err)
{
    const DocTable *t = ctx;
    Span drop, tokens;
    ErrCode rc;

    (void)lane;
    if ((rc = signpart_column(p, "drop", COL_U8, 1, &drop, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_TOKENS], COL_U32, 1, &tokens, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < p->n; i++) {
        bool is_long = le32_get(tokens.p + 4 * (size_t)i) >= t->params->shingle;
        p->state[i] = (uint8_t)(drop.p[i] ? 0 : DOC_SHOWN | (is_long ? DOC_LONG : 0));
    }
    return ERR_OK;
}

/* The keep order and the window, and the dumps that both may ask for. */
static ErrCode read_order(DocTable *t, Err *err)
{
    bool asked;
    ErrCode rc = keep_parse(&t->keep, t->params->keep, err);

    t->order_bytes = 8 * t->keep.n + REF_BYTES;
    t->window = t->params->window > 1 ? t->params->window : 0;
    asked = t->window || keep_needs_dumps(&t->keep);
    if (rc == ERR_OK) rc = dumpnames_load(&t->dumps, t->sign_dir, err);
    if (rc == ERR_OK && asked && t->dumps.too_many)
        rc = err_set(err, ERR_LIMIT,
                     "%s: --scope window and --keep by dump take %d dumps with names of %d bytes at most",
                     t->sign_dir, DUMPS_MAX, DUMPS_MAX_NAME);
    return rc;
}

ErrCode doctable_number(DocTable *t, const DatasetSet *in, const DocTableSpec *spec, const Par *par, Err *err)
{
    ErrCode rc;

    *t = (DocTable){.par = par,
                    .sign_dir = spec->sign_dir,
                    .passes_dir = spec->passes_dir,
                    .key = spec->key,
                    .scratch = spec->scratch,
                    .task = spec->task,
                    .memory = spec->memory,
                    .n_parts = datasetset_n_parts(in)};
    t->first = calloc(t->n_parts + (size_t)1, sizeof *t->first);
    t->docid = calloc(t->n_parts + (size_t)1, sizeof *t->docid);
    rc = t->first && t->docid ? ERR_OK : err_nomem(err, "the list of parts");
    if (rc == ERR_OK) {
        number_records(t, in);
        t->begin = first_part_of(t, this_worker(t));
        t->end = first_part_of(t, this_worker(t) + 1);
        rc = check_roots(t, in, err);
    }
    rc = par_agree(par, rc, err);
    if (rc) doctable_clear(t);
    return rc;
}

ErrCode doctable_open(DocTable *t, const DedupParams *params, const DatasetSet *in, const DocTableSpec *spec,
                      const Par *par, Err *err)
{
    ErrCode rc = doctable_number(t, in, spec, par, err);

    if (rc) return rc;
    t->params = params;
    rc = read_order(t, err);
    if (rc == ERR_OK) rc = alloc_states(t, spec->memory, err);
    if (rc == ERR_OK) rc = doctable_each_part(t, read_states, t, err);
    rc = par_agree(par, rc, err);
    if (rc) doctable_clear(t);
    return rc;
}

void doctable_clear(DocTable *t)
{
    free(t->first);
    free(t->docid);
    free(t->state);
    dumpnames_clear(&t->dumps);
    *t = (DocTable){0};
}

DocId doctable_docid(const DocTable *t, uint64_t doc)
{
    uint32_t lo = 0, hi = t->n_parts; /* the last part whose first record is not behind doc */

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (t->first[mid] <= doc)
            lo = mid;
        else
            hi = mid;
    }
    return t->docid[lo] + (doc - t->first[lo]);
}

/* --- going over the signatures */

/* Signatures of the parts under way, which threads share: what is not used any more stays until another part needs its place. */
typedef struct {
    Columns *cols;
    uint32_t part;
    int n_users;
} OpenPart;

/* The way through all records, handed out in order. */
typedef struct {
    const DocTable *t;
    bool whole;
    PartFn fn;
    void *ctx;
    pthread_mutex_t lock;
    uint32_t part, at; /* not handed out yet */
    OpenPart *open;    /* a place for every thread */
    uint64_t failed;   /* place of the first that failed, part << 32 | at; ~0: none has */
    ErrCode rc;
    Err err;
} Walk;

struct SignHeld {
    const DocTable *t;
    OpenPart *open;
    Buf column[SIGNPART_COLUMNS];
    uint32_t n_read; /* columns */
};

ErrCode signpart_column(const SignPart *p, const char *name, ColType type, uint16_t width, Span *values, Err *err)
{
    struct SignHeld *h = p->held;
    Buf *b = &h->column[h->n_read++ % SIGNPART_COLUMNS];
    uint32_t column;
    ErrCode rc = columns_require(h->open->cols, &(ColumnDef){name, type, width, 0}, &column, err);

    if (rc == ERR_OK) rc = columns_range(h->open->cols, column, p->at, p->n, b, err);
    *values = buf_span(b);
    return rc;
}

ErrCode signpart_slice(SignPart *p, const Results *r, int i, Span *records, Err *err)
{
    ErrCode rc;

    buf_reset(&p->slice[i]);
    rc = results_range(r, p->first, p->first + p->n, &p->slice[i], err);
    *records = buf_span(&p->slice[i]);
    return rc;
}

/* Records [at, at + n) of the part, n at most SIGNPART_RECORDS. */
static void place_at(SignPart *p, uint32_t at)
{
    const DocTable *t = p->held->t;
    const uint32_t left = p->part_records - at;

    p->at = at;
    p->n = left < SIGNPART_RECORDS ? left : SIGNPART_RECORDS;
    p->first = t->first[p->part] + at;
    p->state = t->state + (p->first - t->first[t->begin]);
    p->held->n_read = 0;
}

bool signpart_next(SignPart *p)
{
    if (p->at + p->n == p->part_records) return false;
    place_at(p, p->at + p->n);
    return true;
}

/* A place for the part, which is opened unless somebody has. */
static ErrCode take_part(Walk *w, uint32_t part, OpenPart **open, Err *err)
{
    OpenPart *o = NULL;
    ErrCode rc = ERR_OK;

    for (int i = 0; i < w->t->par->threads; i++) {
        if (w->open[i].cols && w->open[i].part == part) o = &w->open[i];
        if (!o && w->open[i].n_users == 0) *open = &w->open[i];
    }
    if (!o) {
        o = *open;
        columns_close(o->cols);
        o->cols = NULL;
        o->part = part;
        rc = sign_open(&o->cols, w->t->sign_dir, part, err);
        if (rc == ERR_OK && columns_n_docs(o->cols) != w->t->first[part + 1] - w->t->first[part])
            rc = err_set(err, ERR_DATA, "%s: part %" PRIu32 " changed while it was read", w->t->sign_dir, part);
    }
    o->n_users++;
    *open = o;
    return rc;
}

/* What a thread does next; false: nothing is left, or something has failed. The lock is held. */
static bool hand_out(Walk *w, SignPart *p)
{
    const DocTable *t = w->t;

    while (w->part < t->end && !w->whole && w->at == t->first[w->part + 1] - t->first[w->part]) w->part++, w->at = 0;
    if (w->part >= t->end || w->failed != UINT64_MAX) return false;
    p->part = w->part;
    p->part_records = (uint32_t)(t->first[w->part + 1] - t->first[w->part]);
    place_at(p, w->at);
    if (w->whole) {
        p->n = 0;
        w->part++;
    } else {
        w->at += p->n;
    }
    return true;
}

/* Those handed out before the first that failed are all gone through, so that it is the first whatever the threads. */
static void note_failure(Walk *w, uint64_t place, ErrCode rc, const Err *err)
{
    if (rc == ERR_OK || place >= w->failed) return;
    w->failed = place;
    w->rc = rc;
    w->err = *err;
}

static void walk(Walk *w)
{
    struct SignHeld held = {.t = w->t};
    SignPart p = {.held = &held};
    Err err;

    pthread_mutex_lock(&w->lock);
    while (hand_out(w, &p)) {
        const uint64_t place = (uint64_t)p.part << 32 | p.at;
        ErrCode rc = interrupt_seen() ? err_set(&err, ERR_INTR, "interrupted") : ERR_OK;
        held.open = NULL;
        if (rc == ERR_OK && (rc = take_part(w, p.part, &held.open, &err)) == ERR_OK) {
            p.content = columns_part(held.open->cols);
            pthread_mutex_unlock(&w->lock);
            rc = w->fn(w->ctx, &p, omp_get_thread_num(), &err);
            pthread_mutex_lock(&w->lock);
        }
        if (held.open) held.open->n_users--;
        note_failure(w, place, rc, &err);
    }
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < sizeof p.slice / sizeof *p.slice; i++) buf_clear(&p.slice[i]);
    for (int i = 0; i < SIGNPART_COLUMNS; i++) buf_clear(&held.column[i]);
}

static ErrCode walk_all(const DocTable *t, bool whole, PartFn fn, void *ctx, Err *err)
{
    const int threads = t->par->threads;
    Walk w = {.t = t, .whole = whole, .fn = fn, .ctx = ctx, .part = t->begin, .failed = UINT64_MAX};

    if (!(w.open = calloc((size_t)threads, sizeof *w.open))) return err_nomem(err, "the list of parts");
    pthread_mutex_init(&w.lock, NULL);
#pragma omp parallel num_threads(threads)
    walk(&w);
    for (int i = 0; i < threads; i++) columns_close(w.open[i].cols);
    free(w.open);
    pthread_mutex_destroy(&w.lock);
    if (w.rc && err) *err = w.err;
    return w.rc;
}

ErrCode doctable_each_part(const DocTable *t, PartFn fn, void *ctx, Err *err)
{
    return walk_all(t, false, fn, ctx, err);
}

ErrCode doctable_each_whole_part(const DocTable *t, PartFn fn, void *ctx, Err *err)
{
    return walk_all(t, true, fn, ctx, err);
}

/* --- order, keys, steps */

void doc_key(const DocTable *t, uint64_t doc, uint8_t key[EXCHANGE_KEY])
{
    exchange_key_u64(key, doc * (UINT64_MAX / (t->n ? t->n : 1)), doc);
}

void ref_put(uint8_t out[REF_BYTES], uint64_t doc, uint16_t dump)
{
    doc_put(out, doc);
    out[DOC_BYTES] = (uint8_t)(dump >> 8);
    out[DOC_BYTES + 1] = (uint8_t)dump;
}

ErrCode order_columns(const DocTable *t, const SignPart *p, OrderColumns *c, Err *err)
{
    ErrCode rc = signpart_column(p, sign_column_names[SIGN_BYTES], COL_U32, 1, &c->bytes, err);

    if (rc == ERR_OK) rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &c->dump, err);
    if (rc == ERR_OK && t->keep.n_stored)
        rc = signpart_column(p, sign_column_names[SIGN_KEEP_WORDS], COL_U64, (uint16_t)t->keep.n_stored, &c->keep,
                             err);
    return rc;
}

void order_put(uint8_t *out, const DocTable *t, const OrderColumns *c, const SignPart *p, size_t i)
{
    const uint8_t *stored = t->keep.n_stored ? c->keep.p + 8 * i * t->keep.n_stored : NULL;
    uint16_t dump = dumpnames_number(&t->dumps, le64_get(c->dump.p + 8 * i));

    for (uint32_t k = 0; k < t->keep.n; k++, out += 8) {
        uint64_t word = 0;
        switch (t->keep.by[k].kind) {
        case KEEP_SOURCE:
        case KEEP_SIGNAL:
            word = le64_get(stored);
            stored += 8;
            break;
        case KEEP_LONGEST: word = ~(uint64_t)le32_get(c->bytes.p + 4 * i); break;
        case KEEP_EARLIEST: word = dump; break;
        case KEEP_LATEST: word = dump == DUMPS_NONE ? DUMPS_NONE : DUMPS_NONE - 1u - dump; break;
        }
        be64_put(out, word);
    }
    ref_put(out, p->first + i, dump);
}

void keep_one(uint8_t *acc, const uint8_t *value) { (void)acc, (void)value; }

/* The number of partitions belongs to the results, so it follows from the documents alone. */
ErrCode doctable_step(const DocTable *t, const StepSpec *s, Pass **p, Err *err)
{
    PassSpec spec = {.dir = t->passes_dir,
                     .name = s->name,
                     .key = t->key,
                     .result_bytes = s->result_bytes,
                     .task = t->task,
                     .exchange = {.partitions = s->single ? 1 : PARTITIONS_LEAST,
                                  .value_bytes = s->value_bytes,
                                  .combine = s->combine,
                                  .memory = t->memory / (s->share ? s->share : 1),
                                  .scratch = t->scratch}};

    if (s->whole && t->task.count) spec.task = (OptTask){0, 1};
    while (!s->single && spec.exchange.partitions < EXCHANGE_MAX_PARTITIONS &&
           spec.exchange.partitions * (uint64_t)PARTITION_RECORDS < t->n)
        spec.exchange.partitions *= 2;
    return pass_open(p, &spec, t->par, err);
}
