/* bench/index_bench.c - a new dump against an index of earlier ones, made-up keys.
 *
 *   index_bench DIR [DUMPS [KEPT [NEW [SAME [NEAR [THREADS]]]]]]
 * DIR is made and holds some 1.2 kB a document kept; delete it afterwards. What an earlier call with these numbers left there is used again. DUMPS (90) earlier dumps of which KEPT (20000) documents each are in the
 * index, and a NEW (200000) one: SAME (85) of 100 documents have the text of one in the index, NEAR (5) half of its bands and its
 * sketch, the others are like none; it lies in parts of PART documents, as what a crawl yields does. Times are those of all threads (1) on their processors, so a loaded machine can be measured. */
#include "core/log.h"
#include "core/store.h"
#include "dedup/index.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { PART = 25000 };

typedef struct {
    const char *dir;
    uint32_t dumps, kept, fresh, same, near, threads;
    DedupParams params;
} Bench;

/* Documents are numbers: what they are like follows from them. */
static uint64_t word(uint64_t doc, uint64_t what) { return mix64(mix64(doc + 1) + what); }

typedef struct {
    Buf exact, id, pool, address, host, tokens, sketch, drop, band[DEDUP_MAX_BANDS];
} Made;

static void put_u64(Buf *b, uint64_t v)
{
    uint8_t p[8];

    le64_put(p, v);
    buf_put(b, p, sizeof p);
}

/* Text of `text`, bands from `first` on and sketch of `like`, other bands of its own. */
static void put_doc(Made *m, const Bench *b, uint64_t doc, uint64_t text, uint64_t like, uint32_t first)
{
    char id[64];
    uint8_t n[4];
    int length = snprintf(id, sizeof id, "CC-MAIN-2023-06/part-00000.jsonl.zst#%" PRIu64, doc);

    put_u64(&m->exact, word(text, 1));
    put_u64(&m->exact, word(text, 2));
    put_u64(&m->id, m->pool.n);
    le32_put(n, (uint32_t)length);
    buf_put(&m->pool, n, 4);
    buf_put(&m->pool, id, (size_t)length);
    put_u64(&m->address, word(doc, 3));
    put_u64(&m->host, word(doc, 4));
    le32_put(n, 1000);
    buf_put(&m->tokens, n, 4);
    for (unsigned i = 0; i < SKETCH_BINS; i++) buf_putc(&m->sketch, (uint8_t)(1 + word(like, 100 + i) % 255));
    buf_putc(&m->drop, 0);
    for (uint32_t i = 0; i < b->params.bands; i++) put_u64(&m->band[i], word(i < first ? doc : like, 1000 + i));
}

static void made_clear(Made *m)
{
    Buf *fixed[] = {&m->exact, &m->id, &m->pool, &m->address, &m->host, &m->tokens, &m->sketch, &m->drop};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) buf_clear(fixed[i]);
    for (int i = 0; i < DEDUP_MAX_BANDS; i++) buf_clear(&m->band[i]);
}

