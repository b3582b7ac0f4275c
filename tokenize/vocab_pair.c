/* GPT-2's pair of files (openai/gpt-2: encoder.json and vocab.bpe; elsewhere vocab.json and merges.txt): spelling -> id, and a merge
 * a line, "left right", behind an optional line "#version: …". Both go into tokenizer.json nearly as they are, so its reader says
 * what is wrong with them. */
#include "core/json.h"
#include "tokenize/formats.h"

static const char end_of_text[] = "<|endoftext|>";

static void put_added(const Json *vocab, Buf *json)
{
    const Json *end = json_get(vocab, end_of_text);

    buf_puts(json, "\"added_tokens\":[");
    if (end && end->type == JSON_NUMBER) {
        buf_puts(json, "{\"id\":");
        buf_put_span(json, end->string);
        buf_printf(json, ",\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,", end_of_text);
        buf_puts(json, "\"normalized\":false,\"special\":true}");
    }
    buf_puts(json, "],");
}

static void put_merges(Span merges, Buf *json)
{
    bool first = true;

    for (size_t at = 0; at < merges.n;) {
        Span line = span_from(merges, at);
        line.n = span_find(line, '\n');
        at += line.n + 1;
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n == 0 || span_starts(line, SPAN_LIT("#version"))) continue;
        if (!first) buf_putc(json, ',');
        first = false;
        json_put_string(json, line);
    }
}

ErrCode pair_read(const char *name, Span vocab, Span merges, const FormatHints *hints, Buf *json, Err *err)
{
    TokenizerDraft chain = {.name = name};
    Arena tree = {0};
    Json *root;
    ErrCode rc = json_parse(&tree, vocab, name, &root, err);

    if (rc == ERR_OK) rc = draft_pretokenizer(&chain, hints->pre_tokenizer ? hints->pre_tokenizer : "gpt2", err);
    if (rc == ERR_OK) {
        buf_puts(json, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,");
        put_added(root, json);
        draft_put_chain(chain.pretokenizer, json);
        buf_puts(json, ",\"post_processor\":");
        buf_puts(json, FORMAT_BYTELEVEL);
        draft_put_model_head(false, json);
        json_put_tree(json, root);
        buf_puts(json, ",\"merges\":[");
        put_merges(merges, json);
        buf_puts(json, "]}}");
        rc = buf_ok(json, "tokenizer.json", err);
    }
    arena_clear(&tree);
    return rc;
}
