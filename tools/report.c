/* The report: facts of a run directory (rundir.h) drawn as one page. */
#include "tools/report.h"

#include "core/store.h"
#include "tools/dir_verb.h"
#include "tools/event_stats.h"
#include "tools/svg.h"
#include "tools/timeline.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPORT_MAX_BARS = 64, REPORT_DROPS = 14, REPORT_NOTE = 96 };

static const char style[] =
    ":root{color-scheme:light dark;--a:#2f6fb0;--b:#d1783c;--c:#8a9099;--g:#8884;--card:#8881}\n"
    "@media(prefers-color-scheme:dark){:root{--a:#6aa5e0;--b:#e79a66;--c:#8f96a0}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:920px;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.15rem;margin:2.2rem 0 .5rem}p{margin:.3rem 0}\n"
    ".tiles{display:flex;flex-wrap:wrap;gap:.7rem;margin:1.2rem 0}\n"
    ".tiles div{background:var(--card);border-radius:8px;padding:.6rem .9rem;flex:1 0 8rem}\n"
    ".tiles b{display:block;font-size:1.35rem}.quiet{opacity:.72}\n"
    "svg{width:100%;height:auto;display:block}svg text{font-size:12.5px;fill:currentColor}\n"
    ".l{text-anchor:end}.m{text-anchor:middle}.g{stroke:var(--g);fill:none}.d{stroke:var(--c);stroke-dasharray:5 "
    "4;fill:none}\n"
    ".p{fill:var(--g)}.t0{fill:var(--a)}.t1{fill:var(--b)}.t2{fill:var(--c)}\n"
    ".s0{stroke:var(--a)}.s1{stroke:var(--b)}.s2{stroke:var(--c)}.s0,.s1,.s2{fill:none;stroke-width:1.7}\n"
    "table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:right;border-bottom:1px solid "
    "var(--g)}\n"
    "td:first-child,th:first-child{text-align:left}\n"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);border-radius:8px;padding:.7rem "
    ".9rem;margin:.4rem 0}\n"
    "mark{background:none;color:inherit;font-weight:700}\n";

/* --- numbers for people */

static const char *put_count(char out[32], uint64_t n)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    int w = 0;

    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) out[w++] = ' ';
        out[w++] = digits[i];
    }
    out[w] = 0;
    return out;
}

static const char *put_bytes(char out[32], uint64_t n)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)n;
    size_t i = 0;

    for (; v >= 1000 && i + 1 < sizeof unit / sizeof *unit; i++) v /= 1000;
    snprintf(out, 32, v >= 100 || i == 0 ? "%.0f %s" : "%.1f %s", v, unit[i]);
    return out;
}

/* --- a growing list of bars; what does not fit is not shown, and the last note says so. */
typedef struct {
    SvgBar bar[REPORT_MAX_BARS];
    char note[REPORT_MAX_BARS][REPORT_NOTE];
    size_t n, left_out;
} Bars;

static void bars_add(Bars *l, Span label, double value, int tone, const char *note)
{
    if (l->n == REPORT_MAX_BARS) {
        l->left_out++;
        return;
    }
    snprintf(l->note[l->n], REPORT_NOTE, "%s", note);
    l->bar[l->n] = (SvgBar){.label = label, .value = value, .tone = tone, .note = span_str(l->note[l->n])};
    l->n++;
}

static void bars_put(Buf *b, const char *title, const Bars *l)
{
    svg_bars(b, title, l->bar, l->n);
    if (l->left_out) buf_printf(b, "<p class=\"quiet\">%zu more are not drawn.</p>\n", l->left_out);
}

static void heading(Buf *b, const char *title, const char *what)
{
    buf_printf(b, "<h2>%s</h2>\n", title);
    if (what) buf_printf(b, "<p class=\"quiet\">%s</p>\n", what);
}

/* --- sections */

static void put_tile(Buf *b, const char *value, const char *what)
{
    buf_printf(b, "<div><b>%s</b>%s</div>\n", value, what);
}

