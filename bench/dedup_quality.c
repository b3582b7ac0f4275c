/* bench/dedup_quality.c - what near deduplication finds, against all pairs of real documents compared shingle by shingle.
 *
 *   dedup_quality DATASET SEEDS {BANDS ROWS DEDUP_DIR}...
 * DATASET is one written dataset, DEDUP_DIR what `tamis dedup --bands BANDS --rows ROWS` made of it, or `-`. Prints of each shape
 *   candidates  of the pairs in each bin of Jaccard similarity, the share that meets in a band: in theory, 1 - (1 - s^rows)^bands over
 *               the same pairs, and measured, mean and 95 % interval over SEEDS families of hashes (where all or none met, give or
 *               take three pairs)
 *   removed     of the documents dropped as near duplicates, how many have less than .7 and .5 in common with the one kept for them
 *   missed      of the pairs in each bin, the share of which both documents were kept
 * and a line for each that has them side by side. bench/dedup_quality.sh makes what it reads.
 * Pairs of .5 and more are found by prefix filtering (Bayardo, Ma & Srikant 2007), which misses none; equal sets of shingles are a bin of
 * their own. */
#include "core/docscan.h"
#include "core/log.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BINS = 6, TABLE_BITS = 24, MAX_SEEDS = 1000, MAX_SHAPES = 16 };
static const double least_jaccard = 0.5;
static const char *const bin_names[BINS] = {".5 - .6", ".6 - .7", ".7 - .8", ".8 - .9", ".9 - 1", "1"};

typedef struct {
    uint64_t *shingle; /* sorted, none twice */
    uint32_t n;
    bool paired;
    uint8_t drop; /* as the view says: 0 kept */
    uint64_t keeper;
} Doc1;
typedef struct {
    uint32_t a, b;
    float jaccard;
} Pair1;
typedef struct {
    uint32_t bands, rows;
    const char *dir;
    double met[BINS], missed[BINS]; /* shares of the pairs */
    uint64_t removed, below7;
} Shape;
typedef struct {
    const DatasetSet *set;
    DedupParams params;
    MinHash minhash;
    Signature s;
    uint64_t *first; /* number of each part's first document */
    Doc1 *doc;
    uint64_t n;
    Pair1 *pair;
    size_t n_pairs, cap_pairs;
} Quality;

static int by_word(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static ErrCode keep_shingles(void *ctx, int thread, const Doc *doc, const DocPlace *place, Err *err)
{
    Quality *q = ctx;
    Doc1 *d = &q->doc[q->first[place->part] + place->record];
    ErrCode rc = signature_make(&q->s, &q->params, &q->minhash, doc->text, err);
    size_t n = q->s.n_shingles, kept = 0;

    (void)thread;
    if (rc || n == 0) return rc;
    if (!(d->shingle = malloc(n * sizeof *d->shingle))) return err_nomem(err, "shingles");
    memcpy(d->shingle, q->s.shingle, n * sizeof *d->shingle);
    qsort(d->shingle, n, sizeof *d->shingle, by_word);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || d->shingle[i] != d->shingle[i - 1]) d->shingle[kept++] = d->shingle[i];
    d->n = (uint32_t)kept;
    return ERR_OK;
}

static double jaccard(const Doc1 *a, const Doc1 *b)
{
    uint32_t i = 0, k = 0, common = 0;

    while (i < a->n && k < b->n) {
        uint64_t x = a->shingle[i], y = b->shingle[k];
        common += x == y;
        i += x <= y;
        k += y <= x;
    }
    return a->n + b->n == 0 ? 0 : (double)common / (double)(a->n + b->n - common);
}

/* --- all pairs: of two sets with Jaccard similarity t each has a shingle of the other among its n - ceil(t n) + 1 first ones in any
 * common order, here that of how rare they are */

static uint32_t counts[1 << TABLE_BITS];
static uint32_t slot(uint64_t shingle) { return (uint32_t)(shingle >> (64 - TABLE_BITS)); }

static int by_rarity(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    uint32_t c = counts[slot(x)], d = counts[slot(y)];

    return c != d ? (c > d) - (c < d) : (x > y) - (x < y);
}

typedef struct {
    uint32_t next, doc;
} Posting;

static bool add_pair(Quality *q, uint32_t a, uint32_t b, double j)
{
    Pair1 *grown = array_grow(q->pair, q->n_pairs, &q->cap_pairs, sizeof *grown);

    if (!grown) return false;
    q->pair = grown;
    q->pair[q->n_pairs++] = (Pair1){a, b, (float)j};
    q->doc[a].paired = q->doc[b].paired = true;
    return true;
}

