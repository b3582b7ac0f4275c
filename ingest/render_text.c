/* ingest/render_text.c - text into the block under way, counted as it goes. Runs between blanks and what needs thought are
 * counted byte by byte through a table and copied at once. */
#include "core/utf8.h"
#include "ingest/render.h"

/* What a byte adds, in fields that a run of MAX_RUN bytes cannot overflow: weight in bits 0 to 23, commas from 24, ends of
 * sentences from 40. From 56 on flags, which end the run. */
enum { COMMA_AT = 24, SENTENCE_AT = 40, MAX_RUN = 32 << 10 };
#define ADD_COMMA    (UINT64_C(1) << COMMA_AT)
#define ADD_SENTENCE (UINT64_C(1) << SENTENCE_AT)
#define IS_BLANK     (UINT64_C(1) << 56)
#define IS_RETURN    (UINT64_C(1) << 57)
#define IS_BAR       (UINT64_C(1) << 58)
#define IS_HAN       (UINT64_C(1) << 59) /* the first of three bytes of U+4000 to U+9FFF */
#define IS_MANY      (UINT64_C(1) << 60) /* any other byte above 127 */

#define C     ADD_COMMA
#define S     ADD_SENTENCE
#define B     IS_BLANK
#define R     (IS_BLANK | IS_RETURN)
#define H     IS_HAN
#define M     IS_MANY
#define BAR   IS_BAR
#define ALL_M M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M
/* clang-format off */
static const uint64_t adds[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, B, B, B, B, R, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    B, S, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, C, 0, S, 0, /* " !" to "/" */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, S,
    0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0, 0, 0, 0, 0,
    0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10,
    10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0, BAR, 0, 0, 0,
    ALL_M, ALL_M, ALL_M, ALL_M, ALL_M, ALL_M,
    M, M, M, M, H, H, H, H, H, H, M, M, M, M, M, M,
    ALL_M};
/* clang-format on */
#undef C
#undef S
#undef B
#undef R
#undef H
#undef M
#undef BAR
#undef ALL_M

uint32_t weight_of_text(Span s)
{
    uint64_t weight = 0;
    uint32_t cp;

    for (size_t i = 0; i < s.n;) {
        uint64_t add = adds[s.p[i]];
        if (add < IS_HAN) {
            weight += add & 0xffffff;
            i++;
        } else if (add == IS_HAN && i + 3 <= s.n) {
            weight += 25;
            i += 3;
        } else {
            i += utf8_next(s.p + i, s.n - i, &cp);
            weight += weight_of(cp);
        }
    }
    return (uint32_t)weight;
}

static void saturate(uint16_t *n, uint64_t more) { *n = *n + more < UINT16_MAX ? (uint16_t)(*n + more) : UINT16_MAX; }

static void count(Render *r, uint64_t sum)
{
    uint32_t w = sum & 0xffffff;

    r->now.weight += w;
    if (r->links) r->now.link_weight += w;
    saturate(&r->now.commas, sum >> COMMA_AT & 0xffff);
    saturate(&r->now.sentences, sum >> SENTENCE_AT & 0xffff);
}

static uint64_t adds_of(uint32_t cp)
{
    uint64_t add = weight_of(cp);

    if (cp == 0xff0c || cp == 0x3001 || cp == 0xff1b) add += ADD_COMMA;
    if (cp == 0x3002 || cp == 0xff01 || cp == 0xff1f) add += ADD_SENTENCE;
    return add;
}

static bool is_wide(uint32_t cp)
{
    return weight_of(cp) == 25 || (cp >= 0x3000 && cp <= 0x303f) || (cp >= 0xff00 && cp <= 0xff65);
}

/* Characters that nobody sees: soft hyphen, zero-width space and no-break space, word joiner. */
static bool is_nothing(uint32_t cp) { return cp == 0xad || cp == 0x200b || cp == 0x2060 || cp == 0xfeff; }

