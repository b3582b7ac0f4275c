/* tokenize/bpe_input.h - the text that `tamis bpe` trains on: datasets, sampled, or text files: plain, gzip or zstd. */
#ifndef TAMIS_TOKENIZE_BPE_INPUT_H
#define TAMIS_TOKENIZE_BPE_INPUT_H

#include "core/hash.h"
#include "core/par.h"
#include "tokenize/bpe_gather.h"

typedef struct {
    const char *const *path; /* datasets, or text files */
    size_t n;
    bool text;
    uint64_t sample_bytes;
    uint64_t
        memory; /* for the text in it: files are read in pieces of 1/64, but of a line at the least; 0: of 8 MiB */
    const Par *par; /* borrowed: outlives the BpeInput */
} BpeSource;

/* Why a document, or line, is left out: the pre-tokenizer gave it up; a line of a text file is longer than a document may be. */
typedef enum { BPE_TOO_MANY_STEPS, BPE_LINE_TOO_LONG, BPE_N_DROPS } BpeDrop;
extern const char *const bpe_drop_names[BPE_N_DROPS];
typedef struct {
    uint64_t n_taken; /* documents, of text files lines */
    uint64_t n_dropped[BPE_N_DROPS];
} BpeDocs;

typedef struct BpeInput BpeInput;
/* Opens everything, reads no text yet. Text files are taken whole: sample_bytes is not for them. */
MUST_USE ErrCode bpeinput_open(BpeInput **in, const BpeSource *source, Err *err);
void bpeinput_close(BpeInput *in);
/* JSON array of {path, content}, and of what identifies the inputs without their paths. */
void bpeinput_describe(const BpeInput *in, Buf *inputs, Buf *contents);
/* Counts the words of this rank's share of all text, or of the sample, nfc: of the text in
 * Normalization Form C. Not collective. */
MUST_USE ErrCode bpeinput_count(BpeInput *in, WordGather *words, bool nfc, BpeDocs *docs, Err *err);

#endif
