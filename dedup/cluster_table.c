#include "dedup/cluster_table.h"

#include "core/docscan.h"
#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "core/utf8.h"
#include "dedup/cluster.h"
#include "dedup/doclook.h"
#include "dedup/index.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct {
    const ClusterQuery *query;
    Arena arena;
    char *clusters; /* DIR/clusters */
    Hash128 key;
    Span *dump; /* names */
    size_t n_dumps;
    const char **base; /* directories that the view looks at */
    size_t n_bases;
    DatasetSet *inputs; /* these */
    ClusterLook look;
    Index index;           /* where its directory is given */
    bool asked;            /* when the view was made an index was asked, */
    Hash128 asked_state;   /* of this state, */
    const char *asked_dir; /* which was there; NULL: unknown */
    IndexDocsCursor match;
    FILE *out;
    Buf line;
} Table;

/* --- opening */

static ErrCode read_bases(Table *t, const Json *manifest, Err *err)
{
    const Json *base = json_get(manifest, "base");
    size_t n = base ? base->n : 0;

    t->base = arena_array(&t->arena, n, sizeof *t->base);
    for (const Json *b = base ? base->child : NULL; t->base && b; b = b->next) {
        const Json *path = json_get(b, "path"); /* opened already, so it is there */
        const char *name = arena_str(&t->arena, path->string);
        if (name && !path_is_absolute(name)) name = path_join(&t->arena, t->query->dir, name);
        if (!name) return err_nomem(err, "the inputs of a view");
        t->base[t->n_bases++] = name;
    }
    if (!t->base) return err_nomem(err, "the inputs of a view");
    return datasetset_open(&t->inputs, t->base, t->n_bases, err);
}

/* The view is one of this stage, and which run it was. */
static ErrCode open_view(Table *t, Err *err)
{
    const char *dir = t->query->dir, *stage, *key, *state = NULL;
    Dataset *ds = NULL;
    ErrCode rc = dataset_open(&ds, dir, err);

    if (rc == ERR_OK) rc = json_get_str(dataset_manifest(ds), "stage", dir, &stage, err);
    if (rc == ERR_OK) rc = json_get_str(dataset_manifest(ds), "key", dir, &key, err);
    if (rc == ERR_OK && (!stage || strcmp(stage, "dedup") != 0 || !key || !hash128_parse(span_str(key), &t->key)))
        rc = err_set(err, ERR_DATA, "%s was not made by tamis dedup", dir);
    if (rc == ERR_OK) rc = json_get_str(json_get(dataset_manifest(ds), "params"), "index", dir, &state, err);
    t->asked = rc == ERR_OK && state && hash128_parse(span_str(state), &t->asked_state);
    if (rc == ERR_OK) rc = read_bases(t, dataset_manifest(ds), err);
    dataset_close(ds);
    return rc;
}

static ErrCode read_names(Table *t, Err *err)
{
    const char *path = path_join(&t->arena, t->clusters, "clusters.json");
    Buf text = {0};
    Json *j = NULL;
    ErrCode rc = path ? store_read(path, CLUSTERS_JSON_MAX, &text, err) : err_nomem(err, "a path");

    if (rc == ERR_OK) rc = json_parse(&t->arena, buf_span(&text), path, &j, err);
    const Json *names = json_get(j, "dumps");
    if (rc == ERR_OK && t->asked) rc = json_get_str(json_get(j, "index"), "path", path, &t->asked_dir, err);
    if (rc == ERR_OK && !(t->dump = arena_array(&t->arena, names ? names->n : 0, sizeof *t->dump)))
        rc = err_nomem(err, "the names of dumps");
    for (const Json *n = rc == ERR_OK && names && names->type == JSON_ARRAY ? names->child : NULL; n; n = n->next)
        t->dump[t->n_dumps++] = n->type == JSON_STRING ? n->string : SPAN_LIT("");
    buf_clear(&text);
    return rc;
}

