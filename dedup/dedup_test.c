/* The whole stage against its slow version, and what becomes of it when it is stopped, shared or damaged. */
#include "dedup/dedup.h"

#include "core/store.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"
#include "dedup/slow_test.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- what came out: the cluster and signals of every document, by its place in the corpus */

typedef struct {
    uint32_t *keeper; /* n: its own for a kept one */
    uint32_t *docs, *dumps, *hosts;
    uint8_t *verdict;
    Hash128 content;
    DedupTotals totals;
} Result;

static void result_clear(Result *r)
{
    free(r->keeper);
    free(r->docs);
    free(r->dumps);
    free(r->hosts);
    free(r->verdict);
}

static uint32_t place_of(const Corpus *c, DocId id)
{
    return (uint32_t)((uint64_t)c->n * docid_part(id) / c->n_parts) + docid_record(id);
}

/* Reads the view part by part; the `drop` column holds 0 or the reason's number + 1. */
static void read_view(const Corpus *c, const char *dir, Result *r)
{
    DatasetSet *set;
    Err err;
    uint32_t at = 0;

    CHECK_OK(datasetset_open(&set, &dir, 1, &err), &err);
    r->content = dataset_content(datasetset_at(set, 0));
    for (uint32_t part = 0; part < datasetset_n_parts(set); part++) {
        PartView *v;
        Columns *cols;
        uint32_t col;
        Span span_of[5];
        static const char *const names[] = {"drop", "cluster", "dup_docs", "dup_dumps", "dup_hosts"};
        CHECK_OK(partview_open(&v, set, part, &err), &err);
        for (int i = 0; i < 5; i++) {
            CHECK_OK(partview_column(v, names[i], &cols, &col, &err), &err);
            CHECK_OK(columns_values(cols, col, &span_of[i], NULL, &err), &err);
        }
        for (uint32_t i = 0; i < partview_n_records(v); i++, at++) {
            r->verdict[at] = span_of[0].p[i];
            r->keeper[at] = place_of(c, le64_get(span_of[1].p + 8 * (size_t)i));
            r->docs[at] = le32_get(span_of[2].p + 4 * (size_t)i);
            r->dumps[at] = le32_get(span_of[3].p + 4 * (size_t)i);
            r->hosts[at] = le32_get(span_of[4].p + 4 * (size_t)i);
        }
        partview_close(v);
    }
    CHECK_INT(c->n, at);
    datasetset_close(set);
}

static Result result_of(const Corpus *c, const char *dir)
{
    const size_t n = c->n ? c->n : 1;
    Result r = {.keeper = calloc(n, 4),
                .docs = calloc(n, 4),
                .dumps = calloc(n, 4),
                .hosts = calloc(n, 4),
                .verdict = calloc(n, 1)};

    read_view(c, dir, &r);
    return r;
}

/* `content` is that of the documents that are kept. */
static void check_same(const Corpus *c, const Result *want, const Result *got)
{
    CHECK(hash128_eq(want->content, got->content));
    for (uint32_t i = 0; i < c->n; i++) {
        CHECK_INT(want->verdict[i], got->verdict[i]);
        CHECK_INT(want->keeper[i], got->keeper[i]);
        CHECK_INT(want->docs[i], got->docs[i]);
        CHECK_INT(want->dumps[i], got->dumps[i]);
        CHECK_INT(want->hosts[i], got->hosts[i]);
    }
}

static void check_same_in(const Corpus *c, const Result *want, const char *dir)
{
    Result got = result_of(c, dir);

    check_same(c, want, &got);
    result_clear(&got);
}

static Result dedup(const Corpus *c, const DedupParams *params, const char *in, int threads, uint64_t memory)
{
    const char *out = check_tmpdir();
    CommonOptions common = {.memory = memory};
    Par par = par_alone(threads);
    DatasetSet *set;
    DedupTotals n = {0};
    StageTotals totals;
    Err err;

    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(dedup_run(params, set, out, &common, &par, &totals, &n, &err), &err);
    CHECK(totals.complete);
    CHECK_INT(c->n, totals.n_in);
    CHECK_INT(totals.n_dropped, n.n_exact + n.n_url + n.n_near);
    datasetset_close(set);
    Result r = result_of(c, out);
    r.totals = n;
    return r;
}

static int cmp_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t count_distinct(uint32_t *v, uint32_t n)
{
    uint32_t distinct = 0;

    qsort(v, n, sizeof *v, cmp_u32);
    for (uint32_t i = 0; i < n; i++) distinct += i == 0 || v[i] != v[i - 1];
    return distinct;
}

