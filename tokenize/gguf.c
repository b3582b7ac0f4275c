/* The vocabulary in a GGUF file: its metadata tokenizer.ggml.* for byte pair encoding ("gpt2"). Integers are little-endian:
 *   "GGUF" · u32 version (2, 3) · u64 tensors · u64 n · n x {string key, u32 type, value}, a string being u64 bytes and these,
 *   an array u32 type, u64 count and its values
 * Tensors, which follow, are not looked at. */
#include "tokenize/formats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64, N_TYPES };
static const uint8_t type_bytes[N_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
enum { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED, TOKEN_BYTE };
enum { MAX_NESTED = 4, MAX_PAIRS = 1 << 16 };

/* What llama.cpp calls the chains, and whether it looks for whole words first under that name (llama-vocab.cpp). The first name of a
 * chain is the one that is written. */
static const struct {
    const char *pre, *chain;
    bool ignore_merges;
} chains[] = {{"deepseek-llm", "deepseek-llm", false},
              {"deepseek-v3", "deepseek-v3", false},
              {"gpt-2", "gpt2", false},
              {"qwen2", "qwen2", false},
              {"llama-bpe", "cl100k", true},
              {"dbrx", "cl100k", false},
              {"llama3", "cl100k", true},
              {"llama-v3", "cl100k", true},
              {"deepseek-r1-qwen", "qwen2", false}};
enum { N_CHAINS = sizeof chains / sizeof *chains };

/* --- values */

typedef struct {
    const char *name;
    const uint8_t *begin, *p, *end;
} Cursor;

static ErrCode broken(const Cursor *c, Err *err, const char *why)
{
    return err_set(err, ERR_DATA, "%s: at byte %zu: %s", c->name, (size_t)(c->p - c->begin), why);
}

static bool get_u32(Cursor *c, uint32_t *v)
{
    if (c->end - c->p < 4) return false;
    *v = le32_get(c->p);
    c->p += 4;
    return true;
}

static bool get_u64(Cursor *c, uint64_t *v)
{
    if (c->end - c->p < 8) return false;
    *v = le64_get(c->p);
    c->p += 8;
    return true;
}

static bool get_string(Cursor *c, Span *s)
{
    uint64_t n;

    if (!get_u64(c, &n) || n > (uint64_t)(c->end - c->p)) return false;
    *s = (Span){c->p, (size_t)n};
    c->p += n;
    return true;
}

/* A value of the metadata; of an array the type of its values, their number and where the first one is. */
typedef struct {
    uint32_t type, of;
    uint64_t count;
    const uint8_t *at;
} Value;

static bool skip_value(Cursor *c, uint32_t type, unsigned depth, Value *v)
{
    Span s;

    *v = (Value){.type = type, .at = c->p};
    if (type == STRING) return get_string(c, &s);
    if (type != ARRAY) {
        if (type >= N_TYPES || c->end - c->p < type_bytes[type]) return false;
        c->p += type_bytes[type];
        return true;
    }
    if (depth == MAX_NESTED || !get_u32(c, &v->of) || !get_u64(c, &v->count)) return false;
    v->at = c->p;
    uint64_t left = (uint64_t)(c->end - c->p);
    if (v->of < N_TYPES && type_bytes[v->of]) {
        if (v->count > left / type_bytes[v->of]) return false;
        c->p += v->count * type_bytes[v->of];
        return true;
    }
    if ((v->of != STRING && v->of != ARRAY) || v->count > left / 8)
        return false; /* the least that one of these takes */
    for (uint64_t i = 0; i < v->count; i++) {
        Value inner;
        if (!skip_value(c, v->of, depth + 1, &inner)) return false;
    }
    return true;
}

/* --- the metadata of a vocabulary */

typedef struct {
    Value model, pre, tokens, token_type, merges, bos, eos, add_bos, add_eos;
} Meta;

static ErrCode read_meta(Cursor *c, Meta *m, Err *err)
{
    const struct {
        const char *key;
        Value *value;
    } known[] = {{"tokenizer.ggml.model", &m->model},          {"tokenizer.ggml.pre", &m->pre},
                 {"tokenizer.ggml.tokens", &m->tokens},        {"tokenizer.ggml.token_type", &m->token_type},
                 {"tokenizer.ggml.merges", &m->merges},        {"tokenizer.ggml.bos_token_id", &m->bos},
                 {"tokenizer.ggml.eos_token_id", &m->eos},     {"tokenizer.ggml.add_bos_token", &m->add_bos},
                 {"tokenizer.ggml.add_eos_token", &m->add_eos}};
    uint32_t version, type;
    uint64_t n_tensors, n;
    Value v;
    Span key;

    c->p += 4; /* magic */
    if (!get_u32(c, &version) || !get_u64(c, &n_tensors) || !get_u64(c, &n))
        return broken(c, err, "truncated header");
    if (version != 2 && version != 3)
        return err_set(err, ERR_DATA, "%s: GGUF version %" PRIu32 "; 2 and 3 are known, little-endian", c->name,
                       version);
    if (n > MAX_PAIRS) return broken(c, err, "too many members of metadata");
    for (uint64_t i = 0; i < n; i++) {
        if (!get_string(c, &key) || !get_u32(c, &type)) return broken(c, err, "truncated key");
        if (!skip_value(c, type, 0, &v)) return broken(c, err, "a value that is truncated or of an unknown type");
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            if (!span_is(key, known[k].key)) continue;
            if (known[k].value->at) return err_set(err, ERR_DATA, "%s: %s stands twice", c->name, known[k].key);
            *known[k].value = v;
        }
    }
    return ERR_OK;
}

