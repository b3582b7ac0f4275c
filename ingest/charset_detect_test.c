#include "ingest/charset_detect.h"

#include "core/buf.h"
#include "core/hash.h"
#include "tests/check.h"

#include <iconv.h>
#include <stdlib.h>

static const char hans[] = "今天天气很好，我们一起去公园散步。孩子们在草地上玩耍，老人们坐在树下聊天。";
static const char hant[] = "今天天氣很好，我們一起去公園散步。孩子們在草地上玩耍，老人們坐在樹下聊天。";
static const char ja[] = "これは日本語の文章です。漢字とひらがなとカタカナがたくさんあります。";
static const char ko[] = "오늘은 날씨가 아주 좋아서 우리는 함께 공원에 산책하러 갔습니다.";
static const char ru[] = "Сегодня очень хорошая погода, и мы вместе пошли гулять в парк.";
static const char fr[] = "Le café est fermé jusqu'à l'été prochain, déjà vu par les élèves à côté de l'école.";
static const char cs[] = "Dnes je velmi hezké počasí, a tak jsme šli společně na procházku do městského parku.";
static const char el[] = "Σήμερα ο καιρός είναι πολύ καλός και πήγαμε μαζί βόλτα στο πάρκο.";

static const struct {
    const char *charset, *text, *name;
} cases[] = {{"GB18030", hans, "gb18030"},   {"GB18030", hant, "gb18030"},  {"BIG5", hant, "big5"},
             {"SHIFT_JIS", ja, "shift_jis"}, {"EUC-JP", ja, "euc-jp"},      {"CP949", ko, "euc-kr"},
             {"CP1251", ru, "windows-1251"}, {"KOI8-R", ru, "koi8-r"},      {"CP1252", fr, "windows-1252"},
             {"CP1250", cs, "windows-1250"}, {"CP1253", el, "windows-1253"}};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static void encode(Buf *out, const char *charset, const char *text)
{
    iconv_t cd = iconv_open(charset, "UTF-8");
    char *in = (char *)(uintptr_t)text;
    size_t in_left = strlen(text), room = in_left * 2 + 16;

    if (cd == (iconv_t)-1 || !buf_reserve(out, room)) abort();
    char *to = (char *)out->p + out->n;
    if (iconv(cd, &in, &in_left, &to, &room) == (size_t)-1) abort();
    out->n = (size_t)((uint8_t *)to - out->p);
    iconv_close(cd);
}

TEST(one_sentence_tells_its_charset)
{
    for (size_t i = 0; i < N_CASES; i++) {
        Buf b = {0};
        buf_puts(&b, "<html><head><title>news</title></head><body class=\"x\"><p>");
        encode(&b, cases[i].charset, cases[i].text);
        CHECK_STR(cases[i].name, charset_detect(buf_span(&b)));
        CHECK(charset_believable(buf_span(&b), cases[i].name));
        buf_clear(&b);
    }
}

/* Every place of a sentence is overwritten in turn, which takes a decoder out of step. */
TEST(a_damaged_byte_does_not_change_the_charset)
{
    for (size_t i = 0; i < 7; i++) {
        Buf b = {0};
        encode(&b, cases[i].charset, cases[i].text);
        for (size_t at = 0; at < b.n; at++) {
            uint8_t was = b.p[at];
            b.p[at] = (uint8_t) "?\xff "[at % 3];
            CHECK_STR(cases[i].name, charset_detect(buf_span(&b)));
            b.p[at] = was;
        }
        buf_clear(&b);
    }
}

TEST(wrong_labels_are_not_believed)
{
    Buf gb = {0}, big5 = {0}, latin = {0};

    encode(&gb, "GB18030", hans);
    encode(&big5, "BIG5", hant);
    encode(&latin, "CP1252", fr);
    CHECK(!charset_believable(buf_span(&big5), "gb18030"));
    CHECK(!charset_believable(buf_span(&gb), "big5"));
    CHECK(!charset_believable(buf_span(&gb), "windows-1252"));
    CHECK(!charset_believable(buf_span(&gb), "windows-1251"));
    CHECK(charset_believable(buf_span(&latin), "windows-1250")); /* as good as any: the label decides */
    CHECK(charset_believable(buf_span(&latin), "iso-8859-10"));  /* nothing to compare with */
    CHECK(charset_believable(SPAN_LIT("plain"), "big5"));
    CHECK_STR("windows-1252", charset_detect(SPAN_LIT("plain")));
    buf_clear(&gb), buf_clear(&big5), buf_clear(&latin);
}

/* UTF-8 of which one byte in forty is lost fails the strict scan and is UTF-8 still. */
TEST(broken_utf8_is_utf8)
{
    Buf b = {0};

    for (int i = 0; i < 20; i++) buf_puts(&b, hans);
    for (size_t i = 7; i < b.n; i += 40) b.p[i] = '?';
    CHECK_STR("utf-8", charset_detect(buf_span(&b)));
    buf_clear(&b);
}

/* The sample holds what is outside of tags; an angle bracket that no tag follows hides nothing. */
TEST(attributes_are_not_sampled)
{
    Buf b = {0};

    buf_puts(&b, "<p title='");
    for (int i = 0; i < 20; i++) encode(&b, "BIG5", hant);
    buf_puts(&b, "'>");
    encode(&b, "GB18030", hans);
    CHECK_STR("gb18030", charset_detect(buf_span(&b)));
    buf_reset(&b);
    buf_puts(&b, "a < b ");
    encode(&b, "GB18030", hans);
    CHECK_STR("gb18030", charset_detect(buf_span(&b)));
    for (uint64_t i = 0; i < 100000; i++) buf_putc(&b, (uint8_t)mix64(i)); /* anything may come */
    CHECK(charset_detect(buf_span(&b)) != NULL);
    buf_clear(&b);
}
