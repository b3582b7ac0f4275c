/* tokenize/bpe_verb.c - `tamis bpe`. */
#include "core/options.h"
#include "core/utf8.h"
#include "tokenize/bpe_run.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char after[] = "With a mixture.json in DATASET its weights are the shares of text that are counted. The "
                            "added tokens of a preset\n"
                            "come behind the last merge: 100000 + 15. Presets: tamis starts from all 256 bytes and "
                            "adds <|end_of_text|> (the end\n"
                            "of a document) and 14 more special tokens; deepseek-llm starts from the bytes seen and "
                            "adds what DeepSeek-LLM adds.\n"
                            "With --extend, ids and tokens of that file stay as they are, and --vocab-size is of all "
                            "ids.\n"
                            "`tamis bpe convert`, decode, inspect, stats, compare and verify do other things with a "
                            "tokenizer: see their --help.";

static const char *const presets[] = {"tamis", "deepseek-llm", NULL};
enum { ALPHABET_PRESET, ALPHABET_ALL, ALPHABET_SEEN };
static const char *const alphabets[] = {"preset", "all", "seen", NULL};

typedef struct {
    BpeRun run;
    BpeParams given; /* what the preset does not decide */
    uint32_t preset, alphabet;
    const char *pretokenizer;
    OptList special;
    bool *are_special; /* all of them are */
} Options;

static ErrCode wrong_special(const char *token, const char *why, Err *err)
{
    return err_set(err, ERR_USAGE, "bpe: --special %s: %s", token, why);
}

/* The tokens named take the place of the preset's. */
static ErrCode settle_special(Options *o, Err *err)
{
    BpeParams *bpe = &o->run.bpe;

    if (o->special.n == 0) return ERR_OK;
    if (o->special.n > TOKENIZER_MAX_ADDED) return wrong_special("", "too many of them", err);
    if (!(o->are_special = malloc(o->special.n * sizeof(bool)))) return err_nomem(err, "special tokens");
    for (size_t i = 0; i < o->special.n; i++) {
        const char *token = o->special.v[i];
        if (!*token) return wrong_special(token, "an empty token", err);
        if (strlen(token) > TOKENIZER_MAX_ADDED_BYTES) return wrong_special(token, "too long", err);
        if (utf8_valid_prefix(span_str(token)) < strlen(token)) return wrong_special(token, "not UTF-8", err);
        for (size_t k = 0; k < i; k++)
            if (strcmp(token, o->special.v[k]) == 0) return wrong_special(token, "given twice", err);
        o->are_special[i] = true;
    }
    bpe->added = o->special.v;
    bpe->added_special = o->are_special;
    bpe->n_added = (uint32_t)o->special.n;
    bpe->added_normalized = false;
    return ERR_OK;
}

