#include "tokenize/added_trie.h"

#include "core/hash.h"

#include <stdlib.h>

enum { MIN_BITS = 6 };
#define NO_TOKEN UINT32_MAX

/* --- a trie */

/* Where the edge is, or the empty place that it would have. */
static TrieEdge *find_edge(const ByteTrie *t, uint32_t parent, uint8_t byte)
{
    size_t mask = ((size_t)1 << t->bits) - 1,
           at = (size_t)(((uint64_t)parent << 8 | byte) * 0x9e3779b97f4a7c15u >> (64 - t->bits));

    while (t->edge[at].child_byte && (t->edge[at].parent != parent || (uint8_t)t->edge[at].child_byte != byte))
        at = (at + 1) & mask;
    return &t->edge[at];
}

/* 0: none. */
static uint32_t child_of(const ByteTrie *t, uint32_t parent, uint8_t byte)
{
    return find_edge(t, parent, byte)->child_byte >> 8;
}

static bool grow_edges(ByteTrie *t)
{
    ByteTrie grown = {.bits = t->edge ? t->bits + 1 : MIN_BITS};

    if (!(grown.edge = calloc((size_t)1 << grown.bits, sizeof *grown.edge))) return false;
    for (size_t i = 0; t->edge && i >> t->bits == 0; i++)
        if (t->edge[i].child_byte) *find_edge(&grown, t->edge[i].parent, (uint8_t)t->edge[i].child_byte) = t->edge[i];
    free(t->edge);
    t->edge = grown.edge;
    t->bits = grown.bits;
    return true;
}

static bool new_node(ByteTrie *t)
{
    if (t->n_nodes == t->cap) {
        uint32_t cap = t->cap ? 2 * t->cap : 64, *id = realloc(t->id, cap * sizeof *id);
        if (!id) return false;
        t->id = id;
        t->cap = cap;
    }
    t->id[t->n_nodes++] = NO_TOKEN;
    return true;
}

/* Goes down an edge, which is made where there is none. UINT32_MAX: no memory. */
static uint32_t step_down(ByteTrie *t, uint32_t node, uint8_t byte)
{
    if (!t->edge || (size_t)t->n_nodes >> (t->bits - 1))
        if (!grow_edges(t)) return UINT32_MAX;
    if (t->n_nodes == 0 && !new_node(t)) return UINT32_MAX;
    TrieEdge *e = find_edge(t, node, byte);
    if (!e->child_byte) {
        if (!new_node(t)) return UINT32_MAX;
        *e = (TrieEdge){node, (t->n_nodes - 1) << 8 | byte};
    }
    return e->child_byte >> 8;
}

static void trie_clear(ByteTrie *t)
{
    free(t->edge);
    free(t->id);
    *t = (ByteTrie){.edge = NULL};
}

bool addedtrie_put(AddedTrie *trie, Span content, uint32_t id)
{
    uint32_t node = 0;

    for (size_t i = 0; i < content.n; i++)
        if ((node = step_down(&trie->forward, node, content.p[i])) == UINT32_MAX) return false;
    trie->forward.id[node] = id;
    byteset_add(&trie->first, content.p[0]);
    if (content.n > trie->longest) trie->longest = content.n;
    return true;
}

void addedtrie_clear(AddedTrie *trie)
{
    trie_clear(&trie->forward);
    trie_clear(&trie->backward);
    free(trie->fail);
    free(trie->ends);
    free(trie->depth);
}

/* --- backwards */

/* By node its edge to the parent. */
static TrieEdge *edges_up(const ByteTrie *t)
{
    TrieEdge *up = calloc(t->n_nodes, sizeof *up);

    for (size_t i = 0; up && i >> t->bits == 0; i++)
        if (t->edge[i].child_byte) up[t->edge[i].child_byte >> 8] = t->edge[i];
    return up;
}

/* Puts every content of `forward` into `backward`: the way up from its end is the content reversed. */
static bool put_reversed(AddedTrie *trie)
{
    TrieEdge *up = edges_up(&trie->forward);
    bool ok = up != NULL;

    for (uint32_t end = 1; ok && end < trie->forward.n_nodes; end++) {
        uint32_t node = 0;
        if (trie->forward.id[end] == NO_TOKEN) continue;
        for (uint32_t v = end; ok && v; v = up[v].parent)
            ok = (node = step_down(&trie->backward, node, (uint8_t)up[v].child_byte)) != UINT32_MAX;
        if (ok) trie->backward.id[node] = trie->forward.id[end];
    }
    free(up);
    return ok;
}

