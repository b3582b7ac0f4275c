#include "ingest/arc.h"

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

/* The last field of `s`, without blanks; *before: where it starts. */
static Span last_field(Span s, size_t *before)
{
    size_t end = s.n, begin;

    while (end && is_blank(s.p[end - 1])) end--;
    for (begin = end; begin && !is_blank(s.p[begin - 1]);) begin--;
    *before = begin;
    return span(s.p + begin, end - begin);
}

static bool is_date(Span f)
{
    if (f.n < ARC_MIN_DATE || f.n > ARC_MAX_DATE) return false;
    for (size_t i = 0; i < f.n; i++)
        if (!ascii_is_digit(f.p[i])) return false;
    return true;
}

/* "93.184.216.119", "2001:db8::1", "-" for none. */
static bool is_address(Span f)
{
    if (f.n == 0 || f.n > 64) return false;
    for (size_t i = 0; i < f.n; i++)
        if (!memchr("0123456789abcdefABCDEF.:[]-", f.p[i], 27)) return false;
    return true;
}

WarcHeadStatus arc_head(Span s, WarcHead *out)
{
    size_t n = span_find(s.n > ARC_MAX_LINE ? span(s.p, ARC_MAX_LINE) : s, '\n'), at, date_at, address_at;
    bool cut;

    *out = (WarcHead){0};
    if (!stream_starts_url(s, &cut)) return cut ? WARC_HEAD_CUT : WARC_HEAD_BAD;
    if (n == ARC_MAX_LINE) return WARC_HEAD_BAD;
    if (n == s.n) return WARC_HEAD_CUT;
    Span line = span(s.p, n), date, length;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    length = last_field(line, &at);
    last_field(span(line.p, at), &at); /* the content type has a field at least */
    for (date_at = at;;) {
        date = last_field(span(line.p, date_at), &date_at);
        if (date.n == 0 || date_at == 0) return WARC_HEAD_BAD;
        if (is_date(date) && is_address(last_field(span(line.p, date_at), &address_at))) break;
    }
    out->target_uri = span_trim(span(line.p, address_at));
    if (out->target_uri.n == 0) return WARC_HEAD_BAD;
    out->type =
        span_eq_nocase(span(line.p, line.n < 9 ? line.n : 9), SPAN_LIT("filedesc:")) ? WARC_INFO : WARC_RESPONSE;
    out->is_arc = true;
    out->date = span(date.p, date.n < ARC_DATE ? date.n : ARC_DATE);
    out->content_type = span_trim(span(date.p + date.n, (size_t)(length.p - date.p) - date.n));
    out->has_length = span_to_u64(length, &out->length);
    out->head_bytes = n + 1;
    return WARC_HEAD_FINE;
}
