/* tokenize/added_trie.h - which added token begins at a place of a text: the longest, in a bounded number of steps for each byte of the text.
 *
 * A trie walked from a place answers at once as long as tokens are short. Where one is longer than ADDED_NEAR bytes, a text could make
 * every walk that long, so walks stop there, and a window of the text behind is read once, backwards, by an automaton of the tokens
 * reversed (Aho & Corasick 1975): its state at a place knows the longest token that begins there. */
#ifndef TAMIS_TOKENIZE_ADDED_TRIE_H
#define TAMIS_TOKENIZE_ADDED_TRIE_H

#include "core/buf.h"
#include "tokenize/byte_set.h"

enum { ADDED_NEAR = 64, ADDED_WINDOW = 1 << 16 };

/* Open addressing, at most half full. */
typedef struct {
    uint32_t parent, child_byte; /* child << 8 | byte; 0: empty */
} TrieEdge;
typedef struct {
    TrieEdge *edge;
    unsigned bits;
    uint32_t *id; /* by node: the token that ends there, or UINT32_MAX. Node 0 is the root */
    uint32_t n_nodes, cap;
} ByteTrie;

typedef struct {
    ByteTrie forward;
    ByteSet first;  /* bytes that begin a content */
    size_t longest; /* bytes of a content */
    /* Only where `longest` is above ADDED_NEAR: the contents reversed; by node: where to go on after a failure, the node of the longest
     * content that the way to it ends in (0: none), its depth. */
    ByteTrie backward;
    uint32_t *fail, *ends;
    uint16_t *depth;
} AddedTrie;

/* Adds a content of 1 to 2^15 bytes; an equal one replaces the id. False: no memory. */
bool addedtrie_put(AddedTrie *trie, Span content, uint32_t id);
/* All are there. */
bool addedtrie_finish(AddedTrie *trie);
void addedtrie_clear(AddedTrie *trie);

/* A reader of one text; places asked for do not fall. */
typedef struct {
    const AddedTrie *trie;
    Span text;
    uint32_t *window; /* by place from `begin` to `end`: a node of `backward` */
    size_t begin, end;
    uint64_t n_steps; /* edges looked for */
} AddedReader;
/* The longest content that begins at text[at]; UINT32_MAX when none does. *n is its length. */
uint32_t added_at(AddedReader *r, size_t at, size_t *n);
void addedreader_clear(AddedReader *r);

#endif
