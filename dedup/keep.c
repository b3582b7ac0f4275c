#include "dedup/keep.h"

static const char *const kinds[] = {[KEEP_SOURCE] = "source",
                                    [KEEP_SIGNAL] = "signal",
                                    [KEEP_LONGEST] = "longest",
                                    [KEEP_EARLIEST] = "earliest",
                                    [KEEP_LATEST] = "latest"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* --- the list */

static ErrCode wrong(Span item, const char *why, Err *err)
{
    return err_set(err, ERR_USAGE, "dedup: --keep %.*s: %s", (int)(item.n < 80 ? item.n : 80), (const char *)item.p,
                   why);
}

static ErrCode check_sources(Span item, Span names, Err *err)
{
    for (size_t n; names.p; names = n < names.n ? span(names.p + n + 1, names.n - n - 1) : span(NULL, 0))
        if ((n = span_find(names, ':')) == 0) return wrong(item, "a source without a name", err);
    return ERR_OK;
}

static ErrCode add(KeepOrder *k, Span item, Err *err)
{
    size_t colon = span_find(item, ':'), kind = 0;
    Span name = span(item.p, colon),
         arg = colon < item.n ? span(item.p + colon + 1, item.n - colon - 1) : span(NULL, 0);

    while (kind < N_KINDS && !span_is(name, kinds[kind])) kind++;
    if (kind == N_KINDS)
        return wrong(item, "none of source:A:B, signal:NAME, longest, earliest, latest and first", err);
    if (k->n == KEEP_MAX) return wrong(item, "more than 8 of them", err);
    if (keep_is_stored((KeepKind)kind) ? arg.n == 0 : arg.p != NULL)
        return wrong(item, keep_is_stored((KeepKind)kind) ? "a name is missing" : "takes no name", err);
    if (kind == KEEP_SOURCE && check_sources(item, arg, err) != ERR_OK) return ERR_USAGE;
    k->n_stored += keep_is_stored((KeepKind)kind);
    k->by[k->n].kind = (KeepKind)kind;
    k->by[k->n++].arg = arg;
    return ERR_OK;
}

ErrCode keep_parse(KeepOrder *k, const char *text, Err *err)
{
    Span rest = span_str(text ? text : "first");
    ErrCode rc = ERR_OK;

    *k = (KeepOrder){0};
    for (bool more = true; more && rc == ERR_OK;) {
        size_t n = span_find(rest, ',');
        Span item = span(rest.p, n);
        more = n < rest.n;
        if (span_is(item, "first"))
            return more ? wrong(span_str(text), "nothing is left to decide behind first", err) : ERR_OK;
        rc = add(k, item, err);
        if (more) rest = span(rest.p + n + 1, rest.n - n - 1);
    }
    return rc;
}

void keep_put(Buf *b, const KeepOrder *k, bool stored)
{
    bool none = true;

    for (uint32_t i = 0; i < k->n; i++) {
        if (stored && !keep_is_stored(k->by[i].kind)) continue;
        if (!none) buf_putc(b, ',');
        none = false;
        buf_puts(b, kinds[k->by[i].kind]);
        if (k->by[i].arg.p) buf_putc(b, ':');
        buf_put_span(b, k->by[i].arg);
    }
    if (none) buf_puts(b, "first");
}

bool keep_needs_dumps(const KeepOrder *k)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (k->by[i].kind == KEEP_EARLIEST || k->by[i].kind == KEEP_LATEST) return true;
    return false;
}

/* --- words of a document */

static uint64_t source_word(Span names, Span source)
{
    uint64_t at = 0;

    for (;; at++) {
        size_t n = span_find(names, ':');
        if (span_eq(span(names.p, n), source)) return at;
        if (n == names.n) return at + 1;
        names = span_from(names, n + 1);
    }
}

/* The bits of a double sort like its value once the sign is turned: here the largest comes first. */
static uint64_t signal_word(Span name, const Doc *doc)
{
    for (uint32_t i = 0; i < doc->n_signals; i++) {
        double value = doc->signals[i].value + 0.0; /* -0 is 0 */
        uint64_t bits;
        if (!span_eq(doc->signals[i].name, name)) continue;
        memcpy(&bits, &value, sizeof bits);
        return bits >> 63 ? bits : ~bits & ~((uint64_t)1 << 63);
    }
    return UINT64_MAX;
}

uint64_t keep_word(const KeepOrder *k, uint32_t i, const Doc *doc)
{
    return k->by[i].kind == KEEP_SOURCE ? source_word(k->by[i].arg, doc->source) : signal_word(k->by[i].arg, doc);
}
