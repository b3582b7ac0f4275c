#include "dedup/minhash.h"

#include "core/hash.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

/* Two sets of `common` shared shingles and `own` of each one's own: J = common / (common + 2 own). */
typedef struct {
    uint64_t *a, *b;
    uint32_t *a32, *b32;
    size_t n;
} Pair;

static Pair make_pair(size_t common, size_t own, uint64_t seed)
{
    Pair p = {.n = common + own};

    p.a = malloc(p.n * sizeof *p.a);
    p.b = malloc(p.n * sizeof *p.b);
    p.a32 = malloc(p.n * sizeof *p.a32);
    p.b32 = malloc(p.n * sizeof *p.b32);
    for (size_t i = 0; i < p.n; i++) {
        p.a[i] = mix64(seed * 1000003 + i);
        p.b[i] = mix64(seed * 1000003 + (i < common ? i : i + p.n));
        p.a32[i] = (uint32_t)(p.a[i] >> 32);
        p.b32[i] = (uint32_t)(p.b[i] >> 32);
    }
    return p;
}

static void pair_free(Pair *p)
{
    free(p->a);
    free(p->b);
    free(p->a32);
    free(p->b32);
}

static double estimate(const Pair *p, uint32_t n_values, uint64_t seed)
{
    MinHash m;
    Err err;
    uint32_t equal = 0;

    CHECK_OK(minhash_init(&m, n_values, seed, &err), &err);
    uint32_t *a = malloc(m.n_padded * sizeof *a), *b = malloc(m.n_padded * sizeof *b);
    minhash_sign(&m, p->a32, p->n, a);
    minhash_sign(&m, p->b32, p->n, b);
    for (uint32_t i = 0; i < n_values; i++) equal += a[i] == b[i];
    free(a);
    free(b);
    minhash_clear(&m);
    return (double)equal / n_values;
}

/* Of 1024 values each is equal with chance J: sigma = sqrt(J (1 - J) / 1024) <= 0.0157. Four sigma and fixed seeds. */
TEST(minhash_estimates_jaccard)
{
    const size_t shape[][2] = {{200, 100}, {900, 50}, {50, 500}, {20, 5}, {3000, 1000}, {1, 1}, {10, 0}, {0, 10}};

    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            Pair p = make_pair(shape[s][0], shape[s][1], seed);
            double j = (double)shape[s][0] / (double)(shape[s][0] + 2 * shape[s][1]);
            CHECK(fabs(estimate(&p, 1024, seed) - j) <= 4 * sqrt(j * (1 - j) / 1024) + 1e-9);
            pair_free(&p);
        }
}

/* Unbiased: over 60 seeds the mean of 112-value estimates is within four of its own sigmas of J = 0.5. */
TEST(minhash_is_unbiased_over_seeds)
{
    double sum = 0;

    for (uint64_t seed = 0; seed < 60; seed++) {
        Pair p = make_pair(100, 50, seed + 10);
        sum += estimate(&p, 112, seed);
        pair_free(&p);
    }
    CHECK(fabs(sum / 60 - 0.5) <= 4 * sqrt(0.25 / (112 * 60)));
}

