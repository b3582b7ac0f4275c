/* tokenize/encode_slow.h - the obvious encoder, for the test and the fuzz target: look at all neighbours, merge the pair of lowest
 * rank, the leftmost of equal ones, again. */
#ifndef TAMIS_TOKENIZE_ENCODE_SLOW_H
#define TAMIS_TOKENIZE_ENCODE_SLOW_H

#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"

#include <stdlib.h>

/* Appends the ids of one pretoken. */
static inline void slow_word(const Tokenizer *t, Span word, Buf *ids)
{
    uint32_t *id = malloc((word.n + 1) * sizeof *id);
    size_t n = 0;

    for (size_t i = 0; i < word.n && id; i++)
        if (t->byte_id[word.p[i]] != NO_ID) id[n++] = t->byte_id[word.p[i]];
    for (;;) {
        size_t at = SIZE_MAX;
        uint32_t lowest = NO_ID, made = NO_ID;
        for (size_t i = 0; i + 1 < n; i++) {
            const MergeSlot *m = merge_find(t, id[i], id[i + 1]);
            if (m && m->merge_rank < lowest) at = i, lowest = m->merge_rank, made = m->id;
        }
        if (at == SIZE_MAX) break;
        id[at] = made;
        memmove(id + at + 1, id + at + 2, (n - at - 2) * sizeof *id);
        n--;
    }
    buf_put(ids, id, n * sizeof *id);
    free(id);
}

/* Replaces *ids. Added tokens are not looked for. */
static inline void slow_encode(const Tokenizer *t, Span text, Buf *ids)
{
    buf_reset(ids);
    for (size_t at = 0, end; at < text.n; at = end) {
        end = pretoken_end(text, at);
        slow_word(t, (Span){text.p + at, end - at}, ids);
    }
}

#endif