static ErrCode wrong(const char *name, Err *err, const char *key, const char *what)
{
    return err_set(err, ERR_DATA, "%s: tokenizer.ggml.%s %s", name, key, what);
}

/* The string; empty when it is none. Its bounds were checked. */
static Span string_of(const Value *v)
{
    return v->at && v->type == STRING ? (Span){v->at + 8, (size_t)le64_get(v->at)} : (Span){NULL, 0};
}

static bool is_true(const Value *v) { return v->at && v->type == BOOL && *v->at; }

/* Steps through an array of strings. */
static Span next_string(const uint8_t **at)
{
    Span s = {*at + 8, (size_t)le64_get(*at)};

    *at += 8 + s.n;
    return s;
}

static ErrCode read_id(const TokenizerDraft *d, const Value *v, const char *key, uint32_t *id, Err *err)
{
    if (!v->at) return ERR_OK;
    if (v->type != U32 && v->type != I32) return wrong(d->name, err, key, "is no number of 32 bits");
    *id = le32_get(v->at);
    if (*id < d->n_ids && d->token[*id].kind != DRAFT_NONE) return ERR_OK;
    return wrong(d->name, err, key, "is no token");
}

/* --- reading */

static ErrCode find_chain(TokenizerDraft *d, const Meta *m, const FormatHints *hints, Err *err)
{
    Span pre = string_of(&m->pre);

    if (hints->pre_tokenizer) return draft_pretokenizer(d, hints->pre_tokenizer, err);
    for (int i = 0; i < N_CHAINS; i++) {
        if (!span_is(pre, chains[i].pre)) continue;
        d->ignore_merges = chains[i].ignore_merges;
        if ((d->pretokenizer = pretokenizer_named(chains[i].chain)) != NULL) return ERR_OK;
    }
    if (!pre.n) return wrong(d->name, err, "pre is missing", "(--pre-tokenizer NAME says what it should be)");
    return err_set(err, ERR_DATA, "%s: tokenizer.ggml.pre is %.*s, which this program does not know", d->name,
                   (int)(pre.n < 64 ? pre.n : 64), (const char *)pre.p);
}

static ErrCode read_tokens(TokenizerDraft *d, const Meta *m, Err *err)
{
    const uint8_t *at = m->tokens.at;

    for (uint32_t id = 0; id < d->n_ids; id++) {
        Span s = next_string(&at);
        uint32_t type = m->token_type.at ? le32_get(m->token_type.at + 4 * (size_t)id) : TOKEN_NORMAL;
        if (type == TOKEN_UNUSED) continue;
        if (type < TOKEN_NORMAL || type > TOKEN_USER_DEFINED)
            return err_set(err, ERR_DATA, "%s: tokenizer.ggml.token_type of token %" PRIu32 " is %" PRIu32, d->name,
                           id, type);
        if (s.n == 0 || s.n > TOKENIZER_MAX_ADDED_BYTES)
            return err_set(err, ERR_DATA, "%s: tokenizer.ggml.tokens: token %" PRIu32 " has not 1 to %d bytes",
                           d->name, id, TOKENIZER_MAX_ADDED_BYTES);
        d->token[id].spelling = s;
        d->token[id].kind = type == TOKEN_NORMAL         ? DRAFT_TOKEN
                            : type == TOKEN_USER_DEFINED ? DRAFT_ADDED
                                                         : DRAFT_SPECIAL;
    }
    return ERR_OK;
}

