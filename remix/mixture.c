/* remix/mixture.c - mixture.json: what the view holds by domain, out of its statistics, and the weights of that. */
#include "core/store.h"
#include "remix/mixrecipe.h"
#include "remix/weights.h"

#include <inttypes.h>
#include <stdlib.h>

enum { STATS_MAX = 64 << 20 };

/* [docs, bytes] as the engine counted them under the domain's name. */
static ErrCode read_domain(const Json *j, const char *path, MixDomain *d, Err *err)
{
    const Json *docs = j->type == JSON_ARRAY && j->n == 2 ? j->child : NULL;

    if (!docs || !span_to_u64(docs->string, &d->docs) || !span_to_u64(docs->next->string, &d->text_bytes))
        return err_set(err, ERR_DATA, "%s: the counts of domain %.80s are damaged", path, (const char *)j->key.p);
    d->name = j->key;
    return ERR_OK;
}

/* The domains of a view, sorted by name; *n of them, the array in the arena. */
static ErrCode read_domains(Arena *a, const char *path, Span text, MixDomain **out, size_t *n, Err *err)
{
    Json *top = NULL;
    ErrCode rc = json_parse(a, text, path, &top, err);

    if (rc != ERR_OK) return rc;
    const Json *group = json_get(json_get(top, "counters"), "domain");
    *n = 0;
    if (group && group->type != JSON_OBJECT) return err_set(err, ERR_DATA, "%s: its counters are damaged", path);
    size_t count = group ? group->n : 0;
    if (count > REMIX_MAX_DOMAINS)
        return err_set(err, ERR_LIMIT, "more than %d mixture domains: name them by a recipe", REMIX_MAX_DOMAINS);
    if (!(*out = arena_array(a, count, sizeof **out))) return err_nomem(err, "a mixture");
    for (const Json *j = group ? group->child : NULL; j; j = j->next) {
        (*out)[*n] = (MixDomain){0};
        if ((rc = read_domain(j, path, &(*out)[(*n)++], err)) != ERR_OK) return rc;
    }
    return ERR_OK;
}

/* Weights that the recipe gives; one for a domain without documents is left out, since there is nothing to read. */
static void give_weights(const RemixRecipe *r, MixDomain *d, size_t n)
{
    for (uint32_t w = 0; w < r->n_weights; w++) {
        size_t i = 0;
        while (i < n && !span_is(d[i].name, r->weight[w].name)) i++;
        if (i == n) {
            log_warn("domain %s has a weight but no documents", r->weight[w].name);
            continue;
        }
        d[i].given = true;
        d[i].given_weight = r->weight[w].weight;
    }
}

static void put_mixture(Buf *b, const MixDomain *d, size_t n)
{
    bool first = true;

    buf_puts(b, "{\"format\":\"tamis-mixture\",\"version\":1,\"domains\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(b, d[i].name);
        buf_printf(b, ",\"docs\":%" PRIu64 ",\"text_bytes\":%" PRIu64 "}", d[i].docs, d[i].text_bytes);
    }
    buf_puts(b, "],\"phases\":[{\"from\":0,\"to\":null,\"weights\":{");
    for (size_t i = 0; i < n; i++) {
        if (d[i].weight <= 0) continue;
        if (!first) buf_putc(b, ',');
        first = false;
        json_put_string(b, d[i].name);
        buf_putc(b, ':');
        json_put_number(b, d[i].weight);
    }
    buf_puts(b, "}}]}\n");
}

static void tell(const MixDomain *d, size_t n, const MixTemperature *t)
{
    log_info("%-32s %10s %12s %9s %7s", "domain", "documents", "text MB", "weight", "epochs");
    for (size_t i = 0; i < n; i++)
        log_info("%-32.*s %10" PRIu64 " %12.3f %9.6f %7.2f", (int)d[i].name.n, (const char *)d[i].name.p, d[i].docs,
                 (double)d[i].text_bytes / 1e6, d[i].weight, weights_epochs(&d[i], d, n, t));
}

ErrCode remix_write_mixture(const RemixRecipe *r, const char *dir, Err *err)
{
    const MixTemperature t = {r->alpha, r->epochs, r->max_epochs};
    Arena arena = {0};
    Buf text = {0}, json = {0};
    char *stats = path_join(&arena, dir, "stats.json"), *path = path_join(&arena, dir, "mixture.json");
    MixDomain *d = NULL;
    bool over = false;
    size_t n = 0;
    ErrCode rc = ERR_OK;

    if (!stats || !path) {
        rc = err_nomem(err, "a mixture");
        goto out;
    }
    if ((rc = store_read(stats, STATS_MAX, &text, err)) != ERR_OK) goto out;
    if ((rc = read_domains(&arena, stats, buf_span(&text), &d, &n, err)) != ERR_OK) goto out;
    for (size_t i = 0; i < n; i++) d[i].repeat = domain_repeat(r, d[i].name);
    give_weights(r, d, n);
    if ((rc = weights_compute(d, n, &t, &over, err)) != ERR_OK) goto out;
    if (over)
        log_warn("no domain has text enough for %g epochs at max_epochs %g: all are read equally often", r->epochs,
                 r->max_epochs);
    put_mixture(&json, d, n);
    if ((rc = buf_ok(&json, "a mixture", err)) != ERR_OK) goto out;
    if ((rc = store_write(path, buf_span(&json), err)) != ERR_OK) goto out;
    tell(d, n, &t);
out:
    buf_clear(&text);
    buf_clear(&json);
    arena_clear(&arena);
    return rc;
}
