/* remix/hostmap.c - an open hash table of hosts; a look-up asks for each suffix that begins at a label. */
#include "remix/hostmap.h"

#include "core/buf.h"
#include "core/hash.h"
#include "core/url.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 64 };

static HostSlot *find(HostSlot *slot, size_t n_slots, uint64_t hash, Span host)
{
    size_t i = (size_t)hash & (n_slots - 1);

    while (slot[i].host.p && !(slot[i].hash == hash && span_eq(slot[i].host, host))) i = (i + 1) & (n_slots - 1);
    return &slot[i];
}

static bool grow_slots(HostMap *m)
{
    size_t n = m->n_slots ? m->n_slots * 2 : SLOTS_FIRST;
    HostSlot *slot = calloc(n, sizeof *slot);

    if (!slot) return false;
    for (size_t i = 0; i < m->n_slots; i++)
        if (m->slot[i].host.p) *find(slot, n, m->slot[i].hash, m->slot[i].host) = m->slot[i];
    free(m->slot);
    m->slot = slot;
    m->n_slots = n;
    return true;
}

ErrCode hostmap_add(HostMap *m, Span host, uint32_t rule, Err *err)
{
    uint64_t hash = hash64(host);

    if ((m->n_hosts + 1) * 2 > m->n_slots && !grow_slots(m)) return err_nomem(err, "a list of hosts");
    HostLink *link = array_grow(m->link, m->n_links, &m->cap_links, sizeof *link);
    if (!link) return err_nomem(err, "a list of hosts");
    m->link = link;
    HostSlot *s = find(m->slot, m->n_slots, hash, host);
    if (!s->host.p) {
        *s = (HostSlot){.hash = hash, .host = host};
        m->n_hosts++;
    }
    m->link[m->n_links] = (HostLink){.rule = rule, .next = s->link};
    s->link = (uint32_t)++m->n_links;
    return ERR_OK;
}

void hostmap_find(const HostMap *m, Span host, uint64_t *hit)
{
    if (!m->n_slots) return;
    for (Span h = host; h.n; h = host_parent(h)) {
        const HostSlot *s = find(m->slot, m->n_slots, hash64(h), h);
        for (uint32_t l = s->link; l; l = m->link[l - 1].next)
            hit[m->link[l - 1].rule / 64] |= UINT64_C(1) << m->link[l - 1].rule % 64;
    }
}

void hostmap_clear(HostMap *m)
{
    free(m->slot);
    free(m->link);
    *m = (HostMap){0};
}
