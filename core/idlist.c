#include "core/idlist.h"

#include "core/json.h"
#include "core/lines.h"
#include "core/log.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- a line */

static bool stands_bare(Span id)
{
    uint32_t cp;

    if (id.n == 0 || id.p[0] == '"' || id.p[0] == '#' || span_trim(id).n < id.n) return false;
    for (size_t i = 0; i < id.n;) {
        if (span_starts(span_from(id, i), SPAN_LIT("://"))) return false;
        i += utf8_next(id.p + i, id.n - i, &cp);
        if (cp == UTF8_BAD || utf8_is_control(cp)) return false;
    }
    return span_find(id, '#') < id.n;
}

void id_put_line(Buf *b, Span id)
{
    uint32_t cp;

    if (stands_bare(id)) {
        buf_put_span(b, id);
        buf_putc(b, '\n');
        return;
    }
    buf_putc(b, '"');
    for (size_t i = 0; i < id.n;) {
        const size_t n = utf8_next(id.p + i, id.n - i, &cp);
        if (cp == UTF8_BAD || utf8_is_control(cp))
            buf_printf(b, "\\u%04" PRIx32, cp == UTF8_BAD ? 0xfffd : cp);
        else if (cp == '"' || cp == '\\')
            buf_printf(b, "\\%c", (int)cp);
        else
            buf_put(b, id.p + i, n);
        i += n;
    }
    buf_puts(b, "\"\n");
}

bool id_is_quoted(Span line, Buf *scratch, Span *id, bool *bad)
{
    JsonScan scan = json_scan(line);

    *id = line;
    *bad = false;
    if (line.n == 0 || line.p[0] != '"') return false;
    buf_reset(scratch);
    *bad = !buf_reserve(scratch, line.n) || !json_string(&scan, scratch, id) || !json_at_end(&scan);
    return !*bad;
}

static bool is_utf16(Span text)
{
    return span_starts(text, SPAN_LIT("\xFF\xFE")) || span_starts(text, SPAN_LIT("\xFE\xFF"));
}

ErrCode list_each(const char *path, ListLine fn, void *ctx, Err *err)
{
    const Span mark = SPAN_LIT("\xEF\xBB\xBF");
    Buf text = {0};
    uint64_t number = 0;
    ErrCode rc = store_read(path, IDLIST_MAX_BYTES, &text, err);
    Span rest = buf_span(&text);

    if (rc == ERR_OK && is_utf16(rest))
        rc = err_set(err, ERR_DATA, "%s is UTF-16: a list is text in UTF-8 (iconv -f UTF-16 -t UTF-8)", path);
    if (span_starts(rest, mark)) rest = span_from(rest, mark.n);
    while (rc == ERR_OK && rest.n) {
        const Span line = span_trim(line_take(&rest));
        number++;
        if (!utf8_valid(line))
            rc = err_set(err, ERR_DATA, "%s: line %" PRIu64 " is not UTF-8: a list is text in UTF-8", path, number);
        else if (line.n)
            rc = fn(ctx, line, number, err);
    }
    buf_clear(&text);
    return rc;
}

/* --- a set */

void hashset_take(HashSet *s, Buf *hashes)
{
    const size_t n = hashes->n / sizeof *s->hash;

    *s = (HashSet){.hash = (uint64_t *)(void *)hashes->p};
    *hashes = (Buf){0};
    if (n) qsort(s->hash, n, sizeof *s->hash, u64_compare);
    for (size_t i = 0; i < n; i++)
        if (s->hash[i] && (s->n == 0 || s->hash[i] != s->hash[s->n - 1])) s->hash[s->n++] = s->hash[i];
}

void hashset_clear(HashSet *s)
{
    free(s->hash);
    free(s->seen);
    *s = (HashSet){0};
}

static const uint64_t *find(const HashSet *s, uint64_t hash)
{
    return s->n ? bsearch(&hash, s->hash, s->n, sizeof hash, u64_compare) : NULL;
}

bool hashset_has(const HashSet *s, uint64_t hash) { return find(s, hash) != NULL; }

ErrCode hashset_watch(HashSet *s, Err *err)
{
    if (!s->seen) s->seen = calloc(s->n + 1, sizeof *s->seen);
    return s->seen ? ERR_OK : err_nomem(err, "a list");
}

bool hashset_mark(const HashSet *s, uint64_t hash)
{
    const uint64_t *at = find(s, hash);

    if (at && s->seen) {
#pragma omp atomic write
        s->seen[at - s->hash] = 1;
    }
    return at != NULL;
}

bool hashset_is_missing(const HashSet *s, uint64_t hash)
{
    const uint64_t *at = find(s, hash);

    return at && s->seen && s->seen[at - s->hash] == 0;
}

/* --- what was not found */

enum { MISSING_NAMED = 10, MISSING_BYTES = 60 };

void listmissing_add(ListMissing *m, Span line)
{
    if (m->n++ >= MISSING_NAMED) return;
    buf_puts(&m->first, m->first.n ? ", " : "");
    buf_put_span(&m->first, span(line.p, utf8_floor(line, MISSING_BYTES)));
    if (line.n > MISSING_BYTES) buf_puts(&m->first, "…");
}

ErrCode listmissing_warn(ListMissing *m, const char *who, const char *list, const char *what, Err *err)
{
    const ErrCode rc = buf_ok(&m->first, "what was not found", err);

    if (rc == ERR_OK && m->n > MISSING_NAMED)
        log_warn("%s: %" PRIu64 " entries of %s %s: %s and %" PRIu64 " more", who, m->n, list, what,
                 buf_cstr(&m->first), m->n - MISSING_NAMED);
    else if (rc == ERR_OK && m->n)
        log_warn("%s: %" PRIu64 " %s of %s %s: %s", who, m->n, m->n == 1 ? "entry" : "entries", list, what,
                 buf_cstr(&m->first));
    buf_clear(&m->first);
    *m = (ListMissing){0};
    return rc;
}
