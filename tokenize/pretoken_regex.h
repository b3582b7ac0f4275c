/* tokenize/pretoken_regex.h - any chain of splits, one regular expression after the other through PCRE2, each on the pieces that the
 * one before left; private to pretokenizer.c.
 *
 * Patterns are written for Oniguruma; what becomes of them says pretoken_syntax.h. Known to differ: categories are those of PCRE2's Unicode,
 * and ignoring case does not take one character for two.
 *
 * A run of bytes that are no UTF-8 is a pretoken of its own, since no pattern can say anything about it. Steps of matching are counted, and a text
 * that takes more than 1024 a byte of it is an error that names the pattern and the place: no other cut would be the reference's. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_REGEX_H
#define TAMIS_TOKENIZE_PRETOKEN_REGEX_H

#include "tokenize/pretoken_chain.h"

typedef struct PretokenRegex PretokenRegex; /* immutable, shared by threads */
/* `name` goes into messages. ERR_DATA: a pattern is refused. */
MUST_USE ErrCode pretokenregex_new(PretokenRegex **r, const PretokenChain *chain, const char *name, Err *err);
void pretokenregex_free(PretokenRegex *r); /* NULL is fine */

typedef struct RegexScan RegexScan; /* one a thread; takes 16 bytes a pretoken, keeps 32 MiB */
MUST_USE ErrCode regexscan_new(RegexScan **s, const PretokenRegex *r, Err *err);
void regexscan_free(RegexScan *s); /* NULL is fine */
/* All ends of the pretokens of a text, an array that lives until the next call. ERR_LIMIT: this text takes too many steps, or too deep a stack;
 * the scan is as good as before. */
MUST_USE ErrCode regexscan_run(RegexScan *s, Span text, const size_t **end, size_t *n, Err *err);

#endif
