/* Who is changing an index: DIR/adding.json, made exclusively, so that of two jobs the later one is told before it has spent its hours.
 *
 * What holds a dedup's place is its output directory, not a process: a job that was killed is run again with the same command and goes on,
 * wherever it runs; one that was given up ends with its directory. Removing and rebuilding take minutes and are run again as a whole:
 * they hold theirs as long as their process lives, where that can be told, on this host. They need not wait for a dedup that was cut short
 * here: its claim is set aside meanwhile. */
#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "dedup/index.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { CLAIM_MAX_JSON = 64 << 10 };

static ErrCode claim_path(char out[PATH_MAX], const char *dir, Err *err)
{
    return index_path(out, PATH_MAX, dir, "adding.json", err);
}

/* *there false: nobody is at work. Strings live in the arena. */
static ErrCode read_claim(const char *path, Arena *a, Buf *text, IndexClaimant *c, bool *there, Err *err)
{
    Json *j = NULL;
    const Json *inputs;
    ErrCode rc = store_exists(path, there, err);

    *c = (IndexClaimant){0};
    if (rc || !*there) return rc;
    if ((rc = store_read(path, CLAIM_MAX_JSON, text, err)) != ERR_OK) return rc;
    rc = json_parse(a, buf_span(text), path, &j, err);
    if (rc == ERR_OK) rc = json_get_str(j, "what", path, &c->what, err);
    if (rc == ERR_OK) rc = json_get_str(j, "host", path, &c->host, err);
    if (rc == ERR_OK) rc = json_get_str(j, "out", path, &c->out, err);
    if (rc == ERR_OK) rc = json_get_u64(j, "pid", 0, path, &c->pid, err);
    inputs = json_get(j, "inputs");
    if (rc == ERR_OK && (!c->what || !c->host || !c->out || !inputs || inputs->type != JSON_STRING ||
                         !hash128_parse(inputs->string, &c->inputs)))
        rc = err_set(err, ERR_DATA, "%s is damaged: delete it when nobody works on the index", path);
    return rc;
}

static bool process_is_gone(const IndexClaimant *c)
{
    char host[65];

    store_host_name(host);
    return strcmp(host, c->host) == 0 && c->pid > 0 && c->pid <= INT_MAX && kill((pid_t)c->pid, 0) != 0 &&
           errno == ESRCH;
}

/* Whether what made the claim is over: it is in the index, its directory was deleted, its process has ended. */
static ErrCode is_over(const Index *ix, const IndexClaimant *c, bool *over, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc;

    *over = false;
    if (!*c->out) {
        *over = process_is_gone(c);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < ix->n_datasets; i++) *over |= hash128_eq(ix->dataset[i].inputs, c->inputs);
    if (*over) return ERR_OK;
    if ((rc = index_path(path, sizeof path, c->out, "stage.json", err)) != ERR_OK) return rc;
    rc = store_exists(path, over, err);
    *over = !*over;
    return rc;
}

static ErrCode refuse(const Index *ix, const char *path, const IndexClaimant *c, Err *err)
{
    if (*c->out)
        return err_set(err, ERR_DATA,
                       "%s: the dedup of %s (process %" PRIu64
                       " of %s) adds to it: wait for it; if it has ended, run it again to its end, or delete %s",
                       ix->dir, c->out, c->pid, c->host, c->out);
    return err_set(err, ERR_DATA,
                   "%s: tamis dedup %s, process %" PRIu64
                   " of %s, changes it: wait for it; if it has ended, delete %s",
                   ix->dir, c->what, c->pid, c->host, path);
}

static ErrCode put_claim(Buf *b, const char *what, const char *out, Hash128 inputs, Err *err)
{
    char host[65];

    store_host_name(host);
    buf_puts(b, "{\"what\":");
    json_put_cstr(b, what);
    buf_puts(b, ",\"host\":");
    json_put_cstr(b, host);
    buf_printf(b, ",\"pid\":%" PRIu64 ",\"out\":", (uint64_t)getpid());
    json_put_cstr(b, out);
    buf_puts(b, ",\"inputs\":");
    json_put_hash(b, inputs);
    buf_puts(b, "}\n");
    return buf_ok(b, "a claim", err);
}

/* Of the claim that is there: *ours, an earlier call's for the same directory, set aside; else gone when it is over, or set aside, where a
 * dedup was cut short and this is none; else ERR_DATA. */
