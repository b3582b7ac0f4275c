/* The loop: the best pair, its merge, and now and then an epoch. tokenize/bpe_trainer.h says why that is exact. */
#include "tokenize/bpe_trainer.h"
#include "tokenize/bytelevel.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <math.h>

enum {
    EPOCH_FALL = 8,    /* the least count falls by this factor from one epoch to the next */
    CLOCK_MERGES = 64, /* between two looks at the clock */
    REPORT_SECONDS = 10
};

/* What training takes for a symbol: itself, beside it the list of words at first, then its copy when the text has become shorter, then
 * pairs and their positions. */
enum { SYMBOL_BYTES = 8 };

uint64_t bpe_max_symbols(uint64_t memory) { return memory / SYMBOL_BYTES; }
unsigned bpe_symbol_bytes(void) { return SYMBOL_BYTES; }

void bpe_alphabet(const BpeParams *params, const WordList *words, BpeModel *model)
{
    bool seen[256];

    memset(seen, params->all_bytes, sizeof seen);
    for (WordWalk w = wordwalk(words); wordwalk_next(&w);)
        for (size_t i = 0; i < w.word.n; i++) seen[w.word.p[i]] = true;
    model->n_alphabet = 0;
    for (uint32_t cp = 0; cp <= BYTELEVEL_MAX_CP; cp++) {
        int byte = bytelevel_byte(cp);
        if (byte >= 0 && seen[byte]) model->alphabet[model->n_alphabet++] = (uint8_t)byte;
    }
}

/* --- starting and ending */

static ErrCode trainer_start(Trainer *t, const BpeTask *task, uint32_t n_ids, uint32_t n_alphabet, Err *err)
{
    const BpeParams *p = task->params;
    size_t n = (size_t)(p->vocab_size > n_ids ? p->vocab_size : n_ids) + 1;

    *t = (Trainer){.max_bytes = p->max_token_length ? p->max_token_length : UINT64_MAX,
                   .floor = p->min_frequency ? p->min_frequency : 1,
                   .n_ids = n_ids,
                   .least_most = UINT64_MAX,
                   .threads = task->threads};
    t->token_bytes = calloc(n, sizeof *t->token_bytes);
    t->slots = calloc(n, sizeof *t->slots);
    t->left = calloc(n, sizeof *t->left);
    t->right = calloc(n, sizeof *t->right);
    t->left_ids = malloc(n * sizeof *t->left_ids);
    t->right_ids = malloc(n * sizeof *t->right_ids);
    if (!t->token_bytes || !t->slots || !t->left || !t->right || !t->left_ids || !t->right_ids)
        return err_nomem(err, "the trainer");
    for (uint32_t id = 0; id < n_ids; id++) {
        t->slots[id] = 1;
        t->token_bytes[id] = id < n_alphabet ? 1 : (uint32_t)tokenizer_bytes(task->base, id).n;
    }
    return ERR_OK;
}

/* A base may have come about in another way than ours and hold what would be merged again. */
/* What may not be made: the bytes of a token, and those that its spelling reads as, since a vocabulary has a spelling once. */
static ErrCode take_token(Trainer *t, const Tokenizer *base, uint32_t id, Buf *read, Err *err)
{
    ErrCode rc = tokenset_add(&t->taken, t->bytes[id], err);

    buf_reset(read);
    if (rc == ERR_OK && bytelevel_read(read, base->spelling[id])) rc = tokenset_add(&t->taken, buf_span(read), err);
    return rc == ERR_OK ? buf_ok(read, "a token", err) : rc;
}

static ErrCode know_base(Trainer *t, const BpeTask *task, Err *err)
{
    Buf read = {0};
    ErrCode rc = tokenset_init(&t->taken, err);

    if (rc != ERR_OK) return rc;
    t->bytes = calloc((size_t)(task->params->vocab_size > t->n_ids ? task->params->vocab_size : t->n_ids) + 1,
                      sizeof *t->bytes);
    if (!t->bytes) return err_nomem(err, "the trainer");
    for (uint32_t id = 0; id < t->n_ids && rc == ERR_OK; id++) {
        t->bytes[id] = tokenizer_bytes(task->base, id);
        rc = take_token(t, task->base, id, &read, err);
    }
    buf_clear(&read);
    return rc;
}

