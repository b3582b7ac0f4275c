/* Near duplicates that the sketch cannot tell for sure: both texts are read again, and their shingles meet. */
#include "core/log.h"
#include "core/radix.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>

/* In one round a document is in doubt of one keeper, or is a keeper of such ones and not in doubt itself. */
enum {
    WANTED_BYTES = 2 * DOC_BYTES
}; /* a document, the keeper under which its shingles are wanted: its own if it is one */

typedef struct {
    const DocTable *t;
    const DatasetSet *in;
    const Results *found, *wanted;
    Pass *p;
} Step;

/* --- the documents to be read, by number */

static ErrCode want(const Step *s, int lane, const uint8_t *doc, const uint8_t *keeper, Err *err)
{
    uint8_t key[EXCHANGE_KEY];

    doc_key(s->t, doc_get(doc), key);
    return pass_put(s->p, lane, key, keeper, DOC_BYTES, err);
}

static ErrCode send_wanted(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES) {
        const uint8_t *v = verdicts.p + at, *keeper = v + REF_BYTES;
        if (v[2 * REF_BYTES] != (CLUSTER_NEAR | LINK_BORDERLINE)) continue;
        rc = want(ctx, lane, v, keeper, err);
        if (rc == ERR_OK) rc = want(ctx, lane, keeper, keeper, err);
    }
    return rc;
}

static ErrCode send_all_wanted(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return results_each(s->found, send_wanted, s, err);
}

/* --- values by keeper: its own shingles, then document by document the two dumps and the shingles. Many shingles a value, since there are
 * as many as words in a text: they rise, and the last value repeats its last one. */

enum { SIDE_KEEPER, SIDE_OTHER };
enum { VALUE_DUMPS, VALUE_SHINGLES };
enum {
    AT_DOC = 1, /* behind the side */
    AT_WHAT = AT_DOC + DOC_BYTES,
    VALUE_HEAD = AT_WHAT + 1,
    SHINGLES = 16, /* a value's */
    VALUE_BYTES = VALUE_HEAD + 8 * SHINGLES
};

static void begin_value(uint8_t value[VALUE_BYTES], const uint8_t *doc, const uint8_t *keeper, uint8_t what)
{
    memset(value, 0, VALUE_BYTES);
    value[0] = memcmp(doc, keeper, DOC_BYTES) == 0 ? SIDE_KEEPER : SIDE_OTHER;
    memcpy(value + AT_DOC, doc, DOC_BYTES);
    value[AT_WHAT] = what;
}

static ErrCode send_dumps(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    const Step *s = ctx;
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES) {
        const uint8_t *v = verdicts.p + at, *keeper = v + REF_BYTES;
        uint8_t key[EXCHANGE_KEY], value[VALUE_BYTES];
        if (v[2 * REF_BYTES] != (CLUSTER_NEAR | LINK_BORDERLINE)) continue;
        doc_key(s->t, doc_get(keeper), key);
        begin_value(value, v, keeper, VALUE_DUMPS);
        memcpy(value + VALUE_HEAD, v + DOC_BYTES, 2);
        memcpy(value + VALUE_HEAD + 2, keeper + DOC_BYTES, 2);
        rc = pass_put(s->p, lane, key, value, sizeof value, err);
    }
    return rc;
}

/* Sorts them, each once, as bytes that sort; returns how many there are. */
static size_t sort_shingles(uint64_t *shingle, size_t n)
{
    uint8_t *bytes = (uint8_t *)shingle, scratch[32 << 10];
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) be64_put(bytes + 8 * i, shingle[i]);
    radix_sort(bytes, n, 8, 8, scratch, sizeof scratch);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || shingle[kept - 1] != shingle[i]) shingle[kept++] = shingle[i];
    return kept;
}

