/* Added tokens in a text, as the reference finds them (huggingface/tokenizers, added_vocabulary.rs). */
#include "core/unicode.h"
#include "core/utf8.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_chars.inc"

#include <stdlib.h>

/* --- the trie. Siblings form a list: an added token is a few dozen bytes, and there are few of them. */

static uint32_t child_of(const AddedTrie *trie, uint32_t node, uint8_t byte)
{
    uint32_t child = trie->node[node].child;

    while (child && trie->node[child].byte != byte) child = trie->node[child].sibling;
    return child;
}

uint32_t added_match(const AddedTrie *trie, Span text, size_t at, size_t *n)
{
    uint32_t node = 0, id = NO_ID;

    for (size_t i = at; i < text.n && (node = child_of(trie, node, text.p[i])); i++)
        if (trie->node[node].id != NO_ID) id = trie->node[node].id, *n = i + 1 - at;
    return id;
}

/* Room for `more` nodes and the root. */
static bool trie_reserve(AddedTrie *trie, size_t more)
{
    size_t want = trie->n_nodes + more + 1, cap = trie->cap ? trie->cap : 256;

    if (want <= trie->cap) return true;
    while (cap < want) cap *= 2;
    TrieNode *grown = realloc(trie->node, cap * sizeof *grown);
    if (!grown) return false;
    if (!trie->cap) grown[trie->n_nodes++] = (TrieNode){.id = NO_ID};
    trie->node = grown;
    trie->cap = cap;
    return true;
}

bool added_put(AddedTrie *trie, Span content, uint32_t id)
{
    uint32_t node = 0;

    if (!trie_reserve(trie, content.n)) return false;
    for (size_t i = 0; i < content.n; i++) {
        uint32_t child = child_of(trie, node, content.p[i]);
        if (!child) {
            child = trie->n_nodes++;
            trie->node[child] = (TrieNode){.byte = content.p[i], .sibling = trie->node[node].child, .id = NO_ID};
            trie->node[node].child = child;
        }
        node = child;
    }
    byteset_add(&trie->first, content.p[0]);
    trie->node[node].id = id;
    return true;
}

/* --- the characters beside a token */

/* The character that ends at `at` > 0; UTF8_BAD when the bytes are none. *begin is where it begins. */
static uint32_t char_before(Span text, size_t at, size_t *begin)
{
    uint32_t cp;
    size_t b = at - 1;

    while (b > 0 && at - b < 4 && (text.p[b] & 0xC0) == 0x80) b--;
    if (utf8_next(text.p + b, at - b, &cp) == at - b && cp != UTF8_BAD) {
        *begin = b;
        return cp;
    }
    *begin = at - 1;
    return UTF8_BAD;
}

static bool is_space(uint32_t cp) { return cp <= UNICODE_MAX && unicode_class(cp) == UC_SPACE; }

static bool is_word(uint32_t cp)
{
    size_t low = 0, high = sizeof word_chars / sizeof *word_chars;

    if (cp == UTF8_BAD) return false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cp > word_chars[mid][1])
            low = mid + 1;
        else
            high = mid;
    }
    return low < sizeof word_chars / sizeof *word_chars && cp >= word_chars[low][0];
}

static bool stands_alone(Span text, size_t begin, size_t end)
{
    size_t from;
    uint32_t cp;

    if (begin > 0 && is_word(char_before(text, begin, &from))) return false;
    if (end == text.n) return true;
    utf8_next(text.p + end, text.n - end, &cp);
    return !is_word(cp);
}

/* Where the white space before `at` begins, not before `floor`. */
static size_t space_begin(Span text, size_t at, size_t floor)
{
    size_t from;

    while (at > floor && is_space(char_before(text, at, &from))) at = from;
    return at > floor ? at : floor;
}

static size_t space_end(Span text, size_t at)
{
    while (at < text.n) {
        uint32_t cp;
        unsigned n = utf8_next(text.p + at, text.n - at, &cp);
        if (!is_space(cp)) break;
        at += n;
    }
    return at;
}

/* --- the scan */

AddedScan added_scan(const Tokenizer *t, int pass, Span text, EncodeMode mode)
{
    const AddedTrie *trie = &t->added[pass];

    return (AddedScan){.t = t,
                       .trie = trie,
                       .text = text,
                       .skip_special = mode == ENCODE_DOCUMENT,
                       .at = trie->n_nodes ? 0 : text.n};
}

/* False when white space that an earlier token took leaves nothing of it: the reference drops empty pieces. */
static bool take(AddedScan *s, uint32_t id, size_t begin, size_t end, AddedHit *hit)
{
    unsigned flags = s->t->flags[id];

    /* The reference's bound is the last hit's end, which may lie behind this token where white space is a token too. */
    if (flags & TOKEN_LSTRIP) begin = space_begin(s->text, begin, s->done);
    if (flags & TOKEN_RSTRIP) {
        if (end >= s->run_end) s->run_end = space_end(s->text, end); /* else it lies in that run: no second look */
        end = s->run_end;
    }
    if (begin >= end) return false;
    s->done = end;
    *hit = (AddedHit){id, begin, end};
    return true;
}

bool added_next(AddedScan *s, AddedHit *hit)
{
    const Span text = s->text;

    for (size_t n; (s->at = byteset_find(&s->trie->first, text, s->at)) < text.n; s->at += n) {
        n = 1;
        uint32_t id = added_match(s->trie, text, s->at, &n);
        if (id == NO_ID) continue;
        unsigned flags = s->t->flags[id];
        if (s->skip_special && (flags & TOKEN_SPECIAL)) continue;
        if ((flags & TOKEN_SINGLE_WORD) && !stands_alone(text, s->at, s->at + n)) continue;
        if (!take(s, id, s->at, s->at + n, hit)) continue;
        s->at += n;
        return true;
    }
    return false;
}
