/* The beginning of an epoch: which pairs occur often, and where. Every thread takes a share of the symbols, and walks over it three
 * times:
 *   1  counts add up in a sketch, an array in which pairs share places: so few bytes a pair that it is quick, and never too low
 *   2  pairs whose place in the sketch has enough are counted exactly, and those that turn out not to have it are let go of; where so many
 *      are more than the memory holds, once for each of some parts of them
 *   3  the positions of those that have it are written, each thread's behind the other's
 */
#include "tokenize/bpe_trainer.h"

#include <omp.h>

enum {
    SCAN_PAIRS = 64,
    SKETCH_MIN_BITS = 16,
    SKETCH_MAX_BITS = 22,
    FOUND_MIN_BITS = 12,
    ENOUGH_LEAST = 10000,
    ENOUGH_A_MERGE = 2,
    MOST_PARTS = 64
};

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
    Found *found, all; /* those of one part: one table a thread, and of all threads */
    Found *kept;       /* the frequent ones of all parts, one a thread */
    uint32_t parts, part;
    bool *over; /* one a thread: there are more than the memory holds */
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
        n += sketch[h[k] >> (64 - e->sketch_bits)] >= least && (h[k] & (e->parts - 1)) == e->part;
    }
    b->n = n;
}

/* The largest table that a thread may have while pairs are counted: with all others, and while it grows, a quarter of the memory. */
static unsigned most_bits(const Epoch *e)
{
    uint64_t each = e->t->memory / 4 / ((uint64_t)e->t->threads + 1) / 3 * 2;
    unsigned bits = FOUND_MIN_BITS;

    if (e->parts >= MOST_PARTS) return 63;
    while (bits < 40 && sizeof(FoundPair) << (bits + 1) <= each) bits++;
    return bits;
}

static ErrCode count_share(Epoch *e, int thread, Err *err)
{
    Found *f = &e->found[thread];
    PairScan scan = share(e, thread);
    const unsigned most = most_bits(e);
    PairBlock b;
    ErrCode rc;

    if (!found_init(f, FOUND_MIN_BITS)) return err_nomem(err, "pairs of tokens");
    for (size_t i = 0; scan.at < scan.end; i += SCAN_PAIRS) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) return rc;
        scan_next(&scan, &b);
        sieve(e, f, &b);
        if (f->bits >= most && f->n + b.n > (size_t)1 << (f->bits - 1)) {
            e->over[thread] = true;
            return ERR_OK;
        }
        for (size_t k = 0; k < b.n; k++)
            if (!found_add(f, b.pair[k], b.at[k], b.count[k])) return err_nomem(err, "pairs of tokens");
    }
    return ERR_OK;
}

