#include "core/results.h"

#include "core/log.h"

#include <inttypes.h>
#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    VERSION = 1,
    TAIL = 64,
    ENTRY = 40,
    NAME = 24, /* "XXXXXXXXXXXXXXXX.res" and zeros */
    OBJECT_MAX = 64 << 20,
    WAIT_SECONDS = 30,      /* then what waits is published with the next piece, though it is little */
    PROGRESS_MAX = 1 << 24, /* partitions of a step that is looked at from outside */
    NEAR_RECORDS = 8
};
static const uint32_t last_piece = UINT32_C(1) << 31;

typedef struct {
    uint32_t partition, number; /* top bit of number: the last */
    uint32_t object;
    uint64_t offset, bytes, first, sum;
} Piece;

typedef struct {
    Piece *p;
    size_t n, cap;
} Pieces;

typedef struct {
    char (*name)[NAME];
    size_t n, cap;
} Names;

struct Results {
    ResultsSpec spec;
    Par par;
    uint8_t *done; /* by partition */
    uint32_t n_done;
    Names names;
    Pieces pieces;  /* of finished partitions, sorted; one without records has one piece, an empty one */
    Buf body, list; /* what waits to be published */
    uint32_t n_waiting;
    double since;
    uint64_t object_bytes;
    Buf made; /* what this process has published since the opening, as others are told of it */
};

/* --- the index */

static void put_piece(Buf *b, const Piece *p)
{
    uint8_t e[ENTRY];

    le32_put(e, p->partition);
    le32_put(e + 4, p->number);
    le64_put(e + 8, p->offset);
    le64_put(e + 16, p->bytes);
    le64_put(e + 24, p->first);
    le64_put(e + 32, p->sum);
    buf_put(b, e, ENTRY);
}

static Piece get_piece(const uint8_t *e)
{
    return (Piece){.partition = le32_get(e),
                   .number = le32_get(e + 4),
                   .offset = le64_get(e + 8),
                   .bytes = le64_get(e + 16),
                   .first = le64_get(e + 24),
                   .sum = le64_get(e + 32)};
}

/* What ranks tell one another of an object: its name, u32 pieces, the pieces. */
static void put_object(Buf *b, const char name[NAME], Span list)
{
    uint8_t n[4];

    le32_put(n, (uint32_t)(list.n / ENTRY));
    buf_put(b, name, NAME);
    buf_put(b, n, 4);
    buf_put_span(b, list);
}

static ErrCode add_object(Results *r, const char name[NAME], Span list, Err *err)
{
    void *names = array_grow(r->names.name, r->names.n, &r->names.cap, NAME);

    if (!names) return err_nomem(err, "results");
    r->names.name = names;
    memcpy(r->names.name[r->names.n++], name, NAME);
    for (size_t at = 0; at < list.n; at += ENTRY) {
        Piece *p = array_grow(r->pieces.p, r->pieces.n, &r->pieces.cap, sizeof *p);
        if (!p) return err_nomem(err, "results");
        r->pieces.p = p;
        p[r->pieces.n] = get_piece(list.p + at);
        p[r->pieces.n++].object = (uint32_t)(r->names.n - 1);
    }
    return ERR_OK;
}

static ErrCode add_objects(Results *r, Span told, Err *err)
{
    ErrCode rc = ERR_OK;

    while (told.n && rc == ERR_OK) {
        size_t n = (size_t)le32_get(told.p + NAME) * ENTRY;
        rc = add_object(r, (const char *)told.p, span(told.p + NAME + 4, n), err);
        told = span_from(told, NAME + 4 + n);
    }
    return rc;
}

static int by_place(const void *pa, const void *pb)
{
    const Piece *a = pa, *b = pb;
    uint32_t x = a->number & ~last_piece, y = b->number & ~last_piece;

    if (a->partition != b->partition) return a->partition < b->partition ? -1 : 1;
    if (x != y) return x < y ? -1 : 1;
    return (a->object > b->object) - (a->object < b->object);
}

