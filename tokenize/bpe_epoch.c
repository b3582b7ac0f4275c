/* The beginning of an epoch: which pairs occur often, and where. Every thread takes a share of the symbols, and walks over it three
 * times:
 *   1  counts add up in a sketch, an array in which pairs share places: so few bytes a pair that it is quick, and never too low
 *   2  pairs whose place in the sketch has enough are counted exactly; few of them turn out not to have it
 *   3  the positions of those that have it are written, each thread's behind the other's
 */
#include "tokenize/bpe_trainer.h"

#include <omp.h>

enum { SCAN_PAIRS = 64, SKETCH_MIN_BITS = 16, SKETCH_MAX_BITS = 22, FOUND_MIN_BITS = 12 };

/* --- walking */

typedef struct {
    const Symbols *s;
    size_t at, end, seg;
} PairScan;

typedef struct {
    uint64_t pair[SCAN_PAIRS], count[SCAN_PAIRS];
    size_t at[SCAN_PAIRS];
    size_t n;
} PairBlock;

static void scan_next(PairScan *scan, PairBlock *b)
{
    const Symbols *s = scan->s;
    const uint32_t *sym = s->sym;
    size_t at = scan->at, n = 0;

    while (at < scan->end && n < SCAN_PAIRS) {
        uint64_t count = count_at(s, at, &scan->seg);
        size_t end = s->segment[scan->seg + 1].begin < scan->end ? s->segment[scan->seg + 1].begin : scan->end;
        for (; at < end && n < SCAN_PAIRS; at++) { /* an entry with a separator is overwritten by the next */
            b->pair[n] = (uint64_t)sym[at] << 32 | sym[at + 1];
            b->at[n] = at;
            b->count[n] = count;
            n += sym[at] != SEPARATOR && sym[at + 1] != SEPARATOR;
        }
    }
    scan->at = at;
    b->n = n;
}

static inline uint64_t spread(uint64_t pair)
{
    uint64_t h = pair * 0x9e3779b97f4a7c15u;

    return (h ^ h >> 32) * 0xd6e8feb86659fd93u;
}

/* --- pairs found by one thread, or by all */

typedef struct {
    uint64_t pair, count; /* count 0: empty slot */
    size_t first, last;   /* positions */
    uint64_t n, bytes;    /* positions; bytes of their differences, without the first */
    uint8_t *at;          /* where positions go; NULL: not tracked */
} FoundPair;

typedef struct {
    FoundPair *slot;
    unsigned bits;
    size_t n;
} Found;

static FoundPair *found_find(const Found *f, uint64_t pair)
{
    size_t mask = ((size_t)1 << f->bits) - 1, at = (size_t)(spread(pair) >> (64 - f->bits));

    while (f->slot[at].count && f->slot[at].pair != pair) at = (at + 1) & mask;
    return &f->slot[at];
}

static bool found_grow(Found *f)
{
    Found grown = {calloc((size_t)2 << f->bits, sizeof *grown.slot), f->bits + 1, f->n};

    if (!grown.slot) return false;
    for (size_t i = 0; i < (size_t)1 << f->bits; i++)
        if (f->slot[i].count) *found_find(&grown, f->slot[i].pair) = f->slot[i];
    free(f->slot);
    *f = grown;
    return true;
}

static bool found_init(Found *f, unsigned bits)
{
    *f = (Found){calloc((size_t)1 << bits, sizeof *f->slot), bits, 0};
    return f->slot != NULL;
}

/* An occurrence. */
static bool found_add(Found *f, uint64_t pair, size_t at, uint64_t count)
{
    FoundPair *p = found_find(f, pair);

    if (p->count) {
        p->bytes += leb128_size(at - p->last);
        p->count += count;
        p->last = at;
        p->n++;
        return true;
    }
    *p = (FoundPair){.pair = pair, .count = count, .first = at, .last = at, .n = 1};
    return ++f->n <= (size_t)1 << (f->bits - 1) || found_grow(f);
}

