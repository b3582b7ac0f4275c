#include "core/json.h"

#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

/* --- a second reader, as plain as can be: one byte at a time, recursive, strings decoded into `out` */
typedef struct {
    const uint8_t *p, *end;
    Buf *out;
    bool bad;
} Slow;

static int slow_next(Slow *s) { return s->p < s->end ? *s->p++ : -1; }
static int slow_peek(const Slow *s) { return s->p < s->end ? *s->p : -1; }
static void slow_space(Slow *s)
{
    while (slow_peek(s) == ' ' || slow_peek(s) == '\t' || slow_peek(s) == '\n' || slow_peek(s) == '\r') s->p++;
}

static uint32_t slow_hex(Slow *s)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++) {
        int c = slow_next(s);
        const char *digits = "0123456789abcdef",
                   *at = c > 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (!at) return s->bad = true, 0;
        v = v * 16 + (uint32_t)(at - digits);
    }
    return v;
}

static void slow_utf8(Buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(b, (uint8_t)c);
    } else if (c < 0x800) {
        buf_putc(b, (uint8_t)(0xc0 | c >> 6));
        buf_putc(b, (uint8_t)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_putc(b, (uint8_t)(0xe0 | c >> 12));
        buf_putc(b, (uint8_t)(0x80 | (c >> 6 & 63)));
        buf_putc(b, (uint8_t)(0x80 | (c & 63)));
    } else {
        buf_putc(b, (uint8_t)(0xf0 | c >> 18));
        buf_putc(b, (uint8_t)(0x80 | (c >> 12 & 63)));
        buf_putc(b, (uint8_t)(0x80 | (c >> 6 & 63)));
        buf_putc(b, (uint8_t)(0x80 | (c & 63)));
    }
}

/* The table of Unicode 15.0, 3.9 (D92), for one sequence of more than one byte. */
static void slow_multibyte(Slow *s, int c)
{
    int n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    uint32_t v = (uint32_t)c & (0xffu >> (n + 1));

    if (c < 0xc2 || c > 0xf4) s->bad = true;
    for (int i = 1; i < n && !s->bad; i++) {
        int d = slow_next(s);
        if (d < 0x80 || d > 0xbf) s->bad = true;
        v = v << 6 | ((uint32_t)d & 63);
    }
    if ((n == 3 && v < 0x800) || (n == 4 && v < 0x10000) || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        s->bad = true;
    if (!s->bad) slow_utf8(s->out, v);
}

static void slow_escape(Slow *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = slow_next(s);
    uint32_t hi, lo;

    if (c != 'u') {
        const char *at = c > 0 ? strchr(from, c) : NULL;
        if (at)
            buf_putc(s->out, (uint8_t)to[at - from]);
        else
            s->bad = true;
        return;
    }
    hi = slow_hex(s);
    if (hi >= 0xd800 && hi < 0xdc00) {
        if (slow_next(s) != '\\' || slow_next(s) != 'u') s->bad = true;
        lo = slow_hex(s);
        if (lo < 0xdc00 || lo > 0xdfff)
            s->bad = true;
        else
            hi = 0x10000 + (hi - 0xd800) * 0x400 + (lo - 0xdc00);
    } else if (hi >= 0xdc00 && hi < 0xe000) {
        s->bad = true;
    }
    if (!s->bad) slow_utf8(s->out, hi);
}

static void slow_string(Slow *s)
{
    if (slow_next(s) != '"') s->bad = true;
    while (!s->bad) {
        int c = slow_next(s);
        if (c == '"') return;
        if (c < 0x20)
            s->bad = true;
        else if (c == '\\')
            slow_escape(s);
        else if (c < 0x80)
            buf_putc(s->out, (uint8_t)c);
        else
            slow_multibyte(s, c);
    }
}

static void slow_digits(Slow *s)
{
    if (slow_peek(s) < '0' || slow_peek(s) > '9') s->bad = true;
    while (slow_peek(s) >= '0' && slow_peek(s) <= '9') s->p++;
}

static void slow_number(Slow *s)
{
    if (slow_peek(s) == '-') s->p++;
    if (slow_peek(s) == '0')
        s->p++;
    else
        slow_digits(s);
    if (slow_peek(s) == '.') {
        s->p++;
        slow_digits(s);
    }
    if (slow_peek(s) == 'e' || slow_peek(s) == 'E') {
        s->p++;
        if (slow_peek(s) == '+' || slow_peek(s) == '-') s->p++;
        slow_digits(s);
    }
}

static void slow_value(Slow *s, int depth)
{
    const char *words[] = {"null", "true", "false"};

    slow_space(s);
    int c = slow_peek(s);
    if (c == '"') {
        slow_string(s);
    } else if (c == '{' || c == '[') {
        int closing = c == '{' ? '}' : ']';
        if (depth == JSON_MAX_DEPTH) s->bad = true;
        s->p++;
        slow_space(s);
        if (slow_peek(s) == closing) {
            s->p++;
            return;
        }
        while (!s->bad) {
            if (c == '{') {
                slow_space(s);
                slow_string(s);
                slow_space(s);
                if (slow_next(s) != ':') s->bad = true;
            }
            if (s->bad) return;
            slow_value(s, depth + 1);
            slow_space(s);
            int d = slow_next(s);
            if (d == closing) return;
            if (d != ',') s->bad = true;
        }
    } else if (c == 'n' || c == 't' || c == 'f') {
        const char *w = words[c == 'n' ? 0 : c == 't' ? 1 : 2];
        for (; *w; w++)
            if (slow_next(s) != *w) s->bad = true;
    } else {
        slow_number(s);
    }
}

static bool slow_valid(Span text, Buf *strings)
{
    Slow s = {text.p, text.p + text.n, strings, false};

    buf_reset(strings);
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0) s.p += 3;
    slow_value(&s, 0);
    slow_space(&s);
    return !s.bad && s.p == s.end;
}

