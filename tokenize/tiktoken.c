/* tiktoken files (openai/tiktoken, load.py): a line a token, its bytes in base64, a blank, its rank. They name neither the
 * pre-tokenizer nor the special tokens; those of the encodings that openai_public.py defines are known here. */
#include "tokenize/bytelevel.h"
#include "tokenize/formats.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct {
    const char *content;
    uint32_t id;
} SpecialToken;

typedef struct {
    const char *name, *chain;
    const char *xxh3; /* XXH3-128 of the file, by which it is known without being named; NULL: not known */
    SpecialToken special[6];
} Encoding;

static const Encoding encodings[] = {
    {"r50k_base", "gpt2", "aa5ef69a716d8a563cb2fbe95939bd2d", {{"<|endoftext|>", 50256}}},
    {"p50k_base", "gpt2", NULL, {{"<|endoftext|>", 50256}}},
    {"cl100k_base",
     "cl100k",
     "7cdb781bb5d59657aa5d7bf38900641a",
     {{"<|endoftext|>", 100257},
      {"<|fim_prefix|>", 100258},
      {"<|fim_middle|>", 100259},
      {"<|fim_suffix|>", 100260},
      {"<|endofprompt|>", 100276}}},
};
enum { N_ENCODINGS = sizeof encodings / sizeof *encodings };

static ErrCode find_encoding(const char *name, Span bytes, const FormatHints *hints, const Encoding **out, Err *err)
{
    char hex[HASH128_HEX];

    hash128_hex(hex, hash128(bytes));

    *out = NULL;
    for (int i = 0; i < N_ENCODINGS && !*out; i++)
        if (hints->encoding ? strcmp(hints->encoding, encodings[i].name) == 0
                            : encodings[i].xxh3 && strcmp(hex, encodings[i].xxh3) == 0)
            *out = &encodings[i];
    if (*out || (!hints->encoding && hints->pre_tokenizer)) return ERR_OK;
    if (hints->encoding)
        return err_set(err, ERR_USAGE, "%s: no encoding is called %s; there are: r50k_base, p50k_base, cl100k_base",
                       name, hints->encoding);
    return err_set(err, ERR_DATA,
                   "%s: a tiktoken file does not name its pre-tokenizer: convert it, `tamis bpe convert "
                   "--pre-tokenizer NAME`, or --encoding NAME",
                   name);
}

/* --- lines */

typedef struct {
    const char *name;
    Span text;
    size_t at;
    uint64_t line;
} Lines;

/* The next token; false at the end. Its base64 goes to *token. */
static bool next_line(Lines *l, Span *token, uint64_t *rank, ErrCode *rc, Err *err)
{
    *rc = ERR_OK;
    while (l->at < l->text.n) {
        Span line = span_from(l->text, l->at);
        line.n = span_find(line, '\n');
        l->at += line.n + 1;
        l->line++;
        line = span_trim(line);
        if (line.n == 0) continue;
        size_t blank = span_find(line, ' ');
        *token = (Span){line.p, blank};
        if (blank < line.n && span_to_u64(span_from(line, blank + 1), rank) && *rank < TOKENIZER_MAX_IDS) return true;
        *rc = err_set(err, ERR_DATA, "%s: line %" PRIu64 " is not a token in base64 and its rank below %d", l->name,
                      l->line, TOKENIZER_MAX_IDS);
        return false;
    }
    return false;
}

/* Highest rank + 1 and the number of tokens. */
static ErrCode count_lines(const char *name, Span text, uint32_t *n_ids, Err *err)
{
    Lines l = {.name = name, .text = text};
    uint64_t rank, n_tokens = 0;
    Span token;
    ErrCode rc;

    *n_ids = 0;
    for (; next_line(&l, &token, &rank, &rc, err); n_tokens++)
        if (rank >= *n_ids) *n_ids = (uint32_t)rank + 1;
    if (rc == ERR_OK && *n_ids > n_tokens + FORMAT_MAX_UNUSED_IDS)
        return err_set(err, ERR_LIMIT, "%s: the highest rank is %" PRIu32 ", with %" PRIu64 " tokens", name,
                       *n_ids - 1, n_tokens);
    return rc;
}

