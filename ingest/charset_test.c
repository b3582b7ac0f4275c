#include "ingest/charset.h"

#include "core/utf8.h"
#include "tests/check.h"

#include <iconv.h>
#include <stdlib.h>
#include <sys/resource.h>

/* UTF-8 text in another charset, by the C library's converter. */
static Buf encode(const char *charset, const char *text)
{
    Buf out = {0};
    iconv_t cd = iconv_open(charset, "UTF-8");
    char *in = (char *)(uintptr_t)text;
    size_t in_left = strlen(text), room = in_left * 4 + 16;

    if (cd == (iconv_t)-1 || !buf_reserve(&out, room)) abort();
    char *to = (char *)out.p;
    if (iconv(cd, &in, &in_left, &to, &room) == (size_t)-1 || iconv(cd, NULL, NULL, &to, &room) == (size_t)-1)
        abort();
    out.n = (size_t)((uint8_t *)to - out.p);
    iconv_close(cd);
    return out;
}

static const char zh_hans[] =
    "<p>今天天气很好，我们一起去公园散步。孩子们在草地上玩耍，老人们坐在树下聊天，湖面上有几只小船慢慢地划过。</p>";
static const char zh_hant[] =
    "<p>今天天氣很好，我們一起去公園散步。孩子們在草地上玩耍，老人們坐在樹下聊天，湖面上有幾隻小船慢慢地划過。</p>";
static const char ja[] =
    "<p>これは日本語の文章です。かんたんなテストのために書きました。ひらがなとカタカナがたくさんあります。</p>";
static const char fr[] = "<p>Le café est fermé jusqu'à l'été prochain, déjà vu par les élèves à côté de l'école.</p>";

static void check_decodes(const char *to, const char *label, const char *meta, const char *text,
                          const char *want_name)
{
    Buf raw = encode(to, text), page = {0}, out = {0}, want = {0};
    CharsetResult r;
    Charset *c;
    Err err = {0};

    buf_puts(&page, meta);
    buf_put_span(&page, buf_span(&raw));
    buf_puts(&want, meta);
    buf_puts(&want, text);
    CHECK_OK(charset_new(&c, &err), &err);
    CHECK_OK(charset_to_utf8(c, buf_span(&page), span_str(label), &out, &r, &err), &err);
    CHECK_STR(want_name, r.name);
    CHECK_SPAN(buf_span(&want), buf_span(&out));
    CHECK_INT(0, r.n_replaced);
    charset_free(c);
    buf_clear(&raw), buf_clear(&page), buf_clear(&out), buf_clear(&want);
}

TEST(labels_of_http_and_markup_are_followed)
{
    check_decodes("GB18030", "gb2312", "", zh_hans, "gb18030");
    check_decodes("GB18030", "", "<meta http-equiv='Content-Type' content='text/html; charset=GBK'>", zh_hans,
                  "gb18030");
    check_decodes("BIG5", "Big5", "", zh_hant, "big5");
    check_decodes("SHIFT_JIS", "", "<META CHARSET=shift_jis>", ja, "shift_jis");
    check_decodes("CP1252", "iso-8859-1", "", fr, "windows-1252");
    check_decodes("CP1251", "", "<?xml version='1.0' encoding='windows-1251'?>", "<p>Привет, мир, как дела</p>",
                  "windows-1251");
    check_decodes("EUC-KR", "euc-kr", "", "<p>안녕하세요 세계</p>", "euc-kr");
}

/* These converters hold a letter back until they see whether an accent follows it. */
TEST(the_last_letter_is_not_lost)
{
    check_decodes("CP1258", "windows-1258", "", "Tiếng Việt, một ngày đẹp trời ở Hà Nội, ta", "windows-1258");
    check_decodes("BIG5-HKSCS", "big5-hkscs", "", "我們的學生讀書Ê", "big5");
}

/* Its bytes are ASCII, so the label is asked before them. */
TEST(charsets_of_escapes_are_read)
{
    check_decodes("ISO-2022-JP", "iso-2022-jp", "", ja, "iso-2022-jp");
    check_decodes("ISO-2022-JP", "", "<meta charset=ISO-2022-JP>", "<p>日本", "iso-2022-jp");
    check_decodes("ISO-2022-JP", "iso-8859-1", "<meta charset=ISO-2022-JP>", "<p>日本", "iso-2022-jp");
    check_decodes("UTF-8", "iso-2022-jp", "", "plain ASCII", "utf-8");
    check_decodes("UTF-8", "iso-2022-jp", "", "café, an escape \033 that is none", "utf-8");
}

TEST(bytes_beat_labels)
{
    check_decodes("UTF-8", "gb2312", "<meta charset=big5>", zh_hans, "utf-8"); /* it is UTF-8, whatever they say */
    check_decodes("GB18030", "utf-8", "<meta charset=utf-8>", zh_hans, "gb18030");
    check_decodes("GB18030", "iso-8859-1", "", zh_hans, "gb18030"); /* servers' default label */
    check_decodes("BIG5", "gb2312", "", zh_hant, "big5");           /* GB18030 has a character for nearly any pair */
    check_decodes("GB18030", "big5", "<meta charset=gbk>", zh_hans, "gb18030");
    check_decodes("UTF-8", "", "", "plain ASCII", "utf-8");
}

