/* Every signal against a slow version written from the definitions: text as an array of code points, words and lines
 * as ranges of it, n-grams compared word by word. */
#include "filter/signals.h"

#include "core/hash.h"
#include "core/unicode.h"
#include "core/utf8.h"
#include "tests/check.h"

#include <math.h>

enum { SLOW_MAX = 4096 };
typedef struct {
    size_t b, e; /* code points [b, e) */
} Range;
typedef struct {
    uint32_t c[SLOW_MAX];
    size_t n;
    Range word[SLOW_MAX];
    size_t n_words;
} Slow;

static bool is_space(uint32_t c) { return unicode_class(c) == UC_SPACE; }
static bool is_letter(uint32_t c) { return unicode_class(c) == UC_LETTER; }
static bool is_solid(uint32_t c)
{
    return unicode_class(c) == UC_HAN || unicode_class(c) == UC_KANA || unicode_class(c) == UC_HANGUL;
}
static bool is_core(uint32_t c)
{
    UnicodeClass k = unicode_class(c);
    return k == UC_LETTER || k == UC_MARK || k == UC_DIGIT || k == UC_NUMBER;
}
static bool is_plain(const Slow *s, Range w) { return is_core(s->c[w.b]) || is_solid(s->c[w.b]); }
static bool is_alpha(const Slow *s, Range w)
{
    for (size_t i = w.b; i < w.e; i++)
        if (is_letter(s->c[i]) || is_solid(s->c[i])) return true;
    return false;
}

static void slow_edges(Slow *s, size_t b, size_t e)
{
    while (b < e) {
        size_t i = b;
        while (i < e && s->c[i] == s->c[b]) i++;
        s->word[s->n_words++] = (Range){b, i};
        b = i;
    }
}

static void slow_read(Slow *s, Span text)
{
    s->n = s->n_words = 0;
    for (size_t at = 0; at < text.n; s->n++) at += utf8_next(text.p + at, text.n - at, &s->c[s->n]);
    for (size_t i = 0; i < s->n;) {
        if (is_space(s->c[i])) {
            i++;
            continue;
        }
        if (is_solid(s->c[i])) {
            s->word[s->n_words++] = (Range){i, i + 1};
            i++;
            continue;
        }
        size_t e = i, first, last;
        while (e < s->n && !is_space(s->c[e]) && !is_solid(s->c[e])) e++;
        for (first = i; first < e && !is_core(s->c[first]);) first++;
        for (last = e; last > first && !is_core(s->c[last - 1]);) last--;
        slow_edges(s, i, first);
        if (last > first) s->word[s->n_words++] = (Range){first, last};
        slow_edges(s, last > first ? last : e, e);
        i = e;
    }
}

static bool same(const Slow *s, Range a, Range b)
{
    return a.e - a.b == b.e - b.b && memcmp(s->c + a.b, s->c + b.b, (a.e - a.b) * sizeof *s->c) == 0;
}
static bool same_gram(const Slow *s, size_t i, size_t j, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!same(s, s->word[i + k], s->word[j + k])) return false;
    return true;
}
static size_t gram_chars(const Slow *s, size_t i, size_t n)
{
    size_t sum = 0;
    for (size_t k = 0; k < n; k++) sum += s->word[i + k].e - s->word[i + k].b;
    return sum;
}

static double rounded(double a, double b) { return b == 0 ? 0 : round(a / b * 1e6) / 1e6; }

static double slow_top(const Slow *s, size_t n, size_t gap, double chars)
{
    size_t best = 0, best_at = 0;

    for (size_t i = 0; i + n <= s->n_words; i++) {
        size_t count = 0;
        for (size_t j = 0; j + n <= s->n_words; j++) count += same_gram(s, i, j, n);
        if (count > best) best = count, best_at = i;
    }
    return best ? rounded((double)((gram_chars(s, best_at, n) + gap * (n - 1)) * best), chars) : 0;
}