/* How far from i on the text can be copied as it is: single blanks between words belong to it. *last is its last character. */
static size_t run_of_text(const Render *r, Span s, size_t i, uint64_t *sum, uint32_t *last)
{
    uint64_t total = 0;
    size_t limit = s.n - i < MAX_RUN ? s.n : i + MAX_RUN, from = i;
    bool is_row = r->row != 0;

    *last = 0;
    while (i < limit) {
        uint64_t add = adds[s.p[i]];
        if (add < IS_BLANK) {
            total += add;
            i++;
        } else if (s.p[i] == ' ') {
            if (i == from || i + 1 >= limit || adds[s.p[i + 1]] >= IS_BLANK) break;
            i++;
        } else if (add == IS_HAN && i + 3 <= s.n) {
            total += 25;
            i += 3;
        } else if (add == IS_BAR && !is_row) {
            i++;
        } else if (add >= IS_HAN) {
            uint32_t cp;
            size_t n = utf8_next(s.p + i, s.n - i, &cp);
            if (cp == 0xa0 || is_nothing(cp)) break;
            total += adds_of(cp);
            i += n;
            *last = cp;
            continue;
        } else {
            break;
        }
        *last = 0;
    }
    if (i > from && *last == 0) { /* found by its bytes: one of ASCII, or one of three */
        if (s.p[i - 1] < 0x80)
            *last = s.p[i - 1];
        else
            utf8_next(s.p + i - 3, 3, last);
    }
    *sum = total;
    return i;
}

/* What stands between the text so far and a character: a separator of cells, a blank, the ` of inline code. */
static void put_owed(Render *r, uint32_t cp)
{
    Buf *text = &r->out->text;

    if (render_owes_separators(r))
        render_put_separators(r);
    else if (r->space && !(r->owed_newline && is_wide(r->last_cp) && is_wide(cp)) && text->n > r->now.text &&
             text->p[text->n - 1] != '\n')
        buf_putc(text, ' ');
    r->space = r->owed_newline = false;
    if (!r->tick_owed) return;
    buf_putc(text, '`');
    r->tick_owed = false;
    r->tick_open = true;
}

void render_end_tick(Render *r)
{
    if (r->tick_open) buf_putc(&r->out->text, '`');
    r->tick_open = false;
}

static void owe_blank(Render *r, uint8_t c)
{
    r->owed_newline = (r->space && r->owed_newline) || c == '\n' || c == '\r';
    r->space = true;
}

static bool ends_paragraph(const Render *r)
{
    const Buf *text = &r->out->text;

    return text->n >= r->now.text + 2 && text->p[text->n - 2] == '\n';
}

/* A line of a block that begins with blanks as wide as two Han characters begins a paragraph: pages have <br>　　 or
 * <br>&nbsp;&nbsp;&nbsp;&nbsp; there. It stays in its block, though: the lines of a text are chosen together. */
static bool begins_paragraph(Span s)
{
    return span_starts(s, SPAN_LIT("\xe3\x80\x80\xe3\x80\x80")) ||
           span_starts(s, SPAN_LIT("\xc2\xa0\xc2\xa0\xc2\xa0\xc2\xa0")) ||
           span_starts(s, SPAN_LIT("\xe2\x80\x83\xe2\x80\x83"));
}

/* The character at i is no part of a run: true when it is passed over. */
static bool pass_over(Render *r, Span s, size_t *i)
{
    uint32_t cp;
    size_t n = utf8_next(s.p + *i, s.n - *i, &cp);
    bool starts_line = !render_has_text(r) || (r->out->text.p[r->out->text.n - 1] == '\n' && !r->row);

    if (starts_line && cp >= 0x80 && render_has_text(r) && begins_paragraph(span_from(s, *i)) && !ends_paragraph(r))
        buf_putc(&r->out->text, '\n');
    if (cp == ' ' || (cp >= 9 && cp <= 13) || cp == 0xa0)
        owe_blank(r, cp == 0xa0 ? 0 : s.p[*i]);
    else if (!is_nothing(cp) && !(cp == 0x3000 && starts_line))
        return false;
    *i += n;
    return true;
}

