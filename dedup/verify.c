/* The last word on near duplicates: every member of a component against the documents kept before it. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <math.h>

enum { MEMBER_BYTES = ORDER_BYTES + SKETCH_BINS };

typedef struct {
    DocTable *t;
    Exchange *x;
    uint32_t micro;
} Pass;

/* Members of a component meet under its root, in keep order. */
static ErrCode send_part(void *ctx, const SignPart *p, int lane, Err *err)
{
    const Pass *pass = ctx;
    const DocTable *t = pass->t;
    Span bytes, sketch;
    ErrCode rc;

    if ((rc = signpart_column(p, sign_column_names[SIGN_BYTES], COL_U32, 1, &bytes, err)) != ERR_OK) return rc;
    rc = signpart_column(p, sign_column_names[SIGN_SKETCH], COL_U8, SKETCH_BINS, &sketch, err);
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], member[MEMBER_BYTES];
        uint32_t doc = (uint32_t)p->first + i;
        if (!(t->state[doc] & DOC_CLUSTERED)) continue;
        uint32_t root = component_find(t->u.parent, doc);
        exchange_key_u64(key, mix64(root), root);
        order_put(member, t->params, le32_get(bytes.p + 4 * (size_t)i), doc);
        memcpy(member + ORDER_BYTES, sketch.p + SKETCH_BINS * (size_t)i, SKETCH_BINS);
        rc = exchange_put(pass->x, lane, key, member, sizeof member, err);
    }
    return rc;
}

typedef struct {
    uint32_t n, doc[DEDUP_MAX_LEADERS];
    uint8_t sketch[DEDUP_MAX_LEADERS][SKETCH_BINS];
} Leaders;

static void judge_member(const Pass *pass, Leaders *leaders, Span member)
{
    DocTable *t = pass->t;
    const uint8_t *sketch = member.p + ORDER_BYTES;
    uint32_t doc = order_doc(member.p);

    for (uint32_t i = 0; i < leaders->n; i++) {
        if (!sketch_near(leaders->sketch[i], sketch, pass->micro)) continue;
        t->keeper[doc] = leaders->doc[i];
        t->state[doc] |= DOC_NEAR_DUP;
        return;
    }
    if (leaders->n == DEDUP_MAX_LEADERS) return;
    leaders->doc[leaders->n] = doc;
    memcpy(leaders->sketch[leaders->n++], sketch, SKETCH_BINS);
}

static ErrCode judge_components(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    Leaders leaders;
    Span member;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        leaders.n = 0;
        while ((rc = exchange_next_value(g, &member, &end, err)) == ERR_OK && !end)
            judge_member(ctx, &leaders, member);
        if (rc) return rc;
    }
    return rc;
}

ErrCode verify_components(DocTable *t, Err *err)
{
    Pass pass = {.t = t, .micro = (uint32_t)lround(t->params->verify * 1e6)};
    ExchangeSpec spec;
    uint64_t n = 0;
    ErrCode rc;

    for (size_t i = 0; i < t->n; i++) n += (t->state[i] & DOC_CLUSTERED) != 0;
    doctable_exchange(t, "verify", n, MEMBER_BYTES, &spec);
    if ((rc = exchange_open(&pass.x, &spec, t->par, err)) != ERR_OK) return rc;
    rc = doctable_each_part(t, send_part, &pass, err);
    if (rc == ERR_OK) rc = exchange_flip(pass.x, err);
    if (rc == ERR_OK) rc = exchange_each(pass.x, judge_components, &pass, err);
    exchange_close(pass.x);
    return rc;
}
