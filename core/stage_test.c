/* The map engine against a slow obvious version: the same documents produced, judged and hashed in one loop. */
#include "core/stage_fake_test.h"
#include "core/stage_made_test.h"
#include "core/store.h"
#include "tests/check.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The same documents in blocks of WIDE_BYTES, counting how many were read and not yet mapped while one is. */
enum { WIDE_BYTES = 1 << 20 };
static atomic_int wide_read, wide_mapped, wide_most;

static ErrCode wide_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    ErrCode rc = made_source.next(cursor, block, end, err);

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
    return made_source.map(ctx, worker, block, sink, err);
}

TEST(written_dataset_has_the_slow_versions_content)
{
    static const int threads[] = {1, 2, 7};
    const char *dir = check_tmpdir();
    char path[400], name[16];
    uint64_t n_docs = 0;
    uint8_t contents[16 * MADE_PARTS];

    for (uint32_t p = 0; p < MADE_PARTS; p++) hash128_put(contents + 16 * p, made_slow_part(p, &n_docs));
    for (int i = 0; i < 3; i++) {
        StageTotals t;
        Err err = {.code = ERR_OK};
        snprintf(name, sizeof name, "t%d", i);
        CHECK_OK(made(in_dir(path, dir, name), threads[i], (CommonOptions){0}, "{}", &t, &err), &err);
        CHECK(t.complete && !t.up_to_date);
        CHECK_INT(n_docs, t.n_docs);
        CHECK_INT(4 * MADE_BLOCKS * MADE_PER_BLOCK, t.n_in);
        CHECK(hash128_eq(content_of(path), hash128(span(contents, sizeof contents))));
        CHECK_OK(made(path, 2, (CommonOptions){0}, "{}", &t, &err), &err);
        CHECK(t.up_to_date);
    }
}