/* All strings of a tree in the order of the text, keys too. */
static void tree_strings(const Json *j, Buf *out)
{
    if (j->key.p) buf_put_span(out, j->key);
    if (j->type == JSON_STRING) buf_put_span(out, j->string);
    for (const Json *c = j->child; c; c = c->next) tree_strings(c, out);
}

static bool has_duplicate(const Err *err) { return strstr(err->msg, "duplicate") != NULL; }

/* Scanner, tree and the slow reader agree on `text`, placed before an unmapped page. */
static void agree(Span text)
{
    static Buf want, got; /* static: thousands of calls */
    Span edge = check_edge(text), raw;
    JsonScan s = json_scan_text(edge);
    Arena a = {0};
    Json *tree;
    Err err = {0};

    bool valid = slow_valid(edge, &want);
    bool skipped = json_skip(&s, &raw) && json_at_end(&s);
    bool parsed = json_parse(&a, edge, "t", &tree, &err) == ERR_OK;
    CHECK_INT(valid, skipped);
    if (!parsed && has_duplicate(&err))
        parsed = valid; /* only the tree looks for those */
    else if (parsed) {
        buf_reset(&got);
        tree_strings(tree, &got);
        CHECK_SPAN(buf_span(&want), buf_span(&got));
    }
    CHECK_INT(valid, parsed);
    if (valid != skipped || valid != parsed) fprintf(stderr, "  text: %.*s\n", (int)text.n, (const char *)text.p);
    arena_clear(&a);
    check_edge_free(edge);
}

