/* The whole stage against slow and obvious versions: all pairs compared, components by spreading labels. */
#include "dedup/dedup.h"

#include "core/store.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- a set of documents and the dataset made of it */

enum { NO_DUMP = UINT32_MAX, NO_QUALITY = 100 };
typedef struct {
    char *text, *url;
    uint32_t dump, host;
    uint32_t page;   /* documents of one host and page have one URL, in one of its forms */
    uint32_t source; /* "sN" */
    int quality;     /* a signal */
} Made;

typedef struct {
    Made *doc;
    uint32_t n, n_parts;
    Arena arena;
} Corpus;

static void corpus_clear(Corpus *c)
{
    free(c->doc);
    arena_clear(&c->arena);
}

static void corpus_add(Corpus *c, const char *text, uint32_t dump, uint32_t host)
{
    static const char *const forms[] = {"http://host%u.test/page%u", "https://HOST%u.test:443/page%u#top",
                                        "http://host%u.test:80/p%%61ge%u?utm_source=x", "ftp://host%u.test/page%u"};
    char url[80];
    uint32_t i = c->n, page = (uint32_t)(mix64(i + 99) % 30), form = i % 16 < 12 ? i % 3 : 3;

    c->doc = realloc(c->doc, (c->n + 1) * sizeof *c->doc);
    snprintf(url, sizeof url, forms[form], host, page);
    c->doc[c->n++] = (Made){.text = arena_str(&c->arena, span_str(text)),
                            .url = arena_str(&c->arena, span_str(url)),
                            .dump = dump,
                            .host = host,
                            .page = form < 3 ? page : 1000 + i, /* of ftp nothing is compared */
                            .source = i % 4,
                            .quality = i % 6 ? (int)(mix64(i + 7) % 5) - 2 : NO_QUALITY};
}

/* Document i lies in part i * n_parts / n, so that order of input is order of the array. */
typedef struct {
    const Corpus *c;
    uint32_t next, end;
} Cursor;

static uint64_t part_bytes(void *ctx, uint32_t part)
{
    (void)ctx, (void)part;
    return 1;
}

static ErrCode part_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    const Corpus *c = ctx;
    Cursor *at = calloc(1, sizeof *at);

    if (!at) return err_nomem(err, "a cursor");
    *at = (Cursor){c, (uint32_t)((uint64_t)c->n * part / c->n_parts),
                   (uint32_t)((uint64_t)c->n * (part + 1) / c->n_parts)};
    *cursor = at;
    return ERR_OK;
}

static ErrCode part_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    Cursor *at = cursor;
    uint8_t range[8];

    *end = at->next == at->end;
    if (*end) return ERR_OK;
    le32_put(range, at->next);
    at->next = at->end - at->next > 50 ? at->next + 50 : at->end;
    le32_put(range + 4, at->next);
    buf_put(&block->bytes, range, 8);
    return buf_ok(&block->bytes, "a block", err);
}

static ErrCode emit_block(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    const Corpus *c = ctx;
    ErrCode rc = ERR_OK;

    (void)worker;
    for (uint32_t i = le32_get(block->bytes.p); i < le32_get(block->bytes.p + 4) && rc == ERR_OK; i++) {
        const Made *made = &c->doc[i];
        char id[80], dump[40], source[16];
        Signal quality = {SPAN_LIT("quality"), made->quality / 4.0};
        snprintf(dump, sizeof dump, "CC-MAIN-2023-%02" PRIu32, made->dump % 100);
        snprintf(id, sizeof id, "%s/made#%" PRIu32, dump, i);
        snprintf(source, sizeof source, "s%" PRIu32, made->source);
        Doc doc = {.id = span_str(id),
                   .text = span_str(made->text),
                   .url = span_str(made->url),
                   .source = span_str(source),
                   .signals = &quality,
                   .n_signals = made->quality != NO_QUALITY};
        if (made->dump != NO_DUMP) doc.dump = span_str(dump);
        sink_in(sink, doc.id, doc.text.n);
        rc = sink_emit(sink, &doc, err);
    }
    return rc;
}

static const StageDef made_def = {.name = "made", .version = 1, .kind = DATASET_WRITTEN};

static void write_corpus(const Corpus *c, const char *dir)
{
    const StageSource source = {.ctx = (void *)(uintptr_t)c,
                                .n_parts = c->n_parts,
                                .part_bytes = part_bytes,
                                .open = part_open,
                                .next = part_next,
                                .close = free,
                                .map = emit_block};
    CommonOptions common = {0};
    Par par = par_alone(2);
    StageJob job = {.def = &made_def,
                    .ctx = (void *)(uintptr_t)c,
                    .params = SPAN_LIT("{}"),
                    .inputs = SPAN_LIT("[]"),
                    .out_dir = dir,
                    .source = &source,
                    .common = &common};
    Err err;

    log_setup(LOG_QUIET, 0);
    CHECK_OK(stage_run(&job, &par, NULL, &err), &err);
}

/* --- what came out: the cluster and signals of every document, by its place in the corpus */

typedef struct {
    uint32_t *keeper; /* n: its own for a kept one */
    uint32_t *docs, *dumps, *hosts;
    uint8_t *verdict;
    Hash128 content;
    DedupTotals totals;
} Result;

static void result_clear(Result *r)
{
    free(r->keeper);
    free(r->docs);
    free(r->dumps);
    free(r->hosts);
    free(r->verdict);
}

