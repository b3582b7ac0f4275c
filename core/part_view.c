#include "core/dataset_files.h"
#include "core/dataset_open.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* One part seen through its chain of views. The newest view's `drop` column says which records show; of columns with one
 * name the newest view's wins, record by record: where it has no value the next older one's counts. That is what a stage
 * saw when it read its base, and so what its content was made from. */

typedef struct {
    Span name;
    ColType type;
    int level; /* 0: the newest */
    uint32_t column;
} SignalColumn;

/* The string columns of one meaning, newest first. Those of lines stay in their files: they are whole texts. */
typedef struct {
    struct {
        const Columns *cols;
        Span values, pool;
    } at[DATASET_MAX_DEPTH + 1];
    int n;
} StringColumns;

typedef struct {
    struct {
        const Columns *cols;
        uint32_t column;
    } at[DATASET_MAX_DEPTH + 1];
    int n;
} LineColumns;

struct PartView {
    PartFile *file;
    Columns *level[DATASET_MAX_DEPTH + 1]; /* newest first */
    int n_levels;
    Hash128 root_content;
    uint32_t dataset, root_part;
    Span drop;             /* empty: a written dataset, all records show */
    SignalColumn *signals; /* sorted by name, then level */
    uint32_t n_signals;
    StringColumns domain; /* mixture domains */
    LineColumns lines;    /* replacement lines */
};

static int compare_signals(const void *pa, const void *pb)
{
    const SignalColumn *a = pa, *b = pb;
    int d = span_cmp(a->name, b->name);

    return d ? d : a->level - b->level;
}

static void add_strings(StringColumns *s, const Columns *c, Span values, Span pool)
{
    s->at[s->n].cols = c;
    s->at[s->n].values = values;
    s->at[s->n++].pool = pool;
}

/* The newest string of a record; p == NULL when no view has one. */
static ErrCode newest_string(const StringColumns *s, uint32_t record, Span *out, Err *err)
{
    ErrCode rc = ERR_OK;

    *out = (Span){NULL, 0};
    for (int i = 0; i < s->n && rc == ERR_OK && !out->p; i++)
        rc = column_string(s->at[i].cols, s->at[i].values, s->at[i].pool, record, out, err);
    return rc;
}

/* Takes what one level, the last opened, says. */
static ErrCode gather_level(PartView *v, Err *err)
{
    Columns *c = v->level[v->n_levels - 1];
    bool newest = v->n_levels == 1, have_line = false;

    for (uint32_t i = 0; i < columns_count(c); i++) {
        const ColumnDef *d = columns_def(c, i);
        Span name = span_str(d->name), values, pool;
        ErrCode rc;
        bool drop = newest && span_is(name, DROP_COLUMN) && d->type == COL_U8;
        bool signal = (d->flags & COL_SIGNAL) && d->width == 1 && d->type != COL_STRING;
        bool domain = (d->flags & COL_FIELD) && d->type == COL_STRING && d->width == 1 && span_is(name, "domain");
        bool line = (d->flags & COL_LINE) && d->type == COL_STRING && d->width == 1 && !have_line;
        if (!drop && !signal && !domain && !line) continue;
        if (line) {
            if ((rc = columns_strings(c, i, err)) != ERR_OK) return rc;
            v->lines.at[v->lines.n].cols = c;
            v->lines.at[v->lines.n++].column = i;
            have_line = true;
            continue;
        }
        if (!signal) {
            if ((rc = columns_values(c, i, &values, &pool, err)) != ERR_OK) return rc;
            if (drop) v->drop = values;
            if (domain) add_strings(&v->domain, c, values, pool);
            continue;
        }
        SignalColumn *more = realloc(v->signals, (v->n_signals + 1) * sizeof *more);
        if (!more) return err_nomem(err, "signal columns");
        v->signals = more;
        v->signals[v->n_signals++] = (SignalColumn){name, d->type, v->n_levels - 1, i};
    }
    return ERR_OK;
}

static ErrCode check_level(const PartView *v, const Columns *c, const char *path, Err *err)
{
    uint32_t n = partfile_first_record(v->file, partfile_n_frames(v->file));

    if (columns_n_docs(c) != n || !hash128_eq(columns_part(c), v->root_content))
        return err_set(err, ERR_DATA, "%s was made over another part than %s", path, partfile_path(v->file));
    return ERR_OK;
}

