#include "dedup/sign.h"

#include "core/unicode.h"
#include "core/url.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *const sign_column_names[SIGN_BANDS] = {
    [SIGN_EXACT] = "exact", [SIGN_TOKENS] = "tokens", [SIGN_BYTES] = "bytes",
    [SIGN_DUMP] = "dump",   [SIGN_HOST] = "host",     [SIGN_SKETCH] = "sketch",
};

void sign_band_name(char out[COL_NAME_MAX + 1], uint32_t band)
{
    snprintf(out, COL_NAME_MAX + 1, "band_%03" PRIu32, band);
}

/* --- one document */

void signature_clear(Signature *s)
{
    textkey_clear(&s->key);
    free(s->shingle);
    free(s->shingle32);
    free(s->value);
    *s = (Signature){0};
}

static ErrCode reserve_shingles(Signature *s, size_t n, Err *err)
{
    size_t cap = s->cap ? s->cap : 1024;

    if (n <= s->cap) return ERR_OK;
    while (cap < n) cap *= 2; /* tokens of a text below 4 GiB */
    free(s->shingle);
    free(s->shingle32);
    s->shingle = malloc(cap * sizeof *s->shingle);
    s->shingle32 = malloc(cap * sizeof *s->shingle32);
    s->cap = s->shingle && s->shingle32 ? cap : 0;
    return s->cap ? ERR_OK : err_nomem(err, "a document's shingles");
}

/* Hashes of all runs of `len` tokens, rolled along: textkey_ngram() of each (core/textkey.h states its formula). */
static ErrCode make_shingles(Signature *s, size_t len, Err *err)
{
    const KeyToken *t = s->key.tok;
    uint64_t sum = 0, top = 1; /* base^(len - 1): what the leaving token weighs */
    ErrCode rc;

    s->n_shingles = s->key.n_tok < len ? 0 : s->key.n_tok - len + 1;
    if ((rc = reserve_shingles(s, s->n_shingles, err)) != ERR_OK || s->n_shingles == 0) return rc;
    for (size_t i = 1; i < len; i++) {
        sum = sum * TEXTKEY_NGRAM_BASE + t[i - 1].hash;
        top *= TEXTKEY_NGRAM_BASE;
    }
    for (size_t i = 0; i < s->n_shingles; i++) {
        sum = sum * TEXTKEY_NGRAM_BASE + t[i + len - 1].hash;
        s->shingle[i] = mix64(sum + len);
        s->shingle32[i] = (uint32_t)(s->shingle[i] >> 32);
        sum -= t[i].hash * top;
    }
    return ERR_OK;
}

ErrCode signature_make(Signature *s, const DedupParams *params, const MinHash *minhash, Span text, Err *err)
{
    ErrCode rc;

    if (s->key.cap > SIGN_KEEP) signature_clear(s);
    if ((rc = textkey_split(&s->key, text, err)) != ERR_OK) return rc;
    s->exact = textkey_hash(&s->key, text);
    s->n_shingles = 0;
    if (!minhash) return ERR_OK;
    if (!s->value && !(s->value = malloc(minhash->n_padded * sizeof *s->value)))
        return err_nomem(err, "MinHash values");
    if ((rc = make_shingles(s, params->shingle, err)) != ERR_OK) return rc;
    if (s->n_shingles == 0) return ERR_OK;
    minhash_sign(minhash, s->shingle32, s->n_shingles, s->value);
    for (uint32_t b = 0; b < params->bands; b++) {
        uint8_t bytes[4 * DEDUP_MAX_VALUES];
        for (uint32_t r = 0; r < params->rows; r++) le32_put(bytes + 4 * (size_t)r, s->value[b * params->rows + r]);
        s->band[b] = hash64_seed(span(bytes, 4 * (size_t)params->rows), b + 1);
    }
    sketch_make(s->shingle, s->n_shingles, params->seed, s->sketch);
    return ERR_OK;
}

/* --- the stage */

typedef struct {
    const DedupParams *params;
    MinHash minhash;
    bool near;
} SignContext;

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(Signature));
    return *worker ? ERR_OK : err_nomem(err, "a signature");
}

static void worker_free(void *worker)
{
    if (worker) signature_clear(worker);
    free(worker);
}

