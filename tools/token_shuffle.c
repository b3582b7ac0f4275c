#include "tools/token_shuffle.h"

#include "core/events.h"
#include "core/exchange.h"
#include "core/log.h"
#include "core/store.h"
#include "tools/token_encode.h"
#include "tools/token_triples.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* How much of an id a message shows. */
static int shown(Span id) { return id.n < 200 ? (int)id.n : 200; }

/* --- receiving: one partition, one shard of every stream */

typedef struct {
    const ShuffleSpec *spec;
    const Par *par;
    const TokenRuns *runs;
    ShardSpec shard;
    uint32_t from, to; /* partitions of this task; all */
    uint64_t *n_there; /* by partition: shards that are finished */
    uint32_t *own;     /* partitions to be made here, ascending */
    uint32_t n_own;
    bool *wanted; /* by partition: in the batch under way */
    Exchange *exchange;
} Receiving;

typedef struct {
    const char *dir; /* where it comes from, for messages */
    Buf head;        /* chunk 0 as far as the id */
    Buf tokens;      /* u32 */
    ShardDoc doc;
    uint64_t n_tokens; /* announced */
} Received;

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void get_tokens(Buf *out, Span packed)
{
    size_t n = packed.n / TOKEN_BYTES;

    if (!buf_reserve(out, n * sizeof(uint32_t))) return;
    triples_get((uint32_t *)(void *)(out->p + out->n), packed.p, n); /* only ids are in it, so it is aligned */
    out->n += n * sizeof(uint32_t);
}

/* Takes the head of a document off its first chunk. */
static ErrCode take_head(Received *r, Span *chunk, Err *err)
{
    if (chunk->n < TOKEN_DOC_HEAD) return err_set(err, ERR_DATA, "%s: the head of a document is cut", r->dir);
    const uint8_t *p = chunk->p;
    const size_t domain = le16_get(p + 16), lang = le16_get(p + 18), id = le32_get(p + 20), head = TOKEN_DOC_HEAD;
    if (domain + lang + id > chunk->n - head)
        return err_set(err, ERR_DATA, "%s: the head of a document is cut", r->dir);

    buf_reset(&r->head);
    buf_put(&r->head, p + head, domain + lang + id);
    r->n_tokens = le64_get(p + 8);
    r->doc = (ShardDoc){.doc = le64_get(p)};
    if (!r->head.oom) {
        r->doc.domain = span(r->head.p, domain);
        r->doc.lang = span(r->head.p + domain, lang);
        r->doc.id = span(r->head.p + domain + lang, id);
    }
    *chunk = span_from(*chunk, head + domain + lang + id);
    return ERR_OK;
}

/* All chunks of one key. */
static ErrCode receive_document(ExchangeGroups *g, Received *r, Err *err)
{
    uint32_t chunk = 0;
    Span value;
    bool end;
    ErrCode rc;

    buf_recycle(&r->tokens);
    while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end) {
        if (value.n < TOKEN_CHUNK_HEAD) return err_set(err, ERR_DATA, "%s: a chunk of a document is cut", r->dir);
        if (get_be32(value.p) != chunk++) /* no input has a document twice; if it had, here it would show */
            return err_set(err, ERR_DATA, "document %.*s stands twice in the input", shown(r->doc.id),
                           (const char *)r->doc.id.p);
        Span tokens = span_from(value, TOKEN_CHUNK_HEAD);
        if (chunk == 1 && (rc = take_head(r, &tokens, err)) != ERR_OK) return rc;
        get_tokens(&r->tokens, tokens);
    }
    if (rc != ERR_OK) return rc;
    if ((rc = buf_ok(&r->head, "tokens", err)) != ERR_OK || (rc = buf_ok(&r->tokens, "tokens", err)) != ERR_OK)
        return rc;
    if (r->tokens.n / sizeof(uint32_t) != r->n_tokens)
        return err_set(err, ERR_DATA, "%s: tokens of a document are missing", r->dir);
    return ERR_OK;
}

static ErrCode shard_path(const Receiving *rx, const char *stream, uint32_t partition, char out[PATH_MAX], Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s/shard-%06" PRIu32 ".tok", rx->spec->out_dir, stream, partition);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", rx->spec->out_dir);
}

