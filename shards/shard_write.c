#include "core/store.h"
#include "shards/bitpack.h"
#include "shards/shard_format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* Strings numbered in order of first appearance. */
typedef struct {
    Buf text;
    Buf ends; /* u32 each */
    uint32_t n, last;
} NameList;

struct ShardWriter {
    OutFile *f;
    char *path;
    ShardSpec spec;
    unsigned token_bits;
    uint64_t n_tokens, n_docs;
    uint32_t block[SHARD_BLOCK_TOKENS]; /* tokens not packed yet */
    size_t n_block;
    uint8_t plain[SHARD_BLOCK_TOKENS * 4], packed[SHARD_BLOCK_TOKENS * 4];
    HashStream *content, *tokens_sum;
    NameList domains, langs;
    Buf block_sums, doc_first, doc_meta, id_ends, ids;
};

const char shard_magic[8] = {'T', 'A', 'M', 'I', 'S', 'H', 'R', 'D'};

static void put_le64(Buf *b, uint64_t v)
{
    uint8_t bytes[8];

    le64_put(bytes, v);
    buf_put(b, bytes, 8);
}

static void put_le32(Buf *b, uint32_t v)
{
    uint8_t bytes[4];

    le32_put(bytes, v);
    buf_put(b, bytes, 4);
}

static Span name_at(const NameList *l, uint32_t i)
{
    uint32_t begin = i ? le32_get(l->ends.p + 4 * (size_t)(i - 1)) : 0;

    return (Span){l->text.p ? l->text.p + begin : NULL, le32_get(l->ends.p + 4 * (size_t)i) - begin};
}

/* The number of a name; `max` when the list is full. A shard has one domain or few, so looking is cheap. */
static uint32_t name_number(NameList *l, Span name, uint32_t max)
{
    if (l->n && span_eq(name_at(l, l->last), name)) return l->last;
    for (uint32_t i = 0; i < l->n; i++)
        if (span_eq(name_at(l, i), name)) return l->last = i;
    if (l->n == max || name.n > UINT32_MAX - l->text.n) return max;
    buf_put_span(&l->text, name);
    put_le32(&l->ends, (uint32_t)l->text.n);
    if (l->text.oom || l->ends.oom) return max;
    return l->last = l->n++;
}

static void writer_free(ShardWriter *w)
{
    if (!w) return;
    outfile_abandon(w->f);
    hashstream_free(w->content);
    hashstream_free(w->tokens_sum);
    Buf *bufs[] = {&w->domains.text, &w->domains.ends, &w->langs.text, &w->langs.ends, &w->block_sums,
                   &w->doc_first,    &w->doc_meta,     &w->id_ends,    &w->ids};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_clear(bufs[i]);
    free(w->path);
    free(w);
}

void shardwriter_abandon(ShardWriter *w) { writer_free(w); }

uint64_t shardwriter_n_tokens(const ShardWriter *w) { return w->n_tokens; }

enum { N_SECTIONS = SEC_END - 1, HEADER_BYTES = SHARD_HEADER + N_SECTIONS * SHARD_ENTRY + 8 };

static ErrCode pad_to_align(ShardWriter *w, Err *err)
{
    static const uint8_t zeros[SHARD_ALIGN];
    uint64_t at = outfile_size(w->f);

    return outfile_put(w->f, zeros, (size_t)(shard_align(at) - at), err);
}

ErrCode shardwriter_open(ShardWriter **out, const char *path, const ShardSpec *spec, Err *err)
{
    static const uint8_t zeros[HEADER_BYTES];
    ShardWriter *w = calloc(1, sizeof *w);
    ErrCode rc;

    *out = NULL;
    assert(spec->vocab_size >= 1 && spec->vocab_size <= VOCAB_MAX && spec->eos_id < spec->vocab_size);
    if (!w || !(w->path = malloc(strlen(path) + 1))) {
        free(w);
        return err_nomem(err, "a shard");
    }
    memcpy(w->path, path, strlen(path) + 1);
    w->spec = *spec;
    w->token_bits = bitpack_width(spec->vocab_size);
    if ((rc = hashstream_new(&w->content, err)) != ERR_OK) goto fail;
    if ((rc = hashstream_new(&w->tokens_sum, err)) != ERR_OK) goto fail;
    if ((rc = outfile_open(&w->f, path, err)) != ERR_OK) goto fail;
    if ((rc = outfile_put(w->f, zeros, sizeof zeros, err)) != ERR_OK) goto fail; /* the header comes last */
    if ((rc = pad_to_align(w, err)) != ERR_OK) goto fail;
    *out = w;
    return ERR_OK;
fail:
    writer_free(w);
    return rc;
}

