/* Damages archives at random and reads them: nothing may crash, no record take long, memory stay bounded.
 *   mutate [-n N] [-s SEED] [-i ITERATION] [-m MEGABYTES] FILE...
 * Each of N iterations takes one of the files (one that is large: a stretch of it), changes it in one to eight places - bits, bytes, lengths, runs
 * deleted, doubled, moved in from another file, the end cut off - and takes every record through the whole way to its document. Half of the
 * iterations change what the file decompresses to and pack that anew, so that damage comes behind the checksums. An iteration is a
 * function of the files, SEED and its number: what is found is run again with -i. */
#define _DEFAULT_SOURCE /* getrusage */
#include "core/gzip_out.h"
#include "core/hash.h"
#include "core/log.h"
#include "ingest/page.h"
#include "ingest/warc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STRETCH = 96 << 10, /* bytes of a large file that one iteration takes */
    MAX_CHANGES = 8,
    MAX_RECORD_SECONDS = 2,
    MAX_OPEN = 64 << 20 /* bytes of a file, decompressed */
};

typedef struct {
    Span raw, plain; /* as stored; decompressed */
} Seed;

typedef struct {
    Seed *seed;
    size_t n_seeds;
    uint64_t state; /* of the random numbers */
    PageWorker *worker;
    GzipOut *gzip;
    Buf bytes, packed;
    uint64_t n_records, n_docs, reasons[INGEST_N_REASONS + 1];
    double slowest;
} Mutate;

static uint64_t iteration;

static void die(const char *what)
{
    fprintf(stderr, "mutate: iteration %llu: %s\n", (unsigned long long)iteration, what);
    exit(1);
}

static void must(ErrCode rc, const Err *err)
{
    if (rc != ERR_OK) die(err->msg);
}

/* Says which iteration it was; only what is allowed in a handler. */
static void crashed(int sig)
{
    char line[] = "mutate: crashed in iteration 00000000000000000000\n";
    uint64_t v = iteration;

    for (size_t i = sizeof line - 3; v && line[i] == '0'; i--, v /= 10) line[i] = (char)('0' + v % 10);
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    signal(sig, SIG_DFL);
    raise(sig);
}

static uint64_t draw(Mutate *m, uint64_t below) { return below ? (m->state = mix64(m->state + 1)) % below : 0; }

/* ---- seeds */

static Span copy_of(Span s)
{
    uint8_t *p = malloc(s.n + 1);

    if (!p) die("no memory");
    if (s.n) memcpy(p, s.p, s.n);
    return span(p, s.n);
}

static void load(Mutate *m, const char *path)
{
    Buf raw = {0};
    ByteStream *s = NULL;
    Err err;

    must(store_read(path, MAX_OPEN, &raw, &err), &err);
    must(stream_open_bytes(&s, buf_span(&raw), 0, true, &err), &err);
    must(stream_need(s, MAX_OPEN, &err), &err);
    m->seed[m->n_seeds++] = (Seed){copy_of(buf_span(&raw)), copy_of(stream_view(s))};
    stream_close(s);
    buf_clear(&raw);
}

/* ---- changes */