/* Writing the shards of one partition. Only those of one domain hash are open: one, but for the rarest of accidents. */
typedef struct {
    const Receiving *rx;
    uint32_t partition;
    ShardWriter **w; /* by stream; NULL: not open */
    bool *begun;     /* by stream: open, published, or there before */
    size_t *open;    /* n_open streams */
    size_t n_open;
    uint64_t domain; /* the hash */
    uint64_t n_docs;
} Writing;

/* A shard that is there stays, and gets no writer. */
static ErrCode open_writer(Writing *wr, size_t stream, Err *err)
{
    const Receiving *rx = wr->rx;
    char path[PATH_MAX];
    bool there = false;
    ErrCode rc;

    if (wr->begun[stream]) return ERR_OK;
    wr->begun[stream] = true;
    rc = shard_path(rx, rx->runs->domains.v[stream].name, wr->partition, path, err);
    if (rc == ERR_OK && rx->n_there[wr->partition]) rc = shard_is_of(path, rx->spec->key, &there, err);
    if (rc != ERR_OK || there) return rc;
    wr->open[wr->n_open++] = stream;
    return shardwriter_open(&wr->w[stream], path, &rx->shard, err);
}

static ErrCode commit_writers(Writing *wr, Err *err)
{
    ErrCode rc = ERR_OK;

    for (; wr->n_open && rc == ERR_OK; wr->n_open--)
        rc = shardwriter_commit(&wr->w[wr->open[wr->n_open - 1]], NULL, err);
    return rc;
}

static ErrCode write_document(Writing *wr, const uint8_t key[EXCHANGE_KEY], const Received *r, Err *err)
{
    uint64_t domain = be64_get(key) & token_domain_bits(wr->rx->spec->n_shards);
    size_t stream = domainset_find(&wr->rx->runs->domains, r->doc.domain);
    ErrCode rc;

    if (stream == SIZE_MAX)
        return err_set(err, ERR_DATA, "%s: a document of a domain that was not encoded", wr->rx->runs->spec.dir);
    if (domain != wr->domain && (rc = commit_writers(wr, err)) != ERR_OK) return rc;
    wr->domain = domain;
    if ((rc = open_writer(wr, stream, err)) != ERR_OK) return rc;
    wr->n_docs++;
    if (!wr->w[stream]) return ERR_OK;
    return shardwriter_add(wr->w[stream], &r->doc, (const uint32_t *)(const void *)r->tokens.p,
                           r->tokens.n / sizeof(uint32_t), err);
}

/* The shards of streams that have no document in this partition. */
static ErrCode write_empty(Writing *wr, Err *err)
{
    ErrCode rc = commit_writers(wr, err);

    for (size_t i = 0; i < wr->rx->runs->domains.n && rc == ERR_OK; i++)
        if (!wr->begun[i] && (rc = open_writer(wr, i, err)) == ERR_OK) rc = commit_writers(wr, err);
    return rc;
}

static ErrCode writing_start(Writing *wr, const Receiving *rx, uint32_t partition, Err *err)
{
    size_t n = rx->runs->domains.n + 1;

    *wr = (Writing){.rx = rx, .partition = partition};
    wr->w = calloc(n, sizeof *wr->w);
    wr->begun = calloc(n, sizeof *wr->begun);
    wr->open = calloc(n, sizeof *wr->open);
    return wr->w && wr->begun && wr->open ? ERR_OK : err_nomem(err, "shards");
}

static void writing_clear(Writing *wr)
{
    for (size_t i = 0; wr->w && i < wr->rx->runs->domains.n; i++) shardwriter_abandon(wr->w[i]);
    free(wr->w);
    free(wr->begun);
    free(wr->open);
}

/* A partition is a part: the shards of that number. */
static void log_partition(const Writing *wr, double wall_s, double cpu_s)
{
    event_part(&(PartEvent){.stage = "tokenize",
                            .key = wr->rx->spec->key,
                            .part = wr->partition,
                            .attempt = 1,
                            .n_in = wr->n_docs,
                            .n_docs = wr->n_docs,
                            .wall_s = wall_s,
                            .cpu_s = cpu_s});
}

