/* Lookups in an index against a look at every document of it, made-up keys; filters, and memory that holds a part of the index. */
#include "core/store.h"
#include "dedup/index.h"
#include "dedup/remove.h"
#include "dedup/sign.h"
#include "tests/check.h"

#include <limits.h>
#include <stdlib.h>

/* Each addition is a run. */
enum { DUMPS = 3, KEPT = 6000, NEW = 3000, BANDS = 14 };

/* Text, bands and sketch are those of the numbers; band b is of `like` from `first` on. Numbers below DUMPS * KEPT are documents of the index. */
typedef struct {
    uint64_t text, like, own;
    uint32_t first;
} Made;

static uint64_t word(uint64_t number, uint64_t what) { return mix64(mix64(number + 1) + what); }
static uint64_t band_of(const Made *m, uint32_t b) { return word(b < m->first ? m->own : m->like, 1000 + b); }

/* One in three new documents has the text of a kept one, one the last bands and the sketch, one is new; of the near ones some
 * have a sketch of their own. */
static Made new_doc(uint64_t i)
{
    uint64_t own = (UINT64_C(1) << 32) + i, kept = mix64(i) % (DUMPS * KEPT);

    if (i % 3 == 0) return (Made){kept, kept, own, 0};
    if (i % 3 == 1) return (Made){own, kept, own, (uint32_t)(i % (BANDS + 1))};
    return (Made){own, own, own, 0};
}

static void put_sketch(Buf *b, uint64_t number)
{
    for (unsigned i = 0; i < SKETCH_BINS; i++) buf_putc(b, (uint8_t)(1 + word(number, 100 + i) % 255));
}

static void put_u64(Buf *b, uint64_t v)
{
    uint8_t p[8];

    le64_put(p, v);
    buf_put(b, p, sizeof p);
}

static void put_signature(Buf col[], Buf *pool, const Made *m)
{
    uint8_t n[4];

    put_u64(&col[0], word(m->text, 1));
    put_u64(&col[0], word(m->text, 2));
    le32_put(n, 1000);
    buf_put(&col[1], n, 4);
    put_u64(&col[2], pool->n);
    le32_put(n, 8);
    buf_put(pool, n, 4);
    put_u64(pool, m->own);
    put_u64(&col[3], m->own);
    put_u64(&col[4], m->own);
    put_sketch(&col[5], m->like);
    buf_putc(&col[6], 0);
    for (uint32_t b = 0; b < BANDS; b++) put_u64(&col[7 + b], band_of(m, b));
}

/* A view of one part with its signatures. */
static ErrCode write_view(const char *out, Buf col[], const Buf *pool, uint64_t n, Hash128 key, Err *err)
{
    static const ColumnDef def[7] = {{"exact", COL_U64, 2, 0}, {"tokens", COL_U32, 1, 0},
                                     {"id", COL_STRING, 1, 0}, {"address", COL_U64, 1, 0},
                                     {"host", COL_U64, 1, 0},  {"sketch", COL_U8, SKETCH_BINS, 0},
                                     {"drop", COL_U8, 1, 0}};
    char path[PATH_MAX], names[BANDS][COL_NAME_MAX + 1], hex[HASH128_HEX], receipt[100];
    ColumnData data[7 + BANDS];
    ErrCode rc;

    hash128_hex(hex, key);
    snprintf(receipt, sizeof receipt, "{\"part\":{\"key\":\"%s\"}}", hex);

    for (uint32_t i = 0; i < 7 + BANDS; i++) {
        data[i] = (ColumnData){.values = buf_span(&col[i])};
        if (i < 7) data[i].def = def[i];
        if (i >= 7) sign_band_name(names[i - 7], i - 7), data[i].def = (ColumnDef){names[i - 7], COL_U64, 1, 0};
    }
    data[2].pool = buf_span(pool);
    if ((rc = index_path(path, sizeof path, out, "sign", err)) == ERR_OK) rc = store_mkdirs(path, err);
    if (rc == ERR_OK) rc = index_path(path, sizeof path, out, "part-000000.dedup.cols", err);
    if (rc == ERR_OK) rc = columns_write(path, n, (Hash128){0, 0}, &data[6], 1, span_str(receipt), err);
    if (rc == ERR_OK) rc = index_path(path, sizeof path, out, "sign/part-000000.sign.cols", err);
    return rc ? rc : columns_write(path, n, (Hash128){0, 0}, data, 7 + BANDS, SPAN_LIT("{}"), err);
}

