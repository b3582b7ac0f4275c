/* core/stage_write.h - the ordered end of the map engine: blocks of one part, in order, become its file. Private. */
#ifndef TAMIS_CORE_STAGE_WRITE_H
#define TAMIS_CORE_STAGE_WRITE_H

#include "core/stage_share.h"
#include "core/stage_sink.h"

#include <stdatomic.h>

/* One part under way. */
typedef struct PartRun PartRun;
struct PartRun {
    uint32_t part;  /* number of input and output */
    PartView *view; /* dataset input */
    void *said;     /* of StageJudge.open() */
    void *cursor;   /* raw input */
    uint32_t next_block;
    PartWriter *writer, *rejected;
    HashStream *hash;
    Receipt receipt;
    ColumnsWriter *columns; /* views: `drop`, then the stage's own */
    uint64_t n_rows;
    double began, cpu_s, read_s, write_s; /* cpu_s: of all threads, for this part */
    uint64_t stamp;                       /* of the input, before it was read */
    bool given_up;                        /* nothing more is read, nothing published: somebody else has it, or … */
    atomic_bool damaged;                  /* … the input is; set by the writing thread */
    PartRun *older, *newer;               /* all open ones, so that a failure can abandon them */
};

/* What the parts that this process has finished add up to, which --alarm is judged by while it works. Of the writing thread. */
typedef struct {
    Receipt sum;
    uint32_t n_parts;
    double work, all_work; /* bytes of raw input as planned: of these parts, of the job's */
} StageTally;

typedef struct {
    const StageJob *job;
    Share *share;
    Hash128 key;
    const char *rejected_dir; /* NULL: none */
    uint64_t memory;          /* of the process, for all that the map engine does */
    int rank;
    StageTally *tally; /* partrun_judge() adds to it */
} WriteSpec;

/* Creates the temporaries. The run must be zeroed but for `part`. */
MUST_USE ErrCode partrun_begin(PartRun *r, const WriteSpec *spec, Err *err);
MUST_USE ErrCode partrun_block(PartRun *r, const WriteSpec *spec, StageSink *sink, Err *err);
/* Publishes the part with its receipt, logs the event. */
MUST_USE ErrCode partrun_end(PartRun *r, const WriteSpec *spec, Err *err);
/* Of a published part: ERR_NO when the bands of --alarm cannot be kept to any more, by our parts or as another process says. */
MUST_USE ErrCode partrun_judge(const PartRun *r, const WriteSpec *spec, Err *err);
/* Frees what a run holds (not the run); an unfinished part leaves nothing behind. */
void partrun_clear(PartRun *r);

#endif
