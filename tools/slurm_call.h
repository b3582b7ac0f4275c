/* tools/slurm_call.h - the commands of Slurm, and jobs.json as it is written. Private to tools/slurm*.c. */
#ifndef TAMIS_TOOLS_SLURM_CALL_H
#define TAMIS_TOOLS_SLURM_CALL_H

#include "tools/slurm.h"

enum { SLURM_MAX_TEXT = 64 << 20 }; /* of jobs.json, and of what a command prints */

/* Runs a command (words, NULL behind the last). What it prints is appended to `says`. ERR_SYS unless it ends well. */
MUST_USE ErrCode slurm_command(const char *const *argv, Buf *says, Err *err);
/* A job that submits another hands on what Slurm told it of itself: forgotten here, but for how Slurm is found. */
void slurm_forget_job(void);

/* DIR/NAME.sh as a job. */
typedef struct {
    const char *dir, *name;
    const char *indices; /* of --array; NULL: no array */
    const char *after;   /* of --dependency; NULL: none */
    uint32_t first;      /* arrays: the task that index 0 is */
    bool hold;
} SlurmCall;
/* The command, NULL behind the last word; NULL when there is no memory. */
const char *const *slurm_sbatch_words(Arena *a, const SlurmCall *c);
MUST_USE ErrCode slurm_sbatch(const SlurmCall *c, uint64_t *id, Err *err);

/* "afterok:1:2"; `how` is afterok or afterany. */
void slurm_put_after(Buf *b, const char *how, const uint64_t *id, size_t n);

/* jobs.json. */
typedef struct {
    const char *name;
    uint64_t id;
    uint32_t first, tasks, tries, rounds; /* tasks 0: no array and no commit job */
    const char *output;                   /* of a commit job's stage; else NULL */
    const uint64_t *after;
    size_t n_after;
} SlurmEntry;
void slurm_put_head(Buf *b, uint32_t max_array, uint32_t retries);
void slurm_put_entry(Buf *b, const SlurmEntry *e); /* with the comma before it, where there is one */
void slurm_put_tail(Buf *b);
/* DIR/jobs.json as a tree; *out NULL when there is none. */
MUST_USE ErrCode slurm_read_state(Arena *a, const char *dir, const Json **out, Err *err);

#endif