static ErrCode read_merges(TokenizerDraft *d, const Meta *m, Err *err)
{
    const uint8_t *at = m->merges.at;
    Span *line = arena_array(&d->arena, (size_t)m->merges.count, sizeof *line);

    if (!line) return err_nomem(err, "a vocabulary");
    for (uint64_t i = 0; i < m->merges.count; i++) line[i] = next_string(&at);
    d->merge_line = line;
    d->n_merges = (uint32_t)m->merges.count;
    return ERR_OK;
}

static ErrCode check_meta(const char *name, const Meta *m, Err *err)
{
    if (!span_is(string_of(&m->model), "gpt2")) return wrong(name, err, "model", "is not gpt2, byte pair encoding");
    if (!m->tokens.at || m->tokens.type != ARRAY || m->tokens.of != STRING || m->tokens.count == 0)
        return wrong(name, err, "tokens", "is no array of strings");
    if (!m->merges.at || m->merges.type != ARRAY || m->merges.of != STRING)
        return wrong(name, err, "merges", "is no array of strings");
    if (m->tokens.count > TOKENIZER_MAX_IDS || m->merges.count > TOKENIZER_MAX_IDS)
        return wrong(name, err, "tokens", "or merges has more than 2^24 values");
    if (m->token_type.at && (m->token_type.type != ARRAY || (m->token_type.of != I32 && m->token_type.of != U32) ||
                             m->token_type.count != m->tokens.count))
        return wrong(name, err, "token_type", "is no array of 32 bits for each token");
    return ERR_OK;
}

ErrCode gguf_read(const char *name, Span bytes, const FormatHints *hints, Buf *json, Err *err)
{
    Cursor c = {name, bytes.p, bytes.p, bytes.p + bytes.n};
    TokenizerDraft d = {.name = name};
    Meta m = {.model = {.at = NULL}};
    ErrCode rc;

    if ((rc = read_meta(&c, &m, err)) != ERR_OK) return rc;
    if ((rc = check_meta(name, &m, err)) != ERR_OK) return rc;
    if ((rc = draft_init(&d, name, (uint32_t)m.tokens.count, err)) != ERR_OK) goto out;
    if ((rc = find_chain(&d, &m, hints, err)) != ERR_OK) goto out;
    if ((rc = read_tokens(&d, &m, err)) != ERR_OK) goto out;
    if ((rc = read_merges(&d, &m, err)) != ERR_OK) goto out;
    if ((rc = read_id(&d, &m.bos, "bos_token_id", &d.bos, err)) != ERR_OK) goto out;
    if ((rc = read_id(&d, &m.eos, "eos_token_id", &d.eos, err)) != ERR_OK) goto out;
    d.adds_bos = is_true(&m.add_bos) && d.bos != NO_ID;
    d.adds_eos = is_true(&m.add_eos) && d.eos != NO_ID;
    rc = draft_put_json(&d, json, err);
out:
    draft_clear(&d);
    return rc;
}

/* --- writing */

static void put_u32(Buf *b, uint32_t v)
{
    uint8_t raw[4];

    le32_put(raw, v);
    buf_put(b, raw, sizeof raw);
}

static void put_u64(Buf *b, uint64_t v)
{
    uint8_t raw[8];

    le64_put(raw, v);
    buf_put(b, raw, sizeof raw);
}

static void put_string(Buf *b, Span s)
{
    put_u64(b, s.n);
    buf_put_span(b, s);
}

/* A key and the type of its value; an array's `of` and count too. */
static void put_key(Buf *b, uint64_t *n, const char *key, uint32_t type)
{
    put_string(b, span_str(key));
    put_u32(b, type);
    ++*n;
}

static void put_array(Buf *b, uint64_t *n, const char *key, uint32_t of, uint64_t count)
{
    put_key(b, n, key, ARRAY);
    put_u32(b, of);
    put_u64(b, count);
}

