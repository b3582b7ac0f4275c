/* Documents become tokens: parts that no file holds yet, file by file (tools/token_runs.h). */
#include "tools/token_encode.h"

#include "core/events.h"
#include "core/log.h"
#include "core/scratch.h"
#include "tools/token_triples.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    DOC_MAX_ID = 1 << 16,
    SEGMENT_LEAST = 256 << 10, /* bytes of a thread's segment, half of them a copy */
    SEGMENT_SMALL = 2 << 20,   /* so much stays in the caches while it is brought into order and written */
    SEGMENT_SLICE = 16 << 10,  /* but a bucket's share is to be read again at once */
    FILE_TEXT = 64 << 20       /* bytes of text a thread in a file: seconds of work, which is what a kill costs */
};

/* One thread's share. */
typedef struct {
    Encoder *encoder;
    Buf ids, value;
    DomainSet domains;
} Sender;

typedef struct {
    const ShuffleSpec *spec;
    const TokenRuns *runs;
    const Par *par;
    TokenRunWriter *run;
    Sender *sender;     /* one a thread */
    uint64_t all_text;  /* bytes */
    uint64_t n_lost;    /* bytes, by the files so far */
    uint64_t file_text; /* bytes of text in a file, unless a part is larger */
    LineDrops drops;    /* by the files so far */
    bool checked_room;
} Encoding;

/* How much of an id a message shows. */
static int shown(Span id) { return id.n < 200 ? (int)id.n : 200; }

/* --- a document */

static void document_key(const Encoding *s, const TokenDoc *doc, uint8_t key[EXCHANGE_KEY])
{
    const uint64_t low = token_domain_bits(s->spec->n_shards), domain = hash64(doc->domain) & low;

    if (s->spec->input_order) {
        const uint64_t place = s->all_text ? UINT64_MAX / s->all_text * doc->before : 0;
        exchange_key_u64(key, (place & ~low) | domain, (uint64_t)doc->part << 32 | doc->record);
    } else {
        const uint64_t order =
            mix64(doc->doc + mix64(s->spec->seed + 0x746f6b656e73u)); /* another one for every DocId */
        exchange_key_u64(key, (order & ~low) | domain, order);
    }
}

static void put_be32(Buf *b, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8) buf_putc(b, (uint8_t)(v >> shift));
}

static void put_doc_head(Buf *b, const TokenDoc *doc, size_t n_tokens)
{
    uint8_t head[TOKEN_DOC_HEAD];

    le64_put(head, doc->doc);
    le64_put(head + 8, n_tokens);
    le16_put(head + 16, (uint16_t)doc->domain.n);
    le16_put(head + 18, (uint16_t)doc->lang.n);
    le32_put(head + 20, (uint32_t)doc->id.n);
    buf_put(b, head, sizeof head);
    buf_put_span(b, doc->domain);
    buf_put_span(b, doc->lang);
    buf_put_span(b, doc->id);
}

static void put_tokens(Buf *b, const uint32_t *ids, size_t n)
{
    if (!buf_reserve(b, n * TOKEN_BYTES)) return;
    triples_put(b->p + b->n, ids, n);
    b->n += n * TOKEN_BYTES;
}

static ErrCode send_tokens(const Encoding *s, int thread, const TokenDoc *doc, Err *err)
{
    Sender *me = &s->sender[thread];
    const uint32_t *ids = (const uint32_t *)(const void *)me->ids.p;
    size_t n = me->ids.n / sizeof *ids, sent = 0;
    uint8_t key[EXCHANGE_KEY];
    ErrCode rc;

    document_key(s, doc, key);
    for (uint32_t chunk = 0; chunk == 0 || sent < n; chunk++) {
        buf_reset(&me->value);
        put_be32(&me->value, chunk);
        if (chunk == 0) put_doc_head(&me->value, doc, n);
        size_t room = (EXCHANGE_MAX_VALUE - me->value.n) / TOKEN_BYTES, take = n - sent < room ? n - sent : room;
        put_tokens(&me->value, ids + sent, take);
        if ((rc = buf_ok(&me->value, "tokens", err)) != ERR_OK) return rc;
        if ((rc = tokenrun_put(s->run, thread, key, buf_span(&me->value), err)) != ERR_OK) return rc;
        sent += take;
    }
    return ERR_OK;
}

