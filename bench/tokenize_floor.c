/* bench/tokenize_floor.c - what `tamis tokenize` cannot do without: reading a dataset's parts, decompressing them, taking the lines apart
 * and encoding the texts, each by itself, without anything in between.
 *
 *   tokenize_floor TOKENIZER PART...
 * Processor seconds of the one thread, a line each and their sum. bench/whole_process.sh sets them against the whole. */
#include "core/doc.h"
#include "core/lines.h"
#include "core/log.h"
#include "core/store.h"
#include "tokenize/tokenize.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

typedef struct {
    double load, read, unpack, lines, encode; /* seconds */
    uint64_t stored, unpacked, text, n_docs, n_ids;
} Floor;

/* Runs of frames as they come: a part's are of some MiB each. */
static ErrCode unpack(ZSTD_DCtx *d, Span *stored, Buf *out, Err *err)
{
    const size_t frame = ZSTD_findFrameCompressedSize(stored->p, stored->n);
    const unsigned long long n = ZSTD_getFrameContentSize(stored->p, stored->n);

    if (ZSTD_isError(frame)) return err_set(err, ERR_DATA, "no zstd frame");
    buf_reset(out);
    if (n && n < ZSTD_CONTENTSIZE_ERROR) { /* else a skippable frame */
        if (!buf_reserve(out, n)) return err_nomem(err, "a frame");
        out->n = ZSTD_decompressDCtx(d, out->p, n, stored->p, frame);
        if (ZSTD_isError(out->n)) return err_set(err, ERR_DATA, "a frame that does not decompress");
    }
    *stored = span_from(*stored, frame);
    return ERR_OK;
}

static ErrCode each_document(Floor *f, Encoder *e, DocScratch *scratch, Span lines, Buf *ids, Err *err)
{
    const char *why;
    Doc doc;

    while (lines.n) {
        double began = thread_cpu_seconds(), read;
        if (!doc_read(scratch, line_take(&lines), &doc, &why)) return err_set(err, ERR_DATA, "a line: %s", why);
        f->lines += (read = thread_cpu_seconds()) - began;
        ErrCode rc = encode_as(e, doc.text, ENCODE_DOCUMENT, ids, err);
        if (rc != ERR_OK) return rc;
        f->encode += thread_cpu_seconds() - read;
        f->text += doc.text.n;
        f->n_ids += ids->n / sizeof(uint32_t);
        f->n_docs++;
    }
    return ERR_OK;
}

static ErrCode each_part(Floor *f, const char *path, Encoder *e, ZSTD_DCtx *d, Err *err)
{
    DocScratch scratch = {0};
    Buf stored = {0}, lines = {0}, ids = {0};
    double began = thread_cpu_seconds();
    ErrCode rc = store_read(path, (size_t)4 << 30, &stored, err);
    Span rest = buf_span(&stored);

    f->read += thread_cpu_seconds() - began;
    f->stored += stored.n;
    while (rc == ERR_OK && rest.n) {
        began = thread_cpu_seconds();
        rc = unpack(d, &rest, &lines, err);
        f->unpack += thread_cpu_seconds() - began;
        f->unpacked += lines.n;
        if (rc == ERR_OK) rc = each_document(f, e, &scratch, buf_span(&lines), &ids, err);
    }
    docscratch_clear(&scratch);
    buf_clear(&stored);
    buf_clear(&lines);
    buf_clear(&ids);
    return rc;
}

static void print_line(const char *what, double seconds, uint64_t bytes)
{
    printf("%-8s %8.3f s %9.1f MB/s\n", what, seconds, 1e-6 * (double)bytes / (seconds > 0 ? seconds : 1e-9));
}

int main(int argc, char **argv)
{
    ZSTD_DCtx *d = ZSTD_createDCtx();
    Encoder *e = NULL;
    Tokenizer *t = NULL;
    Floor f = {0};
    Err err;

    if (argc < 3 || !d) {
        fputs("usage: tokenize_floor TOKENIZER PART...\n", stderr);
        return 2;
    }
    double began = thread_cpu_seconds();
    ErrCode rc = tokenizer_load(&t, argv[1], &err);
    if (rc == ERR_OK) rc = encoder_new(&e, t, &err);
    f.load = thread_cpu_seconds() - began;
    for (int i = 2; i < argc && rc == ERR_OK; i++) rc = each_part(&f, argv[i], e, d, &err);
    if (rc == ERR_OK) {
        print_line("load", f.load, 0);
        print_line("read", f.read, f.stored);
        print_line("zstd", f.unpack, f.unpacked);
        print_line("lines", f.lines, f.unpacked);
        print_line("encode", f.encode, f.text);
        print_line("sum", f.load + f.read + f.unpack + f.lines + f.encode, f.text);
        printf("%" PRIu64 " documents, %" PRIu64 " bytes of text, %" PRIu64 " ids\n", f.n_docs, f.text, f.n_ids);
    } else {
        fprintf(stderr, "tokenize_floor: %s\n", err.msg);
    }
    encoder_free(e);
    tokenizer_free(t);
    ZSTD_freeDCtx(d);
    return rc ? err_status(rc) : 0;
}
