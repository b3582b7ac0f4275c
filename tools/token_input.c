/* Which inputs there are; datasets read as documents. Files of lines are read in token_lines.c. */
#include "tools/token_input.h"

#include "core/dataset_mixture.h"
#include "core/docscan.h"
#include "core/json.h"
#include "core/store.h"
#include "core/turns.h"
#include "tools/token_lines.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    PACKED_RATIO = 4,     /* text compresses to about a quarter */
    STDIN_BYTES = 1 << 30 /* what standard input is taken to hold */
};

/* --- opening */

static bool is_stdin(const char *path) { return strcmp(path, "-") == 0; }

static bool ends_in(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);

    return n >= m && strcmp(path + n - m, end) == 0;
}

/* Directories are datasets. */
static ErrCode tell_kind(TokenInput *in, Err *err)
{
    size_t n_dirs = 0, dir = 0, file = 0;

    if (in->spec.text) {
        in->kind = TOKEN_TEXT;
        return ERR_OK;
    }
    for (size_t i = 0; i < in->spec.n; i++) {
        const char *path = in->spec.path[i];
        bool is_dir = false, exists = true;
        ErrCode rc = is_stdin(path) ? ERR_OK : store_is_dir(path, &is_dir, err);
        if (rc == ERR_OK && !is_stdin(path) && !is_dir) rc = store_exists(path, &exists, err);
        if (rc == ERR_OK && !exists) rc = err_set(err, ERR_SYS, "no dataset or file at %s", path);
        if (rc != ERR_OK) return rc;
        n_dirs += is_dir;
        if (is_dir)
            dir = i;
        else
            file = i;
    }
    in->kind = n_dirs ? TOKEN_DATASETS : TOKEN_JSONL;
    if (n_dirs && n_dirs < in->spec.n)
        return err_set(err, ERR_USAGE, "%s is a directory and %s is not: datasets and files do not go together",
                       in->spec.path[dir], in->spec.path[file]);
    return ERR_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static ErrCode check_names(const TokenInput *in, Err *err)
{
    const char **name = calloc(in->spec.n, sizeof *name);
    ErrCode rc = ERR_OK;

    if (!name) return err_nomem(err, "a list of files");
    for (size_t i = 0; i < in->spec.n; i++) name[i] = linefile_name(in->spec.path[i]);
    qsort(name, in->spec.n, sizeof *name, by_name);
    for (size_t i = 1; i < in->spec.n && rc == ERR_OK; i++)
        if (strcmp(name[i - 1], name[i]) == 0)
            rc =
                err_set(err, ERR_USAGE, "two inputs are called %s: their documents would have the same ids", name[i]);
    free(name);
    return rc;
}

static ErrCode measure_files(TokenInput *in, Err *err)
{
    if (in->spec.n > DOCID_MAX_PARTS)
        return err_set(err, ERR_LIMIT, "%zu files: at most %d", in->spec.n, DOCID_MAX_PARTS);
    if (!(in->size = calloc(in->spec.n, sizeof *in->size))) return err_nomem(err, "a list of files");
    for (size_t i = 0; i < in->spec.n; i++) {
        const char *path = in->spec.path[i];
        uint64_t bytes = STDIN_BYTES;
        ErrCode rc = is_stdin(path) ? ERR_OK : store_size(path, &bytes, err);
        if (rc == ERR_OK && in->kind == TOKEN_JSONL && !is_stdin(path)) rc = tokenlines_check(path, err);
        if (rc != ERR_OK) return rc;
        if (is_stdin(path) && in->once) return err_set(err, ERR_USAGE, "standard input is named twice");
        in->once |= is_stdin(path);
        in->size[i] = is_stdin(path) ? 0 : bytes;
        if (ends_in(path, ".gz") || ends_in(path, ".zst")) bytes *= PACKED_RATIO;
        in->before[i + 1] = in->before[i] + bytes;
    }
    return in->spec.documents ? check_names(in, err) : ERR_OK;
}

static void measure_parts(TokenInput *in)
{
    for (uint32_t p = 0; p < in->n_parts; p++) {
        uint32_t which, local;
        datasetset_locate(in->set, p, &which, &local);
        in->before[p + 1] = in->before[p] + dataset_part(datasetset_at(in->set, which), local)->text_bytes;
    }
}

ErrCode tokeninput_open(TokenInput **out, const TokenInputSpec *spec, Err *err)
{
    TokenInput *in = *out = calloc(1, sizeof *in);
    ErrCode rc;

    if (!in) return err_nomem(err, "the input");
    in->spec = *spec;
    rc = tell_kind(in, err);
    if (rc == ERR_OK && in->kind == TOKEN_DATASETS) rc = datasetset_open(&in->set, spec->path, spec->n, err);
    if (rc == ERR_OK) {
        in->n_parts = in->set ? datasetset_n_parts(in->set) : (uint32_t)spec->n;
        in->before = calloc((size_t)in->n_parts + 1, sizeof *in->before);
        if (!in->before) rc = err_nomem(err, "a list of parts");
    }
    if (rc == ERR_OK && in->set) measure_parts(in);
    if (rc == ERR_OK && !in->set) rc = measure_files(in, err);
    if (rc != ERR_OK) {
        tokeninput_close(in);
        *out = NULL;
    }
    return rc;
}

void tokeninput_close(TokenInput *in)
{
    if (!in) return;
    datasetset_close(in->set);
    free(in->before);
    free(in->size);
    free(in);
}

TokenInputKind tokeninput_kind(const TokenInput *in) { return in->kind; }
DatasetSet *tokeninput_set(const TokenInput *in) { return in->set; }
bool tokeninput_once(const TokenInput *in) { return in->once; }
uint32_t tokeninput_n_parts(const TokenInput *in) { return in->n_parts; }
uint64_t tokeninput_before(const TokenInput *in, uint32_t part) { return in->before[part]; }

static void describe_dataset(const Dataset *ds, Buf *inputs, Buf *contents)
{
    buf_puts(inputs, "{\"path\":");
    json_put_cstr(inputs, dataset_dir(ds));
    buf_puts(inputs, ",\"content\":");
    json_put_hash(inputs, dataset_content(ds));
    buf_putc(inputs, '}');
    json_put_hash(contents, dataset_content(ds));
}

static void describe_file(const char *path, uint64_t size, Buf *inputs, Buf *contents)
{
    buf_puts(inputs, "{\"path\":");
    json_put_cstr(inputs, path);
    buf_printf(inputs, ",\"size\":%" PRIu64 "}", size);
    buf_putc(contents, '[');
    json_put_cstr(contents, linefile_name(path));
    buf_printf(contents, ",%" PRIu64 "]", size);
}

void tokeninput_describe(const TokenInput *in, Buf *inputs, Buf *contents)
{
    const size_t n = in->set ? datasetset_count(in->set) : in->spec.n;

    buf_putc(inputs, '[');
    buf_putc(contents, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_putc(inputs, ','), buf_putc(contents, ',');
        if (in->set)
            describe_dataset(datasetset_at(in->set, i), inputs, contents);
        else
            describe_file(in->spec.path[i], in->size[i], inputs, contents);
    }
    buf_putc(contents, ']');
    buf_putc(inputs, ']');
}

void tokendoc_log_dropped(const TokenDoc *doc, const Err *why)
{
    Err line; /* whose message is one line, whatever the id holds */

    err_set(&line, why->code, "document %.*s is dropped: %s", doc->id.n < 200 ? (int)doc->id.n : 200,
            (const char *)doc->id.p, why->msg);
    log_debug("%s", line.msg);
}

/* --- the documents of datasets */

typedef struct {
    BlockReader *reader;
    uint32_t block;
} SetThread;

typedef struct {
    const TokenInput *in;
    TokenEach each;
    TokenDone done;
    void *ctx;
    Progress *progress;
    PartView *view; /* of the part that is shown in order */
    uint32_t part, next_block;
    SetThread *thread;
} SetScan;

static ErrCode give_document(void *ctx, int thread, const Doc *doc, const DocPlace *at, Err *err)
{
    const SetScan *s = ctx;
    const uint64_t *before = &s->in->before[at->part];
    const uint64_t step = (before[1] - before[0]) / (at->part_records ? at->part_records : 1);
    const TokenDoc d = {.id = doc->id,
                        .text = doc->text,
                        .domain = doc_domain(doc),
                        .lang = doc->lang,
                        .doc = at->id,
                        .part = at->part,
                        .record = at->record,
                        .before = before[0] + step * at->record};

    return s->each(s->ctx, thread, &d, err);
}

static ErrCode take_block(void *ctx, int thread, bool *end, Err *err)
{
    SetScan *s = ctx;

    (void)err;
    *end = s->next_block == partview_n_blocks(s->view);
    if (!*end) s->thread[thread].block = s->next_block++;
    return ERR_OK;
}

static ErrCode show_block(void *ctx, int thread, Err *err)
{
    SetScan *s = ctx;
    const SetThread *t = &s->thread[thread];
    DocPlace at = {.part = s->part, .part_records = partview_n_records(s->view)};
    uint64_t n_docs = 0;
    Doc doc;
    bool end;
    ErrCode rc = blockreader_open(t->reader, s->view, t->block, err);

    while (rc == ERR_OK && (rc = blockreader_next(t->reader, &doc, &at.record, &end, err)) == ERR_OK && !end) {
        at.id = partview_docid(s->view, at.record);
        rc = give_document(s, thread, &doc, &at, err);
        n_docs++;
    }
    progress_add(s->progress, n_docs, partview_block_bytes(s->view, t->block));
    progress_tick(s->progress);
    return rc;
}

static ErrCode finish_block(void *ctx, int thread, Err *err)
{
    SetScan *s = ctx;

    return s->done(s->ctx, thread, err);
}

static ErrCode show_set(SetScan *s, int threads, Err *err)
{
    static const Turns turns = {take_block, show_block, finish_block};
    ErrCode rc = ERR_OK;

    if (!(s->thread = calloc((size_t)threads, sizeof *s->thread))) return err_nomem(err, "readers");
    for (int i = 0; i < threads && rc == ERR_OK; i++) rc = blockreader_new(&s->thread[i].reader, err);
    for (s->part = 0; s->part < s->in->n_parts && rc == ERR_OK; s->part++) {
        s->next_block = 0;
        if ((rc = partview_open(&s->view, s->in->set, s->part, err)) != ERR_OK) break;
        rc = turns_run(&turns, s, threads, err);
        partview_close(s->view);
    }
    for (int i = 0; i < threads; i++) blockreader_free(s->thread[i].reader);
    free(s->thread);
    return rc;
}

ErrCode tokeninput_scan(const TokenInput *in, int threads, uint32_t begin, uint32_t end, TokenEach each, void *ctx,
                        LineDrops *drops, Progress *progress, Err *err)
{
    SetScan s = {.in = in, .each = each, .ctx = ctx};

    return in->set ? docscan_parts(in->set, threads, begin, end, give_document, &s, progress, err)
                   : tokenlines_read(in, threads, begin, end, each, NULL, ctx, drops, progress, err);
}

ErrCode tokeninput_show(const TokenInput *in, int threads, TokenEach each, TokenDone done, void *ctx,
                        LineDrops *drops, Progress *progress, Err *err)
{
    SetScan s = {.in = in, .each = each, .done = done, .ctx = ctx, .progress = progress};

    return in->set ? show_set(&s, threads, err)
                   : tokenlines_read(in, threads, 0, in->n_parts, each, done, ctx, drops, progress, err);
}
