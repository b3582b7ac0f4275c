/* dedup/minhash.h - MinHash values and verification sketches of a set of shingles. Private to the room.
 *
 * Value i of a set of 32-bit shingles X is min over X of (a_i * x mod 2^64) >> 32 with a_i odd, 64 bits. The kernel keeps a
 * block of MINHASH_BLOCK minima in registers and goes over all shingles; that for AVX-512, that for AVX2 and the portable one give
 * the same values.
 *
 * A sketch is 128 bins of one byte: the upper 7 bits of a shingle's hash choose its bin, a bin remembers the smallest
 * hash it saw as a byte 1..255, or 0 when it saw none. Of n bins that are not empty in both of two sketches m are equal;
 * equal bytes of different shingles come by chance once in 255, so J is estimated as (255 m - n) / (254 n). */
#ifndef TAMIS_DEDUP_MINHASH_H
#define TAMIS_DEDUP_MINHASH_H

#include "core/bytes.h"
#include "core/err.h"

enum { MINHASH_BLOCK = 16, SKETCH_BINS = 128 };

typedef struct {
    uint32_t n;        /* values asked for */
    uint32_t n_padded; /* what minhash_sign() writes: a multiple of MINHASH_BLOCK */
    uint64_t *mul;     /* n_padded odd multipliers */
} MinHash;

/* n >= 1. */
MUST_USE ErrCode minhash_init(MinHash *m, uint32_t n, uint64_t seed, Err *err);
void minhash_clear(MinHash *m);

/* values: n_padded. An empty set has every value UINT32_MAX. */
void minhash_sign(const MinHash *m, const uint32_t *shingles, size_t n, uint32_t *values);
/* The kernels behind it, the fastest first, for tests; false where the machine cannot run it. */
typedef enum { MINHASH_AVX512, MINHASH_AVX2, MINHASH_PORTABLE, MINHASH_KERNELS } MinHashKernel;
bool minhash_sign_by(MinHashKernel kernel, const MinHash *m, const uint32_t *shingles, size_t n, uint32_t *values);

/* shingles: 64-bit hashes. */
void sketch_make(const uint64_t *shingles, size_t n, uint64_t seed, uint8_t sketch[SKETCH_BINS]);
/* *n: bins not empty in both; returns how many of them are equal. */
uint32_t sketch_matches(const uint8_t a[SKETCH_BINS], const uint8_t b[SKETCH_BINS], uint32_t *n);
/* Whether the estimate reaches micro / 1e6. False for two empty sketches. */
bool sketch_near(const uint8_t a[SKETCH_BINS], const uint8_t b[SKETCH_BINS], uint32_t micro);
/* The estimate in millionths, rounded down, 0 where it is below; *margin is three standard deviations of it where the truth is
 * micro: sqrt(J (1 - J) / n) is one. Where micro is a million it is 1, beyond every estimate: sets whose sketches are equal may still
 * differ. -1 for two empty sketches. */
int32_t sketch_estimate(const uint8_t a[SKETCH_BINS], const uint8_t b[SKETCH_BINS], uint32_t micro, uint32_t *margin);

#endif
