#include "tokenize/nfc.h"

#include "core/utf8.h"
#include "tokenize/nfc_tables.inc"

#include <stdlib.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))
enum {
    L_BASE = 0x1100,
    V_BASE = 0x1161,
    T_BASE = 0x11A7,
    S_BASE = 0xAC00,
    N_L = 19,
    N_V = 21,
    N_T = 28,
    N_S = 11172
};

/* The row of a table of `width` numbers a row, sorted by ranges [0], [1], that cp is in; NULL: none. */
static const uint32_t *find_range(const uint32_t *table, size_t n, size_t width, uint32_t cp)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cp > table[mid * width + 1])
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && cp >= table[low * width] ? table + low * width : NULL;
}

/* May cp change, or change what stands before it? */
static bool is_slow(uint32_t cp)
{
    if (cp < 0x300 || cp == UTF8_BAD || (cp >= 0x3100 && cp < 0xA000)) return false;
    return find_range(nfc_slow[0], COUNT(nfc_slow), 2, cp) != NULL;
}

static unsigned class_of(uint32_t cp)
{
    if (cp < 0x300) return 0;
    const uint32_t *row = find_range(nfc_class[0], COUNT(nfc_class), 3, cp);
    return row ? row[2] : 0;
}

/* --- one segment: a character that nothing before it combines with, and those behind it that may combine.
 * A decomposed character is kept as class << 56 | place << 21 | code point, so that sorting is stable. */
enum { CP_BITS = 21, PLACE_BITS = 35 };

static void put_decomposed(Buf *seq, uint32_t cp)
{
    uint64_t v = (uint64_t)class_of(cp) << (CP_BITS + PLACE_BITS) | (uint64_t)(seq->n / sizeof v) << CP_BITS | cp;

    buf_put(seq, &v, sizeof v);
}

static void decompose(Buf *seq, uint32_t cp)
{
    size_t low = 0, high = COUNT(nfc_full);

    if (cp - S_BASE < N_S) {
        uint32_t s = cp - S_BASE, t = s % N_T;
        put_decomposed(seq, L_BASE + s / (N_V * N_T));
        put_decomposed(seq, V_BASE + s % (N_V * N_T) / N_T);
        if (t) put_decomposed(seq, T_BASE + t);
        return;
    }
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (nfc_full[mid][0] < cp)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == COUNT(nfc_full) || nfc_full[low][0] != cp) {
        put_decomposed(seq, cp);
        return;
    }
    for (int i = 1; i < 5 && nfc_full[low][i]; i++) put_decomposed(seq, nfc_full[low][i]);
}

/* Sorts each run of marks by class. */
static void put_in_order(uint64_t *v, size_t n)
{
    for (size_t i = 0, k; i < n; i = k + 1) {
        for (k = i; k < n && v[k] >> (CP_BITS + PLACE_BITS); k++) continue;
        if (k - i > 1) qsort(v + i, k - i, sizeof *v, u64_compare);
    }
}

/* The composite of two characters, or 0. */
static uint32_t compose_pair(uint32_t a, uint32_t b)
{
    size_t low = 0, high = COUNT(nfc_pair);

    if (a - L_BASE < N_L && b - V_BASE < N_V) return S_BASE + ((a - L_BASE) * N_V + (b - V_BASE)) * N_T;
    if (a - S_BASE < N_S && (a - S_BASE) % N_T == 0 && b - T_BASE - 1 < N_T - 1) return a + (b - T_BASE);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (nfc_pair[mid][0] < a || (nfc_pair[mid][0] == a && nfc_pair[mid][1] < b))
            low = mid + 1;
        else
            high = mid;
    }
    return low < COUNT(nfc_pair) && nfc_pair[low][0] == a && nfc_pair[low][1] == b ? nfc_pair[low][2] : 0;
}

/* Composes in place; the number of characters left. */
static size_t compose(uint64_t *v, size_t n_in)
{
    const uint64_t cp_mask = ((uint64_t)1 << CP_BITS) - 1;
    size_t n = 0, starter = SIZE_MAX;
    unsigned last = 0; /* class of the last character kept */

    for (size_t i = 0; i < n_in; i++) {
        uint32_t cp = (uint32_t)(v[i] & cp_mask), both = 0;
        unsigned class = (unsigned)(v[i] >> (CP_BITS + PLACE_BITS));
        if (starter != SIZE_MAX && (n == starter + 1 || last < class)) both = compose_pair((uint32_t)v[starter], cp);
        if (both) {
            v[starter] = both;
            continue;
        }
        if (class == 0) starter = n;
        last = class;
        v[n++] = cp;
    }
    return n;
}

static void put_segment(Span segment, Buf *seq, Buf *out)
{
    uint32_t cp;

    buf_reset(seq);
    for (size_t at = 0; at < segment.n;) {
        at += utf8_next(segment.p + at, segment.n - at, &cp);
        decompose(seq, cp);
    }
    uint64_t *v = (uint64_t *)(void *)seq->p;
    size_t n = seq->n / sizeof *v;
    put_in_order(v, n);
    n = compose(v, n);
    for (size_t i = 0; i < n; i++) utf8_append(out, (uint32_t)v[i]);
    out->oom |= seq->oom;
}

/* --- all of a text */

/* The next segment that has to be looked at, from `from` on, where none may be under way: [*begin, *end). */
static void next_segment(Span text, size_t from, size_t *begin, size_t *end)
{
    size_t at = from,
           before =
               from; /* before: where the character ahead of `at` begins, `at` itself when it combines with nothing */
    uint32_t cp;

    *begin = *end = text.n;
    for (; at < text.n;) {
        if (text.n - at >= 8 && !(le64_get(text.p + at) & 0x8080808080808080u)) {
            at += 8;
            before = at - 1;
            continue;
        }
        size_t next = at + utf8_next(text.p + at, text.n - at, &cp);
        if (is_slow(cp)) break;
        before = cp == UTF8_BAD ? next : at;
        at = next;
    }
    if (at == text.n) return;
    *begin = before;
    for (*end = at; *end < text.n;) {
        size_t n = utf8_next(text.p + *end, text.n - *end, &cp);
        if (!is_slow(cp)) break;
        *end += n;
    }
}

size_t nfc_first(Span text)
{
    size_t begin, end;

    next_segment(text, 0, &begin, &end);
    return begin;
}

ErrCode nfc_text(Span text, Buf *buf, Span *out, Err *err)
{
    size_t begin, end, done = 0;
    Buf seq = {0};

    *out = text;
    next_segment(text, 0, &begin, &end);
    if (begin == text.n) return ERR_OK;
    buf_reset(buf);
    while (begin < text.n) {
        buf_put(buf, text.p + done, begin - done);
        put_segment((Span){text.p + begin, end - begin}, &seq, buf);
        done = end;
        next_segment(text, done, &begin, &end);
    }
    buf_put_span(buf, span_from(text, done));
    buf_clear(&seq);
    *out = buf_span(buf);
    return buf_ok(buf, "a normalized text", err);
}
