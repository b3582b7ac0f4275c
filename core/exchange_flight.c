#include "core/exchange_flight.h"

#include "core/log.h"
#include "core/par_mpi.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- neighbours */

/* spec.machine_ranks pretends that machines are smaller. */
static bool is_neighbour(const Exchange *x, int rank)
{
    int most = (int)x->spec.machine_ranks;

    return rank != x->par.rank && mpi_same_machine(rank) && (most == 0 || rank / most == x->par.rank / most);
}

static int n_neighbours(const Exchange *x)
{
    int n = 0;

    for (int i = 0; i < x->par.n_ranks; i++) n += is_neighbour(x, i);
    return n;
}

/* Messages: one to send, two to receive. Windows: both halves. */
int flight_batches(const Exchange *x)
{
    uint64_t kinds[] = {n_neighbours(x) > 0, n_neighbours(x) < x->par.n_ranks - 1};

    par_sum_u64(&x->par, kinds, 2);
    return kinds[0] && kinds[1] ? 4 : 3; /* with both kinds what is sent lies in the window too */
}

/* --- opening */

ErrCode flight_open(Flight *f, const Exchange *x, Err *err)
{
    size_t n = (size_t)x->par.n_ranks;
    uint64_t *words = calloc(n, 7 * sizeof *words);

    *f = (Flight){.x = x, .n_ranks = x->par.n_ranks, .send_n = words};
    f->order = calloc(n, sizeof *f->order);
    f->came = calloc(n, sizeof *f->came);
    f->peer = calloc(n, sizeof *f->peer);
    if (!words || !f->order || !f->came || !f->peer) return err_nomem(err, x->name);
    f->came_n = words + n, f->coming_n = words + 2 * n, f->coming_at = words + 3 * n;
    f->send_at = words + 4 * n, f->message_n = words + 5 * n, f->message_coming = words + 6 * n;
    for (int near = 0, k = 0; near < 2; near++)
        for (int i = 0; i < f->n_ranks; i++)
            if (is_neighbour(x, i) == (near == 1)) f->order[k++] = i;
    return ERR_OK;
}

static void leave_peers(Flight *f)
{
    for (int i = 0; f->peer && i < f->n_ranks; i++) {
        sharedmem_leave(f->peer[i], 2 * f->half_bytes);
        f->peer[i] = NULL;
    }
}

void flight_close(Flight *f)
{
    leave_peers(f);
    if (f->window.p) sharedmem_give(&f->window);
    slab_give(f->send, f->x->spec.memory);
    slab_give(f->recv, f->x->spec.memory);
    slab_give(f->recv_next, f->x->spec.memory);
    free(f->send_n);
    free(f->order);
    free(f->came);
    free(f->peer);
}

/* The windows of all neighbours; false where one cannot be seen. */
static bool see_peers(Flight *f, bool have, const SharedName *name)
{
    const uint64_t n = (uint64_t)f->n_ranks;
    uint64_t *mine = f->send_n, *place = f->coming_n, *inode = f->coming_at;
    bool ok = have;

    for (uint64_t i = 0; i < n; i++) mine[i] = have ? name->place : 0;
    mpi_alltoall_u64(mine, place);
    for (uint64_t i = 0; i < n; i++) mine[i] = have ? name->inode : 0;
    mpi_alltoall_u64(mine, inode);
    for (int i = 0; i < f->n_ranks && ok; i++)
        if (is_neighbour(f->x, i)) {
            f->peer[i] = sharedmem_see(&(SharedName){place[i], inode[i]}, 2 * f->half_bytes);
            ok = f->peer[i] != NULL;
        }
    return ok;
}

