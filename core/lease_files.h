/* core/lease_files.h - how the files of DIR/leases are called. Private to core/lease*.c. */
#ifndef TAMIS_CORE_LEASE_FILES_H
#define TAMIS_CORE_LEASE_FILES_H

#include "core/lease.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

enum {
    LEASE_NAME = 112,
    LEASE_LINE = 512,
    LEASE_PATH = PATH_MAX,
    LEASE_EMPTY_SECONDS =
        1,         /* from a lease's creation to its text are two system calls: who takes longer was killed there */
    LEASE_BOOT = 8 /* first digits of a NONCE: a hash of the kernel's boot id */
};

/* One lease we watch. */
typedef struct {
    uint32_t part;
    bool again, changed; /* seen to change since `first` */
    uint64_t what;       /* hash of the lease and of its holder's line */
    double first, last;  /* our clock: first seen, last change */
    double expiry;       /* the holder's own, where it says so */
    char process[128];
} LeaseWatch;

typedef struct {
    uint64_t serial; /* of the claim: a part may be claimed again */
    uint32_t part;
    bool again, lost;
} LeaseHeld;

struct Leases {
    bool off; /* an object store: claims succeed, nothing is written */
    Arena arena;
    const char *dir, *stage, *role;
    char name[LEASE_NAME], pid_mark[24]; /* of the process, and ".PID." in it */
    atomic_bool again;                   /* the part under way is a straggler's */
    int fd;                              /* our line, locked; -1: none */
    double began, expiry;
    pthread_t thread;
    bool beating;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    bool stop;
    uint64_t beat, n_parts, weight, n_claims;
    double part_s;
    LeaseHeld *held;
    size_t n_held, cap_held;
    atomic_uint_least64_t docs, bytes;
    LeaseWatch *watch; /* the watcher's own */
    size_t n_watch, cap_watch;
};

/* "DIR/leases/part-%06uSUFFIX", without a call that a signal handler may not make. False when it does not fit. */
bool lease_part_path(char out[LEASE_PATH], const char *dir, uint32_t part, const char *suffix);
/* "DIR/leases/NAME" */
bool lease_path(char out[LEASE_PATH], const char *dir, const char *name);
bool lease_is_held(Leases *l, uint32_t part);
/* A small file of ours into text[], cut and NUL-terminated; *n 0 when it is not there. What we may not read is as good as gone. */
void lease_read_small(const char *path, char *text, size_t cap, size_t *n);
/* What others wrote is shown to people: one line of printable bytes. */
void lease_put_text(char *out, size_t cap, Span s);
/* Whether a process of that name runs, or ran, under this kernel: where locks tell at once whether it lives. */
bool lease_is_here(const char *process);
/* Deletes the files of processes of this host that have ended; their leases stay, to be buried. */
MUST_USE ErrCode lease_sweep(const char *dir, Err *err);

#endif
