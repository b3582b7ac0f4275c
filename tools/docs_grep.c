#define PCRE2_CODE_UNIT_WIDTH 8
#include "tools/docs.h"

#include <pcre2.h>
#include <stdlib.h>

/* PCRE2 is met here only. Limits: a pattern that backtracks more than this on one document is refused, not waited for. */
enum { MATCH_LIMIT = 10000000, HEAP_LIMIT_KIB = 64 << 10 };

struct DocsPattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

ErrCode docspattern_new(DocsPattern **out, const char *pattern, bool ignore_case, Err *err)
{
    DocsPattern *p = calloc(1, sizeof *p);
    int code;
    PCRE2_SIZE at;
    uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | (ignore_case ? PCRE2_CASELESS : 0);

    *out = NULL;
    if (!p) return err_nomem(err, "a pattern");
    p->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, flags, &code, &at, NULL);
    if (!p->code) {
        PCRE2_UCHAR text[200];
        pcre2_get_error_message(code, text, sizeof text);
        docspattern_free(p);
        return err_set(err, ERR_USAGE, "docs grep: pattern is wrong at offset %zu: %s", (size_t)at,
                       (const char *)text);
    }
    if (pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) != 0) {
        /* no JIT on this machine: the interpreter serves */
    }
    p->data = pcre2_match_data_create_from_pattern(p->code, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!p->data || !p->context) {
        docspattern_free(p);
        return err_nomem(err, "a pattern");
    }
    pcre2_set_match_limit(p->context, MATCH_LIMIT);
    pcre2_set_heap_limit(p->context, HEAP_LIMIT_KIB);
    *out = p;
    return ERR_OK;
}

void docspattern_free(DocsPattern *p)
{
    if (!p) return;
    pcre2_match_context_free(p->context);
    pcre2_match_data_free(p->data);
    pcre2_code_free(p->code);
    free(p);
}

ErrCode docspattern_find(DocsPattern *p, Span text, size_t from, size_t *begin, size_t *end, bool *hit, Err *err)
{
    /* Document text was checked when its line was read, so PCRE2 need not check it again. */
    int rc = pcre2_match(p->code, text.p ? text.p : (PCRE2_SPTR) "", text.n, from, PCRE2_NO_UTF_CHECK, p->data,
                         p->context);

    *hit = rc > 0;
    if (rc == PCRE2_ERROR_NOMATCH) return ERR_OK;
    if (rc < 0) {
        PCRE2_UCHAR msg[200];
        pcre2_get_error_message(rc, msg, sizeof msg);
        return err_set(err, ERR_LIMIT, "docs grep: %s", (const char *)msg);
    }
    PCRE2_SIZE *v = pcre2_get_ovector_pointer(p->data);
    *begin = v[0];
    *end = v[1];
    return ERR_OK;
}
