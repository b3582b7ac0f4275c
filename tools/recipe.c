/* A recipe into the command lines of the chain: sections, options, wiring. */
#include "tools/recipe.h"

#include "core/json.h"
#include "core/par.h"
#include "core/store.h"
#include "core/yaml.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

/* The chain. A stage reads what the nearest earlier stage wrote that is switched on and hands on such things; where there is
 * none, `input` says it. */
typedef enum { THING_CRAWL, THING_DOCS, THING_TOKENIZER, THING_TOKENS, THING_MODEL } Thing;
typedef struct {
    const char *verb, *output, *finished; /* finished: below the output, or NULL when the output is the file */
    Thing reads, writes;
} ChainLink;
static const ChainLink chain[RECIPE_STAGES] = {
    {"ingest", "docs", "manifest.json", THING_CRAWL, THING_DOCS},
    {"dedup", "unique", "manifest.json", THING_DOCS, THING_DOCS},
    {"filter", "clean", "manifest.json", THING_DOCS, THING_DOCS},
    {"remix", "mixed", "manifest.json", THING_DOCS, THING_DOCS},
    {"bpe", "tokenizer.json", NULL, THING_DOCS, THING_TOKENIZER},
    {"tokenize", "tokens", "manifest.json", THING_DOCS, THING_TOKENS},
    {"train", "ckpt", "result.json", THING_TOKENS, THING_MODEL},
};

const char *recipe_output_name(const char *verb)
{
    for (size_t i = 0; i < RECIPE_STAGES; i++)
        if (strcmp(chain[i].verb, verb) == 0) return chain[i].output;
    return NULL;
}

const char *recipe_verb(size_t i) { return chain[i].verb; }

/* `at` (may be NULL) is the node that is wrong. */
static ErrCode wrong(const Recipe *r, const Json *at, const char *section, const char *key, const char *what,
                     Err *err)
{
    return err_set(err, ERR_USAGE, "%s:%u: %s%s%s: %s", r->path, at ? at->line : 1, section, key ? "." : "",
                   key ? key : "", what);
}

/* The values of a recipe become words of a command line, which end at a NUL. */
static bool holds_nul(Span s) { return s.n && memchr(s.p, 0, s.n); }

/* --- command lines */

/* `s` must live in the arena or longer; false: no memory, for the table or, when it is NULL, for `s`. */
static bool add_arg(Recipe *r, RecipeStage *st, const char *s)
{
    if (!s) return false;
    if (st->argc + 1 >= st->cap) {
        size_t cap = st->cap ? st->cap * 2 : 32;
        const char **more = arena_array(&r->arena, cap, sizeof *more);
        if (!more) return false;
        if (st->argc) memcpy(more, st->argv, st->argc * sizeof *more);
        st->argv = more;
        st->cap = cap;
    }
    st->argv[st->argc++] = s;
    st->argv[st->argc] = NULL;
    return true;
}

/* "./x" and "../x" are beside the recipe, everything else stays as written. */
static const char *value_path(Recipe *r, const char *v)
{
    const char *base = path_base(r->path);

    if (strncmp(v, "./", 2) != 0 && strncmp(v, "../", 3) != 0) return v;
    if (base == r->path) return v;
    char *dir = arena_str(&r->arena, span(r->path, (size_t)(base - r->path) - 1));
    if (!dir) return NULL;
    return path_join(&r->arena, dir[0] ? dir : "/", strncmp(v, "./", 2) == 0 ? v + 2 : v);
}

static bool add_option(Recipe *r, RecipeStage *st, const char *key, const char *value)
{
    Buf b = {0};

    buf_puts(&b, "--");
    buf_puts(&b, key);
    if (value) {
        buf_putc(&b, '=');
        buf_puts(&b, value);
    }
    const char *arg = b.oom ? NULL : arena_str(&r->arena, buf_span(&b));
    buf_clear(&b);
    return add_arg(r, st, arg);
}

/* A mapping becomes OUT/VERB.KEY.yaml. */
static ErrCode add_file(Recipe *r, RecipeStage *st, const Json *v, Err *err)
{
    const char *key = (const char *)v->key.p;
    Buf name = {0}, text = {0};
    ErrCode rc = ERR_OK;

    if (r->n_files == sizeof r->file / sizeof *r->file) return wrong(r, v, st->verb, key, "too many mappings", err);
    RecipeFile *f = &r->file[r->n_files++];
    buf_printf(&name, "%s.%s.yaml", st->verb, key);
    json_put_tree(&text, v);
    buf_putc(&text, '\n');
    const char *s = buf_cstr(&name);
    f->path = s ? path_join(&r->arena, r->out_dir, s) : NULL;
    f->bytes = arena_copy(&r->arena, buf_span(&text));
    if (!f->path || !f->bytes.p || text.oom || !add_option(r, st, key, f->path)) rc = err_nomem(err, "a recipe");
    buf_clear(&name);
    buf_clear(&text);
    return rc;
}

