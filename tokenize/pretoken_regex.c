#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenize/pretoken_regex.h"

#include "core/utf8.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* PCRE2 is met here only. Patterns come from files: one that backtracks more than this in one match is refused, not waited for. */
enum {
    MATCH_LIMIT = 10000000,
    DEPTH_LIMIT = 100000,
    HEAP_LIMIT_KIB = 64 << 10,
    JIT_STACK_MAX = 8 << 20,
    MAX_PATTERN_BYTES = 1 << 16
};

/* \s, \w and \h of Oniguruma, as members of a class. */
static const char space_members[] =
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
static const char word_members[] = "\\p{L}\\p{M}\\p{N}\\p{Pc}", hex_members[] = "0-9A-Fa-f";

typedef struct {
    pcre2_code *code;
    char *pattern; /* as in the file, for messages */
    SplitBehavior behavior;
    bool invert;
} RegexStep;

struct PretokenRegex {
    RegexStep step[PRETOKEN_MAX_STEPS];
    size_t n;
};

struct RegexScan {
    const PretokenRegex *regex;
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
    Buf ends, before; /* size_t each: of the pieces of this step, and of the one before */
};

/* --- from Oniguruma's syntax */

typedef struct {
    Span in;
    size_t at;
    bool in_class;
    Buf *out;
    const char *why; /* what is refused */
} Translation;

static const char *members_of(uint8_t c)
{
    switch (c | 0x20) {
    case 's': return space_members;
    case 'w': return word_members;
    case 'h': return hex_members;
    default: return NULL;
    }
}

static void translate_escape(Translation *t)
{
    uint8_t c = t->at + 1 < t->in.n ? t->in.p[t->at + 1] : 0;
    const char *members = members_of(c);

    t->at += 2;
    if (c == 'b' || c == 'B') t->why = "a word boundary";
    if (c == 'Q' || c == 'E') t->why = "\\Q or \\E";
    if ((c == 'p' || c == 'P') && (t->at >= t->in.n || t->in.p[t->at] != '{')) t->why = "\\p without braces";
    if (members && t->in_class && c < 'a') t->why = "\\S, \\W or \\H in a class";
    if (!members) {
        buf_putc(t->out, '\\');
        if (c) buf_putc(t->out, c);
        if (c && strchr("pPxkg", c) && t->at < t->in.n &&
            t->in.p[t->at] == '{') /* \p{L}: its braces repeat nothing */
            while (t->at < t->in.n && t->in.p[t->at - 1] != '}') buf_putc(t->out, t->in.p[t->at++]);
    } else if (t->in_class) {
        buf_puts(t->out, members);
    } else {
        buf_printf(t->out, "[%s%s]", c < 'a' ? "^" : "", members);
    }
}

/* Options of a group, (?im-x: or (?i), that both read alike; `at` is behind "(?". What is no option is for PCRE2 to judge. */
static const char *refused_option(Span s, size_t at)
{
    const char *why = NULL;
    size_t i = at;

    for (; i < s.n && (ascii_is_alpha(s.p[i]) || s.p[i] == '-'); i++)
        if (s.p[i] == 'm')
            return "the option m";
        else if (!strchr("ix-", s.p[i]))
            why = "an option other than i and x";
    return i > at && i < s.n && (s.p[i] == ':' || s.p[i] == ')') ? why : NULL;
}

/* What `{` begins: {,n} and {n}? are other things to Oniguruma. */
static const char *refused_braces(Span s, size_t at)
{
    if (++at < s.n && s.p[at] == ',') return "{,n}";
    while (at < s.n && ascii_is_digit(s.p[at])) at++;
    return at + 1 < s.n && s.p[at] == '}' && s.p[at + 1] == '?' ? "? behind {n}" : NULL;
}

static void translate_character(Translation *t)
{
    const uint8_t *p = t->in.p + t->at;
    size_t left = t->in.n - t->at;

    if (t->in_class) {
        if (*p == '[') t->why = "a class in a class";
        if (left > 1 && p[0] == '&' && p[1] == '&') t->why = "&& in a class";
        if (*p == ']') t->in_class = false;
    } else if (*p == '[') {
        t->in_class = true;
        buf_putc(t->out, *p), t->at++;
        if (left > 1 && p[1] == '^') buf_putc(t->out, '^'), t->at++;
        if (t->at < t->in.n && t->in.p[t->at] == ']') t->why = "] as the first in a class";
        return;
    } else if (left > 1 && p[0] == '(' && p[1] == '*') {
        t->why = "(*";
    } else if (left > 2 && p[0] == '(' && p[1] == '?') {
        t->why = refused_option(t->in, t->at + 2);
    } else if (*p == '{') {
        t->why = refused_braces(t->in, t->at);
    } else if (left > 1 && p[0] == '}' && p[1] == '+') {
        t->why = "+ behind {n,m}";
    }
    buf_putc(t->out, *p), t->at++;
}

