#include "dedup/dumpnames.h"

#include "core/json.h"
#include "dedup/sign.h"

#include <stdlib.h>

static const char others[] = "\xe2\x80\xa6"; /* as core/counters.h calls what has no room */

Span dumpnames_name(Span dump)
{
    if (dump.n == 0) return span(NULL, 0);
    return dump.n <= DUMPS_MAX_NAME ? dump : span_str(others);
}

uint64_t dumpnames_hash(Span dump) { return dump.n ? hash64(dump) : 0; }

static int by_name(const void *a, const void *b) { return span_cmp(*(const Span *)a, *(const Span *)b); }

static ErrCode take_names(DumpNames *d, const Json *group, Err *err)
{
    size_t n = group ? group->n : 0;

    d->name = arena_array(&d->arena, n, sizeof *d->name);
    d->hash = arena_array(&d->arena, n, sizeof *d->hash);
    d->number = arena_array(&d->arena, n, sizeof *d->number);
    if (!d->name || !d->hash || !d->number) return err_nomem(err, "the names of dumps");
    for (const Json *j = group ? group->child : NULL; j; j = j->next) {
        d->name[d->n++] = j->key;
        d->too_many |= span_is(j->key, others);
    }
    d->too_many |= d->n > DUMPS_MAX;
    if (d->too_many) d->n = 0;
    qsort(d->name, d->n, sizeof *d->name, by_name);
    for (uint32_t i = 0; i < d->n; i++) { /* by insertion: they are few */
        uint64_t hash = dumpnames_hash(d->name[i]);
        uint32_t at = i;
        for (; at > 0 && d->hash[at - 1] > hash; at--) {
            d->hash[at] = d->hash[at - 1];
            d->number[at] = d->number[at - 1];
        }
        d->hash[at] = hash;
        d->number[at] = (uint16_t)i;
    }
    return ERR_OK;
}

ErrCode dumpnames_load(DumpNames *d, const char *sign_dir, Err *err)
{
    const Json *counters = NULL;
    ErrCode rc;

    *d = (DumpNames){0};
    rc = sign_counters(&d->arena, sign_dir, &counters, err);
    const Json *group = counters ? json_get(counters, "dump") : NULL;
    if (rc == ERR_OK && group && group->type != JSON_OBJECT)
        rc = err_set(err, ERR_DATA, "%s/stats.json: its counters are damaged", sign_dir);
    if (rc == ERR_OK) rc = take_names(d, group, err);
    if (rc) dumpnames_clear(d);
    return rc;
}

void dumpnames_clear(DumpNames *d)
{
    arena_clear(&d->arena);
    *d = (DumpNames){0};
}

uint16_t dumpnames_number(const DumpNames *d, uint64_t hash)
{
    uint32_t lo = 0, hi = d->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (d->hash[mid] < hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < d->n && d->hash[lo] == hash ? d->number[lo] : DUMPS_NONE;
}