/* Sorts the pieces, drops doubled ones and those of partitions that lack some, and says which partitions are done. */
static void index_pieces(Results *r)
{
    Piece *p = r->pieces.p;
    size_t n = r->pieces.n, kept = 0;

    if (n) qsort(p, n, sizeof *p, by_place);
    memset(r->done, 0, r->spec.partitions);
    r->n_done = 0;
    for (size_t i = 0, begin; i < n;) {
        uint32_t partition = p[i].partition, next = 0;
        bool ended = false;
        for (begin = kept; i < n && p[i].partition == partition; i++) {
            if ((p[i].number & ~last_piece) != next || ended) continue; /* doubled, or behind a gap */
            ended = p[i].number & last_piece;
            next++;
            p[kept++] = p[i];
        }
        if (!ended) kept = begin;
        r->done[partition] = ended;
        r->n_done += ended;
    }
    r->pieces.n = kept;
    for (size_t i = 1; i < kept; i++) /* `first` never falls, so that it can be searched */
        if (p[i].bytes == 0) p[i].first = p[i - 1].first;
}

/* --- opening */

static ErrCode object_path(const Results *r, const char *name, char out[PATH_MAX], Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", r->spec.dir, name);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", r->spec.dir);
}

/* The tail of an object of this step; *ours false: it is another job's, or damaged, which costs its pieces alone. */
static ErrCode read_list(const Results *r, InFile *f, const char *path, Buf *list, bool *ours, Err *err)
{
    uint64_t size = infile_size(f), at, n;
    uint8_t tail[TAIL];
    ErrCode rc;

    *ours = false;
    buf_reset(list);
    if (size < TAIL) goto damaged;
    if ((rc = infile_read(f, size - TAIL, tail, TAIL, err)) != ERR_OK) return rc;
    n = (uint64_t)le32_get(tail + 20) * ENTRY;
    at = le64_get(tail + 40);
    if (memcmp(tail, "TAMISRES", 8) != 0 || n > size - TAIL || at != size - TAIL - n) goto damaged;
    if (!buf_reserve(list, (size_t)n + TAIL)) return err_nomem(err, path);
    if ((rc = infile_read(f, at, list->p, (size_t)n + TAIL, err)) != ERR_OK) return rc;
    if (hash64(span(list->p, (size_t)n + TAIL - 8)) != le64_get(tail + 56)) goto damaged;
    list->n = (size_t)n;
    *ours = le32_get(tail + 8) == VERSION && le32_get(tail + 12) == r->spec.width &&
            le32_get(tail + 16) == r->spec.partitions && hash128_eq(hash128_get(tail + 24), r->spec.key);
    for (size_t i = 0; *ours && i < list->n; i += ENTRY) {
        Piece p = get_piece(list->p + i);
        if (p.partition >= r->spec.partitions || p.bytes > RESULTS_PIECE || p.offset > at ||
            p.bytes > at - p.offset || p.bytes % r->spec.width)
            goto damaged;
    }
    return ERR_OK;
damaged:
    *ours = false;
    log_warn("%s is damaged: what it held is made again", path);
    return ERR_OK;
}

static bool is_object(const char *name)
{
    size_t n = strlen(name);

    return n == 20 && strcmp(name + 16, ".res") == 0;
}

/* Rank 0: what lies there, as ranks tell it. */
static ErrCode look(const Results *r, Buf *told, Err *err)
{
    StoreList files = {0};
    Buf list = {0};
    ErrCode rc = store_mkdirs(r->spec.dir, err);

    if (rc == ERR_OK) rc = store_sweep(r->spec.dir, 0, err);
    if (rc == ERR_OK) rc = store_list(r->spec.dir, &files, err);
    for (size_t i = 0; i < files.n && rc == ERR_OK; i++) {
        char path[PATH_MAX], name[NAME] = {0};
        InFile *f;
        bool ours;
        if (!is_object(files.name[i])) continue;
        if ((rc = object_path(r, files.name[i], path, err)) != ERR_OK) break;
        if ((rc = infile_open(&f, path, err)) != ERR_OK) break;
        rc = read_list(r, f, path, &list, &ours, err);
        infile_close(f);
        memcpy(name, files.name[i], 20);
        if (rc == ERR_OK && ours) put_object(told, name, buf_span(&list));
    }
    buf_clear(&list);
    storelist_clear(&files);
    return rc ? rc : buf_ok(told, "results", err);
}

ErrCode results_look(Results *r, Err *err)
{
    Buf told = {0};
    ErrCode rc = ERR_OK;

    r->names.n = r->pieces.n = 0;
    if (r->par.rank == 0) rc = look(r, &told, err);
    rc = par_agree(&r->par, rc, err);
    if (rc == ERR_OK) rc = par_bcast(&r->par, &told, err);
    if (rc == ERR_OK) rc = par_agree(&r->par, add_objects(r, buf_span(&told), err), err);
    if (rc == ERR_OK) index_pieces(r);
    buf_clear(&told);
    return rc;
}

