#include "core/turns.h"

#include "core/log.h"

#include <omp.h>
#include <pthread.h>
#include <stdint.h>

typedef struct {
    const Turns *t;
    void *ctx;
    pthread_mutex_t taking; /* of what follows */
    uint64_t n_taken;
    bool ended;
    pthread_mutex_t turn; /* of what follows, and while a piece is finished */
    pthread_cond_t turned;
    uint64_t n_finished;
    uint64_t failed; /* the first piece that failed; UINT64_MAX: none */
    ErrCode rc;
    Err err;
} TurnsRun;

/* All pieces before a failed one have been taken and will be done, so the first one to fail is the same in every run. */
static void note_failure(TurnsRun *r, uint64_t piece, ErrCode rc, const Err *err)
{
    if (rc == ERR_OK || piece >= r->failed) return;
    r->failed = piece;
    r->rc = rc;
    r->err = *err;
}

static void fail(TurnsRun *r, uint64_t piece, ErrCode rc, const Err *err)
{
    pthread_mutex_lock(&r->turn);
    note_failure(r, piece, rc, err);
    pthread_mutex_unlock(&r->turn);
}

static bool has_failed(TurnsRun *r)
{
    pthread_mutex_lock(&r->turn);
    bool yes = r->failed != UINT64_MAX;
    pthread_mutex_unlock(&r->turn);
    return yes;
}

/* False: nothing is left to do. */
static bool take(TurnsRun *r, int thread, uint64_t *piece)
{
    Err err;

    pthread_mutex_lock(&r->taking);
    bool end = r->ended || has_failed(r);
    if (!end) {
        ErrCode rc =
            interrupt_seen() ? err_set(&err, ERR_INTR, "interrupted") : r->t->take(r->ctx, thread, &end, &err);
        if (rc != ERR_OK) {
            fail(r, r->n_taken, rc, &err);
            end = true;
        }
    }
    r->ended = end;
    *piece = r->n_taken;
    r->n_taken += !end;
    pthread_mutex_unlock(&r->taking);
    return !end;
}

static void finish(TurnsRun *r, int thread, uint64_t piece)
{
    Err err;

    pthread_mutex_lock(&r->turn);
    while (r->n_finished < piece) pthread_cond_wait(&r->turned, &r->turn);
    if (r->failed > piece) {
        ErrCode rc = r->t->finish(r->ctx, thread, &err);
        note_failure(r, piece, rc, &err);
    }
    r->n_finished++;
    pthread_cond_broadcast(&r->turned);
    pthread_mutex_unlock(&r->turn);
}

ErrCode turns_run(const Turns *t, void *ctx, int threads, Err *err)
{
    TurnsRun r = {.t = t,
                  .ctx = ctx,
                  .taking = PTHREAD_MUTEX_INITIALIZER,
                  .turn = PTHREAD_MUTEX_INITIALIZER,
                  .turned = PTHREAD_COND_INITIALIZER,
                  .failed = UINT64_MAX};

    (void)threads; /* of builds without OpenMP */
#pragma omp parallel num_threads(threads)
    {
        const int thread = omp_get_thread_num();
        uint64_t piece;
        Err own;
        while (take(&r, thread, &piece)) {
            ErrCode rc = t->work(ctx, thread, &own);
            if (rc != ERR_OK) fail(&r, piece, rc, &own);
            if (t->finish) finish(&r, thread, piece);
        }
    }
    pthread_cond_destroy(&r.turned);
    pthread_mutex_destroy(&r.turn);
    pthread_mutex_destroy(&r.taking);
    if (r.failed != UINT64_MAX) *err = r.err;
    return r.rc;
}
