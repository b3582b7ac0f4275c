#include "ingest/page.h"

#include "core/json.h"
#include "core/utf8.h"

#include <stdlib.h>

ErrCode pageworker_new(const IngestParams *params, PageWorker **out, Err *err)
{
    PageWorker *w = calloc(1, sizeof *w);
    ErrCode rc;

    *out = NULL;
    if (!w) return err_nomem(err, "a worker");
    w->params = params;
    rc = charset_new(&w->charset, err);
    if (rc == ERR_OK) rc = lang_detector_new(&w->lang, params->lid, err);
    if (rc == ERR_OK) rc = mojibake_new(&w->mojibake, err);
    if (rc == ERR_OK) rc = htmlparser_new(&w->html, (HtmlParserKind)params->parser, err);
    if (rc != ERR_OK)
        pageworker_free(w);
    else
        *out = w;
    return rc;
}

void pageworker_free(PageWorker *w)
{
    if (!w) return;
    charset_free(w->charset);
    mojibake_free(w->mojibake);
    htmlparser_free(w->html);
    htmltree_clear(&w->tree);
    maintext_clear(&w->main);
    sitemarks_clear(&w->marks);
    lang_detector_free(w->lang);
    metadata_clear(&w->about);
    docscratch_clear(&w->doc);
    Buf *bufs[] = {&w->body[0], &w->body[1], &w->utf8, &w->text,   &w->url,  &w->date,
                   &w->meta,    &w->id,      &w->line, &w->own_id, &w->edits};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) buf_clear(bufs[i]);
    free(w);
}

/* The target URI without the angle brackets some crawlers put around it. */
static Span bare_url(Span uri)
{
    uri = span_trim(uri);
    return uri.n >= 2 && uri.p[0] == '<' && uri.p[uri.n - 1] == '>' ? span(uri.p + 1, uri.n - 2) : uri;
}

/* The same with blanks, controls and ill-formed bytes as %XX. */
static Span clean_url(Buf *out, Span uri)
{
    uri = bare_url(uri);
    buf_reset(out);
    if (uri.n == 0 || uri.n > PAGE_MAX_URL) return (Span){NULL, 0};
    for (size_t i = 0, n; i < uri.n; i += n) {
        uint32_t cp;
        n = utf8_next(uri.p + i, uri.n - i, &cp);
        if (cp != UTF8_BAD && cp > ' ' && cp != 0x7f)
            buf_put(out, uri.p + i, n);
        else
            for (size_t k = 0; k < n; k++) buf_printf(out, "%%%02X", uri.p[i + k]);
    }
    return buf_span(out);
}

bool page_is_blocked(PageWorker *w, Span url, PageResult *out)
{
    if (!w->params->block || url.n == 0) return false;
    out->blocked = blocklist_find(w->params->block, url, &w->url);
    if (out->blocked == BLOCKLIST_N) return false;
    out->reason = INGEST_BLOCKED;
    return true;
}

static bool all_digits(Span s, const char *pattern)
{
    size_t n = strlen(pattern);

    if (s.n < n) return false;
    for (size_t i = 0; i < n; i++)
        if (pattern[i] == '9' ? !ascii_is_digit(s.p[i]) : s.p[i] != (uint8_t)pattern[i]) return false;
    return true;
}

static bool in_range(const uint8_t *two, int lo, int hi)
{
    int v = (two[0] - '0') * 10 + (two[1] - '0');

    return v >= lo && v <= hi;
}

/* RFC 3339 in UTC to the second; fractions are cut, 14 digits are spread out, anything else is no date. */
static Span clean_date(Buf *out, Span d)
{
    buf_reset(out);
    if (all_digits(d, "99999999999999") && d.n == 14)
        buf_printf(out, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", (const char *)d.p, (const char *)d.p + 4,
                   (const char *)d.p + 6, (const char *)d.p + 8, (const char *)d.p + 10, (const char *)d.p + 12);
    else if (all_digits(d, "9999-99-99T99:99:99") && d.p[d.n - 1] == 'Z')
        buf_printf(out, "%.19sZ", (const char *)d.p);
    if (out->oom || out->n != 20) return (Span){NULL, 0};
    const uint8_t *p = out->p;
    bool fine = in_range(p + 5, 1, 12) && in_range(p + 8, 1, 31) && in_range(p + 11, 0, 23) &&
                in_range(p + 14, 0, 59) && in_range(p + 17, 0, 60);
    return fine ? buf_span(out) : (Span){NULL, 0};
}

