/* train/train_config.h - what a training run is: one flat table of keys, from a preset, a YAML file and the command line.
 *
 * Later ones win. A file is a map of the keys below and may begin from a preset (`preset: tiny`); an unknown key is an
 * error. Keys that decide weights are the run's identity: a checkpoint carries them and a resume must have the same. The
 * others (how often to evaluate, to save, how many to keep) may change from call to call. */
#ifndef TAMIS_TRAIN_CONFIG_H
#define TAMIS_TRAIN_CONFIG_H

#include "core/json.h"
#include "train/adamw.h"
#include "train/spec.h"

enum { CONFIG_MAX_BYTES = 64 << 10 };

typedef struct {
    ModelShape model;        /* vocab_rows 0: the tokens' vocabulary, rounded up */
    uint32_t vocab_multiple; /* to a multiple of this */
    uint32_t batch;          /* sequences a step */
    uint32_t micro_batch;    /* sequences at a time; part of the order of sums, so of the identity */
    uint64_t tokens;         /* of the whole run, rounded up to whole steps */
    uint64_t steps;          /* 0: from tokens */
    double lr;
    uint64_t warmup_steps; /* at most 5 % of all steps are used */
    AdamWParams adamw;
    double clip; /* global norm; 0: none */
    uint64_t seed;
    double heldout;       /* share of every stream kept out of training */
    uint64_t block_bytes; /* of the data order (shards/shards.h); 0: its default */
    uint32_t window;
    /* --- not of the identity */
    uint64_t eval_every;         /* steps; 0: only at the end */
    uint32_t eval_samples;       /* of the held-out split, while training */
    uint32_t final_eval_samples; /* and at the end */
    double checkpoint_seconds;   /* wall clock; 0: off */
    uint64_t checkpoint_steps;   /* 0: off */
    uint32_t keep;               /* newest checkpoints kept */
} TrainConfig;

/* `name` is a preset (tiny, 7b) or the path of a YAML file. */
MUST_USE ErrCode config_load(TrainConfig *c, const char *name, Err *err);
/* "key=value" of the command line. */
MUST_USE ErrCode config_set(TrainConfig *c, const char *assignment, Err *err);
/* Fills in what depends on the data (vocab_rows, steps from tokens) and checks every bound. */
MUST_USE ErrCode config_resolve(TrainConfig *c, uint32_t vocab_size, Err *err);
/* All keys in the table's order, one object; identity: only those. Numbers read back as the same values. */
void config_put_json(Buf *out, const TrainConfig *c, bool identity);
MUST_USE ErrCode config_read_json(TrainConfig *c, Span text, const char *name, Err *err);
/* The first identity key in which two configurations differ; NULL: none. */
const char *config_difference(const TrainConfig *a, const TrainConfig *b);
/* The value of a key; NaN when there is none of that name. */
double config_value(const TrainConfig *c, const char *key);
/* The table of keys with their meaning, for people. */
void config_print_keys(void);

#endif
