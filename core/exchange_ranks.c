/* Delivery over ranks. A rank owns a contiguous range of bins. Bins travel in rounds: in each, every rank takes the next few
 * of its own that fit a share of the budget, all others send it theirs, and it delivers them, with what it has itself, while the
 * next round is under way. So memory is bounded whatever the records do, and nothing is spilled twice. Which round a bin falls
 * into changes nothing that is delivered.
 *
 * A bin larger than a batch may be comes alone: the others send its owner their records a piece at a time, which the owner keeps
 * as a run on scratch and then delivers like any bin that does not fit.
 *
 * A section, what one rank sends another in a round: u32 bytes of every bin of the batch, of far records then u32 how many (they
 * need not be walked to know), then the records of these bins. */
#include "core/exchange_impl.h"

#include "core/par_mpi.h"
#include "core/scratch.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    ROUND_MOST = 1 << 30,   /* MPI counts bytes in an int */
    ROUND_LEAST = 64 << 20, /* that a rank sends or receives: buffers that are touched again and again */
    ROUND_PIECE = 64 << 10  /* with many ranks: on average for each of the others */
};

typedef struct {
    Exchange *x;
    int rank, n_ranks;
    uint64_t round_bytes; /* that a rank sends or receives at most */
    uint64_t *all, *mine; /* bytes of every bin: of all ranks, here */
    BinRange *batch;      /* of every rank, this round */
    uint32_t *next;       /* of every rank: its first bin after the batch */
    int turn;             /* the rank that is first to be given a batch */
    uint64_t *send_n, *recv_n;
    Slab *send;             /* filled or under way */
    Slab *recv, *recv_next; /* being delivered; under way */
    uint64_t *recv_next_n;
    BinRange here; /* this rank's bins that came */
} Rounds;

static void rounds_clear(Rounds *r)
{
    free(r->all);
    free(r->mine);
    free(r->batch);
    free(r->next);
    free(r->send_n);
    free(r->recv_n);
    free(r->recv_next_n);
    slab_give(r->recv, r->x->spec.memory);
    slab_give(r->recv_next, r->x->spec.memory);
    slab_give(r->send, r->x->spec.memory);
}

/* Of all ranks. */
static uint64_t least(uint64_t v)
{
    v = UINT64_MAX - v;
    mpi_max_u64(&v);
    return UINT64_MAX - v;
}

/* Bins follow from the share of the budget that a thread has. */
static ErrCode check_bins(const Exchange *x, Err *err)
{
    uint64_t fewest = least(x->bins), most = UINT64_MAX - least(UINT64_MAX - x->bins);

    if (fewest == most) return ERR_OK;
    return err_set(err, ERR_USAGE, "exchange %s: ranks differ in memory or threads: give --memory and --threads",
                   x->name);
}

static ErrCode rounds_init(Rounds *r, Exchange *x, Err *err)
{
    size_t ranks = (size_t)x->par.n_ranks;
    ErrCode check = check_bins(x, err);

    *r = (Rounds){.x = x, .rank = x->par.rank, .n_ranks = x->par.n_ranks};
    r->round_bytes =
        x->share * (uint64_t)x->threads / 4; /* one batch to send, two to receive, one for their delivery */
    r->round_bytes = least(r->round_bytes);  /* plans are the same everywhere */
    r->all = calloc(x->bins, sizeof *r->all);
    r->mine = calloc(x->bins, sizeof *r->mine);
    r->batch = calloc(ranks, sizeof *r->batch);
    r->next = calloc(ranks, sizeof *r->next);
    r->send_n = calloc(ranks, sizeof *r->send_n);
    r->recv_n = calloc(ranks, sizeof *r->recv_n);
    r->recv_next_n = calloc(ranks, sizeof *r->recv_next_n);
    if (!r->all || !r->mine || !r->batch || !r->next || !r->send_n || !r->recv_n || !r->recv_next_n)
        return err_nomem(err, x->name);
    for (int i = 0; i < r->n_ranks; i++) r->next[i] = rank_bin(r->x, i);
    return check;
}