static uint32_t type_of(unsigned flags)
{
    if (!(flags & TOKEN_USED)) return TOKEN_UNUSED;
    if (!(flags & TOKEN_ADDED)) return TOKEN_NORMAL;
    return flags & TOKEN_SPECIAL ? TOKEN_CONTROL : TOKEN_USER_DEFINED;
}

static void put_tokens(const Tokenizer *t, Buf *b, uint64_t *n)
{
    put_array(b, n, "tokenizer.ggml.tokens", STRING, t->n_ids);
    for (uint32_t id = 0; id < t->n_ids; id++) {
        char unused[32];
        snprintf(unused, sizeof unused, "[PAD%" PRIu32 "]", id);
        put_string(b, t->flags[id] & TOKEN_USED ? t->spelling[id] : span_str(unused));
    }
    put_array(b, n, "tokenizer.ggml.token_type", I32, t->n_ids);
    for (uint32_t id = 0; id < t->n_ids; id++) put_u32(b, type_of(t->flags[id]));
}

static ErrCode put_merges(const Tokenizer *t, Buf *b, uint64_t *n, Err *err)
{
    uint32_t *list = malloc(((size_t)t->n_merges + 1) * 3 * sizeof *list);

    if (!list) return err_nomem(err, "a vocabulary");
    tokenizer_list_merges(t, list);
    put_array(b, n, "tokenizer.ggml.merges", STRING, t->n_merges);
    for (uint32_t r = 0; r < t->n_merges; r++) {
        Span left = t->spelling[list[(size_t)r * 3]], right = t->spelling[list[(size_t)r * 3 + 1]];
        put_u64(b, left.n + 1 + right.n);
        buf_put_span(b, left);
        buf_putc(b, ' ');
        buf_put_span(b, right);
    }
    free(list);
    return ERR_OK;
}

static const char *pre_of(const Tokenizer *t)
{
    for (int i = 0; i < N_CHAINS; i++) {
        const Pretokenizer *p = pretokenizer_named(chains[i].chain);
        if (p && chains[i].ignore_merges == t->ignore_merges && pretokenizer_same(p, t->pretokenizer))
            return chains[i].pre;
    }
    return NULL;
}

static void put_ends(const Tokenizer *t, Buf *b, uint64_t *n)
{
    const struct {
        const char *key, *add;
        uint32_t id;
        bool adds;
    } end[] = {{"tokenizer.ggml.bos_token_id", "tokenizer.ggml.add_bos_token", t->bos, t->adds_bos},
               {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_eos_token", t->eos, t->adds_eos}};

    for (int i = 0; i < 2; i++) {
        if (end[i].id != NO_ID) {
            put_key(b, n, end[i].key, U32);
            put_u32(b, end[i].id);
        }
        put_key(b, n, end[i].add, BOOL);
        buf_putc(b, end[i].adds && end[i].id != NO_ID);
    }
}

ErrCode gguf_write(const Tokenizer *t, Buf *out, Err *err)
{
    const char *pre = pre_of(t);
    Buf meta = {0};
    uint64_t n = 0;

    if (!pre)
        return err_set(err, ERR_DATA, "GGUF has no name for this pre-tokenizer%s",
                       t->ignore_merges ? " together with ignore_merges" : "");
    put_key(&meta, &n, "general.architecture", STRING);
    put_string(&meta, SPAN_LIT("llama")); /* readers of a vocabulary want one, whichever */
    put_key(&meta, &n, "tokenizer.ggml.model", STRING);
    put_string(&meta, SPAN_LIT("gpt2"));
    put_key(&meta, &n, "tokenizer.ggml.pre", STRING);
    put_string(&meta, span_str(pre));
    put_tokens(t, &meta, &n);
    ErrCode rc = put_merges(t, &meta, &n, err);
    put_ends(t, &meta, &n);
    buf_puts(out, "GGUF");
    put_u32(out, 3);
    put_u64(out, 0); /* tensors */
    put_u64(out, n);
    buf_put_span(out, buf_span(&meta));
    if (rc == ERR_OK) rc = buf_ok(&meta, "a GGUF file", err);
    if (rc == ERR_OK) rc = buf_ok(out, "a GGUF file", err);
    buf_clear(&meta);
    return rc;
}
