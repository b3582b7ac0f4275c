/* The table of clusters, line by line, against one made of what the slow version finds. */
#include "dedup/cluster_table.h"

#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "dedup/cluster.h"
#include "dedup/slow_test.h"
#include "tests/check.h"

#include <inttypes.h>
#include <stdlib.h>

static const DedupParams params = {.bands = 14,
                                   .rows = 8,
                                   .shingle = 5,
                                   .seed = 1,
                                   .verify = 0.7,
                                   .keep = "latest,longest",
                                   .window = 3,
                                   .url = true};

/* A corpus, its view, and what is to be found there. */
typedef struct {
    Corpus c;
    const char *in, *out;
    uint8_t *verdict;
    uint32_t *keeper;
} Case;

static Case case_new(Corpus c)
{
    Case t = {.c = c,
              .in = check_tmpdir(),
              .out = check_tmpdir(),
              .verdict = calloc(c.n, 1),
              .keeper = calloc(c.n, sizeof *t.keeper)};
    CommonOptions common = {.memory = 1 << 30};
    Par par = par_alone(2);
    DatasetSet *set;
    SlowCounts counts;
    Err err;

    write_corpus(&t.c, t.in);
    CHECK_OK(datasetset_open(&set, &t.in, 1, &err), &err);
    CHECK_OK(dedup_run(&params, set, t.out, &common, &par, NULL, NULL, &err), &err);
    datasetset_close(set);
    slow_dedup(&t.c, &params, t.verdict, t.keeper, &counts);
    return t;
}

static void case_clear(Case *t)
{
    corpus_clear(&t->c);
    free(t->verdict);
    free(t->keeper);
}

static void put_id(Buf *b, const Case *t, uint32_t i)
{
    buf_printf(b, "\"CC-MAIN-2023-%02" PRIu32 "/made#%" PRIu32 "\"", t->c.doc[i].dump % 100, i);
}

static uint32_t size_of(const Case *t, uint32_t keeper)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->c.n; i++) n += t->keeper[i] == keeper;
    return n;
}

static void put_counts(Buf *b, const Case *t, uint32_t keeper)
{
    bool dump[100] = {false}, host[100] = {false};
    uint32_t n_dumps = 0, n_hosts = 0, first = NO_DUMP, last = 0;

    for (uint32_t i = 0; i < t->c.n; i++) {
        uint32_t d = t->c.doc[i].dump;
        if (t->keeper[i] != keeper) continue;
        host[t->c.doc[i].host] = true;
        if (d == NO_DUMP) continue;
        dump[d] = true;
        if (d < first) first = d;
        if (d > last) last = d;
    }
    for (int i = 0; i < 100; i++) n_dumps += dump[i], n_hosts += host[i];
    buf_printf(b, ",\"docs\":%" PRIu32 ",\"dumps\":%" PRIu32 ",\"hosts\":%" PRIu32, size_of(t, keeper), n_dumps,
               n_hosts);
    if (first != NO_DUMP)
        buf_printf(b, ",\"first_dump\":\"CC-MAIN-2023-%02" PRIu32 "\",\"last_dump\":\"CC-MAIN-2023-%02" PRIu32 "\"",
                   first, last);
}

static void put_member(Buf *b, const Case *t, uint32_t i)
{
    static const char *const why[] = {"", "exact_duplicate", "near_duplicate", "url_duplicate"};

    buf_puts(b, "{\"id\":");
    put_id(b, t, i);
    buf_puts(b, ",\"cluster\":");
    put_id(b, t, t->keeper[i]);
    put_counts(b, t, t->keeper[i]);
    if (t->verdict[i])
        buf_printf(b, ",\"kept\":false,\"why\":\"%s\"}\n", why[t->verdict[i]]);
    else
        buf_puts(b, ",\"kept\":true}\n");
}

/* The lines that are wanted: clusters in order, the kept document first, by members or not. */
static void put_wanted(Buf *b, const Case *t, uint32_t least, bool members)
{
    for (uint32_t k = 0; k < t->c.n; k++) {
        if (t->keeper[k] != k || size_of(t, k) < least) continue;
        if (members) {
            put_member(b, t, k);
            for (uint32_t i = 0; i < t->c.n; i++)
                if (i != k && t->keeper[i] == k) put_member(b, t, i);
        } else {
            buf_puts(b, "{\"id\":");
            put_id(b, t, k);
            put_counts(b, t, k);
            buf_puts(b, "}\n");
        }
    }
}

