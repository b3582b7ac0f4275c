/* Which parts are encoded: the directory of files, and reading them. */
#include "tools/token_runs.h"

#include "core/log.h"
#include "core/store.h"
#include "tools/token_runs_format.h"

#include <inttypes.h>
#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { READ_BYTES = 1 << 20 }; /* buckets that lie side by side are read together, up to so many bytes */

uint32_t tokenrun_buckets(const TokenRunsSpec *s)
{
    return s->partitions < TOKEN_RUN_BUCKETS ? s->partitions : TOKEN_RUN_BUCKETS;
}

ErrCode tokenrun_path(const TokenRunsSpec *s, const TokenRunName *run, char out[PATH_MAX], Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%06" PRIu32 "-%06" PRIu32 "-%016" PRIx64 ".run", s->dir, run->parts.begin,
                     run->parts.end, run->writer);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", s->dir);
}

void tokenlost_add(TokenLost *into, const TokenLost *from)
{
    into->bytes += from->bytes;
    for (int i = 0; i < LINE_N_REASONS; i++) into->lines[i] += from->lines[i];
}

void tokenlost_put(const TokenLost *lost, uint8_t out[TOKEN_LOST_BYTES])
{
    le64_put(out, lost->bytes);
    for (int i = 0; i < LINE_N_REASONS; i++) le64_put(out + 8 + 8 * i, lost->lines[i]);
}

TokenLost tokenlost_get(const uint8_t *p)
{
    TokenLost lost = {.bytes = le64_get(p)};

    for (int i = 0; i < LINE_N_REASONS; i++) lost.lines[i] = le64_get(p + 8 + 8 * i);
    return lost;
}

/* --- the directory */

/* What ranks tell one another of a file: TOLD_HEAD bytes, the list, the domains. */
enum { TOLD_HEAD = 24 + TOKEN_LOST_BYTES };

void tokenrun_tell_one(Buf *b, const TokenRunName *run, const TokenLost *lost, Span list, Span domains)
{
    uint8_t head[TOLD_HEAD];

    le32_put(head, run->parts.begin);
    le32_put(head + 4, run->parts.end);
    le32_put(head + 8, (uint32_t)list.n);
    le32_put(head + 12, (uint32_t)domains.n);
    le64_put(head + 16, run->writer);
    tokenlost_put(lost, head + 24);
    buf_put(b, head, sizeof head);
    buf_put_span(b, list);
    buf_put_span(b, domains);
}

/* A file counts when no part of it is in one that does. */
static ErrCode add_run(TokenRuns *r, const TokenRunName *name, const TokenLost *lost, Span list, Span domains,
                       Err *err)
{
    const TokenRange parts = name->parts;

    for (uint32_t p = parts.begin; p < parts.end; p++)
        if (r->has[p]) return ERR_OK;
    TokenRunName *run = array_grow(r->run, r->n, &r->cap, sizeof *run);
    if (!run) return err_nomem(err, "a list of encoded parts");
    r->run = run;
    for (size_t i = 0; i < list.n; i += 8) {
        TokenSegment *s = array_grow(r->segment, r->n_segments, &r->cap_segments, sizeof *s);
        if (!s) return err_nomem(err, "a list of encoded parts");
        r->segment = s;
        s[r->n_segments++] = (TokenSegment){(uint32_t)r->n, le64_get(list.p + i)};
    }
    run[r->n++] = *name;
    memset(r->has + parts.begin, true, (parts.end - parts.begin) * sizeof *r->has);
    r->n_has += parts.end - parts.begin;
    tokenlost_add(&r->lost, lost);
    return domainset_add(&r->domains, domains, r->spec.dir, err);
}

static ErrCode add_told(TokenRuns *r, Span told, Err *err)
{
    ErrCode rc = ERR_OK;

    while (told.n && rc == ERR_OK) {
        const TokenRunName name = {{le32_get(told.p), le32_get(told.p + 4)}, le64_get(told.p + 16)};
        const TokenLost lost = tokenlost_get(told.p + 24);
        const Span list = span(told.p + TOLD_HEAD, le32_get(told.p + 8)),
                   domains = span(list.p + list.n, le32_get(told.p + 12));
        told = span_from(told, TOLD_HEAD + list.n + domains.n);
        rc = add_run(r, &name, &lost, list, domains, err);
    }
    return rc;
}

