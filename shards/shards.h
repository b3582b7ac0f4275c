/* shards/shards.h - the token shard: pack, read, blend by mixture, verify, inspect.
 *
 * A tokens directory holds manifest.json, vocab.bin and STREAM/shard-%06u.tok, one stream a mixture domain. A document
 * is its tokens, then eos; no bos is stored. docs/formats.md specifies all three byte by byte.
 *
 * Shard v1, little-endian: 0 magic "TAMISHRD" · 8 u32 version 1 · 12 u32 token_bits (16..32; 17 for 100015) ·
 * 16 u64 n_tokens · 24 u64 n_docs · 32 u32 vocab_size · 36 u32 eos_id · 40 u32 block_tokens (32768) · 44 u32 n_sections ·
 * 48 u8[16] tokenizer_id · 64 u8[16] key · 80 n_sections x {u32 kind, u32 flags, u64 offset, u64 bytes, u64 xxh3} ·
 * u64 header_sum. Token i starts at bit i * token_bits of TOKENS; 8 zero bytes follow it. Sections: TOKENS, BLOCK_SUMS
 * (u64 XXH3-64 per block_tokens tokens, of their u32 little-endian values), DOC_FIRST (u64 per document + the total),
 * DOC_META, NAMES, IDS, CONTENT; unknown kinds are skipped; the last 8 bytes of the file repeat header_sum. */
#ifndef TAMIS_SHARDS_SHARDS_H
#define TAMIS_SHARDS_SHARDS_H

#include "core/doc.h"
#include "core/hash.h"
#include "core/json.h"

enum {
    SHARD_VERSION = 1,
    SHARD_BLOCK_TOKENS = 32768,
    SHARD_MAX_STREAMS = 65535,
    VOCAB_MAX = 1 << 24,
    STREAM_NAME_MAX = 100,   /* bytes of a stream's name, which is the name of its directory */
    TOKENS_STAGE_VERSION = 1 /* of the stage `tokenize`, in the manifest; to be raised when its output changes */
};
/* Bytes of a writer's index: 40 million documents with ids of 70 bytes. More belong into more shards. */
#define SHARD_MAX_INDEX (UINT64_C(1) << 32)

/* --- writing one shard: tokens go to the file as they come, in blocks; what its index needs stays in memory until the
 * commit. That is 32 bytes and the id of each document: DOC_FIRST, DOC_META and IDS of the file, the ids twice while it is
 * committed. */
typedef struct {
    uint32_t vocab_size, eos_id;
    Hash128 tokenizer_id, key;
} ShardSpec;
typedef struct {
    DocId doc;
    Span id;     /* the document's address; goes to IDS */
    Span domain; /* mixture domain */
    Span lang;
} ShardDoc;
typedef struct ShardWriter ShardWriter;
MUST_USE ErrCode shardwriter_open(ShardWriter **w, const char *path, const ShardSpec *spec, Err *err);
/* Appends a document; eos is added here. ERR_LIMIT when the index would pass SHARD_MAX_INDEX. A token id >= vocab_size
 * is our caller's mistake (assert). */
MUST_USE ErrCode shardwriter_add(ShardWriter *w, const ShardDoc *doc, const uint32_t *tokens, size_t n, Err *err);
uint64_t shardwriter_n_tokens(const ShardWriter *w);
/* Publishes. *w becomes NULL in any case. *content (may be NULL): XXH3-128 over tokens (u32 little-endian) and documents. */
MUST_USE ErrCode shardwriter_commit(ShardWriter **w, Hash128 *content, Err *err);
void shardwriter_abandon(ShardWriter *w);

/* --- reading one shard: memory-mapped, any number of threads after opening. */
typedef struct Shard Shard;
MUST_USE ErrCode shard_open(Shard **s, const char *path,
                            Err *err); /* checks header, sections, trailer; not the tokens' sums */