static const char *const accepted[] = {
    "0",
    "-0",
    "1.5e-3",
    "1E+2",
    "12345678901234567890123",
    "\"\"",
    "\"a\\u0000b\"",
    "\"\\ud83d\\ude00\"",
    " [ ] ",
    "{}",
    "[1,[2,{\"a\":null}],true,false]",
    "{\"a\":{\"b\":[]},\"c\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
    "\"\xe4\xbd\xa0\xe5\xa5\xbd\"",
    "\"\xf0\x9f\x98\x80\"",
    "\"0123456789abcdef0123456789abcdef\\n0123456789abcdef\"",
    "0e999999999999",
    "\t\r\n 1 \n",
    "\xef\xbb\xbf{}",
};
static const char *const refused[] = {
    "",
    " ",
    "01",
    "-",
    "+1",
    ".5",
    "1.",
    "1e",
    "1e+",
    "1x",
    "0x10",
    "NaN",
    "nul",
    "truex",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{a:1}",
    "{1:1}",
    "[",
    "{",
    "[1",
    "{\"a\":1",
    "\"",
    "\"\\",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\n\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud800\\ud800\"",
    "\"a\nb\"",
    "\"\x1f\"",
    "\"\xc0\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xe4\xbd\"",
    "\"\xff\"",
    "[1]]",
    "1 1",
    "//c\n1",
    "[1}",
    "{\"a\":1]",
    "1.5.5",
    "1e5e5",
    "--1",
    "'a'",
    " \xef\xbb\xbf{}",
    "{}\xef\xbb\xbf",
    "\xef\xbb\xbf",
    "\xef\xbb",
};

TEST(json_accepts_and_refuses)
{
    Buf strings = {0};

    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        CHECK(slow_valid(span_str(accepted[i]), &strings));
        agree(span_str(accepted[i]));
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CHECK(!slow_valid(span_str(refused[i]), &strings));
        agree(span_str(refused[i]));
    }
    buf_clear(&strings);
}

/* Every prefix, and every byte replaced by each of some, of a text that has everything. */
TEST(json_damaged_everywhere)
{
    static const char text[] =
        "{\"k\":[1,-2.5e3,true,null,\"\xe4\xbd\xa0\\ud83d\\ude00 abcdefghijklmnopqrst\\n\"],\"\\u006bk\":{}}";
    static const uint8_t with[] = {'"', '\\', 0, 0x1f, ' ', ',', '}', ']', '{', '[', '0', 'u', 0x80, 0xe4, 0xff};
    uint8_t copy[sizeof text];

    agree((Span){NULL, 0});
    for (size_t n = 0; n < sizeof text; n++) agree(span(text, n));
    for (size_t i = 0; i + 1 < sizeof text; i++)
        for (size_t k = 0; k < sizeof with; k++) {
            memcpy(copy, text, sizeof text);
            copy[i] = with[k];
            agree(span(copy, sizeof text - 1));
        }
}

/* Specials at every distance from the ends of vectors of 16. */
TEST(json_string_at_every_length)
{
    Buf text = {0}, strings = {0};

    for (size_t n = 0; n < 70; n++)
        for (int kind = 0; kind < 5; kind++) {
            static const char *const tail[] = {"", "\\n", "\xe4\xbd\xa0", "\\u00e9", "\x01"};
            buf_reset(&text);
            buf_putc(&text, '"');
            for (size_t i = 0; i < n; i++) buf_putc(&text, (uint8_t)('a' + i % 26));
            buf_puts(&text, tail[kind]);
            for (size_t i = 0; i < n / 2; i++) buf_putc(&text, 'z');
            buf_putc(&text, '"');
            CHECK_INT(kind != 4, slow_valid(buf_span(&text), &strings));
            agree(buf_span(&text));
        }
    buf_clear(&text);
    buf_clear(&strings);
}

TEST(json_random_tokens)
{
    static const char *const piece[] = {"{", "}",      "[",    "]",    ",", ":",  "\"a\"", "\"\\u00e9\"",
                                        "1", "-0.5e1", "true", "null", " ", "\"", "\\"};
    uint64_t seed = 1;
    Buf text = {0};

    for (int round = 0; round < 20000; round++) {
        buf_reset(&text);
        for (int n = (int)(seed >> 60); n >= 0; n--) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            buf_puts(&text, piece[(seed >> 33) % (sizeof piece / sizeof *piece)]);
        }
        agree(buf_span(&text));
    }
    buf_clear(&text);
}

