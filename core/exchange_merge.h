/* core/exchange_merge.h - private to core/exchange*.c: sorted slices and runs of one bin as one sorted stream. Sources are added,
 * then merge_begin(), then merge_peek() and merge_pop() (core/exchange_impl.h). */
#ifndef TAMIS_CORE_EXCHANGE_MERGE_H
#define TAMIS_CORE_EXCHANGE_MERGE_H

#include "core/exchange_impl.h"

MUST_USE ErrCode merge_new(BinMerge **m, const Exchange *x, uint32_t bin, Err *err);
MUST_USE ErrCode merge_add_slice(BinMerge *m, Span slice, Err *err); /* borrowed */
/* The runs are the merge's from now on, even of a failure; *runs is then NULL. */
MUST_USE ErrCode merge_take_runs(BinMerge *m, ExchangeRun **runs, Err *err);
MUST_USE ErrCode merge_begin(BinMerge *m, Err *err);

#endif
