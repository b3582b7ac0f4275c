#include "tokenize/vocab_diff.h"

#include "tokenize/formats.h"
#include "tokenize/token_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { QUOTED_CHARS = 40 };

static bool is_used(const Tokenizer *t, uint32_t id) { return id < t->n_ids && (t->flags[id] & TOKEN_USED); }

bool added_is_normalized(const Tokenizer *t, uint32_t id)
{
    AddedReader r = {.trie = &t->added[1], .text = t->spelling[id]};
    size_t n;
    const bool found = t->added[1].longest && added_at(&r, 0, &n) == id && n == t->spelling[id].n;

    addedreader_clear(&r);
    return found;
}

/* The search for added tokens finds it wherever a text has it, so that it makes no difference whether model.vocab has it too. */
static bool is_always_found(const Tokenizer *t, uint32_t id)
{
    return (t->flags[id] & (TOKEN_ADDED | TOKEN_SINGLE_WORD)) == TOKEN_ADDED &&
           (!t->nfc || added_is_normalized(t, id));
}

static bool same_token(const Tokenizer *a, uint32_t id_a, const Tokenizer *b, uint32_t id_b)
{
    if (!span_eq(a->spelling[id_a], b->spelling[id_b])) return false;
    return ((a->flags[id_a] ^ b->flags[id_b]) & TOKEN_BYTELEVEL) == 0 ||
           (is_always_found(a, id_a) && is_always_found(b, id_b));
}

/* By merge rank; never NULL but for want of memory. */
static uint32_t *merges_of(const Tokenizer *t)
{
    uint32_t *m = calloc((size_t)t->n_merges + 1, sizeof *m * 3);

    if (m) tokenizer_list_merges(t, m);
    return m;
}

/* --- as files of ids */

/* Counts one, and whether it is to be shown. */
static bool differ(Differences *d, DiffKind kind) { return d->n[kind]++ < DIFF_SHOWN; }

static void put_token(Buf *b, const Tokenizer *t, uint32_t id) { token_quote(b, t->bytes[id], QUOTED_CHARS); }

static void compare_token(const Tokenizer *a, const Tokenizer *b, uint32_t id, Differences *d)
{
    const Tokenizer *of[2] = {a, b};
    bool used[2] = {is_used(a, id), is_used(b, id)};
    const bool by_kind = used[0] && used[1] && span_eq(a->spelling[id], b->spelling[id]);

    if (used[0] == used[1] && (!used[0] || same_token(a, id, b, id))) return;
    if (!differ(d, DIFF_TOKENS)) return;
    buf_printf(&d->shown, "token %" PRIu32 ":", id);
    for (int i = 0; i < 2; i++) {
        buf_puts(&d->shown, i ? ", " : " ");
        if (used[i])
            put_token(&d->shown, of[i], id);
        else
            buf_puts(&d->shown, "none");
        if (by_kind) buf_puts(&d->shown, of[i]->flags[id] & TOKEN_BYTELEVEL ? " as bytes" : " as added text");
        buf_printf(&d->shown, " in %s", d->name[i]);
    }
    buf_putc(&d->shown, '\n');
}

static void put_merge(Buf *b, const Tokenizer *t, const uint32_t *m)
{
    put_token(b, t, m[0]);
    buf_puts(b, " + ");
    put_token(b, t, m[1]);
}

static ErrCode compare_merges(const Tokenizer *a, const Tokenizer *b, Differences *d, Err *err)
{
    const Tokenizer *of[2] = {a, b};
    uint32_t *m[2] = {merges_of(a), merges_of(b)}, n = a->n_merges > b->n_merges ? a->n_merges : b->n_merges;
    ErrCode rc = m[0] && m[1] ? ERR_OK : err_nomem(err, "merges");

    for (uint32_t r = 0; r < n && rc == ERR_OK; r++) {
        bool has[2] = {r < a->n_merges, r < b->n_merges};
        if (has[0] && has[1] && memcmp(m[0] + 3 * (size_t)r, m[1] + 3 * (size_t)r, sizeof(uint32_t[3])) == 0)
            continue;
        if (!differ(d, DIFF_MERGES)) continue;
        buf_printf(&d->shown, "merge %" PRIu32 ":", r);
        for (int i = 0; i < 2; i++) {
            buf_puts(&d->shown, i ? ", " : " ");
            if (has[i])
                put_merge(&d->shown, of[i], m[i] + 3 * (size_t)r);
            else
                buf_puts(&d->shown, "none");
            buf_printf(&d->shown, " in %s", d->name[i]);
        }
        buf_putc(&d->shown, '\n');
    }
    free(m[0]);
    free(m[1]);
    return rc;
}