static ErrCode encode_document(void *ctx, int thread, const TokenDoc *doc, Err *err)
{
    Encoding *s = ctx;
    Sender *me = &s->sender[thread];
    DomainCount *count;
    ErrCode rc;

    if (doc->id.n > DOC_MAX_ID || doc->lang.n > UINT16_MAX || doc->domain.n > STREAM_NAME_MAX)
        return err_set(err, ERR_LIMIT, "document %.*s: its id, language or domain is too long", shown(doc->id),
                       (const char *)doc->id.p);
    if ((rc = domainset_at(&me->domains, doc->domain, &count, err)) != ERR_OK) return rc;
    rc = encode_as(me->encoder, doc->text, ENCODE_DOCUMENT, &me->ids, err);
    if (rc == ERR_LIMIT) {
        tokendoc_log_dropped(doc, err);
        count->n_dropped++;
        return ERR_OK;
    }
    if (rc != ERR_OK) return rc;
    count->n_docs++;
    count->text_bytes += doc->text.n;
    count->n_tokens += me->ids.n / sizeof(uint32_t) + 1;
    rc = send_tokens(s, thread, doc, err);
    buf_recycle(&me->ids);
    return rc;
}

/* --- files */

static uint64_t text_of(const Encoding *e, uint32_t part)
{
    return tokeninput_before(e->spec->input, part + 1) - tokeninput_before(e->spec->input, part);
}

/* What the threads have counted since the last file. */
static ErrCode take_counts(Encoding *e, DomainSet *domains, TokenLost *lost, Err *err)
{
    uint64_t all = 0;
    ErrCode rc = ERR_OK;

    for (int i = 0; i < e->par->threads && rc == ERR_OK; i++) {
        all += encoder_n_lost(e->sender[i].encoder);
        rc = domainset_merge(domains, &e->sender[i].domains, err);
        domainset_clear(&e->sender[i].domains);
    }
    lost->bytes = all - e->n_lost;
    e->n_lost = all;
    return rc;
}

/* Whether there is room for all that is still to be encoded and for the shards, judged by the first file. What differs from file to
 * file gets a quarter. */
static ErrCode check_room(Encoding *e, TokenRange parts, const DomainSet *domains, uint64_t bytes, Err *err)
{
    const uint32_t n_parts = e->runs->spec.n_parts;
    const double text =
        (double)(tokeninput_before(e->spec->input, parts.end) - tokeninput_before(e->spec->input, parts.begin));
    double missing = 0, tokens = 0, bits = 16;

    if (e->checked_room || text == 0) return ERR_OK;
    e->checked_room = true;
    for (uint32_t p = 0; p < n_parts; p++)
        if (!e->runs->has[p] && (p < parts.begin || p >= parts.end)) missing += (double)text_of(e, p);
    for (size_t i = 0; i < domains->n; i++) tokens += (double)domains->v[i].n_tokens;
    while (bits < 32 && (double)tokenizer_vocab_size(e->spec->tokenizer) > (double)(UINT64_C(1) << (unsigned)bits))
        bits++;
    const double need = missing * (double)bytes / text + (double)e->all_text * tokens / text * bits / 8;
    return scratch_room(e->spec->out_dir, "tokens", (uint64_t)(need * 3 / 4), err);
}

static ErrCode encode_parts(Encoding *e, TokenRange parts, Progress *progress, Err *err)
{
    DomainSet domains = {0};
    LineDrops drops = {0};
    TokenLost lost = {0};
    uint64_t bytes = 0, n_docs = 0;
    const EventSpan span = event_begin("encode", NULL, 0);
    ErrCode rc = tokenrun_begin(e->run, parts, err);

    if (rc == ERR_OK)
        rc = tokeninput_scan(e->spec->input, e->par->threads, parts.begin, parts.end, encode_document, e, &drops,
                             progress, err);
    memcpy(lost.lines, drops.n, sizeof lost.lines);
    linedrops_add(&e->drops, &drops);
    if (rc == ERR_OK) rc = take_counts(e, &domains, &lost, err);
    if (rc == ERR_OK) rc = domainset_name(&domains, err); /* now rather than when all is encoded */
    if (rc == ERR_OK) rc = tokenrun_end(e->run, &domains, &lost, &bytes, err);
    if (rc == ERR_OK) rc = check_room(e, parts, &domains, bytes, err);
    for (size_t i = 0; i < domains.n; i++) n_docs += domains.v[i].n_docs;
    event_end(span, n_docs, bytes);
    domainset_clear(&domains);
    return rc;
}

