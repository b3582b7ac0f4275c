/* core/fasttext.c - labels of a text. Row numbers are gathered in the order of the text, a batch at a time, so that the rows of a
 * batch are on their way from memory before the first is added. */
#include "core/fasttext_impl.h"
#include "core/stablemath.h"
#include "core/utf8.h"

#include <stdlib.h>

enum { BATCH = 256 };

struct FastTextScratch {
    const FastText *m;
    size_t n_ids;
    uint64_t n_rows; /* of the text so far, the batch too */
    uint32_t ids[BATCH];
    uint64_t begun[FASTTEXT_MAX_WORD_NGRAMS]; /* hashes of word n-grams that begin one, two, … words back */
    uint32_t n_begun;
    float *sum, *unpacked; /* a row each */
    float *score;          /* of each label */
    struct Branch {
        int32_t node;
        float score;
    } * stack;
};

Hash128 fasttext_content(const FastText *m) { return m->content; }
uint32_t fasttext_n_labels(const FastText *m) { return m->n_labels; }

Span fasttext_label(const FastText *m, uint32_t label)
{
    const uint64_t *at = m->entry_at + m->n_words + label;
    const Span name = span(m->pool + at[0], at[1] - at[0] - 1), prefix = SPAN_LIT("__label__");

    return span_starts(name, prefix) ? span(name.p + prefix.n, name.n - prefix.n) : name;
}

ErrCode fasttext_scratch_new(FastTextScratch **out, const FastText *m, Err *err)
{
    FastTextScratch *s = calloc(1, sizeof *s);

    *out = NULL;
    if (s) {
        s->m = m;
        s->sum = calloc(m->in.stride, sizeof *s->sum);
        s->unpacked = calloc(m->in.stride, sizeof *s->unpacked);
        s->score = calloc(m->n_labels, sizeof *s->score);
        s->stack = calloc((size_t)m->tree_depth + 2, sizeof *s->stack);
    }
    if (!s || !s->sum || !s->unpacked || !s->score || !s->stack) {
        fasttext_scratch_free(s);
        return err_nomem(err, "a fastText prediction");
    }
    *out = s;
    return ERR_OK;
}

void fasttext_scratch_free(FastTextScratch *s)
{
    if (!s) return;
    free(s->sum);
    free(s->unpacked);
    free(s->score);
    free(s->stack);
    free(s);
}

/* --- the sum of the rows */

static void add_values(const FtMatrix *x, const uint32_t *ids, size_t n, float *sum)
{
    for (uint32_t from = 0; from < x->stride; from += FT_BLOCK) {
        float part[FT_BLOCK];
        memcpy(part, sum + from, sizeof part);
        for (size_t i = 0; i < n; i++) {
            const float *row = x->values + (size_t)ids[i] * x->stride + from;
            for (int k = 0; k < FT_BLOCK; k++) part[k] += row[k];
        }
        memcpy(sum + from, part, sizeof part);
    }
}

static void add_batch(FastTextScratch *s)
{
    const FtMatrix *x = &s->m->in;

    if (x->values) {
        add_values(x, s->ids, s->n_ids, s->sum);
    } else {
        for (size_t i = 0; i < s->n_ids; i++) {
            ftmatrix_unpack(x, s->ids[i], s->unpacked);
            for (uint32_t k = 0; k < x->dim; k++) s->sum[k] += s->unpacked[k];
        }
    }
    s->n_rows += s->n_ids;
    s->n_ids = 0;
}

static inline void put_row(FastTextScratch *s, uint32_t row)
{
    const FtMatrix *x = &s->m->in;

#ifdef __GNUC__
    if (x->values) __builtin_prefetch(x->values + (size_t)row * x->stride);
#endif
    s->ids[s->n_ids++] = row;
    if (s->n_ids == BATCH) add_batch(s);
}

/* --- from words to rows */

/* h % bucket by two multiplications (Lemire, Kaser, Kurz 2019). */
static inline uint32_t modulo(const FastText *m, uint32_t h)
{
#ifdef __SIZEOF_INT128__
    return (uint32_t)((__uint128_t)(m->bucket_magic * h) * m->bucket >> 64);
#else
    return h % m->bucket;
#endif
}

