#include "dedup/minhash.h"

#include "core/hash.h"

#include <math.h>
#include <stdlib.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86_KERNELS 1
#include <immintrin.h>
#endif

enum { MINHASH_TILE = 4096 }; /* shingles gone over by all blocks in turn: 16 KiB, half of a first-level cache */
static const uint64_t mul_salt = 0xD1B54A32D192ED03u; /* keeps the families of values and sketches apart */

ErrCode minhash_init(MinHash *m, uint32_t n, uint64_t seed, Err *err)
{
    *m = (MinHash){.n = n, .n_padded = (n + MINHASH_BLOCK - 1) / MINHASH_BLOCK * MINHASH_BLOCK};
    m->mul = malloc(m->n_padded * sizeof *m->mul);
    if (!m->mul) return err_nomem(err, "MinHash multipliers");
    for (uint32_t i = 0; i < m->n_padded; i++) m->mul[i] = mix64(mix64(seed ^ mul_salt) + i) | 1;
    return ERR_OK;
}

void minhash_clear(MinHash *m)
{
    free(m->mul);
    *m = (MinHash){0};
}

/* Lowers `values` by a tile of shingles. */
static void lower_portable(const MinHash *m, const uint32_t *shingles, size_t n, uint32_t *values)
{
    for (uint32_t at = 0; at < m->n_padded; at += MINHASH_BLOCK) {
        uint32_t least[MINHASH_BLOCK];
        memcpy(least, values + at, sizeof least);
        for (size_t i = 0; i < n; i++) {
            for (int k = 0; k < MINHASH_BLOCK; k++) {
                uint32_t h = (uint32_t)(m->mul[at + (uint32_t)k] * shingles[i] >> 32);
                least[k] = h < least[k] ? h : least[k];
            }
        }
        memcpy(values + at, least, sizeof least);
    }
}

#ifdef HAVE_X86_KERNELS

/* Multipliers of eight values, split for 32-bit multiplications: with a = hi * 2^32 + lo the high half of a * x is
 * (lo * x >> 32) + hi * x mod 2^32. The products of even and odd lanes are brought together by one shuffle, which leaves the lanes
 * of each half in the order 0 2 1 3: `hi` and the minima are held in that order too. */
typedef struct {
    __m256i lo_even, lo_odd, hi;
} Multipliers;

/* To that order and, being its own inverse, back. */
__attribute__((target("avx2"))) static inline __m256i reorder(__m256i eight)
{
    return _mm256_shuffle_epi32(eight, _MM_SHUFFLE(3, 1, 2, 0));
}

__attribute__((target("avx2"))) static inline Multipliers load_multipliers(const uint64_t *mul)
{
    uint32_t lo[8], hi[8];

    for (int i = 0; i < 8; i++) {
        lo[i] = (uint32_t)mul[i];
        hi[i] = (uint32_t)(mul[i] >> 32);
    }
    __m256i l = _mm256_loadu_si256((const __m256i *)(const void *)lo),
            h = _mm256_loadu_si256((const __m256i *)(const void *)hi);
    return (Multipliers){l, _mm256_srli_epi64(l, 32), reorder(h)};
}

__attribute__((target("avx2"))) static inline __m256i high_halves(Multipliers a, __m256i x)
{
    __m256 even = _mm256_castsi256_ps(_mm256_mul_epu32(a.lo_even, x)),
           odd = _mm256_castsi256_ps(_mm256_mul_epu32(a.lo_odd, x));
    __m256i low = _mm256_castps_si256(_mm256_shuffle_ps(even, odd, _MM_SHUFFLE(3, 1, 3, 1)));

    return _mm256_add_epi32(low, _mm256_mullo_epi32(a.hi, x));
}

__attribute__((target("avx2"))) static void lower_avx2(const MinHash *m, const uint32_t *shingles, size_t n,
                                                       uint32_t *values)
{
    for (uint32_t at = 0; at < m->n_padded; at += MINHASH_BLOCK) {
        Multipliers a = load_multipliers(m->mul + at), b = load_multipliers(m->mul + at + 8);
        __m256i *to = (__m256i *)(void *)(values + at);
        __m256i least_a = reorder(_mm256_loadu_si256(to)), least_b = reorder(_mm256_loadu_si256(to + 1));
        for (size_t i = 0; i < n; i++) {
            __m256i x = _mm256_set1_epi32((int)shingles[i]);
            least_a = _mm256_min_epu32(least_a, high_halves(a, x));
            least_b = _mm256_min_epu32(least_b, high_halves(b, x));
        }
        _mm256_storeu_si256(to, reorder(least_a));
        _mm256_storeu_si256(to + 1, reorder(least_b));
    }
}

/* The same with sixteen lanes: both products have their high halves in odd lanes, and one masked shuffle brings those of the even ones
 * to their places, so that all stays in order. */
