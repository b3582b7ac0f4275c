/* A run directory as facts. */
#include "tools/rundir.h"

#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t rundir_count_of(const Json *number)
{
    const double v = number && number->type == JSON_NUMBER ? number->number : 0;
    return v > 0 && v < 1e19 ? (uint64_t)v : 0;
}

uint64_t rundir_count(const Json *obj, const char *key) { return rundir_count_of(json_get(obj, key)); }

double rundir_number(const Json *obj, const char *key)
{
    const Json *v = json_get(obj, key);
    return v && v->type == JSON_NUMBER ? v->number : 0;
}

const RunStage *rundir_stage(const RunDir *r, const char *verb)
{
    for (size_t i = 0; i < RECIPE_STAGES; i++)
        if (strcmp(r->stage[i].verb, verb) == 0) return &r->stage[i];
    return NULL;
}

/* DIR/NAME as a tree; *out is NULL when there is no such file. */
static ErrCode load_json(Arena *a, const char *dir, const char *name, const Json **out, Err *err)
{
    Buf text = {0};
    bool exists = false;
    Json *tree = NULL;
    ErrCode rc;

    *out = NULL;
    char *path = path_join(a, dir, name);
    if (!path) return err_nomem(err, "a run directory");
    if ((rc = store_exists(path, &exists, err)) != ERR_OK || !exists) return rc;
    if ((rc = store_read(path, RUNDIR_MAX_JSON, &text, err)) == ERR_OK) {
        Span kept = arena_copy(a, buf_span(&text));
        rc = kept.p ? json_parse(a, kept, path, &tree, err) : err_nomem(err, "a run directory");
    }
    buf_clear(&text);
    *out = tree;
    return rc;
}

/* --- run.json */

static double seconds_of(const Json *stage, const char *key)
{
    const double v = rundir_number(stage, key);
    return v > 0 && v < 1e12 ? v : 0; /* what no run takes, json_put_number() would not take either */
}

static void times_from(const Json *root, RunTime *time)
{
    const Json *stages = json_get(root, "stages");

    for (size_t i = 0; i < RECIPE_STAGES; i++) {
        time[i] = (RunTime){0};
        for (const Json *s = stages && stages->type == JSON_ARRAY ? stages->child : NULL; s; s = s->next) {
            const Json *verb = json_get(s, "verb"), *finished = json_get(s, "finished");
            if (!verb || verb->type != JSON_STRING || !span_is(verb->string, recipe_verb(i))) continue;
            time[i].runs = rundir_count(s, "runs");
            time[i].seconds = seconds_of(s, "seconds");
            time[i].cpu_seconds = seconds_of(s, "cpu_seconds");
            time[i].finished = finished && finished->type == JSON_BOOL && finished->boolean;
        }
    }
}

ErrCode rundir_read_times(const char *dir, RunTime *time, Err *err)
{
    Arena a = {0};
    const Json *root;

    ErrCode rc = load_json(&a, dir, "run.json", &root, err);
    if (rc == ERR_OK) times_from(root, time);
    arena_clear(&a);
    return rc;
}

ErrCode rundir_write_times(const char *dir, const RunTime *time, Err *err)
{
    Arena a = {0};
    Buf b = {0};
    bool comma = false;

    buf_puts(&b, "{\"format\":\"tamis-run\",\"version\":1,\"stages\":[");
    for (size_t i = 0; i < RECIPE_STAGES; i++) {
        if (!time[i].runs) continue;
        buf_printf(&b, "%s\n{\"verb\":\"%s\",\"runs\":%" PRIu64 ",\"seconds\":", comma ? "," : "", recipe_verb(i),
                   time[i].runs);
        json_put_number(&b, time[i].seconds);
        buf_puts(&b, ",\"cpu_seconds\":");
        json_put_number(&b, time[i].cpu_seconds);
        buf_printf(&b, ",\"finished\":%s}", time[i].finished ? "true" : "false");
        comma = true;
    }
    buf_puts(&b, "]}\n");
    char *path = path_join(&a, dir, "run.json");
    ErrCode rc = buf_ok(&b, "run.json", err);
    if (rc == ERR_OK) rc = path ? store_write(path, buf_span(&b), err) : err_nomem(err, "a path");
    buf_clear(&b);
    arena_clear(&a);
    return rc;
}

