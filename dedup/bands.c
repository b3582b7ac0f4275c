/* Candidate duplicates: one step a band joins the documents that share its key; what is joined, directly or over others, is a
 * component. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"
#include "dedup/stars.h"

typedef struct {
    const DocTable *t;
    Pass *p;
    char name[COL_NAME_MAX + 1];
} Band;

static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Band *b = ctx;
    Span band, dump;
    ErrCode rc;

    if ((rc = signpart_column(p, b->name, COL_U64, 1, &band, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], doc[DOC_BYTES];
        uint64_t scope = 0;
        if (p->state[i] != DOC_NEAR) continue;
        if (b->t->params->window == 1) scope = le64_get(dump.p + 8 * (size_t)i);
        exchange_key_u64(key, le64_get(band.p + 8 * (size_t)i), scope);
        doc_put(doc, p->first + i);
        rc = pass_put(b->p, lane, key, doc, sizeof doc, err);
    }
    return rc;
}

static ErrCode send_band(void *ctx, Pass *p, Err *err)
{
    Band *b = ctx;

    b->p = p;
    return doctable_each_part(b->t, send_part, b, err);
}

/* A bucket's members are joined to one of them, not all to all: the component is the same, and only components count, since
 * verification does not ask which pairs met. */
static ErrCode join_buckets(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY], edge[PAIR_BYTES];
    Span doc;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &doc, &end, err)) != ERR_OK) return rc;
        memcpy(edge, doc.p, DOC_BYTES);
        while ((rc = exchange_next_value(g, &doc, &end, err)) == ERR_OK && !end) {
            memcpy(edge + DOC_BYTES, doc.p, DOC_BYTES);
            if ((rc = resultsout_put(out, edge, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

static ErrCode add_edges(void *ctx, int thread, uint32_t partition, Span edges, Err *err)
{
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < edges.n && rc == ERR_OK; at += PAIR_BYTES)
        rc = stars_edge(ctx, thread, doc_get(edges.p + at), doc_get(edges.p + at + DOC_BYTES), err);
    return rc;
}

static ErrCode open_band(const DocTable *t, Band *b, uint32_t band, Pass **p, Err *err)
{
    const StepSpec spec = {.name = b->name, .value_bytes = DOC_BYTES, .result_bytes = PAIR_BYTES, .share = 2};

    b->t = t;
    sign_band_name(b->name, band);
    return doctable_step(t, &spec, p, err);
}

/* Stars may be NULL. */
static ErrCode join_band(const DocTable *t, uint32_t band, Stars *stars, Err *err)
{
    Band b;
    Pass *p;
    ErrCode rc = open_band(t, &b, band, &p, err);

    if (rc) return rc;
    rc = pass_run(p, send_band, join_buckets, &b, err);
    if (rc == ERR_OK && stars) rc = par_agree(t->par, results_each(pass_results(p), add_edges, stars, err), err);
    pass_close(p);
    return rc;
}

/* --- components */

typedef struct {
    const DocTable *t;
    Stars *stars;
} Components;

static ErrCode put_label(const DocTable *t, Pass *p, int lane, uint64_t doc, uint64_t label, Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[DOC_BYTES];

    doc_key(t, doc, key);
    doc_put(value, label);
    return pass_put(p, lane, key, value, sizeof value, err);
}

/* Every document of a component of several, its least one included, gets the component's label. */
static ErrCode send_labels(void *ctx, Pass *p, Err *err)
{
    const Components *c = ctx;
    const uint64_t *label;
    uint64_t first, n;
    int threads = c->t->par->threads;
    ErrCode rc = stars_solve(c->stars, &label, &first, &n, NULL, err);

    if (rc) return rc;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int lane = 0; lane < threads; lane++) {
        uint64_t begin = n * (uint64_t)lane / (uint64_t)threads, end = n * ((uint64_t)lane + 1) / (uint64_t)threads;
        Err own;
        ErrCode mine = ERR_OK;
        for (uint64_t i = begin; i < end && mine == ERR_OK; i++) {
            if (label[i] == first + i) continue;
            mine = put_label(c->t, p, lane, first + i, label[i], &own);
            if (mine == ERR_OK) mine = put_label(c->t, p, lane, label[i], label[i], &own);
        }
#pragma omp critical(bands_failure)
        if (mine && rc == ERR_OK) {
            rc = mine;
            *err = own;
        }
    }
    return rc;
}

static ErrCode open_stars(const DocTable *t, Stars **stars, Err *err)
{
    const StarsSpec spec = {
        .n_nodes = t->n, .partitions = STARS_PARTITIONS, .memory = t->memory / 2, .scratch = t->scratch};

    return par_agree(t->par, stars_open(stars, &spec, t->par, err), err);
}

static ErrCode join_bands(const DocTable *t, Pass *p, Err *err)
{
    Components c = {.t = t};
    ErrCode rc = open_stars(t, &c.stars, err);

    for (uint32_t band = 0; band < t->params->bands && rc == ERR_OK; band++) rc = join_band(t, band, c.stars, err);
    if (rc == ERR_OK) rc = pass_run(p, send_labels, list_by_doc, &c, err);
    stars_close(c.stars);
    return rc;
}

/* --- the same by tasks of an array: bands do not wait for one another; the components are task 0's, since their rounds need
 * all edges at once */

static ErrCode add_band(const DocTable *t, uint32_t band, Stars *stars, Err *err)
{
    Band b;
    Pass *p;
    ErrCode rc = open_band(t, &b, band, &p, err);

    if (rc == ERR_OK && !pass_is_done(p)) rc = err_set(err, ERR_NO, "the pairs of %s are not all there", b.name);
    if (rc == ERR_OK) rc = results_all(pass_results(p), add_edges, stars, err);
    pass_close(p);
    return rc;
}

static ErrCode join_bands_by_tasks(const DocTable *t, Pass *p, Err *err)
{
    Components c = {.t = t};
    bool waiting = false;
    ErrCode rc = ERR_OK;

    for (uint32_t band = 0; band < t->params->bands && (rc == ERR_OK || rc == ERR_NO); band++) {
        rc = join_band(t, band, NULL, err);
        waiting |= rc == ERR_NO;
    }
    if (rc == ERR_OK && (waiting || t->task.index != 0))
        rc = err_set(err, ERR_NO, "the components are not known yet");
    if (rc == ERR_OK) rc = open_stars(t, &c.stars, err);
    for (uint32_t band = 0; band < t->params->bands && rc == ERR_OK; band++) rc = add_band(t, band, c.stars, err);
    if (rc == ERR_OK) rc = pass_run(p, send_labels, list_by_doc, &c, err);
    stars_close(c.stars);
    return rc;
}

ErrCode bands_join(const DocTable *t, Pass **out, Err *err)
{
    const StepSpec spec = {.name = "components",
                           .value_bytes = DOC_BYTES,
                           .result_bytes = PAIR_BYTES,
                           .combine = keep_one,
                           .share = 2,
                           .whole = true};
    ErrCode rc = doctable_step(t, &spec, out, err);

    if (rc || pass_is_done(*out)) return rc;
    return t->task.count ? join_bands_by_tasks(t, *out, err) : join_bands(t, *out, err);
}
