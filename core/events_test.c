#include "core/events.h"

#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "core/store_fault.h"
#include "tests/check.h"

#include <errno.h>
#include <limits.h>
#include <omp.h>
#include <unistd.h>

static int n_dirs;

static void open_in(char dir[PATH_MAX])
{
    const Par par = par_alone(2);

    snprintf(dir, PATH_MAX, "%s/events-%d/below", check_tmpdir(), n_dirs++);
    events_open(dir, "verb", &par);
}

/* The file of this process's n-th opening in `dir`, whole. */
static void read_events(const char *dir, int again, Buf *out)
{
    char path[PATH_MAX + 128], host[65], suffix[16] = "";
    Err err;

    store_host_name(host);
    if (again) snprintf(suffix, sizeof suffix, ".%d", again);
    snprintf(path, sizeof path, "%s/verb.%s.%ld%s.jsonl", dir, host, (long)getpid(), suffix);
    buf_reset(out);
    CHECK_OK(store_read(path, EVENTS_MAX_BYTES + EVENTS_MAX_LINE, out, &err), &err);
}

/* Line i as a tree; NULL behind the last. */
static const Json *line_at(Arena *a, const Buf *text, size_t i)
{
    Span rest = buf_span(text);
    Json *j = NULL;
    Err err;

    for (; i && rest.n; i--) rest = span_from(rest, span_find(rest, '\n') + 1);
    if (!rest.n) return NULL;
    Span line = span(rest.p, span_find(rest, '\n'));
    CHECK(line.n < rest.n && line.n < EVENTS_MAX_LINE);
    CHECK_OK(json_parse(a, line, "event", &j, &err), &err);
    return j;
}

static bool is_event(const Json *j, const char *event)
{
    const Json *e = json_get(j, "event");
    return e && span_is(e->string, event);
}

static double number(const Json *j, const char *key)
{
    const Json *n = json_get(j, key);
    return n && n->type == JSON_NUMBER ? n->number : -1;
}

TEST(a_part_is_one_line_of_all_that_is_known)
{
    static const char *const reasons[] = {"short", "dull", "unused"};
    const uint64_t dropped[] = {3, 4, 0};
    const PartEvent e = {.stage = "filter",
                         .key = {1, 2},
                         .part = 7,
                         .attempt = 2,
                         .n_in = 12,
                         .n_docs = 5,
                         .reasons = reasons,
                         .dropped = dropped,
                         .n_reasons = 3,
                         .bytes_in = 1000,
                         .bytes_out = 100,
                         .text_bytes = 400,
                         .wall_s = 0.5,
                         .cpu_s = 0.25};
    char dir[PATH_MAX];
    Arena a = {0};
    Buf text = {0};

    open_in(dir);
    CHECK(events_on());
    event_part(&e);
    events_close(6);
    CHECK(!events_on());
    read_events(dir, 0, &text);
    const Json *start = line_at(&a, &text, 0), *part = line_at(&a, &text, 1), *end = line_at(&a, &text, 2);
    CHECK(is_event(start, "start") && is_event(part, "part") && is_event(end, "exit") && !line_at(&a, &text, 3));
    CHECK_INT(1, number(start, "version"));
    CHECK(number(start, "began") <= number(start, "t") && number(start, "t") <= number(part, "t"));
    CHECK(number(start, "time") > 1.6e9 && number(start, "fs_time") > 1.6e9);
    CHECK_INT(getpid(), number(part, "pid"));
    CHECK_INT(7, number(part, "part"));
    CHECK_INT(12, number(part, "n_in"));
    CHECK_INT(2, number(part, "attempt"));
    CHECK_INT(2, json_get(part, "dropped")->n);
    CHECK_INT(4, number(json_get(part, "dropped"), "dull"));
    CHECK(number(part, "wall_s") == 0.5 && !json_get(part, "read_s")); /* not known */
    CHECK_STR("00000000000000020000000000000001", (const char *)json_get(part, "key")->string.p);
    CHECK_INT(6, number(end, "status"));
    arena_clear(&a);
    buf_clear(&text);
}

TEST(nothing_to_say_leaves_nothing_and_off_is_off)
{
    char dir[PATH_MAX];
    bool there;
    Err err;

    open_in(dir);
    events_close(0);
    CHECK_OK(store_exists(dir, &there, &err), &err);
    CHECK(!there);
    CHECK_INT(0, event_begin("send", NULL, 0));
    event_end(1, 0, 0);
    event_part(&(PartEvent){.stage = "s"});
    event_barrier(0);
    event_sample("x", 1, 1);
    CHECK_OK(store_exists(dir, &there, &err), &err);
    CHECK(!there);
}

