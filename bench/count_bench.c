/* bench/count_bench.c - the training scan and count: text in memory to the words of it with their counts.
 *
 *   count_bench TEXT [THREADS [PASSES]]
 * TEXT is a file, cut into documents at the first line end behind 64 KiB. Each pass counts with fresh counters. Times of one thread are
 * those of its processor, so a loaded machine can be measured; with THREADS every one takes its share of the documents, the
 * rate is by the clock and holds bringing the counters together. */
#include "core/log.h"
#include "core/par.h"
#include "core/store.h"
#include "tokenize/bpe_count.h"
#include "tokenize/bpe_gather.h"
#include "tokenize/pretoken.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOC_BYTES = 64 << 10 };

static size_t doc_end(Span text, size_t at)
{
    Span rest = span_from(text, at + DOC_BYTES);
    size_t end = text.n - rest.n + (rest.n ? span_find(rest, '\n') : 0);

    return end < text.n ? end + 1 : end;
}

static ErrCode scan_all(Span text, uint64_t *n_words, Err *err)
{
    PretokenScan *scan;
    size_t end[512], n;
    ErrCode rc = pretokenscan_new(&scan, &pretokenizer_deepseek_llm, err);

    *n_words = 0;
    for (size_t at = 0, next; at < text.n && rc == ERR_OK; at = next) {
        next = doc_end(text, at);
        pretokenscan_begin(scan, (Span){text.p + at, next - at});
        while ((rc = pretokenscan_next(scan, end, 512, &n, err)) == ERR_OK && n) *n_words += n;
    }
    pretokenscan_free(scan);
    return rc;
}

static ErrCode count_all(Span text, BpeCounter *c, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t at = 0, next; at < text.n && rc == ERR_OK; at = next) {
        next = doc_end(text, at);
        rc = bpecounter_feed(c, (Span){text.p + at, next - at}, err);
    }
    return rc;
}

static void print_line(const char *what, double seconds, Span text, uint64_t n)
{
    printf("%-12s %8.1f MB/s  %7.2f s  %11" PRIu64 " words\n", what, 1e-6 * (double)text.n / seconds, seconds, n);
    fflush(stdout);
}

static ErrCode bench_one(Span text, Err *err)
{
    uint64_t n = 0;
    BpeCounter *c;
    double began = thread_cpu_seconds();
    ErrCode rc = scan_all(text, &n, err);

    if (rc != ERR_OK) return rc;
    print_line("scan alone", thread_cpu_seconds() - began, text, n);
    began = thread_cpu_seconds();
    if ((rc = bpecounter_new(&c, &pretokenizer_deepseek_llm, err)) != ERR_OK) return rc;
    rc = count_all(text, c, err);
    WordTable *words;
    if (rc == ERR_OK) rc = bpecounter_table(c, &words, err);
    if (rc == ERR_OK) print_line("count", thread_cpu_seconds() - began, text, words->n);
    printf("%-12s %8.1f MB\n", "memory", 1e-6 * (double)bpecounter_memory(c));
    bpecounter_free(c);
    return rc;
}

/* Equal pieces, cut at line ends. */
static Span piece(Span text, int i, int n)
{
    size_t begin = text.n / (size_t)n * (size_t)i, end = i + 1 == n ? text.n : text.n / (size_t)n * (size_t)(i + 1);

    if (i) begin += span_find(span_from(text, begin), '\n');
    if (i + 1 < n) end += span_find(span_from(text, end), '\n');
    return (Span){text.p + begin, end - begin};
}

static ErrCode bench_threads(Span text, int threads, Err *err)
{
    const Par par = par_alone(threads);
    GatherSpec spec = {
        .memory = UINT64_C(1) << 40, .max_symbols = UINT64_MAX, .pretokenizer = &pretokenizer_deepseek_llm};
    ErrCode rc_of[64] = {ERR_OK}, rc;
    WordList words = {0};
    WordGather *g;
    Err err_of[64];
    double began = clock_seconds();

    if ((rc = wordgather_open(&g, &spec, &par, err)) != ERR_OK) return rc;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int i = 0; i < threads; i++) {
        BpeCounter *c;
        rc_of[i] = wordgather_counter(g, i, &c, &err_of[i]);
        if (rc_of[i] == ERR_OK) rc_of[i] = count_all(piece(text, i, threads), c, &err_of[i]);
    }
    rc = par_first_error(rc_of, err_of, (size_t)threads, err);
    print_line("threads", clock_seconds() - began, text, 0);
    if (rc == ERR_OK) rc = wordgather_finish(g, &words, err);
    print_line("and list", clock_seconds() - began, text, words.n_words);
    wordgather_close(g);
    wordlist_clear(&words);
    return rc;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : 1, passes = argc > 3 ? atoi(argv[3]) : 1;
    Buf text = {0};
    Err err = {0};

    if (argc < 2 || threads < 1 || threads > 64) return fprintf(stderr, "count_bench TEXT [THREADS [PASSES]]\n"), 2;
    ErrCode rc = store_read(argv[1], UINT64_C(1) << 40, &text, &err);
    for (int i = 0; i < passes && rc == ERR_OK; i++)
        rc = threads == 1 ? bench_one(buf_span(&text), &err) : bench_threads(buf_span(&text), threads, &err);
    if (rc != ERR_OK) fprintf(stderr, "%s\n", err.msg);
    buf_clear(&text);
    return rc == ERR_OK ? 0 : 1;
}
