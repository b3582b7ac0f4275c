#include "dedup/index.h"

#include "core/json.h"
#include "core/store.h"
#include "core/unicode.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

ErrCode index_path(char out[], size_t size, const char *dir, const char *rest, Err *err)
{
    int n = snprintf(out, size, "%s/%s", dir, rest);

    return n > 0 && (size_t)n < size ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
}

/* What signatures depend on. */
static void put_params(Buf *b, const DedupParams *p)
{
    buf_puts(b, "{\"unicode\":");
    json_put_cstr(b, unicode_tables_id());
    if (!p->exact_only)
        buf_printf(b, ",\"bands\":%" PRIu32 ",\"rows\":%" PRIu32 ",\"shingle\":%" PRIu32 ",\"seed\":\"%" PRIu64 "\"",
                   p->bands, p->rows, p->shingle, p->seed);
    buf_putc(b, '}');
}

void index_clear(Index *ix)
{
    indexruns_close(ix);
    free(ix->removed);
    arena_clear(&ix->arena);
    *ix = (Index){0};
}

/* --- reading */

typedef struct {
    Index *ix;
    const char *path;
} Reader;

static ErrCode bad(const Reader *r, const char *what, Err *err)
{
    return err_set(err, ERR_DATA, "%s: %s", r->path, what);
}

static ErrCode read_hash(const Reader *r, const Json *obj, const char *key, Hash128 *out, Err *err)
{
    const Json *j = json_get(obj, key);

    if (j && j->type == JSON_STRING && hash128_parse(j->string, out)) return ERR_OK;
    return err_set(err, ERR_DATA, "%s: %s is not a hash", r->path, key);
}

static ErrCode read_u32(const Reader *r, const Json *obj, const char *key, uint32_t most, uint32_t *out, Err *err)
{
    uint64_t v;
    ErrCode rc = json_get_u64(obj, key, UINT64_MAX, r->path, &v, err);

    if (rc) return rc;
    if (v > most) return err_set(err, ERR_DATA, "%s: %s is not there or above %" PRIu32, r->path, key, most);
    *out = (uint32_t)v;
    return ERR_OK;
}

/* Canonical. */
static ErrCode read_params(const Reader *r, const Json *obj, Span *out, Err *err)
{
    const Json *params = json_get(obj, "params");
    Buf canonical = {0};
    ErrCode rc;

    if (!params || params->type != JSON_OBJECT) return bad(r, "no params", err);
    json_put_tree(&canonical, params);
    if ((rc = buf_ok(&canonical, "params", err)) == ERR_OK) {
        *out = arena_copy(&r->ix->arena, buf_span(&canonical));
        if (!out->p) rc = err_nomem(err, "params");
    }
    buf_clear(&canonical);
    return rc;
}

static ErrCode read_dataset(const Reader *r, const Json *j, IndexDataset *d, Err *err)
{
    ErrCode rc = read_hash(r, j, "inputs", &d->inputs, err);

    if (rc == ERR_OK) rc = read_hash(r, j, "key", &d->key, err);
    if (rc == ERR_OK) rc = read_params(r, j, &d->params, err);
    if (rc == ERR_OK) rc = json_get_str(j, "out", r->path, &d->out, err);
    if (rc == ERR_OK && !d->out) rc = bad(r, "a dataset without \"out\"", err);
    if (rc == ERR_OK) rc = read_u32(r, j, "n_parts", DOCID_MAX_PARTS, &d->n_parts, err);
    if (rc == ERR_OK) rc = json_get_u64(j, "n_docs", 0, r->path, &d->n_docs, err);
    d->first_file = r->ix->n_files;
    if (rc == ERR_OK && d->n_parts > UINT32_MAX - r->ix->n_files) rc = bad(r, "more files than there can be", err);
    r->ix->n_files += d->n_parts;
    return rc;
}

static char *run_path(Index *ix, uint32_t number, const char *what)
{
    char rest[64];

    snprintf(rest, sizeof rest, "runs/%06" PRIu32 "/%s", number, what);
    return path_join(&ix->arena, ix->dir, rest);
}

ErrCode index_name_run(Index *ix, IndexRun *run, Err *err)
{
    static const char *const kinds[INDEX_KINDS] = {"exact", "bands", "filter"};
    bool all = true;

    for (int i = 0; i < INDEX_KINDS; i++) all &= (run->path[i] = run_path(ix, run->number, kinds[i])) != NULL;
    return all ? ERR_OK : err_nomem(err, "an index");
}

