#include "tools/eventlog.h"

#include "core/events.h"
#include "core/json.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"
#include "tools/event_stats.h"
#include "tools/perfetto.h"
#include "tools/timeline.h"
#include "tools/tracks.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static Err err;

static ErrCode read_files(EventLog *log, const char *const *text, size_t n, Err *e)
{
    EventReader *r = NULL;
    ErrCode rc = eventreader_new(&r, log, e);

    for (size_t i = 0; i < n && rc == ERR_OK; i++) rc = eventreader_file(r, span_str(text[i]), e);
    if (rc == ERR_OK) rc = eventreader_end(r, e);
    eventreader_free(r);
    return rc;
}

static EventLog read_one(const char *text)
{
    EventLog log;

    CHECK_OK(read_files(&log, &text, 1, &err), &err);
    return log;
}

#define START(t, day, fs_day, gang, rank, ranks)                                                       \
    "{\"event\":\"start\",\"t\":" #t ",\"time\":" #day ",\"fs_time\":" #fs_day                         \
    ",\"version\":1,\"verb\":\"dedup\",\"host\":\"h\",\"pid\":7,\"gang\":\"" gang "\",\"rank\":" #rank \
    ",\"ranks\":" #ranks ",\"threads\":2}\n"
#define BEGIN(t, id, lane, name) \
    "{\"event\":\"begin\",\"t\":" #t ",\"span\":" #id ",\"lane\":" #lane ",\"name\":\"" name "\"}\n"
#define END(t, id)    "{\"event\":\"end\",\"t\":" #t ",\"span\":" #id ",\"records\":3,\"bytes\":4}\n"
#define BARRIER(t, n) "{\"event\":\"barrier\",\"t\":" #t ",\"n\":" #n "}\n"
#define PART(t, part, cpu)                                                                                          \
    "{\"event\":\"part\",\"t\":" #t ",\"stage\":\"s\",\"key\":\"00000000000000000000000000000001\",\"part\":" #part \
    ",\"n_in\":10,\"n_docs\":6,\"dropped\":{\"a\":1,\"b\":3},\"bytes_in\":100,\"wall_s\":1,\"cpu_s\":" #cpu "}\n"

static bool near(double a, double b) { return fabs(a - b) < 1e-5; }

TEST(a_file_becomes_a_process_with_its_spans)
{
    EventLog log = read_one(START(10, 1000, 1000, "00000000000000ab", 0, 1) BEGIN(11, 1, 0, "send")
                                BEGIN(12, 2, 0, "spill") BEGIN(12.5, 3, 1, "spill") END(13, 2) END(14, 1)
                                    PART(15, 4, 0.5) "{\"event\":\"sample\",\"t\":16,\"rss_bytes\":100,\"cpu_s\":2}\n"
                                                     "{\"event\":\"exit\",\"t\":17,\"status\":6,\"cpu_s\":3,\"peak_"
                                                     "bytes\":200,\"lost_spans\":1,\"lost_lines\":2}\n");

    CHECK_INT(1, log.n_processes);
    CHECK_INT(3, log.n_spans);
    CHECK_INT(0, log.n_damaged);
    const LogProcess *p = &log.process[0];
    CHECK(near(p->begin, 0) && near(p->end, 7) && near(log.length, 7) && near(log.origin, 1000));
    CHECK(p->gang == 0xab && p->status == 6 && p->cpu_s == 3 && p->peak_bytes == 200 && p->lost == 3);
    CHECK_STR("dedup", p->verb);
    const LogSpan *s = log.span; /* by lane, then begin */
    CHECK(near(s[0].begin, 1) && near(s[0].end, 4) && s[0].ended && s[0].bytes == 4);
    CHECK_STR("spill", s[1].name);
    CHECK(near(s[1].begin, 2) && near(s[1].end, 3));
    CHECK(s[2].lane == 1 && !s[2].ended && near(s[2].end, 7)); /* with its process */
    CHECK(log.n_parts == 1 && near(log.part[0].begin, 4) && near(log.part[0].end, 5) && log.part[0].n_dropped == 4);
    CHECK(log.n_samples == 1 && log.sample[0].rss_bytes == 100 && !log.sample[0].of);
    eventlog_clear(&log);
}