/* --- planning: the same on every rank */

static void measure_bins(Rounds *r)
{
    const Exchange *x = r->x;

    for (uint32_t b = 0; b < x->bins; b++) {
        BinSize size = bin_size(x, b);
        r->mine[b] = size.memory + size.disk;
    }
    memcpy(r->all, r->mine, x->bins * sizeof *r->all);
    par_sum_u64(&x->par, r->all, x->bins);
}

/* No more than keeps messages large and lets a few bins travel together, whatever the budget would allow. */
static void bound_rounds(Rounds *r)
{
    uint64_t total = 0, most = (uint64_t)ROUND_PIECE * (uint64_t)r->n_ranks;

    for (uint32_t b = 0; b < r->x->bins; b++) total += r->all[b];
    if (most < total / r->x->bins * 4) most = total / r->x->bins * 4;
    if (most < ROUND_LEAST) most = ROUND_LEAST;
    if (most > ROUND_MOST) most = ROUND_MOST;
    if (r->round_bytes > most) r->round_bytes = most;
}

/* Whether the rank's next bin may travel in a batch. */
static bool is_ready(const Rounds *r, int rank)
{
    uint32_t b = r->next[rank];

    return b < rank_bin(r->x, rank + 1) && r->all[b] <= r->round_bytes;
}

/* Gives the next `owners` of the ranks that are ready a batch each: one bin, and more while they are `limit` bytes at most. What this
 * rank would send. */
static uint64_t choose_batches(Rounds *r, int owners, uint64_t limit)
{
    uint64_t to_send = 0;

    for (int k = 0; k < r->n_ranks; k++) {
        int i = (r->turn + k) % r->n_ranks;
        uint32_t first = r->next[i], b = first, end = rank_bin(r->x, i + 1);
        uint64_t bytes = 0;
        bool chosen = owners > 0 && is_ready(r, i);
        owners -= chosen;
        for (; chosen && b < end && (b == first || (bytes <= limit && r->all[b] <= limit - bytes)); b++) {
            bytes += r->all[b];
            if (i != r->rank) to_send += r->mine[b];
        }
        r->batch[i] = (BinRange){first, b};
    }
    return to_send;
}

static bool is_done(const Rounds *r)
{
    for (int i = 0; i < r->n_ranks; i++)
        if (r->next[i] < rank_bin(r->x, i + 1)) return false;
    return true;
}

/* Where one rank holds most of all records, batches shrink until it can send its part; when they are as small as the next bins,
 * fewer ranks are given one, in turn. One bin for one rank can always be sent. False: the next bins are all too large for a batch. */
static bool plan_round(Rounds *r)
{
    uint64_t most, limit = r->round_bytes, largest = 0; /* of the next bins */
    int owners = 0, turn = r->turn;

    for (int i = 0; i < r->n_ranks; i++) {
        if (!is_ready(r, i)) continue;
        owners++;
        if (r->all[r->next[i]] > largest) largest = r->all[r->next[i]];
    }
    if (owners == 0) return false;
    for (;;) {
        most = choose_batches(r, owners, limit);
        mpi_max_u64(&most);
        if (most <= r->round_bytes) break;
        if (limit > largest)
            limit /= 2;
        else
            owners = (owners + 1) / 2;
    }
    for (int k = 0; k < r->n_ranks; k++) {
        int i = (turn + k) % r->n_ranks;
        if (r->batch[i].end > r->batch[i].begin) r->turn = (i + 1) % r->n_ranks;
        r->next[i] = r->batch[i].end;
    }
    return true;
}

/* --- sending */

/* What a section begins with. */
static size_t heads_bytes(const Exchange *x, BinRange bins)
{
    return (size_t)(bins.end - bins.begin) * (x->far ? 8 : 4);
}

