/* ingest/hopeless.h - `--rules cheap`: texts that no set of quality rules keeps, told in one look, so that deduplication need not carry them.
 *
 * Short is what `tamis filter` drops too (filter/rules.h): Chinese below 80 characters, others where they cannot have 50 words of three letters. Few
 * letters stand for its limits of digits (above .3), marks (above .5) and words without letters: a share of letters that texts kept there hardly
 * have. Code is left to its own rules. */
#ifndef TAMIS_INGEST_HOPELESS_H
#define TAMIS_INGEST_HOPELESS_H

#include "ingest/lang.h"

typedef enum { HOPELESS_SHORT, HOPELESS_FEW_LETTERS, HOPELESS_NOT } Hopeless;

enum {
    HOPELESS_CHARS_ZH = 80, /* least characters of a Chinese text, of whatever kind */
    HOPELESS_TENTHS =
        1500, /* else least sum over letters: 10 each, 25 for Han, kana and hangul, which say as much as 2.5 letters do */
    HOPELESS_LETTERS = 30 /* least percentage of letters among what is not blank */
};

/* `text` is well-formed UTF-8. */
Hopeless hopeless_why(Span text, Lang lang);

#endif
