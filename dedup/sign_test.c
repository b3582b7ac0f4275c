#include "dedup/sign.h"

#include "tests/check.h"

#include <stdlib.h>

static void make(Signature *s, const DedupParams *p, const char *text)
{
    MinHash m;
    Err err;

    CHECK_OK(minhash_init(&m, p->bands * p->rows, p->seed, &err), &err);
    CHECK_OK(signature_make(s, p, &m, span_str(text), &err), &err);
    minhash_clear(&m);
}

TEST(signature_shingles_are_the_ngrams_of_the_text_key)
{
    const char *text = "One two, three -- four FIVE six; 七 八 九 ten 11 12.";

    for (uint32_t len = 1; len < 16; len++) {
        DedupParams p = DEDUP_PARAMS_DEFAULT;
        Signature s = {0};
        p.shingle = len;
        make(&s, &p, text);
        CHECK_INT(12, s.key.n_tok);
        CHECK_INT(len <= 12 ? 12 - len + 1 : 0, s.n_shingles);
        for (size_t i = 0; i < s.n_shingles; i++) CHECK(s.shingle[i] == textkey_ngram(s.key.tok + i, len));
        signature_clear(&s);
    }
}

TEST(scratch_of_a_giant_text_is_given_back)
{
    const DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature s = {0};
    Buf text = {0};

    for (uint32_t i = 0; i <= SIGN_KEEP; i++) buf_puts(&text, "a ");
    make(&s, &p, buf_cstr(&text));
    CHECK(s.key.cap > SIGN_KEEP);
    make(&s, &p, "a few words");
    CHECK(s.key.cap < SIGN_KEEP && s.key.n_tok == 3);
    signature_clear(&s);
    buf_clear(&text);
}

TEST(signature_ignores_what_the_text_key_ignores)
{
    const DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature a = {0}, b = {0}, c = {0};

    make(&a, &p, "The quick brown fox, 12 years old, jumps over the lazy dog. 電腦。");
    make(&b, &p, "the QUICK brown fox 7 years old jumps -- over the lazy dog! 电脑");
    make(&c, &p, "the quick brown fox 7 years old jumps under the lazy dog! 电脑");
    CHECK(hash128_eq(a.exact, b.exact));
    CHECK(memcmp(a.band, b.band, p.bands * sizeof *a.band) == 0);
    CHECK(memcmp(a.sketch, b.sketch, sizeof a.sketch) == 0);
    CHECK(!hash128_eq(a.exact, c.exact));
    CHECK(memcmp(a.band, c.band, p.bands * sizeof *a.band) != 0);
    signature_clear(&a);
    signature_clear(&b);
    signature_clear(&c);
}

TEST(signature_of_another_seed_differs)
{
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature a = {0}, b = {0};

    make(&a, &p, "one two three four five six seven");
    p.seed = 2;
    make(&b, &p, "one two three four five six seven");
    CHECK(hash128_eq(a.exact, b.exact));
    for (uint32_t i = 0; i < p.bands; i++) CHECK(a.band[i] != b.band[i]);
    CHECK(memcmp(a.sketch, b.sketch, sizeof a.sketch) != 0);
    signature_clear(&a);
    signature_clear(&b);
}

/* Two bands over the same values would be the same band. */
TEST(signature_bands_differ)
{
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature a = {0};

    p.bands = DEDUP_MAX_BANDS;
    p.rows = 1;
    make(&a, &p, "one two three four five");
    for (uint32_t i = 1; i < p.bands; i++)
        for (uint32_t k = 0; k < i; k++) CHECK(a.band[i] != a.band[k]);
    signature_clear(&a);
}
