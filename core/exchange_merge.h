/* core/exchange_merge.h - private to core/exchange*.c: sorted slices of one bin as one sorted stream. Sources are added, at
 * most as many as announced, then merge_begin(), then merge_peek() and merge_pop() (core/exchange_impl.h). */
#ifndef TAMIS_CORE_EXCHANGE_MERGE_H
#define TAMIS_CORE_EXCHANGE_MERGE_H

#include "core/exchange_impl.h"

MUST_USE ErrCode merge_new(BinMerge **m, const Exchange *x, uint32_t bin, size_t most,
                           Err *err);                                /* free *m even on failure */
MUST_USE ErrCode merge_add_slice(BinMerge *m, Span slice, Err *err); /* borrowed */
MUST_USE ErrCode merge_add_run(BinMerge *m, ExchangeRun *run, Err *err);
void merge_begin(BinMerge *m);

#endif