/* Appends the pattern as PCRE2 is to have it; NULL, or what stands in the way. */
static const char *translate(Span pattern, Buf *out)
{
    Translation t = {.in = pattern, .out = out};

    while (t.at < pattern.n && !t.why) {
        if (pattern.p[t.at] == '\\')
            translate_escape(&t);
        else
            translate_character(&t);
    }
    return t.why;
}

/* --- compiling */

static ErrCode compile(RegexStep *step, const PretokenStep *from, Span pattern, const char *name, Err *err)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    uint32_t flags =
        PCRE2_UTF | (from->literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
    PCRE2_SIZE at;
    int why;

    if (!context) return err_nomem(err, "a pattern");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    step->code = pcre2_compile(pattern.p, pattern.n, flags, &why, &at, context);
    pcre2_compile_context_free(context);
    if (!step->code) {
        PCRE2_UCHAR text[120];
        pcre2_get_error_message(why, text, sizeof text);
        return err_set(err, ERR_DATA, "%s: pre_tokenizer: pattern %.200s: %s", name, step->pattern,
                       (const char *)text);
    }
    if (pcre2_jit_compile(step->code, PCRE2_JIT_COMPLETE) != 0) {
        /* no JIT on this machine: the interpreter serves */
    }
    return ERR_OK;
}

static ErrCode make_step(RegexStep *step, const PretokenStep *from, const char *name, Err *err)
{
    Buf pattern = {0};
    const char *why = NULL;
    ErrCode rc;

    step->behavior = from->behavior;
    step->invert = from->invert;
    step->pattern = malloc(from->pattern.n + 1);
    if (!step->pattern) return err_nomem(err, "a pattern");
    if (from->pattern.n) memcpy(step->pattern, from->pattern.p, from->pattern.n);
    step->pattern[from->pattern.n] = '\0';
    if (from->pattern.n == 0 || from->pattern.n > MAX_PATTERN_BYTES)
        return err_set(err, ERR_DATA, "%s: pre_tokenizer: a pattern is not of 1 to %d bytes", name,
                       MAX_PATTERN_BYTES);
    if (from->literal)
        buf_put_span(&pattern, from->pattern);
    else
        why = translate(from->pattern, &pattern);
    if ((rc = buf_ok(&pattern, "a pattern", err)) == ERR_OK)
        rc = why ? err_set(err, ERR_DATA,
                           "%s: not a tokenizer this program can follow: pre_tokenizer: pattern %.200s has %s", name,
                           step->pattern, why)
                 : compile(step, from, buf_span(&pattern), name, err);
    buf_clear(&pattern);
    return rc;
}

ErrCode pretokenregex_new(PretokenRegex **out, const PretokenChain *chain, const char *name, Err *err)
{
    PretokenRegex *r = calloc(1, sizeof *r);
    ErrCode rc = r ? ERR_OK : err_nomem(err, "a pre-tokenizer");

    *out = NULL;
    for (size_t i = 0; i < chain->n && rc == ERR_OK; i++)
        rc = make_step(&r->step[r->n++], &chain->step[i], name, err);
    if (rc == ERR_OK)
        *out = r;
    else
        pretokenregex_free(r);
    return rc;
}

void pretokenregex_free(PretokenRegex *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->n; i++) {
        pcre2_code_free(r->step[i].code);
        free(r->step[i].pattern);
    }
    free(r);
}

/* --- matching */

ErrCode regexscan_new(RegexScan **out, const PretokenRegex *r, Err *err)
{
    RegexScan *s = calloc(1, sizeof *s);

    *out = NULL;
    if (!s) return err_nomem(err, "a scan");
    s->regex = r;
    s->context = pcre2_match_context_create(NULL);
    s->data = pcre2_match_data_create(1, NULL);
    s->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK_MAX, NULL); /* NULL without JIT */
    if (!s->context || !s->data) {
        regexscan_free(s);
        return err_nomem(err, "a scan");
    }
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    pcre2_set_depth_limit(s->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
    if (s->stack) pcre2_jit_stack_assign(s->context, NULL, s->stack);
    *out = s;
    return ERR_OK;
}

void regexscan_free(RegexScan *s)
{
    if (!s) return;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->context);
    pcre2_jit_stack_free(s->stack);
    buf_clear(&s->ends);
    buf_clear(&s->before);
    free(s);
}

/* A piece that is being cut: what stands before the next boundary. */
typedef struct {
    RegexScan *scan;
    const RegexStep *step;
    size_t begin; /* of the piece, in the text */
    size_t n;     /* its bytes */
    size_t last;  /* boundary, in the piece */
    bool any, matched;
} Cutter;