/* The written part below all views. */
static ErrCode open_root(PartView *v, const Dataset *ds, uint32_t local, Err *err)
{
    char path[PATH_MAX];
    const Dataset *root;
    ErrCode rc;

    dataset_root_of(ds, local, &root, &v->root_part);
    v->dataset = root->number;
    v->root_content = root->parts[v->root_part].content;
    rc = dataset_part_path(path, root->dir, DATASET_WRITTEN, root->stage, v->root_part, err);
    if (rc == ERR_OK) rc = partfile_open(&v->file, path, err);
    if (rc == ERR_OK && partview_n_records(v) != root->parts[v->root_part].n_docs)
        rc = err_set(err, ERR_DATA, "%s: %" PRIu32 " records, but its dataset says %" PRIu64, path,
                     partview_n_records(v), root->parts[v->root_part].n_docs);
    return rc;
}

/* The next older view. */
static ErrCode open_level(PartView *v, const Dataset *ds, uint32_t local, Err *err)
{
    Columns **c = &v->level[v->n_levels];
    char path[PATH_MAX];
    ErrCode rc = dataset_part_path(path, ds->dir, DATASET_VIEW, ds->stage, local, err);

    if (rc == ERR_OK) rc = columns_open(c, path, err);
    if (rc) return rc;
    v->n_levels++;
    if ((rc = check_level(v, *c, path, err)) != ERR_OK || (rc = gather_level(v, err)) != ERR_OK) return rc;
    if (v->n_levels == 1 && v->drop.n != partview_n_records(v))
        rc = err_set(err, ERR_DATA, "%s has no column " DROP_COLUMN, path);
    return rc;
}

ErrCode partview_open(PartView **out, const DatasetSet *set, uint32_t part, Err *err)
{
    PartView *v = calloc(1, sizeof *v);
    uint32_t which, local;
    ErrCode rc;

    *out = NULL;
    if (!v) return err_nomem(err, "a part");
    datasetset_locate(set, part, &which, &local);
    const Dataset *ds = set->ds[which];
    rc = open_root(v, ds, local, err);
    while (rc == ERR_OK && ds->n_bases) {
        const PartInfo *p = &ds->parts[local];
        rc = open_level(v, ds, local, err);
        ds = ds->base[p->base];
        local = p->base_part;
    }
    if (rc) {
        partview_close(v);
        return rc;
    }
    if (v->n_signals) qsort(v->signals, v->n_signals, sizeof *v->signals, compare_signals);
    *out = v;
    return ERR_OK;
}

void partview_close(PartView *v)
{
    if (!v) return;
    for (int i = 0; i < v->n_levels; i++) columns_close(v->level[i]);
    partfile_close(v->file);
    free(v->signals);
    free(v);
}

uint32_t partview_n_blocks(const PartView *v) { return partfile_n_frames(v->file); }
uint32_t partview_n_records(const PartView *v) { return partfile_first_record(v->file, partfile_n_frames(v->file)); }
uint32_t partview_first_record(const PartView *v, uint32_t block) { return partfile_first_record(v->file, block); }
uint64_t partview_block_bytes(const PartView *v, uint32_t block) { return partfile_frame(v->file, block).text_bytes; }
const char *partview_root_path(const PartView *v) { return partfile_path(v->file); }
bool partview_shows(const PartView *v, uint32_t record) { return !v->drop.n || v->drop.p[record] == DROP_KEPT; }
uint32_t partview_n_signals(const PartView *v) { return v->n_signals; }
bool partview_rewrites(const PartView *v) { return v->lines.n > 0; }
ErrCode partview_domain(const PartView *v, uint32_t record, Span *domain, Err *err)
{
    return newest_string(&v->domain, record, domain, err);
}
Hash128 partview_root_content(const PartView *v) { return v->root_content; }
DocId partview_docid(const PartView *v, uint32_t record) { return docid(v->dataset, v->root_part, record); }

ErrCode partview_column(PartView *v, const char *name, Columns **cols, uint32_t *column, Err *err)
{
    for (int i = 0; i < v->n_levels; i++) {
        int c = columns_find(v->level[i], name);
        if (c < 0) continue;
        *cols = v->level[i];
        *column = (uint32_t)c;
        return ERR_OK;
    }
    return err_set(err, ERR_DATA, "no view over %s has a column %s", partfile_path(v->file), name);
}

/* --- reading blocks */