TEST(minhash_kernels_agree_with_the_definition)
{
    const size_t sizes[] = {0, 1, 2, 17, 4095, 4096, 4097, 9000};
    uint32_t *x = malloc(9000 * sizeof *x);
    bool missing[MINHASH_KERNELS] = {false};

    for (size_t i = 0; i < 9000; i++) x[i] = (uint32_t)mix64(i);
    x[1] = 0;
    x[2] = UINT32_MAX;
    for (uint32_t n_values = 1; n_values <= 160; n_values += 53) {
        MinHash m;
        Err err;
        CHECK_OK(minhash_init(&m, n_values, 7, &err), &err);
        CHECK(m.n_padded >= n_values && m.n_padded % MINHASH_BLOCK == 0);
        uint32_t *a = malloc(m.n_padded * sizeof *a), *b = malloc(m.n_padded * sizeof *b);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (uint32_t v = 0; v < m.n_padded; v++) {
                uint32_t least = UINT32_MAX;
                for (size_t i = 0; i < sizes[s]; i++) {
                    uint32_t h = (uint32_t)(m.mul[v] * x[i] >> 32);
                    if (h < least) least = h;
                }
                a[v] = least;
            }
            for (int k = 0; k < MINHASH_KERNELS; k++) {
                missing[k] = !minhash_sign_by((MinHashKernel)k, &m, x, sizes[s], b);
                CHECK(missing[k] || memcmp(a, b, m.n_padded * sizeof *a) == 0);
            }
        }
        free(a);
        free(b);
        minhash_clear(&m);
    }
    CHECK(!missing[MINHASH_PORTABLE]);
    if (missing[MINHASH_AVX512]) fprintf(stderr, "no AVX-512 here: one kernel not tested\n");
    if (missing[MINHASH_AVX2]) fprintf(stderr, "no AVX2 here: one kernel not tested\n");
    free(x);
}

static double estimate_by_sketch(const Pair *p, uint64_t seed)
{
    uint8_t a[SKETCH_BINS], b[SKETCH_BINS];
    uint32_t n;

    sketch_make(p->a, p->n, seed, a);
    sketch_make(p->b, p->n, seed, b);
    double m = sketch_matches(a, b, &n);
    return n ? (255 * m - n) / (254.0 * n) : 0;
}

/* One sketch has sigma = sqrt(J (1 - J) / bins in use), so the mean over 40 seeds a fortieth of its square. Few shingles use
 * fewer bins: their number is at least half of the union's for up to 128 shingles. */
TEST(sketch_estimates_jaccard)
{
    const size_t shape[][2] = {{700, 150}, {2000, 400}, {60, 15}, {20, 10}, {400, 400}};

    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
        size_t all = shape[s][0] + 2 * shape[s][1];
        double sum = 0, j = (double)shape[s][0] / (double)all, bins = all > 256 ? 110 : (double)all / 2;
        for (uint64_t seed = 0; seed < 40; seed++) {
            Pair p = make_pair(shape[s][0], shape[s][1], seed + 100);
            sum += estimate_by_sketch(&p, seed);
            pair_free(&p);
        }
        CHECK(fabs(sum / 40 - j) <= 4 * sqrt(j * (1 - j) / bins / 40));
    }
}

TEST(sketch_decides_by_integers)
{
    uint8_t a[SKETCH_BINS] = {0}, b[SKETCH_BINS] = {0};
    uint32_t n, margin;

    CHECK(!sketch_near(a, b, 0)); /* nothing is like nothing */
    CHECK_INT(-1, sketch_estimate(a, b, 700000, &margin));
    for (int i = 0; i < 100; i++) a[i] = b[i] = (uint8_t)(i + 1);
    CHECK_INT(100, sketch_matches(a, b, &n));
    CHECK_INT(100, n);
    CHECK(sketch_near(a, b, 1000000));
    for (int i = 0; i < 30; i++) b[i] = 200; /* 70 of 100: (255*70-100)/(25400) = 0.698819 */
    CHECK_INT(70, sketch_matches(a, b, &n));
    CHECK(sketch_near(a, b, 698818));
    CHECK(!sketch_near(a, b, 698820));
    CHECK_INT(698818, sketch_estimate(a, b, 700000, &margin));
    CHECK_INT(137477, margin); /* 3 sqrt(.7 * .3 / 100) */
    CHECK_INT(1000000, sketch_estimate(a, a, 1000000, &margin));
    CHECK_INT(1, margin); /* equal sketches are no proof of equal sets */
    CHECK_INT(1000000, sketch_estimate(a, a, 0, &margin));
    CHECK_INT(0, margin);                     /* everything is as like as that */
    for (int i = 100; i < 110; i++) b[i] = 9; /* bins used by one count against: 70 of 110 */
    CHECK_INT(70, sketch_matches(a, b, &n));
    CHECK_INT(110, n);
    CHECK(!sketch_near(a, b, 698818));
}
