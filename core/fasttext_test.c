/* A model of random numbers, written as fasttext.h describes the file, against a slow obvious prediction from the same numbers: each loss, packed
 * and not, pruned and not; and files damaged in every way. */
#include "core/buf.h"
#include "core/fasttext.h"
#include "core/stablemath.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DIM = 6,
    N_WORDS = 9,
    N_LABELS = 7,
    BUCKETS = 97,
    N_PRUNED = 40,
    MAX_ROWS = N_WORDS + BUCKETS,
    MAX_IDS = 4000
};

static const char *const words[N_WORDS] = {"</s>", "the",   "of", "is", "river", "河", "\xc3\xa9t\xc3\xa9",
                                           "a",    "meadow"};
static const char *const labels[N_LABELS] = {"en", "zh", "fr", "ja", "de", "ko", "ru"};
static const int64_t label_counts[N_LABELS] = {90, 40, 40, 12, 5, 5, 1};

typedef struct {
    int loss, version, word_ngrams, minn, maxn;
    bool packed, norms, out_packed, pruned;
} Spec;

typedef struct {
    Spec spec;
    float in[MAX_ROWS][DIM], out[N_LABELS][DIM];
    int row_of[BUCKETS]; /* pruned: behind the words', -1 where there is none */
    uint64_t seed;
} Made;

static float number(Made *m) { return (float)((double)(int)(mix64(++m->seed) % 2001 - 1000) / 500.0); }

static void put_i32(Buf *b, int32_t v)
{
    uint8_t raw[4];
    le32_put(raw, (uint32_t)v);
    buf_put(b, raw, 4);
}
static void put_i64(Buf *b, int64_t v)
{
    uint8_t raw[8];
    le64_put(raw, (uint64_t)v);
    buf_put(b, raw, 8);
}
static void put_f32(Buf *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    put_i32(b, (int32_t)bits);
}

static void put_quantiser(Buf *b, int dim, int sub)
{
    put_i32(b, dim);
    put_i32(b, (dim + sub - 1) / sub);
    put_i32(b, sub);
    put_i32(b, dim - ((dim + sub - 1) / sub - 1) * sub);
}

/* Random values, and what they mean in value[rows][DIM]. */
static void put_matrix(Buf *b, Made *m, bool packed, int rows, float (*value)[DIM])
{
    enum { SUB = 4 }; /* columns 0..3 and 4..5 */
    uint8_t code[MAX_ROWS][2], norm_code[MAX_ROWS];
    float centroid[2][256][SUB], norm[256];

    if (packed) buf_putc(b, m->spec.norms);
    put_i64(b, rows);
    put_i64(b, DIM);
    if (!packed) {
        for (int i = 0; i < rows * DIM; i++) put_f32(b, value[i / DIM][i % DIM] = number(m));
        return;
    }
    put_i32(b, rows * 2);
    for (int i = 0; i < rows * 2; i++) buf_putc(b, code[i / 2][i % 2] = (uint8_t)mix64(++m->seed));
    put_quantiser(b, DIM, SUB);
    for (int s = 0; s < 2; s++)
        for (int i = 0; i < 256; i++)
            for (int k = 0; k < (s ? DIM - SUB : SUB); k++) put_f32(b, centroid[s][i][k] = number(m));
    if (m->spec.norms) {
        for (int i = 0; i < rows; i++) buf_putc(b, norm_code[i] = (uint8_t)mix64(++m->seed));
        put_quantiser(b, 1, 1);
        for (int i = 0; i < 256; i++) put_f32(b, norm[i] = number(m));
    }
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < DIM; k++)
            value[i][k] = (m->spec.norms ? norm[norm_code[i]] : 1) * centroid[k / SUB][code[i][k / SUB]][k % SUB];
}

static void put_dictionary(Buf *b, Made *m)
{
    put_i32(b, N_WORDS + N_LABELS);
    put_i32(b, N_WORDS);
    put_i32(b, N_LABELS);
    put_i64(b, 12345);
    put_i64(b, m->spec.pruned ? N_PRUNED : -1);
    for (int i = 0; i < N_WORDS + N_LABELS; i++) {
        if (i >= N_WORDS) buf_puts(b, "__label__");
        buf_puts(b, i < N_WORDS ? words[i] : labels[i - N_WORDS]);
        buf_putc(b, 0);
        put_i64(b, i < N_WORDS ? 100 - i : label_counts[i - N_WORDS]);
        buf_putc(b, i >= N_WORDS);
    }
    for (int i = 0; i < BUCKETS; i++) m->row_of[i] = m->spec.pruned ? -1 : i;
    for (int i = 0; i < N_PRUNED && m->spec.pruned; i++) {
        const int bucket = i * 29 % BUCKETS,
                  row = i * 7 % N_PRUNED; /* 29 and 97, 7 and 40 have no factor in common */
        put_i32(b, bucket);
        put_i32(b, row);
        m->row_of[bucket] = row;
    }
}

