/* Delivery over ranks. A rank owns a contiguous range of bins. Bins travel in rounds: in each, every rank takes the next few
 * of its own that fit a share of the budget, all ranks send it theirs, and it delivers them as if they were packs of its own
 * while the next round is under way. So memory is bounded whatever the records do, and nothing is spilled twice. Which round a
 * bin falls into changes nothing that is delivered.
 *
 * A bin larger than a batch may be comes alone: every rank sends its owner the bin sorted, a piece at a time, the owner keeps
 * what each rank sent as a run on scratch and delivers them merged.
 *
 * A section, what one rank sends another in a round: u32 bytes of every bin of the batch, then the records of these bins. */
#include "core/exchange_impl.h"

#include "core/par_mpi.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROUND_MAX = 1 << 30 }; /* MPI counts bytes in an int */

typedef struct {
    uint32_t begin, end; /* bins */
} Batch;

typedef struct {
    Exchange *x;
    int rank, n_ranks;
    uint64_t round_bytes; /* that a rank sends or receives at most */
    uint64_t *all, *mine; /* bytes of every bin: of all ranks, here */
    Batch *batch;         /* of every rank, this round */
    uint32_t *next;       /* of every rank: its first bin after the batch */
    uint64_t *send_n, *recv_n;
    Buf send;
    uint8_t *recv, *recv_next; /* being delivered; under way */
    uint64_t recv_bytes, recv_next_bytes;
    uint64_t *recv_next_n;
    Batch here; /* this rank's bins that came */
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
    free(r->recv);
    free(r->recv_next);
    buf_clear(&r->send);
}

static ErrCode rounds_init(Rounds *r, Exchange *x, Err *err)
{
    size_t ranks = (size_t)x->par.n_ranks;

    *r = (Rounds){.x = x, .rank = x->par.rank, .n_ranks = x->par.n_ranks};
    r->round_bytes =
        x->share * (uint64_t)x->threads / 4; /* one batch to send, two to receive, one for their delivery */
    if (r->round_bytes > ROUND_MAX) r->round_bytes = ROUND_MAX;
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
    return ERR_OK;
}

/* --- planning: the same on every rank */

static void measure_bins(Rounds *r)
{
    const Exchange *x = r->x;

    for (int i = 0; i < x->threads; i++) {
        for (const Pack *p = x->lane[i].pack; p; p = p->older)
            for (uint32_t b = 0; b < x->bins; b++) r->mine[b] += pack_slice(p, b).n;
        for (const ExchangeRun *run = x->lane[i].run; run; run = run_older(run))
            for (uint32_t b = 0; b < x->bins; b++) r->mine[b] += run_bin_bytes(run, b);
    }
    memcpy(r->all, r->mine, x->bins * sizeof *r->all);
    par_sum_u64(&x->par, r->all, x->bins);
}

/* Batches of at most `limit` bytes; returns what this rank would send. */
static uint64_t choose_batches(Rounds *r, uint64_t limit)
{
    uint64_t to_send = 0;

    for (int i = 0; i < r->n_ranks; i++) {
        uint32_t b = r->next[i], end = rank_bin(r->x, i + 1);
        uint64_t bytes = 0;
        for (; b < end && r->all[b] <= limit - bytes; b++) {
            bytes += r->all[b];
            to_send += r->mine[b];
        }
        r->batch[i] = (Batch){r->next[i], b};
    }
    return to_send;
}

static bool is_done(const Rounds *r)
{
    for (int i = 0; i < r->n_ranks; i++)
        if (r->next[i] < rank_bin(r->x, i + 1)) return false;
    return true;
}

/* Where one rank holds most of all records, batches shrink until it can send its part. False: no bin fits any more, the next
 * ones are too large for a batch. */
