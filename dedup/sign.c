#include "dedup/sign.h"

#include "core/unicode.h"
#include "core/url.h"
#include "dedup/dumpnames.h"
#include "dedup/keep.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

const char *const sign_column_names[SIGN_BANDS] = {
    [SIGN_EXACT] = "exact",     [SIGN_TOKENS] = "tokens", [SIGN_BYTES] = "bytes",     [SIGN_DUMP] = "dump",
    [SIGN_HOST] = "host",       [SIGN_URL] = "url",       [SIGN_KEEP_WORDS] = "keep", [SIGN_SKETCH] = "sketch",
    [SIGN_ID_HASH] = "id_hash", [SIGN_LANG] = "lang",     [SIGN_DOMAIN] = "domain",   [SIGN_ID] = "id",
    [SIGN_ADDRESS] = "address",
};

void sign_band_name(char out[COL_NAME_MAX + 1], uint32_t band)
{
    snprintf(out, COL_NAME_MAX + 1, "band_%03" PRIu32, band);
}

ErrCode sign_open(Columns **cols, const char *dir, uint32_t part, Err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/part-%06" PRIu32 ".sign.cols", dir, part);

    *cols = NULL;
    if (n < 0 || n >= PATH_MAX) return err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
    return columns_open(cols, path, err);
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

ErrCode signature_shingles(Signature *s, uint32_t len, Span text, Err *err)
{
    if (s->key.cap > SIGN_KEEP) signature_clear(s);
    ErrCode rc = textkey_split(&s->key, text, err);
    return rc ? rc : make_shingles(s, len, err);
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
    KeepOrder keep;
    MinHash minhash;
    bool near;
    uint32_t at[SIGN_BANDS + 1]; /* the number that a column has here: some are not there; last: the first band's */
} SignContext;

typedef struct {
    Signature signature;
    Buf url;
} SignWorker;

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(SignWorker));
    return *worker ? ERR_OK : err_nomem(err, "a signature");
}

static void worker_free(void *worker)
{
    SignWorker *w = worker;

    if (!w) return;
    signature_clear(&w->signature);
    buf_clear(&w->url);
    free(w);
}

static uint64_t hash_or_zero(Span s) { return s.n ? hash64(s) : 0; }

uint64_t sign_address(Buf *key, Span url)
{
    buf_recycle(key);
    return url_key(key, url) ? hash64(buf_span(key)) : 0;
}

static ErrCode put_url(const SignContext *c, SignWorker *w, Span url, StageSink *sink, Err *err)
{
    Hash128 hash;

    buf_recycle(&w->url);
    if (!url_key(&w->url, url)) return ERR_OK;
    hash = hash128(buf_span(&w->url));
    sink_u64(sink, c->at[SIGN_URL], 0, hash.lo);
    sink_u64(sink, c->at[SIGN_URL], 1, hash.hi);
    return buf_ok(&w->url, "a URL", err);
}

/* What keeping and comparing ask of a document beside its text. */
static ErrCode put_place(const SignContext *c, SignWorker *w, const Doc *doc, StageSink *sink, Err *err)
{
    uint8_t host[URL_MAX_HOST];
    Span dump = dumpnames_name(doc->dump);
    uint32_t stored = 0;

    sink_u64(sink, c->at[SIGN_DUMP], 0, dumpnames_hash(doc->dump));
    sink_u64(sink, c->at[SIGN_HOST], 0, hash_or_zero(url_host(doc->url, host)));
    sink_u64(sink, c->at[SIGN_ID_HASH], 0, hash64(doc->id));
    if (doc->lang.p) sink_string(sink, c->at[SIGN_LANG], doc->lang);
    if (doc->domain.p) sink_string(sink, c->at[SIGN_DOMAIN], doc->domain);
    if (dump.p) sink_count(sink, "dump", dump, 1, doc->text.n);
    for (uint32_t i = 0; i < c->keep.n; i++)
        if (keep_is_stored(c->keep.by[i].kind))
            sink_u64(sink, c->at[SIGN_KEEP_WORDS], stored++, keep_word(&c->keep, i, doc));
    if (c->params->index) {
        sink_string(sink, c->at[SIGN_ID], doc->id);
        sink_u64(sink, c->at[SIGN_ADDRESS], 0, sign_address(&w->url, doc->url));
    }
    return c->params->url ? put_url(c, w, doc->url, sink, err) : ERR_OK;
}

