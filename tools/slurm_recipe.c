/* The section `slurm` of a recipe. */
#include "tools/slurm.h"

#include <string.h>
#include <strings.h>

const char *const slurm_mpi_names[] = {"auto", "srun", "mpirun", "none"};

static ErrCode wrong(const Recipe *r, const Json *at, const char *what, Err *err)
{
    return err_set(err, ERR_USAGE, "%s:%u: slurm: %s: %s", r->path, at->line, (const char *)at->key.p, what);
}

/* Names, times and sizes: what stands in a line of sbatch without quotes. */
static ErrCode read_word(const Recipe *r, const Json *v, const char **out, Err *err)
{
    bool plain = (v->type == JSON_STRING || v->type == JSON_NUMBER) && v->string.n && v->string.n <= SLURM_MAX_VALUE;

    for (size_t i = 0; plain && i < v->string.n; i++) {
        const uint8_t c = v->string.p[i];
        plain = ascii_is_alnum(c) || (i && c && strchr("_.,:@=+/-", c));
    }
    if (!plain) return wrong(r, v, "a word of letters, digits and _.,:@=+/-", err);
    *out = (const char *)v->string.p;
    return ERR_OK;
}

static bool all_digits(Span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i])) return false;
    return s.n > 0 && s.n < 10;
}

/* As sbatch's --time has it: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S, UNLIMITED. */
static bool is_time(const char *word)
{
    Span rest = span_str(word);
    const size_t dash = span_find(rest, '-');

    if (strcasecmp(word, "unlimited") == 0 || strcasecmp(word, "infinite") == 0) return true;
    if (dash < rest.n) {
        if (!all_digits(span(rest.p, dash))) return false;
        rest = span_from(rest, dash + 1);
    }
    for (int fields = 1; fields <= 3; fields++) {
        const size_t n = span_find(rest, ':');
        if (!all_digits(span(rest.p, n))) return false;
        if (n == rest.n) return true;
        rest = span_from(rest, n + 1);
    }
    return false;
}

/* As --mem: a number, and K, M (if there is none), G or T. */
static bool is_memory(const char *word)
{
    Span s = span_str(word);

    if (s.n && strchr("KMGTkmgt", s.p[s.n - 1])) s.n--;
    return all_digits(s);
}

static ErrCode check_need(const Recipe *r, const Json *v, const char *word, Err *err)
{
    if (span_is(v->key, "time") && !is_time(word))
        return wrong(r, v, "a time as sbatch takes it: 90 (minutes), 4:00:00, 1-12:00:00, or UNLIMITED", err);
    if (span_is(v->key, "mem") && !is_memory(word)) return wrong(r, v, "a size as sbatch takes it: 500M, 16G", err);
    return ERR_OK;
}

static ErrCode read_number(const Recipe *r, const Json *v, uint32_t least, uint32_t most, uint32_t *out, Err *err)
{
    uint64_t n = 0;

    if (v->type != JSON_NUMBER || !span_to_u64(v->string, &n) || n < least || n > most)
        return err_set(err, ERR_USAGE, "%s:%u: slurm: %s: a whole number, %u to %u", r->path, v->line,
                       (const char *)v->key.p, least, most);
    *out = (uint32_t)n;
    return ERR_OK;
}

/* Lines that begin with #SBATCH: a shell takes each for a comment as long as it is one line. */
static ErrCode check_lines(const Recipe *r, const Json *v, Err *err)
{
    bool fits = v->type == JSON_ARRAY;

    for (const Json *e = fits ? v->child : NULL; e && fits; e = e->next) {
        fits = e->type == JSON_STRING && e->string.n <= SLURM_MAX_VALUE && span_starts(e->string, SPAN_LIT("--"));
        for (size_t i = 0; fits && i < e->string.n; i++) fits = e->string.p[i] >= ' ' && e->string.p[i] < 127;
    }
    return fits ? ERR_OK : wrong(r, v, "a list of long options of sbatch, in printable ASCII", err);
}

