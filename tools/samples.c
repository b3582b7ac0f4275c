/* What the trained model says to a few fixed prompts in both languages. */
#include "core/log.h"
#include "core/store.h"
#include "tokenize/tokenize.h"
#include "tools/child.h"
#include "tools/report.h"

#include <inttypes.h>
#include <stdio.h>

enum { SAMPLE_MAX_BYTES = 1 << 20 };

static const ModelSample prompts[MODEL_SAMPLES] = {
    {"English", "To install the package, ", {NULL, 0}},
    {"English", "The function returns ", {NULL, 0}},
    {"Chinese", "如果您想", {NULL, 0}},
    {"Chinese", "选择要", {NULL, 0}},
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

/* True when the run has all that generating needs. */
static bool have_model(const char *result, const char *tokenizer)
{
    bool a = false, b = false;
    return store_exists(result, &a, NULL) == ERR_OK && store_exists(tokenizer, &b, NULL) == ERR_OK && a && b;
}

ErrCode model_samples(Arena *a, const char *dir, ModelSample *out, size_t *n, Err *err)
{
    const char *ckpt = path_join(a, dir, "ckpt"), *tokens = path_join(a, dir, "tokens");
    const char *tokenizer = path_join(a, dir, "tokenizer.json"), *trainer = NULL;
    const char *result = ckpt ? path_join(a, ckpt, "result.json") : NULL;
    Tokenizer *t = NULL;
    Encoder *e = NULL;
    Err why = {0};

    *n = 0;
    if (!ckpt || !tokens || !tokenizer || !result) return err_nomem(err, "paths");
    if (!have_model(result, tokenizer)) return ERR_OK;
    ErrCode rc = child_find_trainer(a, &trainer, &why);
    if (rc == ERR_OK) rc = tokenizer_load(&t, tokenizer, &why);
    if (rc == ERR_OK) rc = encoder_new(&e, t, &why);
    for (size_t i = 0; rc == ERR_OK && i < MODEL_SAMPLES; i++) {
        out[*n] = prompts[i];
        rc = one_sample(a, trainer, ckpt, tokens, e, &out[*n], &why);
        *n += rc == ERR_OK;
    }
    if (rc != ERR_OK) log_warn("no samples: %s", why.msg);
    encoder_free(e);
    tokenizer_free(t);
    return rc == ERR_NOMEM ? err_nomem(err, "samples") : ERR_OK;
}
