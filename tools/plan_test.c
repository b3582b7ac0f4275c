#include "tools/plan.h"

#include "core/yaml.h"
#include "tests/check.h"

#include <math.h>

static PlanValues values;
static Plan plan;
static Err err;

static bool near(double a, double b, double share) { return fabs(a - b) <= share * fabs(b); }
#define CHECK_NEAR(want, got, share) CHECK(near((got), (want), (share)))

static const PlanStage *stage(const char *name)
{
    for (int i = 0; i < PLAN_STAGES; i++)
        if (strcmp(plan.stage[i].name, name) == 0) return &plan.stage[i];
    CHECK(!"no such stage");
    return &plan.total;
}

static bool says(const char *words)
{
    for (size_t i = 0; i < plan.n_notes; i++)
        if (strstr(plan.note[i], words)) return true;
    return false;
}

static ErrCode take(const char *text)
{
    Arena a = {0};
    Json *root = NULL;
    err = (Err){0};
    CHECK_OK(yaml_parse(&a, span_str(text), "d.yaml", &root, &err), &err);
    const ErrCode rc = plan_take(&values, root, "d.yaml", "somebody", &err);
    arena_clear(&a);
    return rc;
}

static void make(const char *text)
{
    plan_defaults(&values);
    CHECK_OK(take(text), &err);
    plan_make(&plan, &values);
}

/* The figures of the design: 1e11 documents of which a pass over one band moves 16 bytes each, 1.6 TB, 6.25 GB a node of 256, beside
 * a byte of state; 8 bytes a document of components, and that byte, are 3.5 GB a node; signatures of 14 x 8 + 128 = 240 bytes (and 65 beside); 2e12 tokens of 17 bits. */
TEST(the_built_in_case_is_91_dumps_on_256_nodes)
{
    plan_defaults(&values);
    plan_make(&plan, &values);
    CHECK(plan.possible);
    CHECK_NEAR(91 * 3e9, plan.flow.pages, 1e-9);
    CHECK_NEAR(1e11, plan.flow.docs, 1e-3);
    CHECK_NEAR(100e12, plan.flow.stored, 0.05); /* a copy of the text */
    CHECK(plan.flow.parts > 1e5 && plan.flow.parts < 1e6);
    CHECK_NEAR(6.25e9 + 1e11 / 256, stage("bands")->memory, 1e-3);
    CHECK_NEAR(1e11 * 9 / 256 + 1e11 * 24 / 256, stage("components")->memory, 1e-3); /* and the labels of all */
    CHECK_NEAR(14 * 1.6e12 * 255 / 256, stage("bands")->exchanged, 1e-3);
    CHECK_NEAR(14 * (1e11 / 14e6 + 256 * 0.003), stage("bands")->core_s, 1e-3);
    CHECK_NEAR(14 * 8e11, stage("bands")->read, 1e-3);
    CHECK_NEAR(1e11 * (240 + 65), stage("sign")->stored, 1e-3);
    CHECK_NEAR(2e12, plan.flow.tokens, 5e-3);
    CHECK_NEAR(2e12 * 17 / 8, stage("tokenize")->stored, 0.05);
    for (int i = 0; i + 1 < PLAN_STAGES; i++) /* exact duplicates go first */
        if (strcmp(plan.stage[i].name, "exact") == 0) CHECK_STR("bands", plan.stage[i + 1].name);
    CHECK_NEAR(91 * 59.86 * 1099511627776.0, plan.flow.archives, 1e-3);
    CHECK_NEAR(91 * 225 * 1099511627776.0, plan.flow.unpacked, 1e-3);
}

/* Two nodes of four cores; 1000 pages of 4 files of 1 MB that unpack to 10 MB. By hand: 1000 pages x 1 ms + 10 MB / 10 MB/s = 2
 * core seconds on 2 x 4 x 0.5 = 4 cores' worth: 0.5 s; 400 documents of 5000 bytes are 2 MB, stored as 1 MB. */
