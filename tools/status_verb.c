/* `tamis status`: how far datasets and runs are, while others work on them. */
#include "core/dataset_status.h"
#include "core/json.h"
#include "core/options.h"
#include "core/results.h"
#include "core/store.h"
#include "core/utf8.h"
#include "tools/docs.h"
#include "tools/recipe.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
    bool json, wait, quiet, verbose;
} StatusOptions;

/* --- processes of other hosts: with --wait their heartbeats say who lives. */

static const char *state_name(HolderState s)
{
    return s == HOLDER_ALIVE ? "alive" : s == HOLDER_DEAD ? "dead" : "unknown";
}

static ErrCode look_again(const char *dir, StatusProcess *p, double watched_s, Err *err)
{
    LeaseProcess now;
    bool found;
    ErrCode rc = lease_process_read(dir, p->name, &now, &found, err);

    if (rc == ERR_OK && found && now.beat != p->line.beat)
        p->state = HOLDER_ALIVE;
    else if (rc == ERR_OK && (!found || watched_s >= lease_process_expiry(&p->line)))
        p->state = HOLDER_DEAD;
    return rc;
}

/* As the stages do: whose heartbeat goes on lives, whose stands still for the expiry is dead. */
static ErrCode watch_processes(const char *dir, DatasetStatus *s, Err *err)
{
    double begin = clock_seconds();
    ErrCode rc = ERR_OK;

    for (bool open = true; open && rc == ERR_OK;) {
        open = false;
        for (size_t i = 0; i < s->n_processes && rc == ERR_OK; i++) {
            if (s->process[i].state == HOLDER_UNKNOWN)
                rc = look_again(dir, &s->process[i], clock_seconds() - begin, err);
            open |= s->process[i].state == HOLDER_UNKNOWN;
        }
        if (rc == ERR_OK && open && interrupt_seen()) rc = err_set(err, ERR_INTR, "status: interrupted");
        if (open) nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return rc;
}

static ErrCode second_look(const char *dir, DatasetStatus *s, Err *err)
{
    DatasetStatus later;
    bool unknown = false, found;
    ErrCode rc;

    for (size_t i = 0; i < s->n_processes; i++) unknown |= s->process[i].state == HOLDER_UNKNOWN;
    if (!unknown) return ERR_OK;
    if ((rc = watch_processes(dir, s, err)) != ERR_OK) return rc;
    if ((rc = dataset_status(dir, &later, &found, err)) != ERR_OK) {
        dataset_status_clear(&later);
        return rc;
    }
    for (size_t i = 0; i < later.n_processes; i++) {
        StatusProcess *p = &later.process[i];
        for (size_t k = 0; k < s->n_processes && p->state == HOLDER_UNKNOWN; k++)
            if (strcmp(p->name, s->process[k].name) == 0) p->state = s->process[k].state;
    }
    dataset_status_count(&later);
    dataset_status_clear(s);
    *s = later;
    return ERR_OK;
}

/* --- for people */

static void print_duration(double s)
{
    if (s < 120)
        printf("%.0f s", s);
    else if (s < 7200)
        printf("%.0f min", s / 60);
    else
        printf("%.1f h", s / 3600);
}

/* "HOST pid 12 (rank 1 of 4)"; the name says all that of a process which has left no line. */
static void print_process(const DatasetStatus *s, const char *name)
{
    const StatusProcess *p = NULL;

    for (size_t i = 0; i < s->n_processes; i++)
        if (strcmp(s->process[i].name, name) == 0) p = &s->process[i];
    if (!p) {
        docs_put_shown(span_str(name), true);
        return;
    }
    docs_put_shown(span_str(p->line.host), true);
    printf(" pid %" PRIu64, p->line.pid);
    if (!p->line.role[0]) return;
    fputs(" (", stdout);
    docs_put_shown(span_str(p->line.role), true);
    putchar(')');
}

static void print_work(const DatasetStatus *s)
{
    for (size_t i = 0; i < s->n_leases; i++) {
        const StatusLease *l = &s->lease[i];
        printf("  %s  part %" PRIu32 "%s on ", l->state == HOLDER_DEAD ? "dead   " : "running", l->part,
               l->again ? " a second time" : "");
        print_process(s, l->holder.process);
        if (l->seconds >= 0) fputs(" for ", stdout), print_duration(l->seconds);
        fputs(": ", stdout);
        docs_put_shown(span_str(l->holder.input), true);
        putchar('\n');
    }
    for (size_t i = 0; i < s->n_failed; i++) {
        const StatusFailed *f = &s->failed[i];
        printf("  %s part %" PRIu32 ":", f->aside ? "aside   " : "suspect ", f->part);
        printf(" attempts crashed: %" PRIu32, f->n_crashed);
        if (f->signal) printf(" (signal %d)", f->signal);
        printf(", lost: %" PRIu32, f->n_lost);
        fputs(": ", stdout);
        docs_put_shown(span_str(f->holder.input), true);
        putchar('\n');
    }
    for (size_t i = 0; i < s->n_damaged; i++) {
        const StatusDamaged *d = &s->damaged[i];
        printf("  damaged  part %" PRIu32 ": ", d->part);
        docs_put_shown(span_str(d->what.input), true);
        fputs(": ", stdout);
        docs_put_shown(span_str(d->what.message), true);
        putchar('\n');
    }
    for (size_t i = 0; i < s->n_processes; i++) {
        const StatusProcess *p = &s->process[i];
        fputs("  process  ", stdout);
        print_process(s, p->name);
        printf(": %s, %" PRIu64 " parts, %" PRIu64 " documents, %.1f MB in ", state_name(p->state), p->line.n_parts,
               p->line.n_docs, (double)p->line.bytes / 1e6);
        print_duration(p->line.elapsed_s);
        putchar('\n');
    }
}

static void print_dataset(const char *label, const DatasetStatus *s, bool details)
{
    const uint32_t left = s->n_running + s->n_missing;

    printf("%s: %s, ", label, s->stage);
    if (s->complete) {
        printf("complete: %" PRIu32 " parts, %" PRIu64 " documents, %.1f MB of text\n", s->n_parts, s->n_docs,
               (double)s->text_bytes / 1e6);
        return;
    }
    printf("%" PRIu32 " of %" PRIu32 " parts done, %" PRIu32 " running, %" PRIu32 " missing, %" PRIu32
           " set aside, %" PRIu32 " damaged\n",
           s->n_done, s->n_parts, s->n_running, s->n_missing, s->n_aside, s->n_damaged);
    if (s->parts_per_s > 0 || s->bytes_per_s > 0) {
        printf("  rate     %.2f parts a minute, %.1f MB/s", 60 * s->parts_per_s, s->bytes_per_s / 1e6);
        if (s->alive && s->parts_per_s > 0 && left)
            fputs(", about ", stdout), print_duration(left / s->parts_per_s), fputs(" left", stdout);
        putchar('\n');
    }
    if (s->alarm[0]) fputs("  ", stdout), docs_put_shown(span_str(s->alarm), true), putchar('\n');
    if (details) print_work(s);
}

/* --- for programs */

static void put_text(Buf *b, const char *key, const char *text)
{
    Buf clean = {0};

    (void)utf8_repair(&clean, span_str(text));
    buf_printf(b, ",\"%s\":", key);
    json_put_string(b, buf_span(&clean));
    b->oom |= clean.oom;
    buf_clear(&clean);
}

static void put_number(Buf *b, const char *key, double v)
{
    buf_printf(b, ",\"%s\":", key);
    json_put_number(b, v >= 0 && v < 1e12 ? v : 0);
}

static void put_work(Buf *b, const DatasetStatus *s)
{
    buf_puts(b, ",\"running\":[");
    for (size_t i = 0, n = 0; i < s->n_leases; i++) {
        const StatusLease *l = &s->lease[i];
        if (l->state == HOLDER_DEAD) continue;
        buf_printf(b, "%s{\"part\":%" PRIu32 ",\"again\":%s", n++ ? "," : "", l->part, l->again ? "true" : "false");
        put_text(b, "process", l->holder.process);
        put_text(b, "input", l->holder.input);
        if (l->seconds >= 0) put_number(b, "seconds", l->seconds);
        buf_putc(b, '}');
    }
    buf_puts(b, "],\"failed\":[");
    for (size_t i = 0; i < s->n_failed; i++) {
        const StatusFailed *f = &s->failed[i];
        buf_printf(b,
                   "%s{\"part\":%" PRIu32 ",\"aside\":%s,\"crashed\":%" PRIu32 ",\"lost\":%" PRIu32 ",\"signal\":%d",
                   i ? "," : "", f->part, f->aside ? "true" : "false", f->n_crashed, f->n_lost, f->signal);
        put_text(b, "input", f->holder.input);
        buf_putc(b, '}');
    }
    buf_puts(b, "],\"damaged\":[");
    for (size_t i = 0; i < s->n_damaged; i++) {
        buf_printf(b, "%s{\"part\":%" PRIu32, i ? "," : "", s->damaged[i].part);
        put_text(b, "input", s->damaged[i].what.input);
        put_text(b, "message", s->damaged[i].what.message);
        buf_putc(b, '}');
    }
    buf_puts(b, "],\"processes\":[");
    for (size_t i = 0; i < s->n_processes; i++) {
        const StatusProcess *p = &s->process[i];
        buf_printf(b, "%s{\"pid\":%" PRIu64 ",\"parts\":%" PRIu64 ",\"docs\":%" PRIu64 ",\"bytes\":%" PRIu64,
                   i ? "," : "", p->line.pid, p->line.n_parts, p->line.n_docs, p->line.bytes);
        put_text(b, "process", p->name);
        put_text(b, "host", p->line.host);
        put_text(b, "role", p->line.role);
        put_text(b, "state", state_name(p->state));
        put_number(b, "seconds", p->line.elapsed_s);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

/* Without the brace that closes it. */
static void put_dataset(Buf *b, const char *label, const DatasetStatus *s)
{
    const uint32_t left = s->n_running + s->n_missing;

    buf_puts(b, "{\"kind\":\"dataset\"");
    put_text(b, "dir", label);
    put_text(b, "stage", s->stage);
    buf_printf(b,
               ",\"complete\":%s,\"n_parts\":%" PRIu32 ",\"n_done\":%" PRIu32 ",\"n_running\":%" PRIu32
               ",\"n_missing\":%" PRIu32 ",\"n_aside\":%" PRIu32 ",\"n_damaged\":%" PRIu32,
               s->complete ? "true" : "false", s->n_parts, s->n_done, s->n_running, s->n_missing, s->n_aside,
               s->n_damaged);
    if (s->complete) {
        buf_printf(b, ",\"n_docs\":%" PRIu64 ",\"text_bytes\":%" PRIu64, s->n_docs, s->text_bytes);
    } else {
        put_number(b, "parts_per_s", s->parts_per_s);
        put_number(b, "bytes_per_s", s->bytes_per_s);
        if (s->alive && s->parts_per_s > 0) put_number(b, "eta_s", left / s->parts_per_s);
        if (s->alarm[0]) put_text(b, "alarm", s->alarm);
        put_work(b, s);
    }
}

/* --- directories */

/* A run's stage that is no dataset: there or not. */
static void show_file(const char *label, const char *verb, bool complete, const StatusOptions *o, Buf *b)
{
    if (!o->json) {
        printf("%s: %s, %s\n", label, verb, complete ? "complete" : "not complete");
        return;
    }
    buf_puts(b, "{\"kind\":\"file\"");
    put_text(b, "dir", label);
    put_text(b, "stage", verb);
    buf_printf(b, ",\"complete\":%s}", complete ? "true" : "false");
}

/* The global steps of a job (core/pass.h), by name; none when it has no such directory. Their results go when they have been used. */
static ErrCode show_steps(const char *dir, Hash128 key, bool json, Buf *b, Err *err)
{
    Arena a = {0};
    StoreList names = {0};
    const char *steps = path_join(&a, dir, "passes");
    bool there = false;
    size_t n = 0;
    ErrCode rc = steps ? store_exists(steps, &there, err) : err_nomem(err, "a path");

    if (rc == ERR_OK && there) rc = store_list(steps, &names, err);
    if (json) buf_puts(b, ",\"steps\":[");
    for (size_t i = 0; i < names.n && rc == ERR_OK; i++) {
        const char *step = path_join(&a, steps, names.name[i]);
        uint32_t n_done, partitions;
        Err gone;
        if (!step) rc = err_nomem(err, "a path");
        if (!step || results_progress(step, key, &n_done, &partitions, &gone) != ERR_OK || !partitions) continue;
        if (json) {
            buf_puts(b, n++ ? ",{\"name\":" : "{\"name\":");
            json_put_cstr(b, names.name[i]);
            buf_printf(b, ",\"n_done\":%" PRIu32 ",\"partitions\":%" PRIu32 "}", n_done, partitions);
        } else {
            fputs("  step     ", stdout), docs_put_shown(span_str(names.name[i]), true);
            printf(": %" PRIu32 " of %" PRIu32 " partitions\n", n_done, partitions);
        }
    }
    if (json) buf_putc(b, ']');
    storelist_clear(&names);
    arena_clear(&a);
    return rc;
}

static ErrCode show_dataset(const char *dir, const StatusOptions *o, Buf *b, bool *found, bool *complete, Err *err)
{
    DatasetStatus s;
    ErrCode rc = dataset_status(dir, &s, found, err);

    if (rc == ERR_OK && *found && o->wait) rc = second_look(dir, &s, err);
    if (rc == ERR_OK && *found) {
        *complete = s.complete;
        if (o->json)
            put_dataset(b, dir, &s);
        else
            print_dataset(dir, &s, true);
        if (!s.complete) rc = show_steps(dir, s.key, o->json, b, err);
        if (o->json) buf_putc(b, '}');
    }
    dataset_status_clear(&s);
    return rc;
}

/* What dedup does before its own parts. */
static ErrCode show_inner(Arena *a, const char *dir, const StatusOptions *o, Buf *b, Err *err)
{
    const char *sign = path_join(a, dir, "sign");
    bool found, complete;
    size_t at = b->n;

    if (!sign) return err_nomem(err, "a path");
    if (o->json) buf_putc(b, ',');
    ErrCode rc = show_dataset(sign, o, b, &found, &complete, err);
    if (rc == ERR_OK && !found) b->n = at;
    return rc;
}

/* Which file of its output shows a stage complete that makes no dataset; "": the output itself. NULL: it makes a dataset. */
static const char *last_file(const char *verb)
{
    static const char *const files[][2] = {{"bpe", ""}, {"tokenize", "manifest.json"}, {"train", "result.json"}};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i][0], verb) == 0) return files[i][1];
    return NULL;
}