/* The same over bytes in memory, borrowed until shard_close; `name` is for messages. */
MUST_USE ErrCode shard_open_bytes(Shard **s, Span bytes, const char *name, Err *err);
/* Whether PATH is a whole shard of this run, by a look at its head and its end; false when it is not there. */
MUST_USE ErrCode shard_is_of(const char *path, Hash128 key, bool *yes, Err *err);
void shard_close(Shard *s); /* NULL is fine */
uint64_t shard_n_tokens(const Shard *s);
uint64_t shard_n_docs(const Shard *s);
const ShardSpec *shard_spec(const Shard *s);
unsigned shard_token_bits(const Shard *s);
Hash128 shard_content(const Shard *s); /* as the file says; shard_verify recomputes it */
/* Tokens [first, first + n); the range must lie within the shard (ERR_LIMIT). */
MUST_USE ErrCode shard_read(const Shard *s, uint64_t first, size_t n, uint32_t *out, Err *err);
/* The document that token `at` belongs to (its eos included); shard_doc gives its token range [begin, end), eos included. */
MUST_USE ErrCode shard_doc_at(const Shard *s, uint64_t at, uint64_t *doc, Err *err);
MUST_USE ErrCode shard_doc(const Shard *s, uint64_t doc, ShardDoc *out, uint64_t *begin, uint64_t *end, Err *err);
/* Recomputes every sum and every rule of the format. */
MUST_USE ErrCode shard_verify(const Shard *s, Err *err);

/* --- vocab.bin: token id -> bytes. Format: "TAMISVOC", u32 version 1, u32 n, u32 eos_id, u32 zero, u8[16] tokenizer_id,
 * u64 offsets[n + 1], bytes, u64 XXH3-64 of all before it. */
typedef struct Vocab Vocab;
typedef Span (*VocabBytes)(const void *ctx, uint32_t id);
MUST_USE ErrCode vocab_write(const char *path, uint32_t n, uint32_t eos_id, Hash128 tokenizer_id, VocabBytes bytes_of,
                             const void *ctx, Err *err);
MUST_USE ErrCode vocab_open(Vocab **v, const char *path, Err *err);
/* Over bytes in memory, borrowed until vocab_close; `name` is for messages. */
MUST_USE ErrCode vocab_open_bytes(Vocab **v, Span bytes, const char *name, Err *err);
void vocab_close(Vocab *v); /* NULL is fine */
uint32_t vocab_size(const Vocab *v);
uint32_t vocab_eos(const Vocab *v);
Hash128 vocab_tokenizer_id(const Vocab *v);
Span vocab_bytes(const Vocab *v, uint32_t id); /* id >= size: empty */

/* --- tokens directory */
typedef struct {
    const char *name;
    uint32_t n_shards;
    uint64_t n_tokens, n_docs;
} StreamInfo;
typedef struct TokensDir TokensDir;
/* Opens the manifest and the vocabulary, then every shard once; checks that they agree (vocab_size, tokenizer_id, key,
 * counts). A bounded number of shards stays mapped, no file stays open. One thread at a time reads from a TokensDir. */
MUST_USE ErrCode tokensdir_open(TokensDir **t, const char *dir, Err *err);
/* The same without a look at the shards: each is checked when it is first read. */
MUST_USE ErrCode tokensdir_manifest(TokensDir **t, const char *dir, Err *err);
/* Manifest and vocabulary, and whether every shard is there, whole and of that run, by a look at its two ends (shard_is_of): ERR_DATA
 * names the first that is not. */
MUST_USE ErrCode tokensdir_check_files(const char *dir, Err *err);
/* vocab.bin of a directory, which need not have anything else. Where there is none, the error says what DIR is. */
MUST_USE ErrCode tokensdir_open_vocab(Vocab **v, const char *dir, Err *err);
void tokensdir_close(TokensDir *t); /* NULL is fine */
uint32_t tokensdir_n_streams(const TokensDir *t);
const StreamInfo *tokensdir_stream(const TokensDir *t, uint32_t stream);
/* Opens one shard and checks it against the manifest; shard_close() ends it. */
MUST_USE ErrCode tokensdir_shard(const TokensDir *t, uint32_t stream, uint32_t shard, Shard **s, Err *err);
const Vocab *tokensdir_vocab(const TokensDir *t);
uint64_t tokensdir_n_tokens(const TokensDir *t);
Hash128 tokensdir_content(const TokensDir *t);
/* Tokens [first, first + n) of a stream, across its shards. */
MUST_USE ErrCode tokensdir_read(const TokensDir *t, uint32_t stream, uint64_t first, size_t n, uint32_t *out,
                                Err *err);
