#include "dedup/rates.h"

#include "core/json.h"
#include "core/store.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A document's place in the order of dumps, as bytes that sort: its dump's rank, its number. */
enum { RANK_BYTES = 4, PLACE_BYTES = RANK_BYTES + DOC_BYTES, MEMBER_BYTES = PLACE_BYTES + SKETCH_BINS };

typedef struct {
    DocTable t;
    Rates *rates;
    bool oldest_first;
    const Results *labels; /* of the components */
    Pass *p;
    uint32_t micro;
} Run;

void rates_clear(Rates *r)
{
    free(r->dump);
    arena_clear(&r->arena);
    *r = (Rates){0};
}

/* The place of a dump in the order; documents without one are taken for the oldest. */
static uint32_t dump_rank(const Run *r, uint64_t hash)
{
    uint16_t number = dumpnames_number(&r->t.dumps, hash);
    uint32_t age = number == DUMPS_NONE ? 0 : number + 1u;

    return r->oldest_first ? age : r->t.dumps.n - age;
}

static void place_put(uint8_t out[PLACE_BYTES], uint32_t rank, uint64_t doc)
{
    for (int i = 0; i < RANK_BYTES; i++) out[i] = (uint8_t)(rank >> (24 - 8 * i));
    doc_put(out + RANK_BYTES, doc);
}

static uint64_t place_doc(const uint8_t *place) { return doc_get(place + RANK_BYTES); }

static void count(uint64_t *counter)
{
#pragma omp atomic
    ++*counter;
}

static ErrCode count_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Run *r = ctx;
    Span dump;
    ErrCode rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err);

    (void)lane;
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++)
        if (p->state[i] & DOC_SHOWN) count(&r->rates->dump[dump_rank(r, le64_get(dump.p + 8 * (size_t)i))].n_docs);
    return rc;
}

/* --- exact duplicates */

static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Run *r = ctx;
    Span exact, dump;
    ErrCode rc;

    if ((rc = signpart_column(p, sign_column_names[SIGN_EXACT], COL_U64, 2, &exact, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], place[PLACE_BYTES];
        if (!(p->state[i] & DOC_SHOWN)) continue;
        exchange_key_u64(key, le64_get(exact.p + 16 * (size_t)i + 8), le64_get(exact.p + 16 * (size_t)i));
        place_put(place, dump_rank(r, le64_get(dump.p + 8 * (size_t)i)), p->first + i);
        rc = pass_put(r->p, lane, key, place, sizeof place, err);
    }
    return rc;
}

static ErrCode send_keys(void *ctx, Pass *p, Err *err)
{
    Run *r = ctx;

    r->p = p;
    return doctable_each_part(&r->t, send_part, r, err);
}

/* All but the first of a text, with the first. */
static ErrCode list_later(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY], pair[PAIR_BYTES];
    Span place;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &place, &end, err)) != ERR_OK) return rc;
        doc_put(pair + DOC_BYTES, place_doc(place.p));
        while ((rc = exchange_next_value(g, &place, &end, err)) == ERR_OK && !end) {
            doc_put(pair, place_doc(place.p));
            if ((rc = resultsout_put(out, pair, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

static ErrCode mark_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Run *r = ctx;
    Span docs, dump;
    ErrCode rc = signpart_slice(p, pass_results(r->p), 0, &docs, err);

    (void)lane;
    if (rc == ERR_OK) rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err);
    for (size_t at = 0; rc == ERR_OK && at < docs.n; at += PAIR_BYTES) {
        size_t i = (size_t)(doc_get(docs.p + at) - p->first);
        p->state[i] |= DOC_FOUND;
        count(&r->rates->dump[dump_rank(r, le64_get(dump.p + 8 * i))].n_exact);
    }
    return rc;
}

static ErrCode count_exact(Run *r, Err *err)
{
    const StepSpec meet = {.name = "exact", .value_bytes = PLACE_BYTES, .result_bytes = PAIR_BYTES},
                   sort = {.name = "exact-docs", .value_bytes = DOC_BYTES, .result_bytes = PAIR_BYTES};
    Pass *met = NULL, *sorted = NULL;
    ErrCode rc = doctable_step(&r->t, &meet, &met, err);

    if (rc == ERR_OK) rc = pass_run(met, send_keys, list_later, r, err);
    if (rc == ERR_OK) rc = doctable_step(&r->t, &sort, &sorted, err);
    if (rc == ERR_OK) rc = sort_by_doc(&r->t, pass_results(met), PAIR_BYTES, list_by_doc, sorted, err);
    r->p = sorted;
    if (rc == ERR_OK) rc = par_agree(r->t.par, doctable_each_part(&r->t, mark_part, r, err), err);
    pass_close(met);
    pass_close(sorted);
    return rc;
}

/* --- near duplicates */

static ErrCode send_member_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Run *r = ctx;
    Span dump, sketch, labels;
    ErrCode rc;

    if ((rc = signpart_slice(p, r->labels, 0, &labels, err)) != ERR_OK || labels.n == 0) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err)) != ERR_OK) return rc;
    rc = signpart_column(p, sign_column_names[SIGN_SKETCH], COL_U8, SKETCH_BINS, &sketch, err);
    for (size_t at = 0; at < labels.n && rc == ERR_OK; at += PAIR_BYTES) {
        uint8_t key[EXCHANGE_KEY], member[MEMBER_BYTES];
        uint64_t doc = doc_get(labels.p + at), label = doc_get(labels.p + at + DOC_BYTES);
        size_t i = (size_t)(doc - p->first);
        exchange_key_u64(key, mix64(label), label);
        place_put(member, dump_rank(r, le64_get(dump.p + 8 * i)), doc);
        memcpy(member + PLACE_BYTES, sketch.p + SKETCH_BINS * i, SKETCH_BINS);
        rc = pass_put(r->p, lane, key, member, sizeof member, err);
    }
    return rc;
}