static ErrCode add_scalar(Recipe *r, RecipeStage *st, const char *key, const Json *v, Err *err)
{
    const char *value = NULL;

    if (v->type == JSON_NULL || (v->type == JSON_BOOL && !v->boolean)) return ERR_OK;
    if (v->type == JSON_NUMBER || v->type == JSON_STRING) {
        if (holds_nul(v->string)) return wrong(r, v, st->verb, key, "holds a NUL", err);
        const char *text = arena_str(&r->arena, v->string);
        value = text ? value_path(r, text) : NULL;
        if (!value) return err_nomem(err, "a recipe");
    } else if (v->type != JSON_BOOL)
        return wrong(r, v, st->verb, key, "a list may hold only plain values", err);
    return add_option(r, st, key, value) ? ERR_OK : err_nomem(err, "a recipe");
}

/* alarm: {drop: [0.2, 0.6]} is --alarm=drop=0.2:0.6, which bands may be given as too. */
static ErrCode add_alarms(Recipe *r, RecipeStage *st, const Json *bands, Err *err)
{
    for (const Json *b = bands->child; b; b = b->next) {
        const Json *low = b->type == JSON_ARRAY && b->n == 2 ? b->child : NULL;
        Buf text = {0};
        if (!low || low->type != JSON_NUMBER || low->next->type != JSON_NUMBER || holds_nul(b->key))
            return wrong(r, b, st->verb, "alarm", "a band is NAME: [LOW, HIGH]", err);
        buf_printf(&text, "%s=%s:%s", (const char *)b->key.p, (const char *)low->string.p,
                   (const char *)low->next->string.p);
        const char *band = text.oom ? NULL : arena_str(&r->arena, buf_span(&text));
        buf_clear(&text);
        if (!band || !add_option(r, st, "alarm", band)) return err_nomem(err, "a recipe");
    }
    return ERR_OK;
}