/* A few bins of one section, filled in by one thread. */
typedef struct {
    BinRange bins;
    size_t head, head_n; /* in `send`: the u32 bytes of its first bin, the u32 records */
    size_t at, used;     /* there: room for its records; what they took */
} Part;

/* A slab of n bytes, none used. */
static ErrCode room_for(const Rounds *r, Slab **s, size_t n, Err *err)
{
    if (!*s || (*s)->cap < n) {
        slab_give(*s, r->x->spec.memory);
        *s = slab_take(n);
    }
    if (!*s) return err_nomem(err, r->x->name);
    (*s)->used = 0;
    return ERR_OK;
}

/* Records that are here, folded or not. */
static uint64_t bin_records(const Exchange *x, uint32_t bin)
{
    uint64_t n = 0;

    for (int i = 0; i < x->threads; i++) {
        if (x->lane[i].index) n += x->lane[i].n_far[bin];
        for (ExchangeRun *r = x->lane[i].run; r; r = *run_older(r)) n += run_records(r, bin);
    }
    return n;
}

/* The records of a bin to `to`, folded by a combiner; how many bytes. */
static ErrCode put_bin(Exchange *x, uint32_t bin, BinStream *in, uint8_t *to, size_t *n, Err *err)
{
    const uint8_t *r;
    ErrCode rc = x->spec.combine ? binstream_gather(in, x, NULL, bin, err) : binstream_slices(in, x, NULL, bin, err);

    *n = 0;
    for (size_t i = 0; !x->spec.combine && i < in->n_slices && rc == ERR_OK; *n += in->slice[i++].n)
        memcpy(to + *n, in->slice[i].p, in->slice[i].n);
    for (; x->spec.combine && rc == ERR_OK && (r = binstream_peek(in)) != NULL; rc = binstream_pop(in, err)) {
        size_t bytes = record_bytes(x, r);
        memcpy(to + *n, r, bytes);
        *n += bytes;
    }
    return rc;
}

static ErrCode put_part(Rounds *r, Part *p, BinStream *in, Err *err)
{
    size_t n;
    ErrCode rc = binstream_load(in, r->x, p->bins, err);

    for (uint32_t bin = p->bins.begin; bin < p->bins.end && rc == ERR_OK; bin++) {
        rc = put_bin(r->x, bin, in, slab_bytes(r->send) + p->at + p->used, &n, err);
        size_t at = (size_t)(bin - p->bins.begin) * 4;
        le32_put(slab_bytes(r->send) + p->head + at, (uint32_t)n);
        if (r->x->far) le32_put(slab_bytes(r->send) + p->head_n + at, (uint32_t)bin_records(r->x, bin));
        p->used += n;
    }
    return rc;
}

/* Cuts the round into parts that a thread may load, each with room for its records as they are now. */
static ErrCode cut_parts(const Rounds *r, Part **parts, size_t *n_parts, size_t *bytes, Err *err)
{
    size_t cap = 0, at = 0, head;
    bool wide;

    *n_parts = 0;
    for (int i = 0; i < r->n_ranks; i++) {
        BinRange batch = r->batch[i];
        if (i == r->rank) continue;
        head = at;
        at += heads_bytes(r->x, batch);
        for (uint32_t b = batch.begin; b < batch.end;) {
            Part *grown = array_grow(*parts, *n_parts, &cap, sizeof *grown);
            if (!grown) return err_nomem(err, r->x->name);
            *parts = grown;
            BinRange bins = next_batch(r->x, b, batch.end, (size_t)r->round_bytes / 16 + 1, &wide);
            size_t first = head + (size_t)(b - batch.begin) * 4;
            grown[(*n_parts)++] = (Part){
                .bins = bins, .head = first, .head_n = first + (size_t)(batch.end - batch.begin) * 4, .at = at};
            for (; b < bins.end; b++) at += (size_t)r->mine[b];
        }
    }
    *bytes = at;
    return ERR_OK;
}

