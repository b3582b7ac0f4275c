/* Units and cuts by hand: what stays of a text is what one would expect to read. */
#include "dedup/units.h"

#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

static UnitText scratch;

static void split(UnitKind kind, const char *text)
{
    Err err;

    CHECK_OK(units_split(&scratch, kind, span_str(text), &err), &err);
}

/* The units joined by '|'. */
static void splits_into(UnitKind kind, const char *text, const char *want)
{
    Buf b = {0};

    split(kind, text);
    for (size_t i = 0; i < scratch.n; i++) {
        if (i) buf_putc(&b, '|');
        buf_put(&b, text + scratch.unit[i].begin, scratch.unit[i].end - scratch.unit[i].begin);
    }
    CHECK_SPAN(span_str(want), buf_span(&b));
    buf_clear(&b);
}

TEST(units_of_every_kind)
{
    splits_into(UNIT_LINE, "", "");
    splits_into(UNIT_LINE, "\n \t\n", "");
    splits_into(UNIT_LINE, "a\n  b c \r\n\n\xe3\x80\x80\xe3\x80\x80\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82\n",
                "a|b c|\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82");
    splits_into(UNIT_PARAGRAPH, "a\nb\n \nc\n\n\nd", "a\nb|c|d");
    splits_into(UNIT_SENTENCE, "One. Two! Three? 3.14 is pi. e.g.x y", "One.|Two!|Three?|3.14 is pi.|e.g.x y");
    splits_into(UNIT_SENTENCE, "He said \"Go.\" Then (left.) \n no end", "He said \"Go.\"|Then (left.)|no end");
    splits_into(UNIT_SENTENCE, "甲乙。丙丁！？“戊。”己", "甲乙。|丙丁！？|“戊。”|己");
    splits_into(UNIT_SENTENCE, "Really?! Yes... no", "Really?!|Yes...|no");
    splits_into(UNIT_TOKEN, "Don't 3.14 \xe9\x9b\xbb\xe8\x85\xa6!", "Don|t|3|14|\xe9\x9b\xbb|\xe8\x85\xa6");
    units_clear(&scratch);
}

TEST(units_have_the_tokens_that_lie_in_them)
{
    split(UNIT_LINE, "one two\n***\nthree 4 5\n");
    CHECK_INT(3, scratch.n);
    CHECK_INT(2, scratch.unit[0].n_tok);
    CHECK_INT(0, scratch.unit[1].n_tok);
    CHECK_INT(3, scratch.unit[2].n_tok);
    CHECK_INT(2, units_words(&scratch, scratch.unit[0].tok, 2));
    CHECK_INT(1, units_words(&scratch, scratch.unit[2].tok, 3));
    units_clear(&scratch);
}

static void leaves(UnitKind kind, const char *text, uint32_t begin, uint32_t end, const char *want)
{
    Buf b = {0};

    split(kind, text);
    UnitRange range = {begin, end};
    const UnitRange r = units_cut(&scratch, span_str(text), &range);
    CHECK(r.begin <= r.end && r.end <= strlen(text));
    buf_put(&b, text, r.begin);
    buf_puts(&b, text + r.end);
    CHECK_SPAN(span_str(want), buf_span(&b));
    buf_clear(&b);
}

TEST(cut_lines_leave_no_gap)
{
    leaves(UNIT_LINE, "a\nX\nb", 1, 2, "a\nb");
    leaves(UNIT_LINE, "a\n\nX\n\nb\n", 1, 2, "a\n\nb\n");
    leaves(UNIT_LINE, "a\nX\n\nb", 1, 2, "a\n\nb");
    leaves(UNIT_LINE, "a\n\nX\nb", 1, 2, "a\n\nb");
    leaves(UNIT_LINE, "a\n\n  X\n    b", 1, 2, "a\n\n    b");
    leaves(UNIT_LINE, "a\n  X\n    b", 1, 2, "a\n    b");
    leaves(UNIT_LINE, "X\n  b\n", 0, 1, "  b\n");
    leaves(UNIT_LINE, "  X\nb\n", 0, 1, "b\n");
    leaves(UNIT_LINE, "X\n\nb", 0, 1, "b");
    leaves(UNIT_LINE, "a\n\nX", 1, 2, "a");
    leaves(UNIT_LINE, "a\n\nX\n", 1, 2, "a\n");
    leaves(UNIT_LINE, "a\nX\nY\nb", 1, 3, "a\nb");
    leaves(UNIT_LINE, "X\nY\n", 0, 2, "\n");
    leaves(UNIT_PARAGRAPH, "a\n\nX\nY\n\nb", 1, 2, "a\n\nb");
    units_clear(&scratch);
}

TEST(cut_sentences_and_tokens_leave_readable_text)
{
    leaves(UNIT_SENTENCE, "A. X. B.", 1, 2, "A. B.");
    leaves(UNIT_SENTENCE, "A. B. X.\nC.", 2, 3, "A. B.\nC.");
    leaves(UNIT_SENTENCE, "A.\n\n  X. C.", 1, 2, "A.\n\n  C.");
    leaves(UNIT_SENTENCE, "甲。乙。丙。", 1, 2, "甲。丙。");
    leaves(UNIT_TOKEN, "one two, three four.", 1, 3, "one four.");
    leaves(UNIT_TOKEN, "one two. Three four!", 2, 4, "one two!");
    leaves(UNIT_TOKEN, "\"one two. Three", 0, 2, "Three");
    leaves(UNIT_TOKEN,
           "ab\xe4\xb8\xad\xe6\x96\x87"
           "cd",
           1, 3,
           "ab\xe6\x96\x87"
           "cd"); /* two words must not become one */
    leaves(UNIT_TOKEN,
           "ab\xe4\xb8\xad\xe6\x96\x87"
           "cd",
           2, 4, "ab\xe4\xb8\xad");
    leaves(UNIT_TOKEN,
           "ab, \xe4\xb8\xad\xe6\x96\x87"
           "cd",
           1, 3, "ab, cd");
    leaves(UNIT_SENTENCE, "A. 甲。B", 1, 2, "A. B");                  /* which else would be one sentence */
    leaves(UNIT_TOKEN, "x \xe3\x8d\xbf y", 2, 4, "x \xe3\x8d\xbf y"); /* one character, four tokens */
    leaves(UNIT_TOKEN, "x \xe3\x8d\xbf y", 1, 3, "x \xe3\x8d\xbf y");
    leaves(UNIT_TOKEN, "x \xe3\x8d\xbf y z", 3, 6, "x \xe3\x8d\xbf z");
    leaves(UNIT_TOKEN, "x \xe3\x8d\xbf y", 1, 5, "x y");
    units_clear(&scratch);
}