static const char *const small =
    "input: {dumps: 1, pages: 1000, files: 4, file_mb: 1, unpacked: 2.5, inputs_per_part: 1}\n"
    "cluster: {nodes: 2, cores: 4, memory_gb: 8, efficiency: 0.5, storage_mb_s: 5, network_gbit_s: 0.016}\n"
    "ingest: {page_us: 1000, mb_s: 10, keep: 0.4, text_bytes: 5000, stored: 0.5}\n"
    "engine: {read_mb_s: 100, worker_mb: 10, records_s: 1000, step_s: 0.01, edges_s: 100, rounds: 3}\n"
    "sign: {mb_s: 2, bands: 5, sketch: 100, beside: 10}\n"
    "dedup: {exact: 0.25, drop: 0.5, again: 0.1}\n"
    "judge: {doc_us: 4000, columns: 20}\n"
    "filter: {mb_s: 1, keep: 0.5, columns: 30}\n"
    "bpe: {mb_s: 1, sample_mb: 0.1, merges: 1000, merge_us: 500}\n"
    "tokenize: {mb_s: 0.5, token_bytes: 5, token_bits: 16, doc_bytes: 50}\n";

TEST(a_small_case_agrees_with_figures_by_hand)
{
    make(small);
    const PlanStage *s = stage("ingest");
    CHECK_NEAR(2, s->core_s, 1e-9);
    CHECK_NEAR(0.5, s->alone_s[PLAN_CPU], 1e-9);
    CHECK_NEAR((4e6 + 1e6) / 5e6, s->alone_s[PLAN_STORAGE], 1e-9);     /* 1 s */
    CHECK_NEAR((4e6 + 1e6) / 2 / 2e6, s->alone_s[PLAN_NETWORK], 1e-9); /* 2 MB/s a node: 1.25 s, the longest */
    CHECK_INT(PLAN_NETWORK, s->bound);
    CHECK_NEAR(1.25, s->wall_s, 1e-9);
    CHECK_NEAR(40e6, s->memory, 1e-9);
    s = stage("sign");
    CHECK_NEAR(1, s->core_s, 1e-9);
    CHECK_NEAR(400 * (5 * 8 + 100 + 10), s->stored, 1e-9);
    s = stage("exact"); /* 100 duplicates travel once more */
    CHECK_NEAR((400 + 100) / 1000.0 + 2 * 2 * 0.01, s->core_s, 1e-9);
    CHECK_NEAR((400 * 26 + 100 * 29) / 2, s->exchanged, 1e-9);
    CHECK_NEAR(2 * 100 * 21, s->write, 1e-9);
    s = stage("bands"); /* 300 documents are left, 100 of them near duplicates that meet in each band */
    CHECK_NEAR(5 * 300 / 1000.0 + 5 * 2 * 0.01, s->core_s, 1e-9);
    CHECK_NEAR(5 * 300 * 16 / 2, s->exchanged, 1e-9);
    CHECK_NEAR(400 / 2 + 300 * 16 / 2, s->memory, 1e-9);
    CHECK(s->scratch == 0 && s->scratch_io == 0 && s->stored == 0);
    CHECK_NEAR(5 * 100 * 16, s->write, 1e-9);
    s = stage("components"); /* 500 edges come in, one a near duplicate goes through three rounds, 200 labels leave */
    CHECK_NEAR(5 + 3 * 100 / 1000.0 + 200 / 1000.0 + 4 * 2 * 0.01, s->core_s, 1e-9);
    CHECK_NEAR((3 * 100 * 16 + 200 * 24) / 2, s->exchanged, 1e-9);
    CHECK_NEAR(500 * 16, s->read, 1e-9);
    /* 200 members with sketches, and twice for what they stand for; 40 texts are read again, for which all frames are, and signed at 2
     * MB/s: a record for 5 bytes of 200 KB. */
    s = stage("verify");
    CHECK_NEAR(3 * 200 / 1000.0 + 4 * 2 * 0.01 + 2e6 / 100e6 + 0.2 / 2 + 40000 / 1000.0, s->core_s, 1e-9);
    CHECK_NEAR((200 * (26 + 100) + 2 * 200 * 24 + 40000 * 26) / 2, s->exchanged, 1e-9);
    CHECK_NEAR(400 * (100 + 4 + 16) + 200 * 16 + 1e6, s->read, 1e-9);
    s = stage("judge");
    CHECK_NEAR(400 * 4e-3, s->core_s, 1e-9);
    CHECK_NEAR(400 * 20, s->read, 1e-9);
    s = stage("filter"); /* judges 1 MB, passes over another */
    CHECK_NEAR(1 + 0.01, s->core_s, 1e-9);
    CHECK_NEAR(400 * 30, s->stored, 1e-9);
    CHECK_NEAR(0.5e6, plan.flow.clean_text, 1e-9);
    s = stage("bpe"); /* merges are made by one core of one node */
    CHECK_NEAR(0.1 + 0.019 + 0.5, s->core_s, 1e-9);
    CHECK_NEAR((0.1 + 0.019) / 4 + 0.5, s->alone_s[PLAN_CPU], 1e-9);
    CHECK_NEAR(4 * 10e6 + 2 * 0.1e6, s->memory, 1e-9);
    s = stage("tokenize"); /* 100000 tokens and an end for each of 100 documents */
    CHECK_NEAR(100100, plan.flow.tokens, 1e-9);
    CHECK_NEAR(100100 * 2 + 100 * 50, s->stored, 1e-9);
    CHECK_NEAR(1 + 0.015, s->core_s, 1e-9);
}

