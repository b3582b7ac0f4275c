#include "dedup/remove.h"

#include "core/lines.h"
#include "core/store.h"
#include "core/url.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- the list */

static int by_value(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;

    return (a > b) - (a < b);
}

static bool holds(Span s, const char *what)
{
    Span w = span_str(what);

    for (size_t i = 0; i + w.n <= s.n; i++)
        if (memcmp(s.p + i, w.p, w.n) == 0) return true;
    return false;
}

/* The kind and hash of an entry; hash 0: it is none. */
static uint64_t hash_entry(Span line, Buf *scratch, int *kind)
{
    uint8_t host[URL_MAX_HOST];
    Buf url = {0};

    if (holds(line, "://")) {
        *kind = REMOVE_URL;
        return sign_address(scratch, line);
    }
    *kind = span_find(line, '#') < line.n ? REMOVE_ID : REMOVE_HOST;
    if (*kind == REMOVE_ID) return hash64(line);
    buf_puts(&url, "http://");
    buf_put_span(&url, line);
    Span h = url.oom || span_find(line, '/') < line.n ? (Span){0} : url_host(buf_span(&url), host);
    uint64_t hash = h.n ? hash64(h) : 0;
    buf_clear(&url);
    return hash;
}

static ErrCode take_line(Buf lists[REMOVE_KINDS], Span line, Buf *scratch, const char *path, uint64_t number,
                         Err *err)
{
    int kind;
    uint64_t hash;

    line = span_trim(line);
    if (line.n == 0 || line.p[0] == '#') return ERR_OK;
    if ((hash = hash_entry(line, scratch, &kind)) == 0)
        return err_set(err, ERR_DATA, "%s: line %" PRIu64 " is no URL, host or id", path, number);
    buf_put(&lists[kind], &hash, sizeof hash);
    return ERR_OK;
}

/* Sorted, each once. */
static void settle(RemoveList *l, int kind, Buf *list)
{
    size_t n = list->n / 8, kept = 0;

    l->hash[kind] = (uint64_t *)(void *)list->p;
    if (n) qsort(l->hash[kind], n, sizeof(uint64_t), by_value);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || l->hash[kind][i] != l->hash[kind][i - 1]) l->hash[kind][kept++] = l->hash[kind][i];
    l->n[kind] = kept;
}

ErrCode removelist_read(RemoveList *l, const char *path, Err *err)
{
    Buf text = {0}, lists[REMOVE_KINDS] = {{0}}, scratch = {0}, all = {0};
    uint64_t number = 0;
    ErrCode rc = store_read(path, REMOVE_MAX_LIST, &text, err);

    *l = (RemoveList){0};
    for (Span rest = buf_span(&text); rc == ERR_OK && rest.n;)
        rc = take_line(lists, line_take(&rest), &scratch, path, ++number, err);
    for (int kind = 0; kind < REMOVE_KINDS; kind++) {
        if (rc == ERR_OK) rc = buf_ok(&lists[kind], "a list", err);
        settle(l, kind, &lists[kind]);
        buf_printf(&all, "%zu:", l->n[kind]);
        for (size_t i = 0; i < l->n[kind]; i++) buf_printf(&all, "%016" PRIx64, l->hash[kind][i]);
    }
    if (rc == ERR_OK) rc = buf_ok(&all, "a list", err);
    if (rc == ERR_OK) l->content = hash128(buf_span(&all));
    if (rc) removelist_clear(l);
    buf_clear(&text);
    buf_clear(&scratch);
    buf_clear(&all);
    return rc;
}

void removelist_clear(RemoveList *l)
{
    for (int kind = 0; kind < REMOVE_KINDS; kind++) free(l->hash[kind]);
    *l = (RemoveList){0};
}

bool removelist_has(const RemoveList *l, int kind, uint64_t hash)
{
    return hash && l->n[kind] && bsearch(&hash, l->hash[kind], l->n[kind], sizeof hash, by_value) != NULL;
}

/* --- an index */

typedef ErrCode (*FileFn)(void *ctx, const IndexDocs *d, Err *err);

static ErrCode each_file(const Index *ix, FileFn fn, void *ctx, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < ix->n_datasets; i++)
        for (uint32_t part = 0; part < ix->dataset[i].n_parts && rc == ERR_OK; part++) {
            IndexDocs d;
            if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
            if ((rc = indexdocs_open(&d, ix, i, part, DOCS_ALL, err)) != ERR_OK) return rc;
            rc = fn(ctx, &d, err);
            indexdocs_close(&d);
        }
    return rc;
}

