#include "core/doc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Known keys; bit k of `seen` stands for field k. */
typedef enum {
    F_ID,
    F_TEXT,
    F_URL,
    F_DATE,
    F_DUMP,
    F_SOURCE,
    F_DOMAIN,
    F_LANG,
    F_LANG_SCORE,
    F_SIGNALS,
    F_EDITS,
    F_META,
    F_UNKNOWN
} Field;
static const char *const field_name[F_UNKNOWN] = {"id",     "text", "url",        "date",    "dump",  "source",
                                                  "domain", "lang", "lang_score", "signals", "edits", "meta"};
static const uint8_t field_length[F_UNKNOWN] = {2, 4, 3, 4, 4, 6, 6, 4, 10, 7, 5, 4};

static const char BAD_FIELD[] = "bad_field", NO_MEMORY[] = "no_memory", DUPLICATE[] = "duplicate_key";

void docscratch_clear(DocScratch *s)
{
    buf_clear(&s->text);
    buf_clear(&s->extra);
    free(s->signals);
    free(s->keys);
    *s = (DocScratch){0};
}

static Field field_of(Span key)
{
    for (int f = 0; f < F_UNKNOWN; f++)
        if (key.n == field_length[f] && memcmp(key.p, field_name[f], key.n) == 0) return (Field)f;
    return F_UNKNOWN;
}

/* --- reading */
typedef struct {
    JsonScan s;
    DocScratch *scratch;
    Doc *doc;
    unsigned seen;
    bool unsorted;   /* signals came out of order */
    const char *why; /* NULL: what the scanner says */
} Reader;

static bool refuse(Reader *r, const char *why)
{
    r->why = why;
    return false;
}

/* `raw` without white space outside strings, in the text scratch, which has room: the result is no longer. */
static Span compact(DocScratch *scratch, Span raw)
{
    uint8_t *begin = scratch->text.p + scratch->text.n, *q = begin;
    bool in_string = false;

    for (size_t i = 0; i < raw.n; i++) {
        uint8_t c = raw.p[i];
        if (!in_string && ascii_is_space(c)) continue;
        *q++ = c;
        if (in_string && c == '\\')
            *q++ = raw.p[++i]; /* checked JSON: something follows */
        else if (c == '"')
            in_string = !in_string;
    }
    scratch->text.n += (size_t)(q - begin);
    return (Span){begin, (size_t)(q - begin)};
}

static bool read_raw(Reader *r, Span *out)
{
    json_peek(&r->s);
    size_t spaces = r->s.space_bytes;

    if (!json_skip(&r->s, out)) return false;
    if (r->s.space_bytes != spaces) *out = compact(r->scratch, *out);
    return true;
}

static bool read_string(Reader *r, Span *out)
{
    if (json_peek(&r->s) != '"') return refuse(r, BAD_FIELD);
    return json_string(&r->s, &r->scratch->text, out);
}

static bool read_number(Reader *r, double *out)
{
    uint8_t c = json_peek(&r->s);

    if (c != '-' && !ascii_is_digit(c)) return refuse(r, BAD_FIELD);
    return json_number(&r->s, out);
}

static bool read_signal(Reader *r)
{
    DocScratch *scratch = r->scratch;
    Doc *d = r->doc;
    Signal one;

    if (!json_string(&r->s, &scratch->text, &one.name) || !json_expect(&r->s, ':') || !read_number(r, &one.value))
        return false;
    if (!(fabs(one.value) < 1e15)) return refuse(r, BAD_FIELD);
    if (d->n_signals == DOC_MAX_SIGNALS) return refuse(r, "too_many_signals");
    Signal *room = array_grow(scratch->signals, d->n_signals, &scratch->cap_signals, sizeof *room);
    if (!room) return refuse(r, NO_MEMORY);
    scratch->signals = room;
    d->signals = scratch->signals;
    if (d->n_signals && span_cmp(d->signals[d->n_signals - 1].name, one.name) >= 0) r->unsorted = true;
    d->signals[d->n_signals++] = one;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return span_cmp(((const Signal *)a)->name, ((const Signal *)b)->name);
}

static bool read_signals(Reader *r)
{
    Doc *d = r->doc;

    if (json_peek(&r->s) != '{') return refuse(r, BAD_FIELD);
    r->s.p++;
    if (json_peek(&r->s) == '}') return json_expect(&r->s, '}');
    for (;;) {
        if (!read_signal(r)) return false;
        if (json_peek(&r->s) != ',') break;
        r->s.p++;
    }
    if (!json_expect(&r->s, '}')) return false;
    if (!r->unsorted) return true;
    qsort(d->signals, d->n_signals, sizeof *d->signals, by_name);
    for (uint32_t i = 1; i < d->n_signals; i++)
        if (span_eq(d->signals[i - 1].name, d->signals[i].name)) return refuse(r, DUPLICATE);
    return true;
}

/* A key that is not ours: its bytes as they stand go to `extra`, decoded it is kept for unknown_twice(). */
static bool read_unknown(Reader *r, Span raw_key, Span key)
{
    DocScratch *scratch = r->scratch;
    Span value;

    if (scratch->n_keys == DOC_MAX_EXTRA) return refuse(r, "too_many_keys");
    Span *room = array_grow(scratch->keys, scratch->n_keys, &scratch->cap_keys, sizeof *room);
    if (!room) return refuse(r, NO_MEMORY);
    scratch->keys = room;
    scratch->keys[scratch->n_keys++] = key;
    if (!read_raw(r, &value)) return false;
    if (scratch->extra.n) buf_putc(&scratch->extra, ',');
    buf_put_span(&scratch->extra, raw_key);
    buf_putc(&scratch->extra, ':');
    buf_put_span(&scratch->extra, value);
    return scratch->extra.oom ? refuse(r, NO_MEMORY) : true;
}