static inline void put_bucket(FastTextScratch *s, uint32_t bucket)
{
    const FastText *m = s->m;

    if (!m->pruned) {
        put_row(s, m->n_words + bucket);
        return;
    }
    const uint32_t bit = bucket & m->seen_mask;
    if (!(m->seen[bit / 64] >> bit % 64 & 1)) return;
    for (uint32_t at = ft_spread(bucket) & m->ngram_mask; m->ngrams[at].row; at = (at + 1) & m->ngram_mask)
        if (m->ngrams[at].bucket == bucket) {
            put_row(s, m->n_words + m->ngrams[at].row - 1);
            return;
        }
}

/* The n-grams that begin with what `h` is the hash of, n characters, and go on at word[at]; the word ends with '>'. */
static inline void ngrams_from(FastTextScratch *s, uint32_t h, uint32_t n, Span word, size_t at)
{
    const uint32_t minn = s->m->minn, maxn = s->m->maxn;

    while (n < maxn) {
        if (at == word.n) {
            h = ft_hash_step(h, '>');
            if (n + 1 >= minn) put_bucket(s, modulo(s->m, h));
            return;
        }
        do h = ft_hash_step(h, word.p[at++]);
        while (at < word.n && (word.p[at] & 0xc0) == 0x80);
        if (++n >= minn) put_bucket(s, modulo(s->m, h));
    }
}

/* The entry of a word, or n_entries. */
static uint32_t find_word(const FastText *m, Span word, uint32_t h)
{
    for (uint32_t at = ft_spread(h) & m->word_mask; m->words[at].entry; at = (at + 1) & m->word_mask) {
        const uint32_t i = m->words[at].entry - 1;
        if (m->words[at].hash != h) continue;
        if (span_eq(span(m->pool + m->entry_at[i], m->entry_at[i + 1] - m->entry_at[i] - 1), word)) return i;
    }
    return m->n_entries;
}

/* The n-grams of words that end with this one; fastText widens a word's hash with its sign. */
static void put_word_ngrams(FastTextScratch *s, uint32_t h)
{
    const FastText *m = s->m;
    const uint64_t wide = (uint64_t)(int64_t)(int32_t)h;

    for (uint32_t i = s->n_begun; i-- > 0;) {
        s->begun[i] = s->begun[i] * 116049371u + wide;
        put_bucket(s, (uint32_t)(s->begun[i] % m->bucket));
    }
    if (s->n_begun < m->word_ngrams - 1) s->n_begun++;
    memmove(s->begun + 1, s->begun, (s->n_begun - 1) * sizeof *s->begun);
    s->begun[0] = wide;
}

static void put_word(FastTextScratch *s, Span word, bool is_end)
{
    const FastText *m = s->m;
    uint32_t h = FT_HASH_START;

    for (size_t i = 0; i < word.n; i++) h = ft_hash_step(h, word.p[i]);
    const uint32_t entry = find_word(m, word, h);
    if (entry < m->n_words)
        put_row(s, entry);
    else if (entry < m->n_entries || span_starts(word, SPAN_LIT("__label__")))
        return;
    if (m->maxn && !is_end) {
        ngrams_from(s, ft_hash_step(FT_HASH_START, '<'), 1, word, 0);
        for (size_t i = 0; i < word.n; i++)
            if ((word.p[i] & 0xc0) != 0x80) ngrams_from(s, FT_HASH_START, 0, word, i);
    }
    if (m->word_ngrams > 1) put_word_ngrams(s, h);
}

/* What ends a word: blank, tab to carriage return, NUL. */
static inline bool is_gap(uint8_t c) { return c == ' ' || c == 0 || (c >= 9 && c <= 13); }

static void sum_text(FastTextScratch *s, Span text)
{
    const Span end_mark = SPAN_LIT("</s>");

    s->n_ids = 0, s->n_rows = 0, s->n_begun = 0;
    memset(s->sum, 0, s->m->in.stride * sizeof *s->sum);
    for (size_t i = 0, from; i < text.n;) {
        while (i < text.n && is_gap(text.p[i])) i++;
        for (from = i; i < text.n && !is_gap(text.p[i]);) i++;
        const Span word = span(text.p + from, i - from);
        if (word.n == 0) break;
        if (span_eq(word, end_mark)) continue; /* fastText would end the line there: a page that writes it goes on */
        put_word(s, word, false);
    }
    put_word(s, end_mark, true);
    add_batch(s);
    if (!s->n_rows) return;
    const float mean = (float)(1.0 / (double)s->n_rows);
    for (uint32_t k = 0; k < s->m->in.dim; k++) s->sum[k] *= mean;
}