static bool plan_round(Rounds *r)
{
    uint64_t most;
    bool some = false;

    for (uint64_t limit = r->round_bytes; limit > 0; limit /= 2) {
        most = choose_batches(r, limit);
        mpi_max_u64(&most);
        if (most <= r->round_bytes) break;
    }
    for (int i = 0; i < r->n_ranks; i++) {
        some |= r->batch[i].end > r->batch[i].begin;
        r->next[i] = r->batch[i].end;
    }
    return some;
}

/* --- sending */

/* Narrow records go as they lie; others sorted, and folded by a combiner. */
static ErrCode put_bin(Rounds *r, uint32_t bin, BinStream *in, Err *err)
{
    Exchange *x = r->x;
    uint8_t *acc = NULL;
    size_t head = x->far ? FAR_HEAD : EXCHANGE_KEY, acc_at = 0;
    const uint8_t *record;
    ErrCode rc;

    if (!x->far && !x->spec.combine) return bin_append(x, bin, &r->send, err);
    rc = binstream_open(in, x, NULL, bin, err);
    while (rc == ERR_OK && (record = binstream_peek(in)) != NULL) {
        acc = acc_at ? r->send.p + acc_at - 1 : NULL;
        if (x->spec.combine && acc && same_key(acc, record)) {
            x->spec.combine(acc + head, record + head);
        } else {
            acc_at = r->send.n + 1;
            buf_put(&r->send, record, record_bytes(x, record));
            if (r->send.oom) return err_nomem(err, x->name);
        }
        rc = binstream_pop(in, err);
    }
    return rc;
}

static ErrCode put_section(Rounds *r, Batch b, BinStream *in, Err *err)
{
    size_t begin = r->send.n, head = (size_t)(b.end - b.begin) * 4;
    ErrCode rc = ERR_OK;

    if (!buf_reserve(&r->send, head)) return err_nomem(err, r->x->name);
    r->send.n += head;
    for (uint32_t bin = b.begin; bin < b.end && rc == ERR_OK; bin++) {
        size_t at = r->send.n;
        rc = put_bin(r, bin, in, err);
        if (rc == ERR_OK) le32_put(r->send.p + begin + (size_t)(bin - b.begin) * 4, (uint32_t)(r->send.n - at));
    }
    return rc;
}

static ErrCode fill_sections(Rounds *r, Err *err)
{
    EventSpan span = event_begin("fill", r->x->name, 0);
    BinStream in = {0};
    ErrCode rc = ERR_OK;

    buf_reset(&r->send);
    for (int i = 0; i < r->n_ranks && rc == ERR_OK; i++) {
        size_t begin = r->send.n;
        rc = put_section(r, r->batch[i], &in, err);
        r->send_n[i] = r->send.n - begin;
    }
    binstream_clear(&in);
    event_end(span, 0, r->send.n);
    return rc;
}

/* For what recv_next_n announces. */
static ErrCode room_to_receive(Rounds *r, Err *err)
{
    uint64_t n = 0;

    for (int i = 0; i < r->n_ranks; i++) n += r->recv_next_n[i];
    if (n > INT32_MAX) return err_set(err, ERR_NOMEM, "exchange %s: a round of %" PRIu64 " MiB", r->x->name, n >> 20);
    if (n <= r->recv_next_bytes) return ERR_OK;
    free(r->recv_next);
    r->recv_next = malloc((size_t)n);
    r->recv_next_bytes = r->recv_next ? n : 0;
    return r->recv_next ? ERR_OK : err_nomem(err, r->x->name);
}

/* Puts what is in `send` under way; `rc` says whether it is complete here. Collective. */
static ErrCode begin_flight(Rounds *r, ErrCode rc, Err *err)
{
    if ((rc = par_agree(&r->x->par, rc, err)) != ERR_OK) return rc;
    mpi_alltoall_u64(r->send_n, r->recv_next_n);
    if ((rc = par_agree(&r->x->par, room_to_receive(r, err), err)) != ERR_OK) return rc;
    mpi_alltoallv_begin(r->send.p, r->send_n, r->recv_next, r->recv_next_n, r->n_ranks);
    return ERR_OK;
}