static ErrCode send_members(void *ctx, Pass *p, Err *err)
{
    Run *r = ctx;

    r->p = p;
    return doctable_each_part(&r->t, send_member_part, r, err);
}

typedef struct {
    uint32_t n;
    uint8_t sketch[DEDUP_MAX_LEADERS][SKETCH_BINS];
} Kept;

static bool is_near(const Kept *kept, const uint8_t *sketch, uint32_t micro)
{
    for (uint32_t i = 0; i < kept->n; i++)
        if (sketch_near(kept->sketch[i], sketch, micro)) return true;
    return false;
}

/* Members in order, each against those kept before it (dedup/verify.c): the dump of each that is near one of them. */
static ErrCode list_near(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    const Run *r = ctx;
    uint8_t key[EXCHANGE_KEY], record[PLACE_BYTES];
    Kept kept;
    Span member;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        kept.n = 0;
        while ((rc = exchange_next_value(g, &member, &end, err)) == ERR_OK && !end) {
            const uint8_t *sketch = member.p + PLACE_BYTES;
            memcpy(record, member.p, PLACE_BYTES);
            if (is_near(&kept, sketch, r->micro)) {
                if ((rc = resultsout_put(out, record, err)) != ERR_OK) return rc;
            } else if (kept.n < DEDUP_MAX_LEADERS) {
                memcpy(kept.sketch[kept.n++], sketch, SKETCH_BINS);
            }
        }
        if (rc) return rc;
    }
    return rc;
}

static ErrCode count_records(void *ctx, int thread, uint32_t partition, Span records, Err *err)
{
    const Run *r = ctx;

    (void)thread, (void)partition;
    for (size_t at = 0; at < records.n; at += PLACE_BYTES) {
        uint32_t rank = (uint32_t)(be64_get(records.p + at) >> 32);
        if (rank >= r->rates->n) return err_set(err, ERR_DATA, "the near duplicates are of a dump that is not there");
        count(&r->rates->dump[rank].n_near);
    }
    return ERR_OK;
}

static ErrCode count_near(Run *r, Err *err)
{
    const StepSpec spec = {.name = "verify", .value_bytes = MEMBER_BYTES, .result_bytes = PLACE_BYTES};
    Pass *components = NULL, *near = NULL;
    ErrCode rc = bands_join(&r->t, &components, err);

    if (rc == ERR_OK) {
        r->labels = pass_results(components);
        rc = doctable_step(&r->t, &spec, &near, err);
    }
    if (rc == ERR_OK) rc = pass_run(near, send_members, list_near, r, err);
    if (rc == ERR_OK) rc = par_agree(r->t.par, results_each(pass_results(near), count_records, r, err), err);
    pass_close(components);
    pass_close(near);
    return rc;
}

/* --- all of it */

static ErrCode sum_over_ranks(const Run *r, Err *err)
{
    Rates *rates = r->rates;
    uint64_t *n = calloc(3 * (size_t)rates->n + 1, sizeof *n);
    ErrCode rc = par_agree(r->t.par, n ? ERR_OK : err_nomem(err, "counts"), err);

    for (uint32_t i = 0; i < rates->n && rc == ERR_OK; i++) {
        const RatesDump *d = &rates->dump[i];
        memcpy(n + 3 * (size_t)i, (const uint64_t[3]){d->n_docs, d->n_exact, d->n_near}, 24);
    }
    if (rc == ERR_OK) par_sum_u64(r->t.par, n, 3 * (size_t)rates->n);
    for (uint32_t i = 0; i < rates->n && rc == ERR_OK; i++) {
        RatesDump *d = &rates->dump[i];
        d->n_docs = n[3 * (size_t)i], d->n_exact = n[3 * (size_t)i + 1], d->n_near = n[3 * (size_t)i + 2];
    }
    free(n);
    return rc;
}

