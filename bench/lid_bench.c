/* bench/lid_bench.c - what language texts are said to be of, by our detector and by the two it asks, and how fast.
 *
 *   lid_bench [-q] [-n PASSES] [MODEL] < LINES
 *   lid_bench -r MODEL < REFERENCE
 * LINES are documents whose `lang` is right and whose `source` names their set (bench/lid.py writes some). Prints, a set: texts, and of 100 those that
 * are right by us with CLD2, by us with the fastText MODEL, by CLD2 alone and by the MODEL alone; then what we took the wrong ones for. The two alone know no
 * code, and the model no zh-Hant: zh is right for both. -q: only sets of whole texts. Speed is that of the thread on its processor, the
 * least of PASSES (3), over the whole texts. -r: lines of set, language, name, fastText's labels with their probabilities, text; prints
 * how far ours are from them. */
#include "core/doc.h"
#include "core/log.h"
#include "core/utf8.h"
#include "ingest/cld2_shim.h"
#include "ingest/lang.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_SETS = 1024, PEER_SAMPLE = 2 << 10 };
enum { OURS, OURS_MODEL, CLD2, MODEL, N_WAYS };
static const char *const way_names[N_WAYS] = {
    [OURS] = "tamis", [OURS_MODEL] = "tamis --lid", [CLD2] = "CLD2", [MODEL] = "fastText"};

typedef struct {
    size_t at, n, set;
    Lang want;
} Text;

typedef struct {
    char *name;
    size_t n, right[N_WAYS], got[N_WAYS][LANG_N];
    Lang want;
} Set;

typedef struct {
    Buf bytes;
    Text *text;
    size_t n, cap, n_sets;
    Set set[MAX_SETS];
    FastText *model;
    FastTextScratch *scratch;
    LangDetector *detector[2]; /* with CLD2, with the model */
} Bench;

static size_t set_of(Bench *b, Span name, Lang want)
{
    size_t i = 0;

    while (i < b->n_sets && !span_is(name, b->set[i].name)) i++;
    if (i == MAX_SETS) exit(2);
    if (i < b->n_sets) return i;
    b->set[i] = (Set){.name = strndup((const char *)name.p, name.n), .want = want};
    b->n_sets++;
    return i;
}

static void read_texts(Bench *b)
{
    DocScratch scratch = {0};
    char *line = NULL;
    const char *why;
    size_t cap = 0;
    ssize_t n;
    Doc d;
    Lang want;

    while ((n = getline(&line, &cap, stdin)) > 0) {
        if (!doc_read(&scratch, span(line, (size_t)n), &d, &why) || !lang_of_name(d.lang, &want)) continue;
        Text *grown = array_grow(b->text, b->n, &b->cap, sizeof *b->text);
        if (!grown) exit(5);
        b->text = grown;
        b->text[b->n++] = (Text){b->bytes.n, d.text.n, set_of(b, d.source, want), want};
        buf_put_span(&b->bytes, d.text);
    }
    free(line);
    docscratch_clear(&scratch);
    if (b->bytes.oom) exit(5);
}

/* Of the peers: the start of a text. */
static Lang ask(Bench *b, int way, Span text)
{
    const Span start = span(text.p, utf8_floor(text, text.n < PEER_SAMPLE ? text.n : PEER_SAMPLE));
    FastTextAnswer best;
    Cld2Answer answer;
    Span code;

    if (way == OURS || way == OURS_MODEL) return lang_detect(b->detector[way == OURS_MODEL], text, false).lang;
    if (way == CLD2) {
        cld2_detect((const char *)start.p, start.n, &answer);
        code = span_str(answer.code);
    } else {
        if (!fasttext_predict(b->model, b->scratch, start, 1, &best)) return LANG_OTHER;
        code = fasttext_label(b->model, best.label);
    }
    Lang lang;
    if (way == MODEL && (span_is(code, "wuu") || span_is(code, "yue"))) return LANG_ZH_HANS;
    return lang_of_name(code, &lang) ? lang : LANG_OTHER;
}

static bool is_piece(const char *name) { return ascii_is_digit((uint8_t)name[0]); }

static void time_way(Bench *b, int way, int passes)
{
    double best = 1e9;
    size_t n = 0, bytes = 0, looked = 0;

    for (int pass = 0; pass < passes; pass++) {
        const double from = thread_cpu_seconds();
        n = bytes = looked = 0;
        for (size_t i = 0; i < b->n; i++) {
            if (is_piece(b->set[b->text[i].set].name)) continue;
            ask(b, way, span(b->bytes.p + b->text[i].at, b->text[i].n));
            n++, bytes += b->text[i].n;
            looked += b->text[i].n < PEER_SAMPLE ? b->text[i].n : PEER_SAMPLE;
        }
        if (thread_cpu_seconds() - from < best) best = thread_cpu_seconds() - from;
    }
    printf("%-12s %8.0f texts/s %8.1f MB/s of text %8.1f MB/s of the first 2 KiB\n", way_names[way], (double)n / best,
           (double)bytes / best / 1e6, (double)looked / best / 1e6);
}

static void judge(Bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const Text *t = b->text + i;
        Set *s = b->set + t->set;
        s->n++;
        for (int way = OURS; way < N_WAYS; way++) {
            if (!b->model && (way == OURS_MODEL || way == MODEL)) continue;
            Lang got = ask(b, way, span(b->bytes.p + t->at, t->n));
            if (way == MODEL && got == LANG_ZH_HANS && t->want == LANG_ZH_HANT) got = t->want;
            s->got[way][got]++;
            s->right[way] += got == t->want;
            if (getenv("LID_SHOW") && way == atoi(getenv("LID_SHOW")) && got != t->want)
                printf("WRONG %s %s: %.*s\n", s->name, lang_names[got], (int)(t->n < 300 ? t->n : 300),
                       b->bytes.p + t->at);
        }
    }
}