static ErrCode make_view(const char *out, uint32_t dump, uint64_t n, Hash128 key, Err *err)
{
    Buf col[7 + BANDS] = {{0}}, pool = {0};

    for (uint64_t i = 0; i < n; i++) {
        uint64_t number = (uint64_t)dump * KEPT + i;
        Made m = dump == DUMPS ? new_doc(i) : (Made){number, number, number, 0};
        put_signature(col, &pool, &m);
    }
    ErrCode rc = write_view(out, col, &pool, n, key, err);
    for (int i = 0; i < 7 + BANDS; i++) buf_clear(&col[i]);
    buf_clear(&pool);
    return rc;
}

static const DedupParams params = DEDUP_PARAMS_DEFAULT;

static void make_index(Index *ix, const char *dir, const char *base, const Par *par, Err *err)
{
    const IndexWork work = {.par = par, .memory = 8 << 20, .scratch = base};
    char out[PATH_MAX];

    for (uint32_t d = 0; d < DUMPS; d++) {
        if (d == 1) { /* no run's directory: 2^32 + 0 */
            CHECK_OK(index_path(out, sizeof out, dir, "runs/4294967296", err), err);
            CHECK_OK(store_mkdirs(out, err), err);
        }
        snprintf(out, sizeof out, "%s/dump-%u", base, d);
        CHECK_OK(make_view(out, d, KEPT, (Hash128){d, 2}, err), err);
        CHECK_OK(index_load(ix, dir, &params, par, err), err);
        CHECK_OK(index_add(ix, out, 1, (Hash128){d, 1}, (Hash128){d, 2}, &work, err), err);
        index_clear(ix);
    }
    CHECK_OK(index_load(ix, dir, &params, par, err), err);
    CHECK_INT(DUMPS, ix->n_runs);
}

/* What each new document matches, of all kept ones the first; UINT64_MAX: nothing. */
static uint64_t slow_match(uint64_t i, bool *exact)
{
    const Made m = new_doc(i);

    *exact = m.text < DUMPS * KEPT;
    for (uint64_t kept = 0; kept < DUMPS * KEPT; kept++) {
        const Made k = {kept, kept, kept, 0};
        bool shared = *exact && m.text == kept;
        for (uint32_t b = 0; b < BANDS && !*exact && !shared && m.like == kept; b++)
            shared = band_of(&m, b) == band_of(&k, b);
        if (shared) return docid((uint32_t)(kept / KEPT), 0, (uint32_t)(kept % KEPT));
    }
    return UINT64_MAX;
}

static void take_found(const Pass *p, uint64_t *found, Err *err)
{
    Buf all = {0};

    CHECK_OK(results_range(pass_results(p), 0, NEW, &all, err), err);
    for (size_t at = 0; at < all.n; at += PAIR_BYTES) found[doc_get(all.p + at)] = be64_get(all.p + at + DOC_BYTES);
    buf_clear(&all);
}

