/* core/pass.h - one step of a global job: records are sent, meet by key (core/exchange.h), and what each partition of groups
 * yields is kept (core/results.h).
 *
 * A step whose results are all there is not done again; of one that was cut short only the partitions that are missing are:
 * what is sent to finished ones is let fall where it is sent. So a job of several steps goes on where it stopped, with
 * any number of ranks and threads. Results are a function of the records alone.
 *
 * Where no gang of nodes is to be had, the same steps run as a job array over shared storage: a task sends its share into
 * DIR/NAME/sent-I-of-N, sorted, and when all N lie there it receives its share of the partitions from them. What another task
 * has not done yet cannot be waited for, since that task may not be running: pass_run() says ERR_NO, the task ends, and
 * the array is started again; every start goes as far as it can. */
#ifndef TAMIS_CORE_PASS_H
#define TAMIS_CORE_PASS_H

#include "core/exchange.h"
#include "core/options.h"
#include "core/results.h"

typedef struct {
    const char *dir;       /* of the job's steps, shared by all ranks; borrowed */
    const char *name;      /* results lie in DIR/NAME; borrowed */
    Hash128 key;           /* of the job */
    uint32_t result_bytes; /* width of a result */
    uint32_t piece_bytes;  /* as ResultsSpec has it */
    const char *repair;    /* likewise */
    ExchangeSpec exchange; /* its name is set here */
    OptTask task;          /* count 0: ranks of one job; else one of an array, whose values are of fixed width */
} PassSpec;

typedef struct Pass Pass;
/* Collective, like pass_run(). */
MUST_USE ErrCode pass_open(Pass **p, const PassSpec *spec, const Par *par, Err *err);
void pass_close(Pass *p); /* NULL is fine */
const Results *pass_results(const Pass *p);
bool pass_is_done(const Pass *p);

/* Called once on every rank, to send all of its records with pass_put(), from whatever threads. */
typedef ErrCode (*PassSend)(void *ctx, Pass *p, Err *err);
MUST_USE ErrCode pass_put(Pass *p, int lane, const uint8_t key[EXCHANGE_KEY], const void *value, uint32_t n,
                          Err *err);
/* Called once for every partition that is missing, partitions in parallel; results leave with resultsout_put(). */
typedef ErrCode (*PassReceive)(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out,
                               Err *err);
/* Nothing at all where the results are there. Afterwards pass_results() has them. ERR_NO: other tasks of the array have not
 * sent or received yet. */
MUST_USE ErrCode pass_run(Pass *p, PassSend send, PassReceive receive, void *ctx, Err *err);

#endif
