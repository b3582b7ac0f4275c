/* Reading tokenizer.json (huggingface/tokenizers): a byte-level BPE with a pre-tokenizer of tokenize/pretoken.h. What the
 * encoder would not honour to the letter is refused by name, never ignored. */
#include "core/json.h"
#include "core/utf8.h"
#include "tokenize/bytelevel.h"
#include "tokenize/nfc.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>

/* Ids without a token: more than these are no vocabulary but a way to make us allocate. */
enum { MAX_UNUSED_IDS = 1 << 16 };

/* The beginning of a string, for messages: whole characters, as the JSON is UTF-8. */
static int shown(Span s) { return (int)utf8_valid_prefix(span(s.p, s.n < 100 ? s.n : 100)); }
#define SHOWN(s) shown(s), (const char *)(s).p

typedef struct {
    Tokenizer *t;
    const char *name; /* for messages */
    const Json *vocab, *merges, *added;
    uint32_t *by_spelling; /* hash table of ids; NO_ID: empty */
    size_t mask;
    size_t added_bytes;
    Buf scratch;
} Reader;

static ErrCode refuse(const Reader *r, Err *err, const char *what) { return tokenizer_refuse(r->name, err, what); }

static bool is_null(const Json *j) { return !j || j->type == JSON_NULL; }
static bool is_string(const Json *j, const char *value)
{
    return j && j->type == JSON_STRING && span_is(j->string, value);
}
static bool is_false(const Json *j) { return is_null(j) || (j->type == JSON_BOOL && !j->boolean); }
static bool is_empty(const Json *j) { return is_null(j) || (j->type == JSON_STRING && j->string.n == 0); }

/* --- the model */

/* Members that only matter for a character without a token are checked when the vocabulary is there: missing_byte(). */
static ErrCode check_model(Reader *r, const Json *model, Err *err)
{
    const Json *dropout = json_get(model, "dropout"), *type = json_get(model, "type");

    if (!is_null(type) && !is_string(type, "BPE")) return refuse(r, err, "model.type is not BPE");
    if (!is_null(dropout) && !(dropout->type == JSON_NUMBER && dropout->number == 0))
        return refuse(r, err, "model.dropout is set");
    if (!is_empty(json_get(model, "continuing_subword_prefix")))
        return refuse(r, err, "model.continuing_subword_prefix is set");
    if (!is_empty(json_get(model, "end_of_word_suffix"))) return refuse(r, err, "model.end_of_word_suffix is set");
    if (!r->vocab || r->vocab->type != JSON_OBJECT) return refuse(r, err, "model.vocab is not an object");
    if (!r->merges || r->merges->type != JSON_ARRAY) return refuse(r, err, "model.merges is not an array");
    if (r->vocab->n == 0) return refuse(r, err, "model.vocab is empty");
    return json_get_bool(model, "ignore_merges", false, r->name, &r->t->ignore_merges, err);
}

static ErrCode check_added(Reader *r, Err *err)
{
    if (is_null(r->added)) {
        r->added = NULL;
        return ERR_OK;
    }
    if (r->added->type != JSON_ARRAY) return refuse(r, err, "added_tokens is not an array");
    if (r->added->n <= TOKENIZER_MAX_ADDED) return ERR_OK;
    return err_set(err, ERR_LIMIT, "%s: added_tokens has %" PRIu32 " tokens, more than %d", r->name, r->added->n,
                   TOKENIZER_MAX_ADDED);
}

/* The reference writes characters without a token as unk_token, or as bytes of another spelling; with a token for each byte there
 * are none. */
static ErrCode check_bytes(const Reader *r, const Json *model, Err *err)
{
    const char *key = !is_null(json_get(model, "unk_token"))        ? "unk_token"
                      : !is_false(json_get(model, "byte_fallback")) ? "byte_fallback"
                                                                    : NULL;

    for (int c = 0; key && c < 256; c++)
        if (r->t->byte_id[c] == NO_ID)
            return err_set(
                err, ERR_DATA,
                "%s: not a tokenizer this program can follow: model.%s is set and byte 0x%02X has no token", r->name,
                key, c);
    return ERR_OK;
}

/* --- ids */