static void make_model(Made *m, Spec spec, Buf *b)
{
    *m = (Made){.spec = spec, .seed = 7};
    buf_reset(b);
    put_i32(b, 793712314);
    put_i32(b, spec.version);
    const int32_t args[12] = {DIM, 5, 5, 1, 5, spec.word_ngrams, spec.loss, 3, BUCKETS, spec.minn, spec.maxn, 100};
    for (int i = 0; i < 12; i++) put_i32(b, args[i]);
    put_i64(b, 0);
    put_dictionary(b, m);
    buf_putc(b, spec.packed);
    put_matrix(b, m, spec.packed, N_WORDS + (spec.pruned ? N_PRUNED : BUCKETS), m->in);
    buf_putc(b, spec.out_packed);
    put_matrix(b, m, spec.packed && spec.out_packed, N_LABELS, m->out);
}

/* --- the slow prediction */

typedef struct {
    int id[MAX_IDS], n;
} Ids;

static uint32_t slow_hash(const char *p, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (uint32_t)(int32_t)(signed char)p[i]) * 16777619u;
    return h;
}
static void slow_bucket(const Made *m, Ids *ids, uint64_t h)
{
    const int row = m->row_of[h % BUCKETS];
    if (row >= 0) ids->id[ids->n++] = N_WORDS + row;
}
static void slow_subwords(const Made *m, Ids *ids, const char *word)
{
    char w[256];
    size_t at[256], n = 0, len = (size_t)snprintf(w, sizeof w, "<%s>", word);

    for (size_t i = 0; i <= len; i++)
        if (i == len || ((uint8_t)w[i] & 0xc0) != 0x80) at[n++] = i;
    n--;
    for (size_t from = 0; from < n; from++)
        for (size_t k = 1; k <= (size_t)m->spec.maxn && from + k <= n; k++) {
            if (k < (size_t)m->spec.minn || (k == 1 && (from == 0 || from + k == n))) continue;
            slow_bucket(m, ids, slow_hash(w + at[from], at[from + k] - at[from]));
        }
}
static void slow_ids(const Made *m, const char *text, Ids *ids)
{
    char copy[1024];
    int32_t hash[256];
    int n = 0;
    const int maxn = m->spec.version == 11 ? 0 : m->spec.maxn;

    ids->n = 0;
    snprintf(copy, sizeof copy, "%s </s>", text);
    for (char *w = strtok(copy, " \n\r\t\v\f"); w; w = strtok(NULL, " \n\r\t\v\f")) {
        if (!strncmp(w, "__label__", 9)) continue;
        for (int i = 0; i < N_WORDS; i++)
            if (!strcmp(w, words[i])) ids->id[ids->n++] = i;
        if (maxn && strcmp(w, "</s>") != 0) slow_subwords(m, ids, w);
        hash[n++] = (int32_t)slow_hash(w, strlen(w));
    }
    for (int i = 0; i < n; i++) {
        uint64_t h = (uint64_t)hash[i];
        for (int k = i + 1; k < n && k < i + m->spec.word_ngrams; k++)
            slow_bucket(m, ids, h = h * 116049371 + (uint64_t)hash[k]);
    }
}

/* Of each label the probability by hierarchical softmax: Huffman's tree by looking for the two smallest, as text of 0s and 1s. */
static void slow_tree(const double *dots, double *p)
{
    int64_t count[2 * N_LABELS];
    int up[2 * N_LABELS], side[2 * N_LABELS], done[2 * N_LABELS] = {0};

    for (int i = 0; i < N_LABELS; i++) count[i] = label_counts[i];
    for (int node = N_LABELS; node < 2 * N_LABELS - 1; node++) {
        count[node] = 0;
        for (int k = 0; k < 2; k++) {
            int least =
                -1; /* of equals an inner node, else the last label; inner nodes in the order they were made */
            for (int i = N_LABELS; i < node; i++)
                if (!done[i] && (least < 0 || count[i] < count[least])) least = i;
            for (int i = N_LABELS - 1; i >= 0; i--)
                if (!done[i] && (least < 0 || count[i] < count[least])) least = i;
            done[least] = 1, up[least] = node, side[least] = k, count[node] += count[least];
        }
    }
    for (int i = 0; i < N_LABELS; i++) {
        double score = 0;
        for (int node = i; node != 2 * N_LABELS - 2; node = up[node]) {
            const double right = 1 / (1 + exp(-dots[up[node] - N_LABELS]));
            score += log((side[node] ? right : 1 - right) + 1e-5);
        }
        p[i] = exp(score);
    }
}

