/* Exact duplicates: documents of one text key meet; all but the first by keep order have that one for keeper. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

typedef struct {
    const DocTable *t;
    Pass *p;
} Step;

static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    const DedupParams *params = s->t->params;
    Span exact, bytes, dump;
    ErrCode rc;

    if ((rc = signpart_column(p, sign_column_names[SIGN_EXACT], COL_U64, 2, &exact, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_BYTES], COL_U32, 1, &bytes, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], order[ORDER_BYTES];
        uint64_t lo = le64_get(exact.p + 16 * (size_t)i), hi = le64_get(exact.p + 16 * (size_t)i + 8);
        if (!(p->state[i] & DOC_SHOWN)) continue;
        if (params->scope == DEDUP_SCOPE_DUMP) hi ^= mix64(le64_get(dump.p + 8 * (size_t)i));
        exchange_key_u64(key, hi, lo);
        order_put(order, params, le32_get(bytes.p + 4 * (size_t)i), p->first + i);
        rc = pass_put(s->p, lane, key, order, sizeof order, err);
    }
    return rc;
}

static ErrCode send_keys(void *ctx, Pass *p, Err *err)
{
    Step s = {ctx, p};

    return doctable_each_part(s.t, send_part, &s, err);
}

static ErrCode keep_first(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY], pair[PAIR_BYTES];
    Span order;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &order, &end, err)) != ERR_OK) return rc;
        doc_put(pair + DOC_BYTES, order_doc(order.p));
        while ((rc = exchange_next_value(g, &order, &end, err)) == ERR_OK && !end) {
            doc_put(pair, order_doc(order.p));
            if ((rc = resultsout_put(out, pair, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

/* --- which of a rank's own documents these are */

static ErrCode mark_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Span docs;
    ErrCode rc = signpart_slice(p, pass_results(s->p), 0, &docs, err);

    (void)lane;
    for (size_t at = 0; rc == ERR_OK && at < docs.n; at += PAIR_BYTES)
        p->state[doc_get(docs.p + at) - p->first] &= (uint8_t)~DOC_NEAR;
    return rc;
}

/* Exact duplicates take no part in the bands. */
static ErrCode mark_found(const DocTable *t, const Pass *exact, Err *err)
{
    const StepSpec spec = {.name = "exact-docs", .value_bytes = DOC_BYTES, .result_bytes = PAIR_BYTES};
    Step s = {.t = t};
    ErrCode rc = doctable_step(t, &spec, &s.p, err);

    if (rc) return rc;
    rc = sort_by_doc(t, pass_results(exact), PAIR_BYTES, s.p, err);
    if (rc == ERR_OK) rc = par_agree(t->par, doctable_each_part(t, mark_part, &s, err), err);
    pass_close(s.p);
    return rc;
}

ErrCode exact_find(DocTable *t, Pass **out, Err *err)
{
    const StepSpec spec = {.name = "exact", .value_bytes = ORDER_BYTES, .result_bytes = PAIR_BYTES};
    ErrCode rc = doctable_step(t, &spec, out, err);

    if (rc == ERR_OK) rc = pass_run(*out, send_keys, keep_first, t, err);
    if (rc == ERR_OK && !t->params->exact_only) rc = mark_found(t, *out, err);
    return rc;
}
