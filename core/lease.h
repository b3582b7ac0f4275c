/* core/lease.h - who works on which part of an output directory, agreed on through files alone: no server, no gang of nodes.
 *
 *   DIR/leases/
 *     HOST.PID.NONCE               a process at work: one line of JSON whose counter `beat` it raises every sixth of its expiry, sooner at first;
 *                                  NONCE begins with eight digits that stand for the boot of its kernel
 *     part-%06u                    a lease, created exclusively: "HOST.PID.NONCE SECONDS INPUT", SECONDS of the holder's own clock
 *     part-%06u.again              the same for the one process that does a straggler's part a second time
 *     part-%06u.PROCESS.crashN     an attempt that ended in signal N: the lease, renamed by the process in its last moment
 *     part-%06u.PROCESS.lost       an attempt whose process vanished (kill -9, out of memory, a node gone): renamed by who saw it
 *     part-%06u.damaged            the part's input is damaged: "STAMP INPUT", then the message of who found it
 *
 * Nothing compares clocks of two hosts: a process counts as dead when neither its line nor the lease has changed for the expiry
 * (its own or the watcher's, whichever is longer) by the watcher's own monotonic clock (Gray & Cheriton 1989 call the same a lease, but by synchronised clocks). On one host it is
 * known at once: a process holds a lock (flock) on its line, which ends with it. Host names may be shared (containers), so a host is
 * its name and the boot of its kernel.
 * Being wrong costs work, never content: two processes that do one part publish the same bytes under one name, each by a rename.
 * So nothing here is synced to the disk; after a power cut leases are lost or stale, and stale ones expire.
 *
 * A crash is the fault of the part that the crashing thread was at. A process that vanishes tells nobody which of its parts it was, if
 * any; each counts a third of a crash. After LEASE_MAX_CRASHES a part is set aside.
 *
 * Object stores ("s3://…") have no leases: there every claim succeeds, and what was split beforehand is all the sharing there is. */
#ifndef TAMIS_CORE_LEASE_H
#define TAMIS_CORE_LEASE_H

#include "core/store.h"

enum {
    LEASE_MAX_CRASHES = 3,
    LEASE_POINTS_CRASH = 3, /* and one for an attempt that was lost */
    LEASE_MAX_POINTS = LEASE_MAX_CRASHES * LEASE_POINTS_CRASH,
    LEASE_SECONDS = 60, /* the expiry; TAMIS_LEASE_SECONDS in the environment says another, 1 to */
    LEASE_MOST_SECONDS = 86400
};
#define LEASE_DIR "leases"

double lease_seconds(void);

/* --- holding. One Leases a process at a time; all functions of any thread. */
typedef struct Leases Leases;
/* Announces this process in DIR/leases and starts its heartbeat. `role` is what `tamis status` shows: "rank 1 of 4". */
MUST_USE ErrCode leases_open(Leases **l, const char *dir, const char *stage, const char *role, Err *err);
bool leases_off(const Leases *l); /* an object store's: every claim succeeds */
/* Gives back what is still held, uncounted; ends the heartbeat; frees. NULL is fine. */
void leases_close(Leases *l);
/* *got: the lease is ours now. `again`: the second lease of a part whose first is held by another. `input` (one line) tells people
 * what the part is made of. */
MUST_USE ErrCode lease_claim(Leases *l, uint32_t part, bool again, const char *input, bool *got, Err *err);
/* Gives it back. `done`: the part is published; of a part done again the straggler's lease goes too, so that it lets go. */
void lease_release(Leases *l, uint32_t part, bool done);
/* Whether somebody else has taken our part, or finished it: going on with it is in vain. Known with the next heartbeat. */
bool lease_lost(Leases *l, uint32_t part);
/* What the process file tells of our progress: documents and bytes read; a part finished in `seconds`, `weight` as planned. */
void leases_count(Leases *l, uint64_t docs, uint64_t bytes);
void leases_count_part(Leases *l, uint64_t weight, double seconds);
/* Own parts so far, for the estimate of how long one takes. */
void leases_pace(Leases *l, uint64_t *weight, double *seconds);
/* From here on this thread is at `part`; LEASE_NO_PART: at none. Whom a crash is counted against. */
#define LEASE_NO_PART UINT32_MAX
void lease_blame(Leases *l, uint32_t part);