/* Another one has other documents at the places that the view names. */
static ErrCode open_index(Table *t, Err *err)
{
    const Par par = par_alone(1);
    const ClusterQuery *q = t->query;
    ErrCode rc = index_load(&t->index, q->index, NULL, &par, err);

    if (rc == ERR_OK && !t->asked) return err_set(err, ERR_DATA, "%s was made without an index", q->dir);
    if (rc == ERR_OK && !index_had_state(&t->index, t->asked_state))
        rc = err_set(err, ERR_DATA, "%s was compared with %s%s, not with %s: the ids of matches are not in that",
                     q->dir, t->asked_dir ? "the index " : "another index", t->asked_dir ? t->asked_dir : "",
                     q->index);
    return rc;
}

static ClusterLook look_of(const Table *t) { return (ClusterLook){.dir = t->clusters, .key = t->key}; }

static ErrCode open_table(Table *t, Err *err)
{
    DedupTotals totals;
    bool found = false;
    ErrCode rc = open_view(t, err);

    if (rc == ERR_OK && !(t->clusters = path_join(&t->arena, t->query->dir, "clusters")))
        rc = err_nomem(err, "a path");
    if (rc == ERR_OK) rc = clusters_load(t->clusters, t->key, &found, &totals, err);
    if (rc == ERR_OK && !found)
        rc = err_set(err, ERR_DATA, "%s does not hold the clusters of %s: they were deleted", t->clusters,
                     t->query->dir);
    t->look = look_of(t);
    if (rc == ERR_OK) rc = read_names(t, err);
    return rc == ERR_OK && t->query->index ? open_index(t, err) : rc;
}

static void close_table(Table *t)
{
    clusterlook_clear(&t->look);
    indexdocs_leave(&t->match);
    index_clear(&t->index);
    datasetset_close(t->inputs);
    buf_clear(&t->line);
    arena_clear(&t->arena);
}

/* --- lines */

static void put_member(Buf *b, const char *name, Span value)
{
    if (!value.p) return;
    buf_printf(b, ",\"%s\":", name);
    json_put_string(b, value);
}

static void put_counts(Table *t, const ClusterRow *k)
{
    buf_printf(&t->line, ",\"docs\":%" PRIu32 ",\"dumps\":%" PRIu32 ",\"hosts\":%" PRIu32, k->docs, k->dumps,
               k->hosts);
    if (k->first >= t->n_dumps || k->last >= t->n_dumps) return;
    put_member(&t->line, "first_dump", t->dump[k->first]);
    put_member(&t->line, "last_dump", t->dump[k->last]);
}

static void begin_line(Table *t, Span id)
{
    buf_reset(&t->line);
    buf_puts(&t->line, "{\"id\":");
    json_put_string(&t->line, id);
}

static ErrCode end_line(Table *t, Err *err)
{
    ErrCode rc;

    buf_puts(&t->line, "}\n");
    if ((rc = buf_ok(&t->line, "a line", err)) != ERR_OK) return rc;
    if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
    if (fwrite(t->line.p, 1, t->line.n, t->out) != t->line.n)
        return err_set(err, ERR_SYS, "cannot write to standard output");
    return ERR_OK;
}

/* --- documents meet under their keeper, which comes first; or keepers alone are brought into order. All threads read, one writes */

enum { MEMBER_HEAD = 1 + 5 * 4 };

typedef struct {
    ClusterLook look;
    Buf value;
} Sender; /* of one thread */

typedef struct {
    const Table *table;
    Exchange *x;
    Sender *sender;
} Sending;

/* A kept one without duplicates has no line that its cluster is too small for. */
static bool is_wanted(const ClusterQuery *q, const ClusterRow *k)
{
    if (k->verdict != CLUSTER_KEPT) return q->members;
    return k->docs >= q->least || (q->members && k->docs > 1);
}

