/* remix/weights.h - the arithmetic of mixture weights. Private to the room.
 *
 * Domain i has b_i bytes of text, B is their sum. A given weight f_i stays. What the given ones leave, 1 - sum f, is
 * shared among the rest in proportion to (r_i b_i)^alpha, r_i being 1 but for
 * domains that are repeated. While training reads `epochs` times B bytes, domain i is read w_i
 * * epochs * B / b_i times; where that is more than max_epochs, its weight is cut to the bound and the excess goes to
 * the others, again in proportion, until none is over. If every domain reaches the bound, all are read equally often
 * beyond it. Given weights alone, for all domains, are divided by their sum. The result is rounded to 1e-6, at least
 * 1e-6 where it is not 0 (a domain of less than a millionth may so be read more often); sums run in the order of the
 * array. */
#ifndef TAMIS_REMIX_WEIGHTS_H
#define TAMIS_REMIX_WEIGHTS_H

#include "core/bytes.h"
#include "core/err.h"

typedef struct {
    Span name;
    uint64_t docs, text_bytes;
    uint32_t repeat; /* its text counts so many times; 0 as 1 */
    bool given;
    double given_weight;
    double weight; /* the result */
} MixDomain;

typedef struct {
    double alpha;              /* 0..1 */
    double epochs, max_epochs; /* max_epochs 0: no bound */
} MixTemperature;

/* ERR_USAGE when given weights leave nothing for domains without one, or are all 0. *over: all domains without a
 * given weight are beyond max_epochs. */
MUST_USE ErrCode weights_compute(MixDomain *d, size_t n, const MixTemperature *t, bool *over, Err *err);

/* How often domain d is read in that training. */
double weights_epochs(const MixDomain *d, const MixDomain *all, size_t n, const MixTemperature *t);

#endif