/* The nodes by depth: a counting sort. A child has a higher number than its parent. */
static uint32_t *by_depth(AddedTrie *trie, const TrieEdge *up)
{
    const uint32_t n = trie->backward.n_nodes;
    uint32_t *order = calloc(n, sizeof *order), *from = calloc(trie->longest + 2, sizeof *from);

    if (order && from) {
        for (uint32_t v = 1; v < n; v++) from[(trie->depth[v] = trie->depth[up[v].parent] + 1) + 1]++;
        from[1] = 1; /* the root */
        for (size_t d = 1; d <= trie->longest; d++) from[d + 1] += from[d];
        for (uint32_t v = 1; v < n; v++) order[from[trie->depth[v]]++] = v;
    } else {
        free(order);
        order = NULL;
    }
    free(from);
    return order;
}

/* Where a state goes with a byte: down, or from the longest end of its way from which there is an edge. */
static uint32_t next_state(const AddedTrie *trie, uint32_t state, uint8_t byte, uint64_t *n_steps)
{
    for (;; state = trie->fail[state]) {
        uint32_t child = child_of(&trie->backward, state, byte);
        ++*n_steps;
        if (child || state == 0) return child;
    }
}

bool addedtrie_finish(AddedTrie *trie)
{
    uint64_t n_steps = 0;

    if (trie->longest <= ADDED_NEAR) return true;
    if (!put_reversed(trie)) return false;
    const ByteTrie *t = &trie->backward;
    trie->fail = calloc(t->n_nodes, sizeof *trie->fail);
    trie->ends = calloc(t->n_nodes, sizeof *trie->ends);
    trie->depth = calloc(t->n_nodes, sizeof *trie->depth);
    TrieEdge *up = edges_up(t);
    uint32_t *order = trie->fail && trie->ends && trie->depth && up ? by_depth(trie, up) : NULL;
    for (uint32_t i = 1; order && i < t->n_nodes; i++) {
        const uint32_t v = order[i], parent = up[v].parent;
        if (parent) trie->fail[v] = next_state(trie, trie->fail[parent], (uint8_t)up[v].child_byte, &n_steps);
        trie->ends[v] = t->id[v] != NO_TOKEN ? v : trie->ends[trie->fail[v]];
    }
    bool ok = order != NULL;
    free(order);
    free(up);
    return ok;
}

/* --- reading */

/* The places from `at` on; tokens that begin there end at most `longest` bytes behind the last. */
static bool read_window(AddedReader *r, size_t at)
{
    const AddedTrie *trie = r->trie;
    uint32_t state = 0;

    if (!r->window && !(r->window = malloc(ADDED_WINDOW * sizeof *r->window))) return false;
    r->begin = at;
    r->end = r->text.n - at < ADDED_WINDOW ? r->text.n : at + ADDED_WINDOW;
    for (size_t i = r->text.n - r->end < trie->longest ? r->text.n : r->end + trie->longest; i-- > at;) {
        state = next_state(trie, state, r->text.p[i], &r->n_steps);
        if (i < r->end) r->window[i - at] = trie->ends[state];
    }
    return true;
}

uint32_t added_at(AddedReader *r, size_t at, size_t *n)
{
    const AddedTrie *trie = r->trie;
    uint32_t node = 0, id = NO_TOKEN;

    if (at >= r->end) {
        for (size_t i = at; i < r->text.n; i++) {
            if (i - at == ADDED_NEAR && trie->longest > ADDED_NEAR && read_window(r, at)) goto known;
            r->n_steps++;
            if ((node = child_of(&trie->forward, node, r->text.p[i])) == 0) break;
            if (trie->forward.id[node] != NO_TOKEN) id = trie->forward.id[node], *n = i + 1 - at;
        }
        return id;
    }
known:
    node = r->window[at - r->begin];
    *n = node ? trie->depth[node] : 0;
    return trie->backward.id[node];
}

void addedreader_clear(AddedReader *r)
{
    free(r->window);
    r->window = NULL;
    r->begin = r->end = 0;
}
