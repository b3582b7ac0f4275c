/* Near duplicates that the sketch cannot tell for sure: both texts are read again, and their shingles meet. */
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <math.h>
#include <stdlib.h>

/* A pair is called by its duplicate, which has one keeper. */
enum { SIDE_DUPLICATE, SIDE_KEEPER };
enum { WANTED_BYTES = 2 * DOC_BYTES + 1 }; /* a document, a pair its shingles are wanted for, its side there */

typedef struct {
    const DocTable *t;
    const DatasetSet *in;
    const Results *found, *before, *wanted; /* before: of the round before; NULL: there was none */
    Pass *p;
} Step;

/* --- the documents to be read, by number */

static ErrCode want(const Step *s, int lane, const uint8_t *doc, const uint8_t *pair, uint8_t side, Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[DOC_BYTES + 1];

    doc_key(s->t, doc_get(doc), key);
    memcpy(value, pair, DOC_BYTES);
    value[DOC_BYTES] = side;
    return pass_put(s->p, lane, key, value, sizeof value, err);
}

static ErrCode send_wanted(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES) {
        const uint8_t *v = verdicts.p + at;
        if (!(v[2 * REF_BYTES] & LINK_BORDERLINE)) continue;
        rc = want(ctx, lane, v, v, SIDE_DUPLICATE, err);
        if (rc == ERR_OK) rc = want(ctx, lane, v + REF_BYTES, v, SIDE_KEEPER, err);
    }
    return rc;
}

static ErrCode send_all_wanted(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return results_each(s->found, send_wanted, s, err);
}

/* --- their shingles, and what is to be settled, by pair. A value begins with what it is: the keeper, the two dumps and why, or a
 * shingle and its side, so that equal shingles of both sides are neighbours. */

enum { VALUE_KEEPER, VALUE_DUMPS, VALUE_SHINGLE, VALUE_BYTES = 10 };

static ErrCode send_verdicts(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    const Step *s = ctx;
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES) {
        const uint8_t *v = verdicts.p + at, *keeper = v + REF_BYTES;
        uint8_t key[EXCHANGE_KEY], value[VALUE_BYTES] = {VALUE_KEEPER}, dumps[VALUE_BYTES] = {VALUE_DUMPS};
        if (v[2 * REF_BYTES] == CLUSTER_KEPT) continue; /* found again, or kept */
        doc_key(s->t, doc_get(v), key);
        memcpy(value + 1, keeper, DOC_BYTES);
        memcpy(dumps + 1, v + DOC_BYTES, 2);
        memcpy(dumps + 3, keeper + DOC_BYTES, 2);
        dumps[5] = v[2 * REF_BYTES];
        rc = pass_put(s->p, lane, key, value, sizeof value, err);
        if (rc == ERR_OK) rc = pass_put(s->p, lane, key, dumps, sizeof dumps, err);
    }
    return rc;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* To every pair that wants this document; `wanted` begins with the first. */
static ErrCode send_shingles(const Step *s, Signature *sign, const Doc *doc, Span wanted, int lane, Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[VALUE_BYTES] = {VALUE_SHINGLE};
    ErrCode rc = signature_shingles(sign, s->t->params->shingle, doc->text, err);

    if (rc) return rc;
    qsort(sign->shingle, sign->n_shingles, sizeof *sign->shingle, by_value);
    for (size_t at = 0; at < wanted.n && memcmp(wanted.p + at, wanted.p, DOC_BYTES) == 0; at += WANTED_BYTES) {
        doc_key(s->t, doc_get(wanted.p + at + DOC_BYTES), key);
        value[1 + DOC_BYTES] = wanted.p[at + 2 * DOC_BYTES];
        for (size_t i = 0; i < sign->n_shingles && rc == ERR_OK; i++) {
            if (i && sign->shingle[i] == sign->shingle[i - 1]) continue;
            le64_put(value + 1, sign->shingle[i]);
            rc = pass_put(s->p, lane, key, value, sizeof value, err);
        }
        if (rc) return rc;
    }
    return ERR_OK;
}

/* One block of a part: the documents of it that are wanted, which *wanted begins with and is moved behind. */
static ErrCode read_block(const Step *s, BlockReader *r, Signature *sign, uint64_t first, Span *wanted, int lane,
                          Err *err)
{
    uint32_t record;
    Doc doc;
    bool end;
    ErrCode rc;

    while (wanted->n && (rc = blockreader_next(r, &doc, &record, &end, err)) == ERR_OK && !end) {
        if (first + record != doc_get(wanted->p)) continue;
        if ((rc = send_shingles(s, sign, &doc, *wanted, lane, err)) != ERR_OK) return rc;
        while (wanted->n && doc_get(wanted->p) == first + record) *wanted = span_from(*wanted, WANTED_BYTES);
    }
    return wanted->n ? rc : ERR_OK;
}

