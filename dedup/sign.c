#include "dedup/sign.h"

#include "core/store.h"
#include "core/url.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

const char *const sign_column_names[SIGN_BANDS] = {
    [SIGN_EXACT] = "exact",         [SIGN_TOKENS] = "tokens",   [SIGN_BYTES] = "bytes",     [SIGN_DUMP] = "dump",
    [SIGN_HOST] = "host",           [SIGN_URL] = "url",         [SIGN_KEEP_WORDS] = "keep", [SIGN_SKETCH] = "sketch",
    [SIGN_ID_HASH] = "id_hash",     [SIGN_LANG] = "lang",       [SIGN_DOMAIN] = "domain",   [SIGN_ID] = "id",
    [SIGN_DUMP_NAME] = "dump_name", [SIGN_ADDRESS] = "address", [SIGN_SIGNALS] = "signals",
};

void sign_band_name(char out[COL_NAME_MAX + 1], uint32_t band)
{
    snprintf(out, COL_NAME_MAX + 1, "band_%03" PRIu32, band);
}

bool sign_path(char path[], size_t size, const char *dir, uint32_t part)
{
    int n = snprintf(path, size, "%s/part-%06" PRIu32 ".sign.cols", dir, part);

    return n > 0 && (size_t)n < size;
}

ErrCode sign_open(Columns **cols, const char *dir, uint32_t part, Err *err)
{
    char path[PATH_MAX];

    *cols = NULL;
    if (!sign_path(path, sizeof path, dir, part)) return err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
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

uint64_t sign_address(Buf *key, Span url)
{
    buf_recycle(key);
    return url_key(key, url) ? hash64(buf_span(key)) : 0;
}

ErrCode sign_counters(Arena *arena, const char *dir, const Json **counters, Err *err)
{
    enum { STATS_MAX = 64 << 20 };
    char path[PATH_MAX];
    Buf text = {0};
    Json *j = NULL;
    ErrCode rc;
    const int n = snprintf(path, sizeof path, "%s/stats.json", dir);

    *counters = NULL;
    if (n < 0 || n >= PATH_MAX) return err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
    if ((rc = store_read(path, STATS_MAX, &text, err)) == ERR_OK)
        rc = json_parse(arena, buf_span(&text), path, &j, err);
    if (rc == ERR_OK) *counters = json_get(j, "counters");
    buf_clear(&text);
    return rc;
}