static void print_sets(const Bench *b, bool quiet)
{
    printf("%-34s %-8s %5s", "set", "is", "n");
    for (int way = OURS; way < N_WAYS; way++) printf(" %11s", way_names[way]);
    printf("  wrong ones\n");
    for (size_t i = 0; i < b->n_sets; i++) {
        const Set *s = b->set + i;
        if (quiet && is_piece(s->name)) continue;
        printf("%-34s %-8s %5zu", s->name, lang_names[s->want], s->n);
        for (int way = OURS; way < N_WAYS; way++) printf(" %11.1f", 100.0 * (double)s->right[way] / (double)s->n);
        printf(" ");
        for (int way = OURS; way <= (b->model ? OURS_MODEL : OURS); way++) {
            if (way == OURS_MODEL) printf(" |");
            for (int l = 0; l < LANG_N; l++)
                if (l != (int)s->want && s->got[way][l]) printf(" %zu %s", s->got[way][l], lang_names[l]);
        }
        printf("\n");
    }
}

/* Over the sets of a kind, each counted alike. */
static void print_mean(const Bench *b, const char *what, Lang lang, bool pieces)
{
    double sum[N_WAYS] = {0};
    size_t n = 0;

    for (size_t i = 0; i < b->n_sets; i++) {
        const Set *s = b->set + i;
        if (is_piece(s->name) != pieces || s->want != lang) continue;
        n++;
        for (int way = OURS; way < N_WAYS; way++) sum[way] += 100.0 * (double)s->right[way] / (double)s->n;
    }
    if (!n) return;
    printf("%-6s %-36s %5zu", what, lang_names[lang], n);
    for (int way = OURS; way < N_WAYS; way++) printf(" %11.1f", sum[way] / (double)n);
    printf("\n");
}

/* The largest distance between a probability and its label's in `told`; 1 where we have another label that is not as likely. */
static double distance(Bench *b, Span text, const char *told)
{
    FastTextAnswer a[FASTTEXT_MAX_K];
    const size_t n = fasttext_predict(b->model, b->scratch, text, 3, a);
    double worst = 0, p;
    char label[128];
    int len;

    for (size_t i = 0; i < n && sscanf(told, " __label__%127s %lf%n", label, &p, &len) == 2; i++, told += len) {
        double d = p > (double)a[i].p ? p - (double)a[i].p : (double)a[i].p - p;
        if (!span_is(fasttext_label(b->model, a[i].label), label) && d > 1e-5) d = 1;
        if (d > worst) worst = d;
    }
    return worst;
}

static void compare_reference(Bench *b)
{
    char *line = NULL;
    size_t cap = 0, n = 0, n_far = 0;
    ssize_t len;
    double worst = 0;

    while ((len = getline(&line, &cap, stdin)) > 0) {
        Span rest = span(line, (size_t)len - (line[len - 1] == '\n')), field = {NULL, 0};
        for (int i = 0; i < 4; i++) {
            field = span(rest.p, span_find(rest, '\t'));
            rest = span_from(rest, field.n + 1);
        }
        if (!rest.n) continue;
        line[(size_t)((const char *)field.p - line) + field.n] = 0;
        const double d = distance(b, rest, (const char *)field.p);
        n++, n_far += d > 1e-5;
        if (d > worst) worst = d;
    }
    free(line);
    printf("%zu texts, %zu further than 1e-5 from the reference, the worst %.2g\n", n, n_far, worst);
}

int main(int argc, char **argv)
{
    static Bench b;
    bool quiet = false, reference = false;
    int passes = 3, opt;
    Err err = {0};

    while ((opt = getopt(argc, argv, "qrn:")) != -1) {
        if (opt == 'q') quiet = true;
        if (opt == 'r') reference = true;
        if (opt == 'n') passes = atoi(optarg);
        if (opt == '?') return 2;
    }
    ErrCode rc = optind < argc ? fasttext_open(&b.model, argv[optind], &err) : ERR_OK;
    if (rc == ERR_OK && b.model) rc = fasttext_scratch_new(&b.scratch, b.model, &err);
    if (rc == ERR_OK) rc = lang_detector_new(&b.detector[0], NULL, &err);
    if (rc == ERR_OK) rc = lang_detector_new(&b.detector[1], b.model, &err);
    if (rc != ERR_OK) {
        fprintf(stderr, "lid_bench: %s\n", err.msg);
        return err_status(rc);
    }
    if (reference && b.model) {
        compare_reference(&b);
        goto out;
    }
    read_texts(&b);
    judge(&b);
    print_sets(&b, quiet);
    for (int pieces = 0; pieces <= 1; pieces++)
        for (int lang = 0; lang < LANG_N; lang++) print_mean(&b, pieces ? "pieces" : "texts", (Lang)lang, pieces);
    for (int way = OURS; way < N_WAYS; way++)
        if (b.model || way == OURS || way == CLD2) time_way(&b, way, passes);
out:
    for (size_t i = 0; i < b.n_sets; i++) free(b.set[i].name);
    free(b.text);
    buf_clear(&b.bytes);
    lang_detector_free(b.detector[0]);
    lang_detector_free(b.detector[1]);
    fasttext_scratch_free(b.scratch);
    fasttext_free(b.model);
    return 0;
}