static ErrCode look_up(Index *ix, const char *out, uint64_t memory, int threads, uint64_t found[2][NEW], Err *err)
{
    const Par par = par_alone(threads);
    char sign[PATH_MAX], passes[PATH_MAX];
    uint64_t first[2] = {0, NEW};
    DocId id = 0;
    uint8_t state[NEW];
    DocTable t = {.params = &params,
                  .par = &par,
                  .sign_dir = sign,
                  .passes_dir = passes,
                  .key = {memory, 1},
                  .memory = memory,
                  .scratch = out,
                  .n_parts = 1,
                  .first = first,
                  .docid = &id,
                  .n = NEW,
                  .end = 1,
                  .state = state};
    Pass *pass[2] = {NULL, NULL};

    memset(state, DOC_NEAR, NEW);
    memset(found, 0xff, 2 * sizeof *found);
    CHECK_OK(index_path(sign, sizeof sign, out, "sign", err), err);
    CHECK_OK(index_path(passes, sizeof passes, out, "passes", err), err);
    const ErrCode rc = index_find(&t, ix, pass, err);
    for (int kind = 0; kind < 2; kind++) {
        if (pass[kind] && rc == ERR_OK) take_found(pass[kind], found[kind], err);
        pass_close(pass[kind]);
    }
    for (uint32_t i = 0; i < NEW && rc == ERR_OK; i++)
        CHECK(!(state[i] & DOC_SHOWN) == (found[0][i] != UINT64_MAX || found[1][i] != UINT64_MAX));
    Err other;
    CHECK_OK(store_delete_tree(passes, 2, &other), &other);
    return rc;
}

static void finds_what_is_there(Index *ix, const char *out)
{
    /* 4 MB of bands and 440 kB of filters, of which the least memory takes 390. */
    static const uint64_t memory[] = {780 << 10, 1 << 20, 64 << 20};
    static uint64_t found[2][NEW];
    uint64_t want[NEW], n_near = 0;
    bool exact[NEW];
    Err err;

    CHECK_OK(make_view(out, DUMPS, NEW, (Hash128){0, 0}, &err), &err);
    for (uint64_t i = 0; i < NEW; i++) {
        want[i] = slow_match(i, &exact[i]);
        n_near += want[i] != UINT64_MAX && !exact[i];
    }
    CHECK(n_near > NEW / 4);
    for (size_t m = 0; m < sizeof memory / sizeof *memory; m++) {
        CHECK_OK(look_up(ix, out, memory[m], m < 2 ? 1 : 2, found, &err), &err);
        for (uint64_t i = 0; i < NEW; i++) {
            CHECK_INT((long long)want[i], (long long)found[exact[i] ? 0 : 1][i]);
            CHECK(found[exact[i] ? 1 : 0][i] == UINT64_MAX);
        }
    }
}

/* A key of a run passes, always; of others at most 3 of 100, where each run lets 1 of 250 pass. Of what is not loaded all do. */
static void filters_let_keys_pass(Index *ix)
{
    const Par par = par_alone(2);
    uint64_t taken, all = 0;
    Err err;

    for (int part = 0; part < 3; part++) { /* all, half, nothing */
        uint64_t passed = 0, n = 0;
        CHECK_OK(indexruns_open(ix, &par, &err), &err);
        CHECK_OK(indexfilters_load(ix, part == 0 ? UINT64_MAX : part == 1 ? all / 2 : 0, &taken, &err), &err);
        if (part == 0) all = taken;
        CHECK(part == 0 ? taken > 0 : part == 1 ? taken <= all / 2 && taken > all / 3 : taken == 0);
        for (uint64_t number = 0; number < 3 * DUMPS * KEPT; number++) {
            uint64_t key[BANDS];
            bool may[BANDS];
            for (uint32_t b = 0; b < BANDS; b++) key[b] = word(number, 1000 + b);
            index_may_hold(ix, key, BANDS, may);
            for (uint32_t b = 0; b < BANDS; b++) {
                const IndexMask mask = index_mask(key[b]);
                bool any = false;
                for (uint32_t i = 0; i < ix->n_runs; i++) any |= indexrun_may_hold(&ix->run[i], key[b], &mask);
                CHECK_INT(any, may[b]); /* a batch by vectors, and one by one */
                if (number < DUMPS * KEPT)
                    CHECK(may[b]);
                else
                    passed += may[b], n++;
            }
        }
        CHECK(part == 0   ? passed > 0 && passed < n * 3 / 100
              : part == 1 ? passed > n * 45 / 100 && passed < n * 55 / 100
                          : passed == n);
        indexruns_close(ix);
    }
}