static ErrCode send_member(void *ctx, int thread, const Doc *doc, const DocPlace *at, Err *err)
{
    const Sending *s = ctx;
    Sender *own = &s->sender[thread];
    uint8_t key[EXCHANGE_KEY], head[MEMBER_HEAD];
    ClusterRow k = {0};
    ErrCode rc = clusterlook_at(&own->look, at->id, &k, err);

    if (rc || !is_wanted(s->table->query, &k)) return rc;
    const uint32_t counts[5] = {k.docs, k.dumps, k.hosts, k.first, k.last};
    head[0] = k.verdict;
    for (int i = 0; i < 5; i++) le32_put(head + 1 + 4 * i, counts[i]);
    buf_reset(&own->value);
    buf_put(&own->value, head, sizeof head);
    buf_put_span(&own->value, doc->id);
    if ((rc = buf_ok(&own->value, "an id", err)) != ERR_OK) return rc;
    if (own->value.n > EXCHANGE_MAX_VALUE)
        return err_set(err, ERR_LIMIT, "an id of %zu bytes is too long for a table", doc->id.n);
    exchange_key_u64(key, k.keeper,
                     k.verdict == CLUSTER_KEPT     ? 0
                     : k.keeper == CLUSTER_INDEXED ? k.match
                                                   : at->id + 1);
    return exchange_put(s->x, thread, key, own->value.p, (uint32_t)own->value.n, err);
}

/* Of clusters alone the view is read, which passes over what is dropped. */
static ErrCode send_members(Table *t, Exchange *x, const Par *par, Err *err)
{
    const size_t threads = (size_t)par->threads;
    Sending s = {t, x, calloc(threads, sizeof *s.sender)};
    DatasetSet *view = NULL;
    ErrCode rc = s.sender ? ERR_OK : err_nomem(err, "clusters");

    for (size_t i = 0; s.sender && i < threads; i++) s.sender[i].look = look_of(t);
    if (rc == ERR_OK && !t->query->members) rc = datasetset_open(&view, &t->query->dir, 1, err);
    if (rc == ERR_OK) rc = docscan(view ? view : t->inputs, par, send_member, &s, NULL, err);
    for (size_t i = 0; s.sender && i < threads; i++) {
        clusterlook_clear(&s.sender[i].look);
        buf_clear(&s.sender[i].value);
    }
    free(s.sender);
    datasetset_close(view);
    return rc;
}

typedef struct {
    Table *table;
    DocId keeper;
    ClusterRow known; /* of the keeper */
    Buf id;           /* its id */
} Members;

static ErrCode write_member(Members *m, Span value, Err *err)
{
    uint8_t verdict = value.p[0];
    Span id = span(value.p + MEMBER_HEAD, value.n - MEMBER_HEAD);

    if (m->known.docs < m->table->query->least) return ERR_OK;
    begin_line(m->table, id);
    if (m->table->query->members) put_member(&m->table->line, "cluster", buf_span(&m->id));
    put_counts(m->table, &m->known);
    if (m->table->query->members)
        buf_puts(&m->table->line, verdict == CLUSTER_KEPT ? ",\"kept\":true" : ",\"kept\":false");
    if (verdict > CLUSTER_KEPT && verdict < CLUSTER_N)
        put_member(&m->table->line, "why", span_str(cluster_reasons[verdict]));
    return end_line(m->table, err);
}

static ErrCode take_keeper(Members *m, DocId keeper, Span value, Err *err)
{
    const uint8_t *p = value.p + 1;

    if (value.p[0] != CLUSTER_KEPT)
        return err_set(err, ERR_DATA, "%s: a document is dropped for one that is not kept", m->table->clusters);
    m->keeper = keeper;
    m->known = (ClusterRow){.docs = le32_get(p),
                            .dumps = le32_get(p + 4),
                            .hosts = le32_get(p + 8),
                            .first = le32_get(p + 12),
                            .last = le32_get(p + 16)};
    buf_reset(&m->id);
    buf_put(&m->id, value.p + MEMBER_HEAD, value.n - MEMBER_HEAD);
    return buf_ok(&m->id, "an id", err);
}