/* All ranks have windows for their neighbours, or none has one. */
void flight_windows(Flight *f, uint64_t round_bytes)
{
    const Exchange *x = f->x;
    uint64_t fails = 0, neighbours = (uint64_t)n_neighbours(x);
    SharedName name = {0};
    bool have = true;

    mpi_max_u64(&neighbours);
    if (neighbours == 0) return;
    f->half_bytes = ((size_t)round_bytes + (size_t)x->bins * 8 + 4095) / 4096 * 4096;
    if (n_neighbours(x) > 0) have = sharedmem_take(&f->window, 2 * f->half_bytes, &name);
    fails = !see_peers(f, have, &name);
    mpi_max_u64(&fails);
    if (!fails) return;
    log_debug("exchange %s: ranks of one machine do not see each other's memory: they send messages", x->name);
    leave_peers(f);
    if (f->window.p) sharedmem_give(&f->window);
    f->half_bytes = 0;
}

/* --- a round */

/* A slab of n bytes, none used. */
static ErrCode room_for(const Flight *f, Slab **s, size_t n, Err *err)
{
    if (!*s || (*s)->cap < n) {
        slab_give(*s, f->x->spec.memory);
        *s = slab_take(n);
    }
    return *s ? ERR_OK : err_nomem(err, f->x->name);
}

ErrCode flight_room(Flight *f, size_t n, bool messages, Err *err)
{
    ErrCode rc;

    f->in_place = !messages && f->half_bytes > 0;
    if (f->in_place && f->window.p) {
        if (n > f->half_bytes) return err_set(err, ERR_LIMIT, "exchange %s: a round of %zu bytes", f->x->name, n);
        f->half ^= 1;
        f->to = f->window.p + f->half * f->half_bytes;
        return ERR_OK;
    }
    f->half ^= f->in_place; /* as those do who have a window */
    rc = room_for(f, &f->send, n, err);
    f->to = rc ? NULL : slab_bytes(f->send);
    return rc;
}

/* What goes by messages, of what is sent or comes. */
static void messages_of(const Flight *f, const uint64_t *n, uint64_t *by_message)
{
    for (int i = 0; i < f->n_ranks; i++) by_message[i] = f->in_place && f->peer[i] ? 0 : n[i];
}

/* For what is announced. */
static ErrCode room_to_receive(Flight *f, Err *err)
{
    uint64_t n = 0;

    for (int i = 0; i < f->n_ranks; i++) n += f->message_coming[i];
    if (n > INT32_MAX) return err_set(err, ERR_NOMEM, "exchange %s: a round of %" PRIu64 " MiB", f->x->name, n >> 20);
    return room_for(f, &f->recv_next, (size_t)n, err);
}

/* Once a rank has the words of all others, these have filled their windows. */
ErrCode flight_begin(Flight *f, ErrCode rc, Err *err)
{
    uint64_t at = 0;

    if ((rc = par_agree(&f->x->par, rc, err)) != ERR_OK) return rc;
    for (int k = 0; k < f->n_ranks; k++) {
        f->send_at[f->order[k]] = at;
        at += f->send_n[f->order[k]];
    }
    atomic_thread_fence(memory_order_seq_cst);
    mpi_alltoall_u64(f->send_n, f->coming_n);
    if (f->in_place) mpi_alltoall_u64(f->send_at, f->coming_at);
    atomic_thread_fence(memory_order_seq_cst);
    messages_of(f, f->send_n, f->message_n);
    messages_of(f, f->coming_n, f->message_coming);
    if ((rc = par_agree(&f->x->par, room_to_receive(f, err), err)) != ERR_OK) return rc;
    mpi_alltoallv_begin(f->to, f->message_n, slab_bytes(f->recv_next), f->message_coming, f->n_ranks);
    return ERR_OK;
}

void flight_end(Flight *f)
{
    EventSpan span = event_begin("wait", f->x->name, 0); /* for what has not come yet */
    Slab *recv = f->recv;
    uint8_t *at;

    mpi_alltoallv_end();
    event_end(span, 0, 0);
    f->recv = f->recv_next;
    f->recv_next = recv;
    at = slab_bytes(f->recv);
    for (int i = 0; i < f->n_ranks; i++) {
        f->came_n[i] = f->coming_n[i];
        f->came[i] = f->in_place && f->peer[i] ? f->peer[i] + f->half * f->half_bytes + f->coming_at[i] : at;
        at += f->message_coming[i];
    }
}
