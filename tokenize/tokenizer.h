/* tokenize/tokenizer.h - what a loaded tokenizer is. */
#ifndef TAMIS_TOKENIZE_TOKENIZER_H
#define TAMIS_TOKENIZE_TOKENIZER_H

#include "tokenize/added_trie.h"
#include "tokenize/merge_rank.h"
#include "tokenize/pretoken.h"
#include "tokenize/seams.h"
#include "tokenize/tokenize.h"
#include "tokenize/whole_words.h"

enum {
    TOKENIZER_MAX_BYTES = 256 << 20,   /* of the file */
    TOKENIZER_MAX_IDS = (1 << 24) - 1, /* 24 bits and one over, for the guards of the encoder */
    TOKENIZER_MAX_ADDED_BYTES = 4096,
    TOKENIZER_MAX_ADDED = 1 << 16,
    TOKENIZER_MAX_ADDED_SUM = 4 << 20 /* bytes of all: a node of a trie each at most, and of its reverse */
};
#define NO_ID UINT32_MAX
enum { CHAR_IDS = 0x10000 };

/* A merge, found by its pair. Open addressing, at most half full; an empty slot has merge_rank NO_ID. */
typedef struct {
    uint32_t left, right, merge_rank, id;
} MergeSlot;

/* Of a token. The last three say how an added token is found in a text: only between characters that are no part of a word, with
 * the white space before it, with that behind it. */
enum {
    TOKEN_USED = 1,
    TOKEN_ADDED = 2,
    TOKEN_SPECIAL = 4,
    TOKEN_SINGLE_WORD = 8,
    TOKEN_LSTRIP = 16,
    TOKEN_RSTRIP = 32,
    TOKEN_BYTELEVEL = 64, /* of the vocabulary, spelt in letters of bytes: merging or ignore_merges may give it */
    TOKEN_MERGED = 128    /* a merge takes or makes it */
};

/* The invariant of bytes[]: a token that merging, ignore_merges or a byte of UTF-8 can give has TOKEN_BYTELEVEL, and its bytes are what
 * its spelling reads as. All others, so every added token that a text gives by its content, stand for their content. A file in which one
 * id would be both, of different bytes, is refused. */

struct Tokenizer {
    uint32_t n_ids;          /* highest id + 1 */
    uint32_t eos, bos;       /* NO_ID: none */
    bool adds_bos, adds_eos; /* what post_processor puts around a text; encoding does not */
    Buf before, behind;      /* the ids that it puts there, u32 */
    Hash128 id;
    bool nfc; /* normalizer: text is put into Normalization Form C, behind the first search for added tokens */
    const Pretokenizer *pretokenizer;
    Span *bytes;           /* by id: what it stands for */
    Span *spelling;        /* by id: as tokenizer.json writes it */
    uint8_t *flags;        /* by id: TOKEN_ */
    uint32_t byte_id[256]; /* token of a single byte, or NO_ID */
    MergeSlot *merges;
    unsigned merge_bits;
    uint32_t n_merges;
    bool ignore_merges; /* a pretoken that is in the vocabulary is that token, whatever its merges say */
    uint32_t *char_id;  /* by code point below CHAR_IDS: the token that its bytes are in every word, or NO_ID */
    MergeRanks ranks;   /* the merges again, for speed */
    Seams *seams;       /* where words may be cut; NULL: nowhere */
    WholeWords *whole;  /* pretokens that are not merged; NULL: none */
    AddedTrie added[2]; /* searched one after the other: the tokens with normalized false, then those with true */
    Arena arena;        /* the bytes and spellings */
};

/* Where the search for a pair begins. */
static inline size_t merge_slot_home(const Tokenizer *t, uint32_t left, uint32_t right)
{
    uint64_t pair = (uint64_t)left << 32 | right;

    return (size_t)((pair ^ pair >> 29) * 0x9e3779b97f4a7c15u >> (64 - t->merge_bits));
}

/* The merge of two tokens, or NULL. */
static inline const MergeSlot *merge_find(const Tokenizer *t, uint32_t left, uint32_t right)
{
    size_t mask = ((size_t)1 << t->merge_bits) - 1;

    for (size_t at = merge_slot_home(t, left, right);; at = (at + 1) & mask) {
        const MergeSlot *m = &t->merges[at];
        if (m->left == left && m->right == right) return m;
        if (m->merge_rank == NO_ID) return NULL;
    }
}

/* From the tree of a tokenizer.json. */
MUST_USE ErrCode tokenizer_from_json(Tokenizer **t, const Json *root, const char *name, Err *err);
/* Its parts: what stands around the model (tokenizer_frame.c). ERR_DATA names the member that cannot be followed. */
MUST_USE ErrCode tokenizer_read_frame(Tokenizer *t, const Json *root, const char *name, Err *err);
ErrCode tokenizer_refuse(const char *name, Err *err, const char *what);

/* Appends JSON without white space, laid out over lines with two spaces a level; empty arrays and objects stay as they are. */
void tokenizer_lay_out(Span json, Buf *out);

/* Makes what only speed needs of a tokenizer whose tokens, merges and flags are there: char_id … */
MUST_USE ErrCode tokenizer_index(Tokenizer *t, Err *err);
void tokenizer_index_clear(Tokenizer *t);
/* Its parts, in this order. */
MUST_USE ErrCode tokenizer_rank_merges(Tokenizer *t, Err *err);
void mergeranks_clear(MergeRanks *m);
MUST_USE ErrCode tokenizer_find_chars(Tokenizer *t, Err *err);

/* --- the added tokens of one pass in a text, from left to right: of those that begin first the longest. As in the reference, what is
 * found and then not taken (not a word of its own; special, in a document) hides what begins inside it. */
typedef struct {
    uint32_t id;
    size_t begin, end; /* with the white space that the token takes */
} AddedHit;
typedef struct {
    const Tokenizer *t;
    AddedReader reader;
    bool skip_special;
    size_t at;      /* where the search goes on */
    size_t done;    /* end of the last hit */
    size_t run_end; /* of the last run of white space looked at */
} AddedScan;
AddedScan added_scan(const Tokenizer *t, int pass, Span text, EncodeMode mode);
/* False when there is no more. A hit begins at or behind the end of the one before, unless that one's white space reached over it:
 * then nothing lies between them. */
bool added_next(AddedScan *s, AddedHit *hit);
/* Needed only where the scan is left before its end. */
void added_end(AddedScan *s);

/* As encode_offsets(), of any text: offsets are in *seen, the text as its tokens were found in it, which is `text` or in *normalized. */
MUST_USE ErrCode encode_normalized(Encoder *e, Span text, EncodeMode mode, Buf *ids, Buf *offsets, Buf *normalized,
                                   Span *seen, Err *err);

#endif