static ErrCode read_id(const Reader *r, const char *where, const Json *j, uint32_t *id, Err *err)
{
    uint64_t v;

    *id = 0;
    if (!j || j->type != JSON_NUMBER || !span_to_u64(j->string, &v) || v >= TOKENIZER_MAX_IDS)
        return err_set(err, ERR_DATA, "%s: %s: an id is not a whole number below %d", r->name, where,
                       TOKENIZER_MAX_IDS);
    *id = (uint32_t)v;
    return ERR_OK;
}

static ErrCode count_ids(Reader *r, Err *err)
{
    uint64_t n_tokens = r->vocab->n + (r->added ? (uint64_t)r->added->n : 0);
    uint32_t id, highest = 0;
    ErrCode rc;

    for (const Json *j = r->vocab->child; j; j = j->next) {
        if ((rc = read_id(r, "model.vocab", j, &id, err)) != ERR_OK) return rc;
        if (id > highest) highest = id;
    }
    for (const Json *j = r->added ? r->added->child : NULL; j; j = j->next) {
        if ((rc = read_id(r, "added_tokens", json_get(j, "id"), &id, err)) != ERR_OK) return rc;
        if (id > highest) highest = id;
    }
    if (highest >= n_tokens + MAX_UNUSED_IDS)
        return err_set(err, ERR_LIMIT, "%s: model.vocab: the highest id is %u, with %" PRIu64 " tokens", r->name,
                       highest, n_tokens);
    r->t->n_ids = highest + 1;
    return ERR_OK;
}

/* Slot of a spelling in the table: its id, or empty. */
static uint32_t *spelling_slot(const Reader *r, Span spelling)
{
    size_t at = (size_t)hash64(spelling) & r->mask;

    while (r->by_spelling[at] != NO_ID && !span_eq(r->t->spelling[r->by_spelling[at]], spelling))
        at = (at + 1) & r->mask;
    return &r->by_spelling[at];
}

static ErrCode make_tables(Reader *r, Err *err)
{
    Tokenizer *t = r->t;
    size_t n_slots = 16;

    while (n_slots < 2 * ((size_t)r->vocab->n + (r->added ? r->added->n : 0))) n_slots *= 2;
    r->mask = n_slots - 1;
    r->by_spelling = malloc(n_slots * sizeof *r->by_spelling);
    t->bytes = calloc(t->n_ids, sizeof *t->bytes);
    t->spelling = calloc(t->n_ids, sizeof *t->spelling);
    t->flags = calloc(t->n_ids, 1);
    for (t->merge_bits = 4; (size_t)1 << t->merge_bits < 2 * (size_t)r->merges->n;) t->merge_bits++;
    t->merges = malloc(sizeof *t->merges << t->merge_bits);
    if (!r->by_spelling || !t->bytes || !t->spelling || !t->flags || !t->merges)
        return err_nomem(err, "the tokenizer");
    memset(r->by_spelling, 0xff, n_slots * sizeof *r->by_spelling); /* NO_ID */
    memset(t->merges, 0xff, sizeof *t->merges << t->merge_bits);
    memset(t->byte_id, 0xff, sizeof t->byte_id);
    return ERR_OK;
}

/* Keeps a token's spelling and bytes. A spelling with characters of no byte stands for itself, as in the reference's decoder. */
static ErrCode keep_token(Reader *r, uint32_t id, Span spelling, bool bytelevel, Err *err)
{
    Tokenizer *t = r->t;

    buf_reset(&r->scratch);
    bytelevel = bytelevel && bytelevel_read(&r->scratch, spelling);
    t->spelling[id] = arena_copy(&t->arena, spelling);
    t->bytes[id] = bytelevel ? arena_copy(&t->arena, buf_span(&r->scratch)) : t->spelling[id];
    if (r->scratch.oom || !t->spelling[id].p || !t->bytes[id].p) return err_nomem(err, "the tokenizer");
    t->flags[id] |= TOKEN_USED | (bytelevel ? TOKEN_BYTELEVEL : 0);
    if (bytelevel && t->bytes[id].n == 1) t->byte_id[t->bytes[id].p[0]] = id;
    return ERR_OK;
}