static ErrCode send_shingles(const Step *s, Signature *sign, Span text, const uint8_t *wanted, int lane, Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[VALUE_BYTES];
    ErrCode rc = signature_shingles(sign, s->t->params->shingle, text, err);

    if (rc) return rc;
    const uint8_t *bytes = (const uint8_t *)sign->shingle;
    size_t n = sort_shingles(sign->shingle, sign->n_shingles);
    doc_key(s->t, doc_get(wanted + DOC_BYTES), key);
    begin_value(value, wanted, wanted + DOC_BYTES, VALUE_SHINGLES);
    for (size_t i = 0; i < n && rc == ERR_OK; i += SHINGLES) {
        size_t left = n - i < SHINGLES ? n - i : SHINGLES;
        memcpy(value + VALUE_HEAD, bytes + 8 * i, 8 * left);
        for (; left < SHINGLES; left++) memcpy(value + VALUE_HEAD + 8 * left, bytes + 8 * (n - 1), 8);
        rc = pass_put(s->p, lane, key, value, sizeof value, err);
    }
    return rc;
}

/* --- the texts, block by block: threads share a part, so that few parts are open and one large part is read by all */

typedef struct {
    PartView *view;
    uint64_t first; /* number of its first record */
    Buf wanted;     /* of this part */
    Span rest;      /* of these: no block of them is given out yet */
    uint32_t block, users;
} OpenPart;

typedef struct {
    const Step *s;
    pthread_mutex_t lock; /* of what follows */
    OpenPart *part;       /* whose blocks are given out; NULL: none yet, or no more */
    uint32_t next;        /* part to be opened */
    uint64_t n_blocks;    /* given out */
    uint64_t failed;      /* the lowest of them that failed */
    ErrCode rc;
    Err err;
} Reading;

typedef struct {
    OpenPart *part;
    uint32_t block;
    Span wanted; /* of its documents */
    uint64_t number;
} BlockJob;

static void leave_part(OpenPart *p)
{
    if (!p || --p->users > 0) return;
    partview_close(p->view);
    buf_clear(&p->wanted);
    free(p);
}

/* The next part of which documents are wanted becomes r->part. */
static ErrCode open_next(Reading *r, Err *err)
{
    const DocTable *t = r->s->t;
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && !r->part && r->next < t->end) {
        const uint32_t part = r->next++;
        OpenPart *p = calloc(1, sizeof *p);
        if (!p) return err_nomem(err, "a part");
        p->users = 1; /* the giving out */
        p->first = t->first[part];
        rc = results_range(r->s->wanted, t->first[part], t->first[part + 1], &p->wanted, err);
        if (rc == ERR_OK && p->wanted.n) rc = partview_open(&p->view, r->s->in, part, err);
        p->rest = buf_span(&p->wanted);
        if (rc == ERR_OK && p->wanted.n)
            r->part = p;
        else
            leave_part(p);
    }
    return rc;
}

/* Of the part at hand; *got false: no block of it is left. */
static void take_block(Reading *r, BlockJob *job, bool *got)
{
    OpenPart *p = r->part;
    size_t n = 0;

    for (*got = false; !*got && p->rest.n && p->block < partview_n_blocks(p->view); p->block++) {
        const uint64_t end = p->first + partview_first_record(p->view, p->block + 1);
        for (n = 0; n < p->rest.n && doc_get(p->rest.p + n) < end; n += WANTED_BYTES) continue;
        *got = n > 0;
        if (!*got) continue;
        *job = (BlockJob){.part = p, .block = p->block, .wanted = span(p->rest.p, n), .number = r->n_blocks++};
        p->rest = span_from(p->rest, n);
        p->users++;
    }
}

static bool next_job(Reading *r, BlockJob *job)
{
    bool got = false;
    Err err;

    pthread_mutex_lock(&r->lock);
    while (!got && r->rc == ERR_OK) {
        ErrCode rc = interrupt_seen() ? err_set(&err, ERR_INTR, "interrupted") : ERR_OK;
        if (rc == ERR_OK && !r->part) rc = open_next(r, &err);
        if (rc) {
            r->failed = r->n_blocks;
            r->rc = rc;
            r->err = err;
        }
        if (rc || !r->part) break;
        take_block(r, job, &got);
        if (!got) {
            leave_part(r->part);
            r->part = NULL;
        }
    }
    pthread_mutex_unlock(&r->lock);
    return got;
}

