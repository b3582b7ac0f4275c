/* ingest/hopeless.h - `--rules cheap`: texts that no set of quality rules keeps, told in one look, so that deduplication need not carry them.
 *
 * Each limit lies below those of `tamis filter`'s sets (filter/rules.h: 50 words of three letters, 80 Chinese characters; digits above .3 or marks
 * above .5 of the characters), so that what it drops would be dropped there. Code is left to its own rules. */
#ifndef TAMIS_INGEST_HOPELESS_H
#define TAMIS_INGEST_HOPELESS_H

#include "ingest/lang.h"

typedef enum { HOPELESS_SHORT, HOPELESS_FEW_LETTERS, HOPELESS_NOT } Hopeless;

enum {
    HOPELESS_TENTHS =
        1500, /* least sum over letters: 10 each, 25 for Han, kana and hangul, which say as much as 2.5 letters do */
    HOPELESS_LETTERS = 30 /* least percentage of letters among what is not blank */
};

/* `text` is well-formed UTF-8. */
Hopeless hopeless_why(Span text, Lang lang);

#endif
