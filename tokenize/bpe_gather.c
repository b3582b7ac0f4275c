#include "tokenize/bpe_gather.h"

#include "core/exchange.h"

#include <omp.h>
#include <stdlib.h>

/* A counter takes 0.7 MB before it has a word; of less than so much it would be full all the time. */
enum { COUNTER_LEAST = 3 << 19 };
enum { PARTITIONS = 4096, COUNT_BYTES = 8, WORD_MAX = EXCHANGE_MAX_VALUE - 64 };

struct WordGather {
    GatherSpec spec;
    Par par;              /* of few threads where memory is little */
    BpeCounter **counter; /* one a thread */
    Buf *value;           /* one a thread */
    Exchange *x;          /* words with their counts, from every thread */
    Exchange *to_first;   /* the same, added up, to rank 0 */
    WordTable giants;     /* words that no value of the exchange can hold */
    WordBuilder builder;  /* of rank 0 */
    uint64_t n_spills;
};

static ErrCode open_exchange(Exchange **x, const WordGather *g, Err *err)
{
    const ExchangeSpec spec = {.name = "words",
                               .partitions = PARTITIONS,
                               .value_bytes = UINT32_MAX,
                               .memory = g->spec.memory / 8,
                               .scratch = g->spec.scratch};

    return par_agree(&g->par, exchange_open(x, &spec, &g->par, err), err);
}

static int counting_threads(const GatherSpec *spec, const Par *par)
{
    const uint64_t fit = spec->memory / 4 / COUNTER_LEAST;

    return fit >= (uint64_t)par->threads ? par->threads : fit ? (int)fit : 1;
}

ErrCode wordgather_open(WordGather **out, const GatherSpec *spec, const Par *par, Err *err)
{
    WordGather *g = *out = calloc(1, sizeof *g);
    ErrCode rc = g ? ERR_OK : err_nomem(err, "word counts");

    if (rc == ERR_OK) {
        g->spec = *spec;
        if (g->spec.max_text == 0) g->spec.max_text = WORDTABLE_MAX_TEXT;
        g->par = *par;
        g->par.threads = counting_threads(spec, par);
        par = &g->par;
        g->counter = calloc((size_t)par->threads, sizeof(BpeCounter *));
        g->value = calloc((size_t)par->threads, sizeof *g->value);
        if (!g->counter || !g->value) rc = err_nomem(err, "word counts");
        if (rc == ERR_OK) rc = wordtable_init(&g->giants, err);
        for (int i = 0; i < par->threads && rc == ERR_OK; i++)
            rc = bpecounter_new(&g->counter[i], spec->pretokenizer, err);
    }
    rc = par_agree(par, rc, err);
    return rc == ERR_OK ? open_exchange(&g->x, g, err) : rc;
}

const Pretokenizer *wordgather_pretokenizer(const WordGather *g) { return g->spec.pretokenizer; }

const Par *wordgather_par(const WordGather *g) { return &g->par; }

static void drop_counters(WordGather *g)
{
    for (int i = 0; g->counter && i < g->par.threads; i++) {
        bpecounter_free(g->counter[i]);
        g->counter[i] = NULL;
    }
}

void wordgather_close(WordGather *g)
{
    if (!g) return;
    drop_counters(g);
    for (int i = 0; g->value && i < g->par.threads; i++) buf_clear(&g->value[i]);
    exchange_close(g->x);
    exchange_close(g->to_first);
    wordtable_clear(&g->giants);
    wordbuilder_clear(&g->builder);
    free(g->counter);
    free(g->value);
    free(g);
}

/* --- sending */

/* A value: the count, then the word. */
static ErrCode put_word(Exchange *x, int lane, const uint8_t key[EXCHANGE_KEY], Span word, uint64_t count, Buf *value,
                        Err *err)
{
    uint8_t head[COUNT_BYTES];

    le64_put(head, count);
    buf_recycle(value);
    buf_put(value, head, sizeof head);
    buf_put_span(value, word);
    if (value->oom) return err_nomem(err, "word counts");
    return exchange_put(x, lane, key, value->p, (uint32_t)value->n, err);
}

static ErrCode add_giant(WordGather *g, Span word, uint64_t count, Err *err)
{
    return wordtable_add(&g->giants, word, word_tag(hash64(word)), count, err);
}

