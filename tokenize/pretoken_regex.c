#define PCRE2_CODE_UNIT_WIDTH 8
#include "tokenize/pretoken_regex.h"

#include "core/utf8.h"
#include "tokenize/pretoken_syntax.h"

#include <inttypes.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* PCRE2 is met here only. Texts are hostile: one that takes more than so many steps of matching for each of its bytes is given up. Real text
 * takes a few; at 13 ns each, what (a+)+b takes on a run of a, the worst text costs 15 microseconds a byte. */
enum {
    STEPS_PER_BYTE = 1024,
    HEAP_LIMIT_KIB = 64 << 10, /* where there is no JIT */
    JIT_STACK_MAX = 8 << 20,
    MAX_PATTERN_BYTES = 1 << 16,
};

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

/* What matching has cost so far. */
typedef struct {
    uint64_t n, most;
    size_t start, at; /* of the match in work, and where it was seen last */
} Steps;

struct RegexScan {
    const PretokenRegex *regex;
    Steps steps;
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
    Buf ends, before; /* size_t each: of the pieces of this step, and of the one before */
};

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

static bool compiles(const char *pattern)
{
    int why;
    PCRE2_SIZE at;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &why, &at, NULL);

    pcre2_code_free(code);
    return code != NULL;
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
        why = pretoken_translate(from->pattern, compiles, &pattern);
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

/* At every callout: the way since the last one, which a match that begins anew begins at its first byte. */
static int count_step(pcre2_callout_block *b, void *ctx)
{
    Steps *s = ctx;
    const size_t from = b->start_match == s->start ? s->at : b->start_match, at = b->current_position;

    s->n += 1 + (at > from ? at - from : from - at);
    s->start = b->start_match;
    s->at = at;
    return s->n > s->most ? PCRE2_ERROR_CALLOUT : 0;
}

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
    pcre2_set_callout(s->context, count_step, &s->steps);
    pcre2_set_match_limit(s->context, UINT32_MAX); /* the steps are counted */
    pcre2_set_depth_limit(s->context, UINT32_MAX);
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
    if (rc == PCRE2_ERROR_CALLOUT)
        return err_set(err, ERR_LIMIT,
                       "pattern %.200s at byte %zu of a text of %" PRIu64 ": more than %d steps a byte",
                       c->step->pattern, c->begin + at, c->scan->steps.most / STEPS_PER_BYTE, STEPS_PER_BYTE);
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
        c->scan->steps.start = SIZE_MAX;
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

    buf_recycle(&s->ends);
    buf_recycle(&s->before);
    s->steps = (Steps){.most = (uint64_t)text.n * STEPS_PER_BYTE};
    cut_bad(&s->ends, text);
    for (size_t i = 0; i < s->regex->n && rc == ERR_OK; i++) rc = run_step(s, &s->regex->step[i], text, err);
    if (rc == ERR_OK) rc = buf_ok(&s->ends, "the ends of pretokens", err);
    if (rc == ERR_OK) rc = buf_ok(&s->before, "the ends of pretokens", err);
    *end = (const size_t *)(const void *)s->ends.p;
    *n = s->ends.n / sizeof(size_t);
    return rc;
}
