#define PRETOKEN_RANGES
#include "core/hash.h"
#include "core/utf8.h"
#include "tests/check.h"
#include "tokenize/pretoken_scan.h"
#include "tokenize/pretoken_slow.h"
#include "tokenize/pretoken_tables.inc"

#include <stdlib.h>

static bool class_by_ranges(unsigned bit, uint32_t cp)
{
    const uint32_t *r = pretoken_ranges;

    for (; bit; bit--) {
        while (r[0] || r[1]) r += 2;
        r += 2;
    }
    for (; r[0] || r[1]; r += 2)
        if (cp >= r[0] && cp <= r[1]) return true;
    return false;
}

TEST(table_says_what_the_ranges_say)
{
    unsigned n[6] = {0};

    for (uint32_t cp = 0; cp < 0x30000; cp++)
        for (unsigned bit = 0; bit < 6; bit++) {
            bool in = class_by_ranges(bit, cp);
            n[bit] += in;
            if (in != (pretoken_class_of(cp) >> bit & 1)) CHECK_INT(cp, -1);
        }
    CHECK_INT(2729, n[0]);
    CHECK_INT(179, n[1]);
    CHECK_INT(50086, n[2]);
    CHECK_INT(25, n[3] + n[5]);
    CHECK_INT(1924, n[4]);
    CHECK_INT(0, pretoken_class_of(UTF8_BAD));
}

/* Pretokens of `text` joined by '|'. */
static void check_split(const char *text, const char *want)
{
    Buf got = {0};
    Span s = check_edge(span_str(text));

    for (size_t at = 0, end; at < s.n; at = end) {
        end = pretoken_end(s, at);
        if (at) buf_putc(&got, '|');
        buf_put(&got, s.p + at, end - at);
    }
    CHECK_SPAN(span_str(want), buf_span(&got));
    check_edge_free(s);
    buf_clear(&got);
}

TEST(known_splits)
{
    check_split("", "");
    check_split("Hello world", "Hello| world");
    check_split("a   b", "a|  | b");
    check_split("naïve", "na|ï|ve");
    check_split(" Ünder", " Ü|nder");
    check_split("café!!", "caf|é|!!");
    check_split("Việt", "Vi|ệ|t");
    check_split("　foo", "　|foo");
    check_split(" “hi”", " |“|hi|”");
    check_split(" ！", " ！");
    check_split("。，！", "。|，！");
    check_split("שלום עולם", "שלום עולם");
    check_split("😀 😀", "😀 😀");
    check_split(" 12", " |1|2");
    check_split("x²½③〇一二三", "x|²|½|③|〇|一二三");
    check_split("a\r\n\nb \n", "a|\r|\n|\n|b| |\n");
    check_split(" © 1", " © |1");
    check_split(" © ", " ©| ");
    check_split(" ©  a", " ©| | a");
    check_split("你好，世界  ok", "你好|，|世界| | ok");
    check_split("don't x_y", "don|'|t| x|_|y");
    check_split("\xff\xfe"
                "a\xe4\xb8",
                "\xff\xfe|a|\xe4\xb8");
    check_split("、　", "、|　");
    check_split("、　、", "、　、");
    check_split("a    1", "a|    |1");
    check_split("aＡb", "aＡb");
}

/* One kernel, asked for `batch` ends at a time, against cuts. */
static void check_scan(PretokenScanner scan, Span s, const Buf *cuts, size_t batch)
{
    size_t end[100], n, from = 0;

    for (size_t at = 0; (n = scan(s, at, end, batch)) > 0; at = end[n - 1])
        for (size_t k = 0; k < n; k++) {
            size_t want = from + 1;
            while (want < s.n && !cuts->p[want]) want++;
            if (end[k] != want) {
                CHECK_INT(want, end[k]);
                CHECK_SPAN(SPAN_LIT(""), s);
                return;
            }
            from = want;
        }
    CHECK_INT(s.n, from);
}

/* The stages one after the other, the scanner of characters, and the kernels. */
static void check_scans(Span s, Buf *cuts, size_t batch)
{
    size_t end;

    buf_reset(cuts);
    if (!pretoken_slow(s, cuts)) CHECK(!"no memory");
    for (size_t at = 0; at < s.n; at = end) {
        end = pretoken_end(s, at);
        for (size_t i = at + 1; i < end; i++) CHECK(!cuts->p[i]);
        CHECK(end == s.n || cuts->p[end]);
    }
    check_scan(pretoken_deepseek_llm.portable, s, cuts, batch);
    if (pretoken_fastest(&pretoken_deepseek_llm) != pretoken_deepseek_llm.portable)
        check_scan(pretoken_deepseek_llm.avx2, s, cuts, batch);
}