/* Takes a file's tail, and what lies before it, apart; *ours false: another job's, or damaged, which costs its parts alone. */
static ErrCode read_tail(const TokenRuns *r, InFile *f, const char *path, Buf *tail, Buf *told, Err *err)
{
    const uint64_t size = infile_size(f);
    uint64_t at, segments, domains;
    ErrCode rc;

    buf_reset(tail);
    if (!buf_reserve(tail, RUN_TAIL)) return err_nomem(err, path);
    if (size < RUN_TAIL) goto damaged;
    if ((rc = infile_read(f, size - RUN_TAIL, tail->p, RUN_TAIL, err)) != ERR_OK) return rc;
    if (memcmp(tail->p, RUN_MAGIC, 8) != 0) goto damaged;
    const uint8_t *behind = tail->p + 40 + TOKEN_LOST_BYTES;
    segments = le64_get(behind), domains = le64_get(behind + 8), at = le64_get(behind + 16);
    if (at > size - RUN_TAIL || segments > (size - RUN_TAIL - at) / 8 || size - RUN_TAIL - at > RUN_MAX_LISTS ||
        domains != size - RUN_TAIL - at - 8 * segments)
        goto damaged;
    const size_t n = (size_t)(size - at), lists = n - RUN_TAIL;
    if (!buf_reserve(tail, n)) return err_nomem(err, path);
    if ((rc = infile_read(f, at, tail->p, n, err)) != ERR_OK) return rc;
    const uint8_t *t = tail->p + lists;
    if (hash64(span(tail->p, n - 8)) != le64_get(t + RUN_TAIL - 8)) goto damaged;
    const TokenRunName name = {{le32_get(t + 16), le32_get(t + 20)}, le64_get(t + 64 + TOKEN_LOST_BYTES)};
    const TokenRange parts = name.parts;
    char own_path[PATH_MAX];
    if (le32_get(t + 8) != RUN_VERSION || !hash128_eq(hash128_get(t + 24), r->spec.key)) return ERR_OK;
    if (le32_get(t + 12) != tokenrun_buckets(&r->spec) || parts.begin >= parts.end || parts.end > r->spec.n_parts)
        goto damaged;
    for (size_t i = 0; i < segments; i++)
        if (le64_get(tail->p + 8 * i) > at) goto damaged;
    if ((rc = tokenrun_path(&r->spec, &name, own_path, err)) != ERR_OK) return rc;
    if (strcmp(own_path, path) != 0) return ERR_OK; /* a copy */
    const TokenLost lost = tokenlost_get(t + 40);
    tokenrun_tell_one(told, &name, &lost, span(tail->p, 8 * (size_t)segments),
                      span(tail->p + 8 * segments, (size_t)domains));
    return ERR_OK;
damaged:
    log_warn("%s is damaged: what it held is encoded again", path);
    return ERR_OK;
}

/* Rank 0: what lies there, as ranks tell it. */
static ErrCode look(const TokenRuns *r, Buf *told, Err *err)
{
    StoreList files = {0};
    Buf tail = {0};
    ErrCode rc = store_mkdirs(r->spec.dir, err);

    if (rc == ERR_OK) rc = store_sweep(r->spec.dir, 0, err);
    if (rc == ERR_OK) rc = store_list(r->spec.dir, &files, err);
    for (size_t i = 0; i < files.n && rc == ERR_OK; i++) {
        const size_t n = strlen(files.name[i]);
        char path[PATH_MAX];
        InFile *f;
        if (n < 4 || strcmp(files.name[i] + n - 4, ".run") != 0) continue;
        if (snprintf(path, sizeof path, "%s/%s", r->spec.dir, files.name[i]) >= (int)sizeof path)
            rc = err_set(err, ERR_LIMIT, "%s: the path is too long", r->spec.dir);
        if (rc != ERR_OK || (rc = infile_open(&f, path, err)) != ERR_OK) break;
        rc = read_tail(r, f, path, &tail, told, err);
        infile_close(f);
    }
    buf_clear(&tail);
    storelist_clear(&files);
    return rc ? rc : buf_ok(told, "a list of encoded parts", err);
}

