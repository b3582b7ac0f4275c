#include "core/cgroup.h"

#include "core/bytes.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static uint64_t read_limit(const char *path)
{
    FILE *f = fopen(path, "r");
    uint64_t v = UINT64_MAX;

    if (!f) return v;
    if (fscanf(f, "%" SCNu64, &v) != 1) v = UINT64_MAX; /* "max" */
    fclose(f);
    return v;
}

/* The least limit that `file` states in the tree's directory `group` or one above it. */
static uint64_t least_above(const char *tree, const char *group, const char *file)
{
    char dir[PATH_MAX], path[PATH_MAX + 32];
    size_t top = strlen(tree);
    uint64_t least = UINT64_MAX;

    if (strstr(group, "/..")) group = ""; /* seen from inside another name space: only the mount's top is ours */
    if (snprintf(dir, sizeof dir, "%s%s", tree, group) >= (int)sizeof dir) return least;
    for (size_t n = strlen(dir); n >= top; dir[n] = 0) {
        snprintf(path, sizeof path, "%s/%s", dir, file);
        uint64_t limit = read_limit(path);
        if (limit < least) least = limit;
        if (n == top) break;
        do n--;
        while (n > top && dir[n] != '/');
    }
    return least;
}

/* Whether a comma-separated list has the word `memory`. */
static bool has_memory(const char *controllers)
{
    static const char word[] = "memory";
    size_t n = sizeof word - 1;

    for (const char *p = controllers; (p = strstr(p, word)); p += n)
        if ((p == controllers || p[-1] == ',') && (p[n] == 0 || p[n] == ',')) return true;
    return false;
}

uint64_t cgroup_memory(const char *self, const char *root)
{
    char line[PATH_MAX + 128], tree[PATH_MAX];
    FILE *f = fopen(self, "r");
    uint64_t least = least_above(root, "", "memory.max"), limit;

    while (f && fgets(line, sizeof line, f)) { /* NUMBER:CONTROLLERS:PATH; version 2 has 0 and no controllers */
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        *controllers++ = *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        if (!*controllers) {
            limit = least_above(root, path, "memory.max");
        } else if (has_memory(controllers) && snprintf(tree, sizeof tree, "%s/memory", root) < (int)sizeof tree) {
            limit = least_above(tree, path, "memory.limit_in_bytes");
        } else {
            continue;
        }
        if (limit < least) least = limit;
    }
    if (f) fclose(f);
    return least;
}
