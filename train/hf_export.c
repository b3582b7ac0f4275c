/* train/hf_export.c - the weights for others: safetensors and config.json as transformers' LlamaForCausalLM reads them.
 *
 * safetensors: u64 little-endian length of a JSON header {name: {dtype, shape, data_offsets}}, the header, then the
 * values. The table of tensors has Hugging Face's names and shapes already, and rotary lanes are half-split as there, so
 * values go out as they stand. */
#include "train/model.h"
#include "train/train.h"

#include "core/json.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdlib.h>

static void put_header(Buf *b, const ModelSpec *spec)
{
    buf_puts(b, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (uint32_t i = 0; i < spec->n_tensors; i++) {
        const TensorSpec *t = &spec->tensor[i];
        buf_printf(b, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", t->name);
        if (t->rows > 1 || t->decay) buf_printf(b, "%" PRIu64 ",", t->rows);
        buf_printf(b, "%" PRIu64 "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", t->cols, 4 * t->first,
                   4 * (t->first + t->rows * t->cols));
    }
    buf_putc(b, '}');
    while (b->n % 8 && !b->oom) buf_putc(b, ' ');
}

static ErrCode put_values(OutFile *f, const float *x, uint64_t n, Err *err)
{
    enum { CHUNK = 65536 };
    uint8_t *bytes = malloc((size_t)4 * CHUNK);
    ErrCode rc = bytes ? ERR_OK : err_nomem(err, "an export");

    for (uint64_t at = 0; at < n && rc == ERR_OK; at += CHUNK) {
        const size_t k = n - at < CHUNK ? (size_t)(n - at) : CHUNK;
        for (size_t i = 0; i < k; i++) {
            uint32_t bits;
            memcpy(&bits, &x[at + i], 4);
            le32_put(bytes + 4 * i, bits);
        }
        rc = interrupt_seen() ? err_set(err, ERR_INTR, "stopped in an export") : outfile_put(f, bytes, 4 * k, err);
    }
    free(bytes);
    return rc;
}

static ErrCode write_safetensors(const Model *m, const char *path, Err *err)
{
    OutFile *f = NULL;
    Buf header = {0};
    uint8_t length[8];
    ErrCode rc;

    put_header(&header, &m->spec);
    if ((rc = buf_ok(&header, "an export", err)) != ERR_OK) goto out;
    le64_put(length, header.n);
    if ((rc = outfile_open(&f, path, err)) != ERR_OK) goto out;
    if ((rc = outfile_put(f, length, sizeof length, err)) != ERR_OK) goto out;
    if ((rc = outfile_put(f, header.p, header.n, err)) != ERR_OK) goto out;
    if ((rc = put_values(f, m->params, m->spec.n_params, err)) != ERR_OK) goto out;
    rc = outfile_commit(&f, err);
out:
    outfile_abandon(f);
    buf_clear(&header);
    return rc;
}

static void put_config(Buf *b, const ModelShape *s, uint32_t eos_id)
{
    buf_printf(b,
               "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"torch_dtype\":\"float32\","
               "\"hidden_act\":\"silu\","
               "\"vocab_size\":%" PRIu32 ",\"hidden_size\":%" PRIu32 ",\"intermediate_size\":%" PRIu32
               ",\"num_hidden_layers\":%" PRIu32 ",\"num_attention_heads\":%" PRIu32
               ",\"num_key_value_heads\":%" PRIu32 ",\"head_dim\":%" PRIu32 ",\"max_position_embeddings\":%" PRIu32
               ",",
               s->vocab_rows, s->d_model, s->ffn, s->layers, s->heads, s->kv_heads, s->head_dim, s->context);
    buf_printf(b,
               "\"rms_norm_eps\":%.9g,\"rope_theta\":%.9g,\"initializer_range\":%.9g,\"tie_word_embeddings\":false,"
               "\"attention_bias\":false,\"mlp_bias\":false,\"bos_token_id\":null,\"use_cache\":true",
               s->norm_eps, s->rope_theta, s->init_std);
    if (eos_id != UINT32_MAX) buf_printf(b, ",\"eos_token_id\":%" PRIu32, eos_id);
    buf_puts(b, "}\n");
}

ErrCode hf_export(const Model *m, uint32_t eos_id, const char *out_dir, Err *err)
{
    /* A dataset or tokens, finished or not; a whole run; training, whose config.json would be lost. */
    static const char *const foreign[] = {"manifest.json", "stage.json", "run.json", "log.jsonl", NULL};
    Arena arena = {0};
    Buf config = {0};
    char *weights = path_join(&arena, out_dir, "model.safetensors"),
         *json = path_join(&arena, out_dir, "config.json");
    ErrCode rc = weights && json ? train_refuse_dir(out_dir, foreign, err) : err_nomem(err, "paths");

    if (rc == ERR_OK) rc = store_mkdirs(out_dir, err);

    put_config(&config, &m->spec.shape, eos_id);
    if (rc == ERR_OK) rc = buf_ok(&config, "an export", err);
    if (rc == ERR_OK) rc = write_safetensors(m, weights, err);
    if (rc == ERR_OK) rc = store_write(json, buf_span(&config), err);
    buf_clear(&config);
    arena_clear(&arena);
    return rc;
}