static ErrCode read_block(const Step *s, BlockReader *reader, Signature *sign, const BlockJob *job, int lane,
                          Err *err)
{
    const OpenPart *p = job->part;
    uint32_t record;
    Doc doc;
    bool end;
    ErrCode rc = blockreader_open(reader, p->view, job->block, err);

    for (size_t at = 0; at < job->wanted.n && rc == ERR_OK; at += WANTED_BYTES) {
        const uint8_t *wanted = job->wanted.p + at;
        blockreader_skip_to(reader, (uint32_t)(doc_get(wanted) - p->first));
        rc = blockreader_next(reader, &doc, &record, &end, err);
        if (rc == ERR_OK && (end || p->first + record != doc_get(wanted)))
            rc = err_set(err, ERR_DATA, "%s: record %" PRIu64 " is shown no more", partview_root_path(p->view),
                         doc_get(wanted) - p->first);
        if (rc == ERR_OK) rc = send_shingles(s, sign, doc.text, wanted, lane, err);
    }
    return rc;
}

static void end_job(Reading *r, const BlockJob *job, ErrCode rc, const Err *err)
{
    pthread_mutex_lock(&r->lock);
    leave_part(job->part);
    if (rc && (r->rc == ERR_OK || job->number < r->failed)) {
        r->failed = job->number;
        r->rc = rc;
        r->err = *err;
    }
    pthread_mutex_unlock(&r->lock);
}

static ErrCode send_pairs(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;
    Reading r = {.s = s, .next = s->t->begin};
    ErrCode rc;

    s->p = p;
    if ((rc = results_each(s->found, send_dumps, s, err)) != ERR_OK) return rc;
    pthread_mutex_init(&r.lock, NULL);
#pragma omp parallel num_threads(s->t->par->threads)
    {
        Signature sign = {.shingle = NULL};
        BlockReader *reader = NULL;
        BlockJob job;
        while (next_job(&r, &job)) {
            Err own;
            ErrCode mine = reader ? ERR_OK : blockreader_new(&reader, &own);
            if (mine == ERR_OK) mine = read_block(s, reader, &sign, &job, omp_get_thread_num(), &own);
            end_job(&r, &job, mine, &own);
        }
        blockreader_free(reader);
        signature_clear(&sign);
    }
    leave_part(r.part);
    pthread_mutex_destroy(&r.lock);
    if (r.rc && err) *err = r.err;
    return r.rc;
}

/* --- the comparison */

typedef struct {
    double least;
    uint64_t *own; /* the keeper's shingles */
    size_t n_own, cap;
    uint8_t verdict[VERDICT_BYTES]; /* on the document at hand */
    bool open;                      /* there is one */
    bool taken;                     /* one before was near the keeper */
    uint64_t last;                  /* its last shingle, and where that has its place in `own` */
    size_t at;
    uint64_t n, n_common; /* its shingles, those that the keeper has */
    ResultsOut *out;
} Pairs;

static ErrCode add_own(Pairs *p, const uint8_t *shingles, Err *err)
{
    for (int i = 0; i < SHINGLES; i++) {
        uint64_t shingle = be64_get(shingles + 8 * i);
        if (p->n_own && p->own[p->n_own - 1] == shingle) break;
        uint64_t *room = array_grow(p->own, p->n_own, &p->cap, sizeof *room);
        if (!room) return err_nomem(err, "a document's shingles");
        p->own = room;
        p->own[p->n_own++] = shingle;
    }
    return ERR_OK;
}

static void add_other(Pairs *p, const uint8_t *shingles)
{
    for (int i = 0; i < SHINGLES; i++) {
        uint64_t shingle = be64_get(shingles + 8 * i);
        if (p->n && shingle == p->last) break;
        p->n++;
        p->last = shingle;
        while (p->at < p->n_own && p->own[p->at] < shingle) p->at++;
        p->n_common += p->at < p->n_own && p->own[p->at] == shingle;
    }
}