static ErrCode read_run(const Reader *r, const Json *j, IndexRun *run, Err *err)
{
    const Json *sets = json_get(j, "datasets");
    ErrCode rc = read_u32(r, j, "run", UINT32_MAX - 1, &run->number, err);

    if (rc == ERR_OK) rc = read_u32(r, j, "level", 64, &run->level, err);
    if (rc == ERR_OK) rc = read_hash(r, j, "key", &run->key, err);
    if (rc == ERR_OK) rc = json_get_u64(j, "n_docs", 0, r->path, &run->n_docs, err);
    if (rc == ERR_OK) rc = read_u32(r, j, "exact_partitions", EXCHANGE_MAX_PARTITIONS, &run->partitions[0], err);
    if (rc == ERR_OK) rc = read_u32(r, j, "band_partitions", EXCHANGE_MAX_PARTITIONS, &run->partitions[1], err);
    for (int i = 0; i < 2; i++) /* a power of two */
        if (rc == ERR_OK && (run->partitions[i] == 0 || run->partitions[i] & (run->partitions[i] - 1)))
            rc = bad(r, "a run of an impossible number of partitions", err);
    /* so that bytes of filters add up within 64 bits */
    if (rc == ERR_OK && run->n_docs > UINT64_C(1) << 40) rc = bad(r, "a run of too many documents", err);
    if (rc == ERR_OK && (!sets || sets->type != JSON_ARRAY)) rc = bad(r, "a run without datasets", err);
    if (rc) return rc;
    run->dataset = arena_array(&r->ix->arena, sets->n ? sets->n : 1, sizeof *run->dataset);
    if (!run->dataset) return err_nomem(err, "an index");
    for (const Json *s = sets->child; s; s = s->next) {
        uint64_t v;
        if (s->type != JSON_NUMBER || !span_to_u64(s->string, &v) || v >= r->ix->n_datasets)
            return bad(r, "a run of a dataset that is not there", err);
        run->dataset[run->n_datasets++] = (uint32_t)v;
    }
    return index_name_run(r->ix, run, err);
}

static ErrCode removed_path(const Index *ix, char out[PATH_MAX], Err *err)
{
    char name[40];

    snprintf(name, sizeof name, "removed-%06" PRIu32 ".cols", ix->removed_file);
    return index_path(out, PATH_MAX, ix->dir, name, err);
}

static ErrCode read_removed(Index *ix, Err *err)
{
    char path[PATH_MAX];
    Columns *c = NULL;
    Span refs = {0};
    ErrCode rc;

    if (ix->removed_file == 0) return ERR_OK;
    if ((rc = removed_path(ix, path, err)) != ERR_OK || (rc = columns_open(&c, path, err)) != ERR_OK) return rc;
    int i = columns_find(c, "ref");
    if (i < 0 || columns_def(c, (uint32_t)i)->type != COL_U64 || columns_def(c, (uint32_t)i)->width != 1)
        rc = err_set(err, ERR_DATA, "%s has no column ref", path);
    else
        rc = columns_values(c, (uint32_t)i, &refs, NULL, err);
    if (rc == ERR_OK && !(ix->removed = malloc(refs.n ? refs.n : 1))) rc = err_nomem(err, "what was removed");
    for (; rc == ERR_OK && ix->n_removed < refs.n / 8; ix->n_removed++)
        ix->removed[ix->n_removed] = le64_get(refs.p + 8 * ix->n_removed);
    columns_close(c);
    return rc;
}

static ErrCode read_lists(const Reader *r, const Json *j, Err *err)
{
    Index *ix = r->ix;
    const Json *sets = json_get(j, "datasets"), *runs = json_get(j, "runs"), *removed = json_get(j, "removed");
    ErrCode rc = ERR_OK;

    if (!sets || sets->type != JSON_ARRAY || sets->n > DOCID_MAX_DATASETS || !runs || runs->type != JSON_ARRAY ||
        runs->n > INDEX_MAX_RUNS)
        return bad(r, "datasets and runs are not the lists they should be", err);
    ix->dataset = arena_array(&ix->arena, sets->n + (size_t)1, sizeof *ix->dataset);
    ix->run = arena_array(&ix->arena, runs->n + (size_t)1, sizeof *ix->run);
    if (!ix->dataset || !ix->run) return err_nomem(err, "an index");
    memset(ix->dataset, 0, (sets->n + (size_t)1) * sizeof *ix->dataset);
    memset(ix->run, 0, (runs->n + (size_t)1) * sizeof *ix->run);
    for (const Json *s = sets->child; s && rc == ERR_OK; s = s->next)
        rc = read_dataset(r, s, &ix->dataset[ix->n_datasets++], err);
    for (const Json *s = runs->child; s && rc == ERR_OK; s = s->next)
        rc = read_run(r, s, &ix->run[ix->n_runs++], err);
    ix->n_prior = ix->n_datasets;
    if (rc == ERR_OK) rc = read_u32(r, j, "next_run", UINT32_MAX - 1, &ix->next_run, err);
    if (rc == ERR_OK && removed) rc = read_u32(r, removed, "file", UINT32_MAX - 1, &ix->removed_file, err);
    return rc ? rc : read_removed(ix, err);
}

