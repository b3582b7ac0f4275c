/* Tokens of a word are at places 1 … n of its row; 0 and n + 1 are guards, which merge with nothing, so that every token has
 * neighbours and nothing depends on whether it is the first or the last. */
#include "tokenize/word_group.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_KERNEL 1
#include <immintrin.h>
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum {
    PLACES = GROUP_TOKENS + 2,
    KEYS = 16,        /* places that may begin a pair: 0 and those of tokens */
    GUARD = 0xffffff, /* no token's id: TOKENIZER_MAX_IDS */
    PLACE_BITS = 5
};

/* A pair's key is its rank << PLACE_BITS | the left place: the least of a word's keys is the merge to do. */
typedef struct {
    uint32_t id[PLACES];
    uint32_t alive; /* bits of places */
    uint32_t key[KEYS];
} Row;

/* A pair that the filter of merges lets pass. */
typedef struct {
    uint64_t product;
    uint32_t *key;
    uint32_t place;
} Asked;

INLINE void begin_row(const Tokenizer *t, Row *r, const GroupWord *w)
{
    r->id[0] = r->id[w->n + 1] = GUARD;
    for (uint32_t i = 0; i < w->n; i++) r->id[i + 1] = w->id[i];
    r->alive = ((uint32_t)1 << (w->n + 2)) - 1;
    for (uint32_t i = 0; i < KEYS; i++) r->key[i] = UINT32_MAX;
    for (uint32_t i = 1; i < w->n; i++) {
        uint32_t rank = merge_rank(&t->ranks, r->id[i], r->id[i + 1]);
        r->key[i] = rank == NO_RANK ? UINT32_MAX : rank << PLACE_BITS | i;
    }
}

/* By halves, so that the compiler sees vectors. */
INLINE uint32_t least_key(const Row *r)
{
    uint32_t least[KEYS / 2];

    for (int i = 0; i < KEYS / 2; i++) least[i] = r->key[i] < r->key[KEYS / 2 + i] ? r->key[i] : r->key[KEYS / 2 + i];
    for (int n = KEYS / 4; n; n /= 2)
        for (int i = 0; i < n; i++) least[i] = least[n + i] < least[i] ? least[n + i] : least[i];
    return least[0];
}

/* Asks for the rank of the tokens at a place and the next one; the key is not there until it is looked at. */
INLINE size_t ask(const MergeRanks *m, Row *r, uint32_t left, uint32_t right, Asked *asked)
{
    uint64_t product = merge_product(m, r->id[left], r->id[right]);

    r->key[left] = UINT32_MAX;
    *asked = (Asked){product, &r->key[left], left};
    size_t may = merge_may_be(m, product);
#if defined(__GNUC__)
    __builtin_prefetch(m->slot + merge_home(m, product) * may); /* no branch: it could not be foreseen */
#endif
    return may;
}

/* Does the merge of the least key and asks for the two that it makes possible; returns how many of them may be. */
INLINE size_t merge_one(const Tokenizer *t, Row *r, uint32_t least, Asked *asked)
{
    uint32_t at = least & ((1 << PLACE_BITS) - 1), before = r->alive & (((uint32_t)1 << at) - 1),
             after = r->alive & ~(uint32_t)1 << at;
    uint32_t left = 31 - (uint32_t)__builtin_clz(before), right = (uint32_t)__builtin_ctz(after);

    after &= after - 1;
    r->id[at] = merge_id(&t->ranks, least >> PLACE_BITS);
    r->alive ^= (uint32_t)1 << right;
    r->key[right & (KEYS - 1)] = UINT32_MAX;
    size_t n = ask(&t->ranks, r, left, at, asked);
    return n + ask(&t->ranks, r, at, (uint32_t)__builtin_ctz(after), asked + n);
}

INLINE void end_row(const Row *r, GroupWord *w)
{
    uint32_t tokens = r->alive & ~(uint32_t)1, n = 0;

    for (; tokens & (tokens - 1); tokens &= tokens - 1) w->id[n++] = r->id[__builtin_ctz(tokens)];
    w->n = n;
}

typedef uint32_t MergeSearch(const MergeRanks *m, uint64_t product);

INLINE void merge_all(const Tokenizer *t, GroupWord *word, size_t n, MergeSearch *search)
{
    Row row[GROUP_WORDS];
    Asked asked[2 * GROUP_WORDS];
    uint32_t going[GROUP_WORDS], n_going = 0, n_left;

    for (uint32_t i = 0; i < n; i++) {
        begin_row(t, &row[i], &word[i]);
        going[n_going++] = i;
    }
    for (; n_going; n_going = n_left) {
        size_t n_asked = 0;
        n_left = 0;
        for (uint32_t i = 0; i < n_going; i++) {
            Row *r = &row[going[i]];
            uint32_t least = least_key(r);
            if (least == UINT32_MAX) continue;
            n_asked += merge_one(t, r, least, asked + n_asked);
            going[n_left++] = going[i];
        }
        for (size_t i = 0; i < n_asked; i++) {
            uint32_t rank = search(&t->ranks, asked[i].product);
            *asked[i].key = rank == NO_RANK ? UINT32_MAX : rank << PLACE_BITS | asked[i].place;
        }
    }
    for (size_t i = 0; i < n; i++) end_row(&row[i], &word[i]);
}

#ifdef HAVE_AVX2_KERNEL
#define AVX2 __attribute__((target("avx2,bmi")))

/* Four slots at once: which of them it is could not be foreseen. */
AVX2 static inline uint32_t search_avx2(const MergeRanks *m, uint64_t product)
{
    const uint64_t *slot = m->slot + merge_home(m, product);
    __m256i want =
        _mm256_add_epi64(_mm256_set1_epi64x((long long)merge_rest(m, product)), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i have = _mm256_loadu_si256((const __m256i *)(const void *)slot);
    __m256i equal = _mm256_cmpeq_epi64(_mm256_srli_epi64(have, 24), want);
    unsigned lanes = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal));

    return lanes ? (uint32_t)slot[__builtin_ctz(lanes)] & 0xffffff : merge_search(m, product);
}

AVX2 static void merge_group_avx2(const Tokenizer *t, GroupWord *word, size_t n)
{
    merge_all(t, word, n, search_avx2);
}
#endif

void merge_group_portable(const Tokenizer *t, GroupWord *word, size_t n) { merge_all(t, word, n, merge_search); }

void merge_group(const Tokenizer *t, GroupWord *word, size_t n)
{
#ifdef HAVE_AVX2_KERNEL
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")) {
        merge_group_avx2(t, word, n);
        return;
    }
#endif
    merge_group_portable(t, word, n);
}
