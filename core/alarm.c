#include "core/alarm.h"

#include "core/dataset_files.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALARM_FILE_MAX = 1 << 20 };

/* --- bands */

static bool band_is_sound(const AlarmBand *b)
{
    return b->name.n && b->low >= 0 && b->low <= b->high && b->high <= 1; /* false for NaN */
}

/* A number and what must follow it. */
static bool parse_share(const char **s, char end, double *out)
{
    char *after;

    if (!ascii_is_digit((uint8_t) * *s) && **s != '.') return false;
    *out = strtod(*s, &after);
    if (after == *s || *after != end) return false;
    *s = after + 1;
    return true;
}

bool alarm_parse(const char *s, AlarmBand *out)
{
    const char *equals = strrchr(s, '=');

    if (!equals) return false;
    out->name = span(s, (size_t)(equals - s));
    s = equals + 1;
    return parse_share(&s, ':', &out->low) && parse_share(&s, 0, &out->high) && band_is_sound(out);
}

static bool find_reason(Span name, const char *const *reasons, uint32_t n_reasons, uint32_t *at)
{
    for (*at = 0; *at < n_reasons; ++*at)
        if (span_is(name, reasons[*at])) return true;
    return false;
}

ErrCode alarm_check(const AlarmBands *bands, const char *const *reasons, uint32_t n_reasons, Err *err)
{
    uint32_t at;

    for (size_t i = 0; i < bands->n; i++) {
        const Span name = bands->v[i].name;
        if (span_find(name, '/') < name.n || span_is(name, "drop") || find_reason(name, reasons, n_reasons, &at))
            continue;
        return err_set(err, ERR_USAGE,
                       "--alarm %.*s: no such rate; there are drop, the stage's reasons, and GROUP/NAME",
                       (int)(name.n < 200 ? name.n : 200), (const char *)name.p);
    }
    return ERR_OK;
}

/* --- the files */

static void put_bands(Buf *b, const AlarmBand *band, size_t n)
{
    buf_puts(b, "{\"format\":\"tamis-alarm\",\"version\":1,\"bands\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(b, band[i].name);
        buf_printf(b, ",\"low\":%.17g,\"high\":%.17g}", band[i].low, band[i].high);
    }
    buf_puts(b, "]}\n");
}

static ErrCode holds(const char *path, Span text, bool *same, Err *err)
{
    Buf there = {0};
    bool exists;
    ErrCode rc = store_exists(path, &exists, err);

    *same = false;
    if (rc != ERR_OK || !exists) return rc;
    rc = store_read(path, ALARM_FILE_MAX, &there, err);
    *same = rc == ERR_OK && span_eq(buf_span(&there), text);
    buf_clear(&there);
    return rc == ERR_LIMIT ? ERR_OK : rc;
}

