#include "tokenize/sampling.h"

#include "core/dataset_mixture.h"
#include "core/hash.h"

#include <math.h>
#include <stdlib.h>

/* Not the hash of any other choice made by id. */
static const uint64_t SAMPLE_SEED = 0x62706573616d706cu; /* "bpesampl" */

static int compare_shares(const void *a, const void *b)
{
    return span_cmp(((const SampleShare *)a)->domain, ((const SampleShare *)b)->domain);
}

static uint32_t chance(double wanted, double have)
{
    if (wanted >= have) return SAMPLE_MILLION;
    return (uint32_t)floor(wanted / have * SAMPLE_MILLION + 0.5);
}

static const SampleShare *find_share(const Sampling *s, Span domain)
{
    SampleShare key = {.domain = domain};

    if (!s->n_shares) return NULL;
    return bsearch(&key, s->share, s->n_shares, sizeof *s->share, compare_shares);
}

/* Bytes of a domain as the mixture file has them; a weight whose domain is not listed has none. */
static ErrCode domain_bytes(const Json *domains, Span domain, const char *name, double *bytes, Err *err)
{
    *bytes = 0;
    for (const Json *d = domains ? domains->child : NULL; d; d = d->next) {
        const Json *called = json_get(d, "name");
        if (called && called->type == JSON_STRING && span_eq(called->string, domain))
            return json_get_f64(d, "text_bytes", 0, name, bytes, err);
    }
    return ERR_OK;
}

static ErrCode read_shares(Sampling *s, const Json *domains, const Json *weights, const char *name,
                           double sample_bytes, Err *err)
{
    double sum = 0, have = 0, bytes;
    ErrCode rc;

    if (!(s->share = arena_array(&s->arena, weights->n, sizeof *s->share))) return err_nomem(err, "the mixture");
    for (const Json *w = weights->child; w; w = w->next) {
        if (w->type != JSON_NUMBER || !(w->number >= 0))
            return err_set(err, ERR_DATA, "%s: the weight of %s is not a number from 0 up", name,
                           (const char *)w->key.p);
        if ((rc = domain_bytes(domains, w->key, name, &bytes, err)) != ERR_OK) return rc;
        sum += w->number;
        if (w->number > 0) have += bytes;
    }
    double want = sample_bytes > 0 && sample_bytes < have ? sample_bytes : have;
    for (const Json *w = weights->child; w; w = w->next) {
        if ((rc = domain_bytes(domains, w->key, name, &bytes, err)) != ERR_OK) return rc;
        uint32_t millionths = w->number > 0 ? chance(want * (w->number / sum), bytes) : 0;
        s->share[s->n_shares++] = (SampleShare){w->key, millionths};
    }
    qsort(s->share, s->n_shares, sizeof *s->share, compare_shares);
    return ERR_OK;
}

ErrCode sampling_make(Sampling *s, Span mixture, const char *name, uint64_t sample_bytes, uint64_t text_bytes,
                      Err *err)
{
    Json *root;

    *s = (Sampling){.millionths = SAMPLE_MILLION};
    if (mixture.n == 0) {
        if (sample_bytes) s->millionths = chance((double)sample_bytes, (double)text_bytes);
        return ERR_OK;
    }
    s->by_domain = true;
    ErrCode rc = json_parse(&s->arena, mixture, name, &root, err);
    if (rc != ERR_OK) return rc;
    const Json *phases = json_get(root, "phases"),
               *first = phases && phases->type == JSON_ARRAY ? phases->child : NULL;
    const Json *weights = json_get(first, "weights");
    if (!weights || weights->type != JSON_OBJECT || weights->n == 0)
        return err_set(err, ERR_DATA, "%s: the first phase has no weights", name);
    return read_shares(s, json_get(root, "domains"), weights, name, (double)sample_bytes, err);
}

void sampling_clear(Sampling *s)
{
    arena_clear(&s->arena);
    *s = (Sampling){0};
}

bool sampling_takes(const Sampling *s, const Doc *doc)
{
    uint32_t millionths = s->millionths;

    if (s->by_domain) {
        const SampleShare *share = find_share(s, doc_domain(doc));
        millionths = share ? share->millionths : 0;
    }
    if (millionths == SAMPLE_MILLION) return true;
    return hash64_seed(doc->id, SAMPLE_SEED) % SAMPLE_MILLION < millionths;
}
