/* core/stage.h - the map engine: f(document) -> documents + reason, pure in (document, params).
 *
 * Work is cut by the input: a job has parts, a part has blocks (a frame of a dataset, a batch of crawl records). Blocks of
 * one rank flow through three steps: `next` (in order, one thread), `map` (any thread), write (in order, one thread);
 * what a block yields goes into its own slot, so the output is the same for any number of threads. Parts are split over
 * ranks by bytes and over job arrays by --task I/N, and claimed by leases (core/lease.h), so that whoever runs out of work takes
 * over what others leave (core/stage_share.h). Output part k comes from input part k alone, exists even if empty, is
 * never renumbered. A part that is already there with the same key is not done again; one that keeps crashing its process is
 * set aside, one whose input is damaged (ERR_DATA or ERR_LIMIT from reading or mapping it) is left alone until the input changes: the
 * others are done, and the run ends with ERR_DATA naming it. Other errors end the run at once.
 *
 * Memory: a block holds what was read and what it yields. No further block is read while the blocks under way hold more than half
 * of --memory, so that few are under way where documents are large: one always is, however large. The other half is for what does
 * not wait in blocks: per thread the text of one document with the stage's scratch, the signals that views give the block's documents, and
 * 1 MiB for each view below that rewrote texts; per open part lists of frames, a byte a record where a view is below, and the domains
 * that views give; an eighth for the columns of the
 * part that a view writes, what is beyond lies in --scratch, else in the output's directory, until the part is whole. A single document of up to DOC_MAX_LINE costs some four times its size and is not refused for it.
 *
 * Every document (or record) that enters is counted in, and leaves as a document or with a reason; the engine checks
 * that the sums agree. */
#ifndef TAMIS_CORE_STAGE_H
#define TAMIS_CORE_STAGE_H

#include "core/dataset.h"
#include "core/options.h"
#include "core/par.h"

typedef struct StageSink StageSink;

/* --- what a stage is: one constant per room. */
typedef struct {
    const char *name;           /* [a-z]{1,12}; also names its column files */
    uint32_t version;           /* raise when the output changes for the same params */
    DatasetKind kind;           /* writes documents, or a view over its input datasets */
    const char *const *reasons; /* n_reasons names; index is what sink_drop() takes. At most 254 */
    uint32_t n_reasons;
    /* Raw sources: whether a reason says that the bytes are nothing the stage reads. A job all of whose records leave so, or that
     * read not one byte, is no dataset: committing it is ERR_DATA and forgets its parts, and the next run reads again. May be NULL. */
    bool (*is_unread)(uint32_t reason);
    const ColumnDef *columns; /* views: the stage's own columns; `drop` is added by the engine */
    uint32_t n_columns;
    /* Per-thread scratch; either may be NULL when none is needed. */
    ErrCode (*worker_new)(void *ctx, void **worker, Err *err);
    void (*worker_free)(void *worker);
} StageDef;

/* What another room writes beside each document of a written dataset while its text is at hand: a columns file a part, of a row a
 * document. */
typedef struct {
    const char *name; /* the files are part-%06u.NAME.cols */
    const ColumnDef *columns;
    uint32_t n_columns;
    Span receipt; /* canonical JSON: how they were made. It belongs into the job's params */
    void *ctx;
    ErrCode (*worker_new)(void *ctx, void **worker, Err *err);
    void (*worker_free)(void *worker);
    /* sink_emit() calls it, for column setters. Adds to the statistics by sink_count() alone. */
    ErrCode (*put)(void *ctx, void *worker, const Doc *doc, StageSink *sink, Err *err);
} StageBeside;

/* Judges one document of a dataset. For DATASET_WRITTEN: sink_emit() or sink_drop(), once, under the document's id. For
 * DATASET_VIEW: sink_drop() once, or nothing, which keeps the document; and sink_* column setters. */
typedef ErrCode (*StageMap)(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err);

/* What the engine counts of a document, from a stage that wrote it down when it read the text. */
typedef struct {
    uint64_t id_hash; /* XXH3-64 of the id */
    uint64_t bytes;   /* of text */
    uint32_t
        n_signals; /* that the document has but for those of views, or an upper bound: where they may be too many it is read */
    Span lang, domain;
} StageRow;

/* Judges documents of a DATASET_VIEW's input by what other files say of them, so that no text is read. The files of a part are opened once
 * for all threads. */
typedef struct {
    /* *said: the part's files, which threads share. NULL: there are none; then its texts are read. `part` is the job's, `view` shows it.
     * One thread at a time. */
    ErrCode (*open)(void *ctx, const PartView *view, uint32_t part, void **said, Err *err);
    void (*close)(void *said);
    /* Brings up, for this worker, what is said of records [first, first + n), at most STAGE_ROWS. Comes before a document of them is judged,
     * by `row` or by the job's `map`. */
    ErrCode (*rows)(void *ctx, void *worker, void *said, uint32_t first, uint32_t n, Err *err);
    /* Fills *row, whose Spans live until the next call, and sets columns. sink_drop() is told no id. */
    ErrCode (*row)(void *ctx, void *worker, void *said, PartView *view, uint32_t record, StageRow *row,
                   StageSink *sink, Err *err);
} StageJudge;
enum { STAGE_ROWS = 4096 };

