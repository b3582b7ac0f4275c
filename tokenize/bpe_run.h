/* tokenize/bpe_run.h - a run of `tamis bpe`, from inputs to tokenizer.json.
 *
 * Beside tokenizer.json lies tokenizer.json.manifest.json with the key of the run, by which a rerun knows what is there. When the
 * tokenizer is trained the manifest is written without the content's hash, then tokenizer.json, then the manifest again with it: a
 * run that was killed in between has left a file that its rerun knows for its own. What one that was stopped before leaves
 * is tokenize/bpe_keep.h's. */
#ifndef TAMIS_TOKENIZE_BPE_RUN_H
#define TAMIS_TOKENIZE_BPE_RUN_H

#include "core/log.h"
#include "tokenize/bpe_input.h"

typedef struct {
    const char *out;
    const char *preset; /* its name, for the key */
    const char *extend; /* tokenizer.json to go on from, NULL: none; then bpe.vocab_size is of all ids */
    BpeParams bpe;
    BpeSource source;
    uint64_t memory;     /* of this process */
    const char *scratch; /* NULL: the output's directory */
    uint32_t save_seconds;
    bool force;
} BpeRun;

/* Collective. */
MUST_USE ErrCode bpe_run(const BpeRun *run, Err *err);

#endif
