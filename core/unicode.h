/* core/unicode.h - the Unicode classes in use, from tables generated out of pinned data
 * (core/unicode_tables.inc, written by tools/gen_unicode.py from the Unicode Character Database 15.0.0
 * and OpenCC's context-free traditional -> simplified character table).
 *
 * Classes are what several rooms share; the tokenizer keeps its own, frozen by its reference. */
#ifndef TAMIS_CORE_UNICODE_H
#define TAMIS_CORE_UNICODE_H

#include "core/bytes.h"

typedef enum {
    UC_OTHER = 0, /* unassigned, control, format, private use, surrogate (Cn Cc Cf Co Cs) */
    UC_SPACE,     /* White_Space=yes: 9-13, 32, 0x85, 0xA0, 0x1680, 0x2000-0x200A, … 0x3000 */
    UC_LETTER,    /* L*, except Han, kana, Hangul */
    UC_HAN,       /* Script=Han letters and ideographs (with 〇 々) */
    UC_KANA,      /* Hiragana and Katakana letters, half-width too */
    UC_HANGUL,
    UC_MARK,   /* Mn Mc Me */
    UC_DIGIT,  /* Nd */
    UC_NUMBER, /* Nl No */
    UC_PUNCT,  /* P* */
    UC_SYMBOL  /* S* */
} UnicodeClass;

enum { UNICODE_MAX = 0x10FFFF, UNICODE_MASK = 0x1FFFFF };

extern const uint8_t unicode_class_page[0x1100]; /* cp >> 8 -> page */
extern const uint8_t unicode_class_of[][256];    /* page, cp & 255 -> UnicodeClass */
/* cp <= 0x10FFFF. */
static inline UnicodeClass unicode_class(uint32_t cp)
{
    return (UnicodeClass)unicode_class_of[unicode_class_page[cp >> 8]][cp & 255];
}

/* Sentence_Terminal=yes or one of … ～ ~ as the language rules count ends of lines. */
bool unicode_is_terminal(uint32_t cp);

/* +1: this character is written so only in simplified text, -1: only in traditional text, 0: both. One-sided is what
 * OpenCC converts away and the other side's standard (Big5; GB/T 2312) does not have. */
static inline int unicode_han_side(uint32_t cp);

/* Of U+3400 to U+9FFF a bit each side; what is above has its own, in ranges. */
enum { UNICODE_SIDES_BEGIN = 0x3400, UNICODE_SIDES_END = 0xA000 };
extern const uint64_t unicode_han_sides[2][(UNICODE_SIDES_END - UNICODE_SIDES_BEGIN) / 64];
int unicode_han_side_rare(uint32_t cp);
static inline int unicode_han_side(uint32_t cp)
{
    const uint32_t i = cp - UNICODE_SIDES_BEGIN;

    if (i >= UNICODE_SIDES_END - UNICODE_SIDES_BEGIN) return cp < 0x20000 ? 0 : unicode_han_side_rare(cp);
    return (int)(unicode_han_sides[0][i / 64] >> i % 64 & 1) - (int)(unicode_han_sides[1][i / 64] >> i % 64 & 1);
}

/* The folding of text keys for one code point: NFKC, lower case (NFKC_Casefold), then traditional ->
 * simplified, combining marks (Mn) dropped. Writes at most UNICODE_FOLD_MAX code points to out, returns how
 * many (0 when the character vanishes). Letters are decomposed before marks are dropped, so that a composed and a
 * decomposed accented letter fold alike. Folding is per character: composition across characters is not looked for
 * (conjoining jamo stay jamo). */
enum { UNICODE_FOLD_MAX = 18 };
unsigned unicode_fold(uint32_t cp, uint32_t out[UNICODE_FOLD_MAX]);

/* True for most characters: unicode_fold() would give cp itself. cp <= UNICODE_MAX. */
enum { UNICODE_FOLD_PAGE = 128 };
extern const uint16_t unicode_fold_page[(UNICODE_MAX + 1) / UNICODE_FOLD_PAGE]; /* cp / 128 -> page */
extern const uint16_t unicode_fold_of[][UNICODE_FOLD_PAGE];                     /* 0: itself; the rest is private */
static inline bool unicode_folds_to_itself(uint32_t cp)
{
    return unicode_fold_of[unicode_fold_page[cp / UNICODE_FOLD_PAGE]][cp % UNICODE_FOLD_PAGE] == 0;
}

/* Names the data behind the tables; stages whose output depends on them put it into their params. */
const char *unicode_tables_id(void);

#endif
