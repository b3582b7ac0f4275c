/* Which chain a tokenizer asks for, and the scan of a text by it. */
#include "core/json_tree.h"
#include "tokenize/pretoken_scan.h"

#include <stdlib.h>
#include <string.h>

struct Pretokenizer {
    Span (*spec)(void);
    const PretokenScanners *scanners;
};

PretokenScanner pretoken_fastest(const PretokenScanners *s)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
        return s->avx2;
#endif
    return s->portable;
}

struct PretokenScan {
    PretokenScanner scanner;
    Span text;
    size_t at;
};

const char *const pretokenizer_names[] = {"deepseek-llm", NULL};
const Pretokenizer pretokenizer_deepseek_llm = {pretoken_spec, &pretoken_deepseek_llm};

const Pretokenizer *pretokenizer_named(const char *chain)
{
    return strcmp(chain, pretokenizer_names[0]) == 0 ? &pretokenizer_deepseek_llm : NULL;
}

ErrCode pretokenizer_read(const Pretokenizer **out, const Json *pre_tokenizer, const char *name, Err *err)
{
    Buf spec = {0};
    ErrCode rc;

    *out = NULL;
    if (!pre_tokenizer || pre_tokenizer->type == JSON_NULL)
        return err_set(err, ERR_DATA, "%s: not a tokenizer this program can follow: pre_tokenizer is missing", name);
    json_put_tree(&spec, pre_tokenizer);
    if ((rc = buf_ok(&spec, "pre_tokenizer", err)) == ERR_OK) {
        if (span_eq(buf_span(&spec), pretoken_spec()))
            *out = &pretokenizer_deepseek_llm;
        else
            rc = err_set(
                err, ERR_DATA,
                "%s: not a tokenizer this program can follow: pre_tokenizer is not the chain of DeepSeek-LLM", name);
    }
    buf_clear(&spec);
    return rc;
}

void pretokenizer_free(const Pretokenizer *p) { (void)p; /* all are static */ }

Span pretokenizer_spec(const Pretokenizer *p) { return p->spec(); }

ErrCode pretokenscan_new(PretokenScan **out, const Pretokenizer *p, Err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return err_nomem(err, "a scan");
    (*out)->scanner = pretoken_fastest(p->scanners);
    return ERR_OK;
}

void pretokenscan_free(PretokenScan *s) { free(s); }

void pretokenscan_begin(PretokenScan *s, Span text)
{
    s->text = text;
    s->at = 0;
}

ErrCode pretokenscan_next(PretokenScan *s, size_t *end, size_t cap, size_t *n, Err *err)
{
    (void)err;
    *n = s->scanner(s->text, s->at, end, cap);
    if (*n) s->at = end[*n - 1];
    return ERR_OK;
}