static void put_end(Buf *ends, size_t end) { buf_put(ends, &end, sizeof end); }

/* An item, a match or what lies between two, begins at `at`; does it begin a pretoken? */
static void put_item(Cutter *c, size_t at, bool match)
{
    bool joined = false;

    match ^= c->step->invert;
    switch (c->step->behavior) {
    case SPLIT_ISOLATED: break;
    case SPLIT_CONTIGUOUS: joined = match == c->matched; break;
    case SPLIT_MERGED_WITH_PREVIOUS: joined = match && !c->matched; break;
    case SPLIT_MERGED_WITH_NEXT: joined = c->matched && !match; break;
    }
    if (c->any && !joined && at > c->last && at < c->n) {
        put_end(&c->scan->ends, c->begin + at);
        c->last = at;
    }
    c->any = true;
    c->matched = match;
}

static ErrCode match_failed(const Cutter *c, int rc, size_t at, Err *err)
{
    PCRE2_UCHAR text[120];

    if (rc == PCRE2_ERROR_NOMEMORY) return err_nomem(err, "matching a pattern");
    pcre2_get_error_message(rc, text, sizeof text);
    return err_set(err, ERR_LIMIT, "pattern %.200s at byte %zu of a text: %s", c->step->pattern, c->begin + at,
                   (const char *)text);
}

/* Every match from left to right; an empty one behind another does not count, and the search goes on a character further. */
static ErrCode cut_piece(Cutter *c, Span piece, Err *err)
{
    size_t done = 0, from = 0, last_end = SIZE_MAX;
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(c->scan->data);

    while (from <= piece.n) {
        int rc =
            pcre2_match(c->step->code, piece.p, piece.n, from, PCRE2_NO_UTF_CHECK, c->scan->data, c->scan->context);
        if (rc == PCRE2_ERROR_NOMATCH) break;
        if (rc < 0) return match_failed(c, rc, from, err);
        size_t begin = v[0], end = v[1];
        if (begin < done || end < begin)
            return err_set(err, ERR_DATA, "pattern %.200s matches backwards", c->step->pattern);
        uint32_t cp;
        from = end > begin ? end : end + (end < piece.n ? utf8_next(piece.p + end, piece.n - end, &cp) : 1);
        if (begin == end && begin == last_end) continue;
        if (begin > done) put_item(c, done, false);
        put_item(c, begin, true);
        done = last_end = end;
    }
    if (done < piece.n) put_item(c, done, false);
    return ERR_OK;
}

/* Pieces of well-formed and of ill-formed bytes in turn. */
static void cut_bad(Buf *ends, Span text)
{
    for (size_t at = 0; at < text.n;) {
        uint32_t cp;
        size_t good = utf8_valid_prefix(span_from(text, at));
        if (good) put_end(ends, at += good);
        if (at == text.n) return;
        do {
            unsigned n = utf8_next(text.p + at, text.n - at, &cp);
            if (cp != UTF8_BAD) break;
            at += n;
        } while (at < text.n);
        put_end(ends, at);
    }
}

static bool piece_is_bad(Span piece)
{
    uint32_t cp;

    return utf8_next(piece.p, piece.n, &cp) && cp == UTF8_BAD;
}

static ErrCode run_step(RegexScan *s, const RegexStep *step, Span text, Err *err)
{
    Buf swap = s->before;
    size_t at = 0, end;
    ErrCode rc = ERR_OK;

    s->before = s->ends;
    s->ends = swap;
    buf_reset(&s->ends);
    for (size_t i = 0; i < s->before.n && rc == ERR_OK; i += sizeof end, at = end) {
        memcpy(&end, s->before.p + i, sizeof end);
        Span piece = {text.p + at, end - at};
        Cutter c = {.scan = s, .step = step, .begin = at, .n = piece.n};
        if (!piece_is_bad(piece)) rc = cut_piece(&c, piece, err);
        put_end(&s->ends, end);
    }
    return rc;
}

ErrCode regexscan_run(RegexScan *s, Span text, const size_t **end, size_t *n, Err *err)
{
    ErrCode rc = ERR_OK;

    buf_reset(&s->ends);
    buf_reset(&s->before);
    cut_bad(&s->ends, text);
    for (size_t i = 0; i < s->regex->n && rc == ERR_OK; i++) rc = run_step(s, &s->regex->step[i], text, err);
    if (rc == ERR_OK) rc = buf_ok(&s->ends, "the ends of pretokens", err);
    if (rc == ERR_OK) rc = buf_ok(&s->before, "the ends of pretokens", err);
    *end = (const size_t *)(const void *)s->ends.p;
    *n = s->ends.n / sizeof(size_t);
    return rc;
}
