/* `tamis dedup lines` against a slow version that compares all lines with all others. */
#include "dedup/strings.h"

#include "dedup/texts_fake_test.h"
#include "tests/check.h"

#include <ctype.h>
#include <stdlib.h>

/* --- the slow version: ASCII words, lines one by one */

enum { WORDS = 3 }; /* --min-words here */

typedef struct {
    char *key; /* its words in lower case; NULL: too few of them */
    const char *text;
    size_t n;
    uint32_t doc, host;
    bool cut;
} SlowLine;

typedef struct {
    SlowLine *line;
    size_t n;
    Arena arena;
} Slow;

static char *key_of(Arena *a, const char *s, size_t n)
{
    char *key = arena_alloc(a, 2 * n + 2);
    size_t at = 0, words = 0;

    for (size_t i = 0; i < n;) {
        if (!isalnum((unsigned char)s[i])) {
            i++;
            continue;
        }
        size_t word = i;
        while (i < n && isalnum((unsigned char)s[i])) key[at++] = (char)tolower((unsigned char)s[i++]);
        words += !isdigit((unsigned char)s[word]);
        if (isdigit((unsigned char)s[word])) key[at - (i - word)] = '0', at -= i - word - 1; /* numbers are alike */
        key[at++] = ' ';
    }
    key[at] = 0;
    return words >= WORDS ? key : NULL;
}

static void slow_add(Slow *s, const char *text, uint32_t doc, uint32_t host, bool paragraphs)
{
    for (const char *p = text; *p;) {
        const char *end = strchr(p, '\n');
        end = end ? end : p + strlen(p);
        if (paragraphs)
            for (const char *more; *end && end[1] != '\n' && end[1]; end = more)
                more = strchr(end + 1, '\n') ? strchr(end + 1, '\n') : end + strlen(end);
        const char *b = p, *e = end;
        while (b < e && isspace((unsigned char)*b)) b++;
        while (e > b && isspace((unsigned char)e[-1])) e--;
        if (e > b) {
            s->line = realloc(s->line, (s->n + 1) * sizeof *s->line);
            s->line[s->n++] = (SlowLine){key_of(&s->arena, b, (size_t)(e - b)), b, (size_t)(e - b), doc, host, false};
        }
        p = *end ? end + 1 : end;
    }
}

static bool alike(const SlowLine *a, const SlowLine *b, const LinesParams *p)
{
    return a->key && b->key && (p->within == LINES_WITHIN_CORPUS || a->host == b->host) &&
           strcmp(a->key, b->key) == 0;
}

static Slow slow_lines(const Texts *t, const LinesParams *p)
{
    Slow s = {0};

    for (uint32_t i = 0; i < t->n; i++) slow_add(&s, t->text[i], i, t->host[i], p->paragraphs != 0);
    for (size_t i = 0; i < s.n; i++) {
        size_t docs = 0, before = 0;
        for (size_t k = 0, last = SIZE_MAX; k < s.n; k++) {
            if (!alike(&s.line[i], &s.line[k], p)) continue;
            docs += s.line[k].doc != last;
            last = s.line[k].doc;
            before += k < i;
        }
        s.line[i].cut = docs > p->docs && (before || p->drop_all);
    }
    return s;
}

/* --- corpora */

static void put_line(Buf *b, uint64_t *seed)
{
    static const char *const names[] = {"alpha", "beta", "gamma", "delta", "omega"};
    uint32_t words = 1 + fake_below(seed, 5), mode = fake_below(seed, 8);

    for (uint32_t k = 0; mode == 0 && k < 3; k++) buf_puts(b, "  \n"); /* blank lines */
    if (mode == 1) buf_puts(b, "    ");
    if (mode == 2) buf_printf(b, "%u) ", fake_below(seed, 100));
    for (uint32_t k = 0; k < words; k++) {
        const char *name = names[fake_below(seed, 5)];
        buf_puts(b, k ? (mode == 3 ? ", " : " ") : "");
        buf_putc(b, mode == 4 && k == 0 ? (uint8_t)toupper((unsigned char)*name) : (uint8_t)*name);
        buf_puts(b, name + 1);
    }
    buf_puts(b, mode == 5 ? "!\n" : mode == 6 ? " \n\n" : "\n");
}

static Texts random_texts(uint64_t seed, uint32_t n, uint32_t parts)
{
    Texts t = {.n_parts = parts};
    Buf b = {0};

    for (uint32_t i = 0; i < n; i++) {
        uint32_t lines = fake_below(&seed, 9);
        buf_reset(&b);
        for (uint32_t k = 0; k < lines; k++) put_line(&b, &seed);
        if (b.n && fake_below(&seed, 2)) b.n--; /* no line end at the end */
        texts_add(&t, buf_cstr(&b), fake_below(&seed, 4));
    }
    buf_clear(&b);
    return t;
}

/* --- what came out */

static LeftTexts run_lines(const Texts *t, const char *in, const LinesParams *p, int threads, uint64_t memory,
                           CutTotals *cut)
{
    const char *out = check_tmpdir();
    CommonOptions common = {.memory = memory};
    Par par = par_alone(threads);
    DatasetSet *set;
    StageTotals totals;
    LeftTexts left;
    Err err;

    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(lines_run(p, set, out, &common, &par, &totals, cut, &err), &err);
    CHECK(totals.complete);
    CHECK_INT(t->n, totals.n_in);
    datasetset_close(set);
    lefttexts_read(&left, t, out);
    return left;
}

static size_t most_line_ends(const char *s)
{
    size_t most = 0, n = 0;

    for (; *s; s++) {
        n = *s == '\n' ? n + 1 : isspace((unsigned char)*s) ? n : 0;
        if (n > most) most = n;
    }
    return most;
}

