#include "core/idlist.h"

#include "core/json.h"
#include "core/lines.h"
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

ErrCode list_each(const char *path, ListLine fn, void *ctx, Err *err)
{
    Buf text = {0};
    uint64_t number = 0;
    ErrCode rc = store_read(path, IDLIST_MAX_BYTES, &text, err);

    for (Span rest = buf_span(&text); rc == ERR_OK && rest.n;) {
        const Span line = span_trim(line_take(&rest));
        number++;
        if (line.n) rc = fn(ctx, line, number, err);
    }
    buf_clear(&text);
    return rc;
}

/* --- a set */

static int by_value(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;

    return (a > b) - (a < b);
}

void hashset_take(HashSet *s, Buf *hashes)
{
    const size_t n = hashes->n / sizeof *s->hash;

    *s = (HashSet){.hash = (uint64_t *)(void *)hashes->p};
    *hashes = (Buf){0};
    if (n) qsort(s->hash, n, sizeof *s->hash, by_value);
    for (size_t i = 0; i < n; i++)
        if (s->hash[i] && (s->n == 0 || s->hash[i] != s->hash[s->n - 1])) s->hash[s->n++] = s->hash[i];
}

void hashset_clear(HashSet *s)
{
    free(s->hash);
    *s = (HashSet){0};
}

bool hashset_has(const HashSet *s, uint64_t hash)
{
    return s->n && bsearch(&hash, s->hash, s->n, sizeof hash, by_value) != NULL;
}
