/* The map engine against a slow obvious version: the same documents produced, judged and hashed in one loop. */
#include "core/stage_fake_test.h"
#include "core/store.h"
#include "tests/check.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N_PARTS = 5, N_BLOCKS = 4, PER_BLOCK = 60 };

/* --- a raw source: part p has N_BLOCKS blocks (part 3 none), each PER_BLOCK numbered records. */

static uint64_t fake_bytes(void *ctx, uint32_t part)
{
    (void)ctx;
    return 100 + part;
}

typedef struct {
    uint32_t part, block;
} FakeCursor;

static ErrCode fake_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    FakeCursor *c = calloc(1, sizeof *c);

    (void)ctx;
    if (!c) return err_nomem(err, "a cursor");
    c->part = part;
    *cursor = c;
    return ERR_OK;
}

static ErrCode fake_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    FakeCursor *c = cursor;
    uint8_t first[4];

    *end = c->part == 3 || c->block == N_BLOCKS;
    if (*end) return ERR_OK;
    le32_put(first, c->part * 100000 + c->block * PER_BLOCK);
    buf_put(&block->bytes, first, 4);
    c->block++;
    return buf_ok(&block->bytes, "a block", err);
}

static void fake_close(void *cursor) { free(cursor); }

/* Record r as a document; false: it is one that is dropped. */
static bool fake_doc(uint32_t r, Doc *doc, char id[32], char text[600])
{
    uint64_t h = mix64(r + 1);
    int n = snprintf(text, 600, "record %" PRIu32 " \"quoted\" ", r);

    for (uint64_t k = 0; k < h % 40; k++)
        n += snprintf(text + n, 600 - (size_t)n, "\xe8\xaf\x8d%u ", (unsigned)(mix64(h + k) % 97));
    snprintf(id, 32, "local/fake#%" PRIu32, r);
    *doc = (Doc){.id = span_str(id), .text = span_str(text), .lang = span_str(h % 3 ? "en" : "zh-Hans")};
    return h % 11 != 0;
}

static ErrCode fake_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    uint32_t first = le32_get(block->bytes.p);

    (void)worker;
    if (ctx && first % 100000 == 0) { /* `with_more`: one short document more at the front of each part */
        Doc more = {.id = span_str(first ? "local/more#1" : "local/more#0"), .text = SPAN_LIT("x")};
        sink_in(sink, more.id, 1);
        ErrCode rc = sink_emit(sink, &more, err);
        if (rc != ERR_OK) return rc;
    }
    for (uint32_t i = 0; i < PER_BLOCK; i++) {
        char id[32], text[600];
        Doc doc;
        bool keep = fake_doc(first + i, &doc, id, text);
        sink_in(sink, doc.id, doc.text.n);
        if (!keep) {
            sink_drop(sink, 1, doc.id, NULL);
            continue;
        }
        ErrCode rc = sink_emit(sink, &doc, err);
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

static const char *const fake_reasons[] = {"never", "unlucky"};
static const StageDef fake_def = {
    .name = "fake", .version = 1, .kind = DATASET_WRITTEN, .reasons = fake_reasons, .n_reasons = 2};
static const StageSource fake_source = {.n_parts = N_PARTS,
                                        .part_bytes = fake_bytes,
                                        .open = fake_open,
                                        .next = fake_next,
                                        .close = fake_close,
                                        .map = fake_map};

static char more_flag;
static const StageSource with_more = {.ctx = &more_flag,
                                      .n_parts = N_PARTS,
                                      .part_bytes = fake_bytes,
                                      .open = fake_open,
                                      .next = fake_next,
                                      .close = fake_close,
                                      .map = fake_map};

static ErrCode make_from(const StageSource *source, const char *dir, int threads, CommonOptions common,
                         const char *params, StageTotals *t, Err *err)
{
    Par par = par_alone(threads);
    StageJob job = {.def = &fake_def,
                    .params = span_str(params),
                    .inputs = SPAN_LIT("[]"),
                    .out_dir = dir,
                    .source = source,
                    .common = &common};

    log_setup(LOG_QUIET, 0);
    return stage_run(&job, &par, t, err);
}

static ErrCode make(const char *dir, int threads, CommonOptions common, const char *params, StageTotals *t, Err *err)
{
    return make_from(&fake_source, dir, threads, common, params, t, err);
}

/* The same documents in blocks of WIDE_BYTES, counting how many were read and not yet mapped while one is. */
enum { WIDE_BYTES = 1 << 20 };
static atomic_int wide_read, wide_mapped, wide_most;

static ErrCode wide_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    ErrCode rc = fake_next(cursor, block, end, err);

    if (rc != ERR_OK || *end) return rc;
    if (!buf_reserve(&block->bytes, WIDE_BYTES)) return err_nomem(err, "a block");
    memset(block->bytes.p + block->bytes.n, 0, WIDE_BYTES - block->bytes.n);
    block->bytes.n = WIDE_BYTES;
    wide_read++;
    return ERR_OK;
}