/* The lines that are left are those that the slow version leaves, spelled as they were, and no gap is wider than one before. */
static void check_against_slow(const Texts *t, const LeftTexts *left, const LinesParams *p, const CutTotals *cut)
{
    Slow s = slow_lines(t, p), kept = {0};
    uint64_t n_cut = 0;
    size_t at = 0;

    for (uint32_t i = 0; i < t->n; i++) {
        bool any = false, words = false;
        kept.n = 0;
        if (left->text[i]) slow_add(&kept, left->text[i], i, 0, p->paragraphs != 0);
        if (left->text[i]) CHECK(most_line_ends(left->text[i]) <= most_line_ends(t->text[i]));
        size_t k = 0, from = at;
        for (; at < s.n && s.line[at].doc == i; at++) any |= s.line[at].cut;
        for (size_t l = from; l < at; l++) {
            n_cut += s.line[l].cut;
            if (s.line[l].cut) continue;
            words = true; /* every line here has words */
            CHECK(k < kept.n || !left->text[i]);
            if (k < kept.n) CHECK_SPAN(span(s.line[l].text, s.line[l].n), span(kept.line[k].text, kept.line[k].n));
            k++;
        }
        CHECK_INT(kept.n, left->text[i] ? k : 0);
        CHECK((left->text[i] == NULL) == (any && !words));
        if (!any) CHECK_STR(t->text[i], left->text[i]);
    }
    CHECK_INT(n_cut, cut->units);
    free(s.line);
    free(kept.line);
    arena_clear(&s.arena);
    arena_clear(&kept.arena);
}

static void compare(const Texts *t, LinesParams p)
{
    const char *in = check_tmpdir();
    Hash128 content = {0};

    p.min_words = WORDS;
    texts_write(t, in);
    for (int threads = 1; threads <= 2; threads++) {
        CutTotals cut = {0};
        LeftTexts left = run_lines(t, in, &p, threads, threads == 1 ? UINT64_C(1) << 30 : 8 << 20, &cut);
        check_against_slow(t, &left, &p, &cut);
        if (threads == 1) content = left.content;
        CHECK(hash128_eq(content, left.content));
        lefttexts_clear(&left);
    }
}

TEST(lines_against_all_pairs)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Texts t = random_texts(seed << 32, 120, 3);
        compare(&t, (LinesParams){0});
        compare(&t, (LinesParams){.within = LINES_WITHIN_HOST});
        compare(&t, (LinesParams){.docs = 1});
        compare(&t, (LinesParams){.docs = 3, .drop_all = true});
        compare(&t, (LinesParams){.docs = 2, .drop_all = true, .within = LINES_WITHIN_HOST});
        texts_clear(&t);
    }
}

TEST(paragraphs_are_units)
{
    Texts t = {.n_parts = 2};

    texts_add(&t, "one two three\nfour\n\nfive six seven\n", 0);
    texts_add(&t, "five six seven\n\none two three\n\nnine ten eleven", 0);
    texts_add(&t, "One, two: three four!\n\nx y z", 0);
    compare(&t, (LinesParams){.paragraphs = 1});
    texts_clear(&t);
}

/* What is left has nothing more to cut. */
TEST(lines_again_find_nothing)
{
    Texts t = random_texts(7, 150, 2), again = {.n_parts = 2};
    const LinesParams p = {.min_words = WORDS};
    const char *in = check_tmpdir(), *second = check_tmpdir();
    CutTotals cut = {0};

    texts_write(&t, in);
    LeftTexts left = run_lines(&t, in, &p, 2, 0, &cut);
    CHECK(cut.units > 0 && cut.bytes > cut.units);
    for (uint32_t i = 0; i < t.n; i++)
        if (left.text[i]) texts_add(&again, left.text[i], t.host[i]);
    texts_write(&again, second);
    LeftTexts last = run_lines(&again, second, &p, 2, 0, &cut);
    CHECK_INT(0, cut.units);
    lefttexts_clear(&left);
    lefttexts_clear(&last);
    texts_clear(&t);
    texts_clear(&again);
}

TEST(lines_of_hostile_texts)
{
    Texts t = {.n_parts = 1};
    char *many = malloc(20 * 50000 + 1);

    for (size_t i = 0; i < 50000; i++) memcpy(many + 20 * i, "same words as before", 20), many[20 * i + 19] = '\n';
    many[20 * 50000] = 0;
    texts_add(&t, "", 0);
    texts_add(&t, " \n\n\t\n", 0);
    texts_add(&t, "*** --- !!!\n\xe2\x80\xa6\n", 0);
    texts_add(&t, "x", 0);
    texts_add(&t, many, 0);
    texts_add(&t, "same words as befor\n", 0); /* all of it is cut */
    const char *in = check_tmpdir();
    const LinesParams p = {.min_words = WORDS};
    CutTotals cut = {0};
    texts_write(&t, in);
    LeftTexts left = run_lines(&t, in, &p, 1, 0, &cut);
    for (int i = 0; i < 4; i++) CHECK_STR(t.text[i], left.text[i]);
    CHECK_STR("same words as befor\n", left.text[4]);
    CHECK(left.text[5] == NULL);
    CHECK_INT(50000, cut.units);
    CHECK_INT(2, cut.docs);
    lefttexts_clear(&left);
    texts_clear(&t);
    free(many);
}

TEST(lines_options_that_do_not_fit)
{
    Err err;

    CHECK_INT(ERR_USAGE, lines_check(&(LinesParams){.drop_all = true}, &err));
    CHECK_INT(ERR_USAGE, lines_check(&(LinesParams){.docs = LINES_MAX_DOCS + 1}, &err));
    CHECK_OK(lines_check(&(LinesParams)LINES_PARAMS_DEFAULT, &err), &err);
}
