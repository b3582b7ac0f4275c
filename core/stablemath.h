/* core/stablemath.h - exp and log of doubles with the same bits on every machine: additions, multiplications and divisions
 * of IEEE 754 in a fixed order, while a C library picks code by the processor and its last bit with it. Within 2 units
 * in the last place. */
#ifndef TAMIS_CORE_STABLEMATH_H
#define TAMIS_CORE_STABLEMATH_H

double stable_exp(double x); /* x is a number; 0 below -708, as of 709 above it */
double stable_log(double x); /* x >= 1e-300 and finite */

#endif
