/* The last word on near duplicates: every member of a component against the documents kept before it. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <math.h>

enum { MEMBER_BYTES = ORDER_BYTES + SKETCH_BINS };

typedef struct {
    const DocTable *t;
    const Results *labels;
    Pass *p;
    uint32_t micro;
} Step;

/* Members of a component meet under its label, in keep order. */
static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Span bytes, sketch, labels;
    ErrCode rc;

    if ((rc = signpart_slice(p, s->labels, 0, &labels, err)) != ERR_OK || labels.n == 0) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_BYTES], COL_U32, 1, &bytes, err)) != ERR_OK) return rc;
    rc = signpart_column(p, sign_column_names[SIGN_SKETCH], COL_U8, SKETCH_BINS, &sketch, err);
    for (size_t at = 0; at < labels.n && rc == ERR_OK; at += PAIR_BYTES) {
        uint8_t key[EXCHANGE_KEY], member[MEMBER_BYTES];
        uint64_t doc = doc_get(labels.p + at), label = doc_get(labels.p + at + DOC_BYTES);
        size_t i = (size_t)(doc - p->first);
        exchange_key_u64(key, mix64(label), label);
        order_put(member, s->t->params, le32_get(bytes.p + 4 * i), doc);
        memcpy(member + ORDER_BYTES, sketch.p + SKETCH_BINS * i, SKETCH_BINS);
        rc = pass_put(s->p, lane, key, member, sizeof member, err);
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
    uint32_t n;
    uint64_t doc[DEDUP_MAX_LEADERS];
    uint8_t sketch[DEDUP_MAX_LEADERS][SKETCH_BINS];
} Leaders;

static ErrCode judge_member(uint32_t micro, Leaders *leaders, Span member, ResultsOut *out, Err *err)
{
    const uint8_t *sketch = member.p + ORDER_BYTES;
    uint64_t doc = order_doc(member.p);
    uint8_t pair[PAIR_BYTES];

    for (uint32_t i = 0; i < leaders->n; i++) {
        if (!sketch_near(leaders->sketch[i], sketch, micro)) continue;
        doc_put(pair, doc);
        doc_put(pair + DOC_BYTES, leaders->doc[i]);
        return resultsout_put(out, pair, err);
    }
    if (leaders->n == DEDUP_MAX_LEADERS) return ERR_OK;
    leaders->doc[leaders->n] = doc;
    memcpy(leaders->sketch[leaders->n++], sketch, SKETCH_BINS);
    return ERR_OK;
}

static ErrCode judge_components(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out,
                                Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY];
    Leaders leaders;
    Span member;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        leaders.n = 0;
        while ((rc = exchange_next_value(g, &member, &end, err)) == ERR_OK && !end)
            if ((rc = judge_member(s->micro, &leaders, member, out, err)) != ERR_OK) return rc;
        if (rc) return rc;
    }
    return rc;
}

ErrCode verify_components(const DocTable *t, const Pass *components, Pass **out, Err *err)
{
    const StepSpec spec = {.name = "verify", .value_bytes = MEMBER_BYTES, .result_bytes = PAIR_BYTES};
    Step s = {t, pass_results(components), NULL, (uint32_t)lround(t->params->verify * 1e6)};
    ErrCode rc = doctable_step(t, &spec, out, err);

    return rc ? rc : pass_run(*out, send_members, judge_components, &s, err);
}
