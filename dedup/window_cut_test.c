/* `tamis dedup spans` and `substrings` against a slow version that compares every window with all before it. */
#include "dedup/strings.h"

#include "dedup/texts_fake_test.h"
#include "tests/check.h"

#include <ctype.h>
#include <stdlib.h>

/* --- the slow version: units as strings */

typedef struct {
    char *key; /* lower case */
    const char *text;
    size_t n;
    uint32_t doc;
    bool cut;
} SlowUnit;

typedef struct {
    SlowUnit *unit;
    size_t n;
    Arena arena;
} Slow;

static void slow_clear(Slow *s)
{
    free(s->unit);
    arena_clear(&s->arena);
}

/* Words, or with `sentences` what ends at a full stop. */
static void slow_add(Slow *s, const char *text, uint32_t doc, bool sentences)
{
    for (const char *p = text; *p;) {
        while (*p && !isalnum((unsigned char)*p)) p++;
        const char *begin = p;
        while (*p && (sentences ? *p != '.' : isalnum((unsigned char)*p) != 0)) p++;
        if (sentences && *p) p++;
        if (p == begin) continue;
        char *key = arena_alloc(&s->arena, (size_t)(p - begin) + 1);
        size_t n = 0;
        for (const char *c = begin; c < p; c++)
            if (isalnum((unsigned char)*c) || *c == ' ') key[n++] = (char)tolower((unsigned char)*c);
        key[n] = 0;
        s->unit = realloc(s->unit, (s->n + 1) * sizeof *s->unit);
        s->unit[s->n++] = (SlowUnit){key, begin, (size_t)(p - begin), doc, false};
    }
}

static bool windows_equal(const Slow *s, size_t a, size_t b, size_t window)
{
    for (size_t i = 0; i < window; i++)
        if (strcmp(s->unit[a + i].key, s->unit[b + i].key) != 0) return false;
    return true;
}

static bool is_window(const Slow *s, size_t at, size_t window)
{
    return at + window <= s->n && s->unit[at + window - 1].doc == s->unit[at].doc;
}

/* All windows that stood before, but for what the first of their kind covers. */
static void slow_cut(Slow *s, size_t window)
{
    for (size_t i = 0; i < s->n; i++) {
        if (!is_window(s, i, window)) continue;
        for (size_t first = 0; first < i; first++) {
            if (!is_window(s, first, window) || !windows_equal(s, first, i, window)) continue;
            for (size_t k = i < first + window ? first + window : i; k < i + window; k++) s->unit[k].cut = true;
            break;
        }
    }
}

/* --- what came out */

typedef struct {
    bool sentences;
    uint32_t window;
} Windows;

static LeftTexts run(const Texts *t, const char *in, Windows w, int threads, uint64_t memory, CutTotals *cut)
{
    const SpansParams spans = {.sentences = w.window};
    const SubstringsParams substrings = {.tokens = w.window};
    const char *out = check_tmpdir();
    CommonOptions common = {.memory = memory};
    Par par = par_alone(threads);
    DatasetSet *set;
    StageTotals totals;
    LeftTexts left;
    Err err;

    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(w.sentences ? spans_run(&spans, set, out, &common, &par, &totals, cut, &err)
                         : substrings_run(&substrings, set, out, &common, &par, &totals, cut, &err),
             &err);
    CHECK(totals.complete);
    datasetset_close(set);
    lefttexts_read(&left, t, out);
    return left;
}

/* Returns how many units the slow version cuts. */
static size_t check_against_slow(const Texts *t, const LeftTexts *left, Windows w, const CutTotals *cut)
{
    Slow s = {0}, kept = {0};
    size_t at = 0, n_cut = 0;

    for (uint32_t i = 0; i < t->n; i++) slow_add(&s, t->text[i], i, w.sentences);
    slow_cut(&s, w.window);
    for (uint32_t i = 0; i < t->n; i++) {
        size_t k = 0, from = at;
        kept.n = 0;
        if (left->text[i]) slow_add(&kept, left->text[i], i, w.sentences);
        for (; at < s.n && s.unit[at].doc == i; at++) {
            n_cut += s.unit[at].cut;
            if (s.unit[at].cut) continue;
            if (k < kept.n) CHECK_SPAN(span(s.unit[at].text, s.unit[at].n), span(kept.unit[k].text, kept.unit[k].n));
            k++;
        }
        CHECK_INT(k, kept.n);
        CHECK((left->text[i] == NULL) == (k == 0 && at > from));
    }
    CHECK_INT(n_cut, cut->units);
    slow_clear(&s);
    slow_clear(&kept);
    return n_cut;
}

