#include "ingest/mojibake.h"

#include "core/utf8.h"
#include "ingest/charset_detect.h"
#include "ingest/chinese_bytes.h"

#include <stdlib.h>

const char *const mojibake_names[MOJIBAKE_N] = {"windows-1252", "windows-1252 twice", "gb18030"};

enum {
    MIN_STRONG = 3,     /* characters that a page must get back, of which chance makes none */
    TOLERANCE = 10,     /* of a piece one character in so many may stand for nothing */
    GBK_MIN_CHARS = 6,  /* characters that a page must get back from GBK … */
    GBK_MIN_GAIN = 100, /* … and bits that they are likelier by */
    MAX_TIMES = 3       /* a page read wrongly more often than that is not looked for */
};

struct Mojibake {
    uint16_t *pair_of;  /* of a code point below 0x10000: its pair of GBK, 0 for none */
    Buf page[2], bytes; /* two pages in turn; what a piece stood for */
};

ErrCode mojibake_new(Mojibake **out, Err *err)
{
    Mojibake *m = calloc(1, sizeof *m);

    *out = m;
    if (m) m->pair_of = calloc(0x10000, sizeof *m->pair_of);
    if (!m || !m->pair_of) {
        mojibake_free(m);
        *out = NULL;
        return err_nomem(err, "a table of GBK");
    }
    for (unsigned lead = 0x81; lead < 0xff; lead++)
        for (unsigned trail = 0x40; trail < 0xff; trail++) {
            uint8_t p[2] = {(uint8_t)lead, (uint8_t)trail};
            unsigned length;
            uint32_t cp = gb18030_next(p, 2, &length);
            if (cp < 0x10000 && m->pair_of[cp] == 0) m->pair_of[cp] = (uint16_t)(lead << 8 | trail);
        }
    return ERR_OK;
}

void mojibake_free(Mojibake *m)
{
    if (!m) return;
    free(m->pair_of);
    buf_clear(&m->page[0]), buf_clear(&m->page[1]), buf_clear(&m->bytes);
    free(m);
}

/* --- read as windows-1252 or Latin-1 */

/* The byte above ASCII that windows-1252, or Latin-1 where that has none, reads as cp; 0 for another character. */
static uint8_t latin_byte(uint32_t cp)
{
    static const uint16_t c1252[32] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                       0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                       0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                       0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

    if (cp >= 0x80 && cp <= 0xff) return (uint8_t)cp;
    if (cp < 0x152 || cp > 0x2122) return 0;
    for (unsigned i = 0; i < 32; i++)
        if (c1252[i] == cp) return (uint8_t)(0x80 + i);
    return 0;
}

/* Characters of living text, and those from U+0080 on that text read twice shows in between. Chance makes of "à »" a letter of
 * Samaritan. */
static bool is_plausible(uint32_t cp)
{
    static const uint32_t range[][2] = {{0x80, 0x24F},      {0x370, 0x52F},   {0x5D0, 0x5EA},   {0x621, 0x6D3},
                                        {0xE01, 0xE5B},     {0x1E00, 0x1EFF}, {0x2010, 0x2044}, {0x20A0, 0x20BF},
                                        {0x2100, 0x2BFF},   {0x3000, 0x30FF}, {0x3400, 0x9FFF}, {0xAC00, 0xD7A3},
                                        {0xFE30, 0xFE4F},   {0xFF01, 0xFFEE}, {0xFFFD, 0xFFFD}, {0x1F300, 0x1FAFF},
                                        {0x20000, 0x323AF}, {0x2C6, 0x2DC},   {0xFEFF, 0xFEFF}, {0x200B, 0x200D}};

    for (size_t i = 0; i < sizeof range / sizeof range[0]; i++)
        if (cp >= range[i][0] && cp <= range[i][1]) return true;
    return false;
}

/* A character of 0x80 or more at p, well-formed: its length, its byte in *byte. */
static unsigned latin_next(const uint8_t *p, size_t n, uint8_t *byte)
{
    uint32_t cp;
    unsigned length = utf8_next(p, n, &cp);

    *byte = cp < 0x80 ? 0 : latin_byte(cp);
    return length;
}

/* A character of UTF-8 whose bytes stand at p[0..n) as characters each. Returns how many bytes of p it takes, 0 when there is
 * none; *strong: nobody writes that otherwise. */
static size_t latin_sequence(const uint8_t *p, size_t n, uint32_t *cp, bool *strong)
{
    uint8_t byte[4] = {0};
    size_t at = latin_next(p, n, &byte[0]);
    unsigned want = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;

    if (byte[0] < 0xc2 || byte[0] > 0xf4) return 0;
    for (unsigned k = 1; k < want; k++) {
        if (at >= n) return 0;
        at += latin_next(p + at, n - at, &byte[k]);
        if ((byte[k] & 0xc0) != 0x80) return 0;
    }
    if (utf8_next(byte, want, cp) != want || !is_plausible(*cp)) return 0;
    /* A capital and a quotation mark, a dash or an ellipsis behind it do occur. */
    *strong = want > 2 || byte[1] >= 0xa0 || !memchr("\x85\x91\x92\x93\x94\x95\x96\x97\x99", byte[1], 9);
    return at;
}