static void check_signals(const Corpus *c, const Result *r)
{
    uint32_t *dumps = calloc(c->n + 1, 4), *hosts = calloc(c->n + 1, 4);

    for (uint32_t k = 0; k < c->n; k++) {
        uint32_t n = 0, n_dumps = 0;
        for (uint32_t i = 0; i < c->n; i++) {
            if (r->keeper[i] != k) continue;
            if (c->doc[i].dump != NO_DUMP) dumps[n_dumps++] = c->doc[i].dump;
            hosts[n++] = c->doc[i].host;
        }
        CHECK((n > 0) == (r->verdict[k] == 0)); /* a keeper is kept, a kept document keeps itself */
        CHECK_INT(n, r->docs[k]);
        CHECK_INT(count_distinct(dumps, n_dumps), r->dumps[k]);
        CHECK_INT(count_distinct(hosts, n), r->hosts[k]);
    }
    free(dumps);
    free(hosts);
}

static DedupTotals compare_with_slow(const Corpus *c, const DedupParams *p, const char *in, int threads,
                                     uint64_t memory, SlowCounts *counts)
{
    uint8_t *verdict = calloc(c->n + 1, 1);
    uint32_t *keeper = calloc(c->n + 1, 4);
    Result r = dedup(c, p, in, threads, memory);

    slow_dedup(c, p, verdict, keeper, counts);
    for (uint32_t i = 0; i < c->n; i++) {
        CHECK_INT(verdict[i], r.verdict[i]);
        CHECK_INT(keeper[i], r.keeper[i]);
        CHECK_INT(0, r.verdict[r.keeper[i]]);
        CHECK(slow_in_reach(c, p, i, r.keeper[i]));
    }
    check_signals(c, &r);
    result_clear(&r);
    free(verdict);
    free(keeper);
    return r.totals;
}

TEST(dedup_equals_all_pairs)
{
    Corpus c = mixed_corpus(400, 5);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    SlowCounts counts;

    write_corpus(&c, in);
    DedupTotals n = compare_with_slow(&c, &p, in, 2, 1 << 30, &counts);
    CHECK(n.n_exact > 20 && n.n_near > 20 && n.n_short > 3 &&
          counts.most_leaders > 1); /* the mixture has all of them */
    p.keep = "longest";
    compare_with_slow(&c, &p, in, 1, 1 << 30, &counts);
    p.window = 1;
    p.bands = 20;
    p.verify = 0.9;
    compare_with_slow(&c, &p, in, 7, 1 << 30, &counts);
    CHECK(counts.n_unsure > counts.n_refuted && counts.n_refuted > 0);
    p.exact_only = true;
    n = compare_with_slow(&c, &p, in, 2, 1 << 30, &counts);
    CHECK(n.n_exact > 0 && n.n_near == 0);
    corpus_clear(&c);
}

TEST(dedup_by_url_equals_all_pairs)
{
    static const char *const keeps[] = {"first",  "source:s2:s1",     "signal:quality,longest,first",
                                        "latest", "earliest,longest", "source:s2:s1,signal:quality,latest"};
    Corpus c = corpus_of_dumps(300, 4);
    const char *in = check_tmpdir();
    SlowCounts counts;

    write_corpus(&c, in);
    for (uint32_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        DedupParams p = DEDUP_PARAMS_DEFAULT;
        p.url = true;
        p.keep = keeps[i];
        p.window = i == 3;
        p.exact_only = i == 4;
        DedupTotals n = compare_with_slow(&c, &p, in, 2, 1 << 30, &counts);
        CHECK(n.n_url > 10 && n.n_exact > 10 && (n.n_near > 5 || p.exact_only));
    }
    corpus_clear(&c);
}

TEST(dedup_in_a_window_equals_all_pairs)
{
    Corpus c = corpus_of_dumps(400, 4);
    const char *in = check_tmpdir();
    SlowCounts counts;

    write_corpus(&c, in);
    for (uint32_t i = 0; i < 5; i++) {
        DedupParams p = DEDUP_PARAMS_DEFAULT;
        p.window = i < 3 ? i + 2 : i == 3 ? 100 : 3; /* more dumps than there are is all but those without one */
        p.url = i > 0;
        p.keep = i % 2 ? "latest,longest" : "signal:quality";
        p.exact_only = i == 4;
        compare_with_slow(&c, &p, in, 2, 1 << 30, &counts);
    }
    corpus_clear(&c);
}

