/* A plan for people and for programs. */
#include "tools/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- numbers for people: three digits and a unit */

typedef struct {
    char s[24];
} Shown;

static Shown bytes_shown(double v)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    Shown out;
    int u = 0;

    while (u < 6 && v >= 999.5) v /= 1000, u++;
    if (v == 0)
        snprintf(out.s, sizeof out.s, "-");
    else
        snprintf(out.s, sizeof out.s, v < 9.995 ? "%.2f %s" : v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
    return out;
}

static Shown time_shown(double s)
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    Shown out;
    int u = 0;

    while (u < 3 && s < 2 * units[u].seconds) u++;
    snprintf(out.s, sizeof out.s, "%.1f %s", s / units[u].seconds, units[u].unit);
    return out;
}

static Shown count_shown(double v)
{
    Shown out;

    if (v >= 0.995e6)
        snprintf(out.s, sizeof out.s, "%.3g", v);
    else
        snprintf(out.s, sizeof out.s, v < 99.95 ? "%.3g" : "%.0f", v);
    return out;
}

static Shown hours_shown(double seconds)
{
    Shown out;

    snprintf(out.s, sizeof out.s, seconds < 360000 ? "%.3g" : "%.0f", seconds / 3600);
    return out;
}

/* How much of a resource is at work while the stage runs, in percent; what is left to 100 is headroom. */
static double used(const PlanStage *s, PlanResource i) { return s->wall_s > 0 ? 100 * s->alone_s[i] / s->wall_s : 0; }

/* --- tables */

static void print_flow(const PlanFlow *f)
{
    printf("%-10s %12s  %s of archives, %s unpacked\n", "pages", count_shown(f->pages).s, bytes_shown(f->archives).s,
           bytes_shown(f->unpacked).s);
    printf("%-10s %12s  %s of text, stored as %s in %s parts of %s files\n", "documents", count_shown(f->docs).s,
           bytes_shown(f->text).s, bytes_shown(f->stored).s, count_shown(f->parts).s,
           count_shown(f->inputs_per_part).s);
    printf("%-10s %12s  %s of text\n", "unique", count_shown(f->unique_docs).s, bytes_shown(f->unique_text).s);
    printf("%-10s %12s  %s of text\n", "clean", count_shown(f->clean_docs).s, bytes_shown(f->clean_text).s);
    printf("%-10s %12s\n", "tokens", count_shown(f->tokens).s);
}

static void print_costs(const PlanStage *s)
{
    printf("%-10s %5.0f %10s %9s %-14s %9s %9s %9s %9s %9s %9s %9s\n", s->name, s->nodes, hours_shown(s->core_s).s,
           time_shown(s->wall_s).s, plan_resource_names[s->bound], bytes_shown(s->memory).s,
           bytes_shown(s->scratch).s, bytes_shown(s->exchanged).s, bytes_shown(s->exchanged / s->nodes).s,
           bytes_shown(s->read).s, bytes_shown(s->write).s, bytes_shown(s->stored).s);
}

static void print_use(const PlanStage *s, double memory)
{
    printf("%-10s", s->name);
    for (int i = 0; i < PLAN_RESOURCES; i++) printf(" %14.0f%%", used(s, (PlanResource)i));
    printf(" %14.0f%%\n", 100 * s->memory / memory);
}

static void print_assumptions(const PlanValues *p)
{
    for (int i = 0; i < PLAN_N_VALUES; i++) {
        const PlanDef *d = &plan_defs[i];
        double v = p->v[i];
        char name[40], value[40];
        if (isnan(v)) v = plan_published_drop(p->v[PLAN_DUMPS]);
        snprintf(name, sizeof name, "%s.%s", d->section, d->key);
        snprintf(value, sizeof value, "%.6g%s%s", v, d->unit[0] ? " " : "", d->unit);
        printf("%-24s %14s  %s [%s]\n", name, value, d->what, p->source[i]);
    }
}

void plan_print(const Plan *plan, const PlanValues *p)
{
    const PlanStage *t = &plan->total;
    const double node_hours = t->wall_s / 3600 * p->v[PLAN_NODES];

    print_flow(&plan->flow);
    printf("\n%-10s %5s %10s %9s %-14s %9s %9s %9s %9s %9s %9s %9s\n", "stage", "nodes", "core-hours", "time",
           "bound by", "memory/n", "scratch/n", "exchanged", "a node", "read", "written", "stays");
    for (int i = 0; i < PLAN_STAGES; i++) print_costs(&plan->stage[i]);
    print_costs(t);
    printf("\n%-10s", "in use");
    for (int i = 0; i < PLAN_RESOURCES; i++) printf(" %15s", plan_resource_names[i]);
    printf(" %15s\n", "memory");
    for (int i = 0; i < PLAN_STAGES; i++) print_use(&plan->stage[i], p->v[PLAN_MEMORY_GB] * 1e9);
    printf("\nall stages: %s core-hours, %s node-hours held, %s, most time bound by the %s; %s stay on the shared "
           "storage\n",
           count_shown(t->core_s / 3600).s, count_shown(node_hours).s, time_shown(t->wall_s).s,
           plan_resource_names[t->bound], bytes_shown(t->stored).s);
    if (p->v[PLAN_PRICE] > 0) printf("price: %.0f\n", node_hours * p->v[PLAN_PRICE]);
    for (size_t i = 0; i < plan->n_notes; i++)
        printf("%s: %s\n", plan->fits[i] ? "note" : "does not fit", plan->note[i]);
    printf("\nassumptions:\n");
    print_assumptions(p);
    printf("A stage reads, computes, exchanges and writes at once: its time is that of what takes longest. Shared "
           "storage is\n"
           "reached over the nodes' network. Machine A: 2 cores of an Intel Xeon at 2.5 GHz; rates are of one core. "
           "Training is\n"
           "planned by tamis train --plan.\n");
}