ErrCode results_open(Results **out, const ResultsSpec *spec, const Par *par, Err *err)
{
    Results *r = *out = calloc(1, sizeof *r);
    ErrCode rc;

    if (r) {
        *r = (Results){.spec = *spec, .par = *par, .done = calloc(spec->partitions, 1)};
        r->object_bytes = spec->memory / 2 < OBJECT_MAX ? spec->memory / 2 : OBJECT_MAX;
        if (r->object_bytes < RESULTS_PIECE) r->object_bytes = RESULTS_PIECE;
        if (spec->piece == 0) r->spec.piece = RESULTS_PIECE;
        if (spec->shares == 0) r->spec.share = (uint32_t)par->rank, r->spec.shares = (uint32_t)par->n_ranks;
    }
    rc = par_agree(par, r && r->done ? ERR_OK : err_nomem(err, "results"), err);
    if (rc == ERR_OK) rc = results_look(r, err);
    if (rc) {
        results_close(r);
        *out = NULL;
    }
    return rc;
}

void results_close(Results *r)
{
    if (!r) return;
    free(r->done);
    free(r->names.name);
    free(r->pieces.p);
    buf_clear(&r->body);
    buf_clear(&r->list);
    buf_clear(&r->made);
    free(r);
}

bool results_has(const Results *r, uint32_t partition) { return r->done[partition]; }
uint32_t results_n_done(const Results *r) { return r->n_done; }
bool results_complete(const Results *r) { return r->n_done == r->spec.partitions; }
uint64_t results_held_bytes(const Results *r)
{
    return r->spec.partitions + (uint64_t)r->names.cap * NAME + (uint64_t)r->pieces.cap * sizeof *r->pieces.p;
}

/* --- from outside */

/* Marks the partitions that end in an object; the first one of the job tells how many there are. Objects come and go meanwhile. */
static ErrCode mark_ended(Results *r, const char *name, Buf *list, Err *err)
{
    char path[PATH_MAX];
    uint8_t tail[TAIL];
    bool ours = false;
    InFile *f;
    ErrCode rc = object_path(r, name, path, err);

    if (rc != ERR_OK || infile_open(&f, path, err) != ERR_OK) return rc;
    uint64_t size = infile_size(f);
    if (!r->done && size >= TAIL && (rc = infile_read(f, size - TAIL, tail, TAIL, err)) == ERR_OK &&
        hash128_eq(hash128_get(tail + 24), r->spec.key)) {
        r->spec.width = le32_get(tail + 12);
        r->spec.partitions = le32_get(tail + 16);
        if (r->spec.width && r->spec.partitions <= PROGRESS_MAX && !(r->done = calloc(r->spec.partitions + 1u, 1)))
            rc = err_nomem(err, "a status");
    }
    if (rc == ERR_OK && r->done) rc = read_list(r, f, path, list, &ours, err);
    infile_close(f);
    for (size_t at = 0; rc == ERR_OK && ours && at < list->n; at += ENTRY) {
        const Piece p = get_piece(list->p + at);
        if (!(p.number & last_piece) || r->done[p.partition]) continue;
        r->done[p.partition] = true;
        r->n_done++;
    }
    return rc;
}

ErrCode results_progress(const char *dir, Hash128 key, uint32_t *n_done, uint32_t *partitions, Err *err)
{
    Results r = {.spec = {.dir = dir, .key = key}};
    StoreList files = {0};
    Buf list = {0};
    ErrCode rc = store_list(dir, &files, err);

    for (size_t i = 0; i < files.n && rc == ERR_OK; i++)
        if (is_object(files.name[i])) rc = mark_ended(&r, files.name[i], &list, err);
    *n_done = r.n_done;
    *partitions = r.done ? r.spec.partitions : 0;
    free(r.done);
    buf_clear(&list);
    storelist_clear(&files);
    return rc;
}

/* --- writing */

/* A name that nobody has: create-if-absent decides, the number is only likely to be free. */
static void choose_name(char name[NAME], const void *salt)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t x = mix64((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec) ^ mix64((uint64_t)getpid());
    memset(name, 0, NAME);
    snprintf(name, NAME, "%016" PRIx64 ".res", mix64(x ^ (uint64_t)(uintptr_t)salt));
}

