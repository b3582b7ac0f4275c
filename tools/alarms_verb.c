/* `tamis alarms`: bands for the rates of a run that went well, to be pasted into a recipe. */
#include "tools/dir_verb.h"
#include "tools/rundir.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { MAX_NAME = 80 };
/* Rates below it say little: what is rare varies. Drops as a whole count however rare. */
static const double least_share = 0.01;

typedef struct {
    double factor; /* on the odds */
    bool any;      /* a band of this stage is printed */
} Bands;

/* The odds may change by the factor either way, and three standard deviations of a binomial of n documents more. Odds, because a
 * rate of 0.99 that becomes 0.98 has doubled what is left. */
static void print_band(Bands *b, const char *verb, const char *group, Span name, double n, double of)
{
    const double rate = n / of, slack = 3 * sqrt(rate * (1 - rate) / of), f = b->factor;
    const double low = rate / (rate + f * (1 - rate)) - slack, high = rate * f / (rate * f + 1 - rate) + slack;
    const double unit = 1e6; /* six decimals, rounded outwards: the run itself stays inside */

    if (name.n > MAX_NAME || name.n != strcspn((const char *)name.p, "\"\\\n")) return;
    if (!b->any) printf("%s:\n  alarm:\n", verb);
    b->any = true;
    printf("    \"%s%.*s\": [%.6f, %.6f]  # was %.6f of %.0f\n", group, (int)name.n, (const char *)name.p,
           low > 0 ? floor(low * unit) / unit : 0, high < 1 ? ceil(high * unit) / unit : 1, rate, of);
}

static void print_drops(Bands *b, const RunStage *s)
{
    const Json *dropped = json_get(s->manifest, "dropped");
    const double in = (double)s->n_in;

    if (s->n_in == 0 || s->n_docs >= s->n_in) return;
    print_band(b, s->verb, "", SPAN_LIT("drop"), (double)(s->n_in - s->n_docs), in);
    for (const Json *d = dropped && dropped->type == JSON_OBJECT ? dropped->child : NULL; d; d = d->next) {
        const double n = (double)rundir_count_of(d);
        if (n >= least_share * in && n <= in) print_band(b, s->verb, "", d->key, n, in);
    }
}

static double docs_of(const Json *counter)
{
    return counter->type == JSON_ARRAY && counter->child ? (double)rundir_count_of(counter->child) : 0;
}

static void print_languages(Bands *b, const RunStage *s)
{
    const Json *lang = json_get(json_get(s->stats, "counters"), "lang");
    double all = 0;

    if (!lang || lang->type != JSON_OBJECT) return;
    for (const Json *l = lang->child; l; l = l->next) all += docs_of(l);
    for (const Json *l = lang->child; l; l = l->next)
        if (all > 0 && docs_of(l) >= least_share * all) print_band(b, s->verb, "lang/", l->key, docs_of(l), all);
}

static ErrCode alarms_run(const char *dir, const void *factor, Err *err)
{
    static const char *const verbs[] = {"ingest", "dedup", "filter"};
    RunDir run = {0};
    bool any = false;
    ErrCode rc = rundir_load(&run, dir, err);

    for (size_t i = 0; rc == ERR_OK && i < sizeof verbs / sizeof *verbs; i++) {
        const RunStage *s = rundir_stage(&run, verbs[i]);
        Bands b = {.factor = *(const double *)factor};
        print_drops(&b, s);
        print_languages(&b, s);
        any |= b.any;
    }
    if (rc == ERR_OK && !any) rc = err_set(err, ERR_NO, "%s: no rate to be watched", dir);
    rundir_clear(&run);
    return rc;
}

static ErrCode check(void *value, Err *err)
{
    const double factor = *(double *)value;

    return factor >= 1 && factor <= 1000 ? ERR_OK : err_set(err, ERR_USAGE, "alarms: --factor is 1 to 1000");
}

int alarms_verb(int argc, char **argv)
{
    double factor = 2;
    const OptSpec specs[] = {
        OPT_F64('f', "factor", &factor, "X", "how far the odds of a rate may change either way"),
        OPT_CHECK(check, &factor),
        OPT_END,
    };
    const OptVerb verb = {
        "alarms", "[options] RUN",
        "Print bands around the rates of a finished run that went well: drops as a whole, by reason, and the\n"
        "languages, for the sections of a recipe, so that a later run stops when a rate is another.",
        specs, NULL};
    return dir_verb(&verb, argc, argv, alarms_run, &factor, NULL);
}