static ErrCode read_tokens(TokenizerDraft *d, Span text, Span *bytes, Err *err)
{
    Lines l = {.name = d->name, .text = text};
    Buf token = {0}, spelling = {0};
    uint64_t rank;
    Span coded;
    ErrCode rc;

    while (next_line(&l, &coded, &rank, &rc, err)) {
        buf_reset(&token);
        buf_reset(&spelling);
        bool well = base64_read(&token, coded) && token.n > 0 && token.n <= FORMAT_MAX_TOKEN;
        if (!well && !token.oom) {
            rc = err_set(err, ERR_DATA, "%s: line %" PRIu64 " has no token of 1 to %d bytes in base64", d->name,
                         l.line, FORMAT_MAX_TOKEN);
            break;
        }
        if (d->token[rank].kind != DRAFT_NONE) {
            rc = err_set(err, ERR_DATA, "%s: line %" PRIu64 ": a second token of rank %" PRIu64, d->name, l.line,
                         rank);
            break;
        }
        bytelevel_put(&spelling, buf_span(&token));
        bytes[rank] = arena_copy(&d->arena, buf_span(&token));
        d->token[rank] = (DraftToken){arena_copy(&d->arena, buf_span(&spelling)), DRAFT_TOKEN};
        if (!bytes[rank].p || !d->token[rank].spelling.p || spelling.oom || token.oom) {
            rc = err_nomem(err, "a vocabulary");
            break;
        }
    }
    buf_clear(&token);
    buf_clear(&spelling);
    return rc;
}

/* A token that no merge makes is met as a whole word only: the reader looks for whole words first. */
static ErrCode find_merges(TokenizerDraft *d, const Span *bytes, uint32_t n_ranks, Err *err)
{
    DraftMerge *made = arena_array(&d->arena, n_ranks, sizeof *made);

    if (!made) return err_nomem(err, "a vocabulary");
    ErrCode rc = merges_of_ranks(d->name, bytes, n_ranks, made, err);
    for (uint32_t id = 0; rc == ERR_OK && id < n_ranks; id++) {
        if (made[id].left != NO_ID)
            d->merge[d->n_merges++] = made[id];
        else if (bytes[id].n > 1)
            d->ignore_merges = true;
    }
    return rc;
}

/* --- special tokens */

static ErrCode put_special(TokenizerDraft *d, Span content, uint64_t id, Err *err)
{
    if (id >= d->n_ids || d->token[id].kind != DRAFT_NONE)
        return err_set(err, ERR_USAGE, "%s: the special token %.*s cannot have the id %" PRIu64, d->name,
                       (int)(content.n < 100 ? content.n : 100), (const char *)content.p, id);
    d->token[id] = (DraftToken){content, DRAFT_SPECIAL};
    return ERR_OK;
}

/* "TOKEN=ID", cut at the last '='. */
static ErrCode parse_special(const char *name, const char *s, Span *content, uint64_t *id, Err *err)
{
    const char *at = strrchr(s, '=');

    if (at && at > s && span_to_u64(span_str(at + 1), id) && *id < TOKENIZER_MAX_IDS) {
        *content = (Span){(const uint8_t *)s, (size_t)(at - s)};
        return ERR_OK;
    }
    return err_set(err, ERR_USAGE, "%s: --special wants TOKEN=ID, not %s", name, s);
}

static ErrCode highest_special(const char *name, const Encoding *e, const FormatHints *hints, uint32_t *n_ids,
                               Err *err)
{
    uint64_t id = 0;
    Span content = {NULL, 0};
    ErrCode rc = ERR_OK;

    for (int i = 0; e && e->special[i].content; i++)
        if (e->special[i].id >= *n_ids) *n_ids = e->special[i].id + 1;
    for (size_t i = 0; i < hints->n_special && rc == ERR_OK; i++) {
        rc = parse_special(name, hints->special[i], &content, &id, err);
        if (rc == ERR_OK && id >= *n_ids) *n_ids = (uint32_t)id + 1;
    }
    return rc;
}

static ErrCode put_specials(TokenizerDraft *d, const Encoding *e, const FormatHints *hints, Err *err)
{
    uint64_t id = 0;
    Span content = {NULL, 0};
    ErrCode rc = ERR_OK;

    for (int i = 0; e && e->special[i].content && rc == ERR_OK; i++)
        rc = put_special(d, span_str(e->special[i].content), e->special[i].id, err);
    for (size_t i = 0; i < hints->n_special && rc == ERR_OK; i++) {
        rc = parse_special(d->name, hints->special[i], &content, &id, err);
        if (rc == ERR_OK) rc = put_special(d, content, id, err);
    }
    return rc;
}

