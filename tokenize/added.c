/* The trie of added tokens. Siblings form a list: an added token is a few dozen bytes, and there are few of them. */
#include "tokenize/tokenizer.h"

#include <stdlib.h>

static uint32_t child_of(const AddedTrie *trie, uint32_t node, uint8_t byte)
{
    uint32_t child = trie->node[node].child;

    while (child && trie->node[child].byte != byte) child = trie->node[child].sibling;
    return child;
}

uint32_t added_match(const AddedTrie *trie, Span text, size_t at, size_t *n)
{
    uint32_t node = 0, id = NO_ID;

    if (!trie->first[text.p[at]]) return NO_ID;
    for (size_t i = at; i < text.n && (node = child_of(trie, node, text.p[i])); i++)
        if (trie->node[node].id != NO_ID) id = trie->node[node].id, *n = i + 1 - at;
    return id;
}

bool added_put(AddedTrie *trie, Span content, uint32_t id)
{
    TrieNode *grown = realloc(trie->node, (trie->n_nodes + content.n + 1) * sizeof *grown);
    uint32_t node = 0;

    if (!grown) return false;
    trie->node = grown;
    if (!trie->n_nodes) grown[trie->n_nodes++] = (TrieNode){.id = NO_ID};
    for (size_t i = 0; i < content.n; i++) {
        uint32_t child = child_of(trie, node, content.p[i]);
        if (!child) {
            child = trie->n_nodes++;
            grown[child] = (TrieNode){.byte = content.p[i], .sibling = grown[node].child, .id = NO_ID};
            grown[node].child = child;
        }
        node = child;
    }
    trie->first[content.p[0]] = true;
    grown[node].id = id;
    return true;
}
