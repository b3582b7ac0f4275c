/* tokenize/pretoken.h - the pre-tokenizer of DeepSeek-LLM: seven stages as one scan.
 *
 * The stages (every one cuts what all earlier ones left; none protects anything from a later one):
 *   1 [\r\n] alone   2 \s?[LETTERS]+   3 \s?[PUNCT]+   4 \s+$   5 [CJK]+   6 every numeric character alone   7 (maps bytes)
 * A pretoken ends where any stage cuts. That depends on the character before the cut, at most three behind it and, for
 * stage 4, on the rest of a run of white space that is looked through once: so one pass does it, linear on every input.
 * PUNCT holds all ASCII letters (its range :-~), so "café" is caf|é; U+3000 is white space, PUNCT and CJK at once.
 *
 * Bytes that are not well-formed UTF-8 count as characters of no class: they stick to their unclassified neighbours and are cut
 * from everything else. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_H
#define TAMIS_TOKENIZE_PRETOKEN_H

#include "core/bytes.h"

/* Classes of a character; bits. */
enum { PT_LETTER = 1, PT_PUNCT = 2, PT_CJK = 4, PT_SPACE = 8, PT_NUMERIC = 16, PT_NEWLINE = 32 };

/* Where the pretoken ends that begins at `at` < s.n; `at` must be 0 or the end of another. */
size_t pretoken_end(Span s, size_t at);

/* Class bits of a code point; 0 for UTF8_BAD. */
unsigned pretoken_class_of(uint32_t cp);

/* The member "pre_tokenizer" of tokenizer.json, canonical JSON; static. */
Span pretoken_spec(void);

#endif
