#include "core/json.h"
#include "tests/check.h"
#include "tools/token_line.h"

#include <stdlib.h>

typedef struct {
    const char *line;
    LineReason reason;
    const char *text, *domain, *lang, *id; /* NULL: absent */
} Case;

static void check_span(const char *want, Span got)
{
    if (!want)
        CHECK(got.p == NULL);
    else
        CHECK_SPAN(span_str(want), got);
}

TEST(lines_say_what_they_hold_or_why_not)
{
    static const Case cases[] = {
        {"{\"text\":\"tea\"}\n", LINE_N_REASONS, "tea", NULL, NULL, NULL},
        {"  { \"a\" : [1,{\"text\":2}] , \"text\" : \"\" }  ", LINE_N_REASONS, "", NULL, NULL, NULL},
        {"{\"id\":17,\"text\":\"a\\u0000b\\ud83d\\ude00\",\"lang\":\"zh\",\"domain\":\"web\"}\r\n", LINE_N_REASONS,
         NULL, "web", "zh-Hans", "17"},
        {"{\"id\":\"a\\u0041\",\"text\":\"x\",\"lang\":\"fr\",\"domain\":\"\"}", LINE_N_REASONS, "x", NULL, NULL,
         "\"a\\u0041\""},
        {"{\"id\":{\"a\":1},\"lang\":7,\"domain\":null,\"text\":\"x\"}", LINE_N_REASONS, "x", NULL, NULL, NULL},
        {"{\"domain\":\"manifest.json\",\"text\":\"x\"}", LINE_N_REASONS, "x", NULL, NULL, NULL},
        {"{\"domain\":\"manifest.jso\",\"text\":\"x\"}", LINE_N_REASONS, "x", "manifest.jso", NULL, NULL},
        {"{\"id\":null,\"lang\":\"code\",\"text\":\"x\"}", LINE_N_REASONS, "x", NULL, "code", NULL},
        {"{}", LINE_NO_TEXT, NULL, NULL, NULL, NULL},
        {"{\"Text\":\"x\"}", LINE_NO_TEXT, NULL, NULL, NULL, NULL},
        {"{\"text\":null}", LINE_NO_TEXT, NULL, NULL, NULL, NULL},
        {"{\"text\":[\"x\"]}", LINE_NO_TEXT, NULL, NULL, NULL, NULL},
        {"", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"[\"text\"]", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"text\":\"x\",}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"text\":\"x\"} {}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"text\":\"x\",\"text\":\"y\"}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"text\":\"a\\ud800b\"}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"text\":\"a\\udc00\\ud800\"}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"text\":\"a\xff\"}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"text\":\"a\x01\"}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
        {"{\"other\":\"\\ud800\",\"text\":\"x\"}", LINE_BAD_JSON, NULL, NULL, NULL, NULL},
    };
    Buf scratch = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        const Span line = check_edge(span_str(c->line));
        LineDoc d;
        CHECK_INT(c->reason, line_read(&scratch, line, &d));
        if (i == 2)
            CHECK_SPAN(SPAN_LIT("a\0b\xf0\x9f\x98\x80"), d.text);
        else
            check_span(c->text, d.text);
        check_span(c->domain, d.domain);
        check_span(c->lang, d.lang);
        check_span(c->id, d.id);
        check_edge_free(line);
    }
    buf_clear(&scratch);
}

/* A line is taken exactly when the strict reader of whole trees takes it and finds a string there. */
TEST(cut_and_changed_lines_are_judged_as_the_tree_reader_judges_them)
{
    static const char whole[] =
        "{\"id\":\"n\\u00e9\", \"meta\":{\"a\":[1,2.5e3,true]},\"text\":\"t\\n\xe4\xb8\xad\",\"lang\":\"en\"}";
    uint8_t line[sizeof whole];
    Buf scratch = {0};
    Arena arena = {0};

    for (size_t i = 0; i < sizeof whole; i++)
        for (unsigned v = 0; v < 256; v++) {
            const size_t n = v ? sizeof whole - 1 : i; /* 0: cut here */
            memcpy(line, whole, n);
            if (v && i < n) line[i] = (uint8_t)v;
            Err err = {0};
            Json *root = NULL;
            LineDoc d;
            const LineReason reason = line_read(&scratch, span(line, n), &d);
            arena_reset(&arena);
            const bool is_json = json_parse(&arena, span(line, n), "line", &root, &err) == ERR_OK;
            const Json *text = is_json ? json_get(root, "text") : NULL;
            const bool has_text = text && text->type == JSON_STRING;
            CHECK_INT(!is_json ? LINE_BAD_JSON : has_text ? LINE_N_REASONS : LINE_NO_TEXT, reason);
            if (has_text && reason == LINE_N_REASONS) CHECK_SPAN(text->string, d.text);
        }
    arena_clear(&arena);
    buf_clear(&scratch);
}