static ErrCode read_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Signature sign = {.shingle = NULL};
    BlockReader *r = NULL;
    PartView *v = NULL;
    Span wanted;
    ErrCode rc = signpart_slice(p, s->wanted, 0, &wanted, err);

    if (rc || wanted.n == 0) return rc;
    if ((rc = blockreader_new(&r, err)) == ERR_OK) rc = partview_open(&v, s->in, p->part, err);
    for (uint32_t b = 0; rc == ERR_OK && wanted.n && b < partview_n_blocks(v); b++) {
        if (doc_get(wanted.p) >= p->first + partview_first_record(v, b + 1)) continue;
        if ((rc = blockreader_open(r, v, b, err)) == ERR_OK)
            rc = read_block(s, r, &sign, p->first, &wanted, lane, err);
    }
    if (v) partview_close(v);
    blockreader_free(r);
    signature_clear(&sign);
    return rc;
}

static ErrCode send_pairs(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;
    ErrCode rc;

    s->p = p;
    rc = results_each(s->found, send_verdicts, s, err);
    if (rc == ERR_OK && s->before) rc = results_each(s->before, send_verdicts, s, err);
    return rc ? rc : doctable_each_part(s->t, read_part, s, err);
}

/* Behind keeper and dumps: all shingles of both. */
static ErrCode compare_shingles(ExchangeGroups *g, double least, bool *near, Err *err)
{
    uint8_t last[VALUE_BYTES] = {0}; /* no shingle yet */
    uint64_t n_all = 0, n_common = 0;
    Span v;
    bool end;
    ErrCode rc;

    while ((rc = exchange_next_value(g, &v, &end, err)) == ERR_OK && !end) {
        if (memcmp(last, v.p, VALUE_BYTES - 1) == 0)
            n_common++;
        else
            n_all++;
        memcpy(last, v.p, VALUE_BYTES);
    }
    *near = n_all && (double)n_common >= least * (double)n_all;
    return rc;
}

static ErrCode settle(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    const Step *s = ctx;
    const double least = (double)lround(s->t->params->verify * 1e6) / 1e6;
    uint8_t key[EXCHANGE_KEY], verdict[VERDICT_BYTES];
    Span v;
    bool end, near = true;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &v, &end, err)) != ERR_OK) return rc;
        memcpy(verdict, key + 8, DOC_BYTES);
        memcpy(verdict + REF_BYTES, v.p + 1, DOC_BYTES);
        if ((rc = exchange_next_value(g, &v, &end, err)) != ERR_OK) return rc;
        memcpy(verdict + DOC_BYTES, v.p + 1, 2);
        memcpy(verdict + REF_BYTES + DOC_BYTES, v.p + 3, 2);
        verdict[2 * REF_BYTES] = v.p[5] & (uint8_t)~LINK_BORDERLINE;
        near = true;
        if (v.p[5] & LINK_BORDERLINE) rc = compare_shingles(g, least, &near, err);
        if (!near) verdict[2 * REF_BYTES] = CLUSTER_KEPT;
        if (rc == ERR_OK && (near || !s->before)) rc = resultsout_put(out, verdict, err);
        if (rc) return rc;
    }
    return rc;
}

ErrCode borderline_settle(const DocTable *t, const DatasetSet *in, const Pass *found, const Pass *before, Pass **out,
                          Err *err)
{
    const StepSpec list = {.name = before ? "borderline_2" : "borderline",
                           .value_bytes = DOC_BYTES + 1,
                           .result_bytes = WANTED_BYTES},
                   last = {.name = before ? "settled_2" : "settled",
                           .value_bytes = VALUE_BYTES,
                           .result_bytes = VERDICT_BYTES};
    Step s = {.t = t, .in = in, .found = pass_results(found), .before = before ? pass_results(before) : NULL};
    Pass *wanted;
    ErrCode rc = doctable_step(t, &list, &wanted, err);

    if (rc) return rc;
    rc = pass_run(wanted, send_all_wanted, list_all_by_doc, &s, err);
    s.wanted = pass_results(wanted);
    if (rc == ERR_OK && (rc = doctable_step(t, &last, out, err)) == ERR_OK)
        rc = pass_run(*out, send_pairs, settle, &s, err);
    pass_close(wanted);
    return rc;
}

ErrCode near_find(const DocTable *t, const DatasetSet *in, const Pass *components, Pass **out, Err *err)
{
    Pass *found[2] = {NULL, NULL}, *settled = NULL;
    ErrCode rc = verify_components(t, components, NULL, &found[0], err);

    if (rc == ERR_OK) rc = borderline_settle(t, in, found[0], NULL, &settled, err);
    if (rc == ERR_OK) rc = verify_components(t, components, settled, &found[1], err);
    if (rc == ERR_OK) rc = borderline_settle(t, in, found[1], settled, out, err);
    pass_close(found[0]);
    pass_close(found[1]);
    pass_close(settled);
    return rc;
}
