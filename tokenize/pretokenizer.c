/* Which chain a tokenizer asks for, and the scan of a text by it. */
#include "tokenize/pretoken_chain.h"
#include "tokenize/pretoken_regex.h"
#include "tokenize/pretoken_scan.h"

#include <stdlib.h>
#include <string.h>

struct Pretokenizer {
    Span spec;
    const PretokenScanners *scanners; /* or NULL: */
    PretokenRegex *regex;
    bool owned; /* with its spec */
};

struct PretokenScan {
    PretokenScanner scanner;
    Span text;
    size_t at;
    /* Without a scanner: */
    RegexScan *regex;
    const size_t *ends; /* of the whole text; NULL before it is cut */
    size_t n_ends, n_given;
};

/* The members "pre_tokenizer" of the files of openai-community/gpt2, meta-llama/Meta-Llama-3-8B (cl100k's pattern), Qwen/Qwen2-7B and
 * deepseek-ai/DeepSeek-V3. */
static const char gpt2_json[] =
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}";
static const char cl100k_json[] =
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|"
    "'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\"
    "r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\""
    "type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]}";
static const char qwen2_json[] =
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|"
    "'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\"
    "n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type"
    "\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]}";
static const char deepseek_v3_json[] =
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}{1,3}\""
    "},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[\344\270\200"
    "-\351\276\245\343\201\200-\343\202\237\343\202\240-\343\203\277]+\"},\"behavior\":\"Isolated\",\"inve"
    "rt\":false},{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\"
    "\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+[\\r\\"
    "n]*|\\\\s*[\\r\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\""
    "ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]}";

#define STATIC_SPEC(JSON)                         \
    {                                             \
        (const uint8_t *)(JSON), sizeof(JSON) - 1 \
    }
static const Pretokenizer gpt2 = {STATIC_SPEC(gpt2_json), &pretoken_gpt2, NULL, false};
static const Pretokenizer cl100k = {STATIC_SPEC(cl100k_json), &pretoken_cl100k, NULL, false};
static const Pretokenizer qwen2 = {STATIC_SPEC(qwen2_json), &pretoken_qwen2, NULL, false};
static const Pretokenizer deepseek_v3 = {STATIC_SPEC(deepseek_v3_json), &pretoken_v3, NULL, false};
const Pretokenizer pretokenizer_deepseek_llm = {.scanners = &pretoken_deepseek_llm}; /* spec: pretoken_spec() */

const char *const pretokenizer_names[] = {"deepseek-llm", "deepseek-v3", "gpt2", "cl100k", "llama3", "qwen2", NULL};
static const Pretokenizer *const by_name[] = {
    &pretokenizer_deepseek_llm, &deepseek_v3, &gpt2, &cl100k, &cl100k, &qwen2};

const Pretokenizer *pretokenizer_named(const char *chain)
{
    for (size_t i = 0; pretokenizer_names[i]; i++)
        if (strcmp(chain, pretokenizer_names[i]) == 0) return by_name[i];
    return NULL;
}

Span pretokenizer_spec(const Pretokenizer *p) { return p == &pretokenizer_deepseek_llm ? pretoken_spec() : p->spec; }

bool pretokenizer_same(const Pretokenizer *a, const Pretokenizer *b)
{
    return (a->scanners && a->scanners == b->scanners) || span_eq(pretokenizer_spec(a), pretokenizer_spec(b));
}

/* Where every '\n' is a pretoken; the other chains join it to what is beside it. */
bool pretokenizer_is_of_lines(const Pretokenizer *p) { return p->scanners == &pretoken_deepseek_llm; }

/* Is it one of those with a name? *known is NULL when not. */
static ErrCode find_known(const PretokenChain *chain, const Pretokenizer **known, Err *err)
{
    PretokenChain *c = malloc(sizeof *c);
    ErrCode rc = c ? ERR_OK : err_nomem(err, "a pre-tokenizer");

    *known = NULL;
    for (size_t i = 0; pretokenizer_names[i] && rc == ERR_OK && !*known; i++) {
        Arena tree = {0};
        Json *root;
        rc = json_parse(&tree, pretokenizer_spec(by_name[i]), pretokenizer_names[i], &root, err);
        if (rc == ERR_OK) rc = pretokenchain_read(c, root, pretokenizer_names[i], err);
        if (rc == ERR_OK && pretokenchain_equal(c, chain)) *known = by_name[i];
        arena_clear(&tree);
    }
    free(c);
    return rc;
}

