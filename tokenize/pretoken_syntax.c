#include "tokenize/pretoken_syntax.h"

#include <stdio.h>

/* \s, \w and \h of Oniguruma, as members of a class. */
static const char space_members[] =
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
static const char word_members[] = "\\p{L}\\p{M}\\p{N}\\p{Pc}", hex_members[] = "0-9A-Fa-f";
static const char callout[] = "(?C)";

typedef struct {
    Span in;
    size_t at;
    bool in_class;
    bool (*compiles)(const char *pattern);
    Buf *out;
    const char *why; /* what is refused */
} Translation;

/* The byte k behind the place, 0 at the end. */
static uint8_t peek(const Translation *t, size_t k) { return k < t->in.n - t->at ? t->in.p[t->at + k] : 0; }

static void copy(Translation *t, size_t n)
{
    for (; n > 0 && t->at < t->in.n; n--) buf_putc(t->out, t->in.p[t->at++]);
}

/* All up to and with `last`. */
static void copy_to(Translation *t, uint8_t last)
{
    uint8_t c = 0;

    while (t->at < t->in.n && c != last) buf_putc(t->out, c = t->in.p[t->at++]);
}

/* --- escapes */

static const char *members_of(uint8_t c)
{
    switch (c | 0x20) {
    case 's': return space_members;
    case 'w': return word_members;
    case 'h': return hex_members;
    default: return NULL;
    }
}

/* Stands at \s, \W … */
static void translate_members(Translation *t, const char *members)
{
    const bool negated = peek(t, 1) < 'a';

    if (negated && t->in_class) t->why = "\\S, \\W or \\H in a class";
    buf_printf(t->out, t->in_class ? "%.0s%s" : "[%s%s]", negated ? "^" : "", members);
    t->at += 2;
}

/* PCRE2's own, and forms with a value or with an abbreviation (\p{sc:Han}, \p{L&}). */
static bool is_foreign_property(Span name)
{
    static const char *const own[] = {"xan", "xps", "xsp", "xuc", "xwd"};

    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < ' ' || name.p[i] == '=' || name.p[i] == ':' || name.p[i] == '&') return true;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (name.n == 3 && (name.p[0] | 0x20) == own[i][0] && (name.p[1] | 0x20) == own[i][1] &&
            (name.p[2] | 0x20) == own[i][2])
            return true;
    return false;
}

/* What takes all but a property is written as a class: of two such escapes, \P{N}+\P{L}, PCRE2 10.42 believes that they have no character in
 * common, and makes the repeat possessive. */
static void put_property(Translation *t, bool negated, const char *what)
{
    if (negated && t->in_class)
        buf_printf(t->out, "\\%c%s", what[0] - 'a' + 'A', what + 1);
    else
        buf_printf(t->out, negated ? "[^\\%s]" : "\\%s", what);
}

/* \p{Name}, \P{^Name} */
static void translate_property(Translation *t)
{
    const bool caret = peek(t, 3) == '^', negated = (peek(t, 1) == 'P') != caret;
    char property[80], script[80];
    Span name = span_from(t->in, t->at + 3 + caret);

    const size_t n = span_find(name, '}');
    if (peek(t, 2) != '{' || n == name.n)
        t->why = "\\p without braces";
    else if (n > 60 || is_foreign_property((name = span(name.p, n))))
        t->why = "a property that Oniguruma does not know";
    if (t->why) return;
    snprintf(property, sizeof property, "p{%.*s}", (int)name.n, (const char *)name.p);
    snprintf(script, sizeof script, "\\p{sc:%.*s}", (int)name.n, (const char *)name.p);
    put_property(t, negated, name.n > 2 && t->compiles(script) ? script + 1 : property);
    t->at += 3 + caret + name.n + 1;
}

/* \x41, \x{41}, \cA, \g<name>, \g'name' */
static void translate_long_escape(Translation *t, uint8_t c)
{
    const uint8_t next = peek(t, 2);

    if (c == 'g' && next != '<' && next != '\'')
        t->why = "\\g without < or '";
    else if (c == 'x' && ((next >= '8' && next <= '9') || (next | 0x20) >= 'a') && next != '{' &&
             ascii_hex(peek(t, 3)) >= 0)
        t->why = "\\x of a byte above 7F"; /* a byte of UTF-8 there, a character here */
    copy(t, 3);
    if (c == 'g') copy_to(t, next == '<' ? '>' : '\'');
    if (next == '{') copy_to(t, '}');
}

/* \u4e00 */
static void translate_code_point(Translation *t)
{
    uint8_t digit[4];

    for (size_t i = 0; i < sizeof digit; i++)
        if (ascii_hex(digit[i] = peek(t, 2 + i)) < 0) t->why = "\\u without four digits";
    buf_printf(t->out, "\\x{%.4s}", (const char *)digit);
    t->at += 2 + sizeof digit;
}

