#include "core/pass.h"

#include "core/events.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct Pass {
    PassSpec spec;
    Par par;
    Results *results;
    Exchange *exchange; /* while it runs */
    bool sorting;       /* what is sent goes to all tasks: none of it is let fall */
    ResultsOut *out;    /* of every thread */
    PassReceive receive;
    void *ctx;
    unsigned bits; /* partitions == 1 << bits */
    char dir[PATH_MAX];
};

/* --- opening */

static ErrCode open_results(const Pass *p, const char *dir, uint32_t width, Results **r, Err *err)
{
    const ResultsSpec spec = {.dir = dir,
                              .key = p->spec.key,
                              .partitions = p->spec.exchange.partitions,
                              .width = width,
                              .memory = p->spec.exchange.memory / 8,
                              .piece = p->spec.piece_bytes,
                              .repair = p->spec.repair,
                              .share = p->spec.task.index,
                              .shares = p->spec.task.count};

    return results_open(r, &spec, &p->par, err);
}

ErrCode pass_open(Pass **out, const PassSpec *spec, const Par *par, Err *err)
{
    Pass *p = *out = calloc(1, sizeof *p);
    ErrCode rc = ERR_OK;
    int n = 0;

    if (p) {
        *p = (Pass){.spec = *spec, .par = *par, .out = calloc((size_t)par->threads, sizeof(ResultsOut))};
        p->spec.exchange.name = spec->name;
        while (1u << p->bits < spec->exchange.partitions) p->bits++;
        n = snprintf(p->dir, sizeof p->dir, "%s/%s", spec->dir, spec->name);
    }
    if (!p || !p->out)
        rc = err_nomem(err, spec->name);
    else if (n < 0 || n >= PATH_MAX)
        rc = err_set(err, ERR_LIMIT, "%s: the path is too long", spec->dir);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = open_results(p, p->dir, spec->result_bytes, &p->results, err);
    if (rc) {
        pass_close(p);
        *out = NULL;
    }
    return rc;
}

void pass_close(Pass *p)
{
    if (!p) return;
    for (int i = 0; p->out && i < p->par.threads; i++) resultsout_clear(&p->out[i]);
    free(p->out);
    results_close(p->results);
    exchange_close(p->exchange);
    free(p);
}

const Results *pass_results(const Pass *p) { return p->results; }
bool pass_is_done(const Pass *p) { return results_complete(p->results); }

/* --- ranks of one job */

ErrCode pass_put(Pass *p, int lane, const uint8_t key[EXCHANGE_KEY], const void *value, uint32_t n, Err *err)
{
    uint32_t partition = p->bits ? (uint32_t)(be64_get(key) >> (64 - p->bits)) : 0;

    if (!p->sorting && results_has(p->results, partition)) return ERR_OK;
    return exchange_put(p->exchange, lane, key, value, n, err);
}

static ErrCode receive_partition(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    Pass *p = ctx;
    ResultsOut *out = &p->out[thread];
    ErrCode rc;

    if (results_has(p->results, partition)) return ERR_OK;
    resultsout_begin(out, p->results, partition);
    rc = p->receive(p->ctx, thread, partition, g, out, err);
    return rc ? rc : resultsout_end(out, err);
}

/* Every step is agreed on, so that no rank waits for one that has given up. */
static ErrCode run_ranks(Pass *p, PassSend send, Err *err)
{
    ErrCode rc = par_agree(&p->par, exchange_open(&p->exchange, &p->spec.exchange, &p->par, err), err);

    if (rc == ERR_OK) rc = par_agree(&p->par, send(p->ctx, p, err), err);
    if (rc == ERR_OK) rc = par_agree(&p->par, exchange_flip(p->exchange, err), err);
    if (rc == ERR_OK) rc = results_settle(p->results, exchange_each(p->exchange, receive_partition, p, err), err);
    if (rc == ERR_OK && !pass_is_done(p)) rc = err_set(err, ERR_SYS, "%s: not all partitions were received", p->dir);
    return rc;
}

