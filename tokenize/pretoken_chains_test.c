/* The hand-written chains: known cuts, the kernels against the scan of characters, and what pretokenizer_read() makes of JSON. What
 * shows the scans of characters to be right is tests/pretoken_hf.py. */
#include "core/hash.h"
#include "core/utf8.h"
#include "tests/check.h"
#include "tokenize/pretoken_scan.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const PretokenScanners *scanners;
} chains[] = {{"deepseek-llm", &pretoken_deepseek_llm},
              {"gpt2", &pretoken_gpt2},
              {"cl100k", &pretoken_cl100k},
              {"qwen2", &pretoken_qwen2},
              {"deepseek-v3", &pretoken_v3}};
enum { N_CHAINS = sizeof chains / sizeof *chains };

static void split_with(PretokenScanner scan, Span s, Buf *out)
{
    size_t end[5], n, from = 0;

    buf_reset(out);
    for (size_t at = 0; (n = scan(s, at, end, 5)) > 0; at = end[n - 1])
        for (size_t k = 0; k < n; from = end[k++]) {
            if (from) buf_putc(out, '|');
            buf_put(out, s.p + from, end[k] - from);
        }
}

/* Pretokens joined by '|', by both kernels, at the begin of a text and behind a block. */
static void check_split(const PretokenScanners *scanners, const char *text, const char *want)
{
    Buf got = {0};
    Span s = check_edge(span_str(text));

    split_with(scanners->portable, s, &got);
    CHECK_SPAN(span_str(want), buf_span(&got));
    split_with(pretoken_fastest(scanners), s, &got);
    CHECK_SPAN(span_str(want), buf_span(&got));
    check_edge_free(s);
    buf_clear(&got);
}

/* What HuggingFace `tokenizers` 0.23.2 says. */
TEST(known_splits_of_the_chains)
{
    check_split(&pretoken_gpt2, "I'll say 'tis 1234  ok\n\n  x!", "I|'ll| say| '|tis| 1234| | ok|\n\n | x|!");
    check_split(&pretoken_gpt2, "'S's''s e\xcc\x81", "'|S|'s|''|s| e|\xcc\x81");
    check_split(&pretoken_cl100k, "I'LL say 'tis 1234  ok\n\n  x!\n y",
                "I|'LL| say| '|tis| |123|4| | ok|\n\n| | x|!\n| y");
    check_split(&pretoken_cl100k,
                "'\xc5\xbf"
                "a !\n \n \nb\tc",
                "'\xc5\xbf|a| !\n| \n \n|b|\tc");
    check_split(&pretoken_qwen2, "a1234", "a|1|2|3|4");
    check_split(&pretoken_v3, "!abc\xc3\xa9  12中a・ー\x01\x02z", "!abc|\xc3\xa9|  |12|中|a|・|ー|\x01|\x02z");
    for (size_t i = 1; i < N_CHAINS; i++) { /* bytes that are no UTF-8 are characters of no category */
        check_split(chains[i].scanners, "", "");
        check_split(chains[i].scanners, "a \xff\xfe", i == 4 ? "a| |\xff\xfe" : "a| \xff\xfe");
    }
}

static void check_kernels(Span s, size_t batch)
{
    for (size_t i = 0; i < N_CHAINS; i++) {
        PretokenScanner slow = chains[i].scanners->portable, fast = pretoken_fastest(chains[i].scanners);
        size_t end[100], n, one;
        for (size_t at = 0; (n = fast(s, at, end, batch)) > 0;)
            for (size_t k = 0; k < n; at = end[k++])
                if (slow(s, at, &one, 1) != 1 || one != end[k]) {
                    CHECK_STR("", chains[i].name);
                    CHECK_INT(one, end[k]);
                    CHECK_SPAN(SPAN_LIT(""), s);
                    return;
                }
        CHECK_INT(1, 1);
    }
}

static const char *const units[] = {" ",      " ",      "  ",     "\n",     "\r\n",     "\t",           "a",
                                    "the",    "Z",      "'",      "'s",     "'Re",      "'\u017f",      "''",
                                    "!",      "?!",     "$",      "1",      "23",       "4567",         "中",
                                    "中文",   "，",     "。",     "é",      "éa",       "\u0301",       "Ａ",
                                    "１",     "²",      "ー",     "・",     "\u3099",   "\u3097",       "カ",
                                    "я",      "ש",      "😀",      "\u00a0", "\u2003",   "\u3000",       "\u2028",
                                    "\u200b", "\x01",   "\x7f",   "\xe4",   "\xe4\xb8", "\xf0\x9f\x98", "\x80",
                                    "\xff",   "\u4dc0", "\u9fa6", "한",     "\u0378"};