static double slow_dup(const Slow *s, size_t n, double chars)
{
    static size_t set[SLOW_MAX];
    size_t n_set = 0, rep = 0;

    for (size_t i = 0; i + n <= s->n_words;) {
        size_t k = 0;
        while (k < n_set && !same_gram(s, set[k], i, n)) k++;
        if (k < n_set) {
            rep += gram_chars(s, i, n);
            i += n;
        } else {
            set[n_set++] = i++;
        }
    }
    return rounded((double)rep, chars);
}

static size_t find_duplicates(const Slow *s, const Range *x, size_t n, size_t *chars)
{
    size_t count = 0;

    *chars = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (same(s, x[i], x[j])) {
                count++;
                *chars += x[i].e - x[i].b;
                break;
            }
    return count;
}

/* re.split("\n{least,}") of [b, e) */
static size_t split_breaks(const Slow *s, size_t b, size_t e, size_t least, Range *out)
{
    size_t n = 0, from = b;

    for (size_t i = b; i < e;) {
        size_t j = i;
        while (j < e && s->c[j] == '\n') j++;
        if (j - i >= least) {
            out[n++] = (Range){from, i};
            from = j;
        }
        i = j > i ? j : i + 1;
    }
    out[n++] = (Range){from, e};
    return n;
}

static bool ends(const Slow *s, Range r, const char *tail)
{
    size_t n = strlen(tail);

    if (r.e - r.b < n) return false;
    for (size_t i = 0; i < n; i++)
        if (s->c[r.e - n + i] != (uint32_t)tail[i]) return false;
    return true;
}
static Range trimmed(const Slow *s, Range r)
{
    while (r.b < r.e && is_space(s->c[r.b])) r.b++;
    while (r.b < r.e && is_space(s->c[r.e - 1])) r.e--;
    return r;
}

static void slow_lines(const Slow *s, double *v)
{
    static Range x[SLOW_MAX + 2], text_line[SLOW_MAX + 2];
    size_t n, chars, lines = 0, bullets = 0, dots = 0, from = 0, n_text = 0, terminal = 0, shorts = 0, newlines = 0,
                     longest = 0, sum = 0;

    for (size_t i = 0; i <= s->n; i++) {
        uint32_t c = i < s->n ? s->c[i] : 0;
        bool brk = i < s->n && (c == '\n' || c == '\v' || c == '\f' || c == '\r' || (c >= 0x1c && c <= 0x1e) ||
                                c == 0x85 || c == 0x2028 || c == 0x2029);
        if (!brk && (i < s->n || from == s->n)) continue;
        Range r = trimmed(s, (Range){from, i});
        lines++;
        bullets += r.e > r.b && (s->c[r.b] == '-' || s->c[r.b] == 0x2022);
        dots += ends(s, r, "...") || (r.e > r.b && s->c[r.e - 1] == 0x2026);
        if (c == '\r' && i + 1 < s->n && s->c[i + 1] == '\n') i++;
        from = i + 1;
    }
    v[SIG_BULLETS] = rounded((double)bullets, (double)lines);
    v[SIG_END_DOTS] = rounded((double)dots, (double)lines);
    Range all = trimmed(s, (Range){0, s->n});
    n = split_breaks(s, all.b, all.e, 2, x);
    v[SIG_DUP_PARA] = rounded((double)find_duplicates(s, x, n, &chars), (double)n);
    v[SIG_DUP_PARA_CH] = rounded((double)chars, (double)s->n);
    n = split_breaks(s, 0, s->n, 1, x);
    v[SIG_DUP_LINE] = rounded((double)find_duplicates(s, x, n, &chars), (double)n);
    v[SIG_DUP_LINE_CH] = rounded((double)chars, (double)s->n);
    from = 0;
    for (size_t i = 0; i <= s->n; i++) {
        if (i < s->n && s->c[i] != '\n') continue;
        newlines += i < s->n;
        Range r = {from, i};
        from = i + 1;
        if (r.e - r.b > longest) longest = r.e - r.b;
        Range t = trimmed(s, r);
        if (t.b == t.e) continue;
        text_line[n_text++] = r;
        terminal += unicode_is_terminal(s->c[r.e - 1]);
        shorts += r.e - r.b <= SHORT_LINE_CHARS;
        sum += r.e - r.b;
    }
    find_duplicates(s, text_line, n_text, &chars);
    v[SIG_LINE_END] = rounded((double)terminal, (double)n_text);
    v[SIG_SHORT_LINE] = rounded((double)shorts, (double)n_text);
    v[SIG_DUP_TEXT_CH] = rounded((double)chars, (double)(s->n - newlines));
    v[SIG_LINE_MAX] = (double)longest;
    v[SIG_LINE_MEAN] = rounded((double)sum, (double)n_text);
    v[SIG_NEWLINES] = rounded((double)newlines, (double)s->n_words);
}