TEST(the_detector_tells_chinese_japanese_and_latin)
{
    check_decodes("GB18030", "", "", zh_hans, "gb18030");
    check_decodes("BIG5", "", "", zh_hant, "big5");
    check_decodes("EUC-JP", "", "", ja, "euc-jp");
    check_decodes("CP1252", "", "", fr, "windows-1252");
}

TEST(utf16_and_marks)
{
    check_decodes("UTF-16LE", "", "", "<html><body>half of it is NUL 中文</body></html>", "utf-16le");
    Buf raw = encode("UTF-16BE", "<p>中文</p>"), page = {0}, out = {0};
    CharsetResult r;
    Charset *c;
    Err err = {0};
    CHECK_OK(charset_new(&c, &err), &err);
    buf_puts(&page, "\xfe\xff");
    buf_put_span(&page, buf_span(&raw));
    CHECK_OK(charset_to_utf8(c, buf_span(&page), SPAN_LIT("gbk"), &out, &r, &err), &err);
    CHECK_SPAN(SPAN_LIT("<p>中文</p>"), buf_span(&out));
    buf_reset(&out);
    CHECK_OK(charset_to_utf8(c, SPAN_LIT("\xef\xbb\xbf<p>x\xff"), SPAN_LIT("gbk"), &out, &r, &err), &err);
    CHECK_SPAN(SPAN_LIT("<p>x\xef\xbf\xbd"), buf_span(&out));
    CHECK_INT(1, r.n_replaced);
    charset_free(c);
    buf_clear(&raw), buf_clear(&page), buf_clear(&out);
}

/* One bad byte among many good characters is noise: everything else survives, tags included. */
TEST(noise_is_replaced_not_spread)
{
    static const char *const charsets[] = {"UTF-8", "GB18030", "BIG5"};
    Charset *c;
    Err err = {0};

    CHECK_OK(charset_new(&c, &err), &err);
    for (int k = 0; k < 3; k++) {
        Buf raw = {0}, one = encode(charsets[k], k == 2 ? zh_hant : zh_hans), out = {0};
        CharsetResult r;
        for (int i = 0; i < 20; i++) buf_put_span(&raw, buf_span(&one));
        raw.p[one.n * 7 + 3] = 0xff; /* the first byte behind <p> */
        raw.p[one.n * 7 + 4] = '<';
        CHECK_OK(charset_to_utf8(c, buf_span(&raw), (Span){NULL, 0}, &out, &r, &err), &err);
        CHECK_STR(k == 0 ? "utf-8" : k == 1 ? "gb18030" : "big5", r.name);
        CHECK(r.n_replaced >= 1 && r.n_replaced <= 3);
        CHECK(utf8_valid(buf_span(&out)));
        int n = 0;
        for (size_t i = 0; i + 4 <= out.n; i++) n += !memcmp(out.p + i, "</p>", 4);
        CHECK_INT(20, n);
        buf_clear(&raw), buf_clear(&one), buf_clear(&out);
    }
    charset_free(c);
}

TEST(prescan_finds_the_label)
{
    CHECK_SPAN(SPAN_LIT("gbk"),
               charset_of_markup(SPAN_LIT("<head><meta name=x><META content='text/html;CHARSET = gbk' >")));
    CHECK_SPAN(SPAN_LIT("big5"), charset_of_markup(SPAN_LIT("<meta charset=\"big5\">")));
    CHECK_INT(0, charset_of_markup(SPAN_LIT("<p>charset=gbk</p><meta")).n);
    CHECK_STR("gb18030", charset_of_label(SPAN_LIT(" GB2312 ")));
    CHECK(!charset_of_label(SPAN_LIT("no-such")));
}

/* No file may be opened, so the module of a charset that nothing has used yet cannot be loaded. */
TEST(a_converter_that_is_missing_is_an_error)
{
    Buf raw = encode("KOI8-U", "<p>Привіт</p>"), out = {0};
    struct rlimit was, none;
    CharsetResult r;
    Charset *c;
    Err err = {0};

    CHECK_OK(charset_new(&c, &err), &err);
    getrlimit(RLIMIT_NOFILE, &was);
    none = (struct rlimit){0, was.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    CHECK_INT(ERR_SYS, charset_to_utf8(c, buf_span(&raw), SPAN_LIT("windows-1257"), &out, &r, &err));
    CHECK(strstr(err.msg, "CP1257") != NULL);
    setrlimit(RLIMIT_NOFILE, &was);
    CHECK_OK(charset_to_utf8(c, buf_span(&raw), SPAN_LIT("windows-1257"), &out, &r, &err), &err);
    charset_free(c);
    buf_clear(&raw), buf_clear(&out);
}