/* Flags of an added token; 0 where there is none. TOKEN_USED stands for `normalized`. */
static unsigned added_flags(const Tokenizer *t, uint32_t id)
{
    const unsigned kept = TOKEN_ADDED | TOKEN_SPECIAL | TOKEN_SINGLE_WORD | TOKEN_LSTRIP | TOKEN_RSTRIP;

    if (!is_used(t, id) || !(t->flags[id] & TOKEN_ADDED)) return 0;
    return (t->flags[id] & kept) | (added_is_normalized(t, id) ? TOKEN_USED : 0);
}

static void compare_added(const Tokenizer *a, const Tokenizer *b, uint32_t id, Differences *d)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{TOKEN_ADDED, "added"},   {TOKEN_SPECIAL, "special"}, {TOKEN_SINGLE_WORD, "single_word"},
                 {TOKEN_LSTRIP, "lstrip"}, {TOKEN_RSTRIP, "rstrip"},   {TOKEN_USED, "normalized"}};
    unsigned fa = added_flags(a, id), fb = added_flags(b, id);

    for (size_t i = 0; i < sizeof names / sizeof *names && fa != fb; i++) {
        if (!((fa ^ fb) & names[i].flag) || !differ(d, DIFF_ADDED)) continue;
        bool in_a = (fa & names[i].flag) != 0;
        buf_printf(&d->shown, "added token %" PRIu32 " ", id);
        put_token(&d->shown, in_a ? a : b, id);
        buf_printf(&d->shown, ": %s in %s, not in %s\n", names[i].name, d->name[!in_a], d->name[in_a]);
        if (names[i].flag == TOKEN_ADDED) break; /* the others follow from it */
    }
}

static void compare_frame(const Tokenizer *a, const Tokenizer *b, Differences *d)
{
    const Span chain[2] = {pretokenizer_spec(a->pretokenizer), pretokenizer_spec(b->pretokenizer)};

    if (!span_eq(chain[0], chain[1]) && differ(d, DIFF_FRAME))
        for (int i = 0; i < 2; i++) {
            buf_printf(&d->shown, "pre_tokenizer of %s: ", d->name[i]);
            buf_put_span(&d->shown, chain[i]);
            buf_putc(&d->shown, '\n');
        }
    if (a->nfc != b->nfc && differ(d, DIFF_FRAME))
        buf_printf(&d->shown, "normalizer: NFC only in %s\n", d->name[b->nfc]);
    if (a->ignore_merges != b->ignore_merges && differ(d, DIFF_FRAME))
        buf_printf(&d->shown, "ignore_merges: only in %s\n", d->name[b->ignore_merges]);
    if (!span_eq(buf_span(&a->before), buf_span(&b->before)) && differ(d, DIFF_FRAME))
        buf_puts(&d->shown, "post_processor: the tokens put before a text\n");
    if (!span_eq(buf_span(&a->behind), buf_span(&b->behind)) && differ(d, DIFF_FRAME))
        buf_puts(&d->shown, "post_processor: the tokens put behind a text\n");
}

ErrCode tokenizer_differences(const Tokenizer *a, const Tokenizer *b, Differences *d, Err *err)
{
    uint32_t n = a->n_ids > b->n_ids ? a->n_ids : b->n_ids;

    for (uint32_t id = 0; id < n; id++) compare_token(a, b, id, d);
    ErrCode rc = compare_merges(a, b, d, err);
    for (uint32_t id = 0; id < n; id++) compare_added(a, b, id, d);
    compare_frame(a, b, d);
    return rc == ERR_OK ? buf_ok(&d->shown, "the differences", err) : rc;
}

uint64_t differences_sum(const Differences *d)
{
    uint64_t sum = 0;

    for (int kind = 0; kind < DIFF_KINDS; kind++) sum += d->n[kind];
    return sum;
}

