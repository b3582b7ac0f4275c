/* remix/mixrecipe.c - reading a recipe. Whatever is wrong in it stops the run with the place and the reason. */
#include "remix/mixrecipe.h"

#include "core/hash.h"
#include "core/store.h"
#include "core/url.h"
#include "core/yaml.h"

#include <math.h>
#include <stdlib.h>

enum { HOSTS_FILE_MAX = 256 << 20 };

/* What is being read. */
typedef struct {
    RemixRecipe *r;
    const char *path;
    Err *err;
} Reader;

static bool is_key(Span key, const char *const *known)
{
    for (; *known; known++)
        if (span_is(key, *known)) return true;
    return false;
}

/* A value of another type: for a recipe that is a mistake of who wrote it. */
static ErrCode as_usage(ErrCode rc, Err *err)
{
    if (rc != ERR_DATA) return rc;
    if (err) err->code = ERR_USAGE;
    return ERR_USAGE;
}

static ErrCode read_string(const Reader *rd, const Json *j, const char *key, const char **out)
{
    return as_usage(json_get_str(j, key, rd->path, out, rd->err), rd->err);
}

/* A pattern's literal bytes are those of a name, its braces {source} or {lang}; *made says whether it has any. */
static bool good_name(const char *name, bool *made)
{
    Span p = span_str(name);

    *made = false;
    if (p.n == 0 || p.n > REMIX_MAX_NAME || *name == '.' || *name == '-') return false;
    while (p.n) {
        size_t step = span_starts(p, SPAN_LIT("{source}")) ? 8 : span_starts(p, SPAN_LIT("{lang}")) ? 6 : 1;
        if (step > 1) *made = true;
        if (step == 1 && !ascii_is_alnum(*p.p) && *p.p != '.' && *p.p != '_' && *p.p != '-') return false;
        p = span_from(p, step);
    }
    return true;
}

static ErrCode read_name(const Reader *rd, const char *what, const char *name, const char **out)
{
    bool made;

    if (!good_name(name, &made))
        return err_set(
            rd->err, ERR_USAGE,
            "%s: %s \"%.80s\" is no domain name (letters, digits, '.', '_', '-', {source}, {lang}; %d bytes)",
            rd->path, what, name, REMIX_MAX_NAME);
    *out = arena_str(&rd->r->arena, span_str(name));
    return *out ? ERR_OK : err_nomem(rd->err, "a recipe");
}

/* A list of strings, or one string. */
static ErrCode read_strings(const Reader *rd, const Json *list, const char ***out, uint32_t *n)
{
    const Json *first = list->type == JSON_ARRAY ? list->child : list;
    uint32_t count = list->type == JSON_ARRAY ? list->n : 1, i = 0;

    if (!(*out = arena_array(&rd->r->arena, count, sizeof **out))) return err_nomem(rd->err, "a recipe");
    for (const Json *j = first; i < count; j = j->next) {
        if (j->type != JSON_STRING || memchr(j->string.p, 0, j->string.n))
            return err_set(
                rd->err, ERR_USAGE,
                "%s: %s: a list of words is wanted (put quotes around what looks like a number or a truth value)",
                rd->path, (const char *)list->key.p);
        if (!((*out)[i++] = arena_str(&rd->r->arena, j->string))) return err_nomem(rd->err, "a recipe");
    }
    *n = count;
    return ERR_OK;
}