/* Each of these costs itself, and what is good around it stays. */
TEST(bad_lines_cost_themselves)
{
    static const char *const bad[] = {"\n",
                                      "[]\n",
                                      "{}\n",
                                      "{\"event\":\"part\"}\n",
                                      "no json\n",
                                      "{\"event\":\"end\",\"t\":1,\"span\":9}\n",
                                      "{\"event\":\"begin\",\"t\":11,\"span\":0,\"lane\":0,\"name\":\"x\"}\n",
                                      "{\"event\":\"begin\",\"t\":11,\"span\":5,\"lane\":0}\n",
                                      "{\"event\":\"part\",\"t\":1e300,\"stage\":\"s\"}\n",
                                      "{\"event\":\"part\",\"t\":\"1\",\"stage\":\"s\"}\n",
                                      "{\"event\":\"part\",\"t\":1}\n",
                                      "{\"event\":\"barrier\",\"t\":1,\"n\":0}\n",
                                      "{\"event\":3,\"t\":1}\n",
                                      START(1, 2, 2, "a", 0, 1), /* a second one */
                                      "{\"event\":\"part\",\"t\":1,\"stage\":\"\xff\"}\n",
                                      "{\"event\":\"pa"};
    char text[1024];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s%s", START(10, 1000, 1000, "a", 0, 1) PART(15, 4, 0.5), bad[i],
                 strchr(bad[i], '\n') ? PART(16, 5, 0.5) : "");
        EventLog log = read_one(text);
        CHECK_INT(1, log.n_damaged);
        CHECK_INT(1, log.n_processes);
        CHECK_INT(strchr(bad[i], '\n') ? 2 : 1, log.n_parts);
        CHECK_INT(0, log.n_spans);
        eventlog_clear(&log);
    }
}

/* Spans beyond those that may be open are left out; their ends are no damage, nor is anything behind them. */
TEST(ends_of_spans_left_out_are_no_damage)
{
    enum { N = EVENTLOG_MAX_OPEN + 5 };
    Buf text = {0};

    buf_puts(&text, START(10, 1000, 1000, "a", 0, 1));
    for (int i = 1; i <= N; i++)
        buf_printf(&text, "{\"event\":\"begin\",\"t\":11,\"span\":%d,\"lane\":0,\"name\":\"x\"}\n", i);
    for (int i = N; i >= 1; i--) buf_printf(&text, "{\"event\":\"end\",\"t\":12,\"span\":%d}\n", i);
    const char *lines = buf_cstr(&text);
    CHECK(lines);
    EventLog log = read_one(lines);
    CHECK_INT(EVENTLOG_MAX_OPEN, log.n_spans);
    CHECK_INT(5, log.n_left_out);
    CHECK_INT(0, log.n_damaged);
    for (size_t i = 0; i < log.n_spans; i++) CHECK(log.span[i].ended);
    eventlog_clear(&log);
    buf_clear(&text);
}

TEST(what_cannot_be_is_nothing)
{
    EventLog log =
        read_one(START(10, 1000, 1000, "a", 0, 1) "{\"event\":\"later\",\"t\":11}\n" /* of a version to come */
                                                  "{\"event\":\"part\",\"t\":12,\"stage\":\"a\\u001b[31m\\\"\","
                                                  "\"part\":-1,\"n_in\":1e99,\"n_docs\":18446744073709551615,"
                                                  "\"wall_s\":-5,\"cpu_s\":1e200,\"dropped\":[1]}\n"
                                                  "{\"event\":\"begin\",\"t\":12,\"span\":1,\"lane\":99999999,"
                                                  "\"name\":\"x\"}\n{\"event\":\"end\",\"t\":3,\"span\":1}\n");

    CHECK_INT(0, log.n_damaged);
    CHECK_INT(1, log.n_parts);
    const LogPart *p = log.part;
    CHECK(p->part == 0 && p->n_in == 0 && p->n_docs == 0 && p->cpu_s == 0 && p->n_dropped == 0 && p->begin == p->end);
    CHECK_STR("a_[31m\"", p->stage);
    CHECK(log.n_spans == 1 && log.span[0].lane == 0 && log.span[0].begin == log.span[0].end);
    eventlog_clear(&log);
}

TEST(a_file_without_a_start_says_nothing)
{
    EventLog log = read_one(PART(15, 4, 0.5) PART(16, 5, 0.5));

    CHECK(log.n_processes == 0 && log.n_parts == 0 && log.n_damaged == 2);
    eventlog_clear(&log);
}

/* Cut behind every byte, and at the edge of what may be read. */
TEST(a_torn_file_is_read_to_where_it_was_torn)
{
    static const char text[] =
        START(10, 1000, 1000, "a", 0, 1) BEGIN(11, 1, 0, "send") PART(15, 4, 0.5) END(16, 1) BARRIER(17, 1);

    for (size_t n = 0; n < sizeof text; n++) {
        Span cut = check_edge(span(text, n));
        EventReader *r;
        EventLog log;
        CHECK_OK(eventreader_new(&r, &log, &err), &err);
        CHECK_OK(eventreader_file(r, cut, &err), &err);
        CHECK_OK(eventreader_end(r, &err), &err);
        CHECK_INT(n > 0 && text[n - 1] != '\n', log.n_damaged);
        eventreader_free(r);
        eventlog_clear(&log);
        check_edge_free(cut);
    }
}