static ErrCode end_pair(Pairs *p, Err *err)
{
    const uint64_t all = p->n_own + p->n - p->n_common;
    const bool near = all && (double)p->n_common >= p->least * (double)all;

    if (!p->open) return ERR_OK;
    p->open = false;
    p->taken |= near;
    p->verdict[2 * REF_BYTES] = near ? CLUSTER_NEAR : AGAIN_REFUTED;
    return resultsout_put(p->out, p->verdict, err);
}

static ErrCode end_keeper(Pairs *p, Err *err)
{
    ErrCode rc = end_pair(p, err);

    if (rc || !p->taken) return rc;
    memcpy(p->verdict, p->verdict + REF_BYTES, REF_BYTES);
    p->verdict[2 * REF_BYTES] = AGAIN_TAKEN;
    return resultsout_put(p->out, p->verdict, err);
}

static void begin_pair(Pairs *p, const uint8_t *keeper, const uint8_t *value)
{
    memcpy(p->verdict, value + AT_DOC, DOC_BYTES);
    memcpy(p->verdict + DOC_BYTES, value + VALUE_HEAD, 2);
    memcpy(p->verdict + REF_BYTES, keeper, DOC_BYTES);
    memcpy(p->verdict + REF_BYTES + DOC_BYTES, value + VALUE_HEAD + 2, 2);
    p->open = true;
    p->at = 0;
    p->n = p->n_common = 0;
}

static ErrCode settle_keeper(Pairs *p, const uint8_t *keeper, ExchangeGroups *g, Err *err)
{
    Span v;
    bool end;
    ErrCode rc;

    p->n_own = 0;
    p->taken = false;
    while ((rc = exchange_next_value(g, &v, &end, err)) == ERR_OK && !end) {
        if (v.p[0] == SIDE_KEEPER) {
            rc = add_own(p, v.p + VALUE_HEAD, err);
        } else if (v.p[AT_WHAT] == VALUE_SHINGLES) {
            add_other(p, v.p + VALUE_HEAD);
        } else {
            rc = end_pair(p, err);
            begin_pair(p, keeper, v.p);
        }
        if (rc) return rc;
    }
    return rc ? rc : end_keeper(p, err);
}

static ErrCode settle(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    const Step *s = ctx;
    Pairs p = {.least = (double)lround(s->t->params->verify * 1e6) / 1e6, .out = out};
    uint8_t key[EXCHANGE_KEY];
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end)
        if ((rc = settle_keeper(&p, key + 8, g, err)) != ERR_OK) break;
    free(p.own);
    return rc;
}

ErrCode borderline_settle(const DocTable *t, const DatasetSet *in, const Pass *found, unsigned round, Pass **out,
                          Err *err)
{
    char list_name[NEAR_STEP_NAME], last_name[NEAR_STEP_NAME];
    const StepSpec list = {.name = list_name,
                           .value_bytes = DOC_BYTES,
                           .result_bytes = WANTED_BYTES,
                           .combine = keep_one},
                   last = {.name = last_name, .value_bytes = VALUE_BYTES, .result_bytes = VERDICT_BYTES};
    Step s = {.t = t, .in = in, .found = pass_results(found)};
    Pass *wanted;
    ErrCode rc;

    near_step_name(list_name, "borderline", round);
    near_step_name(last_name, "settled", round);
    if ((rc = doctable_step(t, &list, &wanted, err)) != ERR_OK) return rc;
    rc = pass_run(wanted, send_all_wanted, list_by_doc, &s, err);
    s.wanted = pass_results(wanted);
    if (rc == ERR_OK && (rc = doctable_step(t, &last, out, err)) == ERR_OK)
        rc = pass_run(*out, send_pairs, settle, &s, err);
    pass_close(wanted);
    return rc;
}
