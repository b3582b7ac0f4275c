#include "ingest/charset.h"

#include "core/utf8.h"
#include "ingest/charset_detect.h"
#include "ingest/chinese_bytes.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

/* What iconv of glibc calls the charsets that the WHATWG labels name, or a decoder of our own. */
typedef struct {
    const char *name, *iconv;
    size_t (*decode)(Span in, size_t max_replaced, Buf *out, size_t *n_replaced);
} Encoding;
static const Encoding encodings[] = {{"utf-8", NULL, NULL},
                                     {"gb18030", NULL, gb18030_to_utf8},
                                     {"big5", NULL, big5_to_utf8},
                                     {"windows-1252", "CP1252", NULL},
                                     {"shift_jis", "CP932", NULL},
                                     {"euc-jp", "EUC-JP", NULL},
                                     {"iso-2022-jp", "ISO-2022-JP", NULL},
                                     {"euc-kr", "CP949", NULL},
                                     {"utf-16le", "UTF-16LE", NULL},
                                     {"utf-16be", "UTF-16BE", NULL},
                                     {"windows-1250", "CP1250", NULL},
                                     {"windows-1251", "CP1251", NULL},
                                     {"windows-1253", "CP1253", NULL},
                                     {"windows-1254", "CP1254", NULL},
                                     {"windows-1255", "CP1255", NULL},
                                     {"windows-1256", "CP1256", NULL},
                                     {"windows-1257", "CP1257", NULL},
                                     {"windows-1258", "CP1258", NULL},
                                     {"windows-874", "CP874", NULL},
                                     {"koi8-r", "KOI8-R", NULL},
                                     {"koi8-u", "KOI8-U", NULL},
                                     {"iso-8859-2", "ISO-8859-2", NULL},
                                     {"iso-8859-3", "ISO-8859-3", NULL},
                                     {"iso-8859-4", "ISO-8859-4", NULL},
                                     {"iso-8859-5", "ISO-8859-5", NULL},
                                     {"iso-8859-6", "ISO-8859-6", NULL},
                                     {"iso-8859-7", "ISO-8859-7", NULL},
                                     {"iso-8859-8", "ISO-8859-8", NULL},
                                     {"iso-8859-10", "ISO-8859-10", NULL},
                                     {"iso-8859-13", "ISO-8859-13", NULL},
                                     {"iso-8859-14", "ISO-8859-14", NULL},
                                     {"iso-8859-15", "ISO-8859-15", NULL},
                                     {"iso-8859-16", "ISO-8859-16", NULL},
                                     {"ibm866", "CP866", NULL},
                                     {"macintosh", "MACINTOSH", NULL}};
enum { N_ENCODINGS = sizeof encodings / sizeof encodings[0] };

