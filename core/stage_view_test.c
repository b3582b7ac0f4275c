/* Views against a slow obvious version of what they contain and show. */
#include "core/stage_fake_test.h"
#include "core/stage_made_test.h"
#include "core/store.h"
#include "tests/check.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What docs/formats.md says of the view that made_judge_map() makes of a part: `*input`, its content, becomes that of the view. `twice`: of a
 * view of that with the limit `twice`, over it. Lines of a copy go to `lines`. */
static void slow_judge(uint32_t part, uint32_t least, uint32_t twice, Hash128 *content, Buf *lines)
{
    char id[32], text[600];
    uint32_t record = 0;
    Buf rows = {0};
    uint8_t word[16];
    Doc doc;

    hash128_put(word, *content);
    buf_put(&rows, word, 16);
    buf_put(&rows,
            "bytes\0\2\1\1\0"
            "half\0\4\1\1\0"
            "domain\0\5\2\1\0",
            10 + 9 + 11);
    for (uint32_t r = 0; part != 3 && r < MADE_BLOCKS * MADE_PER_BLOCK; r++) {
        if (!made_doc(part * 100000 + r, &doc, id, text)) continue;
        record++;
        if (doc.text.n < least || doc.text.n < twice) continue;
        const bool even = doc.text.n % 2 == 0;
        const float half = (float)doc.text.n / 2;
        uint32_t bits;
        Signal signals[2] = {{SPAN_LIT("bytes"), (double)doc.text.n}, {SPAN_LIT("half"), (double)half}};
        doc.domain = doc.text.n % 3 ? SPAN_LIT("a") : doc.lang;
        memcpy(&bits, &half, sizeof bits);
        le32_put(word, record - 1);
        le32_put(word + 4, (uint32_t)doc.text.n);
        le32_put(word + 8, even ? bits : 0x7fc00000);
        le32_put(word + 12, (uint32_t)doc.domain.n);
        buf_put(&rows, word, 16);
        buf_put_span(&rows, doc.domain);
        doc.signals = signals;
        doc.n_signals = even ? 2 : 1;
        if (lines) doc_write(lines, &doc);
    }
    *content = hash128(buf_span(&rows));
    buf_clear(&rows);
}

