#include "ingest/ingest.h"

#include "core/digest.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/store.h"
#include "core/utf8.h"
#include "ingest/cld2_shim.h"
#include "ingest/hopeless.h"
#include "ingest/outcome.h"
#include "ingest/page.h"
#include "ingest/records.h"
#include "ingest/siterules.h"
#include "ingest/warc_digest.h"

#include <stdio.h>
#include <stdlib.h>

const char *const ingest_reasons[INGEST_N_REASONS] = {
    "warcinfo",   "request",   "metadata",       "revisit",      "other_type", "http_malformed", "http_status",
    "no_payload", "not_html",  "decode_failed",  "charset",      "too_large",  "too_deep",       "empty_text",
    "language",   "truncated", "warc_malformed", "gzip_corrupt", "bomb",       "unknown_format", "bad_json",
    "no_text",    "blocked",   "short_text",     "few_letters",  "opt_out",    "noindex"};
const char *const ingest_rules[] = {"none", "cheap", NULL};

typedef struct {
    const IngestParams *params;
    Inputs inputs;
    Staged *staged;   /* NULL: no input is remote */
    Outcome *outcome; /* of each input */
    bool keep[LANG_N];
} IngestRun;

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    return pageworker_new(((const IngestRun *)ctx)->params, (PageWorker **)worker, err);
}

static void worker_free(void *worker) { pageworker_free(worker); }

static bool is_unread(uint32_t reason) { return outcome_is_unread((IngestReason)reason); }

static const StageDef ingest_def = {.name = "ingest",
                                    .version = INGEST_VERSION,
                                    .kind = DATASET_WRITTEN,
                                    .reasons = ingest_reasons,
                                    .n_reasons = INGEST_N_REASONS,
                                    .is_unread = is_unread,
                                    .worker_new = worker_new,
                                    .worker_free = worker_free};

static const char *line_source(const IngestRun *r) { return r->params->source ? r->params->source : "local"; }

/* Whether a name begins with its dump, as that of a file below a directory of dumps does. */
static bool names_dump(const Input *in)
{
    const size_t n = strlen(in->dump);

    return strncmp(in->name, in->dump, n) == 0 && in->name[n] == '/';
}

/* The id of an item; names of files that are no UTF-8 are repaired, since an id is text. Lines of one name in two dumps differ. */
static Span item_id(PageWorker *w, const IngestRun *r, const RecordItem *item)
{
    const Input *in = &r->inputs.input[item->input];

    buf_reset(&w->id);
    if (item->kind == INPUT_LINES) {
        utf8_repair(&w->id, span_str(line_source(r)));
        buf_putc(&w->id, '/');
    }
    if (item->kind != INPUT_LINES || (in->has_dump && !names_dump(in))) {
        utf8_repair(&w->id, span_str(in->dump));
        buf_putc(&w->id, '/');
    }
    utf8_repair(&w->id, span_str(in->name));
    buf_putc(&w->id, '#');
    buf_put_u64(&w->id, item->stored);
    if (item->inner) {
        buf_putc(&w->id, '+');
        buf_put_u64(&w->id, item->inner);
    }
    return buf_span(&w->id);
}

/* Fills what the page itself does not know: id, dump, source. */
static ErrCode address(PageWorker *w, const IngestRun *r, const RecordItem *item, Span id, Doc *d, Err *err)
{
    const Input *in = &r->inputs.input[item->input];

    d->dump = span_str(in->dump);
    if (item->kind != INPUT_LINES) {
        d->source = span_str(r->params->source ? r->params->source : "web");
    } else {
        Span own = d->id;
        if (r->params->source || !d->source.n) d->source = span_str(line_source(r));
        if (own.n) {
            ErrCode rc = page_meta_with_id(w, own, &d->meta, err);
            if (rc != ERR_OK) return rc;
        }
    }
    d->id = id;
    return ERR_OK;
}

/* WARC-Truncated's words (ISO 28500 section 5.13) and ours; what else a record may say is one. */
static Span cut_class(Span truncated)
{
    static const char *const classes[] = {"length", "time", "disconnect", "unspecified", "coding", "silent", "nodes"};

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (span_eq_nocase(truncated, span_str(classes[i]))) return span_str(classes[i]);
    return SPAN_LIT("other");
}