/* More parts than the commit opens at a time, by several threads: their order is that of one loop, and so is what it fails at. */
TEST(a_commit_of_many_parts_adds_them_up_in_order)
{
    enum { MANY = 130 };
    static const uint32_t torn[] = {120, 70, 71};
    StageSource many = made_source;
    const char *dir = check_tmpdir();
    char path[400];
    uint64_t n_docs = 0;
    uint8_t contents[16 * MANY];
    uint32_t have, all;
    bool done;
    StageTotals t;
    Err err = {.code = ERR_OK};

    many.n_parts = MANY;
    for (uint32_t p = 0; p < MANY; p++) hash128_put(contents + 16 * p, made_slow_part(p, &n_docs));
    CHECK_OK(made_from(&many, dir, 2, (CommonOptions){0}, "{}", &t, &err), &err);
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
    StageSource wide = made_source;
    static const struct {
        uint64_t memory;
        int at_most;
    } cases[] = {{1, 1}, {2 * WIDE_BYTES, 1}, {14 * WIDE_BYTES, 3}, {1 << 30, 4 * 2 + 2}};
    const char *dir = check_tmpdir();
    char whole[400], path[400], name[16];
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(made(in_dir(whole, dir, "whole"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    wide.next = wide_next;
    wide.map = wide_map;
    for (int i = 0; i < 4; i++) {
        CommonOptions common = {.memory = cases[i].memory};
        wide_read = wide_mapped = wide_most = 0;
        snprintf(name, sizeof name, "m%d", i);
        CHECK_OK(made_from(&wide, in_dir(path, dir, name), 4, common, "{}", &t, &err), &err);
        CHECK(wide_most >= 1 && wide_most <= cases[i].at_most);
        CHECK(hash128_eq(content_of(whole), content_of(path)));
    }
    CHECK(wide_most > 1); /* the last has room */
}

TEST(tasks_and_a_lost_part_end_in_the_same_content)
{
    const char *dir = check_tmpdir();
    char whole[400], split[400], path[460];
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(made(in_dir(whole, dir, "whole"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    in_dir(split, dir, "split");
    CHECK_OK(made(split, 1, (CommonOptions){.task = {1, 2}}, "{}", &t, &err), &err);
    CHECK(!t.complete && t.n_parts_done > 0 && t.n_parts_done < MADE_PARTS);
    CHECK_OK(made(split, 2, (CommonOptions){.task = {0, 2}}, "{}", &t, &err), &err);
    CHECK(t.complete);
    CHECK(hash128_eq(content_of(whole), content_of(split)));

    snprintf(path, sizeof path, "%s/manifest.json", split);
    CHECK_INT(0, unlink(path));
    snprintf(path, sizeof path, "%s/part-000002.jsonl.zst", split);
    CHECK_INT(0, unlink(path));
    CHECK_OK(made(split, 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_INT(1, t.n_parts_done);
    CHECK_INT(MADE_PARTS - 1, t.n_parts_reused);
    CHECK(hash128_eq(content_of(whole), content_of(split)));
}

TEST(another_run_is_refused_and_force_replaces_it)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(made(in_dir(path, dir, "d"), 1, (CommonOptions){0}, "{\"a\":1}", &t, &err), &err);
    CHECK_INT(ERR_DATA, made(path, 1, (CommonOptions){0}, "{\"a\":2}", &t, &err));
    CHECK(strstr(err.msg, "another run") != NULL);
    err = (Err){.code = ERR_OK};
    CHECK_OK(made(path, 1, (CommonOptions){.force = true}, "{\"a\":2}", &t, &err), &err);
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

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, common, "{}", &t, &err), &err);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    StageJob job = {.def = &made_copy_def,
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

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    /* the base is made anew out of the view itself: other content under the same path */
    CHECK_OK(made(docs, 2, (CommonOptions){.force = true}, "{\"x\":1}", &t, &err), &err);
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
            if ((child[i] = fork()) == 0) _exit(made(path, 1, (CommonOptions){.task = {i, TASKS}}, "{}", &t, &err));
        for (int i = 0; i < TASKS; i++) {
            int status = -1;
            CHECK(waitpid(child[i], &status, 0) == child[i]);
            CHECK_INT(0, status);
        }
        CHECK_OK(made(path, 1, (CommonOptions){0}, "{}", &t, &err), &err);
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

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK_INT(ERR_USAGE, made_judge_with(&made_judge_def, made_judge_map, force, docs, docs, 1, 70, &t, &err));
    CHECK_INT(ERR_USAGE, made_judge_with(&made_judge_def, made_judge_map, force, view, docs, 1, 70, &t, &err));
    CHECK(strstr(err.msg, "docs") != NULL);
    CHECK_INT(ERR_USAGE, made_judge_with(&made_judge_def, made_judge_map, reject, view, in_dir(other, dir, "other"),
                                         1, 70, &t, &err));
    CHECK(strstr(err.msg, "--rejected") != NULL);
    err = (Err){.code = ERR_OK};
    content_of(docs);
    CHECK_OK(made(docs, 1, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK(t.up_to_date);
}

/* What lies beside a document: its bytes, its id, and where it is in English something more. */
static ErrCode beside_put(void *ctx, void *worker, const Doc *doc, StageSink *sink, Err *err)
{
    (void)ctx, (void)worker, (void)err;
    sink_u32(sink, 0, 0, (uint32_t)doc->text.n);
    sink_string(sink, 1, doc->id);
    if (span_is(doc->lang, "en")) sink_values(sink, 2, "abc"), sink_string(sink, 3, doc->lang);
    return ERR_OK;
}

static void check_beside(const char *dir, uint32_t part, Hash128 content)
{
    static const ColumnDef defs[] = {
        {"bytes", COL_U32, 1, 0}, {"id", COL_STRING, 1, 0}, {"more", COL_U8, 3, 0}, {"lang", COL_STRING, 1, 0}};
    Span values[4], pool[4], s;
    char path[500], id[32], text[600];
    uint32_t n = 0;
    Columns *cols;
    Doc doc;
    Err err = {.code = ERR_OK};

    snprintf(path, sizeof path, "%s/part-%06u.side.cols", dir, (unsigned)part);
    CHECK_OK(columns_open(&cols, path, &err), &err);
    CHECK(hash128_eq(content, columns_part(cols)));
    CHECK_SPAN(SPAN_LIT("{\"how\":1}"), columns_receipt(cols));
    for (int c = 0; c < 4; c++) CHECK_OK(columns_typed(cols, &defs[c], &values[c], &pool[c], &err), &err);
    for (uint32_t r = 0; part != 3 && r < MADE_BLOCKS * MADE_PER_BLOCK; r++) {
        if (!made_doc(part * 100000 + r, &doc, id, text)) continue;
        bool en = span_is(doc.lang, "en");
        CHECK_INT(doc.text.n, le32_get(values[0].p + 4 * (size_t)n));
        CHECK_OK(column_string(cols, values[1], pool[1], n, &s, &err), &err);
        CHECK_SPAN(doc.id, s);
        CHECK(memcmp(values[2].p + 3 * (size_t)n, en ? "abc" : "\0\0", 3) == 0);
        CHECK_OK(column_string(cols, values[3], pool[3], n, &s, &err), &err);
        CHECK_INT(en, s.p != NULL);
        n++;
    }
    CHECK_INT(n, columns_n_docs(cols));
    columns_close(cols);
}

TEST(columns_beside_documents_have_a_row_for_each)
{
    static const ColumnDef defs[] = {
        {"bytes", COL_U32, 1, 0}, {"id", COL_STRING, 1, 0}, {"more", COL_U8, 3, 0}, {"lang", COL_STRING, 1, 0}};
    const StageBeside beside = {
        .name = "side", .columns = defs, .n_columns = 4, .receipt = SPAN_LIT("{\"how\":1}"), .put = beside_put};
    const char *dir = check_tmpdir();
    char plain[400], out[400], name[16], path[500];
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(made(in_dir(plain, dir, "plain"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
    for (int threads = 1; threads < 8; threads += 3) {
        const CommonOptions common = {.memory = threads == 4 ? 1 : 0};
        snprintf(name, sizeof name, "t%d", threads);
        in_dir(out, dir, name);
        for (int again = 0; again < 2; again++) {
            Par par = par_alone(threads);
            StageJob job = {.def = &made_plain_def,
                            .params = SPAN_LIT("{}"),
                            .inputs = SPAN_LIT("[]"),
                            .out_dir = out,
                            .source = &made_source,
                            .beside = &beside,
                            .common = &common};
            CHECK_OK(stage_run(&job, &par, &t, &err), &err);
            CHECK_INT(again ? 1 : MADE_PARTS, t.n_parts_done);
            CHECK(hash128_eq(content_of(plain), content_of(out)));
            for (uint32_t p = 0; p < MADE_PARTS; p++) {
                uint64_t n_docs = 0;
                check_beside(out, p, made_slow_part(p, &n_docs));
            }
            /* a part that is lost comes back with what lies beside it */
            snprintf(path, sizeof path, "%s/manifest.json", out);
            CHECK_INT(0, unlink(path));
            snprintf(path, sizeof path, "%s/part-000001.jsonl.zst", out);
            CHECK_INT(0, unlink(path));
            snprintf(path, sizeof path, "%s/part-000001.side.cols", out);
            CHECK_INT(0, truncate(path, 100));
        }
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
    StageSource source = made_source;
    PartFile *f;
    PartCoder *c;
    Buf text = {0};

    source.map = reason_map;
    CHECK_OK(made_from(&source, in_dir(docs, dir, "docs"), 1, common, "{}", &t, &err), &err);
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
    Buf manifest = {0}, parts = {0}, spelled = {0};
    Err err = {.code = ERR_OK};
    Dataset *ds;

    CHECK_OK(made(in_dir(docs, dir, "0"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(path, dir, "1"), 1, 60, &t, &err), &err);
    hash128_hex(hex, content_of(path));
    CHECK_OK(store_read(in_dir(path, dir, "1/manifest.json"), 1 << 20, &manifest, &err), &err);
    CHECK_OK(store_read(in_dir(path, dir, "1/parts.jsonl"), 1 << 20, &parts, &err), &err);
    const char *text = buf_cstr(&manifest), *base = strstr(text, "\"base\":["), *rest = strchr(base, ']');
    for (int k = 2; k <= LEVELS; k++) {
        buf_reset(&spelled);
        buf_put(&spelled, text, (size_t)(base - text));
        buf_printf(&spelled, "\"base\":[{\"path\":\"../%d\",\"content\":\"%s\"},", k - 1, hex);
        buf_printf(&spelled, "{\"path\":\"../%d\",\"content\":\"%s\"}%s", k - 1, hex, rest);
        snprintf(name, sizeof name, "%d", k);
        CHECK_OK(store_mkdirs(in_dir(path, dir, name), &err), &err);
        snprintf(name, sizeof name, "%d/manifest.json", k);
        CHECK_OK(store_write(in_dir(path, dir, name), buf_span(&spelled), &err), &err);
        snprintf(name, sizeof name, "%d/parts.jsonl", k);
        CHECK_OK(store_write(in_dir(path, dir, name), buf_span(&parts), &err), &err);
    }
    CHECK_OK(dataset_open(&ds, in_dir(path, dir, "3"), &err), &err);
    dataset_close(ds);
    CHECK_INT(ERR_LIMIT, dataset_open(&ds, in_dir(path, dir, "14"), &err));
    CHECK(strstr(err.msg, "datasets below one view") != NULL);
    buf_clear(&spelled);
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

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(a, dir, "a"), 2, 60, &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(b, dir, "b"), 2, 100, &t, &err), &err);
    snprintf(path, sizeof path, "%s/part-000001.judge.cols", b);
    CHECK_OK(store_read(path, 1 << 20, &cols, &err), &err);
    snprintf(path, sizeof path, "%s/part-000001.judge.cols", a);
    CHECK_OK(store_write(path, buf_span(&cols), &err), &err);
    CHECK_INT(ERR_DATA, made_judge(a, in_dir(out, dir, "out"), 2, 0, &t, &err));
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

    CHECK_OK(made(in_dir(a, dir, "a"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(made(in_dir(b, dir, "b"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
    const char *dirs[] = {in_dir(b, dir, "b/."), a};
    CHECK_OK(datasetset_open(&set, dirs, 2, &err), &err);
    CHECK_STR(a, dataset_dir(datasetset_at(set, 0)));
    CHECK_INT(0, docid_dataset(datasetset_docid(set, 0)));
    CHECK_INT(1, docid_dataset(datasetset_docid(set, MADE_PARTS)));
    datasetset_close(set);
}