/* A host as it stands in a list: "*." or "." in front and case are forgiven. */
static ErrCode add_host(const Reader *rd, Span text, const char *where, uint32_t rule)
{
    uint8_t url[8 + 2 * URL_MAX_HOST], host[URL_MAX_HOST];
    Span s = text;

    if (span_starts(s, SPAN_LIT("*."))) s = span_from(s, 2);
    if (span_starts(s, SPAN_LIT("."))) s = span_from(s, 1);
    Span found = {NULL, 0};
    if (s.n && s.n <= 2 * URL_MAX_HOST) {
        memcpy(url, "http://", 7);
        memcpy(url + 7, s.p, s.n);
        found = url_host(span(url, 7 + s.n), host);
    }
    /* the host found must be all of the entry: no port, path or user */
    if (!found.p || (found.n != s.n && !(found.n + 1 == s.n && s.p[found.n] == '.')))
        return err_set(rd->err, ERR_USAGE, "%s: \"%.*s\" is no host", where, (int)(text.n < 80 ? text.n : 80),
                       (const char *)text.p);
    if (rd->r->hosts.n_links >= REMIX_MAX_HOSTS)
        return err_set(rd->err, ERR_LIMIT, "%s: more than %d hosts", where, REMIX_MAX_HOSTS);
    Span kept = arena_copy(&rd->r->arena, found);
    if (!kept.p) return err_nomem(rd->err, "a list of hosts");
    return hostmap_add(&rd->r->hosts, kept, rule, rd->err);
}

static ErrCode read_hosts_file(const Reader *rd, const char *name, uint32_t rule, HashStream *sum)
{
    Arena arena = {0};
    Buf text = {0};
    size_t dir = strlen(rd->path);
    ErrCode rc = ERR_OK;

    while (dir > 0 && rd->path[dir - 1] != '/') dir--;
    buf_printf(&text, "%.*s%s", name[0] == '/' ? 0 : (int)dir, rd->path, name);
    char *path = text.oom ? NULL : arena_str(&arena, buf_span(&text));
    buf_reset(&text);
    if (!path) {
        rc = err_nomem(rd->err, "a list of hosts");
        goto out;
    }
    if ((rc = store_read(path, HOSTS_FILE_MAX, &text, rd->err)) != ERR_OK) goto out;
    for (Span rest = buf_span(&text); rc == ERR_OK && rest.n;) {
        Span line = {rest.p, span_find(rest, '\n')};
        rest = span_from(rest, line.n + 1);
        line.n = span_find(line, '#');
        line = span_trim(line);
        if (!line.n) continue;
        hashstream_add(sum, line);
        hashstream_add(sum, SPAN_LIT("\n"));
        rc = add_host(rd, line, path, rule);
    }
out:
    buf_clear(&text);
    arena_clear(&arena);
    return rc;
}

/* The rule's hosts into the map, their number and hash into the params. */
static ErrCode read_hosts(const Reader *rd, const Json *j, uint32_t rule)
{
    const Json *list = json_get(j, "hosts");
    const char *file, **host = NULL;
    uint32_t n = 0;
    size_t before = rd->r->hosts.n_links;
    HashStream *sum = NULL;
    ErrCode rc = hashstream_new(&sum, rd->err);

    if (rc == ERR_OK && list) rc = read_strings(rd, list, &host, &n);
    for (uint32_t i = 0; rc == ERR_OK && i < n; i++) {
        hashstream_add(sum, span_str(host[i]));
        hashstream_add(sum, SPAN_LIT("\n"));
        rc = add_host(rd, span_str(host[i]), rd->path, rule);
    }
    if (rc == ERR_OK) rc = read_string(rd, j, "hosts_file", &file);
    if (rc == ERR_OK && file) rc = read_hosts_file(rd, file, rule, sum);
    if (rc == ERR_OK && (list || file)) {
        char hex[HASH128_HEX];
        hash128_hex(hex, hashstream_digest(sum));
        buf_printf(&rd->r->params, ",\"hosts\":{\"n\":%zu,\"content\":\"%s\"}", rd->r->hosts.n_links - before, hex);
        rd->r->rule[rule].by_host = true;
    }
    hashstream_free(sum);
    return rc;
}

static void put_strings(Buf *b, const char *key, const char **v, uint32_t n)
{
    buf_printf(b, ",\"%s\":[", key);
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_putc(b, ',');
        json_put_cstr(b, v[i]);
    }
    buf_putc(b, ']');
}

