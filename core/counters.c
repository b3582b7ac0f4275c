#include "core/counters.h"

#include "core/utf8.h"

#include <stdlib.h>

static int compare(const Counter *c, Span group, Span name)
{
    int d = span_cmp(c->group, group);

    return d ? d : span_cmp(c->name, name);
}

/* Index of the first counter not below (group, name). */
static size_t lower_bound(const Counters *c, Span group, Span name)
{
    size_t lo = 0, hi = c->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (compare(&c->v[mid], group, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t group_size(const Counters *c, Span group, size_t near)
{
    size_t lo = near, hi = near;

    while (lo > 0 && span_eq(c->v[lo - 1].group, group)) lo--;
    while (hi < c->n && span_eq(c->v[hi].group, group)) hi++;
    return hi - lo;
}

static Counter *insert(Counters *c, size_t at, Span group, Span name)
{
    Counter *room = array_grow(c->v, c->n, &c->cap, sizeof *room);

    if (!room) {
        c->oom = true;
        return NULL;
    }
    c->v = room;
    memmove(c->v + at + 1, c->v + at, (c->n - at) * sizeof *c->v);
    c->n++;
    c->v[at] = (Counter){.group = arena_copy(&c->arena, group), .name = arena_copy(&c->arena, name)};
    if (!c->v[at].group.p || !c->v[at].name.p) c->oom = true;
    return &c->v[at];
}

void counters_add(Counters *c, Span group, Span name, uint64_t docs, uint64_t bytes)
{
    static const Span rest = {(const uint8_t *)"\xe2\x80\xa6", 3};

    name.n = utf8_floor(name, COUNTERS_MAX_NAME_BYTES);
    size_t at = lower_bound(c, group, name);
    Counter *hit = at < c->n && compare(&c->v[at], group, name) == 0 ? &c->v[at] : NULL;
    if (!hit && !span_eq(name, rest) && group_size(c, group, at) >= COUNTERS_MAX_NAMES) {
        counters_add(c, group, rest, docs, bytes);
        return;
    }
    if (!hit) hit = insert(c, at, group, name);
    if (!hit) return;
    hit->docs += docs;
    hit->bytes += bytes;
}

void counters_merge(Counters *into, const Counters *from)
{
    for (size_t i = 0; i < from->n; i++)
        counters_add(into, from->v[i].group, from->v[i].name, from->v[i].docs, from->v[i].bytes);
    into->oom |= from->oom;
}

void counters_reset(Counters *c)
{
    c->n = 0;
    c->oom = false;
    arena_reset(&c->arena);
}

void counters_clear(Counters *c)
{
    free(c->v);
    arena_clear(&c->arena);
    *c = (Counters){0};
}

void counters_put_json(Buf *b, const Counters *c)
{
    buf_putc(b, '{');
    for (size_t i = 0; i < c->n; i++) {
        const Counter *k = &c->v[i];
        bool first_of_group = i == 0 || !span_eq(c->v[i - 1].group, k->group);
        if (first_of_group) {
            if (i) buf_puts(b, "},");
            json_put_string(b, k->group);
            buf_puts(b, ":{");
        } else {
            buf_putc(b, ',');
        }
        json_put_string(b, k->name);
        buf_puts(b, ":[");
        buf_put_u64(b, k->docs);
        buf_putc(b, ',');
        buf_put_u64(b, k->bytes);
        buf_putc(b, ']');
    }
    buf_puts(b, c->n ? "}}" : "}");
}

ErrCode counters_read_json(Counters *into, const Json *j, const char *name, Err *err)
{
    if (!j || j->type != JSON_OBJECT) return err_set(err, ERR_DATA, "%s: statistics are not an object", name);
    for (const Json *g = j->child; g; g = g->next) {
        if (g->type != JSON_OBJECT) return err_set(err, ERR_DATA, "%s: statistics group is not an object", name);
        for (const Json *k = g->child; k; k = k->next) {
            uint64_t docs, bytes;
            if (k->type != JSON_ARRAY || k->n != 2 || !span_to_u64(k->child->string, &docs) ||
                !span_to_u64(k->child->next->string, &bytes))
                return err_set(err, ERR_DATA, "%s: a statistics counter is not two whole numbers", name);
            counters_add(into, g->key, k->key, docs, bytes);
        }
    }
    return into->oom ? err_nomem(err, "statistics") : ERR_OK;
}