/* Rank 1's clocks: the monotonic one counts from elsewhere, the time of day is an hour behind. It woke late once. Both say a span
 * of the same two seconds. */
TEST(ranks_are_put_side_by_side_by_their_barriers)
{
    static const char *const files[] = {START(100, 1000000, 1000000, "b", 0, 2) BARRIER(101, 1) BARRIER(102, 2)
                                            BEGIN(103, 1, 0, "round") BARRIER(104, 4) END(105, 1) BARRIER(106, 8),
                                        START(70000, 996400, 996400, "b", 1, 2) BARRIER(70001.00001, 1)
                                            BARRIER(70002.5, 2) BEGIN(70003, 1, 0, "round") BARRIER(70003.5, 3)
                                                BARRIER(70004.00001, 4) END(70005, 1) BARRIER(70005.99999, 8)};
    EventLog log;

    CHECK_OK(read_files(&log, files, 2, &err), &err);
    CHECK_INT(2, log.n_spans);
    CHECK(fabs(log.span[0].begin - log.span[1].begin) < 1e-4 && fabs(log.span[0].end - log.span[1].end) < 1e-4);
    CHECK(log.length < 10);
    eventlog_clear(&log);
}

/* Two tasks of an array on hosts an hour apart have no barriers: the file system's clock places them. */
TEST(launches_are_placed_by_the_file_systems_clock)
{
    static const char *const files[] = {START(100, 1000000, 1000000, "c", 0, 1) BEGIN(101, 1, 0, "map") END(103, 1),
                                        START(55, 1003600, 1000002, "d", 0, 1) BEGIN(56, 1, 0, "map") END(58, 1)};
    EventLog log;

    CHECK_OK(read_files(&log, files, 2, &err), &err);
    CHECK(near(log.length, 5) && near(log.process[1].begin, 2));
    eventlog_clear(&log);
}

/* --- numbers, against the obvious */

static uint64_t random_state = 1;
static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

TEST(parts_are_summed_and_counted_once)
{
    EventLog log = read_one(START(10, 1000, 1000, "a", 0, 1) PART(15, 4, 0.5) PART(15.5, 5, 0.25) PART(30, 4, 2));
    EventStats stats;

    CHECK_OK(eventstats_make(&stats, &log, &err), &err);
    const LogStage *s = eventstats_stage(&stats, "s");
    CHECK(s && s->n_parts == 2 && s->n_again == 1 && s->n_keys == 1);
    CHECK(s->n_in == 20 && s->n_docs == 12 && s->n_dropped == 8 && s->bytes_in == 200);
    CHECK(near(s->cpu_s, 2.25) && near(s->busy_s, 2) && near(s->median_s, 1));
    CHECK(!eventstats_stage(&stats, "t"));
    eventstats_clear(&stats);
    eventlog_clear(&log);
}

/* Whole seconds, so that which of them are busy can be marked one by one. */
TEST(busy_seconds_are_those_of_a_union)
{
    for (int round = 0; round < 50; round++) {
        bool busy[200] = {false};
        int n_busy = 0;
        Buf b = {0};
        EventStats stats;
        buf_puts(&b, START(0, 1000, 1000, "a", 0, 1));
        for (uint32_t i = 0; i < 1 + below(12); i++) {
            const uint32_t begin = below(150), end = begin + 1 + below(20);
            buf_printf(&b,
                       "{\"event\":\"part\",\"t\":%" PRIu32 ",\"stage\":\"s\",\"part\":%" PRIu32
                       ",\"wall_s\":%" PRIu32 "}\n",
                       end, i, end - begin);
            for (uint32_t k = begin; k < end; k++) busy[k] = true;
        }
        for (int k = 0; k < 200; k++) n_busy += busy[k];
        EventLog log = read_one(buf_cstr(&b));
        CHECK_OK(eventstats_make(&stats, &log, &err), &err);
        CHECK(near(stats.stage[0].busy_s, n_busy));
        eventstats_clear(&stats);
        eventlog_clear(&log);
        buf_clear(&b);
    }
}