TEST(json_depth)
{
    Buf text = {0}, strings = {0};

    for (int depth = JSON_MAX_DEPTH - 1; depth <= JSON_MAX_DEPTH + 1; depth++) {
        buf_reset(&text);
        for (int i = 0; i < depth; i++) buf_puts(&text, i % 2 ? "{\"k\":" : "[");
        buf_putc(&text, '1');
        for (int i = depth; i-- > 0;) buf_putc(&text, i % 2 ? '}' : ']');
        CHECK_INT(depth <= JSON_MAX_DEPTH, slow_valid(buf_span(&text), &strings));
        agree(buf_span(&text));
    }
    buf_reset(&text);
    for (int i = 0; i < 1000000; i++) buf_putc(&text, '['); /* the stack must not care */
    agree(buf_span(&text));
    buf_clear(&text);
    buf_clear(&strings);
}

/* Against strtod, in the "C" locale the reference for correct rounding. */
TEST(json_numbers)
{
    static const char *const special[] = {"9007199254740993",
                                          "0.1",
                                          "1e22",
                                          "1e23",
                                          "123456789012345678e-5",
                                          "5e-324",
                                          "2.2250738585072011e-308",
                                          "1.7976931348623157e308",
                                          "0.30000000000000004",
                                          "1000000000000000000000000",
                                          "4.35",
                                          "-1e-400",
                                          "18446744073709551616",
                                          "9999999999999999999999e-22",
                                          "0.000000000000000000000000001"};
    uint64_t seed = 7;
    char text[64];

    for (int i = 0; i < 20000; i++) {
        if (i < (int)(sizeof special / sizeof *special))
            snprintf(text, sizeof text, "%s", special[i]);
        else {
            uint64_t a = seed = seed * 6364136223846793005u + 1442695040888963407u;
            int digits = (int)(a >> 60) + 4, exponent = (int)(a >> 50 & 63) - 32;
            snprintf(text, sizeof text, "%s%.*ge%d", a & 1 ? "-" : "", digits, (double)(a >> 8) / 1e5, exponent);
            char *e = strchr(text, 'e'), *second = e ? strchr(e + 1, 'e') : NULL;
            if (second) *second = 0;
        }
        JsonScan s = json_scan(span_str(text));
        double got = 0, want = strtod(text, NULL);
        CHECK(json_number(&s, &got) && json_at_end(&s));
        if (memcmp(&got, &want, sizeof got) != 0) fprintf(stderr, "  %s: %.17g, expected %.17g\n", text, got, want);
        CHECK(memcmp(&got, &want, sizeof got) == 0);
    }
}

/* Ahead of a value within something a byte order mark is out of place. */
TEST(json_mark_ahead_of_a_text_only)
{
    double v;
    JsonScan value = json_scan(SPAN_LIT("\xef\xbb\xbf"
                                        "1")),
             text = json_scan_text(SPAN_LIT("\xef\xbb\xbf"
                                            "1"));

    CHECK(!json_number(&value, &v));
    CHECK(json_number(&text, &v) && v == 1);
}

TEST(json_number_limits)
{
    char text[JSON_MAX_NUMBER + 3];
    double v;

    memset(text, '1', sizeof text);
    text[1] = '.';
    JsonScan fits = json_scan(span(text, JSON_MAX_NUMBER)), over = json_scan(span(text, JSON_MAX_NUMBER + 1));
    CHECK(json_number(&fits, &v) && fabs(v - 10.0 / 9) < 1e-15);
    CHECK(!json_number(&over, &v));
    CHECK_STR("number too long", over.why);
    JsonScan large = json_scan(SPAN_LIT("1e999"));
    CHECK(!json_number(&large, &v));
    CHECK_STR("number out of range", large.why);
}

