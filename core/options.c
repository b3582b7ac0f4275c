#include "core/options.h"

#include "core/bytes.h"
#include "core/events.h"
#include "core/scratch.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 64, CHECK_OPTIONS = 256, LONG_BASE = 257, HELP_COLUMN = 22 };

bool parse_size(const char *s, uint64_t *bytes)
{
    size_t n = strlen(s);
    uint64_t v, unit = 1;

    if (n == 0) return false;
    switch (s[n - 1] | 0x20) {
    case 'k': unit = 1ull << 10; break;
    case 'm': unit = 1ull << 20; break;
    case 'g': unit = 1ull << 30; break;
    case 't': unit = 1ull << 40; break;
    default: break;
    }
    if (unit != 1) n--;
    if (!span_to_u64(span(s, n), &v) || v > UINT64_MAX / unit) return false;
    *bytes = v * unit;
    return true;
}

static bool parse_task(const char *s, OptTask *t)
{
    size_t n = strlen(s), slash = span_find(span(s, n), '/');
    uint64_t i, count;

    if (slash == n || !span_to_u64(span(s, slash), &i) || !span_to_u64(span_from(span(s, n), slash + 1), &count))
        return false;
    if (count == 0 || count > UINT32_MAX || i >= count) return false;
    *t = (OptTask){(uint32_t)i, (uint32_t)count};
    return true;
}

static ErrCode bad_value(const OptVerb *verb, const OptSpec *o, const char *arg, const char *want, Err *err)
{
    return err_set(err, ERR_USAGE, "%s: --%s wants %s, not \"%s\"", verb->name, o->long_name, want, arg);
}

static ErrCode bad_choice(const OptVerb *verb, const OptSpec *o, const char *arg, Err *err)
{
    char list[256] = "";
    size_t n = 0;

    for (uint32_t i = 0; o->choices[i] && n < sizeof list; i++) {
        const char *before = i == 0 ? "" : o->choices[i + 1] ? ", " : " or ";
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", before, o->choices[i]);
    }
    return bad_value(verb, o, arg, list, err);
}

static ErrCode set_value(const OptVerb *verb, const OptSpec *o, const char *arg, Err *err)
{
    uint64_t v;

    switch (o->type) {
    case OPT_T_FLAG: *(bool *)o->value = true; return ERR_OK;
    case OPT_T_STR: *(const char **)o->value = arg; return ERR_OK;
    case OPT_T_U32:
        if (!span_to_u64(span_str(arg), &v) || v > UINT32_MAX) return bad_value(verb, o, arg, "a whole number", err);
        *(uint32_t *)o->value = (uint32_t)v;
        return ERR_OK;
    case OPT_T_U64:
        if (!span_to_u64(span_str(arg), (uint64_t *)o->value)) return bad_value(verb, o, arg, "a whole number", err);
        return ERR_OK;
    case OPT_T_SIZE:
        if (!parse_size(arg, (uint64_t *)o->value)) return bad_value(verb, o, arg, "a size like 800M or 24G", err);
        return ERR_OK;
    case OPT_T_F64: {
        char *end;
        double d = strtod(arg, &end);
        if (end == arg || *end || !isfinite(d)) return bad_value(verb, o, arg, "a number", err);
        *(double *)o->value = d;
        return ERR_OK;
    }
    case OPT_T_CHOICE:
        for (uint32_t i = 0; o->choices[i]; i++)
            if (!strcmp(arg, o->choices[i])) {
                *(uint32_t *)o->value = i;
                return ERR_OK;
            }
        return bad_choice(verb, o, arg, err);
    case OPT_T_LIST: {
        OptList *l = o->value;
        const char **v2 = realloc(l->v, (l->n + 1) * sizeof *v2);
        if (!v2) return err_nomem(err, "options");
        l->v = v2;
        l->v[l->n++] = arg;
        return ERR_OK;
    }
    case OPT_T_TASK:
        if (!parse_task(arg, o->value)) return bad_value(verb, o, arg, "I/N with 0 <= I < N", err);
        return ERR_OK;
    case OPT_T_ALARM: {
        AlarmBands *bands = o->value;
        if (bands->n == ALARM_MAX_BANDS)
            return err_set(err, ERR_USAGE, "%s: more than %d --%s", verb->name, ALARM_MAX_BANDS, o->long_name);
        if (!alarm_parse(arg, &bands->v[bands->n]))
            return bad_value(verb, o, arg, "NAME=LOW:HIGH with 0 <= LOW <= HIGH <= 1", err);
        bands->n++;
        return ERR_OK;
    }
    case OPT_T_END:
    case OPT_T_HEAD:
    case OPT_T_CHECK: break;
    }
    return ERR_OK;
}

