/* bench/sign_bench.c - deduplication's signatures: text in memory to band keys and sketch, and the parts of it.
 *
 *   sign_bench TEXT [DOC_BYTES [PASSES [BANDS ROWS]]]
 * TEXT is a file, cut into documents at the first line end behind DOC_BYTES (4096). Of PASSES (5) the best is printed, and the
 * one in the middle. Times are those of the thread on its processor, so a loaded machine can be measured. */
#include "core/hash.h"
#include "core/log.h"
#include "core/store.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_PASSES = 100 };

static Span next_doc(Span text, size_t *at, size_t doc_bytes)
{
    size_t begin = *at;
    Span rest = span_from(text, begin + doc_bytes);

    *at = text.n - rest.n + (rest.n ? span_find(rest, '\n') : 0);
    if (*at < text.n) ++*at;
    return (Span){text.p + begin, *at - begin};
}

typedef struct {
    DedupParams params;
    MinHash minhash;
    Signature s;
    uint64_t n_docs, n_tokens, n_shingles, check;
} Bench;

typedef ErrCode (*Part)(Bench *b, Span doc, Err *err);

static ErrCode split(Bench *b, Span doc, Err *err)
{
    ErrCode rc = textkey_split(&b->s.key, doc, err);

    b->n_tokens += b->s.key.n_tok;
    return rc;
}

static ErrCode split_and_hash(Bench *b, Span doc, Err *err)
{
    ErrCode rc = textkey_split(&b->s.key, doc, err);

    b->check += textkey_hash(&b->s.key, doc).lo;
    return rc;
}

static ErrCode whole(Bench *b, Span doc, Err *err)
{
    ErrCode rc = signature_make(&b->s, &b->params, &b->minhash, doc, err);

    b->n_docs++;
    b->n_shingles += b->s.n_shingles;
    b->check += b->s.band[0] + b->s.sketch[0];
    return rc;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static ErrCode time_part(Bench *b, const char *name, Part part, Span text, size_t doc_bytes, int passes, Err *err)
{
    double seconds[MAX_PASSES];

    for (int i = 0; i < passes; i++) {
        double began = thread_cpu_seconds();
        b->n_docs = b->n_tokens = b->n_shingles = 0;
        for (size_t at = 0; at < text.n;) {
            ErrCode rc = part(b, next_doc(text, &at, doc_bytes), err);
            if (rc != ERR_OK) return rc;
        }
        seconds[i] = thread_cpu_seconds() - began;
    }
    qsort(seconds, (size_t)passes, sizeof *seconds, by_value);
    printf("%-16s %7.1f MB/s  (middle %7.1f)  %6.3f ns/byte\n", name, 1e-6 * (double)text.n / seconds[0],
           1e-6 * (double)text.n / seconds[passes / 2], 1e9 * seconds[0] / (double)text.n);
    return ERR_OK;
}

/* The kernels alone, on as many shingles as a document has. */
static void time_kernels(Bench *b, int passes)
{
    enum { N = 1 << 12, TIMES = 256 };
    static uint64_t shingle[N];
    static uint32_t shingle32[N];
    double least[2] = {1e9, 1e9};
    uint32_t *values = malloc(b->minhash.n_padded * sizeof *values);

    for (uint64_t i = 0; i < N; i++) shingle32[i] = (uint32_t)((shingle[i] = mix64(i)) >> 32);
    for (int i = 0; values && i < passes; i++)
        for (int kernel = 0; kernel < 2; kernel++) {
            double began = thread_cpu_seconds();
            for (int k = 0; k < TIMES; k++) {
                if (kernel == 0)
                    minhash_sign(&b->minhash, shingle32, N, values);
                else
                    sketch_make(shingle, N, (uint64_t)k, b->s.sketch);
                b->check += values[0] + b->s.sketch[0];
            }
            double took = thread_cpu_seconds() - began;
            if (took < least[kernel]) least[kernel] = took;
        }
    free(values);
    const char *const name[2] = {"MinHash alone", "sketch alone"};
    for (int kernel = 0; kernel < 2; kernel++)
        printf("%-16s %7.1f million shingles/s\n", name[kernel], 1e-6 * N * TIMES / least[kernel]);
}

int main(int argc, char **argv)
{
    size_t doc_bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 4096;
    int passes = argc > 3 ? atoi(argv[3]) : 5;
    Bench b = {.params = DEDUP_PARAMS_DEFAULT};
    Buf text = {0};
    Err err;

    if (argc > 5) b.params.bands = (uint32_t)atoi(argv[4]), b.params.rows = (uint32_t)atoi(argv[5]);
    if (argc < 2 || passes < 1 || passes > MAX_PASSES || doc_bytes == 0) {
        fputs("usage: sign_bench TEXT [DOC_BYTES [PASSES [BANDS ROWS]]]\n", stderr);
        return 2;
    }
    ErrCode rc = dedup_check(&b.params, &err);
    if (rc == ERR_OK) rc = minhash_init(&b.minhash, b.params.bands * b.params.rows, b.params.seed, &err);
    if (rc == ERR_OK) rc = store_read(argv[1], (size_t)4 << 30, &text, &err);
    if (rc == ERR_OK) rc = time_part(&b, "tokens", split, buf_span(&text), doc_bytes, passes, &err);
    uint64_t n_tokens = b.n_tokens;
    if (rc == ERR_OK) rc = time_part(&b, "and their hash", split_and_hash, buf_span(&text), doc_bytes, passes, &err);
    if (rc == ERR_OK) rc = time_part(&b, "signature", whole, buf_span(&text), doc_bytes, passes, &err);
    if (rc == ERR_OK) {
        printf("%zu bytes, %" PRIu64 " documents, %" PRIu64 " tokens, %" PRIu64 " shingles\n", text.n, b.n_docs,
               n_tokens, b.n_shingles);
        time_kernels(&b, passes);
        printf("check %016" PRIx64 "\n", b.check);
    } else {
        fprintf(stderr, "sign_bench: %s\n", err.msg);
    }
    signature_clear(&b.s);
    minhash_clear(&b.minhash);
    buf_clear(&text);
    return rc ? err_status(rc) : 0;
}