typedef struct {
    size_t n_good, n_strong, n_letters; /* sequences; strong ones; letters that are in none */
} LatinCounts;

/* Goes over a piece of text; with `out` writes it turned back. */
static LatinCounts latin_piece(Span s, Buf *out)
{
    LatinCounts c = {0, 0, 0};

    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        uint8_t byte;
        bool strong = false;
        size_t n = s.p[i] < 0x80 ? 0 : latin_sequence(s.p + i, s.n - i, &cp, &strong);
        if (n) {
            c.n_good++;
            c.n_strong += strong;
            if (out) utf8_append(out, cp);
        } else {
            n = latin_next(s.p + i, s.n - i, &byte);
            c.n_letters += byte >= 0xc0;
            if (out) buf_put(out, s.p + i, n);
        }
        i += n;
    }
    return c;
}

static bool latin_turns(LatinCounts c) { return c.n_strong > 0 && c.n_letters * TOLERANCE <= c.n_good; }

/* Text up to the next tag, or a tag with what stands in it: either way up to the next '<'. */
static size_t piece_end(Span page, size_t at)
{
    size_t n = span_find(span_from(page, at + 1), '<');

    return page.n - at <= 1 ? page.n : at + 1 + n;
}

/* A character of U+00C2 to U+00F4, as the first byte of a sequence shows, and one above ASCII behind it. */
static bool latin_shows(Span page)
{
    size_t n_seen = 0;
    uint32_t cp;
    bool strong;

    for (size_t i = 0; i + 4 <= page.n; i++) {
        const uint8_t *at = memchr(page.p + i, 0xc3, page.n - i);
        if (!at) return false;
        i = (size_t)(at - page.p);
        if (i + 4 > page.n || page.p[i + 2] < 0xc2) continue;
        n_seen += latin_sequence(at, page.n - i, &cp, &strong) && strong;
        if (n_seen >= MIN_STRONG) return true;
    }
    return false;
}

/* Turns back what was read as windows-1252 once. Returns the characters got back, 0: nothing is in out. */
static size_t latin_page(Span page, Buf *out)
{
    size_t n_turned = 0, n_strong = 0;

    buf_reset(out);
    if (!latin_shows(page)) return 0;
    for (size_t at = 0, end; at < page.n; at = end) {
        end = piece_end(page, at);
        Span piece = span(page.p + at, end - at);
        LatinCounts c = latin_piece(piece, NULL);
        if (latin_turns(c)) {
            latin_piece(piece, out);
            n_turned += c.n_good;
            n_strong += c.n_strong;
        } else {
            buf_put_span(out, piece);
        }
    }
    return n_strong >= MIN_STRONG ? n_turned : 0;
}

/* --- read as GBK */

/* What the commonest characters of Chinese begin with in UTF-8 is in GBK, all of it rare characters: ，。的是在可我 and
 * quotation marks. */
static bool gbk_shows(Span page)
{
    static const char signs[][4] = {"锛", "銆", "鐨", "鏄", "鍦", "鍙", "鎴", "鈥"}; /* 0xE9 is their first byte */

    for (size_t i = 0; i + 3 <= page.n; i++) {
        const uint8_t *at = memchr(page.p + i, 0xe9, page.n - i);
        if (!at) return false;
        i = (size_t)(at - page.p);
        if (i + 3 > page.n) return false;
        for (size_t k = 0; k < sizeof signs / sizeof signs[0]; k++)
            if (!memcmp(at, signs[k], 3)) return true;
    }
    return false;
}

/* Bits of a character in simplified text. */
static uint32_t bits_of(const Mojibake *m, uint32_t cp)
{
    enum { UNKNOWN = 21 };
    uint16_t pair = cp < 0x10000 ? m->pair_of[cp] : 0;

    return pair ? charset_gb_bits((uint8_t)(pair >> 8), (uint8_t)pair) : UNKNOWN;
}

typedef struct {
    size_t n_chars, n_bad; /* of the UTF-8 that a run stands for */
    int64_t gain;          /* bits that it is likelier by */
} GbkCounts;

/* The run of characters above ASCII at p as bytes of GBK, in m->bytes. Returns its length. A '?' within is what was left of
 * a byte without a pair, often of the last of a run. */
