#include "tokenize/text_source.h"

#include "core/dataset_mixture.h"
#include "core/docscan.h"
#include "core/lines.h"
#include "core/par.h"
#include "core/store.h"
#include "core/turns.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LINE_BITS = 44 }; /* of `order`: 2^20 files of 2^44 lines */

ErrCode textsource_settle(TextSource *s, const char *verb, char **paths, int n, const CommonOptions *common, Err *err)
{
    if (n < 1) return err_set(err, ERR_USAGE, "%s: no INPUT; try tamis %s --help", verb, verb);
    if (common->threads > PAR_MAX_THREADS)
        return err_set(err, ERR_USAGE, "%s: --threads is at most %d", verb, PAR_MAX_THREADS);
    s->path = (const char *const *)paths;
    s->n = (size_t)n;
    s->threads = common->threads ? (int)common->threads : par_cores();
    return par_refuse_tasks(verb, err);
}

typedef struct {
    const TextSource *source;
    TextEach each;
    void *ctx;
} Reading;

/* --- documents */

static Span or_unknown(Span lang) { return lang.n ? lang : SPAN_LIT("unknown"); }

static ErrCode show_document(void *ctx, int thread, const Doc *doc, const DocPlace *place, Err *err)
{
    const Reading *r = ctx;
    const SourceText t = {.text = doc->text,
                          .lang = or_unknown(doc->lang),
                          .domain = doc_domain(doc),
                          .id = doc->id,
                          .order = place->id};

    return r->each(r->ctx, thread, &t, err);
}

static ErrCode read_datasets(Reading *r, Err *err)
{
    const Par par = par_alone(r->source->threads);
    Progress *progress = NULL;
    DatasetSet *set = NULL;
    ErrCode rc = datasetset_open(&set, r->source->path, r->source->n, err);

    if (rc == ERR_OK) rc = progress_start(&progress, "bpe", datasetset_text_bytes(set), err);
    if (rc == ERR_OK) rc = docscan(set, &par, show_document, r, progress, err);
    progress_stop(progress);
    datasetset_close(set);
    return rc;
}

/* --- lines */

typedef struct {
    const Reading *reading;
    LineFiles files;
    struct LineThread {
        LineBlock block;
        uint32_t file;
    } * thread;
} LineReading;

static ErrCode take_block(void *ctx, int thread, bool *end, Err *err)
{
    LineReading *r = ctx;
    struct LineThread *t = &r->thread[thread];

    return linefiles_next(&r->files, &t->block, &t->file, end, err);
}

static ErrCode show_block(void *ctx, int thread, Err *err)
{
    const LineReading *r = ctx;
    const struct LineThread *t = &r->thread[thread];
    const char *path = r->files.path[t->file], *name = strcmp(path, "-") ? path_base(path) : "stdin";
    SourceText text = {
        .lang = SPAN_LIT("unknown"), .domain = span_str(name), .id = span_str(path), .line = t->block.first_line + 1};
    Span rest = buf_span(&t->block.bytes);
    ErrCode rc = ERR_OK;

    if (t->block.too_long)
        return err_set(err, ERR_LIMIT, "%s: line %" PRIu64 " has more than %d bytes", path, text.line,
                       LINES_MAX_BYTES);
    for (; rest.n && rc == ERR_OK; text.line++) {
        text.text = line_take(&rest);
        text.order = (uint64_t)t->file << LINE_BITS | text.line;
        rc = r->reading->each(r->reading->ctx, thread, &text, err);
    }
    return rc;
}

static ErrCode read_files(const Reading *reading, Err *err)
{
    static const Turns turns = {take_block, show_block, NULL};
    const TextSource *s = reading->source;
    LineReading r = {.reading = reading,
                     .files = {.path = s->path, .end = (uint32_t)s->n},
                     .thread = calloc((size_t)s->threads, sizeof *r.thread)};
    ErrCode rc = r.thread ? turns_run(&turns, &r, s->threads, err) : err_nomem(err, "blocks of text");

    linefiles_close(&r.files);
    for (int i = 0; r.thread && i < s->threads; i++) buf_clear(&r.thread[i].block.bytes);
    free(r.thread);
    return rc;
}

ErrCode textsource_read(const TextSource *s, TextEach each, void *ctx, Err *err)
{
    Reading r = {.source = s, .each = each, .ctx = ctx};

    return s->is_text ? read_files(&r, err) : read_datasets(&r, err);
}
