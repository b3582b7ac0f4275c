/* core/exchange.h - the exchange engine: records meet by key. Everything global in Tamis (buckets, edges, counts, orders)
 * is a shuffle of records = 16-byte key + 0..1 MiB value, delivered sorted by (key, value bytes) as a stream of groups.
 *
 * The key space is cut into P partitions by the key's top bits (P a power of two and a parameter, never a number of workers);
 * a partition is the unit of parallel delivery, and each rank owns a contiguous range of them. An optional combiner
 * (associative, commutative, integer) folds the values of one key: in every full block where they are sent, before they go
 * to scratch, before they travel. Keys compare as bytes. A combiner gets its two values at any alignment.
 *
 * Memory is bounded by the budget, whatever the records do. What is sent stays here, cut into bins (core/exchange_impl.h says
 * how), and goes to scratch when it is more than the threads' shares, 7/16 of the budget; without scratch that is ERR_NOMEM naming
 * --memory. (One thing grows with what is sent: where bins begin on scratch, 16 bytes a bin each time that a thread's share goes
 * there. That comes out of the share, but for what is beyond half of it: with some 150 times the budget.)
 * Delivery takes a bin at a time: gathered and sorted in memory, or in pieces that are merged as a stream when one key or few
 * have too much. Between ranks bins travel in rounds (core/exchange_ranks.c). Scratch files have no name and end with the
 * process; their chunks carry checksums, and a damaged one ends the exchange with ERR_DATA. Large blocks of memory stay with
 * the process for the next exchange (core/slab.h).
 *
 * Content is a function of the records alone: the same for any threads, ranks, budget and partitions kept. */
#ifndef TAMIS_CORE_EXCHANGE_H
#define TAMIS_CORE_EXCHANGE_H

#include "core/bytes.h"
#include "core/err.h"
#include "core/par.h"

enum { EXCHANGE_KEY = 16, EXCHANGE_MAX_VALUE = 1 << 20, EXCHANGE_MAX_PARTITIONS = 1 << 16 };

/* Folds `value` into `acc`; both have spec.value_bytes bytes. */
typedef void (*ExchangeCombine)(uint8_t *acc, const uint8_t *value);

typedef struct {
    const char *name;        /* for messages and scratch files */
    uint32_t partitions;     /* power of two, 1 .. EXCHANGE_MAX_PARTITIONS */
    uint32_t value_bytes;    /* width of every value; UINT32_MAX: values vary */
    ExchangeCombine combine; /* NULL: none; needs fixed-width values */
    uint64_t memory;         /* budget in bytes; 256 KiB a thread at the least */
    const char *scratch;     /* directory for what does not fit the budget; NULL: then nothing more fits */
} ExchangeSpec;

typedef struct Exchange Exchange;
/* Every rank of par takes part in all of it (a Par of par_alone() keeps an exchange local). Opening and flip may fail on one rank
 * alone: callers agree on their outcome (par_agree) before they go on. */
MUST_USE ErrCode exchange_open(Exchange **x, const ExchangeSpec *spec, const Par *par, Err *err);
void exchange_close(Exchange *x);

/* --- sending. `lane` is the calling OpenMP thread's number, 0 <= lane < par->threads; lanes do not wait for one another. */
MUST_USE ErrCode exchange_put(Exchange *x, int lane, const uint8_t key[EXCHANGE_KEY], const void *value, uint32_t n,
                              Err *err);
/* All has been sent; on every rank. */
MUST_USE ErrCode exchange_flip(Exchange *x, Err *err);

/* --- receiving, after the flip. */
typedef struct ExchangeGroups ExchangeGroups;
/* The next key of the partition; *end when there is none. Values not taken from the last group are skipped. */
MUST_USE static inline ErrCode exchange_next_group(ExchangeGroups *g, uint8_t key[EXCHANGE_KEY], bool *end, Err *err);
/* The next value of the group, in byte order; *end when there is none. Valid until the next call on g. */
MUST_USE static inline ErrCode exchange_next_value(ExchangeGroups *g, Span *value, bool *end, Err *err);

/* Runs fn once for every partition this rank owns, partitions in parallel over threads, each by one thread. fn reads the
 * groups it wants. Failures: the lowest partition's wins. */
typedef ErrCode (*ExchangeEach)(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err);
MUST_USE ErrCode exchange_each(Exchange *x, ExchangeEach fn, void *ctx, Err *err);

/* The partitions that this rank will be given, [begin, end): known from the opening on. */
void exchange_own(const Exchange *x, uint32_t *begin, uint32_t *end);

/* --- for callers that put 64-bit words into keys: big-endian, so that byte order is numeric order. */
static inline void exchange_key_u64(uint8_t key[EXCHANGE_KEY], uint64_t hi, uint64_t lo)
{
    be64_put(key, hi);
    be64_put(key + 8, lo);
}

/* --- what the two calls above are when a partition's records lie in memory side by side; else they go the long way. The fields
 * are the exchange's own. */
struct ExchangeGroups {
    const uint8_t *at, *end; /* records not given out yet */
    const uint8_t *group; /* the key of the group at hand; before the first one a key that the first record has not */
    size_t width;         /* of a record */
    struct ExchangeLong *by; /* not NULL: the long way */
};
MUST_USE ErrCode exchange_long_group(ExchangeGroups *g, uint8_t key[EXCHANGE_KEY], bool *end, Err *err);
MUST_USE ErrCode exchange_long_value(ExchangeGroups *g, Span *value, bool *end, Err *err);

MUST_USE static inline bool exchange_in_group(const ExchangeGroups *g)
{
    return g->at < g->end && memcmp(g->at, g->group, EXCHANGE_KEY) == 0;
}
MUST_USE static inline ErrCode exchange_next_group(ExchangeGroups *g, uint8_t key[EXCHANGE_KEY], bool *end, Err *err)
{
    if (g->by) return exchange_long_group(g, key, end, err);
    while (exchange_in_group(g)) g->at += g->width;
    *end = g->at == g->end;
    if (*end) return ERR_OK;
    g->group = g->at;
    memcpy(key, g->at, EXCHANGE_KEY);
    return ERR_OK;
}
MUST_USE static inline ErrCode exchange_next_value(ExchangeGroups *g, Span *value, bool *end, Err *err)
{
    if (g->by) return exchange_long_value(g, value, end, err);
    *end = !exchange_in_group(g);
    if (*end) return ERR_OK;
    *value = span(g->at + EXCHANGE_KEY, g->width - EXCHANGE_KEY);
    g->at += g->width;
    return ERR_OK;
}

#endif
