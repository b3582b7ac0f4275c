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

/* --- the file */

ErrCode alarm_publish(const char *dir, const AlarmBands *bands, Err *err)
{
    char path[PATH_MAX];
    Buf b = {0};
    ErrCode rc = dataset_path(path, dir, ALARM_FILE, err);

    if (rc != ERR_OK || bands->n == 0) return rc == ERR_OK ? store_delete(path, err) : rc;
    buf_puts(&b, "{\"format\":\"tamis-alarm\",\"version\":1,\"bands\":[");
    for (size_t i = 0; i < bands->n; i++) {
        buf_puts(&b, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(&b, bands->v[i].name);
        buf_printf(&b, ",\"low\":%.17g,\"high\":%.17g}", bands->v[i].low, bands->v[i].high);
    }
    buf_puts(&b, "]}\n");
    rc = buf_ok(&b, ALARM_FILE, err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
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

ErrCode alarm_load(Arena *a, const char *dir, AlarmBands *bands, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0};
    bool exists = false;
    Json *root;
    ErrCode rc = dataset_path(path, dir, ALARM_FILE, err);

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

/* --- the verdict */

typedef struct {
    uint64_t n, of;
} Share;

static Share share_of_group(const Counters *c, Span group, Span name)
{
    Share s = {0};

    for (size_t i = 0; i < c->n; i++) {
        if (!span_eq(c->v[i].group, group)) continue;
        s.of += c->v[i].docs;
        if (span_eq(c->v[i].name, name)) s.n += c->v[i].docs;
    }
    return s;
}

static Share share_of(Span name, const AlarmCounts *c)
{
    const size_t slash = span_find(name, '/');
    Share s = {.of = c->n_in};
    uint32_t at;

    if (slash < name.n) return share_of_group(c->counters, span(name.p, slash), span_from(name, slash + 1));
    if (find_reason(name, c->reasons, c->n_reasons, &at)) s.n = c->dropped[at];
    if (span_is(name, "drop"))
        for (uint32_t i = 0; i < c->n_reasons; i++) s.n += c->dropped[i];
    return s;
}

/* Further beyond the edge than so many standard deviations sqrt(edge (1 - edge) / n), compared as squares. */
static bool beyond(double distance, double edge, double n, double sigmas)
{
    return distance > 0 && distance * distance * n > sigmas * sigmas * edge * (1 - edge);
}

static bool has_left(const AlarmBand *b, Share s, bool final)
{
    const double rate = s.of ? (double)s.n / (double)s.of : 0, n = (double)s.of;

    if (final) return rate < b->low || rate > b->high;
    if (s.of < ALARM_LEAST) return false;
    return beyond(b->low - rate, b->low, n, ALARM_SIGMAS) || beyond(rate - b->high, b->high, n, ALARM_SIGMAS);
}

ErrCode alarm_judge(const AlarmBands *bands, const char *dir, const AlarmCounts *counts, bool final, Err *err)
{
    for (size_t i = 0; i < bands->n; i++) {
        const AlarmBand *b = &bands->v[i];
        const Share s = share_of(b->name, counts);
        if (!has_left(b, s, final)) continue;
        return err_set(err, ERR_NO,
                       "alarm: %s: %.*s is %.4f of %" PRIu64
                       " documents%s, outside %g:%g; finished parts stay: look at them, "
                       "then give --no-alarm or another band",
                       dir, (int)(b->name.n < 200 ? b->name.n : 200), (const char *)b->name.p,
                       s.of ? (double)s.n / (double)s.of : 0, s.of, final ? "" : " so far", b->low, b->high);
    }
    return ERR_OK;
}