/* Takes the bytes of spec. */
static ErrCode make(const Pretokenizer **out, const PretokenChain *chain, const char *name, Buf *spec, Err *err)
{
    Pretokenizer *p = calloc(1, sizeof *p);
    const Pretokenizer *known = NULL;
    ErrCode rc = p ? find_known(chain, &known, err) : err_nomem(err, "a pre-tokenizer");

    if (rc == ERR_OK && !known) rc = pretokenregex_new(&p->regex, chain, name, err);
    if (rc != ERR_OK) {
        free(p);
        return rc;
    }
    p->scanners = known ? known->scanners : NULL;
    p->spec = buf_span(spec);
    p->owned = true;
    *spec = (Buf){0};
    *out = p;
    return ERR_OK;
}

ErrCode pretokenizer_read(const Pretokenizer **out, const Json *pre_tokenizer, const char *name, Err *err)
{
    PretokenChain *chain = malloc(sizeof *chain);
    Buf spec = {0};

    *out = NULL;
    if (!chain) return err_nomem(err, "a pre-tokenizer");
    ErrCode rc = pretokenchain_read(chain, pre_tokenizer, name, err);
    if (rc == ERR_OK) {
        json_put_tree(&spec, pre_tokenizer);
        rc = buf_ok(&spec, "pre_tokenizer", err);
    }
    if (rc == ERR_OK) rc = make(out, chain, name, &spec, err);
    buf_clear(&spec);
    free(chain);
    return rc;
}

void pretokenizer_free(const Pretokenizer *p)
{
    if (!p || !p->owned) return;
    Pretokenizer *own;
    memcpy(&own, &p, sizeof own); /* it came from make() */
    pretokenregex_free(own->regex);
    free((void *)(uintptr_t)own->spec.p);
    free(own);
}

PretokenScanner pretoken_fastest(const PretokenScanners *s)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("popcnt"))
        return s->avx2;
#endif
    return s->portable;
}

ErrCode pretokenscan_new(PretokenScan **out, const Pretokenizer *p, Err *err)
{
    PretokenScan *s = calloc(1, sizeof *s);

    *out = NULL;
    if (!s) return err_nomem(err, "a scan");
    if (p->scanners) {
        s->scanner = pretoken_fastest(p->scanners);
    } else {
        ErrCode rc = regexscan_new(&s->regex, p->regex, err);
        if (rc != ERR_OK) {
            free(s);
            return rc;
        }
    }
    *out = s;
    return ERR_OK;
}

void pretokenscan_free(PretokenScan *s)
{
    if (!s) return;
    regexscan_free(s->regex);
    free(s);
}

void pretokenscan_begin(PretokenScan *s, Span text)
{
    s->text = text;
    s->at = 0;
    s->ends = NULL;
    s->n_ends = s->n_given = 0;
}

static ErrCode next_of_regex(PretokenScan *s, size_t *end, size_t cap, size_t *n, Err *err)
{
    *n = 0;
    if (!s->text.n) return ERR_OK;
    if (!s->ends) {
        ErrCode rc = regexscan_run(s->regex, s->text, &s->ends, &s->n_ends, err);
        if (rc != ERR_OK) {
            s->ends = NULL;
            return rc;
        }
    }
    *n = s->n_ends - s->n_given < cap ? s->n_ends - s->n_given : cap;
    memcpy(end, s->ends + s->n_given, *n * sizeof *end);
    s->n_given += *n;
    return ERR_OK;
}

ErrCode pretokenscan_next(PretokenScan *s, size_t *end, size_t cap, size_t *n, Err *err)
{
    if (!s->scanner) return next_of_regex(s, end, cap, n, err);
    *n = s->scanner(s->text, s->at, end, cap);
    if (*n) s->at = end[*n - 1];
    return ERR_OK;
}