static ErrCode receive_partition(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    const Receiving *rx = ctx;
    uint8_t key[EXCHANGE_KEY];
    const double began = clock_seconds(), cpu = thread_cpu_seconds();
    Received r = {.dir = rx->runs->spec.dir};
    Writing wr;
    bool end;
    ErrCode rc;

    (void)thread;
    if (!rx->wanted[partition]) return ERR_OK;
    rc = writing_start(&wr, rx, partition, err);
    while (rc == ERR_OK && (rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if (interrupt_seen()) rc = err_set(err, ERR_INTR, "interrupted");
        if (rc == ERR_OK) rc = receive_document(g, &r, err);
        if (rc == ERR_OK) rc = write_document(&wr, key, &r, err);
    }
    if (rc == ERR_OK) rc = write_empty(&wr, err);
    if (rc == ERR_OK) log_partition(&wr, clock_seconds() - began, thread_cpu_seconds() - cpu);
    writing_clear(&wr);
    buf_clear(&r.head);
    buf_clear(&r.tokens);
    return rc;
}

/* --- a batch of partitions: out of the files, sorted, into shards */

static ErrCode send_record(void *ctx, int thread, const uint8_t key[EXCHANGE_KEY], Span value, Err *err)
{
    const Receiving *rx = ctx;

    if (!rx->wanted[token_partition(rx->spec->n_shards, be64_get(key))]) return ERR_OK;
    return exchange_put(rx->exchange, thread, key, value.p, (uint32_t)value.n, err);
}

static uint64_t exchange_memory(const ShuffleSpec *spec) { return spec->memory / 4 * 3; } /* the rest is readers' */

/* As many as the exchange takes without scratch by the average, but one for every thread. Not much more than a sixteenth of them either: memory
 * that the batch before has touched costs less than new one. */
static uint32_t batch_size(const Receiving *rx)
{
    enum { ROUNDS = 16, LEAST_BYTES = 64 << 20 };
    enum { DOC_BYTES = 200 }; /* of a document beside its tokens: its key, head and id, its place in lists */
    const DomainSet *d = &rx->runs->domains;
    uint64_t bytes = 0;

    for (size_t i = 0; i < d->n; i++) bytes += d->v[i].n_tokens * TOKEN_BYTES + d->v[i].n_docs * DOC_BYTES;
    const uint64_t room = exchange_memory(rx->spec) / 16 * 5,
                   enough = bytes / ROUNDS > LEAST_BYTES ? bytes / ROUNDS : LEAST_BYTES;
    uint64_t n = (room < enough ? room : enough) / (bytes / rx->spec->n_shards + 1);
    if (n < (unsigned)rx->par->threads) n = (unsigned)rx->par->threads;
    return n < rx->n_own ? (uint32_t)n : rx->n_own;
}

static ErrCode make_batch(Receiving *rx, const uint32_t *partition, uint32_t n, Err *err)
{
    const ExchangeSpec x = {.name = "tokens",
                            .partitions = rx->spec->n_shards,
                            .value_bytes = UINT32_MAX,
                            .memory = exchange_memory(rx->spec),
                            .scratch = rx->spec->scratch};
    const Par alone = par_alone(rx->par->threads);
    EventSpan span = event_begin("gather", NULL, 0);
    ErrCode rc;

    memset(rx->wanted, false, rx->spec->n_shards * sizeof *rx->wanted);
    for (uint32_t i = 0; i < n; i++) rx->wanted[partition[i]] = true;
    rc = exchange_open(&rx->exchange, &x, &alone, err);
    if (rc == ERR_OK)
        rc = tokenruns_read(rx->runs, partition[0], partition[n - 1] + 1, alone.threads, send_record, rx, err);
    if (rc == ERR_OK) rc = exchange_flip(rx->exchange, err);
    event_end(span, 0, 0);
    span = event_begin("shards", NULL, 0);
    if (rc == ERR_OK) rc = exchange_each(rx->exchange, receive_partition, rx, err);
    event_end(span, 0, 0);
    exchange_close(rx->exchange);
    rx->exchange = NULL;
    return rc;
}

/* --- which shards are there */

static ErrCode make_stream_dirs(const Receiving *rx, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < rx->runs->domains.n && rc == ERR_OK; i++) {
        if (snprintf(path, sizeof path, "%s/%s", rx->spec->out_dir, rx->runs->domains.v[i].name) >= PATH_MAX)
            return err_set(err, ERR_LIMIT, "%s: the path is too long", rx->spec->out_dir);
        rc = store_mkdirs(path, err);
        if (rc == ERR_OK) rc = store_sweep(path, 0, err);
    }
    return rc;
}

