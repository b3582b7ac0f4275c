/* Near duplicates: every member of a component against the documents kept before it, by their sketches. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    const DocTable *t;
    const Results *labels;
    const Results *settled; /* of the round before; NULL: there was none */
    Pass *p;
    uint32_t micro;
} Step;

/* Whether `doc` is one that the round before had doubts about and kept; moves through `settled`, sorted by document as well. */
static bool was_refuted(Span *settled, uint64_t doc)
{
    while (settled->n && doc_get(settled->p) < doc) *settled = span_from(*settled, VERDICT_BYTES);
    return settled->n && doc_get(settled->p) == doc && settled->p[2 * REF_BYTES] == CLUSTER_KEPT;
}

/* Members of a component meet under its label, in keep order. */
static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    OrderColumns order;
    Span sketch, labels, settled = {NULL, 0};
    ErrCode rc;

    if ((rc = signpart_slice(p, s->labels, 0, &labels, err)) != ERR_OK || labels.n == 0) return rc;
    if (s->settled && (rc = signpart_slice(p, s->settled, 1, &settled, err)) != ERR_OK) return rc;
    if (s->settled && settled.n == 0) return ERR_OK;
    if ((rc = order_columns(s->t, p, &order, err)) != ERR_OK) return rc;
    rc = signpart_column(p, sign_column_names[SIGN_SKETCH], COL_U8, SKETCH_BINS, &sketch, err);
    for (size_t at = 0; at < labels.n && rc == ERR_OK; at += PAIR_BYTES) {
        uint8_t key[EXCHANGE_KEY], member[ORDER_MAX + SKETCH_BINS];
        uint64_t doc = doc_get(labels.p + at), label = doc_get(labels.p + at + DOC_BYTES);
        size_t i = (size_t)(doc - p->first);
        if (s->settled && !was_refuted(&settled, doc)) continue;
        exchange_key_u64(key, mix64(label), label);
        order_put(member, s->t, &order, p, i);
        memcpy(member + s->t->order_bytes, sketch.p + SKETCH_BINS * i, SKETCH_BINS);
        rc = pass_put(s->p, lane, key, member, s->t->order_bytes + SKETCH_BINS, err);
    }
    return rc;
}

static ErrCode send_members(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return doctable_each_part(s->t, send_part, s, err);
}

typedef struct {
    uint8_t ref[REF_BYTES], sketch[SKETCH_BINS];
} Leader;

/* The kept documents of a component: as many as are compared with, in a window of so many for each dump. */
typedef struct {
    Leader *v;
    size_t n, cap;
} Leaders;

static ErrCode add_leader(Leaders *l, const uint8_t *ref, const uint8_t *sketch, Err *err)
{
    Leader *room = array_grow(l->v, l->n, &l->cap, sizeof *room);

    if (!room) return err_nomem(err, "the kept documents of a component");
    l->v = room;
    memcpy(l->v[l->n].ref, ref, REF_BYTES);
    memcpy(l->v[l->n++].sketch, sketch, SKETCH_BINS);
    return ERR_OK;
}

static ErrCode put_near(ResultsOut *out, const uint8_t *ref, const Leader *l, uint8_t flag, Err *err)
{
    uint8_t verdict[VERDICT_BYTES];

    memcpy(verdict, ref, REF_BYTES);
    memcpy(verdict + REF_BYTES, l->ref, REF_BYTES);
    verdict[2 * REF_BYTES] = CLUSTER_NEAR | flag;
    return resultsout_put(out, verdict, err);
}

/* A leader that it surely is like, the first of them; or else the one it is most like of those it may be like, which the texts
 * decide. */
static ErrCode judge_member(const Step *s, Leaders *leaders, Span member, ResultsOut *out, Err *err)
{
    const uint8_t *ref = order_ref(s->t, member.p), *sketch = member.p + s->t->order_bytes;
    uint16_t dump = ref_dump(ref);
    uint32_t n_alike = 0; /* leaders that share one limit with it */
    const Leader *likely = NULL;
    int32_t best = -1;

    for (size_t i = 0; i < leaders->n; i++) {
        const Leader *l = &leaders->v[i];
        uint32_t margin;
        n_alike += s->t->window == 0 || ref_dump(l->ref) == dump;
        if (!in_window(s->t, ref_dump(l->ref), dump)) continue;
        int64_t estimate = sketch_estimate(l->sketch, sketch, s->micro, &margin);
        if (estimate >= (int64_t)s->micro + margin) return put_near(out, ref, l, 0, err);
        if (estimate <= best || estimate < (int64_t)s->micro - margin) continue;
        best = (int32_t)estimate;
        likely = l;
    }
    if (likely) return put_near(out, ref, likely, LINK_BORDERLINE, err);
    return n_alike < DEDUP_MAX_LEADERS ? add_leader(leaders, ref, sketch, err) : ERR_OK;
}

static ErrCode judge_components(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out,
                                Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY];
    Leaders leaders = {0};
    Span member;
    bool end;
    ErrCode rc = ERR_OK;

    (void)thread, (void)partition;
    while (rc == ERR_OK && (rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        leaders.n = 0;
        while (rc == ERR_OK && (rc = exchange_next_value(g, &member, &end, err)) == ERR_OK && !end)
            rc = judge_member(s, &leaders, member, out, err);
    }
    free(leaders.v);
    return rc;
}

ErrCode verify_components(const DocTable *t, const Pass *components, const Pass *settled, Pass **out, Err *err)
{
    const StepSpec spec = {.name = settled ? "verify_2" : "verify",
                           .value_bytes = t->order_bytes + SKETCH_BINS,
                           .result_bytes = VERDICT_BYTES};
    Step s = {.t = t,
              .labels = pass_results(components),
              .settled = settled ? pass_results(settled) : NULL,
              .micro = (uint32_t)lround(t->params->verify * 1e6)};
    ErrCode rc = doctable_step(t, &spec, out, err);

    return rc ? rc : pass_run(*out, send_members, judge_components, &s, err);
}
