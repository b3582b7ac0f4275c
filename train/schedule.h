/* train/schedule.h - the multi-step learning rate of the paper (arXiv 2401.02954, 2.3): a linear warm-up, the maximum
 * until 80 % of all steps, 31.6 % of it until 90 %, then 10 %. All steps have the same number of tokens, so shares of
 * steps are shares of tokens. */
#ifndef TAMIS_TRAIN_SCHEDULE_H
#define TAMIS_TRAIN_SCHEDULE_H

#include <stdint.h>

/* The warm-up of a run: `asked` steps, but never more than 5 % of all (a short run would else be all warm-up), at
 * least 1. */
uint64_t schedule_warmup(uint64_t asked, uint64_t steps);
/* The rate of step 0 <= step < steps; step 0 already has max_lr / warmup. */
double schedule_lr(double max_lr, uint64_t warmup, uint64_t step, uint64_t steps);

#endif