/* --- the training log: a line a step, and lines with the held-out loss between them */

static bool log_point(const Json *line, RunPoint *p, bool *heldout)
{
    const Json *loss = json_get(line, "heldout_loss");

    *heldout = loss != NULL;
    if (!loss) loss = json_get(line, "loss");
    if (!loss || loss->type != JSON_NUMBER) return false;
    *p = (RunPoint){.step = rundir_number(line, "step"),
                    .tokens = rundir_number(line, "tokens"),
                    .loss = loss->number,
                    .bits = rundir_number(line, "heldout_bpb")};
    return true;
}

static ErrCode parse_log(RunDir *r, Span text, const char *path, Err *err)
{
    size_t n_lines = 0, n_bad = 0;
    Arena line_arena = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < text.n; i++) n_lines += text.p[i] == '\n';
    if (n_lines > RUNDIR_MAX_STEPS) return err_set(err, ERR_LIMIT, "%s: more than %d lines", path, RUNDIR_MAX_STEPS);
    r->train = arena_array(&r->arena, n_lines + 1, sizeof *r->train);
    r->heldout = arena_array(&r->arena, n_lines + 1, sizeof *r->heldout);
    if (!r->train || !r->heldout) return err_nomem(err, "the training log");
    /* A last line without its newline is one that a killed trainer did not finish: it is left out. */
    while (text.n) {
        size_t n = span_find(text, '\n');
        if (n == text.n) break;
        Json *line = NULL;
        RunPoint p;
        bool heldout;
        rc = json_parse(&line_arena, span(text.p, n), path, &line, err);
        if (rc == ERR_NOMEM) break;
        if (rc != ERR_OK || !log_point(line, &p, &heldout))
            n_bad++;
        else if (heldout)
            r->heldout[r->n_heldout++] = p;
        else
            r->train[r->n_train++] = p;
        rc = ERR_OK;
        arena_reset(&line_arena);
        text = span_from(text, n + 1);
    }
    if (rc == ERR_OK && n_bad) log_warn("%s: damaged lines left out: %zu", path, n_bad);
    arena_clear(&line_arena);
    return rc;
}

static ErrCode load_log(RunDir *r, const char *dir, Err *err)
{
    Buf text = {0};
    bool exists = false;
    char *path = path_join(&r->arena, dir, "log.jsonl");
    if (!path) return err_nomem(err, "a path");
    ErrCode rc = store_exists(path, &exists, err);
    if (rc == ERR_OK && exists) rc = store_read(path, RUNDIR_MAX_LOG, &text, err);
    if (rc == ERR_OK && exists) rc = parse_log(r, buf_span(&text), path, err);
    buf_clear(&text);
    return rc;
}

/* --- all of it */

