#include "core/events.h"

#include "core/buf.h"
#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "core/store_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES_TRIED = 1000,    /* of one process number, which containers and restarted machines give again */
    TAIL_ROOM = 256,       /* of a line, for what ends it */
    SAMPLES_A_PACE = 1024, /* then the time between two doubles: a run of days has some 15,000 */
    FIRST_PACE_MS = 200,
    BARRIERS_AN_OCTAVE = 16, /* at least, written of those numbered 2^k .. 2^(k+1) */
    WAIT_SEEN_MS = 20        /* a shorter wait for other ranks is not worth a span */
};

static struct {
    atomic_bool on; /* the rest is not touched while it is false */
    pthread_mutex_t lock;
    char dir[PATH_MAX], verb[EVENTS_MAX_NAME + 1], host[65], gang[17];
    int rank, n_ranks, threads;
    int fd; /* -1: no event yet */
    Buf line;
    double began;
    uint64_t bytes, n_spans, n_barriers, n_samples, lost_spans, lost_lines;
    double span_room, span_room_at; /* token bucket */
    double sample_pace;
    atomic_uint_least64_t sample_at; /* nanoseconds: when the next one is due */
} events = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

bool events_on(void) { return atomic_load_explicit(&events.on, memory_order_relaxed); }

/* --- lines; the lock is held */

static double wall_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Names are ours, but a stage may be called by whom it serves: what would need an escape becomes '_'. */
static void put_name(Buf *b, const char *key, const char *name)
{
    buf_printf(b, ",\"%s\":\"", key);
    for (size_t i = 0; name[i] && i < EVENTS_MAX_NAME; i++) {
        uint8_t c = (uint8_t)name[i];
        buf_putc(b, c < 32 || c > 126 || c == '"' || c == '\\' ? '_' : c);
    }
    buf_putc(b, '"');
}

static Buf *begin_line(const char *event, double t)
{
    Buf *b = &events.line;

    buf_reset(b);
    buf_printf(b, "{\"event\":\"%s\",\"t\":%.6f", event, t);
    return b;
}

/* A file system that says no now may say so for hours: the log is over, the job goes on. */
static void give_up(const char *why)
{
    log_warn("no more events are written to %s: %s", events.dir, why);
    atomic_store(&events.on, false);
}

static bool write_line(void)
{
    Buf *b = &events.line;

    buf_puts(b, "}\n");
    if (b->oom || b->n > EVENTS_MAX_LINE || events.bytes + b->n > EVENTS_MAX_BYTES) {
        events.lost_lines++;
        return false;
    }
    if (store_fault() || write(events.fd, b->p, b->n) != (ssize_t)b->n) {
        give_up(strerror(errno));
        return false;
    }
    events.bytes += b->n;
    return true;
}

/* The line that ties the clocks: t is CLOCK_MONOTONIC, time and fs_time are seconds since 1970, of this host and of the file system,
 * which over a network is one clock for all hosts. */
