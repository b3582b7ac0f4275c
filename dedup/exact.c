/* Exact duplicates: documents of one text key meet through the exchange. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

typedef struct {
    DocTable *t;
    Exchange *x;
} Pass;

static ErrCode send_part(void *ctx, const SignPart *p, int lane, Err *err)
{
    const Pass *pass = ctx;
    const DocTable *t = pass->t;
    Span exact, bytes, dump;
    ErrCode rc;

    if ((rc = signpart_column(p, sign_column_names[SIGN_EXACT], COL_U64, 2, &exact, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_BYTES], COL_U32, 1, &bytes, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], order[ORDER_BYTES];
        uint64_t lo = le64_get(exact.p + 16 * (size_t)i), hi = le64_get(exact.p + 16 * (size_t)i + 8);
        if (!(t->state[p->first + i] & DOC_SHOWN)) continue;
        if (t->params->scope == DEDUP_SCOPE_DUMP) hi ^= mix64(le64_get(dump.p + 8 * (size_t)i));
        exchange_key_u64(key, hi, lo);
        order_put(order, t->params, le32_get(bytes.p + 4 * (size_t)i), (uint32_t)p->first + i);
        rc = exchange_put(pass->x, lane, key, order, sizeof order, err);
    }
    return rc;
}

/* The first of each group stays; the others have it for keeper. Slots belong to one group each: no locks. */
static ErrCode mark_groups(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    DocTable *t = ((const Pass *)ctx)->t;
    uint8_t key[EXCHANGE_KEY];
    Span order;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &order, &end, err)) != ERR_OK) return rc;
        uint32_t first = order_doc(order.p);
        while ((rc = exchange_next_value(g, &order, &end, err)) == ERR_OK && !end) {
            uint32_t doc = order_doc(order.p);
            t->keeper[doc] = first;
            t->state[doc] = DOC_SHOWN | DOC_EXACT_DUP;
        }
        if (rc) return rc;
    }
    return rc;
}

ErrCode exact_find(DocTable *t, Err *err)
{
    Pass pass = {.t = t};
    ExchangeSpec spec;
    ErrCode rc;

    doctable_exchange(t, "exact", t->n, ORDER_BYTES, &spec);
    if ((rc = exchange_open(&pass.x, &spec, t->par, err)) != ERR_OK) return rc;
    rc = doctable_each_part(t, send_part, &pass, err);
    if (rc == ERR_OK) rc = exchange_flip(pass.x, err);
    if (rc == ERR_OK) rc = exchange_each(pass.x, mark_groups, &pass, err);
    exchange_close(pass.x);
    return rc;
}
