#include "dedup/dumps.h"

#include "core/json.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <stdlib.h>

/* Where a document of a dump lies: hash, global part, record in the root part. */
typedef struct {
    uint64_t hash;
    uint32_t part, record;
} Place;
enum { PLACE_BYTES = 16 };

static Place place_get(const uint8_t *p) { return (Place){le64_get(p), le32_get(p + 8), le32_get(p + 12)}; }

static void place_put(Buf *b, uint64_t hash, uint32_t part, uint32_t record)
{
    uint8_t p[PLACE_BYTES];

    le64_put(p, hash);
    le32_put(p + 8, part);
    le32_put(p + 12, record);
    buf_put(b, p, sizeof p);
}

static bool has_hash(const Buf *b, uint64_t hash)
{
    for (size_t at = b->n; at > 0; at -= PLACE_BYTES)
        if (le64_get(b->p + at - PLACE_BYTES) == hash) return true;
    return false;
}

static ErrCode too_many(Err *err)
{
    return err_set(err, ERR_LIMIT, "the documents name more than %d dumps", RATES_MAX_DUMPS);
}

/* --- which there are */

typedef struct {
    Buf places; /* one a hash */
} Found;

static ErrCode find_in_part(void *ctx, SignPart *p, int lane, Err *err)
{
    Found *f = ctx;
    uint64_t last = 0;
    bool first = true;
    Span dump;
    ErrCode rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err);

    (void)lane;
    for (uint32_t i = 0; i < p->n && rc == ERR_OK; i++) {
        uint64_t hash = le64_get(dump.p + 8 * (size_t)i);
        if (!(p->state[i] & DOC_SHOWN) || (!first && hash == last)) continue;
        first = false;
        last = hash;
#pragma omp critical(dumps_found)
        {
            if (!has_hash(&f->places, hash)) place_put(&f->places, hash, p->part, i);
            if (f->places.n / PLACE_BYTES > RATES_MAX_DUMPS) rc = too_many(err);
        }
    }
    return rc;
}

static int by_hash_value(const void *a, const void *b)
{
    uint64_t x = le64_get(a), y = le64_get(b);

    return (x > y) - (x < y);
}

/* --- what they are called */

static ErrCode find_record(BlockReader *r, PartView *v, uint32_t record, Doc *doc, bool *found, Err *err)
{
    uint32_t block = 0, at = 0;
    bool end = false;
    ErrCode rc;

    *found = false;
    while (block + 1 < partview_n_blocks(v) && partview_first_record(v, block + 1) <= record) block++;
    if ((rc = blockreader_open(r, v, block, err)) != ERR_OK) return rc;
    while (!*found && (rc = blockreader_next(r, doc, &at, &end, err)) == ERR_OK && !end) *found = at == record;
    return rc;
}

static ErrCode read_name(BlockReader *r, const DatasetSet *in, Place place, Buf *out, Err *err)
{
    uint8_t head[12];
    PartView *v = NULL;
    Doc doc = {0};
    bool found = false;
    ErrCode rc = partview_open(&v, in, place.part, err);

    if (rc == ERR_OK) rc = find_record(r, v, place.record, &doc, &found, err);
    if (rc == ERR_OK && (!found || hash64(doc.dump) != place.hash))
        rc = err_set(err, ERR_DATA, "the signatures of part %" PRIu32 " are not those of its documents", place.part);
    if (rc == ERR_OK) {
        le64_put(head, place.hash);
        le32_put(head + 8, (uint32_t)doc.dump.n);
        buf_put(out, head, sizeof head);
        buf_put_span(out, doc.dump);
    }
    partview_close(v);
    return rc;
}

/* Rank 0 reads them for all: hash, length, bytes of each. */
static ErrCode read_names(const DatasetSet *in, Buf *places, Buf *names, Err *err)
{
    BlockReader *r = NULL;
    uint32_t n = 0;
    ErrCode rc = blockreader_new(&r, err);

    if (places->n) qsort(places->p, places->n / PLACE_BYTES, PLACE_BYTES, by_hash_value);
    for (size_t at = 0; at < places->n && rc == ERR_OK; at += PLACE_BYTES) {
        Place p = place_get(places->p + at);
        if (at && le64_get(places->p + at - PLACE_BYTES) == p.hash) continue;
        if (++n > RATES_MAX_DUMPS) rc = too_many(err);
        if (rc == ERR_OK && p.hash == 0)
            buf_put(names, (const uint8_t[12]){0}, 12);
        else if (rc == ERR_OK)
            rc = read_name(r, in, p, names, err);
    }
    blockreader_free(r);
    return rc ? rc : buf_ok(names, "names of dumps", err);
}

static int by_name(const void *a, const void *b)
{
    return span_cmp(((const RatesDump *)a)->name, ((const RatesDump *)b)->name);
}
static int by_name_back(const void *a, const void *b) { return by_name(b, a); }

static ErrCode take_names(const Buf *names, bool oldest_first, Rates *out, Err *err)
{
    uint32_t n = 0;

    for (size_t at = 0; at < names->n; at += 12 + le32_get(names->p + at + 8)) n++;
    out->dump = calloc(n ? n : 1, sizeof *out->dump);
    if (!out->dump) return err_nomem(err, "a list of dumps");
    for (size_t at = 0; at < names->n; at += 12 + le32_get(names->p + at + 8)) {
        RatesDump *d = &out->dump[out->n++];
        d->hash = le64_get(names->p + at);
        d->name = arena_copy(&out->arena, span(names->p + at + 12, le32_get(names->p + at + 8)));
        if (!d->name.p) return err_nomem(err, "a list of dumps");
    }
    qsort(out->dump, n, sizeof *out->dump, oldest_first ? by_name : by_name_back);
    return ERR_OK;
}

ErrCode dumps_find(const DocTable *t, const DatasetSet *in, bool oldest_first, Rates *out, Err *err)
{
    Found f = {0};
    Buf names = {0};
    ErrCode rc = doctable_each_part(t, find_in_part, &f, err);

    if (rc == ERR_OK) rc = buf_ok(&f.places, "a list of dumps", err);
    if ((rc = par_agree(t->par, rc, err)) == ERR_OK) rc = par_gather(t->par, &f.places, err);
    if (rc == ERR_OK && t->par->rank == 0) rc = read_names(in, &f.places, &names, err);
    if ((rc = par_agree(t->par, rc, err)) == ERR_OK) rc = par_bcast(t->par, &names, err);
    if (rc == ERR_OK) rc = par_agree(t->par, take_names(&names, oldest_first, out, err), err);
    buf_clear(&f.places);
    buf_clear(&names);
    return rc;
}

/* --- from hash to place */

DumpFinder dumpfinder(const Rates *rates, uint32_t *by_hash)
{
    for (uint32_t i = 0; i < rates->n; i++) { /* by insertion: they are few */
        uint32_t at = i;
        for (; at > 0 && rates->dump[by_hash[at - 1]].hash > rates->dump[i].hash; at--) by_hash[at] = by_hash[at - 1];
        by_hash[at] = i;
    }
    return (DumpFinder){.by_hash = by_hash, .rates = rates};
}

uint32_t dump_rank(DumpFinder *f, uint64_t hash)
{
    uint32_t lo = 0, hi = f->rates->n;

    if (f->known && f->hash == hash) return f->rank;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (f->rates->dump[f->by_hash[mid]].hash <= hash)
            lo = mid;
        else
            hi = mid;
    }
    f->known = true;
    f->hash = hash;
    return f->rank = f->by_hash[lo];
}