/* Labels that are not their encoding's own name (Encoding Standard, section 4.2; the ones that pages carry). */
static const struct {
    const char *label, *name;
} labels[] = {{"utf8", "utf-8"},
              {"unicode-1-1-utf-8", "utf-8"},
              {"gbk", "gb18030"},
              {"gb2312", "gb18030"},
              {"gb_2312-80", "gb18030"},
              {"x-gbk", "gb18030"},
              {"gb_2312", "gb18030"},
              {"chinese", "gb18030"},
              {"csgb2312", "gb18030"},
              {"iso-ir-58", "gb18030"},
              {"hz-gb-2312", "gb18030"},
              {"cp936", "gb18030"},
              {"big5-hkscs", "big5"},
              {"cn-big5", "big5"},
              {"csbig5", "big5"},
              {"x-x-big5", "big5"},
              {"iso-8859-1", "windows-1252"},
              {"iso8859-1", "windows-1252"},
              {"iso_8859-1", "windows-1252"},
              {"latin1", "windows-1252"},
              {"l1", "windows-1252"},
              {"ascii", "windows-1252"},
              {"us-ascii", "windows-1252"},
              {"cp1252", "windows-1252"},
              {"x-cp1252", "windows-1252"},
              {"ansi_x3.4-1968", "windows-1252"},
              {"ibm819", "windows-1252"},
              {"shift-jis", "shift_jis"},
              {"sjis", "shift_jis"},
              {"x-sjis", "shift_jis"},
              {"ms_kanji", "shift_jis"},
              {"windows-31j", "shift_jis"},
              {"ms932", "shift_jis"},
              {"x-euc-jp", "euc-jp"},
              {"csiso2022jp", "iso-2022-jp"},
              {"ks_c_5601-1987", "euc-kr"},
              {"ksc5601", "euc-kr"},
              {"ks_c_5601", "euc-kr"},
              {"windows-949", "euc-kr"},
              {"korean", "euc-kr"},
              {"utf-16", "utf-16le"},
              {"unicode", "utf-16le"},
              {"ucs-2", "utf-16le"},
              {"unicodefffe", "utf-16be"},
              {"cp1250", "windows-1250"},
              {"cp1251", "windows-1251"},
              {"win-1251", "windows-1251"},
              {"cp1253", "windows-1253"},
              {"cp1254", "windows-1254"},
              {"iso-8859-9", "windows-1254"},
              {"latin5", "windows-1254"},
              {"cp1255", "windows-1255"},
              {"cp1256", "windows-1256"},
              {"cp1257", "windows-1257"},
              {"cp1258", "windows-1258"},
              {"tis-620", "windows-874"},
              {"iso-8859-11", "windows-874"},
              {"dos-874", "windows-874"},
              {"koi8", "koi8-r"},
              {"koi8-ru", "koi8-u"},
              {"latin2", "iso-8859-2"},
              {"iso8859-2", "iso-8859-2"},
              {"iso8859-15", "iso-8859-15"},
              {"latin9", "iso-8859-15"},
              {"l9", "iso-8859-15"},
              {"iso-8859-8-i", "iso-8859-8"},
              {"greek", "iso-8859-7"},
              {"cyrillic", "iso-8859-5"},
              {"arabic", "iso-8859-6"},
              {"hebrew", "iso-8859-8"},
              {"cp866", "ibm866"},
              {"mac", "macintosh"},
              {"x-mac-roman", "macintosh"}};

struct Charset {
    iconv_t open[N_ENCODINGS]; /* once used */
    bool opened[N_ENCODINGS];
};

ErrCode charset_new(Charset **c, Err *err)
{
    *c = calloc(1, sizeof **c);
    return *c ? ERR_OK : err_nomem(err, "charset converters");
}

void charset_free(Charset *c)
{
    if (!c) return;
    for (int i = 0; i < N_ENCODINGS; i++)
        if (c->opened[i]) iconv_close(c->open[i]);
    free(c);
}

const char *charset_of_label(Span label)
{
    label = span_trim(label);
    for (size_t i = 0; i < N_ENCODINGS; i++)
        if (span_eq_nocase(label, span_str(encodings[i].name))) return encodings[i].name;
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (span_eq_nocase(label, span_str(labels[i].label))) return labels[i].name;
    return NULL;
}

/* Offset of `word` (lower case ASCII) in s whatever its case, or s.n. */
static size_t find_nocase(Span s, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= s.n; i++)
        if (ascii_lower(s.p[i]) == (uint8_t)word[0] && span_eq_nocase(span(s.p + i, n), span(word, n))) return i;
    return s.n;
}

/* The value behind `key` = in s, unquoted. */
static Span value_after(Span s, const char *key)
{
    Span v = span_trim(span_from(s, find_nocase(s, key) + strlen(key)));

    if (v.n == 0 || v.p[0] != '=') return (Span){NULL, 0};
    v = span_trim(span_from(v, 1));
    if (v.n && (v.p[0] == '"' || v.p[0] == '\'')) v = span_from(v, 1);
    size_t n = 0;
    while (n < v.n && (ascii_is_alnum(v.p[n]) || v.p[n] == '-' || v.p[n] == '_' || v.p[n] == '.' || v.p[n] == ':'))
        n++;
    return span(v.p, n);
}

Span charset_of_markup(Span body)
{
    Span s = span(body.p, body.n < CHARSET_PRESCAN ? body.n : CHARSET_PRESCAN);

    if (span_starts(span_trim(s), SPAN_LIT("<?xml"))) {
        Span v = value_after(span(s.p, span_find(s, '>')), "encoding");
        if (v.n) return v;
    }
    while (s.n) {
        s = span_from(s, find_nocase(s, "<meta"));
        size_t n = span_find(s, '>');
        Span v = value_after(span(s.p, n), "charset");
        if (v.n) return v;
        s = span_from(s, n + 1);
    }
    return (Span){NULL, 0};
}