/* Folded and read records took less room than was kept: sections become contiguous. */
static void close_gaps(Rounds *r, const Part *parts, size_t n_parts)
{
    const Part *p = parts;
    size_t to = 0;

    memset(r->send_n, 0, (size_t)r->n_ranks * sizeof *r->send_n);
    for (int i = 0; i < r->n_ranks; i++) {
        size_t heads = heads_bytes(r->x, r->batch[i]), begin = to;
        if (i == r->rank || heads == 0) continue;
        memmove(slab_bytes(r->send) + to, slab_bytes(r->send) + p->head, heads);
        to += heads;
        for (; p < parts + n_parts && p->bins.begin >= r->batch[i].begin && p->bins.begin < r->batch[i].end; p++) {
            memmove(slab_bytes(r->send) + to, slab_bytes(r->send) + p->at, p->used);
            to += p->used;
        }
        r->send_n[i] = to - begin;
    }
    r->send->used = to;
}

static ErrCode put_parts(Rounds *r, Part *parts, size_t n, Err *err)
{
    ErrCode *rc = calloc(n + 1, sizeof *rc), first;
    Err *errs = calloc(n + 1, sizeof *errs);

    if (!rc || !errs) {
        first = err_nomem(err, r->x->name);
    } else {
#pragma omp parallel num_threads(r->x->threads)
        {
            BinStream in = {0};
#pragma omp for schedule(dynamic, 1)
            for (size_t i = 0; i < n; i++) rc[i] = put_part(r, &parts[i], &in, &errs[i]);
            binstream_clear(&in);
        }
        first = par_first_error(rc, errs, n, err);
    }
    free(rc);
    free(errs);
    return first;
}

static ErrCode fill_sections(Rounds *r, Err *err)
{
    EventSpan span = event_begin("fill", r->x->name, 0);
    Part *parts = NULL;
    size_t n, bytes = 0;
    ErrCode rc = cut_parts(r, &parts, &n, &bytes, err);

    if (rc == ERR_OK) rc = room_for(r, &r->send, bytes, err);
    if (rc == ERR_OK) rc = put_parts(r, parts, n, err);
    if (rc == ERR_OK) close_gaps(r, parts, n);
    free(parts);
    event_end(span, 0, rc == ERR_OK ? r->send->used : 0);
    return rc;
}

/* For what recv_next_n announces. */
static ErrCode room_to_receive(Rounds *r, Err *err)
{
    uint64_t n = 0;

    for (int i = 0; i < r->n_ranks; i++) n += r->recv_next_n[i];
    if (n > INT32_MAX) return err_set(err, ERR_NOMEM, "exchange %s: a round of %" PRIu64 " MiB", r->x->name, n >> 20);
    return room_for(r, &r->recv_next, (size_t)n, err);
}

/* Puts what is in `send` under way; `rc` says whether it is complete here. Collective. */
static ErrCode begin_flight(Rounds *r, ErrCode rc, Err *err)
{
    if ((rc = par_agree(&r->x->par, rc, err)) != ERR_OK) return rc;
    mpi_alltoall_u64(r->send_n, r->recv_next_n);
    if ((rc = par_agree(&r->x->par, room_to_receive(r, err), err)) != ERR_OK) return rc;
    mpi_alltoallv_begin(slab_bytes(r->send), r->send_n, slab_bytes(r->recv_next), r->recv_next_n, r->n_ranks);
    return ERR_OK;
}

static void end_flight(Rounds *r)
{
    Slab *bytes = r->recv;
    uint64_t *counts = r->recv_n;

    EventSpan span = event_begin("wait", r->x->name, 0); /* for what has not come yet */
    mpi_alltoallv_end();
    event_end(span, 0, 0);
    r->recv = r->recv_next, r->recv_n = r->recv_next_n;
    r->recv_next = bytes, r->recv_next_n = counts;
}

