#include "tools/token_streams.h"

#include <stdlib.h>

void domainset_clear(DomainSet *s)
{
    free(s->v);
    arena_clear(&s->arena);
    *s = (DomainSet){0};
}

/* Index of the first domain that is not before `domain`. */
static size_t lower_bound(const DomainSet *s, Span domain)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (span_cmp(s->v[mid].domain, domain) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t domainset_find(const DomainSet *s, Span domain)
{
    size_t at = lower_bound(s, domain);

    return at < s->n && span_eq(s->v[at].domain, domain) ? at : SIZE_MAX;
}

ErrCode domainset_at(DomainSet *s, Span domain, DomainCount **out, Err *err)
{
    *out = NULL;
    if (s->last < s->n && span_eq(s->v[s->last].domain, domain)) {
        *out = &s->v[s->last];
        return ERR_OK;
    }
    size_t at = lower_bound(s, domain);
    if (at == s->n || !span_eq(s->v[at].domain, domain)) {
        if (s->n == SHARD_MAX_STREAMS) return err_set(err, ERR_LIMIT, "more than %d domains", SHARD_MAX_STREAMS);
        DomainCount *grown = array_grow(s->v, s->n, &s->cap, sizeof *grown);
        if (!grown) return err_nomem(err, "domains");
        s->v = grown;
        Span kept = arena_copy(&s->arena, domain);
        if (!kept.p) return err_nomem(err, "domains");
        memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof *s->v);
        s->v[at] = (DomainCount){.domain = kept};
        s->n++;
    }
    s->last = at;
    *out = &s->v[at];
    return ERR_OK;
}

ErrCode domainset_merge(DomainSet *into, const DomainSet *from, Err *err)
{
    for (size_t i = 0; i < from->n; i++) {
        DomainCount *d;
        ErrCode rc = domainset_at(into, from->v[i].domain, &d, err);
        if (rc != ERR_OK) return rc;
        d->n_docs += from->v[i].n_docs;
        d->text_bytes += from->v[i].text_bytes;
        d->n_tokens += from->v[i].n_tokens;
        d->n_dropped += from->v[i].n_dropped;
    }
    return ERR_OK;
}

enum { TOLD_HEAD = 4, TOLD_NUMBERS = 32 };

void domainset_put(const DomainSet *s, Buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        const DomainCount *d = &s->v[i];
        uint8_t head[TOLD_HEAD], numbers[TOLD_NUMBERS];
        le32_put(head, (uint32_t)d->domain.n);
        le64_put(numbers, d->n_docs);
        le64_put(numbers + 8, d->text_bytes);
        le64_put(numbers + 16, d->n_tokens);
        le64_put(numbers + 24, d->n_dropped);
        buf_put(out, head, sizeof head);
        buf_put_span(out, d->domain);
        buf_put(out, numbers, sizeof numbers);
    }
}

ErrCode domainset_add(DomainSet *s, Span bytes, const char *path, Err *err)
{
    while (bytes.n) {
        DomainCount *d;
        if (bytes.n < TOLD_HEAD + TOLD_NUMBERS || le32_get(bytes.p) > bytes.n - TOLD_HEAD - TOLD_NUMBERS)
            return err_set(err, ERR_DATA, "%s: its list of domains is damaged; delete it and run again", path);
        Span domain = span(bytes.p + TOLD_HEAD, le32_get(bytes.p));
        const uint8_t *numbers = domain.p + domain.n;
        ErrCode rc = domainset_at(s, domain, &d, err);
        if (rc != ERR_OK) return rc;
        d->n_docs += le64_get(numbers);
        d->text_bytes += le64_get(numbers + 8);
        d->n_tokens += le64_get(numbers + 16);
        d->n_dropped += le64_get(numbers + 24);
        bytes = span_from(bytes, TOLD_HEAD + domain.n + TOLD_NUMBERS);
    }
    return ERR_OK;
}

static bool is_file_of_directory(const char *name)
{
    static const char *const files[] = {"manifest.json", "mixture.json", "stage.json", "stats.json",
                                        "vocab.bin",     "encoded",      "leases",     "log"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(name, files[i]) == 0) return true;
    return false;
}

