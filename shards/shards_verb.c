#include "core/dataset_mixture.h"
#include "core/options.h"
#include "core/store.h"
#include "shards/look.h"
#include "shards/mixture.h"
#include "shards/takedown.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- verify */

static const char *name_of(const void *ctx, uint32_t stream) { return look_stream(ctx, stream); }

/* Opening the directory has checked the manifest; what is left beside the shards is mixture.json. */
static ErrCode verify_mixture(const Look *l, Err *err)
{
    Arena a = {0};
    Buf text = {0};
    Mixture mixture;
    bool exists;
    const char *path = path_join(&a, l->path, "mixture.json");
    ErrCode rc = path ? store_exists(path, &exists, err) : err_nomem(err, "a path");

    if (rc == ERR_OK && exists && (rc = store_read(path, MIXTURE_MAX_BYTES, &text, err)) == ERR_OK)
        rc = mixture_parse(&a, buf_span(&text), name_of, l, look_n_streams(l), &mixture, err);
    buf_clear(&text);
    arena_clear(&a);
    return rc;
}

/* What verify has seen. */
typedef struct {
    uint64_t n_shards, n_bad;
    uint64_t n_closed; /* of n_bad: those that could not even be opened */
} Tally;

/* Says of a shard what is wrong with it first, or that it is well. */
static ErrCode verify_shard(const Look *l, uint32_t stream, uint32_t k, Tally *t, Err *err)
{
    Arena a = {0};
    Shard *s = NULL;
    Err found = {.code = ERR_OK};
    const char *path = look_shard_path(l, &a, stream, k);
    ErrCode rc = path ? look_shard(l, stream, k, &s, &found) : err_nomem(&found, "a path");
    const bool opened = rc == ERR_OK;

    if (opened) rc = shard_verify(s, &found);
    t->n_shards++;
    if (rc == ERR_OK) {
        printf("ok %s %" PRIu64 " tokens %" PRIu64 " documents\n", path, shard_n_tokens(s), shard_n_docs(s));
    } else if (rc == ERR_NOMEM || (rc == ERR_SYS && !l->dir)) { /* a FILE that is not there */
        *err = found;
    } else {
        printf("damaged %s\n", found.msg);
        t->n_bad++;
        t->n_closed += !opened;
        rc = ERR_OK;
    }
    shard_close(s);
    arena_clear(&a);
    return rc;
}

/* Goes on after damage. ERR_NO: some was found; ERR_DATA: so bad that a shard cannot be opened. */
static ErrCode verify(const Look *l, const LookOptions *o, Err *err)
{
    uint32_t begin, end;
    Tally t = {0};
    Err found = {.code = ERR_OK};
    ErrCode rc = look_find(l, o->stream, &begin, &end, err);

    for (uint32_t i = begin; rc == ERR_OK && i < end; i++)
        for (uint32_t k = 0; rc == ERR_OK && k < look_n_shards(l, i); k++) rc = verify_shard(l, i, k, &t, err);
    if (rc != ERR_OK) return rc;
    const ErrCode mixed = l->dir ? verify_mixture(l, &found) : ERR_OK;
    if (mixed == ERR_NOMEM) return *err = found, mixed;
    if (mixed != ERR_OK) printf("damaged %s\n", found.msg);
    if (t.n_bad)
        return err_set(err, t.n_closed ? ERR_DATA : ERR_NO, "%s: %" PRIu64 " of %" PRIu64 " shards damaged", l->path,
                       t.n_bad, t.n_shards);
    return mixed == ERR_OK ? ERR_OK : err_set(err, ERR_NO, "%s: the mixture does not fit", l->path);
}

/* find: ERR_NO when none is there. */
static ErrCode find(const Look *l, const LookOptions *o, Err *err)
{
    HashSet list;
    uint64_t n = 0;
    ErrCode rc = takedown_read(&list, o->list, err);

    if (rc == ERR_OK) rc = takedown_find(l, o->stream, &list, &n, err);
    if (rc == ERR_OK && n) rc = takedown_warn(&list, o->list, l->path, err); /* else all are missing, which is said */
    hashset_clear(&list);
    return rc == ERR_OK && n == 0 ? err_set(err, ERR_NO, "%s has none of these documents", l->path) : rc;
}

static ErrCode take_out(const char *dir, const LookOptions *o, Err *err)
{
    HashSet list;
    uint64_t n_docs = 0, n_shards = 0;
    ErrCode rc = takedown_read(&list, o->list, err);

    if (rc == ERR_OK) rc = takedown_remove(dir, &list, &n_docs, &n_shards, err);
    if (rc == ERR_OK)
        log_info("shards: %" PRIu64 " documents taken out of %s, %" PRIu64 " shards written anew", n_docs, dir,
                 n_shards);
    if (rc == ERR_OK) rc = takedown_warn(&list, o->list, dir, err);
    hashset_clear(&list);
    return rc;
}

static ErrCode run(const char *what, const char *path, const LookOptions *o, Err *err)
{
    const bool verifies = strcmp(what, "verify") == 0;
    Look l = {.path = path};
    bool is_dir;
    ErrCode rc = store_is_dir(path, &is_dir, err);

    if (rc != ERR_OK) return rc;
    if (strcmp(what, "remove") == 0) return take_out(path, o, err);
    if (verifies && !is_dir && (rc = verify(&l, o, err)) != ERR_OK) return rc; /* a header's damage is damage too */
    if ((rc = look_open(&l, path, err)) != ERR_OK) return rc;
    if (strcmp(what, "inspect") == 0)
        rc = look_inspect(&l, o, err);
    else if (strcmp(what, "find") == 0)
        rc = find(&l, o, err);
    else if (!verifies)
        rc = look_cat(&l, o, err);
    else if (is_dir)
        rc = verify(&l, o, err);
    look_close(&l);
    return rc;
}

