/* ingest/records.h - the inputs of a part as blocks of records: the reading half of the stage's source. What `next` puts
 * into a block and `map` takes out: the records' bytes one behind the other in StageBlock.bytes, an array of RecordItem in
 * StageBlock.items. */
#ifndef TAMIS_INGEST_RECORDS_H
#define TAMIS_INGEST_RECORDS_H

#include "ingest/ingest.h"
#include "ingest/inputs.h"
#include "ingest/staged.h"
#include "ingest/warc.h"

enum {
    RECORDS_BLOCK_BYTES = 4 << 20,
    RECORDS_BLOCK_ITEMS = 16 << 10, /* a block of tiny records is bounded too */
    RECORDS_MAX_RANGE = 64 << 20,   /* stored bytes of a record that an index names */
    RECORDS_MAX_LINE = 64 << 20     /* a document line; its text is capped again in core/doc.h */
};

typedef struct {
    uint32_t input; /* index into Inputs */
    InputKind kind;
    bool mended;                /* WarcRecord */
    IngestReason reason;        /* INGEST_N_REASONS: look into it */
    uint64_t stored, inner;     /* a record's address; a line: its number, 0; a page: 0, 0 */
    uint64_t bytes;             /* it takes in the decompressed input */
    size_t at, head_n, block_n; /* in StageBlock.bytes: the head (a line or page: empty), then the block */
} RecordItem;

typedef struct RecordCursor RecordCursor;
/* `staged` may be NULL: then no input is remote. Both are borrowed. `all_blocks`: of records nobody looks into, too. */
MUST_USE ErrCode records_open(const Inputs *in, Staged *staged, uint32_t part, bool all_blocks, RecordCursor **c,
                              Err *err);
/* Fills the block (bytes and items replaced); *end: the part has no more. A block may have no items. */
MUST_USE ErrCode records_next(RecordCursor *c, StageBlock *b, bool *end, Err *err);
void records_close(RecordCursor *c);

/* The type of a record whose block nobody will look into, as a reason. */
IngestReason records_reason(WarcType t);

size_t records_n_items(const StageBlock *b);
const RecordItem *records_item(const StageBlock *b, size_t i);

#endif