static void count(StageSink *sink, const RecordItem *item, const PageResult *p)
{
    char status[16];

    if (item->mended) sink_count(sink, "record", SPAN_LIT("mended"), 1, item->bytes);
    if (p->truncated.n) sink_count(sink, "truncated", cut_class(p->truncated), 1, item->bytes);
    if (p->status) {
        snprintf(status, sizeof status, "%d", p->status);
        sink_count(sink, "status", span_str(status), 1, item->bytes);
    }
    if (p->mime.n && p->mime.n <= PAGE_MAX_MIME && utf8_valid(p->mime))
        sink_count(sink, "mime", p->mime, 1, item->bytes);
    if (p->reason == INGEST_BLOCKED)
        sink_count(sink, "blocked", span_str(blocklist_kinds[p->blocked]), 1, item->bytes);
    if (p->reason == INGEST_N_REASONS && p->lang == LANG_OTHER)
        sink_count(sink, "lang_other", span_str(*p->lang_code ? p->lang_code : "un"), 1, p->doc.text.n);
    if (p->charset) sink_count(sink, "charset", span_str(p->charset), 1, item->bytes);
    for (int i = 0; i < MOJIBAKE_N; i++)
        if (p->mojibake.n_turned[i]) sink_count(sink, "mojibake", span_str(mojibake_names[i]), 1, item->bytes);
    if (p->n_lost) sink_count(sink, "mojibake", SPAN_LIT("lost"), 1, item->bytes);
    if (p->type) sink_count(sink, "type", span_str(p->type), 1, item->bytes);
    for (int i = 0; i <= SITE_N_ACTIONS; i++)
        if (p->site_rules >> i & 1)
            sink_count(sink, "site_rules", i < SITE_N_ACTIONS ? span_str(site_actions[i]) : SPAN_LIT("unmatched"), 1,
                       item->bytes);
    for (int i = 0; i < HTTP_N_NOTES; i++)
        if (p->coding >> i & 1) sink_count(sink, "coding", span_str(http_notes[i]), 1, item->bytes);
}

/* Why a document that could be made is not wanted. */
static IngestReason reason_to_drop(const IngestRun *r, const PageResult *p)
{
    if (!r->keep[p->lang]) return INGEST_LANGUAGE;
    if (r->params->rules == INGEST_RULES_NONE) return INGEST_N_REASONS;
    switch (hopeless_why(p->doc.text, p->lang)) {
    case HOPELESS_SHORT: return INGEST_SHORT_TEXT;
    case HOPELESS_FEW_LETTERS: return INGEST_FEW_LETTERS;
    case HOPELESS_NOT: break;
    }
    return INGEST_N_REASONS;
}

static Span bytes_of(const StageBlock *b, size_t at, size_t n)
{
    return n ? span(b->bytes.p + at, n) : (Span){NULL, 0};
}

/* What the digests of a record say goes into the statistics, and is told of the input. */
static ErrCode verify(const IngestRun *r, PageWorker *w, const RecordItem *item, Span head, Span block,
                      StageSink *sink, Err *err)
{
    DigestAnswer of[2];
    WarcHead h;
    ErrCode rc;

    if (head.n == 0 || record_head(head, &h) != WARC_HEAD_FINE) return ERR_OK;
    if ((rc = warc_digests(&h, block, &w->body[0], &of[0], &of[1], err)) != ERR_OK) return rc;
    for (int i = 0; i < 2; i++) {
        if (of[i] == DIGEST_ABSENT) continue;
        sink_count(sink, i ? "payload_digest" : "block_digest", span_str(digest_answers[of[i]]), 1, item->bytes);
    }
    if (of[0] == DIGEST_MISMATCH || of[1] == DIGEST_MISMATCH) outcome_mismatch(r->outcome, item->input, item->stored);
    return ERR_OK;
}

