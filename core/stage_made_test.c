#include "core/stage_made_test.h"

#include "core/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- a raw source: part p has MADE_BLOCKS blocks (part 3 none), each MADE_PER_BLOCK numbered records. */

uint64_t made_bytes(void *ctx, uint32_t part)
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

    *end = c->part == 3 || c->block == MADE_BLOCKS;
    if (*end) return ERR_OK;
    le32_put(first, c->part * 100000 + c->block * MADE_PER_BLOCK);
    buf_put(&block->bytes, first, 4);
    c->block++;
    return buf_ok(&block->bytes, "a block", err);
}

static void fake_close(void *cursor) { free(cursor); }

/* Record r as a document; false: it is one that is dropped. */
bool made_doc(uint32_t r, Doc *doc, char id[32], char text[600])
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
    if (ctx && first % 100000 == 0) { /* `made_with_more`: one short document more at the front of each part */
        Doc more = {.id = span_str(first ? "local/more#1" : "local/more#0"), .text = SPAN_LIT("x")};
        sink_in(sink, more.id, 1);
        ErrCode rc = sink_emit(sink, &more, err);
        if (rc != ERR_OK) return rc;
    }
    for (uint32_t i = 0; i < MADE_PER_BLOCK; i++) {
        char id[32], text[600];
        Doc doc;
        bool keep = made_doc(first + i, &doc, id, text);
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
const StageDef made_plain_def = {
    .name = "fake", .version = 1, .kind = DATASET_WRITTEN, .reasons = fake_reasons, .n_reasons = 2};
const StageSource made_source = {.n_parts = MADE_PARTS,
                                 .part_bytes = made_bytes,
                                 .open = fake_open,
                                 .next = fake_next,
                                 .close = fake_close,
                                 .map = fake_map};

static char more_flag;
const StageSource made_with_more = {.ctx = &more_flag,
                                    .n_parts = MADE_PARTS,
                                    .part_bytes = made_bytes,
                                    .open = fake_open,
                                    .next = fake_next,
                                    .close = fake_close,
                                    .map = fake_map};

ErrCode made_from(const StageSource *source, const char *dir, int threads, CommonOptions common, const char *params,
                  StageTotals *t, Err *err)
{
    Par par = par_alone(threads);
    StageJob job = {.def = &made_plain_def,
                    .params = span_str(params),
                    .inputs = SPAN_LIT("[]"),
                    .out_dir = dir,
                    .source = source,
                    .common = &common};

    log_setup(LOG_QUIET, 0);
    return stage_run(&job, &par, t, err);
}

ErrCode made(const char *dir, int threads, CommonOptions common, const char *params, StageTotals *t, Err *err)
{
    return made_from(&made_source, dir, threads, common, params, t, err);
}

/* --- judging stages */

static const char *const judge_reasons[] = {"short", "odd"};
static const ColumnDef judge_columns[] = {{"bytes", COL_U32, 1, COL_SIGNAL},
                                          {"half", COL_F32, 1, COL_SIGNAL},
                                          {"domain", COL_STRING, 1, COL_FIELD},
                                          {"pair", COL_U64, 2, 0}};
const StageDef made_judge_def = {.name = "judge",
                                 .version = 1,
                                 .kind = DATASET_VIEW,
                                 .reasons = judge_reasons,
                                 .n_reasons = 2,
                                 .columns = judge_columns,
                                 .n_columns = 4};

ErrCode made_judge_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
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

ErrCode made_judge_with(const StageDef *def, StageMap map, CommonOptions common, const char *in, const char *out,
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

ErrCode made_judge(const char *in, const char *out, int threads, uint32_t least, StageTotals *t, Err *err)
{
    return made_judge_with(&made_judge_def, made_judge_map, (CommonOptions){0}, in, out, threads, least, t, err);
}

ErrCode made_copy_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    (void)ctx, (void)worker, (void)id;
    return sink_emit(s, doc, err);
}

const StageDef made_copy_def = {.name = "copy", .version = 1, .kind = DATASET_WRITTEN};

/* The lines of one part of `fake`, by one loop. */
Hash128 made_slow_part(uint32_t part, uint64_t *n_docs)
{
    Buf lines = {0};
    char id[32], text[600];
    Doc doc;

    for (uint32_t r = 0; part != 3 && r < MADE_BLOCKS * MADE_PER_BLOCK; r++)
        if (made_doc(part * 100000 + r, &doc, id, text)) doc_write(&lines, &doc), ++*n_docs;
    Hash128 h = hash128(buf_span(&lines));
    buf_clear(&lines);
    return h;
}