enum { N_UNITS = sizeof units / sizeof *units };

TEST(kernels_agree_on_random_mixes)
{
    Buf text = {0};

    for (uint64_t round = 0; round < 6000; round++) {
        buf_reset(&text);
        for (uint64_t i = 0, n = mix64(round + 5) % (round % 4 ? 20 : 80); i < n; i++)
            buf_puts(&text, units[mix64(round * 128 + i) % N_UNITS]);
        Span s = check_edge(buf_span(&text));
        check_kernels(s, 1 + round % 100);
        check_edge_free(s);
    }
    buf_clear(&text);
}

TEST(kernels_agree_at_block_borders)
{
    static const char *const fill[] = {"a", " ", "中", "a ", "!", "\n", "1", " \n", "\x01"};
    Buf text = {0};

    for (size_t f = 0; f < sizeof fill / sizeof *fill; f++)
        for (size_t k = 0; k < (size_t)N_UNITS * N_UNITS * 2; k += 5) {
            size_t bytes = 56 + (size_t)(mix64(k) % 9);
            buf_reset(&text);
            while (text.n < bytes) buf_puts(&text, fill[f]);
            buf_puts(&text, units[k / 2 % N_UNITS]);
            buf_puts(&text, units[k / 2 / N_UNITS]);
            if (k % 2) buf_puts(&text, fill[f]);
            Span s = check_edge(buf_span(&text));
            check_kernels(s, 100);
            check_edge_free(s);
        }
    buf_clear(&text);
}

/* A scan that is not linear does not come back. */
TEST(chains_are_linear)
{
    static const char *const unit[] = {" ", "\n ", " \n", "\u3000", "a",    "中",     "\n",  "😀  ",
                                       "^", "'",   "'s",  "1",      "\xff", "\u0301", "\x01"};
    Buf text = {0};

    for (size_t u = 0; u < sizeof unit / sizeof *unit; u++)
        for (size_t i = 0; i < 2 * N_CHAINS; i++) {
            const PretokenScanners *p = chains[i / 2].scanners;
            size_t end[64], n, at = 0;
            buf_reset(&text);
            while (text.n < 100000) buf_puts(&text, unit[u]);
            buf_putc(&text, "1a"[i % 2]);
            while ((n = pretoken_fastest(p)(buf_span(&text), at, end, 64)) > 0) at = end[n - 1];
            CHECK_INT(text.n, at);
        }
    buf_clear(&text);
}

static ErrCode read_json(const char *json, const Pretokenizer **p, Err *err)
{
    Arena tree = {0};
    Json *root;

    ErrCode rc = json_parse(&tree, span_str(json), "t", &root, err);
    if (rc == ERR_OK) rc = pretokenizer_read(p, root, "t", err);
    arena_clear(&tree);
    return rc;
}

/* Where two scans by their Pretokenizers first differ on a text at which all chains do. */
static void check_same_scan(const Pretokenizer *a, const Pretokenizer *b)
{
    static const char text[] = "I'LL 'll 1234  ok\n\n  x!\n y 中，文 é!ab";
    PretokenScan *s[2] = {NULL, NULL};
    size_t end[2][64], n[2];
    Err err = {0};

    CHECK_OK(pretokenscan_new(&s[0], a, &err), &err);
    CHECK_OK(pretokenscan_new(&s[1], b, &err), &err);
    for (int i = 0; i < 2; i++) {
        pretokenscan_begin(s[i], span_str(text));
        CHECK_OK(pretokenscan_next(s[i], end[i], 64, &n[i], &err), &err);
        pretokenscan_free(s[i]);
    }
    CHECK_SPAN(((Span){(uint8_t *)end[0], n[0] * sizeof(size_t)}),
               ((Span){(uint8_t *)end[1], n[1] * sizeof(size_t)}));
}

