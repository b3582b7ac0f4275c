#include "shards/look.h"
#include "shards/shard_format.h"

#include "core/utf8.h"

#include <inttypes.h>
#include <stdio.h>

/* --- inspect */

static void print_hash(const char *what, Hash128 h)
{
    char hex[HASH128_HEX];

    hash128_hex(hex, h);
    printf("%-14s%s\n", what, hex);
}

static void print_spec(const ShardSpec *spec, const Vocab *v)
{
    Buf eos = {0};

    if (v) look_put_text(&eos, vocab_bytes(v, spec->eos_id), false);
    printf("%-14s%" PRIu32 " tokens, eos %" PRIu32, "vocabulary", spec->vocab_size, spec->eos_id);
    if (eos.n) printf(" \"%s\"", buf_cstr(&eos));
    putchar('\n');
    buf_clear(&eos);
    print_hash("tokenizer", spec->tokenizer_id);
}

static void print_directory(const Look *l)
{
    const TokensDir *t = l->dir;
    const ShardSpec spec = {.vocab_size = vocab_size(l->vocab),
                            .eos_id = vocab_eos(l->vocab),
                            .tokenizer_id = vocab_tokenizer_id(l->vocab)};
    uint64_t n_docs = 0;

    for (uint32_t i = 0; i < tokensdir_n_streams(t); i++) n_docs += tokensdir_stream(t, i)->n_docs;
    printf("%-14s%s\n", "directory", l->path);
    print_spec(&spec, l->vocab);
    print_hash("content", tokensdir_content(t));
    printf("%-14s%" PRIu64 " in %" PRIu64 " documents\n\n", "tokens", tokensdir_n_tokens(t), n_docs);
    printf("%-24s %7s %15s %12s %9s %7s\n", "stream", "shards", "tokens", "documents", "tok/doc", "share");
    for (uint32_t i = 0; i < tokensdir_n_streams(t); i++) {
        const StreamInfo *s = tokensdir_stream(t, i);
        printf("%-24s %7" PRIu32 " %15" PRIu64 " %12" PRIu64 " %9.1f %6.2f%%\n", s->name, s->n_shards, s->n_tokens,
               s->n_docs, s->n_docs ? (double)s->n_tokens / (double)s->n_docs : 0.0,
               tokensdir_n_tokens(t) ? 100.0 * (double)s->n_tokens / (double)tokensdir_n_tokens(t) : 0.0);
    }
}

static void print_shard(const Look *l)
{
    const Shard *s = l->file;

    printf("%-14s%s\n", "shard", l->path);
    printf("%-14s%d\n", "version", SHARD_VERSION);
    print_spec(shard_spec(s), l->vocab);
    print_hash("key", shard_spec(s)->key);
    print_hash("content", shard_content(s));
    printf("%-14s%" PRIu64 " of %u bits in %" PRIu64 " documents, blocks of %" PRIu32 "\n\n", "tokens", s->n_tokens,
           s->token_bits, s->n_docs, s->block_tokens);
    printf("%-14s %15s %15s  %s\n", "section", "offset", "bytes", "xxh3");
    for (uint32_t i = 0; i < s->n_sections; i++) {
        const uint8_t *entry = s->bytes.p + SHARD_HEADER + (size_t)i * SHARD_ENTRY;
        uint32_t kind = le32_get(entry);
        char unknown[24];
        snprintf(unknown, sizeof unknown, "unknown %" PRIu32, kind);
        printf("%-14s %15" PRIu64 " %15" PRIu64 "  %016" PRIx64 "\n",
               kind > 0 && kind < SEC_END ? section_name(kind) : unknown, le64_get(entry + 8), le64_get(entry + 16),
               le64_get(entry + 24));
    }
}

typedef struct {
    const Look *look;
    const LookOptions *o;
    Buf out; /* cat */
} Walk;

static ErrCode show_one(void *ctx, const Shard *s, uint64_t number, const ShardDoc *doc, uint64_t begin, uint64_t end,
                        Err *err)
{
    const Walk *w = ctx;

    putchar('\n');
    return look_show(s, w->look->vocab, number, doc, begin, end, &w->o->style, err);
}

/* Several streams are of several lengths: one without the document asked for says so, and the next is looked at. */
static ErrCode show_streams(const Look *l, uint32_t begin, uint32_t end, const LookOptions *o, Err *err)
{
    Walk w = {.look = l, .o = o};
    uint32_t n_shown = 0;
    ErrCode rc = ERR_OK;

    for (uint32_t i = begin; i < end && rc == ERR_OK; i++) {
        const bool has = o->doc == 0 || o->doc < look_n_docs(l, i);
        if (l->dir && o->limit) printf("\nstream %s\n", look_stream(l, i));
        if (has || end - begin == 1)
            rc = look_docs(l, i, o->doc, o->limit, show_one, &w, err);
        else
            printf("no document %" PRIu64 ": it has %" PRIu64 "\n", o->doc, look_n_docs(l, i));
        n_shown += has;
    }
    if (rc == ERR_OK && end > begin && !n_shown)
        rc = err_set(err, ERR_LIMIT, "%s: no stream has a document %" PRIu64, l->path, o->doc);
    return rc;
}

