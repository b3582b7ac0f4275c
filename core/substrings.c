#include "core/substrings.h"

#include <stdlib.h>

static uint32_t *slot(const Substrings *s, uint32_t state, uint32_t class)
{
    return &s->next[(size_t)state * s->n_classes + class];
}

/* The strings as a tree: a slot holds the state below, 0 where there is none; state `ends[i]` is behind a whole string. */
static void plant(Substrings *s, const Span *strings, size_t n, uint8_t *ends)
{
    s->n_states = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = 0;
        for (size_t k = 0; k < strings[i].n; k++) {
            uint32_t *to = slot(s, at, s->class[strings[i].p[k]]);
            if (*to == 0) *to = s->n_states++;
            at = *to;
        }
        ends[at] = 1;
    }
}

/* Breadth first, so that of every state the one to fall back to, a shorter suffix, is done before it: free slots become that one's. */
static void link_states(Substrings *s, uint8_t *ends, uint32_t *queue, uint32_t *back)
{
    uint32_t head = 0, tail = 0;

    back[0] = 0;
    queue[tail++] = 0;
    while (head < tail) {
        const uint32_t at = queue[head++];
        ends[at] |= ends[back[at]];
        for (uint32_t c = 0; c < s->n_classes; c++) {
            uint32_t *to = slot(s, at, c);
            const uint32_t fallen = at == 0 ? 0 : *slot(s, back[at], c);
            if (*to == 0) {
                *to = fallen;
                continue;
            }
            back[*to] = fallen;
            queue[tail++] = *to;
        }
    }
}

ErrCode substrings_build(Substrings *s, const Span *strings, size_t n, size_t max_bytes, Err *err)
{
    uint8_t *ends = NULL;
    uint32_t *queue = NULL;
    size_t bytes = 1;
    ErrCode rc = ERR_OK;

    *s = (Substrings){.n_classes = 1};
    for (size_t i = 0; i < n; i++) {
        if (strings[i].n > max_bytes - (bytes - 1))
            return err_set(err, ERR_LIMIT, "the strings to look for have more than %zu bytes", max_bytes);
        bytes += strings[i].n;
        for (size_t k = 0; k < strings[i].n; k++) {
            uint8_t *class = &s->class[strings[i].p[k]];
            if (*class == 0 && s->n_classes < 256) *class = (uint8_t)s->n_classes++;
        }
    }
    s->next = calloc(bytes, s->n_classes * sizeof *s->next);
    ends = calloc(bytes, 1);
    queue = calloc(bytes, 2 * sizeof *queue);
    if (!s->next || !ends || !queue) {
        substrings_clear(s);
        rc = err_nomem(err, "the strings to look for");
        goto out;
    }
    plant(s, strings, n, ends);
    link_states(s, ends, queue, queue + bytes);
    for (size_t i = 0; i < (size_t)s->n_states * s->n_classes; i++) s->next[i] = s->next[i] << 1 | ends[s->next[i]];
out:
    free(ends);
    free(queue);
    return rc;
}

void substrings_clear(Substrings *s)
{
    free(s->next);
    *s = (Substrings){0};
}