static void number_is(const char *want, double v)
{
    Buf b = {0};

    json_put_number(&b, v);
    CHECK_SPAN(span_str(want), buf_span(&b));
    buf_clear(&b);
}

TEST(json_writes_numbers)
{
    number_is("0", 0);
    number_is("0", -0.0);
    number_is("0", -4.9e-7);
    number_is("-1.5", -1.5);
    number_is("1", 0.9999995000001);
    number_is("0.999999", 0.9999994);
    number_is("999999999999999", 999999999999999.0);
    number_is("0", 5e-7);          /* the double is 4.99999999999999977e-7 */
    number_is("0.000002", 1.5e-6); /* and this one 1.50000000000000004e-6 */
    /* The only ties are odd multiples of 1/128: they go away from zero. */
    number_is("0.007813", 1.0 / 128);
    number_is("-0.007813", -1.0 / 128);
    number_is("0.023438", 3.0 / 128);
    number_is("1000000000000.007813", 1e12 + 1.0 / 128);
}

/* printf expands the exact value; it differs in ties (to even), the odd multiples of 1/128. */
TEST(json_writes_numbers_as_printf)
{
    uint64_t seed = 3;
    char want[64];

    for (int i = 0; i < 50000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double v = ldexp((double)(int64_t)(seed ^ seed << 7), -(int)(seed >> 58) - 14);
        if (v * 128 == floor(v * 128)) continue;
        snprintf(want, sizeof want, "%.6f", v);
        size_t n = strlen(want);
        while (want[n - 1] == '0') n--;
        if (want[n - 1] == '.') n--;
        want[n] = 0;
        number_is(strcmp(want, "-0") == 0 ? "0" : want, v);
    }
}

TEST(json_writes_strings)
{
    Buf got = {0}, want = {0};

    for (unsigned c = 0; c < 256; c++)
        for (size_t before = 0; before < 40; before += 3) {
            uint8_t text[80];
            memset(text, 'x', sizeof text);
            text[before] = (uint8_t)c;
            Span edge = check_edge(span(text, before + 1 + before / 2));
            buf_reset(&got);
            buf_reset(&want);
            json_put_string(&got, edge);
            buf_putc(&want, '"');
            for (size_t i = 0; i < edge.n; i++) {
                const char *const shorts[] = {[8] = "\\b", [9] = "\\t", [10] = "\\n", [12] = "\\f", [13] = "\\r"};
                uint8_t d = edge.p[i];
                if (d == '"' || d == '\\')
                    buf_putc(&want, '\\'), buf_putc(&want, d);
                else if (d < 14 && shorts[d])
                    buf_puts(&want, shorts[d]);
                else if (d < 0x20)
                    buf_printf(&want, "\\u%04x", d);
                else
                    buf_putc(&want, d);
            }
            buf_putc(&want, '"');
            CHECK_SPAN(buf_span(&want), buf_span(&got));
            check_edge_free(edge);
        }
    buf_clear(&got);
    buf_clear(&want);
}

static void tree_is(const char *want, const char *text)
{
    Arena a = {0};
    Buf b = {0};
    Json *tree;
    Err err;

    CHECK_OK(json_parse(&a, span_str(text), "t", &tree, &err), &err);
    json_put_tree(&b, tree);
    CHECK_STR(want, buf_cstr(&b));
    buf_clear(&b);
    arena_clear(&a);
}

TEST(json_tree_round_trip)
{
    tree_is("{\"b\":[1,2.50,-0e1],\"a\":{},\"c\":[]}", " { \"b\" : [ 1 , 2.50 ,-0e1 ] , \"a\":{ }, \"c\":[ ] } ");
    tree_is("[null,true,false,\"\xc3\xa9\\n\\u0000\"]", "[null,true,false,\"\\u00e9\\u000a\\u0000\"]");
}