static void slow_words(const Slow *s, double *v)
{
    static const char *const stop[] = {"the", "be", "to", "of", "and", "that", "have", "with"};
    size_t plain = 0, plain_chars = 0, alpha = 0, hashes = 0, runs = 0, dots = 0, n_stop = 0;

    for (size_t i = 0; i < s->n_words; i++) {
        Range w = s->word[i];
        alpha += is_alpha(s, w);
        if (is_plain(s, w)) plain++, plain_chars += w.e - w.b;
    }
    for (size_t k = 0; k < 8; k++)
        for (size_t i = 0; i < s->n_words; i++)
            if (s->word[i].e - s->word[i].b == strlen(stop[k]) && ends(s, s->word[i], stop[k])) {
                n_stop++;
                break;
            }
    for (size_t i = 0; i < s->n; i++) {
        hashes += s->c[i] == '#';
        runs += s->c[i] == '#' && (i == 0 || s->c[i - 1] != '#');
        dots += s->c[i] == 0x2026;
    }
    for (size_t i = 0; i + 3 <= s->n;) {
        bool hit = s->c[i] == '.' && s->c[i + 1] == '.' && s->c[i + 2] == '.';
        dots += hit;
        i += hit ? 3 : 1;
    }
    double n = (double)s->n_words;
    v[SIG_WORDS] = (double)plain;
    v[SIG_WORD_LEN] = rounded((double)plain_chars, (double)plain);
    v[SIG_HASHES] = rounded((double)hashes, n);
    v[SIG_HASH_RUNS] = rounded((double)runs, n);
    v[SIG_ELLIPSES] = rounded((double)dots, n);
    v[SIG_ALPHA] = rounded((double)alpha, n);
    v[SIG_ALPHA_PLAIN] = rounded((double)alpha, (double)plain);
    v[SIG_STOP_WORDS] = (double)n_stop;
}

static void slow_chinese(const Slow *s, double *v)
{
    size_t solid = 0, punct = 0, han = 0, digits = 0, kinds = 0, inside = 0, open = 0;
    double sum = 0;

    for (size_t i = 0; i < s->n; i++) {
        uint32_t c = s->c[i];
        if (c == '\n') open = 0;
        if (c == 0x3011 && open) inside += i - open, open = 0;
        if (c == 0x3010) open = i + 1;
        if (is_space(c)) continue;
        solid++;
        punct += !is_core(c) && !is_solid(c);
        digits += unicode_class(c) == UC_DIGIT;
        if (!is_solid(c)) continue;
        han++;
        size_t same_count = 0, first = 0;
        for (size_t j = 0; j < s->n; j++)
            if (s->c[j] == c) same_count++, first = same_count == 1 ? j : first;
        if (first == i) kinds++;
        sum += log((double)same_count);
    }
    v[SIG_HAN] = rounded((double)han, (double)(solid - punct));
    v[SIG_DIGITS] = rounded((double)digits, (double)(solid - punct));
    v[SIG_PUNCT] = rounded((double)punct, (double)solid);
    v[SIG_BRACKETS] = rounded((double)inside, (double)solid);
    v[SIG_HAN_KINDS] = rounded((double)kinds, (double)(han < HAN_KINDS_OF ? han : HAN_KINDS_OF));
    v[SIG_HAN_ENTROPY] = han ? round((log((double)han) - sum / (double)han) * 1e6) / 1e6 : 0;
}

