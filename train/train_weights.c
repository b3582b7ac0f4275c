/* train/train_weights.c - a trained model out of a run's directory, for reading (train/train.h). */
#include "train/checkpoint.h"
#include "train/model.h"
#include "train/train.h"

#include "core/log.h"

#include <stdlib.h>

static ErrCode load_one(const char *dir, uint64_t step, int threads, Model **m, Hash128 *tokenizer_id, Err *err)
{
    CheckpointInfo info;
    ErrCode rc = checkpoint_info(dir, step, &info, err);

    if (rc == ERR_OK) rc = model_new(m, &info.config.model, 0, false, threads, err);
    if (rc == ERR_OK && (rc = checkpoint_load(dir, step, &(*m)->spec, (*m)->params, NULL, NULL, err)) != ERR_OK) {
        model_free(*m);
        *m = NULL;
    }
    if (rc == ERR_OK) *tokenizer_id = info.tokenizer_id;
    return rc;
}

ErrCode train_load_weights(const char *dir, int threads, struct Model **m, Hash128 *tokenizer_id, Err *err)
{
    uint64_t *steps;
    size_t n;
    Err first = {0};
    ErrCode rc = checkpoint_list(dir, &steps, &n, err);

    *m = NULL;
    if (rc == ERR_OK && n == 0) rc = err_set(err, ERR_SYS, "%s holds no checkpoint", dir);
    for (size_t i = n; rc == ERR_OK && i-- > 0;) {
        Err e = {0};
        ErrCode one = load_one(dir, steps[i], threads, m, tokenizer_id, &e);
        if (one == ERR_OK) break;
        if (!first.code) first = e;
        if (i == 0)
            rc = err_set(err, first.code, "%s", first.msg);
        else
            log_warn("%s; trying an older checkpoint", e.msg);
    }
    free(steps);
    return rc;
}