/* What the index calls a reference, or the reference itself; null: it was removed there. */
static ErrCode put_match(Table *t, DocId ref, Err *err)
{
    bool found;
    Span id;
    ErrCode rc;

    buf_puts(&t->line, ",\"match\":");
    if (!t->query->index) {
        buf_printf(&t->line, "[%u,%u,%u]", docid_dataset(ref), docid_part(ref), docid_record(ref));
        return ERR_OK;
    }
    if ((rc = indexdocs_seek(&t->match, &t->index, ref, &found, err)) != ERR_OK) return rc;
    if (found) {
        rc = indexdocs_id(&t->match.docs, t->match.row, &id, err);
        if (rc == ERR_OK) json_put_string(&t->line, id);
    } else {
        buf_puts(&t->line, "null");
    }
    return rc;
}

/* Documents that an index held belong to no cluster here. */
static ErrCode write_indexed(Table *t, DocId ref, ExchangeGroups *g, Err *err)
{
    Span value;
    bool end;
    ErrCode rc;

    while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end) {
        const uint8_t verdict = value.p[0];
        begin_line(t, span(value.p + MEMBER_HEAD, value.n - MEMBER_HEAD));
        if ((rc = put_match(t, ref, err)) != ERR_OK) return rc;
        buf_puts(&t->line, ",\"kept\":false");
        if (verdict > CLUSTER_KEPT && verdict < CLUSTER_N)
            put_member(&t->line, "why", span_str(cluster_reasons[verdict]));
        if ((rc = end_line(t, err)) != ERR_OK) return rc;
    }
    return rc;
}

static ErrCode write_group(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    Members *m = ctx;
    uint8_t key[EXCHANGE_KEY];
    Span value;
    bool end, first = true;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        DocId keeper = be64_get(key);
        if (keeper == CLUSTER_INDEXED) {
            if ((rc = write_indexed(m->table, be64_get(key + 8), g, err)) != ERR_OK) return rc;
            continue;
        }
        if ((rc = exchange_next_value(g, &value, &end, err)) != ERR_OK) return rc;
        if (first || keeper != m->keeper) rc = take_keeper(m, keeper, value, err);
        first = false;
        if (rc == ERR_OK) rc = write_member(m, value, err);
        if (rc) return rc;
    }
    return rc;
}

/* What the process has before it works, and the texts that each thread reads, come out of the budget: of texts never more than half. */
static uint64_t exchange_memory(const ClusterQuery *q)
{
    enum { PROCESS_BYTES = 28 << 20 };
    const uint64_t all = q->memory > 2 * (uint64_t)PROCESS_BYTES ? q->memory - PROCESS_BYTES : q->memory / 2,
                   texts = (uint64_t)q->threads << 24;

    return all - (texts < all / 2 ? texts : all / 2);
}

static ErrCode write_members(Table *t, Err *err)
{
    const Par par = par_alone(t->query->threads);
    const ExchangeSpec spec = {.name = "members",
                               .partitions = 1, /* in one order */
                               .value_bytes = UINT32_MAX,
                               .memory = exchange_memory(t->query),
                               .scratch = t->query->scratch ? t->query->scratch : t->query->dir};
    Members m = {.table = t};
    Exchange *x = NULL;
    ErrCode rc = exchange_open(&x, &spec, &par, err);

    if (rc == ERR_OK) rc = send_members(t, x, &par, err);
    if (rc == ERR_OK) rc = exchange_flip(x, err);
    if (rc == ERR_OK) rc = exchange_each(x, write_group, &m, err);
    exchange_close(x);
    buf_clear(&m.id);
    return rc;
}

/* --- the largest, with samples */

