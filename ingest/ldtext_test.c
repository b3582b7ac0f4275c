#include "ingest/ldtext.h"
#include "tests/check.h"

#define LETTERS_24 "abcdefghijklmnopqrstuvwx"
#define PROSE \
    "The harbour was quiet that morning, and the boats lay still beneath a sky without a single cloud in it."

static LdShare share(const char *json_ld, const char *text)
{
    LdText x = {0};
    Err err = {0};

    CHECK(ldtext_read(&x, span_str(json_ld), &err) == ERR_OK);
    LdShare s = ldtext_share(&x, span_str(text));
    ldtext_clear(&x);
    return s;
}

TEST(ldtext_finds_what_a_string_says)
{
    LdShare s = share("{\"@type\":\"Article\",\"articleBody\":\"" PROSE "\"}", PROSE);
    CHECK(s.any == 100);
    CHECK(s.body == 100);
    s = share("{\"description\":\"" PROSE "\"}", PROSE);
    CHECK(s.any == 100);
    CHECK(s.body == -1);
    s = share("{\"articleBody\":\"" PROSE "\"}",
              "Something else altogether is said here, at the same length and no word of it.");
    CHECK(s.any == 0);
    CHECK(s.body == 0);
}

/* The windows of the second half are found and no other: by hand, 24 letters a window. */
TEST(ldtext_counts_windows)
{
    LdShare s =
        share("{\"text\":\"" LETTERS_24
              "0123456789 , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , ,\"}",
              "zz" LETTERS_24 "01");
    CHECK(s.any == 60); /* of the five windows zzabc…, zabc…, abc…x, …x0, …x01 three */
}

TEST(ldtext_reads_escapes_and_tags)
{
    CHECK(share("{\"text\":\"<p>The harbour was <b>quiet<\\/b> that morning, and\\nthe boats lay still beneath a sky "
                "without a single cloud in it.\"}",
                PROSE)
              .any == 100);
    CHECK(share("{\"text\":\"\\u003cp\\u003eThe harbour was quiet that morning, and the boats lay still beneath a "
                "sky without a single cloud in it.\"}",
                PROSE)
              .any == 100);
    CHECK(share("{\"text\":"
                "\"\\u6e2f\\u53e3\\u5728\\u65e9\\u6668\\u5f88\\u5b89\\u9759\\uff0c\\u8239\\u90fd\\u505c\\u5728\\u5cb8"
                "\\u8fb9\"}",
                "港口在早晨很安静，船都停在岸边")
              .any == 100);
    CHECK(share("{\"text\":\"we know that 3 < 4. The harbour was quiet that morning, and the boats lay still beneath "
                "a sky without a single cloud in it.\"}",
                PROSE)
              .any == 100);
}

TEST(ldtext_of_nothing)
{
    CHECK(share("", PROSE).any == -1);
    CHECK(share("{\"headline\":\"short\",\"url\":\"https://example.org/\"}", PROSE).any == -1);
    CHECK(share("{\"text\":\"" PROSE "\"}", "too short").any == -1);
    CHECK(share("{\"text\":\"" PROSE, PROSE).any == 100); /* never closed */
    CHECK(share("\"\\", PROSE).any == -1);
    CHECK(share("{\"articleBody\":\"" PROSE "\\u12", PROSE).body == 100);
}
