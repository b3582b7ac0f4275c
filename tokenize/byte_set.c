#include "tokenize/byte_set.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_KERNEL 1
#include <immintrin.h>
#endif

size_t byteset_find_portable(const ByteSet *s, Span text, size_t at)
{
    while (at < text.n && !byteset_has(s, text.p[at])) at++;
    return at;
}

#ifdef HAVE_AVX2_KERNEL

/* A table of 16 in both halves of a register. */
__attribute__((target("avx2"))) static inline __m256i twice(const uint8_t table[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* The rows of a byte's low half, of which the top bit chooses one, against the bit of its high half. */
__attribute__((target("avx2"))) bool byteset_find_avx2(const ByteSet *s, Span text, size_t *at)
{
    static const uint8_t bit[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    size_t i = *at;

    if (!__builtin_cpu_supports("avx2")) return false;
    const __m256i low = twice(s->low), high = twice(s->high), bits = twice(bit), half = _mm256_set1_epi8(15);
    for (; text.n - i >= 32; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(text.p + i));
        __m256i column = _mm256_and_si256(v, half);
        __m256i row = _mm256_blendv_epi8(_mm256_shuffle_epi8(low, column), _mm256_shuffle_epi8(high, column), v);
        __m256i of_high = _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16(v, 4), half));
        __m256i hit = _mm256_cmpeq_epi8(_mm256_and_si256(row, of_high), of_high);
        uint32_t mask = (uint32_t)_mm256_movemask_epi8(hit);
        if (mask) {
            *at = i + (size_t)__builtin_ctz(mask);
            return true;
        }
    }
    *at = byteset_find_portable(s, text, i);
    return true;
}

#else

bool byteset_find_avx2(const ByteSet *s, Span text, size_t *at)
{
    (void)s, (void)text, (void)at;
    return false;
}

#endif

size_t byteset_find(const ByteSet *s, Span text, size_t at)
{
    return byteset_find_avx2(s, text, &at) ? at : byteset_find_portable(s, text, at);
}
