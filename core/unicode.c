/* core/unicode.c - look-ups in the generated tables. */
#include "core/unicode.h"

#include <assert.h>

typedef struct {
    uint32_t first, last; /* both included */
} CodeRange;

#include "core/unicode_tables.inc"

enum { FOLD_SAME, FOLD_NOTHING, FOLD_LAST_BIT = 31 };

static bool in_ranges(const CodeRange *r, size_t n, uint32_t cp)
{
    while (n) {
        size_t half = n / 2;
        if (cp > r[half].last) {
            r += half + 1;
            n -= half + 1;
        } else if (cp < r[half].first) {
            n = half;
        } else {
            return true;
        }
    }
    return false;
}

bool unicode_is_terminal(uint32_t cp) { return in_ranges(terminal, sizeof terminal / sizeof *terminal, cp); }

unsigned unicode_fold(uint32_t cp, uint32_t out[UNICODE_FOLD_MAX])
{
    assert(cp <= UNICODE_MAX);
    uint32_t entry = unicode_fold_of[unicode_fold_page[cp / UNICODE_FOLD_PAGE]][cp % UNICODE_FOLD_PAGE];
    unsigned n = 0;

    if (entry == FOLD_SAME) {
        out[0] = cp;
        return 1;
    }
    if (entry == FOLD_NOTHING) return 0;
    do {
        out[n++] = fold_pool[entry] & UNICODE_MASK;
    } while (!(fold_pool[entry++] >> FOLD_LAST_BIT));
    return n;
}

int unicode_han_side_rare(uint32_t cp)
{
    return in_ranges(simplified_rare, sizeof simplified_rare / sizeof *simplified_rare, cp) -
           in_ranges(traditional_rare, sizeof traditional_rare / sizeof *traditional_rare, cp);
}

const char *unicode_tables_id(void) { return UNICODE_TABLES_ID; }