/* Random mixes of the characters at which the stages differ, the scanner against one refinement after the other. */
TEST(scanner_equals_seven_stages)
{
    static const uint32_t pick[] = {
        ' ',    ' ',    ' ',    '\t',   '\n',   '\r',   0xA0,   0x2003, 0x3000, 0x3000,  0x2028,  0x85,    0x1680,
        'a',    'Z',    '!',    '-',    '_',    '~',    '0',    '9',    0xB2,   0xBD,    0x3007,  0x2167,  0xFF11,
        0xE9,   0xDC,   0x1E00, 0x1ED7, 0x2126, 0x3B1,  0x4E2D, 0x9FA5, 0x9FA6, 0xAC00,  0xD7FF,  0x3001,  0x3002,
        0x201C, 0x2014, 0xFF01, 0xFF21, 0xFF41, 0xFF76, 0x5D0,  0x627,  0x301,  0x1F600, 0x20000, 0x10400, 0x1D7CE,
        0x561,  0xAA,   0xA9,   0x800,  0x7FF,  0xABF0, 0xFF0F, 0xFF3A, 0xFF1A, 0x4000,  0x8FFF,  0xE000,  0};
    Buf text = {0}, cuts = {0};

    for (uint64_t round = 0; round < 60000; round++) {
        size_t n = round % 10 ? mix64(round * 3 + 1) % 14 : mix64(round * 3 + 1) % 150;
        buf_reset(&text);
        for (size_t i = 0; i < n; i++) {
            uint64_t r = mix64(round * 64 + i + 7);
            uint32_t cp = pick[r % (sizeof pick / sizeof *pick)];
            if ((r >> 32) % 23 == 0)
                buf_putc(&text, (uint8_t)(r >> 40)); /* any byte: often ill-formed */
            else if ((r >> 32) % 19 == 0)
                utf8_append(&text, (uint32_t)(r >> 40) % 0xD800);
            else
                utf8_append(&text, cp);
        }
        Span s = check_edge(buf_span(&text));
        check_scans(s, &cuts, 1 + (size_t)(round % 7));
        check_edge_free(s);
    }
    buf_clear(&text);
    buf_clear(&cuts);
}

/* Every character at which the stages differ, and its halves, at every place of a block and at the text's end. */
TEST(block_borders)
{
    static const char *const unit[] = {
        " ",      "  ", "a", "1", "\n", "!",    "中",       "，",           "。",   "é",    "Ａ",     "ệ",
        "\u00a0", "　", "²", "😀", "ש",  "\xe4", "\xe4\xb8", "\xf0\x9f\x98", "\x80", "\x01", "\u2028", "〇"};
    static const char *const fill[] = {"a", " ", "中", "a ", "!", "ש ", "中。"};
    enum { N = sizeof unit / sizeof *unit };
    Buf text = {0}, cuts = {0};

    for (size_t f = 0; f < sizeof fill / sizeof *fill; f++)
        for (size_t k = 0; k < N * N * 9; k += 2) {
            buf_reset(&text);
            while (text.n < 57 + k % 9) buf_puts(&text, fill[f]);
            buf_puts(&text, unit[k / 9 % N]);
            buf_puts(&text, unit[k / 9 / N]);
            if (k % 4 < 2) buf_puts(&text, fill[f]);
            Span s = check_edge(buf_span(&text));
            check_scans(s, &cuts, 1 + k % 100);
            check_edge_free(s);
        }
    buf_clear(&text);
    buf_clear(&cuts);
}

static size_t count_scan(PretokenScanner scan, Span s)
{
    size_t end[256], all = 0;

    for (size_t at = 0, n; (n = scan(s, at, end, 256)) > 0; at = end[n - 1]) all += n;
    return all;
}

/* 2 MB of the inputs that are quadratic elsewhere: a scan that is not linear does not come back. */
TEST(long_runs_are_linear)
{
    static const char *const unit[] = {
        " ", "\xe3\x80\x80 ", " \xe3\x80\x80", "\xd7\xa9 ", "a", "\xe4\xb8\xad", "\n", "\xf0\x9f\x98\x80  ",
        "^", "\xff"};
    Buf text = {0};

    for (size_t u = 0; u < sizeof unit / sizeof *unit; u++) {
        buf_reset(&text);
        buf_puts(&text, "\xf0\x9f\x98\x80");
        while (text.n < 2000000) buf_puts(&text, unit[u]);
        buf_putc(&text, '1');
        size_t at = 0, n = 0;
        while (at < text.n) at = pretoken_end(buf_span(&text), at), n++;
        CHECK_INT(text.n, at);
        CHECK(n >= 2);
        CHECK_INT(n, count_scan(pretoken_deepseek_llm.portable, buf_span(&text)));
        CHECK_INT(n, count_scan(pretoken_fastest(&pretoken_deepseek_llm), buf_span(&text)));
    }
    buf_clear(&text);
}
