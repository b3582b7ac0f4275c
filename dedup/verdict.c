/* Who is kept for whom in the end: a list of all dropped documents by number. */
#include "dedup/cluster.h"

#include <stdio.h>

ErrCode verdict_put(ResultsOut *out, const uint8_t *ref, const uint8_t *keeper, uint8_t why, Err *err)
{
    uint8_t verdict[VERDICT_BYTES];

    memcpy(verdict, ref, REF_BYTES);
    memcpy(verdict + REF_BYTES, keeper, REF_BYTES);
    verdict[2 * REF_BYTES] = why;
    return resultsout_put(out, verdict, err);
}

/* Steps are gone through from the last to the first. What one has found, and what became of its keepers in those after it, meet at
 * the keeper: a duplicate of a document that was dropped later belongs to that one's keeper, if that is in its window, else it
 * is kept. In a window links to the first of a dump come behind the links between dumps, since such a first one may be dropped itself.
 * A value: AFTER or BEFORE, the other document (the keeper's, the duplicate), why, dump of the document met at. */
enum { AFTER, BEFORE };
enum { VALUE_BYTES = 1 + REF_BYTES + 1 + 2 };

typedef struct {
    const DocTable *t;
    Pass *p;
    const Results *before;
    const Results *const *after; /* NEAR_LISTS, some NULL */
    uint8_t flag;                /* links of `before` with or without LINK_SAME_DUMP */
} Step;

static ErrCode put_value(const Step *s, int lane, const uint8_t *at, uint8_t when, const uint8_t *other, uint8_t why,
                         Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[VALUE_BYTES];

    doc_key(s->t, doc_get(at), key);
    value[0] = when;
    memcpy(value + 1, other, REF_BYTES);
    value[1 + REF_BYTES] = why;
    memcpy(value + 2 + REF_BYTES, at + DOC_BYTES, 2);
    return pass_put(s->p, lane, key, value, sizeof value, err);
}

static ErrCode send_before(void *ctx, int lane, uint32_t partition, Span links, Err *err)
{
    const Step *s = ctx;
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < links.n && rc == ERR_OK; at += VERDICT_BYTES) {
        const uint8_t *v = links.p + at;
        uint8_t why = v[2 * REF_BYTES];
        if ((why & LINK_SAME_DUMP) != s->flag) continue;
        rc = put_value(s, lane, v + REF_BYTES, BEFORE, v, why & (uint8_t)~LINK_SAME_DUMP, err);
    }
    return rc;
}

static ErrCode send_after(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES) {
        const uint8_t *v = verdicts.p + at;
        if (v[2 * REF_BYTES] < CLUSTER_N) /* else no verdict yet */
            rc = put_value(ctx, lane, v, AFTER, v + REF_BYTES, v[2 * REF_BYTES], err);
    }
    return rc;
}

static ErrCode send_links(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;
    ErrCode rc;

    s->p = p;
    rc = results_each(s->before, send_before, s, err);
    for (int i = 0; i < NEAR_LISTS && rc == ERR_OK; i++)
        if (s->after[i]) rc = results_each(s->after[i], send_after, s, err);
    return rc;
}

/* What became of the document met at comes first. */
static ErrCode resolve_document(const Step *s, const uint8_t *doc, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t own[REF_BYTES], keeper[REF_BYTES];
    Span v;
    bool end, first = true;
    ErrCode rc;

    while ((rc = exchange_next_value(g, &v, &end, err)) == ERR_OK && !end) {
        const uint8_t *other = v.p + 1;
        if (first) {
            memcpy(own, doc, DOC_BYTES);
            memcpy(own + DOC_BYTES, v.p + 2 + REF_BYTES, 2);
            memcpy(keeper, v.p[0] == AFTER ? other : own, REF_BYTES);
        }
        first = false;
        if (v.p[0] == AFTER)
            rc = verdict_put(out, own, keeper, v.p[1 + REF_BYTES], err);
        else if (in_window(s->t, ref_dump(other), ref_dump(keeper)))
            rc = verdict_put(out, other, keeper, v.p[1 + REF_BYTES], err);
        if (rc) return rc;
    }
    return rc;
}

static ErrCode resolve_links(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end)
        if ((rc = resolve_document(ctx, key + 8, g, out, err)) != ERR_OK) return rc;
    return rc;
}

/* What is found so far. */
typedef struct {
    const Results *found[NEAR_LISTS]; /* some NULL */
    Pass *own;                        /* the first of these, where it was made here */
    uint32_t n;
} Chain;

static ErrCode resolve(const DocTable *t, const Pass *before, uint8_t flag, Chain *c, Err *err)
{
    char name[32];
    const StepSpec spec = {.name = name, .value_bytes = VALUE_BYTES, .result_bytes = VERDICT_BYTES};
    Step s = {.t = t, .before = pass_results(before), .after = c->found, .flag = flag};
    Pass *found;
    ErrCode rc;

    snprintf(name, sizeof name, "resolve_%u", c->n++);
    rc = doctable_step(t, &spec, &found, err);
    if (rc) return rc;
    rc = pass_run(found, send_links, resolve_links, &s, err);
    pass_close(c->own);
    c->own = found;
    memset(c->found, 0, sizeof c->found);
    c->found[0] = pass_results(found);
    return rc;
}

static ErrCode resolve_step(const DocTable *t, const Pass *step, Chain *c, Err *err)
{
    ErrCode rc = resolve(t, step, 0, c, err);

    return rc || t->window == 0 ? rc : resolve(t, step, LINK_SAME_DUMP, c, err);
}

ErrCode verdicts_find(const DocTable *t, const Pass *exact, const Pass *url, Pass *const near[NEAR_LISTS], Pass **out,
                      Err *err)
{
    const StepSpec sort = {
        .name = "verdicts", .value_bytes = VERDICT_BYTES - DOC_BYTES, .result_bytes = VERDICT_BYTES};
    Chain c = {.n = 0};
    ErrCode rc = doctable_step(t, &sort, out, err);

    if (rc || pass_is_done(*out)) return rc;
    for (int i = 0; i < NEAR_LISTS; i++) c.found[i] = near[i] ? pass_results(near[i]) : NULL;
    if (url) rc = resolve_step(t, url, &c, err);
    if (rc == ERR_OK) rc = resolve_step(t, exact, &c, err);
    if (rc == ERR_OK) rc = sort_by_doc(t, c.found[0], VERDICT_BYTES, list_by_doc, *out, err);
    pass_close(c.own);
    return rc;
}
