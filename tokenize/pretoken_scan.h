/* tokenize/pretoken_scan.h - the scans of the chains that are written by hand; private to pretoken*.c and their tests. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_SCAN_H
#define TAMIS_TOKENIZE_PRETOKEN_SCAN_H

#include "tokenize/pretoken.h"

/* Writes at `end`, which has room for cap >= 1, the ends of the pretokens from `at` on, where one begins; returns how many, 0 at the
 * end of the text. */
typedef size_t (*PretokenScanner)(Span s, size_t at, size_t *end, size_t cap);

typedef struct {
    PretokenScanner portable;
    PretokenScanner avx2; /* NULL where there is none */
} PretokenScanners;
#if defined(__x86_64__) && defined(__GNUC__)
#define PRETOKEN_SCANNERS(NAME)                \
    {                                          \
        NAME##_scan_portable, NAME##_scan_avx2 \
    }
#else
#define PRETOKEN_SCANNERS(NAME)    \
    {                              \
        NAME##_scan_portable, NULL \
    }
#endif

extern const PretokenScanners pretoken_deepseek_llm, pretoken_gpt2, pretoken_cl100k, pretoken_qwen2, pretoken_v3;

/* The faster one that this machine can run. */
PretokenScanner pretoken_fastest(const PretokenScanners *s);

#endif