/* The shard that token `at` of a stream lies in (at < its n_tokens), and where in it. */
void tokensdir_locate(const TokensDir *t, uint32_t stream, uint64_t at, uint32_t *shard, uint64_t *local);
/* The stream of a domain: its name with every byte but letters, digits, '-', '_' and '.' (not in front) turned into '_', so
 * that nothing from a record becomes a path. False when it is empty or longer than STREAM_NAME_MAX. Different domains may
 * meet in one name: callers refuse that. */
bool stream_name(Span domain, char out[STREAM_NAME_MAX + 1]);
/* Publishes manifest.json over shards that are all there: `streams` names and shard counts. mixture (canonical JSON, may be
 * empty) is stored beside it as mixture.json. n_in is the documents of all streams and `drops`. ERR_DATA when a stream has not the documents and tokens that it should have. */
typedef struct {
    const char *name;
    uint32_t n_shards;
    uint64_t n_docs, n_tokens; /* that went into it; 0 documents: not known */
} StreamPlan;
/* Documents that went into no stream. */
typedef struct {
    const char *reason;
    uint64_t n;
} TokensDrop;
MUST_USE ErrCode tokensdir_commit(const char *dir, Hash128 key, Span params, Span inputs, Span mixture,
                                  const StreamPlan *streams, uint32_t n_streams, const TokensDrop *drops,
                                  size_t n_drops, Err *err);

/* --- blending: sample s of training -> (stream, sample of that stream), a pure function of s (DESIGN: Sample).
 * mixture.json: {"format":"tamis-mixture","version":1,"domains":[{"name","docs","text_bytes"}…],
 *   "phases":[{"from":0,"to":null,"weights":{"NAME":w,…}}…]}; from/to count training tokens, weights are shares of
 * training samples, need not sum to 1; a stream without a weight is not read; a weight without a stream is an error, unless
 * `domains` says that it has no documents. A stream too short for one sample loses its weight to the others. Phases follow
 * each other without gap, the first from 0; the last lasts for ever. NAME is a domain; its stream is stream_name(NAME). */
typedef struct {
    uint32_t context; /* T: a sample is T + 1 tokens */
    uint64_t seed;
    uint64_t block_bytes; /* permuted unit, by TOKENS bytes; 0: 64 MiB */
    uint32_t window;      /* blocks shuffled together; 0: all */
    double heldout;       /* share of each stream's samples kept out of training (its last ones), 0..0.5 */
} BlendSpec;
typedef struct Blend Blend;
/* `t` is borrowed and must outlive the blend. mixture empty: by size. */
MUST_USE ErrCode blend_open(Blend **b, const TokensDir *t, Span mixture, const BlendSpec *spec, Err *err);
void blend_close(Blend *b); /* NULL is fine */
/* Training samples of a stream, an epoch; 0: it is not read, having no weight or being shorter than a sample. */
uint64_t blend_stream_samples(const Blend *b, uint32_t stream);
typedef struct {
    uint32_t stream;
    uint64_t sample; /* tokens [sample * T, sample * T + T] of the stream */
    uint64_t epoch;  /* how often the stream had been read through before */
} BlendPick;
BlendPick blend_pick(const Blend *b, uint64_t s);
/* The T + 1 tokens of training sample s. */
MUST_USE ErrCode blend_sample(const Blend *b, uint64_t s, uint32_t *out, Err *err);
/* Held-out samples: numbered 0 .. n - 1 over all streams. */
uint64_t blend_n_heldout(const Blend *b);
MUST_USE ErrCode blend_heldout(const Blend *b, uint64_t i, uint32_t *stream, uint32_t *out, Err *err);

/* `tamis shards inspect | verify | cat` */
int shards_verb(int argc, char **argv);

#endif