static void slow_signals(Slow *s, Span text, TextKind kind, double *v)
{
    double chars = 0;

    slow_read(s, text);
    for (size_t i = 0; i < s->n; i++) chars += kind != KIND_CHINESE || !is_space(s->c[i]);
    v[SIG_CHARS] = (double)s->n;
    slow_words(s, v);
    slow_lines(s, v);
    slow_chinese(s, v);
    for (size_t n = 2; n <= 4; n++) v[SIG_TOP_2 + n - 2] = slow_top(s, n, kind != KIND_CHINESE, chars);
    for (size_t n = 5; n <= 10; n++) v[SIG_DUP_5 + n - 5] = slow_dup(s, n, chars);
    size_t alnum = 0;
    for (size_t i = 0; i < s->n; i++)
        alnum += is_letter(s->c[i]) || is_solid(s->c[i]) || unicode_class(s->c[i]) == UC_DIGIT;
    v[SIG_ALNUM] = rounded((double)alnum, (double)s->n);
}

static const char *const names[SIG_COUNT] = {
#define NAME(id, name) [id] = name,
    SIGNALS(NAME)};

static void compare(SignalScratch *scratch, Span text, TextKind kind)
{
    static Slow slow;
    double want[SIG_COUNT] = {0}, got[SIG_COUNT];
    Err err = {0};
    Span s = check_edge(text);

    CHECK_OK(signals_measure(scratch, s, kind, got, &err), &err);
    slow_signals(&slow, s, kind, want);
    for (int i = 0; i < SIG_COUNT; i++) {
        if (isnan(got[i]) || i == SIG_MORE_LINES || fabs(got[i] - want[i]) < 1e-9) continue;
        fprintf(stderr, "%s: slow %.6f, fast %.6f\n", names[i], want[i], got[i]);
        CHECK(!"a signal differs from its slow version");
    }
    check_edge_free(s);
}

/* Texts of few words, so that much repeats; of many marks and odd breaks. */
static void make_text(Buf *b, uint64_t seed)
{
    static const char *const bits[] = {"the",
                                       "of ",
                                       "and ",
                                       " ",
                                       "\n",
                                       "\n\n",
                                       "- ",
                                       "a b c d e f g ",
                                       "中文",
                                       "电脑，",
                                       "。",
                                       "...",
                                       "…",
                                       "#",
                                       "##",
                                       "x1,",
                                       "3.14 ",
                                       "(that)",
                                       "\r\n",
                                       "\u2028",
                                       "  ",
                                       "【中】",
                                       "\t",
                                       "é",
                                       "e\u0301",
                                       "!?",
                                       "\x1c",
                                       "more ",
                                       "the cat sat on the mat ",
                                       "我们在这里说这个话",
                                       "\n\n\n",
                                       "• ",
                                       "to be\n",
                                       "~",
                                       "￥"};
    size_t n_bits = sizeof bits / sizeof *bits, n = mix64(seed) % 160, few = 2 + mix64(seed + 7) % (n_bits - 1);

    buf_reset(b);
    for (size_t i = 0; i < n; i++) buf_puts(b, bits[mix64(seed * 977 + i) % few * (1 + seed % 3) % n_bits]);
}

TEST(signals_agree_with_their_slow_versions)
{
    SignalScratch s = {0};
    Buf b = {0};

    for (uint64_t seed = 1; seed <= 240; seed++) {
        make_text(&b, seed);
        compare(&s, buf_span(&b), (TextKind)(seed % 3));
    }
    buf_clear(&b);
    signals_clear(&s);
}

TEST(signals_agree_on_edges)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "\n\n",
                                        "a",
                                        "a\n",
                                        "\na",
                                        "\na\n",
                                        "a\n\na",
                                        "a\n\n\na\n\n",
                                        " ",
                                        "中",
                                        "-\n-\n",
                                        "a\n \nb",
                                        "...",
                                        "....",
                                        "a...\n",
                                        "\r",
                                        "a\r\nb\r",
                                        "\u2029",
                                        "a b a b a b a b a b a b",
                                        "......a",
                                        "\n\n\n\n"};
    SignalScratch s = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int kind = 0; kind < KIND_OTHER; kind++) compare(&s, span_str(texts[i]), (TextKind)kind);
    signals_clear(&s);
}