static ErrCode wide_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL); /* the reader shall run ahead as far as it is let */
    int ahead = wide_read - wide_mapped, most = wide_most;
    while (ahead > most && !atomic_compare_exchange_weak(&wide_most, &most, ahead)) continue;
    wide_mapped++;
    return fake_map(ctx, worker, block, sink, err);
}

static const StageSource wide_source = {.n_parts = N_PARTS,
                                        .part_bytes = fake_bytes,
                                        .open = fake_open,
                                        .next = wide_next,
                                        .close = fake_close,
                                        .map = wide_map};

/* --- judging stages */

static const char *const judge_reasons[] = {"short", "odd"};
static const ColumnDef judge_columns[] = {{"bytes", COL_U32, 1, COL_SIGNAL},
                                          {"half", COL_F32, 1, COL_SIGNAL},
                                          {"domain", COL_STRING, 1, COL_FIELD},
                                          {"pair", COL_U64, 2, 0}};
static const StageDef judge_def = {.name = "judge",
                                   .version = 1,
                                   .kind = DATASET_VIEW,
                                   .reasons = judge_reasons,
                                   .n_reasons = 2,
                                   .columns = judge_columns,
                                   .n_columns = 4};

static ErrCode judge_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    uint32_t least = *(uint32_t *)ctx;

    (void)worker, (void)err;
    sink_u32(s, 0, 0, (uint32_t)doc->text.n);
    if (doc->text.n % 2 == 0) sink_f32(s, 1, 0, (float)doc->text.n / 2);
    sink_string(s, 2, doc->text.n % 3 ? SPAN_LIT("a") : doc->lang);
    sink_u64(s, 3, 1, id);
    if (doc->text.n < least) sink_drop(s, 0, doc->id, doc);
    return ERR_OK;
}

static ErrCode judge_with(const StageDef *def, StageMap map, CommonOptions common, const char *in, const char *out,
                          int threads, uint32_t least, StageTotals *t, Err *err)
{
    Par par = par_alone(threads);
    DatasetSet *set;
    char params[64];
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc != ERR_OK) return rc;
    snprintf(params, sizeof params, "{\"least\":%u}", least);
    StageJob job = {.def = def,
                    .ctx = &least,
                    .params = span_str(params),
                    .out_dir = out,
                    .set = set,
                    .map = map,
                    .common = &common};
    rc = stage_run(&job, &par, t, err);
    datasetset_close(set);
    return rc;
}

static ErrCode judge(const char *in, const char *out, int threads, uint32_t least, StageTotals *t, Err *err)
{
    return judge_with(&judge_def, judge_map, (CommonOptions){0}, in, out, threads, least, t, err);
}

static ErrCode copy_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    (void)ctx, (void)worker, (void)id;
    return sink_emit(s, doc, err);
}

static const StageDef copy_def = {.name = "copy", .version = 1, .kind = DATASET_WRITTEN};

