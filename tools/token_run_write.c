/* Writing a file of encoded documents: threads fill segments of their own; a full one is brought into order of buckets and appended. */
#include "core/log.h"
#include "core/store.h"
#include "tools/token_runs_format.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* One thread's. */
typedef struct {
    Buf records, image; /* as they came; by bucket, with the table behind them */
    size_t *at;         /* by bucket */
} Segment;

/* What is published while the next file is filled: a sync takes as long as encoding does. */
typedef struct {
    OutFile *file;
    pthread_t thread;
    bool running;
    ErrCode rc;
    Err err;
    TokenRunName name;
    TokenLost lost;
    Buf list, domains;
} Publishing;

struct TokenRunWriter {
    const TokenRuns *runs;
    int threads;
    uint32_t buckets;
    unsigned bits; /* buckets == 1 << bits */
    size_t segment_bytes;
    Segment *segment;
    OutFile *file;
    TokenRunName name;
    Buf list, domains; /* offsets of the segments' tables; as the tail has them */
    Publishing publishing;
    Buf made;
};

/* Another one for every writer, on whatever host. */
static uint64_t writer_number(void)
{
    static atomic_uint n;
    struct timespec now = {0};
    char host[65];

    clock_gettime(CLOCK_REALTIME, &now);
    store_host_name(host);
    uint64_t h = hash64(span_str(host)) + (uint64_t)getpid();
    h = mix64(h) + (uint64_t)now.tv_sec;
    h = mix64(h) + (uint64_t)now.tv_nsec;
    return mix64(h) + atomic_fetch_add(&n, 1);
}

ErrCode tokenrun_new(TokenRunWriter **out, const TokenRuns *r, int threads, uint64_t memory, Err *err)
{
    TokenRunWriter *w = *out = calloc(1, sizeof *w);
    bool ok = w != NULL;

    if (w) {
        const uint64_t share = memory / 2 / (unsigned)threads; /* records, and their image */
        *w = (TokenRunWriter){.runs = r,
                              .threads = threads,
                              .name.writer = writer_number(),
                              .buckets = tokenrun_buckets(&r->spec),
                              .segment_bytes = share < SIZE_MAX ? (size_t)share : SIZE_MAX,
                              .segment = calloc((size_t)threads, sizeof(Segment))};
        while (1u << w->bits < w->buckets) w->bits++;
        ok = w->segment != NULL;
    }
    for (int i = 0; ok && i < threads; i++) {
        w->segment[i].at = calloc(w->buckets + (size_t)1, sizeof(size_t));
        ok = w->segment[i].at != NULL;
    }
    if (ok) return ERR_OK;
    tokenrun_free(w);
    *out = NULL;
    return err_nomem(err, "encoded documents");
}

/* --- publishing */

static void *publish(void *ctx)
{
    Publishing *p = ctx;

    p->rc = outfile_commit_part(&p->file, &p->err); /* a name that is lost in a power cut costs its parts, no more */
    return NULL;
}

static ErrCode wait_published(TokenRunWriter *w, Err *err)
{
    Publishing *p = &w->publishing;

    if (!p->running) return ERR_OK;
    pthread_join(p->thread, NULL);
    p->running = false;
    if (p->rc == ERR_OK)
        tokenrun_tell_one(&w->made, &p->name, &p->lost, buf_span(&p->list), buf_span(&p->domains));
    else
        *err = p->err;
    return p->rc;
}

static ErrCode start_publishing(TokenRunWriter *w, const TokenLost *lost, Err *err)
{
    Publishing *p = &w->publishing;
    const Buf list = p->list, domains = p->domains;

    p->list = w->list, p->domains = w->domains;
    w->list = list, w->domains = domains;
    p->file = w->file;
    w->file = NULL;
    p->name = w->name;
    p->lost = *lost;
    p->running = true;
    if (pthread_create(&p->thread, NULL, publish, p) == 0) return ERR_OK;
    p->running = false;
    publish(p);
    if (p->rc == ERR_OK) {
        tokenrun_tell_one(&w->made, &p->name, &p->lost, buf_span(&p->list), buf_span(&p->domains));
        return ERR_OK;
    }
    *err = p->err;
    return p->rc;
}

void tokenrun_free(TokenRunWriter *w)
{
    Err err;

    if (!w) return;
    if (wait_published(w, &err) != ERR_OK) log_debug("%s", err.msg);
    outfile_abandon(w->file);
    for (int i = 0; w->segment && i < w->threads; i++) {
        buf_clear(&w->segment[i].records);
        buf_clear(&w->segment[i].image);
        free(w->segment[i].at);
    }
    free(w->segment);
    buf_clear(&w->list);
    buf_clear(&w->domains);
    buf_clear(&w->publishing.list);
    buf_clear(&w->publishing.domains);
    buf_clear(&w->made);
    free(w);
}

/* --- filling */

ErrCode tokenrun_begin(TokenRunWriter *w, TokenRange parts, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc;

    w->name.parts = parts;
    rc = tokenrun_path(&w->runs->spec, &w->name, path, err);
    buf_reset(&w->list);
    for (int i = 0; i < w->threads; i++) buf_reset(&w->segment[i].records);
    outfile_abandon(w->file);
    w->file = NULL;
    return rc ? rc : outfile_open(&w->file, path, err);
}

static uint32_t bucket_of(const TokenRunWriter *w, const uint8_t *record)
{
    return w->bits ? (uint32_t)(be64_get(record + 4) >> (64 - w->bits)) : 0;
}

