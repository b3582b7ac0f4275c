/* train/schedule.c - see train/schedule.h. */
#include "train/schedule.h"

uint64_t schedule_warmup(uint64_t asked, uint64_t steps)
{
    const uint64_t most = steps / 20;
    const uint64_t warmup = asked < most ? asked : most;
    return warmup ? warmup : 1;
}

double schedule_lr(double max_lr, uint64_t warmup, uint64_t step, uint64_t steps)
{
    if (step < warmup) return max_lr * (double)(step + 1) / (double)warmup;
    if (step >= steps - steps / 10) return max_lr * 0.1;
    if (step >= steps - steps / 5) return max_lr * 0.316;
    return max_lr;
}