/* 400 documents of 16 bytes do not fit 3/4 of 4 kB on each of two nodes with 200 bytes of state in it: the pass goes to scratch and comes back. */
TEST(what_memory_does_not_hold_goes_to_scratch)
{
    make(small);
    values.v[PLAN_DEDUP_EXACT] = 0;
    values.v[PLAN_MEMORY_GB] = 4e3 / 1e9;
    values.v[PLAN_SCRATCH_GB] = 4e3 / 1e9;
    plan_make(&plan, &values);
    const PlanStage *s = stage("bands");
    CHECK_NEAR(0.75 * 4e3, s->memory, 1e-9);
    CHECK_NEAR(400 * 16 / 2, s->scratch, 1e-9);
    CHECK_NEAR(2 * 5 * 400 * 16 / 2, s->scratch_io, 1e-9);
    CHECK(!says("bands needs") && says("bands does not fit into memory"));
    const double enough = s->whole / 0.75 / 1e9;
    values.v[PLAN_MEMORY_GB] = enough;
    plan_make(&plan, &values);
    CHECK(stage("bands")->scratch == 0 && !says("bands is short"));
    values.v[PLAN_MEMORY_GB] = 4e3 / 1e9;
    values.v[PLAN_SCRATCH_GB] = 3e3 / 1e9;
    plan_make(&plan, &values);
    CHECK(!plan.possible && says("bands needs"));
}

/* What is advised does help. */
TEST(the_advice_makes_it_fit)
{
    unsigned nodes = 0, threads = 0, sample = 0;

    make("cluster: {memory_gb: 64, scratch_gb: 2, gang_nodes: 8}");
    CHECK(!plan.possible);
    for (size_t i = 0; i < plan.n_notes; i++) {
        const char *at = strstr(plan.note[i], "take ");
        unsigned n = 0;
        if (strncmp(plan.note[i], "bands", 5) == 0 && at) sscanf(at, "take %u nodes", &n);
        if (n > nodes) nodes = n;
    }
    CHECK(nodes > 8);
    values.v[PLAN_GANG_NODES] = nodes;
    values.v[PLAN_NODES] = 2 * nodes;
    plan_make(&plan, &values);
    CHECK(!says("bands needs"));
    make("cluster: {memory_gb: 4}");
    CHECK(!plan.possible && says("sign needs"));
    for (size_t i = 0; i < plan.n_notes; i++) {
        const char *at = strstr(plan.note[i], "give -j ");
        if (at) sscanf(at, "give -j %u", &threads);
    }
    CHECK(threads > 0 && threads < 64);
    values.v[PLAN_CORES] = threads;
    plan_make(&plan, &values);
    CHECK(!says("sign needs"));
    make("cluster: {memory_gb: 8}");
    for (size_t i = 0; i < plan.n_notes; i++) {
        const char *at = strstr(plan.note[i], "--sample-bytes ");
        if (at) sscanf(at, "--sample-bytes %uM", &sample);
    }
    CHECK(says("bpe needs") && sample > 0);
    values.v[PLAN_BPE_SAMPLE_MB] = sample * 1.048576;
    plan_make(&plan, &values);
    CHECK(!says("bpe needs"));
}