/* What another share of the text has of a pair, all of it behind what is here. */
static bool found_append(Found *f, const FoundPair *more)
{
    FoundPair *p = found_find(f, more->pair);

    if (p->count) {
        p->bytes += leb128_size(more->first - p->last) + more->bytes;
        p->count += more->count;
        p->last = more->last;
        p->n += more->n;
        return true;
    }
    *p = *more;
    return ++f->n <= (size_t)1 << (f->bits - 1) || found_grow(f);
}

/* --- the three walks */

typedef struct {
    Trainer *t;
    uint32_t **sketch; /* one a thread; the first becomes that of all */
    unsigned sketch_bits;
    Found *found, all; /* one a thread */
    ErrCode *rc;
    Err *err;
} Epoch;

static PairScan share(const Epoch *e, int thread)
{
    const Symbols *s = &e->t->text;
    size_t n = s->n - 1, threads = (size_t)e->t->threads, k = (size_t)thread;

    return (PairScan){.s = s, .at = n / threads * k, .end = k + 1 == threads ? n : n / threads * (k + 1)};
}

static void add_up(uint32_t *sum, uint64_t count)
{
    *sum = count > UINT32_MAX - *sum ? UINT32_MAX : *sum + (uint32_t)count;
}

static ErrCode sketch_share(Epoch *e, int thread, Err *err)
{
    size_t n = (size_t)1 << e->sketch_bits;
    uint32_t *sketch = e->sketch[thread] = calloc(n, sizeof *sketch);
    PairScan scan = share(e, thread);
    uint64_t at[SCAN_PAIRS];
    PairBlock b;
    ErrCode rc;

    if (!sketch) return err_nomem(err, "pairs of tokens");
    for (size_t i = 0; scan.at < scan.end; i += SCAN_PAIRS) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) return rc;
        scan_next(&scan, &b);
        for (size_t k = 0; k < b.n; k++) {
            at[k] = spread(b.pair[k]) >> (64 - e->sketch_bits);
            BPE_PREFETCH(&sketch[at[k]]);
        }
        for (size_t k = 0; k < b.n; k++) add_up(&sketch[at[k]], b.count[k]);
    }
    return ERR_OK;
}

/* Keeps of a block the pairs that may be frequent. */
static void sieve(const Epoch *e, const Found *f, PairBlock *b)
{
    const uint32_t *sketch = e->sketch[0];
    uint32_t least = e->t->least < UINT32_MAX ? (uint32_t)e->t->least : UINT32_MAX;
    uint64_t h[SCAN_PAIRS];
    size_t n = 0;

    for (size_t k = 0; k < b->n; k++) {
        h[k] = spread(b->pair[k]);
        BPE_PREFETCH(&sketch[h[k] >> (64 - e->sketch_bits)]);
    }
    for (size_t k = 0; k < b->n; k++) {
        b->pair[n] = b->pair[k], b->at[n] = b->at[k], b->count[n] = b->count[k];
        BPE_PREFETCH(&f->slot[h[k] >> (64 - f->bits)]);
        n += sketch[h[k] >> (64 - e->sketch_bits)] >= least;
    }
    b->n = n;
}

static ErrCode count_share(Epoch *e, int thread, Err *err)
{
    Found *f = &e->found[thread];
    PairScan scan = share(e, thread);
    PairBlock b;
    ErrCode rc;

    if (!found_init(f, FOUND_MIN_BITS)) return err_nomem(err, "pairs of tokens");
    for (size_t i = 0; scan.at < scan.end; i += SCAN_PAIRS) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) return rc;
        scan_next(&scan, &b);
        sieve(e, f, &b);
        for (size_t k = 0; k < b.n; k++)
            if (!found_add(f, b.pair[k], b.at[k], b.count[k])) return err_nomem(err, "pairs of tokens");
    }
    return ERR_OK;
}