static bool is_blank(Span s) { return span_trim(s).n == 0; }

/* Whether more than PAGE_MAX_BAD_PERCENT of the characters could not be decoded. */
static bool too_many_replaced(size_t n_lost, Span text)
{
    return n_lost * 100 > utf8_count(text) * PAGE_MAX_BAD_PERCENT;
}

static void put_member(Buf *b, const char *key, Span value)
{
    if (value.n == 0 || !utf8_valid(value)) return;
    if (b->n > 1) buf_putc(b, ',');
    json_put_cstr(b, key);
    buf_putc(b, ':');
    json_put_string(b, value);
}

static void put_opt_out(Buf *b, unsigned flags)
{
    if (!flags) return;
    buf_puts(b, b->n > 1 ? ",\"opt_out\":" : "\"opt_out\":");
    for (int i = 0, n = 0; i < OPT_OUT_N; i++) {
        if (!(flags >> i & 1)) continue;
        buf_putc(b, n++ ? ',' : '[');
        json_put_cstr(b, opt_out_names[i]);
    }
    buf_putc(b, ']');
}

/* The page's type; what chose the main text, when it was not the model, else how sure that is; and for the modes that keep more than most
 * readers want, what the stricter ones keep. */
static void put_choice(const PageWorker *w, Span text, Buf *b)
{
    const MainText *m = &w->main;

    if (!m->by_rules && m->type != PAGE_N_TYPES) put_member(b, "type", span_str(page_type_names[m->type]));
    if (m->foreign) return;
    if (m->by_rules)
        put_member(b, "by", SPAN_LIT("site-rules"));
    else
        buf_printf(b, "%s\"confidence\":%u.%02u", b->n > 1 ? "," : "", m->confidence / 100, m->confidence % 100);
    if (w->params->mode < MAINTEXT_RECALL) return;
    buf_puts(b, ",\"modes\":");
    maintext_put_modes(m, (size_t)(text.p - w->text.p), b);
}

/* meta: {title, published, canonical, html_lang, opt_out, truncated, lid, type, by, confidence, modes}, of which what is known. `about`: NULL for a
 * record that is no page. */
static void put_meta(PageWorker *w, const Metadata *about, Span truncated, Span lid, Span text)
{
    Buf *b = &w->meta;

    buf_reset(b);
    buf_putc(b, '{');
    if (about) {
        put_member(b, "title", buf_span(&about->title));
        put_member(b, "published", span_str(about->published.day));
        put_member(b, "canonical", about->canonical);
        put_member(b, "html_lang", about->html_lang);
        put_opt_out(b, about->opt_out);
    }
    put_member(b, "truncated", truncated);
    put_member(b, "lid", lid);
    if (about) put_choice(w, text, b);
    buf_putc(b, '}');
}

/* Turns mojibake back and writes down that it did. */
static ErrCode repair(PageWorker *w, Span *utf8, PageResult *out, Err *err)
{
    ErrCode rc = mojibake_repair(w->mojibake, utf8, &out->mojibake, err);
    const char *sep = "";

    for (int i = 0; i < MOJIBAKE_N && rc == ERR_OK; i++) {
        if (out->mojibake.n_turned[i] == 0) continue;
        if (w->edits.n == 0)
            buf_printf(&w->edits, "[{\"stage\":\"ingest\",\"version\":%d,\"mojibake\":{", INGEST_VERSION);
        buf_printf(&w->edits, "%s\"%s\":%zu", sep, mojibake_names[i], out->mojibake.n_turned[i]);
        sep = ",";
    }
    if (w->edits.n) buf_puts(&w->edits, "}}]");
    return rc == ERR_OK ? buf_ok(&w->edits, "a page's edits", err) : rc;
}

