/* What a kept document stands for: how many documents, from how many dumps, on how many hosts. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

typedef struct {
    DocTable *t;
    Exchange *x;
    const char *column;
    uint32_t *count; /* dup_dumps or dup_hosts */
} Pass;

/* (keeper, dump or host) pairs of clusters; a document alone is counted on the spot. */
static ErrCode send_part(void *ctx, const SignPart *p, int lane, Err *err)
{
    const Pass *pass = ctx;
    const DocTable *t = pass->t;
    Span hash;
    ErrCode rc = signpart_column(p, pass->column, COL_U64, 1, &hash, err);

    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], value[4];
        uint32_t doc = (uint32_t)p->first + i, keeper = t->keeper[doc];
        uint64_t h = le64_get(hash.p + 8 * (size_t)i), mixed = mix64(keeper);
        if (!(t->state[doc] & DOC_SHOWN) || h == 0) continue;
        if (t->u.dup_docs[keeper] == 1) {
            pass->count[doc] = 1;
            continue;
        }
        exchange_key_u64(key, mixed, h);
        le32_put(value, keeper);
        rc = exchange_put(pass->x, lane, key, value, sizeof value, err);
    }
    return rc;
}

/* All values of a key are the same keeper. */
static void keep_one(uint8_t *acc, const uint8_t *value) { (void)acc, (void)value; }

/* Every group is one more distinct value of its keeper. A keeper's groups share the upper half of the key and so the
 * partition: one thread counts them. */
static ErrCode count_groups(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Pass *pass = ctx;
    uint8_t key[EXCHANGE_KEY];
    Span value;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &value, &end, err)) != ERR_OK) return rc;
        pass->count[le32_get(value.p)]++;
    }
    return rc;
}

static ErrCode count_distinct(DocTable *t, const char *column, uint32_t *count, uint64_t n, Err *err)
{
    Pass pass = {.t = t, .column = column, .count = count};
    ExchangeSpec spec;
    ErrCode rc;

    doctable_exchange(t, column, n, 4, &spec);
    spec.combine = keep_one;
    if ((rc = exchange_open(&pass.x, &spec, t->par, err)) != ERR_OK) return rc;
    rc = doctable_each_part(t, send_part, &pass, err);
    if (rc == ERR_OK) rc = exchange_flip(pass.x, err);
    if (rc == ERR_OK) rc = exchange_each(pass.x, count_groups, &pass, err);
    exchange_close(pass.x);
    return rc;
}

ErrCode spread_count(DocTable *t, Err *err)
{
    uint64_t in_clusters = 0;
    ErrCode rc;

    for (size_t i = 0; i < t->n; i++) t->u.dup_docs[i] = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->state[i] & DOC_SHOWN) t->u.dup_docs[t->keeper[i]]++;
    for (size_t i = 0; i < t->n; i++)
        if (t->u.dup_docs[i] > 1) in_clusters += t->u.dup_docs[i];
    if ((rc = count_distinct(t, sign_column_names[SIGN_DUMP], t->dup_dumps, in_clusters, err)) != ERR_OK) return rc;
    return count_distinct(t, sign_column_names[SIGN_HOST], t->dup_hosts, in_clusters, err);
}
