#include "tokenize/bpe_input.h"

#include "core/dataset_mixture.h"
#include "core/docscan.h"
#include "core/json.h"
#include "core/lines.h"
#include "core/par.h"
#include "core/store.h"
#include "core/turns.h"
#include "core/utf8.h"
#include "tokenize/nfc.h"
#include "tokenize/pretoken.h"
#include "tokenize/sampling.h"

#include <omp.h>
#include <stdlib.h>

enum {
    CHUNK_MOST = 8 << 20, /* of a text file, cut at line ends */
    CHUNK_LEAST = 256 << 10,
    LINE_MAX_BYTES = LINES_MAX_BYTES,
    PACKED_RATIO = 4 /* text compresses to about a quarter */
};

const char *const bpe_drop_names[BPE_N_DROPS] = {"too_many_steps", "line_too_long"};

typedef struct {
    InFile *file;
    uint64_t begin, end; /* lines that begin in [begin, end) */
} Chunk;

struct BpeInput {
    BpeSource source;
    DatasetSet *set;
    Sampling sampling;
    Buf mixture;
    InFile **file;
    Chunk *chunk;
    size_t n_chunks;
    const char **packed; /* paths of those that are gzip or zstd, which are in no chunk */
    uint32_t n_packed;
    uint64_t text_bytes; /* about */
    WordGather *words;
    BpeDocs *docs; /* one a thread */
    bool nfc;
    Buf *raw, *repaired, *normalized; /* one a thread */
};

/* --- opening */

static ErrCode read_mixture(BpeInput *in, Err *err)
{
    Arena names = {0};
    const char *path;
    ErrCode rc = datasetset_mixture(in->set, &names, &in->mixture, &path, err);

    if (rc == ERR_OK)
        rc = sampling_make(&in->sampling, buf_span(&in->mixture), path, in->source.sample_bytes,
                           datasetset_text_bytes(in->set), err);
    arena_clear(&names);
    return rc;
}

static ErrCode open_files(BpeInput *in, Err *err)
{
    const uint64_t most = in->source.memory / 64 / (uint64_t)in->source.par->threads,
                   chunk = in->source.memory == 0 || most > CHUNK_MOST ? CHUNK_MOST
                           : most < CHUNK_LEAST                        ? CHUNK_LEAST
                                                                       : most;
    size_t n_chunks = 0;
    ErrCode rc;

    in->file = calloc(in->source.n, sizeof *in->file);
    in->packed = calloc(in->source.n, sizeof *in->packed);
    if (!in->file || !in->packed) return err_nomem(err, "a list of files");
    for (size_t i = 0; i < in->source.n; i++) {
        if ((rc = infile_open(&in->file[i], in->source.path[i], err)) != ERR_OK) return rc;
        n_chunks += (size_t)(infile_size(in->file[i]) / chunk) + 1;
    }
    if (!(in->chunk = calloc(n_chunks, sizeof *in->chunk))) return err_nomem(err, "a list of chunks");
    for (size_t i = 0; i < in->source.n; i++) {
        uint64_t size = infile_size(in->file[i]);
        bool packed;
        if ((rc = lines_are_packed(in->file[i], &packed, err)) != ERR_OK) return rc;
        in->text_bytes += packed ? size * PACKED_RATIO : size;
        if (packed) in->packed[in->n_packed++] = in->source.path[i];
        for (uint64_t at = 0; at < size && !packed; at += chunk)
            in->chunk[in->n_chunks++] = (Chunk){in->file[i], at, size - at < chunk ? size : at + chunk};
    }
    return ERR_OK;
}

static ErrCode refuse_empty(const BpeSource *source, Err *err)
{
    return err_set(err, ERR_DATA, "bpe: %s holds no documents%s", source->path[0],
                   source->n > 1 ? ", nor does any other input" : "");
}

ErrCode bpeinput_open(BpeInput **out, const BpeSource *source, Err *err)
{
    size_t threads = (size_t)source->par->threads;
    BpeInput *in = calloc(1, sizeof *in);
    ErrCode rc = ERR_OK;

    *out = NULL;
    if (!in) return err_nomem(err, "the input");
    in->source = *source;
    in->docs = calloc(threads, sizeof *in->docs);
    in->raw = calloc(threads, sizeof *in->raw);
    in->repaired = calloc(threads, sizeof *in->repaired);
    in->normalized = calloc(threads, sizeof *in->normalized);
    if (!in->docs || !in->raw || !in->repaired || !in->normalized) rc = err_nomem(err, "the input");
    if (rc == ERR_OK && source->text) rc = open_files(in, err);
    if (rc == ERR_OK && !source->text) {
        rc = datasetset_open(&in->set, source->path, source->n, err);
        if (rc == ERR_OK && datasetset_n_docs(in->set) == 0) rc = refuse_empty(source, err);
        if (rc == ERR_OK) rc = read_mixture(in, err);
    }
    if (rc == ERR_OK)
        *out = in;
    else
        bpeinput_close(in);
    return rc;
}