/* Language, damage and emptiness of the text in w->text; fills the document. */
static ErrCode finish(PageWorker *w, const WarcHead *h, const Metadata *about, PageResult *out, Err *err)
{
    Span text = span_trim(buf_span(&w->text));
    ErrCode rc = buf_ok(&w->text, "a page's text", err);

    if (rc != ERR_OK) return rc;
    out->n_lost = mojibake_lost(text);
    out->reason = text.n == 0                            ? INGEST_EMPTY_TEXT
                  : too_many_replaced(out->n_lost, text) ? INGEST_CHARSET
                                                         : INGEST_N_REASONS;
    if (out->reason != INGEST_N_REASONS) return ERR_OK;
    Span html_lang = about ? about->html_lang : (Span){NULL, 0};
    LangAnswer lang =
        lang_detect(w->lang, text, lang_says_traditional(html_lang, out->charset, bare_url(h->target_uri)));
    put_meta(w, about, h->truncated, span_str(lang.code), text);
    out->lang = lang.lang;
    memcpy(out->lang_code, lang.code, sizeof lang.code);
    out->doc = (Doc){.text = text,
                     .url = clean_url(&w->url, h->target_uri),
                     .date = clean_date(&w->date, h->date),
                     .lang = span_str(lang_names[lang.lang]),
                     .has_lang_score = true,
                     .lang_score = lang.score,
                     .edits = w->edits.n ? buf_span(&w->edits) : (Span){NULL, 0},
                     .meta = w->meta.n > 2 ? buf_span(&w->meta) : (Span){NULL, 0}};
    if ((rc = buf_ok(&w->url, "a page's URL", err)) != ERR_OK) return rc;
    return buf_ok(&w->meta, "a page's metadata", err);
}

/* A conversion record is text already: UTF-8 by the standard's practice, with controls as blanks. */
static ErrCode from_text(PageWorker *w, const WarcHead *h, Span block, PageResult *out, Err *err)
{
    out->mime = SPAN_LIT("text/plain");
    out->charset = "utf-8";
    utf8_repair(&w->utf8, block);
    Span utf8 = buf_span(&w->utf8);
    ErrCode rc = buf_ok(&w->utf8, "a page", err);
    if (rc == ERR_OK) rc = repair(w, &utf8, out, err);
    if (rc != ERR_OK) return rc;
    buf_put_span(&w->text, utf8);
    for (size_t i = 0; i < w->text.n; i++)
        if (w->text.p[i] < ' ' && w->text.p[i] != '\n' && w->text.p[i] != '\t') w->text.p[i] = ' ';
    return finish(w, h, NULL, out, err);
}

/* Whether --respect-opt-out drops a page. */
static bool opts_out(const PageWorker *w, PageResult *out)
{
    const unsigned flags = w->params->respect_opt_out ? w->about.opt_out : 0;

    out->opt_out = flags;

    if (flags & OPT_OUT_TRAINING)
        out->reason = INGEST_OPT_OUT;
    else if (flags >> OPT_OUT_NOINDEX & 1)
        out->reason = INGEST_NOINDEX;
    else
        return false;
    return true;
}

/* Chooses the main text, by the rules of the page's site where it has some. */
static ErrCode choose_text(PageWorker *w, const WarcHead *h, PageResult *out, Err *err)
{
    SiteMarks *marks = &w->marks;
    ErrCode rc;

    w->main.mark = NULL;
    w->main.url = bare_url(h->target_uri);
    marks->asked = marks->matched = 0;
    if (w->params->sites &&
        (rc = siterules_mark(w->params->sites, marks, bare_url(h->target_uri), &w->tree, err)) != ERR_OK)
        return rc;
    if (marks->matched) w->main.mark = marks->mark;
    if ((rc = maintext_extract(&w->main, &w->tree, (MainMode)w->params->mode, &w->text, err)) != ERR_OK) return rc;
    if (!w->main.by_rules) out->type = page_type_names[w->main.type];
    if (!marks->asked) return ERR_OK;
    const uint32_t title = marks->first[SITE_TITLE], date = marks->first[SITE_DATE];
    const bool has_title = title && metadata_take_title(&w->about, &w->tree, title);
    const bool has_date = date && metadata_take_date(&w->about, &w->tree, date, h->date);
    out->site_rules = (marks->matched & (1u << SITE_DROP | 1u << SITE_KEEP)) | (unsigned)has_title << SITE_TITLE |
                      (unsigned)has_date << SITE_DATE | (unsigned)w->main.by_rules << SITE_MAIN;
    if ((marks->asked >> SITE_MAIN & 1) && !w->main.by_rules) out->site_rules |= 1u << SITE_N_ACTIONS;
    return buf_ok(&w->about.scratch, "a page's metadata", err);
}