/* The records by bucket, and the table behind them (a counting sort). */
static ErrCode sort_segment(const TokenRunWriter *w, Segment *s, Err *err)
{
    const size_t table = RUN_BUCKET * ((size_t)w->buckets + 1), bytes = s->records.n;

    buf_reset(&s->image);
    if (!buf_reserve(&s->image, bytes + table)) return err_nomem(err, "encoded documents");
    s->image.n = bytes + table;
    memset(s->at, 0, (w->buckets + (size_t)1) * sizeof *s->at);
    for (size_t i = 0, n; i < bytes; i += n) {
        n = RUN_RECORD + (size_t)le32_get(s->records.p + i);
        s->at[bucket_of(w, s->records.p + i) + 1] += n;
    }
    for (uint32_t b = 0; b < w->buckets; b++) s->at[b + 1] += s->at[b];
    for (size_t i = 0, n; i < bytes; i += n) {
        size_t *at = &s->at[bucket_of(w, s->records.p + i)];
        n = RUN_RECORD + (size_t)le32_get(s->records.p + i);
        memcpy(s->image.p + *at, s->records.p + i, n);
        *at += n;
    }
    uint8_t *entry = s->image.p + bytes; /* at[b] is by now where bucket b ends */
    for (uint32_t b = 0; b <= w->buckets; b++, entry += RUN_BUCKET) {
        const size_t begin = b ? s->at[b - 1] : 0, end = b < w->buckets ? s->at[b] : bytes;
        le64_put(entry, begin);
        le64_put(entry + 8, b < w->buckets ? hash64(span(s->image.p + begin, end - begin)) : 0);
    }
    return ERR_OK;
}

static ErrCode flush_segment(TokenRunWriter *w, Segment *s, Err *err)
{
    uint8_t at[8];
    ErrCode rc;

    if (s->records.n == 0) return ERR_OK;
    if ((rc = sort_segment(w, s, err)) != ERR_OK) return rc;
#pragma omp critical(tokenrun_append)
    {
        le64_put(at, outfile_size(w->file) + s->records.n);
        buf_put(&w->list, at, sizeof at);
        rc = outfile_put(w->file, s->image.p, s->image.n, err);
    }
    buf_reset(&s->records);
    return rc;
}

ErrCode tokenrun_put(TokenRunWriter *w, int thread, const uint8_t key[EXCHANGE_KEY], Span value, Err *err)
{
    Segment *s = &w->segment[thread];
    uint8_t n[4];
    ErrCode rc;

    if (s->records.n + RUN_RECORD + value.n > w->segment_bytes && (rc = flush_segment(w, s, err)) != ERR_OK)
        return rc;
    le32_put(n, (uint32_t)value.n);
    buf_put(&s->records, n, sizeof n);
    buf_put(&s->records, key, EXCHANGE_KEY);
    buf_put_span(&s->records, value);
    return s->records.oom ? err_nomem(err, "encoded documents") : ERR_OK;
}

/* What each thread has left. */
static ErrCode flush_all(TokenRunWriter *w, Err *err)
{
    ErrCode rc = ERR_OK;

#pragma omp parallel for schedule(static, 1) num_threads(w->threads)
    for (int i = 0; i < w->threads; i++) {
        Err own;
        ErrCode mine = flush_segment(w, &w->segment[i], &own);
#pragma omp critical(tokenrun_failure)
        if (mine != ERR_OK && rc == ERR_OK) {
            rc = mine;
            *err = own;
        }
    }
    return rc;
}

static ErrCode put_tail(TokenRunWriter *w, const TokenLost *lost, Err *err)
{
    uint8_t tail[RUN_TAIL] = RUN_MAGIC, *const behind = tail + 40 + TOKEN_LOST_BYTES;
    Buf b = {0};
    ErrCode rc;

    le32_put(tail + 8, RUN_VERSION);
    le32_put(tail + 12, w->buckets);
    le32_put(tail + 16, w->name.parts.begin);
    le32_put(tail + 20, w->name.parts.end);
    hash128_put(tail + 24, w->runs->spec.key);
    tokenlost_put(lost, tail + 40);
    le64_put(behind, w->list.n / 8);
    le64_put(behind + 8, w->domains.n);
    le64_put(behind + 16, outfile_size(w->file));
    le64_put(behind + 24, w->name.writer);
    buf_put_span(&b, buf_span(&w->list));
    buf_put_span(&b, buf_span(&w->domains));
    buf_put(&b, tail, RUN_TAIL - 8);
    le64_put(tail, hash64(buf_span(&b)));
    buf_put(&b, tail, 8);
    rc = buf_ok(&b, "encoded documents", err);
    if (rc == ERR_OK) rc = outfile_put(w->file, b.p, b.n, err);
    buf_clear(&b);
    return rc;
}

ErrCode tokenrun_end(TokenRunWriter *w, const DomainSet *domains, const TokenLost *lost, uint64_t *bytes, Err *err)
{
    ErrCode rc = flush_all(w, err);

    if (rc == ERR_OK) rc = buf_ok(&w->list, "encoded documents", err);
    buf_reset(&w->domains);
    domainset_put(domains, &w->domains);
    if (rc == ERR_OK) rc = buf_ok(&w->domains, "domains", err);
    if (rc == ERR_OK) rc = put_tail(w, lost, err);
    if (rc != ERR_OK) return rc;
    *bytes = outfile_size(w->file);
    rc = wait_published(w, err);
    return rc ? rc : start_publishing(w, lost, err);
}

ErrCode tokenrun_finish(TokenRunWriter *w, Buf *made, Err *err)
{
    ErrCode rc = wait_published(w, err);

    *made = w->made;
    w->made = (Buf){0};
    return rc;
}
