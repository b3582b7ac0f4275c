#include "shards/shards.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Reads all that can be reached, in order, and asks for what cannot. */
static void open_and_read(Span bytes)
{
    uint32_t tokens[64];
    uint64_t begin, end, at;
    volatile uint8_t sink = 0;
    ShardDoc doc;
    Shard *s;
    Err err;

    if (shard_open_bytes(&s, bytes, "input", &err) != ERR_OK) return;
    uint64_t n = shard_n_tokens(s), n_docs = shard_n_docs(s);
    for (uint64_t first = 0; first < n; first += 64)
        if (shard_read(s, first, n - first < 64 ? (size_t)(n - first) : 64, tokens, &err) != ERR_OK) abort();
    if (shard_read(s, n, 1, tokens, &err) == ERR_OK || shard_doc(s, n_docs, &doc, &begin, &end, &err) == ERR_OK)
        abort();
    for (uint64_t d = 0; d < n_docs; d++) {
        if (shard_doc(s, d, &doc, &begin, &end, &err) != ERR_OK) continue;
        if (begin >= end || end > n) abort();
        if (doc.id.n) sink = (uint8_t)(sink ^ doc.id.p[doc.id.n - 1]);
        if (doc.domain.n) sink = (uint8_t)(sink ^ doc.domain.p[doc.domain.n - 1]);
        if (doc.lang.n) sink = (uint8_t)(sink ^ doc.lang.p[doc.lang.n - 1]);
        if (shard_doc_at(s, begin, &at, &err) == ERR_OK && at >= n_docs) abort();
    }
    if (shard_verify(s, &err) == ERR_OK)
        for (uint64_t d = 0; d < n_docs; d++)
            if (shard_doc(s, d, &doc, &begin, &end, &err) != ERR_OK ||
                shard_doc_at(s, end - 1, &at, &err) != ERR_OK || at != d)
                abort();
    shard_close(s);
}

/* Once as it is, once with all sums made right, so that the rules behind them are reached. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    open_and_read((Span){p, n});
    if (n < 96) return 0;
    uint64_t n_sections = le32_get(p + 44);
    if (n_sections > (n - 96) / 32) return 0;
    uint8_t *copy = malloc(n);
    if (!copy) return 0;
    memcpy(copy, p, n);
    for (uint64_t i = 0; i < n_sections; i++) {
        uint8_t *entry = copy + 80 + 32 * i;
        uint64_t offset = le64_get(entry + 8), bytes = le64_get(entry + 16);
        if (offset <= n && bytes <= n - offset) le64_put(entry + 24, hash64((Span){copy + offset, (size_t)bytes}));
    }
    size_t header = (size_t)(80 + 32 * n_sections);
    le64_put(copy + header, hash64((Span){copy, header}));
    memcpy(copy + n - 8, copy + header, 8);
    open_and_read((Span){copy, n});
    free(copy);
    return 0;
}