/* A and C are alike, B has C's text. A is kept; C, in its window, is dropped for it; B, out of A's window, loses its keeper. */
TEST(dedup_in_a_window_keeps_what_lost_its_keeper)
{
    Corpus c = {.n_parts = 1};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    char *a = make_text(&c, 1, 400, 1, 0), *alike = make_text(&c, 1, 400, 2, 20);

    corpus_add(&c, a, 0, 1);
    corpus_add(&c, alike, 1, 1);
    corpus_add(&c, alike, 2, 1);
    corpus_add(&c, alike, 2, 1); /* shares the fate of the one ahead */
    write_corpus(&c, in);
    p.window = 2;
    Result r = dedup(&c, &p, in, 1, 1 << 30);
    const uint32_t want[4] = {0, 0, 2, 2};
    for (uint32_t i = 0; i < 4; i++) CHECK_INT(want[i], r.keeper[i]);
    CHECK_INT(CLUSTER_NEAR, r.verdict[1]);
    CHECK_INT(CLUSTER_EXACT, r.verdict[3]);
    result_clear(&r);
    corpus_clear(&c);
}

TEST(keep_lists_are_checked)
{
    static const char *const wrong[] = {"",
                                        ",",
                                        "longest,",
                                        "first,longest",
                                        "best",
                                        "source",
                                        "source:",
                                        "source:a:",
                                        "source:a::b",
                                        "signal:",
                                        "longest:x",
                                        "Longest",
                                        "longest,longest,longest,longest,longest,longest,longest,longest,longest"};
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Err err;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        p.keep = wrong[i];
        CHECK_INT(ERR_USAGE, dedup_check(&p, &err));
    }
    p.keep = "source:web:books,signal:a:b,longest,first";
    CHECK_OK(dedup_check(&p, &err), &err);
}

/* One large component of documents that are hardly like one another: the list of those compared with fills up. */
TEST(dedup_bounds_its_comparisons)
{
    Corpus c = {.n_parts = 2};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    SlowCounts counts;

    for (uint32_t i = 0; i < 200; i++) corpus_add(&c, make_text(&c, 1, 400, i, i % 20), 1, 1);
    write_corpus(&c, in);
    p.verify = 0.96;
    DedupTotals n = compare_with_slow(&c, &p, in, 2, 1 << 30, &counts);
    CHECK_INT(DEDUP_MAX_LEADERS, counts.most_leaders);
    CHECK(n.n_near > 5);
    corpus_clear(&c);
}

/* Families about as like as what is dropped. In some all are as far from one another: many are refuted for one, and are near another. In the
 * others all are near the second, which is refuted for the first: it is kept, and what was kept behind it goes, unless others are surely
 * like that and were dropped for it. */
TEST(dedup_compares_once_more_what_was_refuted)
{
    SlowCounts counts;
    const char *in = check_tmpdir();
    Corpus c = {.n_parts = 3};
    DedupParams p = DEDUP_PARAMS_DEFAULT;

    for (uint32_t i = 0; i < 300; i++)
        corpus_add(&c,
                   make_text(&c, i % 30, 150, i,
                             i % 2    ? 10 + i % 9
                             : i < 30 ? 42
                             : i < 60 ? 0
                                      : 34),
                   i / 30 % 3, 1);
    for (uint32_t i = 60; i < 120; i += 2) {
        char *text = make_text(&c, i % 30, 150, i, 34);
        memcpy(text + strlen(text) - 7, "others", 6); /* its last word */
        corpus_add(&c, text, i / 30 % 3, 1);
    }
    write_corpus(&c, in);
    p.bands = 40;
    for (uint32_t window = 0; window < 3; window += 2) {
        p.window = window;
        compare_with_slow(&c, &p, in, 2, 1 << 30, &counts);
        CHECK(counts.n_again > 3 && counts.n_freed > 2 && counts.rounds > 2);
    }
    corpus_clear(&c);
}

/* At 1 no estimate is enough: one of 1500 words is another, which most sketches do not see; or the same shingles come another number of
 * times, which is the same set. */