/* `http` is NULL for a page that came without a response. */
static ErrCode from_html(PageWorker *w, const WarcHead *h, const HttpResponse *http, Span body, Span label,
                         PageResult *out, Err *err)
{
    CharsetResult charset;
    HtmlStatus status;
    ErrCode rc;

    if (body.n > 2 * (size_t)HTML_MAX_BYTES) { /* no charset halves a page to below the limit */
        out->reason = INGEST_TOO_LARGE;
        return ERR_OK;
    }
    if ((rc = charset_to_utf8(w->charset, body, label, &w->utf8, &charset, err)) != ERR_OK) return rc;
    out->charset = charset.name;
    Span utf8 = buf_span(&w->utf8);
    if ((rc = repair(w, &utf8, out, err)) != ERR_OK) return rc;
    if ((rc = htmlparser_parse(w->html, utf8, &w->tree, &status, err)) != ERR_OK) return rc;
    if (status != HTML_FINE) {
        out->reason = status == HTML_TOO_DEEP ? INGEST_TOO_DEEP : INGEST_TOO_LARGE;
        return ERR_OK;
    }
    if ((rc = metadata_read(&w->about, &w->tree, http, bare_url(h->target_uri), h->date, err)) != ERR_OK) return rc;
    if (opts_out(w, out)) return ERR_OK;
    if ((rc = choose_text(w, h, out, err)) != ERR_OK) return rc;
    WarcHead told = *h;
    if (w->tree.truncated && told.truncated.n == 0) out->truncated = told.truncated = SPAN_LIT("nodes");
    return finish(w, &told, &w->about, out, err);
}

/* Whether a body is HTML: by its label unless its first bytes are something else; unlabelled, by its first bytes. */
static bool is_html(Span mime, Span body)
{
    if (http_sniff_binary(body)) return false;
    if (mime.n == 0) return http_sniff_html(body);
    return span_eq_nocase(mime, SPAN_LIT("text/html")) || span_eq_nocase(mime, SPAN_LIT("application/xhtml+xml"));
}

/* How a body was cut that its record does not call cut: its coding ends early, it is as long as Common Crawl's limit,
 * where the mark is often missing (nutch issue 10), or shorter than the server said. What was stored decoded has another length. */
static Span unmarked_cut(const HttpResponse *r, unsigned notes)
{
    enum { LIMIT = 1 << 20, LIMIT_2025 = 5 << 20 };

    if (notes >> HTTP_CUT & 1) return SPAN_LIT("coding");
    if (r->body.n == LIMIT || r->body.n == LIMIT_2025) return SPAN_LIT("length");
    bool is_short = r->has_length && r->n_codings == 0 && !r->chunked && r->body.n < r->length;
    return is_short ? SPAN_LIT("silent") : (Span){NULL, 0};
}

static ErrCode from_http(PageWorker *w, const WarcHead *h, Span block, PageResult *out, Err *err)
{
    WarcHead told = *h;
    HttpResponse http;
    Span body;

    if (!http_parse(block, &http)) {
        out->reason = INGEST_HTTP_MALFORMED;
        return ERR_OK;
    }
    out->status = http.status;
    /* Of what came without a status line (HTTP/0.9, other protocols) an ARC names the type. */
    if (h->is_arc && http.status == 0 && http.content_type.n == 0) http.content_type = h->content_type;
    out->mime = http_media_type(http.content_type);
    if (http.status != 0 && http.status != 200 && http.status != 203) {
        out->reason = INGEST_HTTP_STATUS;
        return ERR_OK;
    }
    BodyStatus got = http_body(&http, w->body, &body, &out->coding);
    if (got == BODY_NO_MEMORY) return err_nomem(err, "a page's body");
    if (told.truncated.n == 0) told.truncated = unmarked_cut(&http, out->coding);
    out->truncated = told.truncated;
    if (got != BODY_FINE)
        out->reason = got == BODY_TOO_LARGE ? INGEST_TOO_LARGE : INGEST_DECODE_FAILED;
    else if (is_blank(body) && (out->mime.n == 0 || is_html(out->mime, body)))
        out->reason = INGEST_NO_PAYLOAD;
    else if (!is_html(out->mime, body))
        out->reason = INGEST_NOT_HTML;
    else
        return from_html(w, &told, &http, http_skip_blank(body), http_parameter(http.content_type, "charset"), out,
                         err);
    return ERR_OK;
}

