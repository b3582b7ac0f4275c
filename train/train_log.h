/* train/train_log.h - DIR/log.jsonl: what happened at each step, one JSON object a line.
 *
 *   {"step":1,"tokens":2048,"loss":9.01,"grad_norm":2.3,"lr":1e-05,"tok_s":5000,"seconds":0.4}
 *   {"step":100,"tokens":204800,"heldout_loss":6.2,"heldout_bpb":2.5,"heldout_tokens":8192,"streams":{"NAME":{"loss":…,"bpb":…}}}
 * step counts finished updates from 1; loss is nats a token, the mean over the step's batch before its update; seconds are
 * wall clock since the run began, time between a kill and the resume not counted. A resume from step S drops the lines
 * behind S, lines that are damaged and a last line that was cut, and goes on: no step stands twice. */
#ifndef TAMIS_TRAIN_TRAIN_LOG_H
#define TAMIS_TRAIN_TRAIN_LOG_H

#include "train/evaluate.h"

typedef struct TrainLog TrainLog;

/* Opens DIR/log.jsonl for appending after cutting it back to `step` (0: anew). At the run's end, step == last, the
 * evaluation of that step is dropped too, since it is made anew. */
MUST_USE ErrCode trainlog_open(TrainLog **log, const char *dir, uint64_t step, uint64_t last, Err *err);
/* What the lines say: seconds so far, the losses of step 1 and of the newest step (NAN where its line was lost), the step of
 * the newest evaluation (0: none). */
double trainlog_seconds(const TrainLog *log);
double trainlog_first_loss(const TrainLog *log);
double trainlog_last_loss(const TrainLog *log);
uint64_t trainlog_evaluated(const TrainLog *log);

typedef struct {
    uint64_t step, tokens;
    double loss, grad_norm, lr, tok_s, seconds;
} StepLine;
MUST_USE ErrCode trainlog_step(TrainLog *log, const StepLine *line, Err *err);
MUST_USE ErrCode trainlog_eval(TrainLog *log, uint64_t step, uint64_t tokens, const EvalResult *r,
                               const DataSource *d, Err *err);
void trainlog_close(TrainLog *log); /* NULL is fine */

#endif
