#include "ingest/staged.h"

#include "core/store.h"

#include <stdlib.h>

struct Staged {
    const Inputs *in;
    Staging *staging;
    uint32_t depth;
    uint32_t ahead[STAGING_MAX_DEPTH];
    size_t n_ahead;
};

ErrCode staged_open(Staged **out, const Inputs *in, const StagingParams *params, Err *err)
{
    bool remote = false;
    Staged *s;
    ErrCode rc;

    *out = NULL;
    for (size_t i = 0; i < in->n && !remote; i++) remote = input_is_staged(&in->input[i]);
    if (!remote) return ERR_OK;
    if (!(s = calloc(1, sizeof *s))) return err_nomem(err, "staging");
    s->in = in;
    s->depth = params->depth < STAGING_MAX_DEPTH ? params->depth : STAGING_MAX_DEPTH;
    if ((rc = staging_open(&s->staging, params, err)) == ERR_OK)
        *out = s;
    else
        free(s);
    return rc;
}

void staged_close(Staged *s)
{
    if (!s) return;
    staging_close(s->staging);
    free(s);
}

void staged_ahead(Staged *s, const uint32_t *parts, size_t n)
{
    if (!s) return;
    s->n_ahead = n < STAGING_MAX_DEPTH ? n : STAGING_MAX_DEPTH;
    if (s->n_ahead) memcpy(s->ahead, parts, s->n_ahead * sizeof *parts);
}

/* The remote inputs of slices [begin, end) behind those that are listed already, up to `max` in all. */
static size_t add_slices(const Staged *s, uint32_t begin, uint32_t end, StagingObject *list, size_t n, size_t max)
{
    for (uint32_t k = begin; k < end && n < max; k++) {
        const Input *i = &s->in->input[s->in->slice[k].input];
        size_t at = 0;
        if (!input_is_staged(i)) continue;
        while (at < n && list[at].path != i->url) at++;
        if (at == n) list[n++] = (StagingObject){i->url, i->size};
    }
    return n;
}

ErrCode staged_take(Staged *s, const Inputs *in, uint32_t slice, uint32_t end, const char **local, Err *err)
{
    StagingObject list[STAGING_MAX_DEPTH + 1];
    const char *url = in->input[in->slice[slice].input].url;
    ErrCode rc;

    *local = url;
    if (!s || !input_is_staged(&in->input[in->slice[slice].input])) return ERR_OK;
    size_t n = add_slices(s, slice, end, list, 0, s->depth + (size_t)1);
    for (size_t p = 0; p < s->n_ahead; p++)
        n = add_slices(s, in->part_first[s->ahead[p]], in->part_first[s->ahead[p] + 1], list, n,
                       s->depth + (size_t)1);
    if ((rc = staging_expect(s->staging, list, n, err)) != ERR_OK) return rc;
    return staging_take(s->staging, url, local, err);
}

void staged_done(Staged *s, const Inputs *in, uint32_t slice)
{
    if (s) staging_done(s->staging, in->input[in->slice[slice].input].url);
}
