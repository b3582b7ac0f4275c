/* train/gemm.c - packing, blocking and threads of the product in train/gemm.h. */
#include "train/gemm.h"

#include "core/bytes.h"

#include <assert.h>
#include <stdlib.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

/* A task of one thread: TILE_A panels of A by TILE_B panels of B. About 100 x 128 elements: small enough that two
 * threads share a 256 x 256 gradient evenly, large enough that fetching a task costs nothing. */
enum { TILE_A_ROWS = 96, TILE_B_COLS = 128 };

/* What all threads of one product share. */
typedef struct {
    const GemmWork *w;
    GemmForm form;
    size_t m, n, k;
    const float *a, *b;
    size_t lda, ldb, ldc;
    float *c;
    bool add;
} Product;

/* One block of it: rows [i0, i0 + mb), columns [j0, j0 + nb), k in [k0, k0 + kc). */
typedef struct {
    size_t i0, mb, j0, nb, k0, kc;
} Block;

static size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

ErrCode gemmwork_init(GemmWork *w, const GemmKernel *kernel, size_t rows, size_t cols, Err *err)
{
    if (!kernel) kernel = gemm_kernel(0);
    assert(rows > 0 && cols > 0 && kernel->mr * kernel->nr <= GEMM_MAX_TILE);
    *w = (GemmWork){.kernel = kernel};
    w->rows = ceil_div(rows, kernel->mr) * kernel->mr;
    w->cols = ceil_div(cols, kernel->nr) * kernel->nr;
    w->a = aligned_alloc(64, ceil_div(w->rows * GEMM_KC * sizeof(float), 64) * 64);
    w->b = aligned_alloc(64, ceil_div(w->cols * GEMM_KC * sizeof(float), 64) * 64);
    if (w->a && w->b) return ERR_OK;
    gemmwork_clear(w);
    return err_nomem(err, "packed matrix panels");
}

void gemmwork_clear(GemmWork *w)
{
    free(w->a);
    free(w->b);
    *w = (GemmWork){0};
}

/* dst[t * width + i] = src[i * ld + t] for a 4 x 4 block. */
static inline void transpose_4x4(float *dst, size_t width, const float *src, size_t ld)
{
#if defined(__SSE2__)
    __m128 r0 = _mm_loadu_ps(src), r1 = _mm_loadu_ps(src + ld), r2 = _mm_loadu_ps(src + 2 * ld),
           r3 = _mm_loadu_ps(src + 3 * ld);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(dst, r0);
    _mm_storeu_ps(dst + width, r1);
    _mm_storeu_ps(dst + 2 * width, r2);
    _mm_storeu_ps(dst + 3 * width, r3);
#else
    for (size_t t = 0; t < 4; t++)
        for (size_t i = 0; i < 4; i++) dst[t * width + i] = src[i * ld + t];
#endif
}

/* A panel whose `width` lanes are stored rows of src: dst[k * width + i] = src[i * ld + k], lanes from `valid` on 0. */
static void pack_rows(float *dst, size_t width, const float *src, size_t ld, size_t valid, size_t kc)
{
    size_t i = 0;

    for (; i + 4 <= valid; i += 4) {
        size_t k = 0;
        for (; k + 4 <= kc; k += 4) transpose_4x4(dst + k * width + i, width, src + i * ld + k, ld);
        for (; k < kc; k++)
            for (size_t u = 0; u < 4; u++) dst[k * width + i + u] = src[(i + u) * ld + k];
    }
    for (; i < width; i++)
        for (size_t k = 0; k < kc; k++) dst[k * width + i] = i < valid ? src[i * ld + k] : 0.0f;
}

/* Panels whose lanes are stored columns: lane i of `valid` in all goes to panel i / width, dst[k * width + i % width] =
 * src[k * ld + i]; lanes from `valid` on are 0. Several panels at once, so that a line of memory is fetched once. */
static void pack_cols(float *dst, size_t width, const float *src, size_t ld, size_t valid, size_t kc)
{
    for (size_t k = 0; k < kc; k++)
        for (size_t i = 0; i < valid; i += width) {
            float *to = dst + i * kc + k * width;
            const float *from = src + k * ld + i;
            if (i + width <= valid) /* four at a time is faster than calling memcpy for 48 bytes */
                for (size_t l = 0; l < width; l += 4) memcpy(to + l, from + l, 4 * sizeof *to);
            else
                for (size_t l = 0; l < width; l++) to[l] = i + l < valid ? from[l] : 0.0f;
        }
}

/* Panels that one task packs. */
enum { PACK_PANELS = 4 };

static void pack_a(const Product *p, const Block *b, size_t group)
{
    const size_t mr = p->w->kernel->mr, i0 = group * PACK_PANELS * mr, end = min_size(i0 + PACK_PANELS * mr, b->mb);
    float *dst = p->w->a + i0 * b->kc;

    if (p->form == GEMM_TN)
        pack_cols(dst, mr, p->a + b->k0 * p->lda + b->i0 + i0, p->lda, end - i0, b->kc);
    else
        for (size_t i = i0; i < end; i += mr)
            pack_rows(p->w->a + i * b->kc, mr, p->a + (b->i0 + i) * p->lda + b->k0, p->lda, min_size(mr, end - i),
                      b->kc);
}

