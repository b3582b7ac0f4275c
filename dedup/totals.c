#include "dedup/totals.h"

#include <inttypes.h>

unsigned totals_size_class(uint32_t n)
{
    static const uint32_t from[DEDUP_SIZES] = {1, 2, 3, 5, 100, 1000};
    unsigned c = 0;

    while (c + 1 < DEDUP_SIZES && n >= from[c + 1]) c++;
    return c;
}

void totals_add_largest(DedupTotals *t, uint64_t docs, DocId keeper)
{
    int at = DEDUP_LARGEST;

    if (docs < DEDUP_GIANT) return;
    while (at > 0 && (t->largest[at - 1].docs < docs ||
                      (t->largest[at - 1].docs == docs && t->largest[at - 1].keeper > keeper)))
        at--;
    if (at == DEDUP_LARGEST) return;
    memmove(&t->largest[at + 1], &t->largest[at], (size_t)(DEDUP_LARGEST - 1 - at) * sizeof *t->largest);
    t->largest[at].docs = docs;
    t->largest[at].keeper = keeper;
}

/* --- as a record of words: sums, then the size of the largest cluster and the list of the largest */

enum { N_HEAD = 5, N_SUMS = N_HEAD + DEDUP_SIZES, AT_LARGEST = 8 * (N_SUMS + 1) };

void totals_put(uint8_t out[TOTALS_BYTES], const DedupTotals *t)
{
    const uint64_t head[N_HEAD] = {t->n_docs, t->n_exact, t->n_url, t->n_near, t->n_short};

    for (int i = 0; i < N_HEAD; i++) le64_put(out + 8 * i, head[i]);
    for (int i = 0; i < DEDUP_SIZES; i++) le64_put(out + 8 * (N_HEAD + i), t->n_clusters[i]);
    le64_put(out + 8 * N_SUMS, t->n_largest);
    for (int i = 0; i < DEDUP_LARGEST; i++) {
        le64_put(out + AT_LARGEST + 16 * i, t->largest[i].docs);
        le64_put(out + AT_LARGEST + 16 * i + 8, t->largest[i].keeper);
    }
}

DedupTotals totals_get(const uint8_t *p)
{
    DedupTotals t = {.n_docs = le64_get(p),
                     .n_exact = le64_get(p + 8),
                     .n_url = le64_get(p + 16),
                     .n_near = le64_get(p + 24),
                     .n_short = le64_get(p + 32),
                     .n_largest = le64_get(p + 8 * N_SUMS)};

    for (int i = 0; i < DEDUP_SIZES; i++) t.n_clusters[i] = le64_get(p + 8 * (N_HEAD + i));
    for (int i = 0; i < DEDUP_LARGEST; i++) {
        t.largest[i].docs = le64_get(p + AT_LARGEST + 16 * i);
        t.largest[i].keeper = le64_get(p + AT_LARGEST + 16 * i + 8);
    }
    return t;
}

void totals_add(uint8_t *acc, const uint8_t *value)
{
    DedupTotals a = totals_get(acc), b = totals_get(value);

    if (b.n_largest > a.n_largest) a.n_largest = b.n_largest;
    for (int i = 0; i < DEDUP_LARGEST; i++) totals_add_largest(&a, b.largest[i].docs, b.largest[i].keeper);
    totals_put(acc, &a);
    for (int i = 0; i < 8 * N_SUMS; i += 8) le64_put(acc + i, le64_get(acc + i) + le64_get(value + i));
}

/* --- as JSON */

void totals_put_json(Buf *b, const DedupTotals *n, const DumpNames *dumps)
{
    buf_printf(b, ",\"n_docs\":%" PRIu64 ",\"n_exact\":%" PRIu64 ",\"n_url\":%" PRIu64 ",\"n_near\":%" PRIu64,
               n->n_docs, n->n_exact, n->n_url, n->n_near);
    buf_printf(b, ",\"n_short\":%" PRIu64 ",\"n_largest\":%" PRIu64 ",\"n_clusters\":[", n->n_short, n->n_largest);
    for (int i = 0; i < DEDUP_SIZES; i++) buf_printf(b, "%s%" PRIu64, i ? "," : "", n->n_clusters[i]);
    buf_puts(b, "],\"largest\":[");
    for (int i = 0; i < DEDUP_LARGEST && n->largest[i].docs; i++)
        buf_printf(b, "%s[%" PRIu64 ",%" PRIu64 "]", i ? "," : "", n->largest[i].docs, n->largest[i].keeper);
    buf_puts(b, "],\"dumps\":[");
    for (uint32_t i = 0; i < dumps->n; i++) {
        if (i) buf_putc(b, ',');
        json_put_string(b, dumps->name[i]);
    }
    buf_puts(b, "]}\n");
}

ErrCode totals_read_json(const Json *j, const char *path, DedupTotals *t, Err *err)
{
    const struct {
        const char *name;
        uint64_t *to;
    } member[] = {{"n_docs", &t->n_docs}, {"n_exact", &t->n_exact}, {"n_url", &t->n_url},
                  {"n_near", &t->n_near}, {"n_short", &t->n_short}, {"n_largest", &t->n_largest}};
    const Json *classes = json_get(j, "n_clusters"), *largest = json_get(j, "largest");
    uint32_t i = 0;
    ErrCode rc = ERR_OK;

    *t = (DedupTotals){0};
    for (size_t k = 0; k < sizeof member / sizeof *member && rc == ERR_OK; k++)
        rc = json_get_u64(j, member[k].name, 0, path, member[k].to, err);
    if (rc) return rc;
    if (!classes || classes->type != JSON_ARRAY || classes->n != DEDUP_SIZES)
        return err_set(err, ERR_DATA, "%s: n_clusters is not a list of %d numbers", path, DEDUP_SIZES);
    for (const Json *c = classes->child; c; c = c->next)
        if (c->type != JSON_NUMBER || !span_to_u64(c->string, &t->n_clusters[i++]))
            return err_set(err, ERR_DATA, "%s: n_clusters is not a list of %d numbers", path, DEDUP_SIZES);
    i = 0;
    for (const Json *l = largest && largest->type == JSON_ARRAY ? largest->child : NULL; l; l = l->next, i++)
        if (i == DEDUP_LARGEST || l->type != JSON_ARRAY || l->n != 2 ||
            !span_to_u64(l->child->string, &t->largest[i].docs) ||
            !span_to_u64(l->child->next->string, &t->largest[i].keeper))
            return err_set(err, ERR_DATA, "%s: largest is not a list of at most %d clusters", path, DEDUP_LARGEST);
    return ERR_OK;
}