static void begin_page(PageWorker *w, PageResult *out)
{
    Buf *bufs[] = {&w->body[0], &w->body[1], &w->utf8, &w->text, &w->edits};

    *out = (PageResult){.reason = INGEST_WARC_MALFORMED};
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) buf_reset(bufs[i]);
}

ErrCode page_from_file(PageWorker *w, Span bytes, PageResult *out, Err *err)
{
    const WarcHead none = {0};

    begin_page(w, out);
    if (is_blank(bytes)) return out->reason = INGEST_NO_PAYLOAD, ERR_OK;
    if (http_sniff_binary(bytes)) return out->reason = INGEST_NOT_HTML, ERR_OK;
    out->mime = SPAN_LIT("text/html");
    return from_html(w, &none, NULL, bytes, (Span){NULL, 0}, out, err);
}

ErrCode page_from_record(PageWorker *w, Span head, Span block, PageResult *out, Err *err)
{
    WarcHead h;

    begin_page(w, out);
    if (record_head(head, &h) != WARC_HEAD_FINE) return ERR_OK;
    out->url = h.target_uri;
    out->date = h.date;
    if (page_is_blocked(w, bare_url(h.target_uri), out)) return ERR_OK;
    out->truncated = h.truncated;
    Span mime = http_media_type(h.content_type);
    if (h.type == WARC_CONVERSION) {
        if (is_blank(block)) return out->reason = INGEST_NO_PAYLOAD, ERR_OK;
        if (mime.n == 0 || span_eq_nocase(mime, SPAN_LIT("text/plain"))) return from_text(w, &h, block, out, err);
    }
    if (h.type == WARC_RESPONSE) {
        /* DNS answers and FTP transfers are responses too; "application/http" is missing now and then. */
        if (span_eq_nocase(mime, SPAN_LIT("text/dns"))) return out->reason = INGEST_OTHER_TYPE, ERR_OK;
        if (block.n == 0) return out->reason = INGEST_NO_PAYLOAD, ERR_OK;
        return from_http(w, &h, block, out, err);
    }
    if (is_blank(block)) return out->reason = INGEST_NO_PAYLOAD, ERR_OK;
    out->mime = mime;
    if (!is_html(mime, block)) return out->reason = INGEST_NOT_HTML, ERR_OK;
    return from_html(w, &h, NULL, block, http_parameter(h.content_type, "charset"), out, err);
}

ErrCode page_known(PageWorker *w, const PageResult *p, bool is_line, Doc *doc, Err *err)
{
    Buf *b = &w->meta;
    ErrCode rc;

    buf_reset(b);
    buf_putc(b, '{');
    if (p->status) buf_printf(b, "\"status\":%d", p->status);
    if (!is_line && p->mime.n <= PAGE_MAX_MIME) put_member(b, "mime", p->mime);
    if (!is_line && p->charset) put_member(b, "charset", span_str(p->charset));
    if (p->reason == INGEST_BLOCKED) put_member(b, "blocked", span_str(blocklist_kinds[p->blocked]));
    put_opt_out(b, p->opt_out);
    put_member(b, "truncated", p->truncated);
    buf_putc(b, '}');
    *doc = (Doc){.text = SPAN_LIT(""),
                 .url = clean_url(&w->url, p->url),
                 .date = clean_date(&w->date, p->date),
                 .meta = b->n > 2 ? buf_span(b) : (Span){NULL, 0}};
    if ((rc = buf_ok(&w->url, "a page's URL", err)) != ERR_OK) return rc;
    return buf_ok(b, "a page's metadata", err);
}
