#include "shards/bitpack.h"
#include "shards/mixture.h"
#include "shards/permute.h"
#include "shards/shards.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { BLEND_BLOCK_BYTES = 64 << 20 };

/* How one stream is read. The last block of samples may be short. */
typedef struct {
    uint64_t n_samples;     /* for training, an epoch; 0: not read */
    uint64_t n_heldout;     /* samples n_samples .. n_samples + n_heldout - 1 */
    uint64_t block_samples; /* of a whole block */
    uint64_t n_blocks, window;
    uint64_t key; /* of its name and the seed */
} StreamOrder;

struct Blend {
    Arena arena;
    const TokensDir *t;
    BlendSpec spec;
    uint32_t n_streams;
    StreamOrder *order;
    Mixture mixture;
    uint64_t *first_sample; /* of each phase */
    uint64_t **before;      /* phase, stream -> its picks in earlier phases */
    uint64_t n_heldout;
};

static const char *name_of(const void *ctx, uint32_t stream) { return tokensdir_stream(ctx, stream)->name; }

static void order_stream(Blend *b, uint32_t stream)
{
    const StreamInfo *info = tokensdir_stream(b->t, stream);
    StreamOrder *o = &b->order[stream];
    uint64_t context = b->spec.context, bytes = b->spec.block_bytes ? b->spec.block_bytes : BLEND_BLOCK_BYTES;
    uint64_t n = info->n_tokens ? (info->n_tokens - 1) / context : 0;

    *o = (StreamOrder){.key = hash64_seed(span_str(info->name), b->spec.seed)};
    o->n_heldout = (uint64_t)floor((double)n * b->spec.heldout);
    if (o->n_heldout == 0 && b->spec.heldout > 0 && n >= 2) o->n_heldout = 1;
    o->n_samples = n - o->n_heldout;
    if (o->n_samples == 0) return;
    if (bytes > UINT64_MAX / 8) bytes = UINT64_MAX / 8;
    o->block_samples = bytes * 8 / (bitpack_width(vocab_size(tokensdir_vocab(b->t))) * context);
    if (o->block_samples == 0) o->block_samples = 1;
    if (o->block_samples > o->n_samples) o->block_samples = o->n_samples;
    o->n_blocks = (o->n_samples + o->block_samples - 1) / o->block_samples;
    o->window = b->spec.window && b->spec.window < o->n_blocks ? b->spec.window : o->n_blocks;
}

/* The phases of the mixture; without one, a single phase that reads every stream once an epoch. */
static ErrCode read_mixture(Blend *b, Span text, Err *err)
{
    if (text.n) return mixture_parse(&b->arena, text, name_of, b->t, b->n_streams, &b->mixture, err);
    Phase *p = arena_alloc(&b->arena, sizeof *p);
    double *weight = arena_array(&b->arena, b->n_streams, sizeof *weight);
    if (!p || !weight) return err_nomem(err, "a mixture");
    for (uint32_t i = 0; i < b->n_streams; i++) weight[i] = (double)b->order[i].n_samples;
    *p = (Phase){.weight = weight};
    b->mixture = (Mixture){.phase = p, .n_phases = 1, .n_streams = b->n_streams};
    return ERR_OK;
}

/* Streams too short for a sample lose their weight to the others; what no phase reads is not held out either. */
static ErrCode settle_weights(Blend *b, Err *err)
{
    for (uint32_t k = 0; k < b->mixture.n_phases; k++) {
        Phase *p = &b->mixture.phase[k];
        double sum = 0;
        for (uint32_t i = 0; i < b->n_streams; i++) {
            if (b->order[i].n_samples == 0) p->weight[i] = 0;
            sum += p->weight[i];
        }
        if (!(sum > 0))
            return err_set(err, ERR_LIMIT, "no stream with weight has a sample of %" PRIu32 " tokens%s",
                           b->spec.context + 1, b->spec.heldout > 0 ? " beside the held-out ones" : "");
        ErrCode rc = mixture_plant(&b->arena, p, b->n_streams, err);
        if (rc != ERR_OK) return rc;
    }
    for (uint32_t i = 0; i < b->n_streams; i++) {
        bool read = false;
        for (uint32_t k = 0; k < b->mixture.n_phases; k++) read |= b->mixture.phase[k].weight[i] > 0;
        if (!read) b->order[i].n_samples = b->order[i].n_heldout = 0;
        b->n_heldout += b->order[i].n_heldout;
    }
    return ERR_OK;
}

/* Where phases begin, in samples, and what each stream has given by then. */
static ErrCode lay_out_phases(Blend *b, Err *err)
{
    uint32_t n = b->mixture.n_phases;

    b->first_sample = arena_array(&b->arena, n, sizeof *b->first_sample);
    b->before = arena_array(&b->arena, n, sizeof *b->before);
    if (!b->first_sample || !b->before) return err_nomem(err, "a mixture");
    for (uint32_t k = 0; k < n; k++) {
        uint64_t from = b->mixture.phase[k].from;
        b->first_sample[k] = from / b->spec.context + (from % b->spec.context != 0);
        b->before[k] = arena_array(&b->arena, b->n_streams, sizeof **b->before);
        if (!b->before[k]) return err_nomem(err, "a mixture");
        for (uint32_t i = 0; i < b->n_streams; i++) b->before[k][i] = k ? b->before[k - 1][i] : 0;
        if (k) mixture_count(&b->mixture.phase[k - 1], b->first_sample[k] - b->first_sample[k - 1], b->before[k]);
    }
    return ERR_OK;
}