/* Of a file whose sums nobody reads as a whole. */
static void damage_is_named(Index *ix, const char *out)
{
    static uint64_t found[2][NEW];
    char path[PATH_MAX];
    Buf file = {0};
    Err err;

    snprintf(path, sizeof path, "%s/docs/00001-000000.cols", ix->dir);
    CHECK_OK(store_read(path, 1 << 30, &file, &err), &err);
    size_t sketches = file.n - KEPT * 4 - KEPT * SKETCH_BINS;
    memset(file.p + sketches, 0x55, KEPT * SKETCH_BINS / 2); /* behind them are 4 bytes a document and little else */
    CHECK_OK(store_write(path, buf_span(&file), &err), &err);
    CHECK_INT(ERR_DATA, look_up(ix, out, 64 << 20, 1, found, &err));
    CHECK(strstr(err.msg, "part 0 of dataset 1 is damaged at row ") &&
          strstr(err.msg, "tamis dedup index --rebuild "));
    buf_clear(&file);
}

/* From the view that was added and from no other in its place; only while the claim is ours. */
static void damage_is_mended(Index *ix, const char *base, const Par *par)
{
    IndexClaim claim = {0};
    const IndexWork work = {.par = par, .memory = 8 << 20, .scratch = base, .claim = &claim};
    char out[PATH_MAX], path[PATH_MAX];
    RemoveFound some = {0};
    Buf taken = {0};
    uint32_t n_runs;
    uint64_t n_files;
    Err err;

    CHECK_OK(indexclaim_take(&claim, ix, "index --rebuild", NULL, (Hash128){0, 0}, &err), &err);
    snprintf(out, sizeof out, "%s/dump-1", base);
    CHECK_OK(make_view(out, 1, KEPT, (Hash128){1, 3}, &err), &err);
    CHECK_INT(ERR_DATA, index_rebuild(ix, &work, &n_runs, &n_files, &err));
    CHECK(strstr(err.msg, "is not whole: 1 docs files and 0 runs"));
    CHECK_INT(0, n_files);
    CHECK_OK(make_view(out, 1, KEPT, (Hash128){1, 2}, &err), &err);

    snprintf(path, sizeof path, "%s/adding.json", ix->dir);
    CHECK_OK(store_read(path, 1 << 20, &taken, &err), &err);
    CHECK_OK(store_write(path, SPAN_LIT("{}"), &err), &err);
    CHECK_INT(ERR_DATA, index_rebuild(ix, &work, &n_runs, &n_files, &err));
    CHECK(strstr(err.msg, "another job has taken it over"));
    CHECK_INT(0, n_files);
    buf_put(&some.refs, &(uint64_t){docid(0, 0, 1)}, sizeof(uint64_t));
    CHECK_INT(ERR_DATA, remove_take_out(ix, &claim, &some, 1, &err));
    CHECK(strstr(err.msg, "another job has taken it over"));
    CHECK_INT(0, ix->removed_file);
    removefound_clear(&some);
    CHECK_OK(store_write(path, buf_span(&taken), &err), &err);

    CHECK_OK(index_rebuild(ix, &work, &n_runs, &n_files, &err), &err);
    CHECK_INT(1, n_files);
    CHECK_INT(0, n_runs);
    indexclaim_end(&claim, true);
    buf_clear(&taken);
}

TEST(index_finds_what_a_look_at_all_documents_finds_within_any_memory)
{
    const Par par = par_alone(2);
    const char *base = check_tmpdir();
    char dir[PATH_MAX], out[PATH_MAX];
    bool there;
    Index ix;
    Err err;

    snprintf(dir, sizeof dir, "%s/index", check_tmpdir());
    snprintf(out, sizeof out, "%s/new", check_tmpdir());
    make_index(&ix, dir, base, &par, &err);
    finds_what_is_there(&ix, out);
    filters_let_keys_pass(&ix);
    damage_is_named(&ix, out);
    damage_is_mended(&ix, base, &par);
    CHECK_OK(index_path(out, sizeof out, dir, "runs/4294967296", &err), &err);
    CHECK_OK(store_is_dir(out, &there, &err), &err);
    CHECK(there);
    index_clear(&ix);
}