void optlist_clear(OptList *l)
{
    free(l->v);
    *l = (OptList){0};
}

ErrCode common_check(void *value, Err *err)
{
    CommonOptions *c = value;

    if (c->no_alarm) c->alarm.n = 0;
    if (c->threads > PAR_MAX_THREADS)
        return err_set(err, ERR_USAGE, "--threads is at most %d; 0 takes the cores we may use", PAR_MAX_THREADS);
    if (!c->force || c->task.count <= 1) return ERR_OK;
    return err_set(
        err, ERR_USAGE,
        "--force is not for --task: each task would delete what the others have done; delete the directory "
        "before the tasks start, or choose another");
}

ErrCode common_scratch(const CommonOptions *c, Err *err)
{
    Scratch *s;
    Err why;

    if (!c->scratch) return ERR_OK;
    const ErrCode rc = scratch_open(&s, c->scratch, "check", &why);
    if (rc) return err_set(err, rc, "--scratch %s: %s", c->scratch, why.msg);
    scratch_close(s);
    return ERR_OK;
}

uint64_t common_memory(const CommonOptions *c, const Par *par)
{
    return c->memory ? c->memory : par_memory(par) / 4 * 3;
}

/* " [14]" behind the help text, from the variable's present value. */
static void print_default(const OptSpec *o)
{
    switch (o->type) {
    case OPT_T_U32: printf(" [%" PRIu32 "]", *(uint32_t *)o->value); break;
    case OPT_T_U64: printf(" [%" PRIu64 "]", *(uint64_t *)o->value); break;
    case OPT_T_F64: printf(" [%g]", *(double *)o->value); break;
    case OPT_T_CHOICE: printf(" [%s]", o->choices[*(uint32_t *)o->value]); break;
    case OPT_T_STR:
        if (*(const char **)o->value) printf(" [%s]", *(const char **)o->value);
        break;
    case OPT_T_SIZE: {
        uint64_t v = *(uint64_t *)o->value;
        static const char units[] = "KMGT";
        int u = -1;
        while (u < 3 && v && v % 1024 == 0) v /= 1024, u++;
        printf(u < 0 ? " [%" PRIu64 "]" : " [%" PRIu64 "%c]", v, u < 0 ? 0 : units[u]);
        break;
    }
    default: break;
    }
}

static void print_option(const OptSpec *o)
{
    int n = o->short_name ? printf("  -%c, --%s", o->short_name, o->long_name) : printf("      --%s", o->long_name);

    if (o->arg) n += printf(" %s", o->arg);
    if (n > HELP_COLUMN - 2)
        printf("\n%*s", HELP_COLUMN, "");
    else
        printf("%*s", HELP_COLUMN - n, "");
    printf("%s", o->help);
    if (o->required)
        printf(" (required)");
    else
        print_default(o);
    putchar('\n');
}