static size_t compare(const Texts *t, Windows w)
{
    const char *in = check_tmpdir();
    Hash128 content = {0};
    size_t n = 0;

    texts_write(t, in);
    for (int threads = 1; threads <= 2; threads++) {
        CutTotals cut = {0};
        LeftTexts left = run(t, in, w, threads, threads == 1 ? UINT64_C(1) << 30 : 8 << 20, &cut);
        n = check_against_slow(t, &left, w, &cut);
        if (threads == 1) content = left.content;
        CHECK(hash128_eq(content, left.content));
        lefttexts_clear(&left);
    }
    return n;
}

/* --- substrings */

/* Words wN of a vocabulary, now and then a copy of a piece of what was written before. */
static Texts random_words(uint64_t seed, uint32_t n, uint32_t vocabulary, uint32_t copy_words)
{
    static const char *const ends[] = {" ", ", ", " ", ". ", "\n", " \n\n  "};
    Texts t = {.n_parts = 3};
    uint32_t *all = NULL;
    size_t n_all = 0;
    Buf b = {0};

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t pieces = fake_below(&seed, 4);
        buf_reset(&b);
        for (uint32_t k = 0; k < pieces; k++) {
            const bool copy = n_all > 2 * copy_words && fake_below(&seed, 2);
            uint32_t words = copy ? copy_words - 3 + fake_below(&seed, copy_words) : 1 + fake_below(&seed, 30);
            size_t from = copy ? fake_below(&seed, (uint32_t)n_all - 2 * copy_words) : 0;
            all = realloc(all, (n_all + words) * sizeof *all);
            for (uint32_t j = 0; j < words; j++) {
                uint32_t word = copy ? all[from + j] : fake_below(&seed, vocabulary);
                all[n_all++] = word;
                buf_printf(&b, "%c%c%c%s", fake_below(&seed, 9) ? 'w' : 'W', 'a' + (int)(word / 26),
                           'a' + (int)(word % 26), ends[fake_below(&seed, 6)]);
            }
        }
        texts_add(&t, buf_cstr(&b), 0);
    }
    free(all);
    buf_clear(&b);
    return t;
}

TEST(substrings_against_all_windows)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Texts t = random_words(seed << 32, 60, 300, 50);
        CHECK(compare(&t, (Windows){.window = 50}) > 100);
        texts_clear(&t);
        t = random_words(seed << 33, 60, 2, 10); /* all overlaps there are */
        CHECK(compare(&t, (Windows){.window = 8}) > 100);
        CHECK(compare(&t, (Windows){.window = 9}) > 100);
        texts_clear(&t);
        t = random_words(seed << 34, 30, 1, 20);
        CHECK(compare(&t, (Windows){.window = 17}) > 100);
        texts_clear(&t);
    }
}

/* Words word-FROM … word-TO in letters, behind what b has. */
static void put_words(Buf *b, uint32_t from, uint32_t to, bool shout)
{
    for (uint32_t i = from; i < to; i++)
        buf_printf(b, "%s%c%c%c", b->n ? " " : "", shout ? 'W' : 'w', 'a' + (int)(i / 26), 'a' + (int)(i % 26));
}

static char *words(Texts *t, uint32_t a, uint32_t b, uint32_t c, uint32_t d, bool shout)
{
    Buf buf = {0};

    put_words(&buf, a, b, shout);
    put_words(&buf, c, d, shout);
    char *s = arena_str(&t->arena, buf_span(&buf));
    buf_clear(&buf);
    return s;
}

