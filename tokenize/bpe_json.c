/* Writing tokenizer.json: made without white space first, then laid out with two spaces a level, so that the bytes are those of
 * `tokenizers` 0.23 saving the same tokenizer with pretty=True. */
#include "core/json.h"
#include "tokenize/bpe_model.h"
#include "tokenize/bytelevel.h"
#include "tokenize/tokenizer.h"

#include <stdlib.h>

static void put_bool(Buf *b, const char *key, bool v) { buf_printf(b, ",\"%s\":%s", key, v ? "true" : "false"); }

/* The id an added token gets: the token of the same spelling, if there is one, as the reference does. */
static uint32_t added_id(Span content, const Span *tokens, uint32_t n_tokens, uint32_t next)
{
    for (uint32_t id = 0; id < n_tokens; id++)
        if (span_eq(tokens[id], content)) return id;
    return next;
}

static void put_added(Buf *b, const BpeParams *params, const Span *tokens, uint32_t n_tokens)
{
    uint32_t next = n_tokens;

    buf_puts(b, "\"added_tokens\":[");
    for (uint32_t i = 0; i < params->n_added; i++) {
        uint32_t id = added_id(span_str(params->added[i]), tokens, n_tokens, next);
        next += id == next;
        if (i) buf_putc(b, ',');
        buf_printf(b, "{\"id\":%u,\"content\":", id);
        json_put_cstr(b, params->added[i]);
        put_bool(b, "single_word", false);
        put_bool(b, "lstrip", false);
        put_bool(b, "rstrip", false);
        put_bool(b, "normalized", params->added_normalized);
        put_bool(b, "special", params->added_special[i]);
        buf_putc(b, '}');
    }
    buf_puts(b, "],");
}

static void put_model(Buf *b, const BpeModel *model, const Span *tokens)
{
    uint32_t n = model->n_alphabet + model->n_merges;

    buf_puts(
        b,
        "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null,"
        "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false,\"vocab\":{");
    for (uint32_t id = 0; id < n; id++) {
        if (id) buf_putc(b, ',');
        json_put_string(b, tokens[id]);
        buf_printf(b, ":%u", id);
    }
    buf_puts(b, "},\"merges\":[");
    for (uint32_t r = 0; r < model->n_merges; r++) {
        buf_puts(b, r ? ",[" : "[");
        json_put_string(b, tokens[model->merges[r].left]);
        buf_putc(b, ',');
        json_put_string(b, tokens[model->merges[r].right]);
        buf_putc(b, ']');
    }
    buf_puts(b, "]}");
}

/* Spelling of every token in the characters of the byte-level alphabet. */
static ErrCode spell_tokens(const BpeModel *model, Arena *arena, Span **out, Err *err)
{
    uint32_t n = model->n_alphabet + model->n_merges;
    Span *tokens = arena_array(arena, n, sizeof *tokens);
    Buf b = {0};
    bool ok = tokens != NULL;

    for (uint32_t id = 0; ok && id < n; id++) {
        buf_reset(&b);
        if (id < model->n_alphabet) {
            bytelevel_put(&b, (Span){&model->alphabet[id], 1});
        } else {
            const Merge *m = &model->merges[id - model->n_alphabet];
            buf_put_span(&b, tokens[m->left]);
            buf_put_span(&b, tokens[m->right]);
        }
        tokens[id] = arena_copy(arena, buf_span(&b));
        ok = !b.oom && tokens[id].p;
    }
    buf_clear(&b);
    *out = tokens;
    return ok ? ERR_OK : err_nomem(err, "the vocabulary");
}

static void new_line(Buf *out, unsigned depth)
{
    buf_putc(out, '\n');
    for (unsigned i = 0; i < depth; i++) buf_puts(out, "  ");
}

void tokenizer_lay_out(Span json, Buf *out)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < json.n; i++) {
        uint8_t c = json.p[i];
        if (in_string) {
            buf_putc(out, c);
            if (c == '\\') buf_putc(out, json.p[++i]);
            in_string = c != '"';
            continue;
        }
        bool closes = c == ']' || c == '}';
        bool empty = i + 1 < json.n && (c == '[' || c == '{') && (json.p[i + 1] == ']' || json.p[i + 1] == '}');
        if (closes) new_line(out, --depth);
        buf_putc(out, c);
        if (empty) {
            buf_putc(out, json.p[++i]);
        } else if (c == '[' || c == '{') {
            new_line(out, ++depth);
        } else if (c == ',') {
            new_line(out, depth);
        } else if (c == ':') {
            buf_putc(out, ' ');
        }
        in_string = c == '"';
    }
}

ErrCode bpe_model_json(const BpeModel *model, const BpeParams *params, Buf *out, Err *err)
{
    Arena arena = {0};
    Buf b = {0};
    Span *tokens;
    ErrCode rc = spell_tokens(model, &arena, &tokens, err);

    if (rc != ERR_OK) goto out;
    buf_puts(&b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,");
    put_added(&b, params, tokens, model->n_alphabet + model->n_merges);
    buf_puts(&b, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]},\"pre_tokenizer\":");
    buf_put_span(&b, pretokenizer_spec(params->pretokenizer));
    buf_puts(
        &b,
        ",\"post_processor\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,\"use_regex\":"
        "true},"
        "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},");
    put_model(&b, model, tokens);
    buf_putc(&b, '}');
    if ((rc = buf_ok(&b, "tokenizer.json", err)) != ERR_OK) goto out;
    tokenizer_lay_out(buf_span(&b), out);
    rc = buf_ok(out, "tokenizer.json", err);
out:
    buf_clear(&b);
    arena_clear(&arena);
    return rc;
}
