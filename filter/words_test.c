/* The splitter on the examples of its header and on edges; the slow comparison is in signals_test.c. */
#include "filter/words.h"

#include "core/hash.h"
#include "core/utf8.h"
#include "tests/check.h"

/* Splits and checks the number of words and their lengths, given as "3 1 …". */
static void lengths(Words *w, const char *text, const char *want)
{
    Buf b = {0};
    Err err = {0};
    Span s = check_edge(span_str(text));

    CHECK_OK(words_split(w, s, &err), &err);
    for (size_t i = 0; i < w->n; i++) buf_printf(&b, "%s%u", i ? " " : "", w->chars[i + 1] - w->chars[i]);
    CHECK_STR(want, buf_cstr(&b));
    buf_clear(&b);
    check_edge_free(s);
}

TEST(words_split_as_documented)
{
    Words w = {0};

    lengths(&w, "\"Don't,\" (he said) -- 3.14…中文", "1 5 1 1 1 2 4 1 2 4 1 1 1");
    CHECK_INT(6, w.n_plain); /* Don't he said 3.14 and two characters */
    CHECK_INT(5 + 2 + 4 + 4 + 1 + 1, w.plain_chars);
    CHECK_INT(5, w.n_alpha);
    CHECK_INT(2, w.n_han);
    CHECK_INT(3, w.n_digits);
    CHECK_INT(1, w.n_ellipsis);
    lengths(&w, "", "");
    lengths(&w, " \n\t\u3000", "");
    CHECK_INT(4, w.n_space);
    lengths(&w, "http://a.b/c?d=e, x", "16 1 1");
    lengths(&w, "!!!???", "3 3");
    lengths(&w, "**bold**", "2 4 2");
    lengths(&w, "电脑，computer电脑", "1 1 1 8 1 1");
    lengths(&w, "e\u0301t\u00e9", "4");
    lengths(&w, "\u00a0a\u2003b", "1 1");
    words_clear(&w);
}

TEST(words_equal_words_hash_alike)
{
    Words w = {0};

    lengths(&w, "ab, ab ,ab 中 中文 ab-ab ...中", "2 1 2 1 2 1 1 1 5 3 1");
    CHECK(w.hash[0] == w.hash[2] && w.hash[0] == w.hash[4]);
    CHECK(w.hash[1] == w.hash[3]);
    CHECK(w.hash[5] == w.hash[6] && w.hash[5] == w.hash[10]);
    CHECK(w.hash[0] != w.hash[8]);
    words_clear(&w);
}

TEST(words_count_marks)
{
    Words w = {0};

    lengths(&w, "....... #a ## # …", "7 1 1 2 1 1");
    CHECK_INT(3, w.n_ellipsis); /* two of seven dots, one sign */
    CHECK_INT(4, w.n_hash);
    CHECK_INT(3, w.n_hash_runs);
    lengths(&w, "【ab中】c【d\ne】【f", "1 2 1 1 3 4");
    CHECK_INT(3, w.bracket_chars); /* the second one is not closed in its line, nor is the last */
    lengths(&w, "【a \t b】", "1 1 1 1");
    CHECK_INT(2, w.bracket_chars); /* white space does not count, as in what they are a share of */
    lengths(&w, "the The be,be (to) of-of with", "3 3 5 1 2 1 5 4");
    CHECK_INT(1 | 1 << 2 | 1 << 7, w.stop_words); /* "be,be" and "of-of" are other words */
    CHECK(!w.odd_breaks);
    lengths(&w, "a\rb", "1 1");
    CHECK(w.odd_breaks);
    lengths(&w,
            "a\x1c"
            "b",
            "3");
    CHECK(w.odd_breaks);
    words_clear(&w);
}

/* Counts of one text must not leak into the next. */
TEST(words_scratch_is_reset)
{
    Words w = {0};

    lengths(&w, "中中文文文", "1 1 1 1 1");
    CHECK_INT(2, w.n_seen);
    CHECK_INT(2, w.han_count[w.seen[0]]);
    lengths(&w, "文", "1");
    CHECK_INT(1, w.n_seen);
    CHECK_INT(1, w.han_count[w.seen[0]]);
    words_clear(&w);
}

TEST(words_refuses_what_is_too_long)
{
    Words w = {0};
    Err err = {0};
    static const uint8_t byte = 'a';

    CHECK_INT(ERR_LIMIT, words_split(&w, span(&byte, (size_t)WORDS_MAX_BYTES + 1), &err));
    words_clear(&w);
}
