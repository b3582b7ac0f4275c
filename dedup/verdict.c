/* Who is kept for whom in the end: a list of all dropped documents by number. */
#include "dedup/cluster.h"

/* An exact duplicate of a document that is itself a near duplicate belongs to that one's keeper: both meet at the document
 * between them. A value is a kind and a document; near sorts first. */
enum { KIND_BYTES = 1, LINK_BYTES = KIND_BYTES + DOC_BYTES };
enum { LINK_NEAR, LINK_EXACT };

typedef struct {
    const DocTable *t;
    Pass *p;
    const Pass *exact, *near; /* near NULL: there are none */
} Step;

static ErrCode put_link(const Step *s, int lane, uint64_t at, uint8_t kind, const uint8_t *doc, Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[LINK_BYTES];

    doc_key(s->t, at, key);
    value[0] = kind;
    memcpy(value + KIND_BYTES, doc, DOC_BYTES);
    return pass_put(s->p, lane, key, value, sizeof value, err);
}

static ErrCode send_exact(void *ctx, int lane, uint32_t partition, Span pairs, Err *err)
{
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < pairs.n && rc == ERR_OK; at += PAIR_BYTES)
        rc = put_link(ctx, lane, doc_get(pairs.p + at + DOC_BYTES), LINK_EXACT, pairs.p + at, err);
    return rc;
}

static ErrCode send_near(void *ctx, int lane, uint32_t partition, Span pairs, Err *err)
{
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < pairs.n && rc == ERR_OK; at += PAIR_BYTES)
        rc = put_link(ctx, lane, doc_get(pairs.p + at), LINK_NEAR, pairs.p + at + DOC_BYTES, err);
    return rc;
}

static ErrCode send_links(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;
    ErrCode rc;

    s->p = p;
    rc = results_each(pass_results(s->exact), send_exact, s, err);
    return rc || !s->near ? rc : results_each(pass_results(s->near), send_near, s, err);
}

static ErrCode put_verdict(ResultsOut *out, const uint8_t *doc, const uint8_t *keeper, uint8_t kind, Err *err)
{
    uint8_t verdict[VERDICT_BYTES];

    memcpy(verdict, doc, DOC_BYTES);
    memcpy(verdict + DOC_BYTES, keeper, DOC_BYTES);
    verdict[PAIR_BYTES] = kind;
    return resultsout_put(out, verdict, err);
}

static ErrCode resolve_links(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY], keeper[DOC_BYTES];
    Span link;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        memcpy(keeper, key + 8, DOC_BYTES);
        while ((rc = exchange_next_value(g, &link, &end, err)) == ERR_OK && !end) {
            if (link.p[0] == LINK_NEAR) {
                memcpy(keeper, link.p + KIND_BYTES, DOC_BYTES);
                rc = put_verdict(out, key + 8, keeper, CLUSTER_NEAR, err);
            } else {
                rc = put_verdict(out, link.p + KIND_BYTES, keeper, CLUSTER_EXACT, err);
            }
            if (rc) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

ErrCode verdicts_find(const DocTable *t, const Pass *exact, const Pass *near, Pass **out, Err *err)
{
    const StepSpec resolve = {.name = "resolve", .value_bytes = LINK_BYTES, .result_bytes = VERDICT_BYTES},
                   sort = {
                       .name = "verdicts", .value_bytes = VERDICT_BYTES - DOC_BYTES, .result_bytes = VERDICT_BYTES};
    Step s = {t, NULL, exact, near};
    Pass *resolved = NULL;
    ErrCode rc = doctable_step(t, &sort, out, err);

    if (rc || pass_is_done(*out)) return rc;
    if ((rc = doctable_step(t, &resolve, &resolved, err)) != ERR_OK) return rc;
    rc = pass_run(resolved, send_links, resolve_links, &s, err);
    if (rc == ERR_OK) rc = sort_by_doc(t, pass_results(resolved), VERDICT_BYTES, *out, err);
    pass_close(resolved);
    return rc;
}