TEST(known_chains_are_recognised)
{
    Err err = {0};

    for (size_t i = 0; pretokenizer_names[i]; i++) {
        const Pretokenizer *named = pretokenizer_named(pretokenizer_names[i]), *read = NULL;
        Buf json = {0};
        buf_put_span(&json, pretokenizer_spec(named));
        CHECK_OK(read_json(buf_cstr(&json), &read, &err), &err);
        if (!read) continue;
        CHECK_SPAN(pretokenizer_spec(named), pretokenizer_spec(read));
        check_same_scan(named, read);
        pretokenizer_free(read);
        buf_clear(&json);
    }
    CHECK(!pretokenizer_named("gpt3"));
}

/* The spec of a known chain with its splits inverted, which cut at the same places but are no known chain. */
static void put_inverted(Buf *out, Span spec)
{
    static const char keep[] = "\"invert\":false";

    for (size_t i = 0; i < spec.n;) {
        bool here = spec.n - i >= sizeof keep - 1 && memcmp(spec.p + i, keep, sizeof keep - 1) == 0;
        if (here)
            buf_puts(out, "\"invert\":true");
        else
            buf_putc(out, spec.p[i]);
        i += here ? sizeof keep - 1 : 1;
    }
}

static void check_same_ends(PretokenScan *a, PretokenScan *b, Span s)
{
    size_t x, y, n, m;
    Err err = {0};

    pretokenscan_begin(a, s);
    pretokenscan_begin(b, s);
    do {
        CHECK_OK(pretokenscan_next(a, &x, 1, &n, &err), &err);
        CHECK_OK(pretokenscan_next(b, &y, 1, &m, &err), &err);
        if (n != m || (n && x != y)) {
            CHECK_INT(x, y);
            CHECK_SPAN(SPAN_LIT(""), s);
            return;
        }
    } while (n);
}

/* The scans by hand against the patterns themselves, on text that is UTF-8 and of characters that no version of Unicode moved. */
TEST(hand_written_chains_do_what_their_patterns_say)
{
    for (size_t i = 0; pretokenizer_names[i]; i++) {
        const Pretokenizer *named = pretokenizer_named(pretokenizer_names[i]), *read = NULL;
        PretokenScan *by_hand = NULL, *by_pattern = NULL;
        Buf text = {0};
        Err err = {0};
        put_inverted(&text, pretokenizer_spec(named));
        if (!strstr(buf_cstr(&text), "\"invert\"")) { /* GPT-2 has no split */
            buf_clear(&text);
            continue;
        }
        CHECK_OK(read_json(buf_cstr(&text), &read, &err), &err);
        if (!read) continue;
        CHECK_OK(pretokenscan_new(&by_hand, named, &err), &err);
        CHECK_OK(pretokenscan_new(&by_pattern, read, &err), &err);
        for (uint64_t round = 0; round < 3000; round++) {
            buf_reset(&text);
            for (uint64_t k = 0, n = mix64(round + 5) % 20; k < n; k++)
                buf_puts(&text, units[mix64(round * 128 + k) % N_UNITS]);
            if (!utf8_valid(buf_span(&text))) continue;
            Span s = check_edge(buf_span(&text));
            check_same_ends(by_hand, by_pattern, s);
            check_edge_free(s);
        }
        pretokenscan_free(by_hand);
        pretokenscan_free(by_pattern);
        pretokenizer_free(read);
        buf_clear(&text);
    }
}

static void check_pattern(const char *step, const char *text, const char *want)
{
    Buf json = {0}, got = {0};
    const Pretokenizer *p = NULL;
    PretokenScan *s = NULL;
    size_t end, n, from = 0;
    Err err = {0};

    buf_printf(&json,
               "{\"type\":\"Sequence\",\"pretokenizers\":[%s,{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
               "\"use_regex\":false}]}",
               step);
    CHECK_OK(read_json(buf_cstr(&json), &p, &err), &err);
    if (p && pretokenscan_new(&s, p, &err) == ERR_OK) {
        pretokenscan_begin(s, span_str(text));
        for (; pretokenscan_next(s, &end, 1, &n, &err) == ERR_OK && n; from = end) {
            if (from) buf_putc(&got, '|');
            buf_put(&got, text + from, end - from);
        }
        CHECK_SPAN(span_str(want), buf_span(&got));
    }
    pretokenscan_free(s);
    pretokenizer_free(p);
    buf_clear(&json);
    buf_clear(&got);
}

#define SPLIT(PATTERN, MORE) "{\"type\":\"Split\",\"pattern\":{" PATTERN "},\"behavior\":" MORE "}"