TEST(a_file_of_the_same_name_is_left_alone)
{
    char dir[PATH_MAX];
    const Par par = par_alone(1);
    Buf first = {0}, again = {0};

    open_in(dir);
    event_end(event_begin("one", NULL, 0), 0, 0);
    events_close(0);
    read_events(dir, 0, &first);
    events_open(dir, "verb", &par);
    event_end(event_begin("two", NULL, 0), 0, 0);
    events_close(0);
    read_events(dir, 0, &again);
    CHECK_SPAN(buf_span(&first), buf_span(&again));
    read_events(dir, 1, &again);
    CHECK(strstr(buf_cstr(&again), "\"two\"") != NULL);
    buf_clear(&first);
    buf_clear(&again);
}

/* Spans from all threads: each line whole, each span ended in its lane, and no more than the bucket holds. */
TEST(spans_are_bounded_and_lines_do_not_mix)
{
    enum { SPANS = 2 * EVENTS_SPAN_BURST };
    char dir[PATH_MAX];
    uint64_t begun = 0, ended = 0, lost = 0;
    double took = clock_seconds();
    Arena a = {0};
    Buf text = {0};

    open_in(dir);
#pragma omp parallel for num_threads(4)
    for (int i = 0; i < SPANS; i++) event_end(event_begin("work", "load", omp_get_thread_num()), 1, 2);
    events_close(0);
    took = clock_seconds() - took;
    read_events(dir, 0, &text);
    for (Span rest = buf_span(&text); rest.n;) {
        Json *j = NULL;
        Err err;
        size_t n = span_find(rest, '\n');
        CHECK_OK(json_parse(&a, span(rest.p, n), "event", &j, &err), &err);
        begun += is_event(j, "begin");
        ended += is_event(j, "end");
        if (is_event(j, "exit")) lost = (uint64_t)number(j, "lost_spans");
        rest = span_from(rest, n + 1);
        arena_reset(&a);
    }
    CHECK_INT(begun, ended);
    CHECK_INT(SPANS, begun + lost);
    CHECK(begun >= EVENTS_SPAN_BURST && (double)begun <= EVENTS_SPAN_BURST + took * EVENTS_SPANS_A_SECOND + 1);
    arena_clear(&a);
    buf_clear(&text);
}

/* So many reasons do not fit a line: what is named and what is not still sum up. */
TEST(a_line_is_bounded_and_still_sums_up)
{
    enum { REASONS = 254 };
    static char names[REASONS][48];
    const char *reasons[REASONS];
    uint64_t dropped[REASONS], sum = 0;
    char dir[PATH_MAX], long_name[3 * EVENTS_MAX_NAME];
    Arena a = {0};
    Buf text = {0};

    memset(long_name, '"', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    for (int i = 0; i < REASONS; i++) {
        snprintf(names[i], sizeof names[i], "a_reason_of_some_length_number_%d", i);
        reasons[i] = names[i];
        dropped[i] = (uint64_t)i + 1;
    }
    open_in(dir);
    event_part(&(PartEvent){.stage = long_name, .reasons = reasons, .dropped = dropped, .n_reasons = REASONS});
    events_close(0);
    read_events(dir, 0, &text);
    const Json *part = line_at(&a, &text, 1), *all = json_get(part, "dropped");
    CHECK(is_event(part, "part") && all);
    CHECK_INT(EVENTS_MAX_NAME, json_get(part, "stage")->string.n);
    CHECK(all->n > 50 && all->n < REASONS && number(all, "\xe2\x80\xa6") > 0);
    for (const Json *d = all->child; d; d = d->next) sum += (uint64_t)d->number;
    CHECK_INT(REASONS * (REASONS + 1) / 2, sum);
    arena_clear(&a);
    buf_clear(&text);
}

/* Every way the disk can say no: one event too few is all that happens. */
TEST(a_disk_that_says_no_costs_events_alone)
{
    char dir[PATH_MAX];

    log_setup(LOG_QUIET, 1); /* the warning is rank 0's */
    for (uint64_t n = 1; n < 100; n++) {
        open_in(dir);
        store_fault_arm(n, ENOSPC, false);
        event_end(event_begin("send", NULL, 0), 0, 0);
        event_part(&(PartEvent){.stage = "s"});
        bool hit = store_fault_hit();
        store_fault_arm(0, 0, false);
        CHECK(hit == !events_on());
        events_close(0);
        if (!hit) break;
    }
    log_setup(LOG_QUIET, 0);
}

TEST(samples_and_barriers_grow_sparse)
{
    const Par two = {.rank = 0, .n_ranks = 1, .threads = 1, .local_ranks = 1};
    char dir[PATH_MAX];
    Buf text = {0};

    snprintf(dir, sizeof dir, "%s/sparse", check_tmpdir());
    events_open(dir, "verb", &two);
    for (int i = 0; i < 1000; i++) event_sample("x", 1, 1), event_barrier(0);
    event_part(&(PartEvent){.stage = "s"});
    events_close(0);
    read_events(dir, 0, &text);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) n += text.p[i] == '\n';
    CHECK(n >= 4 && n < 10); /* start, a few samples, part, exit; one rank alone has no barriers */
    buf_clear(&text);
}
