#include "core/stablemath.h"

#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: the first has 32 bits less, so that its product with an exponent is exact. */
static const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;

/* e^x = 2^k e^r, |r| <= ln 2 / 2, by its series: the first term left out is below 5e-18. */
double stable_exp(double x)
{
    if (x < -708) return 0;
    if (x > 709) x = 709;
    const int k = (int)(x * 0x1.71547652b82fep0 + (x < 0 ? -0.5 : 0.5));
    const double r = x - k * ln2_high - k * ln2_low;
    double sum = 1, scale;

    for (int i = 14; i >= 1; i--) sum = 1 + sum * r / i;
    uint64_t bits = (uint64_t)(k + 1023) << 52;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

/* x = 2^e m, m near one; ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172: the first term left out is below 2e-20. */
double stable_log(double x)
{
    uint64_t bits;
    double m;

    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52) - 1023;
    bits = (bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1023 << 52;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) m /= 2, e++;
    const double s = (m - 1) / (m + 1), q = s * s;
    double sum = 0;
    for (int i = 25; i >= 1; i -= 2) sum = sum * q + 1.0 / i;
    return e * ln2_high + (2 * s * sum + e * ln2_low);
}
