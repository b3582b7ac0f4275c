#include "ingest/lang.h"

#include "core/buf.h"
#include "tests/check.h"

static LangAnswer ask(const FastText *model, Span text, bool traditional)
{
    LangDetector *d;
    Err err;

    CHECK_OK(lang_detector_new(&d, model, &err), &err);
    const LangAnswer a = lang_detect(d, text, traditional);
    lang_detector_free(d);
    return a;
}

static const char *lang(const char *text) { return lang_names[ask(NULL, span_str(text), false).lang]; }

TEST(languages_are_told)
{
    CHECK_STR(
        "en",
        lang("The river rises in the hills to the north, and for most of its way it runs through open meadows."));
    CHECK_STR("zh-Hans", lang("这条河发源于北面的山里，大部分河道穿过开阔的草地，夏天有牛羊在那里吃草。"));
    CHECK_STR("zh-Hant", lang("這條河發源於北面的山裡，大部分河道穿過開闊的草地，夏天有牛羊在那裡吃草。"));
    CHECK_STR("zh-Hans",
              lang("在 Linux 系统里安装 Python 需要先运行 apt update，然后运行 apt install python3 命令。"));
    CHECK_STR("other", lang("Der Fluss entspringt in den Bergen im Norden und fließt meist durch offene Wiesen, auf "
                            "denen Kühe grasen."));
    CHECK_STR("other",
              lang("この川は北の山から流れ出て、広い草原を通り抜けていきます。夏には牛が草を食べています。"));
    CHECK_STR("other", lang("이 강은 북쪽 산에서 시작하여 대부분 넓은 초원을 지나 흐릅니다."));
    CHECK_STR("other", lang("Река берёт начало в горах на севере и течёт через луга."));
    CHECK_STR("other", lang("12345 !!! ---"));
    CHECK_STR("other", lang(""));
}

TEST(code_is_no_english)
{
    CHECK_STR("code",
              lang("#include <stdio.h>\n\nint main(int argc, char **argv)\n{\n    for (int i = 0; i < argc; i++) {\n"
                   "        printf(\"%s\\n\", argv[i]);\n    }\n    return 0;\n}\n"));
    CHECK_STR("code", lang("import os\nfrom sys import argv\n\ndef walk(top):\n    for name in os.listdir(top):\n    "
                           "    print(os.path.join(top, name))\n"
                           "        if os.path.isdir(name):\n            walk(name)\n\nwalk(argv[1])\n"));
}

TEST(long_texts_are_sampled_at_whole_characters)
{
    Buf b = {0};

    for (int i = 0; i < 5000; i++) buf_puts(&b, i % 3 ? "这条河发源于北面的山里，" : "大部分河道穿过开阔的草地。");
    for (size_t n = b.n - 40; n < b.n; n++) {
        if ((b.p[n] & 0xc0) == 0x80) continue;
        LangAnswer a = ask(NULL, span(b.p, n), false);
        CHECK_INT(LANG_ZH_HANS, a.lang);
        CHECK(a.score > 0.9 && a.score <= 1);
    }
    buf_clear(&b);
}

TEST(sets_of_languages)
{
    bool keep[LANG_N];

    CHECK(lang_set_parse("en, zh", keep));
    CHECK(keep[LANG_EN] && keep[LANG_ZH_HANS] && keep[LANG_ZH_HANT] && !keep[LANG_OTHER] && !keep[LANG_CODE]);
    CHECK(lang_set_parse("zh-Hant,code", keep));
    CHECK(keep[LANG_ZH_HANT] && keep[LANG_CODE] && !keep[LANG_ZH_HANS]);
    CHECK(!lang_set_parse("en,klingon", keep));
    CHECK(!lang_set_parse("en,,zh", keep));
}

TEST(prose_with_examples_is_prose_and_programs_are_code)
{
    static const char c_code[] = "for (int i = 0; i < n; i++) {\n    sum += value[i];\n}\nreturn sum;\n";
    static const char english[] = "The loop below adds the values one by one, which is slow but easy to follow for a "
                                  "reader who has not seen the trick before.\n";
    static const char chinese[] = "下面的循环把所有的值逐个相加，虽然比较慢，但是容易理解。\n";
    Buf b = {0};

    buf_printf(&b, "%s%s%s", english, c_code, english);
    CHECK_INT(LANG_EN, ask(NULL, buf_span(&b), false).lang);
    buf_reset(&b);
    buf_printf(&b, "%s```c\n%s```\n%s", chinese, c_code, chinese);
    CHECK_INT(LANG_ZH_HANS, ask(NULL, buf_span(&b), false).lang);
    buf_reset(&b);
    for (int i = 0; i < 100; i++) buf_puts(&b, i % 20 ? c_code : "/* A comment in English,\n * of two lines. */\n");
    CHECK_INT(LANG_CODE, ask(NULL, buf_span(&b), false).lang);
    buf_reset(&b);
    for (int i = 0; i < 40; i++) buf_printf(&b, "-- 取出一行\nSELECT name, price FROM items WHERE id = %d;\n", i);
    CHECK_INT(LANG_CODE, ask(NULL, buf_span(&b), false).lang);
    buf_reset(&b);
    buf_puts(&b, "package Thread;\nuse strict;\nour $VERSION = '3';\nsub new { return bless {}, shift; "
                 "}\n1;\n\n=head1 NAME\n\n");
    for (int i = 0; i < 20; i++) buf_puts(&b, english);
    buf_puts(&b, "=cut\n");
    CHECK_INT(LANG_CODE, ask(NULL, buf_span(&b), false).lang);
    buf_clear(&b);
}