static uint32_t place_of(const Corpus *c, DocId id)
{
    return (uint32_t)((uint64_t)c->n * docid_part(id) / c->n_parts) + docid_record(id);
}

/* Reads the view part by part; the `drop` column holds 0 or the reason's number + 1. */
static void read_view(const Corpus *c, const char *dir, Result *r)
{
    DatasetSet *set;
    Err err;
    uint32_t at = 0;

    CHECK_OK(datasetset_open(&set, &dir, 1, &err), &err);
    r->content = dataset_content(datasetset_at(set, 0));
    for (uint32_t part = 0; part < datasetset_n_parts(set); part++) {
        PartView *v;
        Columns *cols;
        uint32_t col;
        Span span_of[5];
        static const char *const names[] = {"drop", "cluster", "dup_docs", "dup_dumps", "dup_hosts"};
        CHECK_OK(partview_open(&v, set, part, &err), &err);
        for (int i = 0; i < 5; i++) {
            CHECK_OK(partview_column(v, names[i], &cols, &col, &err), &err);
            CHECK_OK(columns_values(cols, col, &span_of[i], NULL, &err), &err);
        }
        for (uint32_t i = 0; i < partview_n_records(v); i++, at++) {
            r->verdict[at] = span_of[0].p[i];
            r->keeper[at] = place_of(c, le64_get(span_of[1].p + 8 * (size_t)i));
            r->docs[at] = le32_get(span_of[2].p + 4 * (size_t)i);
            r->dumps[at] = le32_get(span_of[3].p + 4 * (size_t)i);
            r->hosts[at] = le32_get(span_of[4].p + 4 * (size_t)i);
        }
        partview_close(v);
    }
    CHECK_INT(c->n, at);
    datasetset_close(set);
}

static Result dedup(const Corpus *c, const DedupParams *params, const char *in, int threads, uint64_t memory)
{
    const char *out = check_tmpdir();
    CommonOptions common = {.memory = memory};
    Par par = par_alone(threads);
    size_t n = c->n ? c->n : 1;
    Result r = {.keeper = calloc(n, 4),
                .docs = calloc(n, 4),
                .dumps = calloc(n, 4),
                .hosts = calloc(n, 4),
                .verdict = calloc(n, 1)};
    DatasetSet *set;
    StageTotals totals;
    Err err;

    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(dedup_run(params, set, out, &common, &par, &totals, &r.totals, &err), &err);
    CHECK(totals.complete);
    CHECK_INT(c->n, totals.n_in);
    CHECK_INT(totals.n_dropped, r.totals.n_exact + r.totals.n_url + r.totals.n_near);
    datasetset_close(set);
    read_view(c, out, &r);
    return r;
}

/* --- the slow version */

/* One entry of a list of what decides: below 0 when a comes first, 0 when it leaves that open. */
static int compare_by(const Corpus *c, const char *by, uint32_t a, uint32_t b)
{
    const Made *x = &c->doc[a], *y = &c->doc[b];
    int64_t px = x->dump, py = y->dump; /* NO_DUMP is behind all */

    if (strcmp(by, "longest") == 0) {
        px = -(int64_t)strlen(x->text);
        py = -(int64_t)strlen(y->text);
    } else if (strcmp(by, "latest") == 0) {
        px = x->dump == NO_DUMP ? 1 : -px;
        py = y->dump == NO_DUMP ? 1 : -py;
    } else if (strcmp(by, "signal:quality") == 0) {
        px = x->quality == NO_QUALITY ? NO_QUALITY : -x->quality;
        py = y->quality == NO_QUALITY ? NO_QUALITY : -y->quality;
    } else if (strcmp(by, "source:s2:s1") == 0) {
        static const int place[4] = {2, 1, 0, 2};
        px = place[x->source];
        py = place[y->source];
    } else if (strcmp(by, "earliest") != 0) {
        CHECK_STR("first", by);
        return 0;
    }
    return (px > py) - (px < py);
}

static bool comes_first(const Corpus *c, const DedupParams *p, uint32_t a, uint32_t b)
{
    char list[80], *rest = NULL;
    int d = 0;

    snprintf(list, sizeof list, "%s", p->keep);
    for (char *by = strtok_r(list, ",", &rest); by && d == 0; by = strtok_r(NULL, ",", &rest))
        d = compare_by(c, by, a, b);
    return d ? d < 0 : a < b;
}

static int cmp_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static Signature *sign_all(const Corpus *c, const DedupParams *p)
{
    Signature *s = calloc(c->n, sizeof *s);
    MinHash m;
    Err err;

    CHECK_OK(minhash_init(&m, p->bands * p->rows, p->seed, &err), &err);
    for (uint32_t i = 0; i < c->n; i++) CHECK_OK(signature_make(&s[i], p, &m, span_str(c->doc[i].text), &err), &err);
    minhash_clear(&m);
    return s;
}

static bool one_dump(const Corpus *c, uint32_t a, uint32_t b) { return c->doc[a].dump == c->doc[b].dump; }

/* Whether the one may be dropped for the other. */
static bool in_reach(const Corpus *c, const DedupParams *p, uint32_t a, uint32_t b)
{
    int64_t x = c->doc[a].dump, y = c->doc[b].dump;

    return p->window == 0 || (x > y ? x - y : y - x) < p->window;
}