/* Contents of what made_judge() makes of `fake` with `least` (and of that with `twice`, if it is not 0), and of a copy of it. */
static void slow_judged(uint32_t least, uint32_t twice, Hash128 *view, Hash128 *copy)
{
    uint8_t views[16 * MADE_PARTS], copies[16 * MADE_PARTS];
    uint64_t n_docs = 0;

    for (uint32_t p = 0; p < MADE_PARTS; p++) {
        Buf lines = {0};
        Hash128 content = made_slow_part(p, &n_docs);
        slow_judge(p, least, 0, &content, twice ? NULL : &lines);
        if (twice) slow_judge(p, least, twice, &content, &lines);
        hash128_put(views + 16 * p, content);
        hash128_put(copies + 16 * p, hash128(buf_span(&lines)));
        buf_clear(&lines);
    }
    *view = hash128(span(views, sizeof views));
    *copy = hash128(span(copies, sizeof copies));
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

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, common, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK(t.n_dropped > 50 && t.n_docs > 50);
    uint64_t n_first = t.n_docs;
    CHECK_OK(made_judge(view, in_dir(view2, dir, "view2"), 7, 100, &t, &err), &err);
    CHECK_INT(n_first, t.n_in);
    CHECK(t.n_docs < n_first);
    CHECK_OK(datasetset_open(&set, &from, 1, &err), &err);
    StageJob job = {.def = &made_copy_def,
                    .params = SPAN_LIT("{}"),
                    .out_dir = in_dir(copy, dir, "copy"),
                    .set = set,
                    .map = made_copy_map,
                    .common = &common};
    CHECK_OK(stage_run(&job, &par, &t, &err), &err);
    datasetset_close(set);
    Hash128 want_view, want_copy;
    slow_judged(60, 0, &want_view, &want_copy);
    CHECK(hash128_eq(want_view, content_of(view)));
    slow_judged(60, 100, &want_view, &want_copy);
    CHECK(hash128_eq(want_view, content_of(view2)));
    CHECK(hash128_eq(want_copy, content_of(copy)));

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

/* A view whose base grew by documents it does not show shows the same, but its records have other numbers: it has another content, and
 * what was made over it does not count as up to date. */
TEST(a_view_over_other_records_is_another_input)
{
    const char *dir = check_tmpdir(), *from;
    char docs[400], view[400], view2[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions force = {.force = true};

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK_OK(made_judge(view, in_dir(view2, dir, "view2"), 2, 80, &t, &err), &err);
    Hash128 before = content_of(view), result = content_of(view2);
    CHECK_OK(made_from(&made_with_more, docs, 2, force, "{\"more\":1}", &t, &err), &err);
    CHECK_OK(made_judge_with(&made_judge_def, made_judge_map, force, docs, view, 2, 60, &t, &err), &err);
    CHECK(!hash128_eq(before, content_of(view)));
    CHECK_INT(ERR_DATA, made_judge(view, view2, 2, 80, &t, &err));
    err = (Err){.code = ERR_OK};
    CHECK_OK(made_judge_with(&made_judge_def, made_judge_map, force, view, view2, 2, 80, &t, &err), &err);
    CHECK(!hash128_eq(result, content_of(view2)));

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

/* What made_judge_map() says, by numbers that were written down before. */
typedef struct {
    uint32_t least, text_part, n_open; /* parts below text_part are mapped; n_open others were opened */
    atomic_uint n_texts;               /* documents that were mapped */
    uint32_t n_signals;                /* that each may have */
    uint32_t n[MADE_PARTS];
    StageRow row[MADE_PARTS][MADE_BLOCKS * MADE_PER_BLOCK];
} Facts;

static void facts_make(Facts *f, uint32_t least, uint32_t text_part)
{
    char id[32], text[600];
    Doc doc;

    memset(f, 0, sizeof *f);
    f->least = least;
    f->text_part = text_part;
    for (uint32_t p = 0; p < MADE_PARTS; p++)
        for (uint32_t r = 0; p != 3 && r < MADE_BLOCKS * MADE_PER_BLOCK; r++)
            if (made_doc(p * 100000 + r, &doc, id, text))
                f->row[p][f->n[p]++] =
                    (StageRow){.id_hash = hash64(doc.id),
                               .bytes = doc.text.n,
                               .lang = span_is(doc.lang, "en") ? SPAN_LIT("en") : SPAN_LIT("zh-Hans")};
}

/* One thread's: what is said of the rows that were brought up. */
typedef struct {
    uint32_t part, first, end;
} FactsWorker;

static ErrCode facts_worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx, (void)err;
    *worker = calloc(1, sizeof(FactsWorker));
    return *worker ? ERR_OK : err_nomem(err, "facts");
}

static ErrCode facts_rows(void *ctx, void *worker, void *said, uint32_t first, uint32_t n, Err *err)
{
    (void)ctx, (void)err;
    CHECK(n > 0 && n <= STAGE_ROWS);
    *(FactsWorker *)worker = (FactsWorker){*(const uint32_t *)said, first, first + n};
    return ERR_OK;
}

static ErrCode facts_row(void *ctx, void *worker, void *said, PartView *view, uint32_t record, StageRow *row,
                         StageSink *s, Err *err)
{
    const Facts *f = ctx;
    const FactsWorker *w = worker;
    const uint32_t part = *(const uint32_t *)said;

    (void)err;
    CHECK(record < f->n[part] && part == w->part && record >= w->first && record < w->end);
    *row = f->row[part][record];
    row->n_signals = f->n_signals;
    sink_u32(s, 0, 0, (uint32_t)row->bytes);
    if (row->bytes % 2 == 0) sink_f32(s, 1, 0, (float)row->bytes / 2);
    sink_string(s, 2, row->bytes % 3 ? SPAN_LIT("a") : row->lang);
    sink_u64(s, 3, 1, partview_docid(view, record));
    if (row->bytes < f->least) sink_drop(s, 0, (Span){NULL, 0}, NULL);
    return ERR_OK;
}

static ErrCode facts_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    Facts *f = ctx;

    f->n_texts++;
    return made_judge_map(&f->least, worker, doc, id, s, err);
}

static ErrCode facts_open(void *ctx, const PartView *view, uint32_t part, void **said, Err *err)
{
    Facts *f = ctx;
    uint32_t *own = part < f->text_part ? NULL : malloc(sizeof *own);

    (void)view, (void)err;
    if (own) *own = part;
    f->n_open += own != NULL;
    *said = own;
    return ERR_OK;
}

static const StageJudge by_facts = {.open = facts_open, .close = free, .rows = facts_rows, .row = facts_row};

static void judge_by_facts(Facts *f, const char *in, const char *out, const CommonOptions *common)
{
    StageDef def = made_judge_def;
    char params[64];
    Par par = par_alone(3);
    DatasetSet *set;
    StageTotals t;
    Err err = {.code = ERR_OK};

    snprintf(params, sizeof params, "{\"least\":%u}", f->least);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    def.worker_new = facts_worker_new;
    def.worker_free = free;
    StageJob job = {.def = &def,
                    .ctx = f,
                    .params = span_str(params),
                    .out_dir = out,
                    .set = set,
                    .map = facts_map,
                    .judge = &by_facts,
                    .common = common};
    CHECK_OK(stage_run(&job, &par, &t, &err), &err);
    CHECK(t.complete && !t.up_to_date);
    CHECK_INT(MADE_PARTS - f->text_part, f->n_open); /* each once, whatever the threads */
    datasetset_close(set);
}

static bool same_columns(const char *a_dir, const char *b_dir, const char *name)
{
    static const ColumnDef drop = {"drop", COL_U8, 1, 0};
    Span values[2] = {{NULL, 0}}, pool[2] = {{NULL, 0}};
    Columns *cols[2];
    char path[2][500];
    Err err = {.code = ERR_OK};
    bool same = true;

    snprintf(path[0], sizeof path[0], "%s/%s", a_dir, name);
    snprintf(path[1], sizeof path[1], "%s/%s", b_dir, name);
    for (int i = 0; i < 2; i++) CHECK_OK(columns_open(&cols[i], path[i], &err), &err);
    for (uint32_t c = 0; c <= made_judge_def.n_columns; c++) {
        const ColumnDef *want = c < made_judge_def.n_columns ? &made_judge_def.columns[c] : &drop;
        for (int i = 0; i < 2; i++) CHECK_OK(columns_typed(cols[i], want, &values[i], &pool[i], &err), &err);
        same &= span_eq(values[0], values[1]) && (want->type != COL_STRING || span_eq(pool[0], pool[1]));
    }
    for (int i = 0; i < 2; i++) columns_close(cols[i]);
    return same;
}

static bool same_file(const char *a_dir, const char *b_dir, const char *name)
{
    char path[460];
    Buf a = {0}, b = {0};
    Err err = {.code = ERR_OK};

    snprintf(path, sizeof path, "%s/%s", a_dir, name);
    CHECK_OK(store_read(path, 1 << 24, &a, &err), &err);
    snprintf(path, sizeof path, "%s/%s", b_dir, name);
    CHECK_OK(store_read(path, 1 << 24, &b, &err), &err);
    bool same = a.n > 0 && span_eq(buf_span(&a), buf_span(&b));
    buf_clear(&a);
    buf_clear(&b);
    return same;
}

/* Texts are read only where they must be, and nobody sees it in what comes out, sums and counts by language among it. */
TEST(a_view_judged_without_texts_is_the_same)
{
    const char *dir = check_tmpdir();
    char docs[400], first[400], want[400], got[400], name[40];
    static Facts f;
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions common = {0};

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, common, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(first, dir, "first"), 2, 60, &t, &err), &err);
    CHECK_OK(made_judge(first, in_dir(want, dir, "want"), 2, 100, &t, &err), &err);
    for (uint32_t i = 0; i < 5; i++) {
        char rejected[400];
        const uint32_t n_shown = (uint32_t)t.n_in;
        snprintf(name, sizeof name, "got%u", i);
        common.rejected = i == 3 ? in_dir(rejected, dir, "rejected") : NULL;
        facts_make(&f, 100, i == 1 ? 2 : 0);
        f.n_signals = i == 4 ? DOC_MAX_SIGNALS : 0; /* they might be too many: all are read, and they are not */
        judge_by_facts(&f, first, in_dir(got, dir, name), &common);
        CHECK(i >= 3 ? f.n_texts == n_shown : i == 1 ? f.n_texts > 0 && f.n_texts < n_shown : f.n_texts == 0);
        CHECK(same_file(want, got, "parts.jsonl"));
        CHECK(hash128_eq(content_of(want), content_of(got)));
        for (uint32_t p = 0; p < MADE_PARTS; p++) {
            char file[64];
            snprintf(file, sizeof file, "part-%06u.judge.cols", (unsigned)p);
            CHECK(same_columns(want, got, file));
        }
    }
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
    char docs[400], view[400], sparse[400];
    const char *from = sparse;
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions common = {0};
    DocCursor *c;
    Doc doc;
    DocId id;
    bool end;
    uint64_t n_half = 0;

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, common, "{}", &t, &err), &err);
    CHECK_OK(made_judge(docs, in_dir(view, dir, "view"), 2, 60, &t, &err), &err);
    CHECK_OK(
        made_judge_with(&made_judge_def, sparse_map, common, view, in_dir(sparse, dir, "sparse"), 2, 0, &t, &err),
        &err);
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
    StageJob job = {.def = &made_copy_def,
                    .params = SPAN_LIT("{}"),
                    .out_dir = out,
                    .set = set,
                    .map = made_copy_map,
                    .common = &common};
    rc = stage_run(&job, &par, t, err);
    datasetset_close(set);
    return rc;
}