static void put_tail(Results *r)
{
    uint64_t at = r->body.n;
    uint8_t tail[TAIL] = "TAMISRES";

    buf_put_span(&r->body, buf_span(&r->list));
    le32_put(tail + 8, VERSION);
    le32_put(tail + 12, r->spec.width);
    le32_put(tail + 16, r->spec.partitions);
    le32_put(tail + 20, r->n_waiting);
    hash128_put(tail + 24, r->spec.key);
    le64_put(tail + 40, at);
    buf_put(&r->body, tail, TAIL - 8);
    if (r->body.oom) return;
    le64_put(tail, hash64(span_from(buf_span(&r->body), (size_t)at)));
    buf_put(&r->body, tail, 8);
}

static ErrCode publish(Results *r, Err *err)
{
    char path[PATH_MAX], name[NAME];
    bool created = false;
    ErrCode rc;

    if (r->n_waiting == 0) return ERR_OK;
    if ((rc = buf_ok(&r->list, "results", err)) == ERR_OK) put_tail(r);
    if (rc == ERR_OK) rc = buf_ok(&r->body, "results", err);
    while (rc == ERR_OK && !created) {
        choose_name(name, r);
        rc = object_path(r, name, path, err);
        if (rc == ERR_OK) rc = store_create(path, buf_span(&r->body), &created, err);
    }
    if (rc == ERR_OK) put_object(&r->made, name, buf_span(&r->list));
    buf_reset(&r->body);
    buf_reset(&r->list);
    r->n_waiting = 0;
    return rc;
}

static ErrCode add_waiting(Results *r, ResultsOut *o, bool last, Err *err)
{
    Piece p = {.partition = o->partition,
               .number = o->number++ | (last ? last_piece : 0),
               .offset = r->body.n,
               .bytes = o->piece.n,
               .sum = hash64(buf_span(&o->piece))};

    for (int i = 0; o->piece.n && i < 8; i++) p.first = p.first << 8 | o->piece.p[i];
    if (r->n_waiting == 0) r->since = clock_seconds();
    buf_put_span(&r->body, buf_span(&o->piece));
    put_piece(&r->list, &p);
    r->n_waiting++;
    if (r->body.oom || r->list.oom) return err_nomem(err, "results");
    return r->body.n >= r->object_bytes || clock_seconds() - r->since > WAIT_SECONDS ? publish(r, err) : ERR_OK;
}

static ErrCode end_piece(ResultsOut *o, bool last, Err *err)
{
    ErrCode rc = buf_ok(&o->piece, "results", err);

#pragma omp critical(results_waiting)
    if (rc == ERR_OK) rc = add_waiting(o->results, o, last, err);
    buf_reset(&o->piece);
    return rc;
}

void resultsout_begin(ResultsOut *o, Results *r, uint32_t partition)
{
    o->results = r;
    o->partition = partition;
    o->number = 0;
    buf_reset(&o->piece);
}

ErrCode resultsout_put(ResultsOut *o, const void *record, Err *err)
{
    size_t width = o->results->spec.width;
    ErrCode rc = o->piece.n + width > o->results->spec.piece ? end_piece(o, false, err) : ERR_OK;

    buf_put(&o->piece, record, width);
    return rc;
}

ErrCode resultsout_end(ResultsOut *o, Err *err) { return end_piece(o, true, err); }
void resultsout_clear(ResultsOut *o) { buf_clear(&o->piece); }

ErrCode results_settle(Results *r, ErrCode rc, Err *err)
{
    Err own;

    if (rc == ERR_OK) {
        rc = publish(r, err);
    } else if (publish(r, &own) != ERR_OK) { /* what is done is done; the failure that matters is the first */
        log_debug("%s", own.msg);
    }
    if ((rc = par_agree(&r->par, rc, err)) != ERR_OK) return rc;
    if ((rc = par_agree(&r->par, buf_ok(&r->made, "results", err), err)) != ERR_OK) return rc;
    if ((rc = par_gather(&r->par, &r->made, err)) != ERR_OK) return rc;
    rc = par_agree(&r->par, add_objects(r, buf_span(&r->made), err), err);
    buf_clear(&r->made);
    if (rc == ERR_OK) index_pieces(r);
    return rc;
}