/* Parts of this rank or task, [begin, end): tasks, which begin at any time, share out all parts, ranks those that are missing. */
static TokenRange share_of(const Encoding *e)
{
    const bool tasks = e->spec->task.count > 0;
    const uint64_t n = tasks ? e->spec->task.count : (uint64_t)e->par->n_ranks,
                   i = tasks ? e->spec->task.index : (uint64_t)e->par->rank;
    const uint32_t n_parts = e->runs->spec.n_parts;
    TokenRange own = {n_parts, n_parts};
    __uint128_t all = 0, before = 0;

    for (uint32_t p = 0; p < n_parts; p++) all += tasks || !e->runs->has[p] ? text_of(e, p) + 1 : 0;
    for (uint32_t p = 0; p < n_parts; p++) { /* a part is theirs in whose range of the text it begins */
        if (own.begin == n_parts && before * n >= all * i) own.begin = p;
        if (before * n >= all * (i + 1)) {
            own.end = p;
            break;
        }
        before += tasks || !e->runs->has[p] ? text_of(e, p) + 1 : 0;
    }
    return own;
}

/* Something of the range is missing. */
static bool is_missing(const Encoding *e, TokenRange own)
{
    while (own.begin < own.end && e->runs->has[own.begin]) own.begin++;
    return own.begin < own.end;
}

static ErrCode encode_range(Encoding *e, TokenRange own, Progress *progress, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t p = own.begin; p < own.end && rc == ERR_OK;) {
        TokenRange file = {p, p + 1};
        uint64_t text = text_of(e, p++);
        if (e->runs->has[file.begin]) continue;
        while (p < own.end && !e->runs->has[p] && text + text_of(e, p) <= e->file_text) text += text_of(e, p++);
        file.end = p;
        rc = encode_parts(e, file, progress, err);
    }
    return rc;
}

static ErrCode encoding_start(Encoding *e, Err *err)
{
    const unsigned threads = (unsigned)e->par->threads;
    const uint64_t buckets = e->spec->n_shards < TOKEN_RUN_BUCKETS ? e->spec->n_shards : TOKEN_RUN_BUCKETS,
                   slices = buckets * SEGMENT_SLICE, enough = slices > SEGMENT_SMALL ? slices : SEGMENT_SMALL;
    uint64_t segment = e->spec->memory / 4 / threads;
    ErrCode rc;

    if (segment < SEGMENT_LEAST) segment = SEGMENT_LEAST;
    e->file_text = (segment < FILE_TEXT ? segment : FILE_TEXT) * threads;
    if (segment > enough) segment = enough;
    e->sender = calloc(threads, sizeof *e->sender);
    if (!e->sender) return err_nomem(err, "tokens");
    rc = tokenrun_new(&e->run, e->runs, (int)threads, segment * threads, err);
    for (unsigned i = 0; i < threads && rc == ERR_OK; i++)
        rc = encoder_new(&e->sender[i].encoder, e->spec->tokenizer, err);
    return rc;
}

static void encoding_clear(Encoding *e)
{
    for (int i = 0; e->sender && i < e->par->threads; i++) {
        encoder_free(e->sender[i].encoder);
        buf_clear(&e->sender[i].ids);
        buf_clear(&e->sender[i].value);
        domainset_clear(&e->sender[i].domains);
    }
    free(e->sender);
    tokenrun_free(e->run);
}

/* What this process is to encode; *made: what it has published, also where it failed later. */
static ErrCode encode_own(Encoding *e, Progress **progress, Buf *made, Err *err)
{
    Err later;
    ErrCode rc, finished;

    const TokenRange own = share_of(e);
    if (!is_missing(e, own)) return ERR_OK;
    rc = encoding_start(e, err);
    if (rc == ERR_OK) rc = progress_start(progress, "tokenize: encoding", e->all_text, err);
    if (rc == ERR_OK) rc = encode_range(e, own, *progress, err);
    if (!e->run) return rc;
    finished = tokenrun_finish(e->run, made, &later);
    if (rc == ERR_OK && (rc = finished) != ERR_OK) *err = later;
    return rc;
}

ErrCode tokens_encode(const ShuffleSpec *spec, TokenRuns *runs, const Par *par, Err *err)
{
    Encoding e = {.spec = spec,
                  .runs = runs,
                  .par = par,
                  .all_text = tokeninput_before(spec->input, tokeninput_n_parts(spec->input))};
    Progress *progress = NULL;
    Buf made = {0};
    ErrCode rc;

    if (runs->n_has == runs->spec.n_parts) return ERR_OK;
    if (runs->n_has)
        log_info("tokenize: %" PRIu32 " of %" PRIu32 " parts are encoded", runs->n_has, runs->spec.n_parts);
    rc = par_agree(par, encode_own(&e, &progress, &made, err), err);
    if (rc == ERR_OK) rc = tokenruns_tell(runs, par, &made, err);
    progress_sum(progress, par);
    progress_stop(progress);
    if (rc == ERR_OK) linedrops_warn(&e.drops, spec->input);
    buf_clear(&made);
    encoding_clear(&e);
    return rc;
}
