/* Duplicates by one key: documents of one text, or of one URL, meet; all but those that come first by keep order have one of them
 * for keeper. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <stdlib.h>

typedef struct {
    const DocTable *t;
    Pass *p;
    SignColumn column;
    uint8_t kind;
} Step;

/* The columns of one part. */
typedef struct {
    Span key;
    OrderColumns order;
} KeyColumns;

static ErrCode open_columns(const Step *s, const SignPart *p, KeyColumns *c, Err *err)
{
    ErrCode rc = signpart_column(p, sign_column_names[s->column], COL_U64, 2, &c->key, err);

    return rc ? rc : order_columns(s->t, p, &c->order, err);
}

/* A document without a URL has none in common with another. */
static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    const DocTable *t = s->t;
    KeyColumns c;
    ErrCode rc = open_columns(s, p, &c, err);

    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], order[ORDER_MAX];
        uint64_t lo = le64_get(c.key.p + 16 * (size_t)i), hi = le64_get(c.key.p + 16 * (size_t)i + 8);
        if ((p->state[i] & (DOC_SHOWN | DOC_FOUND)) != DOC_SHOWN) continue;
        if (s->column == SIGN_URL && (lo | hi) == 0) continue;
        if (t->params->window == 1) hi ^= mix64(le64_get(c.order.dump.p + 8 * (size_t)i));
        exchange_key_u64(key, hi, lo);
        order_put(order, t, &c.order, p, i);
        rc = pass_put(s->p, lane, key, order, t->order_bytes, err);
    }
    return rc;
}

static ErrCode send_keys(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return doctable_each_part(s->t, send_part, s, err);
}

/* --- one group */

/* The first of each dump, by its number (the last slot: without one), and those of them that stay. */
typedef struct {
    uint8_t ref[REF_BYTES];
    uint64_t met;  /* the group it is of */
    uint64_t stay; /* 0: does not; else its place among those that do, from 1 */
} First;

typedef struct {
    const DocTable *t;
    uint8_t kind;
    First *first;
    uint64_t group, n_stay;
    ResultsOut *out;
} Groups;

static First *slot_of(const Groups *g, const uint8_t *ref)
{
    uint16_t dump = ref_dump(ref);

    if (g->t->window == 0) return g->first;
    return g->first + (dump == DUMPS_NONE ? g->t->dumps.n : dump);
}

static ErrCode put_duplicate(const Groups *g, const uint8_t *ref, const uint8_t *keeper, uint8_t flag, Err *err)
{
    return verdict_put(g->out, ref, keeper, g->kind | flag, err);
}

/* Of those that stay and lie in the window, the first. */
static const First *keeper_in_window(const Groups *g, uint16_t dump)
{
    uint32_t reach = g->t->window - 1, from = dump > reach ? dump - reach : 0, n = g->t->dumps.n;
    const First *best = NULL;

    if (dump == DUMPS_NONE || g->t->window == 0) return NULL; /* its one slot was free */
    for (uint32_t d = from; d < n && d <= (uint32_t)dump + reach; d++) {
        const First *f = &g->first[d];
        if (f->met == g->group && f->stay && (!best || f->stay < best->stay)) best = f;
    }
    return best;
}

static ErrCode judge_document(Groups *g, const uint8_t *ref, Err *err)
{
    First *f = slot_of(g, ref);
    const First *keeper;

    if (f->met == g->group) return put_duplicate(g, ref, f->ref, g->t->window ? LINK_SAME_DUMP : 0, err);
    keeper = keeper_in_window(g, ref_dump(ref));
    f->met = g->group;
    f->stay = keeper ? 0 : ++g->n_stay;
    memcpy(f->ref, ref, REF_BYTES);
    return keeper ? put_duplicate(g, ref, keeper->ref, 0, err) : ERR_OK;
}

static ErrCode judge_groups(void *ctx, int thread, uint32_t partition, ExchangeGroups *in, ResultsOut *out, Err *err)
{
    const Step *s = ctx;
    Groups g = {.t = s->t, .kind = s->kind, .out = out};
    uint8_t key[EXCHANGE_KEY];
    Span order;
    bool end;
    ErrCode rc = ERR_OK;

    (void)thread, (void)partition;
    g.first = calloc(s->t->window ? s->t->dumps.n + (size_t)1 : 1, sizeof *g.first);
    if (!g.first) return err_nomem(err, "the dumps of a text");
    while (rc == ERR_OK && (rc = exchange_next_group(in, key, &end, err)) == ERR_OK && !end) {
        g.group++;
        g.n_stay = 0;
        while (rc == ERR_OK && (rc = exchange_next_value(in, &order, &end, err)) == ERR_OK && !end)
            rc = judge_document(&g, order_ref(s->t, order.p), err);
    }
    free(g.first);
    return rc;
}

/* --- which of a rank's own documents these are */

static ErrCode mark_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Span docs;
    ErrCode rc = signpart_slice(p, pass_results(s->p), 0, &docs, err);

    (void)lane;
    for (size_t at = 0; rc == ERR_OK && at < docs.n; at += VERDICT_BYTES)
        p->state[doc_get(docs.p + at) - p->first] |= DOC_FOUND;
    return rc;
}

/* What was found takes no part in the steps that follow. */
static ErrCode mark_found(const DocTable *t, const char *name, const Pass *found, Err *err)
{
    const StepSpec spec = {.name = name, .value_bytes = VERDICT_BYTES - DOC_BYTES, .result_bytes = VERDICT_BYTES};
    Step s = {.t = t};
    ErrCode rc = doctable_step(t, &spec, &s.p, err);

    if (rc) return rc;
    rc = sort_by_doc(t, pass_results(found), VERDICT_BYTES, list_by_doc, s.p, err);
    if (rc == ERR_OK) rc = par_agree(t->par, doctable_each_part(t, mark_part, &s, err), err);
    pass_close(s.p);
    return rc;
}

static ErrCode find(DocTable *t, Step *s, const char *name, Pass **out, Err *err)
{
    const StepSpec spec = {.name = name, .value_bytes = t->order_bytes, .result_bytes = VERDICT_BYTES};
    ErrCode rc = doctable_step(t, &spec, out, err);

    return rc ? rc : pass_run(*out, send_keys, judge_groups, s, err);
}

ErrCode exact_find(DocTable *t, Pass **out, Err *err)
{
    Step s = {.t = t, .column = SIGN_EXACT, .kind = CLUSTER_EXACT};
    ErrCode rc = find(t, &s, "exact", out, err);

    if (rc == ERR_OK && (t->params->url || !t->params->exact_only)) rc = mark_found(t, "exact-docs", *out, err);
    return rc;
}

ErrCode url_find(DocTable *t, Pass **out, Err *err)
{
    Step s = {.t = t, .column = SIGN_URL, .kind = CLUSTER_URL};
    ErrCode rc = find(t, &s, "url", out, err);

    if (rc == ERR_OK && !t->params->exact_only) rc = mark_found(t, "url-docs", *out, err);
    return rc;
}