static ErrCode look_at_other(IndexClaim *claim, const Index *ix, const char *path, const char *out, bool *ours,
                             Err *err)
{
    Arena arena = {0};
    IndexClaimant c;
    Buf text = {0};
    bool there, over;
    ErrCode rc = read_claim(path, &arena, &text, &c, &there, err);

    if (rc == ERR_OK && there) {
        bool aside = *ours = *out && strcmp(c.out, out) == 0;
        if (!*ours) rc = is_over(ix, &c, &over, err);
        if (rc == ERR_OK && !*ours && !over) {
            aside = *c.out && !*out && process_is_gone(&c);
            if (!aside) rc = refuse(ix, path, &c, err);
        }
        if (aside) buf_reset(&claim->aside), buf_put_span(&claim->aside, buf_span(&text));
        if (rc == ERR_OK) rc = buf_ok(&claim->aside, "a claim", err);
        if (rc == ERR_OK && !*ours) rc = store_delete(path, err);
    }
    buf_clear(&text);
    arena_clear(&arena);
    return rc;
}

ErrCode indexclaim_take(IndexClaim *claim, const Index *ix, const char *what, const char *out, Hash128 inputs,
                        Err *err)
{
    enum { TRIES = 3 };
    char path[PATH_MAX], none[] = "", *real = none, *real_dir = none;
    Arena arena = {0};
    bool ours = false;
    ErrCode rc = claim_path(path, ix->dir, err);

    *claim = (IndexClaim){.dir = ix->dir};
    if (rc == ERR_OK && out) rc = store_mkdirs(out, err);
    if (rc == ERR_OK && out) rc = store_resolve(&arena, out, &real, err);
    if (rc == ERR_OK) rc = put_claim(&claim->text, what, real, inputs, err);
    if (rc == ERR_OK) rc = store_mkdirs(ix->dir, err);
    if (rc == ERR_OK && out) rc = store_resolve(&arena, ix->dir, &real_dir, err);
    if (rc == ERR_OK && out && strcmp(real, real_dir) == 0)
        rc = err_set(err, ERR_USAGE, "%s cannot be the view and the index", ix->dir);
    for (int i = 0; i < TRIES && rc == ERR_OK && !ours; i++) {
        rc = store_create(path, buf_span(&claim->text), &ours, err);
        if (rc || ours) break;
        rc = look_at_other(claim, ix, path, real, &ours, err);
        if (rc == ERR_OK && ours)
            rc = store_write(path, buf_span(&claim->text), err); /* with the process that lives */
    }
    if (rc == ERR_OK && !ours) rc = err_set(err, ERR_DATA, "%s: others are taking it, too", path);
    if (rc) {
        buf_clear(&claim->text);
        buf_clear(&claim->aside);
    }
    arena_clear(&arena);
    return rc;
}

void indexclaim_begin(IndexClaim *claim) { buf_reset(&claim->aside); }

ErrCode indexclaim_check(const IndexClaim *claim, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0};
    bool there;
    ErrCode rc;

    if (!claim->text.n) return ERR_OK;
    rc = claim_path(path, claim->dir, err);

    if (rc == ERR_OK) rc = store_exists(path, &there, err);
    if (rc == ERR_OK && there) rc = store_read(path, CLAIM_MAX_JSON, &text, err);
    if (rc == ERR_OK && !span_eq(buf_span(&text), buf_span(&claim->text)))
        rc = err_set(err, ERR_DATA, "%s: another job has taken it over: run this one again", path);
    buf_clear(&text);
    return rc;
}

void indexclaim_end(IndexClaim *claim, bool over)
{
    char path[PATH_MAX];
    Err err;

    if (over && claim->text.n && indexclaim_check(claim, &err) == ERR_OK &&
        claim_path(path, claim->dir, &err) == ERR_OK &&
        (claim->aside.n ? store_write(path, buf_span(&claim->aside), &err) : store_delete(path, &err)) != ERR_OK)
        log_warn("%s", err.msg);
    buf_clear(&claim->text);
    buf_clear(&claim->aside);
}

ErrCode indexclaim_look(const Index *ix, Arena *a, IndexClaimant *c, bool *there, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0};
    ErrCode rc = claim_path(path, ix->dir, err);

    if (rc == ERR_OK) rc = read_claim(path, a, &text, c, there, err); /* the arena has what it says */
    buf_clear(&text);
    return rc;
}