static void slow_predict(const Made *m, const char *text, double *p)
{
    static Ids ids;
    double mean[DIM] = {0}, dots[N_LABELS] = {0}, total = 0;

    slow_ids(m, text, &ids);
    for (int i = 0; i < ids.n; i++)
        for (int k = 0; k < DIM; k++) mean[k] += (double)m->in[ids.id[i]][k] / ids.n;
    for (int i = 0; i < N_LABELS; i++)
        for (int k = 0; k < DIM; k++) dots[i] += mean[k] * (double)m->out[i][k];
    if (m->spec.loss == 1) {
        slow_tree(dots, p);
        return;
    }
    for (int i = 0; i < N_LABELS; i++) {
        p[i] = exp(dots[i]);
        total += p[i];
        if (m->spec.loss == 3) continue;
        /* By steps of 1/32, the one at or below. */
        p[i] = dots[i] < -8 ? 0 : dots[i] > 8 ? 1 : 1 / (1 + exp(-floor((dots[i] + 8) * 32) / 32 + 8));
    }
    for (int i = 0; i < N_LABELS; i++) p[i] = (m->spec.loss == 3 ? p[i] / total : p[i]) + 1e-5;
}

static void check_predictions(const Made *m, const FastText *model, const char *text)
{
    FastTextScratch *s;
    FastTextAnswer got[FASTTEXT_MAX_K], first;
    double p[N_LABELS];
    Err err;

    CHECK_OK(fasttext_scratch_new(&s, model, &err), &err);
    slow_predict(m, text, p);
    const Span edge = check_edge(span_str(text));
    const int n = (int)fasttext_predict(model, s, edge, FASTTEXT_MAX_K, got);
    int n_likely = 0; /* down the tree nothing is followed that is less likely than 1e-5 */
    for (int i = 0; i < N_LABELS; i++) n_likely += p[i] > 1.001e-5;
    CHECK(n >= n_likely && n <= N_LABELS && (m->spec.loss == 1 || n == N_LABELS));
    for (int i = 0; i < n; i++) {
        const double want = p[got[i].label], d = fabs(want - (double)got[i].p);
        /* A sigmoid's step may fall on either side of a sum that rounds differently. */
        CHECK(d < (m->spec.loss == 2 || m->spec.loss == 4 ? 0.01 : 2e-6));
        CHECK(i == 0 || got[i - 1].p >= got[i].p);
    }
    CHECK_INT(1, fasttext_predict(model, s, edge, 1, &first));
    CHECK_INT(got[0].label, first.label);
    CHECK(memcmp(&got[0].p, &first.p, sizeof first.p) == 0);
    check_edge_free(edge);
    fasttext_scratch_free(s);
}

static const Spec specs[] = {
    {3, 12, 1, 0, 0, .packed = false},
    {3, 12, 1, 2, 4, .packed = false},
    {3, 12, 3, 1, 3, .packed = false},
    {3, 11, 2, 3, 6, .packed = false},
    {1, 12, 1, 2, 4, .packed = true, .norms = true, .pruned = true},
    {1, 12, 2, 2, 4, .packed = true, .norms = true, .out_packed = true, .pruned = true},
    {2, 12, 5, 0, 0, .packed = true, .norms = false, .out_packed = true},
    {4, 12, 1, 3, 3, .packed = true, .norms = true, .pruned = true},
    {1, 12, 2, 0, 0, .packed = false, .out_packed = true},
};
enum { N_SPECS = sizeof specs / sizeof specs[0] };

TEST(models_predict_as_the_slow_version_does)
{
    static const char *const texts[] = {"",
                                        " \n\t ",
                                        "the river",
                                        "The river rises in the hills to the north .",
                                        "河 流 经 草地 the meadow",
                                        "\xc3\xa9t\xc3\xa9 a\xc3\xafllent na\xc3\xafve __label__en river\nis",
                                        "a",
                                        "x",
                                        "oooooooooooooooooooooooooooooo"};
    static Made m;
    Buf b = {0};
    Err err;

    for (int i = 0; i < N_SPECS; i++) {
        FastText *model;
        make_model(&m, specs[i], &b);
        CHECK_OK(fasttext_parse(&model, buf_span(&b), "made", &err), &err);
        CHECK_INT(N_LABELS, fasttext_n_labels(model));
        CHECK_SPAN(SPAN_LIT("fr"), fasttext_label(model, 2));
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) check_predictions(&m, model, texts[k]);
        fasttext_free(model);
    }
    buf_clear(&b);
}