/* --- looking. The directory as it is, for the engine and for `tamis status`. */
typedef struct {
    uint32_t part;
    bool held, again;           /* leases that are there */
    bool damaged;               /* its input is: lease_damage_read() */
    uint32_t n_crashed, n_lost; /* attempts */
    const char *record;         /* name of the file of one of these attempts, or NULL */
} LeasePart;
typedef struct {
    LeasePart *part; /* ascending; parts nobody says anything of are not listed */
    size_t n_parts;
    const char **process; /* names of process files */
    size_t n_processes;
    StoreList list;
} LeaseScan;
/* A directory without leases is an empty scan. */
MUST_USE ErrCode leases_scan(const char *dir, LeaseScan *out, Err *err);
void leasescan_clear(LeaseScan *s);
uint32_t leasepart_points(const LeasePart *p);

/* What a process file says. Text from a directory that others write to: checked, cut to size. */
typedef struct {
    char host[65], role[64], stage[32];
    uint64_t pid, beat, n_parts, n_docs, bytes, weight;
    double elapsed_s, part_s, expiry_s;
} LeaseProcess;
/* *found false: gone or unreadable. */
MUST_USE ErrCode lease_process_read(const char *dir, const char *name, LeaseProcess *p, bool *found, Err *err);
/* Who holds the lease of a part: its process' name, when it was claimed on that process' clock, the input; *found as above. */
typedef struct {
    char process[128], input[400];
    double claimed_s;
} LeaseHolder;
MUST_USE ErrCode lease_holder_read(const char *dir, const char *file, LeaseHolder *h, bool *found, Err *err);

/* For how long a line may stand still: its process' expiry or ours, whichever is longer. */
double lease_process_expiry(const LeaseProcess *p);

typedef enum { HOLDER_UNKNOWN, HOLDER_ALIVE, HOLDER_DEAD } HolderState;
/* At once, where that can be known: a process of this host. */
HolderState lease_process_state(const char *dir, const char *process);

/* --- watching others. One thread. */
typedef struct {
    HolderState state;
    bool gone;            /* no lease any more */
    double held_s;        /* since we first saw it */
    LeaseProcess process; /* zeros when it cannot be read */
} LeaseLook;
MUST_USE ErrCode lease_look(Leases *l, uint32_t part, bool again, LeaseLook *out, Err *err);
/* Takes the lease from a holder found dead, so that anybody may claim the part, and removes its line; the attempt is counted unless
 * the holder said which part it crashed in (`scan` knows). */
MUST_USE ErrCode lease_bury(Leases *l, uint32_t part, bool again, const LeaseScan *scan, Err *err);
/* Whether a process works in DIR; name[] is one that does. Of another host's this takes up to the expiry. */
MUST_USE ErrCode leases_anybody(const char *dir, char name[128], bool *yes, Err *err);

/* --- parts that cannot be made of what they are read from: left alone by all, also by reruns. */
typedef struct {
    uint64_t stamp; /* of the input as it was read: what changes when it is repaired */
    char input[400], message[512];
} LeaseDamage;
/* On the disk for good before it returns. An object store remembers nothing. */
MUST_USE ErrCode lease_damage_put(Leases *l, uint32_t part, const LeaseDamage *d, Err *err);
MUST_USE ErrCode lease_damage_read(const char *dir, uint32_t part, LeaseDamage *d, bool *found, Err *err);
MUST_USE ErrCode lease_damage_forget(const char *dir, uint32_t part, Err *err);

/* Forgets failed attempts and damage, so that parts left alone are tried again. */
MUST_USE ErrCode leases_forget(const char *dir, Err *err);
/* Removes DIR/leases with all in it. */
MUST_USE ErrCode leases_delete(const char *dir, Err *err);

#endif
