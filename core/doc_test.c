#include "core/doc.h"

#include "tests/check.h"

/* Reads `line` before an unmapped page, writes it and compares with `want`. */
static void becomes(const char *want, const char *line)
{
    DocScratch s = {0};
    const char *why = "";
    Span edge = check_edge(span_str(line));
    Buf b = {0};
    Doc d;

    if (!doc_read(&s, edge, &d, &why)) {
        fprintf(stderr, "%s: %s\n", line, why);
        CHECK(!"doc_read");
    } else {
        doc_write(&b, &d);
        CHECK_STR(want, buf_cstr(&b));
    }
    buf_clear(&b);
    check_edge_free(edge);
    docscratch_clear(&s);
}

static void refused(const char *want, const char *line)
{
    DocScratch s = {0};
    const char *why = NULL;
    Span edge = check_edge(span_str(line));
    Doc d;

    if (doc_read(&s, edge, &d, &why)) fprintf(stderr, "accepted: %s\n", line);
    CHECK_STR(want, why);
    check_edge_free(edge);
    docscratch_clear(&s);
}

TEST(doc_canonical_order)
{
    becomes("{\"id\":\"i\",\"text\":\"t\"}\n", " { \"text\" : \"t\" ,\r\n \"id\":\"i\" } \r\n");
    becomes("{\"id\":\"i\",\"text\":\"t\",\"url\":\"u\",\"date\":\"2023-01-02T03:04:05Z\",\"dump\":\"d\",\"source\":"
            "\"s\",\"domain\":\"m\","
            "\"lang\":\"en\",\"lang_score\":0.5,\"signals\":{\"a\":1,\"b\":-2.5},\"edits\":[\"e\"],\"meta\":{\"k\":1}"
            ",\"zz\":1,\"aa\":[2]}\n",
            "{\"zz\":1,\"meta\":{\"k\":1},\"edits\":[\"e\"],\"signals\":{\"b\":-2.5,\"a\":1},\"lang_score\":0.5,"
            "\"lang\":\"en\",\"aa\":[2],"
            "\"domain\":\"m\",\"source\":\"s\",\"dump\":\"d\",\"date\":\"2023-01-02T03:04:05Z\",\"url\":\"u\","
            "\"text\":\"t\",\"id\":\"i\"}");
    becomes("{\"id\":\"\",\"text\":\"\",\"edits\":[],\"meta\":{}}\n",
            "{\"signals\":{},\"id\":\"\",\"text\":\"\",\"meta\":{},\"edits\":[]}");
}

TEST(doc_strings)
{
    becomes("{\"id\":\"i\",\"text\":\"\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80 "
            "\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\"}\n",
            "{\"id\":\"\\u0069\",\"text\":\"\\u4f60\\u597D \\ud83d\\uDE00 "
            "\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001F\\u007f\"}");
    /* unknown members keep their spelling, white space outside strings apart */
    becomes("{\"id\":\"i\",\"text\":\"t\",\"\\u006bey\":\"\\u4f60 \\/ x\",\"n\":[1.50e+1,{\"a b\":\"c \\\" "
            "d\"},0.1000]}\n",
            "{\"id\":\"i\",\"\\u006bey\" : \"\\u4f60 \\/ x\", \"text\":\"t\",\"n\":[ 1.50e+1 ,\n{ \"a b\" :\t\"c "
            "\\\" d\" } ,0.1000 ]}");
    becomes("{\"id\":\"i\",\"text\":\"t\",\"meta\":{\"a\":[1,2]}}\n",
            "{\"id\":\"i\",\"text\":\"t\",\"meta\": { \"a\" : [ 1, 2 ] } }");
}

TEST(doc_numbers)
{
    becomes("{\"id\":\"i\",\"text\":\"t\",\"lang_score\":0.333333,\"signals\":{\"a\":0.1,\"b\":1000000,\"c\":0,\"d\":"
            "-0.5,\"e\":999999999999999}}\n",
            "{\"id\":\"i\",\"text\":\"t\",\"lang_score\":0.33333333333,\"signals\":{\"a\":1.0e-1,\"b\":1e6,\"c\":-0."
            "0000001,\"d\":-0.50,\"e\":999999999999999}}");
    refused("bad_field", "{\"id\":\"i\",\"text\":\"t\",\"signals\":{\"a\":1e15}}");
    refused("bad_field", "{\"id\":\"i\",\"text\":\"t\",\"lang_score\":1.01}");
    refused("bad_field", "{\"id\":\"i\",\"text\":\"t\",\"lang_score\":-0.01}");
    refused("bad_json", "{\"id\":\"i\",\"text\":\"t\",\"signals\":{\"a\":1e999}}");
    refused("bad_json", "{\"id\":\"i\",\"text\":\"t\",\"signals\":{\"a\":01}}");
}