static ErrCode many_open(void *ctx, const PartView *view, uint32_t part, void **said, Err *err)
{
    (void)view, (void)part, (void)err;
    *said = ctx;
    return ERR_OK;
}

static void many_close(void *said) { (void)said; }

static ErrCode many_rows(void *ctx, void *worker, void *said, uint32_t first, uint32_t n, Err *err)
{
    (void)ctx, (void)worker, (void)said, (void)first, (void)n, (void)err;
    return ERR_OK;
}

static ErrCode many_row(void *ctx, void *worker, void *said, PartView *view, uint32_t record, StageRow *row,
                        StageSink *s, Err *err)
{
    (void)ctx, (void)worker, (void)said, (void)view, (void)record, (void)s, (void)err;
    *row = (StageRow){.bytes = 4, .n_signals = DOC_MAX_SIGNALS - 1};
    return ERR_OK;
}

/* By what was written down of the documents, without a look at them. */
static ErrCode judge_many(const char *in, const char *out, StageTotals *t, Err *err)
{
    static const StageJudge judge = {many_open, many_close, many_rows, many_row};
    const CommonOptions common = {0};
    uint32_t least = 0;
    Par par = par_alone(1);
    DatasetSet *set;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc != ERR_OK) return rc;
    StageJob job = {.def = &made_judge_def,
                    .ctx = &least,
                    .params = SPAN_LIT("{}"),
                    .out_dir = out,
                    .set = set,
                    .map = made_judge_map,
                    .judge = &judge,
                    .common = &common};
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
        StageSource source = made_source;
        source.ctx = &n;
        source.part_bytes = made_bytes;
        source.map = many_map;
        CHECK_OK(made_from(&source, in_dir(docs, dir, "docs"), 1, (CommonOptions){0}, "{}", &t, &err), &err);
        ErrCode rc = made_judge(docs, in_dir(view, dir, "view"), 1, 0, &t, &err);
        if (n + 2 > DOC_MAX_SIGNALS) {
            CHECK_INT(ERR_DATA, rc); /* all parts are damaged */
            CHECK(strstr(err.msg, "local/many#") != NULL);
            err = (Err){.code = ERR_OK};
            CHECK_INT(ERR_DATA, judge_many(docs, in_dir(view, dir, "unread"), &t, &err));
            CHECK(strstr(err.msg, "local/many#") != NULL && strstr(err.msg, "signals") != NULL);
            continue;
        }
        CHECK_OK(rc, &err);
        const uint64_t n_shown = t.n_docs;
        CHECK_OK(copy_of(view, in_dir(copy, dir, "copy"), &t, &err), &err);
        CHECK_INT(n_shown, t.n_docs);
        CHECK_OK(made_judge(copy, in_dir(view, dir, "again"), 1, 0, &t, &err),
                 &err); /* the same names: replaced, not added */
    }
}

