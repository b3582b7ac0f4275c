/* `tamis bpe verify`: is it the same tokenizer? */
#include "core/options.h"
#include "tokenize/bpe_words.h"
#include "tokenize/text_source.h"
#include "tokenize/token_text.h"
#include "tokenize/vocab_diff.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char after[] =
    "Compared are tokens and their ids, merges in order, added tokens and their flags, the pre-tokenizer and what\n"
    "post_processor adds; of each kind the first differences are named. With INPUT also the ids of its texts, "
    "special\n"
    "tokens in them recognised. REFERENCE and TOKENIZER are files of any format that tamis bpe convert reads.\n"
    "Exit status: 0 the same, 1 not the same, else as of all verbs.";

typedef struct {
    TextSource source;
    CommonOptions common;
} Options;

/* --- ids of texts */

/* Where the ids first differ. */
typedef struct {
    uint64_t order, line, token; /* order UINT64_MAX: nowhere; token: its index in the text */
    Buf id;                      /* of the text */
} FirstDifference;

typedef struct {
    Encoder *encoder[2];
    Buf ids[2];
    uint64_t n_texts, n_tokens, n_differ, n_dropped; /* dropped: texts that a pre-tokenizer gave up */
    FirstDifference first;
} Comparison;

static ErrCode compare_text(void *ctx, int thread, const SourceText *text, Err *err)
{
    Comparison *c = (Comparison *)ctx + thread;
    const uint32_t *id[2];
    size_t n[2], k = 0;

    for (int i = 0; i < 2; i++) {
        ErrCode rc = encode_as(c->encoder[i], text->text, ENCODE_ALL, &c->ids[i], err);
        if (rc == ERR_LIMIT) c->n_dropped++;
        if (rc != ERR_OK) return rc == ERR_LIMIT ? ERR_OK : rc;
        id[i] = (const uint32_t *)(const void *)c->ids[i].p;
        n[i] = c->ids[i].n / sizeof *id[i];
    }
    c->n_texts++;
    c->n_tokens += n[0];
    while (k < n[0] && k < n[1] && id[0][k] == id[1][k]) k++;
    if (k == n[0] && k == n[1]) return ERR_OK;
    c->n_differ++;
    if (text->order >= c->first.order) return ERR_OK;
    c->first.order = text->order, c->first.line = text->line, c->first.token = k;
    buf_reset(&c->first.id);
    buf_put_span(&c->first.id, text->id);
    return buf_ok(&c->first.id, "an id", err);
}

/* Prints what all threads saw. */
static void tell_texts(Comparison *c, int threads, const char *const *name, uint64_t *n_differ)
{
    FirstDifference *first = &c->first;
    uint64_t n_texts = 0, n_tokens = 0, n_dropped = 0;
    Buf shown = {0};

    *n_differ = 0;
    for (int i = 0; i < threads; i++) {
        n_texts += c[i].n_texts, n_tokens += c[i].n_tokens, *n_differ += c[i].n_differ, n_dropped += c[i].n_dropped;
        if (c[i].first.order < first->order) first = &c[i].first;
    }
    if (n_dropped) printf("%" PRIu64 " texts are left out (too_many_steps)\n", n_dropped);
    if (*n_differ == 0) {
        printf("%" PRIu64 " texts: the same %" PRIu64 " ids\n", n_texts, n_tokens);
        return;
    }
    token_escape(&shown, buf_span(&first->id));
    if (first->line) buf_printf(&shown, " line %" PRIu64, first->line);
    printf("%" PRIu64 " of %" PRIu64
           " texts have other ids in %s than in %s; the first is %s, from its token %" PRIu64 " on\n",
           *n_differ, n_texts, name[1], name[0], buf_cstr(&shown) ? buf_cstr(&shown) : "?", first->token);
    buf_clear(&shown);
}

