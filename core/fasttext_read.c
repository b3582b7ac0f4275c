/* core/fasttext_read.c - a model file into memory. Every length is held against what is left of the file before it sizes
 * anything, every value against what makes sums overflow. */
#include "core/fasttext_impl.h"
#include "core/stablemath.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    MAGIC = 793712314,
    MODEL_SUPERVISED = 3,
    WINDOW = 64 << 10,
    MAX_DEPTH = 4096, /* of the tree of labels: counts as real ones are give 20 to 40 */
    UNPACK_BYTES =
        64 << 20 /* a packed input matrix of at most this is kept unpacked: a row is one line of cache then */
};
#define MAX_VALUE        1e6f /* no product of a norm, a mean of rows and an output row overflows a float */
#define MAX_COUNT        INT64_C(1000000000000000) /* fastText's mark of a node that is not there yet */
#define MAX_OUTPUT_BYTES (UINT64_C(4) << 30)

/* Bytes in order, of a file or of memory. After the first failure all reads give zero. */
typedef struct {
    const char *name;
    InFile *file; /* NULL: all of it is in the window */
    const uint8_t *window;
    uint8_t *buffer;
    size_t window_n, window_i;
    uint64_t size, at;
    HashStream *hash;
    ErrCode rc;
    Err *err;
} Reader;

static void fail(Reader *r, const char *what)
{
    if (r->rc == ERR_OK)
        r->rc = err_set(r->err, ERR_DATA, "%s at %" PRIu64 ": %s, not a fastText model we can read", r->name, r->at,
                        what);
}
static void fail_limit(Reader *r, const char *what)
{
    if (r->rc == ERR_OK) r->rc = err_set(r->err, ERR_LIMIT, "%s at %" PRIu64 ": %s", r->name, r->at, what);
}
static void *allocate(Reader *r, size_t n, size_t size)
{
    size_t bytes;
    void *p = NULL;

    if (r->rc != ERR_OK) return NULL;
    if (size_mul(n, size, &bytes) && bytes <= SIZE_MAX - FT_BLOCK * sizeof(float)) {
        const size_t line = FT_BLOCK * sizeof(float);
        bytes = (bytes / line + 1) * line;
        p = aligned_alloc(line, bytes);
        if (p) memset(p, 0, bytes);
    }
    if (!p) r->rc = err_nomem(r->err, "a fastText model");
    return p;
}

static uint64_t left(const Reader *r) { return r->size - r->at; }

/* Whether n items of `bytes` each can be there at all. */
static bool fits(Reader *r, uint64_t n, uint64_t bytes, const char *what)
{
    if (r->rc == ERR_OK && n > left(r) / bytes) fail(r, what);
    return r->rc == ERR_OK;
}

static void refill(Reader *r)
{
    const size_t n = left(r) < WINDOW ? (size_t)left(r) : WINDOW;

    r->window_i = 0, r->window_n = n;
    r->rc = infile_read(r->file, r->at, r->buffer, n, r->err);
    if (r->rc == ERR_OK) hashstream_add(r->hash, span(r->buffer, n));
}

static void take(Reader *r, void *out, size_t n)
{
    uint8_t *to = out;

    memset(to, 0, n);
    if (!fits(r, n, 1, "cut")) return;
    while (n) {
        if (r->window_i == r->window_n) refill(r);
        if (r->rc != ERR_OK) return;
        size_t k = r->window_n - r->window_i < n ? r->window_n - r->window_i : n;
        memcpy(to, r->window + r->window_i, k);
        r->window_i += k, r->at += k, to += k, n -= k;
    }
}
static uint8_t take_u8(Reader *r)
{
    uint8_t v;
    take(r, &v, 1);
    return v;
}
static int32_t take_i32(Reader *r)
{
    uint8_t v[4];
    take(r, v, sizeof v);
    return (int32_t)le32_get(v);
}
static int64_t take_i64(Reader *r)
{
    uint8_t v[8];
    take(r, v, sizeof v);
    return (int64_t)le64_get(v);
}
static bool take_bool(Reader *r)
{
    const uint8_t v = take_u8(r);
    if (v > 1) fail(r, "neither true nor false");
    return v == 1;
}

