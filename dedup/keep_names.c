/* Sources and signals that --keep asks for and no document has: most likely a slip of the pen, which would decide nothing in silence. */
#include "core/counters.h"
#include "core/log.h"
#include "dedup/keep.h"
#include "dedup/sign.h"

enum { SHOWN_BYTES = 200 };

static bool asks_for(const KeepOrder *k, KeepKind kind)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (k->by[i].kind == kind) return true;
    return false;
}

/* A document without any counts as "": so a group that is not there was never counted. */
void keep_count(const KeepOrder *k, const Doc *doc, StageSink *sink)
{
    const uint64_t bytes = doc->text.n;

    if (k->n_stored == 0) return;
    if (asks_for(k, KEEP_SOURCE)) sink_count(sink, "source", doc->source, 1, bytes);
    if (!asks_for(k, KEEP_SIGNAL)) return;
    if (doc->n_signals == 0) sink_count(sink, "signal", SPAN_LIT(""), 1, bytes);
    for (uint32_t i = 0; i < doc->n_signals; i++) sink_count(sink, "signal", doc->signals[i].name, 1, bytes);
}

static bool is_there(const Json *group, Span name)
{
    for (const Json *j = group->child; j; j = j->next)
        if (span_eq(j->key, name) || span_is(j->key, "\xe2\x80\xa6"))
            return true; /* the latter: of the rest nobody knows */
    return name.n > COUNTERS_MAX_NAME_BYTES;
}

static void warn_of(const Json *group, const char *what, Span name)
{
    Buf b = {0};

    for (const Json *j = group->child; j; j = j->next) {
        if (j->key.n == 0) continue;
        if (b.n > SHOWN_BYTES) {
            buf_puts(&b, ", \xe2\x80\xa6");
            break;
        }
        buf_puts(&b, b.n ? ", " : "");
        buf_put_span(&b, j->key);
    }
    const char *there = b.n ? buf_cstr(&b) : "none";
    log_warn("dedup: --keep %s:%.*s: no document has this %s; there %s %s", what, (int)(name.n < 80 ? name.n : 80),
             (const char *)name.p, what, b.n && memchr(b.p, ',', b.n) ? "are" : "is", there ? there : "another");
    buf_clear(&b);
}

static void look(const Json *counters, KeepKind kind, Span names)
{
    const char *what = kind == KEEP_SOURCE ? "source" : "signal";
    const Json *group = json_get(counters, what);

    if (!group || group->type != JSON_OBJECT) return; /* signed by a program that did not count them */
    for (size_t n; names.p; names = n < names.n ? span_from(names, n + 1) : span(NULL, 0)) {
        n = kind == KEEP_SOURCE ? span_find(names, ':') : names.n;
        if (!is_there(group, span(names.p, n))) warn_of(group, what, span(names.p, n));
    }
}

void keep_warn(const KeepOrder *k, const char *sign_dir)
{
    const Json *counters = NULL;
    Arena arena = {0};
    Err err;

    if (k->n_stored == 0) return;
    if (sign_counters(&arena, sign_dir, &counters, &err) != ERR_OK)
        log_debug("%s", err.msg); /* whoever needs it stops */
    for (uint32_t i = 0; counters && i < k->n; i++)
        if (keep_is_stored(k->by[i].kind)) look(counters, k->by[i].kind, k->by[i].arg);
    arena_clear(&arena);
}