/* Gives the token that would be made its bytes; *taken: there is one of these bytes. */
static ErrCode spell(Trainer *t, Merge m, bool *taken, Err *err)
{
    Span left = t->bytes[m.left], right = t->bytes[m.right];
    uint8_t *p = arena_alloc(&t->arena, left.n + right.n);

    if (!p) return err_nomem(err, "the trainer");
    memcpy(p, left.p, left.n);
    memcpy(p + left.n, right.p, right.n);
    t->bytes[t->n_ids] = span(p, left.n + right.n);
    *taken = tokenset_has(&t->taken, t->bytes[t->n_ids]);
    return *taken ? ERR_OK : tokenset_add(&t->taken, t->bytes[t->n_ids], err);
}

static void trainer_clear(Trainer *t)
{
    free(t->bytes);
    tokenset_clear(&t->taken);
    arena_clear(&t->arena);
    pairs_clear(t);
    symbols_clear(&t->text);
    free(t->token_bytes);
    free(t->slots);
    free(t->left);
    free(t->right);
    free(t->left_ids);
    free(t->right_ids);
}

static ErrCode lay_out(Trainer *t, const BpeTask *task, WordList *words, const BpeModel *model, Err *err)
{
    uint8_t id_of[256] = {0};
    BpeStart start = {.id_of_byte = id_of, .base = task->base, .extended = task->extended};

    for (uint32_t id = 0; id < model->n_alphabet; id++) id_of[model->alphabet[id]] = (uint8_t)id;
    ErrCode rc = symbols_lay_out(&t->text, words, &start, err);
    wordlist_clear(words);
    return rc;
}

/* --- talk */

typedef struct {
    const BpeTask *task;
    double began, said, saved;
    uint32_t origin, first; /* ids before any merge, and at the beginning of this run */
    uint32_t n_said;
} Talk;

/* What n merges take. They get cheaper as their pairs get rarer: were counts to fall as 1/n it would be the logarithm; with the epochs a
 * fourth root is nearer. */
static double cost_of(uint32_t n) { return sqrt(sqrt(n)); }

static double seconds_left(const Talk *k, uint32_t n, double now)
{
    const double before = cost_of(k->first - k->origin), here = cost_of(n - k->origin),
                 end = cost_of(k->task->params->vocab_size - k->origin);

    return here > before ? (now - k->began) * (end - here) / (here - before) : 0;
}

static void report(Talk *k, uint32_t n, double now)
{
    const double rate = (n - k->n_said) / (now - k->said);
    const uint32_t all = k->task->params->vocab_size;

    log_info("bpe: %" PRIu32 " of %" PRIu32 " merges, %.0f/s, about %.0f s left", n - k->first, all - k->first, rate,
             seconds_left(k, n, now));
    k->said = now;
    k->n_said = n;
}

/* Between two merges: n ids so far. */
static ErrCode look_up(Talk *k, uint32_t n, const Buf *merges, Err *err)
{
    double now = n % CLOCK_MERGES == 0 ? clock_seconds() : 0;

    if (now - k->said >= REPORT_SECONDS) report(k, n, now);
    if (!k->task->save || now - k->saved < k->task->save_seconds) return ERR_OK;
    k->saved = now;
    return k->task->save(k->task->ctx, merges, err);
}

/* --- the loop */

/* What the text leaves of the memory. */
static void settle_memory(Trainer *t, const BpeTask *task)
{
    const uint64_t taken = symbols_memory(&t->text);

    t->memory = task->memory == 0 ? UINT64_MAX : task->memory > taken ? task->memory - taken : 0;
    t->merges_left = task->params->vocab_size - t->n_ids;
}

static ErrCode next_epoch(Trainer *t, const BpeTask *task, bool *end, Err *err)
{
    uint64_t most = 0;
    double began = clock_seconds();

    pairs_clear(t);
    ErrCode rc = symbols_compact(&t->text, t->slots, err);
    for (uint32_t id = 0; id < t->n_ids; id++) t->slots[id] = 1;
    settle_memory(t, task);
    if (rc == ERR_OK) rc = epoch_begin(t, &most, err);
    *end = most < t->floor;
    log_debug("bpe: %" PRIu32 " ids, %zu symbols: %zu pairs of %" PRIu64
              " and more, %.1f MB of positions, %.2f s, peak %.0f MB",
              t->n_ids, t->text.n, t->n_pairs, t->least, (double)t->pool_bytes / 1e6, clock_seconds() - began,
              (double)peak_memory_bytes() / 1e6);
    return rc;
}