TEST(doc_duplicates)
{
    refused("duplicate_key", "{\"id\":\"i\",\"text\":\"t\",\"id\":\"i\"}");
    refused("duplicate_key", "{\"id\":\"i\",\"text\":\"t\",\"\\u0069\\u0064\":\"i\"}");
    refused("duplicate_key", "{\"id\":\"i\",\"text\":\"t\",\"x\":1,\"y\":2,\"\\u0078\":3}");
    refused("duplicate_key", "{\"id\":\"i\",\"text\":\"t\",\"signals\":{\"b\":1,\"a\":2,\"\\u0062\":3}}");
    refused("duplicate_key", "{\"id\":\"i\",\"text\":\"t\",\"signals\":{},\"signals\":{}}");
    becomes("{\"id\":\"i\",\"text\":\"t\",\"x\":1,\"X\":2}\n", "{\"id\":\"i\",\"text\":\"t\",\"x\":1,\"X\":2}");
}

TEST(doc_refuses)
{
    static const char *const wrong_type[] = {"\"url\":1",
                                             "\"url\":null",
                                             "\"date\":[]",
                                             "\"lang_score\":\"1\"",
                                             "\"signals\":[]",
                                             "\"signals\":{\"a\":\"1\"}",
                                             "\"signals\":{\"a\":true}",
                                             "\"edits\":{}",
                                             "\"meta\":[]",
                                             "\"meta\":\"x\""};
    static const char *const malformed[] = {"",
                                            "{",
                                            "[]",
                                            "null",
                                            "{\"id\":\"i\",\"text\":\"t\"",
                                            "{\"id\":\"i\",\"text\":\"t\"}}",
                                            "{\"id\":\"i\",\"text\":\"t\"}{}",
                                            "{\"id\":\"i\",\"text\":\"t\",}",
                                            "{\"id\":\"i\" \"text\":\"t\"}",
                                            "{\"id\":\"i\",\"text\":\"\\ud800\"}",
                                            "{\"id\":\"i\",\"text\":\"\\udc00\\ud800\"}",
                                            "{\"id\":\"i\",\"text\":\"a\nb\"}",
                                            "{\"id\":\"i\",\"text\":\"\\q\"}",
                                            "{\"id\":\"i\",\"text\":\"t\",\"x\":[1,]}",
                                            "{\"id\":\"i\",\"text\":\"t\",\"x\":\"\\ud800\"}"};
    static const char *const not_utf8[] = {
        "{\"id\":\"i\",\"text\":\"\xff\"}", "{\"id\":\"i\",\"text\":\"\xed\xa0\x80\"}",
        "{\"id\":\"i\",\"text\":\"t\",\"x\":[\"\xc0\x80\"]}", "{\"id\":\"i\",\"text\":\"t\",\"\xe4\xbd\":1}"};
    char line[128];

    for (size_t i = 0; i < sizeof wrong_type / sizeof *wrong_type; i++) {
        snprintf(line, sizeof line, "{\"id\":\"i\",\"text\":\"t\",%s}", wrong_type[i]);
        refused("bad_field", line);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) refused("bad_json", malformed[i]);
    for (size_t i = 0; i < sizeof not_utf8 / sizeof *not_utf8; i++) refused("bad_utf8", not_utf8[i]);
    refused("missing_field", "{}");
    refused("missing_field", "{\"id\":\"i\"}");
    refused("missing_field", "{\"text\":\"t\"}");
    refused("bad_field", "{\"id\":1,\"text\":\"t\"}");
}