/* --- JSON */

static void put_number(Buf *b, double v)
{
    if (v < 1e15)
        json_put_number(b, v);
    else
        buf_printf(b, "%.15e", v);
}

static void put(Buf *b, const char *key, double v)
{
    buf_printf(b, ",\"%s\":", key);
    put_number(b, v);
}

static void put_stage(Buf *b, const PlanStage *s)
{
    buf_printf(b, "{\"stage\":\"%s\",\"verb\":\"%s\",\"bound\":\"%s\"", s->name, s->verb,
               plan_resource_names[s->bound]);
    put(b, "nodes", s->nodes);
    put(b, "core_seconds", s->core_s);
    put(b, "seconds", s->wall_s);
    buf_puts(b, ",\"alone_seconds\":{");
    for (int i = 0; i < PLAN_RESOURCES; i++) {
        buf_printf(b, "%s\"%s\":", i ? "," : "", plan_resource_names[i]);
        put_number(b, s->alone_s[i]);
    }
    buf_putc(b, '}');
    put(b, "memory_node_bytes", s->memory);
    put(b, "scratch_node_bytes", s->scratch);
    put(b, "scratch_node_io_bytes", s->scratch_io);
    put(b, "exchanged_bytes", s->exchanged);
    put(b, "read_bytes", s->read);
    put(b, "written_bytes", s->write);
    put(b, "stored_bytes", s->stored);
    put(b, "passing_bytes", s->passing);
    buf_putc(b, '}');
}

static void put_flow(Buf *b, const PlanFlow *f)
{
    const struct {
        const char *key;
        double v;
    } member[] = {{"archive_bytes", f->archives},
                  {"unpacked_bytes", f->unpacked},
                  {"documents", f->docs},
                  {"text_bytes", f->text},
                  {"part_bytes", f->stored},
                  {"unique_documents", f->unique_docs},
                  {"unique_text_bytes", f->unique_text},
                  {"clean_documents", f->clean_docs},
                  {"clean_text_bytes", f->clean_text},
                  {"tokens", f->tokens},
                  {"inputs_per_part", f->inputs_per_part},
                  {"parts", f->parts},
                  {"files", f->files}};

    buf_puts(b, "\"flow\":{\"pages\":");
    put_number(b, f->pages);
    for (size_t i = 0; i < sizeof member / sizeof *member; i++) put(b, member[i].key, member[i].v);
    buf_putc(b, '}');
}

void plan_put_json(Buf *b, const Plan *plan, const PlanValues *p)
{
    buf_printf(b, "{\"format\":\"tamis-plan\",\"version\":1,\"possible\":%s,", plan->possible ? "true" : "false");
    put_flow(b, &plan->flow);
    buf_puts(b, ",\n\"stages\":[");
    for (int i = 0; i < PLAN_STAGES; i++) {
        buf_puts(b, i ? ",\n" : "\n");
        put_stage(b, &plan->stage[i]);
    }
    buf_puts(b, "],\n\"total\":");
    put_stage(b, &plan->total);
    buf_puts(b, ",\n\"notes\":[");
    for (size_t i = 0; i < plan->n_notes; i++) {
        buf_printf(b, "%s\n{\"fits\":%s,\"note\":", i ? "," : "", plan->fits[i] ? "true" : "false");
        json_put_cstr(b, plan->note[i]);
        buf_putc(b, '}');
    }
    buf_puts(b, "],\n\"assumptions\":[");
    for (int i = 0; i < PLAN_N_VALUES; i++) {
        const PlanDef *d = &plan_defs[i];
        buf_printf(b, "%s\n{\"name\":\"%s.%s\",\"unit\":\"%s\",\"what\":\"%s\"", i ? "," : "", d->section, d->key,
                   d->unit, d->what);
        put(b, "value", isnan(p->v[i]) ? plan_published_drop(p->v[PLAN_DUMPS]) : p->v[i]);
        buf_puts(b, ",\"source\":");
        json_put_cstr(b, p->source[i]);
        buf_putc(b, '}');
    }
    buf_puts(b, "]}\n");
}