__attribute__((target("avx512f"))) static void lower_avx512(const MinHash *m, const uint32_t *shingles, size_t n,
                                                            uint32_t *values)
{
    for (uint32_t at = 0; at < m->n_padded; at += MINHASH_BLOCK) {
        uint32_t lo[MINHASH_BLOCK], hi[MINHASH_BLOCK];
        for (uint32_t i = 0; i < MINHASH_BLOCK; i++) {
            lo[i] = (uint32_t)m->mul[at + i];
            hi[i] = (uint32_t)(m->mul[at + i] >> 32);
        }
        const __m512i lo_even = _mm512_loadu_si512(lo), lo_odd = _mm512_srli_epi64(lo_even, 32),
                      high = _mm512_loadu_si512(hi);
        __m512i least = _mm512_loadu_si512(values + at);
        for (size_t i = 0; i < n; i++) {
            const __m512i x = _mm512_set1_epi32((int)shingles[i]);
            const __m512i even = _mm512_mul_epu32(lo_even, x), odd = _mm512_mul_epu32(lo_odd, x);
            const __m512i low = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
            least = _mm512_min_epu32(least, _mm512_add_epi32(low, _mm512_mullo_epi32(high, x)));
        }
        _mm512_storeu_si512(values + at, least);
    }
}

static bool have_avx2(void) { return __builtin_cpu_supports("avx2"); }
static bool have_avx512(void) { return __builtin_cpu_supports("avx512f"); }

#else
#define lower_avx2   lower_portable
#define lower_avx512 lower_portable
static bool have_avx2(void) { return false; }
static bool have_avx512(void) { return false; }
#endif

static bool have_portable(void) { return true; }

static const struct {
    bool (*have)(void);
    void (*lower)(const MinHash *m, const uint32_t *shingles, size_t n, uint32_t *values);
} kernels[MINHASH_KERNELS] = {[MINHASH_AVX512] = {have_avx512, lower_avx512},
                              [MINHASH_AVX2] = {have_avx2, lower_avx2},
                              [MINHASH_PORTABLE] = {have_portable, lower_portable}};

bool minhash_sign_by(MinHashKernel kernel, const MinHash *m, const uint32_t *shingles, size_t n, uint32_t *values)
{
    if (!kernels[kernel].have()) return false;
    memset(values, 0xff, m->n_padded * sizeof *values);
    for (size_t at = 0; at < n; at += MINHASH_TILE)
        kernels[kernel].lower(m, shingles + at, n - at < MINHASH_TILE ? n - at : MINHASH_TILE, values);
    return true;
}

void minhash_sign(const MinHash *m, const uint32_t *shingles, size_t n, uint32_t *values)
{
    for (int k = 0; k < MINHASH_KERNELS; k++)
        if (minhash_sign_by((MinHashKernel)k, m, shingles, n, values)) return;
}

void sketch_make(const uint64_t *shingles, size_t n, uint64_t seed, uint8_t sketch[SKETCH_BINS])
{
    uint32_t least[SKETCH_BINS];
    uint64_t salt = mix64(seed + 1);

    memset(least, 0xff, sizeof least);
    for (size_t i = 0; i < n; i++) { /* no branch: which shingle is a bin's least cannot be predicted */
        uint64_t h = mix64(shingles[i] ^ salt);
        uint32_t value = (uint32_t)h, old = least[h >> 57];
        least[h >> 57] = value < old ? value : old;
    }
    /* A hash of 2^32 - 1 counts as an empty bin: one shingle in 4e9. */
    for (int b = 0; b < SKETCH_BINS; b++)
        sketch[b] = least[b] == UINT32_MAX ? 0 : (uint8_t)(1 + mix64(least[b]) % 255);
}

uint32_t sketch_matches(const uint8_t a[SKETCH_BINS], const uint8_t b[SKETCH_BINS], uint32_t *n)
{
    uint32_t used = 0, equal = 0;

    for (int i = 0; i < SKETCH_BINS; i++) {
        uint8_t any = (a[i] | b[i]) != 0;
        used += any;
        equal += (uint8_t)(any & (a[i] == b[i]));
    }
    *n = used;
    return equal;
}

int32_t sketch_estimate(const uint8_t a[SKETCH_BINS], const uint8_t b[SKETCH_BINS], uint32_t micro, uint32_t *margin)
{
    uint32_t n, m = sketch_matches(a, b, &n);

    *margin = 0;
    if (n == 0) return -1;
    *margin = micro < 1000000 ? (uint32_t)(3 * sqrt((double)micro * (double)(1000000 - micro) / n)) : 1;
    return 255 * m < n ? 0 : (int32_t)((255 * (uint64_t)m - n) * 1000000 / (254 * (uint64_t)n));
}

bool sketch_near(const uint8_t a[SKETCH_BINS], const uint8_t b[SKETCH_BINS], uint32_t micro)
{
    uint32_t n, m = sketch_matches(a, b, &n);

    return n > 0 && 255 * m >= n && (255 * (uint64_t)m - n) * 1000000 >= (uint64_t)micro * 254 * n;
}
