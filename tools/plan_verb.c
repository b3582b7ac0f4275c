/* `tamis plan`: what a run will cost, or the rates of a finished one. */
#include "core/options.h"
#include "core/store.h"
#include "core/yaml.h"
#include "tools/plan.h"
#include "tools/verbs.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *rates, *calibrate, *out, *note;
    bool json;
} PlanOptions;

/* A description or a calibration file: YAML, which JSON is too. A calibration says in `source` where it comes from. */
static ErrCode take_file(Arena *a, PlanValues *p, const char *path, Err *err)
{
    Buf text = {0};
    Json *root = NULL;
    ErrCode rc = store_read(path, YAML_MAX_BYTES, &text, err);

    if (rc == ERR_OK) rc = yaml_parse(a, buf_span(&text), path, &root, err);
    if (rc == ERR_OK && root->type != JSON_NULL) {
        const Json *source = json_get(root, "source");
        rc = plan_take(p, root, path, source && source->type == JSON_STRING ? (const char *)source->string.p : path,
                       err);
    }
    buf_clear(&text);
    return rc;
}

static ErrCode plan_run(const PlanOptions *o, const char *description, Err *err)
{
    Arena arena = {0};
    Buf b = {0};
    PlanValues *values = calloc(1, sizeof *values);
    Plan *plan = calloc(1, sizeof *plan);
    ErrCode rc = values && plan ? ERR_OK : err_nomem(err, "a plan");

    if (rc == ERR_OK) plan_defaults(values);
    if (rc == ERR_OK && o->rates) rc = take_file(&arena, values, o->rates, err);
    if (rc == ERR_OK && description) rc = take_file(&arena, values, description, err);
    if (rc != ERR_OK) goto out;
    plan_make(plan, values);
    if (o->json) {
        plan_put_json(&b, plan, values);
        if ((rc = buf_ok(&b, "a plan", err)) == ERR_OK) fwrite(b.p, 1, b.n, stdout);
    } else
        plan_print(plan, values);
    if (rc == ERR_OK && !plan->possible) {
        size_t i = 0;
        while (i + 1 < plan->n_notes && plan->fits[i]) i++;
        rc = err_set(err, ERR_NO, "plan: it does not fit: %s", plan->note[i]);
    }
out:
    buf_clear(&b);
    arena_clear(&arena);
    free(values);
    free(plan);
    return rc;
}

static ErrCode calibrate(const PlanOptions *o, Err *err)
{
    Buf b = {0};
    ErrCode rc = plan_calibrate(&b, o->calibrate, o->note, err);

    if (rc == ERR_OK && o->out)
        rc = store_write(o->out, buf_span(&b), err);
    else if (rc == ERR_OK)
        fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
    return rc;
}

static ErrCode check(void *value, Err *err)
{
    const PlanOptions *o = value;

    if (o->calibrate && (o->rates || o->json))
        return err_set(err, ERR_USAGE, "plan: --calibrate reads a run; --rates and --json belong to a plan");
    if (!o->calibrate && (o->out || o->note))
        return err_set(err, ERR_USAGE, "plan: --out and --note belong to --calibrate");
    return ERR_OK;
}

int plan_verb(int argc, char **argv)
{
    PlanOptions o = {0};
    const OptSpec specs[] = {
        OPT_STR('r', "rates", &o.rates, "FILE", "measured rates, as --calibrate writes them"),
        OPT_FLAG(0, "json", &o.json, "the plan as JSON"),
        OPT_STR(0, "calibrate", &o.calibrate, "DIR", "no plan: the rates of this finished run directory, as JSON"),
        OPT_STR('o', "out", &o.out, "FILE", "of --calibrate: write there; else to standard output"),
        OPT_STR(0, "note", &o.note, "TEXT", "of --calibrate: kept beside the rates: the machine, say"),
        OPT_CHECK(check, &o),
        OPT_END,
    };
    const OptVerb verb = {"plan", "[options] [DESCRIPTION]",
                          "What a run will cost: for each stage core-hours, time, memory, scratch, network and "
                          "storage, what bounds it, and\n"
                          "all that this rests on. DESCRIPTION (YAML) says what the dumps and the nodes are; without "
                          "one it is 91 dumps of\n"
                          "Common Crawl on 256 nodes.",
                          specs, "Status 1: the plan is printed, but does not fit; what would make it fit is said."};
    Err err = {0};
    int first = 0;

    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && argc - first > (o.calibrate ? 0 : 1))
        rc = err_set(&err, ERR_USAGE, "plan: %s; try tamis plan --help",
                     o.calibrate ? "--calibrate takes no description" : "one description at a time");
    log_setup(LOG_NORMAL, 0);
    if (rc == ERR_OK) rc = o.calibrate ? calibrate(&o, &err) : plan_run(&o, first < argc ? argv[first] : NULL, &err);
    return verb_exit(rc, &err);
}
