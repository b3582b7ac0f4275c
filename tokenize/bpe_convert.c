/* `tamis bpe convert`. What is written is read again and compared with what was read before it gets its name. */
#include "core/json.h"
#include "core/options.h"
#include "core/store.h"
#include "tokenize/bpe_words.h"
#include "tokenize/formats.h"
#include "tokenize/vocab_diff.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TO_JSON, TO_TIKTOKEN, TO_GGUF };
static const char *const to_names[] = {"tokenizer.json", "tiktoken", "gguf", NULL};

static const char after[] =
    "IN: tokenizer.json, a tiktoken file, vocab.json with merges.txt beside it, or a GGUF file; told by content.\n"
    "A tiktoken file names neither its pre-tokenizer nor its special tokens: --encoding gives both, --pre-tokenizer\n"
    "and --special one by one. What a format cannot say is refused, but for\n"
    "the normalizer (in neither), the flag normalized (not in GGUF), added tokens and pre-tokenizer (not in "
    "tiktoken).";

typedef struct {
    const char *out;
    uint32_t to;
    FormatHints hints;
    OptList special;
    bool force;
    CommonOptions common;
} Options;

/* tokenizer.json as it was, members in their order, laid out as the reference saves it. */
static ErrCode put_json(Span json, const char *name, Buf *out, Err *err)
{
    Arena tree = {0};
    Buf tight = {0};
    Json *root;
    ErrCode rc = json_parse(&tree, json, name, &root, err);

    if (rc == ERR_OK) {
        json_put_tree(&tight, root);
        rc = buf_ok(&tight, "tokenizer.json", err);
    }
    if (rc == ERR_OK) {
        tokenizer_lay_out(buf_span(&tight), out);
        rc = buf_ok(out, "tokenizer.json", err);
    }
    buf_clear(&tight);
    arena_clear(&tree);
    return rc;
}

/* --- is it the same? */

static ErrCode same_tokens(const Tokenizer *a, const Tokenizer *b, Err *err)
{
    uint32_t n = a->n_ids > b->n_ids ? a->n_ids : b->n_ids;

    for (uint32_t id = 0; id < n; id++) {
        /* An added token that stands in model.vocab too may come back without that. */
        unsigned fa = id < a->n_ids ? a->flags[id] & ~(unsigned)TOKEN_BYTELEVEL : 0;
        unsigned fb = id < b->n_ids ? b->flags[id] & ~(unsigned)TOKEN_BYTELEVEL : 0;
        if ((fa ^ fb) & (TOKEN_SINGLE_WORD | TOKEN_LSTRIP | TOKEN_RSTRIP))
            return err_set(err, ERR_DATA, "GGUF has no single_word, lstrip or rstrip, which token %" PRIu32 " wants",
                           id);
        if (fa != fb || (fa && !span_eq(a->spelling[id], b->spelling[id])))
            return err_set(err, ERR_DATA, "token %" PRIu32 " would not come back from GGUF", id);
    }
    return ERR_OK;
}

static ErrCode same_merges(const Tokenizer *a, const Tokenizer *b, Err *err)
{
    size_t bytes = ((size_t)a->n_merges + 1) * 3 * sizeof(uint32_t);
    uint32_t *of_a = calloc(1, bytes), *of_b = calloc(1, bytes);
    ErrCode rc = ERR_OK;

    if (!of_a || !of_b) {
        rc = err_nomem(err, "a vocabulary");
    } else if (a->n_merges != b->n_merges || a->ignore_merges != b->ignore_merges) {
        rc = err_set(err, ERR_DATA, "the merges would not come back from GGUF");
    } else {
        tokenizer_list_merges(a, of_a);
        tokenizer_list_merges(b, of_b);
        if (memcmp(of_a, of_b, bytes) != 0) rc = err_set(err, ERR_DATA, "the merges would not come back from GGUF");
    }
    free(of_a);
    free(of_b);
    return rc;
}

static ErrCode put_gguf(const Tokenizer *t, Buf *out, Err *err)
{
    static const FormatHints none = {.special = NULL};
    Tokenizer *back = NULL;
    Buf json = {0};
    ErrCode rc = gguf_write(t, out, err);

    if (rc == ERR_OK) rc = gguf_read("the new file", buf_span(out), &none, &json, err);
    if (rc == ERR_OK) rc = tokenizer_parse(&back, buf_span(&json), "the new file", err);
    if (rc == ERR_OK) rc = same_tokens(t, back, err);
    if (rc == ERR_OK) rc = same_merges(t, back, err);
    tokenizer_free(back);
    buf_clear(&json);
    return rc;
}