static ErrCode list_dumps(Run *r, Err *err)
{
    const DumpNames *names = &r->t.dumps;
    Rates *rates = r->rates;

    if (names->too_many)
        return err_set(err, ERR_LIMIT, "the documents name more than %d dumps, or one by more than %d bytes",
                       DUMPS_MAX, DUMPS_MAX_NAME);
    rates->n = names->n + 1;
    rates->dump = calloc(rates->n, sizeof *rates->dump);
    if (!rates->dump) return err_nomem(err, "a list of dumps");
    for (uint32_t i = 0; i < names->n; i++) {
        Span *name = &rates->dump[r->oldest_first ? i + 1 : names->n - 1 - i].name;
        *name = arena_copy(&rates->arena, names->name[i]);
        if (!name->p) return err_nomem(err, "a list of dumps");
    }
    return ERR_OK;
}

/* Dumps of which the inputs show nothing: that of documents without one, mostly. */
static void drop_empty(Rates *rates)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < rates->n; i++)
        if (rates->dump[i].n_docs) rates->dump[kept++] = rates->dump[i];
    rates->n = kept;
}

static ErrCode run_steps(Run *r, Err *err)
{
    ErrCode rc = par_agree(r->t.par, list_dumps(r, err), err);

    if (rc == ERR_OK) rc = par_agree(r->t.par, doctable_each_part(&r->t, count_part, r, err), err);
    if (rc == ERR_OK) rc = count_exact(r, err);
    if (rc == ERR_OK && !r->t.params->exact_only) rc = count_near(r, err);
    if (rc == ERR_OK) rc = sum_over_ranks(r, err);
    if (rc == ERR_OK) drop_empty(r->rates);
    return rc;
}

/* The steps belong to these signatures, this order and this bar. */
static ErrCode make_key(const char *sign_dir, const DedupParams *p, bool oldest_first, Hash128 *key, Err *err)
{
    Dataset *ds = NULL;
    const char *signed_by = NULL;
    Buf b = {0};
    ErrCode rc = dataset_open(&ds, sign_dir, err);

    if (rc == ERR_OK) rc = json_get_str(dataset_manifest(ds), "key", sign_dir, &signed_by, err);
    buf_printf(&b, "rates %s %d %d %" PRIu32, signed_by ? signed_by : "", oldest_first, p->exact_only,
               (uint32_t)lround(p->verify * 1e6));
    if (rc == ERR_OK) rc = buf_ok(&b, "a key", err);
    if (rc == ERR_OK) *key = hash128(buf_span(&b));
    buf_clear(&b);
    dataset_close(ds);
    return rc;
}

ErrCode rates_run(const DedupParams *params, const DatasetSet *in, const char *dir, bool oldest_first,
                  const CommonOptions *common, const Par *par, Rates *out, Err *err)
{
    DedupParams global = *params;
    char sign[PATH_MAX], passes[PATH_MAX];
    DocTableSpec spec = {.sign_dir = sign,
                         .passes_dir = passes,
                         .scratch = common->scratch ? common->scratch : dir,
                         .memory = common_memory(common, par)};
    Run r = {.rates = out, .oldest_first = oldest_first, .micro = (uint32_t)lround(params->verify * 1e6)};
    StageTotals totals = {0};
    int a = snprintf(sign, sizeof sign, "%s/sign", dir), b = snprintf(passes, sizeof passes, "%s/rates", dir);
    ErrCode rc = dedup_check(params, err);

    *out = (Rates){0};
    global.window = 0;
    if (rc == ERR_OK && (a < 0 || b < 0 || b >= (int)sizeof passes))
        rc = err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
    if ((rc = par_agree(par, rc, err)) == ERR_OK) rc = sign_run(&global, in, sign, common, par, &totals, err);
    if (rc == ERR_OK) rc = par_agree(par, make_key(sign, &global, oldest_first, &spec.key, err), err);
    if (rc == ERR_OK) rc = doctable_open(&r.t, &global, in, &spec, par, err);
    if (rc == ERR_OK) {
        rc = run_steps(&r, err);
        doctable_clear(&r.t);
    }
    if (rc == ERR_OK) rc = par_agree(par, par->rank == 0 ? store_delete_tree(passes, 2, err) : ERR_OK, err);
    if (rc) rates_clear(out);
    return rc;
}
