#include "shards/bitpack.h"
#include "shards/shard_format.h"

#include "core/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static ErrCode wrong(const Shard *s, Err *err, const char *fmt, ...) PRINTF_LIKE(3, 4);
static ErrCode wrong(const Shard *s, Err *err, const char *fmt, ...)
{
    char why[128];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return err_set(err, ERR_DATA, "%s: %s", s->name, why);
}

/* Sums of all sections, and the bytes between them. */
static ErrCode verify_bytes(const Shard *s, Err *err)
{
    uint64_t at = SHARD_HEADER + (uint64_t)s->n_sections * SHARD_ENTRY + 8, end = s->bytes.n - 8;

    for (uint32_t i = 0; i <= s->n_sections; i++) {
        const uint8_t *entry = s->bytes.p + SHARD_HEADER + (size_t)i * SHARD_ENTRY;
        uint64_t offset = i < s->n_sections ? le64_get(entry + 8) : end,
                 bytes = i < s->n_sections ? le64_get(entry + 16) : 0;
        for (; at < offset; at++)
            if (s->bytes.p[at] != 0) return wrong(s, err, "byte %" PRIu64 " between two sections is not zero", at);
        at = offset + bytes;
        if (i == s->n_sections) break;
        uint32_t kind = le32_get(entry); /* the sum of TOKENS: verify_tokens, which can say in which block */
        if (kind != SEC_TOKENS && hash64((Span){s->bytes.p + offset, (size_t)bytes}) != le64_get(entry + 24)) {
            if (kind > 0 && kind < SEC_END)
                return wrong(s, err, "section %s differs from its sum", section_name(kind));
            return wrong(s, err, "section %" PRIu32 " of an unknown kind differs from its sum", i);
        }
    }
    return ERR_OK;
}

/* The unused bits of the last byte and the zeros behind it. */
static bool tail_is_zero(const Shard *s)
{
    Span packed = s->section[SEC_TOKENS];
    uint64_t bytes = bitpack_bytes(s->n_tokens, s->token_bits);
    unsigned used = (unsigned)(s->n_tokens % 8 * s->token_bits % 8); /* bits of the last byte; 0: all */

    if (used && packed.p[bytes - 1] >> used) return false;
    for (uint64_t i = bytes; i < packed.n; i++)
        if (packed.p[i]) return false;
    return true;
}

/* Tokens block by block: their sums, range, and what documents must end with. */
static ErrCode verify_tokens(const Shard *s, HashStream *content, uint32_t *tokens, uint8_t *plain, Err *err)
{
    const uint8_t *doc_end = s->section[SEC_DOC_FIRST].p + 8; /* the end of the next document */
    uint64_t doc = 0;

    for (uint64_t first = 0; first < s->n_tokens; first += SHARD_BLOCK_TOKENS) {
        uint64_t left = s->n_tokens - first, block = first / SHARD_BLOCK_TOKENS;
        size_t n = left < SHARD_BLOCK_TOKENS ? (size_t)left : SHARD_BLOCK_TOKENS;
        bitpack_get(tokens, s->section[SEC_TOKENS].p, first, n, s->token_bits);
        for (size_t i = 0; i < n; i++) le32_put(plain + 4 * i, tokens[i]);
        if (hash64((Span){plain, 4 * n}) != le64_get(s->section[SEC_BLOCK_SUMS].p + 8 * block))
            return wrong(s, err, "block %" PRIu64 " of 32768 tokens differs from its sum", block);
        hashstream_add(content, (Span){plain, 4 * n});
        for (size_t i = 0; i < n; i++)
            if (tokens[i] >= s->spec.vocab_size)
                return wrong(s, err, "token %" PRIu64 " is not in the vocabulary", first + i);
        for (; doc < s->n_docs && le64_get(doc_end + 8 * doc) <= first + n; doc++)
            if (tokens[le64_get(doc_end + 8 * doc) - 1 - first] != s->spec.eos_id)
                return wrong(s, err, "document %" PRIu64 " does not end with eos", doc);
    }
    if (!tail_is_zero(s)) return wrong(s, err, "bits behind the last token are not zero");
    if (hash64(s->section[SEC_TOKENS]) != s->sum[SEC_TOKENS])
        return wrong(s, err, "section TOKENS differs from its sum");
    return ERR_OK;
}

/* DOC_FIRST rises from 0 to n_tokens; every document has its names and an id. */
static ErrCode verify_docs(const Shard *s, Err *err)
{
    const uint8_t *first = s->section[SEC_DOC_FIRST].p;
    uint64_t begin, end, before = 0;
    ShardDoc doc;
    ErrCode rc;

    if (le64_get(first) != 0 || le64_get(first + 8 * s->n_docs) != s->n_tokens)
        return wrong(s, err, "DOC_FIRST does not run from 0 to %" PRIu64, s->n_tokens);
    for (uint64_t d = 0; d < s->n_docs; d++) {
        const uint8_t *meta = s->section[SEC_DOC_META].p + SHARD_META_BYTES * d;
        if ((rc = shard_doc(s, d, &doc, &begin, &end, err)) != ERR_OK) return rc;
        for (size_t i = 11; i < SHARD_META_BYTES; i++)
            if (meta[i] != 0) return wrong(s, err, "the reserved bytes of document %" PRIu64 " are not zero", d);
        if (!utf8_valid(doc.id)) return wrong(s, err, "the id of document %" PRIu64 " is not UTF-8", d);
        before += doc.id.n;
    }
    if (before != s->ids.n) return wrong(s, err, "IDS has bytes behind its last id");
    return ERR_OK;
}

static ErrCode verify_names(const Shard *s, Err *err)
{
    uint64_t before = 0;
    Span name;

    for (uint32_t i = 0; i < s->n_domains + s->n_langs; i++) {
        if (!shard_name(s, i, &name) || !utf8_valid(name)) return wrong(s, err, "name %" PRIu32 " is damaged", i);
        before += name.n;
    }
    return before == s->names.n ? ERR_OK : wrong(s, err, "NAMES has bytes behind its last name");
}

ErrCode shard_verify(const Shard *s, Err *err)
{
    uint32_t *tokens = malloc(SHARD_BLOCK_TOKENS * sizeof *tokens);
    uint8_t *plain = malloc(SHARD_BLOCK_TOKENS * 4);
    HashStream *content = NULL;
    ErrCode rc;

    if (!tokens || !plain) {
        rc = err_nomem(err, "a block of tokens");
        goto out;
    }
    if ((rc = hashstream_new(&content, err)) != ERR_OK) goto out;
    if ((rc = verify_bytes(s, err)) != ERR_OK) goto out;
    if ((rc = verify_names(s, err)) != ERR_OK) goto out;
    if ((rc = verify_docs(s, err)) != ERR_OK) goto out;
    if ((rc = verify_tokens(s, content, tokens, plain, err)) != ERR_OK) goto out;
    for (uint32_t k = SEC_DOC_FIRST; k <= SEC_IDS; k++) hashstream_add(content, s->section[k]);
    if (!hash128_eq(hashstream_digest(content), shard_content(s)))
        rc = wrong(s, err, "CONTENT is not the hash of tokens and documents");
out:
    hashstream_free(content);
    free(plain);
    free(tokens);
    return rc;
}
