/* tools/rundir.h - a run directory as facts: what `tamis run` sums up and the report draws.
 *
 * Reads OUT/docs, unique, clean, mixed (manifest.json, stats.json), OUT/tokens/manifest.json, OUT/ckpt/log.jsonl and
 * result.json, and OUT/run.json, which `tamis run` keeps: {"format":"tamis-run","version":1,"stages":[{"verb":
 * "ingest","runs":1,"seconds":12.5,"cpu_seconds":20.1,"finished":true}…]} - talk, never content. Whatever is not
 * there yet is simply absent. */
#ifndef TAMIS_TOOLS_RUNDIR_H
#define TAMIS_TOOLS_RUNDIR_H

#include "core/json.h"
#include "tools/recipe.h"

enum { RUNDIR_MAX_JSON = 64 << 20, RUNDIR_MAX_LOG = 256 << 20, RUNDIR_MAX_STEPS = 1 << 22 };

/* What run.json says of one stage. */
typedef struct {
    uint64_t runs; /* times it had something to do and came to an end of its own */
    double seconds, cpu_seconds;
    bool finished;
} RunTime;

typedef struct {
    const char *verb, *dir;
    const Json *manifest, *stats; /* NULL: not there */
    uint64_t n_in, n_docs, text_bytes;
    RunTime time;
} RunStage;

typedef struct {
    double step, tokens, loss, bits; /* bits per byte on held-out lines; 0 elsewhere */
} RunPoint;

typedef struct {
    Arena arena;
    const char *dir;
    RunStage stage[RECIPE_STAGES]; /* in the order of the chain, all of them */
    const Json *result;            /* ckpt/result.json */
    const Json *mixture;           /* mixed/mixture.json */
    const Json *tokenizer_stats;   /* tokenizer-stats.json, what `tamis bpe stats --json` wrote */
    RunPoint *train, *heldout;     /* of ckpt/log.jsonl, by step */
    size_t n_train, n_heldout;
} RunDir;

/* Absent files are fine; a damaged one of ours is ERR_DATA, but for a line of the log, which costs itself and a warning. A
 * directory with none of them: ERR_SYS. */
MUST_USE ErrCode rundir_load(RunDir *r, const char *dir, Err *err);
void rundir_clear(RunDir *r);
const RunStage *rundir_stage(const RunDir *r, const char *verb);

/* Member as a number, 0 when absent. A count that no 64 bits hold or that is below 0 is 0 too: a damaged file shows as what
 * cannot be, never as undefined behaviour. */
uint64_t rundir_count(const Json *obj, const char *key);
double rundir_number(const Json *obj, const char *key);
uint64_t rundir_count_of(const Json *number); /* NULL is fine */

/* Why a stage dropped documents, most frequent first (ties by name). At most `cap` of them; returns how many, and sums the
 * reasons beyond into *n_rest reasons with *rest documents. */
typedef struct {
    Span reason;
    uint64_t n_docs;
} RunDrop;
size_t rundir_drops(const RunStage *s, RunDrop *out, size_t cap, size_t *n_rest, uint64_t *rest);

/* run.json alone, for `tamis run`; `time` has RECIPE_STAGES entries in the order of the chain. */
MUST_USE ErrCode rundir_read_times(const char *dir, RunTime *time, Err *err);
MUST_USE ErrCode rundir_write_times(const char *dir, const RunTime *time, Err *err);

/* The closing table, for people, on stdout. */
void rundir_print(const RunDir *r);

#endif