TEST(models_are_read_from_files)
{
    static Made m;
    char path[512];
    Buf b = {0};
    FastText *model = NULL;
    Err err;

    make_model(&m, specs[4], &b);
    snprintf(path, sizeof path, "%s/model.ftz", check_tmpdir());
    CHECK_OK(store_write(path, buf_span(&b), &err), &err);
    CHECK_OK(fasttext_open(&model, path, &err), &err);
    CHECK(hash128_eq(fasttext_content(model), hash128(buf_span(&b))));
    check_predictions(&m, model, "the river is a meadow of \xc3\xa9t\xc3\xa9");
    fasttext_free(model);
    snprintf(path, sizeof path, "%s/none.ftz", check_tmpdir());
    CHECK_INT(ERR_SYS, fasttext_open(&model, path, &err));
    CHECK(model == NULL);
    buf_clear(&b);
}

/* What is read of damaged bytes predicts something or is refused, and says where. */
static void try_damaged(Span bytes, bool must_fail)
{
    FastText *model;
    FastTextScratch *s;
    FastTextAnswer got[3];
    Err err;
    const Span edge = check_edge(bytes);
    const ErrCode rc = fasttext_parse(&model, edge, "made", &err);

    CHECK(rc == ERR_DATA || rc == ERR_LIMIT || (rc == ERR_OK && !must_fail));
    check_edge_free(edge);
    if (rc != ERR_OK) {
        CHECK(!strncmp(err.msg, "made at ", 8));
        return;
    }
    CHECK_OK(fasttext_scratch_new(&s, model, &err), &err);
    CHECK(fasttext_predict(model, s, SPAN_LIT("the river of \xc3\xa9t\xc3\xa9, a meadow"), 3, got) <= 3);
    fasttext_scratch_free(s);
    fasttext_free(model);
}

TEST(damaged_models_are_refused_or_harmless)
{
    static Made m;
    Buf b = {0};

    for (int i = 0; i < N_SPECS; i += 4) {
        make_model(&m, specs[i], &b);
        const size_t n = b.n, step = n > 3000 ? 3 : 1;
        for (size_t cut = 0; cut < n; cut += cut < 600 ? 1 : 37) try_damaged(span(b.p, cut), true);
        for (size_t at = 0; at < n; at += at < 800 ? 1 : step * 11)
            for (int bit = 0; bit < 8; bit += at < 800 ? 1 : 7) {
                b.p[at] ^= (uint8_t)(1 << bit);
                try_damaged(buf_span(&b), false);
                b.p[at] ^= (uint8_t)(1 << bit);
            }
        buf_putc(&b, 0);
        try_damaged(buf_span(&b), true);
    }
    buf_clear(&b);
}

/* Of 2^27 n-grams the table of bits would have 2^32: the file is a hole behind its dictionary. */
TEST(more_ngrams_than_a_table_holds_are_refused)
{
    enum { NGRAMS = 1 << 27, COUNT_AT = 4 * 14 + 8 + 4 * 3 + 8 };
    static Made m;
    char path[512];
    Buf b = {0};
    FastText *model;
    Err err;

    make_model(&m, specs[4], &b);
    CHECK_INT(N_PRUNED, le64_get(b.p + COUNT_AT));
    le64_put(b.p + COUNT_AT, NGRAMS);
    snprintf(path, sizeof path, "%s/hole.ftz", check_tmpdir());
    CHECK_OK(store_write(path, buf_span(&b), &err), &err);
    CHECK_INT(0, truncate(path, (off_t)b.n + (off_t)NGRAMS * 8));
    CHECK_INT(ERR_LIMIT, fasttext_open(&model, path, &err));
    CHECK(model == NULL);
    buf_clear(&b);
}

static ErrCode parse_and_predict(void *ctx, Err *err)
{
    const Buf *b = ctx;
    FastText *model;
    FastTextScratch *s = NULL;
    ErrCode rc = fasttext_parse(&model, buf_span(b), "made", err);

    if (rc == ERR_OK) rc = fasttext_scratch_new(&s, model, err);
    fasttext_scratch_free(s);
    fasttext_free(model);
    return rc;
}

TEST(models_without_memory)
{
    static Made m;
    Buf b = {0};

    for (int i = 3; i < N_SPECS; i++) {
        make_model(&m, specs[i], &b);
        alloc_fault_each(parse_and_predict, NULL, &b);
    }
    buf_clear(&b);
}

TEST(exp_and_log_are_close_to_the_library)
{
    for (int i = -70000; i <= 70000; i++) {
        const double x = i / 100.0, want = exp(x), got = stable_exp(x);
        CHECK(fabs(got - want) <= 4.5e-16 * want);
    }
    for (int i = 1; i <= 200000; i++) {
        const double x = pow(1.004, i % 100000 / 50.0 - 1000) * (1 + i * 1e-7), want = log(x), got = stable_log(x);
        CHECK(fabs(got - want) <= 4.5e-16 * fabs(want) + 1e-17);
    }
    CHECK(stable_exp(0) == 1 && stable_log(1) == 0);
    CHECK(stable_exp(-1000) == 0);
}
