/* `tamis dedup rates`. */
#include "core/json.h"
#include "core/utf8.h"
#include "dedup/dedup_words.h"
#include "dedup/rates.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char after[] =
    "DIR/sign holds the signatures: those of a dedup of the same inputs serve, and it may be deleted. Dumps are the\n"
    "documents' own, in the order of their names. What a document repeats lies in its own dump or in one before it.";

enum { MAX_AT = 256, BAR = 40 };

typedef struct {
    DedupParams params;
    bool aggressive, oldest, json;
    const char *at;
    uint32_t n_at, k[MAX_AT]; /* numbers of dumps, ascending */
} Options;

static ErrCode bad_list(const char *list, Err *err)
{
    return err_set(err, ERR_USAGE,
                   "dedup rates: --at %s is no list of up to %d rising numbers from 1 on, 1,2,6 for example", list,
                   MAX_AT);
}

static ErrCode settle(void *options, Err *err)
{
    const DedupParams plain = DEDUP_PARAMS_DEFAULT;
    Options *o = options;
    Span rest = span_str(o->at);

    if (o->params.exact_only && o->params.verify != plain.verify)
        return err_set(err, ERR_USAGE, "dedup rates: --verify and --exact-only exclude one another");
    if (o->aggressive) o->params.bands = 20, o->params.rows = 8;
    while (rest.p && rest.n) {
        size_t comma = span_find(rest, ',');
        uint64_t k;
        if (!span_to_u64(span(rest.p, comma), &k) || k == 0 || k > UINT32_MAX || o->n_at == MAX_AT ||
            (o->n_at && k <= o->k[o->n_at - 1]) || comma + 1 == rest.n)
            return bad_list(o->at, err);
        o->k[o->n_at++] = (uint32_t)k;
        rest = span_from(rest, comma + 1);
    }
    return o->n_at ? dedup_check(&o->params, err) : bad_list(o->at, err);
}

/* Sums over the first k dumps. */
typedef struct {
    uint32_t k;
    uint64_t n_docs, n_exact, n_near;
} Row;

static double share(uint64_t part, uint64_t all) { return all ? 100.0 * (double)part / (double)all : 0; }

/* The rows asked for that there are, and all dumps last. */
static size_t make_rows(const Options *o, const Rates *r, Row rows[MAX_AT + 1])
{
    Row sum = {0};
    size_t n = 0, next = 0;

    for (uint32_t i = 0; i < r->n; i++) {
        sum.k = i + 1;
        sum.n_docs += r->dump[i].n_docs;
        sum.n_exact += r->dump[i].n_exact;
        sum.n_near += r->dump[i].n_near;
        while (next < o->n_at && o->k[next] < sum.k) next++;
        if ((next < o->n_at && o->k[next] == sum.k) || sum.k == r->n) rows[n++] = sum;
    }
    return n;
}

static void put_name(Buf *b, Span name)
{
    if (name.n)
        buf_put_span(b, name);
    else
        buf_puts(b, "(none)");
    utf8_disarm(b->p, b->n);
}

/* A bar of BAR cells: what is dropped as exact and as near duplicates. */
static void put_bar(Buf *b, const Row *r)
{
    unsigned exact = (unsigned)(share(r->n_exact, r->n_docs) / 100 * BAR + 0.5),
             both = (unsigned)(share(r->n_exact + r->n_near, r->n_docs) / 100 * BAR + 0.5);

    buf_putc(b, '|');
    for (unsigned i = 0; i < BAR; i++) buf_putc(b, i < exact ? '#' : i < both ? '+' : ' ');
    buf_puts(b, "|");
}

static void put_table(Buf *b, const Options *o, const Rates *r)
{
    Row rows[MAX_AT + 1];
    size_t n = make_rows(o, r, rows);

    buf_printf(b, "%5s %16s %12s %9s %9s  0%%%*s\n", "dumps", o->oldest ? "up to" : "back to", "documents", "exact %",
               o->params.exact_only ? "" : "+ near %", BAR - 1, "100%");
    for (size_t i = 0; i < n; i++) {
        const Row *row = &rows[i];
        Buf name = {0};
        put_name(&name, r->dump[row->k - 1].name);
        buf_printf(b, "%5" PRIu32 " %16.40s %12" PRIu64 " %9.1f ", row->k, buf_cstr(&name), row->n_docs,
                   share(row->n_exact, row->n_docs));
        if (o->params.exact_only)
            buf_printf(b, "%9s  ", "");
        else
            buf_printf(b, "%9.1f  ", share(row->n_exact + row->n_near, row->n_docs));
        put_bar(b, row);
        buf_putc(b, '\n');
        buf_clear(&name);
    }
}

