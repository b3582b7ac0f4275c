/* tokenizer.json with more merges: the tree of the old one, with members added to model.vocab and model.merges. Added tokens that
 * are not in model.vocab go there too: the reference gives those the ids behind the vocabulary, whatever the file says. */
#include "core/json.h"
#include "tokenize/bpe_model.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct {
    Arena arena;
    const Tokenizer *t;
    Span *spelling; /* of all tokens, new ones too */
    bool in_pairs;  /* a merge is written as two strings, not as one with a space */
} Extension;

static Json *node(Arena *a, JsonType type)
{
    Json *j = arena_alloc(a, sizeof *j);

    if (j) *j = (Json){.type = type};
    return j;
}

/* The place behind the last child. */
static Json **last_child(Json *parent)
{
    Json **at = &parent->child;

    while (*at) at = &(*at)->next;
    return at;
}

static bool add_token(Extension *e, Json *vocab, Json ***at, uint32_t id)
{
    char digits[16];
    Json *j = node(&e->arena, JSON_NUMBER);

    snprintf(digits, sizeof digits, "%" PRIu32, id);
    if (!j || !(j->string = arena_copy(&e->arena, span_str(digits))).p) return false;
    j->number = id;
    j->key = e->spelling[id];
    **at = j;
    *at = &j->next;
    vocab->n++;
    return true;
}

static Json *spelled(Extension *e, Span s)
{
    Json *j = node(&e->arena, JSON_STRING);

    if (j) j->string = s;
    return j;
}

static Json *merge_node(Extension *e, Merge m)
{
    Span left = e->spelling[m.left], right = e->spelling[m.right];

    if (!e->in_pairs) {
        uint8_t *p = arena_alloc(&e->arena, left.n + right.n + 1);
        if (!p) return NULL;
        memcpy(p, left.p, left.n);
        p[left.n] = ' ';
        memcpy(p + left.n + 1, right.p, right.n);
        return spelled(e, span(p, left.n + right.n + 1));
    }
    Json *pair = node(&e->arena, JSON_ARRAY);
    if (!pair || !(pair->child = spelled(e, left)) || !(pair->child->next = spelled(e, right))) return NULL;
    pair->n = 2;
    return pair;
}

static bool spell(Extension *e, Merge m, uint32_t id)
{
    Span left = e->spelling[m.left], right = e->spelling[m.right];
    uint8_t *p = arena_alloc(&e->arena, left.n + right.n);

    if (!p) return false;
    memcpy(p, left.p, left.n);
    memcpy(p + left.n, right.p, right.n);
    e->spelling[id] = span(p, left.n + right.n);
    return true;
}

/* As json_get(), of a tree that is ours to change. */
static Json *member(Json *obj, const char *key)
{
    Json *j = obj ? obj->child : NULL;

    while (j && !span_is(j->key, key)) j = j->next;
    return j;
}

/* Puts into the vocabulary what has an id and is not there. */
static bool add_missing(Extension *e, Json *vocab, Json ***at, uint32_t n_old)
{
    bool *there = arena_array(&e->arena, n_old, sizeof *there);

    if (!there) return false;
    memset(there, 0, n_old * sizeof *there);
    for (const Json *j = vocab->child; j; j = j->next)
        if (j->number >= 0 && j->number < n_old) there[(uint32_t)j->number] = true;
    for (uint32_t id = 0; id < n_old; id++)
        if (!there[id] && e->spelling[id].n && !add_token(e, vocab, at, id)) return false;
    return true;
}

static bool extend(Extension *e, Json *root, const Buf *merges)
{
    Json *model = member(root, "model"), *vocab = member(model, "vocab"), *list = member(model, "merges");
    uint32_t n_old = tokenizer_vocab_size(e->t), n_new = (uint32_t)(merges->n / sizeof(Merge));

    e->spelling = arena_array(&e->arena, (size_t)n_old + n_new, sizeof *e->spelling);
    if (!vocab || !list || !e->spelling) return false;
    memcpy(e->spelling, e->t->spelling, n_old * sizeof *e->spelling);
    e->in_pairs = !list->child || list->child->type == JSON_ARRAY;
    Json **vocab_at = last_child(vocab), **list_at = last_child(list);
    if (!add_missing(e, vocab, &vocab_at, n_old)) return false;
    for (uint32_t i = 0; i < n_new; i++) {
        Merge m;
        memcpy(&m, merges->p + i * sizeof m, sizeof m);
        if (!spell(e, m, n_old + i) || !add_token(e, vocab, &vocab_at, n_old + i)) return false;
        if (!(*list_at = merge_node(e, m))) return false;
        list_at = &(*list_at)->next;
        list->n++;
    }
    return true;
}

ErrCode bpe_extended_json(Span base, const Tokenizer *t, const char *name, const Buf *merges, Buf *out, Err *err)
{
    Extension e = {.t = t};
    Buf flat = {0};
    Json *root;
    ErrCode rc = json_parse(&e.arena, base, name, &root, err);

    if (rc == ERR_OK && !extend(&e, root, merges)) rc = err_nomem(err, "tokenizer.json");
    if (rc == ERR_OK) {
        json_put_tree(&flat, root);
        if ((rc = buf_ok(&flat, "tokenizer.json", err)) == ERR_OK) tokenizer_lay_out(buf_span(&flat), out);
    }
    if (rc == ERR_OK) rc = buf_ok(out, "tokenizer.json", err);
    buf_clear(&flat);
    arena_clear(&e.arena);
    return rc;
}