static bool share_band(const Signature *a, const Signature *b, uint32_t bands)
{
    for (uint32_t i = 0; i < bands; i++)
        if (a->band[i] == b->band[i]) return true;
    return false;
}

/* What is known of all documents while they are gone through, in keep order. */
typedef struct {
    const Corpus *c;
    const DedupParams *p;
    Signature *sign;
    uint32_t *order, *label;
    uint32_t *link;  /* the one it was dropped for; itself: not dropped */
    uint8_t *why;    /* in which step, 0: in none */
    bool *same_dump; /* it has the fate of the one in its dump that it was dropped for */
    uint32_t most_leaders;
} Slow;

static bool same_text(const Slow *s, uint32_t a, uint32_t b)
{
    return hash128_eq(s->sign[a].exact, s->sign[b].exact);
}
static bool same_url(const Slow *s, uint32_t a, uint32_t b)
{
    return s->c->doc[a].host == s->c->doc[b].host && s->c->doc[a].page == s->c->doc[b].page;
}

static void slow_step(Slow *s, uint8_t why, bool (*same)(const Slow *s, uint32_t a, uint32_t b))
{
    for (uint32_t i = 0; i < s->c->n; i++) {
        uint32_t doc = s->order[i];
        if (s->why[doc]) continue;
        for (uint32_t k = 0; k < i && s->p->window > 1 && !s->why[doc]; k++) { /* the first of its dump */
            uint32_t other = s->order[k];
            if ((s->why[other] && s->why[other] != why) || !same(s, doc, other) || !one_dump(s->c, doc, other))
                continue;
            s->link[doc] = other;
            s->why[doc] = why;
            s->same_dump[doc] = true;
        }
        for (uint32_t k = 0; k < i && !s->why[doc]; k++) { /* the first in reach that stays */
            uint32_t other = s->order[k];
            if (s->why[other] || !same(s, doc, other) || !in_reach(s->c, s->p, doc, other)) continue;
            s->link[doc] = other;
            s->why[doc] = why;
        }
    }
}

static bool takes_part(const Slow *s, uint32_t i) { return !s->why[i] && s->sign[i].n_shingles > 0; }

static void slow_components(Slow *s) /* labels spread */
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < s->c->n; i++)
            for (uint32_t k = 0; k < i; k++) {
                if (!takes_part(s, i) || !takes_part(s, k) || s->label[i] == s->label[k]) continue;
                if (s->p->window == 1 && !one_dump(s->c, i, k)) continue;
                if (!share_band(&s->sign[i], &s->sign[k], s->p->bands)) continue;
                s->label[i] = s->label[k] = s->label[i] < s->label[k] ? s->label[i] : s->label[k];
                changed = true;
            }
    }
}

/* Each against those kept before it in its component; some are kept without being compared with. */
static void slow_near(Slow *s)
{
    bool *leader = calloc(s->c->n + 1, 1), *left = calloc(s->c->n + 1, 1);

    for (uint32_t i = 0; i < s->c->n; i++) left[i] = takes_part(s, i);
    for (uint32_t i = 0; i < s->c->n; i++) {
        uint32_t doc = s->order[i], n_leaders = 0;
        if (!left[doc]) continue;
        for (uint32_t k = 0; k < i && !s->why[doc]; k++) {
            uint32_t other = s->order[k];
            if (!leader[other] || s->label[other] != s->label[doc]) continue;
            n_leaders += s->p->window < 2 || one_dump(s->c, doc, other);
            if (!in_reach(s->c, s->p, doc, other)) continue;
            if (!sketch_near(s->sign[other].sketch, s->sign[doc].sketch, (uint32_t)(s->p->verify * 1e6 + 0.5)))
                continue;
            s->link[doc] = other;
            s->why[doc] = CLUSTER_NEAR;
        }
        leader[doc] = !s->why[doc] && n_leaders < DEDUP_MAX_LEADERS;
        if (n_leaders > s->most_leaders) s->most_leaders = n_leaders;
    }
    free(leader);
    free(left);
}

static uint32_t slow_keeper(const Slow *s, uint32_t doc)
{
    if (!s->why[doc]) return doc;
    uint32_t keeper = slow_keeper(s, s->link[doc]);
    return s->same_dump[doc] || in_reach(s->c, s->p, doc, keeper) ? keeper : doc;
}

/* verdict and keeper of every document, all pairs compared. *most_leaders: kept documents one was compared with. */
static void slow_dedup(const Corpus *c, const DedupParams *p, uint8_t *verdict, uint32_t *keeper,
                       uint32_t *most_leaders)
{
    Slow s = {.c = c,
              .p = p,
              .sign = sign_all(c, p),
              .order = calloc(c->n, 4),
              .label = calloc(c->n, 4),
              .link = calloc(c->n, 4),
              .why = calloc(c->n, 1),
              .same_dump = calloc(c->n, 1)};

    for (uint32_t i = 0; i < c->n; i++) { /* keep order, by insertion */
        uint32_t at = i;
        for (; at > 0 && comes_first(c, p, i, s.order[at - 1]); at--) s.order[at] = s.order[at - 1];
        s.order[at] = i;
        s.link[i] = s.label[i] = i;
    }
    slow_step(&s, CLUSTER_EXACT, same_text);
    if (p->url) slow_step(&s, CLUSTER_URL, same_url);
    if (!p->exact_only) {
        slow_components(&s);
        slow_near(&s);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        keeper[i] = slow_keeper(&s, i);
        verdict[i] = keeper[i] == i ? 0 : s.why[i];
    }
    *most_leaders = s.most_leaders;
    for (uint32_t i = 0; i < c->n; i++) signature_clear(&s.sign[i]);
    free(s.sign);
    free(s.label);
    free(s.order);
    free(s.link);
    free(s.why);
    free(s.same_dump);
}

