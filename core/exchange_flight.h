/* core/exchange_flight.h - private to core/exchange*.c: how the bytes of a round get from rank to rank. Between machines they
 * travel as messages, while the round before is delivered. Within a machine nothing travels: a rank fills its window, memory
 * that its neighbours see (core/sharedmem.h), and each reads its own part where it lies.
 *
 * A window has two halves, filled in turn: while one is read, the other is filled. Whoever fills must know that its neighbours have read
 * what lay there two rounds before; a round's plan, in which all take part, comes in between (core/exchange_ranks.c). */
#ifndef TAMIS_CORE_EXCHANGE_FLIGHT_H
#define TAMIS_CORE_EXCHANGE_FLIGHT_H

#include "core/exchange_impl.h"
#include "core/sharedmem.h"

typedef struct {
    const Exchange *x;
    int n_ranks;
    int *order;  /* ranks, those of other machines first: sections are filled in one behind the other like this */
    uint8_t *to; /* where the next round is filled in */
    uint64_t *send_n; /* bytes of it for every rank; the caller's */
    uint8_t **came;   /* what every rank has sent; valid until the flight after the next one begins */
    uint64_t *came_n;
    /* its own: */
    uint64_t *coming_n, *coming_at, *send_at, *message_n, *message_coming; /* of every rank; _at: in its window */
    Slab *send, *recv, *recv_next; /* messages: filled or under way; being delivered; under way */
    bool in_place;                 /* this round: neighbours get no messages */
    SharedMem window;
    size_t half_bytes; /* 0: no windows */
    unsigned half;     /* last filled */
    uint8_t **peer;    /* windows of all ranks of this machine, NULL of others */
} Flight;

/* Batches of memory that it takes at most, beside the one that is being delivered: the same on every rank. */
int flight_batches(const Exchange *x);
/* Both collective. A round has round_bytes of records at most, and the heads of all bins. */
MUST_USE ErrCode flight_open(Flight *f, const Exchange *x, Err *err);
void flight_windows(Flight *f, uint64_t round_bytes);
void flight_close(Flight *f);
/* Room for n bytes at f->to; messages: all of them will go as such, however near. Alike on all ranks. */
MUST_USE ErrCode flight_room(Flight *f, size_t n, bool messages, Err *err);
/* What lies at f->to is on its way; rc says whether it is complete here. Collective. */
MUST_USE ErrCode flight_begin(Flight *f, ErrCode rc, Err *err);
/* What is on its way has come: f->came. */
void flight_end(Flight *f);

#endif
