/* A recipe's options, checked by the verbs that will take them: each is asked with --check-options, which ends before any
 * input is read or anything written. What a verb says is laid to the line of the recipe that it speaks of. */
#include "tools/child.h"
#include "tools/recipe.h"

#include <string.h>

enum { SAYS_MAX = 64 << 10 };

static bool in_word(uint8_t c) { return ascii_is_alnum(c) || c == '-'; }

/* True when `word` stands in `says`, not as a piece of another word. */
static bool speaks_of(Span says, Span word)
{
    for (size_t i = 0; word.n && word.n <= says.n - i; i++) {
        const uint8_t before = i ? says.p[i - 1] : 0, after = i + word.n < says.n ? says.p[i + word.n] : 0;
        if (memcmp(says.p + i, word.p, word.n) == 0 && !in_word(before) && !in_word(after)) return true;
    }
    return false;
}

/* The member of the stage's section that is spoken of: by its option, else by its value (a file that cannot be read; a number
 * may be anybody's). NULL: none of them. */
static const Json *blamed(const RecipeStage *s, Span says)
{
    uint64_t number;

    for (int by_value = 0; by_value < 2; by_value++)
        for (size_t i = 0; i < s->argc; i++) {
            const Span arg = span_str(s->argv[i]), option = span(arg.p, span_find(arg, '='));
            const Span value = span_from(arg, option.n + 1);
            if (!span_starts(arg, SPAN_LIT("--")) || (by_value && span_to_u64(value, &number))) continue;
            if (!speaks_of(says, by_value ? value : option)) continue;
            for (const Json *v = s->section ? s->section->child : NULL; v; v = v->next)
                if (span_eq(v->key, span_from(option, 2))) return v;
        }
    return NULL;
}

/* The first line of what the verb said, without the names it begins with. */
static Span first_line(const RecipeStage *s, const Buf *says)
{
    Span line = span_trim(span(says->p, span_find(buf_span(says), '\n')));

    for (int i = 0; i < 2; i++) {
        const Span name = span_str(i ? s->verb : "tamis");
        if (span_starts(line, name) && line.n > name.n && line.p[name.n] == ':')
            line = span_trim(span_from(line, name.n + 1));
    }
    return line;
}

static ErrCode refuse(const Recipe *r, const RecipeStage *s, int status, const Buf *says, Err *err)
{
    const Span line = first_line(s, says);
    const Json *v = blamed(s, line);
    const uint32_t at = v ? v->line : s->section ? s->section->line : 1;

    return err_set(err, status == err_status(ERR_SYS) ? ERR_SYS : ERR_USAGE, "%s:%u: %s%s%s: %.*s", r->path, at,
                   s->verb, v ? "." : "", v ? (const char *)v->key.p : "", (int)line.n, (const char *)line.p);
}

static bool is_file(const Recipe *r, const char *arg)
{
    for (size_t i = 0; i < r->n_files; i++) {
        const size_t n = strlen(r->file[i].path), all = strlen(arg);
        if (all > n && arg[all - n - 1] == '=' && strcmp(arg + all - n, r->file[i].path) == 0) return true;
    }
    return false;
}

ErrCode recipe_check(const Recipe *r, bool files, Err *err)
{
    Arena arena = {0};
    Buf says = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < r->n && rc == ERR_OK; i++) {
        const RecipeStage *s = &r->stage[i];
        size_t n = 0;
        int status = 0;
        const char **argv = arena_array(&arena, s->argc + 2, sizeof *argv);
        if (!argv) {
            rc = err_nomem(err, "a recipe");
            break;
        }
        for (size_t k = 0; k < s->argc; k++) {
            if (k == 2) argv[n++] = "--check-options";
            if (files || !is_file(r, s->argv[k])) argv[n++] = s->argv[k];
        }
        argv[n] = NULL;
        buf_reset(&says);
        rc = child_capture(CHILD_SELF, argv, CHILD_BOTH, SAYS_MAX, &says, &status, err);
        if (rc == ERR_OK && status != 0) rc = refuse(r, s, status, &says, err);
    }
    buf_clear(&says);
    arena_clear(&arena);
    return rc;
}