TEST(dedup_by_equal_shingles_drops_no_other)
{
    enum { PAIRS = 40 };
    Corpus c = {.n_parts = 2};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    SlowCounts counts;

    for (uint32_t i = 0; i < PAIRS; i++) {
        char *text = make_text(&c, i, i % 4 ? 1500 : 20, 0, 0), other[16000];
        int n = (int)strlen(text), words = 0, at = 0;
        corpus_add(&c, i % 4 ? text : (snprintf(other, sizeof other, "%s%s", text, text), other), 1, 1);
        for (; words < 700; at++) words += text[at % n] == ' ';
        if (i % 4) /* its word 700 */
            snprintf(other, sizeof other, "%.*sother%s", at, text, strchr(text + at, ' '));
        else
            snprintf(other, sizeof other, "%s%s%s", text, text, text);
        corpus_add(&c, other, 1, 1);
    }
    write_corpus(&c, in);
    p.verify = 1;
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    for (uint32_t i = 0; i < 2 * PAIRS; i++) {
        CHECK_INT(i % 8 == 1 ? i - 1 : i, r.keeper[i]);
        CHECK_INT(i % 8 == 1 ? CLUSTER_NEAR : CLUSTER_KEPT, r.verdict[i]);
    }
    result_clear(&r);
    compare_with_slow(&c, &p, in, 1, 1 << 30, &counts);
    corpus_clear(&c);
}

/* Well apart, the result is that of true similarity: of each family one stays, the rest are near duplicates of it. */
TEST(dedup_finds_true_clusters)
{
    Corpus c = {.n_parts = 3};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;

    for (uint32_t i = 0; i < 90; i++) corpus_add(&c, make_text(&c, i % 30, 400, i, i < 30 ? 0 : 4), 1, 1);
    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    for (uint32_t i = 0; i < 90; i++) {
        CHECK_INT(i % 30, r.keeper[i]);
        CHECK_INT(i < 30 ? 0 : 2, r.verdict[i] == 1 ? 2 : r.verdict[i]);
    }
    CHECK_INT(60, r.totals.n_near + r.totals.n_exact);
    CHECK_INT(30, r.totals.n_clusters[2]); /* of three to four */
    CHECK_INT(3, r.totals.n_largest);
    result_clear(&r);
    corpus_clear(&c);
}

TEST(dedup_is_the_same_for_any_threads_and_memory)
{
    const int threads[] = {1, 2, 7};
    Corpus c = mixed_corpus(300, 7);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Result first = {.keeper = NULL};

    write_corpus(&c, in);
    for (int t = 0; t < 3; t++) {
        Result r = dedup(&c, &p, in, threads[t], t ? (uint64_t)128 << 20 : (uint64_t)4 << 30);
        if (t == 0) first = r;
        check_same(&c, &first, &r);
        if (t > 0) result_clear(&r);
    }
    result_clear(&first);
    corpus_clear(&c);
}

/* The same phases with an exchange too small for all records at once. */
TEST(dedup_by_way_of_scratch_equals_dedup_in_memory)
{
    Corpus c = corpus_of_dumps(400, 3);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions common = {0};
    Par par = par_alone(2);
    uint8_t *verdict = calloc(c.n, 1);
    uint32_t *keeper = calloc(c.n, 4);
    SlowCounts counts;
    DatasetSet *set;
    DocTable t;
    Err err;

    p.url = true;
    p.window = 3;
    p.keep = "latest,signal:quality";
    write_corpus(&c, in);
    slow_dedup(&c, &p, verdict, keeper, &counts);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(sign_run(&p, set, out, &common, &par, NULL, &err), &err);
    const DocTableSpec spec = {
        .sign_dir = out, .passes_dir = check_tmpdir(), .scratch = out, .memory = (uint64_t)256 << 20};
    CHECK_OK(doctable_open(&t, &p, set, &spec, &par, &err), &err);
    t.memory = 64 << 10;                      /* the members of components are 60 KB and more */
    for (int again = 0; again < 2; again++) { /* the second time it is all there */
        Pass *step[4] = {NULL}, *near[NEAR_LISTS] = {NULL};
        Buf found = {0};
        CHECK_OK(exact_find(&t, &step[0], &err), &err);
        CHECK_OK(url_find(&t, &step[2], &err), &err);
        CHECK_OK(bands_join(&t, &step[1], &err), &err);
        CHECK_OK(near_find(&t, set, step[1], near, &err), &err);
        CHECK_OK(verdicts_find(&t, step[0], step[2], near, &step[3], &err), &err);
        CHECK_OK(results_range(pass_results(step[3]), 0, c.n, &found, &err), &err);
        for (uint32_t i = 0, at = 0; i < c.n; i++) {
            bool listed = at < found.n && doc_get(found.p + at) == i;
            CHECK_INT(verdict[i], listed ? found.p[at + 2 * REF_BYTES] : 0);
            CHECK_INT(keeper[i], listed ? doc_get(found.p + at + REF_BYTES) : i);
            if (listed) at += VERDICT_BYTES;
        }
        buf_clear(&found);
        for (int i = 0; i < 4; i++) pass_close(step[i]);
        for (int i = 0; i < NEAR_LISTS; i++) pass_close(near[i]);
    }
    doctable_clear(&t);
    datasetset_close(set);
    free(verdict);
    free(keeper);
    corpus_clear(&c);
}

