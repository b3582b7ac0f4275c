/* train/train_data.c - samples with their tokens checked (train/train_data.h). */
#include "train/train_data.h"

#include <inttypes.h>

static ErrCode check_tokens(const DataSource *d, const uint32_t *token, size_t n, const char *what, uint64_t index,
                            Err *err)
{
    for (size_t i = 0; i < n; i++)
        if (token[i] >= d->vocab_size)
            return err_set(err, ERR_DATA,
                           "%s sample %" PRIu64 ": token %" PRIu32 " at %zu is beyond the vocabulary of %" PRIu32,
                           what, index, token[i], i, d->vocab_size);
    return ERR_OK;
}

ErrCode datasource_sample(const DataSource *d, uint64_t s, uint32_t context, uint32_t *out, Err *err)
{
    ErrCode rc = d->sample(d->ctx, s, out, err);
    return rc == ERR_OK ? check_tokens(d, out, (size_t)context + 1, "training", s, err) : rc;
}

ErrCode datasource_heldout(const DataSource *d, uint64_t i, uint32_t context, uint32_t *stream, uint32_t *out,
                           Err *err)
{
    ErrCode rc = d->heldout(d->ctx, i, stream, out, err);
    return rc == ERR_OK ? check_tokens(d, out, (size_t)context + 1, "held-out", i, err) : rc;
}

void datasource_clear(DataSource *d)
{
    if (d->release) d->release(d->ctx);
    *d = (DataSource){0};
}