struct BlockReader {
    PartCoder *coder;
    PartView *view;
    Buf text;
    Span rest;       /* lines of the block not read yet */
    uint32_t record; /* of the next line */
    DocScratch scratch;
    StringWindow line[DATASET_MAX_DEPTH + 1]; /* of each of the view's line columns */
    uint32_t first;                           /* record of the block */
    Buf *values;                              /* of its documents, of each signal column of the view */
    uint32_t cap_values;
    Signal *joined;
    uint32_t cap_joined;
};

ErrCode blockreader_new(BlockReader **out, Err *err)
{
    BlockReader *r = calloc(1, sizeof *r);
    ErrCode rc;

    *out = NULL;
    if (!r) return err_nomem(err, "a block reader");
    if ((rc = partcoder_new(&r->coder, 3, err)) != ERR_OK) {
        free(r);
        return rc;
    }
    *out = r;
    return ERR_OK;
}

void blockreader_free(BlockReader *r)
{
    if (!r) return;
    partcoder_free(r->coder);
    buf_clear(&r->text);
    for (int i = 0; i <= DATASET_MAX_DEPTH; i++) stringwindow_clear(&r->line[i]);
    docscratch_clear(&r->scratch);
    for (uint32_t i = 0; i < r->cap_values; i++) buf_clear(&r->values[i]);
    free(r->values);
    free(r->joined);
    free(r);
}

/* The signals that views give the block's documents. */
static ErrCode read_signals(BlockReader *r, uint32_t n_docs, Err *err)
{
    const PartView *v = r->view;
    ErrCode rc = ERR_OK;

    if (v->n_signals > r->cap_values) {
        Buf *more = realloc(r->values, v->n_signals * sizeof *more);
        if (!more) return err_nomem(err, "signals");
        memset(more + r->cap_values, 0, (v->n_signals - r->cap_values) * sizeof *more);
        r->values = more;
        r->cap_values = v->n_signals;
    }
    for (uint32_t i = 0; i < v->n_signals && rc == ERR_OK; i++)
        rc = columns_range(v->level[v->signals[i].level], v->signals[i].column, r->first, n_docs, &r->values[i], err);
    return rc;
}

ErrCode blockreader_open(BlockReader *r, PartView *v, uint32_t block, Err *err)
{
    ErrCode rc = partcoder_read(r->coder, v->file, block, &r->text, err);

    for (int i = 0; i <= DATASET_MAX_DEPTH; i++) stringwindow_reset(&r->line[i]); /* it may be another view's */
    r->view = v;
    r->record = r->first = partfile_first_record(v->file, block);
    if (rc == ERR_OK) rc = read_signals(r, partfile_first_record(v->file, block + 1) - r->first, err);
    r->rest = rc == ERR_OK ? buf_span(&r->text) : span(NULL, 0);
    return rc;
}

/* The value of a record in signal column `i`, false when it is absent there. */
static bool signal_value(const BlockReader *r, uint32_t i, uint32_t record, double *out)
{
    const ColType type = r->view->signals[i].type;
    const uint8_t *p = r->values[i].p + (size_t)(record - r->first) * coltype_size(type);
    uint32_t bits;
    float f;

    switch (type) {
    case COL_U8: *out = *p; return true;
    case COL_U32: *out = le32_get(p); return true;
    case COL_U64: *out = (double)le64_get(p); return true;
    case COL_F32:
        bits = le32_get(p);
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
        return !isnan(f);
    case COL_STRING: break;
    }
    return false;
}

/* The newest replacement line of a record; p == NULL when no view has one. */
static ErrCode newest_line(BlockReader *r, uint32_t record, Span *out, Err *err)
{
    const LineColumns *l = &r->view->lines;
    ErrCode rc = ERR_OK;

    *out = (Span){NULL, 0};
    for (int i = 0; i < l->n && rc == ERR_OK && !out->p; i++)
        rc = columns_read_string(l->at[i].cols, l->at[i].column, record, &r->line[i], out, err);
    return rc;
}