static uint32_t count_distinct(uint32_t *v, uint32_t n)
{
    uint32_t distinct = 0;

    qsort(v, n, sizeof *v, cmp_u32);
    for (uint32_t i = 0; i < n; i++) distinct += i == 0 || v[i] != v[i - 1];
    return distinct;
}

static void check_signals(const Corpus *c, const Result *r)
{
    uint32_t *dumps = calloc(c->n + 1, 4), *hosts = calloc(c->n + 1, 4);

    for (uint32_t k = 0; k < c->n; k++) {
        uint32_t n = 0, n_dumps = 0;
        for (uint32_t i = 0; i < c->n; i++) {
            if (r->keeper[i] != k) continue;
            if (c->doc[i].dump != NO_DUMP) dumps[n_dumps++] = c->doc[i].dump;
            hosts[n++] = c->doc[i].host;
        }
        CHECK((n > 0) == (r->verdict[k] == 0)); /* a keeper is kept, a kept document keeps itself */
        CHECK_INT(n, r->docs[k]);
        CHECK_INT(count_distinct(dumps, n_dumps), r->dumps[k]);
        CHECK_INT(count_distinct(hosts, n), r->hosts[k]);
    }
    free(dumps);
    free(hosts);
}

static DedupTotals compare_with_slow(const Corpus *c, const DedupParams *p, const char *in, int threads,
                                     uint64_t memory, uint32_t *most_leaders)
{
    uint8_t *verdict = calloc(c->n + 1, 1);
    uint32_t *keeper = calloc(c->n + 1, 4);
    Result r = dedup(c, p, in, threads, memory);

    slow_dedup(c, p, verdict, keeper, most_leaders);
    for (uint32_t i = 0; i < c->n; i++) {
        CHECK_INT(verdict[i], r.verdict[i]);
        CHECK_INT(keeper[i], r.keeper[i]);
        CHECK_INT(0, r.verdict[r.keeper[i]]);
        CHECK(in_reach(c, p, i, r.keeper[i]));
    }
    check_signals(c, &r);
    result_clear(&r);
    free(verdict);
    free(keeper);
    return r.totals;
}

/* --- made texts: words of a family, some of them replaced */

static void put_word(Buf *b, uint64_t h)
{
    for (int i = 0; i < 3; i++, h >>= 8) buf_printf(b, "%c%c", "bdfgklmnprst"[h % 12], "aeiou"[(h >> 4) % 5]);
    buf_putc(b, ' ');
}

/* n_words of family `family`, each replaced with chance per_mille / 1000. */
static char *make_text(Corpus *c, uint64_t family, uint32_t n_words, uint64_t variant, uint32_t per_mille)
{
    Buf b = {0};

    for (uint32_t w = 0; w < n_words; w++) {
        bool other = mix64(variant * 7919 + w + 1) % 1000 < per_mille;
        put_word(&b, mix64(other ? mix64(variant) + w : family * 100003 + w));
    }
    char *text = arena_str(&c->arena, buf_span(&b));
    buf_clear(&b);
    return text;
}

/* Families of varying similarity and size, exact copies that differ in case and punctuation, loners, short and empty texts. */
static Corpus mixed_corpus(uint32_t n, uint32_t n_parts)
{
    Corpus c = {.n_parts = n_parts};

    for (uint32_t i = 0; i < n; i++) {
        uint64_t h = mix64(i + 1), family = h % (n / 6 + 1);
        uint32_t dump = (uint32_t)(mix64(h) % 3), host = (uint32_t)(mix64(h + 5) % 7);
        const uint32_t per_mille[] = {0, 4, 15, 30, 60, 120};
        char *text = make_text(&c, family, 60 + (uint32_t)(family % 90), i, per_mille[family % 6]);
        switch (h >> 32 & 15) {
        case 0: text[0] = (char)(text[0] - 32); break; /* another case: the same key */
        case 1: text[strlen(text) - 1] = '!'; break;
        case 2: text = make_text(&c, family, (uint32_t)(family % 5), i, 0); break; /* 0..4 words */
        case 3: text = make_text(&c, 1000000 + i, 80, i, 0); break;
        case 4: text = make_text(&c, family % 3, 5 + (uint32_t)(i % 3), i, 0); break; /* just long enough */
        default: break;
        }
        corpus_add(&c, text, dump, host);
    }
    return c;
}

TEST(dedup_equals_all_pairs)
{
    Corpus c = mixed_corpus(400, 5);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    uint32_t leaders;

    write_corpus(&c, in);
    DedupTotals n = compare_with_slow(&c, &p, in, 2, 1 << 30, &leaders);
    CHECK(n.n_exact > 20 && n.n_near > 20 && n.n_short > 3 && leaders > 1); /* the mixture has all of them */
    p.keep = "longest";
    compare_with_slow(&c, &p, in, 1, 1 << 30, &leaders);
    p.window = 1;
    p.bands = 20;
    p.verify = 0.9;
    compare_with_slow(&c, &p, in, 7, 1 << 30, &leaders);
    p.exact_only = true;
    n = compare_with_slow(&c, &p, in, 2, 1 << 30, &leaders);
    CHECK(n.n_exact > 0 && n.n_near == 0);
    corpus_clear(&c);
}