static size_t count_non_ascii(Span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) n += s.p[i] >= 0xc0;
    return n;
}

/* Marks one undecodable place and says how many input bytes it takes: a lead byte before an ASCII byte goes alone, so
 * that no tag is eaten. */
static size_t replace_one(Buf *out, Span rest, size_t unit)
{
    utf8_append(out, 0xFFFD);
    return unit < rest.n ? unit : rest.n;
}

/* The converter of encoding e. Which charsets a machine knows must not decide a text, so one that is missing is an error. */
static ErrCode converter(Charset *c, size_t e, iconv_t *cd, Err *err)
{
    if (!c->opened[e]) {
        c->open[e] = iconv_open("UTF-8", encodings[e].iconv);
        if (c->open[e] == (iconv_t)-1)
            return err_sys(err, "cannot load the C library's converter from %s", encodings[e].iconv);
        c->opened[e] = true;
    }
    *cd = c->open[e];
    return ERR_OK;
}

/* One call of iconv() that appends. Without input it gives what a charset of several codes a character (BIG5-HKSCS,
 * CP1258) held back to see what follows, and goes to the initial state. False: errno says why. */
static bool iconv_put(iconv_t cd, char **in, size_t *in_left, Buf *out)
{
    char *to = (char *)out->p + out->n;
    size_t to_left = out->cap - out->n, rc = iconv(cd, in, in_left, &to, &to_left);

    out->n = (size_t)((uint8_t *)to - out->p);
    return rc != (size_t)-1;
}

/* Appends `body` by the C library. Stops early past max_errors. Returns the bytes read. */
static size_t iconv_all(iconv_t cd, size_t unit, Span body, size_t max_errors, Buf *out, size_t *n_replaced)
{
    enum { HELD = 16 }; /* room for what a converter held back */
    char *in = (char *)(uintptr_t)body.p;
    size_t in_left = body.n;

    iconv(cd, NULL, NULL, NULL, NULL);
    while (in_left && *n_replaced <= max_errors && buf_reserve(out, in_left + in_left / 2 + 64)) {
        if (iconv_put(cd, &in, &in_left, out) || errno == E2BIG) continue;
        if (!buf_reserve(out, HELD)) break;
        iconv_put(cd, NULL, NULL, out);
        size_t skip = replace_one(out, span(in, in_left), unit);
        ++*n_replaced;
        in += skip;
        in_left -= skip;
    }
    if (buf_reserve(out, HELD)) iconv_put(cd, NULL, NULL, out);
    return body.n - in_left;
}

/* Appends `body` converted by encoding e. Stops early, *whole being false, past max_errors. */
static ErrCode convert(Charset *c, size_t e, Span body, size_t max_errors, Buf *out, CharsetResult *r, bool *whole,
                       Err *err)
{
    size_t start = out->n, n_read;

    r->n_replaced = 0;
    if (encodings[e].decode) {
        n_read = encodings[e].decode(body, max_errors, out, &r->n_replaced);
    } else {
        iconv_t cd = (iconv_t)-1;
        ErrCode rc = converter(c, e, &cd, err);
        if (rc != ERR_OK) return rc;
        n_read =
            iconv_all(cd, strncmp(encodings[e].name, "utf-16", 6) ? 1 : 2, body, max_errors, out, &r->n_replaced);
    }
    r->name = encodings[e].name;
    r->n_chars = count_non_ascii(span_from(buf_span(out), start));
    *whole = n_read == body.n;
    return buf_ok(out, "a page", err);
}

static size_t encoding_index(const char *name)
{
    for (size_t i = 0; i < N_ENCODINGS; i++)
        if (!strcmp(encodings[i].name, name)) return i;
    return 0;
}

