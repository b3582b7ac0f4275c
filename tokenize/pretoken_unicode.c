#include "tokenize/pretoken_unicode.h"

#include "tokenize/pretoken_unicode.inc"

unsigned uni_class_of(uint32_t cp)
{
    return cp < UNI_LIMIT ? uni_category[uni_page[cp / UNI_PAGE] * UNI_PAGE + cp % UNI_PAGE] : UNI_NONE;
}

uint64_t uni_add(uint64_t rest, const uint8_t *p, uint64_t of[N_UNI], uint64_t *tails)
{
    while (rest) {
        unsigned i = lowest_bit(rest), left = 64 - i;
        uint32_t cp;
        unsigned len = utf8_next(p + i, left, &cp);
        if (cp == UTF8_BAD && left < 4) return rest;
        uint64_t bytes = byte_run(i, len);
        of[uni_class_of(cp)] |= bytes;
        *tails |= bytes & (bytes - 1) & ~(UINT64_C(1) << i);
        rest &= ~bytes;
    }
    return 0;
}

void join_contractions(uint64_t quotes, const uint8_t *p, bool any_case, uint64_t *joined, uint64_t *open)
{
    for (; quotes; quotes &= quotes - 1) {
        unsigned i = lowest_bit(quotes);
        if (i > 60) {
            *open |= ~UINT64_C(0) << i;
            break;
        }
        unsigned n = contraction_at(p + i, 64 - i, any_case);
        if (n) *joined = (*joined & ~(UINT64_C(1) << (i + n))) | byte_run(i + 1, n - 1);
    }
}