/* The lines of one part of `fake`, by one loop. */
static Hash128 slow_part(uint32_t part, uint64_t *n_docs)
{
    Buf lines = {0};
    char id[32], text[600];
    Doc doc;

    for (uint32_t r = 0; part != 3 && r < N_BLOCKS * PER_BLOCK; r++)
        if (fake_doc(part * 100000 + r, &doc, id, text)) doc_write(&lines, &doc), ++*n_docs;
    Hash128 h = hash128(buf_span(&lines));
    buf_clear(&lines);
    return h;
}

TEST(written_dataset_has_the_slow_versions_content)
{
    static const int threads[] = {1, 2, 7};
    const char *dir = check_tmpdir();
    char path[400], name[16];
    uint64_t n_docs = 0;
    uint8_t contents[16 * N_PARTS];

    for (uint32_t p = 0; p < N_PARTS; p++) hash128_put(contents + 16 * p, slow_part(p, &n_docs));
    for (int i = 0; i < 3; i++) {
        StageTotals t;
        Err err = {.code = ERR_OK};
        snprintf(name, sizeof name, "t%d", i);
        CHECK_OK(make(in_dir(path, dir, name), threads[i], (CommonOptions){0}, "{}", &t, &err), &err);
        CHECK(t.complete && !t.up_to_date);
        CHECK_INT(n_docs, t.n_docs);
        CHECK_INT(4 * N_BLOCKS * PER_BLOCK, t.n_in);
        CHECK(hash128_eq(content_of(path), hash128(span(contents, sizeof contents))));
        CHECK_OK(make(path, 2, (CommonOptions){0}, "{}", &t, &err), &err);
        CHECK(t.up_to_date);
    }
}