static ErrCode keep_giant(WordGather *g, Span word, uint64_t count, Err *err)
{
    ErrCode rc;

#pragma omp critical(bpe_giants)
    rc = add_giant(g, word, count, err);
    return rc;
}

static ErrCode send_words(WordGather *g, int thread, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    WordTable *words;
    ErrCode rc = bpecounter_table(g->counter[thread], &words, err);

    WordCursor w = wordcursor(words);
    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) break;
        if (w.word.n > WORD_MAX) {
            rc = keep_giant(g, w.word, w.count, err);
        } else {
            hash128_put(key, hash128(w.word));
            rc = put_word(g->x, thread, key, w.word, w.count, &g->value[thread], err);
        }
    }
    return rc;
}

/* Half of what a table holds is more than any one document adds. */
static bool is_full(const WordGather *g, const BpeCounter *c)
{
    return bpecounter_memory(c) > g->spec.memory / 4 / (uint64_t)g->par.threads ||
           bpecounter_text(c) > g->spec.max_text / 2;
}

ErrCode wordgather_counter(WordGather *g, int thread, BpeCounter **c, Err *err)
{
    ErrCode rc = ERR_OK;

    *c = g->counter[thread];
    if (!is_full(g, *c)) return ERR_OK;
    rc = send_words(g, thread, err);
    if (rc == ERR_OK) rc = bpecounter_empty(*c, err);
#pragma omp atomic
    g->n_spills++;
    return rc;
}

uint64_t wordgather_n_spills(const WordGather *g) { return g->n_spills; }

static ErrCode send_all(WordGather *g, Err *err)
{
    int threads = g->par.threads;
    ErrCode *rc_of = calloc((size_t)threads, sizeof *rc_of), rc;
    Err *err_of = calloc((size_t)threads, sizeof *err_of);

    if (!rc_of || !err_of) {
        rc = err_nomem(err, "word counts");
    } else {
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int i = 0; i < threads; i++) {
            rc_of[i] = send_words(g, i, &err_of[i]);
            bpecounter_free(g->counter[i]);
            g->counter[i] = NULL;
        }
        rc = par_first_error(rc_of, err_of, (size_t)threads, err);
    }
    free(rc_of);
    free(err_of);
    return rc;
}

/* --- receiving. What goes to rank 0 has a key of partition 0: two zero bytes, a kind, the rest of the hash. */
enum { KIND_WORD, KIND_GIANT };

static void first_key(uint8_t key[EXCHANGE_KEY], uint8_t kind) { key[0] = key[1] = 0, key[2] = kind; }

/* A word with its count, from a partition's only thread. */
static ErrCode pass_on(WordGather *g, int thread, uint8_t key[EXCHANGE_KEY], Span word, uint64_t count, Err *err)
{
    ErrCode rc;

    if (g->to_first) {
        first_key(key, KIND_WORD);
        return put_word(g->to_first, thread, key, word, count, &g->value[thread], err);
    }
#pragma omp critical(bpe_builder)
    rc = wordbuilder_add(&g->builder, word, count, err);
    return rc;
}

/* Two words of one hash, if there ever are such, are told apart: the sum so far goes on when another word comes. */
static ErrCode add_up(void *ctx, int thread, uint32_t partition, ExchangeGroups *groups, Err *err)
{
    WordGather *g = ctx;
    uint8_t key[EXCHANGE_KEY];
    Buf word = {0};
    Span value;
    bool end;
    ErrCode rc;

    (void)partition;
    while ((rc = exchange_next_group(groups, key, &end, err)) == ERR_OK && !end) {
        uint64_t count = 0;
        /* values are sorted by their counts: equal words of equal counts stand together, others need not */
        while ((rc = exchange_next_value(groups, &value, &end, err)) == ERR_OK && !end) {
            Span this = span_from(value, COUNT_BYTES);
            if (count && !span_eq(this, buf_span(&word))) {
                if ((rc = pass_on(g, thread, key, buf_span(&word), count, err)) != ERR_OK) break;
                count = 0;
            }
            buf_recycle(&word);
            buf_put_span(&word, this);
            count += le64_get(value.p);
            if ((rc = buf_ok(&word, "word counts", err)) != ERR_OK) break;
        }
        if (rc == ERR_OK) rc = pass_on(g, thread, key, buf_span(&word), count, err);
        if (rc) break;
    }
    buf_clear(&word);
    return rc;
}