static bool find_pairs(Quality *q)
{
    uint32_t *head = calloc((size_t)1 << TABLE_BITS, sizeof *head), *seen = calloc(q->n + 1, sizeof *seen);
    Posting *posting = NULL;
    size_t n_postings = 1, cap = 0;
    bool fits = head && seen;

    for (uint64_t d = 0; d < q->n; d++)
        for (uint32_t i = 0; i < q->doc[d].n; i++) counts[slot(q->doc[d].shingle[i])]++;
    for (uint64_t d = 0; d < q->n && fits; d++) {
        const Doc1 *x = &q->doc[d];
        if (x->n == 0) continue;
        uint64_t *rare = malloc(x->n * sizeof *rare);
        if (!(fits = rare != NULL)) break;
        memcpy(rare, x->shingle, x->n * sizeof *rare);
        qsort(rare, x->n, sizeof *rare, by_rarity);
        uint32_t prefix = x->n - (uint32_t)ceil(least_jaccard * x->n) + 1;
        for (uint32_t i = 0; i < prefix && fits; i++) {
            for (uint32_t p = head[slot(rare[i])]; p && fits; p = posting[p].next) {
                const Doc1 *y = &q->doc[posting[p].doc];
                if (seen[posting[p].doc] == d + 1) continue;
                seen[posting[p].doc] = (uint32_t)d + 1;
                if (y->n < least_jaccard * x->n || x->n < least_jaccard * y->n) continue;
                double j = jaccard(x, y);
                if (j >= least_jaccard) fits = add_pair(q, posting[p].doc, (uint32_t)d, j);
            }
        }
        for (uint32_t i = 0; i < prefix && fits; i++) {
            Posting *grown = array_grow(posting, n_postings, &cap, sizeof *grown);
            if (!(fits = grown != NULL)) break;
            posting = grown;
            posting[n_postings] = (Posting){head[slot(rare[i])], (uint32_t)d};
            head[slot(rare[i])] = (uint32_t)n_postings++;
        }
        free(rare);
    }
    free(posting);
    free(head);
    free(seen);
    return fits;
}

static int bin_of(double j) { return j >= 1 ? BINS - 1 : (int)fmin(4, (j - least_jaccard) * 10 + 1e-6); }

/* --- candidates */

static ErrCode count_meetings(const Quality *q, uint64_t seed, double hits[BINS], Err *err)
{
    const DedupParams *p = &q->params;
    uint32_t n = p->bands * p->rows;
    uint32_t **values = calloc(q->n, sizeof *values);
    MinHash m;
    ErrCode rc = values ? minhash_init(&m, n, seed, err) : err_nomem(err, "MinHash values");

    if (rc) return rc;
    for (uint64_t d = 0; d < q->n; d++) {
        const Doc1 *x = &q->doc[d];
        if (!x->paired) continue;
        uint32_t *halves = malloc(x->n * sizeof *halves);
        values[d] = malloc(m.n_padded * sizeof **values);
        if (!halves || !values[d]) return err_nomem(err, "MinHash values");
        for (uint32_t i = 0; i < x->n; i++) halves[i] = (uint32_t)(x->shingle[i] >> 32);
        minhash_sign(&m, halves, x->n, values[d]);
        free(halves);
    }
    for (size_t i = 0; i < q->n_pairs; i++) {
        const Pair1 *pair = &q->pair[i];
        bool met = false;
        for (uint32_t b = 0; b < p->bands && !met; b++)
            met = memcmp(values[pair->a] + b * p->rows, values[pair->b] + b * p->rows, 4 * (size_t)p->rows) == 0;
        hits[bin_of(pair->jaccard)] += met;
    }
    for (uint64_t d = 0; d < q->n; d++) free(values[d]);
    free(values);
    minhash_clear(&m);
    return ERR_OK;
}