/* --- replacement lines: of two records in three another text of some EDIT_BYTES */

enum { EDIT_BYTES = 20000 };

static ErrCode edit_worker(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(Buf));
    return *worker ? ERR_OK : err_nomem(err, "a text");
}

static void edit_free(void *worker)
{
    buf_clear(worker);
    free(worker);
}

static const char *const edit_reasons[] = {"never"};
static const ColumnDef edit_columns[] = {{"line", COL_STRING, 1, COL_LINE}, {"was", COL_U32, 1, COL_SIGNAL}};
static const StageDef edit_def = {.name = "edit",
                                  .version = 1,
                                  .kind = DATASET_VIEW,
                                  .reasons = edit_reasons,
                                  .n_reasons = 1,
                                  .columns = edit_columns,
                                  .n_columns = 2,
                                  .worker_new = edit_worker,
                                  .worker_free = edit_free};

static void put_edited(Buf *text, DocId id)
{
    buf_reset(text);
    for (uint64_t i = 0; text->n < EDIT_BYTES + id % 100; i++) buf_put_u64(text, mix64(id + i));
}

static ErrCode edit_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    Doc shown = *doc;
    Buf *text = worker;

    (void)ctx;
    sink_u32(s, 1, 0, (uint32_t)doc->text.n);
    if (id % 3 == 0) return ERR_OK;
    put_edited(text, id);
    shown.text = buf_span(text);
    CHECK(sink_edit(s, 0, &shown));
    return buf_ok(text, "a text", err);
}

