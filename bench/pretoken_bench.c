/* bench/pretoken_bench.c - what the scan of a chain alone costs: ends of pretokens, one thread, the file in memory.
 * Usage: pretoken_bench FILE [SECONDS [DOCUMENT_BYTES]]
 * Prints, for every chain and kernel, MB/s of processor time in the best of the rounds that fit in SECONDS, and bytes a pretoken. */
#include "core/log.h"
#include "core/store.h"
#include "tokenize/pretoken_scan.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 1024 };
static const struct {
    const char *name;
    const PretokenScanners *scanners;
} chains[] = {{"deepseek-llm", &pretoken_deepseek_llm},
              {"gpt2", &pretoken_gpt2},
              {"deepseek-v3", &pretoken_v3},
              {"cl100k", &pretoken_cl100k},
              {"qwen2", &pretoken_qwen2}};

static size_t scan(PretokenScanner scanner, Span text)
{
    size_t end[BATCH], all = 0;

    for (size_t at = 0, n; (n = scanner(text, at, end, BATCH)) > 0; at = end[n - 1]) all += n;
    return all;
}

/* The text in documents of `piece` bytes. */
static size_t scan_pieces(PretokenScanner scanner, Span text, size_t piece)
{
    size_t all = 0;

    for (size_t at = 0; at < text.n; at += piece)
        all += scan(scanner, (Span){text.p + at, text.n - at < piece ? text.n - at : piece});
    return all;
}

static void measure(const char *chain, const char *kernel, PretokenScanner scanner, Span text, double seconds,
                    size_t piece)
{
    double best = 1e9, stop = thread_cpu_seconds() + seconds;
    size_t n = 0;

    do {
        double t = thread_cpu_seconds();
        n = scan_pieces(scanner, text, piece);
        t = thread_cpu_seconds() - t;
        if (t < best) best = t;
    } while (thread_cpu_seconds() < stop);
    printf("%-14s %-9s %8.1f MB/s %6.2f bytes a pretoken\n", chain, kernel, (double)text.n / best / 1e6,
           (double)text.n / (double)n);
}

int main(int argc, char **argv)
{
    Buf text = {0};
    Err err;

    if (argc < 2) {
        fputs("usage: pretoken_bench FILE [SECONDS [DOCUMENT_BYTES]]\n", stderr);
        return 2;
    }
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
    size_t piece = argc > 3 ? strtoull(argv[3], NULL, 10) : SIZE_MAX / 2;
    if (store_read(argv[1], (size_t)4 << 30, &text, &err) != ERR_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 3;
    }
    for (size_t i = 0; i < sizeof chains / sizeof *chains && piece; i++) {
        const PretokenScanners *s = chains[i].scanners;
        measure(chains[i].name, "portable", s->portable, buf_span(&text), seconds, piece);
        if (pretoken_fastest(s) == s->avx2) measure(chains[i].name, "avx2", s->avx2, buf_span(&text), seconds, piece);
    }
    buf_clear(&text);
    return 0;
}