/* What came to no text: --rejected shows what is known of it, if it was a page. */
static ErrCode drop_unmade(PageWorker *w, const IngestRun *r, const RecordItem *item, Span id, const PageResult *p,
                           StageSink *sink, Err *err)
{
    const bool is_line = item->kind == INPUT_LINES;
    const bool is_page = item->reason == INGEST_N_REASONS && (p->url.n || (!is_line && (p->mime.n || p->status)));
    Doc doc;
    ErrCode rc;

    if (!is_page || !sink_wants_rejected(sink)) {
        sink_drop(sink, p->reason, id, NULL);
        return ERR_OK;
    }
    if ((rc = page_known(w, p, is_line, &doc, err)) != ERR_OK || (rc = address(w, r, item, id, &doc, err)) != ERR_OK)
        return rc;
    sink_drop(sink, p->reason, id, &doc);
    return ERR_OK;
}

static ErrCode map_item(const IngestRun *r, PageWorker *w, const StageBlock *b, const RecordItem *item,
                        StageSink *sink, Err *err)
{
    Span head = bytes_of(b, item->at, item->head_n), block = bytes_of(b, item->at + item->head_n, item->block_n);
    Span id = item_id(w, r, item);
    PageResult p = {.reason = item->reason};
    ErrCode rc = buf_ok(&w->id, "an id", err);

    if (rc != ERR_OK) return rc;
    sink_in(sink, id, item->bytes);
    if (r->params->verify_digests && (rc = verify(r, w, item, head, block, sink, err)) != ERR_OK) return rc;
    if (p.reason == INGEST_N_REASONS) {
        if (item->kind == INPUT_LINES)
            rc = page_from_line(w, block, &p, err);
        else if (item->kind == INPUT_HTML)
            rc = page_from_file(w, block, &p, err);
        else
            rc = page_from_record(w, head, block, &p, err);
        if (rc != ERR_OK) return rc;
    }
    count(sink, item, &p);
    outcome_item(r->outcome, item->input, p.reason, item->stored);
    if (p.reason != INGEST_N_REASONS) {
        return drop_unmade(w, r, item, id, &p, sink, err);
    }
    if ((rc = address(w, r, item, id, &p.doc, err)) != ERR_OK) return rc;
    p.reason = reason_to_drop(r, &p);
    if (p.reason == INGEST_N_REASONS) return sink_emit(sink, &p.doc, err);
    sink_drop(sink, p.reason, id, &p.doc);
    return ERR_OK;
}

/* --- the source of the map engine */

static uint64_t source_part_bytes(void *ctx, uint32_t part)
{
    return inputs_part_work(&((IngestRun *)ctx)->inputs, part);
}
static void source_part_name(void *ctx, uint32_t part, Buf *out)
{
    const Inputs *in = &((IngestRun *)ctx)->inputs;
    uint32_t first = in->part_first[part], last = in->part_first[part + 1];

    if (first < last) buf_puts(out, in->input[in->slice[first].input].path);
    if (last - first > 1) buf_printf(out, " and %u more", (unsigned)(last - first - 1));
}
static bool source_part_file(void *ctx, uint32_t part, uint32_t i, Buf *path)
{
    const Inputs *in = &((IngestRun *)ctx)->inputs;

    if (i >= in->part_first[part + 1] - in->part_first[part]) return false;
    buf_puts(path, in->input[in->slice[in->part_first[part] + i].input].url);
    return true;
}
static ErrCode source_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    const IngestRun *r = ctx;

    for (uint32_t s = r->inputs.part_first[part]; s < r->inputs.part_first[part + 1]; s++)
        outcome_opened(r->outcome, &r->inputs.slice[s]);
    return records_open(&r->inputs, r->staged, part, r->params->verify_digests, (RecordCursor **)cursor, err);
}
static void source_ahead(void *ctx, const uint32_t *parts, size_t n)
{
    staged_ahead(((IngestRun *)ctx)->staged, parts, n);
}
static ErrCode source_next(void *cursor, StageBlock *b, bool *end, Err *err)
{
    return records_next(cursor, b, end, err);
}
static void source_close(void *cursor) { records_close(cursor); }

static ErrCode source_map(void *ctx, void *worker, const StageBlock *b, StageSink *sink, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < records_n_items(b) && rc == ERR_OK; i++)
        rc = map_item(ctx, worker, b, records_item(b, i), sink, err);
    return rc;
}

/* --- the run */

