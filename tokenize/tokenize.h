/* tokenize/tokenize.h - byte-level BPE: encode, decode, train. A program of any kind may link against it for encode and decode; what is
 * installed for that is this header, the few of core that it includes, two static libraries and `pkg-config tamis-tokenize`:
 *
 *     Tokenizer *t;
 *     Encoder *e;
 *     Buf ids = {0}, text = {0};
 *     Err err;
 *     if (tokenizer_load(&t, "tokenizer.json", &err) == ERR_OK && encoder_new(&e, t, &err) == ERR_OK &&
 *         encode(e, SPAN_LIT("Water, water."), false, &ids, &err) == ERR_OK &&
 *         decode(t, (const uint32_t *)ids.p, ids.n / 4, false, &text, &err) == ERR_OK) …
 *     else fprintf(stderr, "%s\n", err.msg);
 *     buf_clear(&ids), buf_clear(&text), encoder_free(e), tokenizer_free(t);
 *
 * The trainer follows the merge rule of HuggingFace `tokenizers` (highest pair count, ties to the smaller pair of ids); the encoder
 * applies the lowest merge rank first, leftmost on ties, in the words that the pre-tokenizer cuts (tokenize/pretoken.h). Bytes that are
 * no UTF-8 are encoded one by one. */
#ifndef TAMIS_TOKENIZE_TOKENIZE_H
#define TAMIS_TOKENIZE_TOKENIZE_H

#include "core/buf.h"
#include "core/hash.h"

/* --- a tokenizer: immutable once loaded, shared by any number of threads. */
typedef struct Tokenizer Tokenizer;
/* A tokenizer.json, a GGUF file, vocab.json with merges.txt beside it, a tiktoken file of a known encoding: told by content. ERR_DATA
 * names what is wrong or cannot be followed. */
MUST_USE ErrCode tokenizer_load(Tokenizer **t, const char *path, Err *err);
/* A tokenizer.json; `name` is for messages. */
MUST_USE ErrCode tokenizer_parse(Tokenizer **t, Span json, const char *name, Err *err);
void tokenizer_free(Tokenizer *t);
uint32_t tokenizer_vocab_size(const Tokenizer *t); /* highest id + 1 */
/* Id of the end-of-document token: the added token called <|end_of_text|>, <｜end▁of▁sentence｜> or <|endoftext|>.
 * UINT32_MAX when it has none. */
uint32_t tokenizer_eos(const Tokenizer *t);
/* Id of the token that begins a document: the one that post_processor puts there, else the added token called <|begin_of_text|> or
 * <｜begin▁of▁sentence｜>. UINT32_MAX when it has none. Encoding puts neither of the two anywhere. */
uint32_t tokenizer_bos(const Tokenizer *t);
Hash128 tokenizer_id(const Tokenizer *t);              /* XXH3-128 of the canonical tokenizer.json */
Span tokenizer_bytes(const Tokenizer *t, uint32_t id); /* the bytes a token stands for; empty for an unused id */
bool tokenizer_is_special(const Tokenizer *t, uint32_t id);

/* --- encoding: one Encoder a thread. It keeps 5 MiB of words it has seen (tokenize/word_cache.h), up to 10 MiB after long
 * ones, 16 MiB where the tokenizer normalizes, and where its chain has no name up to 32 MiB for the ends of pretokens, 16 bytes each; more
 * only while a text needs it. */
typedef struct Encoder Encoder;
MUST_USE ErrCode encoder_new(Encoder **e, const Tokenizer *t, Err *err);
void encoder_free(Encoder *e);
const Tokenizer *encoder_tokenizer(const Encoder *e);
/* Replaces *ids (an array of uint32_t in a Buf; count = ids->n / 4). Text of any size and content. Added tokens in the text
 * are recognised, as the reference does, unless plain is true. */
MUST_USE ErrCode encode(Encoder *e, Span text, bool plain, Buf *ids, Err *err);
typedef enum {
    ENCODE_ALL,      /* every added token in the text is recognised */
    ENCODE_DOCUMENT, /* special ones are text, so that a crawled page cannot end itself; the others are recognised: the
                        reference's encode_special_tokens = true */
    ENCODE_PLAIN     /* none is recognised */
} EncodeMode;
/* The same, naming what happens to added tokens. ERR_LIMIT: this text takes too many steps of the patterns of the tokenizer's pre_tokenizer,
 * which none of the chains with a name does; the encoder serves on. */
