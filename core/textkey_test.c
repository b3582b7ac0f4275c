/* Text keys against a slow splitter: fold everything into one array of code points first, cut afterwards. */
#include "core/ascii_block.h"
#include "core/textkey.h"
#include "core/unicode.h"
#include "core/utf8.h"
#include "tests/check.h"

/* The tokens of the last split, joined with spaces. */
static const char *joined(TextKey *k, Span text, Buf *out)
{
    Err err = {0};
    CHECK_OK(textkey_split(k, text, &err), &err);
    buf_reset(out);
    for (size_t i = 0; i < k->folded.n; i++) buf_putc(out, k->folded.p[i] == '\n' ? ' ' : k->folded.p[i]);
    if (out->n) out->n--;
    return buf_cstr(out);
}

TEST(textkey_splits_as_documented)
{
    static const struct {
        const char *text, *want;
    } cases[] = {{"Don't 3.14 電腦！", "don t 0 0 电 脑"},
                 {"", ""},
                 {" \t\n…。!", ""},
                 {"ＡＢＣ　１２３abc", "abc 0abc"},
                 {"café cafe\xCC\x81", "cafe cafe"},
                 {"co\xC2\xADop", "coop"},
                 {"v2beta10", "v0beta0"},
                 {"第12章", "第 0 章"},
                 {"かガ", "か カ"},
                 {"㌀", "ア ハ ー ト"},
                 {"½", "0 0"},
                 {"Ⅷ", "viii"},
                 {"x\xFFy", "x y"},
                 {"Привет, МИР", "привет мир"}};
    TextKey k = {0};
    Buf out = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(cases[i].want, joined(&k, span_str(cases[i].text), &out));
    textkey_clear(&k);
    buf_clear(&out);
}

typedef struct {
    uint32_t cp, begin, end;
} Folded;
enum { SLOW_MAX = 8192 };

/* How two neighbouring folded characters relate: 0 apart, 1 same token. */
static bool solid(UnicodeClass c) { return c == UC_HAN || c == UC_KANA || c == UC_HANGUL; }
static bool wordy(UnicodeClass c) { return c == UC_LETTER || c == UC_MARK || c == UC_NUMBER || c == UC_DIGIT; }

/* Compares token by token; false at the first difference. */
static bool slow_agrees(const TextKey *k, Span text)
{
    static Folded f[SLOW_MAX];
    size_t n = 0, i = 0, t = 0;

    for (size_t at = 0; at < text.n;) {
        uint32_t cp, to[UNICODE_FOLD_MAX];
        size_t end = at + utf8_next(text.p + at, text.n - at, &cp);
        unsigned m = cp == UTF8_BAD ? (to[0] = ' ', 1) : unicode_fold(cp, to);
        for (unsigned j = 0; j < m; j++) f[n++] = (Folded){to[j], (uint32_t)at, (uint32_t)end};
        at = end;
    }
    while (i < n) {
        UnicodeClass c = unicode_class(f[i].cp);
        Buf token = {0};
        size_t first = i;
        if (!solid(c) && !wordy(c)) {
            i++;
            continue;
        }
        if (solid(c)) {
            utf8_append(&token, f[i++].cp);
        } else {
            for (; i < n && wordy(unicode_class(f[i].cp)); i++) {
                bool digit = unicode_class(f[i].cp) == UC_DIGIT;
                if (digit && i > first && unicode_class(f[i - 1].cp) == UC_DIGIT) continue;
                utf8_append(&token, digit ? '0' : f[i].cp);
            }
        }
        bool same = t < k->n_tok && k->tok[t].hash == hash64(buf_span(&token)) && k->tok[t].begin == f[first].begin &&
                    k->tok[t].end == f[i - 1].end;
        buf_clear(&token);
        if (!same) return false;
        t++;
    }
    return t == k->n_tok;
}

static void make_text(Buf *b, uint64_t seed)
{
    static const uint32_t base[] = {'a',    'A',    '0',    ' ',    0x4E00, 0x8000, 0xC0,    0x300,
                                    0xFF10, 0x3040, 0xAC00, 0x2000, 0x3300, 0x2150, 0x1F600, 0x660};

    buf_reset(b);
    for (uint64_t i = 0; i < 1 + seed % 200; i++) {
        uint64_t r = mix64(seed * 1000 + i);
        utf8_append(b, base[r % 16] + (uint32_t)(r >> 32) % (r % 16 < 4 ? 10 : 80));
        if ((r >> 16) % 50 == 0) buf_putc(b, 0xE4);
    }
}

/* Words up to twice a block, mostly short, between separators; now and then a digit, Han, or what folds. */
static void make_words(Buf *b, uint64_t seed)
{
    static const char *const rare[] = {
        "7", "2024", "\xE4\xBD\xA0\xE5\xA5\xBD", "\xE9\x9B\xBB", "\xCC\x81", "\xC3\xA9", "\xFF", "\xE2\x80\x99"};
    static const char separators[] = "    ,.\n'-@[`{_";

    buf_reset(b);
    for (uint64_t i = 0; b->n < 60 + seed % 700; i++) {
        uint64_t r = mix64(seed * 4096 + i);
        uint64_t n = r % 64 == 0 ? (r >> 8) % (2 * ASCII_BLOCK) : (r >> 8) % 14;
        for (uint64_t k = 0; k < n; k++) buf_putc(b, (uint8_t)((mix64(r + k) & 1 ? 'a' : 'A') + mix64(r - k) % 26));
        if ((r >> 20) % (2 + seed % 40) == 0) buf_puts(b, rare[(r >> 32) % (sizeof rare / sizeof *rare)]);
        if ((r >> 40) % 16) buf_putc(b, (uint8_t)separators[(r >> 48) % (sizeof separators - 1)]);
    }
}