ErrCode tiktoken_read(const char *name, Span text, const FormatHints *hints, Buf *json, Err *err)
{
    TokenizerDraft d = {.name = name};
    const Encoding *e;
    uint32_t n_ranks, n_ids;
    Span *bytes = NULL;
    ErrCode rc;

    if (text.n > TIKTOKEN_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "%s: a tiktoken file of more than %d bytes", name, TIKTOKEN_MAX_BYTES);
    if ((rc = find_encoding(name, text, hints, &e, err)) != ERR_OK) return rc;
    if ((rc = count_lines(name, text, &n_ranks, err)) != ERR_OK) return rc;
    n_ids = n_ranks;
    if ((rc = highest_special(name, e, hints, &n_ids, err)) != ERR_OK) return rc;
    if ((rc = draft_init(&d, name, n_ids, err)) != ERR_OK) goto out;
    if ((rc = draft_pretokenizer(&d, hints->pre_tokenizer ? hints->pre_tokenizer : e->chain, err)) != ERR_OK)
        goto out;
    if (!(bytes = calloc(n_ranks ? n_ranks : 1, sizeof *bytes))) {
        rc = err_nomem(err, "a vocabulary");
        goto out;
    }
    if ((rc = read_tokens(&d, text, bytes, err)) != ERR_OK) goto out;
    if ((rc = find_merges(&d, bytes, n_ranks, err)) != ERR_OK) goto out;
    if ((rc = put_specials(&d, e, hints, err)) != ERR_OK) goto out;
    rc = draft_put_json(&d, json, err);
out:
    free(bytes);
    draft_clear(&d);
    return rc;
}

/* --- writing */

static ErrCode not_ranked(Err *err, uint32_t id, const char *why)
{
    return err_set(err, ERR_DATA, "not a vocabulary for tiktoken, which ranks by id: token %" PRIu32 " %s", id, why);
}

/* A reader merges by id, and takes whole words first. That gives the same tokens when the merges stand in the order of what they make
 * and each token can be made of the parts that its bytes are (merges_of_ranks()). */
static ErrCode check_ranks(const Tokenizer *t, const DraftMerge *made, const uint32_t *list, Err *err)
{
    uint32_t last = 0;

    for (uint32_t r = 0; r < t->n_merges; last = list[(size_t)r++ * 3 + 2]) {
        uint32_t id = list[(size_t)r * 3 + 2];
        if (r && id < last) return not_ranked(err, id, "is merged behind a higher one");
        if (t->flags[id] & TOKEN_ADDED) return not_ranked(err, id, "is added and merged");
    }
    for (uint32_t id = 0; id < t->n_ids; id++) {
        if (!(t->flags[id] & TOKEN_USED) || (t->flags[id] & TOKEN_ADDED) || t->bytes[id].n < 2) continue;
        if (made[id].left == NO_ID) {
            if (!t->ignore_merges) return not_ranked(err, id, "is in no order of ids made of two parts");
            continue;
        }
        const MergeSlot *m = merge_find(t, made[id].left, made[id].right);
        if (!m || m->id != id) return not_ranked(err, id, "has another merge than its bytes");
    }
    return ERR_OK;
}

/* The bytes that occur in UTF-8 all have tokens: else a reader stops at a text that has one of them. */
static ErrCode check_alphabet(const Tokenizer *t, Err *err)
{
    for (unsigned c = 0; c < 256; c++)
        if (t->byte_id[c] == NO_ID && c != 0xC0 && c != 0xC1 && c < 0xF5)
            return err_set(err, ERR_DATA, "not a vocabulary for tiktoken: byte 0x%02X has no token", c);
    return ERR_OK;
}

ErrCode tiktoken_write(const Tokenizer *t, Buf *out, Err *err)
{
    Span *bytes = calloc(t->n_ids, sizeof *bytes);
    DraftMerge *made = calloc(t->n_ids, sizeof *made);
    uint32_t *list = malloc(((size_t)t->n_merges + 1) * 3 * sizeof *list);
    ErrCode rc = bytes && made && list ? check_alphabet(t, err) : err_nomem(err, "a vocabulary");

    for (uint32_t id = 0; rc == ERR_OK && id < t->n_ids; id++) {
        if (!(t->flags[id] & TOKEN_USED) || (t->flags[id] & TOKEN_ADDED)) continue;
        bytes[id] = t->bytes[id];
        if (bytes[id].n > FORMAT_MAX_TOKEN) rc = not_ranked(err, id, "is too long");
    }
    if (rc == ERR_OK) rc = merges_of_ranks("tiktoken", bytes, t->n_ids, made, err);
    if (rc == ERR_OK) {
        tokenizer_list_merges(t, list);
        rc = check_ranks(t, made, list, err);
    }
    for (uint32_t id = 0; rc == ERR_OK && id < t->n_ids; id++) {
        if (!bytes[id].n) continue;
        base64_put(out, bytes[id]);
        buf_printf(out, " %" PRIu32 "\n", id);
    }
    free(bytes);
    free(made);
    free(list);
    return rc == ERR_OK ? buf_ok(out, "a tiktoken file", err) : rc;
}