static void put_tiles(Buf *b, const RunDir *r)
{
    const RunStage *in = rundir_stage(r, "ingest"), *mixed = rundir_stage(r, "remix"),
                   *tokens = rundir_stage(r, "tokenize");
    char text[32];

    buf_puts(b, "<div class=\"tiles\">\n");
    if (in->manifest) put_tile(b, put_count(text, in->n_in), "records read");
    if (in->manifest) put_tile(b, put_count(text, in->n_docs), "documents found");
    if (mixed->manifest) put_tile(b, put_count(text, mixed->n_docs), "documents kept");
    if (mixed->manifest) put_tile(b, put_bytes(text, mixed->text_bytes), "of text");
    if (tokens->manifest) put_tile(b, put_count(text, rundir_count(tokens->manifest, "n_tokens")), "tokens");
    if (r->result) {
        snprintf(text, sizeof text, "%.3f", rundir_number(r->result, "heldout_loss"));
        put_tile(b, text, "held-out loss, nats a token");
        snprintf(text, sizeof text, "%.3f", rundir_number(r->result, "heldout_bpb"));
        put_tile(b, text, "bits per byte");
    }
    buf_puts(b, "</div>\n");
}

static bool holds_documents(const RunStage *s)
{
    return s->manifest && json_get(s->manifest, "n_in") && json_get(s->manifest, "text_bytes");
}

static void put_funnel(Buf *b, const RunDir *r)
{
    static const struct {
        const char *verb, *label;
    } step[] = {{"ingest", "ingest: documents found"},
                {"dedup", "dedup: left"},
                {"filter", "filter: left"},
                {"remix", "remix: left"}};
    Bars docs = {0}, bytes = {0};
    char text[32], note[REPORT_NOTE];
    const RunStage *in = rundir_stage(r, "ingest");

    if (holds_documents(in))
        bars_add(&docs, SPAN_LIT("records read"), (double)in->n_in, 2, put_count(text, in->n_in));
    for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
        const RunStage *s = rundir_stage(r, step[i].verb);
        if (!holds_documents(s)) continue;
        const double share = s->n_in ? 100.0 * (double)s->n_docs / (double)s->n_in : 0;
        snprintf(note, sizeof note, "%s (%.1f %% of its input)", put_count(text, s->n_docs), share);
        bars_add(&docs, span_str(step[i].label), (double)s->n_docs, 0, note);
        bars_add(&bytes, span_str(step[i].label), (double)s->text_bytes, 1, put_bytes(text, s->text_bytes));
    }
    if (!docs.n) return;
    heading(b, "From records to training text", "Documents, then bytes of text, behind each stage.");
    bars_put(b, "documents behind each stage", &docs);
    bars_put(b, "bytes of text behind each stage", &bytes);
}

static void add_drop(Bars *l, Buf *label, const RunStage *s, Span reason, uint64_t n_docs, int tone)
{
    char text[32], note[REPORT_NOTE];

    if (l->n == REPORT_MAX_BARS) return;
    buf_printf(label, "%s: ", s->verb);
    buf_put_span(label, reason);
    snprintf(note, sizeof note, "%s (%.1f %%)", put_count(text, n_docs),
             s->n_in ? 100 * (double)n_docs / (double)s->n_in : 0.0);
    bars_add(l, buf_span(label), (double)n_docs, tone, note);
}

static void put_drops(Buf *b, const RunDir *r)
{
    Bars l = {0};
    Buf label[REPORT_MAX_BARS] = {{0}};
    RunDrop drop[REPORT_DROPS];

    for (size_t i = 0; i < RECIPE_STAGES; i++) {
        const RunStage *s = &r->stage[i];
        size_t n_rest;
        uint64_t rest;
        char more[40];
        const size_t n = rundir_drops(s, drop, REPORT_DROPS, &n_rest, &rest);
        for (size_t k = 0; k < n && l.n < REPORT_MAX_BARS; k++)
            add_drop(&l, &label[l.n], s, drop[k].reason, drop[k].n_docs, (int)(i % 3));
        snprintf(more, sizeof more, "%zu more reasons", n_rest);
        if (n_rest && l.n < REPORT_MAX_BARS) add_drop(&l, &label[l.n], s, span_str(more), rest, (int)(i % 3));
    }
    if (l.n) {
        heading(b, "Why records and documents were dropped", "Shares are of what the stage read.");
        bars_put(b, "drops by reason", &l);
    }
    for (size_t i = 0; i < REPORT_MAX_BARS; i++) buf_clear(&label[i]);
}