static ErrCode settle_pretokenizer(Options *o, Err *err)
{
    char known[256] = "";
    size_t n = 0;

    if (!o->pretokenizer) return ERR_OK;
    o->run.bpe.pretokenizer = pretokenizer_named(o->pretokenizer);
    if (o->run.bpe.pretokenizer) return ERR_OK;
    for (size_t i = 0; pretokenizer_names[i] && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", pretokenizer_names[i]);
    return err_set(err, ERR_USAGE, "bpe: --pre-tokenizer %s is none of %s", o->pretokenizer, known);
}

static ErrCode settle(void *options, Err *err)
{
    Options *o = options;
    BpeParams *bpe = &o->run.bpe;
    ErrCode rc;

    *bpe = *bpe_preset(presets[o->preset]);
    o->run.preset = presets[o->preset];
    bpe->vocab_size = o->given.vocab_size;
    bpe->min_frequency = o->given.min_frequency;
    bpe->max_token_length = o->given.max_token_length;
    if (o->alphabet != ALPHABET_PRESET) bpe->all_bytes = o->alphabet == ALPHABET_ALL;
    if ((rc = settle_special(o, err)) != ERR_OK) return rc;
    if ((rc = settle_pretokenizer(o, err)) != ERR_OK) return rc;
    if (o->run.extend && (o->special.n || o->pretokenizer || o->alphabet != ALPHABET_PRESET))
        return err_set(
            err, ERR_USAGE,
            "bpe: --extend keeps the special tokens, alphabet and pre-tokenizer of %s: they cannot be given",
            o->run.extend);
    if (bpe->vocab_size > TOKENIZER_MAX_IDS - bpe->n_added)
        return err_set(err, ERR_USAGE, "bpe: --vocab-size %" PRIu32 " is too large: at most %" PRIu32,
                       bpe->vocab_size, TOKENIZER_MAX_IDS - bpe->n_added);
    if (o->run.extend || !bpe->all_bytes || bpe->vocab_size >= 256) return ERR_OK;
    return err_set(err, ERR_USAGE, "bpe: --vocab-size %" PRIu32 " does not hold the 256 bytes", bpe->vocab_size);
}

int bpe_verb(int argc, char **argv)
{
    Options o = {.run.source.sample_bytes = (uint64_t)2 << 30, .run.save_seconds = 120, .given.vocab_size = 100000};
    BpeRun *run = &o.run;
    CommonOptions common = {0};
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &run->out, "FILE", "tokenizer.json goes here"),
        OPT_U32('n', "vocab-size", &o.given.vocab_size, "N", "byte and merged tokens; added tokens come on top"),
        OPT_CHOICE('p', "preset", &o.preset, presets, "NAME", "tamis or deepseek-llm"),
        OPT_LIST(0, "special", &o.special, "TOKEN", "add this special token, not the preset's; repeatable"),
        OPT_CHOICE(0, "initial-alphabet", &o.alphabet, alphabets, "NAME",
                   "start from all bytes or those seen: all, seen, preset"),
        OPT_STR(0, "pre-tokenizer", &o.pretokenizer, "NAME", "where text is cut; else deepseek-llm"),
        OPT_STR(0, "extend", &run->extend, "FILE", "go on from this tokenizer"),
        OPT_U64(0, "min-frequency", &o.given.min_frequency, "N", "merge pairs that occur at least so often"),
        OPT_U32(0, "max-token-length", &o.given.max_token_length, "N", "merged tokens have fewer bytes; 0: no limit"),
        OPT_SIZE(0, "sample-bytes", &run->source.sample_bytes, "SIZE",
                 "count about so much text of datasets; 0: all"),
        OPT_FLAG(0, "text", &run->source.text, "INPUT is plain text files, taken whole"),
        OPT_COMMON_THREADS(&common),
        OPT_SIZE(0, "memory", &common.memory, "SIZE", "budget per process: 800M, 24G; 0: 3/4 of what is free"),
        OPT_COMMON_SCRATCH(&common),
        OPT_U32(0, "checkpoint-seconds", &run->save_seconds, "N", "keep the merges so far every so often"),
        OPT_FLAG(0, "force", &run->force, "start anew although FILE holds another tokenizer"),
        OPT_COMMON_EVENTS(&common),
        OPT_COMMON_TALK(&common),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "bpe",
        .usage = "[options] -o FILE INPUT...",
        .what = "Train a byte-level BPE tokenizer. INPUT: dataset directories, or text files with --text.",
        .specs = specs,
        .after = after};
    Par par;
    Err err = {0};
    int first;

    ErrCode rc = verb_begin(&verb, argc, argv, &common, &par, &first, &err);
    if (rc != ERR_OK) return verb_exit(rc == ERR_NO ? ERR_OK : rc, &err);
    run->source.path = (const char *const *)argv + first;
    run->source.n = (size_t)(argc - first);
    run->source.par = &par;
    run->memory = run->source.memory = common_memory(&common, &par);
    run->scratch = common.scratch;
    if (run->source.text) run->source.sample_bytes = 0;
    rc = bpe_run(run, &err);
    par_stop(&par);
    optlist_clear(&o.special);
    free(o.are_special);
    return verb_exit(rc, &err);
}