/* --- delivering what came */

static ErrCode deliver_range(const Rounds *r, Delivery *d, BinRange bins, Err *err)
{
    d->x = r->x;
    deliver_bins(d, bins);
    if (d->rc && err) *err = d->err;
    return d->rc;
}

/* The sizes that it begins with become offsets. */
static ErrCode open_section(const Rounds *r, uint8_t *bytes, uint64_t n, Section *s, Err *err)
{
    uint32_t bins = r->here.end - r->here.begin;
    uint64_t at = 0;
    size_t heads = heads_bytes(r->x, r->here);

    *s =
        (Section){.begin = r->here.begin, .end = r->here.end, .record = bytes + heads, .n = bytes + (size_t)bins * 4};
    if (!(s->offset = malloc(((size_t)bins + 1) * sizeof *s->offset))) return err_nomem(err, r->x->name);
    for (uint32_t b = 0; b < bins; b++) {
        s->offset[b] = at;
        at += le32_get(bytes + (size_t)b * 4);
    }
    s->offset[bins] = at;
    return at + heads == n ? ERR_OK : err_set(err, ERR_DATA, "exchange %s: a round is damaged", r->x->name);
}

static ErrCode deliver_round(Rounds *r, Delivery *d, Err *err)
{
    Exchange *x = r->x;
    EventSpan span = event_begin("round", x->name, 0);
    uint8_t *bytes = slab_bytes(r->recv);
    ErrCode rc = ERR_OK;

    x->section = calloc((size_t)r->n_ranks, sizeof *x->section);
    if (!x->section) return err_nomem(err, x->name);
    for (int i = 0; i < r->n_ranks && rc == ERR_OK; i++) {
        if (r->recv_n[i] == 0) continue;
        rc = open_section(r, bytes, r->recv_n[i], &x->section[x->n_sections++], err);
        bytes += r->recv_n[i];
    }
    if (rc == ERR_OK) rc = deliver_range(r, d, r->here, err);
    for (size_t i = 0; i < x->n_sections; i++) free(x->section[i].offset);
    free(x->section);
    x->section = NULL;
    x->n_sections = 0;
    event_end(span, 0, (uint64_t)(bytes - slab_bytes(r->recv)));
    return rc;
}

/* --- a bin too large for a batch */

typedef struct {
    int owner;
    uint32_t bin;
    BinStream in;   /* what this rank sends */
    RunWriter *got; /* on the owner */
    Buf out;        /* of it */
} WideBin;

/* Whole records, no more than this rank's part of what the owner receives at a time. */
static ErrCode fill_piece(Rounds *r, WideBin *w, Err *err)
{
    size_t most = (size_t)r->round_bytes / (size_t)r->n_ranks, n;
    const uint8_t *record;
    ErrCode rc = room_for(r, &r->send, most + FAR_HEAD + EXCHANGE_MAX_VALUE, err);

    while (r->rank != w->owner && rc == ERR_OK && (record = binstream_peek(&w->in)) != NULL) {
        n = record_bytes(r->x, record);
        if (r->send->used > 0 && r->send->used + n > most) break;
        memcpy(slab_bytes(r->send) + r->send->used, record, n);
        r->send->used += n;
        rc = binstream_pop(&w->in, err);
    }
    return rc;
}

static ErrCode keep_pieces(const Rounds *r, const WideBin *w, Err *err)
{
    uint64_t n = 0;

    for (int i = 0; i < r->n_ranks; i++) n += r->recv_n[i];
    return r->rank == w->owner ? runwriter_slice(w->got, span(slab_bytes(r->recv), (size_t)n), err) : ERR_OK;
}

