#define PRETOKEN_RANGES
#include "core/hash.h"
#include "core/utf8.h"
#include "tests/check.h"
#include "tokenize/pretoken.h"
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
        size_t n = mix64(round * 3 + 1) % 14;
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
        buf_reset(&cuts);
        if (!pretoken_slow(s, &cuts)) CHECK(!"no memory");
        size_t at = 0, i = 0;
        for (; at < s.n; at++) {
            size_t end = pretoken_end(s, at);
            while (i < s.n && !(i > at && cuts.p[i])) i++;
            if (end != i) {
                CHECK_INT(i, end);
                CHECK_SPAN(SPAN_LIT(""), s);
                break;
            }
            at = end - 1;
        }
        check_edge_free(s);
    }
    buf_clear(&text);
    buf_clear(&cuts);
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
    }
    buf_clear(&text);
}