/* Part `part` of a view and its signatures, as tamis dedup leaves them. */
static ErrCode write_view(const Bench *b, const Made *m, uint32_t part, uint64_t n, Hash128 key, const char *out,
                          Err *err)
{
    char sign[PATH_MAX], path[PATH_MAX], names[DEDUP_MAX_BANDS][COL_NAME_MAX + 1], hex[HASH128_HEX], receipt[100];
    char view[64], signs[64];
    ColumnData c[16 + DEDUP_MAX_BANDS] = {{{"drop", COL_U8, 1, 0}, buf_span(&m->drop), {0}},
                                          {{"exact", COL_U64, 2, 0}, buf_span(&m->exact), {0}},
                                          {{"tokens", COL_U32, 1, 0}, buf_span(&m->tokens), {0}},
                                          {{"id", COL_STRING, 1, 0}, buf_span(&m->id), buf_span(&m->pool)},
                                          {{"address", COL_U64, 1, 0}, buf_span(&m->address), {0}},
                                          {{"host", COL_U64, 1, 0}, buf_span(&m->host), {0}},
                                          {{"sketch", COL_U8, SKETCH_BINS, 0}, buf_span(&m->sketch), {0}}};
    uint32_t n_cols = 7;
    ErrCode rc = index_path(sign, sizeof sign, out, "sign", err);

    snprintf(view, sizeof view, "part-%06" PRIu32 ".dedup.cols", part);
    snprintf(signs, sizeof signs, "part-%06" PRIu32 ".sign.cols", part);
    hash128_hex(hex, key);
    snprintf(receipt, sizeof receipt, "{\"part\":{\"key\":\"%s\"}}", hex);
    for (uint32_t i = 0; i < b->params.bands; i++) {
        sign_band_name(names[i], i);
        c[n_cols++] = (ColumnData){{names[i], COL_U64, 1, 0}, buf_span(&m->band[i]), {0}};
    }
    if (rc == ERR_OK) rc = store_mkdirs(sign, err);
    if (rc == ERR_OK) rc = index_path(path, sizeof path, out, view, err);
    if (rc == ERR_OK) rc = columns_write(path, n, (Hash128){0, 0}, c, 1, span_str(receipt), err);
    if (rc == ERR_OK) rc = index_path(path, sizeof path, sign, signs, err);
    return rc ? rc : columns_write(path, n, (Hash128){0, 0}, c, n_cols, SPAN_LIT("{}"), err);
}

static ErrCode add_dumps(const Bench *b, Index *ix, const char *index_dir, const Par *par, const IndexWork *work,
                         Err *err)
{
    char out[PATH_MAX], name[32];
    ErrCode rc = ERR_OK;

    for (uint32_t d = 0; d < b->dumps && rc == ERR_OK; d++) {
        Made m = {0};
        for (uint64_t i = 0; i < b->kept; i++)
            put_doc(&m, b, (uint64_t)d << 32 | i, (uint64_t)d << 32 | i, (uint64_t)d << 32 | i, 0);
        snprintf(name, sizeof name, "dump-%u", d);
        rc = index_path(out, sizeof out, b->dir, name, err);
        if (rc == ERR_OK) rc = write_view(b, &m, 0, b->kept, (Hash128){d, 2}, out, err);
        made_clear(&m);
        index_clear(ix);
        if (rc == ERR_OK) rc = index_load(ix, index_dir, &b->params, par, err);
        if (rc == ERR_OK) rc = index_add(ix, out, 1, (Hash128){d, 1}, (Hash128){d, 2}, work, err);
        if (rc == ERR_OK) rc = store_delete_tree(out, 2, err);
    }
    index_clear(ix);
    return rc ? rc : index_load(ix, index_dir, &b->params, par, err);
}

static uint32_t n_parts(const Bench *b) { return (b->fresh + PART - 1) / PART; }
static uint64_t first_of(const Bench *b, uint32_t part)
{
    return part < n_parts(b) ? (uint64_t)part * PART : b->fresh;
}

static ErrCode make_part(const Bench *b, uint32_t part, const char *out, Err *err)
{
    const uint64_t first = first_of(b, part), end = first_of(b, part + 1);
    Made m = {0};
    ErrCode rc;

    for (uint64_t i = first; i < end; i++) {
        uint64_t doc = (uint64_t)b->dumps << 32 | i, pick = mix64(i),
                 like = pick % b->dumps << 32 | (pick >> 32) % b->kept;
        uint32_t kind = (uint32_t)(mix64(i + (UINT64_C(1) << 40)) % 100);
        if (kind < b->same)
            put_doc(&m, b, doc, like, like, 0);
        else if (kind < b->same + b->near)
            put_doc(&m, b, doc, doc, like, b->params.bands / 2);
        else
            put_doc(&m, b, doc, doc, doc, 0);
    }
    rc = write_view(b, &m, part, end - first, (Hash128){0, 0}, out, err);
    made_clear(&m);
    return rc;
}

static ErrCode make_new(const Bench *b, const char *out, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t part = 0; part < n_parts(b) && rc == ERR_OK; part++) rc = make_part(b, part, out, err);
    return rc;
}

