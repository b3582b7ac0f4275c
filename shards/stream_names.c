#include "shards/stream_names.h"

#include <stdlib.h>

typedef struct StreamByName StreamByName;

static int by_name(const void *a, const void *b)
{
    const StreamByName *x = a, *y = b;
    const int d = span_cmp(x->name, y->name);

    return d ? d : (x->stream > y->stream) - (x->stream < y->stream);
}

ErrCode streamnames_sort(StreamNames *names, Arena *a, StreamNameOf name_of, const void *ctx, uint32_t n, Err *err)
{
    *names = (StreamNames){.v = arena_array(a, n, sizeof *names->v), .n = n};
    if (!names->v) return err_nomem(err, "the names of streams");
    for (uint32_t i = 0; i < n; i++) names->v[i] = (StreamByName){span_str(name_of(ctx, i)), i};
    if (n) qsort(names->v, n, sizeof *names->v, by_name);
    return ERR_OK;
}

bool streamnames_find(const StreamNames *names, Span name, uint32_t *stream)
{
    uint32_t low = 0, high = names->n; /* the first that is not less lies in [low, high] */

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (span_cmp(names->v[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == names->n || !span_eq(names->v[low].name, name)) return false;
    *stream = names->v[low].stream;
    return true;
}

const char *streamnames_twice(const StreamNames *names)
{
    for (uint32_t i = 1; i < names->n; i++)
        if (span_eq(names->v[i - 1].name, names->v[i].name)) return (const char *)names->v[i].name.p;
    return NULL;
}