typedef struct {
    Index *ix;
    const RemoveList *list;
    Buf *ids, refs;
    uint64_t n;
} Removal;

static ErrCode find_rows(void *ctx, const IndexDocs *d, Err *err)
{
    Removal *r = ctx;
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < d->n && rc == ERR_OK; i++) {
        uint64_t ref = d->first + le32_get(d->record.p + 4 * (size_t)i);
        Span id;
        if ((rc = indexdocs_id(d, i, &id, err)) != ERR_OK) break;
        if (!removelist_has(r->list, REMOVE_URL, le64_get(d->url.p + 8 * (size_t)i)) &&
            !removelist_has(r->list, REMOVE_HOST, le64_get(d->host.p + 8 * (size_t)i)) &&
            !removelist_has(r->list, REMOVE_ID, hash64(id)))
            continue;
        buf_put_span(r->ids, id);
        buf_putc(r->ids, '\n');
        r->n++;
        if (!index_is_removed(r->ix, ref)) buf_put(&r->refs, &ref, sizeof ref);
    }
    return rc;
}

static ErrCode purge_rows(void *ctx, const IndexDocs *d, Err *err)
{
    const Removal *r = ctx;

    for (uint32_t i = 0; i < d->n; i++)
        if (index_is_removed(r->ix, d->first + le32_get(d->record.p + 4 * (size_t)i)))
            return indexdocs_purge(r->ix, d, err);
    return ERR_OK;
}

static ErrCode add_removed(Index *ix, const Buf *refs, Err *err)
{
    size_t n = refs->n / 8;
    uint64_t *all = realloc(ix->removed, (ix->n_removed + n) * sizeof *all + 1);

    if (!all) return err_nomem(err, "what was removed");
    ix->removed = all;
    memcpy(all + ix->n_removed, refs->p, refs->n);
    ix->n_removed += n;
    qsort(all, ix->n_removed, sizeof *all, by_value);
    return index_publish_removed(ix, err);
}

/* The list of what is removed first, so that nobody finds a document again that is half gone; then the files. */
ErrCode remove_from_index(Index *ix, const RemoveList *l, Buf *ids, uint64_t *n_docs, Err *err)
{
    Removal r = {.ix = ix, .list = l, .ids = ids};
    ErrCode rc = each_file(ix, find_rows, &r, err);

    if (rc == ERR_OK) rc = buf_ok(ids, "ids", err);
    if (rc == ERR_OK) rc = buf_ok(&r.refs, "what is removed", err);
    if (rc == ERR_OK && r.refs.n) rc = add_removed(ix, &r.refs, err);
    if (rc == ERR_OK) rc = each_file(ix, purge_rows, &r, err);
    *n_docs = r.n;
    buf_clear(&r.refs);
    return rc;
}

/* --- datasets */

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(Buf));
    return *worker ? ERR_OK : err_nomem(err, "a URL");
}

static void worker_free(void *worker)
{
    if (worker) buf_clear(worker);
    free(worker);
}

static ErrCode remove_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    const RemoveList *l = ctx;
    uint8_t host[URL_MAX_HOST];
    Span h = url_host(doc->url, host);

    (void)id, (void)err;
    if (removelist_has(l, REMOVE_ID, hash64(doc->id)) || (h.n && removelist_has(l, REMOVE_HOST, hash64(h))) ||
        removelist_has(l, REMOVE_URL, sign_address(worker, doc->url)))
        sink_drop(sink, 0, doc->id, doc);
    return ERR_OK;
}

ErrCode remove_from_datasets(const RemoveList *l, const DatasetSet *in, const char *out_dir,
                             const CommonOptions *common, const Par *par, StageTotals *totals, Err *err)
{
    static const char *const reasons[] = {"removed_on_request"};
    static const StageDef def = {.name = "remove",
                                 .version = 1,
                                 .kind = DATASET_VIEW,
                                 .reasons = reasons,
                                 .n_reasons = 1,
                                 .worker_new = worker_new,
                                 .worker_free = worker_free};
    RemoveList list = *l; /* map takes it as context, unchanged */
    Buf json = {0};
    ErrCode rc;

    buf_puts(&json, "{\"list\":");
    json_put_hash(&json, l->content);
    buf_putc(&json, '}');
    if ((rc = buf_ok(&json, "parameters", err)) == ERR_OK) {
        StageJob job = {.def = &def,
                        .ctx = &list,
                        .params = buf_span(&json),
                        .out_dir = out_dir,
                        .set = in,
                        .map = remove_map,
                        .common = common};
        rc = stage_run(&job, par, totals, err);
    }
    buf_clear(&json);
    return rc;
}