void bpeinput_close(BpeInput *in)
{
    if (!in) return;
    for (int i = 0; i < in->source.par->threads; i++) {
        if (in->raw) buf_clear(&in->raw[i]);
        if (in->repaired) buf_clear(&in->repaired[i]);
        if (in->normalized) buf_clear(&in->normalized[i]);
    }
    for (size_t i = 0; in->file && i < in->source.n; i++) infile_close(in->file[i]);
    datasetset_close(in->set);
    sampling_clear(&in->sampling);
    buf_clear(&in->mixture);
    free(in->docs);
    free(in->raw);
    free(in->repaired);
    free(in->normalized);
    free(in->file);
    free(in->chunk);
    free(in->packed);
    free(in);
}

void bpeinput_describe(const BpeInput *in, Buf *inputs, Buf *contents)
{
    buf_putc(inputs, '[');
    buf_putc(contents, '[');
    for (size_t i = 0; i < in->source.n; i++) {
        if (i) buf_putc(inputs, ','), buf_putc(contents, ',');
        buf_puts(inputs, "{\"path\":");
        json_put_cstr(inputs, in->source.path[i]);
        if (in->set) {
            Hash128 content = dataset_content(datasetset_at(in->set, i));
            buf_puts(inputs, ",\"content\":");
            json_put_hash(inputs, content);
            json_put_hash(contents, content);
        } else { /* a raw input counts as its name and size */
            uint64_t size = infile_size(in->file[i]);
            buf_puts(inputs, ",\"size\":");
            buf_put_u64(inputs, size);
            buf_putc(contents, '[');
            json_put_cstr(contents, path_base(in->source.path[i]));
            buf_putc(contents, ',');
            buf_put_u64(contents, size);
            buf_putc(contents, ']');
        }
        buf_putc(inputs, '}');
    }
    if (in->mixture.n) {
        buf_putc(contents, ',');
        json_put_hash(contents, hash128(buf_span(&in->mixture)));
    }
    buf_putc(inputs, ']');
    buf_putc(contents, ']');
}

/* --- counting */

/* What is counted of a text, and where. */
static ErrCode begin_text(BpeInput *in, int thread, Span *text, BpeCounter **c, Err *err)
{
    ErrCode rc = wordgather_counter(in->words, thread, c, err);

    return rc == ERR_OK && in->nfc ? nfc_text(*text, &in->normalized[thread], text, err) : rc;
}

/* A document or line: what the pre-tokenizer gives up is left out, all of it. */
static ErrCode count_one(BpeInput *in, int thread, Span text, Err *err)
{
    BpeCounter *c;
    ErrCode rc = begin_text(in, thread, &text, &c, err);

    if (rc != ERR_OK) return rc;
    if ((rc = bpecounter_feed(c, text, err)) == ERR_OK) in->docs[thread].n_taken++;
    if (rc != ERR_LIMIT) return rc;
    log_debug("bpe: a text of %zu bytes is left out: %s", text.n, err->msg);
    in->docs[thread].n_dropped[BPE_TOO_MANY_STEPS]++;
    return ERR_OK;
}

static ErrCode count_lines(BpeInput *in, int thread, Span text, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t n; text.n && rc == ERR_OK; text = span_from(text, n)) {
        size_t lf = span_find(text, '\n');
        n = lf < text.n ? lf + 1 : text.n;
        rc = count_one(in, thread, span(text.p, n), err);
    }
    return rc;
}

static ErrCode count_document(void *ctx, int thread, const Doc *doc, const DocPlace *place, Err *err)
{
    BpeInput *in = ctx;

    (void)place;
    if (!sampling_takes(&in->sampling, doc)) return ERR_OK;
    return count_one(in, thread, doc->text, err);
}

/* Offset of the first byte behind a '\n' at or after `from - 1`: where the first line begins that starts at or after `from`. UINT64_MAX
 * when that is not before `most`. */
