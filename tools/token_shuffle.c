#include "tools/token_shuffle.h"

#include "core/dataset_mixture.h"
#include "core/docscan.h"
#include "core/events.h"
#include "core/exchange.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_HEAD = 4, DOC_HEAD = 24, TOKEN_BYTES = 3, DOC_MAX_ID = 1 << 16, SHARD_FILE = STREAM_NAME_MAX + 32 };

/* One thread's share of the sending. */
typedef struct {
    Encoder *encoder;
    Buf ids, value;
    DomainSet domains;
} Sender;

typedef struct {
    const ShuffleSpec *spec;
    Exchange *exchange;
    Sender *sender;       /* one a thread */
    uint64_t *part_place; /* input order: bytes of text before each part, then all */
} Sending;

/* How much of an id a message shows. */
static int shown(Span id) { return id.n < 200 ? (int)id.n : 200; }

/* --- sending */

static uint64_t input_place(const Sending *s, const DocPlace *at)
{
    uint32_t n_parts = datasetset_n_parts(s->spec->set);
    uint64_t begin = s->part_place[at->part], all = s->part_place[n_parts];
    uint64_t step = (s->part_place[at->part + 1] - begin) / (at->part_records ? at->part_records : 1);

    return all ? UINT64_MAX / all * (begin + step * at->record) : 0;
}

/* The bits of a key's first word that follow the number of the partition. */
static uint64_t domain_bits(const ShuffleSpec *spec) { return UINT64_MAX / spec->n_shards; }

static void document_key(const Sending *s, const DocPlace *at, Span domain, uint8_t key[EXCHANGE_KEY])
{
    uint64_t low = domain_bits(s->spec);

    if (s->spec->input_order) {
        exchange_key_u64(key, (input_place(s, at) & ~low) | (hash64(domain) & low),
                         (uint64_t)at->part << 32 | at->record);
    } else {
        uint64_t order = mix64(at->id + mix64(s->spec->seed + 0x746f6b656e73u)); /* another one for every DocId */
        exchange_key_u64(key, (order & ~low) | (hash64(domain) & low), order);
    }
}

static void put_be32(Buf *b, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8) buf_putc(b, (uint8_t)(v >> shift));
}

static void put_doc_head(Buf *b, const Doc *doc, Span domain, DocId id, size_t n_tokens)
{
    uint8_t head[DOC_HEAD];

    le64_put(head, id);
    le64_put(head + 8, n_tokens);
    le16_put(head + 16, (uint16_t)domain.n);
    le16_put(head + 18, (uint16_t)doc->lang.n);
    le32_put(head + 20, (uint32_t)doc->id.n);
    buf_put(b, head, sizeof head);
    buf_put_span(b, domain);
    buf_put_span(b, doc->lang);
    buf_put_span(b, doc->id);
}

static void put_tokens(Buf *b, const uint32_t *ids, size_t n)
{
    if (!buf_reserve(b, n * TOKEN_BYTES)) return;
    for (size_t i = 0; i < n; i++) {
        uint8_t *p = b->p + b->n + i * TOKEN_BYTES;
        p[0] = (uint8_t)ids[i], p[1] = (uint8_t)(ids[i] >> 8), p[2] = (uint8_t)(ids[i] >> 16);
    }
    b->n += n * TOKEN_BYTES;
}

static ErrCode send_tokens(const Sending *s, int thread, const Doc *doc, Span domain, const DocPlace *at, Err *err)
{
    Sender *me = &s->sender[thread];
    const uint32_t *ids = (const uint32_t *)(const void *)me->ids.p;
    size_t n = me->ids.n / sizeof *ids, sent = 0;
    uint8_t key[EXCHANGE_KEY];
    ErrCode rc;

    document_key(s, at, domain, key);
    for (uint32_t chunk = 0; chunk == 0 || sent < n; chunk++) {
        buf_reset(&me->value);
        put_be32(&me->value, chunk);
        if (chunk == 0) put_doc_head(&me->value, doc, domain, at->id, n);
        size_t room = (EXCHANGE_MAX_VALUE - me->value.n) / TOKEN_BYTES, take = n - sent < room ? n - sent : room;
        put_tokens(&me->value, ids + sent, take);
        if ((rc = buf_ok(&me->value, "tokens", err)) != ERR_OK) return rc;
        if ((rc = exchange_put(s->exchange, thread, key, me->value.p, (uint32_t)me->value.n, err)) != ERR_OK)
            return rc;
        sent += take;
    }
    return ERR_OK;
}