static ErrCode write_share(Epoch *e, int thread, Err *err)
{
    Found *f = &e->found[thread];
    PairScan scan = share(e, thread);
    PairBlock b;
    ErrCode rc;

    for (size_t i = 0; scan.at < scan.end; i += SCAN_PAIRS) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) return rc;
        scan_next(&scan, &b);
        sieve(e, f, &b);
        for (size_t k = 0; k < b.n; k++) {
            FoundPair *p = found_find(f, b.pair[k]);
            if (!p->at) continue;
            p->at = leb128_put(p->at, b.at[k] - p->last);
            p->last = b.at[k];
        }
    }
    return ERR_OK;
}

static ErrCode on_all(Epoch *e, ErrCode (*walk)(Epoch *, int, Err *), Err *err)
{
    int threads = e->t->threads;

#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int i = 0; i < threads; i++) e->rc[i] = walk(e, i, &e->err[i]); /* slot i belongs to share i */
    return par_first_error(e->rc, e->err, (size_t)threads, err);
}

/* --- between them */

/* An upper bound of the highest count. */
static uint64_t add_sketches(Epoch *e)
{
    size_t n = (size_t)1 << e->sketch_bits;
    uint32_t most = 0;

    for (int k = 1; k < e->t->threads; k++) {
        for (size_t i = 0; i < n; i++) add_up(&e->sketch[0][i], e->sketch[k][i]);
        free(e->sketch[k]);
        e->sketch[k] = NULL;
    }
    for (size_t i = 0; i < n; i++) most = e->sketch[0][i] > most ? e->sketch[0][i] : most;
    return most;
}

/* Adds up what the threads found. The pairs come in the order of their hashes; in a smaller table they would pile up at its front. */
static ErrCode join_found(Epoch *e, Err *err)
{
    unsigned bits = FOUND_MIN_BITS;

    for (int k = 0; k < e->t->threads; k++) bits = e->found[k].bits > bits ? e->found[k].bits : bits;
    if (!found_init(&e->all, bits)) return err_nomem(err, "pairs of tokens");
    for (int k = 0; k < e->t->threads; k++) {
        const Found *f = &e->found[k];
        for (size_t i = 0; i < (size_t)1 << f->bits; i++)
            if (f->slot[i].count && !found_append(&e->all, &f->slot[i])) return err_nomem(err, "pairs of tokens");
    }
    return ERR_OK;
}

/* Whether the pair is to be tracked. */
static bool frequent(const Trainer *t, const FoundPair *p)
{
    return p->count && p->count >= t->least && !pair_barred(t, (uint32_t)(p->pair >> 32), (uint32_t)p->pair);
}

/* Tracks fewer pairs where the positions would take more than half of what they may; the best one always. */
static void raise_least(const Epoch *e)
{
    Trainer *t = e->t;

    for (uint64_t most = 0, bytes = 0;; most = bytes = 0) {
        for (size_t i = 0; i < (size_t)1 << e->all.bits; i++) {
            const FoundPair *p = &e->all.slot[i];
            if (!frequent(t, p)) continue;
            bytes += leb128_size(p->first) + p->bytes;
            most = p->count > most ? p->count : most;
        }
        if (bytes <= t->pool_most / 2 || t->least >= most) return;
        t->least = most / 2 > t->least ? t->least * 2 : most;
    }
}

/* Tracks the frequent ones and gives the threads room for their positions. */
static ErrCode track(Epoch *e, Err *err)
{
    Trainer *t = e->t;

    raise_least(e);
    for (size_t i = 0; i < (size_t)1 << e->all.bits; i++) {
        FoundPair *p = &e->all.slot[i];
        if (!frequent(t, p)) continue;
        if (!(p->at = pool_take(t, (size_t)(leb128_size(p->first) + p->bytes))))
            return err_nomem(err, "positions of pairs");
        ErrCode rc = pair_add(t, p->pair, p->count, (Positions){p->at, p->n}, err);
        if (rc != ERR_OK) return rc;
        p->last = 0; /* from here on: of what has got its room */
    }
    for (int k = 0; k < t->threads; k++) {
        Found *f = &e->found[k];
        for (size_t i = 0; i < (size_t)1 << f->bits; i++) {
            FoundPair *p = &f->slot[i], *all = p->count ? found_find(&e->all, p->pair) : NULL;
            if (!all || !all->at) continue;
            size_t last = p->last;
            p->at = all->at;
            p->last = all->last;
            all->at += leb128_size(p->first - all->last) + p->bytes;
            all->last = last;
        }
    }
    return ERR_OK;
}