static ErrCode print_candidates(const Quality *q, int seeds, Shape *shape, Err *err)
{
    static double hits[MAX_SEEDS][BINS];
    double theory[BINS] = {0};
    uint64_t n[BINS] = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < q->n_pairs; i++) {
        int bin = bin_of(q->pair[i].jaccard);
        n[bin]++;
        theory[bin] += 1 - pow(1 - pow(q->pair[i].jaccard, q->params.rows), q->params.bands);
    }
    memset(hits, 0, sizeof hits);
    for (int s = 0; s < seeds && rc == ERR_OK; s++) rc = count_meetings(q, (uint64_t)s + 1, hits[s], err);
    if (rc) return rc;
    printf("\ncandidates, %" PRIu32 " bands of %" PRIu32
           " rows, %d seeds\n\n| Jaccard | pairs | theory | measured | 95 %% "
           "of its mean | theory inside |\n|---|---|---|---|---|---|\n",
           q->params.bands, q->params.rows, seeds);
    for (int bin = 0; bin < BINS; bin++) {
        double sum = 0, squares = 0;
        if (n[bin] == 0) continue;
        for (int s = 0; s < seeds; s++) {
            double share = hits[s][bin] / (double)n[bin];
            sum += share;
            squares += share * share;
        }
        double mean = sum / seeds, half = 2.09 * sqrt(fmax(0, squares / seeds - mean * mean) / (seeds - 1)),
               want = theory[bin] / (double)n[bin];
        shape->met[bin] = mean;
        printf("| %s | %" PRIu64 " | %.4f | %.4f | %.4f - %.4f | %s |\n", bin_names[bin], n[bin], want, mean,
               mean - half, mean + half, fabs(want - mean) <= half + 3 / ((double)n[bin] * seeds) ? "yes" : "no");
    }
    return ERR_OK;
}

/* --- the verdicts */

static ErrCode read_verdicts(Quality *q, const char *dir, Err *err)
{
    for (uint32_t part = 0; part < datasetset_n_parts(q->set); part++) {
        char path[4096];
        Columns *c;
        Span drop, cluster;
        snprintf(path, sizeof path, "%s/part-%06" PRIu32 ".dedup.cols", dir, part);
        ErrCode rc = columns_open(&c, path, err);
        if (rc) return rc;
        int d = columns_find(c, "drop"), k = columns_find(c, "cluster");
        if (d < 0 || k < 0 || columns_n_docs(c) != q->first[part + 1] - q->first[part])
            rc = err_set(err, ERR_DATA, "%s is not of this dataset", path);
        if (rc == ERR_OK) rc = columns_values(c, (uint32_t)d, &drop, NULL, err);
        if (rc == ERR_OK) rc = columns_values(c, (uint32_t)k, &cluster, NULL, err);
        for (uint64_t i = 0; rc == ERR_OK && i < columns_n_docs(c); i++) {
            Doc1 *x = &q->doc[q->first[part] + i];
            DocId keeper = le64_get(cluster.p + 8 * i);
            x->drop = drop.p[i];
            x->keeper = q->first[docid_part(keeper)] + docid_record(keeper);
        }
        columns_close(c);
        if (rc) return rc;
    }
    return ERR_OK;
}

enum { DROP_NEAR = 2 }; /* the reason's number and one */

static void print_verdicts(const Quality *q, Shape *shape)
{
    uint64_t below5 = 0, n[BINS] = {0}, missed[BINS] = {0};
    double least = 1;

    for (uint64_t d = 0; d < q->n; d++) {
        const Doc1 *x = &q->doc[d];
        if (x->drop != DROP_NEAR) continue;
        double j = jaccard(x, &q->doc[x->keeper]);
        shape->removed++;
        shape->below7 += j < 0.7;
        below5 += j < 0.5;
        least = fmin(least, j);
    }
    printf("\nremoved as near duplicates: %" PRIu64 ", of them below .7 to the one kept: %" PRIu64
           " (%.2f %%), below .5: %" PRIu64 ", least %.3f\n\n| Jaccard | pairs | both kept |\n|---|---|---|\n",
           shape->removed, shape->below7, shape->removed ? 100.0 * (double)shape->below7 / (double)shape->removed : 0,
           below5, least);
    for (size_t i = 0; i < q->n_pairs; i++) {
        const Pair1 *p = &q->pair[i];
        n[bin_of(p->jaccard)]++;
        missed[bin_of(p->jaccard)] += !q->doc[p->a].drop && !q->doc[p->b].drop;
    }
    for (int bin = 0; bin < BINS; bin++) {
        if (n[bin] == 0) continue;
        shape->missed[bin] = (double)missed[bin] / (double)n[bin];
        printf("| %s | %" PRIu64 " | %.2f %% |\n", bin_names[bin], n[bin], 100 * shape->missed[bin]);
    }
}