static ErrCode line_start(InFile *f, uint64_t from, uint64_t most, uint64_t *start, Err *err)
{
    uint8_t block[4096];
    uint64_t size = infile_size(f), at = from ? from - 1 : 0;

    *start = from == 0 ? 0 : size <= most ? size : UINT64_MAX;
    if (from == 0) return ERR_OK;
    while (at < size && at < most) {
        size_t n = size - at < sizeof block ? (size_t)(size - at) : sizeof block;
        ErrCode rc = infile_read(f, at, block, n, err);
        if (rc != ERR_OK) return rc;
        size_t lf = span_find((Span){block, n}, '\n');
        at += lf;
        if (lf < n) {
            *start = at < most ? at + 1 : UINT64_MAX;
            return ERR_OK;
        }
    }
    return ERR_OK;
}

/* Where the last line begins. */
static size_t last_line(Span text)
{
    size_t at = text.n;

    if (at && text.p[at - 1] == '\n') at--;
    while (at && text.p[at - 1] != '\n') at--;
    return at;
}

static uint64_t n_lines(Span text)
{
    uint64_t n = text.n && text.p[text.n - 1] != '\n';

    for (size_t i = 0; i < text.n; i++) n += text.p[i] == '\n';
    return n;
}

/* Reads the lines that begin in a chunk, each with its '\n'. Only the last one may be too long: it is left out, and where another chunk lies
 * in the middle of it no line begins there. So nothing is read more than once but for the one line that reaches over. */
static ErrCode read_chunk(BpeInput *in, const Chunk *c, int thread, Err *err)
{
    Buf *raw = &in->raw[thread];
    uint64_t begin, end;
    ErrCode rc;

    buf_recycle(raw);
    if ((rc = line_start(c->file, c->begin, c->end, &begin, err)) != ERR_OK || begin >= c->end) return rc;
    if ((rc = line_start(c->file, c->end, c->end + LINE_MAX_BYTES, &end, err)) != ERR_OK) return rc;
    const bool reaches_on = end == UINT64_MAX;
    if (reaches_on) end = c->end;
    if (!buf_reserve(raw, (size_t)(end - begin))) return err_nomem(err, "a piece of text");
    raw->n = (size_t)(end - begin);
    if ((rc = infile_read(c->file, begin, raw->p, raw->n, err)) != ERR_OK) return rc;
    if (!reaches_on && raw->n <= LINE_MAX_BYTES) return ERR_OK;
    const size_t last = last_line(buf_span(raw));
    if (!reaches_on && raw->n - last <= LINE_MAX_BYTES) return ERR_OK;
    raw->n = last;
    in->docs[thread].n_dropped[BPE_LINE_TOO_LONG]++;
    return ERR_OK;
}

/* Whole lines. What is no UTF-8 becomes U+FFFD, as when the reference reads a file. A line is cut, and given up, by itself, so that chunks and
 * blocks mean nothing: their lines go together only where that is the same. */
static ErrCode count_block(BpeInput *in, int thread, Span text, Err *err)
{
    Buf *repaired = &in->repaired[thread];
    uint64_t n = 0;
    BpeCounter *c;
    ErrCode rc;

    if (text.n == 0) return ERR_OK;
    if (utf8_valid_prefix(text) < text.n) {
        buf_recycle(repaired);
        utf8_repair(repaired, text);
        if ((rc = buf_ok(repaired, "a piece of text", err)) != ERR_OK) return rc;
        text = buf_span(repaired);
    }
    if (!pretokenizer_is_of_lines(wordgather_pretokenizer(in->words))) return count_lines(in, thread, text, err);
    n = n_lines(text);
    if ((rc = begin_text(in, thread, &text, &c, err)) == ERR_OK) rc = bpecounter_feed(c, text, err);
    if (rc == ERR_OK) in->docs[thread].n_taken += n;
    return rc;
}

static ErrCode count_chunk(BpeInput *in, const Chunk *c, int thread, Err *err)
{
    ErrCode rc = read_chunk(in, c, thread, err);

    return rc == ERR_OK ? count_block(in, thread, buf_span(&in->raw[thread]), err) : rc;
}