MUST_USE ErrCode encode_as(Encoder *e, Span text, EncodeMode mode, Buf *ids, Err *err);
/* Bytes left out so far because the vocabulary has no token for them, as the reference leaves them out. Always 0 for a
 * vocabulary with all 256 bytes; for one trained on UTF-8 only ill-formed text loses bytes. */
uint64_t encoder_n_lost(const Encoder *e);
/* Appends the bytes of the tokens: what was encoded, byte for byte. skip_special leaves special added tokens out. An id that the
 * vocabulary does not have: ERR_DATA. */
MUST_USE ErrCode decode(const Tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, Buf *out, Err *err);
/* As HuggingFace `tokenizers` decodes: added tokens are read as byte-level text too (so DeepSeek-LLM's token ü becomes the byte
 * FC), and what is then no UTF-8 becomes U+FFFD. */
MUST_USE ErrCode decode_as_reference(const Tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, Buf *out,
                                     Err *err);

/* The same token by token: what comes out are whole characters, held back until their last byte is there, and all of it together is
 * what decoding at once gives. */
typedef struct {
    const Tokenizer *t;
    bool lossless, skip_special;
    uint8_t held[4]; /* the beginning of a character */
    size_t n_held, n_tokens;
} DecodeStream;
/* lossless: as decode(), without replacing what is no UTF-8; else as decode_as_reference(). */
DecodeStream decodestream(const Tokenizer *t, bool lossless, bool skip_special);
/* Appends what is complete with this token. */
MUST_USE ErrCode decodestream_put(DecodeStream *s, uint32_t id, Buf *out, Err *err);
/* Appends what is held back: a character that was cut off. The stream may be used anew. */
void decodestream_end(DecodeStream *s, Buf *out);

/* What a token of a text stands for: bytes [begin, end) and the characters [char_begin, char_end) that these belong to; a character cut
 * into several tokens belongs to each. Offsets are not trimmed (post_processor's trim_offsets). */
typedef struct {
    size_t begin, end, char_begin, char_end;
} TokenOffset;
/* Encodes as encode_as() and replaces *offsets by an array of TokenOffset, one a token. ERR_LIMIT for a text that the tokenizer's
 * normalizer may change. */
MUST_USE ErrCode encode_offsets(Encoder *e, Span text, EncodeMode mode, Buf *ids, Buf *offsets, Err *err);

/* --- training: text is fed, counted, then merged. */
typedef struct Pretokenizer Pretokenizer; /* tokenize/pretoken.h */
typedef struct {
    uint32_t vocab_size;       /* merged and byte tokens; added tokens come on top */
    uint64_t min_frequency;    /* a pair must occur so often to be merged; 0 as the reference */
    uint32_t max_token_length; /* bytes of the longest new token + 1, as the reference; 0: no limit */
    bool all_bytes;            /* start from all 256 bytes; else from the bytes seen */
    const char *const *added;  /* added tokens behind the last merge, in order */
    const bool *added_special;
    uint32_t n_added;
    const Pretokenizer *pretokenizer;
    bool added_normalized; /* the flag `normalized` of all of them; without a normalizer it only orders the search */
} BpeParams;
/* Presets of the verb: "tamis" and "deepseek-llm". NULL when unknown. */
const BpeParams *bpe_preset(const char *name);

typedef struct BpeCounter BpeCounter; /* word counts of one thread */
MUST_USE ErrCode bpecounter_new(BpeCounter **c, const Pretokenizer *p, Err *err);
void bpecounter_free(BpeCounter *c);
/* One document. ERR_LIMIT, and nothing is counted: it takes too many steps, as in encode_as(). */
MUST_USE ErrCode bpecounter_feed(BpeCounter *c, Span text, Err *err);
/* Adds the words of `from` to `into`. */
MUST_USE ErrCode bpecounter_merge(BpeCounter *into, BpeCounter *from, Err *err);
uint64_t bpecounter_bytes(const BpeCounter *c); /* of text fed */
/* Trains and appends tokenizer.json (pretty, 2 spaces) to out. Deterministic: depends on the counts alone. */
MUST_USE ErrCode bpe_train(const BpeParams *params, BpeCounter *words, Buf *tokenizer_json, Err *err);

/* `tamis bpe` */
int bpe_verb(int argc, char **argv);
/* The same, or what another word behind it says: `tamis bpe convert`, `decode` … */
int bpe_words(int argc, char **argv);

#endif