static void translate_escape(Translation *t)
{
    static const char alike[] = "aAdefKnNrtzZ0123456789", more[] = "xcgo";
    const uint8_t c = peek(t, 1);
    const char *members = members_of(c);

    if (members)
        translate_members(t, members);
    else if (c == 'p' || c == 'P')
        translate_property(t);
    else if (c == 'D')
        put_property(t, true, "d"), t->at += 2;
    else if (c == 'k' || (c >= '1' && c <= '9' && !t->in_class))
        t->why = "a back-reference"; /* how far it compares no callout sees */
    else if (c == 'u')
        translate_code_point(t);
    else if (c && strchr(more, c))
        translate_long_escape(t, c);
    else if (!ascii_is_alnum(c) || (strchr(alike, c) && !(c == 'N' && peek(t, 2) == '{')))
        copy(t, 2);
    else
        t->why = c == 'b' || c == 'B'   ? "a word boundary"
                 : c == 'Q' || c == 'E' ? "\\Q or \\E"
                                        : "an escape that Oniguruma reads otherwise";
}

/* --- groups */

/* (?im-x: or (?i), of which both read i and x alike; `at` is behind "(?". Bytes up to : or ), or 0. */
static size_t option_letters(Translation *t)
{
    size_t n = 2;

    for (uint8_t c; ascii_is_alpha(c = peek(t, n)) || c == '-'; n++) {
        if (c == 'm')
            t->why = "the option m";
        else if (!strchr("ix-", c) || c == peek(t, n - 1))
            t->why = t->why ? t->why : "an option other than i and x";
    }
    return n > 2 && (peek(t, n) == ':' || peek(t, n) == ')') ? n + 1 : 0;
}

/* Copies the beginning of a group. Those that do not look around may be repeated, so each round is to be seen. */
static void translate_group(Translation *t)
{
    const uint8_t c = peek(t, 2), after = peek(t, 3);
    size_t n = 0;

    if (peek(t, 1) == '*') {
        t->why = "(*";
    } else if (peek(t, 1) != '?') {
        n = 1;
    } else if (c == '#') {
        copy_to(t, ')');
        return;
    } else if (c == '=' || c == '!') {
        copy(t, 3);
        return;
    } else if (c == '<' && (after == '=' || after == '!')) {
        copy(t, 4);
        return;
    } else if (c == '(' && (after == '<' || ascii_is_digit(after))) {
        copy_to(t, ')');
        return;
    } else if (c == ':' || c == '>') {
        n = 3;
    } else if (c == '<' || c == '\'') {
        for (n = 3; peek(t, n) && peek(t, n) != (c == '<' ? '>' : c);) n++;
        n++;
    } else if ((n = option_letters(t)) == 0) {
        t->why = "a group that Oniguruma reads otherwise";
    }
    copy(t, n);
    if (n && !t->why && t->in.p[t->at - 1] != ')') buf_puts(t->out, callout);
}

/* --- all else */

/* Bytes of {n}, {n,}, {n,m}; 0 when the brace is a character like others. {,n} and {n}? are other things to Oniguruma. */
static size_t braces(Translation *t)
{
    size_t n = 1;

    if (peek(t, 1) == ',') t->why = "{,n}";
    while (ascii_is_digit(peek(t, n))) n++;
    if (n == 1) return 0;
    if (peek(t, n) == '}' && peek(t, n + 1) == '?') t->why = "? behind {n}";
    if (peek(t, n) == ',')
        for (n++; ascii_is_digit(peek(t, n));) n++;
    return peek(t, n) == '}' ? n + 1 : 0;
}

/* A repeat and whether it is lazy or possessive. */
static void translate_repeat(Translation *t, size_t n)
{
    const bool is_braces = n > 1;

    copy(t, n);
    if (is_braces && peek(t, 0) == '+') t->why = "+ behind {n,m}";
    if (peek(t, 0) == '?' || peek(t, 0) == '+') copy(t, 1);
    buf_puts(t->out, callout);
}

static void translate_in_class(Translation *t)
{
    const uint8_t c = peek(t, 0);

    if (c == '[') t->why = "a class in a class";
    if (c == '&' && peek(t, 1) == '&') t->why = "&& in a class";
    if (c == ']') t->in_class = false;
    copy(t, 1);
}

static void translate_character(Translation *t)
{
    const uint8_t c = peek(t, 0);
    size_t n;

    if (c == '[') {
        t->in_class = true;
        copy(t, peek(t, 1) == '^' ? 2 : 1);
        if (peek(t, 0) == ']') t->why = "] as the first in a class";
    } else if (c == '(') {
        translate_group(t);
    } else if (c == '*' || c == '+' || c == '?') {
        translate_repeat(t, 1);
    } else if (c == '{' && (n = braces(t)) > 0) {
        translate_repeat(t, n);
    } else {
        copy(t, 1);
    }
}

const char *pretoken_translate(Span pattern, bool (*compiles)(const char *pattern), Buf *out)
{
    Translation t = {.in = pattern, .compiles = compiles, .out = out};

    while (t.at < pattern.n && !t.why) {
        if (pattern.p[t.at] == '\\')
            translate_escape(&t);
        else if (t.in_class)
            translate_in_class(&t);
        else
            translate_character(&t);
    }
    return t.why;
}
