/* tools/token_shuffle.h - documents become tokens, meet by key, and become shards.
 *
 * A document has an order and a place in it. Hashed: both are a hash of (seed, DocId), a bijection. In input order: the share of the
 * text before it; part and record. Its key: log2 n_shards upper bits of the order, which are the partition; the lower bits of its
 * domain's XXH3-64; then the place, 64 bits. So a partition delivers its domains one after the other, and one shard at a time is
 * open in a thread, however many domains there are. A value is a chunk of the document's tokens; chunks start
 * with their number, so they arrive in order:
 *   u32 big-endian chunk number · chunk 0 only: u64 DocId, u64 number of tokens, u16 bytes of the domain, u16 of lang, u32 of the id,
 *   these three (little-endian) · then tokens, 3 bytes each, little-endian
 * Partition p, 0 <= p < n_shards, is shard p of every stream.
 *
 * Two phases, both of which stay done. Parts of the input are encoded into files below DIR/encoded (tools/token_runs.h). When all
 * are, each rank or task makes a share of the missing shards: it reads its slices of these files, as many partitions at a time as
 * its memory takes, into an exchange of its own, which sorts them. So storage that all share is what documents meet in; no
 * message carries one. A shard that is there is not made again. */
#ifndef TAMIS_TOOLS_TOKEN_SHUFFLE_H
#define TAMIS_TOOLS_TOKEN_SHUFFLE_H

#include "core/options.h"
#include "core/par.h"
#include "tokenize/tokenize.h"
#include "tools/token_input.h"
#include "tools/token_runs.h"

enum { TOKEN_CHUNK_HEAD = 4, TOKEN_DOC_HEAD = 24 };

typedef struct {
    const TokenInput *input;
    const Tokenizer *tokenizer;
    const char *out_dir;
    uint32_t n_shards; /* a power of two */
    bool input_order;
    uint64_t seed;
    uint64_t memory;     /* bytes for tokens on their way, here */
    const char *scratch; /* directory for what does not fit */
    Hash128 key;         /* of the run; goes into every shard */
    OptTask task;        /* count 0: all, by ranks */
} ShuffleSpec;

/* The bits of a key's first word that follow the number of the partition. */
static inline uint64_t token_domain_bits(uint32_t n_shards) { return UINT64_MAX / n_shards; }
static inline uint32_t token_partition(uint32_t n_shards, uint64_t word)
{
    return n_shards > 1 ? (uint32_t)(word / (token_domain_bits(n_shards) + 1)) : 0;
}

/* Encodes everything and writes DIR/STREAM/shard-%06u.tok for every stream. *domains, empty before, has the streams and what went into
 * them; *lost what did not. Collective. Of a task: its share; ERR_NO, saying what of others is missing, until all
 * shards are there. */
MUST_USE ErrCode tokens_shuffle(const ShuffleSpec *spec, const Par *par, DomainSet *domains, TokenLost *lost,
                                Err *err);
/* All is done, and published: what was encoded goes. */
MUST_USE ErrCode tokens_drop_encoded(const char *out_dir, Err *err);

#endif