/* The part behind the empty one fails first. */
static ErrCode fail_late_if_empty(void *ctx, SignPart *p, int lane, Err *err)
{
    (void)ctx, (void)lane;
    if (p->part_records == 0) nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    return err_set(err, p->part_records ? ERR_SYS : ERR_DATA, "part %" PRIu32, p->part);
}

TEST(dedup_names_the_first_failure_in_order_of_input)
{
    Corpus c = {.n_parts = 2}; /* of one document: the first part is empty */
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions common = {0};
    Par par = par_alone(2);
    DatasetSet *set;
    DocTable t;
    Err err;

    corpus_add(&c, "one", 1, 1);
    write_corpus(&c, in);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(sign_run(&p, set, out, &common, &par, NULL, &err), &err);
    const DocTableSpec spec = {.sign_dir = out, .passes_dir = out, .scratch = out, .memory = (uint64_t)256 << 20};
    CHECK_OK(doctable_open(&t, &p, set, &spec, &par, &err), &err);
    CHECK_INT(2, t.par->threads);
    CHECK_INT(ERR_DATA, doctable_each_whole_part(&t, fail_late_if_empty, NULL, &err));
    CHECK_STR("part 0", err.msg);
    doctable_clear(&t);
    datasetset_close(set);
    corpus_clear(&c);
}

TEST(dedup_of_a_thousand_identical_documents)
{
    Corpus c = {.n_parts = 4};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    char *text = make_text(&c, 1, 50, 1, 0);

    for (uint32_t i = 0; i < 1000; i++) corpus_add(&c, text, i % 9, i % 77);
    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_INT(0, r.keeper[i]);
        CHECK_INT(i > 0, r.verdict[i]);
    }
    CHECK_INT(999, r.totals.n_exact);
    CHECK_INT(1, r.totals.n_clusters[5]);
    check_signals(&c, &r);
    result_clear(&r);
    corpus_clear(&c);
}

TEST(dedup_of_empty_and_short_documents)
{
    static const char *const texts[] = {
        "", "one", "", "two", "ONE!", "...", "???", "one two three four", "One, two; three. Four"};
    static const uint32_t want[] = {0, 1, 0, 3, 1, 5, 6, 7, 7}; /* texts without tokens are compared as they stand */
    Corpus c = {.n_parts = 2};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;

    for (uint32_t i = 0; i < 9; i++) corpus_add(&c, texts[i], 1, 1);
    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    for (uint32_t i = 0; i < 9; i++) CHECK_INT(want[i], r.keeper[i]);
    CHECK_INT(6, r.totals.n_short);
    result_clear(&r);
    corpus_clear(&c);
}

/* Texts that are no texts, twice each and once nearly: compared as they stand or by what little they hold, never dropped wrongly. */
TEST(dedup_of_bad_texts_equals_all_pairs)
{
    enum { LONG = 100000 };
    Corpus c = {.n_parts = 3};
    const char *in = check_tmpdir();
    char *marks = malloc(LONG + 1), *same = malloc(LONG + 1), *han = malloc(LONG + 3);
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    SlowCounts counts;

    for (int i = 0; i < LONG; i++) marks[i] = "!?.,;-"[mix64((uint64_t)i) % 6], same[i] = i % 2 ? ' ' : 'a';
    for (int i = 0; i + 3 <= LONG; i += 3) memcpy(han + i, "\xe7\x9a\x84", 4);
    marks[LONG] = same[LONG] = 0;
    for (int round = 0; round < 2; round++) {
        const char *const texts[] = {"",  "a", ".", "\xe7\x9a\x84", " \n\t", "a b c d", "a b c d e", marks, same,
                                     han, "0", "1"};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) corpus_add(&c, texts[i], (uint32_t)i, 1);
    }
    marks[LONG - 1] = '+'; /* no tokens, so nothing is near it */
    same[LONG - 2] = 'b';
    corpus_add(&c, marks, 1, 1);
    corpus_add(&c, same, 1, 1);
    corpus_add(&c, "a b c e", 1, 1); /* near "a b c d", but too short to tell */
    corpus_add(&c, "a b c d e f", 1, 1);
    write_corpus(&c, in);
    DedupTotals n = compare_with_slow(&c, &p, in, 2, 1 << 30, &counts);
    CHECK_INT(13, n.n_exact); /* one of each pair, and 1 is 0 to the text key */
    CHECK_INT(10, n.n_short); /* all kept ones but three */
    p.exact_only = true;
    compare_with_slow(&c, &p, in, 1, 1 << 30, &counts);
    free(marks);
    free(same);
    free(han);
    corpus_clear(&c);
}

