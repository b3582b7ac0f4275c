#include "dedup/datatrove.h"

#include "core/docscan.h"
#include "core/json.h"
#include "core/store.h"
#include "core/unicode.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { TROVE_MAX_CLAIM = 1 << 20 };
#define MERSENNE_61 ((UINT64_C(1) << 61) - 1)

/* --- the family: MT19937 (Matsumoto & Nishimura 1998) as NumPy seeds and reads it */

enum { MT_N = 624, MT_M = 397 };
typedef struct {
    uint32_t state[MT_N];
    int at;
} Twister;

static void twister_seed(Twister *t, uint32_t seed)
{
    t->state[0] = seed;
    for (uint32_t i = 1; i < MT_N; i++) t->state[i] = 1812433253u * (t->state[i - 1] ^ t->state[i - 1] >> 30) + i;
    t->at = MT_N;
}

static void twister_turn(Twister *t)
{
    uint32_t *s = t->state;

    for (int i = 0; i < MT_N; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % MT_N] & 0x7fffffffu);
        s[i] = s[(i + MT_M) % MT_N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    t->at = 0;
}

static uint32_t twister_next(Twister *t)
{
    if (t->at == MT_N) twister_turn(t);
    uint32_t y = t->state[t->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* From [low, 2^61 - 1): what is drawn above is drawn again. */
static uint64_t draw(Twister *t, uint64_t low)
{
    uint64_t v;

    do {
        uint64_t high = twister_next(t);
        v = (high << 32 | twister_next(t)) & MERSENNE_61;
    } while (v > MERSENNE_61 - 1 - low);
    return low + v;
}

ErrCode trovefamily_init(TroveFamily *f, uint32_t n, uint64_t seed, Err *err)
{
    Twister *t = malloc(sizeof *t);

    *f = (TroveFamily){.n = n, .a = malloc(n * sizeof *f->a), .b = malloc(n * sizeof *f->b)};
    if (t && f->a && f->b) {
        twister_seed(t, (uint32_t)seed);
        for (uint32_t i = 0; i < n; i++) f->a[i] = draw(t, 1);
        for (uint32_t i = 0; i < n; i++) f->b[i] = draw(t, 0);
    }
    bool made = t && f->a && f->b;
    free(t);
    return made ? ERR_OK : err_nomem(err, "a hash family");
}

void trovefamily_clear(TroveFamily *f)
{
    free(f->a);
    free(f->b);
    *f = (TroveFamily){0};
}

/* --- words */

void trovewords_clear(TroveWords *w)
{
    buf_clear(&w->text);
    buf_clear(&w->decoded);
    free(w->end);
    *w = (TroveWords){0};
}

static bool add_word(TroveWords *w, Span word)
{
    size_t *grown = array_grow(w->end, w->n, &w->cap, sizeof *grown);

    if (!grown) return false;
    w->end = grown;
    buf_put_span(&w->text, word);
    w->end[w->n++] = w->text.n;
    buf_putc(&w->text, ' ');
    return !w->text.oom;
}

/* str.isspace(): White_Space and four separators of ASCII. */
static bool splits(uint32_t cp) { return (cp >= 0x1C && cp <= 0x1F) || unicode_class(cp) == UC_SPACE; }

static bool add_text(TroveWords *w, Span text)
{
    size_t begin = 0;
    bool fits = true;

    for (size_t at = 0, end; at < text.n && fits; at = end) {
        uint32_t cp;
        end = at + utf8_next(text.p + at, text.n - at, &cp);
        if (cp == UTF8_BAD || !splits(cp)) continue;
        if (at > begin) fits = add_word(w, span(text.p + begin, at - begin));
        begin = end;
    }
    return fits && (text.n == begin || add_word(w, span_from(text, begin)));
}

/* The document's member `tokens`, raw; .p is NULL without one. */
static Span find_tokens(TroveWords *w, Span extra)
{
    JsonScan scan = json_scan(extra);
    Span name, value;

    if (!buf_reserve(&w->decoded, extra.n)) return (Span){NULL, 0};
    while (json_peek(&scan) == '"') {
        buf_reset(&w->decoded);
        if (!json_string(&scan, &w->decoded, &name) || !json_expect(&scan, ':') || !json_skip(&scan, &value)) break;
        if (span_is(name, "tokens")) return value;
        if (json_peek(&scan) == ',') scan.p++;
    }
    return (Span){NULL, 0};
}

static ErrCode bad_tokens(const Doc *doc, Err *err)
{
    return err_set(err, ERR_DATA, "document %.*s: tokens is no array of strings",
                   (int)(doc->id.n < 200 ? doc->id.n : 200), (const char *)doc->id.p);
}

ErrCode trovewords_read(TroveWords *w, const Doc *doc, Err *err)
{
    Span raw = find_tokens(w, doc->extra), word;

    buf_reset(&w->text);
    w->n = 0;
    if (w->decoded.oom) return err_nomem(err, "a document's words");
    if (!raw.p) return add_text(w, doc->text) ? ERR_OK : err_nomem(err, "a document's words");
    JsonScan scan = json_scan(raw);
    if (!json_expect(&scan, '[')) return bad_tokens(doc, err);
    for (bool first = true; json_peek(&scan) != ']'; first = false) {
        buf_reset(&w->decoded);
        if ((!first && !json_expect(&scan, ',')) || json_peek(&scan) != '"' ||
            !json_string(&scan, &w->decoded, &word))
            return bad_tokens(doc, err);
        if (!add_word(w, word)) return err_nomem(err, "a document's words");
    }
    return ERR_OK;
}

/* --- signatures */

static uint64_t mod_mersenne(uint64_t x)
{
    x = (x & MERSENNE_61) + (x >> 61);
    return x >= MERSENNE_61 ? x - MERSENNE_61 : x;
}

bool trove_sign(const TroveWords *w, const TroveFamily *family, uint32_t len, uint64_t *values)
{
    if (w->n < len) return false;
    for (uint32_t v = 0; v < family->n; v++) values[v] = UINT64_MAX;
    for (size_t i = 0; i + len <= w->n; i++) {
        size_t begin = i ? w->end[i - 1] + 1 : 0;
        uint64_t x = XXH64(w->text.p + begin, w->end[i + len - 1] - begin, 0);
        for (uint32_t v = 0; v < family->n; v++) {
            uint64_t h = mod_mersenne(x * family->a[v] + family->b[v]);
            values[v] = h < values[v] ? h : values[v];
        }
    }
    return true;
}

/* --- files */

typedef struct {
    const DedupParams *params;
    const TroveFamily *family;
    TroveWords words;
    uint64_t *values; /* of one document */
    Buf *bucket;      /* a band's records, as their file has them */
    uint64_t n_docs, n_signed;
} PartSigner;

static ErrCode sign_doc(void *ctx, int thread, const Doc *doc, const DocPlace *place, Err *err)
{
    PartSigner *p = ctx;
    ErrCode rc = trovewords_read(&p->words, doc, err);

    (void)thread, (void)place;
    if (rc) return rc;
    const uint64_t number = p->n_docs++;
    if (!trove_sign(&p->words, p->family, p->params->shingle, p->values)) return ERR_OK;
    p->n_signed++;
    for (uint32_t b = 0; b < p->params->bands; b++) {
        uint8_t word[8];
        for (uint32_t r = 0; r < p->params->rows; r++) {
            le64_put(word, p->values[b * p->params->rows + r]);
            buf_put(&p->bucket[b], word, 8);
        }
        le32_put(word, (uint32_t)number);
        buf_put(&p->bucket[b], word, 4);
        if (p->bucket[b].oom) return err_nomem(err, "a part's signatures");
    }
    return ERR_OK;
}

/* Records as numbers: words of 64 bits, then the document. Their width comes along in front of each, since qsort() has no context. */
typedef struct {
    const uint8_t *record;
    uint32_t rows;
} Sorted;

static int by_numbers(const void *a, const void *b)
{
    const Sorted *x = a, *y = b;

    for (uint32_t r = 0; r < x->rows; r++) {
        uint64_t v = le64_get(x->record + 8 * (size_t)r), w = le64_get(y->record + 8 * (size_t)r);
        if (v != w) return v < w ? -1 : 1;
    }
    uint32_t v = le32_get(x->record + 8 * (size_t)x->rows), w = le32_get(y->record + 8 * (size_t)y->rows);
    return (v > w) - (v < w);
}

static ErrCode write_bucket(const Buf *bucket, uint32_t rows, const char *path, Err *err)
{
    size_t width = 8 * (size_t)rows + 4, n = bucket->n / width;
    Sorted *order = malloc((n ? n : 1) * sizeof *order);
    OutFile *f;
    ErrCode rc = order ? outfile_open(&f, path, err) : err_nomem(err, "a part's signatures");

    if (rc == ERR_OK) {
        for (size_t i = 0; i < n; i++) order[i] = (Sorted){bucket->p + i * width, rows};
        qsort(order, n, sizeof *order, by_numbers);
        for (size_t i = 0; i < n && rc == ERR_OK; i++) rc = outfile_put(f, order[i].record, width, err);
        if (rc == ERR_OK)
            rc = outfile_commit(&f, err);
        else
            outfile_abandon(f);
    }
    free(order);
    return rc;
}

static ErrCode bucket_path(char *path, const char *dir, uint32_t band, Err *err)
{
    int n = snprintf(path, PATH_MAX, "%s/bucket_%03" PRIu32, dir, band);

    return n < 0 || n >= PATH_MAX - 32 ? err_set(err, ERR_LIMIT, "%s: the path is too long", dir) : ERR_OK;
}

static ErrCode write_part(const PartSigner *p, uint32_t part, const char *dir, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = ERR_OK;

    for (uint32_t b = 0; b < p->params->bands && rc == ERR_OK; b++) {
        if ((rc = bucket_path(path, dir, b, err)) != ERR_OK) return rc;
        size_t n = strlen(path);
        snprintf(path + n, sizeof path - n, "/%05" PRIu32 ".minhash.sig", part);
        rc = write_bucket(&p->bucket[b], p->params->rows, path, err);
    }
    return rc;
}

static ErrCode run_part(const DedupParams *params, const TroveFamily *family, const DatasetSet *in, uint32_t part,
                        const char *dir, Progress *progress, TroveTotals *totals, Err *err)
{
    PartSigner p = {.params = params,
                    .family = family,
                    .values = malloc(family->n * sizeof *p.values),
                    .bucket = calloc(params->bands, sizeof *p.bucket)};
    ErrCode rc = p.values && p.bucket ? ERR_OK : err_nomem(err, "a part's signatures");

    if (rc == ERR_OK) rc = docscan_parts(in, 1, part, part + 1, sign_doc, &p, progress, err);
    if (rc == ERR_OK) rc = write_part(&p, part, dir, err);
    *totals = (TroveTotals){p.n_docs, p.n_signed};
    for (uint32_t b = 0; p.bucket && b < params->bands; b++) buf_clear(&p.bucket[b]);
    free(p.bucket);
    free(p.values);
    trovewords_clear(&p.words);
    return rc;
}

/* --- the directory: of one run, since its stages read all that lies there */

static ErrCode put_claim(Buf *b, const DedupParams *params, const DatasetSet *in, Err *err)
{
    buf_printf(b,
               "{\"format\":\"tamis-signatures\",\"bands\":%" PRIu32 ",\"rows\":%" PRIu32 ",\"shingle\":%" PRIu32
               ",\"seed\":\"%" PRIu64 "\",\"inputs\":[",
               params->bands, params->rows, params->shingle, params->seed);
    for (size_t i = 0; i < datasetset_count(in); i++) {
        if (i) buf_putc(b, ',');
        json_put_hash(b, dataset_content(datasetset_at(in, i)));
    }
    buf_puts(b, "]}\n");
    return buf_ok(b, "a claim", err);
}

static ErrCode check_claim(const char *path, const char *dir, Span want, Err *err)
{
    Buf have = {0};
    ErrCode rc = store_read(path, TROVE_MAX_CLAIM, &have, err);

    if (rc == ERR_LIMIT || (rc == ERR_OK && !span_eq(buf_span(&have), want)))
        rc = err_set(err, ERR_DATA,
                     "%s holds signatures of another run (other parameters or inputs): choose another directory, or "
                     "delete it",
                     dir);
    buf_clear(&have);
    return rc;
}

static ErrCode refuse_buckets(const char *dir, Err *err)
{
    StoreList list = {0};
    ErrCode rc = store_list(dir, &list, err);

    for (size_t i = 0; i < list.n && rc == ERR_OK; i++)
        if (span_starts(span_str(list.name[i]), SPAN_LIT("bucket_")))
            rc = err_set(err, ERR_DATA, "%s holds %s of something else: choose another directory, or delete it", dir,
                         list.name[i]);
    storelist_clear(&list);
    return rc;
}

/* Rank 0: makes the directory this run's, or says that it is another's. */
static ErrCode claim_dir(const DedupParams *params, const DatasetSet *in, const char *dir, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0};
    bool created = false;
    int n = snprintf(path, sizeof path, "%s/signatures.json", dir);
    ErrCode rc = n < 0 || n >= PATH_MAX ? err_set(err, ERR_LIMIT, "%s: the path is too long", dir)
                                        : put_claim(&text, params, in, err);

    if (rc == ERR_OK) rc = store_mkdirs(dir, err);
    if (rc == ERR_OK) rc = store_exists(path, &created, err);
    if (rc == ERR_OK && !created) rc = refuse_buckets(dir, err);
    if (rc == ERR_OK) rc = store_create(path, buf_span(&text), &created, err);
    if (rc == ERR_OK && !created) rc = check_claim(path, dir, buf_span(&text), err);
    buf_clear(&text);
    return rc;
}

static ErrCode make_dirs(const char *dir, uint32_t bands, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = ERR_OK;

    for (uint32_t b = 0; b < bands && rc == ERR_OK; b++)
        if ((rc = bucket_path(path, dir, b, err)) == ERR_OK) rc = store_mkdirs(path, err);
    return rc;
}

ErrCode trove_run(const DedupParams *params, const DatasetSet *in, const char *dir, const Par *par,
                  TroveTotals *totals, Err *err)
{
    Progress *progress = NULL;
    TroveFamily family;
    uint32_t begin, end, failed = UINT32_MAX; /* the lowest part that failed tells why */
    ErrCode rc = par_agree(par, par->rank ? ERR_OK : claim_dir(params, in, dir, err), err);

    if (rc == ERR_OK) rc = make_dirs(dir, params->bands, err);
    *totals = (TroveTotals){0};
    if (rc == ERR_OK) rc = progress_start(&progress, "signing", 0, err);
    if (rc != ERR_OK) return rc;
    if ((rc = trovefamily_init(&family, params->bands * params->rows, params->seed, err)) == ERR_OK) {
        docscan_share(in, par, &begin, &end);
#pragma omp parallel for schedule(dynamic, 1) num_threads(par->threads)
        for (uint32_t part = begin; part < end; part++) {
            TroveTotals own;
            Err failure;
            ErrCode mine = run_part(params, &family, in, part, dir, progress, &own, &failure);
#pragma omp critical(trove_run)
            {
                totals->n_docs += own.n_docs;
                totals->n_signed += own.n_signed;
                if (mine && part < failed) {
                    failed = part;
                    rc = mine;
                    *err = failure;
                }
            }
        }
    }
    trovefamily_clear(&family);
    progress_stop(progress);
    return rc;
}