/* --- reading */

/* One thread's reading: the object it read from last is likely to be the next. */
typedef struct {
    InFile *file;
    uint32_t object;
} Reader;

static void reader_close(Reader *rd)
{
    if (rd->file) infile_close(rd->file);
    rd->file = NULL;
}

/* Appends the piece. */
static ErrCode read_piece(const Results *r, Reader *rd, const Piece *p, Buf *out, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = object_path(r, r->names.name[p->object], path, err);

    if (rc || p->bytes == 0) return rc;
    if (!buf_reserve(out, (size_t)p->bytes)) return err_nomem(err, path);
    if (rd->file && rd->object != p->object) reader_close(rd);
    if (!rd->file && (rc = infile_open(&rd->file, path, err)) != ERR_OK) {
        rd->file = NULL;
        return rc;
    }
    rd->object = p->object;
    rc = infile_read(rd->file, p->offset, out->p + out->n, (size_t)p->bytes, err);
    if (rc == ERR_OK && hash64(span(out->p + out->n, (size_t)p->bytes)) != p->sum)
        rc = err_set(err, ERR_DATA, "%s at %" PRIu64 ": damaged; %s", path, p->offset,
                     r->spec.repair ? r->spec.repair : "delete it and run again");
    if (rc == ERR_OK) out->n += (size_t)p->bytes;
    return rc;
}

/* The first piece of `partition` or of a later one. */
static size_t first_of(const Results *r, uint32_t partition)
{
    size_t lo = 0, hi = r->pieces.n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->pieces.p[mid].partition < partition)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static ErrCode read_partition(const Results *r, Reader *rd, uint32_t partition, ResultsEach fn, void *ctx, Buf *buf,
                              Err *err)
{
    ErrCode rc = interrupt_seen() ? err_set(err, ERR_INTR, "interrupted") : ERR_OK;

    for (size_t i = first_of(r, partition); rc == ERR_OK && i < r->pieces.n; i++) {
        if (r->pieces.p[i].partition != partition) break;
        buf_reset(buf);
        rc = read_piece(r, rd, &r->pieces.p[i], buf, err);
        if (rc == ERR_OK && buf->n) rc = fn(ctx, omp_get_thread_num(), partition, buf_span(buf), err);
    }
    return rc;
}

void results_share(const Results *r, uint32_t *begin, uint32_t *end)
{
    *begin = (uint32_t)((uint64_t)r->spec.partitions * r->spec.share / r->spec.shares);
    *end = (uint32_t)((uint64_t)r->spec.partitions * (r->spec.share + UINT64_C(1)) / r->spec.shares);
}

static ErrCode read_partitions(const Results *r, uint32_t begin, uint32_t end, ResultsEach fn, void *ctx, Err *err)
{
    uint32_t failed = UINT32_MAX;
    ErrCode rc = ERR_OK;

#pragma omp parallel num_threads(r->par.threads)
    {
        Reader reader = {0};
        Buf buf = {0};
#pragma omp for schedule(dynamic, 1)
        for (uint32_t p = begin; p < end; p++) {
            Err own;
            ErrCode mine = read_partition(r, &reader, p, fn, ctx, &buf, &own);
            if (mine == ERR_OK) continue;
#pragma omp critical(results_failure)
            if (p < failed) {
                failed = p;
                rc = mine;
                if (err) *err = own;
            }
        }
        reader_close(&reader);
        buf_clear(&buf);
    }
    return rc;
}

ErrCode results_each(const Results *r, ResultsEach fn, void *ctx, Err *err)
{
    uint32_t begin, end;

    results_share(r, &begin, &end);
    return read_partitions(r, begin, end, fn, ctx, err);
}

ErrCode results_all(const Results *r, ResultsEach fn, void *ctx, Err *err)
{
    return read_partitions(r, 0, r->spec.partitions, fn, ctx, err);
}

/* The first piece that may hold a record not before `from`: the last that begins before it, if there is one. */
static size_t piece_at(const Results *r, uint64_t from)
{
    size_t lo = 0, hi = r->pieces.n, at;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->pieces.p[mid].first < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (at = lo; at > 0 && r->pieces.p[at - 1].bytes == 0;) at--;
    return at ? at - 1 : lo;
}

