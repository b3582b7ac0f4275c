/* train/evaluate.c - held-out loss, bits per byte, and the unigram bound (train/evaluate.h). */
#include "train/evaluate.h"

#include "core/log.h"

#include <math.h>
#include <stdlib.h>

/* The i-th of n indexes spread evenly over 0 .. total - 1. */
static uint64_t spread(uint64_t i, uint64_t n, uint64_t total)
{
    return (uint64_t)((double)i * (double)total / (double)n);
}

static uint64_t at_most(uint64_t a, uint64_t b) { return a < b ? a : b; }

static ErrCode go_on(Err *err)
{
    return interrupt_seen() ? err_set(err, ERR_INTR, "stopped in an evaluation; the same command continues") : ERR_OK;
}

static void add_losses(EvalResult *r, uint32_t stream, const DataSource *d, const uint32_t *target,
                       const double *loss, size_t n)
{
    EvalSum s = {.tokens = n};

    for (size_t i = 0; i < n; i++) {
        s.nats += loss[i];
        if (target[i] != d->eos_id) s.bytes += d->bytes(d->ctx, target[i]).n;
    }
    for (int k = 0; k < 2; k++) {
        EvalSum *to = k ? &r->stream[stream] : &r->all;
        to->tokens += s.tokens, to->bytes += s.bytes, to->nats += s.nats;
    }
}

ErrCode evaluate(Model *m, const DataSource *d, uint64_t max_samples, EvalResult *out, Err *err)
{
    const size_t context = m->spec.shape.context, batch = m->max_batch;
    const uint64_t n = at_most(max_samples, d->n_heldout);
    uint32_t *samples = malloc(batch * (context + 1) * sizeof *samples), *stream = calloc(batch, sizeof *stream);
    double *loss = malloc(batch * context * sizeof *loss);
    ErrCode rc = ERR_OK;

    *out = (EvalResult){.stream = calloc((size_t)d->n_streams + 1, sizeof *out->stream)};
    if (!samples || !stream || !loss || !out->stream) rc = err_nomem(err, "an evaluation");
    for (uint64_t i = 0; i < n && rc == ERR_OK; i += batch) {
        if ((rc = go_on(err)) != ERR_OK) break;
        const size_t k = (size_t)at_most(batch, n - i);
        for (size_t b = 0; b < k && rc == ERR_OK; b++)
            rc = datasource_heldout(d, spread(i + b, n, d->n_heldout), (uint32_t)context, &stream[b],
                                    samples + b * (context + 1), err);
        if (rc != ERR_OK) break;
        model_eval(m, samples, (uint32_t)k, loss);
        for (size_t b = 0; b < k; b++)
            add_losses(out, stream[b], d, samples + b * (context + 1) + 1, loss + b * context, context);
    }
    free(samples);
    free(stream);
    free(loss);
    if (rc != ERR_OK) evalresult_clear(out);
    return rc;
}

void evalresult_clear(EvalResult *r)
{
    free(r->stream);
    *r = (EvalResult){.stream = NULL};
}

ErrCode unigram_entropy(const DataSource *d, uint32_t context, uint64_t n_samples, uint64_t max_heldout, double *nats,
                        Err *err)
{
    const uint64_t n_train = at_most(n_samples, UNIGRAM_MAX_SAMPLES), n = at_most(max_heldout, d->n_heldout);
    uint32_t *sample = malloc(((size_t)context + 1) * sizeof *sample), stream;
    uint64_t *count = calloc(d->vocab_size, sizeof *count);
    const double total = (double)n_train * context + d->vocab_size;
    double sum = 0;
    ErrCode rc = sample && count ? ERR_OK : err_nomem(err, "token counts");

    for (uint64_t i = 0; i < n_train && rc == ERR_OK; i++)
        if ((rc = go_on(err)) == ERR_OK &&
            (rc = datasource_sample(d, spread(i, n_train, n_samples), context, sample, err)) == ERR_OK)
            for (uint32_t t = 1; t <= context; t++) count[sample[t]]++;
    for (uint64_t i = 0; i < n && rc == ERR_OK; i++)
        if ((rc = go_on(err)) == ERR_OK &&
            (rc = datasource_heldout(d, spread(i, n, d->n_heldout), context, &stream, sample, err)) == ERR_OK)
            for (uint32_t t = 1; t <= context; t++) sum -= log((double)(count[sample[t]] + 1) / total);
    *nats = n && rc == ERR_OK ? sum / ((double)n * context) : 0;
    free(sample);
    free(count);
    return rc;
}