static size_t gbk_run(Mojibake *m, const uint8_t *p, size_t n, GbkCounts *c)
{
    size_t at = 0;

    buf_reset(&m->bytes);
    while (at < n && (p[at] >= 0x80 || (p[at] == '?' && at > 0))) {
        uint32_t cp;
        unsigned length = utf8_next(p + at, n - at, &cp);
        uint16_t pair = cp == 0x20AC ? 0x80 : cp < 0x10000 ? m->pair_of[cp] : 0;
        if (pair == 0 && cp != '?') break;
        if (pair > 0xff) buf_putc(&m->bytes, (uint8_t)(pair >> 8));
        buf_putc(&m->bytes, cp == '?' ? '?' : (uint8_t)pair);
        if (cp != '?') c->gain += bits_of(m, cp);
        at += length;
    }
    return at;
}

/* Whether the run in m->bytes is UTF-8: hardly anything in it is ill-formed, and it is likelier text. */
static bool gbk_turns(Mojibake *m, GbkCounts *c)
{
    for (size_t i = 0; i < m->bytes.n;) {
        uint32_t cp;
        unsigned n = utf8_next(m->bytes.p + i, m->bytes.n - i, &cp);
        bool bad = cp == UTF8_BAD || (cp >= 0x80 && !is_plausible(cp));
        c->n_bad += bad;
        c->n_chars += !bad && cp >= 0x80;
        if (cp >= 0x80) c->gain -= bad ? 21 : bits_of(m, cp);
        i += n;
    }
    /* The last character of a run is often cut. */
    return c->n_chars >= 2 && c->gain > 0 && c->n_bad <= (c->n_chars < 2 * TOLERANCE ? 1 : c->n_chars / TOLERANCE);
}

/* Writes the run in m->bytes; what is cut becomes U+FFFD, with the '?' behind it. */
static void gbk_put(const Buf *bytes, Buf *out)
{
    for (size_t i = 0; i < bytes->n;) {
        uint32_t cp;
        unsigned n = utf8_next(bytes->p + i, bytes->n - i, &cp);
        utf8_append(out, cp == UTF8_BAD ? 0xFFFD : cp);
        i += n;
        if (cp == UTF8_BAD && i < bytes->n && bytes->p[i] == '?') i++;
    }
}

static size_t gbk_page(Mojibake *m, Span page, Buf *out)
{
    size_t n_turned = 0;
    int64_t gain = 0;

    buf_reset(out);
    if (!gbk_shows(page)) return 0;
    for (size_t at = 0, n; at < page.n; at += n) {
        GbkCounts c = {0, 0, 0};
        const uint8_t *p = page.p + at;
        for (n = 0; at + n < page.n && p[n] < 0x80;) n++;
        buf_put(out, p, n);
        if (n) continue;
        uint32_t cp;
        n = gbk_run(m, p, page.n - at, &c);
        if (n == 0) n = utf8_next(p, page.n - at, &cp); /* not in GBK */
        if (gbk_turns(m, &c)) {
            gbk_put(&m->bytes, out);
            n_turned += c.n_chars;
            gain += c.gain;
        } else {
            buf_put(out, p, n);
        }
    }
    return n_turned >= GBK_MIN_CHARS && gain >= GBK_MIN_GAIN ? n_turned : 0;
}

/* --- both */

ErrCode mojibake_repair(Mojibake *m, Span *page, MojibakeResult *r, Err *err)
{
    int use = 0;

    *r = (MojibakeResult){{0}};
    for (int k = 0; k < MAX_TIMES; k++) {
        MojibakeKind kind = MOJIBAKE_GBK;
        size_t n = gbk_page(m, *page, &m->page[use]);
        if (n == 0) {
            n = latin_page(*page, &m->page[use]);
            kind = r->n_turned[MOJIBAKE_LATIN] ? MOJIBAKE_TWICE : MOJIBAKE_LATIN;
        }
        ErrCode rc = buf_ok(&m->page[use], "a page", err);
        if (rc == ERR_OK) rc = buf_ok(&m->bytes, "a page", err);
        if (rc != ERR_OK || n == 0) return rc;
        r->n_turned[kind] += n;
        *page = buf_span(&m->page[use]);
        use = 1 - use;
    }
    return ERR_OK;
}

size_t mojibake_lost(Span text)
{
    size_t n = 0;

    for (size_t i = 0; i + 3 <= text.n; i++) {
        if (text.p[i] < 0xe5) continue;
        Span rest = span_from(text, i);
        if (span_starts(rest, SPAN_LIT("\xef\xbf\xbd"))) {
            n++;
        } else if (span_starts(rest, SPAN_LIT("锟斤拷")) || span_starts(rest, SPAN_LIT("烫烫烫")) ||
                   span_starts(rest,
                               SPAN_LIT("屯屯屯"))) { /* two U+FFFD read as GBK; what debuggers fill memory with */
            n += 3;
            i += 8;
        }
    }
    return n;
}
