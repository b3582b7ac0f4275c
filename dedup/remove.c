#include "dedup/remove.h"

#include "core/url.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- the list */

static bool holds(Span s, Span what)
{
    for (size_t i = 0; i + what.n <= s.n; i++)
        if (span_starts(span_from(s, i), what)) return true;
    return false;
}

/* The kind and hash of an entry that is not quoted; hash 0: it is none. */
static uint64_t hash_entry(Span line, Buf *scratch, int *kind)
{
    uint8_t host[URL_MAX_HOST];

    if (holds(line, SPAN_LIT("://"))) {
        *kind = REMOVE_URL;
        return sign_address(scratch, line);
    }
    *kind = span_find(line, '#') < line.n ? REMOVE_ID : REMOVE_HOST;
    if (*kind == REMOVE_ID) return hash64(line);
    buf_reset(scratch);
    buf_puts(scratch, "http://");
    buf_put_span(scratch, line);
    const Span h = scratch->oom || span_find(line, '/') < line.n ? (Span){0} : url_host(buf_span(scratch), host);
    return h.n ? hash64(h) : 0;
}

typedef struct {
    const char *path;
    const RemoveList *list; /* which was read before: only what it misses is looked for */
    ListMissing missing;
    Buf hashes[REMOVE_KINDS], scratch;
} ListReader;

static ErrCode take_line(void *ctx, Span line, uint64_t number, Err *err)
{
    ListReader *r = ctx;
    int kind = REMOVE_ID;
    uint64_t hash = 0;
    Span id;
    bool bad;

    if (line.p[0] == '#') return ERR_OK;
    if (id_is_quoted(line, &r->scratch, &id, &bad))
        hash = hash64(id);
    else if (!bad)
        hash = hash_entry(line, &r->scratch, &kind);
    if (r->scratch.oom) return err_nomem(err, "a list");
    if (hash == 0) return err_set(err, ERR_DATA, "%s: line %" PRIu64 " is no URL, host or id", r->path, number);
    if (!r->list)
        buf_put(&r->hashes[kind], &hash, sizeof hash);
    else if (hashset_is_missing(&r->list->set[kind], hash))
        listmissing_add(&r->missing, line);
    return buf_ok(&r->hashes[kind], "a list", err);
}

ErrCode removelist_read(RemoveList *l, const char *path, Err *err)
{
    ListReader r = {.path = path};
    Buf all = {0};
    ErrCode rc = list_each(path, take_line, &r, err);

    for (int kind = 0; kind < REMOVE_KINDS; kind++) {
        hashset_take(&l->set[kind], &r.hashes[kind]);
        if (rc == ERR_OK) rc = hashset_watch(&l->set[kind], err);
        buf_printf(&all, "%zu:", l->set[kind].n);
        for (size_t i = 0; i < l->set[kind].n; i++) buf_printf(&all, "%016" PRIx64, l->set[kind].hash[i]);
    }
    if (rc == ERR_OK) rc = buf_ok(&all, "a list", err);
    if (rc == ERR_OK) l->content = hash128(buf_span(&all));
    if (rc) removelist_clear(l);
    buf_clear(&r.scratch);
    buf_clear(&all);
    return rc;
}

ErrCode removelist_warn(const RemoveList *l, const char *path, const Par *par, Err *err)
{
    ListReader r = {.path = path, .list = l};
    ErrCode rc = ERR_OK;

    for (int kind = 0; kind < REMOVE_KINDS; kind++) par_sum_u64(par, l->set[kind].seen, l->set[kind].n);
    if (par->rank == 0) {
        rc = list_each(path, take_line, &r, err);
        if (rc == ERR_OK) rc = listmissing_warn(&r.missing, "remove", path, "without a match", err);
    }
    buf_clear(&r.missing.first);
    buf_clear(&r.scratch);
    return par_agree(par, rc, err);
}