static void pack_b(const Product *p, const Block *b, size_t group)
{
    const size_t nr = p->w->kernel->nr, j0 = group * PACK_PANELS * nr, end = min_size(j0 + PACK_PANELS * nr, b->nb);
    float *dst = p->w->b + j0 * b->kc;

    if (p->form != GEMM_NT)
        pack_cols(dst, nr, p->b + b->k0 * p->ldb + b->j0 + j0, p->ldb, end - j0, b->kc);
    else
        for (size_t j = j0; j < end; j += nr)
            pack_rows(p->w->b + j * b->kc, nr, p->b + (b->j0 + j) * p->ldb + b->k0, p->ldb, min_size(nr, end - j),
                      b->kc);
}

/* One micro-tile at (i, j) of the block; at the edges the kernel writes aside and the valid part is taken over. */
static void micro_tile(const Product *p, const Block *b, size_t i, size_t j)
{
    const GemmKernel *kernel = p->w->kernel;
    const size_t rows = min_size(kernel->mr, b->mb - i), cols = min_size(kernel->nr, b->nb - j);
    const float *pa = p->w->a + i * b->kc, *pb = p->w->b + j * b->kc;
    float *c = p->c + (b->i0 + i) * p->ldc + b->j0 + j;
    const bool add = p->add || b->k0 > 0;
    float side[GEMM_MAX_TILE];

    if (rows == kernel->mr && cols == kernel->nr) {
        kernel->micro(b->kc, pa, pb, c, p->ldc, add);
        return;
    }
    kernel->micro(b->kc, pa, pb, side, kernel->nr, false);
    for (size_t r = 0; r < rows; r++)
        for (size_t s = 0; s < cols; s++) {
            float v = side[r * kernel->nr + s];
            c[r * p->ldc + s] = add ? c[r * p->ldc + s] + v : v;
        }
}

/* Columns outside, rows inside: a panel of B (NR * KC floats, the larger) stays in the first-level cache. */
static void big_tile(const Product *p, const Block *b, size_t tile)
{
    const size_t mr = p->w->kernel->mr, nr = p->w->kernel->nr;
    const size_t step_i = ceil_div(TILE_A_ROWS, mr) * mr, step_j = ceil_div(TILE_B_COLS, nr) * nr;
    const size_t tiles_i = ceil_div(b->mb, step_i);
    const size_t i0 = tile % tiles_i * step_i, j0 = tile / tiles_i * step_j;

    for (size_t j = j0; j < min_size(j0 + step_j, b->nb); j += nr)
        for (size_t i = i0; i < min_size(i0 + step_i, b->mb); i += mr) micro_tile(p, b, i, j);
}

static size_t n_big_tiles(const Product *p, const Block *b)
{
    const size_t mr = p->w->kernel->mr, nr = p->w->kernel->nr;
    return ceil_div(b->mb, ceil_div(TILE_A_ROWS, mr) * mr) * ceil_div(b->nb, ceil_div(TILE_B_COLS, nr) * nr);
}

/* The blocks in order; every thread of the team runs this same loop and takes its share of each inner one. Barriers
 * stand at the ends of the `omp for`s: panels are complete before tiles read them, and read before they are packed
 * anew. A team of one costs half a microsecond, so attention's small products take this way too. */
static void run_blocks(const Product *p)
{
    const size_t mr = p->w->kernel->mr, nr = p->w->kernel->nr;

    for (size_t j0 = 0; j0 < p->n; j0 += p->w->cols)
        for (size_t k0 = 0; k0 < p->k; k0 += GEMM_KC)
            for (size_t i0 = 0; i0 < p->m; i0 += p->w->rows) {
                const Block b = {i0, min_size(p->w->rows, p->m - i0), j0, min_size(p->w->cols, p->n - j0),
                                 k0, min_size(GEMM_KC, p->k - k0)};
                if (i0 == 0) {
#pragma omp for schedule(static) nowait
                    for (size_t t = 0; t < ceil_div(b.nb, PACK_PANELS * nr); t++) pack_b(p, &b, t);
                }
#pragma omp for schedule(static)
                for (size_t t = 0; t < ceil_div(b.mb, PACK_PANELS * mr); t++) pack_a(p, &b, t);
#pragma omp for schedule(dynamic)
                for (size_t t = 0; t < n_big_tiles(p, &b); t++) big_tile(p, &b, t);
            }
}

void gemm_f32(GemmWork *w, int threads, GemmForm form, size_t m, size_t n, size_t k, const float *a, size_t lda,
              const float *b, size_t ldb, float *c, size_t ldc, bool add)
{
    const Product p = {w, form, m, n, k, a, b, lda, ldb, ldc, c, add};

    if (k == 0) { /* an empty sum */
        for (size_t i = 0; i < m && !add; i++) memset(c + i * ldc, 0, n * sizeof *c);
        return;
    }
#pragma omp parallel num_threads(threads)
    run_blocks(&p);
}