static ErrCode send_wide(Rounds *r, WideBin *w, Err *err)
{
    uint64_t most;
    ErrCode rc = ERR_OK;

    for (;;) {
        if (rc == ERR_OK) rc = fill_piece(r, w, err);
        memset(r->send_n, 0, (size_t)r->n_ranks * sizeof *r->send_n);
        r->send_n[w->owner] = most = rc == ERR_OK ? r->send->used : 0;
        mpi_max_u64(&most);
        if ((rc = begin_flight(r, rc, err)) != ERR_OK) return rc;
        end_flight(r);
        rc = keep_pieces(r, w, err);
        if (most == 0) return rc;
    }
}

static ErrCode open_wide(Rounds *r, WideBin *w, Err *err)
{
    Exchange *x = r->x;
    BinSize size = bin_size(x, w->bin);
    BinRange bins = {w->bin, w->bin + 1};
    ErrCode rc = ERR_OK;

    if (!x->scratch)
        return err_set(err, ERR_NOMEM,
                       "exchange %s: records of few keys, %" PRIu64 " MiB, do not fit in --memory of %" PRIu64 " MiB",
                       x->name, r->all[w->bin] >> 20, x->spec.memory >> 20);
    if (r->rank == w->owner) {
        rc = scratch_room(x->scratch, x->name, r->all[w->bin] - r->mine[w->bin], err);
        if (rc == ERR_OK) rc = runwriter_new(&w->got, x, w->bin, 1, &x->section_run, &w->out, err);
        return rc ? rc : runwriter_bin(w->got, err);
    }
    if (!bin_fits(x, size)) return binstream_wide(&w->in, x, w->bin, err);
    rc = binstream_load(&w->in, x, bins, err);
    return rc ? rc : binstream_gather(&w->in, x, NULL, w->bin, err);
}

/* The next bin of the lowest rank that has one, by itself. Collective. */
static ErrCode wide_round(Rounds *r, Delivery *d, Err *err)
{
    Exchange *x = r->x;
    WideBin w = {0};
    EventSpan span = event_begin("wide bin", x->name, 0);
    ErrCode rc;

    while (r->next[w.owner] == rank_bin(x, w.owner + 1)) w.owner++;
    w.bin = r->next[w.owner]++;
    if ((rc = par_agree(&x->par, open_wide(r, &w, err), err)) == ERR_OK) rc = send_wide(r, &w, err);
    if (rc == ERR_OK && w.got) rc = runwriter_end(w.got, err);
    runwriter_free(w.got);
    buf_clear(&w.out);
    binstream_clear(&w.in);
    if (rc == ERR_OK && r->rank == w.owner) rc = deliver_range(r, d, (BinRange){w.bin, w.bin + 1}, err);
    runs_free(&x->section_run);
    event_end(span, 0, 0);
    return par_agree(&x->par, rc, err);
}

static ErrCode all_rounds(Rounds *r, Delivery *d, Err *err)
{
    bool have = false; /* a round that came and was not delivered yet */
    ErrCode rc = ERR_OK;

    measure_bins(r);
    bound_rounds(r);
    for (;;) {
        bool wide = false, more = !is_done(r);
        if (more) wide = !plan_round(r);
        if (more && !wide) {
            if (rc == ERR_OK) rc = fill_sections(r, err);
            if ((rc = begin_flight(r, rc, err)) != ERR_OK) return rc;
        }
        if (have) rc = deliver_round(r, d, err);
        have = more && !wide;
        if (have) {
            end_flight(r);
            r->here = r->batch[r->rank];
        } else {
            rc = par_agree(&r->x->par, rc, err);
            if (rc == ERR_OK && wide) rc = wide_round(r, d, err);
            if (rc || !more) return rc;
        }
    }
}

ErrCode exchange_each_rank(Exchange *x, ExchangeEach fn, void *ctx, Err *err)
{
    Delivery d = {.fn = fn, .ctx = ctx, .failed = UINT32_MAX};
    Rounds r;
    ErrCode rc = par_agree(&x->par, rounds_init(&r, x, err), err);

    if (rc == ERR_OK) rc = all_rounds(&r, &d, err);
    rounds_clear(&r);
    return rc;
}