static ErrCode read_rule(const Reader *rd, const Json *j, uint32_t index)
{
    static const char *const keys[] = {"name", "hosts", "hosts_file", "sources", "langs", NULL};
    DomainRule *rule = &rd->r->rule[index];
    const Json *sources = json_get(j, "sources"), *langs = json_get(j, "langs"), *hosts = json_get(j, "hosts");
    const char *name;
    ErrCode rc;

    if (j->type != JSON_OBJECT)
        return err_set(rd->err, ERR_USAGE, "%s: rule %u of domains is no mapping", rd->path, index + 1);
    for (const Json *m = j->child; m; m = m->next)
        if (!is_key(m->key, keys))
            return err_set(rd->err, ERR_USAGE, "%s: rule %u of domains: unknown key \"%.60s\"", rd->path, index + 1,
                           (const char *)m->key.p);
    if ((rc = read_string(rd, j, "name", &name)) != ERR_OK) return rc;
    if (!name) return err_set(rd->err, ERR_USAGE, "%s: rule %u of domains has no name", rd->path, index + 1);
    if ((rc = read_name(rd, "name", name, &rule->name)) != ERR_OK) return rc;
    Buf *b = &rd->r->params;
    buf_puts(b, index ? ",{\"name\":" : "{\"name\":");
    json_put_cstr(b, rule->name);
    if ((rc = read_hosts(rd, j, index)) != ERR_OK) return rc;
    if (sources && (rc = read_strings(rd, sources, &rule->source, &rule->n_sources)) != ERR_OK) return rc;
    if (langs && (rc = read_strings(rd, langs, &rule->lang, &rule->n_langs)) != ERR_OK) return rc;
    if (sources) put_strings(b, "sources", rule->source, rule->n_sources);
    if (langs) put_strings(b, "langs", rule->lang, rule->n_langs);
    buf_putc(b, '}');
    bool no_hosts = hosts && hosts->type == JSON_ARRAY && !hosts->n && !json_get(j, "hosts_file");
    if ((sources && !rule->n_sources) || (langs && !rule->n_langs) || no_hosts)
        return err_set(rd->err, ERR_USAGE, "%s: rule %u of domains has an empty list, which nothing is in", rd->path,
                       index + 1);
    return ERR_OK;
}

static ErrCode read_rules(const Reader *rd, const Json *list)
{
    uint32_t i = 0;
    ErrCode rc = ERR_OK;

    if (list && list->type != JSON_ARRAY) return err_set(rd->err, ERR_USAGE, "%s: domains is no list", rd->path);
    uint32_t n = list ? list->n : 0;
    if (n > REMIX_MAX_RULES) return err_set(rd->err, ERR_LIMIT, "%s: more than %d rules", rd->path, REMIX_MAX_RULES);
    if (!(rd->r->rule = arena_array(&rd->r->arena, n, sizeof *rd->r->rule))) return err_nomem(rd->err, "a recipe");
    if (n) memset(rd->r->rule, 0, n * sizeof *rd->r->rule);
    rd->r->n_rules = n;
    buf_puts(&rd->r->params, "{\"domains\":[");
    for (const Json *j = list ? list->child : NULL; rc == ERR_OK && j; j = j->next) rc = read_rule(rd, j, i++);
    buf_puts(&rd->r->params, "],\"default\":");
    return rc;
}

static ErrCode read_weights(const Reader *rd, const Json *map)
{
    uint32_t i = 0;

    if (!map) return ERR_OK;
    if (map->type != JSON_OBJECT) return err_set(rd->err, ERR_USAGE, "%s: weights is no mapping", rd->path);
    if (!(rd->r->weight = arena_array(&rd->r->arena, map->n, sizeof *rd->r->weight)))
        return err_nomem(rd->err, "a recipe");
    for (const Json *j = map->child; j; j = j->next) {
        const char *name = (const char *)j->key.p;
        bool made;
        if (!good_name(name, &made) || made)
            return err_set(rd->err, ERR_USAGE, "%s: weights: \"%.80s\" is no domain's name", rd->path, name);
        if (j->type != JSON_NUMBER || !(j->number >= 0 && j->number <= 1e6))
            return err_set(rd->err, ERR_USAGE, "%s: weights: %.80s: a number from 0 on is wanted", rd->path, name);
        const char *kept = arena_str(&rd->r->arena, j->key);
        if (!kept) return err_nomem(rd->err, "a recipe");
        rd->r->weight[i++] = (NamedWeight){kept, j->number};
    }
    rd->r->n_weights = i;
    return ERR_OK;
}