/* Everything that decides the output besides the inputs, canonical. */
static void put_params(Buf *b, const IngestParams *p, const bool keep[LANG_N])
{
    bool first = true;

    buf_puts(b, "{\"dump\":");
    if (p->dump)
        json_put_cstr(b, p->dump);
    else
        buf_puts(b, "null");
    buf_printf(b, ",\"inputs_per_part\":%u,\"keep_lang\":[", p->inputs_per_part);
    for (int i = 0; i < LANG_N; i++) {
        if (!keep[i]) continue;
        if (!first) buf_putc(b, ',');
        first = false;
        json_put_cstr(b, lang_names[i]);
    }
    buf_puts(b, "],\"lid\":");
    if (p->lid)
        json_put_hash(b, fasttext_content(p->lid));
    else
        json_put_cstr(b, cld2_version());
    buf_puts(b, ",\"block\":");
    if (p->block)
        json_put_hash(b, blocklist_content(p->block));
    else
        buf_puts(b, "null");
    if (p->sites) {
        buf_puts(b, ",\"site_rules\":");
        json_put_hash(b, siterules_content(p->sites));
    }
    buf_printf(b, ",\"rules\":\"%s\",\"mode\":\"%s\",\"parser\":\"%s\",\"part_bytes\":", ingest_rules[p->rules],
               maintext_modes[p->mode], html_parser_names[p->parser]);
    buf_put_u64(b, p->inputs_per_part ? 0 : p->part_bytes); /* it decides nothing when files are counted */
    if (p->html) buf_puts(b, ",\"html\":true");
    if (p->respect_opt_out) buf_puts(b, ",\"respect_opt_out\":true");
    if (p->verify_digests) buf_puts(b, ",\"verify_digests\":true"); /* it decides the statistics */
    if (p->beside) {
        buf_printf(b, ",\"%s\":", p->beside->name);
        buf_put_span(b, p->beside->receipt);
    }
    buf_puts(b, ",\"source\":");
    if (p->source)
        json_put_cstr(b, p->source);
    else
        buf_puts(b, "null");
    buf_putc(b, '}');
}

/* A raw input counts as its name and size, and the ranges that are read of it. */
static void put_inputs(Buf *b, const Inputs *in)
{
    Buf name = {0};

    buf_putc(b, '[');
    for (size_t i = 0; i < in->n; i++) {
        char hex[HASH128_HEX];
        uint8_t size[8];
        buf_reset(&name);
        utf8_repair(&name, span_str(in->input[i].dump));
        buf_putc(&name, '/');
        utf8_repair(&name, span_str(in->input[i].name));
        if (i) buf_putc(b, ',');
        buf_puts(b, "{\"path\":");
        json_put_string(b, buf_span(&name));
        buf_putc(&name, 0);
        le64_put(size, in->input[i].size);
        buf_put(&name, size, sizeof size);
        for (size_t k = 0; k < in->input[i].n_ranges; k++) {
            const CdxjRange *g = &in->ranges.range[in->input[i].first_range + k];
            buf_put_u64(&name, g->offset), buf_putc(&name, '+'), buf_put_u64(&name, g->length), buf_putc(&name, ' ');
        }
        hash128_hex(hex, hash128(buf_span(&name)));
        buf_printf(b, ",\"content\":\"%s\"}", hex);
    }
    buf_putc(b, ']');
    b->oom |= name.oom;
    buf_clear(&name);
}

static bool kept_languages(const IngestParams *p, bool keep[LANG_N])
{
    for (int i = 0; i < LANG_N; i++) keep[i] = true;
    return !p->keep_lang || lang_set_parse(p->keep_lang, keep);
}

ErrCode ingest_check(const IngestParams *p, Err *err)
{
    bool keep[LANG_N];

    if (!kept_languages(p, keep))
        return err_set(err, ERR_USAGE, "--keep-lang %s: languages are en, zh, zh-Hans, zh-Hant, code, other",
                       p->keep_lang);
    if (p->dump && (!*p->dump || !utf8_valid(span_str(p->dump))))
        return err_set(err, ERR_USAGE, "--dump must be a name in UTF-8");
    if (p->source && (!*p->source || !utf8_valid(span_str(p->source))))
        return err_set(err, ERR_USAGE, "--source must be a name in UTF-8");
    if (!p->inputs_per_part && p->part_bytes < 1 << 10)
        return err_set(err, ERR_USAGE, "--part-bytes must be at least 1K");
    if (p->stage_depth < 1 || p->stage_depth > STAGING_MAX_DEPTH)
        return err_set(err, ERR_USAGE, "--stage-depth must be 1 to %d", STAGING_MAX_DEPTH);
    if (p->connections < 1 || p->connections > WEB_MAX_CONNECTIONS)
        return err_set(err, ERR_USAGE, "--connections must be 1 to %d", WEB_MAX_CONNECTIONS);
    if (p->verify_digests && !digest_available())
        return err_set(err, ERR_USAGE, "--verify-digests: this build has no libcrypto, so it knows no SHA-1");
    if (p->html && p->cdxj) return err_set(err, ERR_USAGE, "--html and --cdxj: an index names records of archives");
    return ERR_OK;
}