/* One stage of the run in dir; *there: it has begun. */
static ErrCode show_stage(Arena *a, const char *dir, const char *verb, const StatusOptions *o, Buf *b, bool *there,
                          bool *done, Err *err)
{
    const char *out = path_join(a, dir, recipe_output_name(verb)), *last = last_file(verb);
    ErrCode rc;

    *there = *done = false;
    if (!out) return err_nomem(err, "a path");
    if (!last) {
        rc = show_dataset(out, o, b, there, done, err);
        const bool inner = rc == ERR_OK && *there && !*done && strcmp(verb, "dedup") == 0;
        return inner ? show_inner(a, out, o, b, err) : rc;
    }
    if ((rc = store_exists(out, there, err)) != ERR_OK || !*there) return rc;
    const char *file = *last ? path_join(a, out, last) : out;
    rc = file ? store_exists(file, done, err) : err_nomem(err, "a path");
    if (rc == ERR_OK) show_file(out, verb, *done, o, b);
    return rc;
}

/* One line a stage that has begun. A run is complete when all of them are and the report is there, which comes last. */
static ErrCode show_run(Arena *a, const char *dir, const StatusOptions *o, Buf *b, bool *found, bool *complete,
                        Err *err)
{
    const char *report = path_join(a, dir, "report.html");
    ErrCode rc = report ? store_exists(report, complete, err) : err_nomem(err, "a path");

    *found = false;
    if (o->json) buf_puts(b, "{\"kind\":\"run\""), put_text(b, "dir", dir), buf_puts(b, ",\"stages\":[");
    for (size_t i = 0; i < RECIPE_STAGES && rc == ERR_OK; i++) {
        const size_t before = b->n;
        bool there, done;
        if (o->json && *found) buf_putc(b, ',');
        rc = show_stage(a, dir, recipe_verb(i), o, b, &there, &done, err);
        if (!there) b->n = before;
        *found |= there;
        *complete &= !there || done;
    }
    if (o->json) buf_printf(b, "],\"complete\":%s}", *complete ? "true" : "false");
    return rc;
}