/* What the table says; to be freed. */
static char *table_of(const ClusterQuery *q, size_t *n)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, n);
    Err err;

    CHECK(f != NULL);
    CHECK_OK(clusters_write(q, f, &err), &err);
    fclose(f);
    return text;
}

TEST(cluster_table_equals_the_slow_version)
{
    Case t = case_new(corpus_of_dumps(300, 3));

    for (uint32_t i = 0; i < 8; i++) {
        const ClusterQuery q = {.dir = t.out,
                                .least = i / 2 % 2 ? 3 : 1,
                                .members = i % 2,
                                .threads = i < 4 ? 1 : 3,
                                .memory = i < 4 ? 1 << 20 : 64 << 20};
        Buf want = {0};
        size_t n;
        char *got = table_of(&q, &n);
        put_wanted(&want, &t, q.least, q.members);
        CHECK(want.n > 1000);
        CHECK_SPAN(buf_span(&want), span(got, n));
        buf_clear(&want);
        free(got);
    }
    case_clear(&t);
}

TEST(cluster_table_shows_the_largest)
{
    Case t = case_new(mixed_corpus(200, 3));
    const ClusterQuery q = {.dir = t.out, .least = 2, .largest = 4, .threads = 1};
    size_t n;
    char *got = table_of(&q, &n);
    uint32_t last = UINT32_MAX, n_lines = 0;

    for (Span rest = span(got, n); rest.n; rest = span_from(rest, span_find(rest, '\n') + 1), n_lines++) {
        Arena arena = {0};
        Json *line = NULL;
        uint64_t docs = 0;
        uint32_t n_samples = 0, larger = 0;
        Err err;
        CHECK_OK(json_parse(&arena, span(rest.p, span_find(rest, '\n')), "a line", &line, &err), &err);
        const Json *id = json_get(line, "id"), *samples = json_get(line, "samples");
        uint32_t keeper = (uint32_t)strtoul(strchr((const char *)id->string.p, '#') + 1, NULL, 10);
        CHECK_OK(json_get_u64(line, "docs", 0, "a line", &docs, &err), &err);
        CHECK_INT(size_of(&t, keeper), docs);
        CHECK(docs <= last);
        last = (uint32_t)docs;
        for (uint32_t k = 0; k < t.c.n; k++) larger += t.keeper[k] == k && size_of(&t, k) > docs;
        CHECK(larger <= n_lines);
        CHECK_SPAN(span_str(t.c.doc[keeper].url), json_get(line, "url")->string);
        for (const Json *s = samples->child; s; s = s->next, n_samples++) {
            uint32_t i = (uint32_t)strtoul(strchr((const char *)json_get(s, "id")->string.p, '#') + 1, NULL, 10);
            Span text = json_get(s, "text")->string;
            CHECK(i != keeper && t.keeper[i] == keeper);
            CHECK(text.n <= CLUSTER_TABLE_TEXT && span_starts(span_str(t.c.doc[i].text), text));
        }
        CHECK_INT(docs - 1 < CLUSTER_TABLE_SAMPLES ? docs - 1 : CLUSTER_TABLE_SAMPLES, n_samples);
        arena_clear(&arena);
    }
    CHECK_INT(4, n_lines);
    free(got);
    case_clear(&t);
}

TEST(cluster_table_says_what_is_missing)
{
    Case t = case_new(mixed_corpus(30, 1));
    ClusterQuery q = {.dir = t.in, .least = 2, .threads = 2, .memory = 64 << 20};
    char path[512];
    Err err;

    CHECK_INT(ERR_DATA, clusters_write(&q, stdout, &err));
    CHECK(strstr(err.msg, "was not made by tamis dedup") != NULL);
    q.dir = t.out;
    snprintf(path, sizeof path, "%s/clusters/00000-000000.cols", t.out); /* a truncated file of columns */
    Buf bytes = {0};
    CHECK_OK(store_read(path, 1 << 20, &bytes, &err), &err);
    CHECK_OK(store_write(path, span(bytes.p, bytes.n - 5), &err), &err);
    CHECK_INT(ERR_DATA, clusters_write(&q, stdout, &err));
    CHECK(strstr(err.msg, "00000-000000.cols") != NULL);
    snprintf(path, sizeof path, "%s/clusters", t.out);
    CHECK_OK(store_delete_tree(path, 1, &err), &err);
    CHECK_INT(ERR_DATA, clusters_write(&q, stdout, &err));
    CHECK(strstr(err.msg, "deleted") != NULL);
    buf_clear(&bytes);
    case_clear(&t);
}