static ErrCode write_share(Epoch *e, int thread, Err *err)
{
    const Found *f = &e->kept[thread];
    PairScan scan = share(e, thread);
    PairBlock b;
    ErrCode rc;

    for (size_t i = 0; scan.at < scan.end; i += SCAN_PAIRS) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) return rc;
        scan_next(&scan, &b);
        sieve(e, f, &b);
        for (size_t k = 0; k < b.n; k++) {
            FoundPair *p = found_find(f, b.pair[k]);
            if (!p->count || !p->at) continue;
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

/* Adds up what the threads have. The pairs come in the order of their hashes; in a smaller table they would pile up at its front. */
static ErrCode join(Epoch *e, const Found *of, Err *err)
{
    unsigned bits = FOUND_MIN_BITS;

    for (int k = 0; k < e->t->threads; k++) bits = of[k].bits > bits ? of[k].bits : bits;
    if (!found_init(&e->all, bits)) return err_nomem(err, "pairs of tokens");
    for (int k = 0; k < e->t->threads; k++)
        for (size_t i = 0; i < (size_t)1 << of[k].bits; i++)
            if (of[k].slot[i].count && !found_append(&e->all, &of[k].slot[i]))
                return err_nomem(err, "pairs of tokens");
    return ERR_OK;
}

static void drop(Found *f)
{
    free(f->slot);
    *f = (Found){0};
}

/* Whether the pair is to be tracked. */
static bool frequent(const Trainer *t, const FoundPair *p)
{
    return p->count && p->count >= t->least && !pair_barred(t, (uint32_t)(p->pair >> 32), (uint32_t)p->pair);
}

/* Keeps the frequent ones of a part. */
static ErrCode keep_frequent(Epoch *e, Err *err)
{
    for (int k = 0; k < e->t->threads; k++) {
        Found *from = &e->found[k], *to = &e->kept[k];
        for (size_t i = 0; i < (size_t)1 << from->bits; i++) {
            const FoundPair *p = &from->slot[i];
            if (!p->count || !frequent(e->t, found_find(&e->all, p->pair))) continue;
            *found_find(to, p->pair) = *p;
            if (++to->n > (size_t)1 << (to->bits - 1) && !found_grow(to)) return err_nomem(err, "pairs of tokens");
        }
        drop(from);
    }
    drop(&e->all);
    return ERR_OK;
}

/* Counts the pairs of all parts; false in *fits when one was too large. */
static ErrCode count_parts(Epoch *e, bool *fits, Err *err)
{
    int threads = e->t->threads;
    ErrCode rc = ERR_OK;

    *fits = true;
    for (int k = 0; k < threads; k++)
        if (!found_init(&e->kept[k], FOUND_MIN_BITS)) return err_nomem(err, "pairs of tokens");
    for (e->part = 0; e->part < e->parts && *fits && rc == ERR_OK; e->part++) {
        if ((rc = on_all(e, count_share, err)) != ERR_OK) return rc;
        for (int k = 0; k < threads; k++) *fits = *fits && !e->over[k];
        if (*fits && (rc = join(e, e->found, err)) == ERR_OK) rc = keep_frequent(e, err);
    }
    return rc;
}

static ErrCode count_pairs(Epoch *e, Err *err)
{
    bool fits = false;
    ErrCode rc = ERR_OK;

    for (e->parts = 1; rc == ERR_OK && !fits; e->parts *= 2) {
        if ((rc = count_parts(e, &fits, err)) != ERR_OK || fits) break;
        for (int k = 0; k < e->t->threads; k++) drop(&e->found[k]), drop(&e->kept[k]), e->over[k] = false;
    }
    e->parts = 1; /* whoever looks for them now looks for all */
    e->part = 0;
    return rc == ERR_OK ? join(e, e->kept, err) : rc;
}

/* Tracks fewer pairs where they and their positions would take more than half of the memory; the best one always. Returns how many. */
static size_t raise_least(const Epoch *e)
{
    Trainer *t = e->t;

    for (uint64_t most = 0, bytes = 0, n = 0;; most = bytes = n = 0) {
        for (size_t i = 0; i < (size_t)1 << e->all.bits; i++) {
            const FoundPair *p = &e->all.slot[i];
            if (!frequent(t, p)) continue;
            bytes += pool_bytes(leb128_size(p->first) + p->bytes);
            most = p->count > most ? p->count : most;
            n++;
        }
        if (bytes + pairs_bytes(n) <= t->memory / 2 || t->least >= most) return (size_t)n;
        t->least = most / 2 > t->least ? t->least * 2 : most;
    }
}

/* Tracks the frequent ones and gives the threads room for their positions. */
static ErrCode track(Epoch *e, Err *err)
{
    Trainer *t = e->t;

    ErrCode begun = pairs_start(t, raise_least(e), err);

    if (begun != ERR_OK) return begun;
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
        const Found *f = &e->kept[k];
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

/* Four places for each pair there may be, but no more than half the symbols and, all threads together, an eighth of the memory. */
static unsigned sketch_bits(const Trainer *t)
{
    uint64_t pairs = (uint64_t)t->n_ids * t->n_ids;
    unsigned bits = SKETCH_MIN_BITS;

    while (bits < SKETCH_MAX_BITS && (uint64_t)1 << bits < 4 * pairs && (size_t)2 << bits < t->text.n &&
           ((uint64_t)t->threads * sizeof(uint32_t) << (bits + 1)) <= t->memory / 8)
        bits++;
    return bits;
}

static uint64_t most_kept(const Trainer *t)
{
    return t->memory / 8 / (((uint64_t)t->threads + 1) * 3 * sizeof(FoundPair));
}

/* Pairs that are worth tracking: of those below them hardly one is merged before training ends. */
static uint64_t enough_candidates(const Trainer *t)
{
    return ENOUGH_LEAST + (uint64_t)ENOUGH_A_MERGE * t->merges_left;
}

/* Counts by their highest four bits. */
enum { LEVELS = 32 * 8 };

static unsigned level_of(uint32_t count)
{
    unsigned shift = 0;

    while (count >> shift > 15) shift++;
    return shift * 8 + (count >> shift);
}

static uint64_t level_least(unsigned level)
{
    return level < 16 ? level : (uint64_t)(8 + level % 8) << (level / 8 - 1);
}

/* A least count that leaves not many more candidates than are needed, nor more than an eighth of the memory holds when all are frequent. */
static void fit_candidates(const Epoch *e)
{
    Trainer *t = e->t;
    uint64_t n_of[LEVELS] = {0}, n = 0;
    unsigned level = LEVELS - 1;

    for (size_t i = 0; i < (size_t)1 << e->sketch_bits; i++) n_of[level_of(e->sketch[0][i])]++;
    while (level > 1 && n_of[level] == 0) level--;
    for (n = n_of[level]; level > 1 && n < enough_candidates(t) && n + n_of[level - 1] <= most_kept(t);
         n += n_of[--level]) {
    }
    uint64_t least = level_least(level) < t->least_most ? level_least(level) : t->least_most;
    if (least > t->least) t->least = least;
}

static ErrCode run(Epoch *e, uint64_t *most, Err *err)
{
    Trainer *t = e->t;
    size_t threads = (size_t)t->threads;
    ErrCode rc;

    e->sketch = calloc(threads, sizeof *e->sketch);
    e->found = calloc(threads, sizeof *e->found);
    e->kept = calloc(threads, sizeof *e->kept);
    e->over = calloc(threads, sizeof *e->over);
    e->rc = calloc(threads, sizeof *e->rc);
    e->err = calloc(threads, sizeof *e->err);
    if (!e->sketch || !e->found || !e->kept || !e->over || !e->rc || !e->err)
        return err_nomem(err, "pairs of tokens");
    e->sketch_bits = sketch_bits(t);
    if ((rc = on_all(e, sketch_share, err)) != ERR_OK) return rc;
    *most = add_sketches(e);
    if (*most == 0) return ERR_OK;
    if (t->least == 0 || t->least > *most / 2) t->least = *most / 64 > t->floor ? *most / 64 : t->floor;
    fit_candidates(e);
    if ((rc = count_pairs(e, err)) != ERR_OK) return rc;
    if ((rc = track(e, err)) != ERR_OK) return rc;
    return on_all(e, write_share, err);
}

ErrCode epoch_begin(Trainer *t, uint64_t *most, Err *err)
{
    Epoch e = {.t = t};

    pairs_clear(t);
    ErrCode rc = run(&e, most, err);
    for (int k = 0; k < t->threads; k++) {
        if (e.sketch) free(e.sketch[k]);
        if (e.found) free(e.found[k].slot);
        if (e.kept) free(e.kept[k].slot);
    }
    free(e.sketch);
    free(e.found);
    free(e.kept);
    free(e.over);
    free(e.all.slot);
    free(e.rc);
    free(e.err);
    return rc;
}
