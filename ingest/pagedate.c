#include "ingest/pagedate.h"

/* Up to `most` digits at *at, at least `least`; false leaves *at. */
static bool digits(Span s, size_t *at, unsigned least, unsigned most, unsigned *v)
{
    size_t i = *at;

    *v = 0;
    for (; i < s.n && i - *at < most && ascii_is_digit(s.p[i]); i++) *v = *v * 10 + (s.p[i] - '0');
    if (i - *at < least) return false;
    *at = i;
    return true;
}

static void put(char *p, unsigned n, unsigned v)
{
    for (; n-- > 0; v /= 10) p[n] = (char)('0' + v % 10);
}

static bool set(PageDate *d, unsigned year, unsigned month, unsigned day)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (year < PAGEDATE_FIRST_YEAR || year > 2099 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    if (month == 2 && day == 29 && year % 4 != 0) return false; /* 2000 is a leap year */
    memcpy(d->day, "0000-00-00", sizeof d->day);
    put(d->day, 4, year);
    put(d->day + 5, 2, month);
    put(d->day + 8, 2, day);
    return true;
}

void pagedate_next(PageDate *d)
{
    const Span s = span_str(d->day);
    size_t at = 0;
    unsigned y, m, day;

    if (!digits(s, &at, 4, 4, &y) || (at++, !digits(s, &at, 2, 2, &m)) || (at++, !digits(s, &at, 2, 2, &day))) return;
    (void)(set(d, y, m, day + 1) || set(d, y, m + 1, 1) || set(d, y + 1, 1, 1));
}

/* A separator of a date's parts: one of `one`, or a character of Chinese dates, blanks around it. */
static bool pass(Span s, size_t *at, const char *one, const char *wide)
{
    size_t i = *at, n = strlen(wide);

    if (i < s.n && s.p[i] && strchr(one, s.p[i])) {
        *at = i + 1;
        return true;
    }
    while (i < s.n && s.p[i] == ' ') i++;
    if (!span_starts(span_from(s, i), span(wide, n))) return false;
    i += n;
    while (i < s.n && s.p[i] == ' ') i++;
    *at = i;
    return true;
}

/* Year, month, day at *at, parted in some way. */
static bool year_first(Span s, size_t at, PageDate *out)
{
    unsigned y, m, d;

    return digits(s, &at, 4, 4, &y) && pass(s, &at, "-/.", "年") && digits(s, &at, 1, 2, &m) &&
           pass(s, &at, "-/.", "月") && digits(s, &at, 1, 2, &d) && (at == s.n || !ascii_is_digit(s.p[at])) &&
           set(out, y, m, d);
}

static bool eight_digits(Span s, size_t at, PageDate *out)
{
    unsigned y, m, d;

    return digits(s, &at, 4, 4, &y) && digits(s, &at, 2, 2, &m) && digits(s, &at, 2, 2, &d) && set(out, y, m, d);
}

/* The month whose English name, or its first three letters, stands at *at; 0: none. */
static unsigned month_name(Span s, size_t *at)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (unsigned m = 0; m < 12 && s.n - *at >= 3; m++) {
        if (!span_eq_nocase(span(s.p + *at, 3), span(names + 3 * m, 3))) continue;
        for (*at += 3; *at < s.n && ascii_is_alpha(s.p[*at]); ++*at) {
        }
        return m + 1;
    }
    return 0;
}

static void skip_marks(Span s, size_t *at)
{
    while (*at < s.n && (s.p[*at] == ' ' || s.p[*at] == ',' || s.p[*at] == '.' || s.p[*at] == '-')) ++*at;
}

/* "May 1, 2024", "1 May 2024", "1st of May 2024" does not occur. */
static bool month_named(Span s, PageDate *out)
{
    unsigned y, m = 0, d;

    for (size_t i = 0; i < s.n; i++) {
        size_t at = i;
        if (i > 0 && ascii_is_alnum(s.p[i - 1])) continue;
        if (digits(s, &at, 1, 2, &d)) {
            skip_marks(s, &at);
            if (at >= s.n || (m = month_name(s, &at)) == 0) continue;
            skip_marks(s, &at);
        } else if ((m = month_name(s, &at)) != 0) {
            skip_marks(s, &at);
            if (!digits(s, &at, 1, 2, &d)) continue;
            skip_marks(s, &at);
        } else {
            continue;
        }
        if (digits(s, &at, 4, 4, &y) && set(out, y, m, d)) return true;
    }
    return false;
}

bool pagedate_find(Span s, PageDate *out)
{
    for (size_t i = 0; i + 8 <= s.n; i++) {
        if ((s.p[i] != '1' && s.p[i] != '2') || (i && ascii_is_digit(s.p[i - 1]))) continue;
        if (year_first(s, i, out)) return true;
    }
    return false;
}

bool pagedate_read(Span s, PageDate *out)
{
    enum { LOOK = 100 };

    s = span_trim(s);
    if (s.n > LOOK) s.n = LOOK;
    if (pagedate_find(s, out)) return true;
    if (s.n >= 8 && (s.n == 8 || s.n == 14 || s.p[8] == 'T') && eight_digits(s, 0, out)) return true;
    return month_named(s, out);
}

bool pagedate_of_url(Span url, PageDate *out)
{
    size_t scheme = 0;

    while (scheme + 2 < url.n && memcmp(url.p + scheme, "://", 3) != 0) scheme++;
    if (scheme + 2 >= url.n) return false;
    Span path = span_from(url, scheme + 3);
    path = span_from(path, span_find(path, '/'));
    path.n = span_find(path, '?');
    for (size_t i = 0; i + 9 <= path.n; i++) {
        if (path.p[i] != '/') continue;
        if (year_first(path, i + 1, out)) return true;
        size_t end = i + 9;
        if (end < path.n && ascii_is_digit(path.p[end])) continue;
        if (eight_digits(path, i + 1, out)) return true;
    }
    return false;
}