ErrCode tokenruns_look(TokenRuns *r, const Par *par, Err *err)
{
    Buf told = {0};
    ErrCode rc = ERR_OK;

    r->n = r->n_segments = r->n_has = 0;
    r->lost = (TokenLost){0};
    memset(r->has, false, r->spec.n_parts * sizeof *r->has);
    domainset_clear(&r->domains);
    if (par->rank == 0) rc = look(r, &told, err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = par_bcast(par, &told, err);
    if (rc == ERR_OK) rc = par_agree(par, add_told(r, buf_span(&told), err), err);
    buf_clear(&told);
    return rc;
}

ErrCode tokenruns_tell(TokenRuns *r, const Par *par, Buf *made, Err *err)
{
    ErrCode rc = par_agree(par, buf_ok(made, "a list of encoded parts", err), err);

    if (rc == ERR_OK) rc = par_gather(par, made, err);
    if (rc == ERR_OK) rc = par_agree(par, add_told(r, buf_span(made), err), err);
    buf_clear(made);
    return rc;
}

ErrCode tokenruns_open(TokenRuns *r, const TokenRunsSpec *spec, const Par *par, Err *err)
{
    *r = (TokenRuns){.spec = *spec, .has = calloc(spec->n_parts + (size_t)1, sizeof *r->has)};
    ErrCode rc = par_agree(par, r->has ? ERR_OK : err_nomem(err, "a list of parts"), err);

    if (rc == ERR_OK) rc = tokenruns_look(r, par, err);
    if (rc) tokenruns_clear(r);
    return rc;
}

void tokenruns_clear(TokenRuns *r)
{
    free(r->run);
    free(r->segment);
    free(r->has);
    domainset_clear(&r->domains);
    *r = (TokenRuns){0};
}

/* --- reading */

/* One thread's: the file it read from last is likely to be the next. */
typedef struct {
    const TokenRuns *r;
    TokenRecord fn;
    void *ctx;
    uint32_t first, last; /* buckets: of [first, last) */
    InFile *file;
    uint32_t run;
    Buf table, bytes;
} Reader;

static void reader_close(Reader *rd)
{
    infile_close(rd->file);
    buf_clear(&rd->table);
    buf_clear(&rd->bytes);
}

static ErrCode damaged(const Reader *rd, uint64_t at, Err *err)
{
    return err_set(err, ERR_DATA, "%s at %" PRIu64 ": damaged; delete it and run again", infile_path(rd->file), at);
}

static ErrCode give_records(const Reader *rd, Span s, uint64_t at, Err *err)
{
    const int thread = omp_get_thread_num();
    ErrCode rc = ERR_OK;

    while (s.n && rc == ERR_OK) {
        if (s.n < RUN_RECORD || le32_get(s.p) > s.n - RUN_RECORD || le32_get(s.p) > EXCHANGE_MAX_VALUE)
            return damaged(rd, at, err);
        const Span value = span(s.p + RUN_RECORD, le32_get(s.p));
        rc = rd->fn(rd->ctx, thread, s.p + 4, value, err);
        s = span_from(s, RUN_RECORD + value.n);
    }
    return rc;
}

/* Entry `i` of the table in memory. */
static uint64_t bucket_at(const Reader *rd, uint32_t i) { return le64_get(rd->table.p + RUN_BUCKET * (size_t)i); }
static uint64_t bucket_sum(const Reader *rd, uint32_t i)
{
    return le64_get(rd->table.p + RUN_BUCKET * (size_t)i + 8);
}

/* Entries [first, last] of a segment's table, then the last of all, which says how long the segment is; *begin: where it begins. */
static ErrCode read_table(Reader *rd, const TokenSegment *s, uint64_t *begin, Err *err)
{
    const uint32_t all = tokenrun_buckets(&rd->r->spec), n = rd->last - rd->first + 1;
    ErrCode rc;

    buf_reset(&rd->table);
    if (!buf_reserve(&rd->table, RUN_BUCKET * ((size_t)n + 1))) return err_nomem(err, "a table of buckets");
    rc = infile_read(rd->file, s->table + RUN_BUCKET * (uint64_t)rd->first, rd->table.p, RUN_BUCKET * (size_t)n, err);
    if (rc == ERR_OK)
        rc = infile_read(rd->file, s->table + RUN_BUCKET * (uint64_t)all, rd->table.p + RUN_BUCKET * (size_t)n,
                         RUN_BUCKET, err);
    if (rc != ERR_OK) return rc;
    for (uint32_t i = 0; i < n; i++)
        if (bucket_at(rd, i) > bucket_at(rd, i + 1)) return damaged(rd, s->table, err);
    if (bucket_at(rd, n) > s->table) return damaged(rd, s->table, err);
    *begin = s->table - bucket_at(rd, n);
    return ERR_OK;
}

static ErrCode read_segment(Reader *rd, const TokenSegment *s, Err *err)
{
    const uint32_t n = rd->last - rd->first;
    uint64_t begin = 0;
    ErrCode rc = read_table(rd, s, &begin, err);

    for (uint32_t i = 0, to; i < n && rc == ERR_OK; i = to) {
        const uint64_t from = bucket_at(rd, i);
        if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
        for (to = i + 1; to < n && bucket_at(rd, to + 1) - from <= READ_BYTES;) to++;
        const size_t bytes = (size_t)(bucket_at(rd, to) - from);
        buf_reset(&rd->bytes);
        if (!buf_reserve(&rd->bytes, bytes + 1)) return err_nomem(err, "encoded documents");
        if ((rc = infile_read(rd->file, begin + from, rd->bytes.p, bytes, err)) != ERR_OK) return rc;
        for (uint32_t b = i; b < to && rc == ERR_OK; b++) {
            const Span slice =
                span(rd->bytes.p + (bucket_at(rd, b) - from), (size_t)(bucket_at(rd, b + 1) - bucket_at(rd, b)));
            if (hash64(slice) != bucket_sum(rd, b)) return damaged(rd, begin + bucket_at(rd, b), err);
            rc = give_records(rd, slice, begin + bucket_at(rd, b), err);
        }
    }
    return rc;
}

static ErrCode open_run(Reader *rd, uint32_t run, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc;

    if (rd->file && rd->run == run) return ERR_OK;
    infile_close(rd->file);
    rd->file = NULL;
    rd->run = run;
    if ((rc = tokenrun_path(&rd->r->spec, &rd->r->run[run], path, err)) == ERR_OK)
        rc = infile_open(&rd->file, path, err);
    if (rc != ERR_OK) rd->file = NULL;
    return rc;
}

ErrCode tokenruns_read(const TokenRuns *r, uint32_t begin, uint32_t end, int threads, TokenRecord fn, void *ctx,
                       Err *err)
{
    const uint32_t a_bucket = r->spec.partitions / tokenrun_buckets(&r->spec);
    size_t failed = SIZE_MAX;
    ErrCode rc = ERR_OK;

    (void)threads; /* of builds without OpenMP */
#pragma omp parallel num_threads(threads)
    {
        Reader rd = {.r = r, .fn = fn, .ctx = ctx, .first = begin / a_bucket, .last = (end - 1) / a_bucket + 1};
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < r->n_segments; i++) {
            size_t before;
            Err own;
#pragma omp atomic read
            before = failed;
            if (before != SIZE_MAX) continue;
            ErrCode mine = open_run(&rd, r->segment[i].run, &own);
            if (mine == ERR_OK) mine = read_segment(&rd, &r->segment[i], &own);
            if (mine == ERR_OK) continue;
#pragma omp critical(tokenruns_failure)
            if (i < failed) {
#pragma omp atomic write
                failed = i;
                rc = mine;
                *err = own;
            }
        }
        reader_close(&rd);
    }
    return rc;
}
