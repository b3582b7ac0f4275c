/* tokenize/sampling.h - which documents a tokenizer is trained on.
 *
 * Of D bytes of text in all, at most S = sample_bytes are wanted (0: all). With a mixture (shards/shards.h has its format) domain d
 * should give S * w_d / W of them, w_d its weight in the first phase, W the sum: so a document of d is taken with chance
 * min(1, S w_d / (W D_d)), when a hash of its id says so; a domain without weight gives none. A document without a domain is of DOMAIN_DEFAULT
 * (core/dataset_mixture.h). Without a mixture the chance is S / D.
 * Chances are whole millionths. */
#ifndef TAMIS_TOKENIZE_SAMPLING_H
#define TAMIS_TOKENIZE_SAMPLING_H

#include "core/doc.h"

enum { SAMPLE_MILLION = 1000000 };

typedef struct {
    Span domain;         /* lives as long as the arena */
    uint32_t millionths; /* of its documents that are taken */
} SampleShare;

typedef struct {
    bool by_domain;
    uint32_t millionths; /* without a mixture */
    SampleShare *share;  /* sorted by domain */
    size_t n_shares;
    Arena arena;
} Sampling;

/* mixture: JSON, empty when there is none; `name` is its path, for messages. text_bytes is D. */
MUST_USE ErrCode sampling_make(Sampling *s, Span mixture, const char *name, uint64_t sample_bytes,
                               uint64_t text_bytes, Err *err);
void sampling_clear(Sampling *s);
bool sampling_takes(const Sampling *s, const Doc *doc);

#endif