/* A version line, or the head of a gzip member, zstd or LZ4 frame. */
static bool starts_something(const uint8_t *p)
{
    static const char *const marks[] = {"WARC/1", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "\x04\x22\x4d\x18"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (memcmp(p, marks[i], strlen(marks[i])) == 0) return true;
    return false;
}

static void take_stretch(Mutate *m, Span from)
{
    const size_t n = from.n < STRETCH ? from.n : STRETCH;
    size_t at = from.n > n && draw(m, 2) ? (size_t)draw(m, from.n - n + 1) : 0;

    /* Mostly from a record's start on: else all of it is one piece of junk. */
    for (size_t back = 0; at > 0 && back < 4096 && at + 8 < from.n && !starts_something(from.p + at); back++) at++;
    buf_reset(&m->bytes);
    buf_put_span(&m->bytes, span(from.p + at, from.n - at < n ? from.n - at : n));
}

static void change_number(Mutate *m, size_t at)
{
    static const char *const numbers[] = {"0",   "1",  "-1",   "99",          "4294967295", "18446744073709551615",
                                          "1e9", " 7", "0x10", "999999999999"};
    Buf *b = &m->bytes;
    size_t digit = at;
    const char *to = numbers[draw(m, sizeof numbers / sizeof *numbers)];

    while (digit < b->n && !ascii_is_digit(b->p[digit])) digit++;
    for (size_t i = 0; to[i] && digit + i < b->n; i++) b->p[digit + i] = (uint8_t)to[i];
}

static void insert(Mutate *m, size_t at, Span what)
{
    Buf *b = &m->bytes;
    const Span copy = copy_of(what); /* it may be of the same bytes */

    if (!buf_reserve(b, copy.n)) die("no memory");
    memmove(b->p + at + copy.n, b->p + at, b->n - at);
    memcpy(b->p + at, copy.p, copy.n);
    b->n += copy.n;
    free((void *)(uintptr_t)copy.p);
}

static void change(Mutate *m)
{
    static const char *const words[] = {"WARC/1.0\r\n",
                                        "\r\n\r\n",
                                        "<",
                                        "</",
                                        "<!--",
                                        "<script>",
                                        "&#x110000;",
                                        "\"",
                                        "<div>",
                                        "charset=gbk",
                                        "Content-Encoding: gzip\r\n",
                                        "Transfer-Encoding: chunked\r\n",
                                        "\xff\xfe",
                                        "<table>",
                                        "Content-Length: "};
    Buf *b = &m->bytes;
    const size_t at = (size_t)draw(m, b->n), n = (size_t)draw(m, draw(m, 4) ? 16 : 4096),
                 end = b->n - at < n ? b->n : at + n;
    const Span other = draw(m, 2) ? m->seed[draw(m, m->n_seeds)].raw : m->seed[draw(m, m->n_seeds)].plain;

    if (b->n == 0) return;
    switch (draw(m, 9)) {
    case 0: b->p[at] ^= (uint8_t)(1u << draw(m, 8)); break;
    case 1: b->p[at] = (uint8_t)draw(m, 256); break;
    case 2: memset(b->p + at, (int)draw(m, 256), end - at); break;
    case 3:
        memmove(b->p + at, b->p + end, b->n - end);
        b->n -= end - at;
        break;
    case 4: insert(m, at, span(b->p + at, end - at)); break;
    case 5: insert(m, at, span_str(words[draw(m, sizeof words / sizeof *words)])); break;
    case 6: change_number(m, at); break;
    case 7: {
        const size_t from = (size_t)draw(m, other.n);
        insert(m, at, span(other.p + from, other.n - from < n ? other.n - from : n));
        break;
    }
    case 8:
        if (draw(m, 4) == 0) b->n = at;
        break;
    }
}

/* ---- reading */

static void read_all(Mutate *m, Span bytes)
{
    ByteStream *s = NULL;
    WarcRecord rec;
    PageResult page;
    bool more = true;
    Err err;

    must(stream_open_bytes(&s, bytes, 0, true, &err), &err);
    WarcReader r = warc_reader(s, 0, UINT64_MAX);
    for (double begin = thread_cpu_seconds(), end; more; begin = end) {
        must(warc_next(&r, &rec, &more, &err), &err);
        page.reason = rec.reason;
        if (more && rec.reason == INGEST_N_REASONS)
            must(page_from_record(m->worker, rec.head, rec.block, &page, &err), &err);
        end = thread_cpu_seconds();
        if (end - begin > m->slowest) m->slowest = end - begin;
        if (end - begin > MAX_RECORD_SECONDS) die("a record took more than two seconds");
        if (!more) break;
        m->n_records++;
        if (page.reason > INGEST_N_REASONS) die("a reason that is none");
        m->reasons[page.reason]++;
    }
    stream_close(s);
}

static void iterate(Mutate *m, uint64_t seed)
{
    Err err;

    m->state = mix64(seed ^ mix64(iteration));
    const Seed *from = &m->seed[draw(m, m->n_seeds)];
    const bool pack = draw(m, 2);
    take_stretch(m, pack ? from->plain : from->raw);
    for (uint64_t i = 0, n = 1 + draw(m, MAX_CHANGES); i < n; i++) change(m);
    if (!pack || draw(m, 2)) {
        read_all(m, buf_span(&m->bytes));
        return;
    }
    buf_reset(&m->packed);
    must(gzipout_member(m->gzip, buf_span(&m->bytes), &m->packed, &err), &err);
    read_all(m, buf_span(&m->packed));
}

static void report(const Mutate *m, uint64_t n, uint64_t most_mb)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    printf("%llu iterations, %llu records, slowest %.3f s, peak %ld MB\n", (unsigned long long)n,
           (unsigned long long)m->n_records, m->slowest, use.ru_maxrss / 1024);
    for (int i = 0; i <= INGEST_N_REASONS; i++)
        if (m->reasons[i])
            printf("%12llu %s\n", (unsigned long long)m->reasons[i],
                   i == INGEST_N_REASONS ? "documents" : ingest_reasons[i]);
    if (most_mb && (uint64_t)use.ru_maxrss / 1024 > most_mb) die("more memory than allowed");
}

int main(int argc, char **argv)
{
    const IngestParams params = INGEST_PARAMS_DEFAULT;
    uint64_t n = 1000, seed = 1, only = UINT64_MAX, most_mb = 0;
    Mutate m = {0};
    Err err;

    for (int c; (c = getopt(argc, argv, "n:s:i:m:")) != -1;) {
        const uint64_t v = c == '?' ? 0 : strtoull(optarg, NULL, 10);
        switch (c) {
        case 'n': n = v; break;
        case 's': seed = v; break;
        case 'i': only = v; break;
        case 'm': most_mb = v; break;
        default: return 2;
        }
    }
    if (optind == argc) return fprintf(stderr, "mutate: no file\n"), 2;
    const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], crashed);
    m.seed = calloc((size_t)(argc - optind), sizeof *m.seed);
    if (!m.seed) die("no memory");
    must(pageworker_new(&params, &m.worker, &err), &err);
    must(gzipout_new(&m.gzip, &err), &err);
    for (int i = optind; i < argc; i++) load(&m, argv[i]);
    for (iteration = only == UINT64_MAX ? 0 : only; iteration < (only == UINT64_MAX ? n : only + 1); iteration++)
        iterate(&m, seed);
    report(&m, only == UINT64_MAX ? n : 1, most_mb);
    pageworker_free(m.worker);
    gzipout_free(m.gzip);
    for (size_t i = 0; i < m.n_seeds; i++) {
        free((void *)(uintptr_t)m.seed[i].raw.p);
        free((void *)(uintptr_t)m.seed[i].plain.p);
    }
    free(m.seed);
    buf_clear(&m.bytes);
    buf_clear(&m.packed);
    return 0;
}