/* The columns of one part of both, byte by byte; receipts tell times. */
static void check_equal_columns(const char *a, const char *b)
{
    const char *dir[2] = {a, b};
    char path[460];
    Columns *c[2];
    Err err;

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/part-000001.edit.cols", dir[i]);
        CHECK_OK(columns_open(&c[i], path, &err), &err);
    }
    for (uint32_t k = 0; k < columns_count(c[0]); k++) {
        Span values[2], pool[2];
        for (int i = 0; i < 2; i++) CHECK_OK(columns_values(c[i], k, &values[i], &pool[i], &err), &err);
        CHECK(span_eq(values[0], values[1]) && span_eq(pool[0], pool[1]));
        if (k == 1) CHECK(pool[0].n > 2 << 20); /* beyond the share of the columns, and several windows to read */
    }
    columns_close(c[0]);
    columns_close(c[1]);
}

static void check_edited_texts(const char *view)
{
    uint64_t n_edited = 0;
    Buf text = {0};
    DocCursor *c;
    Doc doc;
    DocId id;
    bool end;
    Err err;

    CHECK_OK(doccursor_open(&c, &view, 1, &err), &err);
    while (doccursor_next(c, &doc, &id, &end, &err) == ERR_OK && !end) {
        CHECK_INT(1, doc.n_signals);
        if (id % 3 == 0) {
            CHECK_INT(doc.signals[0].value, doc.text.n);
            continue;
        }
        put_edited(&text, id);
        CHECK(span_eq(buf_span(&text), doc.text));
        n_edited++;
    }
    CHECK(n_edited > 400);
    doccursor_close(c);
    buf_clear(&text);
}

TEST(a_view_of_lines_beyond_the_memory_is_the_same)
{
    static const uint64_t memory[] = {0, 1, 12 << 20};
    const char *dir = check_tmpdir();
    char docs[400], view[3][400], copy[400], name[16];
    Hash128 first = {0, 0};
    StageTotals t;
    Err err = {.code = ERR_OK};

    CHECK_OK(made(in_dir(docs, dir, "docs"), 2, (CommonOptions){0}, "{}", &t, &err), &err);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "view%d", i);
        CHECK_OK(made_judge_with(&edit_def, edit_map, (CommonOptions){.memory = memory[i]}, docs,
                                 in_dir(view[i], dir, name), 2, 0, &t, &err),
                 &err);
        CHECK(hash128_eq(content_of(view[0]), content_of(view[i])));
        if (i) check_equal_columns(view[0], view[i]);
        check_edited_texts(view[i]);
        snprintf(name, sizeof name, "copy%d", i);
        CHECK_OK(copy_of(view[i], in_dir(copy, dir, name), &t, &err), &err); /* by several threads' readers */
        if (i == 0) first = content_of(copy);
        CHECK(hash128_eq(first, content_of(copy)));
    }
}