static void put_json(Buf *b, const Options *o, const Rates *r)
{
    Row rows[MAX_AT + 1];
    size_t n = make_rows(o, r, rows);

    buf_printf(b, "{\"order\":\"%s\",\"rates\":[", o->oldest ? "oldest" : "newest");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s{\"dumps\":%" PRIu32 ",\"n_docs\":%" PRIu64 ",\"exact_percent\":", i ? "," : "", rows[i].k,
                   rows[i].n_docs);
        json_put_number(b, share(rows[i].n_exact, rows[i].n_docs));
        if (!o->params.exact_only) {
            buf_puts(b, ",\"percent\":");
            json_put_number(b, share(rows[i].n_exact + rows[i].n_near, rows[i].n_docs));
        }
        buf_putc(b, '}');
    }
    buf_puts(b, "],\"dumps\":[");
    for (uint32_t i = 0; i < r->n; i++) {
        const RatesDump *d = &r->dump[i];
        buf_puts(b, i ? ",\n{\"name\":" : "\n{\"name\":");
        json_put_string(b, d->name);
        buf_printf(b, ",\"n_docs\":%" PRIu64 ",\"n_exact\":%" PRIu64, d->n_docs, d->n_exact);
        if (!o->params.exact_only) buf_printf(b, ",\"n_near\":%" PRIu64, d->n_near);
        buf_putc(b, '}');
    }
    buf_puts(b, "\n]}\n");
}

static ErrCode print_rates(const Options *o, const Rates *r, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    if (o->json)
        put_json(&b, o, r);
    else
        put_table(&b, o, r);
    if ((rc = buf_ok(&b, "the rates", err)) == ERR_OK) fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
    return rc;
}

int rates_verb(int argc, char **argv)
{
    Options o = {.params = DEDUP_PARAMS_DEFAULT, .at = "1,2,6,12,16,22,41,91"};
    CommonOptions common = {0};
    const char *out = NULL;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "signatures go here, or lie here (created)"),
        OPT_STR(0, "at", &o.at, "LIST", "numbers of dumps to tell the rate of; all of them are told too"),
        OPT_FLAG(0, "oldest", &o.oldest, "begin with the oldest dump, not the newest"),
        OPT_FLAG(0, "json", &o.json, "print JSON: the rates, and counts of every dump"),
        OPT_HEAD("Similarity, as of tamis dedup:"),
        OPT_U32('b', "bands", &o.params.bands, "N", "LSH bands"),
        OPT_U32('r', "rows", &o.params.rows, "N", "MinHash values a band"),
        OPT_FLAG('a', "aggressive", &o.aggressive, "20 bands of 8 rows"),
        OPT_U32('w', "shingle", &o.params.shingle, "N", "words a shingle"),
        OPT_U64('s', "seed", &o.params.seed, "N", "hash family"),
        OPT_F64(0, "verify", &o.params.verify, "X", "estimated similarity of near duplicates"),
        OPT_FLAG(0, "exact-only", &o.params.exact_only, "count equal texts only"),
        OPT_HEAD("Running:"),
        OPT_COMMON_THREADS(&common),
        OPT_SIZE(0, "memory", &common.memory, "SIZE", "budget per process: 800M, 24G; 0: 3/4 of what is free"),
        OPT_COMMON_SCRATCH(&common),
        OPT_FLAG(0, "force", &common.force, "start anew although DIR holds signatures of other inputs"),
        OPT_COMMON_EVENTS(&common),
        OPT_COMMON_TALK(&common),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "dedup rates",
        .usage = "[options] -o DIR INPUT...",
        .what = "The share of duplicates in the newest 1, 2, 6 ... dumps, from one pass. INPUT: dataset "
                "directories.",
        .specs = specs,
        .after = after};
    Par par = {0};
    DatasetSet *set = NULL;
    Rates rates = {0};
    Err err = {0};
    ErrCode rc;

    if (!stage_begin(&verb, argc, argv, &common, &par, &set, &rc, &err)) goto out;
    rc = rates_run(&o.params, set, out, o.oldest, &common, &par, &rates, &err);
    if (rc == ERR_OK && par.rank == 0) rc = print_rates(&o, &rates, &err);
out:
    rates_clear(&rates);
    datasetset_close(set);
    par_stop(&par);
    return verb_exit(rc, &err);
}