/* Adds the shards of a stream to n_there: those that this rank is to look at; or all, by their names. */
static ErrCode count_stream(Receiving *rx, const char *stream, bool by_name, Err *err)
{
    char path[PATH_MAX];
    StoreList list = {0};
    uint64_t p;
    ErrCode rc;

    if (snprintf(path, sizeof path, "%s/%s", rx->spec->out_dir, stream) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "%s: the path is too long", rx->spec->out_dir);
    rc = store_list(path, &list, err);
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        bool there = true;
        if (!shard_number(span_str(list.name[i]), &p) || p >= rx->spec->n_shards) continue;
        if (!by_name && (p < rx->from || p >= rx->to || (int)(p % (unsigned)rx->par->n_ranks) != rx->par->rank))
            continue;
        if (!by_name && (rc = shard_path(rx, stream, (uint32_t)p, path, err)) == ERR_OK)
            rc = shard_is_of(path, rx->spec->key, &there, err);
        rx->n_there[p] += there;
    }
    storelist_clear(&list);
    return rc;
}

static ErrCode count_shards(Receiving *rx, bool by_name, Err *err)
{
    ErrCode rc = ERR_OK;

    memset(rx->n_there, 0, rx->spec->n_shards * sizeof *rx->n_there);
    for (size_t i = 0; i < rx->runs->domains.n && rc == ERR_OK; i++)
        rc = count_stream(rx, rx->runs->domains.v[i].name, by_name, err);
    return rc;
}

/* What is missing; ranks share it out. */
static void choose_own(Receiving *rx)
{
    const uint64_t ranks = (uint64_t)rx->par->n_ranks, rank = (uint64_t)rx->par->rank;
    uint64_t n = 0;

    for (uint32_t p = rx->from; p < rx->to; p++)
        if (rx->n_there[p] < rx->runs->domains.n) rx->own[n++] = p;
    if (n && n < rx->to - rx->from)
        log_info("tokenize: %" PRIu64 " of %" PRIu32 " shards of each stream are there", rx->to - rx->from - n,
                 rx->to - rx->from);
    const uint64_t begin = n * rank / ranks, end = n * (rank + 1) / ranks;
    memmove(rx->own, rx->own + begin, (size_t)(end - begin) * sizeof *rx->own);
    rx->n_own = (uint32_t)(end - begin);
}

/* What other tasks have to do is found by name alone: the commit looks at each. */
static ErrCode check_others(Receiving *rx, Err *err)
{
    uint64_t n = 0;
    ErrCode rc = count_shards(rx, true, err);

    if (rc != ERR_OK) return rc;
    for (uint32_t p = 0; p < rx->spec->n_shards; p++) n += rx->n_there[p] >= rx->runs->domains.n;
    if (n == rx->spec->n_shards) return ERR_OK;
    return err_set(err, ERR_NO, "%s has %" PRIu64 " of %" PRIu32 " shards of each stream", rx->spec->out_dir, n,
                   rx->spec->n_shards);
}

static ErrCode make_shards(Receiving *rx, Err *err)
{
    ErrCode rc = ERR_OK;

    if (rx->par->rank == 0) rc = make_stream_dirs(rx, err);
    rc = par_agree(rx->par, rc, err);
    if (rc == ERR_OK) rc = par_agree(rx->par, count_shards(rx, false, err), err);
    if (rc != ERR_OK) return rc;
    par_sum_u64(rx->par, rx->n_there, rx->spec->n_shards);
    choose_own(rx);
    const uint32_t batch = batch_size(rx);
    for (uint32_t at = 0, n; at < rx->n_own && rc == ERR_OK; at += n) {
        n = rx->n_own - at < batch ? rx->n_own - at : batch;
        rc = make_batch(rx, rx->own + at, n, err);
    }
    return par_agree(rx->par, rc, err);
}