/* Documents and bytes of a counter {NAME: [docs, bytes]} in stats.json. */
static void counter_of(const RunStage *s, const char *group, const char *name, uint64_t *docs, uint64_t *bytes)
{
    const Json *v = json_get(json_get(json_get(s->stats, "counters"), group), name);
    const bool pair = v && v->type == JSON_ARRAY && v->n == 2;

    *docs = rundir_count_of(pair ? v->child : NULL);
    *bytes = rundir_count_of(pair ? v->child->next : NULL);
}

static const Json *counter_group(const RunStage *s, const char *group)
{
    const Json *g = json_get(json_get(s->stats, "counters"), group);
    return g && g->type == JSON_OBJECT ? g->child : NULL;
}

static void add_share(Bars *l, Span label, uint64_t docs, uint64_t bytes, uint64_t total, int tone)
{
    char text[32], text2[32], note[REPORT_NOTE];

    snprintf(note, sizeof note, "%s (%.1f %%), %s", put_bytes(text, bytes),
             total ? 100 * (double)bytes / (double)total : 0.0, put_count(text2, docs));
    bars_add(l, label, (double)bytes, tone, note);
}

static void put_languages(Buf *b, const RunDir *r)
{
    const RunStage *before = rundir_stage(r, "ingest"), *after = rundir_stage(r, "remix");
    Bars l = {0};
    uint64_t docs, bytes;

    for (const Json *v = counter_group(before, "lang"); v; v = v->next) {
        const char *name = (const char *)v->key.p;
        counter_of(before, "lang", name, &docs, &bytes);
        add_share(&l, v->key, docs, bytes, before->text_bytes, 2);
        if (!after->stats) continue;
        counter_of(after, "lang", name, &docs, &bytes);
        add_share(&l, SPAN_LIT(""), docs, bytes, after->text_bytes, 0);
    }
    if (!l.n) return;
    heading(b, "Languages, before and after",
            "Grey: as ingested. Colour: what is trained on. Bytes of text, documents.");
    bars_put(b, "bytes by language before and after", &l);
}

/* Tokens of a stream by its name; 0 when there is none. */
static uint64_t stream_tokens(const RunDir *r, const char *name)
{
    const Json *streams = json_get(rundir_stage(r, "tokenize")->manifest, "streams");

    for (const Json *s = streams && streams->type == JSON_ARRAY ? streams->child : NULL; s; s = s->next) {
        const Json *n = json_get(s, "name");
        if (n && n->type == JSON_STRING && span_is(n->string, name)) return rundir_count(s, "n_tokens");
    }
    return 0;
}

/* Share of training samples that the mixture's first phase gives to a domain; -1 without a mixture. */
static double mixture_share(const Json *mixture, const char *name)
{
    const Json *phases = json_get(mixture, "phases");
    const Json *weights = phases && phases->type == JSON_ARRAY ? json_get(phases->child, "weights") : NULL;
    double sum = 0;

    if (!weights || weights->type != JSON_OBJECT) return -1;
    for (const Json *w = weights->child; w; w = w->next) sum += w->type == JSON_NUMBER ? w->number : 0;
    return sum > 0 ? rundir_number(weights, name) / sum : -1;
}