static ErrCode read_vocab(Reader *r, Err *err)
{
    ErrCode rc;

    for (const Json *j = r->vocab->child; j; j = j->next) {
        uint32_t id;
        if ((rc = read_id(r, "model.vocab", j, &id, err)) != ERR_OK) return rc;
        if (r->t->flags[id] & TOKEN_USED)
            return err_set(err, ERR_DATA, "%s: model.vocab: two tokens have the id %u: %.*s and %.*s", r->name, id,
                           SHOWN(r->t->spelling[id]), SHOWN(j->key));
        if (j->key.n == 0) return err_set(err, ERR_DATA, "%s: model.vocab: token %u is empty", r->name, id);
        if ((rc = keep_token(r, id, j->key, true, err)) != ERR_OK) return rc;
        *spelling_slot(r, j->key) = id;
    }
    return ERR_OK;
}

/* --- merges: ["a","b"], or "a b" as older files have it */

static bool merge_parts(const Json *j, Span *left, Span *right)
{
    if (j->type == JSON_STRING) {
        size_t blank = span_find(j->string, ' ');
        *left = (Span){j->string.p, blank};
        *right = span_from(j->string, blank + 1);
    } else if (j->type == JSON_ARRAY && j->n == 2 && j->child->type == JSON_STRING &&
               j->child->next->type == JSON_STRING) {
        *left = j->child->string;
        *right = j->child->next->string;
    } else {
        return false;
    }
    return left->n && right->n;
}

static ErrCode read_merge(Reader *r, const Json *j, uint32_t merge_rank, Err *err)
{
    Tokenizer *t = r->t;
    Span left, right;
    size_t mask = ((size_t)1 << t->merge_bits) - 1;

    if (!merge_parts(j, &left, &right))
        return err_set(err, ERR_DATA, "%s: model.merges: merge %u is not a pair of tokens", r->name, merge_rank);
    buf_reset(&r->scratch);
    buf_put_span(&r->scratch, left);
    buf_put_span(&r->scratch, right);
    ErrCode rc = buf_ok(&r->scratch, "a merge", err);
    if (rc != ERR_OK) return rc;
    MergeSlot m = {*spelling_slot(r, left), *spelling_slot(r, right), merge_rank,
                   *spelling_slot(r, buf_span(&r->scratch))};
    if (m.left == NO_ID || m.right == NO_ID || m.id == NO_ID) {
        const Span missing = m.left == NO_ID ? left : m.right == NO_ID ? right : buf_span(&r->scratch);
        return err_set(err, ERR_DATA, "%s: model.merges: merge %u has a token that is not in the vocabulary: %.*s",
                       r->name, merge_rank, SHOWN(missing));
    }
    size_t at = merge_slot_home(t, m.left, m.right);
    for (; t->merges[at].merge_rank != NO_ID; at = (at + 1) & mask)
        if (t->merges[at].left == m.left && t->merges[at].right == m.right)
            return err_set(err, ERR_DATA, "%s: model.merges: merge %u repeats merge %u", r->name, merge_rank,
                           t->merges[at].merge_rank);
    t->merges[at] = m;
    t->flags[m.left] |= TOKEN_MERGED;
    t->flags[m.right] |= TOKEN_MERGED;
    t->flags[m.id] |= TOKEN_MERGED;
    return ERR_OK;
}

static ErrCode read_merges(Reader *r, Err *err)
{
    ErrCode rc = ERR_OK;

    for (const Json *j = r->merges->child; j && rc == ERR_OK; j = j->next)
        rc = read_merge(r, j, r->t->n_merges++, err);
    return rc;
}

/* --- added tokens */

/* Its flags and whether it belongs to the second search. */
static ErrCode read_added_flags(const Reader *r, const Json *j, uint32_t id, bool *normalized, Err *err)
{
    static const struct {
        const char *key;
        uint8_t flag;
    } known[] = {{"special", TOKEN_SPECIAL},
                 {"single_word", TOKEN_SINGLE_WORD},
                 {"lstrip", TOKEN_LSTRIP},
                 {"rstrip", TOKEN_RSTRIP}};
    bool on;
    ErrCode rc;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((rc = json_get_bool(j, known[i].key, false, r->name, &on, err)) != ERR_OK) return rc;
        if (on) r->t->flags[id] |= known[i].flag;
    }
    return json_get_bool(j, "normalized", false, r->name, normalized, err);
}

/* The reference gives a content that is no token of the vocabulary the next free number, whatever the file says; *next is that number.
 * A file that says another one would mean two things, so it is refused. */
