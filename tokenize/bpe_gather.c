/* Word counts of all ranks, brought to rank 0: words meet by their hash on some rank, which adds up their counts, and go on from
 * there; so rank 0 receives every distinct word once. */
#include "tokenize/bpe_count.h"

#include "core/exchange.h"

#include <stdlib.h>

enum { PARTITIONS = 4096, COUNT_BYTES = 8, WORD_MAX = EXCHANGE_MAX_VALUE - COUNT_BYTES };

/* A value: the count, then the word. Longer words, of which there are few if any, go by themselves: see put_giant(). */
static ErrCode put_word(Exchange *x, int lane, const uint8_t key[EXCHANGE_KEY], Span word, uint64_t count, Buf *value,
                        Err *err)
{
    uint8_t head[COUNT_BYTES];

    le64_put(head, count);
    buf_reset(value);
    buf_put(value, head, sizeof head);
    buf_put_span(value, word);
    if (value->oom) return err_nomem(err, "word counts");
    return exchange_put(x, lane, key, value->p, (uint32_t)value->n, err);
}

/* u64 count, u64 bytes, the word. */
static void put_giant(Buf *giants, Span word, uint64_t count)
{
    uint8_t head[16];

    le64_put(head, count);
    le64_put(head + 8, word.n);
    buf_put(giants, head, sizeof head);
    buf_put_span(giants, word);
}

static ErrCode send_words(const BpeCounter *c, Exchange *x, Buf *giants, Err *err)
{
    WordCursor w = wordcursor(c);
    uint8_t key[EXCHANGE_KEY];
    Buf value = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) break;
        if (w.word.n > WORD_MAX) {
            put_giant(giants, w.word, w.count);
        } else {
            hash128_put(key, hash128(w.word));
            rc = put_word(x, 0, key, w.word, w.count, &value, err);
        }
    }
    buf_clear(&value);
    return rc ? rc : buf_ok(giants, "word counts", err);
}

typedef struct {
    Exchange *to;
    Buf *value; /* one a thread */
    BpeCounter *into;
} Gathering;

/* Two words of one hash, if there ever are such, are told apart: the sum so far goes on when another word comes. The hash with zeros
 * above it is a key of partition 0, rank 0's. */
static ErrCode add_up(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Gathering *to = ctx;
    uint8_t key[EXCHANGE_KEY];
    uint64_t count = 0;
    Buf word = {0};
    Span value;
    bool end;
    ErrCode rc;

    (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        key[0] = key[1] = 0;
        for (count = 0; (rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end;) {
            Span this = span_from(value, COUNT_BYTES);
            if (count && !span_eq(this, buf_span(&word))) {
                if ((rc = put_word(to->to, thread, key, buf_span(&word), count, &to->value[thread], err)) != ERR_OK)
                    break;
                count = 0;
            }
            buf_reset(&word);
            buf_put_span(&word, this);
            count += le64_get(value.p);
            if ((rc = buf_ok(&word, "word counts", err)) != ERR_OK) break;
        }
        if (rc == ERR_OK) rc = put_word(to->to, thread, key, buf_span(&word), count, &to->value[thread], err);
        if (rc) break;
    }
    buf_clear(&word);
    return rc;
}

static ErrCode take_words(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Gathering *to = ctx;
    uint8_t key[EXCHANGE_KEY];
    Span value;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end)
            if ((rc = bpecounter_add(to->into, span_from(value, COUNT_BYTES), le64_get(value.p), err)) != ERR_OK)
                return rc;
        if (rc) return rc;
    }
    return rc;
}

static ErrCode take_giants(BpeCounter *into, Span giants, Err *err)
{
    ErrCode rc = ERR_OK;

    while (giants.n && rc == ERR_OK) {
        Span word = span(giants.p + 16, (size_t)le64_get(giants.p + 8));
        rc = bpecounter_add(into, word, le64_get(giants.p), err);
        giants = span_from(giants, 16 + word.n);
    }
    return rc;
}

static ErrCode open_exchange(Exchange **x, const BpeGather *how, const Par *par, Err *err)
{
    const ExchangeSpec spec = {.name = "words",
                               .partitions = PARTITIONS,
                               .value_bytes = UINT32_MAX,
                               .memory = how->memory / 2,
                               .scratch = how->scratch};

    return par_agree(par, exchange_open(x, &spec, par, err), err);
}

/* From every rank's counter to that of rank 0, which `to->into` is there. */
static ErrCode run(BpeCounter **own, Gathering *to, const BpeGather *how, const Par *par, Buf *giants, Err *err)
{
    Exchange *x = NULL;
    ErrCode rc = open_exchange(&x, how, par, err);

    if (rc == ERR_OK) rc = par_agree(par, send_words(*own, x, giants, err), err);
    bpecounter_free(*own);
    *own = NULL;
    if (rc == ERR_OK) rc = par_agree(par, exchange_flip(x, err), err);
    if (rc == ERR_OK) rc = open_exchange(&to->to, how, par, err);
    if (rc == ERR_OK) rc = exchange_each(x, add_up, to, err);
    exchange_close(x);
    if (rc == ERR_OK) rc = par_agree(par, exchange_flip(to->to, err), err);
    if (rc == ERR_OK) rc = exchange_each(to->to, take_words, to, err);
    if (rc == ERR_OK) rc = par_gather(par, giants, err);
    if (rc == ERR_OK && par->rank == 0) rc = take_giants(to->into, buf_span(giants), err);
    return par_agree(par, rc, err);
}

ErrCode bpecounter_gather(BpeCounter **c, const BpeGather *how, const Par *par, Err *err)
{
    uint64_t bytes = bpecounter_bytes(*c);
    Gathering to = {0};
    Buf giants = {0};
    ErrCode rc = ERR_OK;

    if (par->n_ranks == 1) return ERR_OK;
    par_sum_u64(par, &bytes, 1);
    to.value = calloc((size_t)par->threads, sizeof *to.value);
    if (!to.value) rc = err_nomem(err, "word counts");
    if (rc == ERR_OK) rc = bpecounter_new(&to.into, how->pretokenizer, err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = run(c, &to, how, par, &giants, err);
    for (int i = 0; to.value && i < par->threads; i++) buf_clear(&to.value[i]);
    free(to.value);
    exchange_close(to.to);
    buf_clear(&giants);
    bpecounter_free(*c);
    *c = to.into;
    if (*c) bpecounter_set_bytes(*c, bytes);
    return rc;
}