bool domain_fits_stream(Span domain)
{
    char name[STREAM_NAME_MAX + 1];

    return stream_name(domain, name) && !is_file_of_directory(name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(DomainCount *const *)a)->name, (*(DomainCount *const *)b)->name);
}

ErrCode domainset_name(DomainSet *s, Err *err)
{
    DomainCount **by_name = calloc(s->n + 1, sizeof(DomainCount *));
    ErrCode rc = by_name ? ERR_OK : err_nomem(err, "domains");

    for (size_t i = 0; i < s->n && rc == ERR_OK; i++) {
        DomainCount *d = &s->v[i];
        by_name[i] = d;
        if (!stream_name(d->domain, d->name))
            rc = err_set(err, ERR_DATA, "a domain of %zu bytes cannot name a stream, 1 to %d are possible",
                         d->domain.n, STREAM_NAME_MAX);
        else if (is_file_of_directory(d->name))
            rc = err_set(err, ERR_DATA, "the domain %s cannot name a stream: a file is called so", d->name);
    }
    if (rc == ERR_OK && s->n) qsort(by_name, s->n, sizeof *by_name, compare_names);
    for (size_t i = 1; i < s->n && rc == ERR_OK; i++)
        if (strcmp(by_name[i - 1]->name, by_name[i]->name) == 0)
            rc =
                err_set(err, ERR_DATA, "two domains would share the stream %s: rename one of them", by_name[i]->name);
    free(by_name);
    return rc;
}

bool shard_number(Span name, uint64_t *n)
{
    const Span before = SPAN_LIT("shard-"), behind = SPAN_LIT(".tok");

    return name.n == SHARD_FILE_NAME && span_starts(name, before) &&
           span_eq(span_from(name, name.n - behind.n), behind) &&
           span_to_u64(span(name.p + before.n, name.n - before.n - behind.n), n);
}

/* --- the mixture file */

static ErrCode rename_span(Arena *a, Span *domain, const char *path, Err *err)
{
    char name[STREAM_NAME_MAX + 1];

    if (!stream_name(*domain, name))
        return err_set(err, ERR_DATA, "%s: a domain of %zu bytes cannot name a stream", path, domain->n);
    *domain = arena_copy(a, span_str(name));
    return domain->p ? ERR_OK : err_nomem(err, "the mixture");
}

static Json *member(Json *object, const char *key)
{
    for (Json *m = object && object->type == JSON_OBJECT ? object->child : NULL; m; m = m->next)
        if (span_is(m->key, key)) return m;
    return NULL;
}

static ErrCode rename_domains(Arena *a, Json *root, const char *path, Err *err)
{
    Json *domains = member(root, "domains"), *phases = member(root, "phases");
    ErrCode rc = ERR_OK;

    for (Json *d = domains ? domains->child : NULL; d && rc == ERR_OK; d = d->next) {
        Json *name = member(d, "name");
        if (name && name->type == JSON_STRING) rc = rename_span(a, &name->string, path, err);
    }
    for (Json *p = phases ? phases->child : NULL; p && rc == ERR_OK; p = p->next) {
        Json *weights = member(p, "weights");
        for (Json *w = weights && weights->type == JSON_OBJECT ? weights->child : NULL; w && rc == ERR_OK;
             w = w->next)
            rc = rename_span(a, &w->key, path, err);
    }
    return rc;
}

ErrCode mixture_rename(Span text, const char *path, Buf *out, Err *err)
{
    Arena arena = {0};
    Json *root;
    ErrCode rc;

    if (text.n == 0) return ERR_OK;
    if ((rc = json_parse(&arena, text, path, &root, err)) == ERR_OK &&
        (rc = rename_domains(&arena, root, path, err)) == ERR_OK) {
        size_t before = out->n;
        json_put_tree(out, root);
        rc = buf_ok(out, "the mixture", err);
        /* What was read had no key twice, so one that is there now are two domains of one stream. */
        if (rc == ERR_OK && (rc = json_parse(&arena, span_from(buf_span(out), before), path, &root, err)) == ERR_DATA)
            rc = err_set(err, ERR_DATA, "%s: two domains would share a stream: rename one of them", path);
    }
    arena_clear(&arena);
    return rc;
}
