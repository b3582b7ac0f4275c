/* core/dataset_mixture.h - mixture.json beside a dataset: how much of training each mixture domain gets (shards/shards.h has the
 * format). `tamis remix` writes it when its view is complete; who samples or encodes the dataset reads it. */
#ifndef TAMIS_CORE_DATASET_MIXTURE_H
#define TAMIS_CORE_DATASET_MIXTURE_H

#include "core/dataset.h"

enum { MIXTURE_MAX_BYTES = 64 << 20 };

/* Documents without a domain are of this one. */
#define DOMAIN_DEFAULT "default"
static inline Span doc_domain(const Doc *doc) { return doc->domain.n ? doc->domain : SPAN_LIT(DOMAIN_DEFAULT); }

/* Appends the mixture of the set to *text and names its file in the arena; without one *text stays and *path is NULL. A dataset
 * with a mixture must be alone, since two have no common weights: else ERR_USAGE. A view of remix without one is not finished:
 * ERR_DATA. */
MUST_USE ErrCode datasetset_mixture(const DatasetSet *set, Arena *a, Buf *text, const char **path, Err *err);

#endif