ErrCode blend_open(Blend **out, const TokensDir *t, Span mixture, const BlendSpec *spec, Err *err)
{
    Blend *b;
    ErrCode rc;

    *out = NULL;
    if (spec->context == 0 || !(spec->heldout >= 0 && spec->heldout <= 0.5))
        return err_set(err, ERR_USAGE, "the context must be at least 1 and the held-out share from 0 to 0.5");
    if (!(b = calloc(1, sizeof *b))) return err_nomem(err, "a blend");
    b->t = t;
    b->spec = *spec;
    b->n_streams = tokensdir_n_streams(t);
    b->order = arena_array(&b->arena, b->n_streams, sizeof *b->order);
    rc = b->order ? ERR_OK : err_nomem(err, "a blend");
    for (uint32_t i = 0; rc == ERR_OK && i < b->n_streams; i++) order_stream(b, i);
    if (rc == ERR_OK) rc = read_mixture(b, mixture, err);
    if (rc == ERR_OK) rc = settle_weights(b, err);
    if (rc == ERR_OK) rc = lay_out_phases(b, err);
    if (rc == ERR_OK)
        *out = b;
    else
        blend_close(b);
    return rc;
}

void blend_close(Blend *b)
{
    if (!b) return;
    arena_clear(&b->arena);
    free(b);
}

uint64_t blend_stream_samples(const Blend *b, uint32_t stream) { return b->order[stream].n_samples; }

/* The j-th sample of an epoch, j < n_samples. Blocks are permuted, then the samples inside each window of `window` blocks.
 * All windows but the last hold equally many samples, were it not for the short block, wherever it went. */
static uint64_t order_sample(const StreamOrder *o, uint64_t epoch, uint64_t j)
{
    const uint64_t s = o->block_samples, missing = o->n_blocks * s - o->n_samples, full = o->window * s;
    Permute blocks = permute_make(o->n_blocks, mix64(o->key ^ mix64(2 * epoch)));
    uint64_t place = permute_index(&blocks, o->n_blocks - 1); /* where the short block stands */
    uint64_t short_window = place / o->window;

    uint64_t w = j / full; /* right before the short window, */
    if (w >= short_window) {
        w = (j + missing) / full; /* right behind it; inside it one of the two is */
        if (j < (short_window + 1) * full - missing) w = short_window;
    }
    uint64_t first_block = w * o->window,
             n_blocks = o->n_blocks - first_block < o->window ? o->n_blocks - first_block : o->window;
    uint64_t begin = w * full - (w > short_window ? missing : 0),
             n = n_blocks * s - (w == short_window ? missing : 0);
    Permute inside = permute_make(n, mix64(mix64(o->key ^ mix64(2 * epoch + 1)) + w));
    uint64_t at = permute_at(&inside, j - begin), slot = at / s;
    if (w == short_window) { /* as if the short block stood last in its window */
        uint64_t short_slot = place - first_block;
        if (slot == n_blocks - 1)
            slot = short_slot;
        else if (slot >= short_slot)
            slot++;
    }
    return permute_at(&blocks, first_block + slot) * s + at % s;
}

BlendPick blend_pick(const Blend *b, uint64_t s)
{
    uint32_t low = 0, high = b->mixture.n_phases;
    uint64_t index;

    while (high - low > 1) { /* the last phase that begins at s or before */
        uint32_t middle = low + (high - low) / 2;
        if (b->first_sample[middle] <= s)
            low = middle;
        else
            high = middle;
    }
    uint32_t stream = mixture_pick(&b->mixture.phase[low], s - b->first_sample[low], &index);
    const StreamOrder *o = &b->order[stream];
    index += b->before[low][stream];
    uint64_t epoch = index / o->n_samples;
    return (BlendPick){.stream = stream, .sample = order_sample(o, epoch, index % o->n_samples), .epoch = epoch};
}

static ErrCode read_sample(const Blend *b, uint32_t stream, uint64_t sample, uint32_t *out, Err *err)
{
    return tokensdir_read(b->t, stream, sample * b->spec.context, (size_t)b->spec.context + 1, out, err);
}

ErrCode blend_sample(const Blend *b, uint64_t s, uint32_t *out, Err *err)
{
    BlendPick pick = blend_pick(b, s);

    return read_sample(b, pick.stream, pick.sample, out, err);
}

uint64_t blend_n_heldout(const Blend *b) { return b->n_heldout; }

ErrCode blend_heldout(const Blend *b, uint64_t i, uint32_t *stream, uint32_t *out, Err *err)
{
    if (i >= b->n_heldout)
        return err_set(err, ERR_LIMIT, "held-out sample %" PRIu64 " asked for; there are %" PRIu64, i, b->n_heldout);
    for (*stream = 0; i >= b->order[*stream].n_heldout; ++*stream) i -= b->order[*stream].n_heldout;
    return read_sample(b, *stream, b->order[*stream].n_samples + i, out, err);
}