static void end_flight(Rounds *r)
{
    uint8_t *bytes = r->recv;
    uint64_t n = r->recv_bytes, *counts = r->recv_n;

    EventSpan span = event_begin("wait", r->x->name, 0); /* for what has not come yet */
    mpi_alltoallv_end();
    event_end(span, 0, 0);
    r->recv = r->recv_next, r->recv_bytes = r->recv_next_bytes, r->recv_n = r->recv_next_n;
    r->recv_next = bytes, r->recv_next_bytes = n, r->recv_next_n = counts;
}

/* --- delivering what came */

/* An exchange of the bins that came, all in one lane. */
static Exchange inbox_of(const Exchange *x, Batch bins, Lane *lane)
{
    Exchange inbox = {.spec = x->spec,
                      .par = par_alone(x->threads),
                      .threads = 1, /* lanes */
                      .bits = x->bits,
                      .bin_bits = x->bin_bits,
                      .bins = bins.end - bins.begin,
                      .first_bin = bins.begin,
                      .width = x->width,
                      .sort_bytes = x->sort_bytes,
                      .share = x->share,
                      .far = x->far,
                      .flipped = true,
                      .lane = lane};

    memcpy(inbox.name, x->name, sizeof inbox.name);
    inbox.spec.name = NULL; /* the name above is what messages use */
    return inbox;
}

static ErrCode deliver_inbox(const Rounds *r, Delivery *d, Batch bins, Lane *lane, Err *err)
{
    Exchange inbox = inbox_of(r->x, bins, lane);

    d->x = &inbox;
    deliver_bins(d, r->x->threads);
    d->x = NULL;
    if (d->rc) *err = d->err;
    return d->rc;
}

/* The section as a pack: its sizes become offsets. */
static ErrCode section_pack(const Rounds *r, uint8_t *section, uint64_t n, Pack *p, Err *err)
{
    uint32_t bins = r->here.end - r->here.begin, at = 0;

    *p = (Pack){.record = section + (size_t)bins * 4, .bytes = (size_t)n - (size_t)bins * 4};
    if (!(p->begin = malloc(((size_t)bins + 1) * sizeof *p->begin))) return err_nomem(err, r->x->name);
    for (uint32_t b = 0; b < bins; b++) {
        p->begin[b] = at;
        at += le32_get(section + (size_t)b * 4);
    }
    p->begin[bins] = at;
    return ERR_OK;
}

static ErrCode deliver_round(Rounds *r, Delivery *d, Err *err)
{
    EventSpan span = event_begin("round", r->x->name, 0);
    Pack *pack = calloc((size_t)r->n_ranks, sizeof *pack);
    Lane lane = {0};
    uint8_t *section = r->recv;
    ErrCode rc = pack ? ERR_OK : err_nomem(err, r->x->name);

    for (int i = 0; i < r->n_ranks && rc == ERR_OK; i++) {
        rc = section_pack(r, section, r->recv_n[i], &pack[i], err);
        section += r->recv_n[i];
        pack[i].older = lane.pack;
        lane.pack = &pack[i];
    }
    if (rc == ERR_OK) rc = deliver_inbox(r, d, r->here, &lane, err);
    for (int i = 0; pack && i < r->n_ranks; i++) free(pack[i].begin);
    free(pack);
    event_end(span, 0, (uint64_t)(section - r->recv));
    return rc;
}

/* --- a bin too large for a batch */

typedef struct {
    int owner;
    uint32_t bin;
    RunWriter **from; /* on the owner: what each rank sent */
} WideBin;

/* Whole records, no more than this rank's part of what the owner receives at a time. */
static ErrCode fill_piece(Rounds *r, BinStream *in, Err *err)
{
    size_t most = (size_t)r->round_bytes / (size_t)r->n_ranks, n;
    const uint8_t *record;
    ErrCode rc = ERR_OK;

    buf_reset(&r->send);
    while (rc == ERR_OK && (record = binstream_peek(in)) != NULL) {
        n = record_bytes(r->x, record);
        if (r->send.n > 0 && r->send.n + n > most) break;
        buf_put(&r->send, record, n);
        rc = binstream_pop(in, err);
    }
    return rc ? rc : buf_ok(&r->send, r->x->name, err);
}