static void take_floats(Reader *r, float *out, size_t n)
{
    uint8_t raw[4096];

    while (n && r->rc == ERR_OK) {
        const size_t k = n < sizeof raw / 4 ? n : sizeof raw / 4;
        bool fine = true;
        take(r, raw, k * 4);
        for (size_t i = 0; i < k; i++) {
            const uint32_t bits = le32_get(raw + 4 * i);
            memcpy(out + i, &bits, 4);
            fine = fine && out[i] >= -MAX_VALUE && out[i] <= MAX_VALUE; /* no NaN either */
        }
        if (!fine) fail(r, "a number that no trained model has");
        out += k, n -= k;
    }
}

/* --- head and dictionary */

static void read_args(Reader *r, FastText *m)
{
    if (take_i32(r) != MAGIC) fail(r, "no magic number");
    const int32_t version = take_i32(r);
    if (version != 11 && version != 12) fail(r, "a version that is neither 11 nor 12");
    const int32_t dim = take_i32(r);
    for (int i = 0; i < 4; i++) (void)take_i32(r); /* window, epochs, least count, negatives: of training */
    const int32_t word_ngrams = take_i32(r);
    m->loss = take_i32(r);
    if (take_i32(r) != MODEL_SUPERVISED) fail(r, "word vectors, not a classifier");
    const int32_t bucket = take_i32(r), minn = take_i32(r), maxn = take_i32(r);
    (void)take_i64(r), (void)take_i32(r); /* steps between rates of learning; the threshold of sampling */
    if (m->loss < FT_LOSS_HS || m->loss > FT_LOSS_OVA) fail(r, "an unknown loss");
    if (dim < 1) fail(r, "vectors without columns");
    if (dim > FASTTEXT_MAX_DIM) fail_limit(r, "vectors have more than 4096 columns");
    if (word_ngrams > FASTTEXT_MAX_WORD_NGRAMS) fail_limit(r, "n-grams of more than 16 words");
    m->in.dim = m->out.dim = (uint32_t)dim;
    m->word_ngrams = word_ngrams > 1 ? (uint32_t)word_ngrams : 1;
    m->minn = minn > 0 ? (uint32_t)minn : 0;
    m->maxn = maxn > 0 && version > 11 ? (uint32_t)maxn : 0; /* version 11 had none in classifiers */
    m->bucket = bucket > 0 ? (uint32_t)bucket : 0;
    if (m->bucket == 0 && (m->maxn || m->word_ngrams > 1)) fail(r, "n-grams without buckets");
}

/* The words and labels go to one pool, each with its NUL; the labels' counts are for the tree. */
static void read_entries(Reader *r, FastText *m, int64_t *label_count)
{
    const uint64_t n = m->n_entries;
    size_t cap = 0, used = 0;

    m->entry_at = allocate(r, n + 1, sizeof *m->entry_at);
    for (uint64_t i = 0; i < n && r->rc == ERR_OK; i++) {
        uint8_t c;
        m->entry_at[i] = used;
        do {
            c = take_u8(r);
            if (used == cap) {
                uint8_t *grown = array_grow(m->pool, used, &cap, 1);
                if (!grown) r->rc = err_nomem(r->err, "a fastText model");
                if (!grown) return;
                m->pool = grown;
            }
            m->pool[used++] = c;
        } while (c && r->rc == ERR_OK);
        const int64_t count = take_i64(r);
        if (take_u8(r) != (i >= m->n_words)) fail(r, "an entry that is no word among words or no label among labels");
        if (i < m->n_words) continue;
        if (count < 0 || count >= MAX_COUNT) fail(r, "a label's count below zero or beyond belief");
        label_count[i - m->n_words] = count;
    }
    if (r->rc == ERR_OK) m->entry_at[n] = used;
}

/* The power of two that a table of n items takes, at least 16 and at most 2^31: masks and places in it are 32 bits. 0: it would be more. */
static uint32_t table_size(Reader *r, uint64_t n)
{
    uint64_t p = 16;

    while (p < n) p *= 2;
    if (p <= UINT64_C(1) << 31) return (uint32_t)p;
    fail_limit(r, "more words or n-grams than a table of 2^31 holds");
    return 0;
}

static Span entry(const FastText *m, uint32_t i)
{
    return span(m->pool + m->entry_at[i], m->entry_at[i + 1] - m->entry_at[i] - 1);
}

