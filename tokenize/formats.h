/* tokenize/formats.h - vocabularies in the other formats of the field, read by being made into tokenizer.json, which alone is then
 * followed (tokenizer_json.c), and written from a loaded tokenizer:
 *   tiktoken    lines of a token's bytes in base64 and its rank, which is its id (openai/tiktoken)
 *   pair        GPT-2's vocab.json and merges.txt (openai/gpt-2); only read
 *   GGUF        the metadata tokenizer.ggml.* of a GGUF file, version 2 or 3 (ggml-org/ggml, docs/gguf.md)
 * Files are hostile: sizes are compared with what is left, and everything that grows is capped. */
#ifndef TAMIS_TOKENIZE_FORMATS_H
#define TAMIS_TOKENIZE_FORMATS_H

#include "tokenize/tokenizer.h"

enum {
    FORMAT_MAX_TOKEN = 2048,         /* bytes of a token; bounds the quadratic merging that finds a token's parts */
    TIKTOKEN_MAX_BYTES = 64 << 20,   /* of the file */
    FORMAT_MAX_UNUSED_IDS = 1 << 16, /* ids without a token */
};

typedef enum { FORMAT_JSON, FORMAT_TIKTOKEN, FORMAT_GGUF, FORMAT_PAIR } TokenizerFormat;
/* By content. What is none of the others is taken for tokenizer.json, whose reader says what is wrong. */
TokenizerFormat format_of(Span bytes);

/* What a file does not say. Strings are borrowed. */
typedef struct {
    const char *pre_tokenizer; /* pretokenizer_named(); NULL: as the file says */
    const char *encoding; /* of a tiktoken file: r50k_base, cl100k_base …; NULL: known by its content, or none */
    const char *const *special; /* "TOKEN=ID": special tokens of a tiktoken file */
    size_t n_special;
} FormatHints;

/* A tokenizer.json of a file in any format; `bytes` are its content. Appends to json. */
MUST_USE ErrCode format_to_json(const char *path, Span bytes, const FormatHints *hints, Buf *json, Err *err);
/* The same of the file at `path`, which may be a GGUF file of any size; replaces *json, an empty one. */
MUST_USE ErrCode format_load_json(const char *path, const FormatHints *hints, Buf *json, Err *err);

/* --- what the readers fill */
typedef enum { DRAFT_NONE, DRAFT_TOKEN, DRAFT_ADDED, DRAFT_SPECIAL } DraftKind;
typedef struct {
    Span spelling; /* in the characters of the byte-level alphabet; of an added token its content */
    DraftKind kind;
} DraftToken;
typedef struct {
    uint32_t left, right;
} DraftMerge;
typedef struct {
    const char *name;  /* of the file, for messages */
    DraftToken *token; /* by id */
    uint32_t n_ids;
    DraftMerge *merge;      /* by merge rank */
    const Span *merge_line; /* instead of `merge`: "left right", by merge rank */
    uint32_t n_merges;
    const Pretokenizer *pretokenizer;
    bool ignore_merges;
    uint32_t bos, eos; /* put around a text by post_processor where adds_ says so */
    bool adds_bos, adds_eos;
    Arena arena; /* everything above */
} TokenizerDraft;
/* Room for n_ids tokens of kind DRAFT_NONE and as many merges. */
MUST_USE ErrCode draft_init(TokenizerDraft *d, const char *name, uint32_t n_ids, Err *err);
void draft_clear(TokenizerDraft *d);
/* Appends tokenizer.json, without white space. Contents must be UTF-8. */
MUST_USE ErrCode draft_put_json(const TokenizerDraft *d, Buf *json, Err *err);
/* Its parts for who makes the others himself: "normalizer" and "pre_tokenizer"; FORMAT_BYTELEVEL is a "post_processor"; "decoder" and
 * "model" up to the value of "vocab". */
void draft_put_chain(const Pretokenizer *p, Buf *json);
#define FORMAT_BYTELEVEL \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,\"use_regex\":true}"
void draft_put_model_head(bool ignore_merges, Buf *json);
/* The chain of that name; ERR_USAGE names those there are. */
MUST_USE ErrCode draft_pretokenizer(TokenizerDraft *d, const char *chain, Err *err);

/* --- the merges that make tokens of given bytes, as byte pair encoding by rank (lower ids first) has them: the two parts that the
 * token's own bytes come to. NO_ID where they do not. */
MUST_USE ErrCode merges_of_ranks(const char *name, const Span *bytes, uint32_t n_ids, DraftMerge *made, Err *err);
/* The merges of a tokenizer by rank; three numbers each: left, right, what they make. t->n_merges * 3 numbers. */
void tokenizer_list_merges(const Tokenizer *t, uint32_t *out);

/* --- the formats */
MUST_USE ErrCode tiktoken_read(const char *name, Span bytes, const FormatHints *hints, Buf *json, Err *err);
/* ERR_DATA where a reader of the file would give other ids. Added tokens are not part of such a file. */
MUST_USE ErrCode tiktoken_write(const Tokenizer *t, Buf *out, Err *err);
MUST_USE ErrCode pair_read(const char *name, Span vocab, Span merges, const FormatHints *hints, Buf *json, Err *err);
MUST_USE ErrCode gguf_read(const char *name, Span bytes, const FormatHints *hints, Buf *json, Err *err);
MUST_USE ErrCode gguf_write(const Tokenizer *t, Buf *out, Err *err);

/* Base64 (RFC 4648, section 4). False when it is none. */
void base64_put(Buf *out, Span bytes);
bool base64_read(Buf *out, Span text);

#endif