static ErrCode check_added_id(const Reader *r, Span content, uint32_t id, uint32_t *next, Err *err)
{
    uint32_t same = *spelling_slot(r, content);

    if (r->t->flags[id] & TOKEN_ADDED)
        return err_set(err, ERR_DATA, "%s: added_tokens: two tokens have the id %u", r->name, id);
    if (same != NO_ID ? same != id : (r->t->flags[id] & TOKEN_USED) != 0)
        return err_set(err, ERR_DATA, "%s: added_tokens: token %u and model.vocab disagree about its id", r->name,
                       id);
    if (same == NO_ID && id != *next)
        return err_set(err, ERR_DATA, "%s: added_tokens: token %u is not in model.vocab and would be %u elsewhere",
                       r->name, id, *next);
    if (id >= *next) *next = id + 1;
    return ERR_OK;
}

/* Bytes that no UTF-8 has. */
static bool never_in_text(uint8_t byte) { return byte == 0xC0 || byte == 0xC1 || byte >= 0xF5; }

/* A token of the vocabulary that is added too. Where its content also reads as other bytes, it stands for the content alone. */
static ErrCode keep_content(Reader *r, uint32_t id, Span content, Err *err)
{
    Tokenizer *t = r->t;
    Span bytes = t->bytes[id];

    if (!(t->flags[id] & TOKEN_BYTELEVEL) || span_eq(bytes, content)) return ERR_OK;
    if ((t->flags[id] & TOKEN_MERGED) || (bytes.n == 1 && !never_in_text(bytes.p[0])) ||
        (t->ignore_merges && utf8_valid(bytes)))
        return err_set(
            err, ERR_DATA,
            "%s: not a tokenizer this program can follow: added_tokens: token %u is %.*s and, to the model, "
            "bytes that this spells",
            r->name, id, SHOWN(content));
    if (bytes.n == 1) t->byte_id[bytes.p[0]] = NO_ID;
    t->bytes[id] = t->spelling[id];
    t->flags[id] &= (uint8_t)~TOKEN_BYTELEVEL;
    return ERR_OK;
}

static ErrCode read_added(Reader *r, const Json *j, uint32_t *next, Err *err)
{
    Tokenizer *t = r->t;
    const Json *content = json_get(j, "content");
    bool normalized;
    uint32_t id;
    ErrCode rc;

    if ((rc = read_id(r, "added_tokens", json_get(j, "id"), &id, err)) != ERR_OK) return rc;
    if (!content || content->type != JSON_STRING || content->string.n == 0 ||
        content->string.n > TOKENIZER_MAX_ADDED_BYTES)
        return err_set(err, ERR_DATA, "%s: added_tokens: token %u has no content of 1 to %d bytes", r->name, id,
                       TOKENIZER_MAX_ADDED_BYTES);
    if ((r->added_bytes += content->string.n) > TOKENIZER_MAX_ADDED_SUM)
        return err_set(err, ERR_LIMIT, "%s: added_tokens has more than %d bytes of content", r->name,
                       TOKENIZER_MAX_ADDED_SUM);
    if ((rc = check_added_id(r, content->string, id, next, err)) != ERR_OK) return rc;
    if ((rc = read_added_flags(r, j, id, &normalized, err)) != ERR_OK) return rc;
    if (!(t->flags[id] & TOKEN_USED)) {
        if ((rc = keep_token(r, id, content->string, false, err)) != ERR_OK) return rc;
        *spelling_slot(r, content->string) = id;
    } else if ((rc = keep_content(r, id, content->string, err)) != ERR_OK) {
        return rc;
    }
    t->flags[id] |= TOKEN_ADDED;
    Span searched = content->string;
    if (t->nfc && normalized && (rc = nfc_text(searched, &r->scratch, &searched, err)) != ERR_OK) return rc;
    return addedtrie_put(&t->added[normalized], searched, id) ? ERR_OK : err_nomem(err, "the added tokens");
}

/* The added token of the first name that there is. */
static uint32_t added_named(const Reader *r, const char *const *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t id = *spelling_slot(r, span_str(name[i]));
        if (id != NO_ID && (r->t->flags[id] & TOKEN_ADDED)) return id;
    }
    return NO_ID;
}