typedef struct {
    DocId keeper;
    ClusterRow known;
    uint32_t n_samples;
    DocId sample[CLUSTER_TABLE_SAMPLES];
    uint8_t why[CLUSTER_TABLE_SAMPLES];
} Large;

typedef struct {
    Large *v; /* in order of size */
    uint32_t n, cap;
} Larges;

static void add_large(Larges *l, const ClusterRow *k)
{
    uint32_t at = l->n;

    while (at > 0 && l->v[at - 1].known.docs < k->docs) at--; /* equal ones stay in order of documents */
    if (at == l->cap) return;
    if (l->n < l->cap) l->n++;
    memmove(l->v + at + 1, l->v + at, (l->n - 1 - at) * sizeof *l->v);
    l->v[at] = (Large){.keeper = k->keeper, .known = *k};
}

static void add_sample(Larges *l, const ClusterRow *k, DocId id)
{
    uint32_t at = 0;

    while (at < l->n && l->v[at].keeper != k->keeper) at++;
    if (at == l->n || l->v[at].n_samples == CLUSTER_TABLE_SAMPLES) return;
    l->v[at].why[l->v[at].n_samples] = k->verdict;
    l->v[at].sample[l->v[at].n_samples++] = id;
}

/* Goes over what is known of all documents: first for the largest, then for what they stand for. */
static ErrCode scan_known(Table *t, Larges *l, bool samples, Err *err)
{
    const uint32_t n_parts = datasetset_n_parts(t->inputs);
    uint32_t n;
    ErrCode rc = ERR_OK;

    for (uint32_t part = 0; part < n_parts && rc == ERR_OK; part++) {
        DocId id = datasetset_docid(t->inputs, part);
        if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
        rc = clusterlook_part(&t->look, id, &n, err);
        for (uint32_t i = 0; rc == ERR_OK && i < n; i++) {
            ClusterRow k;
            if ((rc = clusterlook_at(&t->look, id + i, &k, err)) != ERR_OK) return rc;
            bool kept = k.verdict == CLUSTER_KEPT;
            if (!samples && kept && k.docs >= t->query->least) add_large(l, &k);
            if (samples && !kept && k.verdict < CLUSTER_N) add_sample(l, &k, id + i);
        }
    }
    return rc;
}

static void put_text(Buf *b, Span text) { put_member(b, "text", span(text.p, utf8_floor(text, CLUSTER_TABLE_TEXT))); }

static ErrCode write_large(Table *t, DocLook *look, const Large *l, Err *err)
{
    Doc doc;
    ErrCode rc = doclook_get(look, l->keeper, &doc, err);

    if (rc) return rc;
    begin_line(t, doc.id);
    put_counts(t, &l->known);
    put_member(&t->line, "url", doc.url);
    put_text(&t->line, doc.text);
    buf_puts(&t->line, ",\"samples\":[");
    for (uint32_t i = 0; i < l->n_samples; i++) {
        if ((rc = doclook_get(look, l->sample[i], &doc, err)) != ERR_OK) return rc;
        buf_puts(&t->line, i ? ",{\"id\":" : "{\"id\":");
        json_put_string(&t->line, doc.id);
        put_member(&t->line, "url", doc.url);
        put_member(&t->line, "why", span_str(cluster_reasons[l->why[i]]));
        put_text(&t->line, doc.text);
        buf_putc(&t->line, '}');
    }
    buf_putc(&t->line, ']');
    return end_line(t, err);
}

static ErrCode write_largest(Table *t, Err *err)
{
    Larges l = {.cap = t->query->largest};
    DocLook look = {0};
    ErrCode rc;

    if (!(l.v = calloc((size_t)l.cap + 1, sizeof *l.v))) return err_nomem(err, "the largest clusters");
    rc = scan_known(t, &l, false, err);
    if (rc == ERR_OK) rc = scan_known(t, &l, true, err);
    if (rc == ERR_OK) rc = doclook_open(&look, t->inputs, err);
    for (uint32_t i = 0; i < l.n && rc == ERR_OK; i++) rc = write_large(t, &look, &l.v[i], err);
    doclook_close(&look);
    free(l.v);
    return rc;
}

