/* bench/encode_bench.c - text in memory to ids in memory: the scan alone, and all of it, cold (a fresh encoder) and warm.
 *
 *   encode_bench TOKENIZER TEXT [DOC_BYTES [PASSES [THREADS]]]
 * TEXT is a file, or spaces:N (N spaces and a digit), letters:N, arabic:N: one line that is quadratic in other encoders. It is cut into
 * documents at the first line end behind DOC_BYTES (65536; 0: one document). Of PASSES (5) the first is cold; the other times are the
 * best of them. Times are those of the thread on its processor, so a loaded machine can be measured; with THREADS (1 or more) every
 * one takes its share of the documents with an encoder of its own, and the rate is by the clock. */
#include "core/log.h"
#include "core/store.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Span *doc;
    size_t n, cap;
} Docs;

/* True when `spec` names made text, which `text` then holds. */
static bool make_text(const char *spec, Buf *text)
{
    static const struct {
        const char *name, *unit, *tail;
    } made[] = {{"spaces:", " ", "1"},
                {"letters:", "abcdefghij", ""},
                {"arabic:", "\xd8\xa7\xd9\x84\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85 ", ""}};

    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        if (strncmp(spec, made[i].name, strlen(made[i].name)) != 0) continue;
        size_t n = strtoull(spec + strlen(made[i].name), NULL, 10);
        while (text->n < n && !text->oom) buf_puts(text, made[i].unit);
        buf_puts(text, made[i].tail);
        return true;
    }
    return false;
}

static bool cut_docs(Span text, size_t doc_bytes, Docs *docs)
{
    for (size_t at = 0, end; at < text.n; at = end) {
        Span rest = span_from(text, doc_bytes ? at + doc_bytes : text.n);
        end = text.n - rest.n;
        if (rest.n) end += span_find(rest, '\n');
        if (end < text.n) end++;
        Span *grown = array_grow(docs->doc, docs->n, &docs->cap, sizeof *grown);
        if (!grown) return false;
        docs->doc = grown;
        docs->doc[docs->n++] = (Span){text.p + at, end - at};
    }
    return true;
}

static ErrCode scan_all(const Tokenizer *t, const Docs *docs, uint64_t *n_words, Err *err)
{
    PretokenScan *scan;
    size_t end[64], n;
    ErrCode rc = pretokenscan_new(&scan, t->pretokenizer, err);

    *n_words = 0;
    for (size_t i = 0; i < docs->n && rc == ERR_OK; i++) {
        pretokenscan_begin(scan, docs->doc[i]);
        while ((rc = pretokenscan_next(scan, end, 64, &n, err)) == ERR_OK && n) *n_words += n;
    }
    pretokenscan_free(scan);
    return rc;
}

static ErrCode encode_all(Encoder *e, const Docs *docs, size_t first, size_t step, uint64_t *n_ids, Err *err)
{
    Buf ids = {0};
    ErrCode rc = ERR_OK;

    *n_ids = 0;
    for (size_t i = first; i < docs->n && rc == ERR_OK; i += step) {
        rc = encode_as(e, docs->doc[i], ENCODE_DOCUMENT, &ids, err);
        *n_ids += ids.n / sizeof(uint32_t);
    }
    buf_clear(&ids);
    return rc;
}

static void print_line(const char *what, double seconds, size_t bytes, uint64_t n, const char *unit)
{
    printf("%-12s %8.1f MB/s  %6.3f ns/byte  %11" PRIu64 " %s, %.1f ns each\n", what, 1e-6 * (double)bytes / seconds,
           1e9 * seconds / (double)bytes, n, unit, 1e9 * seconds / (double)(n ? n : 1));
    fflush(stdout);
}