static int by_bytes(const void *a, const void *b) { return span_cmp(*(const Span *)a, *(const Span *)b); }

static bool unknown_twice(DocScratch *s)
{
    if (s->n_keys < 2) return false;
    qsort(s->keys, s->n_keys, sizeof *s->keys, by_bytes);
    for (size_t i = 1; i < s->n_keys; i++)
        if (span_eq(s->keys[i - 1], s->keys[i])) return true;
    return false;
}

static bool read_member(Reader *r)
{
    Doc *d = r->doc;
    Span key, raw_key;

    json_peek(&r->s);
    const uint8_t *begin = r->s.p;
    if (!json_string(&r->s, &r->scratch->text, &key)) return false;
    raw_key = (Span){begin, (size_t)(r->s.p - begin)};
    if (!json_expect(&r->s, ':')) return false;
    Field f = field_of(key);
    if (f == F_UNKNOWN) return read_unknown(r, raw_key, key);
    if (r->seen >> f & 1) return refuse(r, DUPLICATE);
    r->seen |= 1u << f;
    switch (f) {
    case F_ID: return read_string(r, &d->id);
    case F_TEXT: return read_string(r, &d->text);
    case F_URL: return read_string(r, &d->url);
    case F_DATE: return read_string(r, &d->date);
    case F_DUMP: return read_string(r, &d->dump);
    case F_SOURCE: return read_string(r, &d->source);
    case F_DOMAIN: return read_string(r, &d->domain);
    case F_LANG: return read_string(r, &d->lang);
    case F_LANG_SCORE:
        d->has_lang_score = true;
        if (!read_number(r, &d->lang_score)) return false;
        return d->lang_score >= 0 && d->lang_score <= 1 ? true : refuse(r, BAD_FIELD);
    case F_SIGNALS: return read_signals(r);
    case F_EDITS: return json_peek(&r->s) == '[' ? read_raw(r, &d->edits) : refuse(r, BAD_FIELD);
    case F_META: return json_peek(&r->s) == '{' ? read_raw(r, &d->meta) : refuse(r, BAD_FIELD);
    case F_UNKNOWN: break;
    }
    return false;
}

static bool read_line(Reader *r)
{
    if (!json_expect(&r->s, '{')) return false;
    r->s.depth = 1;
    if (json_peek(&r->s) != '}') {
        for (;;) {
            if (!read_member(r)) return false;
            if (json_peek(&r->s) != ',') break;
            r->s.p++;
        }
    }
    if (!json_expect(&r->s, '}') || !json_at_end(&r->s)) return false;
    if (unknown_twice(r->scratch)) return refuse(r, DUPLICATE);
    if ((r->seen & 3) != 3) return refuse(r, "missing_field");
    return true;
}

bool doc_read(DocScratch *s, Span line, Doc *out, const char **why)
{
    Reader r = {.s = json_scan(line), .scratch = s, .doc = out};

    *out = (Doc){0};
    buf_recycle(&s->text);
    buf_recycle(&s->extra);
    s->n_keys = 0;
    if (line.n > DOC_MAX_LINE) return *why = "bad_json", false;
    /* Decoded strings are no longer than their spelling, so that the scratch never moves under a Span. */
    if (!buf_reserve(&s->text, line.n)) return *why = NO_MEMORY, false;
    if (!read_line(&r)) {
        *why = r.why ? r.why : r.s.why == JSON_BAD_UTF8 ? "bad_utf8" : "bad_json";
        return false;
    }
    if (s->extra.n) out->extra = buf_span(&s->extra);
    return true;
}

/* --- writing */
static void put_key(Buf *b, Field f)
{
    buf_puts(b, f == F_ID ? "\"" : ",\"");
    buf_put(b, field_name[f], field_length[f]);
    buf_puts(b, "\":");
}

static void put_text(Buf *b, Field f, Span s)
{
    if (!s.p) return;
    put_key(b, f);
    json_put_string(b, s);
}

static void put_raw(Buf *b, Field f, Span s)
{
    if (!s.p) return;
    put_key(b, f);
    buf_put_span(b, s);
}

static void put_signal(Buf *b, const Signal *s, bool first)
{
    if (!first) buf_putc(b, ',');
    json_put_string(b, s->name);
    buf_putc(b, ':');
    json_put_number(b, s->value);
}

static void put_signals(Buf *b, const Doc *d)
{
    if (d->n_signals == 0) return;
    put_key(b, F_SIGNALS);
    buf_putc(b, '{');
    for (uint32_t i = 0; i < d->n_signals; i++) put_signal(b, &d->signals[i], i == 0);
    buf_putc(b, '}');
}

void doc_write(Buf *out, const Doc *d)
{
    assert(d->id.p && d->text.p);
    buf_putc(out, '{');
    put_text(out, F_ID, d->id);
    put_text(out, F_TEXT, d->text);
    put_text(out, F_URL, d->url);
    put_text(out, F_DATE, d->date);
    put_text(out, F_DUMP, d->dump);
    put_text(out, F_SOURCE, d->source);
    put_text(out, F_DOMAIN, d->domain);
    put_text(out, F_LANG, d->lang);
    if (d->has_lang_score) {
        put_key(out, F_LANG_SCORE);
        json_put_number(out, d->lang_score);
    }
    put_signals(out, d);
    put_raw(out, F_EDITS, d->edits);
    put_raw(out, F_META, d->meta);
    if (d->extra.n) {
        buf_putc(out, ',');
        buf_put_span(out, d->extra);
    }
    buf_puts(out, "}\n");
}
