#include "shards/mixture.h"

#include "shards/shards.h"

#include <inttypes.h>
#include <math.h>

static const char file[] = "mixture.json";

/* --- weights to integers, integers to a tree */

/* Integers that sum to MIXTURE_UNIT: differences of the rounded running sums. What is read gets at least 1, at the cost of
 * the largest (the first of them), which can spare it: 2^30 / 65535 is more than the streams that may need one. */
static void scale_weights(const double *weight, uint32_t n, uint64_t *units)
{
    double sum = 0, running = 0;
    uint64_t before = 0;
    uint32_t largest = 0;

    for (uint32_t i = 0; i < n; i++) sum += weight[i];
    for (uint32_t i = 0; i < n; i++) {
        running += weight[i];
        uint64_t now = (uint64_t)floor(running / sum * (double)MIXTURE_UNIT + 0.5);
        units[i] = now - before;
        before = now;
        if (units[i] > units[largest]) largest = i;
    }
    for (uint32_t i = 0; i < n; i++)
        if (units[i] == 0 && weight[i] > 0) units[i]++, units[largest]--;
}

typedef struct {
    const uint64_t *units;
    const uint32_t *stream; /* those with weight, in order */
    SplitNode *node;
    int64_t n_nodes;
} Planting;

static uint64_t sum_units(const Planting *p, uint32_t begin, uint32_t end)
{
    uint64_t sum = 0;

    for (uint32_t i = begin; i < end; i++) sum += p->units[p->stream[i]];
    return sum;
}

/* Streams [begin, end) of the list: cut where the two sides weigh most nearly the same, the earlier place on a tie. Unless a
 * single stream has more than half, in which case it is alone two levels below, both sides have at most 3/4 of the weight: the
 * tree is less than 100 deep. */
static int64_t plant(Planting *p, uint32_t begin, uint32_t end)
{
    uint64_t sum = sum_units(p, begin, end), left = 0, best_left = 0, best_gap = UINT64_MAX;
    uint32_t cut = begin + 1;

    if (end - begin == 1) return -(int64_t)p->stream[begin] - 1;
    for (uint32_t i = begin + 1; i < end; i++) {
        left += p->units[p->stream[i - 1]];
        uint64_t gap = 2 * left > sum ? 2 * left - sum : sum - 2 * left;
        if (gap < best_gap) cut = i, best_left = left, best_gap = gap;
    }
    int64_t at = p->n_nodes++;
    p->node[at].weight[0] = best_left;
    p->node[at].weight[1] = sum - best_left;
    int64_t side = plant(p, begin, cut);
    p->node[at].side[0] = side;
    side = plant(p, cut, end);
    p->node[at].side[1] = side;
    return at;
}

ErrCode mixture_plant(Arena *a, Phase *p, uint32_t n_streams, Err *err)
{
    uint64_t *units = arena_array(a, n_streams, sizeof *units);
    uint32_t *stream = arena_array(a, n_streams, sizeof *stream), n = 0;
    SplitNode *node = arena_array(a, n_streams, sizeof *node);
    Planting planting = {.units = units, .stream = stream, .node = node};

    if (!units || !stream || !node) return err_nomem(err, "a mixture");
    scale_weights(p->weight, n_streams, units);
    for (uint32_t i = 0; i < n_streams; i++)
        if (units[i]) stream[n++] = i;
    p->node = node;
    p->root = plant(&planting, 0, n);
    return ERR_OK;
}

/* How many of the first n samples go left; n a is kept below 2^62 by taking whole rounds of a + b out first. */
static uint64_t left_of(const SplitNode *s, uint64_t n)
{
    uint64_t a = s->weight[0], both = a + s->weight[1];

    return n / both * a + (2 * (n % both) * a + both) / (2 * both);
}

uint32_t mixture_pick(const Phase *p, uint64_t n, uint64_t *index)
{
    int64_t at = p->root;

    while (at >= 0) {
        const SplitNode *s = &p->node[at];
        uint64_t left = left_of(s, n);
        bool goes_left = left_of(s, n + 1) > left;
        n = goes_left ? left : n - left;
        at = s->side[!goes_left];
    }
    *index = n;
    return (uint32_t) - (at + 1);
}

static void count_below(const Phase *p, int64_t at, uint64_t n, uint64_t *count)
{
    if (at < 0) {
        count[-(at + 1)] += n;
        return;
    }
    uint64_t left = left_of(&p->node[at], n);
    count_below(p, p->node[at].side[0], left, count);
    count_below(p, p->node[at].side[1], n - left, count);
}

void mixture_count(const Phase *p, uint64_t n, uint64_t *count) { count_below(p, p->root, n, count); }

/* --- mixture.json */

/* The stream that a name of the mixture means: of that very name, else of the name made safe. */
static bool find_stream(const StreamNames *names, Span name, uint32_t *out)
{
    char safe[STREAM_NAME_MAX + 1];

    return streamnames_find(names, name, out) ||
           (stream_name(name, safe) && streamnames_find(names, span_str(safe), out));
}