/* Every path of the command line. Damage in one does not keep verify from the next, and the worst of them is the status; find goes on where
 * a path has none of the documents, and says so if none has. */
static ErrCode run_all(const char *what, char **path, int n, const LookOptions *o, Err *err)
{
    const bool finds = strcmp(what, "find") == 0;
    ErrCode worst = ERR_OK;
    int n_without = 0;

    for (int i = 0; i < n; i++) {
        ErrCode rc = run(what, path[i], o, err);
        if (rc == ERR_OK) continue;
        if (finds && rc == ERR_NO && ++n_without < n) continue;
        if (strcmp(what, "verify") != 0 || rc == ERR_USAGE || rc == ERR_NOMEM || rc == ERR_INTR) return rc;
        log_error("%s", err->msg);
        if (worst == ERR_OK || worst == ERR_NO) worst = rc;
    }
    err->said_elsewhere = worst != ERR_OK; /* of each, here */
    return worst;
}

static bool is_subcommand(const char *s)
{
    static const char *const all[] = {"inspect", "verify", "cat", "find", "remove"};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(s, all[i]) == 0) return true;
    return false;
}

static ErrCode settle(LookOptions *o, const char *doc, uint32_t color, Err *err)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org */

    o->style.color = color == 1 || (color == 0 && isatty(STDOUT_FILENO) && !(no_color && *no_color));
    if (!doc) return ERR_OK;
    o->has_doc = true;
    return span_to_u64(span_str(doc), &o->doc)
               ? ERR_OK
               : err_set(err, ERR_USAGE, "shards: --doc wants a number, not %.100s", doc);
}

int shards_verb(int argc, char **argv)
{
    static const char *const colors[] = {"auto", "always", "never", NULL};
    LookOptions o = {.limit = 2, .style = {.max_tokens = 500}};
    const char *doc = NULL;
    uint32_t color = 0;
    CommonOptions common = {.quiet = false};
    const OptSpec specs[] = {
        OPT_STR(0, "stream", &o.stream, "NAME", "only this stream of a directory"),
        OPT_STR(0, "doc", &doc, "N", "from this document of the stream on (inspect), only this one (cat)"),
        OPT_HEAD("inspect:"),
        OPT_U32('n', "limit", &o.limit, "N", "documents shown of each stream"),
        OPT_FLAG(0, "tokens", &o.style.tokens, "a line a token: place, id, bytes"),
        OPT_U32(0, "max-tokens", &o.style.max_tokens, "N", "tokens shown of a document; 0: all"),
        OPT_CHOICE(0, "color", &color, colors, "WHEN", "auto, always or never; auto: on a terminal"),
        OPT_HEAD("cat:"),
        OPT_FLAG(0, "ids", &o.ids, "token ids, an array a line, eos included"),
        OPT_FLAG(0, "json", &o.json, "document lines"),
        OPT_HEAD("find, remove:"),
        OPT_STR(0, "list", &o.list, "FILE", "ids, a line each"),
        OPT_COMMON_TALK(&common),
        OPT_END,
    };
    const OptVerb verb = {
        "shards", "inspect|verify|cat|find|remove [options] DIR|FILE...",
        "Look into token shards. inspect: header, streams, counts, the first documents token by token. verify: every "
        "sum\n"
        "and every rule of the format. cat: documents back as text, each followed by a line end. find: where the "
        "documents of\n"
        "a list are. remove: takes them out of DIR for good; their tokens become end-of-document, all else stays.",
        specs,
        "DIR: a tokens directory. FILE: one shard; its text needs vocab.bin in the directory above.\n"
        "Exit status of verify: 0 all well, 1 damage found, 4 what cannot be opened: it is neither, or a header, "
        "the\n"
        "manifest or the vocabulary is damaged. It looks at everything all the same."};
    Err err = {.code = ERR_OK};
    int first;

    signal(SIGPIPE, SIG_DFL); /* `| head` ends us quietly, as it does cat(1) */
    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && (first == argc || !is_subcommand(argv[first])))
        rc = err_set(&err, ERR_USAGE, "shards: inspect, verify, cat, find or remove wanted; try tamis shards --help");
    if (rc == ERR_OK && first + 1 == argc)
        rc = err_set(&err, ERR_USAGE, "shards %s: no directory or file; try tamis shards --help", argv[first]);
    if (rc == ERR_OK && o.ids && o.json) rc = err_set(&err, ERR_USAGE, "shards cat: --ids or --json, not both");
    if (rc == ERR_OK && (strcmp(argv[first], "find") == 0 || strcmp(argv[first], "remove") == 0) != (o.list != NULL))
        rc = err_set(&err, ERR_USAGE, "shards: find and remove need --list FILE, and only these");
    if (rc == ERR_OK && strcmp(argv[first], "remove") == 0 && o.stream)
        rc = err_set(&err, ERR_USAGE, "shards remove: --stream does not go with it: it is of a whole directory");
    if (rc == ERR_OK && o.list && doc)
        rc = err_set(&err, ERR_USAGE, "shards %s: --doc does not go with --list", argv[first]);
    if (rc == ERR_OK) rc = settle(&o, doc, color, &err);
    if (rc == ERR_OK) log_setup(common.quiet ? LOG_QUIET : common.verbose ? LOG_VERBOSE : LOG_NORMAL, 0);
    if (rc == ERR_OK) rc = run_all(argv[first], argv + first + 1, argc - first - 1, &o, &err);
    return verb_exit(rc, &err);
}