static void write_start(void)
{
    struct stat st;
    double t = clock_seconds(), now = wall_clock();
    Buf *b = begin_line("start", t);

    buf_printf(b, ",\"time\":%.6f", now);
    if (fstat(events.fd, &st) == 0)
        buf_printf(b, ",\"fs_time\":%.6f", (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec * 1e-9);
    buf_printf(b, ",\"began\":%.6f,\"version\":1", events.began);
    put_name(b, "verb", events.verb);
    put_name(b, "host", events.host);
    buf_printf(b, ",\"pid\":%ld,\"gang\":\"%s\",\"rank\":%d,\"ranks\":%d,\"threads\":%d", (long)getpid(), events.gang,
               events.rank, events.n_ranks, events.threads);
    put_name(b, "program", TAMIS_VERSION);
    write_line();
}

static int create_file(void)
{
    char path[PATH_MAX + 256];

    for (int i = 0; i < NAMES_TRIED; i++) {
        char again[16] = "";
        if (i) snprintf(again, sizeof again, ".%d", i);
        snprintf(path, sizeof path, "%s/%s.%s.%ld%s.jsonl", events.dir, events.verb, events.host, (long)getpid(),
                 again);
        int fd = store_fault() ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/* Locks; false, unlocked, when there is nowhere to write to. */
static bool enter(void)
{
    Err err = {.code = ERR_OK};

    pthread_mutex_lock(&events.lock);
    if (events_on() && events.fd < 0) {
        if (store_mkdirs(events.dir, &err) != ERR_OK)
            give_up(err.msg);
        else if ((events.fd = create_file()) < 0)
            give_up(strerror(errno));
        else
            write_start();
    }
    if (events_on()) return true;
    pthread_mutex_unlock(&events.lock);
    return false;
}

static void leave(void) { pthread_mutex_unlock(&events.lock); }

/* --- opening and closing */

/* What the processes of one launch have in common, and no others. */
static void name_gang(const Par *par)
{
    Buf b = {0};
    Err err;

    buf_printf(&b, "%s %ld %.9f", events.host, (long)getpid(), wall_clock());
    uint64_t id = hash64(buf_span(&b));
    buf_reset(&b);
    buf_put(&b, &id, sizeof id);
    if (par_bcast(par, &b, &err) == ERR_OK && b.n == sizeof id) memcpy(&id, b.p, sizeof id);
    snprintf(events.gang, sizeof events.gang, "%016" PRIx64, id);
    buf_clear(&b);
}

void events_open(const char *dir, const char *verb, const Par *par)
{
    if (!dir || events_on()) return;
    store_host_name(events.host);
    snprintf(events.dir, sizeof events.dir, "%s", dir);
    snprintf(events.verb, sizeof events.verb, "%s", verb);
    name_gang(par);
    events.rank = par->rank;
    events.n_ranks = par->n_ranks;
    events.threads = par->threads;
    events.fd = -1;
    events.bytes = events.n_spans = events.n_barriers = events.n_samples = events.lost_spans = events.lost_lines = 0;
    events.span_room = EVENTS_SPAN_BURST;
    events.began = events.span_room_at = clock_seconds();
    events.sample_pace = FIRST_PACE_MS * 1e-3;
    atomic_store(&events.sample_at, 0);
    atomic_store(&events.on, true);
}

void events_close(int status)
{
    pthread_mutex_lock(&events.lock);
    if (events_on() && events.fd >= 0) {
        Buf *b = begin_line("exit", clock_seconds());
        buf_printf(b, ",\"status\":%d,\"cpu_s\":%.3f,\"peak_bytes\":%" PRIu64, status, cpu_seconds(),
                   peak_memory_bytes());
        buf_printf(b, ",\"lost_spans\":%" PRIu64 ",\"lost_lines\":%" PRIu64, events.lost_spans, events.lost_lines);
        if (events.bytes > EVENTS_MAX_BYTES - EVENTS_MAX_LINE) events.bytes = 0; /* this one line is written still */
        write_line();
    }
    atomic_store(&events.on, false);
    if (events.fd >= 0) close(events.fd);
    events.fd = -1;
    buf_clear(&events.line);
    pthread_mutex_unlock(&events.lock);
}

/* --- events */

/* Reasons with documents, as long as the line has room; the others under "…". */
static void put_dropped(Buf *b, const PartEvent *e)
{
    uint64_t rest = 0;
    bool comma = false;

    buf_puts(b, ",\"dropped\":{");
    for (uint32_t i = 0; e->reasons && i < e->n_reasons; i++) {
        if (!e->dropped[i]) continue;
        if (b->n + 2 * strlen(e->reasons[i]) + TAIL_ROOM + 32 > EVENTS_MAX_LINE) {
            rest += e->dropped[i];
            continue;
        }
        if (comma) buf_putc(b, ',');
        json_put_cstr(b, e->reasons[i]);
        buf_printf(b, ":%" PRIu64, e->dropped[i]);
        comma = true;
    }
    if (rest) buf_printf(b, "%s\"\xe2\x80\xa6\":%" PRIu64, comma ? "," : "", rest);
    buf_putc(b, '}');
}

void event_part(const PartEvent *e)
{
    const struct {
        const char *name;
        double s;
    } seconds[] = {{"wall_s", e->wall_s},
                   {"cpu_s", e->cpu_s},
                   {"read_s", e->read_s},
                   {"write_s", e->write_s},
                   {"wait_s", e->wait_s}};

    if (!events_on() || !enter()) return;
    Buf *b = begin_line("part", clock_seconds());
    buf_printf(b, ",\"time\":%.3f", wall_clock());
    put_name(b, "stage", e->stage);
    buf_puts(b, ",\"key\":");
    json_put_hash(b, e->key);
    buf_printf(b, ",\"part\":%" PRIu32 ",\"rank\":%d,\"attempt\":%" PRIu32, e->part, events.rank, e->attempt);
    put_name(b, "host", events.host);
    buf_printf(b, ",\"pid\":%ld,\"n_in\":%" PRIu64 ",\"n_docs\":%" PRIu64, (long)getpid(), e->n_in, e->n_docs);
    buf_printf(b, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64 ",\"text_bytes\":%" PRIu64, e->bytes_in,
               e->bytes_out, e->text_bytes);
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        if (seconds[i].s > 0) buf_printf(b, ",\"%s\":%.6f", seconds[i].name, seconds[i].s);
    buf_printf(b, ",\"peak_bytes\":%" PRIu64, peak_memory_bytes());
    put_dropped(b, e);
    write_line();
    leave();
}

/* Takes room for one span. */
static bool may_begin(double t)
{
    events.span_room += (t - events.span_room_at) * EVENTS_SPANS_A_SECOND;
    if (events.span_room > EVENTS_SPAN_BURST) events.span_room = EVENTS_SPAN_BURST;
    events.span_room_at = t;
    if (events.span_room < 1) return false;
    events.span_room--;
    return true;
}

static EventSpan write_begin(double t, const char *name, const char *of, int lane)
{
    if (!may_begin(clock_seconds())) {
        events.lost_spans++;
        return 0;
    }
    Buf *b = begin_line("begin", t);
    buf_printf(b, ",\"span\":%" PRIu64 ",\"lane\":%d", events.n_spans + 1, lane);
    put_name(b, "name", name);
    if (of) put_name(b, "of", of);
    return write_line() ? ++events.n_spans : 0;
}

static void write_end(double t, EventSpan span, uint64_t n_records, uint64_t bytes)
{
    Buf *b = begin_line("end", t);

    buf_printf(b, ",\"span\":%" PRIu64, span);
    if (n_records) buf_printf(b, ",\"records\":%" PRIu64, n_records);
    if (bytes) buf_printf(b, ",\"bytes\":%" PRIu64, bytes);
    write_line();
}

EventSpan event_begin(const char *name, const char *of, int lane)
{
    EventSpan id;

    if (!events_on()) return 0;
    event_sample(NULL, 0, 0);
    if (!enter()) return 0;
    id = write_begin(clock_seconds(), name, of, lane);
    leave();
    return id;
}

void event_end(EventSpan span, uint64_t n_records, uint64_t bytes)
{
    if (span == 0 || !events_on()) return;
    event_sample(NULL, 0, 0);
    if (!enter()) return;
    write_end(clock_seconds(), span, n_records, bytes);
    leave();
}

/* Every rank counts alike, so all write the same ones of them. */
static bool is_written(uint64_t barrier)
{
    uint64_t apart = 1;

    while (barrier / apart >= 2 * BARRIERS_AN_OCTAVE) apart *= 2;
    return barrier % apart == 0;
}

void event_barrier(double began)
{
    double t;
    bool written, waited;

    if (!events_on() || events.n_ranks == 1) return;
    t = clock_seconds(); /* before the lock is waited for */
    written = is_written(++events.n_barriers);
    waited = t - began > WAIT_SEEN_MS * 1e-3;
    if (!(written || waited) || !enter()) return;
    EventSpan span = waited ? write_begin(began, "wait", NULL, 0) : 0;
    if (span) write_end(t, span, 0, 0);
    if (written) {
        Buf *b = begin_line("barrier", t);
        buf_printf(b, ",\"n\":%" PRIu64, events.n_barriers);
        write_line();
    }
    leave();
}

/* Bytes of memory in use now; 0 where the system does not say. */
static uint64_t resident_bytes(void)
{
    char text[64];
    unsigned long long all, resident;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0) close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    return sscanf(text, "%llu %llu", &all, &resident) == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static bool sample_is_due(void)
{
    return (uint64_t)(clock_seconds() * 1e9) >= atomic_load_explicit(&events.sample_at, memory_order_relaxed);
}

void event_sample(const char *what, uint64_t docs, uint64_t bytes)
{
    if (!events_on() || !sample_is_due() || !enter()) return;
    if (sample_is_due()) { /* else another thread was faster */
        double t = clock_seconds();
        Buf *b = begin_line("sample", t);
        buf_printf(b, ",\"rss_bytes\":%" PRIu64 ",\"cpu_s\":%.3f", resident_bytes(), cpu_seconds());
        if (what) {
            put_name(b, "of", what);
            buf_printf(b, ",\"docs\":%" PRIu64 ",\"bytes\":%" PRIu64, docs, bytes);
        }
        write_line();
        if (++events.n_samples % SAMPLES_A_PACE == 0) events.sample_pace *= 2;
        atomic_store(&events.sample_at, (uint64_t)((t + events.sample_pace) * 1e9));
    }
    leave();
}