/* Standard input is one process's, and read once. */
static ErrCode check_stdin(const Inputs *in, const CommonOptions *common, const Par *par, Err *err)
{
    if (!inputs_have_stdin(in) || (par->n_ranks == 1 && common->task.count <= 1)) return ERR_OK;
    return err_set(err, ERR_USAGE, "-: standard input is for one process, not for ranks or tasks");
}

ErrCode ingest_run(const IngestParams *params, const char *const *operands, size_t n, const char *out_dir,
                   const CommonOptions *common, const Par *par, StageTotals *totals, Err *err)
{
    IngestRun run = {.params = params};
    StageTotals own;
    Buf text = {0}, inputs = {0};
    ErrCode rc;

    (void)kept_languages(params, run.keep); /* checked with the others */
    const InputsAre are = {params->dump, params->base_url, params->html, params->cdxj};
    if ((rc = ingest_check(params, err)) == ERR_OK) rc = inputs_gather(&run.inputs, operands, n, &are, err);
    if (rc == ERR_OK) rc = check_stdin(&run.inputs, common, par, err);
    web_set_connections(params->connections / (unsigned)par->n_ranks);
    if ((rc = par_agree(par, rc, err)) != ERR_OK || (rc = inputs_measure(&run.inputs, par, err)) != ERR_OK) goto out;
    rc = inputs_cut(&run.inputs, params->inputs_per_part, params->part_bytes, err);
    if (rc == ERR_OK) rc = outcomes_new(&run.outcome, &run.inputs, err);
    StagingParams staging = {params->stage_dir, params->stage_depth, params->stage_bytes};
    if (rc == ERR_OK) rc = staged_open(&run.staged, &run.inputs, &staging, err);
    /* A list that differs between ranks (a directory that is written to) shows as a different key. */
    if ((rc = par_agree(par, rc, err)) != ERR_OK) goto out;
    put_params(&text, params, run.keep);
    put_inputs(&inputs, &run.inputs);
    rc = buf_ok(&text, "the parameters", err);
    if (rc == ERR_OK) rc = buf_ok(&inputs, "the inputs", err);
    if (rc != ERR_OK) goto out;
    if (run.inputs.n_skipped)
        log_info("%zu files in directories are neither archives nor lines and are not read", run.inputs.n_skipped);
    StageSource source = {.ctx = &run,
                          .n_parts = run.inputs.n_parts,
                          .part_bytes = source_part_bytes,
                          .part_name = source_part_name,
                          .part_file = source_part_file,
                          .ahead = source_ahead,
                          .open = source_open,
                          .next = source_next,
                          .close = source_close,
                          .map = source_map};
    StageJob job = {.def = &ingest_def,
                    .ctx = &run,
                    .params = buf_span(&text),
                    .inputs = buf_span(&inputs),
                    .out_dir = out_dir,
                    .source = &source,
                    .beside = params->beside,
                    .common = common};
    if (!totals) totals = &own;
    rc = stage_run(&job, par, totals, err);
    if (rc == ERR_OK || rc == ERR_DATA) { /* inputs of which not one could be read are named, too */
        Err own_err = {.code = ERR_OK};
        const ErrCode reported = outcomes_report(run.outcome, &run.inputs, par, &own_err);
        if (rc == ERR_OK && (rc = reported) != ERR_OK && err) *err = own_err;
    }
out:
    buf_clear(&text);
    buf_clear(&inputs);
    staged_close(run.staged);
    free(run.outcome);
    inputs_clear(&run.inputs);
    return rc;
}