TEST(limits_are_named)
{
    make("cluster: {gang_nodes: 1}");
    CHECK(!plan.possible && says("components needs 900"));
    make("cluster: {inodes: 1e6}");
    CHECK(!plan.possible && says("--inputs-per-part"));
    values.v[PLAN_INPUTS_PER_PART] = 40;
    plan_make(&plan, &values);
    CHECK(plan.possible);
    make("input: {inputs_per_part: 1, files: 5e6}");
    CHECK(!plan.possible && says("parts a dump"));
    make("cluster: {storage_tb: 100}");
    CHECK(!plan.possible && says("stay on the shared storage"));
    make("cluster: {nodes: 3000}");
    CHECK(plan.possible && says("split them into 3 arrays"));
    make("input: {dumps: 1, files: 10, inputs_per_part: 1, pages: 1e6}");
    CHECK(plan.possible && says("keep only as many"));
    CHECK_NEAR(10, stage("ingest")->nodes, 1e-9);
    make("input: {dumps: 2000, pages: 1e6}");
    CHECK(!plan.possible && says("at most 1024"));
}

/* arXiv 2401.02954, table 1. */
TEST(published_drops_between_their_points)
{
    CHECK_NEAR(.222, plan_published_drop(1), 1e-9);
    CHECK_NEAR(.467, plan_published_drop(2), 1e-9);
    CHECK_NEAR(.699, plan_published_drop(12), 1e-9);
    CHECK_NEAR(.898, plan_published_drop(91), 1e-9);
    CHECK_NEAR(.898, plan_published_drop(1000), 1e-9);
    CHECK_NEAR((.467 + .557) / 2, plan_published_drop(sqrt(2 * 6)), 1e-9);
    make("input: {dumps: 2}");
    CHECK_NEAR(1 - .467, plan.flow.unique_text / plan.flow.text, 1e-9);
    make("input: {dumps: 2}\ndedup: {drop: 0.1}");
    CHECK_NEAR(0.9, plan.flow.unique_text / plan.flow.text, 1e-9);
}

TEST(descriptions_are_checked)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"cluster: {cpus: 4}", "d.yaml:1: cluster has no cpus"},
        {"\nnodes: 4", "d.yaml:2: no section nodes"},
        {"input:\n  dumps: none", "d.yaml:2: input.dumps is a number"},
        {"input: {dumps: 0}", "input.dumps is a number from 1 to"},
        {"input: {dumps: 1e30}", "input.dumps is a number"},
        {"ingest: {keep: 1.5}", "ingest.keep is a number from 0 to 1"},
        {"filter: 3", "filter is a mapping"},
        {"- 1", "a mapping of sections"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        plan_defaults(&values);
        CHECK_INT(ERR_USAGE, take(wrong[i].text));
        CHECK(strstr(err.msg, wrong[i].says));
    }
    plan_defaults(&values);
    CHECK_OK(take("format: tamis-rates\nversion: 1\ncluster:\nfilter: {mb_s: 7}"), &err);
    CHECK_NEAR(7, values.v[PLAN_FILTER_MB_S], 1e-9);
    CHECK_STR("somebody", values.source[PLAN_FILTER_MB_S]);
    CHECK_STR(plan_defs[PLAN_NODES].source, values.source[PLAN_NODES]);
}

/* Every name once, with a source, a default in its range. */
TEST(the_table_of_values_is_sound)
{
    for (int i = 0; i < PLAN_N_VALUES; i++) {
        const PlanDef *d = &plan_defs[i];
        CHECK(d->section && d->key && d->what && d->unit && d->source && d->source[0]);
        CHECK(isnan(d->fallback) || (d->fallback >= d->min && d->fallback <= d->max));
        for (int k = 0; k < i; k++)
            CHECK(strcmp(d->section, plan_defs[k].section) != 0 || strcmp(d->key, plan_defs[k].key) != 0);
    }
}

/* The printed plan holds no number that is none, whatever the extremes. */
TEST(extremes_stay_numbers)
{
    plan_defaults(&values);
    for (int low = 0; low < 2; low++) {
        for (int i = 0; i < PLAN_N_VALUES; i++) values.v[i] = low ? plan_defs[i].min : plan_defs[i].max;
        plan_make(&plan, &values);
        for (int i = 0; i < PLAN_STAGES; i++) {
            const PlanStage *s = &plan.stage[i];
            CHECK(isfinite(s->wall_s) && isfinite(s->memory) && isfinite(s->exchanged) && isfinite(s->stored));
            CHECK(s->wall_s >= 0 && s->core_s >= 0 && s->read >= 0);
        }
        Buf b = {0};
        plan_put_json(&b, &plan, &values);
        CHECK(buf_cstr(&b) && !strstr(buf_cstr(&b), "nan") && !strstr(buf_cstr(&b), "inf"));
        buf_clear(&b);
    }
}