/* Converts if at most one character in CHARSET_ERRORS_PER is an error (*clean); else takes back what was written. */
static ErrCode convert_clean(Charset *c, const char *name, Span body, Buf *out, CharsetResult *r, bool *clean,
                             Err *err)
{
    size_t e = encoding_index(name), start = out->n;

    *clean = false;
    if (e == 0) return ERR_OK; /* declared UTF-8, but the scan said no */
    ErrCode rc = convert(c, e, body, body.n / CHARSET_ERRORS_PER + 1, out, r, clean, err);
    *clean = *clean && r->n_replaced <= r->n_chars / CHARSET_ERRORS_PER + 1;
    if (!*clean) out->n = start;
    return rc;
}

/* UTF-8 with at most one bad sequence in CHARSET_ERRORS_PER characters. */
static bool as_utf8(Span body, bool sure, Buf *out, CharsetResult *r)
{
    size_t start = out->n, valid = utf8_valid_prefix(body);

    *r = (CharsetResult){.name = "utf-8"};
    if (valid == body.n) {
        buf_put_span(out, body);
    } else {
        buf_put(out, body.p, valid);
        r->n_replaced = utf8_repair(out, span_from(body, valid));
    }
    r->n_chars = count_non_ascii(span_from(buf_span(out), start));
    /* The replaced ones count among n_chars. One bad sequence in a page without good ones is no UTF-8. */
    if (sure || r->n_replaced == 0 || r->n_replaced <= r->n_chars / CHARSET_ERRORS_PER) return true;
    /* The last character of a page that was cut. */
    if (r->n_replaced == 1 && r->n_chars > 1 && body.n - valid < 4) return true;
    out->n = start;
    return false;
}

/* UTF-16 without a mark shows as NULs in every other byte of its markup. */
static const char *utf16_without_mark(Span body)
{
    size_t n = body.n < 256 ? body.n & ~(size_t)1 : 256, n_even = 0, n_odd = 0;

    for (size_t i = 0; i < n; i += 2) {
        n_even += body.p[i] == 0;
        n_odd += body.p[i + 1] == 0;
    }
    if (n < 8) return NULL;
    return n_odd * 5 > n * 2 && n_even == 0 ? "utf-16le" : n_even * 5 > n * 2 && n_odd == 0 ? "utf-16be" : NULL;
}

ErrCode charset_to_utf8(Charset *c, Span body, Span http_label, Buf *out, CharsetResult *r, Err *err)
{
    Span labels_of[2] = {http_label, charset_of_markup(body)};
    const char *declared[2], *sure = NULL;
    bool done = false, escapes = false;
    size_t start = out->n;
    ErrCode rc;

    *r = (CharsetResult){.name = "utf-8"};
    for (int i = 0; i < 2; i++) {
        declared[i] = labels_of[i].n ? charset_of_label(labels_of[i]) : NULL;
        escapes |= declared[i] && !strcmp(declared[i], "iso-2022-jp") && span_find(body, 0x1b) < body.n;
    }
    if (span_starts(body, SPAN_LIT("\xef\xbb\xbf"))) {
        as_utf8(span_from(body, 3), true, out, r);
        return buf_ok(out, "a page", err);
    }
    if (span_starts(body, SPAN_LIT("\xff\xfe")))
        sure = "utf-16le";
    else if (span_starts(body, SPAN_LIT("\xfe\xff")))
        sure = "utf-16be";
    if (sure)
        body = span_from(body, 2);
    else
        sure = utf16_without_mark(body);
    if (!sure && as_utf8(body, false, out, r)) {
        if (!escapes || r->n_chars) return buf_ok(out, "a page", err);
        out->n = start;
    }
    for (int i = 0; i < 2 && !sure; i++) {
        const char *name = declared[i];
        /* A markup that can be read as ASCII is not UTF-16, whatever it says. Most charsets take nearly any bytes, so they
         * are believed only where no other reads much better. */
        if (!name || !strncmp(name, "utf-16", 6)) continue;
        if (escapes && !strcmp(name, "windows-1252")) continue;
        if (!charset_believable(body, name)) continue;
        if ((rc = convert_clean(c, name, body, out, r, &done, err)) != ERR_OK || done) return rc;
    }
    if (!sure) sure = charset_detect(body);
    if (!strcmp(sure, "utf-8")) {
        as_utf8(body, true, out, r);
        return buf_ok(out, "a page", err);
    }
    return convert(c, encoding_index(sure), body, SIZE_MAX, out, r, &done, err);
}
