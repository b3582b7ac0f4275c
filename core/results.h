/* core/results.h - what the partitions of a global step yielded, as files that outlive the process.
 *
 * A partition's result is a stream of records of one width, in order, cut into pieces of a fixed number of records: piece k of
 * partition p holds the same bytes whoever made it. Pieces of several partitions are published together as one object
 * (core/store.h), so that a step costs few files; a partition is done when all its pieces lie in objects of the step's
 * key. What another key or a cut-off writer left is passed over. Which pieces share an object is nobody's content.
 *
 *   DIR/XXXXXXXXXXXXXXXX.res, integers little-endian
 *      pieces     as listed, one behind the other
 *      list       per piece: u32 partition, u32 number (top bit: the partition's last), u64 offset, u64 bytes,
 *                 u64 first (the first eight bytes of its first record, big-endian), u64 XXH3-64 of its bytes
 *      tail       64 bytes: "TAMISRES", u32 version 1, u32 width, u32 partitions, u32 pieces, 16 bytes key,
 *                 u64 offset of the list, u64 0, u64 XXH3-64 of the list and the tail before it */
#ifndef TAMIS_CORE_RESULTS_H
#define TAMIS_CORE_RESULTS_H

#include "core/hash.h"
#include "core/par.h"
#include "core/store.h"

enum { RESULTS_MAX_WIDTH = 4096, RESULTS_PIECE = 1 << 20 /* bytes of a piece at most */ };

typedef struct {
    const char *dir;        /* borrowed: outlives the Results */
    Hash128 key;            /* of the job */
    uint32_t partitions;    /* 1 .. 2^31 - 1 */
    uint32_t width;         /* bytes of a record, 8 .. RESULTS_MAX_WIDTH */
    uint64_t memory;        /* for what waits to be published; 2 MiB at the least */
    uint32_t piece;         /* bytes of a piece at most, a record at the least; 0: RESULTS_PIECE */
    const char *repair;     /* what to do about damage, for messages; NULL: delete it and run again */
    uint32_t share, shares; /* this process reads share `share` of `shares` of the partitions; shares 0: by rank */
} ResultsSpec;

typedef struct Results Results;
/* Makes DIR and looks at what lies in it. Collective. */
MUST_USE ErrCode results_open(Results **r, const ResultsSpec *spec, const Par *par, Err *err);
void results_close(Results *r);
/* Looks again. Collective. */
MUST_USE ErrCode results_look(Results *r, Err *err);
bool results_has(const Results *r, uint32_t partition);
uint32_t results_n_done(const Results *r);
bool results_complete(const Results *r);
uint64_t results_held_bytes(const Results *r); /* of its lists: some 50 a piece */

/* --- writing: any thread, a partition by one thread. */
typedef struct {
    Results *results;
    uint32_t partition, number; /* of the piece being filled */
    Buf piece;
} ResultsOut;
void resultsout_begin(ResultsOut *o, Results *r, uint32_t partition); /* keeps the memory of `piece` */
MUST_USE ErrCode resultsout_put(ResultsOut *o, const void *record, Err *err);
MUST_USE ErrCode resultsout_end(ResultsOut *o, Err *err); /* the partition is finished */
void resultsout_clear(ResultsOut *o);
/* Publishes what waits, and lets every rank know where all pieces are. Collective; rc is how the writing went here. */
MUST_USE ErrCode results_settle(Results *r, ErrCode rc, Err *err);

/* --- reading, any rank and thread. A damaged object is ERR_DATA naming it. */
/* The records of every partition of this process's share, [P share / shares, P (share + 1) / shares), piece by piece in
 * order; partitions in parallel, one by one thread. The lowest partition's failure wins. */
typedef ErrCode (*ResultsEach)(void *ctx, int thread, uint32_t partition, Span records, Err *err);
MUST_USE ErrCode results_each(const Results *r, ResultsEach fn, void *ctx, Err *err);
MUST_USE ErrCode results_all(const Results *r, ResultsEach fn, void *ctx, Err *err); /* of every partition there is */
void results_share(const Results *r, uint32_t *begin, uint32_t *end);
/* Appends the records whose first eight bytes, big-endian, are in [from, to). The records of all partitions, one behind the other, must be
 * sorted by these bytes. */
MUST_USE ErrCode results_range(const Results *r, uint64_t from, uint64_t to, Buf *out, Err *err);

/* One thread's way through all records, which must be sorted as above: a piece at a time is in memory, whose file stays open unless `brief`.
 * Zero but for these two at first. */
typedef struct {
    const Results *results;
    bool brief;
    bool began;
    uint64_t below; /* than which the first eight bytes of all records before this one are */
    size_t piece;   /* at hand */
    size_t at, end; /* of its records in bytes[] */
    Buf bytes;
    InFile *file;
    uint32_t object; /* which it is */
} ResultsCursor;
/* To the first record whose first eight bytes, big-endian, are not below `head`. Quick where heads rise. */
MUST_USE ErrCode resultscursor_seek(ResultsCursor *c, uint64_t head, Err *err);
/* The record at hand; NULL behind the last one. Valid until the cursor moves. */
static inline const uint8_t *resultscursor_peek(const ResultsCursor *c)
{
    return c->at < c->end ? c->bytes.p + c->at : NULL;
}
MUST_USE ErrCode resultscursor_next(ResultsCursor *c, Err *err); /* not behind the last one */
void resultscursor_clear(ResultsCursor *c);

/* How far the step in DIR is for the job of `key`, while others work on it: touches nothing. *partitions 0: nothing is there yet. */
MUST_USE ErrCode results_progress(const char *dir, Hash128 key, uint32_t *n_done, uint32_t *partitions, Err *err);

#endif
