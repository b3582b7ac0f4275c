#include "ingest/cdxj.h"

#include "core/json.h"

#include <stdlib.h>

/* "offset" and "length" are numbers in some indexes and strings in others. */
static bool take_number(JsonScan *s, Buf *scratch, uint64_t *out)
{
    Span v;

    return json_peek(s) == '"' ? json_string(s, scratch, &v) && span_to_u64(v, out)
                               : json_skip(s, &v) && span_to_u64(v, out);
}

bool cdxj_line(Span line, Buf *scratch, CdxjEntry *out)
{
    bool has_offset = false, has_length = false;
    Span key, skipped;

    *out = (CdxjEntry){0};
    line = span_trim(line);
    if (line.n == 0 || line.p[0] == '!') return false;
    for (int i = 0; i < 2 && line.p[0] != '{'; i++) { /* key and timestamp */
        line = span_trim(span_from(line, span_find(line, ' ')));
        if (line.n == 0) return false;
    }
    buf_reset(scratch);
    if (!buf_reserve(scratch, line.n)) return false;
    JsonScan s = json_scan(line);
    if (!json_expect(&s, '{')) return false;
    while (json_peek(&s) != '}') {
        if (!json_string(&s, scratch, &key) || !json_expect(&s, ':')) return false;
        bool is_string = json_peek(&s) == '"';
        if (span_is(key, "filename") && is_string) {
            if (!json_string(&s, scratch, &out->filename)) return false;
        } else if (span_is(key, "offset")) {
            if (!(has_offset = take_number(&s, scratch, &out->offset))) return false;
        } else if (span_is(key, "length")) {
            if (!(has_length = take_number(&s, scratch, &out->length))) return false;
        } else if (!json_skip(&s, &skipped)) {
            return false;
        }
        if (json_peek(&s) != ',') break;
        s.p++;
    }
    const uint64_t max = INT64_MAX;
    return json_expect(&s, '}') && has_offset && has_length && out->length && out->offset < max &&
           out->length < max - out->offset && out->filename.n && out->filename.n <= CDXJ_MAX_NAME &&
           span_find(out->filename, 0) == out->filename.n;
}

ErrCode cdxj_add(CdxjRanges *r, Arena *names, Span text, Err *err)
{
    Buf scratch = {0};
    ErrCode rc = ERR_OK;

    while (text.n && rc == ERR_OK) {
        Span line = span(text.p, span_find(text, '\n'));
        CdxjEntry e;
        text = span_from(text, line.n < text.n ? line.n + 1 : line.n);
        if (!cdxj_line(line, &scratch, &e)) {
            r->n_other += span_trim(line).n != 0;
            if (scratch.oom) rc = err_nomem(err, "an index");
            continue;
        }
        CdxjRange *room = array_grow(r->range, r->n, &r->cap, sizeof *room);
        if (room) r->range = room;
        /* Neighbours are often of one file. */
        bool same = room && r->n && span_is(e.filename, r->range[r->n - 1].file);
        const char *file = same ? r->range[r->n - 1].file : arena_str(names, e.filename);
        if (room && file)
            r->range[r->n++] = (CdxjRange){file, e.offset, e.length};
        else
            rc = err_nomem(err, "an index");
    }
    buf_clear(&scratch);
    return rc;
}

static int by_place(const void *a, const void *b)
{
    const CdxjRange *x = a, *y = b;
    int c = strcmp(x->file, y->file);

    if (c) return c;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x->length == y->length ? 0 : x->length > y->length ? -1 : 1;
}

void cdxj_seal(CdxjRanges *r)
{
    size_t n = 0;

    if (r->n) qsort(r->range, r->n, sizeof *r->range, by_place);
    for (size_t i = 0; i < r->n; i++) {
        const CdxjRange *kept = n ? &r->range[n - 1] : NULL, *x = &r->range[i];
        if (kept && x->offset - kept->offset < kept->length && !strcmp(kept->file, x->file))
            r->n_inside += x->offset != kept->offset;
        else
            r->range[n++] = *x;
    }
    r->n = n;
}

void cdxj_clear(CdxjRanges *r)
{
    free(r->range);
    *r = (CdxjRanges){0};
}
