/* shards/shard_format.h - the numbers of shard v1 that its writer, reader and verifier share (docs/formats.md).
 *
 * A file is the header, its directory and their sum; the sections in the order of the directory, each at the next
 * multiple of SHARD_ALIGN; the sum again at the next multiple. Bytes between are zero. */
#ifndef TAMIS_SHARDS_SHARD_FORMAT_H
#define TAMIS_SHARDS_SHARD_FORMAT_H

#include "shards/shards.h"

enum {
    SHARD_HEADER = 80, /* bytes before the directory */
    SHARD_ENTRY = 32,  /* one section in the directory */
    SHARD_ALIGN = 64,
    SHARD_MAX_SECTIONS = 64,
    SHARD_META_BYTES = 16,
    SHARD_MAX_DOMAINS = 65535,
    SHARD_MAX_LANGS = 255
};
#define SHARD_MAX_TOKENS (UINT64_C(1) << 48) /* so that token_bits times it cannot overflow */

typedef enum {
    SEC_TOKENS = 1,
    SEC_BLOCK_SUMS, /* u64 a block: XXH3-64 of its tokens as u32 */
    SEC_DOC_FIRST,  /* u64 a document: its first token; then n_tokens */
    SEC_DOC_META,   /* a document: u64 DocId, u16 domain, u8 lang, five zero bytes */
    SEC_NAMES,      /* u32 n_domains, u32 n_langs, u32 end of each name in the text that follows, domains first */
    SEC_IDS,        /* u64 a document: the end of its id in the text that follows */
    SEC_CONTENT,    /* XXH3-128 of all tokens as u32, DOC_FIRST, DOC_META, NAMES and IDS */
    SEC_END         /* one past the last kind this version knows */
} SectionKind;

extern const char shard_magic[8];
const char *section_name(SectionKind kind);

static inline uint64_t shard_align(uint64_t n) { return (n + SHARD_ALIGN - 1) & ~(uint64_t)(SHARD_ALIGN - 1); }

struct Shard {
    Span bytes;  /* the whole file */
    char *name;  /* its path, for messages */
    bool mapped; /* else the bytes are borrowed */
    ShardSpec spec;
    unsigned token_bits;
    uint32_t block_tokens;
    uint64_t n_tokens, n_docs;
    Span section[SEC_END];
    uint64_t sum[SEC_END];
    uint32_t n_sections;
    uint32_t n_domains, n_langs;
    Span names; /* text of the names */
    Span ids;   /* text of the ids */
};

/* Name i of the list of domains and langs; false when its ends are out of order. */
bool shard_name(const Shard *s, uint32_t i, Span *out);
bool shard_id(const Shard *s, uint64_t doc, Span *out);

#endif