static ErrCode count_files(BpeInput *in, Progress *progress, Err *err)
{
    const Par *par = wordgather_par(in->words);
    size_t ranks = (size_t)par->n_ranks, rank = (size_t)par->rank;
    size_t begin = in->n_chunks * rank / ranks, end = in->n_chunks * (rank + 1) / ranks;
    ErrCode *rc_of = calloc(in->n_chunks + 1, sizeof *rc_of), rc;
    Err *err_of = calloc(in->n_chunks + 1, sizeof *err_of);
    bool failed = false;

    if (!rc_of || !err_of) {
        rc = err_nomem(err, "a list of chunks");
        goto out;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(par->threads)
    for (size_t i = begin; i < end; i++) { /* slot i belongs to chunk i */
        bool stop;
#pragma omp atomic read
        stop = failed;
        if (stop) continue; /* the run ends with the error of another chunk */
        if (interrupt_seen())
            rc_of[i] = err_set(&err_of[i], ERR_INTR, "interrupted; a rerun counts again");
        else
            rc_of[i] = count_chunk(in, &in->chunk[i], omp_get_thread_num(), &err_of[i]);
        if (rc_of[i] != ERR_OK) {
#pragma omp atomic write
            failed = true;
        }
        progress_add(progress, 0, in->chunk[i].end - in->chunk[i].begin);
        progress_tick(progress);
    }
    rc = par_first_error(rc_of, err_of, in->n_chunks, err);
out:
    free(rc_of);
    free(err_of);
    return rc;
}

/* --- files that are packed, which one thread reads for all */

typedef struct {
    BpeInput *in;
    LineFiles files;
    LineBlock *block; /* one a thread */
    Progress *progress;
} Unpacking;

static ErrCode take_block(void *ctx, int thread, bool *end, Err *err)
{
    Unpacking *u = ctx;
    uint32_t file;

    return linefiles_next(&u->files, &u->block[thread], &file, end, err);
}

static ErrCode show_block(void *ctx, int thread, Err *err)
{
    Unpacking *u = ctx;
    const LineBlock *b = &u->block[thread];

    u->in->docs[thread].n_dropped[BPE_LINE_TOO_LONG] += b->too_long;
    progress_add(u->progress, 0, b->bytes.n);
    progress_tick(u->progress);
    return count_block(u->in, thread, buf_span(&b->bytes), err);
}

/* As many threads as have their blocks in the share of memory that chunks get. */
static int unpacking_threads(const BpeInput *in)
{
    const uint64_t fit = in->source.memory / 64 / LINES_BLOCK_BYTES;
    const int all = wordgather_par(in->words)->threads;

    if (in->source.memory == 0 || fit > (uint64_t)all) return all;
    return fit ? (int)fit : 1;
}

static ErrCode count_packed(BpeInput *in, Progress *progress, Err *err)
{
    static const Turns turns = {take_block, show_block, NULL};
    const uint64_t ranks = (uint64_t)in->source.par->n_ranks, rank = (uint64_t)in->source.par->rank;
    const int threads = unpacking_threads(in);
    Unpacking u = {.in = in,
                   .files = {.path = in->packed,
                             .at = (uint32_t)(in->n_packed * rank / ranks),
                             .end = (uint32_t)(in->n_packed * (rank + 1) / ranks)},
                   .block = calloc((size_t)threads, sizeof *u.block),
                   .progress = progress};
    ErrCode rc = u.block ? turns_run(&turns, &u, threads, err) : err_nomem(err, "blocks of text");

    linefiles_close(&u.files);
    for (int i = 0; u.block && i < threads; i++) buf_clear(&u.block[i].bytes);
    free(u.block);
    return rc;
}

ErrCode bpeinput_count(BpeInput *in, WordGather *words, bool nfc, BpeDocs *docs, Err *err)
{
    const Par *par = wordgather_par(words);
    Progress *progress = NULL;
    ErrCode rc = progress_start(&progress, "bpe: counting words",
                                in->set ? datasetset_text_bytes(in->set) : in->text_bytes, err);

    in->words = words;
    in->nfc = nfc;
    *docs = (BpeDocs){0};
    if (rc == ERR_OK)
        rc = in->set ? docscan(in->set, par, count_document, in, progress, err) : count_files(in, progress, err);
    if (rc == ERR_OK && in->n_packed) rc = count_packed(in, progress, err);
    progress_stop(progress);
    for (int i = 0; i < par->threads; i++) {
        docs->n_taken += in->docs[i].n_taken;
        for (int k = 0; k < BPE_N_DROPS; k++) docs->n_dropped[k] += in->docs[i].n_dropped[k];
    }
    return rc;
}