static ErrCode read_all_added(Reader *r, Err *err)
{
    static const char *const eos[] = {"<|end_of_text|>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<|endoftext|>"};
    static const char *const bos[] = {"<|begin_of_text|>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>"};
    uint32_t next = r->vocab->n;
    ErrCode rc = ERR_OK;

    for (const Json *j = r->added ? r->added->child : NULL; j && rc == ERR_OK; j = j->next)
        rc = read_added(r, j, &next, err);
    for (int i = 0; i < 2 && rc == ERR_OK; i++)
        if (!addedtrie_finish(&r->t->added[i])) rc = err_nomem(err, "the added tokens");
    r->t->eos = added_named(r, eos, sizeof eos / sizeof *eos);
    if (r->t->bos == NO_ID) r->t->bos = added_named(r, bos, sizeof bos / sizeof *bos);
    return rc;
}

/* --- all of it */

static ErrCode read_tree(Reader *r, const Json *root, Err *err)
{
    const Json *model = json_get(root, "model");
    ErrCode rc;

    if (root->type != JSON_OBJECT) return refuse(r, err, "it is not an object");
    r->vocab = json_get(model, "vocab");
    r->merges = json_get(model, "merges");
    r->added = json_get(root, "added_tokens");
    if ((rc = tokenizer_read_frame(r->t, root, r->name, err)) != ERR_OK) return rc;
    if ((rc = check_model(r, model, err)) != ERR_OK) return rc;
    if ((rc = check_added(r, err)) != ERR_OK) return rc;
    if ((rc = count_ids(r, err)) != ERR_OK) return rc;
    if (r->t->bos != NO_ID && r->t->bos >= r->t->n_ids)
        return refuse(r, err, "post_processor puts a token that is not there");
    if ((rc = make_tables(r, err)) != ERR_OK) return rc;
    if ((rc = read_vocab(r, err)) != ERR_OK) return rc;
    if ((rc = check_bytes(r, model, err)) != ERR_OK) return rc;
    if ((rc = read_merges(r, err)) != ERR_OK) return rc;
    if ((rc = read_all_added(r, err)) != ERR_OK) return rc;
    if ((rc = tokenizer_index(r->t, err)) != ERR_OK) return rc;
    buf_reset(&r->scratch);
    json_put_tree(&r->scratch, root);
    r->t->id = hash128(buf_span(&r->scratch));
    return buf_ok(&r->scratch, "the tokenizer", err);
}

ErrCode tokenizer_from_json(Tokenizer **out, const Json *root, const char *name, Err *err)
{
    Reader r = {.name = name};

    *out = NULL;
    if (!(r.t = calloc(1, sizeof *r.t))) return err_nomem(err, "the tokenizer");
    r.t->eos = r.t->bos = NO_ID;
    ErrCode rc = read_tree(&r, root, err);
    if (rc == ERR_OK)
        *out = r.t;
    else
        tokenizer_free(r.t);
    free(r.by_spelling);
    buf_clear(&r.scratch);
    return rc;
}

ErrCode tokenizer_parse(Tokenizer **out, Span json, const char *name, Err *err)
{
    Arena tree = {0};
    Json *root;

    *out = NULL;
    ErrCode rc = json_parse(&tree, json, name, &root, err);
    if (rc == ERR_OK) rc = tokenizer_from_json(out, root, name, err);
    arena_clear(&tree);
    return rc;
}

void tokenizer_free(Tokenizer *t)
{
    if (!t) return;
    free(t->bytes);
    free(t->spelling);
    free(t->flags);
    free(t->merges);
    tokenizer_index_clear(t);
    pretokenizer_free(t->pretokenizer);
    addedtrie_clear(&t->added[0]);
    addedtrie_clear(&t->added[1]);
    buf_clear(&t->before);
    buf_clear(&t->behind);
    arena_clear(&t->arena);
    free(t);
}

uint32_t tokenizer_vocab_size(const Tokenizer *t) { return t->n_ids; }
uint32_t tokenizer_eos(const Tokenizer *t) { return t->eos; }
uint32_t tokenizer_bos(const Tokenizer *t) { return t->bos; }
Hash128 tokenizer_id(const Tokenizer *t) { return t->id; }
Span tokenizer_bytes(const Tokenizer *t, uint32_t id) { return id < t->n_ids ? t->bytes[id] : (Span){NULL, 0}; }
bool tokenizer_is_special(const Tokenizer *t, uint32_t id) { return id < t->n_ids && (t->flags[id] & TOKEN_SPECIAL); }