/* Nine dumps and some documents without one. */
static Corpus corpus_of_dumps(uint32_t n, uint32_t n_parts)
{
    Corpus c = mixed_corpus(n, n_parts);

    for (uint32_t i = 0; i < n; i++) c.doc[i].dump = i % 13 ? (uint32_t)(mix64(i + 31) % 9) : NO_DUMP;
    return c;
}

TEST(dedup_by_url_equals_all_pairs)
{
    static const char *const keeps[] = {"first",  "source:s2:s1",     "signal:quality,longest,first",
                                        "latest", "earliest,longest", "source:s2:s1,signal:quality,latest"};
    Corpus c = corpus_of_dumps(300, 4);
    const char *in = check_tmpdir();
    uint32_t leaders;

    write_corpus(&c, in);
    for (uint32_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        DedupParams p = DEDUP_PARAMS_DEFAULT;
        p.url = true;
        p.keep = keeps[i];
        p.window = i == 3;
        p.exact_only = i == 4;
        DedupTotals n = compare_with_slow(&c, &p, in, 2, 1 << 30, &leaders);
        CHECK(n.n_url > 10 && n.n_exact > 10 && (n.n_near > 5 || p.exact_only));
    }
    corpus_clear(&c);
}

TEST(dedup_in_a_window_equals_all_pairs)
{
    Corpus c = corpus_of_dumps(400, 4);
    const char *in = check_tmpdir();
    uint32_t leaders;

    write_corpus(&c, in);
    for (uint32_t i = 0; i < 5; i++) {
        DedupParams p = DEDUP_PARAMS_DEFAULT;
        p.window = i < 3 ? i + 2 : i == 3 ? 100 : 3; /* more dumps than there are is all but those without one */
        p.url = i > 0;
        p.keep = i % 2 ? "latest,longest" : "signal:quality";
        p.exact_only = i == 4;
        compare_with_slow(&c, &p, in, 2, 1 << 30, &leaders);
    }
    corpus_clear(&c);
}

/* A and C are alike, B has C's text. A is kept; C, in its window, is dropped for it; B, out of A's window, loses its keeper. */
TEST(dedup_in_a_window_keeps_what_lost_its_keeper)
{
    Corpus c = {.n_parts = 1};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    char *a = make_text(&c, 1, 400, 1, 0), *alike = make_text(&c, 1, 400, 2, 20);

    corpus_add(&c, a, 0, 1);
    corpus_add(&c, alike, 1, 1);
    corpus_add(&c, alike, 2, 1);
    corpus_add(&c, alike, 2, 1); /* shares the fate of the one ahead */
    write_corpus(&c, in);
    p.window = 2;
    Result r = dedup(&c, &p, in, 1, 1 << 30);
    const uint32_t want[4] = {0, 0, 2, 2};
    for (uint32_t i = 0; i < 4; i++) CHECK_INT(want[i], r.keeper[i]);
    CHECK_INT(CLUSTER_NEAR, r.verdict[1]);
    CHECK_INT(CLUSTER_EXACT, r.verdict[3]);
    result_clear(&r);
    corpus_clear(&c);
}

TEST(keep_lists_are_checked)
{
    static const char *const wrong[] = {"",
                                        ",",
                                        "longest,",
                                        "first,longest",
                                        "best",
                                        "source",
                                        "source:",
                                        "source:a:",
                                        "source:a::b",
                                        "signal:",
                                        "longest:x",
                                        "Longest",
                                        "longest,longest,longest,longest,longest,longest,longest,longest,longest"};
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Err err;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        p.keep = wrong[i];
        CHECK_INT(ERR_USAGE, dedup_check(&p, &err));
    }
    p.keep = "source:web:books,signal:a:b,longest,first";
    CHECK_OK(dedup_check(&p, &err), &err);
}

/* One large component of documents that are hardly like one another: the list of those compared with fills up. */
TEST(dedup_bounds_its_comparisons)
{
    Corpus c = {.n_parts = 2};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    uint32_t leaders;

    for (uint32_t i = 0; i < 200; i++) corpus_add(&c, make_text(&c, 1, 400, i, i % 10), 1, 1);
    write_corpus(&c, in);
    p.verify = 0.96;
    DedupTotals n = compare_with_slow(&c, &p, in, 2, 1 << 30, &leaders);
    CHECK_INT(DEDUP_MAX_LEADERS, leaders);
    CHECK(n.n_near > 5);
    corpus_clear(&c);
}

/* Well apart, the result is that of true similarity: of each family one stays, the rest are near duplicates of it. */
TEST(dedup_finds_true_clusters)
{
    Corpus c = {.n_parts = 3};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;

    for (uint32_t i = 0; i < 90; i++) corpus_add(&c, make_text(&c, i % 30, 400, i, i < 30 ? 0 : 4), 1, 1);
    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    for (uint32_t i = 0; i < 90; i++) {
        CHECK_INT(i % 30, r.keeper[i]);
        CHECK_INT(i < 30 ? 0 : 2, r.verdict[i] == 1 ? 2 : r.verdict[i]);
    }
    CHECK_INT(60, r.totals.n_near + r.totals.n_exact);
    CHECK_INT(30, r.totals.n_clusters[2]); /* of three to four */
    CHECK_INT(3, r.totals.n_largest);
    result_clear(&r);
    corpus_clear(&c);
}

