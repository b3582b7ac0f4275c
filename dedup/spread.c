/* What a kept document stands for: how many documents, from how many dumps, on how many hosts. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

enum { COUNT_BYTES = 4, SPREAD_VALUE = SPREAD_BYTES - DOC_BYTES };
/* A place: the keeper, and the number of the dump that it is. */
enum { PLACE_BYTES = REF_BYTES };

typedef struct {
    const DocTable *t;
    Pass *p;
    const Results *verdicts, *sizes;
} Step;

/* --- how many: dropped documents by keeper */

static ErrCode send_keepers(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY], one[COUNT_BYTES] = {1};
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES) {
        doc_key(s->t, doc_get(verdicts.p + at + REF_BYTES), key);
        rc = pass_put(s->p, lane, key, one, sizeof one, err);
    }
    return rc;
}

static ErrCode send_sizes(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return results_each(s->verdicts, send_keepers, s, err);
}

static void add_count(uint8_t *acc, const uint8_t *value)
{
    uint64_t sum = (uint64_t)le32_get(acc) + le32_get(value);

    le32_put(acc, sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX);
}

/* --- distinct dumps and hosts of clusters of several; a document alone is counted where it is written */

/* A dump and a host of one hash differ in the last bit. */
static ErrCode put_place(const Step *s, int lane, uint64_t keeper, uint64_t hash, bool is_host, Err *err)
{
    uint8_t key[EXCHANGE_KEY], value[PLACE_BYTES];

    if (hash == 0) return ERR_OK;
    exchange_key_u64(key, mix64(keeper), (hash & ~UINT64_C(1)) | is_host);
    ref_put(value, keeper, is_host ? DUMPS_NONE : dumpnames_number(&s->t->dumps, hash));
    return pass_put(s->p, lane, key, value, sizeof value, err);
}

typedef struct {
    Span dump, host;
} Places;

static ErrCode put_doc(const Step *s, int lane, const SignPart *p, const Places *at, uint64_t doc, uint64_t keeper,
                       Err *err)
{
    size_t i = 8 * (size_t)(doc - p->first);
    ErrCode rc = put_place(s, lane, keeper, le64_get(at->dump.p + i), false, err);

    return rc ? rc : put_place(s, lane, keeper, le64_get(at->host.p + i), true, err);
}

static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    Span verdicts, sizes;
    Places places;
    ErrCode rc;

    if ((rc = signpart_slice(p, s->verdicts, 0, &verdicts, err)) != ERR_OK) return rc;
    if ((rc = signpart_slice(p, s->sizes, 1, &sizes, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &places.dump, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_HOST], COL_U64, 1, &places.host, err)) != ERR_OK) return rc;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES)
        rc = put_doc(s, lane, p, &places, doc_get(verdicts.p + at), doc_get(verdicts.p + at + REF_BYTES), err);
    for (size_t at = 0; at < sizes.n && rc == ERR_OK; at += SIZE_BYTES)
        rc = put_doc(s, lane, p, &places, doc_get(sizes.p + at), doc_get(sizes.p + at), err);
    return rc;
}

static ErrCode send_places(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return doctable_each_part(s->t, send_part, s, err);
}

typedef struct {
    uint64_t keeper;
    uint32_t n[2];        /* dumps, hosts; both 0: no keeper yet */
    uint16_t first, last; /* dump */
} Spread;

static ErrCode put_spread(const Spread *s, ResultsOut *out, Err *err)
{
    uint8_t record[SPREAD_BYTES];

    if (s->n[0] + s->n[1] == 0) return ERR_OK;
    doc_put(record, s->keeper);
    le32_put(record + DOC_BYTES, s->n[0]);
    le32_put(record + DOC_BYTES + 4, s->n[1]);
    le16_put(record + DOC_BYTES + 8, s->first);
    le16_put(record + DOC_BYTES + 10, s->last);
    return resultsout_put(out, record, err);
}

static void add_place(Spread *s, bool is_host, uint16_t dump)
{
    s->n[is_host]++;
    if (dump == DUMPS_NONE) return;
    if (s->first == DUMPS_NONE || dump < s->first) s->first = dump;
    if (s->last == DUMPS_NONE || dump > s->last) s->last = dump;
}

/* A keeper's groups share the upper half of the key: they come one behind the other, in one partition. */
static ErrCode count_places(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    Spread s = {0};
    Span place;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    for (;;) {
        if ((rc = exchange_next_group(g, key, &end, err)) != ERR_OK) return rc;
        if (end) return put_spread(&s, out, err);
        if ((rc = exchange_next_value(g, &place, &(bool){false}, err)) != ERR_OK) return rc;
        uint64_t keeper = doc_get(place.p);
        if (keeper != s.keeper || s.n[0] + s.n[1] == 0) {
            if ((rc = put_spread(&s, out, err)) != ERR_OK) return rc;
            s = (Spread){.keeper = keeper, .first = DUMPS_NONE, .last = DUMPS_NONE};
        }
        add_place(&s, key[15] & 1, ref_dump(place.p));
    }
}

ErrCode sizes_count(const DocTable *t, const Pass *verdicts, Pass **out, Err *err)
{
    const StepSpec spec = {
        .name = "sizes", .value_bytes = COUNT_BYTES, .result_bytes = SIZE_BYTES, .combine = add_count};
    Step s = {.t = t, .verdicts = pass_results(verdicts)};
    ErrCode rc = doctable_step(t, &spec, out, err);

    return rc ? rc : pass_run(*out, send_sizes, list_by_doc, &s, err);
}

ErrCode spread_count(const DocTable *t, const Pass *verdicts, const Pass *sizes, Pass **out, Err *err)
{
    const StepSpec count = {.name = "places",
                            .value_bytes = PLACE_BYTES,
                            .result_bytes = SPREAD_BYTES,
                            .combine = keep_one},
                   sort = {.name = "spread", .value_bytes = SPREAD_VALUE, .result_bytes = SPREAD_BYTES};
    Step s = {.t = t, .verdicts = pass_results(verdicts), .sizes = pass_results(sizes)};
    Pass *counted = NULL;
    ErrCode rc = doctable_step(t, &sort, out, err);

    if (rc || pass_is_done(*out)) return rc;
    if ((rc = doctable_step(t, &count, &counted, err)) != ERR_OK) return rc;
    rc = pass_run(counted, send_places, count_places, &s, err);
    if (rc == ERR_OK) rc = sort_by_doc(t, pass_results(counted), SPREAD_BYTES, list_by_doc, *out, err);
    pass_close(counted);
    return rc;
}