static ErrCode send_document(void *ctx, int thread, const Doc *doc, const DocPlace *at, Err *err)
{
    Sending *s = ctx;
    Sender *me = &s->sender[thread];
    Span domain = doc_domain(doc);
    DomainCount *count;
    ErrCode rc;

    if (doc->id.n > DOC_MAX_ID || doc->lang.n > UINT16_MAX || domain.n > STREAM_NAME_MAX)
        return err_set(err, ERR_LIMIT, "document %.*s: its id, language or domain is too long", shown(doc->id),
                       (const char *)doc->id.p);
    if ((rc = encode_as(me->encoder, doc->text, ENCODE_DOCUMENT, &me->ids, err)) != ERR_OK) return rc;
    if ((rc = domainset_at(&me->domains, domain, &count, err)) != ERR_OK) return rc;
    count->n_docs++;
    count->text_bytes += doc->text.n;
    count->n_tokens += me->ids.n / sizeof(uint32_t) + 1;
    rc = send_tokens(s, thread, doc, domain, at, err);
    buf_recycle(&me->ids);
    return rc;
}

static ErrCode sending_start(Sending *s, const Par *par, Err *err)
{
    const DatasetSet *set = s->spec->set;
    uint32_t n_parts = datasetset_n_parts(set);
    ErrCode rc = ERR_OK;

    s->sender = calloc((size_t)par->threads, sizeof *s->sender);
    s->part_place = calloc((size_t)n_parts + 1, sizeof *s->part_place);
    if (!s->sender || !s->part_place) return err_nomem(err, "tokens");
    for (uint32_t p = 0; p < n_parts; p++) {
        uint32_t which, local;
        datasetset_locate(set, p, &which, &local);
        s->part_place[p + 1] = s->part_place[p] + dataset_part(datasetset_at(set, which), local)->text_bytes;
    }
    for (int i = 0; i < par->threads && rc == ERR_OK; i++)
        rc = encoder_new(&s->sender[i].encoder, s->spec->tokenizer, err);
    return rc;
}

/* Adds up what the threads counted. */
static ErrCode sending_sum(Sending *s, const Par *par, DomainSet *domains, uint64_t *n_lost, Err *err)
{
    ErrCode rc = ERR_OK;

    for (int i = 0; i < par->threads && rc == ERR_OK; i++) {
        *n_lost += encoder_n_lost(s->sender[i].encoder);
        rc = domainset_merge(domains, &s->sender[i].domains, err);
    }
    return rc;
}

static void sending_clear(Sending *s, const Par *par)
{
    for (int i = 0; s->sender && i < par->threads; i++) {
        encoder_free(s->sender[i].encoder);
        buf_clear(&s->sender[i].ids);
        buf_clear(&s->sender[i].value);
        domainset_clear(&s->sender[i].domains);
    }
    free(s->sender);
    free(s->part_place);
}

/* --- receiving: one partition, one shard of every stream */

typedef struct {
    const ShuffleSpec *spec;
    const DomainSet *domains;
    ShardSpec shard;
    uint64_t *n_docs; /* by partition */
} Receiving;

typedef struct {
    Buf head;   /* chunk 0 as far as the id */
    Buf tokens; /* u32 */
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
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = packed.p + i * TOKEN_BYTES;
        uint32_t id = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
        memcpy(out->p + out->n + i * sizeof id, &id, sizeof id);
    }
    out->n += n * sizeof(uint32_t);
}

