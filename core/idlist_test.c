/* Ids as lines of lists, and sets of hashes. */
#include "core/hash.h"
#include "core/idlist.h"
#include "core/json.h"
#include "core/store.h"
#include "tests/check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* What a line says, read by the JSON tree where it begins as a string. */
static void check_line(Span id, bool bare)
{
    Buf line = {0}, scratch = {0};
    Arena arena = {0};
    Span got;
    bool bad;
    Err err;

    id_put_line(&line, id);
    CHECK(line.n > 1 && line.p[line.n - 1] == '\n' && span_find(buf_span(&line), '\n') == line.n - 1);
    const Span text = span(line.p, line.n - 1);
    CHECK(bare == (text.p[0] != '"'));
    for (size_t i = 0; i < text.n; i++) {
        CHECK(text.p[i] >= 0x20 && text.p[i] != 0x7f);
        CHECK(i == 0 || text.p[i - 1] != 0xc2 || text.p[i] >= 0xa0);
    }
    CHECK_INT(!bare, id_is_quoted(text, &scratch, &got, &bad));
    CHECK(!bad && span_eq(got, id));
    if (bare) {
        CHECK(span_eq(text, id));
    } else {
        Json *j;
        CHECK_OK(json_parse(&arena, text, "line", &j, &err), &err);
        CHECK(j->type == JSON_STRING && span_eq(j->string, id));
    }
    buf_clear(&line);
    buf_clear(&scratch);
    arena_clear(&arena);
}

TEST(a_line_names_the_id_it_was_made_of)
{
    static const char *const bare[] = {"a#1", "part-00000.jsonl.zst#12", "\xe6\x96\x87#0", "a b#2", "x\"y\\z#3"};
    static const char *const quoted[] = {
        "",      "plain",        "http://a.test/#top", "\"a\"#1",    "#1",     " a#1",
        "a#1\t", "a#1\nb#2",     "a#\x1b[31m",         "a#\xc2\x9b", "a#\x7f", "a\\b",
        "a\r#1", "\xe6\x96\x87", "a#\xe2\x80\xae"};

    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) check_line(span_str(bare[i]), true);
    for (size_t i = 0; i < sizeof quoted / sizeof *quoted; i++) check_line(span_str(quoted[i]), false);
    check_line(span("a#\0b", 4), false);
}

TEST(what_is_no_string_is_no_id)
{
    static const char *const bad[] = {"\"a", "\"a\"b", "\"\\x\"", "\"a\xff\""};
    Buf scratch = {0};
    Span id;
    bool wrong;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!id_is_quoted(span_str(bad[i]), &scratch, &id, &wrong));
        CHECK(wrong);
    }
    buf_clear(&scratch);
}

static ErrCode take(void *ctx, Span line, uint64_t number, Err *err)
{
    (void)err;
    buf_printf(ctx, "%d:", (int)number);
    buf_put_span(ctx, line);
    buf_putc(ctx, ';');
    return ERR_OK;
}

TEST(lines_of_a_list)
{
    char path[PATH_MAX];
    Buf seen = {0};
    Err err;

    snprintf(path, sizeof path, "%s/list", check_tmpdir());
    CHECK_OK(store_write(path, SPAN_LIT("one\r\n\n  two words \n\t\nlast"), &err), &err);
    CHECK_OK(list_each(path, take, &seen, &err), &err);
    CHECK(span_is(buf_span(&seen), "1:one;3:two words;5:last;"));
    buf_clear(&seen);
}

TEST(lists_are_utf8)
{
    static const struct {
        Span text;
        const char *says; /* NULL: the one line is "a" */
    } list[] = {{SPAN_LIT("\xEF\xBB\xBF"
                          "a\n"),
                 NULL},
                {SPAN_LIT("\xFF\xFE"
                          "a\0\n\0"),
                 "is UTF-16"},
                {SPAN_LIT("\xFE\xFF\0a\0\n"), "is UTF-16"},
                {SPAN_LIT("a\n\xE4\n"), "line 2 is not UTF-8"}};
    char path[PATH_MAX];
    Buf seen = {0};
    Err err;

    snprintf(path, sizeof path, "%s/list", check_tmpdir());
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        buf_reset(&seen);
        CHECK_OK(store_write(path, list[i].text, &err), &err);
        CHECK_INT(list[i].says ? ERR_DATA : ERR_OK, list_each(path, take, &seen, &err));
        CHECK(list[i].says ? strstr(err.msg, list[i].says) != NULL : span_is(buf_span(&seen), "1:a;"));
    }
    buf_clear(&seen);
}

TEST(a_set_knows_what_was_not_met)
{
    enum { N = 100 };
    Buf hashes = {0};
    HashSet s;
    Err err;

    for (uint64_t i = 1; i <= N; i++) {
        const uint64_t hash = mix64(i);
        buf_put(&hashes, &hash, sizeof hash);
    }
    hashset_take(&s, &hashes);
    CHECK(!hashset_is_missing(&s, mix64(1))); /* nobody watched */
    CHECK_OK(hashset_watch(&s, &err), &err);
#pragma omp parallel for
    for (uint64_t i = 1; i <= 2 * N; i += 3) (void)hashset_mark(&s, mix64(i));
    for (uint64_t i = 1; i <= 2 * N; i++) {
        CHECK_INT(i <= N && i % 3 != 1, hashset_is_missing(&s, mix64(i)));
        CHECK_INT(i <= N, hashset_mark(&s, mix64(i)));
    }
    hashset_clear(&s);
}

TEST(a_set_has_what_was_put_there)
{
    enum { N = 300 };
    Buf hashes = {0};
    HashSet s;

    for (uint64_t i = 0; i < N; i++) { /* some twice, in no order; 0 is nothing */
        const uint64_t hash = mix64(i % 200);
        buf_put(&hashes, &hash, sizeof hash);
    }
    hashset_take(&s, &hashes);
    CHECK_INT(199, s.n);
    for (uint64_t i = 0; i < 400; i++) CHECK_INT(i > 0 && i < 200, hashset_has(&s, mix64(i)));
    hashset_clear(&s);
    hashset_take(&s, &hashes);
    CHECK(!hashset_has(&s, 1) && !hashset_has(&s, 0));
    hashset_clear(&s);
}