/* --- from the mean to labels */

static float dot(const FtMatrix *x, uint64_t row, const float *v)
{
    const float *p = x->values + row * x->stride;
    float part[8] = {0}, sum = 0;

    for (uint32_t k = 0; k < x->stride; k += 8) /* eight sums, then those in order: any vector unit gives the same */
        for (int j = 0; j < 8; j++) part[j] += p[k + (uint32_t)j] * v[k + (uint32_t)j];
    for (int j = 0; j < 8; j++) sum += part[j];
    return sum;
}

/* As fastText has it: nothing is less likely than 1e-5. */
static float log_of(float p) { return (float)stable_log((double)p + 1e-5); }

/* Keeps the k best, the best first; of equal ones the lower label. `p` is a logarithm until the end. */
static void keep(FastTextAnswer *out, size_t *n, size_t k, uint32_t label, float p)
{
    size_t i;

    if (*n == k && (p < out[k - 1].p || (p == out[k - 1].p && label > out[k - 1].label))) return;
    for (i = *n < k ? (*n)++ : k - 1; i > 0; i--) {
        if (out[i - 1].p > p || (out[i - 1].p == p && out[i - 1].label < label)) break;
        out[i] = out[i - 1];
    }
    out[i] = (FastTextAnswer){label, p};
}

/* Down the tree, left first; a branch less likely than what is kept holds nothing better. */
static size_t descend(FastTextScratch *s, size_t k, FastTextAnswer *out)
{
    const FastText *m = s->m;
    const float floor = log_of(0);
    size_t n = 0, depth = 1;

    s->stack[0] = (struct Branch){(int32_t)(2 * m->n_labels - 2), 0};
    while (depth) {
        const struct Branch b = s->stack[--depth];
        const FtNode *node = m->tree + b.node;
        if (b.score < floor || (n == k && b.score < out[k - 1].p)) continue;
        if (node->left < 0) {
            keep(out, &n, k, (uint32_t)b.node, b.score);
            continue;
        }
        const float e = (float)stable_exp(-(double)dot(&m->out, (uint64_t)b.node - m->n_labels, s->sum));
        const float right = (float)(1.0 / (1.0 + (double)e));
        s->stack[depth++] = (struct Branch){node->right, b.score + log_of(right)};
        s->stack[depth++] = (struct Branch){node->left, b.score + log_of((float)(1.0 - (double)right))};
    }
    return n;
}

static float sigmoid(const FastText *m, float x)
{
    if (!(x >= -FT_SIGMOID_MAX)) return 0;
    if (x > FT_SIGMOID_MAX) return 1;
    return m->sigmoid[(int)((x + FT_SIGMOID_MAX) * FT_SIGMOID_STEPS / FT_SIGMOID_MAX / 2)];
}

static size_t score_all(FastTextScratch *s, size_t k, FastTextAnswer *out)
{
    const FastText *m = s->m;
    float *score = s->score, most, total = 0;
    size_t n = 0;

    for (uint32_t i = 0; i < m->n_labels; i++) score[i] = dot(&m->out, i, s->sum);
    if (m->loss == FT_LOSS_SOFTMAX) {
        most = score[0];
        for (uint32_t i = 1; i < m->n_labels; i++)
            if (score[i] > most) most = score[i];
        for (uint32_t i = 0; i < m->n_labels; i++) {
            score[i] = (float)stable_exp((double)(score[i] - most));
            total += score[i];
        }
        for (uint32_t i = 0; i < m->n_labels; i++) score[i] /= total;
    } else {
        for (uint32_t i = 0; i < m->n_labels; i++) score[i] = sigmoid(m, score[i]);
    }
    for (uint32_t i = 0; i < m->n_labels; i++)
        if (n < k || log_of(score[i]) >= out[k - 1].p) keep(out, &n, k, i, log_of(score[i]));
    return n;
}

size_t fasttext_predict(const FastText *m, FastTextScratch *s, Span text, size_t k, FastTextAnswer *out)
{
    size_t n;

    if (k > FASTTEXT_MAX_K) k = FASTTEXT_MAX_K;
    if (k > m->n_labels) k = m->n_labels;
    sum_text(s, text);
    if (!s->n_rows || !k) return 0;
    n = m->loss == FT_LOSS_HS ? descend(s, k, out) : score_all(s, k, out);
    for (size_t i = 0; i < n; i++) out[i].p = (float)stable_exp((double)out[i].p);
    return n;
}