/* Pieces of long words: be64 rank << 32 | number of the word there, be64 number of the piece, le64 count, bytes. */
enum { PIECE_HEAD = 24 };

static ErrCode send_giants(WordGather *g, Err *err)
{
    WordCursor w = wordcursor(&g->giants);
    uint8_t key[EXCHANGE_KEY], head[PIECE_HEAD];
    Buf *value = &g->value[0];
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        hash128_put(key, hash128(w.word));
        first_key(key, KIND_GIANT);
        be64_put(head, (uint64_t)g->par.rank << 32 | i);
        le64_put(head + 16, w.count);
        for (size_t at = 0; at < w.word.n && rc == ERR_OK; at += WORD_MAX) {
            be64_put(head + 8, at / WORD_MAX);
            buf_recycle(value);
            buf_put(value, head, sizeof head);
            buf_put(value, w.word.p + at, w.word.n - at < WORD_MAX ? w.word.n - at : WORD_MAX);
            if ((rc = buf_ok(value, "word counts", err)) != ERR_OK) return rc;
            rc = exchange_put(g->to_first, 0, key, value->p, (uint32_t)value->n, err);
        }
    }
    return rc;
}

/* The pieces of one group, which come in order; equal words of several ranks meet in the counter. */
static ErrCode take_giants(WordGather *g, ExchangeGroups *groups, Err *err)
{
    uint8_t head[PIECE_HEAD];
    Buf word = {0};
    Span value;
    bool end;
    ErrCode rc;

    while ((rc = exchange_next_value(groups, &value, &end, err)) == ERR_OK && !end) {
        if (word.n && memcmp(head, value.p, 8) != 0) { /* another rank's, or word */
            if ((rc = add_giant(g, buf_span(&word), le64_get(head + 16), err)) != ERR_OK) break;
            buf_reset(&word);
        }
        memcpy(head, value.p, sizeof head);
        buf_put_span(&word, span_from(value, PIECE_HEAD));
        if ((rc = buf_ok(&word, "word counts", err)) != ERR_OK) break;
    }
    if (rc == ERR_OK && word.n) rc = add_giant(g, buf_span(&word), le64_get(head + 16), err);
    buf_clear(&word);
    return rc;
}

static ErrCode take_words(void *ctx, int thread, uint32_t partition, ExchangeGroups *groups, Err *err)
{
    WordGather *g = ctx;
    uint8_t key[EXCHANGE_KEY];
    Span value;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(groups, key, &end, err)) == ERR_OK && !end) {
        if (key[2] == KIND_GIANT) {
            if ((rc = take_giants(g, groups, err)) != ERR_OK) return rc;
            continue;
        }
        while ((rc = exchange_next_value(groups, &value, &end, err)) == ERR_OK && !end)
            if ((rc = wordbuilder_add(&g->builder, span_from(value, COUNT_BYTES), le64_get(value.p), err)) != ERR_OK)
                return rc;
        if (rc) return rc;
    }
    return rc;
}

/* --- all of it */

static ErrCode send_to_first(WordGather *g, Err *err)
{
    const Par *par = &g->par;
    ErrCode rc = open_exchange(&g->to_first, g, err);

    if (rc == ERR_OK) rc = exchange_each(g->x, add_up, g, err);
    exchange_close(g->x);
    g->x = NULL;
    if (rc == ERR_OK) rc = par_agree(par, send_giants(g, err), err);
    wordtable_clear(&g->giants);
    if (rc == ERR_OK) rc = par_agree(par, wordtable_init(&g->giants, err), err);
    if (rc == ERR_OK) rc = par_agree(par, exchange_flip(g->to_first, err), err);
    return rc == ERR_OK ? exchange_each(g->to_first, take_words, g, err) : rc;
}

static ErrCode through_exchange(WordGather *g, Err *err)
{
    const Par *par = &g->par;
    ErrCode rc = par_agree(par, send_all(g, err), err);

    if (rc == ERR_OK) rc = par_agree(par, exchange_flip(g->x, err), err);
    if (rc == ERR_OK) rc = par->n_ranks > 1 ? send_to_first(g, err) : exchange_each(g->x, add_up, g, err);
    WordCursor w = wordcursor(&g->giants);
    while (rc == ERR_OK && wordcursor_next(&w)) rc = wordbuilder_add(&g->builder, w.word, w.count, err);
    return par_agree(par, rc, err);
}