/* A thousand tasks with the same bands write them once. */
static ErrCode write_bands(const char *dir, const char *name, const AlarmBand *band, size_t n, Err *err)
{
    char path[PATH_MAX];
    Buf b = {0};
    bool same = false;
    ErrCode rc = dataset_path(path, dir, name, err);

    put_bands(&b, band, n);
    if (rc == ERR_OK) rc = buf_ok(&b, name, err);
    if (rc == ERR_OK) rc = holds(path, buf_span(&b), &same, err);
    if (rc == ERR_OK && !same) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

static ErrCode delete_file(const char *dir, const char *name, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = dataset_path(path, dir, name, err);

    return rc == ERR_OK ? store_delete(path, err) : rc;
}

ErrCode alarm_publish(const char *dir, const AlarmBands *bands, bool forget, Err *err)
{
    ErrCode rc = forget ? delete_file(dir, ALARM_FIRED_FILE, err) : ERR_OK;

    if (rc != ERR_OK) return rc;
    if (bands->n) return write_bands(dir, ALARM_FILE, bands->v, bands->n, err);
    return forget ? delete_file(dir, ALARM_FILE, err) : ERR_OK;
}

static ErrCode read_bands(const Json *root, const char *path, AlarmBands *bands, Err *err)
{
    const Json *list = json_get(root, "bands");

    if (!list || list->type != JSON_ARRAY || list->n > ALARM_MAX_BANDS)
        return err_set(err, ERR_DATA, "%s: no list of at most %d bands", path, ALARM_MAX_BANDS);
    for (const Json *j = list->child; j; j = j->next) {
        const Json *name = json_get(j, "name"), *low = json_get(j, "low"), *high = json_get(j, "high");
        AlarmBand *b = &bands->v[bands->n++];
        const bool whole =
            name && name->type == JSON_STRING && low && low->type == JSON_NUMBER && high && high->type == JSON_NUMBER;
        if (whole) *b = (AlarmBand){name->string, low->number, high->number};
        if (!whole || !band_is_sound(b)) return err_set(err, ERR_DATA, "%s: band %zu is none", path, bands->n);
    }
    return ERR_OK;
}

static ErrCode load_bands(Arena *a, const char *dir, const char *name, AlarmBands *bands, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0};
    bool exists = false;
    Json *root;
    ErrCode rc = dataset_path(path, dir, name, err);

    bands->n = 0;
    if (rc == ERR_OK) rc = store_exists(path, &exists, err);
    if (rc != ERR_OK || !exists) return rc;
    if ((rc = store_read(path, ALARM_FILE_MAX, &text, err)) == ERR_OK) {
        const Span kept = arena_copy(a, buf_span(&text));
        rc = kept.p ? json_parse(a, kept, path, &root, err) : err_nomem(err, "bands");
    }
    if (rc == ERR_OK) rc = read_bands(root, path, bands, err);
    buf_clear(&text);
    return rc;
}

ErrCode alarm_load(Arena *a, const char *dir, AlarmBands *bands, Err *err)
{
    return load_bands(a, dir, ALARM_FILE, bands, err);
}

/* --- the verdict */

typedef struct {
    uint64_t n, of;
} Rate;

static Rate rate_in_group(const Counters *c, Span group, Span name)
{
    Rate r = {0};

    for (size_t i = 0; i < c->n; i++) {
        if (!span_eq(c->v[i].group, group)) continue;
        r.of += c->v[i].docs;
        if (span_eq(c->v[i].name, name)) r.n += c->v[i].docs;
    }
    return r;
}

static uint64_t all_dropped(const AlarmCounts *c)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < c->n_reasons; i++) n += c->dropped[i];
    return n;
}

static Rate rate_of(Span name, const AlarmCounts *c)
{
    const size_t slash = span_find(name, '/');
    Rate r = {.of = c->n_in};
    uint32_t at;

    if (slash < name.n) return rate_in_group(c->counters, span(name.p, slash), span_from(name, slash + 1));
    if (span_is(name, "drop"))
        r.n = all_dropped(c);
    else if (find_reason(name, c->reasons, c->n_reasons, &at))
        r.n = c->dropped[at];
    return r;
}

/* Whether the band is left even if all that is to come counts, or nothing of it does. */
static bool has_left(const AlarmBand *b, Rate r, double to_come)
{
    const double n = (double)r.n, of = (double)r.of + to_come;
    const double least = of > 0 ? n / of : 0, most = of > 0 ? (n + to_come) / of : 0;

    return least > b->high || most < b->low;
}

static int shown(Span name) { return (int)(name.n < 200 ? name.n : 200); }

/* The names of a group, as many as a message holds. */
static void put_names(Buf *b, const Counters *c, Span group)
{
    enum { MOST = 200 };

    for (size_t i = 0; i < c->n; i++) {
        if (!span_eq(c->v[i].group, group)) continue;
        if (b->n > MOST) {
            buf_puts(b, ", …");
            return;
        }
        buf_printf(b, "%s%.*s", b->n ? ", " : "", shown(c->v[i].name), (const char *)c->v[i].name.p);
    }
}

