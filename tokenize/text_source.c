#include "tokenize/text_source.h"

#include "core/dataset_mixture.h"
#include "core/docscan.h"
#include "core/par.h"
#include "core/store.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BLOCK_BYTES = 4 << 20,
    LINE_BITS = 44 /* of `order`: 2^20 files of 2^44 lines */
};

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
    const char *path;
    uint64_t number; /* of the file */
    InFile *in;      /* NULL: standard input */
    uint64_t at;
    bool ended;
    Buf left;       /* the beginning of a line */
    uint64_t lines; /* before it */
} LineFile;

typedef struct {
    Buf bytes; /* whole lines */
    uint64_t first_line;
} LineBlock;

/* Appends the next BLOCK_BYTES of the file, fewer at its end. */
static ErrCode read_more(LineFile *f, Buf *to, Err *err)
{
    size_t n = BLOCK_BYTES;
    ErrCode rc = ERR_OK;

    if (!buf_reserve(to, n)) return err_nomem(err, "a block of text");
    if (f->in) {
        if (infile_size(f->in) - f->at < n) n = (size_t)(infile_size(f->in) - f->at);
        if (n) rc = infile_read(f->in, f->at, to->p + to->n, n, err);
    } else {
        n = fread(to->p + to->n, 1, n, stdin);
        if (ferror(stdin)) rc = err_sys(err, "cannot read standard input");
    }
    if (rc != ERR_OK) return rc;
    f->ended = n < BLOCK_BYTES;
    f->at += n;
    to->n += n;
    return ERR_OK;
}

/* Fills a block up to the last line end that it reaches; at the end of the file with what is there. */
static ErrCode fill_block(LineFile *f, LineBlock *b, Err *err)
{
    ErrCode rc;

    buf_recycle(&b->bytes);
    buf_put_span(&b->bytes, buf_span(&f->left));
    buf_reset(&f->left);
    for (size_t from = b->bytes.n; !f->ended; from = b->bytes.n) {
        if ((rc = read_more(f, &b->bytes, err)) != ERR_OK) return rc;
        size_t end = b->bytes.n;
        while (end > from && b->bytes.p[end - 1] != '\n') end--;
        if (end > from && !f->ended) {
            buf_put(&f->left, b->bytes.p + end, b->bytes.n - end);
            b->bytes.n = end;
            break;
        }
        if (b->bytes.n > TEXTSOURCE_MAX_LINE)
            return err_set(err, ERR_LIMIT, "%s: line %" PRIu64 " has more than %d bytes", f->path, f->lines + 1,
                           TEXTSOURCE_MAX_LINE);
    }
    b->first_line = f->lines + 1;
    for (const uint8_t *p = b->bytes.p, *end = p + b->bytes.n; p < end && (p = memchr(p, '\n', (size_t)(end - p)));
         p++)
        f->lines++;
    return b->bytes.oom || f->left.oom ? err_nomem(err, "a block of text") : ERR_OK;
}

static ErrCode show_lines(const Reading *r, const LineFile *f, const LineBlock *b, int thread, Err *err)
{
    const char *name = f->in ? path_base(f->path) : "stdin";
    SourceText t = {.lang = SPAN_LIT("unknown"), .domain = span_str(name), .id = span_str(f->path)};
    Span rest = buf_span(&b->bytes);
    ErrCode rc = ERR_OK;

    for (t.line = b->first_line; rest.n && rc == ERR_OK; t.line++) {
        size_t end = span_find(rest, '\n');
        t.text = (Span){rest.p, end < rest.n ? end + 1 : rest.n};
        t.order = f->number << LINE_BITS | t.line;
        rc = r->each(r->ctx, thread, &t, err);
        rest = span_from(rest, t.text.n);
    }
    return rc;
}

/* A block a thread, then all of them are shown. */
static ErrCode read_lines(const Reading *r, LineFile *f, LineBlock *block, ErrCode *rc_of, Err *err_of, Err *err)
{
    const int threads = r->source->threads;

    while (!f->ended) {
        int n = 0;
        for (; n < threads && !f->ended; n++) {
            ErrCode rc = fill_block(f, &block[n], err);
            if (rc != ERR_OK) return rc;
        }
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int i = 0; i < n; i++) /* slot i belongs to block i */
            rc_of[i] = show_lines(r, f, &block[i], omp_get_thread_num(), &err_of[i]);
        ErrCode rc = par_first_error(rc_of, err_of, (size_t)n, err);
        if (rc != ERR_OK) return rc;
        if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted; a rerun starts again");
    }
    return ERR_OK;
}

static ErrCode read_files(const Reading *r, Err *err)
{
    size_t threads = (size_t)r->source->threads;
    LineBlock *block = calloc(threads, sizeof *block);
    ErrCode *rc_of = calloc(threads, sizeof *rc_of), rc = ERR_OK;
    Err *err_of = calloc(threads, sizeof *err_of);

    if (!block || !rc_of || !err_of) rc = err_nomem(err, "blocks of text");
    for (size_t i = 0; i < r->source->n && rc == ERR_OK; i++) {
        const char *path = r->source->path[i];
        LineFile f = {.path = path, .number = i};
        if (strcmp(path, "-") != 0) rc = infile_open(&f.in, path, err);
        if (rc == ERR_OK) rc = read_lines(r, &f, block, rc_of, err_of, err);
        infile_close(f.in);
        buf_clear(&f.left);
    }
    for (size_t i = 0; block && i < threads; i++) buf_clear(&block[i].bytes);
    free(block);
    free(rc_of);
    free(err_of);
    return rc;
}

ErrCode textsource_read(const TextSource *s, TextEach each, void *ctx, Err *err)
{
    Reading r = {.source = s, .each = each, .ctx = ctx};

    return s->is_text ? read_files(&r, err) : read_datasets(&r, err);
}