/* --- as vocabularies */

/* The token of b that is token id of a, by a hash table of b's; NO_ID. */
static uint32_t find_token(const Tokenizer *a, uint32_t id, const Tokenizer *b, const uint32_t *table, size_t mask)
{
    size_t at = (size_t)hash64(a->spelling[id]) & mask;

    while (table[at] != NO_ID && !same_token(a, id, b, table[at])) at = (at + 1) & mask;
    return table[at];
}

/* twin[id of a] = the same token of b, or NO_ID. NULL: no memory. */
static uint32_t *find_twins(const Tokenizer *a, const Tokenizer *b)
{
    size_t n_slots = 16;

    while (n_slots < 2 * (size_t)b->n_ids) n_slots *= 2;
    uint32_t *table = malloc(n_slots * sizeof *table), *twin = malloc(((size_t)a->n_ids + 1) * sizeof *twin);
    if (table && twin) {
        memset(table, 0xff, n_slots * sizeof *table); /* NO_ID */
        for (uint32_t id = 0; id < b->n_ids; id++) {
            size_t at = (size_t)hash64(b->spelling[id]) & (n_slots - 1);
            if (!is_used(b, id)) continue;
            while (table[at] != NO_ID) at = (at + 1) & (n_slots - 1);
            table[at] = id;
        }
        for (uint32_t id = 0; id < a->n_ids; id++)
            twin[id] = is_used(a, id) ? find_token(a, id, b, table, n_slots - 1) : NO_ID;
    } else {
        free(twin);
        twin = NULL;
    }
    free(table);
    return twin;
}

/* Tokens of t without a twin, as a list; *n_used is how many tokens there are. */
static uint32_t *list_lonely(const Tokenizer *t, const uint32_t *twin, uint32_t *n_used)
{
    uint32_t *only = malloc(((size_t)t->n_ids + 1) * sizeof *only), n = 0;

    *n_used = 0;
    for (uint32_t id = 0; id < t->n_ids && only; id++) {
        if (!is_used(t, id)) continue;
        ++*n_used;
        if (twin[id] == NO_ID) only[n++] = id;
    }
    return only;
}

/* Merges of a that b has too, and how many of them stand first in both. */
static void overlap_merges(const Tokenizer *b, const uint32_t *twin, VocabOverlap *o)
{
    bool same = true;

    for (uint32_t r = 0; r < o->n_merges[0]; r++) {
        const uint32_t *m = o->merge[0] + 3 * (size_t)r;
        uint32_t left = twin[m[0]], right = twin[m[1]];
        const MergeSlot *found = left == NO_ID || right == NO_ID ? NULL : merge_find(b, left, right);
        o->n_common_merges += found != NULL;
        same = same && found && found->merge_rank == r;
        o->n_same_merges += same;
    }
}

ErrCode vocab_overlap(const Tokenizer *a, const Tokenizer *b, VocabOverlap *o, Err *err)
{
    uint32_t *twin[2] = {find_twins(a, b), find_twins(b, a)};
    bool ok = twin[0] && twin[1];

    *o = (VocabOverlap){.n_merges = {a->n_merges, b->n_merges}};
    o->merge[0] = merges_of(a);
    o->merge[1] = merges_of(b);
    if (ok) o->only[0] = list_lonely(a, twin[0], &o->n_tokens[0]);
    if (ok) o->only[1] = list_lonely(b, twin[1], &o->n_tokens[1]);
    ok = o->merge[0] && o->merge[1] && o->only[0] && o->only[1];
    for (uint32_t id = 0; ok && id < a->n_ids; id++) {
        o->n_common += twin[0][id] != NO_ID;
        o->n_same_id += twin[0][id] == id;
    }
    if (ok) overlap_merges(b, twin[0], o);
    free(twin[0]);
    free(twin[1]);
    if (ok) return ERR_OK;
    vocaboverlap_clear(o);
    return err_nomem(err, "two vocabularies");
}

void vocaboverlap_clear(VocabOverlap *o)
{
    for (int i = 0; i < 2; i++) {
        free(o->only[i]);
        free(o->merge[i]);
    }
    *o = (VocabOverlap){.n_common = 0};
}