static void put_domains(Buf *b, const RunDir *r)
{
    const RunStage *mixed = rundir_stage(r, "remix");
    Bars before = {0}, rate = {0};
    uint64_t docs, bytes;
    char note[REPORT_NOTE];

    for (const Json *v = counter_group(mixed, "domain"); v; v = v->next) {
        const char *name = (const char *)v->key.p;
        counter_of(mixed, "domain", name, &docs, &bytes);
        const double has = mixed->text_bytes ? (double)bytes / (double)mixed->text_bytes : 0,
                     gets = mixture_share(r->mixture, name);
        snprintf(note, sizeof note, "%.1f %% of the text", 100 * has);
        bars_add(&before, v->key, has, 2, note);
        if (gets >= 0) {
            snprintf(note, sizeof note, "%.1f %% of the training samples", 100 * gets);
            bars_add(&before, SPAN_LIT(""), gets, 0, note);
        }
        const uint64_t tokens = stream_tokens(r, name);
        if (!tokens || !bytes) continue;
        const double per_byte = (double)tokens / (double)bytes;
        snprintf(note, sizeof note, "%.3f (%.2f bytes a token)", per_byte, 1 / per_byte);
        bars_add(&rate, v->key, per_byte, 1, note);
    }
    if (before.n) {
        heading(b, "Domains, before and after mixing",
                "Grey: share of the text. Colour: share of training by the mixture.");
        bars_put(b, "domains before and after mixing", &before);
    }
    if (rate.n) {
        heading(b, "Tokens per byte, by stream", NULL);
        bars_put(b, "tokens per byte by stream", &rate);
    }
}

/* Where `tamis bpe stats` has been asked. */
static void put_compression(Buf *b, const RunDir *r)
{
    const Json *languages = json_get(r->tokenizer_stats, "languages");
    Bars l = {0};
    char note[REPORT_NOTE];

    for (const Json *v = languages && languages->type == JSON_ARRAY ? languages->child : NULL; v; v = v->next) {
        const Json *name = json_get(v, "name");
        const double bytes = rundir_number(v, "bytes_per_token");
        if (!name || name->type != JSON_STRING || !(bytes > 0)) continue;
        const double word = rundir_number(v, "tokens_per_word"), han = rundir_number(v, "tokens_per_han");
        int n = snprintf(note, sizeof note, "%.3f", bytes);
        if (word > 0) n += snprintf(note + n, sizeof note - (size_t)n, ", %.3g tokens a word", word);
        if (han > 0) snprintf(note + n, sizeof note - (size_t)n, ", %.3g a Han character", han);
        bars_add(&l, name->string, bytes, 0, note);
    }
    if (!l.n) return;
    heading(b, "Bytes per token, by language", NULL);
    bars_put(b, "bytes per token by language", &l);
}

static ErrCode split_points(Arena *a, const RunPoint *p, size_t n, double **x, double **y, Err *err)
{
    *x = arena_array(a, n + 1, sizeof **x);
    *y = arena_array(a, n + 1, sizeof **y);
    if (!*x || !*y) return err_nomem(err, "the loss curve");
    for (size_t i = 0; i < n; i++) (*x)[i] = p[i].step, (*y)[i] = p[i].loss;
    return ERR_OK;
}

static ErrCode put_loss(Buf *b, RunDir *r, Err *err)
{
    double *x[2], *y[2];
    ErrCode rc;

    if (!r->n_train) return ERR_OK;
    if ((rc = split_points(&r->arena, r->train, r->n_train, &x[0], &y[0], err)) != ERR_OK) return rc;
    if ((rc = split_points(&r->arena, r->heldout, r->n_heldout, &x[1], &y[1], err)) != ERR_OK) return rc;
    const SvgSeries series[] = {{"training", x[0], y[0], r->n_train, 0, false},
                                {"held out", x[1], y[1], r->n_heldout, 1, true}};
    const double unigram = rundir_number(r->result, "unigram_entropy");
    const SvgPlot plot = {.title = "loss by training step",
                          .x_label = "step",
                          .y_label = "nats a token",
                          .series = series,
                          .n_series = r->n_heldout ? 2 : 1,
                          .level = unigram > 0 ? unigram : NAN,
                          .level_label = "unigram entropy of the held-out text"};
    heading(b, "Loss", "Cross-entropy in nats a token; below the dashed line the model knows more than word counts.");
    svg_plot(b, &plot);
    return ERR_OK;
}