/* --- one process, all in memory */

/* One table refers to the words of all of them, and to what their caches still hold. */
static bool fit_one_table(const WordGather *g)
{
    uint64_t text = 0;

    for (size_t i = 0; i < (size_t)g->par.threads; i++) text += bpecounter_text(g->counter[i]);
    return text <= g->spec.max_text / 4 * 3;
}

static ErrCode add_words(WordGather *g, const WordTable *words, Err *err)
{
    WordCursor w = wordcursor(words);
    ErrCode rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        rc = bpe_listen(i, err);
        if (rc == ERR_OK) rc = wordbuilder_add(&g->builder, w.word, w.count, err);
    }
    return rc;
}

/* The words of all threads that are in the share of one. */
static ErrCode take_share(WordTable *into, WordTable *const *from, int k, int n, Err *err)
{
    ErrCode rc = wordtable_init(into, err);

    return rc == ERR_OK ? wordtable_take_share(into, from, (unsigned)k, (unsigned)n, err) : rc;
}

static ErrCode join_counters(WordGather *g, WordTable *share, WordTable **from, Err *err)
{
    int n = g->par.threads;
    ErrCode *rc_of = calloc((size_t)n, sizeof *rc_of), rc = ERR_OK;
    Err *err_of = calloc((size_t)n, sizeof *err_of);

    if (!rc_of || !err_of) rc = err_nomem(err, "word counts");
    for (int i = 0; i < n && rc == ERR_OK; i++) rc = bpecounter_table(g->counter[i], &from[i], err);
    if (rc == ERR_OK) {
#pragma omp parallel for schedule(static, 1) num_threads(n)
        for (int k = 0; k < n; k++) rc_of[k] = take_share(&share[k], from, k, n, &err_of[k]);
        rc = par_first_error(rc_of, err_of, (size_t)n, err);
    }
    for (int k = 0; k < n && rc == ERR_OK; k++) rc = add_words(g, &share[k], err);
    free(rc_of);
    free(err_of);
    return rc;
}

static ErrCode merge_here(WordGather *g, Err *err)
{
    size_t n = (size_t)g->par.threads;
    WordTable *share = calloc(n, sizeof *share), **from = calloc(n, sizeof *from);
    ErrCode rc = share && from ? ERR_OK : err_nomem(err, "word counts");

    if (rc == ERR_OK && n == 1) {
        if ((rc = bpecounter_table(g->counter[0], from, err)) == ERR_OK) rc = add_words(g, from[0], err);
    } else if (rc == ERR_OK) {
        rc = join_counters(g, share, from, err);
    }
    for (size_t k = 0; share && k < n; k++) wordtable_clear(&share[k]);
    free(share);
    free(from);
    drop_counters(g);
    return rc;
}

/* What a thread of this process had seen at its latest. */
static WordGrowth growth(const WordGather *g, uint64_t most)
{
    WordGrowth latest = {0};

    for (int i = 0; i < g->par.threads; i++) {
        WordGrowth of = bpecounter_growth(g->counter[i], most);
        if (of.text_bytes > latest.text_bytes) latest = of;
    }
    return latest;
}

ErrCode wordgather_finish(WordGather *g, WordList *list, Err *err)
{
    const Par *par = &g->par;
    uint64_t bytes = 0;

    for (int i = 0; i < par->threads; i++) bytes += bpecounter_bytes(g->counter[i]);
    par_sum_u64(par, &bytes, 1);
    const WordGrowth part = growth(g, bytes / 2);
    ErrCode rc = par_agree(par, wordbuilder_init(&g->builder, g->spec.max_symbols, err), err);
    if (rc == ERR_OK)
        rc = par->n_ranks > 1 || g->n_spills || !fit_one_table(g) ? through_exchange(g, err) : merge_here(g, err);
    if (rc == ERR_OK) rc = wordbuilder_finish(&g->builder, list, err);
    if (rc == ERR_OK) {
        list->corpus_bytes = bytes;
        list->part_bytes = part.text_bytes, list->part_words = part.n_words, list->part_symbols = part.n_symbols;
    }
    return par_agree(par, rc, err);
}