static ErrCode keep_pieces(const Rounds *r, const WideBin *w, Err *err)
{
    const uint8_t *record = r->recv;
    ErrCode rc = ERR_OK;

    if (r->rank != w->owner) return ERR_OK;
    for (int i = 0; i < r->n_ranks; i++)
        for (const uint8_t *end = record + r->recv_n[i]; record < end && rc == ERR_OK;
             record += record_bytes(r->x, record))
            rc = runwriter_put(w->from[i], record, err);
    return rc;
}

static ErrCode send_wide(Rounds *r, const WideBin *w, BinStream *in, Err *err)
{
    uint64_t most;
    ErrCode rc = ERR_OK;

    for (;;) {
        if (rc == ERR_OK) rc = fill_piece(r, in, err);
        memset(r->send_n, 0, (size_t)r->n_ranks * sizeof *r->send_n);
        r->send_n[w->owner] = most = r->send.n;
        mpi_max_u64(&most);
        if ((rc = begin_flight(r, rc, err)) != ERR_OK) return rc;
        end_flight(r);
        rc = keep_pieces(r, w, err);
        if (most == 0) return rc;
    }
}

static ErrCode open_writers(Rounds *r, WideBin *w, Err *err)
{
    ErrCode rc = ERR_OK;

    if (!r->x->scratch)
        return err_set(err, ERR_NOMEM,
                       "exchange %s: records of few keys, %" PRIu64 " MiB, do not fit in --memory of %" PRIu64 " MiB",
                       r->x->name, r->all[w->bin] >> 20, r->x->spec.memory >> 20);
    if (r->rank != w->owner) return ERR_OK;
    w->from = calloc((size_t)r->n_ranks, sizeof *w->from);
    if (!w->from) return err_nomem(err, r->x->name);
    for (int i = 0; i < r->n_ranks && rc == ERR_OK; i++) {
        rc = runwriter_new(&w->from[i], r->x, 1, (size_t)r->round_bytes / (size_t)r->n_ranks, err);
        if (rc == ERR_OK) rc = runwriter_bin(w->from[i], err);
    }
    return rc;
}

/* The next bin of the lowest rank that has one, by itself. Collective. */
static ErrCode wide_round(Rounds *r, Delivery *d, Err *err)
{
    WideBin w = {0};
    BinStream in = {0};
    Lane lane = {0};
    EventSpan span = event_begin("wide bin", r->x->name, 0);
    ErrCode rc;

    while (r->next[w.owner] == rank_bin(r->x, w.owner + 1)) w.owner++;
    w.bin = r->next[w.owner]++;
    rc = open_writers(r, &w, err);
    if (rc == ERR_OK) rc = binstream_open(&in, r->x, NULL, w.bin, err);
    if ((rc = par_agree(&r->x->par, rc, err)) == ERR_OK) rc = send_wide(r, &w, &in, err);
    binstream_clear(&in);
    for (int i = 0; w.from && i < r->n_ranks; i++) {
        if (rc == ERR_OK) rc = runwriter_end(w.from[i], &lane, err);
        runwriter_free(w.from[i]);
    }
    if (rc == ERR_OK && w.from) rc = deliver_inbox(r, d, (Batch){w.bin, w.bin + 1}, &lane, err);
    free(w.from);
    runs_free(&lane);
    event_end(span, 0, 0);
    return par_agree(&r->x->par, rc, err);
}

static ErrCode all_rounds(Rounds *r, Delivery *d, Err *err)
{
    bool have = false; /* a round that came and was not delivered yet */
    ErrCode rc = ERR_OK;

    measure_bins(r);
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