TEST(doc_limits)
{
    DocScratch s = {0};
    const char *why;
    Buf line = {0};
    Doc d;

    for (int n = DOC_MAX_SIGNALS; n <= DOC_MAX_SIGNALS + 1; n++) { /* in falling order of name, to be sorted */
        buf_reset(&line);
        buf_puts(&line, "{\"id\":\"i\",\"text\":\"t\",\"signals\":{");
        for (int i = n; i-- > 0;) buf_printf(&line, "\"s%04d\":%d%c", i, i, i ? ',' : '}');
        buf_putc(&line, '}');
        bool fits = n <= DOC_MAX_SIGNALS;
        CHECK_INT(fits, doc_read(&s, buf_span(&line), &d, &why));
        if (!fits) CHECK_STR("too_many_signals", why);
        for (uint32_t i = 0; fits && i < d.n_signals; i++) CHECK_INT(i, d.signals[i].value);
    }
    for (int n = DOC_MAX_EXTRA; n <= DOC_MAX_EXTRA + 1; n++) {
        buf_reset(&line);
        buf_puts(&line, "{\"id\":\"i\",\"text\":\"t\"");
        for (int i = 0; i < n; i++) buf_printf(&line, ",\"x%d\":%d", i, i);
        buf_putc(&line, '}');
        bool fits = n <= DOC_MAX_EXTRA;
        CHECK_INT(fits, doc_read(&s, buf_span(&line), &d, &why));
        if (!fits) CHECK_STR("too_many_keys", why);
    }
    for (int depth = JSON_MAX_DEPTH - 1; depth <= JSON_MAX_DEPTH; depth++) { /* the line itself is one level */
        buf_reset(&line);
        buf_puts(&line, "{\"id\":\"i\",\"text\":\"t\",\"x\":");
        for (int i = 0; i < depth; i++) buf_putc(&line, '[');
        for (int i = 0; i < depth; i++) buf_putc(&line, ']');
        buf_putc(&line, '}');
        CHECK_INT(depth < JSON_MAX_DEPTH, doc_read(&s, buf_span(&line), &d, &why));
    }
    buf_clear(&line);
    docscratch_clear(&s);
}

/* Random documents: what is written reads back equal, whatever bytes of UTF-8 the text has, at every alignment. */
TEST(doc_round_trip_random)
{
    static const char *const piece[] = {
        "a", "\xe4\xbd\xa0", "\n", "\"", "\\", "\x01", "\xf0\x9f\x98\x80", "plain words here ", "\xc3\xa9", "\x7f"};
    uint64_t seed = 11;
    Buf text = {0}, line = {0};
    DocScratch s = {0};
    const char *why;
    Doc got;

    for (int round = 0; round < 3000; round++) {
        buf_reset(&text);
        for (int n = round % 97; n > 0; n--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            buf_puts(&text, piece[(seed >> 33) % 10]);
        }
        Signal signals[] = {{SPAN_LIT("p"), (double)(int64_t)(seed >> 32) / 1e6}, {SPAN_LIT("q"), -1}};
        Doc d = {.id = SPAN_LIT("i#1"),
                 .text = {text.p ? text.p : (const uint8_t *)"", text.n},
                 .signals = signals,
                 .n_signals = 2,
                 .has_lang_score = true,
                 .lang_score = (double)(seed >> 50) / 16384,
                 .meta = SPAN_LIT("{\"parent\":\"x\"}")};
        buf_reset(&line);
        doc_write(&line, &d);
        Span edge = check_edge(buf_span(&line));
        CHECK(doc_read(&s, edge, &got, &why));
        CHECK_SPAN(d.text, got.text);
        CHECK(got.n_signals == 2 && got.signals[0].value == signals[0].value && got.has_lang_score);
        CHECK_SPAN(d.meta, got.meta);
        CHECK(got.url.p == NULL && got.extra.p == NULL && got.edits.p == NULL);
        check_edge_free(edge);
    }
    buf_clear(&text);
    buf_clear(&line);
    docscratch_clear(&s);
}

TEST(docid_packs)
{
    DocId id = docid(DOCID_MAX_DATASETS - 1, DOCID_MAX_PARTS - 2, DOCID_MAX_RECORDS - 3);

    CHECK_INT(DOCID_MAX_DATASETS - 1, docid_dataset(id));
    CHECK_INT(DOCID_MAX_PARTS - 2, docid_part(id));
    CHECK_INT(DOCID_MAX_RECORDS - 3, docid_record(id));
    CHECK(docid(0, 1, 0) > docid(0, 0, DOCID_MAX_RECORDS - 1));
}