static ErrCode look_up(const Bench *b, Index *ix, const Par *par, const IndexWork *work, const char *out, Err *err)
{
    char sign[PATH_MAX], passes[PATH_MAX];
    const uint32_t parts = n_parts(b);
    DocTable t = {.params = &b->params,
                  .par = par,
                  .sign_dir = sign,
                  .passes_dir = passes,
                  .key = {1, 1},
                  .memory = work->memory,
                  .scratch = work->scratch,
                  .n_parts = parts,
                  .first = malloc((parts + (size_t)1) * sizeof *t.first),
                  .docid = calloc(parts + (size_t)1, sizeof *t.docid),
                  .n = b->fresh,
                  .end = parts,
                  .state = malloc(b->fresh)};
    Pass *found[2] = {NULL, NULL};
    uint64_t n = 0;
    double began;
    ErrCode rc =
        t.state && t.first && t.docid ? index_path(sign, sizeof sign, out, "sign", err) : err_nomem(err, "states");

    if (rc == ERR_OK) rc = index_path(passes, sizeof passes, out, "passes", err);
    for (uint32_t i = 0; rc == ERR_OK && i <= parts; i++) t.first[i] = first_of(b, i);
    if (rc == ERR_OK) memset(t.state, DOC_NEAR, b->fresh);
    if (rc == ERR_OK) rc = store_delete_tree(passes, 2, err);
    began = cpu_seconds();
    if (rc == ERR_OK) rc = index_find(&t, ix, found, err);
    if (rc == ERR_OK) {
        double s = cpu_seconds() - began;
        for (uint32_t i = 0; i < b->fresh; i++) n += t.state[i] & DOC_INDEXED ? 1 : 0;
        printf("lookup: %u documents, %" PRIu64 " found, %.2f s of CPU: %.2f M documents/s a core; peak %.0f MB\n",
               b->fresh, n, s, b->fresh / s / 1e6, (double)peak_memory_bytes() / 1e6);
    }
    pass_close(found[0]);
    pass_close(found[1]);
    free(t.state);
    free(t.first);
    free(t.docid);
    return rc;
}

static ErrCode run(const Bench *b, Err *err)
{
    const Par par = par_alone((int)b->threads);
    const IndexWork work = {.par = &par, .memory = UINT64_C(2) << 30, .scratch = b->dir};
    char index_dir[PATH_MAX], out[PATH_MAX];
    double began = cpu_seconds();
    bool made = false;
    Index ix = {0};
    ErrCode rc = store_mkdirs(b->dir, err);

    if (rc == ERR_OK) rc = index_path(index_dir, sizeof index_dir, b->dir, "index", err);
    if (rc == ERR_OK) rc = index_path(out, sizeof out, b->dir, "new", err);
    if (rc == ERR_OK) rc = store_exists(out, &made, err);
    if (rc == ERR_OK)
        rc =
            made ? index_load(&ix, index_dir, &b->params, &par, err) : add_dumps(b, &ix, index_dir, &par, &work, err);
    if (rc == ERR_OK && !made)
        printf("index: %u dumps of %u, %u runs, made in %.1f s of CPU\n", b->dumps, b->kept, ix.n_runs,
               cpu_seconds() - began);
    if (rc == ERR_OK && !made) rc = make_new(b, out, err);
    if (rc == ERR_OK) rc = look_up(b, &ix, &par, &work, out, err);
    index_clear(&ix);
    return rc;
}

int main(int argc, char **argv)
{
    Bench b = {.dumps = 90,
               .kept = 20000,
               .fresh = 200000,
               .same = 85,
               .near = 5,
               .threads = 1,
               .params = DEDUP_PARAMS_DEFAULT};
    uint32_t *const number[] = {&b.dumps, &b.kept, &b.fresh, &b.same, &b.near, &b.threads};
    Err err;

    if (argc < 2 || argc > 8) {
        fprintf(stderr, "usage: index_bench DIR [DUMPS [KEPT [NEW [SAME [NEAR [THREADS]]]]]]\n");
        return 2;
    }
    b.dir = argv[1];
    for (int i = 2; i < argc; i++) *number[i - 2] = (uint32_t)strtoul(argv[i], NULL, 10);
    if (run(&b, &err) == ERR_OK) return 0;
    fprintf(stderr, "index_bench: %s\n", err.msg);
    return 1;
}
