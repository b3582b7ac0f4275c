/* core/dataset_files.h - the files of a dataset directory and what is in them: the plan (stage.json) and the receipts.
 * Private to core: dataset*.c, part_view.c and stage*.c share it. */
#ifndef TAMIS_CORE_DATASET_FILES_H
#define TAMIS_CORE_DATASET_FILES_H

#include "core/counters.h"
#include "core/dataset.h"

#include <limits.h>

enum { DATASET_MAX_PLAN = 256 << 20, DATASET_MAX_REASONS = 254 };
/* Values of the u8 column `drop`: kept, dropped for reason value - 1, or not shown by the base at all. */
enum { DROP_KEPT = 0, DROP_ABSENT = 255 };
#define DROP_COLUMN "drop"

/* The plan of a directory, stage.json. Strings live in the arena. */
typedef struct {
    const char *stage;
    uint32_t stage_version, n_parts;
    DatasetKind kind;
    Hash128 key;
    Json *json;
} DatasetPlan;

/* Writes PATH = DIR/NAME; ERR_LIMIT when it does not fit. */
MUST_USE ErrCode dataset_path(char out[PATH_MAX], const char *dir, const char *name, Err *err);
/* File of part `part`: part-%06u.jsonl.zst or part-%06u.STAGE.cols. */
MUST_USE ErrCode dataset_part_path(char out[PATH_MAX], const char *dir, DatasetKind kind, const char *stage,
                                   uint32_t part, Err *err);

/* Whether `name` is that of a part's file, and which. */
bool dataset_part_number(const char *name, const DatasetPlan *plan, uint32_t *part);

MUST_USE ErrCode plan_read(Arena *a, const char *dir, DatasetPlan *plan, Err *err);

/* One part's receipt: what parts.jsonl says of it, and its statistics. */
typedef struct {
    PartInfo info;
    Hash128 key;
    uint64_t dropped_id_sum;
    uint64_t dropped[DATASET_MAX_REASONS]; /* by reason number */
    uint64_t bytes_in, stored_bytes;
    double wall_s, cpu_s;
    Counters counters;
} Receipt;
void receipt_clear(Receipt *r);
/* {"part":{…},"stats":{…}}; reasons: n_reasons names. */
void receipt_put_json(Buf *b, const Receipt *r, const char *const *reasons, uint32_t n_reasons);
/* Reads it back; unknown reason names are an error. *part_line receives the canonical bytes of "part" (in the arena). */
MUST_USE ErrCode receipt_read(Arena *a, Span json, const char *name, const Json *plan_reasons, Receipt *r,
                              Span *part_line, Err *err);
/* Reads the "part" object alone (a line of parts.jsonl). */
MUST_USE ErrCode partinfo_read(const Json *part, const char *name, PartInfo *info, Err *err);
/* The receipt inside the file of a part. *found false when the file is not there. */
MUST_USE ErrCode receipt_load(Arena *a, const char *dir, const DatasetPlan *plan, uint32_t part, Receipt *r,
                              Span *part_line, bool *found, Err *err);

/* Where `to` is, seen from directory `from_dir`: "../docs"; absolute when they share nothing but the root. Both exist. */
MUST_USE ErrCode relative_path(Arena *a, const char *from_dir, const char *to, const char **out, Err *err);

void json_put_u64_hex(Buf *b, uint64_t v); /* "0123456789abcdef" */

#endif