/* As HuggingFace `tokenizers` 0.23.2 does them. */
TEST(behaviors_of_splits)
{
    const char *text = "the-final--countdown";
    check_pattern(SPLIT("\"String\":\"-\"", "\"Isolated\""), text, "the|-|final|-|-|countdown");
    check_pattern(SPLIT("\"String\":\"-\"", "\"MergedWithPrevious\""), text, "the-|final-|-|countdown");
    check_pattern(SPLIT("\"String\":\"-\"", "\"MergedWithNext\""), text, "the|-final|-|-countdown");
    check_pattern(SPLIT("\"String\":\"-\"", "\"Contiguous\""), text, "the|-|final|--|countdown");
    check_pattern(SPLIT("\"Regex\":\"[a-z]+\"", "\"MergedWithPrevious\",\"invert\":true"), text,
                  "the-|final--|countdown");
    check_pattern(SPLIT("\"Regex\":\"\\\\h+\"", "\"Isolated\""), "xyz0aFg", "xyz|0aF|g");
    check_pattern(SPLIT("\"Regex\":\"x*\"", "\"Isolated\""), "abxx\xe4\xb8\xad", "a|b|xx|\xe4\xb8\xad");
    check_pattern(SPLIT("\"Regex\":\"[\\\\u4e00-\\\\u9fA5]+|\\\\u00e9\"", "\"Isolated\""),
                  "a\xe4\xb8\xad\xe6\x96\x87\xc3\xa9\xc3\xa9", "a|\xe4\xb8\xad\xe6\x96\x87|\xc3\xa9|\xc3\xa9");
    /* repeats that have to give something back */
    check_pattern(SPLIT("\"Regex\":\"\\\\P{N}+\\\\P{L}\"", "\"Isolated\""), "a b", "a |b");
    check_pattern(SPLIT("\"Regex\":\"\\\\D+\\\\p{^Lu}\"", "\"Isolated\""), "1ab", "1|ab");
    /* a script without what it has in common with others */
    check_pattern(SPLIT("\"Regex\":\"\\\\p{Han}+|[\\\\P{^Latin}]+\"", "\"Isolated\""),
                  "\xe4\xb8\xad\xe3\x80\x81\xe6\x96\x87x", "\xe4\xb8\xad|\xe3\x80\x81|\xe6\x96\x87|x");
    check_pattern("{\"type\":\"Digits\",\"individual_digits\":false}", "a12b", "a|12|b");
    check_pattern("{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}", "a!?b\xe3\x80\x82$",
                  "a|!?|b|\xe3\x80\x82$");
    check_pattern(SPLIT("\"Regex\":\"a\"", "\"Isolated\""),
                  "\xff\xfe"
                  "ba\x80",
                  "\xff\xfe|b|a|\x80");
    check_pattern(SPLIT("\"Regex\":\"a\"", "\"Isolated\""), "", "");
}

TEST(patterns_that_are_not_followed)
{
    static const char *const pattern[] = {
        "(?m:a.)", "\\\\b", "[a[bc]]", "[a&&b]", "a{1,3}+", "[\\\\W]", "(", "a**)", "[]a]", "", "a\\\\C",
        "\\\\Qa\\\\E", "\\\\pL", "a{,3}", "a{2}?", "(?s)a", "(?U:a)", "(*ACCEPT)",
        /* as Oniguruma reads them they are errors or something else */
        "(?P<n>a)", "(?<n>a)(?P=n)", "(?|a|b)", "(a)(?1)", "(a)(?-1)", "(?<n>a)(?&n)", "(?C1)a", "(?^:a)",
        "(?(?=a)a|b)", "a\\\\R", "\\\\Ga", "\\\\p{L", "\\\\p{}", "(?xx:a)", "(?~a)", "\\\\v", "[\\\\v]", "\\\\X",
        "\\\\N{U+41}", "\\\\xe4", "[\\\\xE4]", "(?<n>a)\\\\k{n}", "(a)\\\\g1", "\\\\p{Script=Latin}", "\\\\p{L&}",
        "\\\\p{Xan}", "\\\\u041", "\\\\ud800",
        /* both have them, but how far they walk is not counted */
        "(a+)\\\\1[bc]", "(?<n>a)\\\\k<n>", "(?<n>a)\\\\k'n'"};
    const Pretokenizer *p;
    Buf json = {0};

    for (size_t i = 0; i < sizeof pattern / sizeof *pattern; i++) {
        Err err = {0};
        buf_reset(&json);
        buf_printf(&json,
                   "{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT(
                       "\"Regex\":\"%s\"", "\"Isolated\"") ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}",
                   pattern[i]);
        CHECK_INT(ERR_DATA, read_json(buf_cstr(&json), &p, &err));
        CHECK(strstr(err.msg, "pattern") != NULL);
    }
    buf_clear(&json);
}

