/* Weights by hand, and against another method: min(bound, level * b^alpha) with the level found by bisection. */
#include "remix/weights.h"

#include "core/hash.h"
#include "tests/check.h"

#include <math.h>

static bool near(double a, double b) { return fabs(a - b) < 2e-6; }

TEST(weights_by_temperature_without_bound)
{
    MixDomain d[3] = {{.text_bytes = 100}, {.text_bytes = 400}, {.text_bytes = 2500}};
    MixTemperature t = {.alpha = 0.5, .epochs = 1, .max_epochs = 0};
    Err err = {0};
    bool over;

    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(d[0].weight == 0.125 && d[1].weight == 0.25 && d[2].weight == 0.625); /* 10 : 20 : 50 */
    CHECK(!over);
    CHECK(near(weights_epochs(&d[0], d, 3, &t), 0.125 * 30));
    t.alpha = 1;
    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(near(d[0].weight, 1 / 30.0) && near(weights_epochs(&d[2], d, 3, &t), 1));
    t.alpha = 0;
    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(d[0].weight == 0.333333 && d[2].weight == 0.333333);
}

TEST(weights_are_bounded_by_epochs)
{
    MixDomain d[3] = {{.text_bytes = 1}, {.text_bytes = 49}, {.text_bytes = 950}};
    MixTemperature t = {.alpha = 0, .epochs = 1, .max_epochs = 4};
    Err err = {0};
    bool over;

    /* a third each would read the small ones 333 and 6.8 times: 4 * 1/1000, 4 * 49/1000, the rest for the large one */
    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(d[0].weight == 0.004 && d[1].weight == 0.196 && d[2].weight == 0.8 && !over);
    /* at eight passes nothing can stay below four: all are read alike */
    t.epochs = 8;
    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(over);
    CHECK(d[0].weight == 0.001 && d[1].weight == 0.049 && d[2].weight == 0.95);
}

TEST(weights_given_stand)
{
    MixDomain d[3] = {
        {.text_bytes = 100, .given = true, .given_weight = 0.4}, {.text_bytes = 900}, {.text_bytes = 100}};
    MixTemperature t = {.alpha = 0.5, .epochs = 1, .max_epochs = 4};
    Err err = {0};
    bool over;

    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(d[0].weight == 0.4 && d[1].weight == 0.45 && d[2].weight == 0.15); /* 30 : 10 of 0.6 */
    d[1].given = d[2].given = true;
    d[1].given_weight = 1.2;
    d[2].given_weight = 0;
    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(d[0].weight == 0.25 && d[1].weight == 0.75 && d[2].weight == 0);
    d[2].given = false;
    CHECK_INT(ERR_USAGE, weights_compute(d, 3, &t, &over, &err)); /* 1.6 leaves nothing */
    CHECK(strstr(err.msg, "nothing for 1 other domain") != NULL);
    d[0].given_weight = d[1].given_weight = 0;
    d[2].given = true;
    CHECK_INT(ERR_USAGE, weights_compute(d, 3, &t, &over, &err));
    CHECK_OK(weights_compute(d, 0, &t, &over, &err), &err); /* nothing to weigh */
}

TEST(weights_of_the_tiny_are_not_lost)
{
    MixDomain d[2] = {{.text_bytes = 0, .docs = 1}, {.text_bytes = UINT64_C(1) << 50}};
    MixTemperature t = {.alpha = 1, .epochs = 1, .max_epochs = 0};
    Err err = {0};
    bool over;

    CHECK_OK(weights_compute(d, 2, &t, &over, &err), &err);
    CHECK(d[0].weight == 1e-6 && d[1].weight == 1);
}

/* The same problem by bisection on the water level; false when even the bounds do not hold the rest. */
static bool slow_weights(const MixDomain *d, size_t n, const MixTemperature *t, double *w)
{
    double total = 0, rest = 1, low = 0, high = 1, room = 0;

    for (size_t i = 0; i < n; i++) {
        total += (double)d[i].text_bytes;
        if (d[i].given) rest -= d[i].given_weight;
    }
    for (size_t i = 0; i < n; i++)
        if (!d[i].given) room += t->max_epochs * (double)d[i].text_bytes / (t->epochs * total);
    for (int step = 0; step < 200; step++) {
        double level = (low + high) / 2, sum = 0;
        for (size_t i = 0; i < n; i++) {
            double b = (double)d[i].text_bytes;
            w[i] = d[i].given ? d[i].given_weight
                              : fmin(t->max_epochs * b / (t->epochs * total), level * pow(b, t->alpha));
            if (!d[i].given) sum += w[i];
        }
        *(sum > rest ? &high : &low) = level;
    }
    return room >= rest;
}

static void make_domains(MixDomain *d, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = mix64(seed * 100 + i);
        d[i] = (MixDomain){.text_bytes = 1000000 + (r >> 8) % (UINT64_C(1) << (10 + r % 20)),
                           .given = i > 1 && r % 5 == 0,
                           .given_weight = 0.05};
    }
}

TEST(weights_agree_with_bisection)
{
    unsigned n_bounded = 0, n_over = 0;

    for (uint64_t seed = 1; seed <= 300; seed++) {
        MixDomain d[12];
        double want[12], sum = 0;
        size_t n = 2 + mix64(seed) % 11;
        MixTemperature t = {.alpha = (double)(mix64(seed + 1) % 11) / 10,
                            .epochs = 0.25 * (double)(1 + mix64(seed + 2) % 8),
                            .max_epochs = 4};
        Err err = {0};
        bool over;
        make_domains(d, n, seed);
        CHECK_OK(weights_compute(d, n, &t, &over, &err), &err);
        CHECK_INT(!slow_weights(d, n, &t, want), over);
        for (size_t i = 0; i < n; i++) {
            sum += d[i].weight;
            if (over) continue;
            CHECK(near(want[i], d[i].weight));
            n_bounded += !d[i].given && fabs(weights_epochs(&d[i], d, n, &t) - 4) < 1e-2;
        }
        n_over += over;
        CHECK(fabs(sum - 1) < 2e-5);
    }
    CHECK(n_bounded > 100 && n_over < 100);
}

/* FineWeb-2's table: with alpha 1 a byte of the domain is read in proportion to its repeats. */
TEST(weights_of_repeated_domains)
{
    MixDomain d[3] = {{.text_bytes = 600}, {.text_bytes = 300, .repeat = 2}, {.text_bytes = 100, .repeat = 8}};
    MixTemperature t = {.alpha = 1, .epochs = 1, .max_epochs = 0};
    Err err = {0};
    bool over;

    CHECK_OK(weights_compute(d, 3, &t, &over, &err), &err);
    CHECK(near(d[0].weight, 0.3) && near(d[1].weight, 0.3) && near(d[2].weight, 0.4)); /* 600 : 600 : 800 */
    CHECK(near(weights_epochs(&d[1], d, 3, &t), 2 * weights_epochs(&d[0], d, 3, &t)));
    CHECK(near(weights_epochs(&d[2], d, 3, &t), 8 * weights_epochs(&d[0], d, 3, &t)));
}