ErrCode rundir_load(RunDir *r, const char *dir, Err *err)
{
    RunTime time[RECIPE_STAGES];
    size_t n_found = 0;
    ErrCode rc;

    *r = (RunDir){.dir = dir};
    if ((rc = rundir_read_times(dir, time, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < RECIPE_STAGES; i++) {
        RunStage *s = &r->stage[i];
        s->verb = recipe_verb(i);
        s->time = time[i];
        s->dir = path_join(&r->arena, dir, recipe_output_name(s->verb));
        if (!s->dir) return err_nomem(err, "a run directory");
        if (strcmp(s->verb, "bpe") == 0) continue;
        if ((rc = load_json(&r->arena, s->dir, "manifest.json", &s->manifest, err)) != ERR_OK) return rc;
        if ((rc = load_json(&r->arena, s->dir, "stats.json", &s->stats, err)) != ERR_OK) return rc;
        s->n_in = rundir_count(s->manifest, "n_in");
        s->n_docs = rundir_count(s->manifest, "n_docs");
        s->text_bytes = rundir_count(s->manifest, "text_bytes");
        n_found += s->manifest != NULL;
    }
    const char *ckpt = rundir_stage(r, "train")->dir;
    if ((rc = load_json(&r->arena, ckpt, "result.json", &r->result, err)) != ERR_OK) return rc;
    if ((rc = load_json(&r->arena, rundir_stage(r, "remix")->dir, "mixture.json", &r->mixture, err)) != ERR_OK)
        return rc;
    if ((rc = load_json(&r->arena, dir, "tokenizer-stats.json", &r->tokenizer_stats, err)) != ERR_OK) return rc;
    if ((rc = load_log(r, ckpt, err)) != ERR_OK) return rc;
    if (n_found == 0 && !r->result) return err_set(err, ERR_SYS, "%s: no finished stage of a run here", dir);
    return ERR_OK;
}

void rundir_clear(RunDir *r) { arena_clear(&r->arena); }

/* --- the closing table */

enum { PRINT_DROPS = 12 };

size_t rundir_drops(const RunStage *s, RunDrop *out, size_t cap, size_t *n_rest, uint64_t *rest)
{
    const Json *dropped = json_get(s->manifest, "dropped");
    size_t n = 0;

    *n_rest = 0;
    *rest = 0;
    for (const Json *d = dropped && dropped->type == JSON_OBJECT ? dropped->child : NULL; d; d = d->next) {
        RunDrop now = {d->key, rundir_count_of(d)};
        if (!now.n_docs) continue;
        for (size_t i = 0; i < n; i++) { /* the place of `now`; what stood there moves on */
            const bool before = now.n_docs > out[i].n_docs ||
                                (now.n_docs == out[i].n_docs && span_cmp(now.reason, out[i].reason) < 0);
            if (!before) continue;
            const RunDrop moved = out[i];
            out[i] = now;
            now = moved;
        }
        if (n < cap) {
            out[n++] = now;
            continue;
        }
        ++*n_rest;
        *rest += now.n_docs;
    }
    return n;
}

static void print_dropped(const RunStage *s)
{
    RunDrop drop[PRINT_DROPS];
    size_t n_rest;
    uint64_t rest;

    const size_t n = rundir_drops(s, drop, PRINT_DROPS, &n_rest, &rest);
    for (size_t i = 0; i < n; i++)
        printf("  %-22s %12" PRIu64 "  %s\n", s->verb, drop[i].n_docs, (const char *)drop[i].reason.p);
    if (n_rest) printf("  %-22s %12" PRIu64 "  %zu more reasons\n", s->verb, rest, n_rest);
}

void rundir_print(const RunDir *r)
{
    const RunStage *ingest = rundir_stage(r, "ingest"), *dedup = rundir_stage(r, "dedup"),
                   *filter = rundir_stage(r, "filter");
    const RunStage *tokens = rundir_stage(r, "tokenize");

    if (ingest->manifest) {
        printf("%-24s %12" PRIu64 "\n", "records", ingest->n_in);
        printf("%-24s %12" PRIu64 "  (%.1f MB of text)\n", "documents", ingest->n_docs,
               (double)ingest->text_bytes / 1e6);
    }
    if (dedup->manifest && dedup->n_in >= dedup->n_docs)
        printf("%-24s %12" PRIu64 "\n", "duplicates", dedup->n_in - dedup->n_docs);
    if (filter->manifest)
        printf("%-24s %12" PRIu64 "  (%.1f MB of text)\n", "kept", filter->n_docs, (double)filter->text_bytes / 1e6);
    printf("dropped by reason\n");
    for (size_t i = 0; i < RECIPE_STAGES; i++) print_dropped(&r->stage[i]);
    if (tokens->manifest) printf("%-24s %12" PRIu64 "\n", "tokens", rundir_count(tokens->manifest, "n_tokens"));
    if (r->result) {
        printf("%-24s %12.3f -> %.3f nats\n", "training loss", rundir_number(r->result, "loss_first"),
               rundir_number(r->result, "loss_last"));
        printf("%-24s %12.3f nats (unigram entropy %.3f)\n", "held-out loss",
               rundir_number(r->result, "heldout_loss"), rundir_number(r->result, "unigram_entropy"));
        printf("%-24s %12.3f\n", "bits per byte", rundir_number(r->result, "heldout_bpb"));
    }
}