/* More parts than the commit opens at a time, by several threads: their order is that of one loop, and so is what it fails at. */
TEST(a_commit_of_many_parts_adds_them_up_in_order)
{
    enum { MANY = 130 };
    static const uint32_t torn[] = {120, 70, 71};
    const StageSource many = {.n_parts = MANY,
                              .part_bytes = fake_bytes,
                              .open = fake_open,
                              .next = fake_next,
                              .close = fake_close,
                              .map = fake_map};
    const char *dir = check_tmpdir();
    char path[400];
    uint64_t n_docs = 0;
    uint8_t contents[16 * MANY];
    uint32_t have, all;
    bool done;
    StageTotals t;
    Err err = {.code = ERR_OK};

    for (uint32_t p = 0; p < MANY; p++) hash128_put(contents + 16 * p, slow_part(p, &n_docs));
    CHECK_OK(make_from(&many, dir, 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_INT(n_docs, t.n_docs);
    CHECK(hash128_eq(content_of(dir), hash128(span(contents, sizeof contents))));
    for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
        snprintf(path, sizeof path, "%s/part-%06u.jsonl.zst", dir, (unsigned)torn[i]);
        CHECK_OK(store_write(path, SPAN_LIT("torn"), &err), &err);
    }
    CHECK_INT(ERR_DATA, dataset_commit(dir, &done, &have, &all, &err));
    CHECK(!done && strstr(err.msg, "part-000070"));
}

/* A block counts three times its bytes until it is mapped, and half of --memory is for blocks. */
TEST(blocks_under_way_keep_to_the_memory)
{
    static const struct {
        uint64_t memory;
        int at_most;
    } cases[] = {{1, 1}, {2 * WIDE_BYTES, 1}, {14 * WIDE_BYTES, 3}, {1 << 30, 4 * 2 + 2}};
    const char *dir = check_tmpdir();
    char whole[400], path[400], name[16];
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(make(in_dir(whole, dir, "whole"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    for (int i = 0; i < 4; i++) {
        CommonOptions common = {.memory = cases[i].memory};
        wide_read = wide_mapped = wide_most = 0;
        snprintf(name, sizeof name, "m%d", i);
        CHECK_OK(make_from(&wide_source, in_dir(path, dir, name), 4, common, "{}", &t, &err), &err);
        CHECK(wide_most >= 1 && wide_most <= cases[i].at_most);
        CHECK(hash128_eq(content_of(whole), content_of(path)));
    }
    CHECK(wide_most > 1); /* the last has room */
}

TEST(a_view_reads_like_its_copy)
{
    const char *dir = check_tmpdir();
    char docs[400], view[400], view2[400], copy[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions common = {0};
    Par par = par_alone(2);
    DatasetSet *set;
    const char *from = view2;

    CHECK_OK(make(in_dir(docs, dir, "docs"), 2, common, "{}", &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK(t.n_dropped > 50 && t.n_docs > 50);
    uint64_t n_first = t.n_docs;
    CHECK_OK(judge(view, in_dir(view2, dir, "view2"), 7, 100, &t, &err), &err);
    CHECK_INT(n_first, t.n_in);
    CHECK(t.n_docs < n_first);
    CHECK_OK(datasetset_open(&set, &from, 1, &err), &err);
    StageJob job = {.def = &copy_def,
                    .params = SPAN_LIT("{}"),
                    .out_dir = in_dir(copy, dir, "copy"),
                    .set = set,
                    .map = copy_map,
                    .common = &common};
    CHECK_OK(stage_run(&job, &par, &t, &err), &err);
    datasetset_close(set);
    CHECK(hash128_eq(content_of(view2), content_of(copy)));

    /* and one document of it has what both views said */
    DocCursor *c;
    Doc doc;
    DocId id;
    bool end;
    uint64_t n = 0, n_half = 0;
    CHECK_OK(doccursor_open(&c, &from, 1, &err), &err);
    while (doccursor_next(c, &doc, &id, &end, &err) == ERR_OK && !end) {
        n++;
        CHECK(doc.text.n >= 100);
        CHECK(doc.n_signals >= 1 && span_is(doc.signals[0].name, "bytes") &&
              doc.signals[0].value == (double)doc.text.n);
        n_half += doc.n_signals == 2;
        CHECK_INT(doc.text.n % 2 == 0, doc.n_signals == 2);
        CHECK_SPAN(doc.text.n % 3 ? SPAN_LIT("a") : doc.lang, doc.domain);
    }
    CHECK_INT(t.n_docs, n);
    CHECK(n_half > 0 && n_half < n);
    doccursor_close(c);
}

TEST(tasks_and_a_lost_part_end_in_the_same_content)
{
    const char *dir = check_tmpdir();
    char whole[400], split[400], path[460];
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(make(in_dir(whole, dir, "whole"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    in_dir(split, dir, "split");
    CHECK_OK(make(split, 1, (CommonOptions){.task = {1, 2}}, "{}", &t, &err), &err);
    CHECK(!t.complete && t.n_parts_done > 0 && t.n_parts_done < N_PARTS);
    CHECK_OK(make(split, 2, (CommonOptions){.task = {0, 2}}, "{}", &t, &err), &err);
    CHECK(t.complete);
    CHECK(hash128_eq(content_of(whole), content_of(split)));

    snprintf(path, sizeof path, "%s/manifest.json", split);
    CHECK_INT(0, unlink(path));
    snprintf(path, sizeof path, "%s/part-000002.jsonl.zst", split);
    CHECK_INT(0, unlink(path));
    CHECK_OK(make(split, 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_INT(1, t.n_parts_done);
    CHECK_INT(N_PARTS - 1, t.n_parts_reused);
    CHECK(hash128_eq(content_of(whole), content_of(split)));
}

TEST(another_run_is_refused_and_force_replaces_it)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(make(in_dir(path, dir, "d"), 1, (CommonOptions){0}, "{\"a\":1}", &t, &err), &err);
    CHECK_INT(ERR_DATA, make(path, 1, (CommonOptions){0}, "{\"a\":2}", &t, &err));
    CHECK(strstr(err.msg, "another run") != NULL);
    err = (Err){.code = ERR_OK};
    CHECK_OK(make(path, 1, (CommonOptions){.force = true}, "{\"a\":2}", &t, &err), &err);
    CHECK(t.complete && !t.up_to_date);
}

/* A map that forgets a document must not pass. */
static ErrCode losing_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    (void)ctx, (void)worker;
    return id % 100 == 7 ? ERR_OK : sink_emit(s, doc, err);
}

TEST(a_lost_document_is_noticed)
{
    const char *dir = check_tmpdir();
    char docs[400], out[400];
    const char *in = docs;
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions common = {0};
    Par par = par_alone(2);
    DatasetSet *set;

    CHECK_OK(make(in_dir(docs, dir, "docs"), 2, common, "{}", &t, &err), &err);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    StageJob job = {.def = &copy_def,
                    .params = SPAN_LIT("{}"),
                    .out_dir = in_dir(out, dir, "out"),
                    .set = set,
                    .map = losing_map,
                    .common = &common};
    CHECK_INT(ERR_DATA, stage_run(&job, &par, &t, &err));
    CHECK(strstr(err.msg, "lost") != NULL);
    datasetset_close(set);
}

TEST(a_changed_base_is_named)
{
    const char *dir = check_tmpdir();
    char docs[400], view[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Dataset *ds;

    CHECK_OK(make(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    /* the base is made anew out of the view itself: other content under the same path */
    CHECK_OK(make(docs, 2, (CommonOptions){.force = true}, "{\"x\":1}", &t, &err), &err);
    CHECK_OK(dataset_open(&ds, view, &err), &err); /* same documents: same content, still fine */
    dataset_close(ds);
    char path[460];
    snprintf(path, sizeof path, "%s/manifest.json", docs);
    CHECK_INT(0, unlink(path));
    CHECK_INT(ERR_DATA, dataset_open(&ds, view, &err));
    CHECK(strstr(err.msg, "docs") != NULL);
}

/* A job array starts in one moment: nobody may take another's plan for a stranger's, or wipe it. */
TEST(tasks_may_start_together)
{
    enum { TASKS = 6, ROUNDS = 8 };
    const char *dir = check_tmpdir();
    char path[400], name[16];
    StageTotals t;
    Err err = {.code = ERR_OK};

    for (int round = 0; round < ROUNDS && !CHECK_TSAN; round++) {
        pid_t child[TASKS];
        snprintf(name, sizeof name, "r%d", round);
        in_dir(path, dir, name);
        for (uint32_t i = 0; i < TASKS; i++)
            if ((child[i] = fork()) == 0) _exit(make(path, 1, (CommonOptions){.task = {i, TASKS}}, "{}", &t, &err));
        for (int i = 0; i < TASKS; i++) {
            int status = -1;
            CHECK(waitpid(child[i], &status, 0) == child[i]);
            CHECK_INT(0, status);
        }
        CHECK_OK(make(path, 1, (CommonOptions){0}, "{}", &t, &err), &err);
        CHECK(t.complete && t.n_parts_done == 0);
    }
}

TEST(force_spares_what_the_input_looks_at)
{
    const char *dir = check_tmpdir();
    char docs[400], view[400], other[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions force = {.force = true}, reject = {.rejected = docs};

    CHECK_OK(make(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK_INT(ERR_USAGE, judge_with(&judge_def, judge_map, force, docs, docs, 1, 70, &t, &err));
    CHECK_INT(ERR_USAGE, judge_with(&judge_def, judge_map, force, view, docs, 1, 70, &t, &err));
    CHECK(strstr(err.msg, "docs") != NULL);
    CHECK_INT(ERR_USAGE,
              judge_with(&judge_def, judge_map, reject, view, in_dir(other, dir, "other"), 1, 70, &t, &err));
    CHECK(strstr(err.msg, "--rejected") != NULL);
    err = (Err){.code = ERR_OK};
    content_of(docs);
    CHECK_OK(make(docs, 1, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK(t.up_to_date);
}

/* A view whose base grew by documents it does not show has the same content, but its records have other numbers: what was made
 * over it must not count as up to date. */
TEST(a_view_over_other_records_is_another_input)
{
    const char *dir = check_tmpdir(), *from;
    char docs[400], view[400], view2[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions force = {.force = true};

    CHECK_OK(make(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK_OK(judge(view, in_dir(view2, dir, "view2"), 2, 80, &t, &err), &err);
    Hash128 before = content_of(view), result = content_of(view2);
    CHECK_OK(make_from(&with_more, docs, 2, force, "{\"more\":1}", &t, &err), &err);
    CHECK_OK(judge_with(&judge_def, judge_map, force, docs, view, 2, 60, &t, &err), &err);
    CHECK(hash128_eq(before, content_of(view)));
    CHECK_INT(ERR_DATA, judge(view, view2, 2, 80, &t, &err));
    err = (Err){.code = ERR_OK};
    CHECK_OK(judge_with(&judge_def, judge_map, force, view, view2, 2, 80, &t, &err), &err);
    CHECK(hash128_eq(result, content_of(view2)));

    DocCursor *c;
    Doc doc;
    DocId id;
    bool end;
    uint64_t n = 0;
    from = view2;
    CHECK_OK(doccursor_open(&c, &from, 1, &err), &err);
    while (doccursor_next(c, &doc, &id, &end, &err) == ERR_OK && !end) n++;
    CHECK_INT(t.n_docs, n);
    doccursor_close(c);
}

/* Says something of every other document only. */
static ErrCode sparse_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    (void)ctx, (void)worker, (void)err;
    sink_u32(s, 0, 0, 5);
    if (id % 2) sink_f32(s, 1, 0, 0.25f);
    if (id % 4 == 3) sink_string(s, 2, SPAN_LIT("sparse"));
    if (doc->text.n > 200) sink_drop(s, 1, doc->id, doc);
    return ERR_OK;
}

TEST(where_a_view_is_silent_the_older_one_speaks)
{
    const char *dir = check_tmpdir();
    char docs[400], view[400], sparse[400], copy[400];
    const char *from = sparse;
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions common = {0};
    Par par = par_alone(2);
    DatasetSet *set;
    DocCursor *c;
    Doc doc;
    DocId id;
    bool end;
    uint64_t n_half = 0;

    CHECK_OK(make(in_dir(docs, dir, "docs"), 2, common, "{}", &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK_OK(judge_with(&judge_def, sparse_map, common, view, in_dir(sparse, dir, "sparse"), 2, 0, &t, &err), &err);
    CHECK_OK(datasetset_open(&set, &from, 1, &err), &err);
    StageJob job = {.def = &copy_def,
                    .params = SPAN_LIT("{}"),
                    .out_dir = in_dir(copy, dir, "copy"),
                    .set = set,
                    .map = copy_map,
                    .common = &common};
    CHECK_OK(stage_run(&job, &par, &t, &err), &err);
    datasetset_close(set);
    CHECK(hash128_eq(content_of(sparse), content_of(copy)));

    CHECK_OK(doccursor_open(&c, &from, 1, &err), &err);
    while (doccursor_next(c, &doc, &id, &end, &err) == ERR_OK && !end) {
        bool half = id % 2 || doc.text.n % 2 == 0;
        CHECK_INT(half ? 2 : 1, doc.n_signals);
        CHECK(doc.signals[0].value == 5);
        if (half) CHECK(doc.signals[1].value == (id % 2 ? 0.25 : (double)doc.text.n / 2)), n_half++;
        CHECK_SPAN(id % 4 == 3 ? SPAN_LIT("sparse") : doc.text.n % 3 ? SPAN_LIT("a") : doc.lang, doc.domain);
    }
    CHECK(n_half > 50);
    doccursor_close(c);
}

/* Documents of an even number of bytes, to which `judge` joins two signals; *ctx of their own. */
static ErrCode many_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    static char name[DOC_MAX_SIGNALS][16];
    Signal signals[DOC_MAX_SIGNALS];
    char id[32];

    (void)worker;
    for (int i = 0; i < DOC_MAX_SIGNALS; i++) {
        snprintf(name[i], sizeof name[i], "s%05d", i);
        signals[i] = (Signal){span_str(name[i]), i};
    }
    snprintf(id, sizeof id, "local/many#%u", le32_get(block->bytes.p));
    Doc doc = {.id = span_str(id),
               .text = SPAN_LIT("even"),
               .lang = SPAN_LIT("en"),
               .signals = signals,
               .n_signals = *(uint32_t *)ctx};
    sink_in(sink, doc.id, doc.text.n);
    return sink_emit(sink, &doc, err);
}

static ErrCode copy_of(const char *in, const char *out, StageTotals *t, Err *err)
{
    CommonOptions common = {0};
    Par par = par_alone(1);
    DatasetSet *set;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc != ERR_OK) return rc;
    StageJob job = {
        .def = &copy_def, .params = SPAN_LIT("{}"), .out_dir = out, .set = set, .map = copy_map, .common = &common};
    rc = stage_run(&job, &par, t, err);
    datasetset_close(set);
    return rc;
}

TEST(signals_that_no_line_could_hold_are_refused_when_they_are_joined)
{
    for (uint32_t n = DOC_MAX_SIGNALS - 2; n < DOC_MAX_SIGNALS; n++) {
        const char *dir = check_tmpdir();
        char docs[400], view[400], copy[400];
        StageTotals t;
        Err err = {.code = ERR_OK};
        StageSource source = fake_source;
        source.ctx = &n;
        source.part_bytes = fake_bytes;
        source.map = many_map;
        CHECK_OK(make_from(&source, in_dir(docs, dir, "docs"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
        ErrCode rc = judge(docs, in_dir(view, dir, "view"), 1, 0, &t, &err);
        if (n + 2 > DOC_MAX_SIGNALS) {
            CHECK_INT(ERR_DATA, rc); /* all parts are damaged */
            CHECK(strstr(err.msg, "local/many#") != NULL);
            continue;
        }
        CHECK_OK(rc, &err);
        CHECK_OK(copy_of(view, in_dir(copy, dir, "copy"), &t, &err), &err);
        CHECK(hash128_eq(content_of(view), content_of(copy)));
        CHECK_OK(judge(copy, in_dir(view, dir, "again"), 1, 0, &t, &err),
                 &err); /* the same names: replaced, not added */
    }
}

/* Two documents in one block, which have a member `reason` of their own: spelled plainly, and with an escape. */
static ErrCode reason_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    static const char *const extra[] = {"\"reason\":[\"their, own\"],\"x\":1", "\"a\":{},\"re\\u0061son\":0"};

    (void)ctx, (void)worker, (void)err;
    for (uint32_t i = 0; i < 2; i++) {
        char id[40];
        snprintf(id, sizeof id, "local/reason#%u.%u", le32_get(block->bytes.p), i);
        Doc doc = {.id = span_str(id), .text = SPAN_LIT("t"), .extra = span_str(extra[i])};
        sink_in(sink, doc.id, doc.text.n);
        sink_drop(sink, 1, doc.id, &doc);
    }
    return ERR_OK;
}

TEST(a_rejected_document_has_one_reason)
{
    const char *dir = check_tmpdir();
    char docs[400], rejected[400], path[460];
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions common = {.rejected = in_dir(rejected, dir, "rejected")};
    StageSource source = fake_source;
    PartFile *f;
    PartCoder *c;
    Buf text = {0};

    source.map = reason_map;
    CHECK_OK(make_from(&source, in_dir(docs, dir, "docs"), 1, common, "{}", &t, &err), &err);
    snprintf(path, sizeof path, "%s/part-000000.jsonl.zst", rejected);
    CHECK_OK(partcoder_new(&c, 3, &err), &err);
    CHECK_OK(partfile_open(&f, path, &err), &err);
    CHECK_OK(partcoder_read(c, f, 0, &text, &err), &err);
    Span first = span(text.p, span_find(buf_span(&text), '\n')), rest = span_from(buf_span(&text), first.n + 1);
    CHECK_SPAN(SPAN_LIT("{\"id\":\"local/reason#0.0\",\"text\":\"t\",\"reason\":\"unlucky\",\"x\":1}"), first);
    CHECK_SPAN(SPAN_LIT("{\"id\":\"local/reason#0.1\",\"text\":\"t\",\"reason\":\"unlucky\",\"a\":{}}"),
               span(rest.p, span_find(rest, '\n')));
    buf_clear(&text);
    partfile_close(f);
    partcoder_free(c);
}

/* Level k looks twice at level k - 1, so that what lies below it doubles: 3 * 2^(k - 1) - 1 datasets. */
TEST(bases_that_share_bases_are_bounded)
{
    enum { LEVELS = 14 };
    const char *dir = check_tmpdir();
    char path[400], docs[400], name[48], hex[HASH128_HEX];
    StageTotals t;
    Buf manifest = {0}, parts = {0}, made = {0};
    Err err = {.code = ERR_OK};
    Dataset *ds;

    CHECK_OK(make(in_dir(docs, dir, "0"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(path, dir, "1"), 1, 60, &t, &err), &err);
    hash128_hex(hex, content_of(path));
    CHECK_OK(store_read(in_dir(path, dir, "1/manifest.json"), 1 << 20, &manifest, &err), &err);
    CHECK_OK(store_read(in_dir(path, dir, "1/parts.jsonl"), 1 << 20, &parts, &err), &err);
    const char *text = buf_cstr(&manifest), *base = strstr(text, "\"base\":["), *rest = strchr(base, ']');
    for (int k = 2; k <= LEVELS; k++) {
        buf_reset(&made);
        buf_put(&made, text, (size_t)(base - text));
        buf_printf(&made, "\"base\":[{\"path\":\"../%d\",\"content\":\"%s\"},", k - 1, hex);
        buf_printf(&made, "{\"path\":\"../%d\",\"content\":\"%s\"}%s", k - 1, hex, rest);
        snprintf(name, sizeof name, "%d", k);
        CHECK_OK(store_mkdirs(in_dir(path, dir, name), &err), &err);
        snprintf(name, sizeof name, "%d/manifest.json", k);
        CHECK_OK(store_write(in_dir(path, dir, name), buf_span(&made), &err), &err);
        snprintf(name, sizeof name, "%d/parts.jsonl", k);
        CHECK_OK(store_write(in_dir(path, dir, name), buf_span(&parts), &err), &err);
    }
    CHECK_OK(dataset_open(&ds, in_dir(path, dir, "3"), &err), &err);
    dataset_close(ds);
    CHECK_INT(ERR_LIMIT, dataset_open(&ds, in_dir(path, dir, "14"), &err));
    CHECK(strstr(err.msg, "datasets below one view") != NULL);
    buf_clear(&made);
    buf_clear(&manifest);
    buf_clear(&parts);
}

TEST(a_part_that_shows_other_documents_than_its_manifest_says_is_refused)
{
    const char *dir = check_tmpdir();
    char docs[400], a[400], b[400], out[400], path[460];
    StageTotals t;
    Buf cols = {0};
    Err err = {.code = ERR_OK};

    CHECK_OK(make(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(a, dir, "a"), 2, 60, &t, &err), &err);
    CHECK_OK(judge(docs, in_dir(b, dir, "b"), 2, 100, &t, &err), &err);
    snprintf(path, sizeof path, "%s/part-000001.judge.cols", b);
    CHECK_OK(store_read(path, 1 << 20, &cols, &err), &err);
    snprintf(path, sizeof path, "%s/part-000001.judge.cols", a);
    CHECK_OK(store_write(path, buf_span(&cols), &err), &err);
    CHECK_INT(ERR_DATA, judge(a, in_dir(out, dir, "out"), 2, 0, &t, &err));
    CHECK(strstr(err.msg, "manifest says") != NULL);
    buf_clear(&cols);
}

TEST(a_set_has_one_order_however_it_is_spelled)
{
    const char *dir = check_tmpdir();
    char a[400], b[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    DatasetSet *set;

    CHECK_OK(make(in_dir(a, dir, "a"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(make(in_dir(b, dir, "b"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
    const char *dirs[] = {in_dir(b, dir, "b/."), a};
    CHECK_OK(datasetset_open(&set, dirs, 2, &err), &err);
    CHECK_STR(a, dataset_dir(datasetset_at(set, 0)));
    CHECK_INT(0, docid_dataset(datasetset_docid(set, 0)));
    CHECK_INT(1, docid_dataset(datasetset_docid(set, N_PARTS)));
    datasetset_close(set);
}