/* --- all of it */

static uint32_t count_added(const Tokenizer *t)
{
    uint32_t n = 0;

    for (uint32_t id = 0; id < t->n_ids; id++) n += (t->flags[id] & TOKEN_ADDED) != 0;
    return n;
}

static uint32_t count_normalized(const Tokenizer *t)
{
    uint32_t n = 0;

    for (uint32_t id = 0; id < t->n_ids; id++) n += (t->flags[id] & TOKEN_ADDED) && added_is_normalized(t, id);
    return n;
}

static void tell(const Options *o, const Tokenizer *t)
{
    const uint32_t n_added = count_added(t), n_normalized = count_normalized(t);

    log_info("bpe convert: %" PRIu32 " ids, %" PRIu32 " merges, %" PRIu32 " added tokens", t->n_ids, t->n_merges,
             n_added);
    if (o->to != TO_JSON && t->nfc) log_warn("bpe convert: %s has no place for the normalizer NFC", to_names[o->to]);
    if (o->to == TO_TIKTOKEN && n_added)
        log_warn("bpe convert: a tiktoken file has no place for the %" PRIu32 " added tokens", n_added);
    if (o->to == TO_GGUF && n_normalized)
        log_warn("bpe convert: gguf has no place for the flag normalized of %" PRIu32 " added tokens", n_normalized);
}

static ErrCode put_as(const Options *o, const Tokenizer *t, Span json, const char *in, Buf *out, Err *err)
{
    switch (o->to) {
    case TO_TIKTOKEN: return tiktoken_write(t, out, err);
    case TO_GGUF: return put_gguf(t, out, err);
    default: return put_json(json, in, out, err);
    }
}

static ErrCode convert(const Options *o, const char *in, Err *err)
{
    Tokenizer *t = NULL;
    Buf json = {0}, out = {0};
    bool there;
    ErrCode rc = store_exists(o->out, &there, err);

    if (rc == ERR_OK && there && !o->force)
        rc = err_set(err, ERR_DATA, "%s is there: choose another name, or --force", o->out);
    if (rc == ERR_OK) rc = format_load_json(in, &o->hints, &json, err);
    if (rc == ERR_OK) rc = tokenizer_parse(&t, buf_span(&json), in, err);
    if (rc == ERR_OK) rc = put_as(o, t, buf_span(&json), in, &out, err);
    if (rc == ERR_OK) rc = store_write(o->out, buf_span(&out), err);
    if (rc == ERR_OK) tell(o, t);
    tokenizer_free(t);
    buf_clear(&json);
    buf_clear(&out);
    return rc;
}

int bpe_convert(int argc, char **argv)
{
    Options o = {.to = TO_JSON};
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &o.out, "FILE", "the vocabulary goes here"),
        OPT_CHOICE('f', "format", &o.to, to_names, "NAME", "tokenizer.json, tiktoken or gguf"),
        OPT_STR(0, "pre-tokenizer", &o.hints.pre_tokenizer, "NAME", "the chain that cuts text, where IN names none"),
        OPT_STR(0, "encoding", &o.hints.encoding, "NAME", "IN is tiktoken's r50k_base, p50k_base or cl100k_base"),
        OPT_LIST(0, "special", &o.special, "TOKEN=ID", "a special token of a tiktoken file; repeatable"),
        OPT_FLAG(0, "force", &o.force, "replace FILE"),
        OPT_COMMON_TALK(&o.common),
        OPT_END,
    };
    const OptVerb verb = {.name = "bpe convert",
                          .usage = "[options] -o FILE IN",
                          .what = "Write a byte-level BPE vocabulary in another format.",
                          .specs = specs,
                          .after = after};
    Err err = {0};
    int first;
    ErrCode rc = verb_begin_alone(&verb, argc, argv, &o.common, 1, 1, "one IN", &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK) {
        o.hints.special = o.special.v;
        o.hints.n_special = o.special.n;
        rc = convert(&o, argv[first], &err);
    }
    optlist_clear(&o.special);
    return verb_exit(rc, &err);
}
