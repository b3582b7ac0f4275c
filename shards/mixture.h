/* shards/mixture.h - from weights to a sequence of streams.
 *
 * A phase is a binary tree over its streams. Each inner node divides the samples that reach it between its two sides by
 * their integer weights a and b: of its first n samples the left one gets
 *     left(n) = floor((2 n a + a + b) / (2 (a + b)))
 * (n a / (a + b) rounded to nearest, halves up) and the right one the rest. So sample n goes left when left(n + 1) > left(n),
 * and is then number left(n) there, else number n - left(n) on the right. Each side is within 1/2 of its share at every n,
 * every stream within one half times the depth of its leaf, and both the stream and its count follow from n alone. */
#ifndef TAMIS_SHARDS_MIXTURE_H
#define TAMIS_SHARDS_MIXTURE_H

#include "shards/stream_names.h"

#include "core/json.h"

/* The weights of a phase are scaled to sum to this, so that 2 * MIXTURE_UNIT * MIXTURE_UNIT fits 64 bits. */
#define MIXTURE_UNIT (UINT64_C(1) << 30)
enum { MIXTURE_MAX_PHASES = 1024 };

typedef struct {
    uint64_t weight[2]; /* of the left and the right side */
    int64_t side[2];    /* >= 0: a node; < 0: stream -(side + 1) */
} SplitNode;

typedef struct {
    uint64_t from;   /* first training token */
    double *weight;  /* a stream; 0: not read */
    SplitNode *node; /* the root first */
    int64_t root;    /* like a side */
} Phase;

typedef struct {
    Phase *phase;
    uint32_t n_phases, n_streams;
} Mixture;

/* Reads mixture.json (docs/formats.md). `name_of` gives the names of streams 0 .. n_streams - 1. Lives in the arena. */
MUST_USE ErrCode mixture_parse(Arena *a, Span text, StreamNameOf name_of, const void *ctx, uint32_t n_streams,
                               Mixture *out, Err *err);

/* Builds a phase's tree from its weights; at least one must be positive. */
MUST_USE ErrCode mixture_plant(Arena *a, Phase *p, uint32_t n_streams, Err *err);

/* The stream of sample n of a phase; *index is how many earlier samples of the phase have the same stream. */
uint32_t mixture_pick(const Phase *p, uint64_t n, uint64_t *index);
/* How many of the first n samples of a phase each stream gets: added to count[n_streams]. */
void mixture_count(const Phase *p, uint64_t n, uint64_t *count);

#endif