TEST(dedup_of_nothing)
{
    Corpus c = {.n_parts = 2};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;

    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    CHECK_INT(0, r.totals.n_docs);
    result_clear(&r);
    corpus_clear(&c);
}

/* --- running again */

static ErrCode run_in(const char *in, const char *out, const DedupParams *p, bool force, StageTotals *totals,
                      Err *err)
{
    CommonOptions common = {.memory = 1 << 30, .force = force};
    Par par = par_alone(2);
    DatasetSet *set = NULL;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc == ERR_OK) rc = dedup_run(p, set, out, &common, &par, totals, NULL, err);
    datasetset_close(set);
    return rc;
}

static const char *path_of(const char *dir, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

TEST(dedup_resumes_and_refuses_other_runs)
{
    Corpus c = mixed_corpus(120, 3);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    char path[512];
    StageTotals t;
    Err err;

    write_corpus(&c, in);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.complete && !t.up_to_date);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.complete && t.up_to_date);
    snprintf(path, sizeof path, "%s/sign", out); /* a finished run needs its signatures no more */
    CHECK_OK(store_delete_tree(path, 2, &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.up_to_date);
    p.verify = 0.8;
    CHECK_INT(ERR_DATA, run_in(in, out, &p, false, &t, &err));
    CHECK_OK(run_in(in, out, &p, true, &t, &err), &err);
    CHECK(t.complete && !t.up_to_date);
    Result want = result_of(&c, out);
    snprintf(path, sizeof path, "%s/manifest.json", out); /* as after a crash in the last phase */
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/part-000001.dedup.cols", out);
    CHECK_OK(store_delete(path, &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK_INT(2, t.n_parts_reused);
    CHECK_INT(1, t.n_parts_done);
    snprintf(path, sizeof path, "%s/manifest.json", out); /* as after a crash while the clusters were written */
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/part-000000.dedup.cols", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/clusters/clusters.json", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/clusters/00000-000000.cols", out);
    CHECK_OK(store_write(path, SPAN_LIT("half of it"), &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.complete);
    CHECK_INT(1, t.n_parts_done);
    check_same_in(&c, &want, out);
    result_clear(&want);
    corpus_clear(&c);
}

static ErrCode run_task(const char *in, const char *out, const DedupParams *p, OptTask task, StageTotals *t, Err *err)
{
    CommonOptions common = {.memory = 1 << 30, .task = task};
    Par par = par_alone(1);
    DatasetSet *set = NULL;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc == ERR_OK) rc = dedup_run(p, set, out, &common, &par, t, NULL, err);
    datasetset_close(set);
    return rc;
}

/* One task after the other, each as far as it can, until there is nothing left; the content is that of one process. */
TEST(dedup_by_tasks_that_never_meet)
{
    enum { TASKS = 3, SWEEPS_MAX = 40 };
    Corpus c = corpus_of_dumps(240, 4);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    StageTotals t = {0};
    uint32_t sweeps = 0;
    Err err;

    p.url = true;
    p.window = 2;
    p.keep = "latest";
    write_corpus(&c, in);
    Result want = dedup(&c, &p, in, 2, 1 << 30);
    for (; !t.complete && sweeps < SWEEPS_MAX; sweeps++)
        for (uint32_t i = TASKS; i-- > 0;) CHECK_OK(run_task(in, out, &p, (OptTask){i, TASKS}, &t, &err), &err);
    CHECK(t.complete);
    CHECK(sweeps > 4); /* they did share the steps */
    check_same_in(&c, &want, out);
    result_clear(&want);
    corpus_clear(&c);
}

/* Tasks at the same time wait for one another: one call of each is enough. */
TEST(dedup_by_tasks_that_wait)
{
    enum { ROUNDS = 3, TASKS = 2 };
    Corpus c = mixed_corpus(120, 3);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions whole = {.memory = 1 << 30};
    Par par = par_alone(1);
    DatasetSet *set;
    StageTotals t;
    Err err;

    p.wait_seconds = 60;
    p.bands = 2;
    write_corpus(&c, in);
    Result want = dedup(&c, &p, in, 2, 1 << 30);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    for (int round = 0; round < ROUNDS; round++) {
        const char *out = check_tmpdir();
        pid_t child[TASKS];
        CHECK_OK(sign_run(&p, set, path_of(out, "sign"), &whole, &par, &t, &err), &err);
        for (uint32_t i = 0; i < TASKS; i++)
            if ((child[i] = fork()) == 0) _exit(run_task(in, out, &p, (OptTask){i, TASKS}, &t, &err));
        for (int i = 0; i < TASKS; i++) {
            int status = -1;
            CHECK(waitpid(child[i], &status, 0) == child[i]);
            CHECK_INT(0, status);
        }
        CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
        CHECK(t.complete && t.n_parts_done == 0);
        check_same_in(&c, &want, out);
    }
    result_clear(&want);
    datasetset_close(set);
    corpus_clear(&c);
}

/* Two jobs started on one directory by mistake. */
TEST(dedup_by_two_jobs_at_once)
{
    enum { ROUNDS = 4 };
    Corpus c = mixed_corpus(240, 4);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    StageTotals t;
    Err err;

    p.bands = 3;
    write_corpus(&c, in);
    Result want = dedup(&c, &p, in, 2, 1 << 30);
    for (int round = 0; round < ROUNDS; round++) {
        const char *out = check_tmpdir();
        pid_t child[2];
        for (int i = 0; i < 2; i++)
            if ((child[i] = fork()) == 0) _exit(run_task(in, out, &p, (OptTask){0, 0}, &t, &err));
        for (int i = 0; i < 2; i++) {
            int status = -1;
            CHECK(waitpid(child[i], &status, 0) == child[i]);
            CHECK_INT(0, status);
        }
        CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
        CHECK(t.up_to_date && t.n_docs == want.totals.n_docs - want.totals.n_exact - want.totals.n_near);
        check_same_in(&c, &want, out);
    }
    result_clear(&want);
    corpus_clear(&c);
}

TEST(dedup_says_what_is_wrong)
{
    Corpus c = mixed_corpus(60, 2);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    CommonOptions common = {.memory = 1 << 20};
    Par par = par_alone(2);
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    DatasetSet *set;
    StageTotals t;
    char path[512];
    Err err;

    write_corpus(&c, in);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_INT(ERR_NOMEM, dedup_run(&p, set, out, &common, &par, &t, NULL, &err));
    CHECK(strstr(err.msg, "--memory") != NULL);
    datasetset_close(set);
    p.rows = 0;
    CHECK_INT(ERR_USAGE, run_in(in, check_tmpdir(), &p, false, &t, &err));
    p.rows = 8;
    p.verify = 1.5;
    CHECK_INT(ERR_USAGE, run_in(in, check_tmpdir(), &p, false, &t, &err));
    p.verify = 0.7;
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err); /* signed before, so this run goes on */
    Result want = result_of(&c, out);
    snprintf(path, sizeof path, "%s/manifest.json", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/part-000000.dedup.cols", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/clusters/00000-000000.cols", out); /* a damaged file of ours */
    CHECK_OK(store_write(path, SPAN_LIT("not a columns file"), &err), &err);
    CHECK_INT(ERR_DATA, run_in(in, out, &p, false, &t, &err));
    CHECK(strstr(err.msg, "00000-000000.cols") != NULL);
    CHECK_INT(ERR_DATA, run_in(in, out, &p, false, &t, &err));
    snprintf(path, sizeof path, "%s/clusters", out); /* found again, and the part of which it was is judged */
    CHECK_OK(store_delete_tree(path, 1, &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.complete && t.n_parts_done == 1);
    check_same_in(&c, &want, out);
    result_clear(&want);
    corpus_clear(&c);
}

/* The signatures of a part, cut and of another part: named, in one line. */
TEST(dedup_names_damaged_signatures)
{
    Corpus c = mixed_corpus(60, 2);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions common = {.memory = 1 << 30};
    Par par = par_alone(1);
    DatasetSet *set;
    StageTotals t;
    Buf bytes = {0};
    char path[512];
    Err err;

    write_corpus(&c, in);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(sign_run(&p, set, path_of(out, "sign"), &common, &par, &t, &err), &err);
    datasetset_close(set);
    snprintf(path, sizeof path, "%s/sign/part-000001.sign.cols", out);
    CHECK_OK(store_read(path, 1 << 24, &bytes, &err), &err);
    CHECK_OK(store_write(path, span(bytes.p, bytes.n / 2), &err), &err);
    CHECK_INT(ERR_DATA, run_in(in, out, &p, false, &t, &err));
    CHECK(strstr(err.msg, "part-000001.sign.cols") != NULL && !strchr(err.msg, '\n'));
    bytes.p[bytes.n / 2] ^= 1; /* a band, say */
    CHECK_OK(store_write(path, buf_span(&bytes), &err), &err);
    CHECK_INT(ERR_DATA, run_in(in, out, &p, false, &t, &err));
    CHECK(strstr(err.msg, "part-000001.sign.cols") != NULL);
    bytes.p[bytes.n / 2] ^= 1;
    CHECK_OK(store_write(path, buf_span(&bytes), &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    buf_clear(&bytes);
    corpus_clear(&c);
}

/* Two views of one dataset would show its documents twice. */
TEST(dedup_refuses_two_views_of_one_dataset)
{
    Corpus c = mixed_corpus(60, 2);
    const char *in = check_tmpdir(), *dirs[2] = {check_tmpdir(), check_tmpdir()};
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions common = {.memory = 1 << 30};
    Par par = par_alone(1);
    DatasetSet *set;
    StageTotals t;
    Err err;

    write_corpus(&c, in);
    CHECK_OK(run_in(in, dirs[0], &p, false, &t, &err), &err);
    p.exact_only = true;
    CHECK_OK(run_in(in, dirs[1], &p, false, &t, &err), &err);
    CHECK_OK(datasetset_open(&set, dirs, 2, &err), &err);
    CHECK_INT(ERR_USAGE, dedup_run(&p, set, check_tmpdir(), &common, &par, &t, NULL, &err));
    datasetset_close(set);
    corpus_clear(&c);
}

/* A view over a view: what the first dropped is not compared, and the clusters name the documents that are left. */
TEST(dedup_of_a_view)
{
    Corpus c = mixed_corpus(200, 3);
    const char *in = check_tmpdir(), *first = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    StageTotals t;
    Err err;

    write_corpus(&c, in);
    CHECK_OK(run_in(in, first, &p, false, &t, &err), &err);
    uint64_t left = t.n_docs;
    CHECK_OK(run_in(first, check_tmpdir(), &p, false, &t, &err), &err);
    CHECK_INT(left, t.n_in);
    CHECK(t.n_dropped <= left / 10); /* what was verified apart stays apart; a few meet newly without their keepers */
    corpus_clear(&c);
}

/* --- without memory: what dedup adds to the two engines */

typedef struct {
    const DedupParams *params;
    const DatasetSet *set;
    const char *text;
    char sign[512], passes[512], clusters[512];
} Clustering;

static ErrCode sign_and_cluster(void *ctx, Err *err)
{
    const Clustering *at = ctx;
    const Hash128 key = {1, 2};
    const ClusterSpec spec = {
        .dir = at->clusters,
        .key = key,
        .table = {.sign_dir = at->sign, .passes_dir = at->passes, .key = key, .memory = (uint64_t)1 << 30}};
    Par par = par_alone(1);
    DedupTotals totals;
    MinHash m = {0};
    Signature s = {0};
    bool found;
    ErrCode rc = minhash_init(&m, at->params->bands * at->params->rows, 1, err);

    if (rc == ERR_OK) rc = signature_make(&s, at->params, &m, span_str(at->text), err);
    if (rc == ERR_OK) rc = store_delete_tree(at->passes, 1, err); /* what the last call found */
    if (rc == ERR_OK) rc = cluster_run(at->params, at->set, &spec, &par, err);
    if (rc == ERR_OK && (rc = clusters_load(at->clusters, key, &found, &totals, err)) == ERR_OK) CHECK(found);
    signature_clear(&s);
    minhash_clear(&m);
    return rc;
}

TEST(clustering_without_memory)
{
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Corpus c = corpus_of_dumps(40, 1);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    Clustering at = {.params = &p, .text = c.doc[0].text};
    CommonOptions common = {0};
    Par par = par_alone(1);
    DatasetSet *set;
    Err err = {0};

    p.bands = 1; /* the others would be the same once more */
    write_corpus(&c, in);
    snprintf(at.sign, sizeof at.sign, "%s/sign", out);
    snprintf(at.passes, sizeof at.passes, "%s/passes", out);
    snprintf(at.clusters, sizeof at.clusters, "%s/clusters", out);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(sign_run(&p, set, at.sign, &common, &par, NULL, &err), &err);
    at.set = set;
    log_setup(LOG_QUIET, 0);
    alloc_fault_each(sign_and_cluster, NULL, &at);
    datasetset_close(set);
    corpus_clear(&c);
}