static uint64_t hash_or_zero(Span s) { return s.n ? hash64(s) : 0; }

static ErrCode sign_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    const SignContext *c = ctx;
    Signature *s = worker;
    uint8_t host[URL_MAX_HOST];
    ErrCode rc = signature_make(s, c->params, c->near ? &c->minhash : NULL, doc->text, err);

    (void)id;
    if (rc) return rc;
    sink_u64(sink, SIGN_EXACT, 0, s->exact.lo);
    sink_u64(sink, SIGN_EXACT, 1, s->exact.hi);
    sink_u32(sink, SIGN_TOKENS, 0, (uint32_t)s->key.n_tok);
    sink_u32(sink, SIGN_BYTES, 0, (uint32_t)doc->text.n);
    sink_u64(sink, SIGN_DUMP, 0, hash_or_zero(doc->dump));
    sink_u64(sink, SIGN_HOST, 0, hash_or_zero(url_host(doc->url, host)));
    if (!c->near || s->n_shingles == 0) return ERR_OK;
    for (uint32_t i = 0; i < SKETCH_BINS; i++) sink_u8(sink, SIGN_SKETCH, i, s->sketch[i]);
    for (uint32_t b = 0; b < c->params->bands; b++) sink_u64(sink, SIGN_BANDS + b, 0, s->band[b]);
    return ERR_OK;
}

static void put_params(Buf *b, const DedupParams *p)
{
    buf_puts(b, "{\"unicode\":");
    json_put_cstr(b, unicode_tables_id());
    if (!p->exact_only)
        buf_printf(b, ",\"bands\":%" PRIu32 ",\"rows\":%" PRIu32 ",\"shingle\":%" PRIu32 ",\"seed\":\"%" PRIu64 "\"",
                   p->bands, p->rows, p->shingle, p->seed);
    buf_putc(b, '}');
}

ErrCode sign_run(const DedupParams *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                 const Par *par, StageTotals *totals, Err *err)
{
    static const ColumnDef fixed[SIGN_BANDS] = {
        [SIGN_EXACT] = {"exact", COL_U64, 2, 0}, [SIGN_TOKENS] = {"tokens", COL_U32, 1, 0},
        [SIGN_BYTES] = {"bytes", COL_U32, 1, 0}, [SIGN_DUMP] = {"dump", COL_U64, 1, 0},
        [SIGN_HOST] = {"host", COL_U64, 1, 0},   [SIGN_SKETCH] = {"sketch", COL_U8, SKETCH_BINS, 0},
    };
    ColumnDef columns[SIGN_BANDS + DEDUP_MAX_BANDS];
    char names[DEDUP_MAX_BANDS][COL_NAME_MAX + 1];
    SignContext ctx = {.params = params, .near = !params->exact_only};
    StageDef def = {.name = "sign",
                    .version = DEDUP_VERSION,
                    .kind = DATASET_VIEW,
                    .columns = columns,
                    .worker_new = worker_new,
                    .worker_free = worker_free,
                    .n_columns = ctx.near ? SIGN_BANDS + params->bands : SIGN_SKETCH};
    CommonOptions quiet_drop = *common; /* nothing is dropped here: the view of the verb fills --rejected */
    Buf json = {0};
    ErrCode rc = ERR_OK;

    memcpy(columns, fixed, sizeof fixed);
    for (uint32_t b = 0; ctx.near && b < params->bands; b++) {
        sign_band_name(names[b], b);
        columns[SIGN_BANDS + b] = (ColumnDef){names[b], COL_U64, 1, 0};
    }
    quiet_drop.rejected = NULL;
    quiet_drop.alarm.n = 0;
    put_params(&json, params);
    if (ctx.near) rc = minhash_init(&ctx.minhash, params->bands * params->rows, params->seed, err);
    if (rc == ERR_OK) rc = buf_ok(&json, "parameters", err);
    if (rc == ERR_OK) {
        StageJob job = {.def = &def,
                        .ctx = &ctx,
                        .params = buf_span(&json),
                        .out_dir = out_dir,
                        .set = in,
                        .map = sign_map,
                        .common = &quiet_drop};
        rc = stage_run(&job, par, totals, err);
    }
    minhash_clear(&ctx.minhash);
    buf_clear(&json);
    return rc;
}
