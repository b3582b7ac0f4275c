#include "dedup/stars.h"

#include "core/log.h"
#include "dedup/components.h"
#include "dedup/forest.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 200 }; /* far beyond log2(2^64); a guard against our own mistakes */

typedef struct {
    Stars *stars;
    int lane;
} LaneRef;

struct Stars {
    StarsSpec spec;
    Par par;
    Parent *dense;   /* one process with room for it: union-find over all nodes, nothing else is needed */
    Exchange *to;    /* edges are sent here: both ways, for the next large-star */
    Forest **forest; /* of every lane: what is sent both ways goes through it */
    LaneRef *lane;
    uint64_t *label, first, n;
    _Atomic uint64_t crooked; /* nodes seen in a large-star that are neither the centre nor a leaf of a star */
};

/* --- nodes as keys: spread over the whole key space in order, so that ranks own ranges of nodes of one size */

static void node_key(const Stars *s, uint64_t node, uint8_t key[EXCHANGE_KEY])
{
    exchange_key_u64(key, (uint64_t)(((__uint128_t)node << 64) / s->spec.n_nodes), node);
}

/* The first node whose key is not below `top` << (64 - bits). */
static uint64_t first_node(const Stars *s, uint64_t top, unsigned bits)
{
    return (uint64_t)(((__uint128_t)top * s->spec.n_nodes + (((__uint128_t)1 << bits) - 1)) >> bits);
}

static ErrCode send(Exchange *x, const Stars *s, int lane, uint64_t at, uint64_t neighbour, Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[8];

    node_key(s, at, key);
    for (int i = 0; i < 8; i++) value[i] = (uint8_t)(neighbour >> (56 - 8 * i)); /* byte order is numeric order */
    return exchange_put(x, lane, key, value, 8, err);
}

static ErrCode forest_edge(void *ctx, uint64_t node, uint64_t root, Err *err)
{
    const LaneRef *l = ctx;
    ErrCode rc = send(l->stars->to, l->stars, l->lane, node, root, err);

    return rc ? rc : send(l->stars->to, l->stars, l->lane, root, node, err);
}

/* --- opening */

/* Two exchanges live at a time, one delivering and one being filled; half of the budget is the forests'. */
static ErrCode open_exchange(Stars *s, const char *name, Exchange **x, Err *err)
{
    ExchangeSpec spec = {.name = name,
                         .partitions = s->spec.partitions,
                         .value_bytes = 8,
                         .memory = s->spec.memory / 4,
                         .scratch = s->spec.scratch};

    return exchange_open(x, &spec, &s->par, err);
}

static ErrCode open_dense(Stars *s, Err *err)
{
    s->dense = malloc((size_t)s->spec.n_nodes * sizeof *s->dense);
    if (!s->dense) return err_nomem(err, "components");
    components_init(s->dense, (size_t)s->spec.n_nodes);
    return ERR_OK;
}

static ErrCode open_sparse(Stars *s, Err *err)
{
    size_t lanes = (size_t)s->par.threads;
    ErrCode rc = ERR_OK;

    s->forest = calloc(lanes, sizeof(Forest *));
    s->lane = calloc(lanes, sizeof *s->lane);
    if (!s->forest || !s->lane) return err_nomem(err, "components");
    for (size_t i = 0; i < lanes && rc == ERR_OK; i++) {
        s->lane[i] = (LaneRef){s, (int)i};
        rc = forest_new(&s->forest[i], s->spec.memory / 2 / lanes, forest_edge, &s->lane[i], err);
    }
    return rc ? rc : open_exchange(s, "components", &s->to, err);
}

ErrCode stars_open(Stars **out, const StarsSpec *spec, const Par *par, Err *err)
{
    Stars *s = *out = calloc(1, sizeof *s);
    ErrCode rc;

    if (!s) return err_nomem(err, "components");
    *s = (Stars){.spec = *spec, .par = *par};
    if (s->spec.n_nodes == 0) s->spec.n_nodes = 1;
    if (par->n_ranks == 1 && spec->n_nodes <= UINT32_MAX && spec->n_nodes * sizeof(Parent) <= spec->memory)
        rc = open_dense(s, err);
    else
        rc = open_sparse(s, err);
    if (rc) {
        stars_close(s);
        *out = NULL;
    }
    return rc;
}

static void free_forests(Stars *s)
{
    for (int i = 0; s->forest && i < s->par.threads; i++) forest_free(s->forest[i]);
    free(s->forest);
    s->forest = NULL;
}

void stars_close(Stars *s)
{
    if (!s) return;
    free_forests(s);
    exchange_close(s->to);
    free(s->dense);
    free(s->lane);
    free(s->label);
    free(s);
}

ErrCode stars_edge(Stars *s, int lane, uint64_t a, uint64_t b, Err *err)
{
    if (a >= s->spec.n_nodes || b >= s->spec.n_nodes)
        return err_set(err, ERR_LIMIT, "components: an edge %" PRIu64 " - %" PRIu64 " of %" PRIu64 " nodes", a, b,
                       s->spec.n_nodes);
    if (!s->dense) return forest_add(s->forest[lane], a, b, err);
    component_unite(s->dense, (uint32_t)a, (uint32_t)b);
    return ERR_OK;
}

/* --- the two kinds of round; both see a node's neighbours in rising order, repeated ones included */

static ErrCode next_neighbour(ExchangeGroups *g, uint64_t *v, bool *end, Err *err)
{
    Span value;
    ErrCode rc = exchange_next_value(g, &value, end, err);

    if (rc == ERR_OK && !*end) *v = be64_get(value.p);
    return rc;
}

/* The least of u and its neighbours is m: u keeps to it, larger neighbours are hung on it. What is sent are edges
 * (larger, smaller) for the small-star. Labels are noted on the way: they are final when no node was crooked. */