/* A domain that the mixture itself says is empty has no stream, and needs none. */
static bool domain_is_empty(const Json *root, Span name)
{
    const Json *domains = json_get(root, "domains");

    for (const Json *d = domains && domains->type == JSON_ARRAY ? domains->child : NULL; d; d = d->next) {
        const Json *its_name = json_get(d, "name"), *docs = json_get(d, "docs");
        if (its_name && its_name->type == JSON_STRING && span_eq(its_name->string, name))
            return docs && docs->type == JSON_NUMBER && docs->number == 0;
    }
    return false;
}

static ErrCode read_weights(const Json *root, const Json *weights, const StreamNames *names, double *weight, Err *err)
{
    double sum = 0;
    uint32_t i;

    if (!weights || weights->type != JSON_OBJECT) return err_set(err, ERR_DATA, "%s: a phase without weights", file);
    for (uint32_t k = 0; k < names->n; k++) weight[k] = 0;
    for (const Json *w = weights->child; w; w = w->next) {
        if (w->type != JSON_NUMBER || !(w->number >= 0) || w->number > 1e15)
            return err_set(err, ERR_DATA, "%s: the weight of %.100s is not a number from 0 on", file,
                           (const char *)w->key.p);
        if (w->number == 0) continue;
        if (!find_stream(names, w->key, &i)) {
            if (domain_is_empty(root, w->key)) continue;
            return err_set(err, ERR_DATA, "%s: a weight for %.100s, but there is no such stream", file,
                           (const char *)w->key.p);
        }
        if (weight[i] > 0)
            return err_set(err, ERR_DATA, "%s: two weights for the stream of %.100s", file, (const char *)w->key.p);
        weight[i] = w->number;
        sum += w->number;
    }
    return sum > 0 ? ERR_OK : err_set(err, ERR_DATA, "%s: a phase in which no stream has weight", file);
}

/* `from` of each phase is `to` of the one before; the first starts at 0, the last lasts for ever. */
static ErrCode read_range(const Json *phase, uint64_t expected, uint64_t *to, Err *err)
{
    const Json *end = json_get(phase, "to");
    uint64_t from;
    ErrCode rc;

    if ((rc = json_get_u64(phase, "from", UINT64_MAX, file, &from, err)) != ERR_OK) return rc;
    if (from != expected)
        return err_set(err, ERR_DATA, "%s: a phase must begin at token %" PRIu64 ", where the one before ends", file,
                       expected);
    *to = UINT64_MAX;
    if (!end || end->type == JSON_NULL) return ERR_OK;
    if ((rc = json_get_u64(phase, "to", 0, file, to, err)) != ERR_OK) return rc;
    return *to > from ? ERR_OK
                      : err_set(err, ERR_DATA, "%s: a phase ends at token %" PRIu64 ", where it begins or before",
                                file, *to);
}

ErrCode mixture_parse(Arena *a, Span text, StreamNameOf name_of, const void *ctx, uint32_t n_streams, Mixture *out,
                      Err *err)
{
    StreamNames names;
    const Json *phases;
    const char *format;
    uint64_t version, to = 0;
    ErrCode rc;
    Json *root;

    if ((rc = json_parse(a, text, file, &root, err)) != ERR_OK) return rc;
    if ((rc = streamnames_sort(&names, a, name_of, ctx, n_streams, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(root, "format", file, &format, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(root, "version", 0, file, &version, err)) != ERR_OK) return rc;
    if (!format || strcmp(format, "tamis-mixture") != 0) return err_set(err, ERR_DATA, "%s: not a mixture", file);
    if (version != 1)
        return err_set(err, ERR_DATA, "%s: mixture version %" PRIu64 "; this program knows 1", file, version);
    phases = json_get(root, "phases");
    if (!phases || phases->type != JSON_ARRAY || phases->n == 0 || phases->n > MIXTURE_MAX_PHASES)
        return err_set(err, ERR_DATA, "%s: 1 to %d phases expected", file, MIXTURE_MAX_PHASES);
    *out = (Mixture){.phase = arena_array(a, phases->n, sizeof *out->phase), .n_streams = n_streams};
    if (!out->phase) return err_nomem(err, file);
    for (const Json *p = phases->child; p; p = p->next) {
        Phase *phase = &out->phase[out->n_phases++];
        *phase = (Phase){.from = to, .weight = arena_array(a, n_streams, sizeof *phase->weight)};
        if (!phase->weight) return err_nomem(err, file);
        if (to == UINT64_MAX) return err_set(err, ERR_DATA, "%s: a phase behind one that lasts for ever", file);
        if ((rc = read_range(p, to, &to, err)) != ERR_OK) return rc;
        if ((rc = read_weights(root, json_get(p, "weights"), &names, phase->weight, err)) != ERR_OK) return rc;
    }
    return ERR_OK;
}