/* Merges until the epoch is over; *done: for good. */
static ErrCode run_epoch(Trainer *t, const BpeTask *task, Talk *talk, Buf *merges, bool *done, Err *err)
{
    HeapEntry best;
    bool taken = false;
    ErrCode rc;

    while (t->n_ids < task->params->vocab_size) {
        if (!heap_pop(t, &best)) return ERR_OK;
        Merge m = {(uint32_t)(best.pair >> 32), (uint32_t)best.pair};
        if (t->bytes && (rc = spell(t, m, &taken, err)) != ERR_OK) return rc;
        if (taken) continue;
        uint32_t id = t->n_ids++;
        buf_put(merges, &m, sizeof m);
        if ((rc = buf_ok(merges, "merges", err)) != ERR_OK) return rc;
        t->token_bytes[id] = t->token_bytes[m.left] + t->token_bytes[m.right];
        t->slots[id] = t->slots[m.left] + t->slots[m.right];
        if ((rc = merge_pair(t, pair_find(t, best.pair), id, err)) != ERR_OK) return rc;
        if ((rc = look_up(talk, t->n_ids, merges, err)) != ERR_OK) return rc;
        if (t->full) return ERR_OK;
    }
    *done = true;
    return ERR_OK;
}

static ErrCode learn(Trainer *t, const BpeTask *task, Buf *merges, Err *err)
{
    double now = clock_seconds();
    const uint32_t least = t->n_ids < 256 ? t->n_ids : 256;
    Talk talk = {.task = task,
                 .began = now,
                 .said = now,
                 .saved = now,
                 .origin = task->extended ? tokenizer_vocab_size(task->extended) : least,
                 .first = t->n_ids,
                 .n_said = t->n_ids};
    bool done = t->n_ids >= task->params->vocab_size;
    ErrCode rc = ERR_OK;

    while (!done && rc == ERR_OK) {
        if ((rc = next_epoch(t, task, &done, err)) != ERR_OK || done) break;
        if (t->n_ids == talk.first)
            talk.began = talk.said = clock_seconds(); /* the first count of all pairs is no merging */
        rc = run_epoch(t, task, &talk, merges, &done, err);
        if (done || t->full) continue; /* the next epoch tracks the same counts */
        done = t->least <= t->floor;
        t->least_most = t->least / 2;
        t->least = t->least / EPOCH_FALL > t->floor ? t->least / EPOCH_FALL : t->floor;
    }
    if (rc == ERR_INTR && task->save) {
        Err why = {0};
        if (task->save(task->ctx, merges, &why) != ERR_OK) log_warn("bpe: %s", why.msg);
    }
    return rc;
}

ErrCode bpe_learn(const BpeTask *task, WordList *words, Buf *merges, Err *err)
{
    const BpeParams *p = task->params;
    BpeModel model = {.n_alphabet = 0};
    Trainer t = {0};

    if (p->vocab_size > TOKENIZER_MAX_IDS)
        return err_set(err, ERR_LIMIT, "a vocabulary of %u tokens is too large, at most %d", p->vocab_size,
                       TOKENIZER_MAX_IDS);
    if (!task->base) bpe_alphabet(p, words, &model);
    ErrCode rc = trainer_start(&t, task, task->base ? tokenizer_vocab_size(task->base) : model.n_alphabet,
                               model.n_alphabet, err);
    if (rc == ERR_OK && task->base) rc = know_base(&t, task, err);
    if (rc == ERR_OK) rc = lay_out(&t, task, words, &model, err);
    if (rc == ERR_OK) rc = learn(&t, task, merges, err);
    trainer_clear(&t);
    return rc;
}

ErrCode bpe_train(const BpeParams *params, BpeCounter *counts, Buf *tokenizer_json, Err *err)
{
    BpeTask task = {.params = params, .threads = 1};
    BpeModel model = {.n_alphabet = 0};
    WordList words = {0};
    Buf merges = {0};
    ErrCode rc = bpecounter_list(counts, UINT64_MAX, &words, err);

    if (rc == ERR_OK) {
        bpe_alphabet(params, &words, &model);
        rc = bpe_learn(&task, &words, &merges, err);
    }
    if (rc == ERR_OK) {
        model.merges = (const Merge *)(const void *)merges.p;
        model.n_merges = (uint32_t)(merges.n / sizeof(Merge));
        rc = bpe_model_json(&model, params, tokenizer_json, err);
    }
    wordlist_clear(&words);
    buf_clear(&merges);
    return rc;
}