TEST(substrings_by_hand)
{
    const char *in = check_tmpdir();
    Texts t = {.n_parts = 4};
    CutTotals cut = {0};

    texts_add(&t, words(&t, 0, 100, 0, 0, false), 0);
    texts_add(&t, words(&t, 10, 59, 200, 220, false), 0);   /* 49 tokens */
    texts_add(&t, words(&t, 300, 310, 20, 70, true), 0);    /* 50, in other case */
    texts_add(&t, words(&t, 0, 100, 0, 0, false), 0);       /* everything */
    texts_add(&t, words(&t, 400, 450, 400, 450, false), 0); /* inside one document */
    texts_write(&t, in);
    LeftTexts left = run(&t, in, (Windows){.window = 50}, 2, 0, &cut);
    CHECK_STR(t.text[0], left.text[0]);
    CHECK_STR(t.text[1], left.text[1]);
    CHECK_STR(words(&t, 300, 310, 0, 0, true), left.text[2]);
    CHECK(left.text[3] == NULL);
    CHECK_STR(words(&t, 400, 450, 0, 0, false), left.text[4]);
    CHECK_INT(3, cut.docs);
    CHECK_INT(200, cut.units);
    lefttexts_clear(&left);
    texts_clear(&t);
}

TEST(substrings_of_hostile_texts)
{
    const char *in = check_tmpdir();
    const size_t n = 300000;
    Texts t = {.n_parts = 2};
    char *same = malloc(2 * n + 1);
    CutTotals cut = {0};

    for (size_t i = 0; i < n; i++) memcpy(same + 2 * i, "a ", 2);
    same[2 * n] = 0;
    texts_add(&t, same, 0); /* one window, n - 49 times */
    texts_add(&t, "", 0);
    texts_add(&t, "!!! ... ***", 0);
    texts_add(&t, same, 0);
    texts_write(&t, in);
    LeftTexts left = run(&t, in, (Windows){.window = 50}, 1, 16 << 20, &cut);
    CHECK_INT(100, strlen(left.text[0]));
    CHECK_STR("", left.text[1]);
    CHECK_STR("!!! ... ***", left.text[2]);
    CHECK(left.text[3] == NULL);
    CHECK_INT(2 * n - 50, cut.units);
    lefttexts_clear(&left);
    texts_clear(&t);
    free(same);
}

/* --- spans */

static Texts random_sentences(uint64_t seed, uint32_t n)
{
    static const char *const names[] = {"Ann went home", "Bob saw it", "Eve said so", "nobody came",
                                        "It rained a lot"};
    static const char *const ends[] = {" ", "\n", " ", "\n\n"};
    Texts t = {.n_parts = 3};
    Buf b = {0};

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t sentences = fake_below(&seed, 12);
        buf_reset(&b);
        for (uint32_t k = 0; k < sentences; k++)
            buf_printf(&b, "%s.%s", names[fake_below(&seed, 5)], ends[fake_below(&seed, 4)]);
        texts_add(&t, buf_cstr(&b), 0);
    }
    buf_clear(&b);
    return t;
}

TEST(spans_against_all_windows)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Texts t = random_sentences(seed << 32, 80);
        CHECK(compare(&t, (Windows){.sentences = true, .window = 3}) > 50);
        CHECK(compare(&t, (Windows){.sentences = true, .window = 1}) > 50);
        CHECK(compare(&t, (Windows){.sentences = true, .window = 4}) > 10);
        texts_clear(&t);
    }
}

TEST(spans_by_hand)
{
    const char *in = check_tmpdir();
    Texts t = {.n_parts = 2};
    CutTotals cut = {0};

    texts_add(&t, "天很冷。他走了。她没来！", 0);
    texts_add(&t, "天很冷。他走了。再见。", 0); /* two of three */
    texts_add(&t, "一。天很冷！他走了——\n\n*\n\n她没来。二。",
              0); /* across lines, a sentence without tokens among them */
    texts_add(&t, "天很冷。他走了。她没来！", 0);
    texts_write(&t, in);
    LeftTexts left = run(&t, in, (Windows){.sentences = true, .window = 3}, 1, 0, &cut);
    CHECK_STR(t.text[0], left.text[0]);
    CHECK_STR(t.text[1], left.text[1]);
    CHECK_STR("一。二。", left.text[2]);
    CHECK(left.text[3] == NULL);
    lefttexts_clear(&left);
    texts_clear(&t);
}

/* --- a second run finds only what the first one brought together */

static Texts what_is_left(const LeftTexts *left, uint32_t n)
{
    Texts t = {.n_parts = 2};

    for (uint32_t i = 0; i < n; i++)
        if (left->text[i]) texts_add(&t, left->text[i], 0);
    return t;
}