/* --- the largest, to be read by people */

enum { TELL_BYTES = 80 }; /* of a text, an id, a URL */

/* The beginning of what a crawl wrote. */
static void put_beginning(Buf *b, Span s) { buf_put_span(b, span(s.p, utf8_floor(s, TELL_BYTES))); }

static ErrCode tell_document(Table *t, DocLook *look, DocId id, const char *what, Err *err)
{
    Doc doc;
    ErrCode rc = doclook_get(look, id, &doc, err);

    if (rc) return rc;
    buf_reset(&t->line);
    put_beginning(&t->line, doc.id);
    buf_puts(&t->line, doc.url.n ? " " : "");
    put_beginning(&t->line, doc.url);
    buf_puts(&t->line, " \"");
    put_beginning(&t->line, doc.text);
    buf_putc(&t->line, '"');
    if ((rc = buf_ok(&t->line, "a line", err)) == ERR_OK) log_info("    %s %s", what, buf_cstr(&t->line));
    return rc;
}

/* Samples are of the keeper's part, so that not all parts are read. */
static ErrCode find_samples(Table *t, Larges *l, DocId keeper, Err *err)
{
    const DocId part = keeper - docid_record(keeper);
    uint32_t n;
    ErrCode rc = clusterlook_part(&t->look, keeper, &n, err);

    for (uint32_t i = 0; rc == ERR_OK && i < n && l->v->n_samples < CLUSTER_TABLE_SAMPLES; i++) {
        ClusterRow k;
        rc = clusterlook_at(&t->look, part + i, &k, err);
        if (rc == ERR_OK && k.verdict != CLUSTER_KEPT && k.verdict < CLUSTER_N) add_sample(l, &k, part + i);
    }
    return rc;
}

static ErrCode tell_large(Table *t, DocLook *look, DocId keeper, Err *err)
{
    Large large = {.keeper = keeper};
    Larges one = {&large, 1, 1};
    ErrCode rc = clusterlook_at(&t->look, keeper, &large.known, err);

    if (rc == ERR_OK) rc = find_samples(t, &one, keeper, err);
    if (rc) return rc;
    log_info("  %" PRIu32 " documents, %" PRIu32 " dump%s, %" PRIu32 " host%s", large.known.docs, large.known.dumps,
             large.known.dumps == 1 ? "" : "s", large.known.hosts, large.known.hosts == 1 ? "" : "s");
    rc = tell_document(t, look, keeper, "kept", err);
    for (uint32_t i = 0; i < large.n_samples && rc == ERR_OK; i++)
        rc = tell_document(t, look, large.sample[i], cluster_reasons[large.why[i]], err);
    return rc;
}

ErrCode clusters_tell(const char *dir, const DedupTotals *n, Err *err)
{
    const ClusterQuery q = {.dir = dir};
    Table t = {.query = &q};
    DocLook look = {0};
    ErrCode rc = open_table(&t, err);

    if (rc == ERR_OK) rc = doclook_open(&look, t.inputs, err);
    for (int i = 0; rc == ERR_OK && i < DEDUP_LARGEST && n->largest[i].docs; i++)
        rc = tell_large(&t, &look, n->largest[i].keeper, err);
    doclook_close(&look);
    close_table(&t);
    return rc;
}

ErrCode clusters_write(const ClusterQuery *q, FILE *out, Err *err)
{
    Table t = {.query = q, .match = {.use = DOCS_IDS}, .out = out};
    ErrCode rc = open_table(&t, err);

    if (rc == ERR_OK) rc = q->largest ? write_largest(&t, err) : write_members(&t, err);
    close_table(&t);
    return rc;
}
