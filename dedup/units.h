/* dedup/units.h - a text as a sequence of units that are compared and cut whole: lines, paragraphs, sentences or key tokens.
 * Private to the room.
 *
 *   line        what lies between line ends ('\n'), without the white space around it
 *   paragraph   lines up to a blank one
 *   sentence    up to its terminal marks with the closing quotes and brackets behind them, or to the end of its line. Terminal are the
 *               marks of Unicode's Sentence_Terminal and of core/unicode.h at once; . ! ? only before white space or at the end
 *   token       a key token (core/textkey.h)
 * What lies between units are separators: white space, or for tokens whatever is no token. Units are compared by their key tokens, so that case,
 * width, punctuation, digits and Han variants make no difference. */
#ifndef TAMIS_DEDUP_UNITS_H
#define TAMIS_DEDUP_UNITS_H

#include "core/textkey.h"

typedef enum { UNIT_LINE, UNIT_PARAGRAPH, UNIT_SENTENCE, UNIT_TOKEN } UnitKind;

typedef struct {
    uint32_t begin, end; /* bytes of the text, begin < end */
    uint32_t tok, n_tok; /* its key tokens; none in a rule of asterisks */
} Unit;

/* Scratch of one thread; zero-initialise, reuse. */
typedef struct {
    TextKey key;
    Unit *unit; /* n of the last text, in order */
    size_t n, cap;
    Buf hashes; /* private: the tokens' hashes, 8 bytes each */
} UnitText;
void units_clear(UnitText *u);

/* ERR_LIMIT: the text has 4 GiB or more. */
MUST_USE ErrCode units_split(UnitText *u, UnitKind kind, Span text, Err *err);
/* What n tokens from `tok` on are identified by: XXH3-128 of their hashes. */
Hash128 units_hash(const UnitText *u, size_t tok, size_t n);
/* How many of these tokens are no numbers: all numbers are one token, so that columns of figures would look alike. */
size_t units_words(const UnitText *u, size_t tok, size_t n);

/* --- cutting */
typedef struct {
    uint32_t begin, end; /* units [begin, end), or bytes */
} UnitRange;
/* The bytes that go when units [range->begin, range->end), at least one, go: these units and one of the separators beside them. Of the two the one with
 * more line ends stays, or the one that parts words, so that a cut makes no blank line that was not there; a unit that began a line keeps its indentation. What
 * is behind the last unit stays, what is before the first one goes back to the line's beginning. A character that
 * is several tokens goes when all of them go, and *range is left with the units that do. Cuts of ranges that do not touch do not touch. No two tokens
 * become one: for that the last token of a cut may stay, or all of it (then *range is empty). */
UnitRange units_cut(const UnitText *u, Span text, UnitRange *range);

#endif
