#include "tests/made_dataset.h"

#include "core/log.h"
#include "core/stage.h"
#include "tests/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 50 }; /* documents */

typedef struct {
    MakeDoc make;
    void *ctx;
    uint32_t n, n_parts;
} Made;

typedef struct {
    uint32_t next, end;
} Cursor;

uint32_t made_first(uint32_t n, uint32_t n_parts, uint32_t part) { return (uint32_t)((uint64_t)n * part / n_parts); }

Span made_text(Arena *a, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(n >= 0 && n < (int)sizeof text);
    return arena_copy(a, span_str(text));
}

static uint64_t part_bytes(void *ctx, uint32_t part)
{
    (void)ctx, (void)part;
    return 1;
}

static ErrCode part_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    const Made *m = ctx;
    Cursor *at = malloc(sizeof *at);

    if (!at) return err_nomem(err, "a cursor");
    *at = (Cursor){made_first(m->n, m->n_parts, part), made_first(m->n, m->n_parts, part + 1)};
    *cursor = at;
    return ERR_OK;
}

static ErrCode part_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    Cursor *at = cursor;
    uint8_t range[8];

    *end = at->next == at->end;
    if (*end) return ERR_OK;
    le32_put(range, at->next);
    at->next = at->end - at->next > BLOCK ? at->next + BLOCK : at->end;
    le32_put(range + 4, at->next);
    buf_put(&block->bytes, range, 8);
    return buf_ok(&block->bytes, "a block", err);
}

static ErrCode emit_block(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    const Made *m = ctx;
    ErrCode rc = ERR_OK;

    (void)worker;
    for (uint32_t i = le32_get(block->bytes.p); i < le32_get(block->bytes.p + 4) && rc == ERR_OK; i++) {
        Arena a = {0};
        Doc doc = {0};
        m->make(m->ctx, i, &a, &doc);
        sink_in(sink, doc.id, doc.text.n);
        rc = sink_emit(sink, &doc, err);
        arena_clear(&a);
    }
    return rc;
}

void made_dataset(const char *dir, MakeDoc make, void *ctx, uint32_t n, uint32_t n_parts)
{
    static const StageDef def = {.name = "made", .version = 1, .kind = DATASET_WRITTEN};
    Made m = {make, ctx, n, n_parts};
    const StageSource source = {.ctx = &m,
                                .n_parts = n_parts,
                                .part_bytes = part_bytes,
                                .open = part_open,
                                .next = part_next,
                                .close = free,
                                .map = emit_block};
    CommonOptions common = {0};
    Par par = par_alone(2);
    StageJob job = {.def = &def,
                    .ctx = &m,
                    .params = SPAN_LIT("{}"),
                    .inputs = SPAN_LIT("[]"),
                    .out_dir = dir,
                    .source = &source,
                    .common = &common};
    Err err;

    log_setup(LOG_QUIET, 0);
    CHECK_OK(stage_run(&job, &par, NULL, &err), &err);
}