/* The block as its sums take it: little-endian words. */
static Span plain_block(ShardWriter *w)
{
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return span(w->block, w->n_block * 4);
#else
    for (size_t i = 0; i < w->n_block; i++) le32_put(w->plain + 4 * i, w->block[i]);
    return span(w->plain, w->n_block * 4);
#endif
}

static ErrCode flush_block(ShardWriter *w, Err *err)
{
    size_t bytes = (size_t)bitpack_bytes(w->n_block, w->token_bits);
    const Span plain = plain_block(w), packed = {w->packed, bytes};

    bitpack_put(w->packed, w->block, w->n_block, w->token_bits);
    put_le64(&w->block_sums, hash64(plain));
    hashstream_add(w->content, plain);
    hashstream_add(w->tokens_sum, packed);
    w->n_block = 0;
    return outfile_put(w->f, packed.p, packed.n, err);
}

static uint32_t highest(const uint32_t *v, size_t n)
{
    uint32_t most = 0;

    for (size_t i = 0; i < n; i++) most = v[i] > most ? v[i] : most;
    return most;
}

static ErrCode add_tokens(ShardWriter *w, const uint32_t *tokens, size_t n, Err *err)
{
    while (n) {
        size_t k = SHARD_BLOCK_TOKENS - w->n_block;
        if (k > n) k = n;
        assert(highest(tokens, k) < w->spec.vocab_size);
        memcpy(w->block + w->n_block, tokens, k * sizeof *tokens);
        w->n_block += k;
        w->n_tokens += k;
        tokens += k;
        n -= k;
        ErrCode rc = w->n_block == SHARD_BLOCK_TOKENS ? flush_block(w, err) : ERR_OK;
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

static bool index_oom(const ShardWriter *w)
{
    return w->domains.text.oom || w->domains.ends.oom || w->langs.text.oom || w->langs.ends.oom ||
           w->block_sums.oom || w->doc_first.oom || w->doc_meta.oom || w->ids.oom || w->id_ends.oom;
}

ErrCode shardwriter_add(ShardWriter *w, const ShardDoc *doc, const uint32_t *tokens, size_t n, Err *err)
{
    uint8_t meta[SHARD_META_BYTES] = {0};
    uint32_t domain = name_number(&w->domains, doc->domain, SHARD_MAX_DOMAINS);
    uint32_t lang = name_number(&w->langs, doc->lang, SHARD_MAX_LANGS);
    ErrCode rc;

    if (n >= SHARD_MAX_TOKENS - w->n_tokens)
        return err_set(err, ERR_LIMIT, "%s: more tokens than a shard can hold", w->path);
    if (index_oom(w)) return err_nomem(err, "the index of a shard");
    if (domain == SHARD_MAX_DOMAINS || lang == SHARD_MAX_LANGS)
        return err_set(err, ERR_LIMIT, "%s: more than %d domains or %d languages", w->path, SHARD_MAX_DOMAINS,
                       SHARD_MAX_LANGS);
    const uint64_t index =
        w->n_docs * (16 + SHARD_META_BYTES) + w->ids.n; /* DOC_FIRST and the ends in IDS; the rest */
    if (doc->id.n > SHARD_MAX_INDEX || index > SHARD_MAX_INDEX - doc->id.n)
        return err_set(err, ERR_LIMIT,
                       "%s: the ids of %" PRIu64 " documents pass the %d GiB that a shard's index may take; more "
                       "shards are needed",
                       w->path, w->n_docs + 1, (int)(SHARD_MAX_INDEX >> 30));
    put_le64(&w->doc_first, w->n_tokens);
    le64_put(meta, doc->doc);
    le16_put(meta + 8, (uint16_t)domain);
    meta[10] = (uint8_t)lang;
    buf_put(&w->doc_meta, meta, sizeof meta);
    buf_put_span(&w->ids, doc->id);
    put_le64(&w->id_ends, w->ids.n);
    w->n_docs++;
    if ((rc = add_tokens(w, tokens, n, err)) != ERR_OK) return rc;
    return add_tokens(w, &w->spec.eos_id, 1, err);
}

static void put_names(const ShardWriter *w, Buf *b)
{
    put_le32(b, w->domains.n);
    put_le32(b, w->langs.n);
    buf_put_span(b, buf_span(&w->domains.ends));
    for (uint32_t i = 0; i < w->langs.n; i++)
        put_le32(b, (uint32_t)w->domains.text.n + le32_get(w->langs.ends.p + 4 * (size_t)i));
    buf_put_span(b, buf_span(&w->domains.text));
    buf_put_span(b, buf_span(&w->langs.text));
}

static void put_header(const ShardWriter *w, uint8_t header[HEADER_BYTES], const uint64_t offset[SEC_END],
                       const uint64_t bytes[SEC_END], const uint64_t sum[SEC_END])
{
    memcpy(header, shard_magic, 8);
    le32_put(header + 8, SHARD_VERSION);
    le32_put(header + 12, w->token_bits);
    le64_put(header + 16, w->n_tokens);
    le64_put(header + 24, w->n_docs);
    le32_put(header + 32, w->spec.vocab_size);
    le32_put(header + 36, w->spec.eos_id);
    le32_put(header + 40, SHARD_BLOCK_TOKENS);
    le32_put(header + 44, N_SECTIONS);
    hash128_put(header + 48, w->spec.tokenizer_id);
    hash128_put(header + 64, w->spec.key);
    for (uint32_t k = 1; k < SEC_END; k++) {
        uint8_t *entry = header + SHARD_HEADER + (k - 1) * SHARD_ENTRY;
        le32_put(entry, k);
        le32_put(entry + 4, 0);
        le64_put(entry + 8, offset[k]);
        le64_put(entry + 16, bytes[k]);
        le64_put(entry + 24, sum[k]);
    }
    le64_put(header + HEADER_BYTES - 8, hash64((Span){header, HEADER_BYTES - 8}));
}

/* Everything behind the tokens, then the header, which knows where it all lies. */
static ErrCode finish(ShardWriter *w, Span section[SEC_END], Err *err)
{
    static const uint8_t slack[BITPACK_SLACK];
    uint64_t offset[SEC_END] = {0}, bytes[SEC_END] = {0}, sum[SEC_END] = {0};
    uint8_t header[HEADER_BYTES];
    ErrCode rc;

    if ((rc = outfile_put(w->f, slack, sizeof slack, err)) != ERR_OK) return rc;
    hashstream_add(w->tokens_sum, (Span){slack, sizeof slack});
    offset[SEC_TOKENS] = shard_align(HEADER_BYTES);
    bytes[SEC_TOKENS] = outfile_size(w->f) - offset[SEC_TOKENS];
    sum[SEC_TOKENS] = hashstream_digest64(w->tokens_sum);
    for (uint32_t k = SEC_BLOCK_SUMS; k < SEC_END; k++) {
        if ((rc = pad_to_align(w, err)) != ERR_OK) return rc;
        offset[k] = outfile_size(w->f);
        bytes[k] = section[k].n;
        sum[k] = hash64(section[k]);
        if ((rc = outfile_put(w->f, section[k].p, section[k].n, err)) != ERR_OK) return rc;
    }
    if ((rc = pad_to_align(w, err)) != ERR_OK) return rc;
    put_header(w, header, offset, bytes, sum);
    if ((rc = outfile_put(w->f, header + HEADER_BYTES - 8, 8, err)) != ERR_OK) return rc;
    if ((rc = outfile_patch(w->f, 0, header, sizeof header, err)) != ERR_OK) return rc;
    return outfile_commit(&w->f, err);
}

ErrCode shardwriter_commit(ShardWriter **writer, Hash128 *content, Err *err)
{
    ShardWriter *w = *writer;
    Span section[SEC_END] = {{NULL, 0}};
    uint8_t digest[16];
    Buf names = {0};
    ErrCode rc = ERR_OK;

    if (w->n_block) rc = flush_block(w, err);
    if (rc != ERR_OK) goto out;
    put_le64(&w->doc_first, w->n_tokens);
    put_names(w, &names);
    buf_put_span(&w->id_ends, buf_span(&w->ids)); /* the ends, then the text: the section IDS */
    if (names.oom || index_oom(w)) {
        rc = err_nomem(err, "the index of a shard");
        goto out;
    }
    section[SEC_BLOCK_SUMS] = buf_span(&w->block_sums);
    section[SEC_DOC_FIRST] = buf_span(&w->doc_first);
    section[SEC_DOC_META] = buf_span(&w->doc_meta);
    section[SEC_NAMES] = buf_span(&names);
    section[SEC_IDS] = buf_span(&w->id_ends);
    for (uint32_t k = SEC_DOC_FIRST; k <= SEC_IDS; k++) hashstream_add(w->content, section[k]);
    Hash128 h = hashstream_digest(w->content);
    hash128_put(digest, h);
    section[SEC_CONTENT] = (Span){digest, sizeof digest};
    rc = finish(w, section, err);
    if (rc == ERR_OK && content) *content = h;
out:
    buf_clear(&names);
    writer_free(w);
    *writer = NULL;
    return rc;
}