/* --- tasks of an array */

/* DIR/NAME/sent-I-of-N, what a task has sent; with ".done" behind it a mark, by which a look tells that it is complete without
 * reading it. */
static ErrCode sent_path(const Pass *p, uint32_t task, const char *suffix, char out[PATH_MAX], Err *err)
{
    int n =
        snprintf(out, PATH_MAX, "%s/sent-%05" PRIu32 "-of-%05" PRIu32 "%s", p->dir, task, p->spec.task.count, suffix);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", p->dir);
}
static const char sent_mark[] = ".done";

static uint32_t sent_width(const Pass *p) { return EXCHANGE_KEY + p->spec.exchange.value_bytes; }

static ErrCode open_sent(const Pass *p, uint32_t task, char dir[PATH_MAX], Results **r, Err *err)
{
    ErrCode rc = sent_path(p, task, "", dir, err);

    return rc ? rc : open_results(p, dir, sent_width(p), r, err);
}

typedef struct {
    Pass *pass;
    Results *sent;
} Sent;

/* A partition as it was sent: its records in order. */
static ErrCode keep_partition(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Sent *s = ctx;
    ResultsOut *out = &s->pass->out[thread];
    uint8_t record[RESULTS_MAX_WIDTH];
    Span value;
    bool end;
    ErrCode rc;

    resultsout_begin(out, s->sent, partition);
    while ((rc = exchange_next_group(g, record, &end, err)) == ERR_OK && !end) {
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end) {
            if (value.n) memcpy(record + EXCHANGE_KEY, value.p, value.n);
            if ((rc = resultsout_put(out, record, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc ? rc : resultsout_end(out, err);
}

/* What this task sends, kept where all can read it. */
static ErrCode send_share(Pass *p, PassSend send, Err *err)
{
    char dir[PATH_MAX], mark[PATH_MAX];
    bool created;
    Sent s = {.pass = p};
    ErrCode rc = open_sent(p, p->spec.task.index, dir, &s.sent, err);

    if (rc == ERR_OK && !results_complete(s.sent)) {
        p->sorting = true;
        rc = exchange_open(&p->exchange, &p->spec.exchange, &p->par, err);
        if (rc == ERR_OK) rc = send(p->ctx, p, err);
        if (rc == ERR_OK) rc = exchange_flip(p->exchange, err);
        if (rc == ERR_OK) rc = results_settle(s.sent, exchange_each(p->exchange, keep_partition, &s, err), err);
        exchange_close(p->exchange);
        p->exchange = NULL;
        p->sorting = false;
    }
    results_close(s.sent);
    if (rc == ERR_OK) rc = sent_path(p, p->spec.task.index, sent_mark, mark, err);
    return rc ? rc : store_create(mark, (Span){NULL, 0}, &created, err);
}

/* With the step done, what this task sent into it is nothing. */
static void drop_sent(const Pass *p)
{
    char dir[PATH_MAX], mark[PATH_MAX];
    Err err;
    ErrCode rc = sent_path(p, p->spec.task.index, sent_mark, mark, &err);

    if (rc == ERR_OK) rc = store_delete(mark, &err);
    if (rc == ERR_OK) rc = sent_path(p, p->spec.task.index, "", dir, &err);
    if (rc == ERR_OK) rc = store_delete_tree(dir, 0, &err);
    if (rc) log_debug("%s", err.msg);
}

static ErrCode put_sent(void *ctx, int thread, uint32_t partition, Span records, Err *err)
{
    Pass *p = ctx;
    uint32_t width = sent_width(p);
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < records.n && rc == ERR_OK; at += width)
        rc = pass_put(p, thread, records.p + at, records.p + at + EXCHANGE_KEY, width - EXCHANGE_KEY, err);
    return rc;
}

static ErrCode all_have_sent(const Pass *p, Err *err)
{
    char mark[PATH_MAX];
    bool there;
    ErrCode rc = ERR_OK;

    for (uint32_t task = 0; task < p->spec.task.count && rc == ERR_OK; task++) {
        if ((rc = sent_path(p, task, sent_mark, mark, err)) != ERR_OK ||
            (rc = store_exists(mark, &there, err)) != ERR_OK)
            break;
        if (!there) rc = err_set(err, ERR_NO, "%s is not there yet", mark);
    }
    return rc;
}

/* This task's partitions of what all have sent. A mark may be another job's. */
static ErrCode gather_share(Pass *p, Err *err)
{
    char dir[PATH_MAX];
    ErrCode rc = ERR_OK;

    for (uint32_t task = 0; task < p->spec.task.count && rc == ERR_OK; task++) {
        Results *sent;
        if ((rc = open_sent(p, task, dir, &sent, err)) != ERR_OK) break;
        rc = results_complete(sent) ? results_each(sent, put_sent, p, err)
                                    : err_set(err, ERR_NO, "%s is not complete yet", dir);
        results_close(sent);
    }
    return rc;
}

static ErrCode receive_own(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Pass *p = ctx;
    uint32_t begin, end;

    results_share(p->results, &begin, &end);
    return partition >= begin && partition < end ? receive_partition(ctx, thread, partition, g, err) : ERR_OK;
}

static ErrCode receive_share(Pass *p, Err *err)
{
    ErrCode rc = all_have_sent(p, err);

    if (rc == ERR_OK) rc = exchange_open(&p->exchange, &p->spec.exchange, &p->par, err);
    if (rc == ERR_OK) rc = gather_share(p, err);
    if (rc == ERR_OK) rc = exchange_flip(p->exchange, err);
    return rc ? rc : results_settle(p->results, exchange_each(p->exchange, receive_own, p, err), err);
}

static bool share_is_done(const Pass *p)
{
    uint32_t begin, end;

    results_share(p->results, &begin, &end);
    while (begin < end && results_has(p->results, begin)) begin++;
    return begin == end;
}

/* A task may be at work twice: then one takes away what the other was reading, and the step is done. */
static ErrCode run_task(Pass *p, PassSend send, Err *err)
{
    Err later;
    ErrCode rc = send_share(p, send, err);

    if (rc == ERR_OK && !share_is_done(p)) rc = receive_share(p, err);
    exchange_close(p->exchange);
    p->exchange = NULL;
    if (pass_is_done(p)) return rc;
    const ErrCode looked = results_look(p->results, &later);
    if (looked == ERR_OK && pass_is_done(p)) return ERR_OK;
    if (rc) return rc;
    if (looked) *err = later;
    return looked ? looked : err_set(err, ERR_NO, "%s is not complete yet", p->dir);
}

/* --- */

ErrCode pass_run(Pass *p, PassSend send, PassReceive receive, void *ctx, Err *err)
{
    const uint32_t had = results_n_done(p->results), all = p->spec.exchange.partitions;
    const double began = clock_seconds();
    EventSpan step;
    ErrCode rc;

    if (had && had < all) log_info("%s: %" PRIu32 " of %" PRIu32 " partitions are there", p->dir, had, all);
    if (had == all && p->spec.task.count) drop_sent(p);
    if (had == all) return ERR_OK;
    p->receive = receive;
    p->ctx = ctx;
    step = event_begin("pass", p->spec.name, 0);
    rc = p->spec.task.count ? run_task(p, send, err) : run_ranks(p, send, err);
    event_end(step, 0, 0);
    exchange_close(p->exchange);
    p->exchange = NULL;
    for (int i = 0; i < p->par.threads; i++) resultsout_clear(&p->out[i]);
    if (rc == ERR_OK && p->spec.task.count) drop_sent(p);
    if (rc == ERR_OK) log_debug("%s: %.1f s", p->dir, clock_seconds() - began);
    return rc;
}