static ErrCode large_star_of(Stars *s, int lane, uint64_t u, ExchangeGroups *g, Err *err)
{
    uint64_t v = 0, m, last = UINT64_MAX, smaller = 0, larger = 0;
    bool end = false;
    ErrCode rc = next_neighbour(g, &v, &end, err);

    for (m = v < u ? v : u; rc == ERR_OK && !end; rc = next_neighbour(g, &v, &end, err)) {
        if (v == last) continue;
        last = v;
        if (v < u)
            smaller++;
        else
            larger++;
        if (v > u && (rc = send(s->to, s, lane, v, m, err)) != ERR_OK) return rc;
    }
    /* u's own edge to m is sent by m, to which u is a larger neighbour */
    if (smaller > 1 || (smaller && larger)) atomic_fetch_add(&s->crooked, 1);
    s->label[u - s->first] = m;
    return rc;
}

/* All neighbours are smaller; the least of them is m: u and the others are hung on it, by way of the forest, which joins
 * what else this thread knows of them. */
static ErrCode small_star_of(Stars *s, int lane, uint64_t u, ExchangeGroups *g, Err *err)
{
    uint64_t v = 0, m, last;
    bool end = false;
    ErrCode rc = next_neighbour(g, &v, &end, err);

    m = last = v;
    if (rc == ERR_OK && !end) rc = forest_add(s->forest[lane], u, m, err);
    while (rc == ERR_OK && (rc = next_neighbour(g, &v, &end, err)) == ERR_OK && !end) {
        if (v == last) continue;
        last = v;
        rc = forest_add(s->forest[lane], v, m, err);
    }
    return rc;
}

typedef ErrCode (*StarOf)(Stars *s, int lane, uint64_t u, ExchangeGroups *g, Err *err);
typedef struct {
    Stars *stars;
    StarOf star_of;
} Round;

static ErrCode each_node(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Round *r = ctx;
    uint8_t key[EXCHANGE_KEY];
    bool end;
    ErrCode rc;

    (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end)
        if ((rc = r->star_of(r->stars, thread, be64_get(key + 8), g, err)) != ERR_OK) break;
    return rc;
}

/* Delivers what was sent and sends on. */
static ErrCode run_round(Stars *s, StarOf star_of, Err *err)
{
    Round r = {s, star_of};
    Exchange *from = s->to;
    ErrCode rc = exchange_flip(from, err);

    s->to = NULL;
    if (rc == ERR_OK) rc = open_exchange(s, "components", &s->to, err);
    rc = par_agree(&s->par, rc, err);
    if (rc == ERR_OK) rc = exchange_each(from, each_node, &r, err);
    exchange_close(from);
    return rc;
}

/* Collective in its outcome alone. */
static ErrCode drain_forests(Stars *s, Err *err)
{
    size_t lanes = (size_t)s->par.threads;
    ErrCode *rc = calloc(lanes, sizeof *rc), first;
    Err *errs = calloc(lanes, sizeof *errs);

    if (!rc || !errs) {
        first = err_nomem(err, "components");
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->par.threads)
        for (size_t i = 0; i < lanes; i++) rc[i] = forest_drain(s->forest[i], &errs[i]);
        first = par_first_error(rc, errs, lanes, err);
    }
    free(rc);
    free(errs);
    return first;
}

static ErrCode own_labels(Stars *s, Err *err)
{
    uint32_t begin, end;
    unsigned bits = 0;

    exchange_own(s->to, &begin, &end);
    while (1u << bits < s->spec.partitions) bits++;
    s->first = first_node(s, begin, bits);
    s->n = first_node(s, end, bits) - s->first;
    if (s->n > SIZE_MAX / 8 || !(s->label = malloc((size_t)s->n * 8 + 1)))
        return err_nomem(err, "labels of components");
    for (uint64_t i = 0; i < s->n; i++) s->label[i] = s->first + i; /* nodes without edges */
    return ERR_OK;
}

/* Nodes stay numbered as they are; parents become labels. */
static ErrCode solve_dense(Stars *s, Err *err)
{
    s->n = s->spec.n_nodes;
    if (!(s->label = malloc((size_t)s->n * sizeof *s->label))) return err_nomem(err, "labels of components");
#pragma omp parallel for num_threads(s->par.threads)
    for (uint64_t i = 0; i < s->n; i++) s->label[i] = component_find(s->dense, (uint32_t)i);
    return ERR_OK;
}

static ErrCode solve_sparse(Stars *s, unsigned *rounds, Err *err)
{
    uint64_t crooked = 1;
    ErrCode rc = own_labels(s, err);

    for (*rounds = 0; *rounds < ROUNDS_MAX; ++*rounds) {
        if (rc == ERR_OK) rc = drain_forests(s, err);
        if ((rc = par_agree(&s->par, rc, err)) != ERR_OK) return rc;
        s->crooked = 0;
        if ((rc = run_round(s, large_star_of, err)) != ERR_OK) return rc;
        crooked = s->crooked;
        par_sum_u64(&s->par, &crooked, 1);
        ++*rounds;
        if (!crooked) return ERR_OK;
        if ((rc = run_round(s, small_star_of, err)) != ERR_OK) return rc;
    }
    return err_set(err, ERR_LIMIT, "components: no end after %u rounds", *rounds);
}

ErrCode stars_solve(Stars *s, const uint64_t **label, uint64_t *first, uint64_t *n, unsigned *rounds, Err *err)
{
    unsigned done = 0;
    ErrCode rc = s->dense ? solve_dense(s, err) : solve_sparse(s, &done, err);

    *label = s->label;
    *first = s->first;
    *n = s->n;
    if (rounds) *rounds = done;
    return rc;
}