static ErrCode show(const char *dir, const StatusOptions *o, bool *complete, Err *err)
{
    Arena a = {0};
    Buf b = {0};
    bool found;
    ErrCode rc = show_dataset(dir, o, &b, &found, complete, err);

    if (rc == ERR_OK && found && !*complete && !o->json) rc = show_inner(&a, dir, o, &b, err);
    if (rc == ERR_OK && !found) rc = show_run(&a, dir, o, &b, &found, complete, err);
    if (rc == ERR_OK && !found) rc = err_set(err, ERR_SYS, "%s: neither a dataset nor a run", dir);
    if (rc == ERR_OK) rc = buf_ok(&b, "a status", err);
    if (rc == ERR_OK && o->json) buf_putc(&b, '\n'), fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
    arena_clear(&a);
    return rc;
}

int status_verb(int argc, char **argv)
{
    StatusOptions o = {0};
    const OptSpec specs[] = {
        OPT_FLAG(0, "json", &o.json, "one JSON object a DIR, for programs"),
        OPT_FLAG('w', "wait", &o.wait, "watch heartbeats until it is known who of other hosts lives"),
        OPT_COMMON_TALK(&o), OPT_END};
    const OptVerb verb = {
        "status", "[options] DIR...",
        "Say how far datasets and runs are, also while others work on them: parts done, running (where,\n"
        "since when), missing, set aside after crashes, damaged; rates, and how long it will take.",
        specs, "Status 0 says that all is complete, 1 that it is not."};
    bool all = true;
    int first = 0;
    Err err = {.code = ERR_OK};
    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && first == argc) rc = err_set(&err, ERR_USAGE, "status: no directory; try tamis status --help");
    log_setup(o.quiet ? LOG_QUIET : o.verbose ? LOG_VERBOSE : LOG_NORMAL, 0);
    for (int i = first; i < argc && rc == ERR_OK; i++) {
        bool complete = false;
        rc = show(argv[i], &o, &complete, &err);
        all &= complete;
    }
    return verb_exit(rc == ERR_OK && !all ? ERR_NO : rc, &err);
}
