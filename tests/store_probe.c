/* store_probe - core/store.h from a shell, one operation a call; exit status as tamis has it, 1 for "no". For tests/objects.sh.
 *   store_probe read PATH | range PATH OFFSET N | write PATH [PATCH] | create PATH TEXT | list DIR | exists PATH | is_dir PATH | size PATH
 *               | delete PATH | delete_tree PATH DEPTH | sweep DIR DEPTH | resolve PATH | relative FROM TO
 * write publishes standard input, then with PATCH over its first bytes. */
#include "core/dataset_files.h"
#include "core/log.h"
#include "core/store.h"

#include <stdio.h>
#include <stdlib.h>

static ErrCode do_read(const char *path, Err *err)
{
    Buf b = {0};
    ErrCode rc = store_read(path, (size_t)1 << 30, &b, err);

    if (rc == ERR_OK && b.n && fwrite(b.p, 1, b.n, stdout) != b.n) rc = err_sys(err, "cannot write");
    buf_clear(&b);
    return rc;
}

static ErrCode do_range(const char *path, const char *offset, const char *count, Err *err)
{
    size_t n = strtoull(count, NULL, 10);
    uint8_t *p = malloc(n + 1);
    InFile *f;
    ErrCode rc = infile_open(&f, path, err);

    if (rc == ERR_OK) rc = infile_read(f, strtoull(offset, NULL, 10), p, n, err);
    if (rc == ERR_OK && n && fwrite(p, 1, n, stdout) != n) rc = err_sys(err, "cannot write");
    infile_close(f);
    free(p);
    return rc;
}

static ErrCode do_write(const char *path, const char *patch, Err *err)
{
    static uint8_t piece[1000003];
    OutFile *f;
    ErrCode rc = outfile_open(&f, path, err);
    size_t n;

    while (rc == ERR_OK && (n = fread(piece, 1, sizeof piece, stdin)) > 0) rc = outfile_put(f, piece, n, err);
    if (rc == ERR_OK && patch) rc = outfile_patch(f, 0, patch, strlen(patch), err);
    if (rc == ERR_OK) return outfile_commit(&f, err);
    outfile_abandon(f);
    return rc;
}

static ErrCode do_list(const char *dir, Err *err)
{
    StoreList l;
    ErrCode rc = store_list(dir, &l, err);

    for (size_t i = 0; rc == ERR_OK && i < l.n; i++) {
        if (l.size && l.size[i] != STORE_DIR)
            printf("%s %llu\n", l.name[i], (unsigned long long)l.size[i]);
        else
            printf("%s%s\n", l.name[i], l.size ? "/" : "");
    }
    if (rc == ERR_OK) storelist_clear(&l);
    return rc;
}

static ErrCode do_names(const char *what, const char *a, const char *b, Err *err)
{
    bool relative = strcmp(what, "relative") == 0;
    const char *out = NULL;
    char *resolved = NULL;
    Arena arena = {0};
    ErrCode rc = relative ? relative_path(&arena, a, b, &out, err) : store_resolve(&arena, a, &resolved, err);

    if (rc == ERR_OK) printf("%s\n", relative ? out : resolved);
    arena_clear(&arena);
    return rc;
}

static ErrCode do_ask(const char *what, const char *path, Err *err)
{
    bool yes = false;
    uint64_t size;
    ErrCode rc;

    if (strcmp(what, "size") == 0) {
        if ((rc = store_size(path, &size, err)) == ERR_OK) printf("%llu\n", (unsigned long long)size);
        return rc;
    }
    rc = strcmp(what, "exists") == 0 ? store_exists(path, &yes, err) : store_is_dir(path, &yes, err);
    return rc == ERR_OK && !yes ? ERR_NO : rc;
}

static ErrCode probe(char **argv, int argc, Err *err)
{
    const char *what = argv[1], *path = argv[2], *more = argc > 3 ? argv[3] : "0";
    bool created;

    if (strcmp(what, "read") == 0) return do_read(path, err);
    if (strcmp(what, "range") == 0 && argc > 4) return do_range(path, more, argv[4], err);
    if (strcmp(what, "write") == 0) return do_write(path, argc > 3 ? more : NULL, err);
    if (strcmp(what, "list") == 0) return do_list(path, err);
    if (strcmp(what, "delete") == 0) return store_delete(path, err);
    if (strcmp(what, "delete_tree") == 0) return store_delete_tree(path, atoi(more), err);
    if (strcmp(what, "sweep") == 0) return store_sweep(path, atoi(more), err);
    if (strcmp(what, "resolve") == 0 || strcmp(what, "relative") == 0) return do_names(what, path, more, err);
    if (strcmp(what, "create") == 0) {
        ErrCode rc = store_create(path, span_str(more), &created, err);
        return rc == ERR_OK && !created ? ERR_NO : rc;
    }
    return do_ask(what, path, err);
}

int main(int argc, char **argv)
{
    Err err = {0};

    if (argc < 3) return err_status(ERR_USAGE);
    interrupt_install();
    ErrCode rc = probe(argv, argc, &err);
    if (rc != ERR_OK && rc != ERR_NO) fprintf(stderr, "%s\n", err.msg);
    if (fflush(stdout) != 0 && rc == ERR_OK) rc = ERR_SYS;
    return err_status(rc);
}
