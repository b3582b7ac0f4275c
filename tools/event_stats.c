#include "tools/event_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void eventstats_clear(EventStats *s)
{
    free(s->stage);
    free(s->phase);
    *s = (EventStats){0};
}

const LogStage *eventstats_stage(const EventStats *s, const char *stage)
{
    for (size_t i = 0; i < s->n_stages; i++)
        if (strcmp(s->stage[i].stage, stage) == 0) return &s->stage[i];
    return NULL;
}

/* Sums by rank, in the order of ranks: the worst and the mean. */
typedef struct {
    uint32_t rank, n_ranks;
    double here, worst, sum;
} RankSums;

static void ranksums_add(RankSums *r, const LogProcess *p, double seconds)
{
    if (p->rank != r->rank) r->here = 0;
    r->rank = p->rank;
    r->here += seconds;
    r->sum += seconds;
    if (r->here > r->worst) r->worst = r->here;
    if (p->n_ranks > r->n_ranks) r->n_ranks = p->n_ranks;
}

static double ranksums_mean(const RankSums *r) { return r->n_ranks ? r->sum / r->n_ranks : r->sum; }

/* --- stages. The parts of one, as pointers that are sorted this way and that. */

typedef struct {
    const LogPart *part;
    const LogProcess *process;
} Ref;

