/* filter/lines.c - one pass over the lines, one over the paragraphs. */
#include "filter/lines.h"

#include "core/hash.h"
#include "core/unicode.h"
#include "core/utf8.h"

static bool is_tail(uint8_t c) { return (c & 0xC0) == 0x80; }

/* The last code point of s, s.n >= 1; *from is where it starts. */
static uint32_t last_char(Span s, size_t *from)
{
    uint32_t cp;
    size_t at = s.n - 1;

    while (at > 0 && s.n - at < 4 && is_tail(s.p[at])) at--;
    utf8_next(s.p + at, s.n - at, &cp);
    *from = at;
    return cp == UTF8_BAD ? 0xFFFD : cp;
}

static Span trim_left(Span s)
{
    while (s.n) {
        uint32_t cp;
        unsigned len = utf8_next(s.p, s.n, &cp);
        if (cp == UTF8_BAD || unicode_class(cp) != UC_SPACE) break;
        s = span_from(s, len);
    }
    return s;
}

static Span trim_right(Span s)
{
    while (s.n) {
        size_t from;
        if (unicode_class(last_char(s, &from)) != UC_SPACE) break;
        s.n = from;
    }
    return s;
}

Span text_trim(Span s) { return trim_right(trim_left(s)); }

static bool ends_with(Span s, Span tail) { return s.n >= tail.n && memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0; }

/* A line of splitlines: only its ends matter. `line` has no break inside but those of words_is_break when odd. */
static void count_shape(LineCounts *c, Span line)
{
    Span left = trim_left(line), right = trim_right(line);

    c->n_lines++;
    c->n_bullets += (left.n && left.p[0] == '-') || span_starts(left, SPAN_LIT("\u2022"));
    c->n_end_dots += ends_with(right, SPAN_LIT("...")) || ends_with(right, SPAN_LIT("\u2026"));
}

/* Bytes of the break at s.p, as one of splitlines, or 0. */
static size_t break_at(Span s)
{
    uint32_t cp;
    unsigned len = utf8_next(s.p, s.n, &cp);

    if (cp == UTF8_BAD || !words_is_break(cp)) return 0;
    return cp == '\r' && s.n > 1 && s.p[1] == '\n' ? 2 : len;
}

static void count_shapes(LineCounts *c, Span text, bool odd_breaks)
{
    while (text.n) {
        size_t end = odd_breaks ? 0 : span_find(text, '\n'), skip = 1;
        if (odd_breaks)
            while (end < text.n && !(skip = break_at(span_from(text, end)))) end++;
        count_shape(c, span(text.p, end));
        text = span_from(text, end + skip);
    }
}

/* Ends like a link to the rest of a text: the signs that MAP-NEO's Matrix pipeline counts. */
static bool is_teaser(Span line)
{
    static const char *const tails[] = {"更多",     "展开",      "展開",      "全文",  "查看详情",
                                        "readmore", "read more", "Read more", "。。。"};

    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (ends_with(line, span_str(tails[i]))) return true;
    return false;
}

static void count_text_line(LineCounts *c, Span line, uint64_t chars, uint32_t short_chars, bool seen)
{
    size_t from;

    c->n_text_lines++;
    c->text_line_chars += chars;
    c->n_terminal += unicode_is_terminal(last_char(line, &from));
    c->n_short += chars <= short_chars;
    if (seen) c->dup_text_chars += chars;
    c->n_more += is_teaser(trim_right(line));
}

/* Lines between single '\n': those with text, and the pieces between runs of '\n', which are the lines that are not
 * empty and an empty one at each end of the text where '\n' stands. */
static ErrCode count_lines(Repeats *r, LineCounts *c, Span text, uint32_t short_chars, Err *err)
{
    size_t n_max = 0;
    ErrCode rc;

    for (Span rest = text; rest.n;) {
        size_t end = span_find(rest, '\n');
        n_max += end > 0;
        rest = span_from(rest, end + 1);
    }
    if ((rc = repeats_begin(r, n_max, err)) != ERR_OK) return rc;
    for (Span rest = text; rest.n;) {
        size_t end = span_find(rest, '\n');
        Span line = {rest.p, end};
        if (end < rest.n) c->n_newlines++;
        rest = span_from(rest, end + 1);
        if (end == 0) continue;
        uint64_t chars = utf8_count(line);
        bool seen = repeats_seen(r, hash64(line));
        c->n_pieces++;
        c->n_dup_pieces += seen;
        if (seen) c->dup_piece_chars += chars;
        if (chars > c->max_chars) c->max_chars = chars;
        if (trim_left(line).n) count_text_line(c, line, chars, short_chars, seen);
    }
    if (text.n && text.p[0] == '\n') c->n_pieces++;
    if (text.n && text.p[text.n - 1] == '\n') {
        c->n_pieces++;
        c->n_dup_pieces += text.p[0] == '\n' ? 1 : 0; /* the empty piece at the front stood before it */
    }
    if (text.n == 0) c->n_pieces = 1;
    return ERR_OK;
}

static ErrCode count_paras(Repeats *r, LineCounts *c, Span text, Err *err)
{
    Span rest = text_trim(text);
    size_t n_max = 1;
    ErrCode rc;

    for (size_t i = 1; i + 1 < rest.n; i++)
        n_max += rest.p[i - 1] != '\n' && rest.p[i] == '\n' && rest.p[i + 1] == '\n';
    if ((rc = repeats_begin(r, n_max, err)) != ERR_OK) return rc;
    do {
        size_t end = 0, next;
        while ((end += span_find(span_from(rest, end), '\n')) + 1 < rest.n && rest.p[end + 1] != '\n') end++;
        if (end + 1 >= rest.n) end = rest.n;
        for (next = end; next < rest.n && rest.p[next] == '\n';) next++;
        Span para = {rest.p, end};
        c->n_paras++;
        if (repeats_seen(r, hash64(para))) {
            c->n_dup_paras++;
            c->dup_para_chars += utf8_count(para);
        }
        rest = span_from(rest, next);
    } while (rest.n);
    return ERR_OK;
}

ErrCode lines_count(Repeats *r, Span text, uint32_t short_chars, bool odd_breaks, LineCounts *out, Err *err)
{
    ErrCode rc;

    *out = (LineCounts){0};
    count_shapes(out, text, odd_breaks);
    if ((rc = count_lines(r, out, text, short_chars, err)) != ERR_OK) return rc;
    return count_paras(r, out, text, err);
}