static ErrCode bench_one(const Tokenizer *t, const Docs *docs, size_t bytes, int passes, Err *err)
{
    double best_scan = 1e9, best = 1e9;
    uint64_t n_words = 0, n_ids = 0;
    Encoder *e = NULL;
    ErrCode rc = ERR_OK;

    for (int i = 0; i < passes && rc == ERR_OK; i++) {
        double began = thread_cpu_seconds();
        rc = scan_all(t, docs, &n_words, err);
        if (thread_cpu_seconds() - began < best_scan) best_scan = thread_cpu_seconds() - began;
    }
    if (rc == ERR_OK) print_line("scan alone", best_scan, bytes, n_words, "pretokens");
    for (int i = 0; i < passes && rc == ERR_OK; i++) {
        double began = thread_cpu_seconds();
        if (!e) rc = encoder_new(&e, t, err);
        if (rc == ERR_OK) rc = encode_all(e, docs, 0, 1, &n_ids, err);
        double took = thread_cpu_seconds() - began;
        if (rc == ERR_OK && i == 0) print_line("cold", took, bytes, n_ids, "ids");
        if (i && took < best) best = took;
    }
    if (rc == ERR_OK && passes > 1) print_line("warm", best, bytes, n_ids, "ids");
    encoder_free(e);
    return rc;
}

/* Encoders live from pass to pass, one a thread. */
static ErrCode bench_threads(const Tokenizer *t, const Docs *docs, size_t bytes, int passes, int threads, Err *err)
{
    Encoder **encoders = calloc((size_t)threads, sizeof *encoders);
    double best = 1e9;
    uint64_t n_ids = 0;
    ErrCode first = encoders ? ERR_OK : err_nomem(err, "encoders");

    for (int i = 0; i < passes && !first; i++) {
        double began = clock_seconds();
        n_ids = 0;
#pragma omp parallel num_threads(threads) reduction(+ : n_ids)
        {
            int thread = omp_get_thread_num();
            Err own;
            ErrCode rc = encoders[thread] ? ERR_OK : encoder_new(&encoders[thread], t, &own);
            if (rc == ERR_OK) rc = encode_all(encoders[thread], docs, (size_t)thread, (size_t)threads, &n_ids, &own);
#pragma omp critical
            if (rc && !first) first = rc, *err = own;
        }
        double took = clock_seconds() - began;
        if (i == 0 && !first) print_line("cold", took, bytes, n_ids, "ids");
        if (i && took < best) best = took;
    }
    if (!first && passes > 1) print_line("warm", best, bytes, n_ids, "ids");
    for (int i = 0; encoders && i < threads; i++) encoder_free(encoders[i]);
    free(encoders);
    return first;
}

int main(int argc, char **argv)
{
    size_t doc_bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 65536;
    int passes = argc > 4 ? atoi(argv[4]) : 5, threads = argc > 5 ? atoi(argv[5]) : 0;
    Tokenizer *t = NULL;
    Docs docs = {0};
    Buf text = {0};
    Err err;

    if (argc < 3 || passes < 1 || threads < 0) {
        fputs("usage: encode_bench TOKENIZER TEXT [DOC_BYTES [PASSES [THREADS]]]\n", stderr);
        return 2;
    }
    ErrCode rc = tokenizer_load(&t, argv[1], &err);
    if (rc == ERR_OK && !make_text(argv[2], &text)) rc = store_read(argv[2], (size_t)4 << 30, &text, &err);
    if (rc == ERR_OK) rc = buf_ok(&text, "the text", &err);
    if (rc == ERR_OK && !cut_docs(buf_span(&text), doc_bytes, &docs)) rc = err_nomem(&err, "the documents");
    if (rc == ERR_OK)
        rc = threads ? bench_threads(t, &docs, text.n, passes, threads, &err)
                     : bench_one(t, &docs, text.n, passes, &err);
    if (rc) fprintf(stderr, "encode_bench: %s\n", err.msg);
    tokenizer_free(t);
    buf_clear(&text);
    free(docs.doc);
    return rc ? err_status(rc) : 0;
}
