/* What the trained model says to a few fixed prompts in the languages it knows. */
#include "core/log.h"
#include "core/store.h"
#include "tokenize/tokenize.h"
#include "tools/child.h"
#include "tools/report.h"

#include <inttypes.h>
#include <stdio.h>

enum { SAMPLE_MAX_BYTES = 1 << 20 };

/* Openings that any kind of text may have. `lang` is how the codes of the language begin. */
static const struct {
    const char *lang;
    ModelSample sample;
} prompts[MODEL_SAMPLES] = {
    {"en", {"English", "To install the package, ", {NULL, 0}}},
    {"en", {"English", "The function returns ", {NULL, 0}}},
    {"zh", {"Chinese", "如果您想", {NULL, 0}}},
    {"zh", {"Chinese", "选择要", {NULL, 0}}},
};

/* "12,7,301" for --prompt-ids. */
static ErrCode prompt_ids(Arena *a, Encoder *e, const char *prompt, char **out, Err *err)
{
    Buf ids = {0}, list = {0};

    ErrCode rc = encode(e, span_str(prompt), true, &ids, err);
    for (size_t i = 0; rc == ERR_OK && i < ids.n / sizeof(uint32_t); i++) {
        uint32_t id;
        memcpy(&id, ids.p + i * sizeof id, sizeof id);
        buf_printf(&list, "%s%" PRIu32, i ? "," : "", id);
    }
    if (rc == ERR_OK) {
        *out = list.oom ? NULL : arena_str(a, buf_span(&list));
        rc = *out ? ERR_OK : err_nomem(err, "a prompt");
    }
    buf_clear(&ids);
    buf_clear(&list);
    return rc;
}

static ErrCode one_sample(Arena *a, const char *trainer, const char *ckpt, const char *tokens, Encoder *e,
                          ModelSample *s, Err *err)
{
    char *ids = NULL, count[16];
    Buf text = {0};
    int status = 0;

    ErrCode rc = prompt_ids(a, e, s->prompt, &ids, err);
    if (rc != ERR_OK) return rc;
    snprintf(count, sizeof count, "%d", MODEL_SAMPLE_TOKENS);
    /* One thread: the products of one token are too small to share, and waiting threads would only take the cores. */
    const char *const argv[] = {"tamis-train", "--generate", ckpt,  "--tokens-dir", tokens, "--prompt-ids",
                                ids,           "--n",        count, "-j",           "1",    NULL};
    rc = child_capture(trainer, argv, CHILD_STDOUT, SAMPLE_MAX_BYTES, &text, &status, err);
    if (rc == ERR_OK && status != 0)
        rc = err_set(err, ERR_SYS, "tamis-train --generate ended with status %d", status);
    if (rc == ERR_OK) {
        s->text = arena_copy(a, span_trim(buf_span(&text)));
        if (!s->text.p) rc = err_nomem(err, "a sample");
    }
    buf_clear(&text);
    return rc;
}

/* True unless the statistics of what was trained on say that it has no text in this language. */
static bool is_spoken(const RunDir *r, const char *lang)
{
    const Json *counts = json_get(json_get(rundir_stage(r, "remix")->stats, "counters"), "lang");

    for (const Json *v = counts && counts->type == JSON_OBJECT ? counts->child : NULL; v; v = v->next)
        if (span_starts(v->key, span_str(lang))) return true;
    return !counts;
}

/* True when the run has all that generating needs. */
static bool have_model(const RunDir *r)
{
    bool tokenizer = false, tokens = false;

    return r->result && store_exists(rundir_stage(r, "bpe")->dir, &tokenizer, NULL) == ERR_OK && tokenizer &&
           store_exists(rundir_stage(r, "tokenize")->dir, &tokens, NULL) == ERR_OK && tokens;
}

ErrCode model_samples(RunDir *r, ModelSample *out, size_t *n, Err *err)
{
    const char *tokens = rundir_stage(r, "tokenize")->dir, *trainer = NULL;
    Tokenizer *t = NULL;
    Encoder *e = NULL;
    Err why = {0};

    *n = 0;
    if (!have_model(r)) return ERR_OK;
    ErrCode rc = child_find_trainer(&r->arena, &trainer, &why);
    if (rc == ERR_OK) rc = tokenizer_load(&t, rundir_stage(r, "bpe")->dir, &why);
    if (rc == ERR_OK) rc = encoder_new(&e, t, &why);
    for (size_t i = 0; rc == ERR_OK && i < MODEL_SAMPLES; i++) {
        if (!is_spoken(r, prompts[i].lang)) continue;
        out[*n] = prompts[i].sample;
        rc = one_sample(&r->arena, trainer, rundir_stage(r, "train")->dir, tokens, e, &out[*n], &why);
        *n += rc == ERR_OK;
    }
    encoder_free(e);
    tokenizer_free(t);
    if (rc == ERR_NOMEM || rc == ERR_INTR) return err_set(err, rc, "%s", why.msg);
    if (rc != ERR_OK) log_warn("no samples: %s", why.msg);
    return ERR_OK;
}