/* A language that may be missing without being misspelt (core/doc.h). */
static bool is_language(Span name)
{
    static const char *const known[] = {"lang/en", "lang/zh-Hans", "lang/zh-Hant", "lang/code", "lang/other"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_is(name, known[i])) return true;
    return false;
}

/* "lagn/en" and "lang/eng" are shares of nothing for ever. Where no document was kept that may be right, else it is a mistake, unless the
 * band wants none of that name or is left by none. */
static ErrCode check_watches(const AlarmBand *b, Rate r, const char *dir, const AlarmCounts *c, Err *err)
{
    const size_t slash = span_find(b->name, '/');
    Buf names = {0};

    if (c->n_to_come > 0 || c->n_in <= all_dropped(c)) return ERR_OK;
    if (r.of == 0)
        return err_set(
            err, ERR_USAGE,
            "alarm: %s: %.*s: nothing is counted in such a group; give --no-alarm or a group of stats.json", dir,
            shown(b->name), (const char *)b->name.p);
    if (r.n || slash == b->name.n || b->low > 0 || b->high == 0 || is_language(b->name)) return ERR_OK;
    put_names(&names, c->counters, span(b->name.p, slash));
    const char *list = buf_cstr(&names);
    const ErrCode rc =
        err_set(err, ERR_USAGE,
                "alarm: %s: %.*s: nothing is counted under that name, but under %s; give --no-alarm or one of these",
                dir, shown(b->name), (const char *)b->name.p, list ? list : "others");
    buf_clear(&names);
    return rc;
}

#define WHAT_NOW "finished parts stay: look at them, then give --no-alarm or another band"

ErrCode alarm_judge(const AlarmBands *bands, const char *dir, const AlarmCounts *counts, const AlarmBand **left,
                    Err *err)
{
    for (size_t i = 0; i < bands->n; i++) {
        const AlarmBand *b = &bands->v[i];
        const Rate r = rate_of(b->name, counts);
        const bool partial = counts->n_to_come > 0;
        const ErrCode rc = check_watches(b, r, dir, counts, err);
        if (rc != ERR_OK) return rc;
        if (!has_left(b, r, counts->n_to_come)) continue;
        if (left) *left = b;
        return err_set(err, ERR_NO, "alarm: %s: %.*s is %.6g of %" PRIu64 " documents%s, outside %g:%g%s; " WHAT_NOW,
                       dir, shown(b->name), (const char *)b->name.p, r.of ? (double)r.n / (double)r.of : 0, r.of,
                       partial ? " so far" : "", b->low, b->high, partial ? " whatever follows" : "");
    }
    return ERR_OK;
}

/* --- between processes */

ErrCode alarm_fire(const char *dir, const AlarmBand *left, Err *err)
{
    return write_bands(dir, ALARM_FIRED_FILE, left, 1, err);
}

static bool same_band(const AlarmBand *a, const AlarmBand *b)
{
    return span_eq(a->name, b->name) && a->low == b->low && a->high == b->high;
}

ErrCode alarm_fired(const char *dir, const AlarmBands *bands, Err *err)
{
    AlarmBands fired = {0};
    Arena a = {0};
    ErrCode rc = bands->n ? load_bands(&a, dir, ALARM_FIRED_FILE, &fired, err) : ERR_OK;

    for (size_t i = 0; i < bands->n && rc == ERR_OK; i++) {
        const AlarmBand *b = &bands->v[i];
        for (size_t k = 0; k < fired.n && rc == ERR_OK; k++)
            if (same_band(b, &fired.v[k]))
                rc = err_set(err, ERR_NO, "alarm: %s: another process found %.*s outside %g:%g; " WHAT_NOW, dir,
                             shown(b->name), (const char *)b->name.p, b->low, b->high);
    }
    arena_clear(&a);
    return rc;
}