/* Joins the views' signals to the document's own; both lists are sorted by name, the views win. */
static ErrCode join_signals(BlockReader *r, Doc *doc, uint32_t record, Err *err)
{
    const PartView *v = r->view;
    uint32_t need = doc->n_signals + v->n_signals, n = 0, a = 0, b = 0;

    if (!v->n_signals) return ERR_OK;
    if (need > r->cap_joined) {
        Signal *more = realloc(r->joined, need * sizeof *more);
        if (!more) return err_nomem(err, "signals");
        r->joined = more;
        r->cap_joined = need;
    }
    while (a < doc->n_signals || b < v->n_signals) {
        int order = a == doc->n_signals ? 1
                    : b == v->n_signals ? -1
                                        : span_cmp(doc->signals[a].name, v->signals[b].name);
        double value;
        if (order < 0) {
            r->joined[n++] = doc->signals[a++];
            continue;
        }
        if (signal_value(r, b, record, &value)) {
            Span name = v->signals[b].name;
            r->joined[n++] = (Signal){name, value};
            a += order == 0;
            while (b + 1 < v->n_signals && span_eq(v->signals[b + 1].name, name)) b++; /* older ones */
        }
        b++;
    }
    doc->signals = r->joined;
    doc->n_signals = n;
    if (n <= DOC_MAX_SIGNALS) return ERR_OK;
    return err_set(err, ERR_LIMIT,
                   "%s: record %" PRIu32 " has %" PRIu32 " signals with those of its views; at most %d",
                   partfile_path(v->file), record, n, DOC_MAX_SIGNALS);
}

static ErrCode read_doc(BlockReader *r, Span line, uint32_t record, Doc *doc, Err *err)
{
    const PartView *v = r->view;
    const char *why;
    Span s;
    ErrCode rc;

    if ((rc = newest_line(r, record, &s, err)) != ERR_OK) return rc;
    if (s.p) line = s;
    if (!doc_read(&r->scratch, line, doc, &why)) {
        if (strcmp(why, "no_memory") == 0) return err_nomem(err, partfile_path(v->file));
        return err_set(err, ERR_DATA, "%s: record %" PRIu32 " is no document line: %s", partfile_path(v->file),
                       record, why);
    }
    if ((rc = newest_string(&v->domain, record, &s, err)) != ERR_OK) return rc;
    if (s.p) doc->domain = s;
    return join_signals(r, doc, record, err);
}

ErrCode blockreader_next(BlockReader *r, Doc *doc, uint32_t *record, bool *end, Err *err)
{
    while (r->rest.n) {
        size_t n = span_find(r->rest, '\n');
        Span line = span(r->rest.p, n);
        r->rest = span_from(r->rest, n + 1);
        *record = r->record++;
        if (!partview_shows(r->view, *record)) continue;
        *end = false;
        return read_doc(r, line, *record, doc, err);
    }
    *end = true;
    return ERR_OK;
}

void blockreader_skip_to(BlockReader *r, uint32_t record)
{
    for (; r->rest.n && r->record < record; r->record++) r->rest = span_from(r->rest, span_find(r->rest, '\n') + 1);
}

/* --- a cursor over everything */

struct DocCursor {
    DatasetSet *set;
    PartView *view;
    BlockReader *reader;
    uint32_t part, block;
    bool in_block;
};

ErrCode doccursor_open(DocCursor **out, const char *const *dirs, size_t n, Err *err)
{
    DocCursor *c = calloc(1, sizeof *c);
    ErrCode rc;

    *out = NULL;
    if (!c) return err_nomem(err, "a cursor");
    if ((rc = datasetset_open(&c->set, dirs, n, err)) != ERR_OK ||
        (rc = blockreader_new(&c->reader, err)) != ERR_OK) {
        doccursor_close(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

ErrCode doccursor_next(DocCursor *c, Doc *doc, DocId *id, bool *end, Err *err)
{
    for (;;) {
        uint32_t record;
        bool block_end;
        ErrCode rc;
        if (c->in_block) {
            if ((rc = blockreader_next(c->reader, doc, &record, &block_end, err)) != ERR_OK) return rc;
            if (!block_end) {
                *id = partview_docid(c->view, record);
                *end = false;
                return ERR_OK;
            }
            c->in_block = false;
            c->block++;
        }
        if (c->view && c->block < partview_n_blocks(c->view)) {
            if ((rc = blockreader_open(c->reader, c->view, c->block, err)) != ERR_OK) return rc;
            c->in_block = true;
            continue;
        }
        partview_close(c->view);
        c->view = NULL;
        if (c->part == datasetset_n_parts(c->set)) break;
        if ((rc = partview_open(&c->view, c->set, c->part++, err)) != ERR_OK) return rc;
        c->block = 0;
    }
    *end = true;
    return ERR_OK;
}

void doccursor_close(DocCursor *c)
{
    if (!c) return;
    partview_close(c->view);
    blockreader_free(c->reader);
    datasetset_close(c->set);
    free(c);
}