/* Names and menus among few sentences: the sentences decide. */
TEST(chinese_among_names_is_chinese)
{
    CHECK_STR("zh-Hans",
              lang("array_key_first\n\narray_key_last\n\n新增的函数\n\nmb_str_split\n\n多字节字符串\n\nopenssl_"
                   "x509_verify\n\npcntl_unshare\n\n进程控制\n"));
    CHECK_STR("en",
              lang("The word 茶 is read cha in the north and te in the south, from where ships took it to Europe."));
}

TEST(few_characters_are_what_their_page_says)
{
    const Span short_text = SPAN_LIT("天下大同"), one_side = SPAN_LIT("我們在這裡說話，學習歷史");

    CHECK_INT(LANG_ZH_HANS, ask(NULL, short_text, false).lang);
    CHECK_INT(LANG_ZH_HANT, ask(NULL, short_text, true).lang);
    CHECK_INT(LANG_ZH_HANT, ask(NULL, one_side, false).lang);
    CHECK_INT(LANG_ZH_HANS, ask(NULL, SPAN_LIT("我们在这里说话，学习历史"), true).lang);
}

static bool says(const char *html_lang, const char *charset, const char *url)
{
    return lang_says_traditional(span_str(html_lang), charset, span_str(url));
}

TEST(pages_say_which_side_they_write)
{
    CHECK(says("zh-TW", "utf-8", "http://a.com/") && says("zh-Hant", "utf-8", "") && says("ZH_hant_hk", NULL, NULL));
    CHECK(says("", "big5", "http://a.com/") && says(NULL, "big5-hkscs", NULL) && says("en", "big5", ""));
    CHECK(says("", "utf-8", "http://a.com.tw/x.cn") && says("", "utf-8", "https://a.hk:8080") &&
          says("zh", "utf-8", "http://a.tw?x"));
    CHECK(!says("zh-CN", "big5", "http://a.tw/") && !says("zh-Hans-HK", NULL, NULL));
    CHECK(!says("", "gbk", "http://tw.a.cn/") && !says("", NULL, "tw") && !says("", NULL, "http://"));
}

TEST(other_languages_have_codes)
{
    CHECK_STR("de", ask(NULL,
                        SPAN_LIT("Der Fluss entspringt in den Bergen im Norden und fließt meist durch offene "
                                 "Wiesen, auf denen Kühe grasen."),
                        false)
                        .code);
    CHECK_STR("ja", ask(NULL, SPAN_LIT("この川は北の山から流れ出て、広い草原を通り抜けていきます。"), false).code);
    CHECK_STR("ko",
              ask(NULL, SPAN_LIT("이 강은 북쪽 산에서 시작하여 대부분 넓은 초원을 지나 흐릅니다."), false).code);
    CHECK_STR("", ask(NULL, SPAN_LIT("这条河发源于北面的山里。"), false).code);
}

/* A model of three words and labels that are ours, another's and no code at all; the words' rows are the labels' own. */
static FastText *tiny_model(void)
{
    static const char *const entries[] = {
        "the", "der", "odd", "__label__eng_Latn", "__label__deu_Latn", "__label__<\"\xff"};
    uint8_t raw[8];
    Buf b = {0};
    FastText *m = NULL;
    Err err;
#define PUT32(v) (le32_put(raw, (uint32_t)(v)), buf_put(&b, raw, 4))
#define PUT64(v) (le64_put(raw, (uint64_t)(v)), buf_put(&b, raw, 8))
    const int32_t head[] = {793712314, 12, 3, 5, 5, 1, 5, 1, 3, 3, 0, 0, 0, 100};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) PUT32(head[i]);
    PUT64(0), PUT32(6), PUT32(3), PUT32(3), PUT64(9), PUT64(-1);
    for (int i = 0; i < 6; i++) buf_puts(&b, entries[i]), buf_putc(&b, 0), PUT64(5), buf_putc(&b, i > 2);
    for (int matrix = 0; matrix < 2; matrix++) {
        buf_putc(&b, 0), PUT64(3), PUT64(3);
        for (int i = 0; i < 9; i++) PUT32(i % 4 ? 0 : 0x40800000); /* 4.0 on the diagonal */
    }
    CHECK_OK(fasttext_parse(&m, buf_span(&b), "tiny", &err), &err);
    buf_clear(&b);
    return m;
}

TEST(models_answer_for_what_scripts_do_not_decide)
{
    FastText *m = tiny_model();
    LangAnswer a = ask(m, SPAN_LIT("the the of the river"), false);

    CHECK_INT(LANG_EN, a.lang);
    CHECK(a.score == 1);
    a = ask(m, SPAN_LIT("der Fluss der Berge"), false);
    CHECK_INT(LANG_OTHER, a.lang);
    CHECK_STR("deu", a.code);
    a = ask(m, SPAN_LIT("odd"), false);
    CHECK_INT(LANG_OTHER, a.lang);
    CHECK_STR("", a.code); /* nothing that could upset a counter's name */
    a = ask(m, SPAN_LIT("none of these"), false);
    CHECK_INT(LANG_OTHER, a.lang);
    CHECK(a.score == 0);
    CHECK_INT(LANG_ZH_HANS, ask(m, SPAN_LIT("the 这条河发源于北面的山里"), false).lang);
    fasttext_free(m);
}