static ErrCode sign_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    const SignContext *c = ctx;
    SignWorker *w = worker;
    Signature *s = &w->signature;
    ErrCode rc = signature_make(s, c->params, c->near ? &c->minhash : NULL, doc->text, err);

    (void)id;
    if (rc) return rc;
    sink_u64(sink, c->at[SIGN_EXACT], 0, s->exact.lo);
    sink_u64(sink, c->at[SIGN_EXACT], 1, s->exact.hi);
    sink_u32(sink, c->at[SIGN_TOKENS], 0, (uint32_t)s->key.n_tok);
    sink_u32(sink, c->at[SIGN_BYTES], 0, (uint32_t)doc->text.n);
    if ((rc = put_place(c, w, doc, sink, err)) != ERR_OK || !c->near || s->n_shingles == 0) return rc;
    for (uint32_t i = 0; i < SKETCH_BINS; i++) sink_u8(sink, c->at[SIGN_SKETCH], i, s->sketch[i]);
    for (uint32_t b = 0; b < c->params->bands; b++) sink_u64(sink, c->at[SIGN_BANDS] + b, 0, s->band[b]);
    return ERR_OK;
}

static void put_params(Buf *b, const DedupParams *p, const KeepOrder *keep)
{
    Buf stored = {0};

    buf_puts(b, "{\"unicode\":");
    json_put_cstr(b, unicode_tables_id());
    if (keep->n_stored) {
        keep_put(&stored, keep, true);
        buf_puts(b, ",\"keep\":");
        json_put_string(b, buf_span(&stored));
    }
    if (p->url) buf_puts(b, ",\"url\":true");
    if (p->index) buf_puts(b, ",\"ids\":true");
    if (!p->exact_only)
        buf_printf(b, ",\"bands\":%" PRIu32 ",\"rows\":%" PRIu32 ",\"shingle\":%" PRIu32 ",\"seed\":\"%" PRIu64 "\"",
                   p->bands, p->rows, p->shingle, p->seed);
    buf_putc(b, '}');
    b->oom |= stored.oom;
    buf_clear(&stored);
}

typedef struct {
    ColumnDef def[SIGN_BANDS + DEDUP_MAX_BANDS];
    char name[DEDUP_MAX_BANDS][COL_NAME_MAX + 1];
    uint32_t n;
} SignColumns;

static void add_column(SignColumns *cols, SignContext *c, SignColumn column, ColType type, uint16_t width)
{
    c->at[column] = cols->n;
    cols->def[cols->n++] = (ColumnDef){sign_column_names[column], type, width, 0};
}

static void list_columns(SignColumns *cols, SignContext *c)
{
    add_column(cols, c, SIGN_EXACT, COL_U64, 2);
    add_column(cols, c, SIGN_TOKENS, COL_U32, 1);
    add_column(cols, c, SIGN_BYTES, COL_U32, 1);
    add_column(cols, c, SIGN_DUMP, COL_U64, 1);
    add_column(cols, c, SIGN_HOST, COL_U64, 1);
    add_column(cols, c, SIGN_ID_HASH, COL_U64, 1);
    add_column(cols, c, SIGN_LANG, COL_STRING, 1);
    add_column(cols, c, SIGN_DOMAIN, COL_STRING, 1);
    if (c->params->url) add_column(cols, c, SIGN_URL, COL_U64, 2);
    if (c->keep.n_stored) add_column(cols, c, SIGN_KEEP_WORDS, COL_U64, (uint16_t)c->keep.n_stored);
    if (c->params->index) {
        add_column(cols, c, SIGN_ID, COL_STRING, 1);
        add_column(cols, c, SIGN_ADDRESS, COL_U64, 1);
    }
    if (!c->near) return;
    add_column(cols, c, SIGN_SKETCH, COL_U8, SKETCH_BINS);
    c->at[SIGN_BANDS] = cols->n;
    for (uint32_t b = 0; b < c->params->bands; b++) {
        sign_band_name(cols->name[b], b);
        cols->def[cols->n++] = (ColumnDef){cols->name[b], COL_U64, 1, 0};
    }
}

ErrCode sign_run(const DedupParams *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                 const Par *par, StageTotals *totals, Err *err)
{
    SignColumns cols = {.n = 0};
    SignContext ctx = {.params = params, .near = !params->exact_only};
    StageDef def = {.name = "sign",
                    .version = DEDUP_VERSION,
                    .kind = DATASET_VIEW,
                    .columns = cols.def,
                    .worker_new = worker_new,
                    .worker_free = worker_free};
    CommonOptions quiet_drop = *common; /* nothing is dropped here: the view of the verb fills --rejected */
    Buf json = {0};
    ErrCode rc = keep_parse(&ctx.keep, params->keep, err);

    if (rc) return rc;
    list_columns(&cols, &ctx);
    def.n_columns = cols.n;
    quiet_drop.rejected = NULL;
    quiet_drop.alarm.n = 0;
    put_params(&json, params, &ctx.keep);
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
