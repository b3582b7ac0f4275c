/* tools/token_shuffle.h - documents become tokens, meet by key, and become shards.
 *
 * A document has an order and a place in it. Hashed: both are a hash of (seed, DocId), a bijection. In input order: the share of the
 * text before it; part and record. Its key: log2 n_shards upper bits of the order, which are the partition; the lower bits of its
 * domain's XXH3-64; then the place, 64 bits. So a partition delivers its domains one after the other, and one shard at a time is
 * open in a thread, however many domains there are. A value is a chunk of the document's tokens; chunks start
 * with their number, so they arrive in order:
 *   u32 big-endian chunk number · chunk 0 only: u64 DocId, u64 number of tokens, u16 bytes of the domain, u16 of lang, u32 of the id,
 *   these three (little-endian) · then tokens, 3 bytes each, little-endian
 * Partition p of the exchange, 0 <= p < n_shards, is shard p of every stream. */
#ifndef TAMIS_TOOLS_TOKEN_SHUFFLE_H
#define TAMIS_TOOLS_TOKEN_SHUFFLE_H

#include "core/dataset.h"
#include "core/par.h"
#include "tokenize/tokenize.h"
#include "tools/token_streams.h"

typedef struct {
    const DatasetSet *set;
    const Tokenizer *tokenizer;
    const char *out_dir;
    uint32_t n_shards; /* a power of two */
    bool input_order;
    uint64_t seed;
    uint64_t memory;     /* bytes that the exchange may take, here */
    const char *scratch; /* directory for what does not fit */
    Hash128 key;         /* of the run; goes into every shard */
} ShuffleSpec;

/* Encodes everything and writes DIR/STREAM/shard-%06u.tok for every stream: each rank encodes a share of the parts and writes a
 * share of the shards. *domains, empty before, has the streams and what went into them; *n_lost the bytes without a token, of
 * all ranks. Collective. */
MUST_USE ErrCode tokens_shuffle(const ShuffleSpec *spec, const Par *par, DomainSet *domains, uint64_t *n_lost,
                                Err *err);

#endif