TEST(dedup_is_the_same_for_any_threads_and_memory)
{
    const int threads[] = {1, 2, 7};
    Corpus c = mixed_corpus(300, 7);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Hash128 first = {0, 0};

    write_corpus(&c, in);
    for (int t = 0; t < 3; t++) {
        Result r = dedup(&c, &p, in, threads[t], t ? (uint64_t)128 << 20 : (uint64_t)4 << 30);
        if (t == 0) first = r.content;
        CHECK(hash128_eq(first, r.content));
        result_clear(&r);
    }
    corpus_clear(&c);
}

/* The same phases with an exchange too small for all records at once. */
TEST(dedup_by_way_of_scratch_equals_dedup_in_memory)
{
    Corpus c = corpus_of_dumps(400, 3);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions common = {0};
    Par par = par_alone(2);
    uint8_t *verdict = calloc(c.n, 1);
    uint32_t *keeper = calloc(c.n, 4), leaders;
    DatasetSet *set;
    DocTable t;
    Err err;

    p.url = true;
    p.window = 3;
    p.keep = "latest,signal:quality";
    write_corpus(&c, in);
    slow_dedup(&c, &p, verdict, keeper, &leaders);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(sign_run(&p, set, out, &common, &par, NULL, &err), &err);
    const DocTableSpec spec = {
        .sign_dir = out, .passes_dir = check_tmpdir(), .scratch = out, .memory = (uint64_t)256 << 20};
    CHECK_OK(doctable_open(&t, &p, set, &spec, &par, &err), &err);
    t.memory = 64 << 10;                      /* the members of components are 60 KB and more */
    for (int again = 0; again < 2; again++) { /* the second time it is all there */
        Pass *step[5] = {NULL};
        Buf found = {0};
        CHECK_OK(exact_find(&t, &step[0], &err), &err);
        CHECK_OK(url_find(&t, &step[4], &err), &err);
        CHECK_OK(bands_join(&t, &step[1], &err), &err);
        CHECK_OK(verify_components(&t, step[1], &step[2], &err), &err);
        CHECK_OK(verdicts_find(&t, step[0], step[4], step[2], &step[3], &err), &err);
        CHECK_OK(results_range(pass_results(step[3]), 0, c.n, &found, &err), &err);
        for (uint32_t i = 0, at = 0; i < c.n; i++) {
            bool listed = at < found.n && doc_get(found.p + at) == i;
            CHECK_INT(verdict[i], listed ? found.p[at + 2 * REF_BYTES] : 0);
            CHECK_INT(keeper[i], listed ? doc_get(found.p + at + REF_BYTES) : i);
            if (listed) at += VERDICT_BYTES;
        }
        buf_clear(&found);
        for (int i = 0; i < 5; i++) pass_close(step[i]);
    }
    doctable_clear(&t);
    datasetset_close(set);
    free(verdict);
    free(keeper);
    corpus_clear(&c);
}

TEST(dedup_of_a_thousand_identical_documents)
{
    Corpus c = {.n_parts = 4};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    char *text = make_text(&c, 1, 50, 1, 0);

    for (uint32_t i = 0; i < 1000; i++) corpus_add(&c, text, i % 9, i % 77);
    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_INT(0, r.keeper[i]);
        CHECK_INT(i > 0, r.verdict[i]);
    }
    CHECK_INT(999, r.totals.n_exact);
    CHECK_INT(1, r.totals.n_clusters[5]);
    check_signals(&c, &r);
    result_clear(&r);
    corpus_clear(&c);
}

TEST(dedup_of_empty_and_short_documents)
{
    static const char *const texts[] = {
        "", "one", "", "two", "ONE!", "...", "???", "one two three four", "One, two; three. Four"};
    static const uint32_t want[] = {0, 1, 0, 3, 1, 5, 6, 7, 7}; /* texts without tokens are compared as they stand */
    Corpus c = {.n_parts = 2};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;

    for (uint32_t i = 0; i < 9; i++) corpus_add(&c, texts[i], 1, 1);
    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    for (uint32_t i = 0; i < 9; i++) CHECK_INT(want[i], r.keeper[i]);
    CHECK_INT(6, r.totals.n_short);
    result_clear(&r);
    corpus_clear(&c);
}

TEST(dedup_of_nothing)
{
    Corpus c = {.n_parts = 2};
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;

    write_corpus(&c, in);
    Result r = dedup(&c, &p, in, 2, 1 << 30);
    CHECK_INT(0, r.totals.n_docs);
    result_clear(&r);
    corpus_clear(&c);
}

/* --- running again */

static ErrCode run_in(const char *in, const char *out, const DedupParams *p, bool force, StageTotals *totals,
                      Err *err)
{
    CommonOptions common = {.memory = 1 << 30, .force = force};
    Par par = par_alone(2);
    DatasetSet *set = NULL;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc == ERR_OK) rc = dedup_run(p, set, out, &common, &par, totals, NULL, err);
    datasetset_close(set);
    return rc;
}

