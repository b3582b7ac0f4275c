#include "tokenize/pretoken_scan.h"
#include "tokenize/pretoken_slow.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_scan(PretokenScanner scan, Span text, const Buf *cuts)
{
    size_t end[64], n, from = 0;

    for (size_t at = 0; (n = scan(text, at, end, 1 + text.n % 64)) > 0; at = end[n - 1])
        for (size_t k = 0; k < n; from = end[k++]) {
            if (end[k] <= from || end[k] > text.n || (end[k] < text.n && !cuts->p[end[k]])) abort();
            for (size_t i = from + 1; i < end[k]; i++)
                if (cuts->p[i]) abort();
        }
    if (from != text.n) abort();
}

static size_t scan_characters(Span text, size_t at, size_t *end, size_t cap)
{
    (void)cap;
    if (at == text.n) return 0;
    *end = pretoken_end(text, at);
    return 1;
}

/* A chain's two scans are the same. */
static void check_pair(const PretokenScanners *chain, Span text)
{
    size_t end[64], n, one;

    for (size_t at = 0; (n = pretoken_fastest(chain)(text, at, end, 1 + text.n % 64)) > 0;)
        for (size_t k = 0; k < n; at = end[k++])
            if (chain->portable(text, at, &one, 1) != 1 || one <= at || one != end[k]) abort();
}

/* The scanners cut where the seven stages cut, and nowhere else. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    Span text = {p, n};
    Buf cuts = {0};

    if (!pretoken_slow(text, &cuts)) return 0;
    check_scan(scan_characters, text, &cuts);
    check_scan(pretoken_deepseek_llm.portable, text, &cuts);
    check_scan(pretoken_fastest(&pretoken_deepseek_llm), text, &cuts);
    check_pair(&pretoken_gpt2, text);
    check_pair(&pretoken_cl100k, text);
    check_pair(&pretoken_qwen2, text);
    check_pair(&pretoken_v3, text);
    buf_clear(&cuts);
    return 0;
}