/* Takes the head of a document apart; the value is our own, so its lengths are right. */
static Span take_head(Received *r, Span value)
{
    const uint8_t *p = value.p + CHUNK_HEAD;
    size_t domain = le16_get(p + 16), lang = le16_get(p + 18), id = le32_get(p + 20), head = CHUNK_HEAD + DOC_HEAD;

    buf_reset(&r->head);
    buf_put(&r->head, value.p + head, domain + lang + id);
    r->n_tokens = le64_get(p + 8);
    r->doc = (ShardDoc){.doc = le64_get(p)};
    if (!r->head.oom) {
        r->doc.domain = span(r->head.p, domain);
        r->doc.lang = span(r->head.p + domain, lang);
        r->doc.id = span(r->head.p + domain + lang, id);
    }
    return span_from(value, head + domain + lang + id);
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
        if (get_be32(value.p) != chunk++) /* a DatasetSet has no document twice; if it had, here it would show */
            return err_set(err, ERR_DATA, "document %.*s stands twice in the input", shown(r->doc.id),
                           (const char *)r->doc.id.p);
        get_tokens(&r->tokens, chunk == 1 ? take_head(r, value) : span_from(value, CHUNK_HEAD));
    }
    if (rc != ERR_OK) return rc;
    if ((rc = buf_ok(&r->head, "tokens", err)) != ERR_OK || (rc = buf_ok(&r->tokens, "tokens", err)) != ERR_OK)
        return rc;
    if (r->tokens.n / sizeof(uint32_t) != r->n_tokens)
        return err_set(err, ERR_DATA, "tokens of a document were lost on the way");
    return ERR_OK;
}

static ErrCode open_shard(const Receiving *rx, size_t stream, uint32_t partition, ShardWriter **w, Err *err)
{
    char name[SHARD_FILE];
    Arena arena = {0};

    snprintf(name, sizeof name, "%s/shard-%06" PRIu32 ".tok", rx->domains->v[stream].name, partition);
    const char *path = path_join(&arena, rx->spec->out_dir, name);
    ErrCode rc = path ? shardwriter_open(w, path, &rx->shard, err) : err_nomem(err, "a path");
    arena_clear(&arena);
    return rc;
}

/* Writing the shards of one partition. Only those of one domain hash are open: one, but for the rarest of accidents. */
typedef struct {
    const Receiving *rx;
    uint32_t partition;
    ShardWriter **w; /* by stream; NULL: not open */
    bool *begun;     /* by stream: open or published */
    size_t *open;    /* n_open streams */
    size_t n_open;
    uint64_t domain; /* the hash */
} Writing;

static ErrCode open_writer(Writing *wr, size_t stream, Err *err)
{
    if (wr->w[stream]) return ERR_OK;
    wr->begun[stream] = true;
    wr->open[wr->n_open++] = stream;
    return open_shard(wr->rx, stream, wr->partition, &wr->w[stream], err);
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
    uint64_t domain = exchange_be64(key) & domain_bits(wr->rx->spec);
    size_t stream = domainset_find(wr->rx->domains, r->doc.domain);
    ErrCode rc;

    if (domain != wr->domain && (rc = commit_writers(wr, err)) != ERR_OK) return rc;
    wr->domain = domain;
    if ((rc = open_writer(wr, stream, err)) != ERR_OK) return rc;
    wr->rx->n_docs[wr->partition]++;
    return shardwriter_add(wr->w[stream], &r->doc, (const uint32_t *)(const void *)r->tokens.p,
                           r->tokens.n / sizeof(uint32_t), err);
}

/* The shards of streams that have no document in this partition. */
static ErrCode write_empty(Writing *wr, Err *err)
{
    ErrCode rc = commit_writers(wr, err);

    for (size_t i = 0; i < wr->rx->domains->n && rc == ERR_OK; i++)
        if (!wr->begun[i] && (rc = open_writer(wr, i, err)) == ERR_OK) rc = commit_writers(wr, err);
    return rc;
}

static ErrCode writing_start(Writing *wr, const Receiving *rx, uint32_t partition, Err *err)
{
    size_t n = rx->domains->n + 1;

    *wr = (Writing){.rx = rx, .partition = partition};
    wr->w = calloc(n, sizeof *wr->w);
    wr->begun = calloc(n, sizeof *wr->begun);
    wr->open = calloc(n, sizeof *wr->open);
    return wr->w && wr->begun && wr->open ? ERR_OK : err_nomem(err, "shards");
}

static void writing_clear(Writing *wr)
{
    for (size_t i = 0; wr->w && i < wr->rx->domains->n; i++) shardwriter_abandon(wr->w[i]);
    free(wr->w);
    free(wr->begun);
    free(wr->open);
}

/* A partition is a part: the shards of that number. */
static void log_partition(const Writing *wr, double wall_s, double cpu_s)
{
    const uint64_t n = wr->rx->n_docs[wr->partition];

    event_part(&(PartEvent){.stage = "tokenize",
                            .key = wr->rx->spec->key,
                            .part = wr->partition,
                            .attempt = 1,
                            .n_in = n,
                            .n_docs = n,
                            .wall_s = wall_s,
                            .cpu_s = cpu_s});
}