static const char *path_of(const char *dir, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

TEST(dedup_resumes_and_refuses_other_runs)
{
    Corpus c = mixed_corpus(120, 3);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    char path[512];
    StageTotals t;
    Err err;

    write_corpus(&c, in);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.complete && !t.up_to_date);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.complete && t.up_to_date);
    snprintf(path, sizeof path, "%s/sign", out); /* a finished run needs its signatures no more */
    CHECK_OK(store_delete_tree(path, 2, &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.up_to_date);
    p.verify = 0.8;
    CHECK_INT(ERR_DATA, run_in(in, out, &p, false, &t, &err));
    CHECK_OK(run_in(in, out, &p, true, &t, &err), &err);
    CHECK(t.complete && !t.up_to_date);
    snprintf(path, sizeof path, "%s/manifest.json", out); /* as after a crash in the last phase */
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/part-000001.dedup.cols", out);
    CHECK_OK(store_delete(path, &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK_INT(2, t.n_parts_reused);
    CHECK_INT(1, t.n_parts_done);
    snprintf(path, sizeof path, "%s/manifest.json", out); /* as after a crash while the clusters were written */
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/part-000000.dedup.cols", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/clusters/clusters.json", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/clusters/00000-000000.cols", out);
    CHECK_OK(store_write(path, SPAN_LIT("half of it"), &err), &err);
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
    CHECK(t.complete);
    CHECK_INT(1, t.n_parts_done);
    corpus_clear(&c);
}

static ErrCode run_task(const char *in, const char *out, const DedupParams *p, OptTask task, StageTotals *t, Err *err)
{
    CommonOptions common = {.memory = 1 << 30, .task = task};
    Par par = par_alone(1);
    DatasetSet *set = NULL;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc == ERR_OK) rc = dedup_run(p, set, out, &common, &par, t, NULL, err);
    datasetset_close(set);
    return rc;
}

/* One task after the other, each as far as it can, until there is nothing left; the content is that of one process. */
TEST(dedup_by_tasks_that_never_meet)
{
    enum { TASKS = 3, SWEEPS_MAX = 40 };
    Corpus c = mixed_corpus(240, 4);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    StageTotals t = {0};
    uint32_t sweeps = 0;
    Err err;

    write_corpus(&c, in);
    Result want = dedup(&c, &p, in, 2, 1 << 30);
    for (; !t.complete && sweeps < SWEEPS_MAX; sweeps++)
        for (uint32_t i = TASKS; i-- > 0;) CHECK_OK(run_task(in, out, &p, (OptTask){i, TASKS}, &t, &err), &err);
    CHECK(t.complete);
    CHECK(sweeps > 4); /* they did share the steps */
    Result got = {.keeper = calloc(c.n, 4),
                  .docs = calloc(c.n, 4),
                  .dumps = calloc(c.n, 4),
                  .hosts = calloc(c.n, 4),
                  .verdict = calloc(c.n, 1)};
    read_view(&c, out, &got);
    CHECK(hash128_eq(want.content, got.content));
    result_clear(&want);
    result_clear(&got);
    corpus_clear(&c);
}

/* Tasks at the same time wait for one another: one call of each is enough. */
TEST(dedup_by_tasks_that_wait)
{
    enum { ROUNDS = 3, TASKS = 2 };
    Corpus c = mixed_corpus(120, 3);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions whole = {.memory = 1 << 30};
    Par par = par_alone(1);
    DatasetSet *set;
    StageTotals t;
    Err err;

    p.wait_seconds = 60;
    p.bands = 2;
    write_corpus(&c, in);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    for (int round = 0; round < ROUNDS; round++) {
        const char *out = check_tmpdir();
        pid_t child[TASKS];
        CHECK_OK(sign_run(&p, set, path_of(out, "sign"), &whole, &par, &t, &err), &err);
        for (uint32_t i = 0; i < TASKS; i++)
            if ((child[i] = fork()) == 0) _exit(run_task(in, out, &p, (OptTask){i, TASKS}, &t, &err));
        for (int i = 0; i < TASKS; i++) {
            int status = -1;
            CHECK(waitpid(child[i], &status, 0) == child[i]);
            CHECK_INT(0, status);
        }
        CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
        CHECK(t.complete && t.n_parts_done == 0);
    }
    datasetset_close(set);
    corpus_clear(&c);
}

/* Two jobs started on one directory by mistake. */
TEST(dedup_by_two_jobs_at_once)
{
    enum { ROUNDS = 4 };
    Corpus c = mixed_corpus(240, 4);
    const char *in = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    StageTotals t;
    Err err;

    p.bands = 3;
    write_corpus(&c, in);
    Result want = dedup(&c, &p, in, 2, 1 << 30);
    for (int round = 0; round < ROUNDS; round++) {
        const char *out = check_tmpdir();
        pid_t child[2];
        for (int i = 0; i < 2; i++)
            if ((child[i] = fork()) == 0) _exit(run_task(in, out, &p, (OptTask){0, 0}, &t, &err));
        for (int i = 0; i < 2; i++) {
            int status = -1;
            CHECK(waitpid(child[i], &status, 0) == child[i]);
            CHECK_INT(0, status);
        }
        CHECK_OK(run_in(in, out, &p, false, &t, &err), &err);
        CHECK(t.up_to_date && t.n_docs == want.totals.n_docs - want.totals.n_exact - want.totals.n_near);
    }
    result_clear(&want);
    corpus_clear(&c);
}

TEST(dedup_says_what_is_wrong)
{
    Corpus c = mixed_corpus(60, 2);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    CommonOptions common = {.memory = 1 << 20};
    Par par = par_alone(2);
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    DatasetSet *set;
    StageTotals t;
    char path[512];
    Err err;

    write_corpus(&c, in);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_INT(ERR_NOMEM, dedup_run(&p, set, out, &common, &par, &t, NULL, &err));
    CHECK(strstr(err.msg, "--memory") != NULL);
    datasetset_close(set);
    p.rows = 0;
    CHECK_INT(ERR_USAGE, run_in(in, check_tmpdir(), &p, false, &t, &err));
    p.rows = 8;
    p.verify = 1.5;
    CHECK_INT(ERR_USAGE, run_in(in, check_tmpdir(), &p, false, &t, &err));
    p.verify = 0.7;
    CHECK_OK(run_in(in, out, &p, false, &t, &err), &err); /* signed before, so this run goes on */
    snprintf(path, sizeof path, "%s/manifest.json", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/part-000000.dedup.cols", out);
    CHECK_OK(store_delete(path, &err), &err);
    snprintf(path, sizeof path, "%s/clusters/00000-000000.cols", out); /* a damaged file of ours */
    CHECK_OK(store_write(path, SPAN_LIT("not a columns file"), &err), &err);
    CHECK_INT(ERR_DATA, run_in(in, out, &p, false, &t, &err));
    CHECK(strstr(err.msg, "00000-000000.cols") != NULL);
    corpus_clear(&c);
}

/* Two views of one dataset would show its documents twice. */
TEST(dedup_refuses_two_views_of_one_dataset)
{
    Corpus c = mixed_corpus(60, 2);
    const char *in = check_tmpdir(), *dirs[2] = {check_tmpdir(), check_tmpdir()};
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    CommonOptions common = {.memory = 1 << 30};
    Par par = par_alone(1);
    DatasetSet *set;
    StageTotals t;
    Err err;

    write_corpus(&c, in);
    CHECK_OK(run_in(in, dirs[0], &p, false, &t, &err), &err);
    p.exact_only = true;
    CHECK_OK(run_in(in, dirs[1], &p, false, &t, &err), &err);
    CHECK_OK(datasetset_open(&set, dirs, 2, &err), &err);
    CHECK_INT(ERR_USAGE, dedup_run(&p, set, check_tmpdir(), &common, &par, &t, NULL, &err));
    datasetset_close(set);
    corpus_clear(&c);
}

/* A view over a view: what the first dropped is not compared, and the clusters name the documents that are left. */
TEST(dedup_of_a_view)
{
    Corpus c = mixed_corpus(200, 3);
    const char *in = check_tmpdir(), *first = check_tmpdir();
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    StageTotals t;
    Err err;

    write_corpus(&c, in);
    CHECK_OK(run_in(in, first, &p, false, &t, &err), &err);
    uint64_t left = t.n_docs;
    CHECK_OK(run_in(first, check_tmpdir(), &p, false, &t, &err), &err);
    CHECK_INT(left, t.n_in);
    CHECK(t.n_dropped <= left / 10); /* what was verified apart stays apart; a few meet newly without their keepers */
    corpus_clear(&c);
}

/* --- without memory: what dedup adds to the two engines */

typedef struct {
    const DedupParams *params;
    const DatasetSet *set;
    const char *text;
    char sign[512], passes[512], clusters[512];
} Clustering;

static ErrCode sign_and_cluster(void *ctx, Err *err)
{
    const Clustering *at = ctx;
    const Hash128 key = {1, 2};
    const ClusterSpec spec = {
        .dir = at->clusters,
        .table = {.sign_dir = at->sign, .passes_dir = at->passes, .key = key, .memory = (uint64_t)1 << 30}};
    Par par = par_alone(1);
    DedupTotals totals;
    MinHash m = {0};
    Signature s = {0};
    bool found;
    ErrCode rc = minhash_init(&m, at->params->bands * at->params->rows, 1, err);

    if (rc == ERR_OK) rc = signature_make(&s, at->params, &m, span_str(at->text), err);
    if (rc == ERR_OK) rc = store_delete_tree(at->passes, 1, err); /* what the last call found */
    if (rc == ERR_OK) rc = cluster_run(at->params, at->set, &spec, &par, err);
    if (rc == ERR_OK && (rc = clusters_load(at->clusters, key, &found, &totals, err)) == ERR_OK) CHECK(found);
    signature_clear(&s);
    minhash_clear(&m);
    return rc;
}

TEST(clustering_without_memory)
{
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Corpus c = mixed_corpus(40, 1);
    const char *in = check_tmpdir(), *out = check_tmpdir();
    Clustering at = {.params = &p, .text = c.doc[0].text};
    CommonOptions common = {0};
    Par par = par_alone(1);
    DatasetSet *set;
    Err err = {0};

    p.bands = 1; /* the others would be the same once more */
    write_corpus(&c, in);
    snprintf(at.sign, sizeof at.sign, "%s/sign", out);
    snprintf(at.passes, sizeof at.passes, "%s/passes", out);
    snprintf(at.clusters, sizeof at.clusters, "%s/clusters", out);
    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(sign_run(&p, set, at.sign, &common, &par, NULL, &err), &err);
    at.set = set;
    log_setup(LOG_QUIET, 0);
    alloc_fault_each(sign_and_cluster, NULL, &at);
    datasetset_close(set);
    corpus_clear(&c);
}
