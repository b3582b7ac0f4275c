/* tokenize/pretoken_syntax.h - patterns written for Oniguruma in Ruby's syntax, as PCRE2 is to have them; private to pretoken_regex.c.
 *
 * What both read alike is copied. \s, \w, \h and \u4e00 are written out, and a script, \p{Han}, which PCRE2 takes for the characters that it also
 * uses, is asked for by itself. Whatever else PCRE2 would take otherwise, or takes and Oniguruma does not, is refused by name: groups
 * such as (?P<, options other than i and x, (*, \b, \v, \C, \G, \Q, \R, \X, \pL, \g1, \x80, {n,m}+, {,n}, {n}?, classes in classes and &&, \W and
 * the like inside a class. Back-references are refused too, for what they walk cannot be counted.
 *
 * At the beginning of every group and behind every repeat stands a callout, (?C): whatever a match walks without a bound passes one. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_SYNTAX_H
#define TAMIS_TOKENIZE_PRETOKEN_SYNTAX_H

#include "core/buf.h"

/* Appends the pattern as PCRE2 is to have it. NULL, or what it has that is refused. `compiles` says whether PCRE2 knows a pattern. */
const char *pretoken_translate(Span pattern, bool (*compiles)(const char *pattern), Buf *out);

#endif