static int cmp_u64(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int by_rank(const void *pa, const void *pb)
{
    const Ref *a = pa, *b = pb;
    const int rank = cmp_u64(a->process->rank, b->process->rank);

    return rank ? rank : (a->part > b->part) - (a->part < b->part);
}

static int by_begin(const void *pa, const void *pb)
{
    const double a = ((const Ref *)pa)->part->begin, b = ((const Ref *)pb)->part->begin;

    return (a > b) - (a < b);
}

static double took(const LogPart *p) { return p->end - p->begin; }

/* The slowest first; equal ones as the log has them. */
static int by_seconds(const void *pa, const void *pb)
{
    const Ref *a = pa, *b = pb;

    if (took(a->part) != took(b->part)) return took(a->part) > took(b->part) ? -1 : 1;
    return (a->part > b->part) - (a->part < b->part);
}

static double union_seconds(const Ref *by_beginning, size_t n)
{
    double sum = 0, end = by_beginning[0].part->begin;

    for (size_t i = 0; i < n; i++) {
        const LogPart *p = by_beginning[i].part;
        if (p->end <= end) continue;
        sum += p->end - (p->begin > end ? p->begin : end);
        end = p->end;
    }
    return sum;
}

static void add_part(LogStage *s, const LogPart *p, const LogPart *before)
{
    s->n_keys += !before || !hash128_eq(before->key, p->key);
    s->n_in += p->n_in;
    s->n_docs += p->n_docs;
    s->n_dropped += p->n_dropped;
    s->bytes_in += p->bytes_in;
    s->bytes_out += p->bytes_out;
    s->text_bytes += p->text_bytes;
    s->cpu_s += p->cpu_s;
    if (p->peak_bytes > s->peak_bytes) s->peak_bytes = p->peak_bytes;
}

/* Parts [first, end) of the log are one stage's. */
static LogStage make_stage(const EventLog *log, size_t first, size_t end, Ref *ref)
{
    LogStage s = {.stage = log->part[first].stage};
    const LogPart *before = NULL;
    RankSums ranks = {0};
    size_t n = 0;

    for (size_t i = first; i < end; i++) {
        const LogPart *p = &log->part[i];
        s.n_again += p->stale;
        if (p->stale) continue;
        add_part(&s, p, before);
        before = p;
        ref[n++] = (Ref){p, &log->process[p->process]};
    }
    s.n_parts = n; /* the last of equal parts is never stale: n > 0 */
    qsort(ref, n, sizeof *ref, by_rank);
    for (size_t i = 0; i < n; i++) ranksums_add(&ranks, ref[i].process, ref[i].part->cpu_s);
    s.n_ranks = ranks.n_ranks;
    if (ranks.n_ranks > 1 && ranks.sum > 0) s.imbalance = ranks.worst / ranksums_mean(&ranks);
    qsort(ref, n, sizeof *ref, by_begin);
    s.begin = ref[0].part->begin;
    s.busy_s = union_seconds(ref, n);
    qsort(ref, n, sizeof *ref, by_seconds);
    s.median_s = (took(ref[(n - 1) / 2].part) + took(ref[n / 2].part)) / 2;
    for (; s.n_slowest < n && s.n_slowest < STATS_MAX_SLOWEST; s.n_slowest++)
        s.slowest[s.n_slowest] = ref[s.n_slowest].part;
    return s;
}

static int stage_order(const void *pa, const void *pb)
{
    const LogStage *a = pa, *b = pb;

    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return strcmp(a->stage, b->stage);
}

static ErrCode make_stages(EventStats *s, const EventLog *log, Err *err)
{
    Ref *ref = malloc((log->n_parts + 1) * sizeof *ref);
    size_t n = 0, end;

    for (size_t i = 0; i < log->n_parts; i++) n += i == 0 || strcmp(log->part[i].stage, log->part[i - 1].stage) != 0;
    s->stage = malloc((n + 1) * sizeof *s->stage);
    if (!ref || !s->stage) {
        free(ref);
        return err_nomem(err, "events");
    }
    for (size_t i = 0; i < log->n_parts; i = end) {
        for (end = i + 1; end < log->n_parts && strcmp(log->part[end].stage, log->part[i].stage) == 0;) end++;
        s->stage[s->n_stages++] = make_stage(log, i, end, ref);
    }
    qsort(s->stage, s->n_stages, sizeof *s->stage, stage_order);
    free(ref);
    return ERR_OK;
}

/* --- phases */

typedef struct {
    const LogSpan *span;
    const LogProcess *process;
} SpanRef;

/* Without the number behind its last '_', if that is how it ends. */
static Span kind_of(const char *of)
{
    const Span all = span_str(of);
    size_t n = all.n;

    while (n > 0 && ascii_is_digit(all.p[n - 1])) n--;
    return n < all.n && n > 0 && all.p[n - 1] == '_' ? span(all.p, n) : all;
}

static int cmp_kind(const SpanRef *a, const SpanRef *b)
{
    int c = strcmp(a->process->verb, b->process->verb);

    if (!c) c = strcmp(a->span->name, b->span->name);
    return c ? c : span_cmp(kind_of(a->span->of), kind_of(b->span->of));
}

static int by_kind_and_rank(const void *pa, const void *pb)
{
    const SpanRef *a = pa, *b = pb;
    int c = cmp_kind(a, b);

    if (!c) c = cmp_u64(a->process->rank, b->process->rank);
    return c ? c : (a->span > b->span) - (a->span < b->span);
}

static LogPhase make_phase(const SpanRef *ref, size_t n)
{
    LogPhase p = {.verb = ref->process->verb, .name = ref->span->name, .n = n};
    const Span kind = kind_of(ref->span->of);
    RankSums ranks = {0};

    snprintf(p.of, sizeof p.of, "%.*s%s", (int)kind.n, ref->span->of, ref->span->of[kind.n] ? "*" : "");
    p.begin = ref->span->begin;
    for (size_t i = 0; i < n; i++) {
        ranksums_add(&ranks, ref[i].process, ref[i].span->end - ref[i].span->begin);
        p.bytes += ref[i].span->bytes;
        if (ref[i].span->begin < p.begin) p.begin = ref[i].span->begin;
    }
    p.n_ranks = ranks.n_ranks;
    p.worst_s = ranks.worst;
    p.mean_s = ranksums_mean(&ranks);
    return p;
}

static int phase_order(const void *pa, const void *pb)
{
    const LogPhase *a = pa, *b = pb;

    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return a->worst_s != b->worst_s ? (a->worst_s > b->worst_s ? -1 : 1) : strcmp(a->name, b->name);
}

static ErrCode make_phases(EventStats *s, const EventLog *log, Err *err)
{
    SpanRef *ref = malloc((log->n_spans + 1) * sizeof *ref);
    size_t n = 0, end;

    if (!ref) return err_nomem(err, "events");
    for (size_t i = 0; i < log->n_spans; i++) ref[i] = (SpanRef){&log->span[i], &log->process[log->span[i].process]};
    qsort(ref, log->n_spans, sizeof *ref, by_kind_and_rank);
    for (size_t i = 0; i < log->n_spans; i++) n += i == 0 || cmp_kind(&ref[i], &ref[i - 1]) != 0;
    s->phase = malloc((n + 1) * sizeof *s->phase);
    for (size_t i = 0; s->phase && i < log->n_spans; i = end) {
        for (end = i + 1; end < log->n_spans && cmp_kind(&ref[end], &ref[i]) == 0;) end++;
        s->phase[s->n_phases++] = make_phase(ref + i, end - i);
    }
    free(ref);
    if (!s->phase) return err_nomem(err, "events");
    qsort(s->phase, s->n_phases, sizeof *s->phase, phase_order);
    return ERR_OK;
}

ErrCode eventstats_make(EventStats *s, const EventLog *log, Err *err)
{
    *s = (EventStats){0};
    ErrCode rc = make_stages(s, log, err);
    if (rc == ERR_OK) rc = make_phases(s, log, err);
    if (rc != ERR_OK) eventstats_clear(s);
    return rc;
}