static void check_texts(void (*make)(Buf *b, uint64_t seed), uint64_t n)
{
    TextKey k = {0};
    Buf b = {0};
    Err err = {0};

    for (uint64_t seed = 0; seed < n; seed++) {
        make(&b, seed);
        Span s = check_edge(buf_span(&b));
        CHECK_OK(textkey_split(&k, s, &err), &err);
        CHECK(slow_agrees(&k, s));
        check_edge_free(s);
    }
    textkey_clear(&k);
    buf_clear(&b);
}

TEST(textkey_of_words_agrees_with_the_slow_splitter) { check_texts(make_words, 800); }

/* Every byte at every place, and all of them at once. */
TEST(ascii_block_agrees_with_its_portable_twin)
{
    uint8_t p[ASCII_BLOCK];

    for (unsigned c = 0; c < 256; c++)
        for (unsigned at = 0; at < ASCII_BLOCK; at++) {
            for (unsigned i = 0; i < ASCII_BLOCK; i++) p[i] = (uint8_t)(i * 5 + c * 3);
            p[at] = (uint8_t)c;
            AsciiBlock got = ascii_block(p), want = ascii_block_portable(p);
            CHECK(got.letters == want.letters && got.other == want.other);
            CHECK((want.letters >> at & 1) == ascii_is_alpha((uint8_t)c));
            CHECK((want.other >> at & 1) == (ascii_is_digit((uint8_t)c) || c > 0x7F));
        }
}

TEST(textkey_agrees_with_the_slow_splitter) { check_texts(make_text, 600); }

TEST(textkey_hash_ignores_form_and_nothing_else)
{
    static const char *const same[] = {"Hello, World! 3.14 電腦", "hello world 2.71828 电脑",
                                       "ＨＥＬＬＯ ＷＯＲＬＤ　0…0電 脑\n"};
    static const char *const other[] = {"hello world 3 14 15 电脑", "helloworld 3.14 电脑", "world hello 3.14 电脑",
                                        "hello world 3.14 电", ""};
    TextKey k = {0};
    Err err = {0};

    CHECK_OK(textkey_split(&k, span_str(same[0]), &err), &err);
    Hash128 want = textkey_hash(&k, span_str(same[0]));
    for (size_t i = 1; i < 3; i++) {
        CHECK_OK(textkey_split(&k, span_str(same[i]), &err), &err);
        CHECK(hash128_eq(want, textkey_hash(&k, span_str(same[i]))));
    }
    for (size_t i = 0; i < 5; i++) {
        CHECK_OK(textkey_split(&k, span_str(other[i]), &err), &err);
        CHECK(!hash128_eq(want, textkey_hash(&k, span_str(other[i]))));
    }
    CHECK_OK(textkey_split(&k, SPAN_LIT("!!!"), &err), &err);
    CHECK(hash128_eq(hash128(SPAN_LIT("!!!")), textkey_hash(&k, SPAN_LIT("!!!"))));
    textkey_clear(&k);
}

TEST(textkey_ngram_rolls_and_tells_order)
{
    KeyToken t[8], swapped[2];

    for (uint64_t i = 0; i < 8; i++) t[i] = (KeyToken){.hash = mix64(i + 1)};
    /* the rolling form of the header */
    uint64_t sum = 0, top = 1;
    for (int i = 0; i < 4; i++) top *= TEXTKEY_NGRAM_BASE;
    for (size_t i = 0; i < 8; i++) {
        if (i >= 5) sum -= t[i - 5].hash * top;
        sum = sum * TEXTKEY_NGRAM_BASE + t[i].hash;
        if (i >= 4) CHECK(mix64(sum + 5) == textkey_ngram(t + i - 4, 5));
    }
    swapped[0] = t[1];
    swapped[1] = t[0];
    CHECK(textkey_ngram(t, 2) != textkey_ngram(swapped, 2));
    CHECK(textkey_ngram(t, 2) != textkey_ngram(t, 3));
    CHECK(textkey_ngram(t, 1) != textkey_ngram(t + 1, 1));
}

/* Every byte at every place among letters, and behind a first byte that is none. */
TEST(ascii_leading_letters_agrees_byte_by_byte)
{
    unsigned n_wrong = 0;

    for (unsigned place = 0; place < 8; place++)
        for (unsigned value = 0; value < 256; value++)
            for (unsigned fill = 0; fill < 4; fill++) {
                static const uint8_t around[] = {'a', 'Z', '@', 0xE4};
                uint8_t bytes[8];
                unsigned want = 0;
                memset(bytes, around[fill], 8);
                bytes[place] = (uint8_t)value;
                while (want < 8 && ascii_is_alpha(bytes[want])) want++;
                n_wrong += want != ascii_leading_letters(le64_get(bytes));
            }
    CHECK_INT(0, n_wrong);
}