/* What the reference does by backtracking of 2^n or n^2 steps is given up, short texts aside; the scan serves on. */
TEST(texts_of_too_many_steps)
{
    static const struct {
        const char *pattern, *unit, *end;
        size_t few, many; /* units: cut, given up */
    } cases[] = {
        {"(a+)+b|(a|a)*c", "a", "", 5, 55},
        {"(?=.*y)a|x", "a", "x", 300, 5000},  /* from every character to the last one */
        {"(?=.*+y)a|x", "a", "x", 300, 5000}, /* the same without a step back */
        {"(?:ab)+c|x", "ab", "x", 300, 5000},
        {"(?:\\\\s*+y|\\\\s)*z|x", " ", "x", 20, 1000}, /* within one match */
        {"a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?"
         "aaaaaaaaaaaaaaaaaaaa[bc]",
         "a", "", 5, 39},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Pretokenizer *p;
        PretokenScan *s;
        Buf json = {0}, text = {0};
        size_t end, n, lengths[] = {cases[i].few, cases[i].many, cases[i].few};
        Err err = {0};
        buf_printf(&json,
                   "{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT(
                       "\"Regex\":\"%s\"", "\"Isolated\"") ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}",
                   cases[i].pattern);
        CHECK_OK(read_json(buf_cstr(&json), &p, &err), &err);
        CHECK_OK(pretokenscan_new(&s, p, &err), &err);
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            buf_reset(&text);
            for (size_t u = 0; u < lengths[k]; u++) buf_puts(&text, cases[i].unit);
            buf_puts(&text, cases[i].end);
            pretokenscan_begin(s, buf_span(&text));
            CHECK_INT(k == 1 ? ERR_LIMIT : ERR_OK, pretokenscan_next(s, &end, 1, &n, &err));
            if (k == 1) CHECK(strstr(err.msg, "steps a byte") && strncmp(err.msg, "pattern ", 8) == 0);
        }
        pretokenscan_free(s);
        pretokenizer_free(p);
        buf_clear(&json);
        buf_clear(&text);
    }
}

/* A run of any length of what a pattern takes is no hostile text. */
TEST(long_runs_take_few_steps)
{
    enum { N = 1 << 18 };
    static const char *const pattern[] = {"a+", "[^b]*", "\\\\p{L}+(?!\\\\S)|\\\\p{L}+", "\\\\s?[a-z]{2,}|a"};

    for (size_t i = 0; i < sizeof pattern / sizeof *pattern; i++) {
        Buf step = {0}, text = {0};
        for (int k = 0; k < N; k++) buf_putc(&text, 'a');
        buf_printf(&step, SPLIT("\"Regex\":\"%s\"", "\"Isolated\""), pattern[i]);
        check_pattern(buf_cstr(&step), buf_cstr(&text), buf_cstr(&text));
        buf_clear(&step);
        buf_clear(&text);
    }
}

TEST(chains_that_cannot_be_followed)
{
    static const char *const json[][2] = {
        {"null", "is missing"},
        {"{\"type\":\"Sequence\",\"pretokenizers\":[]}", "does not end in ByteLevel"},
        {"{\"type\":\"Metaspace\",\"replacement\":\"_\"}", "type is Metaspace"},
        {"{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "add_prefix_space"},
        {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":"
         "\"Removed\"}]}",
         "behavior is Removed"},
        {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{},\"behavior\":\"Isolated\"}]}",
         "neither Regex nor String"},
        {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\",\"add_prefix_space\":false},{\"type\":"
         "\"Digits\"}]}",
         "behind ByteLevel"},
    };

    for (size_t i = 0; i < sizeof json / sizeof *json; i++) {
        const Pretokenizer *p;
        Err err = {0};
        CHECK_INT(ERR_DATA, read_json(json[i][0], &p, &err));
        CHECK(strstr(err.msg, json[i][1]) != NULL);
    }
}
