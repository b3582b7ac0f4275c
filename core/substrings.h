/* core/substrings.h - whether a text holds one of many strings, in one look at each byte (Aho and Corasick 1975). The automaton is a full table:
 * a state for each prefix of a string, times the bytes that occur in any, 4 bytes each. */
#ifndef TAMIS_CORE_SUBSTRINGS_H
#define TAMIS_CORE_SUBSTRINGS_H

#include "core/buf.h"

typedef struct {
    uint32_t *next;     /* [state * n_classes + class]: the state behind, times two; odd: a string ends there */
    uint8_t class[256]; /* 0: in no string */
    uint32_t n_classes, n_states;
} Substrings;

/* Of n strings, none empty, of at most `max_bytes` in all; ERR_LIMIT beyond. `s` is overwritten. */
MUST_USE ErrCode substrings_build(Substrings *s, const Span *strings, size_t n, size_t max_bytes, Err *err);
void substrings_clear(Substrings *s);
/* Begin with *state 0; feeds one byte. True: a string ends with it. */
static inline bool substrings_step(const Substrings *s, uint32_t *state, uint8_t byte)
{
    const uint32_t to = s->next[*state * s->n_classes + s->class[byte]];

    *state = to >> 1;
    return to & 1;
}

#endif
