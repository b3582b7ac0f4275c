/* core/dataset_status.h - how far a dataset is, read from its directory while others work on it: by anybody who may read it, at once,
 * without opening a part. A snapshot: what it says of parts and what it says of processes may be a moment apart. */
#ifndef TAMIS_CORE_DATASET_STATUS_H
#define TAMIS_CORE_DATASET_STATUS_H

#include "core/hash.h"
#include "core/lease.h"

/* A part somebody holds the lease of, and on what. */
typedef struct {
    uint32_t part;
    bool again; /* a straggler's, done a second time */
    bool left;  /* the part is set aside or damaged: it does not count as running */
    LeaseHolder holder;
    HolderState state;
    double seconds; /* since it was claimed, by the holder's clock at its latest heartbeat; < 0: unknown */
} StatusLease;
/* A part that an attempt died on. */
typedef struct {
    uint32_t part;
    bool aside; /* too many did: it is left alone */
    uint32_t n_crashed, n_lost;
    int signal; /* of one crash; 0: none */
    LeaseHolder holder;
} StatusFailed;
/* A part whose input is damaged: it is left alone. */
typedef struct {
    uint32_t part;
    LeaseDamage what;
} StatusDamaged;
typedef struct {
    const char *name;
    LeaseProcess line;
    HolderState state;
} StatusProcess;

typedef struct {
    Arena arena;
    char stage[32];
    Hash128 key;   /* of the job */
    bool complete; /* the manifest is there */
    uint32_t n_parts, n_done, n_running, n_aside, n_damaged,
        n_missing;               /* the last five make up the first; missing: nobody is at it, or a dead process */
    uint64_t n_docs, text_bytes; /* of a complete dataset */
    StatusLease *lease;
    StatusFailed *failed;   /* of unfinished parts, as are: */
    StatusDamaged *damaged; /* n_damaged */
    StatusProcess *process;
    size_t n_leases, n_failed, n_processes;
    double parts_per_s, bytes_per_s; /* of all processes not known to be dead; 0: unknown */
    bool alive;                      /* a process is known to be */
    char alarm[512];                 /* what an alarm says that keeps the manifest back; "": none */
} DatasetStatus;

/* *found false: DIR holds no plan of a dataset. */
MUST_USE ErrCode dataset_status(const char *dir, DatasetStatus *out, bool *found, Err *err);
/* Counts again what depends on who lives, after the caller has found out more: process[].state. */
void dataset_status_count(DatasetStatus *s);
void dataset_status_clear(DatasetStatus *s);

#endif