/* Offset of the first record whose eight bytes are not below `key`: records are sorted by them. */
static size_t first_not_before(const Results *r, Span records, uint64_t key)
{
    size_t lo = 0, hi = records.n / r->spec.width;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (be64_get(records.p + mid * r->spec.width) < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo * r->spec.width;
}

ErrCode results_range(const Results *r, uint64_t from, uint64_t to, Buf *out, Err *err)
{
    Reader reader = {0};
    Buf piece = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = piece_at(r, from); rc == ERR_OK && i < r->pieces.n && r->pieces.p[i].first < to; i++) {
        buf_reset(&piece);
        rc = read_piece(r, &reader, &r->pieces.p[i], &piece, err);
        if (rc == ERR_OK) {
            size_t begin = first_not_before(r, buf_span(&piece), from),
                   end = first_not_before(r, buf_span(&piece), to);
            buf_put(out, piece.p + begin, end - begin);
        }
    }
    reader_close(&reader);
    buf_clear(&piece);
    return rc ? rc : buf_ok(out, "results", err);
}

/* --- a thread's way through them */

void resultscursor_clear(ResultsCursor *c)
{
    if (c->file) infile_close(c->file);
    c->file = NULL;
    buf_clear(&c->bytes);
}

/* The piece, and those behind it while they are empty. */
static ErrCode cursor_load(ResultsCursor *c, size_t piece, Err *err)
{
    const Results *r = c->results;
    ErrCode rc = ERR_OK;

    for (c->at = c->end = 0; rc == ERR_OK && c->end == 0 && piece < r->pieces.n; piece++) {
        Reader reader = {c->file, c->object};
        buf_reset(&c->bytes);
        c->piece = piece;
        rc = read_piece(r, &reader, &r->pieces.p[piece], &c->bytes, err);
        if (c->brief) reader_close(&reader);
        c->file = reader.file;
        c->object = reader.object;
        if (rc == ERR_OK) c->end = c->bytes.n;
    }
    if (piece == r->pieces.n && c->end == 0) c->piece = piece;
    return rc;
}

ErrCode resultscursor_next(ResultsCursor *c, Err *err)
{
    c->below = be64_get(c->bytes.p + c->at) + 1;
    c->began = c->below != 0; /* else the next seek begins anew */
    c->at += c->results->spec.width;
    return c->at < c->end ? ERR_OK : cursor_load(c, c->piece + 1, err);
}

/* From the piece at hand on the one that may hold the first record not below `head`: likely this one or the next. */
static size_t piece_ahead(const ResultsCursor *c, uint64_t head)
{
    const Pieces *p = &c->results->pieces;
    size_t i = c->piece, next;

    for (int step = 0; step < 2; step++, i = next) {
        for (next = i + 1; next < p->n && p->p[next].bytes == 0;) next++;
        if (next >= p->n || p->p[next].first >= head) return i;
    }
    return piece_at(c->results, head);
}

/* A few steps, as the next one is often near; then steps that double, then halve (Bentley & Yao 1976): of many records few are
 * looked for. */
static void cursor_leap(ResultsCursor *c, uint64_t head)
{
    const size_t width = c->results->spec.width, n = c->end / width;
    const uint8_t *at = c->bytes.p + c->at;
    size_t lo = c->at / width, step = 1;

    for (const size_t near = n - lo < NEAR_RECORDS ? n : lo + NEAR_RECORDS; lo < near; lo++, at += width)
        if (be64_get(at) >= head) {
            c->at = lo * width;
            return;
        }
    while (lo + step <= n && be64_get(c->bytes.p + (lo + step - 1) * width) < head) {
        lo += step;
        step *= 2;
    }
    for (size_t hi = lo + step <= n ? lo + step - 1 : n; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        if (be64_get(c->bytes.p + mid * width) < head)
            lo = mid + 1;
        else
            hi = mid;
    }
    c->at = lo * width;
}

ErrCode resultscursor_seek(ResultsCursor *c, uint64_t head, Err *err)
{
    const bool ahead = c->began && c->below <= head;
    const size_t piece = ahead ? piece_ahead(c, head) : piece_at(c->results, head);
    ErrCode rc = ERR_OK;

    if (!ahead || piece != c->piece) rc = cursor_load(c, piece, err);
    c->began = rc == ERR_OK;
    c->below = head;
    if (rc) return rc;
    cursor_leap(c, head);
    return c->at < c->end ? ERR_OK : cursor_load(c, c->piece + 1, err);
}