static ErrCode add_member(Recipe *r, RecipeStage *st, const Json *v, Err *err)
{
    const char *key = (const char *)v->key.p;

    for (size_t i = 0; i < v->key.n; i++)
        if (!(ascii_is_lower(v->key.p[i]) || ascii_is_digit(v->key.p[i]) || (i && v->key.p[i] == '-')))
            return wrong(r, v, st->verb, key, "is no long option (lower-case letters, digits, '-')", err);
    if (v->key.n == 0) return wrong(r, v, st->verb, NULL, "an empty key", err);
    if (v->type == JSON_OBJECT && strcmp(key, "alarm") == 0) return add_alarms(r, st, v, err);
    if (v->type == JSON_OBJECT) return add_file(r, st, v, err);
    if (v->type != JSON_ARRAY) return add_scalar(r, st, key, v, err);
    for (const Json *e = v->child; e; e = e->next) {
        ErrCode rc = add_scalar(r, st, key, e, err);
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

/* --- operands */

static ErrCode add_pattern(Recipe *r, RecipeStage *st, const Json *v, Err *err)
{
    glob_t g;

    if (v->type != JSON_STRING) return wrong(r, v, st->verb, "input", "a list of paths, nothing else", err);
    if (!v->string.n || holds_nul(v->string))
        return wrong(r, v, st->verb, "input", "a path is empty or holds a NUL", err);
    const char *path = value_path(r, (const char *)v->string.p);
    if (!path) return err_nomem(err, "a recipe");
    if (!strpbrk(path, "*?[")) return add_arg(r, st, path) ? ERR_OK : err_nomem(err, "a recipe");
    int failed = glob(path, 0, NULL, &g);
    if (failed)
        return err_set(err, ERR_SYS, "%s:%u: %s.input: %s %s", r->path, v->line, st->verb,
                       failed == GLOB_NOMATCH ? "nothing matches" : "cannot expand", path);
    bool fits = st->argc + g.gl_pathc < RECIPE_MAX_ARGS, ok = fits;
    for (size_t i = 0; ok && i < g.gl_pathc; i++) ok = add_arg(r, st, arena_str(&r->arena, span_str(g.gl_pathv[i])));
    globfree(&g);
    if (!fits)
        return err_set(err, ERR_LIMIT, "%s:%u: %s matches too many files; use a directory or @LIST", r->path, v->line,
                       path);
    return ok ? ERR_OK : err_nomem(err, "a recipe");
}

static ErrCode add_input(Recipe *r, RecipeStage *st, const RecipeOverrides *over, Err *err)
{
    const Json *input = json_get(st->section, "input");
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < over->n_input; i++)
        if (!add_arg(r, st, over->input[i])) return err_nomem(err, "a recipe");
    if (over->n_input) return ERR_OK;
    if (input && input->type == JSON_STRING) return add_pattern(r, st, input, err);
    if (!input || input->type != JSON_ARRAY || input->n == 0)
        return wrong(r, input ? input : st->section, st->verb, "input",
                     "says what to read: a path, or a list of them; no stage before makes it", err);
    for (const Json *e = input->child; e && rc == ERR_OK; e = e->next) rc = add_pattern(r, st, e, err);
    return rc;
}

/* --- sections */

/* Options that the wiring gives, and those with which a verb does something else than its stage. */
static bool is_wired(const char *key, bool have_tokenizer)
{
    static const char *const names[] = {"out",  "events", "task",     "help",  "check-options", "version",
                                        "plan", "keys",   "generate", "score", "export-hf",     "ids"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(key, names[i]) == 0) return true;
    return have_tokenizer && strcmp(key, "tokenizer") == 0;
}

static ErrCode add_members(Recipe *r, RecipeStage *st, bool reads_input, bool have_tokenizer, Err *err)
{
    for (const Json *v = st->section ? st->section->child : NULL; v; v = v->next) {
        const char *key = (const char *)v->key.p;
        const bool input = span_is(v->key, "input");
        if (input && reads_input) continue;
        if (input || is_wired(key, have_tokenizer))
            return wrong(r, v, st->verb, key, "is wired by the run and may not be given", err);
        ErrCode rc = add_member(r, st, v, err);
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

/* The words before those of the section. */
static bool add_wiring(Recipe *r, RecipeStage *st, const char *tokenizer, uint32_t threads,
                       const RecipeOverrides *over)
{
    char number[16];
    const char *events = path_join(&r->arena, r->out_dir, "events");

    bool ok =
        add_arg(r, st, "tamis") && add_arg(r, st, st->verb) && add_arg(r, st, "-o") && add_arg(r, st, st->output);
    if (tokenizer) ok = ok && add_arg(r, st, "-t") && add_arg(r, st, tokenizer);
    ok = ok && events && add_option(r, st, "events", events);
    if (threads && !json_get(st->section, "threads")) {
        snprintf(number, sizeof number, "%u", threads);
        ok = ok && add_option(r, st, "threads", arena_str(&r->arena, span_str(number)));
    }
    if (over->force) ok = ok && add_arg(r, st, "--force");
    if (over->no_alarm && json_get(st->section, "alarm")) ok = ok && add_arg(r, st, "--no-alarm");
    if (over->quiet) ok = ok && add_arg(r, st, "--quiet");
    return ok;
}

/* `before` is the output that this stage reads, NULL for `input`; `tokenizer` what bpe made for it, or NULL. */
static ErrCode add_stage(Recipe *r, const ChainLink *l, const Json *section, const char *before,
                         const char *tokenizer, uint32_t threads, const RecipeOverrides *over, Err *err)
{
    RecipeStage *st = &r->stage[r->n];
    ErrCode rc;

    *st = (RecipeStage){.verb = l->verb, .output = path_join(&r->arena, r->out_dir, l->output), .section = section};
    st->finished = st->output && l->finished ? path_join(&r->arena, st->output, l->finished) : st->output;
    if (!st->finished || !add_wiring(r, st, tokenizer, threads, over)) return err_nomem(err, "a recipe");
    if ((rc = add_members(r, st, !before, tokenizer != NULL, err)) != ERR_OK) return rc;
    /* Behind "--" nothing is an option, whatever it looks like. */
    if (!add_arg(r, st, "--") || (before && !add_arg(r, st, before))) return err_nomem(err, "a recipe");
    r->n++;
    return before ? ERR_OK : add_input(r, st, over, err);
}

/* A section is a mapping, nothing (defaults), true, or false (switched off). */
static ErrCode check_sections(const Recipe *r, const Json *root, Err *err)
{
    if (root->type != JSON_OBJECT) return err_set(err, ERR_USAGE, "%s: a recipe is a mapping of sections", r->path);
    for (const Json *v = root->child; v; v = v->next) {
        const char *key = (const char *)v->key.p;
        if (span_is(v->key, "out") || span_is(v->key, "threads") || span_is(v->key, "slurm")) continue;
        if (holds_nul(v->key) || !recipe_output_name(key))
            return wrong(
                r, v, key, NULL,
                "unknown section; there are out, threads, slurm, ingest, dedup, filter, remix, bpe, tokenize, train",
                err);
        if (v->type != JSON_OBJECT && v->type != JSON_NULL && v->type != JSON_BOOL)
            return wrong(r, v, key, NULL, "a mapping of options, or false", err);
    }
    return ERR_OK;
}

/* The output of the last stage that wrote such a thing, or NULL. */
static const char *last_output(const Recipe *r, Thing what)
{
    for (size_t i = r->n; i-- > 0;)
        for (size_t k = 0; k < RECIPE_STAGES; k++)
            if (chain[k].writes == what && strcmp(chain[k].verb, r->stage[i].verb) == 0) return r->stage[i].output;
    return NULL;
}

static ErrCode add_stages(Recipe *r, const Json *root, uint32_t threads, const RecipeOverrides *over, Err *err)
{
    Thing first = THING_MODEL; /* what INPUT of the command line is: what the first stage reads */

    for (size_t i = 0; i < RECIPE_STAGES; i++) {
        const ChainLink *l = &chain[i];
        const Json *section = json_get(root, l->verb);
        const bool off = section && section->type == JSON_BOOL && !section->boolean;
        const char *tokenizer = l->writes == THING_TOKENS ? last_output(r, THING_TOKENIZER) : NULL;
        RecipeOverrides own = *over;
        if (r->n == 0) first = l->reads;
        if (l->reads != first) own.n_input = 0;
        if (!off && l->writes == THING_TOKENS && !tokenizer && !json_get(section, "tokenizer"))
            return wrong(r, section ? section : json_get(root, "bpe"), l->verb, "tokenizer",
                         "says which, since bpe is switched off", err);
        if (!off) {
            ErrCode rc = add_stage(r, l, section, last_output(r, l->reads), tokenizer, threads, &own, err);
            if (rc != ERR_OK) return rc;
        }
        if (over->until && strcmp(over->until, l->verb) == 0) break;
    }
    if (r->n == 0) return err_set(err, ERR_USAGE, "%s: every stage is switched off", r->path);
    return ERR_OK;
}

/* `out`, `threads` and `slurm`. */
static ErrCode read_head(Recipe *r, const Json *root, const RecipeOverrides *over, uint32_t *threads, Err *err)
{
    const Json *out = json_get(root, "out"), *n = json_get(root, "threads");
    uint64_t v = 0;

    if (out && (out->type != JSON_STRING || !out->string.n || holds_nul(out->string)))
        return wrong(r, out, "out", NULL, "the path of the run directory", err);
    if (n && (n->type != JSON_NUMBER || !span_to_u64(n->string, &v) || v > PAR_MAX_THREADS))
        return err_set(err, ERR_USAGE, "%s:%u: threads: a whole number, at most %d", r->path, n->line,
                       PAR_MAX_THREADS);
    r->slurm = json_get(root, "slurm");
    *threads = over->threads ? over->threads : (uint32_t)v;
    r->out_dir = over->out_dir ? over->out_dir : out ? value_path(r, (const char *)out->string.p) : "run";
    return r->out_dir ? ERR_OK : err_nomem(err, "a recipe");
}

ErrCode recipe_load(Recipe *r, const char *path, const RecipeOverrides *over, Err *err)
{
    Buf text = {0};
    Json *root = NULL;
    uint32_t threads = 0;
    ErrCode rc;

    *r = (Recipe){.path = path};
    if (over->until && !recipe_output_name(over->until))
        return err_set(err, ERR_USAGE, "--until %s: no such stage", over->until);
    if ((rc = store_read(path, YAML_MAX_BYTES, &text, err)) != ERR_OK) goto out;
    if ((rc = yaml_parse(&r->arena, buf_span(&text), path, &root, err)) != ERR_OK) goto out;
    if ((rc = check_sections(r, root, err)) != ERR_OK) goto out;
    if ((rc = read_head(r, root, over, &threads, err)) != ERR_OK) goto out;
    rc = add_stages(r, root, threads, over, err);
out:
    buf_clear(&text);
    return rc;
}

void recipe_clear(Recipe *r) { arena_clear(&r->arena); }

ErrCode recipe_write_files(const Recipe *r, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < r->n_files && rc == ERR_OK; i++) {
        Buf have = {0};
        bool exists = false;
        rc = store_exists(r->file[i].path, &exists, err);
        if (rc == ERR_OK && exists) rc = store_read(r->file[i].path, YAML_MAX_BYTES, &have, err);
        if (rc == ERR_OK && !(exists && span_eq(buf_span(&have), r->file[i].bytes)))
            rc = store_write(r->file[i].path, r->file[i].bytes, err);
        buf_clear(&have);
    }
    return rc;
}

void recipe_put_word(Buf *out, const char *word)
{
    size_t plain = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-");

    if (word[0] && !word[plain]) {
        buf_puts(out, word);
        return;
    }
    buf_putc(out, '\'');
    for (const char *s = word; *s; s++) {
        if (*s == '\'')
            buf_puts(out, "'\\''");
        else
            buf_putc(out, (uint8_t)*s);
    }
    buf_putc(out, '\'');
}

void recipe_command(const RecipeStage *s, Buf *out)
{
    for (size_t i = 0; i < s->argc; i++) {
        if (i) buf_putc(out, ' ');
        recipe_put_word(out, s->argv[i]);
    }
}
