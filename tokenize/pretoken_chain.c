#include "tokenize/pretoken_chain.h"

#include <stdlib.h>

/* ByteLevel's own (huggingface/tokenizers, pre_tokenizers/byte_level.rs), the one of GPT-2. */
static const char byte_level_regex[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/* char::is_numeric; ASCII punctuation or category P. */
static const char numeric_regex[] = "\\p{N}", punctuation_regex[] = "[!-/:-@\\[-`{-~\\p{P}]";

typedef struct {
    PretokenChain *chain;
    const char *name; /* for messages */
    bool byte_level;  /* seen: it must be the last one, since a later one would see its characters */
} ChainReader;

static ErrCode refuse(const ChainReader *r, Err *err, const char *what, Span which)
{
    return err_set(err, ERR_DATA, "%s: not a tokenizer this program can follow: pre_tokenizer: %s%.*s", r->name, what,
                   (int)(which.n < 100 ? which.n : 100), which.n ? (const char *)which.p : "");
}

static ErrCode add_step(ChainReader *r, PretokenStep step, Err *err)
{
    if (r->chain->n == PRETOKEN_MAX_STEPS) return refuse(r, err, "too many steps", SPAN_LIT(""));
    r->chain->step[r->chain->n++] = step;
    return ERR_OK;
}

static ErrCode read_behavior(const ChainReader *r, const Json *step, SplitBehavior *out, Err *err)
{
    static const char *const names[] = {"Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext"};
    const Json *j = json_get(step, "behavior");

    if (!j || j->type != JSON_STRING) return refuse(r, err, "behavior is missing", SPAN_LIT(""));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(j->string, names[i])) {
            *out = (SplitBehavior)i;
            return ERR_OK;
        }
    return refuse(r, err, "behavior is ", j->string); /* Removed too: encoding keeps every byte */
}

static ErrCode read_split(ChainReader *r, const Json *j, Err *err)
{
    const Json *pattern = json_get(j, "pattern"), *regex = json_get(pattern, "Regex"),
               *string = json_get(pattern, "String");
    PretokenStep step = {.literal = !regex};
    ErrCode rc;

    if (!regex) regex = string;
    if (!regex || regex->type != JSON_STRING)
        return refuse(r, err, "a Split has neither Regex nor String", SPAN_LIT(""));
    step.pattern = regex->string;
    if ((rc = read_behavior(r, j, &step.behavior, err)) != ERR_OK) return rc;
    if ((rc = json_get_bool(j, "invert", false, r->name, &step.invert, err)) != ERR_OK) return rc;
    return add_step(r, step, err);
}

static ErrCode read_digits(ChainReader *r, const Json *j, Err *err)
{
    PretokenStep step = {.pattern = span_str(numeric_regex)};
    bool individual;
    ErrCode rc = json_get_bool(j, "individual_digits", false, r->name, &individual, err);

    if (rc != ERR_OK) return rc;
    step.behavior = individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return add_step(r, step, err);
}

static ErrCode read_punctuation(ChainReader *r, const Json *j, Err *err)
{
    PretokenStep step = {.pattern = span_str(punctuation_regex)};
    ErrCode rc = json_get(j, "behavior") ? read_behavior(r, j, &step.behavior, err) : ERR_OK;

    return rc == ERR_OK ? add_step(r, step, err) : rc;
}

static ErrCode read_byte_level(ChainReader *r, const Json *j, Err *err)
{
    bool prefix, regex;
    ErrCode rc;

    r->byte_level = true;
    if ((rc = json_get_bool(j, "add_prefix_space", true, r->name, &prefix, err)) != ERR_OK) return rc;
    if ((rc = json_get_bool(j, "use_regex", true, r->name, &regex, err)) != ERR_OK) return rc;
    if (prefix) return refuse(r, err, "ByteLevel with add_prefix_space", SPAN_LIT(""));
    return regex ? add_step(r, (PretokenStep){.pattern = span_str(byte_level_regex)}, err) : ERR_OK;
}

static ErrCode read_step(ChainReader *r, const Json *j, Err *err)
{
    const Json *type = json_get(j, "type"), *steps = json_get(j, "pretokenizers");
    ErrCode rc = ERR_OK;

    if (!type || type->type != JSON_STRING) return refuse(r, err, "a step has no type", SPAN_LIT(""));
    if (span_is(type->string, "Sequence")) { /* as deep as JSON may be */
        if (!steps || steps->type != JSON_ARRAY)
            return refuse(r, err, "a Sequence has no pretokenizers", SPAN_LIT(""));
        for (j = steps->child; j && rc == ERR_OK; j = j->next) rc = read_step(r, j, err);
        return rc;
    }
    if (r->byte_level) return refuse(r, err, "behind ByteLevel comes ", type->string);
    if (span_is(type->string, "Split")) return read_split(r, j, err);
    if (span_is(type->string, "Digits")) return read_digits(r, j, err);
    if (span_is(type->string, "Punctuation")) return read_punctuation(r, j, err);
    if (span_is(type->string, "ByteLevel")) return read_byte_level(r, j, err);
    return refuse(r, err, "type is ", type->string);
}

ErrCode pretokenchain_read(PretokenChain *c, const Json *pre_tokenizer, const char *name, Err *err)
{
    ChainReader r = {.chain = c, .name = name};

    c->n = 0;
    if (!pre_tokenizer || pre_tokenizer->type == JSON_NULL)
        return err_set(err, ERR_DATA, "%s: not a tokenizer this program can follow: pre_tokenizer is missing", name);
    ErrCode rc = read_step(&r, pre_tokenizer, err);
    if (rc == ERR_OK && !r.byte_level) rc = refuse(&r, err, "it does not end in ByteLevel", SPAN_LIT(""));
    return rc;
}

bool pretokenchain_equal(const PretokenChain *a, const PretokenChain *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const PretokenStep *x = &a->step[i], *y = &b->step[i];
        if (!span_eq(x->pattern, y->pattern) || x->literal != y->literal || x->behavior != y->behavior ||
            x->invert != y->invert)
            return false;
    }
    return true;
}
