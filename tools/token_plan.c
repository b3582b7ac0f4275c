#include "tools/token_plan.h"

#include "core/dataset_mixture.h"
#include "core/lease.h"
#include "core/stage.h"
#include "core/store.h"
#include "shards/shards.h"
#include "tools/token_shuffle.h"

enum { PLAN_MAX_BYTES = 1 << 20 };

void tokenplan_clear(TokenPlan *p)
{
    buf_clear(&p->params);
    buf_clear(&p->inputs);
    buf_clear(&p->mixture);
    arena_clear(&p->names);
}

char *tokenplan_path(TokenPlan *p, const char *name) { return path_join(&p->names, p->out, name); }

/* --- what the run is */

/* The mixture of the dataset, its domains called as their streams. */
static ErrCode read_mixture(TokenPlan *p, const DatasetSet *set, Err *err)
{
    const char *path;
    Buf text = {0};
    ErrCode rc = datasetset_mixture(set, &p->names, &text, &path, err);

    if (rc == ERR_OK) rc = mixture_rename(buf_span(&text), path, &p->mixture, err);
    buf_clear(&text);
    return rc;
}

ErrCode tokenplan_make(TokenPlan *p, const TokenInput *in, Err *err)
{
    static const StageDef def = {.name = "tokenize", .version = TOKENS_STAGE_VERSION};
    const DatasetSet *set = tokeninput_set(in);
    Buf contents = {0};
    ErrCode rc;

    p->once = tokeninput_once(in);
    if (set && (rc = read_mixture(p, set, err)) != ERR_OK) return rc;
    tokeninput_describe(in, &p->inputs, &contents); /* without the mixture: no shard depends on it */
    if ((rc = buf_ok(&p->params, "a key", err)) == ERR_OK && (rc = buf_ok(&contents, "a key", err)) == ERR_OK)
        rc = buf_ok(&p->inputs, "a key", err);
    if (rc == ERR_OK) rc = stage_key(&def, buf_span(&p->params), buf_span(&contents), &p->key, err);
    buf_clear(&contents);
    return rc;
}

/* --- the directory */

/* *found whether `path` holds a key, *same whether it is this run's. */
static ErrCode compare_key(const TokenPlan *p, const char *path, bool *found, bool *same, Err *err)
{
    Arena tree = {0};
    Buf text = {0};
    const char *hex, *format;
    Hash128 key;
    Json *root;
    ErrCode rc;

    *same = false;
    if ((rc = store_exists(path, found, err)) != ERR_OK || !*found) return rc;
    if ((rc = store_read(path, PLAN_MAX_BYTES, &text, err)) == ERR_OK &&
        (rc = json_parse(&tree, buf_span(&text), path, &root, err)) == ERR_OK &&
        (rc = json_get_str(root, "format", path, &format, err)) == ERR_OK &&
        (rc = json_get_str(root, "key", path, &hex, err)) == ERR_OK) {
        if (!format || strcmp(format, "tamis-tokens-plan") != 0)
            rc = err_set(err, ERR_DATA, "%s is no plan of tokens: choose another directory", path);
        else if (!hex || !hash128_parse(span_str(hex), &key))
            rc = err_set(err, ERR_DATA, "%s: no key in it", path);
        else
            *same = hash128_eq(key, p->key) && !p->once;
    }
    buf_clear(&text);
    arena_clear(&tree);
    return rc;
}

/* A shard, or one that was being written. */
static bool is_shard(const char *name)
{
    const Span s = span_str(name);
    const size_t n = s.n < SHARD_FILE_NAME ? s.n : SHARD_FILE_NAME;
    uint64_t number;

    return shard_number(span(s.p, n), &number) && (n == s.n || span_eq(span_from(s, s.n - 4), SPAN_LIT(".tmp")));
}

/* Removes the shards of one stream, and its directory when nothing else is in it. */
static ErrCode wipe_stream(Arena *names, const char *dir, Err *err)
{
    StoreList list = {0};
    size_t n_left = 0, n_shards = 0;
    ErrCode rc = store_list(dir, &list, err);

    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        const char *path = path_join(names, dir, list.name[i]);
        if (!is_shard(list.name[i])) {
            n_left++;
            continue;
        }
        n_shards++;
        rc = path ? store_delete(path, err) : err_nomem(err, "a path");
    }
    if (rc == ERR_OK && n_shards && n_left == 0) rc = store_delete_tree(dir, 1, err);
    storelist_clear(&list);
    return rc;
}

static ErrCode wipe_streams(TokenPlan *p, Err *err)
{
    StoreList list = {0};
    ErrCode rc = store_list(p->out, &list, err);

    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        const char *path = tokenplan_path(p, list.name[i]);
        bool is_dir = false;
        rc = path ? store_is_dir(path, &is_dir, err) : err_nomem(err, "a path");
        if (rc == ERR_OK && is_dir) rc = wipe_stream(&p->names, path, err);
    }
    storelist_clear(&list);
    return rc;
}

static ErrCode check_idle(const char *dir, Err *err)
{
    char who[128];
    bool busy;
    ErrCode rc = leases_anybody(dir, who, &busy, err);

    if (rc != ERR_OK || !busy) return rc;
    return err_set(err, ERR_DATA, "%s: another run is at work here (%s): stop it before --force", dir, who);
}