TEST(imbalance_is_the_worst_rank_over_the_mean)
{
    static const char *const files[] = {
        START(10, 1000, 1000, "a", 0, 4) PART(15, 0, 3) PART(16, 1, 1) BEGIN(16, 1, 0, "send") END(20, 1),
        START(10, 1000, 1000, "a", 1, 4) PART(15, 2, 2) BEGIN(16, 1, 0, "send") END(18, 1),
        START(10, 1000, 1000, "a", 3, 4) PART(15, 3, 2)};
    EventStats stats;
    EventLog log;

    CHECK_OK(read_files(&log, files, 3, &err), &err);
    CHECK_OK(eventstats_make(&stats, &log, &err), &err);
    CHECK(stats.n_stages == 1 && stats.stage[0].n_ranks == 4 && near(stats.stage[0].imbalance, 4 / (8.0 / 4)));
    CHECK(stats.n_phases == 1 && stats.phase[0].n == 2 && near(stats.phase[0].worst_s, 4) &&
          near(stats.phase[0].mean_s, 1.5));
    eventstats_clear(&stats);
    eventlog_clear(&log);
}

TEST(phases_that_differ_in_a_number_are_one)
{
    EventLog log = read_one(START(
        10, 1000, 1000, "a", 0, 1) "{\"event\":\"begin\",\"t\":11,\"span\":1,\"name\":\"send\",\"of\":\"band_000\"}\n"
                                   "{\"event\":\"end\",\"t\":12,\"span\":1}\n"
                                   "{\"event\":\"begin\",\"t\":12,\"span\":2,\"name\":\"send\",\"of\":\"band_013\"}\n"
                                   "{\"event\":\"end\",\"t\":14,\"span\":2}\n"
                                   "{\"event\":\"begin\",\"t\":14,\"span\":3,\"name\":\"send\",\"of\":\"7\"}\n"
                                   "{\"event\":\"end\",\"t\":14,\"span\":3}\n");
    EventStats stats;

    CHECK_OK(eventstats_make(&stats, &log, &err), &err);
    CHECK_INT(2, stats.n_phases);
    CHECK_STR("band_*", stats.phase[0].of);
    CHECK(stats.phase[0].n == 2 && near(stats.phase[0].worst_s, 3));
    CHECK_STR("7", stats.phase[1].of);
    eventstats_clear(&stats);
    eventlog_clear(&log);
}

/* 200 processes of two verbs: as many rows as there may be, of both verbs. */
TEST(a_timeline_draws_some_of_many)
{
    Buf files = {0}, svg = {0};
    size_t n_rows = 0, n_other = 0;
    EventReader *r;
    EventLog log;

    CHECK_OK(eventreader_new(&r, &log, &err), &err);
    for (int i = 0; i < 200; i++) {
        buf_reset(&files);
        buf_printf(&files,
                   "{\"event\":\"start\",\"t\":%d,\"time\":%d,\"version\":1,\"verb\":\"%s\",\"host\":\"<h>\"}\n"
                   "{\"event\":\"exit\",\"t\":%d,\"status\":0}\n",
                   i, 1000 + i, i < 10 ? "few" : "many", i + 5000);
        CHECK_OK(eventreader_file(r, buf_span(&files), &err), &err);
    }
    CHECK_OK(eventreader_end(r, &err), &err);
    CHECK_OK(timeline_put(&svg, &log, &err), &err);
    const char *text = buf_cstr(&svg);
    for (const char *at = text; (at = strstr(at, "class=\"p\"")) != NULL; at++) n_rows++;
    for (const char *at = text; (at = strstr(at, ">few</text>")) != NULL; at++) n_other++;
    CHECK_INT(10 + TIMELINE_MAX_ROWS / 2, n_rows);
    CHECK_INT(10, n_other);
    CHECK(strstr(text, "Drawn are 42 of 200") && strstr(text, ">minutes</text>") && !strstr(text, "<h>"));
    eventreader_free(r);
    eventlog_clear(&log);
    buf_clear(&files);
    buf_clear(&svg);
}

/* No two intervals of a track cross, and depth says how many are around: looked at in pairs. */
TEST(tracks_hold_what_does_not_cross)
{
    for (int round = 0; round < 100; round++) {
        enum { N = 40 };
        TrackItem item[N];
        const bool flat = round & 1;
        uint32_t begin = 0;
        for (int i = 0; i < N; i++) {
            begin += below(3);
            item[i] = (TrackItem){.begin = begin, .end = begin + 1 + below(12)};
        }
        for (int i = 1; i < N; i++) /* of equal begins the longer first */
            for (int k = i; k > 0 && item[k].begin == item[k - 1].begin && item[k].end > item[k - 1].end; k--) {
                const TrackItem t = item[k];
                item[k] = item[k - 1];
                item[k - 1] = t;
            }
        const int n_tracks = tracks_lay(item, N, flat);
        for (int i = 0; i < N; i++) {
            int around = 0;
            CHECK(item[i].track >= 0 && item[i].track < n_tracks);
            for (int k = 0; k < i; k++) {
                if (item[k].track != item[i].track || item[k].end <= item[i].begin) continue;
                CHECK(item[i].end <= item[k].end);
                around++;
            }
            CHECK_INT(around, item[i].depth);
            CHECK(!flat || around == 0);
        }
    }
}