static ErrCode put_samples(Buf *b, RunDir *r, Err *err)
{
    ModelSample sample[MODEL_SAMPLES];
    size_t n;

    ErrCode rc = model_samples(r, sample, &n, err);
    if (rc != ERR_OK || n == 0) return rc;
    heading(b, "What the model says", "The prompt in bold, then what it adds (fixed seed).");
    for (size_t i = 0; i < n; i++) {
        Span prompt = span_str(sample[i].prompt), text = sample[i].text;
        if (span_starts(text, span_trim(prompt))) text = span_from(text, span_trim(prompt).n);
        buf_printf(b, "<p class=\"quiet\">%s</p><pre dir=\"auto\"><mark>", sample[i].title);
        html_put(b, prompt);
        buf_puts(b, "</mark>");
        html_put(b, text);
        buf_puts(b, "</pre>\n");
    }
    return ERR_OK;
}

/* What the events say of a verb: all its processes, and its parts (NULL: none). */
typedef struct {
    double seconds, cpu_s; /* seconds: in which a process was at it */
    uint64_t peak_bytes;
    const LogStage *parts;
} VerbCost;

static VerbCost cost_of(const EventLog *log, const EventStats *stats, const char *verb)
{
    VerbCost c = {.parts = eventstats_stage(stats, verb)};
    double end = 0;

    for (size_t i = 0; i < log->n_processes; i++) {
        const LogProcess *p = &log->process[i];
        if (strcmp(p->verb, verb) != 0) continue;
        if (p->end > end) c.seconds += p->end - (p->begin > end ? p->begin : end); /* they come by begin */
        if (p->end > end) end = p->end;
        c.cpu_s += p->cpu_s;
        if (p->peak_bytes > c.peak_bytes) c.peak_bytes = p->peak_bytes;
    }
    return c;
}

static void put_stage(Buf *b, const RunStage *s, const VerbCost *c)
{
    const double seconds = s->time.runs ? s->time.seconds : c->seconds,
                 cpu_s = s->time.runs ? s->time.cpu_seconds : c->cpu_s;
    char text[32];

    buf_printf(b, "<tr><td>%s<td>", s->verb);
    if (holds_documents(s)) buf_printf(b, "%" PRIu64, rundir_count(s->manifest, "n_parts"));
    buf_printf(b, "<td>%s", holds_documents(s) ? put_count(text, s->n_in) : "");
    buf_printf(b, "<td>%s", holds_documents(s) ? put_count(text, s->n_docs) : "");
    buf_printf(b, "<td>%s<td>", holds_documents(s) ? put_bytes(text, s->text_bytes) : "");
    if (seconds > 0) buf_printf(b, "%.1f", seconds);
    buf_puts(b, "<td>");
    if (cpu_s > 0) buf_printf(b, "%.1f", cpu_s);
    buf_puts(b, "<td>");
    if (c->parts && c->parts->bytes_in && c->cpu_s > 0)
        buf_printf(b, "%.1f", (double)c->parts->bytes_in / 1e6 / c->cpu_s);
    buf_printf(b, "<td>%s</tr>\n", c->peak_bytes ? put_bytes(text, c->peak_bytes) : "");
}

/* One a stage, where there is more than one part to compare with. */
static void put_slowest(Buf *b, const EventLog *log, const EventStats *stats)
{
    bool some = false;

    for (size_t i = 0; i < stats->n_stages; i++) {
        const LogStage *s = &stats->stage[i];
        if (s->n_parts < 2) continue;
        const LogPart *p = s->slowest[0];
        buf_puts(b, some ? ", " : "<p class=\"quiet\">Slowest parts: ");
        html_put(b, span_str(s->stage));
        buf_printf(b, " %" PRIu32 " (%.2f s on ", p->part, p->end - p->begin);
        html_put(b, span_str(log->process[p->process].host));
        buf_printf(b, ", median %.2f s)", s->median_s);
        some = true;
    }
    if (some) buf_puts(b, ".</p>\n");
}

