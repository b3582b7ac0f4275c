/* The text as symbols, and which count holds where. */
#include "tokenize/bpe_trainer.h"
#include "tokenize/word_merge.h"

/* --- segments */

/* Where the first symbol of each block belongs. */
static ErrCode index_blocks(Symbols *s, Err *err)
{
    size_t seg = 0;

    free(s->block);
    s->n_blocks = (s->n >> BLOCK_BITS) + 1;
    s->segment[s->n_segments] = (Segment){.begin = SIZE_MAX};
    if (!(s->block = malloc(s->n_blocks * sizeof *s->block))) return err_nomem(err, "the words to train on");
    for (size_t i = 0; i < s->n_blocks; i++) {
        while (s->segment[seg + 1].begin <= i << BLOCK_BITS) seg++;
        s->block[i] = (uint32_t)seg;
    }
    return ERR_OK;
}

static void begin_segment(Symbols *s, size_t at, uint64_t count)
{
    if (s->n_segments && s->segment[s->n_segments - 1].count == count) return;
    s->segment[s->n_segments++] = (Segment){at, count};
}

/* --- laying out */

static ErrCode merged_word(WordMerger *merger, Span word, Buf *ids, Err *err)
{
    buf_reset(ids);
    ErrCode rc = word_encode(merger, word, ids, err);

    return rc == ERR_OK ? buf_ok(ids, "a word", err) : rc;
}

/* A pretoken that is one token without merging. */
static bool is_whole(const Tokenizer *t, Span word)
{
    return t && t->whole && wholewords_find(t->whole, t, word) != NO_ID;
}

static ErrCode put_words(Symbols *s, const WordList *words, const BpeStart *start, Err *err)
{
    WordMerger merger = {.t = start->base};
    WordWalk w = wordwalk(words);
    ErrCode rc = ERR_OK;
    Buf ids = {0};

    s->n = 0;
    s->sym[s->n++] = SEPARATOR;
    for (size_t i = 0; rc == ERR_OK && wordwalk_next(&w); i++) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) break;
        if (is_whole(start->extended, w.word)) continue;
        size_t n = w.word.n;
        uint32_t *to = s->sym + s->n;
        if (start->base) {
            if ((rc = merged_word(&merger, w.word, &ids, err)) != ERR_OK) break;
            n = ids.n / sizeof *to;
            if (n > 1) memcpy(to, ids.p, ids.n);
        } else if (n > 1) {
            for (size_t k = 0; k < n; k++) to[k] = start->id_of_byte[w.word.p[k]];
        }
        if (n <= 1) continue;
        begin_segment(s, s->n, w.count);
        to[n] = SEPARATOR;
        s->n += n + 1;
    }
    wordmerger_clear(&merger);
    buf_clear(&ids);
    return rc;
}

uint64_t symbols_memory(const Symbols *s)
{
    return SLAB_HEAD + s->slab->cap + s->n_blocks * sizeof *s->block + s->n_segments * sizeof *s->segment;
}

ErrCode symbols_lay_out(Symbols *s, const WordList *words, const BpeStart *start, Err *err)
{
    size_t room;
    ErrCode rc;

    *s = (Symbols){0};
    if (!u64_to_size(words->n_symbols + 2, &room) || !size_mul(room, sizeof *s->sym, &room))
        return err_nomem(err, "the words to train on");
    s->slab = slab_take(room);
    s->segment = malloc((words->n_groups + 2) * sizeof *s->segment);
    if (!s->slab || !s->segment) return err_nomem(err, "the words to train on");
    s->sym = (uint32_t *)(void *)slab_bytes(s->slab);
    if ((rc = put_words(s, words, start, err)) != ERR_OK) return rc;
    if (s->n_segments == 0) begin_segment(s, 0, 0);
    s->segment[0].begin = 0;
    return index_blocks(s, err);
}

void symbols_clear(Symbols *s)
{
    slab_give(s->slab, 0);
    free(s->segment);
    free(s->block);
    *s = (Symbols){0};
}

/* --- compacting */

/* A smaller place for what is left, when that is much smaller. */
static void shrink(Symbols *s)
{
    size_t bytes = s->n * sizeof *s->sym;
    Slab *slab = bytes < s->slab->cap / 4 * 3 ? slab_take(bytes) : NULL;

    if (!slab) return; /* it can stay where it is */
    memcpy(slab_bytes(slab), s->sym, bytes);
    slab_give(s->slab, 0);
    s->slab = slab;
    s->sym = (uint32_t *)(void *)slab_bytes(slab);
}

ErrCode symbols_compact(Symbols *s, const uint32_t *slots, Err *err)
{
    size_t to = 1, n_segments = 0, word = 1, seg = 0;

    for (size_t at = 1; at < s->n;) {
        uint32_t id = s->sym[at];
        if (id != SEPARATOR) {
            s->sym[to++] = id;
            at += slots[id];
            continue;
        }
        if (to - word > 1) { /* a word of one token has no pairs */
            uint64_t count = count_at(s, at - 1, &seg);
            if (!n_segments || s->segment[n_segments - 1].count != count) {
                s->segment[n_segments] = (Segment){n_segments ? word : 0, count};
                n_segments++;
            }
            s->sym[to++] = SEPARATOR;
            word = to;
        }
        to = word;
        at++;
    }
    if (n_segments == 0) s->segment[n_segments++] = (Segment){0, 0};
    s->n = to;
    s->n_segments = n_segments;
    shrink(s);
    return index_blocks(s, err);
}
