#include "ingest/lang.h"

#include "core/buf.h"
#include "tests/check.h"

static const char *lang(const char *text) { return lang_names[lang_detect(span_str(text)).lang]; }

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
        LangAnswer a = lang_detect(span(b.p, n));
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