/* Hand-worked, after the definitions. */
TEST(signals_of_a_text_worked_by_hand)
{
    SignalScratch s = {0};
    double v[SIG_COUNT];
    Err err = {0};

    /* words: a b a b a b = 6; text 11 code points; top 2-gram "a b" 3 times 3 = 9 of 11 */
    CHECK_OK(signals_measure(&s, SPAN_LIT("a b a b a b"), KIND_ENGLISH, v, &err), &err);
    CHECK(v[SIG_TOP_2] == 0.818182);
    CHECK(v[SIG_TOP_3] == 0.909091); /* "a b a" twice: 5 * 2 */
    CHECK(v[SIG_DUP_5] == 0);
    CHECK(v[SIG_WORD_LEN] == 1);
    CHECK(isnan(v[SIG_HAN]) && isnan(v[SIG_LINE_MAX]));
    /* teasers end two of three lines */
    CHECK_OK(signals_measure(&s, SPAN_LIT("点击查看更多\n\n新闻 展开 \n正文。"), KIND_CHINESE, v, &err), &err);
    CHECK(v[SIG_MORE_LINES] == 0.666667);
    CHECK(isnan(v[SIG_STOP_WORDS]));
    signals_clear(&s);
}

/* n bytes that alternate between two. */
static void alternate(Buf *text, size_t n, uint8_t odd, uint8_t even)
{
    buf_reset(text);
    CHECK(buf_reserve(text, n));
    for (size_t i = 0; i < n; i++) text->p[i] = i % 2 ? even : odd;
    text->n = n;
}

/* The worst there is for the scratch: words of one byte, lines of one byte. */
TEST(signals_of_giant_texts_are_bounded_and_give_back)
{
    SignalScratch s = {0};
    Buf text = {0};
    Err err = {0};
    double v[SIG_COUNT];

    alternate(&text, (size_t)WORDS_MAX + 1, '+', '-');
    CHECK_INT(ERR_LIMIT, signals_measure(&s, buf_span(&text), KIND_ENGLISH, v, &err));
    CHECK_INT(0, s.words.cap);
    alternate(&text, 2 * (size_t)WORDS_MAX + 1, '\f', '\n'); /* no word, as many lines as are too many */
    CHECK_INT(ERR_LIMIT, signals_measure(&s, buf_span(&text), KIND_ENGLISH, v, &err));
    alternate(&text, SIGNALS_KEEP + 1, '+', '-');
    CHECK_OK(signals_measure(&s, buf_span(&text), KIND_CODE, v, &err), &err);
    CHECK_INT(0, s.words.cap + s.repeats.cap);
    alternate(&text, SIGNALS_KEEP / 2, '+', '-');
    CHECK_OK(signals_measure(&s, buf_span(&text), KIND_CODE, v, &err), &err);
    CHECK(s.words.cap > 0);
    signals_clear(&s);
    buf_clear(&text);
}

TEST(text_kind_by_language_and_script)
{
    CHECK_INT(KIND_ENGLISH, text_kind(SPAN_LIT("en"), SPAN_LIT("中文")));
    CHECK_INT(KIND_CHINESE, text_kind(SPAN_LIT("zh-Hant"), SPAN_LIT("x")));
    CHECK_INT(KIND_CHINESE, text_kind(SPAN_LIT("zh"), SPAN_LIT("x")));
    CHECK_INT(KIND_CODE, text_kind(SPAN_LIT("code"), SPAN_LIT("x")));
    CHECK_INT(KIND_OTHER, text_kind(SPAN_LIT("fr"), SPAN_LIT("x")));
    CHECK_INT(KIND_OTHER, text_kind(SPAN_LIT("other"), SPAN_LIT("x")));
    CHECK_INT(KIND_ENGLISH, text_kind((Span){0}, SPAN_LIT("words and 中")));
    CHECK_INT(KIND_CHINESE, text_kind((Span){0}, SPAN_LIT("用 vim 写中文")));
    CHECK_INT(KIND_ENGLISH, text_kind((Span){0}, SPAN_LIT("...")));
}