TEST(json_tree_errors)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{\"a\":1,\"b\":2,\"\\u0061\":3}", "f.json: line 1 column 1: duplicate key in this object: \"a\""},
        {"{\n \"a\": nul\n}", "f.json: line 2 column 7: a value expected"},
        {"[1,\n2\n", "f.json: line 3 column 1: unexpected end"},
        {"[1] x", "f.json: line 1 column 5: text behind the value"},
        {"[1 2]", "f.json: line 1 column 4: ',' or ']' expected"},
        {NULL, "f.json: line 1 column 1: a value expected"}, /* no bytes at all */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena a = {0};
        Json *tree;
        Err err;
        CHECK_INT(ERR_DATA, json_parse(&a, span_str(cases[i].text), "f.json", &tree, &err));
        CHECK_STR(cases[i].want, err.msg);
        CHECK(tree == NULL);
        arena_clear(&a);
    }
}

TEST(json_tree_many_keys)
{
    Buf text = {0};
    Arena a = {0};
    Json *tree;
    Err err;

    for (int twice = 0; twice < 2; twice++) {
        buf_reset(&text);
        for (int i = 0; i < 5000; i++) buf_printf(&text, "%c\"key%d\":%d", i ? ',' : '{', i, i);
        if (twice) buf_puts(&text, ",\"key4321\":0");
        buf_putc(&text, '}');
        CHECK_INT(twice ? ERR_DATA : ERR_OK, json_parse(&a, buf_span(&text), "t", &tree, &err));
        if (!twice) CHECK_INT(4999, json_get(tree, "key4999")->number);
        arena_clear(&a);
    }
    buf_clear(&text);
}

TEST(json_getters)
{
    static const char text[] = "{\"n\":18446744073709551615,\"f\":-2.5,\"t\":true,\"s\":\"x\",\"z\":\"a\\u0000b\","
                               "\"neg\":-1,\"big\":18446744073709551616}";
    Arena a = {0};
    const char *s;
    uint64_t u;
    double f;
    Json *j;
    bool t;
    Err err;

    CHECK_OK(json_parse(&a, span_str(text), "m", &j, &err), &err);
    CHECK_OK(json_get_u64(j, "n", 5, "m", &u, &err), &err);
    CHECK(u == UINT64_MAX);
    CHECK_OK(json_get_u64(j, "absent", 5, "m", &u, &err), &err);
    CHECK_INT(5, u);
    CHECK_OK(json_get_f64(j, "f", 0, "m", &f, &err), &err);
    CHECK(f == -2.5);
    CHECK_OK(json_get_bool(j, "t", false, "m", &t, &err), &err);
    CHECK(t);
    CHECK_OK(json_get_str(j, "s", "m", &s, &err), &err);
    CHECK_STR("x", s);
    CHECK_OK(json_get_str(j, "absent", "m", &s, &err), &err);
    CHECK(s == NULL);
    CHECK_INT(ERR_DATA, json_get_u64(j, "neg", 0, "m", &u, &err));
    CHECK_STR("m: \"neg\" must be a whole number from 0 to 18446744073709551615", err.msg);
    CHECK_INT(ERR_DATA, json_get_u64(j, "big", 0, "m", &u, &err));
    CHECK_INT(ERR_DATA, json_get_u64(j, "f", 0, "m", &u, &err));
    CHECK_INT(ERR_DATA, json_get_f64(j, "s", 0, "m", &f, &err));
    CHECK_INT(ERR_DATA, json_get_bool(j, "n", 0, "m", &t, &err));
    CHECK_INT(ERR_DATA, json_get_str(j, "t", "m", &s, &err));
    CHECK_INT(ERR_DATA, json_get_str(j, "z", "m", &s, &err));
    CHECK(json_get(NULL, "n") == NULL && json_get(json_get(j, "n"), "n") == NULL);
    arena_clear(&a);
}