static ErrCode put_stages(Buf *b, const RunDir *r, const EventLog *log, Err *err)
{
    EventStats stats;
    double total = 0;
    ErrCode rc = eventstats_make(&stats, log, err);

    if (rc != ERR_OK) return rc;
    heading(b, "Stages",
            "Seconds are of the runs that ended by themselves; MB/s a core is what the stage's parts read, by all "
            "its CPU "
            "seconds.");
    buf_puts(
        b, "<table><tr><th>stage<th>parts<th>in<th>out<th>text out<th>seconds<th>CPU seconds<th>MB/s a core<th>peak "
           "memory</tr>\n");
    for (size_t i = 0; i < RECIPE_STAGES; i++) {
        const RunStage *s = &r->stage[i];
        const VerbCost cost = cost_of(log, &stats, s->verb);
        if (!s->manifest && !s->time.runs && cost.seconds <= 0) continue;
        put_stage(b, s, &cost);
        total += s->time.seconds;
    }
    if (total > 0) buf_printf(b, "<tr><td>all<td><td><td><td><td>%.1f<td><td><td></tr>\n", total);
    buf_puts(b, "</table>\n");
    put_slowest(b, log, &stats);
    eventstats_clear(&stats);
    return ERR_OK;
}

/* The times of the run: a figure and the table. */
static ErrCode put_times(Buf *b, const RunDir *r, Err *err)
{
    EventLog log;
    ErrCode rc = eventlog_load(&log, r->dir, err);

    if (rc != ERR_OK) return rc;
    if (log.n_processes)
        heading(b, "Who did what when",
                "A row a process, or a rank; above its phases, below them those of exchanges. Time in which nothing "
                "ran is "
                "cut out where dashed.");
    rc = timeline_put(b, &log, err);
    if (rc == ERR_OK) rc = put_stages(b, r, &log, err);
    eventlog_clear(&log);
    return rc;
}

/* --- the page */

static ErrCode put_page(Buf *b, RunDir *r, Err *err)
{
    ErrCode rc;

    buf_puts(b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Tamis: ");
    html_put(b, span_str(r->dir));
    buf_printf(b, "</title><style>\n%s</style></head><body>\n<h1>Tamis run</h1>\n<p class=\"quiet\">", style);
    html_put(b, span_str(r->dir));
    buf_puts(b, ", tamis " TAMIS_VERSION "</p>\n");
    put_tiles(b, r);
    put_funnel(b, r);
    put_drops(b, r);
    put_languages(b, r);
    put_domains(b, r);
    put_compression(b, r);
    if ((rc = put_loss(b, r, err)) != ERR_OK) return rc;
    if ((rc = put_samples(b, r, err)) != ERR_OK) return rc;
    if ((rc = put_times(b, r, err)) != ERR_OK) return rc;
    buf_puts(b, "</body></html>\n");
    return buf_ok(b, "the report", err);
}

ErrCode report_write(const char *dir, bool print, Err *err)
{
    Buf page = {0};
    RunDir r;

    ErrCode rc = rundir_load(&r, dir, err);
    const char *path = path_join(&r.arena, dir, "report.html");
    if (rc == ERR_OK && !path) rc = err_nomem(err, "a path");
    if (rc == ERR_OK) rc = put_page(&page, &r, err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&page), err);
    if (rc == ERR_OK && print) {
        rundir_print(&r);
        printf("%-24s %s\n", "report", path);
    }
    buf_clear(&page);
    rundir_clear(&r);
    return rc;
}

static ErrCode report_run(const char *dir, const void *options, Err *err)
{
    return report_write(dir, !((const CommonOptions *)options)->quiet, err);
}

int report_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    const OptSpec specs[] = {OPT_COMMON_TALK(&common), OPT_END};
    const OptVerb verb = {
        "report", "[options] DIR",
        "Write DIR/report.html, one self-contained page about the run in DIR, and print its closing table.", specs,
        NULL};
    return dir_verb(&verb, argc, argv, report_run, &common, &common);
}