static void put_run(Render *r, Span s, size_t *i)
{
    uint64_t sum;
    uint32_t first, last;
    size_t end = run_of_text(r, s, *i, &sum, &last);

    if (!render_has_text(r)) {
        render_start_block(r);
        r->space = false;
    }
    utf8_next(s.p + *i, s.n - *i, &first);
    if (r->space || r->tick_owed || render_owes_separators(r)) put_owed(r, first);
    if (end > *i) {
        buf_put(&r->out->text, s.p + *i, end - *i);
        count(r, sum);
        r->last_cp = last;
        *i = end;
        return;
    }
    buf_puts(&r->out->text, "\\|"); /* a bar in a row alone ends no run and is none */
    r->last_cp = '|';
    ++*i;
}

void render_put_text(Render *r, Span s)
{
    for (size_t i = 0; i < s.n;) {
        uint64_t add = adds[s.p[i]];
        if ((add & (IS_BLANK | IS_MANY)) && pass_over(r, s, &i)) continue;
        put_run(r, s, &i);
    }
}

/* ---- code */

/* How far the code can be copied as it is. */
static size_t run_of_code(const Render *r, Span s, size_t i, uint64_t *sum)
{
    uint64_t total = 0;
    size_t limit = s.n - i < MAX_RUN ? s.n : i + MAX_RUN;

    while (i < limit) {
        uint8_t c = s.p[i];
        uint64_t add = adds[c];
        if (add < IS_HAN) {
            if (c == '\r' || (c == '\n' && r->soft)) break;
            total += add & (IS_BLANK - 1);
            i++;
            continue;
        }
        uint32_t cp;
        size_t n = utf8_next(s.p + i, s.n - i, &cp);
        if (cp == 0xa0 || is_nothing(cp)) break;
        total += adds_of(cp);
        i += n;
    }
    *sum = total;
    return i;
}

/* One character that does not stay as it is. */
static size_t put_code_char(Render *r, Span s, size_t i)
{
    Buf *text = &r->out->text;
    uint32_t cp;
    size_t n = utf8_next(s.p + i, s.n - i, &cp);

    if (cp == 0xa0) {
        buf_putc(text, ' ');
    } else if (cp == '\r') {
        if (i + 1 >= s.n || s.p[i + 1] != '\n') buf_putc(text, r->soft ? ' ' : '\n');
    } else if (cp == '\n') { /* the source goes on in its next line */
        while (i + n < s.n && ascii_is_space(s.p[i + n])) n++;
        if (text->n > r->now.text && text->p[text->n - 1] != '\n' && i + n < s.n) buf_putc(text, ' ');
    }
    return n;
}

/* Where the first line with text in it begins; s.n: it has none. What stands before is kept aside, since the text may begin in
 * another node. */
static size_t skip_blank_lines(Render *r, Span s)
{
    Buf *indent = &r->out->indent;
    size_t i = 0, n;
    bool passed = false; /* a line end in the source of lines that are elements: blanks behind it are none */

    for (; i < s.n; i += n) {
        uint32_t cp;
        n = utf8_next(s.p + i, s.n - i, &cp);
        if (cp == '\n') {
            buf_reset(indent);
            passed = r->soft;
        } else if (cp == 0xa0 || (!passed && (cp == ' ' || cp == '\t')))
            buf_putc(indent, cp == '\t' ? '\t' : ' ');
        else if (cp != '\r' && cp != ' ' && cp != '\t' && !is_nothing(cp))
            break;
    }
    return i;
}

void render_put_code(Render *r, Span s)
{
    Buf *text = &r->out->text, *indent = &r->out->indent;
    size_t i = 0;

    if (!render_has_text(r)) {
        if ((i = skip_blank_lines(r, s)) == s.n) return;
        render_start_block(r);
        buf_put_span(text, buf_span(indent));
        r->space = r->owed_newline = false;
    } else if (r->after_line && ascii_is_space(s.p[0]) && span_trim(s).n == 0 && span_find(s, '\n') < s.n) {
        return; /* between elements that are lines */
    }
    r->after_line = false;
    while (i < s.n) {
        uint64_t sum;
        size_t end = run_of_code(r, s, i, &sum);
        buf_put(text, s.p + i, end - i);
        count(r, sum);
        i = end > i ? end : i + put_code_char(r, s, i);
    }
}
