#include "ingest/textshape.h"
#include "tests/check.h"

/* By hand: words, and percent of function words, digits, capitals, wide characters. */
TEST(shares_of_a_text)
{
    static const struct {
        const char *text;
        int words, stops, digits, uppers, han;
    } cases[] = {
        {"", 0, 0, 0, 0, 0},
        {"The mill is old and the river is not.", 9, 66, 0, 11, 0},
        {"12 of May", 2, 50, 28, 50, 0}, /* two of seven characters */
        {"HAVEN they", 2, 50, 0, 50, 0}, /* not "have" */
        {"élan the", 2, 50, 0, 0, 0},
        {"thé the été", 3, 33, 0, 0, 0}, /* a letter with an accent is of its word */
        {"при море", 2, 0, 0, 0, 0},
        {"我们的河水。", 5, 40, 0, 0, 100},
        {"A 河", 2, 50, 0, 50, 50},
        {"... --- !", 0, 0, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const TextShape s = textshape_of(span_str(cases[i].text));
        CHECK_INT(cases[i].words, s.words);
        CHECK_INT(cases[i].stops, s.stops);
        CHECK_INT(cases[i].digits, s.digits);
        CHECK_INT(cases[i].uppers, s.uppers);
        CHECK_INT(cases[i].han, s.han);
    }
}

TEST(how_a_text_begins_and_ends)
{
    static const struct {
        const char *text;
        int opening, ending;
    } cases[] = {
        {"", 0, 0},
        {"The end.", 1, 1},
        {"he asked?", 2, 1},
        {"3 of them (now gone)", 3, 1},
        {"- a list:", 4, 2},
        {"河水。", 5, 1},
        {"河水：", 5, 2},
        {"“河水”", 5, 1},
        {"and so on…", 2, 3},
        {"and so on...", 2, 3},
        {"More »", 1, 3},
        {"More →", 1, 3},
        {"Home > News >", 1, 3},
        {"» x", 5, 0},
        {"a »x", 2, 0},
        {"x", 2, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const TextShape s = textshape_of(span_str(cases[i].text));
        CHECK_INT(cases[i].opening, s.opening);
        CHECK_INT(cases[i].ending, s.ending);
    }
}

/* Past its first bytes only the end of a text counts; a character that the limit cuts is no harm. */
TEST(the_middle_of_a_long_text_is_not_looked_at)
{
    uint8_t a[2 * TEXTSHAPE_BYTES], b[2 * TEXTSHAPE_BYTES];

    for (size_t i = 0; i < sizeof a; i++) a[i] = b[i] = "x "[i % 2];
    memset(b + TEXTSHAPE_BYTES, '7', TEXTSHAPE_BYTES);
    b[sizeof b - 1] = '.';
    const TextShape s = textshape_of(span(a, sizeof a)), t = textshape_of(span(b, sizeof b));
    CHECK_INT(TEXTSHAPE_BYTES / 2, s.words);
    CHECK_INT(s.words, t.words);
    CHECK_INT(s.hash, t.hash);
    CHECK_INT(0, t.digits);
    CHECK_INT(0, s.ending);
    CHECK_INT(1, t.ending);
    memcpy(a + TEXTSHAPE_BYTES - 1, "河", 3);
    CHECK_INT(TEXTSHAPE_BYTES / 2, textshape_of(span(a, sizeof a)).words); /* what is left of it is of the last one */
}
