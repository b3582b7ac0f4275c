/* dedup/signer.c - what is written of each document to be compared: its signature, and what keeping and judging ask of it. */
#include "dedup/signer.h"

#include "core/unicode.h"
#include "core/url.h"
#include "dedup/dumpnames.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- columns */

static void add_column(Signer *s, SignColumn column, ColType type, uint16_t width)
{
    s->at[column] = s->n_columns;
    s->column[s->n_columns++] = (ColumnDef){sign_column_names[column], type, width, 0};
}

static void list_columns(Signer *s)
{
    add_column(s, SIGN_EXACT, COL_U64, 2);
    add_column(s, SIGN_TOKENS, COL_U32, 1);
    add_column(s, SIGN_BYTES, COL_U32, 1);
    add_column(s, SIGN_DUMP, COL_U64, 1);
    add_column(s, SIGN_HOST, COL_U64, 1);
    add_column(s, SIGN_ID_HASH, COL_U64, 1);
    add_column(s, SIGN_SIGNALS, COL_U8, 1);
    add_column(s, SIGN_LANG, COL_STRING, 1);
    add_column(s, SIGN_DOMAIN, COL_STRING, 1);
    if (s->beside) add_column(s, SIGN_DUMP_NAME, COL_STRING, 1);
    if (s->url) add_column(s, SIGN_URL, COL_U64, 2);
    if (s->keep.n_stored) add_column(s, SIGN_KEEP_WORDS, COL_U64, (uint16_t)s->keep.n_stored);
    if (s->ids) {
        add_column(s, SIGN_ID, COL_STRING, 1);
        add_column(s, SIGN_ADDRESS, COL_U64, 1);
    }
    if (!s->near) return;
    add_column(s, SIGN_SKETCH, COL_U8, SKETCH_BINS);
    s->at[SIGN_BANDS] = s->n_columns;
    for (uint32_t b = 0; b < s->params->bands; b++) {
        sign_band_name(s->name[b], b);
        s->column[s->n_columns++] = (ColumnDef){s->name[b], COL_U64, 1, 0};
    }
}

ErrCode signer_init(Signer *s, const DedupParams *params, bool beside, Err *err)
{
    ErrCode rc = ERR_OK;

    *s = (Signer){.params = params,
                  .near = !params->exact_only,
                  .url = params->url || beside,
                  .ids = params->index || beside,
                  .beside = beside};
    if (!beside) rc = keep_parse(&s->keep, params->keep, err);
    if (rc == ERR_OK && s->near) rc = minhash_init(&s->minhash, params->bands * params->rows, params->seed, err);
    if (rc == ERR_OK) list_columns(s);
    return rc;
}

void signer_clear(Signer *s) { minhash_clear(&s->minhash); }

void signer_put_params(Buf *b, const Signer *s)
{
    const DedupParams *p = s->params;
    Buf stored = {0};

    buf_puts(b, "{\"unicode\":");
    json_put_cstr(b, unicode_tables_id());
    if (s->beside) buf_printf(b, ",\"version\":%d", DEDUP_VERSION);
    if (s->keep.n_stored) {
        keep_put(&stored, &s->keep, true);
        buf_puts(b, ",\"keep\":");
        json_put_string(b, buf_span(&stored));
    }
    if (!s->beside && s->url) buf_puts(b, ",\"url\":true");
    if (!s->beside && s->ids) buf_puts(b, ",\"ids\":true");
    if (s->near)
        buf_printf(b, ",\"bands\":%" PRIu32 ",\"rows\":%" PRIu32 ",\"shingle\":%" PRIu32 ",\"seed\":\"%" PRIu64 "\"",
                   p->bands, p->rows, p->shingle, p->seed);
    buf_putc(b, '}');
    b->oom |= stored.oom;
    buf_clear(&stored);
}

/* --- one document */

void signscratch_clear(SignScratch *w)
{
    signature_clear(&w->signature);
    buf_clear(&w->url);
}

static uint64_t hash_or_zero(Span s) { return s.n ? hash64(s) : 0; }

static ErrCode put_url(const Signer *s, SignScratch *w, Span url, StageSink *sink, Err *err)
{
    Hash128 hash;

    buf_recycle(&w->url);
    if (!url_key(&w->url, url)) return ERR_OK;
    hash = hash128(buf_span(&w->url));
    sink_u64(sink, s->at[SIGN_URL], 0, hash.lo);
    sink_u64(sink, s->at[SIGN_URL], 1, hash.hi);
    return buf_ok(&w->url, "a URL", err);
}

/* What keeping and judging ask of a document beside its text. */
static ErrCode put_place(const Signer *s, SignScratch *w, const Doc *doc, StageSink *sink, Err *err)
{
    uint8_t host[URL_MAX_HOST];
    Span dump = dumpnames_name(doc->dump);
    uint32_t stored = 0;

    sink_u64(sink, s->at[SIGN_DUMP], 0, dumpnames_hash(doc->dump));
    sink_u64(sink, s->at[SIGN_HOST], 0, hash_or_zero(url_host(doc->url, host)));
    sink_u64(sink, s->at[SIGN_ID_HASH], 0, hash64(doc->id));
    sink_u8(sink, s->at[SIGN_SIGNALS], 0, (uint8_t)((doc->n_signals + SIGNALS_UNIT - 1) / SIGNALS_UNIT));
    if (doc->lang.p) sink_string(sink, s->at[SIGN_LANG], doc->lang);
    if (doc->domain.p) sink_string(sink, s->at[SIGN_DOMAIN], doc->domain);
    if (dump.p && s->beside) sink_string(sink, s->at[SIGN_DUMP_NAME], dump);
    if (dump.p && !s->beside) sink_count(sink, "dump", dump, 1, doc->text.n);
    keep_count(&s->keep, doc, sink);
    for (uint32_t i = 0; i < s->keep.n; i++)
        if (keep_is_stored(s->keep.by[i].kind))
            sink_u64(sink, s->at[SIGN_KEEP_WORDS], stored++, keep_word(&s->keep, i, doc));
    if (s->ids) {
        sink_string(sink, s->at[SIGN_ID], doc->id);
        sink_u64(sink, s->at[SIGN_ADDRESS], 0, sign_address(&w->url, doc->url));
    }
    return s->url ? put_url(s, w, doc->url, sink, err) : ERR_OK;
}

ErrCode signer_put(const Signer *s, SignScratch *w, const Doc *doc, StageSink *sink, Err *err)
{
    Signature *sign = &w->signature;
    ErrCode rc = signature_make(sign, s->params, s->near ? &s->minhash : NULL, doc->text, err);

    if (rc) return rc;
    sink_u64(sink, s->at[SIGN_EXACT], 0, sign->exact.lo);
    sink_u64(sink, s->at[SIGN_EXACT], 1, sign->exact.hi);
    sink_u32(sink, s->at[SIGN_TOKENS], 0, (uint32_t)sign->key.n_tok);
    sink_u32(sink, s->at[SIGN_BYTES], 0, (uint32_t)doc->text.n);
    if ((rc = put_place(s, w, doc, sink, err)) != ERR_OK || !s->near || sign->n_shingles == 0) return rc;
    sink_values(sink, s->at[SIGN_SKETCH], sign->sketch);
    for (uint32_t b = 0; b < s->params->bands; b++) sink_u64(sink, s->at[SIGN_BANDS] + b, 0, sign->band[b]);
    return ERR_OK;
}