void removelist_clear(RemoveList *l)
{
    for (int kind = 0; kind < REMOVE_KINDS; kind++) hashset_clear(&l->set[kind]);
    *l = (RemoveList){0};
}

/* All kinds are asked, so that all entries are marked. Hash 0: it has none. */
static bool names(const RemoveList *l, uint64_t id, uint64_t host, uint64_t url)
{
    const bool by_id = hashset_mark(&l->set[REMOVE_ID], id), by_host = hashset_mark(&l->set[REMOVE_HOST], host),
               by_url = hashset_mark(&l->set[REMOVE_URL], url);

    return by_id || by_host || by_url;
}

/* --- an index */

enum { NAME_RECORD, NAME_ID, NAME_URL, NAME_HOST, N_NAMES, NAMES_ROWS = 4096 /* of a file, read at a time */ };

/* What the documents of a file are known by, some rows at a time. */
typedef struct {
    IndexDocs d;
    uint32_t column[N_NAMES];
    uint32_t first, n; /* rows at hand */
    Buf values[N_NAMES];
    StringWindow ids;
} Names;

static ErrCode names_open(Names *m, const Index *ix, uint32_t file, Err *err)
{
    static const ColumnDef def[N_NAMES] = {[NAME_RECORD] = {"record", COL_U32, 1, 0},
                                           [NAME_ID] = {"id", COL_STRING, 1, 0},
                                           [NAME_URL] = {"url", COL_U64, 1, 0},
                                           [NAME_HOST] = {"host", COL_U64, 1, 0}};
    ErrCode rc = indexdocs_open_file(&m->d, ix, file, DOCS_NAMES, err);

    for (int i = 0; i < N_NAMES && rc == ERR_OK; i++) rc = columns_require(m->d.cols, &def[i], &m->column[i], err);
    return rc;
}

static ErrCode names_rows(Names *m, uint32_t first, Err *err)
{
    ErrCode rc = ERR_OK;

    m->first = first;
    m->n = m->d.n - first < NAMES_ROWS ? m->d.n - first : NAMES_ROWS;
    for (int i = 0; i < N_NAMES && rc == ERR_OK; i++)
        rc = columns_range(m->d.cols, m->column[i], first, m->n, &m->values[i], err);
    return rc;
}

static void names_close(Names *m)
{
    for (int i = 0; i < N_NAMES; i++) buf_clear(&m->values[i]);
    stringwindow_clear(&m->ids);
    indexdocs_close(&m->d);
}

static ErrCode find_row(const Index *ix, const RemoveList *l, Names *m, uint32_t row, RemoveFound *f, bool *touched,
                        Err *err)
{
    const uint64_t ref = m->d.first + le32_get(m->values[NAME_RECORD].p + 4 * (size_t)row);
    Span id;
    ErrCode rc = columns_string_at(m->d.cols, m->column[NAME_ID], buf_span(&m->values[NAME_ID]), m->first,
                                   m->first + row, &m->ids, &id, err);

    if (rc) return rc;
    const bool listed = names(l, hash64(id), le64_get(m->values[NAME_HOST].p + 8 * (size_t)row),
                              le64_get(m->values[NAME_URL].p + 8 * (size_t)row)),
               removed = index_is_removed(ix, ref);
    *touched |= listed || removed;
    if (!listed) return ERR_OK;
    id_put_line(&f->ids, id);
    f->n++;
    if (!removed) buf_put(&f->refs, &ref, sizeof ref);
    return ERR_OK;
}

static ErrCode find_rows(const Index *ix, const RemoveList *l, uint32_t file, RemoveFound *f, Err *err)
{
    bool touched = false;
    Names m = {.n = 0};
    ErrCode rc = interrupt_seen() ? err_set(err, ERR_INTR, "interrupted") : ERR_OK;

    if (rc == ERR_OK) rc = names_open(&m, ix, file, err);
    for (uint32_t at = 0; rc == ERR_OK && at < m.d.n; at += m.n) {
        rc = names_rows(&m, at, err);
        for (uint32_t i = 0; i < m.n && rc == ERR_OK; i++) rc = find_row(ix, l, &m, i, f, &touched, err);
    }
    if (rc == ERR_OK && touched) buf_put(&f->files, &file, sizeof file);
    names_close(&m);
    return rc;
}