/* --force: removes the files of another run, the manifest first, so that what is left never looks complete, and the plan last,
 * so that what is left is known for another run's. */
static ErrCode wipe(TokenPlan *p, Err *err)
{
    static const char *const files[] = {"manifest.json", "vocab.bin", "mixture.json", "stats.json"};
    const char *plan = tokenplan_path(p, "stage.json");
    ErrCode rc = check_idle(p->out, err);

    if (rc == ERR_OK) rc = leases_delete(p->out, err);
    for (size_t i = 0; i < sizeof files / sizeof *files && rc == ERR_OK; i++) {
        const char *path = tokenplan_path(p, files[i]);
        rc = path ? store_delete(path, err) : err_nomem(err, "a path");
    }
    if (rc == ERR_OK) rc = wipe_streams(p, err);
    if (rc == ERR_OK) rc = tokens_drop_encoded(p->out, err);
    if (rc == ERR_OK) rc = plan ? store_delete(plan, err) : err_nomem(err, "a path");
    return rc;
}

/* Puts our plan there. Another task of the same job may do so at the same moment: then there is nothing left to do. */
static ErrCode create_plan(const TokenPlan *p, const char *stage, Err *err)
{
    bool created = false, found, ours = true;
    Buf plan = {0};
    ErrCode rc;

    buf_puts(&plan, "{\"format\":\"tamis-tokens-plan\",\"version\":1,\"stage\":\"tokenize\",\"key\":");
    json_put_hash(&plan, p->key);
    buf_puts(&plan, ",\"params\":");
    buf_put_span(&plan, buf_span(&p->params));
    buf_puts(&plan, "}\n");
    if ((rc = buf_ok(&plan, "a plan", err)) == ERR_OK) rc = store_create(stage, buf_span(&plan), &created, err);
    buf_clear(&plan);
    if (rc == ERR_OK && !created) rc = compare_key(p, stage, &found, &ours, err);
    if (rc == ERR_OK && !ours) rc = err_set(err, ERR_DATA, "%s: another job has just started here", p->out);
    return rc;
}

/* The tokens were complete: are they still? With --force a run begins anew where they are not. */
static ErrCode check_finished(TokenPlan *p, const char *stage, bool *done, Err *err)
{
    Err why = {0};
    ErrCode rc = tokensdir_check_files(p->out, &why);

    *done = rc == ERR_OK;
    if (rc == ERR_OK) return ERR_OK;
    if (rc != ERR_DATA) return err_set(err, rc, "%s", why.msg);
    if (!p->force) return err_set(err, rc, "%s: --force makes %s anew", why.msg, p->out);
    log_warn("tokenize: %s: %s is made anew", why.msg, p->out);
    if ((rc = wipe(p, err)) != ERR_OK) return rc;
    return create_plan(p, stage, err);
}

ErrCode tokenplan_claim(TokenPlan *p, bool *done, Err *err)
{
    const char *stage = tokenplan_path(p, "stage.json"), *manifest = tokenplan_path(p, "manifest.json");
    bool planned, same, finished;
    ErrCode rc;

    *done = false;
    if (!stage || !manifest) return err_nomem(err, "a path");
    if ((rc = store_mkdirs(p->out, err)) != ERR_OK) return rc;
    if ((rc = compare_key(p, stage, &planned, &same, err)) != ERR_OK) return rc;
    if ((rc = store_exists(manifest, &finished, err)) != ERR_OK) return rc;
    if (planned && same) return finished ? check_finished(p, stage, done, err) : ERR_OK;
    if (finished && !planned) /* --force replaces tokens, not whatever else is there */
        return err_set(err, ERR_DATA, "%s holds something else: choose another directory", p->out);
    if (!p->force && planned && p->once)
        return err_set(err, ERR_DATA,
                       "%s holds a run, and what standard input held is gone: choose another directory, or --force",
                       p->out);
    if (!p->force && planned)
        return err_set(err, ERR_DATA,
                       "%s holds another run (other parameters or inputs): choose another directory, or --force",
                       p->out);
    if (planned && (rc = wipe(p, err)) != ERR_OK) return rc;
    return create_plan(p, stage, err);
}

ErrCode tokenplan_refresh_mixture(TokenPlan *p, Err *err)
{
    const char *path = tokenplan_path(p, "mixture.json");
    Buf have = {0};
    bool exists;
    ErrCode rc;

    if (!path) return err_nomem(err, "a path");
    if ((rc = store_exists(path, &exists, err)) == ERR_OK && exists)
        rc = store_read(path, MIXTURE_MAX_BYTES, &have, err);
    if (rc == ERR_OK && exists && !p->mixture.n) {
        log_info("tokenize: the dataset has no mixture any more; %s is removed", path);
        rc = store_delete(path, err);
    } else if (rc == ERR_OK && !span_eq(buf_span(&have), buf_span(&p->mixture))) {
        log_info("tokenize: %s is written anew, as the mixture of the dataset is now", path);
        rc = store_write(path, buf_span(&p->mixture), err);
    }
    buf_clear(&have);
    return rc;
}