static ErrCode read_manifest(const Reader *r, Span text, Err *err)
{
    Index *ix = r->ix;
    const Json *format;
    uint64_t version = 0, bands = 0;
    Json *j = NULL;
    ErrCode rc = json_parse(&ix->arena, text, r->path, &j, err);

    if (rc) return rc;
    format = json_get(j, "format");
    if (!format || format->type != JSON_STRING || !span_is(format->string, "tamis-index"))
        return bad(r, "not an index", err);
    if ((rc = json_get_u64(j, "version", 0, r->path, &version, err)) != ERR_OK) return rc;
    if (version != INDEX_VERSION)
        return err_set(err, ERR_DATA,
                       "%s: an index of version %" PRIu64
                       ", this program knows %d: add its dumps to a new one, in their order",
                       r->path, version, INDEX_VERSION);
    if ((rc = read_params(r, j, &ix->params, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(json_get(j, "params"), "bands", 0, r->path, &bands, err)) != ERR_OK) return rc;
    if (bands > DEDUP_MAX_BANDS) return bad(r, "too many bands", err);
    ix->bands = (uint32_t)bands;
    return read_lists(r, j, err);
}

static ErrCode begin_empty(Index *ix, const DedupParams *params, Err *err)
{
    ix->dataset = arena_array(&ix->arena, 1, sizeof *ix->dataset);
    ix->run = arena_array(&ix->arena, 1, sizeof *ix->run);
    if (!ix->dataset || !ix->run) return err_nomem(err, "an index");
    memset(ix->dataset, 0, sizeof *ix->dataset);
    memset(ix->run, 0, sizeof *ix->run);
    ix->bands = params->exact_only ? 0 : params->bands;
    return ERR_OK;
}

/* The index's own and the run's, where they differ. */
static ErrCode check_params(Index *ix, const DedupParams *params, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    put_params(&b, params);
    if ((rc = buf_ok(&b, "params", err)) == ERR_OK) {
        if (!ix->params.p)
            ix->params = arena_copy(&ix->arena, buf_span(&b));
        else if (!span_eq(ix->params, buf_span(&b)))
            rc = err_set(err, ERR_USAGE, "%s was made with %.*s, this run has %.*s", ix->dir, (int)ix->params.n,
                         (const char *)ix->params.p, (int)b.n, (const char *)b.p);
        if (rc == ERR_OK && !ix->params.p) rc = err_nomem(err, "params");
    }
    buf_clear(&b);
    return rc;
}

static ErrCode name_repair(Index *ix, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    buf_printf(&b, "tamis dedup index --rebuild %s makes it again", ix->dir);
    if ((rc = buf_ok(&b, "an index", err)) == ERR_OK && !(ix->repair = arena_str(&ix->arena, buf_span(&b))))
        rc = err_nomem(err, "an index");
    buf_clear(&b);
    return rc;
}

/* Nothing is made among others' files. What a first addition left that was cut short has its claim, or but a temporary of that. */
static ErrCode check_free(const char *dir, Err *err)
{
    const Span tmp = SPAN_LIT(".tmp");
    StoreList list = {0};
    const char *other = NULL;
    bool there, claimed = false;
    ErrCode rc = store_exists(dir, &there, err);

    if (rc == ERR_OK && there) rc = store_list(dir, &list, err);
    for (size_t i = 0; i < list.n; i++) {
        const Span name = span_str(list.name[i]);
        const bool is_tmp = name.n > tmp.n && span_eq(span_from(name, name.n - tmp.n), tmp);
        claimed |= span_is(name, "adding.json");
        if (!other && !is_tmp) other = list.name[i];
    }
    if (rc == ERR_OK && other && !claimed)
        rc = err_set(err, ERR_DATA, "%s is no index, and %s is in it: an index is made in a new or empty directory",
                     dir, other);
    storelist_clear(&list);
    return rc;
}

ErrCode index_load(Index *ix, const char *dir, const DedupParams *params, const Par *par, Err *err)
{
    char path[PATH_MAX];
    Reader r = {ix, path};
    Buf text = {0};
    ErrCode rc = index_path(path, sizeof path, dir, "index.json", err);

    *ix = (Index){.dir = dir};
    if (rc == ERR_OK) rc = name_repair(ix, err);
    if (rc == ERR_OK && par->rank == 0) {
        rc = store_exists(path, &ix->exists, err);
        if (rc == ERR_OK && ix->exists) rc = store_read(path, INDEX_MAX_JSON, &text, err);
        if (rc == ERR_OK && !ix->exists)
            rc = params ? check_free(dir, err) : err_set(err, ERR_DATA, "%s is not an index", dir);
    }
    if ((rc = par_believe(par, rc, &ix->exists, err)) == ERR_OK) rc = par_bcast(par, &text, err);
    if (rc == ERR_OK) {
        rc = ix->exists ? read_manifest(&r, buf_span(&text), err) : begin_empty(ix, params, err);
        if (rc == ERR_OK && params) rc = check_params(ix, params, err);
        rc = par_agree(par, rc, err);
    }
    buf_clear(&text);
    if (rc) index_clear(ix);
    return rc;
}

/* --- writing */

static void put_manifest(Buf *b, const Index *ix)
{
    buf_printf(b, "{\"format\":\"tamis-index\",\"version\":%d,\"params\":", INDEX_VERSION);
    buf_put_span(b, ix->params);
    buf_puts(b, ",\n\"datasets\":[");
    for (uint32_t i = 0; i < ix->n_datasets; i++) {
        const IndexDataset *d = &ix->dataset[i];
        buf_puts(b, i ? ",\n{\"inputs\":" : "\n{\"inputs\":");
        json_put_hash(b, d->inputs);
        buf_puts(b, ",\"key\":");
        json_put_hash(b, d->key);
        buf_puts(b, ",\"params\":");
        buf_put_span(b, d->params.n ? d->params : SPAN_LIT("{}"));
        buf_puts(b, ",\"out\":");
        json_put_cstr(b, d->out);
        buf_printf(b, ",\"n_parts\":%" PRIu32 ",\"n_docs\":%" PRIu64 "}", d->n_parts, d->n_docs);
    }
    buf_puts(b, "],\n\"runs\":[");
    for (uint32_t i = 0; i < ix->n_runs; i++) {
        const IndexRun *r = &ix->run[i];
        buf_printf(b, "%s{\"run\":%" PRIu32 ",\"level\":%" PRIu32 ",\"key\":", i ? ",\n" : "\n", r->number, r->level);
        json_put_hash(b, r->key);
        buf_printf(b,
                   ",\"n_docs\":%" PRIu64 ",\"exact_partitions\":%" PRIu32 ",\"band_partitions\":%" PRIu32
                   ",\"datasets\":[",
                   r->n_docs, r->partitions[0], r->partitions[1]);
        for (uint32_t k = 0; k < r->n_datasets; k++) buf_printf(b, "%s%" PRIu32, k ? "," : "", r->dataset[k]);
        buf_puts(b, "]}");
    }
    buf_printf(b, "],\n\"next_run\":%" PRIu32 ",\"removed\":{\"file\":%" PRIu32 ",\"n\":%zu}}\n", ix->next_run,
               ix->removed_file, ix->n_removed);
}

ErrCode index_publish(const Index *ix, Err *err)
{
    char path[PATH_MAX];
    Buf b = {0};
    ErrCode rc = index_path(path, sizeof path, ix->dir, "index.json", err);

    put_manifest(&b, ix);
    if (rc == ERR_OK) rc = buf_ok(&b, "an index", err);
    if (rc == ERR_OK) rc = store_mkdirs(ix->dir, err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

ErrCode index_publish_removed(Index *ix, Err *err)
{
    const ColumnDef def = {"ref", COL_U64, 1, 0};
    char path[PATH_MAX], old[PATH_MAX];
    Err ignored;
    Buf b = {0};
    ErrCode rc = removed_path(ix, old, err);

    ix->removed_file++;
    for (size_t i = 0; i < ix->n_removed; i++) {
        uint8_t ref[8];
        le64_put(ref, ix->removed[i]);
        buf_put(&b, ref, sizeof ref);
    }
    if (rc == ERR_OK) rc = removed_path(ix, path, err);
    if (rc == ERR_OK) rc = buf_ok(&b, "what was removed", err);
    if (rc == ERR_OK) {
        ColumnData data = {.def = def, .values = buf_span(&b)};
        rc = columns_write(path, ix->n_removed, (Hash128){0, 0}, &data, 1, SPAN_LIT("{}"), err);
    }
    if (rc == ERR_OK) rc = index_publish(ix, err);
    if (rc == ERR_OK && ix->removed_file > 1) (void)!store_delete(old, &ignored); /* what nobody names harms nobody */
    buf_clear(&b);
    return rc;
}

/* --- questions */

void index_add_repair(const Index *ix, Err *err)
{
    const Err was = *err;

    (void)err_set(err, was.code, "%s; %s", was.msg, ix->repair);
}

bool index_is_removed(const Index *ix, DocId ref)
{
    size_t lo = 0, hi = ix->n_removed;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ix->removed[mid] < ref)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < ix->n_removed && ix->removed[lo] == ref;
}

static Hash128 chain(Hash128 a, Hash128 b)
{
    uint8_t bytes[32];

    hash128_put(bytes, a);
    hash128_put(bytes + 16, b);
    return hash128(span(bytes, sizeof bytes));
}

static Hash128 state_begin(const Index *ix)
{
    Hash128 h = hash128(ix->params);

    h.lo += INDEX_VERSION; /* of what a lookup leaves in the view, too */
    return h;
}

Hash128 index_state(const Index *ix)
{
    Hash128 h = state_begin(ix);

    for (uint32_t i = 0; i < ix->n_prior; i++) h = chain(h, ix->dataset[i].key);
    return h;
}

bool index_had_state(const Index *ix, Hash128 state)
{
    Hash128 h = state_begin(ix);
    uint32_t i = 0;

    while (!hash128_eq(h, state) && i < ix->n_datasets) h = chain(h, ix->dataset[i++].key);
    return hash128_eq(h, state);
}

Hash128 index_steps_key(const Index *ix, Hash128 key)
{
    return ix->n_removed ? chain(key, hash128(span(ix->removed, ix->n_removed * sizeof *ix->removed))) : key;
}

ErrCode index_find_inputs(Index *ix, const DatasetSet *in, Hash128 *inputs, bool *held, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    for (size_t i = 0; i < datasetset_count(in); i++) json_put_hash(&b, dataset_content(datasetset_at(in, i)));
    if ((rc = buf_ok(&b, "what the inputs are", err)) == ERR_OK) *inputs = hash128(buf_span(&b));
    buf_clear(&b);
    *held = false;
    for (uint32_t i = 0; i < ix->n_datasets && rc == ERR_OK && !*held; i++) {
        if (!hash128_eq(ix->dataset[i].inputs, *inputs)) continue;
        *held = true;
        ix->n_prior = i;
    }
    return rc;
}

const IndexDataset *index_held(const Index *ix)
{
    return ix->n_prior < ix->n_datasets ? &ix->dataset[ix->n_prior] : NULL;
}

/* Appends what `of` says otherwise than `than`, or not at all. */
static void put_differences(Buf *b, const Json *of, const Json *than)
{
    Buf one = {0}, other = {0};

    for (const Json *m = than->child; m; m = m->next)
        if (!json_get(of, (const char *)m->key.p)) buf_printf(b, "%sno %s", b->n ? ", " : "", (const char *)m->key.p);
    for (const Json *m = of->child; m; m = m->next) {
        const Json *same = json_get(than, (const char *)m->key.p);
        buf_reset(&one);
        buf_reset(&other);
        json_put_tree(&one, m);
        if (same) json_put_tree(&other, same);
        if (one.oom || !span_eq(buf_span(&one), buf_span(&other)))
            buf_printf(b, "%s%s %.*s", b->n ? ", " : "", (const char *)m->key.p, (int)one.n, (const char *)one.p);
    }
    b->oom |= one.oom || other.oom;
    buf_clear(&one);
    buf_clear(&other);
}

ErrCode index_check_held(const Index *ix, Span params, Err *err)
{
    const IndexDataset *d = index_held(ix);
    Arena arena = {0};
    Json *then = NULL, *now = NULL;
    Buf was = {0}, is = {0};
    ErrCode rc;

    if (!d || span_eq(d->params, params)) return ERR_OK;
    rc = json_parse(&arena, d->params, ix->dir, &then, err);
    if (rc == ERR_OK) rc = json_parse(&arena, params, "parameters", &now, err);
    if (rc == ERR_OK) {
        put_differences(&was, then, now);
        put_differences(&is, now, then);
        if ((rc = buf_ok(&was, "parameters", err)) == ERR_OK) rc = buf_ok(&is, "parameters", err);
    }
    if (rc == ERR_OK)
        rc =
            err_set(err, ERR_USAGE,
                    "%s holds these documents as they were added with %s, this run has %s: take the same, or another "
                    "index (they were added from %s)",
                    ix->dir, buf_cstr(&was), buf_cstr(&is), d->out);
    buf_clear(&was);
    buf_clear(&is);
    arena_clear(&arena);
    return rc;
}