static void add_found(RemoveFound *all, const RemoveFound *f)
{
    buf_put_span(&all->ids, buf_span(&f->ids));
    buf_put_span(&all->refs, buf_span(&f->refs));
    buf_put_span(&all->files, buf_span(&f->files));
    all->n += f->n;
    all->ids.oom |= f->ids.oom || f->refs.oom || f->files.oom;
}

ErrCode remove_find(const Index *ix, const RemoveList *l, int threads, RemoveFound *f, Err *err)
{
    ErrCode rc = ERR_OK;

    *f = (RemoveFound){0};
    (void)threads; /* where there is no OpenMP */
#pragma omp parallel for ordered schedule(dynamic, 1) num_threads(threads)
    for (uint32_t file = 0; file < ix->n_files; file++) {
        RemoveFound own = {0};
        Err failure;
        const ErrCode mine = find_rows(ix, l, file, &own, &failure);
#pragma omp ordered
        {
            if (rc == ERR_OK && mine) {
                rc = mine;
                *err = failure;
            }
            if (rc == ERR_OK) add_found(f, &own);
        }
        removefound_clear(&own);
    }
    if (rc == ERR_OK) rc = buf_ok(&f->ids, "ids", err);
    if (rc == ERR_OK) rc = buf_ok(&f->refs, "what is removed", err);
    if (rc == ERR_OK) rc = buf_ok(&f->files, "files", err);
    if (rc) removefound_clear(f);
    return rc;
}

void removefound_clear(RemoveFound *f)
{
    buf_clear(&f->ids);
    buf_clear(&f->refs);
    buf_clear(&f->files);
    *f = (RemoveFound){0};
}

static ErrCode add_removed(Index *ix, const Buf *refs, Err *err)
{
    size_t n = refs->n / 8;
    uint64_t *all = realloc(ix->removed, (ix->n_removed + n) * sizeof *all + 1);

    if (!all) return err_nomem(err, "what was removed");
    ix->removed = all;
    memcpy(all + ix->n_removed, refs->p, refs->n);
    ix->n_removed += n;
    qsort(all, ix->n_removed, sizeof *all, u64_compare);
    return index_publish_removed(ix, err);
}

static ErrCode purge(const Index *ix, uint32_t file, Err *err)
{
    IndexDocs d;
    ErrCode rc = interrupt_seen() ? err_set(err, ERR_INTR, "interrupted") : ERR_OK;

    if (rc || (rc = indexdocs_open_file(&d, ix, file, DOCS_ALL, err)) != ERR_OK) return rc;
    rc = indexdocs_purge(ix, &d, err);
    indexdocs_close(&d);
    return rc;
}

/* The list of what is removed first, so that nobody finds a document again that is half gone; then the files. */
ErrCode remove_take_out(Index *ix, const IndexClaim *claim, const RemoveFound *f, int threads, Err *err)
{
    const uint32_t *file = (const uint32_t *)(const void *)f->files.p;
    const size_t n = f->files.n / sizeof *file;
    size_t failed = n;
    ErrCode rc = indexclaim_check(claim, err);

    (void)threads;
    if (rc == ERR_OK && f->refs.n) rc = add_removed(ix, &f->refs, err);
    if (rc) return rc;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (size_t i = 0; i < n; i++) {
        Err own;
        const ErrCode mine = purge(ix, file[i], &own);
        if (mine == ERR_OK) continue;
#pragma omp critical(remove_purge)
        if (i < failed) {
            failed = i;
            rc = mine;
            *err = own;
        }
    }
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
    if (names(l, hash64(doc->id), h.n ? hash64(h) : 0, sign_address(worker, doc->url)))
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
