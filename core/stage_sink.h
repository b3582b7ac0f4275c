/* core/stage_sink.h - what one block yields: lines or rows, counts, sums. Private to the map engine (stage.c,
 * stage_sink.c, stage_write.c). A sink belongs to one slot of the pipeline and is reused. */
#ifndef TAMIS_CORE_STAGE_SINK_H
#define TAMIS_CORE_STAGE_SINK_H

#include "core/dataset_files.h"
#include "core/stage.h"

typedef struct {
    uint64_t n_in, in_id_sum, bytes_in;
    uint64_t n_docs, text_bytes, id_sum, doc_sum;
    uint64_t dropped[DATASET_MAX_REASONS], dropped_id_sum;
} SinkSums;

struct StageSink {
    const StageDef *def;
    const StageBeside *beside; /* NULL: none */
    void *beside_worker;       /* of the thread that maps the block */
    const ColumnDef *columns;  /* the stage's, or those beside */
    uint32_t n_columns;
    bool want_rejected;
    SinkSums sums;
    Counters counters;
    Buf lines; /* what the content is the hash of: kept documents' lines, which are written, or what a view says of them */
    Buf rejected; /* lines of --rejected */
    /* rows of the block's records in root order (views), or of the documents that were emitted */
    uint32_t first, n_rows, row; /* `first`: record of row 0 */
    Buf drop;                    /* u8 a row of a view */
    Buf *column;                 /* n_columns; strings as u64 offset into pool */
    Buf pool;
    bool dropped_now; /* sink_drop() was called for the current document */
    bool edited;      /* sink_edit() was, and it shows as: */
    Doc shown;
    bool oom;
    /* what the writer takes: compressed frames of `lines` and of `rejected` */
    Buf stored, frames, rejected_stored, rejected_frames;
};

MUST_USE ErrCode sink_init(StageSink *s, const StageJob *job, Err *err);
void sink_clear(StageSink *s);
uint64_t sink_held_bytes(StageSink *s); /* memory of its buffers */
void sink_give_back(StageSink *s);      /* frees its buffers; what a block yielded is gone */
/* Empties it for a block of n_rows records from `first` on (0 unless a view). */
MUST_USE ErrCode sink_begin(StageSink *s, uint32_t first, uint32_t n_rows, Err *err);
/* Views: the document of row `row` is about to be judged; afterwards one of these counts it and writes down the verdict. */
void sink_row(StageSink *s, uint32_t row);
MUST_USE ErrCode sink_judged(StageSink *s, const Doc *doc, Err *err);
/* Whether a document of so many signals might have too many with those of this view, were none of them its own already: then it must be
 * read, and sink_judged() told. */
bool sink_is_crowded(const StageSink *s, uint32_t n_signals);
void sink_in_row(StageSink *s, const StageRow *row);
MUST_USE ErrCode sink_judged_row(StageSink *s, StageRow row, Err *err);
/* What a view's content begins with: that of its input's part, and the columns that join documents. */
void sink_put_head(Buf *b, const StageDef *def, Hash128 input);
/* Written datasets count a document out here (sink_emit) or through sink_drop(). */
MUST_USE ErrCode sink_finish(StageSink *s, Err *err);

#endif
