/* tests/made_dataset.h - a dataset of documents that a test makes up. */
#ifndef TAMIS_TESTS_MADE_DATASET_H
#define TAMIS_TESTS_MADE_DATASET_H

#include "core/doc.h"

/* Fills *doc, which is empty: the i-th document, whose id is i's alone. What is in `a` lives until it is written. From several threads. */
typedef void (*MakeDoc)(void *ctx, uint32_t i, Arena *a, Doc *doc);

/* Writes n documents as a dataset; a failed write fails the test. Document i lies in part i * n_parts / n, so that order of input is
 * order of i. */
void made_dataset(const char *dir, MakeDoc make, void *ctx, uint32_t n, uint32_t n_parts);
/* The number of the first document of a part. */
uint32_t made_first(uint32_t n, uint32_t n_parts, uint32_t part);
/* printf into the arena; the string lives as long. */
__attribute__((format(printf, 2, 3))) Span made_text(Arena *a, const char *format, ...);

#endif