static ErrCode receive_partition(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    const double began = clock_seconds(), cpu = thread_cpu_seconds();
    Received r = {0};
    Writing wr;
    bool end;
    ErrCode rc = writing_start(&wr, ctx, partition, err);

    (void)thread;
    while (rc == ERR_OK && (rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if (interrupt_seen()) rc = err_set(err, ERR_INTR, "interrupted; a rerun starts again");
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

static ErrCode make_stream_dirs(const ShuffleSpec *spec, const DomainSet *domains, Err *err)
{
    Arena arena = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < domains->n && rc == ERR_OK; i++) {
        const char *path = path_join(&arena, spec->out_dir, domains->v[i].name);
        rc = path ? store_mkdirs(path, err) : err_nomem(err, "a path");
        if (rc == ERR_OK) rc = store_sweep(path, 0, err);
    }
    arena_clear(&arena);
    return rc;
}

static ErrCode write_shards(const ShuffleSpec *spec, Exchange *x, const DomainSet *domains, const Par *par, Err *err)
{
    Receiving rx = {.spec = spec, .domains = domains};
    uint64_t sent = 0, received = 0;
    ErrCode rc;

    rx.shard = (ShardSpec){.vocab_size = tokenizer_vocab_size(spec->tokenizer),
                           .eos_id = tokenizer_eos(spec->tokenizer),
                           .tokenizer_id = tokenizer_id(spec->tokenizer),
                           .key = spec->key};
    rx.n_docs = calloc(spec->n_shards, sizeof *rx.n_docs);
    rc = rx.n_docs ? ERR_OK : err_nomem(err, "shards");
    if (rc == ERR_OK && par->rank == 0) rc = make_stream_dirs(spec, domains, err);
    if ((rc = par_agree(par, rc, err)) == ERR_OK) rc = exchange_each(x, receive_partition, &rx, err);
    rc = par_agree(par, rc, err);
    for (size_t i = 0; i < domains->n; i++) sent += domains->v[i].n_docs;
    for (uint32_t p = 0; rx.n_docs && p < spec->n_shards; p++) received += rx.n_docs[p];
    par_sum_u64(par, &received, 1);
    free(rx.n_docs);
    if (rc == ERR_OK && sent != received)
        rc = err_set(err, ERR_DATA, "tokenize: %" PRIu64 " documents were read, %" PRIu64 " written", sent, received);
    return rc;
}

/* This rank's documents, on their way. */
static ErrCode send_share(Sending *s, const Par *par, DomainSet *domains, uint64_t *n_lost, Err *err)
{
    Progress *progress = NULL;
    ErrCode rc = progress_start(&progress, "tokenize: encoding", datasetset_text_bytes(s->spec->set), err);

    if (rc == ERR_OK) rc = docscan(s->spec->set, par, send_document, s, progress, err);
    if (rc == ERR_OK) rc = sending_sum(s, par, domains, n_lost, err);
    rc = par_agree(par, rc, err);
    progress_sum(progress, par);
    progress_stop(progress);
    return rc;
}

ErrCode tokens_shuffle(const ShuffleSpec *spec, const Par *par, DomainSet *domains, uint64_t *n_lost, Err *err)
{
    ExchangeSpec x = {.name = "tokens",
                      .partitions = spec->n_shards,
                      .value_bytes = UINT32_MAX,
                      .memory = spec->memory,
                      .scratch = spec->scratch};
    Sending s = {.spec = spec};
    ErrCode rc = sending_start(&s, par, err);

    *n_lost = 0;
    if (rc == ERR_OK) rc = exchange_open(&s.exchange, &x, par, err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = send_share(&s, par, domains, n_lost, err);
    if (rc == ERR_OK) par_sum_u64(par, n_lost, 1);
    if (rc == ERR_OK) rc = domainset_gather(domains, par, err);
    if (rc == ERR_OK) rc = par_agree(par, domainset_name(domains, err), err);
    if (rc == ERR_OK) rc = par_agree(par, exchange_flip(s.exchange, err), err);
    if (rc == ERR_OK) rc = write_shards(spec, s.exchange, domains, par, err);
    exchange_close(s.exchange);
    sending_clear(&s, par);
    return rc;
}