/* --- all of it */

/* Four places for each pair there may be, but no more than half the symbols and, all threads together, half of what positions may take. */
static unsigned sketch_bits(const Trainer *t)
{
    uint64_t pairs = (uint64_t)t->n_ids * t->n_ids;
    unsigned bits = SKETCH_MIN_BITS;

    while (bits < SKETCH_MAX_BITS && (uint64_t)1 << bits < 4 * pairs && (size_t)2 << bits < t->text.n &&
           ((uint64_t)t->threads * sizeof(uint32_t) << (bits + 1)) <= t->pool_most / 2)
        bits++;
    return bits;
}

/* Tables of the threads and that of all, each half as full as large and grown by doubling; places that pairs share count for three. */
static uint64_t most_candidates(const Trainer *t)
{
    return t->pool_most / 2 / (((uint64_t)t->threads + 1) * 3 * 3 * sizeof(FoundPair));
}

/* A least count that leaves no more candidates than there is memory to count. */
static void fit_candidates(const Epoch *e)
{
    Trainer *t = e->t;
    uint64_t n_of[33] = {0}, n = 0, least = 0; /* by number of bits */
    unsigned bits = 32;

    for (size_t i = 0; i < (size_t)1 << e->sketch_bits; i++) {
        unsigned k = 0;
        for (uint32_t v = e->sketch[0][i]; v; v >>= 1) k++;
        n_of[k]++;
    }
    while (bits > 1 && n_of[bits] == 0) bits--;
    for (n = n_of[bits]; bits > 1 && n + n_of[bits - 1] <= most_candidates(t); n += n_of[--bits]) {
    }
    least = (uint64_t)1 << (bits - 1);
    if (least > t->least_most) least = t->least_most;
    if (least > t->least) t->least = least;
}

static ErrCode run(Epoch *e, uint64_t *most, Err *err)
{
    Trainer *t = e->t;
    size_t threads = (size_t)t->threads;
    ErrCode rc;

    e->sketch = calloc(threads, sizeof *e->sketch);
    e->found = calloc(threads, sizeof *e->found);
    e->rc = calloc(threads, sizeof *e->rc);
    e->err = calloc(threads, sizeof *e->err);
    if (!e->sketch || !e->found || !e->rc || !e->err) return err_nomem(err, "pairs of tokens");
    e->sketch_bits = sketch_bits(t);
    if ((rc = on_all(e, sketch_share, err)) != ERR_OK) return rc;
    *most = add_sketches(e);
    if (*most == 0) return ERR_OK;
    if (t->least == 0 || t->least > *most / 2) t->least = *most / 64 > t->floor ? *most / 64 : t->floor;
    fit_candidates(e);
    if ((rc = on_all(e, count_share, err)) != ERR_OK) return rc;
    if ((rc = join_found(e, err)) != ERR_OK) return rc;
    if ((rc = track(e, err)) != ERR_OK) return rc;
    return on_all(e, write_share, err);
}

ErrCode epoch_begin(Trainer *t, uint64_t *most, Err *err)
{
    Epoch e = {.t = t};

    pairs_clear(t);
    ErrCode rc = pairs_start(t, err);
    if (rc == ERR_OK) rc = run(&e, most, err);
    for (int k = 0; k < t->threads; k++) {
        if (e.sketch) free(e.sketch[k]);
        if (e.found) free(e.found[k].slot);
    }
    free(e.sketch);
    free(e.found);
    free(e.all.slot);
    free(e.rc);
    free(e.err);
    return rc;
}
