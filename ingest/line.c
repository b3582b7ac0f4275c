/* Document lines made elsewhere: the part of page.h that reads JSON. */
#include "ingest/page.h"

#include "core/json.h"

/* Of these two more than the type may be wrong: a score out of its range, a signal's name or value. */
enum { WITHOUT_SCORE = 1, WITHOUT_SIGNALS = 2, WITHOUT_BOTH = 3 };

/* Members that core/doc.h knows, and the byte their value must start with; 0: a number. */
static bool may_stay(Span key, uint8_t first, int without)
{
    static const struct {
        const char *key;
        uint8_t first;
        int bit;
    } known[] = {{"id", '"', 0},
                 {"text", '"', 0},
                 {"url", '"', 0},
                 {"date", '"', 0},
                 {"dump", '"', 0},
                 {"source", '"', 0},
                 {"domain", '"', 0},
                 {"lang", '"', 0},
                 {"meta", '{', 0},
                 {"edits", '[', 0},
                 {"signals", '{', WITHOUT_SIGNALS},
                 {"lang_score", 0, WITHOUT_SCORE}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!span_is(key, known[i].key)) continue;
        if (known[i].bit & without) return false;
        return known[i].first ? known[i].first == first : first == '-' || ascii_is_digit(first);
    }
    return true;
}

/* Rewrites a line into w->line so that doc_read() takes it: an id in front when it has none (a number becomes a string),
 * members of the wrong type left out, and those of `without`. False: not one JSON object. */
static bool adapt_line(PageWorker *w, Span line, int without)
{
    JsonScan s = json_scan_text(line);
    Buf *out = &w->line, *keys = &w->own_id;
    bool has_id = false;
    Span key, raw;

    buf_reset(out);
    buf_reset(keys);
    if (!buf_reserve(keys, line.n) || !json_expect(&s, '{')) return false;
    buf_putc(out, '{');
    while (json_peek(&s) != '}') {
        json_peek(&s);
        const uint8_t *begin = s.p;
        if (!json_string(&s, keys, &key)) return false;
        Span raw_key = span(begin, (size_t)(s.p - begin));
        if (!json_expect(&s, ':') || !json_skip(&s, &raw)) return false;
        bool number_id = span_is(key, "id") && raw.n && (raw.p[0] == '-' || ascii_is_digit(raw.p[0]));
        if (number_id || may_stay(key, raw.n ? raw.p[0] : 0, without)) {
            if (out->n > 1) buf_putc(out, ',');
            buf_put_span(out, raw_key);
            buf_puts(out, number_id ? ":\"" : ":");
            buf_put_span(out, raw);
            if (number_id) buf_putc(out, '"');
            has_id |= span_is(key, "id");
        }
        if (json_peek(&s) != ',') break;
        s.p++;
        if (json_peek(&s) == '}') return false;
    }
    if (!json_expect(&s, '}') || !json_at_end(&s)) return false;
    if (!has_id) buf_puts(out, out->n > 1 ? ",\"id\":\"\"" : "\"id\":\"\"");
    buf_putc(out, '}');
    return !out->oom;
}

ErrCode page_from_line(PageWorker *w, Span line, PageResult *out, Err *err)
{
    const char *why;
    Doc *d = &out->doc;

    *out = (PageResult){.reason = INGEST_BAD_JSON, .charset = "utf-8", .mime = SPAN_LIT("application/json")};
    line = span_trim(line);
    bool taken = doc_read(&w->doc, line, d, &why);
    bool adapt = !taken && (!strcmp(why, "missing_field") || !strcmp(why, "bad_field"));
    for (int without = 0; adapt && without <= WITHOUT_BOTH; without++) {
        if (!adapt_line(w, line, without)) {
            bool oom = w->line.oom || w->own_id.oom;
            return oom ? err_nomem(err, "a document line") : ERR_OK;
        }
        taken = doc_read(&w->doc, buf_span(&w->line), d, &why);
        adapt = !taken && !strcmp(why, "bad_field");
    }
    if (!taken) {
        if (!strcmp(why, "missing_field")) out->reason = INGEST_NO_TEXT;
        return strcmp(why, "no_memory") == 0 ? err_nomem(err, "a document line") : ERR_OK;
    }
    if (d->n_signals > DOC_MAX_FOREIGN_SIGNALS) return ERR_OK;
    out->url = d->url;
    out->date = d->date;
    if (page_is_blocked(w, d->url, out)) return ERR_OK;
    out->reason = INGEST_N_REASONS;
    if (span_trim(d->text).n == 0) {
        out->reason = INGEST_EMPTY_TEXT;
    } else if (!d->lang.p || !lang_of_name(d->lang, &out->lang)) {
        LangAnswer a = lang_detect(w->lang, d->text, lang_says_traditional((Span){NULL, 0}, NULL, d->url));
        out->lang = a.lang;
        memcpy(out->lang_code, a.code, sizeof a.code);
        d->has_lang_score = true;
        d->lang_score = a.score;
    }
    d->lang = span_str(lang_names[out->lang]);
    return ERR_OK;
}

ErrCode page_meta_with_id(PageWorker *w, Span own, Span *meta, Err *err)
{
    Buf *out = &w->meta, *keys = &w->about.scratch;
    JsonScan s = json_scan(*meta);
    Span key, raw;

    buf_reset(out);
    buf_reset(keys);
    buf_puts(out, "{\"id\":");
    json_put_string(out, own);
    if (!buf_reserve(keys, meta->n)) return err_nomem(err, "a document's meta");
    /* doc_read() has checked the object. */
    if (meta->p && json_expect(&s, '{')) {
        while (json_peek(&s) == '"') {
            const uint8_t *begin = s.p;
            if (!json_string(&s, keys, &key)) break;
            Span raw_key = span(begin, (size_t)(s.p - begin));
            if (!json_expect(&s, ':') || !json_skip(&s, &raw)) break;
            if (!span_is(key, "id")) {
                buf_putc(out, ',');
                buf_put_span(out, raw_key);
                buf_putc(out, ':');
                buf_put_span(out, raw);
            }
            if (json_peek(&s) != ',') break;
            s.p++;
            json_peek(&s);
        }
    }
    buf_putc(out, '}');
    *meta = buf_span(out);
    return buf_ok(out, "a document's meta", err);
}
