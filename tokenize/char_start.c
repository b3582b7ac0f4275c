/* Characters whose merging need not be repeated in every word.
 *
 * Let a character's bytes merge into the single token T. If no merge can ever cross its two ends before T is complete, then T stands
 * there in every word, and merging may start from T. The parts of T that touch its left end are T's left part, that one's left part,
 * and so on; such a part y waits for its own merge, of rank r, and is taken away only by a merge (w, y) of rank at most r (equal
 * ranks go to the left one, hence "at most"). Likewise on the right. So T is safe when every part on its edges has a lower rank of
 * its own merge than any merge that has it on the outer side. Starting from T then changes nothing else, because merges of T itself
 * rank behind the merge that makes it. This asks that every token's rank is behind those of its parts and that no two merges make one
 * token, as is true of every trained vocabulary; of others no character is taken as safe. */
#include "core/utf8.h"
#include "tokenize/word_merge.h"

#include <stdlib.h>

typedef struct {
    uint32_t left, right, made; /* its parts and the rank of its merge; NO_ID for a token that no merge makes */
    uint32_t as_left, as_right; /* lowest rank of the merges that have it on that side; NO_ID: none */
} TokenMerges;

/* False when the vocabulary is not of the expected kind. */
static bool gather(const Tokenizer *t, TokenMerges *info)
{
    for (uint32_t id = 0; id < t->n_ids; id++) info[id] = (TokenMerges){NO_ID, NO_ID, NO_ID, NO_ID, NO_ID};
    for (size_t i = 0; i >> t->merge_bits == 0; i++) {
        const MergeSlot *m = &t->merges[i];
        if (m->merge_rank == NO_ID) continue;
        if (info[m->id].made != NO_ID) return false;
        info[m->id].left = m->left, info[m->id].right = m->right, info[m->id].made = m->merge_rank;
        if (m->merge_rank < info[m->left].as_left) info[m->left].as_left = m->merge_rank;
        if (m->merge_rank < info[m->right].as_right) info[m->right].as_right = m->merge_rank;
    }
    for (uint32_t id = 0; id < t->n_ids; id++) {
        if (info[id].made == NO_ID) continue;
        uint32_t left = info[info[id].left].made, right = info[info[id].right].made;
        if ((left != NO_ID && left >= info[id].made) || (right != NO_ID && right >= info[id].made)) return false;
    }
    return true;
}

static bool is_safe(const TokenMerges *info, uint32_t token)
{
    for (uint32_t y = token; info[y].made != NO_ID; y = info[y].left)
        if (info[info[y].left].as_right <= info[y].made) return false;
    for (uint32_t x = token; info[x].made != NO_ID; x = info[x].right)
        if (info[info[x].right].as_left <= info[x].made) return false;
    return true;
}

/* Do the token's own bytes merge into it? */
static bool is_own_encoding(const Tokenizer *t, uint32_t token)
{
    uint32_t id[4];
    Span bytes = t->bytes[token];

    for (size_t i = 0; i < bytes.n; i++)
        if ((id[i] = t->byte_id[bytes.p[i]]) == NO_ID) return false;
    return merge_few(t, id, (uint32_t)bytes.n) == 1 && id[0] == token;
}

ErrCode tokenizer_find_chars(Tokenizer *t, Err *err)
{
    TokenMerges *info = malloc(t->n_ids * sizeof *info);
    uint32_t *char_id = malloc(CHAR_IDS * sizeof *char_id), cp;

    if (!info || !char_id) {
        free(info);
        free(char_id);
        return err_nomem(err, "the tokenizer");
    }
    memset(char_id, 0xff, CHAR_IDS * sizeof *char_id); /* NO_ID */
    t->char_id = char_id;
    if (gather(t, info)) {
        for (uint32_t id = 0; id < t->n_ids; id++) {
            Span b = t->bytes[id];
            if (info[id].made == NO_ID || b.n < 2 || b.n > 3 || utf8_next(b.p, b.n, &cp) != b.n || cp == UTF8_BAD)
                continue;
            if (is_own_encoding(t, id) && is_safe(info, id)) char_id[cp] = id;
        }
    }
    free(info);
    return ERR_OK;
}
