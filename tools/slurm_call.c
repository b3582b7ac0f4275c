/* The commands of Slurm: words, never a shell's line. */
#include "tools/slurm_call.h"

#include "core/store.h"
#include "tools/child.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

ErrCode slurm_command(const char *const *argv, Buf *says, Err *err)
{
    int status = 0;
    ErrCode rc = child_capture(argv[0], argv, CHILD_STDOUT, SLURM_MAX_TEXT, says, &status, err);

    if (rc == ERR_OK && status != 0) /* it has said why on stderr; the second word names the job */
        rc = err_set(err, ERR_SYS, "%s %s%s%s ended with status %d", argv[0], argv[1], argv[2] ? " " : "",
                     argv[2] ? argv[2] : "", status);
    return rc;
}

void slurm_forget_job(void)
{
    char name[256];

    for (size_t i = 0; environ && environ[i];) {
        const size_t n = strcspn(environ[i], "=");
        const bool of_job = strncmp(environ[i], "SLURM_", 6) == 0 && strncmp(environ[i], "SLURM_CONF=", 11) != 0;
        if (!of_job || n >= sizeof name) {
            i++;
            continue;
        }
        memcpy(name, environ[i], n);
        name[n] = 0;
        if (unsetenv(name) != 0) i++; /* else the next one has moved here */
    }
}

/* A word of the pieces given, NULL behind the last; NULL when there is no memory. */
static const char *word(Arena *a, const char *const *piece)
{
    Buf b = {0};

    for (; *piece; piece++) buf_puts(&b, *piece);
    const char *s = b.oom ? NULL : arena_str(a, buf_span(&b));
    buf_clear(&b);
    return s;
}

/* In a file name of sbatch a percent sign begins a replacement. */
static const char *log_word(Arena *a, const SlurmCall *c)
{
    Buf b = {0};

    buf_puts(&b, "--output=");
    for (const char *s = c->dir; *s; s++) {
        if (*s == '%') buf_putc(&b, '%');
        buf_putc(&b, (uint8_t)*s);
    }
    buf_printf(&b, "/log/%s.%s.log", c->name, c->indices ? "%A_%a" : "%j");
    const char *s = b.oom ? NULL : arena_str(a, buf_span(&b));
    buf_clear(&b);
    return s;
}

const char *const *slurm_sbatch_words(Arena *a, const SlurmCall *c)
{
    enum { MAX_WORDS = 12 };
    const char **argv = arena_array(a, MAX_WORDS, sizeof *argv);
    char first[16];
    size_t n = 0;

    if (!argv) return NULL;
    argv[n++] = "sbatch";
    argv[n++] = "--parsable";
    argv[n++] = word(a, (const char *const[]){"--job-name=tamis-", c->name, NULL});
    argv[n++] = log_word(a, c);
    if (c->hold) argv[n++] = "--hold";
    if (c->after) argv[n++] = "--kill-on-invalid-dep=yes";
    if (c->after) argv[n++] = word(a, (const char *const[]){"--dependency=", c->after, NULL});
    if (c->indices) argv[n++] = word(a, (const char *const[]){"--array=", c->indices, NULL});
    argv[n++] = word(a, (const char *const[]){c->dir, "/", c->name, ".sh", NULL});
    snprintf(first, sizeof first, "%" PRIu32, c->first);
    if (c->indices) argv[n++] = arena_str(a, span_str(first));
    for (size_t i = 0; i < n; i++)
        if (!argv[i]) return NULL;
    argv[n] = NULL;
    return argv;
}

ErrCode slurm_sbatch(const SlurmCall *c, uint64_t *id, Err *err)
{
    Arena a = {0};
    Buf says = {0};
    const char *const *argv = slurm_sbatch_words(&a, c);

    ErrCode rc = argv ? slurm_command(argv, &says, err) : err_nomem(err, "a command");
    if (rc == ERR_OK) {
        const Span line = span_trim(buf_span(&says)); /* ID or ID;CLUSTER */
        if (!span_to_u64(span(line.p, span_find(line, ';')), id))
            rc = err_set(err, ERR_SYS, "sbatch named no job: %.*s", (int)(line.n < 100 ? line.n : 100),
                         (const char *)line.p);
    }
    buf_clear(&says);
    arena_clear(&a);
    return rc;
}

void slurm_put_after(Buf *b, const char *how, const uint64_t *id, size_t n)
{
    buf_puts(b, how);
    for (size_t i = 0; i < n; i++) buf_printf(b, ":%" PRIu64, id[i]);
}

/* --- jobs.json */

void slurm_put_head(Buf *b, uint32_t max_array, uint32_t retries)
{
    buf_printf(
        b, "{\"format\":\"tamis-slurm\",\"version\":1,\"max_array\":%" PRIu32 ",\"retries\":%" PRIu32 ",\"jobs\":[",
        max_array, retries);
}

void slurm_put_entry(Buf *b, const SlurmEntry *e)
{
    const bool behind_another = b->n && b->p[b->n - 1] == '}';

    buf_puts(b, behind_another ? ",\n{\"name\":" : "\n{\"name\":");
    json_put_cstr(b, e->name);
    buf_printf(b, ",\"id\":%" PRIu64, e->id);
    if (e->tasks) buf_printf(b, ",\"first\":%" PRIu32 ",\"tasks\":%" PRIu32, e->first, e->tasks);
    if (e->output) {
        buf_printf(b, ",\"tries\":%" PRIu32 ",\"rounds\":%" PRIu32 ",\"output\":", e->tries, e->rounds);
        json_put_cstr(b, e->output);
    }
    buf_puts(b, ",\"after\":[");
    for (size_t i = 0; i < e->n_after; i++) buf_printf(b, "%s%" PRIu64, i ? "," : "", e->after[i]);
    buf_puts(b, "]}");
}

void slurm_put_tail(Buf *b) { buf_puts(b, "]}\n"); }

ErrCode slurm_read_state(Arena *a, const char *dir, const Json **out, Err *err)
{
    const char *path = path_join(a, dir, "jobs.json");
    const char *format;
    Buf text = {0};
    bool exists = false;
    Json *root = NULL;

    *out = NULL;
    if (!path) return err_nomem(err, "a path");
    ErrCode rc = store_exists(path, &exists, err);
    if (rc != ERR_OK || !exists) return rc;
    rc = store_read(path, SLURM_MAX_TEXT, &text, err);
    const Span kept = rc == ERR_OK ? arena_copy(a, buf_span(&text)) : (Span){0};
    if (rc == ERR_OK) rc = kept.p ? json_parse(a, kept, path, &root, err) : err_nomem(err, "jobs.json");
    if (rc == ERR_OK) rc = json_get_str(root, "format", path, &format, err);
    if (rc == ERR_OK && (!format || strcmp(format, "tamis-slurm") != 0))
        rc = err_set(err, ERR_DATA, "%s is not what tamis run --slurm writes", path);
    if (rc == ERR_OK) *out = root;
    buf_clear(&text);
    return rc;
}