static ErrCode read_number(const Reader *rd, const Json *top, const char *key, double least, double most, double *out)
{
    ErrCode rc = as_usage(json_get_f64(top, key, *out, rd->path, out, rd->err), rd->err);

    if (rc == ERR_OK && !(*out >= least && *out <= most))
        return err_set(rd->err, ERR_USAGE, "%s: %s must lie between %g and %g", rd->path, key, least, most);
    return rc;
}

static ErrCode read_recipe(const Reader *rd, const Json *top)
{
    static const char *const keys[] = {"alpha",   "epochs", "max_epochs", "default",
                                       "domains", "repeat", "weights",    NULL};
    RemixRecipe *r = rd->r;
    const char *fallback = NULL, *repeat = NULL;
    ErrCode rc;

    if (top && top->type != JSON_OBJECT && top->type != JSON_NULL)
        return err_set(rd->err, ERR_USAGE, "%s: a recipe is a mapping", rd->path);
    for (const Json *m = top ? top->child : NULL; m; m = m->next)
        if (!is_key(m->key, keys))
            return err_set(rd->err, ERR_USAGE, "%s: unknown key \"%.60s\"", rd->path, (const char *)m->key.p);
    r->alpha = 0.5, r->epochs = 1, r->max_epochs = 4;
    if ((rc = read_number(rd, top, "alpha", 0, 1, &r->alpha)) != ERR_OK) return rc;
    if ((rc = read_number(rd, top, "epochs", 1e-6, 1e6, &r->epochs)) != ERR_OK) return rc;
    if ((rc = read_number(rd, top, "max_epochs", 0, 1e6, &r->max_epochs)) != ERR_OK) return rc;
    if ((rc = read_string(rd, top, "default", &fallback)) != ERR_OK) return rc;
    if ((rc = read_name(rd, "default", fallback ? fallback : "{source}-{lang}", &r->fallback)) != ERR_OK) return rc;
    if ((rc = read_rules(rd, json_get(top, "domains"))) != ERR_OK) return rc;
    json_put_cstr(&r->params, r->fallback);
    if ((rc = read_string(rd, top, "repeat", &repeat)) != ERR_OK) return rc;
    if (repeat) {
        if (!(r->repeat = arena_str(&r->arena, span_str(repeat)))) return err_nomem(rd->err, "a recipe");
        buf_puts(&r->params, ",\"repeat\":");
        json_put_cstr(&r->params, r->repeat);
    }
    buf_putc(&r->params, '}');
    if ((rc = read_weights(rd, json_get(top, "weights"))) != ERR_OK) return rc;
    return buf_ok(&r->params, "a recipe", rd->err);
}

ErrCode remix_recipe_load(RemixRecipe **recipe, const char *path, Err *err)
{
    RemixRecipe *r = calloc(1, sizeof *r);
    Reader rd = {r, path ? path : "the default recipe", err};
    Arena arena = {0};
    Buf text = {0};
    Json *top = NULL;
    ErrCode rc = ERR_OK;

    *recipe = NULL;
    if (!r) return err_nomem(err, "a recipe");
    if (path && (rc = store_read(path, YAML_MAX_BYTES, &text, err)) != ERR_OK) goto out;
    if (path && (rc = yaml_parse(&arena, buf_span(&text), path, &top, err)) != ERR_OK) goto out;
    rc = read_recipe(&rd, top);
out:
    buf_clear(&text);
    arena_clear(&arena);
    if (rc == ERR_OK)
        *recipe = r;
    else
        remix_recipe_free(r);
    return rc;
}

void remix_recipe_free(RemixRecipe *r)
{
    if (!r) return;
    arena_clear(&r->arena);
    hostmap_clear(&r->hosts);
    buf_clear(&r->params);
    free(r);
}

Span remix_recipe_params(const RemixRecipe *r) { return buf_span(&r->params); }