/* --- sink: belongs to one block in one thread. */
/* One document or record came in. The dataset adapter calls it; raw sources call it themselves. */
void sink_in(StageSink *s, Span id, uint64_t bytes);
/* Writes a document (DATASET_WRITTEN). */
MUST_USE ErrCode sink_emit(StageSink *s, const Doc *doc, Err *err);
/* The input whose id this is leaves with a reason; doc (may be NULL) is what --rejected shows. */
void sink_drop(StageSink *s, uint32_t reason, Span id, const Doc *doc);
/* Whether --rejected asks what a dropped one was: else sink_drop() needs no doc. */
bool sink_wants_rejected(const StageSink *s);
/* A value of the current document in column c (index into StageDef.columns, or StageBeside's), element i of its width. */
void sink_u8(StageSink *s, uint32_t c, uint32_t i, uint8_t v);
void sink_u32(StageSink *s, uint32_t c, uint32_t i, uint32_t v);
void sink_u64(StageSink *s, uint32_t c, uint32_t i, uint64_t v);
void sink_f32(StageSink *s, uint32_t c, uint32_t i, float v);
void sink_string(StageSink *s, uint32_t c, Span v);
/* All values of its width at once, as the file has them. */
void sink_values(StageSink *s, uint32_t c, const void *values);
/* The current document of a view shows as `doc` from now on: its line goes to column c, of COL_LINE. What doc borrows lives until the next
 * document. False: the line would be longer than DOC_MAX_LINE; nothing is changed, and the stage drops the document. */
MUST_USE bool sink_edit(StageSink *s, uint32_t c, const Doc *doc);
/* Adds to the statistics of the part: counter `name` of group `group` (short static strings or text), for example
 * ("charset", "gbk"). Merged over parts into stats.json; at most 4096 names a group, the rest counted as "…". */
void sink_count(StageSink *s, const char *group, Span name, uint64_t docs, uint64_t bytes);

/* --- raw input: what ingest reads. Parts and blocks are the source's business. */
typedef struct {
    Buf bytes; /* what `next` read; kept and reused */
    Buf items; /* whatever layout next and map agree on */
    uint32_t part;
    uint64_t index; /* block number within the part, from 0 */
} StageBlock;
typedef struct {
    void *ctx;
    uint32_t n_parts;
    uint64_t (*part_bytes)(void *ctx, uint32_t part);      /* for the split over ranks */
    void (*part_name)(void *ctx, uint32_t part, Buf *out); /* what it is made of, for people; may be NULL */
    bool (*part_file)(void *ctx, uint32_t part, uint32_t i,
                      Buf *path); /* appends the i-th file it is read from; false: fewer. May be NULL */
    void (*ahead)(void *ctx, const uint32_t *parts,
                  size_t n); /* before open(): likely to be opened next; may be NULL */
    ErrCode (*open)(void *ctx, uint32_t part, void **cursor, Err *err);
    ErrCode (*next)(void *cursor, StageBlock *block, bool *end, Err *err); /* fills block; *end: nothing more */
    void (*close)(void *cursor);
    ErrCode (*map)(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err);
} StageSource;

/* --- a run. */
typedef struct StageJob StageJob;
/* Appends the path of the i-th file (or directory) that the part is made from beside its input; false: there are fewer. A part that was
 * found damaged is tried again when one of these changes, too. */
typedef bool (*StageOwnFile)(const StageJob *job, uint32_t part, uint32_t i, Buf *path);
struct StageJob {
    const StageDef *def;
    void *ctx;   /* given to worker_new and map */
    Span params; /* canonical JSON object of everything that decides the output */
    Span inputs; /* canonical JSON array of {path, content}; NULL p: made from `set` */
    const char *out_dir;
    const DatasetSet *set; /* either a set and `map` … */
    StageMap map;
    const StageJudge
        *judge; /* views: what is asked instead of `map` where it can, unless --rejected wants texts. May be NULL */
    StageOwnFile own_file;       /* NULL: none */
    const StageSource *source;   /* … or a raw source */
    const StageBeside *beside;   /* DATASET_WRITTEN; may be NULL */
    const CommonOptions *common; /* threads are taken from `par` */
    int level;                   /* zstd level of written parts; 0: 3 */
};

typedef struct {
    bool complete;                                  /* the manifest is there; false after one task of several */
    bool up_to_date;                                /* nothing had to be done */
    uint32_t n_parts, n_parts_done, n_parts_reused; /* done: by all ranks, now */
    uint64_t n_in, n_docs, text_bytes;              /* of the finished dataset when complete */
    uint64_t n_dropped;
} StageTotals;

/* Runs the job. Collective. On SIGTERM the blocks under way are dropped, finished parts stay, ERR_INTR. `totals` may be
 * NULL. */
MUST_USE ErrCode stage_run(const StageJob *job, const Par *par, StageTotals *totals, Err *err);

/* The first step of stage_run() alone: makes out_dir this job's, or says whose it is (ERR_DATA), before a stage of several
 * phases spends hours on the others. Collective; any number of times. *key is what stage_key() gives for the job. */
MUST_USE ErrCode stage_claim(const StageJob *job, const Par *par, Hash128 *key, Err *err);

/* Whether DIR has its manifest. Collective: rank 0 looks and all believe it, since another task may write it between two looks. */
MUST_USE ErrCode stage_is_complete(const char *dir, const Par *par, bool *yes, Err *err);

/* XXH3-128 of canonical {stage, stage_version, params, inputs}; a dataset among the inputs is its content. */
MUST_USE ErrCode stage_key(const StageDef *def, Span params, Span inputs_content, Hash128 *key, Err *err);

/* verb_begin() (core/options.h), and its operands opened as datasets: what one rank cannot open none has. Whether there is work: false
 * after --help (*rc ERR_OK) and where it failed; an ERR_NO of the work itself, an alarm, thereby stays one. *set is NULL or to be closed. */
MUST_USE bool stage_begin(const OptVerb *verb, int argc, char **argv, const CommonOptions *common, Par *par,
                          DatasetSet **set, ErrCode *rc, Err *err);
/* The closing lines of a verb on stderr: in, out, dropped by reason (read from DIR's manifest). */
MUST_USE ErrCode stage_summary(const char *dir, Err *err);

#endif