/* One text has a passage where another has another one, both of which stood before: without them they are the same. */
TEST(substrings_brought_together_by_cuts)
{
    const char *in = check_tmpdir(), *second = check_tmpdir();
    Texts t = {.n_parts = 1};
    CutTotals cut = {0};
    Buf b = {0};

    texts_add(&t, words(&t, 0, 60, 0, 0, false), 0);
    texts_add(&t, words(&t, 100, 160, 0, 0, false), 0);
    for (uint32_t from = 0; from <= 100; from += 100) {
        buf_reset(&b);
        put_words(&b, 200, 230, false);
        put_words(&b, from, from + 60, false);
        put_words(&b, 300, 330, false);
        texts_add(&t, buf_cstr(&b), 0);
    }
    texts_write(&t, in);
    LeftTexts left = run(&t, in, (Windows){.window = 50}, 1, 0, &cut);
    CHECK_INT(120, cut.units);
    CHECK_STR(words(&t, 200, 230, 300, 330, false), left.text[2]);
    CHECK_STR(left.text[2], left.text[3]);
    Texts again = what_is_left(&left, t.n);
    texts_write(&again, second);
    LeftTexts last = run(&again, second, (Windows){.window = 50}, 1, 0, &cut);
    CHECK_INT(60, cut.units);
    CHECK(last.text[2] != NULL && last.text[3] == NULL);
    lefttexts_clear(&left);
    lefttexts_clear(&last);
    texts_clear(&t);
    texts_clear(&again);
    buf_clear(&b);
}

/* What the slow version leaves; joint[i]: something was cut between unit i and the one before it. */
static Slow slow_left(const Texts *t, Windows w, bool **joint)
{
    Slow s = {0};
    size_t n = 0;

    for (uint32_t i = 0; i < t->n; i++) slow_add(&s, t->text[i], i, w.sentences);
    slow_cut(&s, w.window);
    *joint = calloc(s.n + 1, sizeof **joint);
    for (size_t i = 0; i < s.n; i++) {
        if (s.unit[i].cut) continue;
        (*joint)[n] = i && s.unit[i - 1].cut;
        s.unit[n++] = s.unit[i];
    }
    s.n = n;
    return s;
}

static bool spans_joint(const bool *joint, size_t at, size_t window)
{
    for (size_t i = at + 1; i < at + window; i++)
        if (joint[i]) return true;
    return false;
}

/* Of two equal windows that are left at least one was not there before the first run; returns how many such there are. */
static size_t check_again(const Texts *t, Windows w)
{
    bool *joint;
    Slow s = slow_left(t, w, &joint);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        for (size_t k = 0; k < i; k++) {
            if (!is_window(&s, i, w.window) || !is_window(&s, k, w.window) || !windows_equal(&s, i, k, w.window))
                continue;
            CHECK(spans_joint(joint, i, w.window) || spans_joint(joint, k, w.window));
            n++;
        }
    free(joint);
    slow_clear(&s);
    return n;
}

TEST(windows_of_a_second_run_span_a_cut)
{
    size_t n[2] = {0, 0};

    for (uint64_t seed = 1; seed <= 3; seed++) {
        Texts t = random_words(seed << 32, 60, 300, 50);
        check_again(&t, (Windows){.window = 50});
        texts_clear(&t);
        t = random_words(seed << 33, 60, 2, 10);
        n[0] += check_again(&t, (Windows){.window = 8});
        texts_clear(&t);
        t = random_sentences(seed << 32, 80);
        n[1] += check_again(&t, (Windows){.sentences = true, .window = 3});
        texts_clear(&t);
    }
    CHECK(n[0] > 0 && n[1] > 0);
}

TEST(window_options_out_of_range)
{
    Err err;

    CHECK_INT(ERR_USAGE, spans_check(&(SpansParams){0}, &err));
    CHECK_INT(ERR_USAGE, spans_check(&(SpansParams){.sentences = SPANS_MAX_SENTENCES + 1}, &err));
    CHECK_INT(ERR_USAGE, substrings_check(&(SubstringsParams){.tokens = SUBSTRINGS_MIN_TOKENS - 1}, &err));
    CHECK_INT(ERR_USAGE, substrings_check(&(SubstringsParams){.tokens = SUBSTRINGS_MAX_TOKENS + 1}, &err));
    CHECK_OK(spans_check(&(SpansParams)SPANS_PARAMS_DEFAULT, &err), &err);
    CHECK_OK(substrings_check(&(SubstringsParams)SUBSTRINGS_PARAMS_DEFAULT, &err), &err);
}