void options_help(const OptVerb *verb)
{
    printf("usage: tamis %s %s\n%s\n", verb->name, verb->usage, verb->what);
    for (const OptSpec *o = verb->specs; o->type != OPT_T_END; o++) {
        if (o->type == OPT_T_HEAD)
            printf("%s\n", o->help);
        else if (o->type != OPT_T_CHECK)
            print_option(o);
    }
    printf("      --check-options\n%*scheck the options, do nothing\n", HELP_COLUMN, "");
    printf("  -h, --help%*sthis text\n", HELP_COLUMN - 12, "");
    if (verb->after) printf("%s\n", verb->after);
    printf("Exit status: 0 done, 1 the answer is no, 2 usage, 3 system error, 4 bad data or limit, 5 out of memory, "
           "6 interrupted (resumable).\n");
}

static ErrCode check_required(const OptVerb *verb, const bool *given, Err *err)
{
    for (int i = 0; verb->specs[i].type != OPT_T_END; i++)
        if (verb->specs[i].required && !given[i])
            return err_set(err, ERR_USAGE, "%s: --%s is required; try tamis %s --help", verb->name,
                           verb->specs[i].long_name, verb->name);
    return ERR_OK;
}

static ErrCode check_values(const OptVerb *verb, Err *err)
{
    for (const OptSpec *o = verb->specs; o->type != OPT_T_END; o++) {
        ErrCode rc = o->type == OPT_T_CHECK ? o->check(o->value, err) : ERR_OK;
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

/* The table as getopt_long() wants it. */
typedef struct {
    struct option longs[MAX_OPTIONS + 3];
    char shorts[3 * MAX_OPTIONS + 4];
} Getopt;

static void getopt_fill(Getopt *g, const OptSpec *specs)
{
    size_t n_long = 0, n_short = 2;

    memcpy(g->shorts, ":h", 2);
    for (int i = 0; specs[i].type != OPT_T_END && i < MAX_OPTIONS; i++) {
        const OptSpec *o = &specs[i];
        if (o->type == OPT_T_HEAD || o->type == OPT_T_CHECK) continue;
        const bool takes = o->type != OPT_T_FLAG;
        g->longs[n_long++] =
            (struct option){o->long_name, takes ? required_argument : no_argument, NULL, LONG_BASE + i};
        if (o->short_name) {
            g->shorts[n_short++] = o->short_name;
            if (takes) g->shorts[n_short++] = ':';
        }
    }
    g->longs[n_long++] = (struct option){"check-options", no_argument, NULL, CHECK_OPTIONS};
    g->longs[n_long++] = (struct option){"help", no_argument, NULL, 'h'};
    g->longs[n_long] = (struct option){0};
    g->shorts[n_short] = 0;
}

/* What is wrong with the words that getopt_long() has just made the option `c` of, whose long name is `name` (NULL: it was a
 * short one). */
static ErrCode check_words(const OptVerb *verb, int c, const char *name, char **argv, Err *err)
{
    const bool apart = c != '?' && c != ':' && optarg && optarg == argv[optind - 1];
    const char letter[] = {'-', (char)optopt, 0}, *what = NULL;
    const char *word = argv[optind - 1 - apart];

    if (c == ':' || (apart && name && strncmp(optarg, "--", 2) == 0))
        what = "no value for";
    else if (c == '?' && (optopt >= CHECK_OPTIONS || optopt == 'h'))
        what = "no value goes with";
    else if (c == '?' && optopt)
        what = "unknown option", word = letter; /* of a word of several, which optind may not have passed */
    else if (c == '?')
        what = "unknown option";
    else if (name && strncmp(word + 2, name, strlen(name)) != 0)
        what = "unknown option"; /* an abbreviation */
    return what ? err_set(err, ERR_USAGE, "%s: %s %s; try tamis %s --help", verb->name, what, word, verb->name)
                : ERR_OK;
}

/* The last of two values would win in silence. */
static ErrCode check_twice(const OptVerb *verb, const OptSpec *o, bool given, Err *err)
{
    if (!given || o->type == OPT_T_FLAG || o->type == OPT_T_LIST || o->type == OPT_T_ALARM) return ERR_OK;
    return err_set(err, ERR_USAGE, "%s: --%s is given twice; try tamis %s --help", verb->name, o->long_name,
                   verb->name);
}

/* *end: --help or --check-options. */
static ErrCode parse_words(const OptVerb *verb, int argc, char **argv, bool *given, bool *end, Err *err)
{
    bool check_only = false;
    Getopt g;
    ErrCode rc;
    int c, at;

    getopt_fill(&g, verb->specs);
    optind = 0; /* glibc: start anew, several verbs may be parsed in one process */
    for (;;) {
        at = -1;
        if ((c = getopt_long(argc, argv, g.shorts, g.longs, &at)) == -1) break;
        if ((rc = check_words(verb, c, at < 0 ? NULL : g.longs[at].name, argv, err)) != ERR_OK) return rc;
        if (c == 'h') {
            options_help(verb);
            *end = true;
            return ERR_OK;
        }
        check_only |= c == CHECK_OPTIONS;
        if (c == CHECK_OPTIONS) continue;
        int i = c - LONG_BASE;
        if (c < LONG_BASE)
            for (i = 0; verb->specs[i].short_name != c; i++) continue;
        if ((rc = check_twice(verb, &verb->specs[i], given[i], err)) != ERR_OK) return rc;
        given[i] = true;
        if ((rc = set_value(verb, &verb->specs[i], optarg, err)) != ERR_OK) return rc;
    }
    *end = check_only;
    if ((rc = check_required(verb, given, err)) != ERR_OK) return rc;
    return check_values(verb, err);
}

ErrCode options_parse(const OptVerb *verb, int argc, char **argv, int *operands, Err *err)
{
    bool given[MAX_OPTIONS] = {false}, end = false;
    const ErrCode rc = parse_words(verb, argc, argv, given, &end, err);

    *operands = optind;
    if (rc != ERR_OK || !end) return rc;
    for (const OptSpec *o = verb->specs; o->type != OPT_T_END; o++)
        if (o->type == OPT_T_LIST) optlist_clear(o->value);
    return ERR_NO;
}

ErrCode verb_begin(const OptVerb *verb, int argc, char **argv, const CommonOptions *common, Par *par, int *operands,
                   Err *err)
{
    ErrCode rc = options_parse(verb, argc, argv, operands, err);

    *par = par_alone(1);
    if (rc != ERR_OK) return rc;
    if (*operands == argc)
        return err_set(err, ERR_USAGE, "%s: no input; try tamis %s --help", verb->name, verb->name);
    if ((rc = common_scratch(common, err)) != ERR_OK) return rc;
    if ((rc = par_start(par, (int)common->threads, err)) != ERR_OK) return rc;
    log_setup(common->quiet ? LOG_QUIET : common->verbose ? LOG_VERBOSE : LOG_NORMAL, par->rank);
    interrupt_install();
    events_open(common->events, verb->name, par);
    return ERR_OK;
}

ErrCode verb_begin_alone(const OptVerb *verb, int argc, char **argv, const CommonOptions *common, int least, int most,
                         const char *wanted, int *operands, Err *err)
{
    ErrCode rc = options_parse(verb, argc, argv, operands, err);

    if (rc != ERR_OK) return rc;
    if (argc - *operands < least || argc - *operands > most)
        return err_set(err, ERR_USAGE, "%s: %s; try tamis %s --help", verb->name, wanted, verb->name);
    log_setup(common && common->quiet ? LOG_QUIET : common && common->verbose ? LOG_VERBOSE : LOG_NORMAL, 0);
    return ERR_OK;
}

int verb_exit(ErrCode rc, const Err *err)
{
    events_close(err_status(rc));
    if (rc != ERR_OK && !(rc == ERR_NO && !err->msg[0]) && !err->said_elsewhere) log_error("%s", err->msg);
    bool lost = fflush(stdout) != 0 || ferror(stdout);
    if (lost && (rc == ERR_OK || rc == ERR_NO)) { /* else what failed first has been said, perhaps just this */
        log_error("cannot write to standard output: %s", strerror(errno));
        return err_status(ERR_SYS);
    }
    return err_status(rc);
}