static ErrCode write_shards(const ShuffleSpec *spec, const TokenRuns *runs, const Par *par, Err *err)
{
    const uint64_t all = spec->n_shards, i = spec->task.index, tasks = spec->task.count ? spec->task.count : 1;
    Receiving rx = {.spec = spec,
                    .par = par,
                    .runs = runs,
                    .from = (uint32_t)(all * i / tasks),
                    .to = (uint32_t)(all * (i + 1) / tasks)};
    ErrCode rc;

    rx.shard = (ShardSpec){.vocab_size = tokenizer_vocab_size(spec->tokenizer),
                           .eos_id = tokenizer_eos(spec->tokenizer),
                           .tokenizer_id = tokenizer_id(spec->tokenizer),
                           .key = spec->key};
    rx.n_there = calloc(spec->n_shards, sizeof *rx.n_there);
    rx.own = calloc(spec->n_shards, sizeof *rx.own);
    rx.wanted = calloc(spec->n_shards, sizeof *rx.wanted);
    rc = par_agree(par, rx.n_there && rx.own && rx.wanted ? ERR_OK : err_nomem(err, "shards"), err);
    if (rc == ERR_OK) rc = make_shards(&rx, err);
    if (rc == ERR_OK && spec->task.count) rc = check_others(&rx, err);
    free(rx.n_there);
    free(rx.own);
    free(rx.wanted);
    return rc;
}

/* --- both phases */

static ErrCode encoded_dir(const char *out_dir, char out[PATH_MAX], Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/encoded", out_dir);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", out_dir);
}

ErrCode tokens_drop_encoded(const char *out_dir, Err *err)
{
    char dir[PATH_MAX];
    ErrCode rc = encoded_dir(out_dir, dir, err);

    return rc ? rc : store_delete_tree(dir, 0, err);
}

/* Whoever finishes the job publishes first and then takes the files away: who found none has to look whether that was why. */
static ErrCode check_unfinished(const ShuffleSpec *spec, const Par *par, Err *err)
{
    char path[PATH_MAX];
    bool done = false;
    ErrCode rc = ERR_OK;

    if (snprintf(path, sizeof path, "%s/manifest.json", spec->out_dir) >= PATH_MAX)
        rc = err_set(err, ERR_LIMIT, "%s: the path is too long", spec->out_dir);
    if (rc == ERR_OK && par->rank == 0) rc = store_exists(path, &done, err);
    rc = par_believe(par, rc, &done, err);
    return rc == ERR_OK && done ? err_set(err, ERR_NO, "%s: another job has just finished it", spec->out_dir) : rc;
}

static ErrCode encode_all(const ShuffleSpec *spec, TokenRuns *runs, const Par *par, Err *err)
{
    ErrCode rc = tokens_encode(spec, runs, par, err);

    if (rc == ERR_OK && runs->n_has < runs->spec.n_parts && spec->task.count) rc = tokenruns_look(runs, par, err);
    if (rc == ERR_OK && runs->n_has < runs->spec.n_parts)
        rc = err_set(err, spec->task.count ? ERR_NO : ERR_SYS, "%s has %" PRIu32 " of %" PRIu32 " parts encoded",
                     spec->out_dir, runs->n_has, runs->spec.n_parts);
    return rc;
}

/* By all that is encoded, whoever did it and in however many files. */
static ErrCode check_kind(const ShuffleSpec *spec, const TokenRuns *runs, Err *err)
{
    uint64_t n_docs = 0;

    for (size_t i = 0; i < runs->domains.n; i++) n_docs += runs->domains.v[i].n_docs + runs->domains.v[i].n_dropped;
    return tokeninput_check(spec->input, runs->lost.lines, n_docs, err);
}

ErrCode tokens_shuffle(const ShuffleSpec *spec, const Par *par, DomainSet *domains, TokenLost *lost, Err *err)
{
    char dir[PATH_MAX];
    TokenRuns runs = {0};
    ErrCode rc = par_agree(par, encoded_dir(spec->out_dir, dir, err), err);

    *lost = (TokenLost){0};
    if (rc != ERR_OK) return rc;
    const TokenRunsSpec which = {
        .dir = dir, .key = spec->key, .partitions = spec->n_shards, .n_parts = tokeninput_n_parts(spec->input)};
    if ((rc = tokenruns_open(&runs, &which, par, err)) != ERR_OK) return rc;
    rc = check_unfinished(spec, par, err);
    if (rc == ERR_OK) rc = encode_all(spec, &runs, par, err);
    if (rc == ERR_OK) rc = par_agree(par, check_kind(spec, &runs, err), err);
    if (rc == ERR_OK) rc = par_agree(par, domainset_name(&runs.domains, err), err);
    if (rc == ERR_OK) rc = write_shards(spec, &runs, par, err);
    if (rc == ERR_OK) {
        *lost = runs.lost;
        *domains = runs.domains;
        runs.domains = (DomainSet){0};
    }
    tokenruns_clear(&runs);
    return rc;
}
