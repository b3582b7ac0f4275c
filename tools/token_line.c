#include "tools/token_line.h"

#include "core/json.h"
#include "tools/token_streams.h"

const char *const line_reasons[LINE_N_REASONS] = {
    [LINE_TOO_LONG] = "too_long",
    [LINE_BAD_JSON] = "bad_json",
    [LINE_NO_TEXT] = "no_text",
    [LINE_EMPTY_TEXT] = "empty_text",
};

typedef enum { KEY_TEXT, KEY_ID, KEY_DOMAIN, KEY_LANG, N_KEYS } LineKey;
static const char *const key_names[N_KEYS] = {"text", "id", "domain", "lang"};

static LineKey key_of(Span key)
{
    LineKey k = 0;

    while (k < N_KEYS && !span_is(key, key_names[k])) k++;
    return k;
}

/* A name of a language as documents have it; else absent. */
static Span known_lang(Span lang)
{
    static const char *const known[] = {"en", "zh-Hans", "zh-Hant", "code", "other"};

    if (span_is(lang, "zh")) return SPAN_LIT("zh-Hans");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_is(lang, known[i])) return lang;
    return (Span){NULL, 0};
}

/* The value of a member. Strings are decoded, other types give an absent value. */
static bool read_value(JsonScan *s, Buf *scratch, LineKey key, Span *value)
{
    const bool is_string = json_peek(s) == '"';
    Span raw;

    if (is_string && key != KEY_ID && key != N_KEYS) return json_string(s, scratch, value);
    if (!json_skip(s, &raw)) return false;
    if (key == KEY_ID && raw.n && (is_string || raw.p[0] == '-' || ascii_is_digit(raw.p[0]))) *value = raw;
    return true;
}

/* False: bad JSON. */
static bool read_object(JsonScan *s, Buf *scratch, Span value[N_KEYS])
{
    bool seen[N_KEYS] = {false};
    Span name, other;

    if (!json_expect(s, '{')) return false;
    if (json_peek(s) == '}') return json_expect(s, '}') && json_at_end(s);
    for (;;) {
        if (!json_string(s, scratch, &name) || !json_expect(s, ':')) return false;
        const LineKey key = key_of(name);
        if (key != N_KEYS && seen[key]) return false;
        if (key != N_KEYS) seen[key] = true;
        if (!read_value(s, scratch, key, key == N_KEYS ? &other : &value[key])) return false;
        if (json_peek(s) != ',') break;
        if (!json_expect(s, ',')) return false;
        json_peek(s);
    }
    return json_expect(s, '}') && json_at_end(s);
}

LineReason line_read(Buf *scratch, Span line, LineDoc *out)
{
    Span value[N_KEYS] = {{NULL, 0}};
    JsonScan s = json_scan_text(line);

    *out = (LineDoc){{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    buf_recycle(scratch);
    if (!buf_reserve(scratch, line.n + 1)) return LINE_N_REASONS;
    s.depth = 1;
    if (!read_object(&s, scratch, value)) return LINE_BAD_JSON;
    if (!value[KEY_TEXT].p) return LINE_NO_TEXT;
    *out = (LineDoc){.text = value[KEY_TEXT], .id = value[KEY_ID], .lang = known_lang(value[KEY_LANG])};
    if (domain_fits_stream(value[KEY_DOMAIN])) out->domain = value[KEY_DOMAIN];
    return LINE_N_REASONS;
}