/* One resource; *known says whether the key is one. `own`: of a stage, not of all. */
static ErrCode read_need(const Recipe *r, const Json *v, bool own, SlurmNeeds *n, bool *known, Err *err)
{
    const struct {
        const char *key, **word;
    } words[] = {{"partition", &n->partition},
                 {"account", &n->account},
                 {"qos", &n->qos},
                 {"time", &n->time},
                 {"mem", &n->mem}};
    const struct {
        const char *key;
        uint32_t *number, most;
    } numbers[] = {
        {"nodes", &n->nodes, 1 << 16}, {"tasks", &n->tasks, SLURM_MAX_TASKS}, {"cpus", &n->cpus, PAR_MAX_THREADS}};

    *known = true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(v->key, words[i].key)) {
            const ErrCode rc = read_word(r, v, words[i].word, err);
            return rc == ERR_OK ? check_need(r, v, *words[i].word, err) : rc;
        }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (span_is(v->key, numbers[i].key)) return read_number(r, v, 1, numbers[i].most, numbers[i].number, err);
    if (span_is(v->key, "sbatch")) {
        n->sbatch[own] = v;
        return check_lines(r, v, err);
    }
    *known = false;
    return ERR_OK;
}

static const char *place_name(size_t i)
{
    return i == SLURM_COMMIT ? "commit" : i == SLURM_REPORT ? "report" : recipe_verb(i);
}

static size_t place_of(Span key)
{
    size_t i = 0;
    while (i < SLURM_PLACES && !span_is(key, place_name(i))) i++;
    return i;
}

static ErrCode read_stage(const Recipe *r, const Json *section, SlurmNeeds *n, Err *err)
{
    bool known;

    if (section->type != JSON_OBJECT) return wrong(r, section, "a mapping of resources", err);
    for (const Json *v = section->child; v; v = v->next) {
        ErrCode rc = read_need(r, v, true, n, &known, err);
        if (rc != ERR_OK) return rc;
        if (!known)
            return wrong(r, v, "unknown; a stage has partition, account, qos, time, mem, nodes, tasks, cpus, sbatch",
                         err);
    }
    return ERR_OK;
}

/* What is no resource: numbers of the whole run, and `mpi`. */
static ErrCode read_policy(const Recipe *r, const Json *v, SlurmSettings *s, Err *err)
{
    if (span_is(v->key, "requeues")) return read_number(r, v, 0, 10000, &s->requeues, err);
    if (span_is(v->key, "retries")) return read_number(r, v, 0, 1000, &s->retries, err);
    if (span_is(v->key, "jitter")) return read_number(r, v, 0, 86400, &s->jitter, err);
    if (span_is(v->key, "warn")) return read_number(r, v, 1, 65535, &s->warn, err);
    if (!span_is(v->key, "mpi")) return wrong(r, v, "unknown; see tamis-run(1)", err);
    for (SlurmMpi m = SLURM_MPI_AUTO; m <= SLURM_MPI_NONE; m++)
        if (v->type == JSON_STRING && span_is(v->string, slurm_mpi_names[m])) {
            s->mpi = m;
            return ERR_OK;
        }
    return wrong(r, v, "auto, srun, mpirun or none", err);
}

ErrCode slurm_settings(const Recipe *r, SlurmSettings *out, Err *err)
{
    SlurmNeeds all = {.nodes = 1, .tasks = 1};
    bool known;
    ErrCode rc = ERR_OK;

    *out = (SlurmSettings){.requeues = 20, .retries = 3, .jitter = 10, .warn = 120};
    if (r->slurm && r->slurm->type != JSON_OBJECT)
        return err_set(err, ERR_USAGE, "%s:%u: slurm: a mapping of resources", r->path, r->slurm->line);
    for (const Json *v = r->slurm ? r->slurm->child : NULL; v && rc == ERR_OK; v = v->next) {
        if (place_of(v->key) < SLURM_PLACES) continue;
        rc = read_need(r, v, false, &all, &known, err);
        if (rc == ERR_OK && !known) rc = read_policy(r, v, out, err);
    }
    for (size_t i = 0; i < SLURM_PLACES && rc == ERR_OK; i++) {
        const Json *own = json_get(r->slurm, place_name(i));
        out->needs[i] = all;
        if (own) rc = read_stage(r, own, &out->needs[i], err);
    }
    return rc;
}
