/* remix/weights.c - weights by temperature, with water filling. */
#include "remix/weights.h"

#include <math.h>
#include <stdlib.h>

static const double UNIT = 1e-6; /* the least weight, and what weights are rounded to */

static double total_bytes(const MixDomain *d, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += (double)d[i].text_bytes;
    return sum;
}

/* A domain without text (empty documents) counts as one byte, so that nothing divides by 0. */
static double bytes_of(const MixDomain *d) { return d->text_bytes ? (double)d->text_bytes : 1; }

static double mass(const MixDomain *d, double alpha) { return pow(bytes_of(d) * (d->repeat ? d->repeat : 1), alpha); }

/* Shares `rest` among the domains that are not fixed. fixed[i]: its weight stands. Returns whether all ended at their
 * bound with something left. */
static bool fill(MixDomain *d, size_t n, const MixTemperature *t, double rest, bool *fixed)
{
    double length = t->epochs * total_bytes(d, n);
    bool again = true;

    while (again) {
        double sum = 0, taken = 0;
        again = false;
        for (size_t i = 0; i < n; i++) sum += fixed[i] ? 0 : mass(&d[i], t->alpha);
        if (sum == 0) return rest > UNIT;
        for (size_t i = 0; i < n; i++) {
            if (fixed[i]) continue;
            double bound = t->max_epochs > 0 && length > 0 ? t->max_epochs * bytes_of(&d[i]) / length : 1;
            d[i].weight = rest * mass(&d[i], t->alpha) / sum;
            if (d[i].weight <= bound || t->max_epochs == 0) continue;
            d[i].weight = bound;
            fixed[i] = true;
            taken += bound;
            again = true;
        }
        rest -= taken;
    }
    return false;
}

/* All domains without a given weight, in proportion to their text: each is read equally often. */
static void fill_evenly(MixDomain *d, size_t n, double rest)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += d[i].given ? 0 : bytes_of(&d[i]);
    for (size_t i = 0; i < n; i++)
        if (!d[i].given) d[i].weight = rest * bytes_of(&d[i]) / sum;
}

static void round_weights(MixDomain *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (d[i].weight <= 0) continue;
        d[i].weight = round(d[i].weight * 1e6) / 1e6;
        if (d[i].weight < UNIT) d[i].weight = UNIT;
    }
}

ErrCode weights_compute(MixDomain *d, size_t n, const MixTemperature *t, bool *over, Err *err)
{
    double given = 0;
    size_t n_given = 0;
    bool *fixed = calloc(n ? n : 1, sizeof *fixed);
    ErrCode rc = ERR_OK;

    *over = false;
    if (!fixed) return err_nomem(err, "mixture weights");
    for (size_t i = 0; i < n; i++) {
        fixed[i] = d[i].given;
        n_given += d[i].given;
        if (d[i].given) given += d[i].given_weight;
    }
    if (n_given == n && n && given <= 0) {
        rc = err_set(err, ERR_USAGE, "the weights of all domains are 0");
    } else if (n_given < n && given >= 1) {
        rc = err_set(err, ERR_USAGE, "the given weights sum to %g, which leaves nothing for %zu other domain%s",
                     given, n - n_given, n - n_given == 1 ? "" : "s");
    } else {
        for (size_t i = 0; i < n; i++)
            if (d[i].given) d[i].weight = n_given == n ? d[i].given_weight / given : d[i].given_weight;
        if (n_given < n && (*over = fill(d, n, t, 1 - given, fixed))) fill_evenly(d, n, 1 - given);
        round_weights(d, n);
    }
    free(fixed);
    return rc;
}

double weights_epochs(const MixDomain *d, const MixDomain *all, size_t n, const MixTemperature *t)
{
    return d->weight * t->epochs * total_bytes(all, n) / bytes_of(d);
}
