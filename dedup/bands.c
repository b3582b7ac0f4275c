/* Candidate duplicates: one pass a band joins the documents that share its key. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

typedef struct {
    DocTable *t;
    Exchange *x;
    char name[COL_NAME_MAX + 1];
} Pass;

static ErrCode send_part(void *ctx, const SignPart *p, int lane, Err *err)
{
    const Pass *pass = ctx;
    const DocTable *t = pass->t;
    Span band, dump;
    ErrCode rc;

    if ((rc = signpart_column(p, pass->name, COL_U64, 1, &band, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], value[4];
        uint64_t k = le64_get(band.p + 8 * (size_t)i), scope = 0;
        if (!(t->state[p->first + i] & DOC_NEAR)) continue;
        if (t->params->scope == DEDUP_SCOPE_DUMP) scope = le64_get(dump.p + 8 * (size_t)i);
        exchange_key_u64(key, k, scope);
        le32_put(value, (uint32_t)p->first + i);
        rc = exchange_put(pass->x, lane, key, value, sizeof value, err);
    }
    return rc;
}

/* A bucket's members are joined to one of them, not all to all: the component is the same, and only components count, since
 * verification does not ask which pairs met. */
static ErrCode join_buckets(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Pass *pass = ctx;
    uint8_t key[EXCHANGE_KEY];
    Span value;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &value, &end, err)) != ERR_OK) return rc;
        uint32_t first = le32_get(value.p);
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end)
            component_unite(pass->t->u.parent, first, le32_get(value.p));
        if (rc) return rc;
    }
    return rc;
}

static ErrCode join_band(Pass *pass, const ExchangeSpec *spec, Err *err)
{
    ErrCode rc = exchange_open(&pass->x, spec, pass->t->par, err);

    if (rc) return rc;
    rc = doctable_each_part(pass->t, send_part, pass, err);
    if (rc == ERR_OK) rc = exchange_flip(pass->x, err);
    if (rc == ERR_OK) rc = exchange_each(pass->x, join_buckets, pass, err);
    exchange_close(pass->x);
    return rc;
}

static void mark_clustered(DocTable *t)
{
#pragma omp parallel for num_threads(t->par->threads)
    for (size_t i = 0; i < t->n; i++) {
        uint32_t root = component_find(t->u.parent, (uint32_t)i);
        if (root == i) continue;
#pragma omp atomic update
        t->state[i] |= DOC_CLUSTERED;
#pragma omp atomic update
        t->state[root] |= DOC_CLUSTERED;
    }
}

ErrCode bands_join(DocTable *t, Err *err)
{
    Pass pass = {.t = t};
    ExchangeSpec spec;
    uint64_t n_near = 0;
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < t->n; i++) n_near += (t->state[i] & DOC_NEAR) != 0;
    doctable_exchange(t, "band", n_near, 4, &spec);
    for (uint32_t band = 0; band < t->params->bands && rc == ERR_OK; band++) {
        sign_band_name(pass.name, band);
        rc = join_band(&pass, &spec, err);
    }
    if (rc == ERR_OK) mark_clustered(t);
    return rc;
}