static ErrCode compare_texts(const TextSource *source, Tokenizer *const *t, const char *const *name,
                             uint64_t *n_differ, Err *err)
{
    Comparison *c = calloc((size_t)source->threads, sizeof *c);
    ErrCode rc = c ? ERR_OK : err_nomem(err, "encoders");

    for (int k = 0; k < 2 * source->threads && rc == ERR_OK; k++) {
        rc = encoder_new(&c[k / 2].encoder[k % 2], t[k % 2], err);
        c[k / 2].first.order = UINT64_MAX;
    }
    if (rc == ERR_OK) rc = textsource_read(source, compare_text, c, err);
    if (rc == ERR_OK) tell_texts(c, source->threads, name, n_differ);
    for (int k = 0; c && k < 2 * source->threads; k++) {
        encoder_free(c[k / 2].encoder[k % 2]);
        buf_clear(&c[k / 2].ids[k % 2]);
        if (k % 2) buf_clear(&c[k / 2].first.id);
    }
    free(c);
    return rc;
}

/* --- all of it */

static void tell_differences(const Differences *d)
{
    static const char *const what[DIFF_KINDS] = {"tokens", "merges", "flags of added tokens",
                                                 "differences around the model"};

    fwrite(d->shown.p, 1, d->shown.n, stdout);
    for (int kind = 0; kind < DIFF_KINDS; kind++)
        if (d->n[kind] > DIFF_SHOWN) printf("%" PRIu64 " more %s differ\n", d->n[kind] - DIFF_SHOWN, what[kind]);
}

static uint32_t count_added(const Tokenizer *t)
{
    uint32_t n = 0;

    for (uint32_t id = 0; id < t->n_ids; id++) n += (t->flags[id] & TOKEN_ADDED) != 0;
    return n;
}

static ErrCode verify(const Options *o, const char *const *name, Err *err)
{
    Differences d = {.name = {name[0], name[1]}};
    Tokenizer *t[2] = {NULL, NULL};
    uint64_t n_texts = 0;
    ErrCode rc = tokenizer_load(&t[0], name[0], err);

    if (rc == ERR_OK) rc = tokenizer_load(&t[1], name[1], err);
    if (rc == ERR_OK) rc = tokenizer_differences(t[0], t[1], &d, err);
    if (rc == ERR_OK && differences_sum(&d))
        tell_differences(&d);
    else if (rc == ERR_OK)
        printf("the same tokenizer: %" PRIu32 " ids, %" PRIu32 " merges, %" PRIu32 " added tokens\n", t[0]->n_ids,
               t[0]->n_merges, count_added(t[0]));
    if (rc == ERR_OK && o->source.n) rc = compare_texts(&o->source, t, name, &n_texts, err);
    if (rc == ERR_OK && differences_sum(&d) + n_texts)
        rc = err_set(err, ERR_NO, "%s is not the tokenizer of %s", name[1], name[0]);
    tokenizer_free(t[0]);
    tokenizer_free(t[1]);
    buf_clear(&d.shown);
    return rc;
}

int bpe_verify(int argc, char **argv)
{
    Options o = {.source.is_text = false};
    const OptSpec specs[] = {
        OPT_FLAG(0, "text", &o.source.is_text, "INPUT is plain text files, a line a text; -: standard input"),
        OPT_COMMON_THREADS(&o.common),
        OPT_COMMON_TALK(&o.common),
        OPT_END,
    };
    const OptVerb verb = {.name = "bpe verify",
                          .usage = "[options] REFERENCE TOKENIZER [INPUT...]",
                          .what =
                              "Tell whether two files hold the same tokenizer. INPUT: dataset directories, or text "
                              "files with --text.",
                          .specs = specs,
                          .after = after};
    Err err = {0};
    int first;
    ErrCode rc = verb_begin_alone(&verb, argc, argv, &o.common, 2, INT_MAX, "REFERENCE and TOKENIZER", &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && (argc - first > 2 || o.source.is_text))
        rc = textsource_settle(&o.source, "bpe verify", argv + first + 2, argc - first - 2, &o.common, &err);
    if (rc == ERR_OK) {
        interrupt_install();
        rc = verify(&o, (const char *const *)argv + first, &err);
    }
    return verb_exit(rc, &err);
}