/* --- the trace: the rules of its format */

static double member(const Json *e, const char *key)
{
    const Json *v = json_get(e, key);
    return v && v->type == JSON_NUMBER ? v->number : -1;
}

/* Begins and ends of one track balance and never go back in time. */
static void check_track(const Json *events, double pid, double tid)
{
    double last = -1;
    int open = 0;

    for (const Json *e = events->child; e; e = e->next) {
        const Json *ph = json_get(e, "ph");
        const bool begin = span_is(ph->string, "B"), end = span_is(ph->string, "E");
        if (!(begin || end) || member(e, "pid") != pid || member(e, "tid") != tid) continue;
        CHECK(member(e, "ts") >= last && (!begin || json_get(e, "name")));
        last = member(e, "ts");
        open += begin ? 1 : -1;
        CHECK(open >= 0);
    }
    CHECK_INT(0, open);
}

TEST(a_trace_keeps_the_rules_of_its_format)
{
    static const char *const files[] = {
        START(10, 1000, 1000, "a", 0,
              2) BEGIN(11, 1, 0, "send") BEGIN(12, 2, 0, "spill") BEGIN(12, 3, 1, "crosses") END(14, 2) END(14, 1)
            BEGIN(13, 4, 1, "and is crossed") END(15, 3) PART(15, 4, 0.5) PART(15.5, 5, 0.25) BEGIN(
                16, 9, 0,
                "torn") "{\"event\":\"sample\",\"t\":16,\"rss_bytes\":100,\"cpu_s\":2,\"of\":\"in\",\"bytes\":10}\n"
                        "{\"event\":\"sample\",\"t\":17,\"rss_bytes\":100,\"cpu_s\":3,\"of\":\"in\",\"bytes\":20}\n",
        START(10, 1000, 1000, "a", 1, 2) PART(15, 7, 0.5)};
    char path[4096];
    size_t n_begins = 0, n_counters = 0;
    Arena a = {0};
    Buf text = {0};
    Json *root = NULL;
    EventLog log;

    snprintf(path, sizeof path, "%s/trace.json", check_tmpdir());
    CHECK_OK(read_files(&log, files, 2, &err), &err);
    CHECK_OK(perfetto_write(&log, path, &err), &err);
    CHECK_OK(store_read(path, 1 << 20, &text, &err), &err);
    CHECK_OK(json_parse(&a, buf_span(&text), path, &root, &err), &err);
    const Json *events = json_get(root, "traceEvents");
    CHECK(events && events->type == JSON_ARRAY);
    for (int pid = 1; pid <= 2; pid++)
        for (int tid = 1; tid < 8; tid++) check_track(events, pid, tid);
    for (const Json *e = events->child; e; e = e->next) {
        n_begins += span_is(json_get(e, "ph")->string, "B");
        n_counters += span_is(json_get(e, "ph")->string, "C");
    }
    CHECK_INT(5 + 3, n_begins);
    CHECK_INT(2 + 1 + 1, n_counters);
    arena_clear(&a);
    buf_clear(&text);
    eventlog_clear(&log);
}

/* --- memory */

static ErrCode read_and_sum(void *ctx, Err *e)
{
    static const char *const file =
        START(10, 1000, 1000, "a", 0, 2) BARRIER(10, 1) BEGIN(11, 1, 0, "send") PART(15, 4, 0.5)
            END(16, 1) "{\"event\":\"sample\",\"t\":16,\"rss_bytes\":100,\"cpu_s\":2,\"of\":\"in\",\"bytes\":10}\n";
    const char *const files[] = {file, file};
    EventStats stats = {0};
    EventLog log;
    ErrCode rc = read_files(&log, files, 2, e);

    (void)ctx;
    if (rc == ERR_OK) rc = eventstats_make(&stats, &log, e);
    eventstats_clear(&stats);
    eventlog_clear(&log);
    return rc;
}

TEST(memory_that_runs_out_is_said) { alloc_fault_each(read_and_sum, NULL, NULL); }