static void print_shapes(const Shape *shape, int n_shapes)
{
    printf(
        "\nall shapes\n\n| bands x rows | met: .6 - .7 | .7 - .8 | .8 - .9 | .9 - 1 | removed as near | below .7 | "
        "both kept: .7 - .8 | .8 - .9 | .9 - 1 |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < n_shapes; i++) {
        const Shape *s = &shape[i];
        printf("| %" PRIu32 " x %" PRIu32, s->bands, s->rows);
        for (int bin = 1; bin < 5; bin++) printf(" | %.3f", s->met[bin]);
        printf(" | %" PRIu64 " | %" PRIu64, s->removed, s->below7);
        for (int bin = 2; bin < 5; bin++) printf(" | %.2f %%", 100 * s->missed[bin]);
        printf(" |\n");
    }
}

static ErrCode run(Quality *q, int seeds, Shape *shape, int n_shapes, Err *err)
{
    uint32_t n_parts = datasetset_n_parts(q->set);

    q->first = calloc((size_t)n_parts + 1, sizeof *q->first);
    if (!q->first) return err_nomem(err, "parts");
    for (uint32_t p = 0; p < n_parts; p++) q->first[p + 1] = q->first[p] + datasetset_n_records(q->set, p);
    q->n = q->first[n_parts];
    if (!(q->doc = calloc(q->n + 1, sizeof *q->doc))) return err_nomem(err, "documents");
    ErrCode rc = minhash_init(&q->minhash, 1, 1, err);
    q->params.bands = q->params.rows = 1; /* shingles are all that is wanted of a signature here */
    if (rc == ERR_OK) rc = docscan_parts(q->set, 1, 0, n_parts, keep_shingles, q, NULL, err);
    if (rc == ERR_OK && !find_pairs(q)) rc = err_nomem(err, "pairs");
    if (rc == ERR_OK)
        printf("%" PRIu64 " documents, %zu pairs of Jaccard similarity %.1f and more\n", q->n, q->n_pairs,
               least_jaccard);
    for (int i = 0; i < n_shapes && rc == ERR_OK; i++) {
        q->params.bands = shape[i].bands;
        q->params.rows = shape[i].rows;
        rc = print_candidates(q, seeds, &shape[i], err);
        if (rc == ERR_OK && strcmp(shape[i].dir, "-") != 0 && (rc = read_verdicts(q, shape[i].dir, err)) == ERR_OK)
            print_verdicts(q, &shape[i]);
    }
    if (rc == ERR_OK) print_shapes(shape, n_shapes);
    return rc;
}

static ErrCode parse(int argc, char **argv, DedupParams params, Shape *shape, int *n_shapes, Err *err)
{
    ErrCode rc = ERR_OK;

    for (int i = 3; i + 2 < argc && rc == ERR_OK; i += 3) {
        params.bands = (uint32_t)atoi(argv[i]);
        params.rows = (uint32_t)atoi(argv[i + 1]);
        rc = dedup_check(&params, err);
        shape[(*n_shapes)++] = (Shape){.bands = params.bands, .rows = params.rows, .dir = argv[i + 2]};
    }
    return rc;
}

int main(int argc, char **argv)
{
    static Quality q = {.params = DEDUP_PARAMS_DEFAULT};
    Shape shape[MAX_SHAPES];
    int seeds = argc > 2 ? atoi(argv[2]) : 0, n_shapes = 0;
    DatasetSet *set = NULL;
    Err err = {0};

    if (argc < 6 || argc % 3 || argc > 3 + 3 * MAX_SHAPES || seeds < 2 || seeds > MAX_SEEDS) {
        fputs("usage: dedup_quality DATASET SEEDS {BANDS ROWS DEDUP_DIR}...\n", stderr);
        return 2;
    }
    const char *dirs[] = {argv[1]};
    ErrCode rc = parse(argc, argv, q.params, shape, &n_shapes, &err);
    if (rc == ERR_OK) rc = datasetset_open(&set, dirs, 1, &err);
    if (rc == ERR_OK) {
        q.set = set;
        rc = run(&q, seeds, shape, n_shapes, &err);
    }
    if (rc) fprintf(stderr, "dedup_quality: %s\n", err.msg);
    for (uint64_t d = 0; q.doc && d < q.n; d++) free(q.doc[d].shingle);
    free(q.doc);
    free(q.pair);
    free(q.first);
    signature_clear(&q.s);
    minhash_clear(&q.minhash);
    datasetset_close(set);
    return rc ? err_status(rc) : 0;
}