ErrCode look_inspect(const Look *l, const LookOptions *o, Err *err)
{
    uint32_t begin, end;
    ErrCode rc = look_find(l, o->stream, &begin, &end, err);

    if (rc != ERR_OK) return rc;
    if (l->dir)
        print_directory(l);
    else
        print_shard(l);
    return show_streams(l, begin, end, o, err);
}

/* --- cat */

/* The document's bytes, eos left out. */
static ErrCode put_text(Buf *out, const Shard *s, const Vocab *v, uint64_t begin, uint64_t end, Err *err)
{
    enum { AT_ONCE = 4096 };
    uint32_t tokens[AT_ONCE];

    for (uint64_t at = begin; at + 1 < end;) {
        size_t n = end - 1 - at < AT_ONCE ? (size_t)(end - 1 - at) : AT_ONCE;
        ErrCode rc = shard_read(s, at, n, tokens, err);
        if (rc != ERR_OK) return rc;
        for (size_t i = 0; i < n; i++) buf_put_span(out, vocab_bytes(v, tokens[i]));
        at += n;
    }
    return ERR_OK;
}

/* [1,2,3]: all tokens, eos too. */
static ErrCode put_ids(Buf *out, const Shard *s, uint64_t begin, uint64_t end, Err *err)
{
    enum { AT_ONCE = 4096 };
    uint32_t tokens[AT_ONCE];

    for (uint64_t at = begin; at < end;) {
        size_t n = end - at < AT_ONCE ? (size_t)(end - at) : AT_ONCE;
        ErrCode rc = shard_read(s, at, n, tokens, err);
        if (rc != ERR_OK) return rc;
        for (size_t i = 0; i < n; i++) {
            buf_putc(out, at + i == begin ? '[' : ',');
            buf_put_u64(out, tokens[i]);
        }
        at += n;
    }
    buf_puts(out, "]\n");
    return ERR_OK;
}

/* A document line. Tokens need not spell UTF-8; lines must. */
static ErrCode put_json(Buf *out, const Shard *s, const Vocab *v, const ShardDoc *doc, uint64_t begin, uint64_t end,
                        Err *err)
{
    Buf raw = {0}, text = {0};
    ErrCode rc = put_text(&raw, s, v, begin, end, err);

    utf8_repair(&text, buf_span(&raw));
    Doc d = {.id = doc->id, .text = {text.p ? text.p : (const uint8_t *)"", text.n}};
    if (doc->domain.n) d.domain = doc->domain;
    if (doc->lang.n) d.lang = doc->lang;
    if (rc == ERR_OK && (raw.oom || text.oom)) rc = err_nomem(err, "a document");
    if (rc == ERR_OK) doc_write(out, &d);
    buf_clear(&raw);
    buf_clear(&text);
    return rc;
}

static ErrCode cat_one(void *ctx, const Shard *s, uint64_t number, const ShardDoc *doc, uint64_t begin, uint64_t end,
                       Err *err)
{
    Walk *w = ctx;
    const Vocab *v = w->look->vocab;
    ErrCode rc;

    (void)number;
    buf_reset(&w->out);
    if (w->o->ids) {
        rc = put_ids(&w->out, s, begin, end, err);
    } else if (w->o->json) {
        rc = put_json(&w->out, s, v, doc, begin, end, err);
    } else {
        rc = put_text(&w->out, s, v, begin, end, err);
        buf_putc(&w->out, '\n');
    }
    if (rc == ERR_OK) rc = buf_ok(&w->out, "a document", err);
    if (rc == ERR_OK && w->out.n && fwrite(w->out.p, 1, w->out.n, stdout) != w->out.n)
        rc = err_sys(err, "cannot write to standard output");
    return rc;
}

ErrCode look_cat(const Look *l, const LookOptions *o, Err *err)
{
    Walk w = {.look = l, .o = o};
    uint32_t begin, end;
    ErrCode rc = look_find(l, o->stream, &begin, &end, err);

    if (rc == ERR_OK && !l->vocab && !o->ids)
        rc =
            err_set(err, ERR_DATA, "%s: no vocab.bin in the directory above it, so only --ids can be shown", l->path);
    if (rc == ERR_OK && o->has_doc && end - begin > 1)
        rc = err_set(err, ERR_USAGE, "%s has several streams: --doc needs --stream", l->path);
    for (uint32_t i = begin; i < end && rc == ERR_OK; i++)
        rc = look_docs(l, i, o->doc, o->has_doc ? 1 : UINT64_MAX, cat_one, &w, err);
    buf_clear(&w.out);
    return rc;
}