/* Labels are entries too: a text that holds one says nothing by it. */
static void index_words(Reader *r, FastText *m)
{
    const uint32_t slots = table_size(r, 2 * (uint64_t)m->n_entries);

    m->word_mask = slots - 1;
    m->words = allocate(r, slots, sizeof *m->words);
    for (uint32_t i = 0; i < m->n_entries && r->rc == ERR_OK; i++) {
        const Span word = entry(m, i);
        uint32_t h = FT_HASH_START, at;
        for (size_t k = 0; k < word.n; k++) h = ft_hash_step(h, word.p[k]);
        for (at = ft_spread(h) & m->word_mask; m->words[at].entry; at = (at + 1) & m->word_mask)
            if (m->words[at].hash == h && span_eq(entry(m, m->words[at].entry - 1), word)) break;
        m->words[at] = (FtWordSlot){h, i + 1}; /* the last of one name, as in fastText */
    }
}

static void read_pruned(Reader *r, FastText *m)
{
    const uint32_t slots = table_size(r, 2 * (uint64_t)m->n_pruned),
                   bits = table_size(r, 16 * (uint64_t)m->n_pruned + 64);

    m->ngram_mask = slots - 1, m->seen_mask = bits - 1;
    m->ngrams = allocate(r, slots, sizeof *m->ngrams);
    m->seen = allocate(r, bits / 64, sizeof *m->seen);
    for (uint32_t i = 0; i < m->n_pruned && r->rc == ERR_OK; i++) {
        const int32_t bucket = take_i32(r), row = take_i32(r);
        if (bucket < 0 || row < 0 || (uint32_t)row >= m->n_pruned) fail(r, "an n-gram's row that is not there");
        if (r->rc != ERR_OK) return;
        uint32_t at = ft_spread((uint32_t)bucket) & m->ngram_mask;
        while (m->ngrams[at].row && m->ngrams[at].bucket != (uint32_t)bucket) at = (at + 1) & m->ngram_mask;
        m->ngrams[at] = (FtNgramSlot){(uint32_t)bucket, (uint32_t)row + 1};
        const uint32_t bit = (uint32_t)bucket & m->seen_mask;
        m->seen[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

/* --- the tree of hierarchical softmax */

/* Huffman's tree of the labels' counts, made as fastText makes it: of two equal counts the inner node goes first. */
static void grow_tree(FastText *m, const int64_t *count)
{
    const int32_t n = (int32_t)m->n_labels;
    int32_t leaf = n - 1, node = n;

    for (int32_t i = 0; i < 2 * n - 1; i++)
        m->tree[i] = (FtNode){.count = i < n ? count[i] : MAX_COUNT, .left = -1, .right = -1};
    for (int32_t i = n; i < 2 * n - 1; i++) {
        int32_t two[2];
        for (int k = 0; k < 2; k++) two[k] = leaf >= 0 && m->tree[leaf].count < m->tree[node].count ? leaf-- : node++;
        m->tree[i] = (FtNode){m->tree[two[0]].count + m->tree[two[1]].count, two[0], two[1]};
    }
}

static void make_tree(Reader *r, FastText *m, const int64_t *count)
{
    const uint32_t n_nodes = 2 * m->n_labels - 1;
    int64_t sum = 0;
    uint32_t *depth;

    for (uint32_t i = 0; i < m->n_labels; i++)
        if ((sum += count[i]) >= MAX_COUNT) return fail(r, "labels' counts beyond belief");
    m->tree = allocate(r, n_nodes, sizeof *m->tree);
    if (r->rc != ERR_OK) return;
    grow_tree(m, count);
    if (!(depth = allocate(r, n_nodes, sizeof *depth))) return;
    for (uint32_t i = n_nodes; i-- > m->n_labels;) /* children stand before their parents */
        depth[m->tree[i].left] = depth[m->tree[i].right] = depth[i] + 1;
    for (uint32_t i = 0; i < m->n_labels; i++)
        if (depth[i] > m->tree_depth) m->tree_depth = depth[i];
    if (m->tree_depth > MAX_DEPTH) fail_limit(r, "the tree of labels is deeper than 4096");
    free(depth);
}

/* --- matrices */

void ftmatrix_unpack(const FtMatrix *m, uint64_t row, float *out)
{
    const uint8_t *code = m->codes + row * m->n_sub;
    const float norm = m->norm_codes ? m->norms[m->norm_codes[row]] : 1;

    for (uint32_t s = 0; s < m->n_sub; s++) {
        const uint32_t from = s * m->sub, n = m->dim - from < m->sub ? m->dim - from : m->sub;
        const float *c = m->centroids + (size_t)from * FT_CENTROIDS + (size_t)code[s] * n;
        for (uint32_t k = 0; k < n; k++) out[from + k] = norm * c[k];
    }
}

static void read_quantiser(Reader *r, uint32_t dim, uint32_t *sub, uint32_t *n_sub)
{
    const int32_t dim_is = take_i32(r), n = take_i32(r), width = take_i32(r), last = take_i32(r);

    if (r->rc != ERR_OK) return;
    if (dim_is != (int32_t)dim || width < 1 || width > dim_is || n != (dim_is + width - 1) / width ||
        last != dim_is - (n - 1) * width)
        return fail(r, "a quantiser of other columns than its matrix has");
    *sub = (uint32_t)width, *n_sub = (uint32_t)n;
}

/* rows and columns; the latter must be the model's. */
static void read_shape(Reader *r, FtMatrix *x)
{
    const int64_t rows = take_i64(r), dim = take_i64(r);

    if (rows < 0 || rows > INT32_MAX) fail(r, "a matrix of rows that no model has");
    if (dim != (int64_t)x->dim) fail(r, "a matrix of other columns than the model has");
    x->rows = (uint64_t)rows;
}

static void read_packed(Reader *r, FtMatrix *x, uint64_t unpack_bytes)
{
    const bool has_norms = take_bool(r);
    uint32_t one, one_sub;

    read_shape(r, x);
    const int32_t n_codes = take_i32(r);
    if (n_codes < 0 || !fits(r, (uint64_t)n_codes, 1, "codes cut")) return fail(r, "codes without number");
    x->codes = allocate(r, (size_t)n_codes, 1);
    if (r->rc == ERR_OK) take(r, x->codes, (size_t)n_codes);
    read_quantiser(r, x->dim, &x->sub, &x->n_sub);
    if (r->rc == ERR_OK && (uint64_t)n_codes != x->rows * x->n_sub)
        fail(r, "codes of other rows than the matrix has");
    x->centroids = allocate(r, (size_t)x->dim * FT_CENTROIDS, sizeof(float));
    if (r->rc == ERR_OK) take_floats(r, x->centroids, (size_t)x->dim * FT_CENTROIDS);
    if (has_norms && fits(r, x->rows, 1, "norms cut")) {
        x->norm_codes = allocate(r, x->rows, 1);
        if (r->rc == ERR_OK) take(r, x->norm_codes, x->rows);
        read_quantiser(r, 1, &one, &one_sub);
        take_floats(r, x->norms, FT_CENTROIDS);
    }
    if (r->rc != ERR_OK || x->rows * x->stride * sizeof(float) > unpack_bytes) return;
    float *values = allocate(r, x->rows * x->stride, sizeof(float));
    for (uint64_t i = 0; i < x->rows && values; i++) ftmatrix_unpack(x, i, values + i * x->stride);
    x->values = values;
}

static void read_matrix(Reader *r, FtMatrix *x, bool packed, uint64_t unpack_bytes)
{
    x->stride = (x->dim + FT_BLOCK - 1) / FT_BLOCK * FT_BLOCK;
    if (packed) return read_packed(r, x, unpack_bytes);
    read_shape(r, x);
    if (!fits(r, x->rows, 4 * (uint64_t)x->dim, "a matrix cut")) return;
    x->values = allocate(r, x->rows * x->stride, sizeof(float));
    for (uint64_t i = 0; i < x->rows && r->rc == ERR_OK; i++) take_floats(r, x->values + i * x->stride, x->dim);
}

static void read_matrices(Reader *r, FastText *m)
{
    const uint64_t n_ngrams = m->pruned ? m->n_pruned : m->maxn || m->word_ngrams > 1 ? m->bucket : 0;
    const bool packed = take_bool(r);

    if (m->pruned && !packed) fail(r, "n-grams are pruned, and the matrix is not packed");
    read_matrix(r, &m->in, packed, UNPACK_BYTES);
    if (r->rc == ERR_OK && m->in.rows < m->n_words + n_ngrams) fail(r, "fewer rows than words and n-grams");
    const bool out_packed = take_bool(r);
    read_matrix(r, &m->out, packed && out_packed, MAX_OUTPUT_BYTES);
    if (r->rc != ERR_OK) return;
    if (m->out.rows < m->n_labels) fail(r, "fewer rows than labels");
    if (!m->out.values) fail_limit(r, "the matrix of labels takes more than 4 GiB");
}

static void make_sigmoid(Reader *r, FastText *m)
{
    m->sigmoid = allocate(r, FT_SIGMOID_STEPS + 1, sizeof(float));
    for (int i = 0; i <= FT_SIGMOID_STEPS && m->sigmoid; i++) {
        const float x = (float)(i * 2 * FT_SIGMOID_MAX) / FT_SIGMOID_STEPS - FT_SIGMOID_MAX;
        m->sigmoid[i] = (float)(1 / (1 + stable_exp(-(double)x)));
    }
}

static void read_model(Reader *r, FastText *m)
{
    int64_t *label_count = NULL;

    read_args(r, m);
    const int32_t n = take_i32(r), n_words = take_i32(r), n_labels = take_i32(r);
    (void)take_i64(r); /* tokens it was trained on */
    const int64_t n_pruned = take_i64(r);
    if (n_words < 0 || n_labels < 1 || (int64_t)n_words + n_labels != n)
        fail(r, "entries that are neither words nor labels");
    if (n_labels > FASTTEXT_MAX_LABELS) fail_limit(r, "more than a million labels");
    if (!fits(r, (uint64_t)(n < 0 ? 0 : n), 10, "a dictionary cut")) return;
    m->n_entries = (uint32_t)n, m->n_words = (uint32_t)n_words, m->n_labels = (uint32_t)n_labels;
    m->pruned = n_pruned >= 0;
    label_count = allocate(r, m->n_labels, sizeof *label_count);
    if (r->rc == ERR_OK) read_entries(r, m, label_count);
    index_words(r, m);
    if (n_pruned < -1 || n_pruned > INT32_MAX) fail(r, "n-grams without number");
    if (m->pruned && fits(r, (uint64_t)n_pruned, 8, "n-grams cut")) {
        m->n_pruned = (uint32_t)n_pruned;
        read_pruned(r, m);
    }
    read_matrices(r, m);
    if (r->rc == ERR_OK && left(r)) fail(r, "bytes behind the model");
    if (m->loss == FT_LOSS_HS && r->rc == ERR_OK) make_tree(r, m, label_count);
    if (m->loss == FT_LOSS_NS || m->loss == FT_LOSS_OVA) make_sigmoid(r, m);
    m->bucket_magic = m->bucket ? UINT64_MAX / m->bucket + 1 : 0;
    free(label_count);
}

static ErrCode finish(Reader *r, FastText **out)
{
    FastText *m = NULL;

    *out = NULL;
    if (r->rc == ERR_OK) m = calloc(1, sizeof *m);
    if (!m) return r->rc != ERR_OK ? r->rc : err_nomem(r->err, "a fastText model");
    read_model(r, m);
    if (r->rc != ERR_OK) {
        fasttext_free(m);
        return r->rc;
    }
    *out = m;
    return ERR_OK;
}

ErrCode fasttext_parse(FastText **m, Span bytes, const char *name, Err *err)
{
    Reader r = {.name = name, .window = bytes.p, .window_n = bytes.n, .size = bytes.n, .err = err};
    const ErrCode rc = finish(&r, m);

    if (rc == ERR_OK) (*m)->content = hash128(bytes);
    return rc;
}

ErrCode fasttext_open(FastText **m, const char *path, Err *err)
{
    Reader r = {.name = path, .err = err};

    *m = NULL;
    r.rc = infile_open(&r.file, path, err);
    if (r.rc == ERR_OK) r.rc = hashstream_new(&r.hash, err);
    if (r.rc == ERR_OK) r.size = infile_size(r.file);
    r.window = r.buffer = allocate(&r, WINDOW, 1);
    ErrCode rc = finish(&r, m);
    if (rc == ERR_OK) (*m)->content = hashstream_digest(r.hash);
    free(r.buffer);
    hashstream_free(r.hash);
    infile_close(r.file);
    return rc;
}

static void clear_matrix(FtMatrix *x)
{
    free(x->values);
    free(x->codes);
    free(x->norm_codes);
    free(x->centroids);
}

void fasttext_free(FastText *m)
{
    if (!m) return;
    free(m->pool);
    free(m->entry_at);
    free(m->words);
    free(m->ngrams);
    free(m->seen);
    free(m->tree);
    free(m->sigmoid);
    clear_matrix(&m->in);
    clear_matrix(&m->out);
    free(m);
}
