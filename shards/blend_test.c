#include "shards/mixture.h"
#include "shards/permute.h"
#include "shards/shards.h"

#include "core/store.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

TEST(permute_is_a_bijection)
{
    enum { MAX = 700 };
    static uint8_t seen[MAX];

    for (uint64_t n = 1; n <= MAX; n += n < 70 ? 1 : 63)
        for (uint64_t key = 0; key < 3; key++) {
            Permute p = permute_make(n, key);
            memset(seen, 0, sizeof seen);
            for (uint64_t i = 0; i < n; i++) {
                uint64_t v = permute_at(&p, i);
                CHECK(v < n && !seen[v]);
                if (v < n) seen[v] = 1;
                CHECK_INT(i, permute_index(&p, v));
            }
        }
    Permute large = permute_make(UINT64_C(1) << 47 | 12345, 9);
    for (uint64_t i = 0; i < 1000; i++)
        CHECK(permute_at(&large, i) < large.n && permute_index(&large, permute_at(&large, i)) == i);
}

/* Over many keys every value is as often first as any other: chi-square with 15 degrees of freedom has mean 15 and
 * variance 30; 50 is more than six sigma away, and keys are fixed. */
TEST(permute_spreads)
{
    double counts[16] = {0}, chi = 0;

    for (uint64_t key = 0; key < 16000; key++) {
        Permute p = permute_make(16, mix64(key));
        counts[permute_at(&p, key % 16)]++;
    }
    for (int i = 0; i < 16; i++) chi += (counts[i] - 1000) * (counts[i] - 1000) / 1000;
    CHECK(chi < 50);
}

/* --- the sequence of streams */

static uint32_t depth_of(const Phase *p, int64_t at)
{
    if (at < 0) return 0;
    uint32_t l = depth_of(p, p->node[at].side[0]), r = depth_of(p, p->node[at].side[1]);
    return 1 + (l > r ? l : r);
}

TEST(mixture_follows_weights)
{
    static const double weights[][6] = {{1, 0, 0, 0, 0, 0},
                                        {0.5, 0.5, 0, 0, 0, 0},
                                        {0.7, 0.2, 0.1, 0, 0, 0},
                                        {1, 2, 3, 4, 5, 6},
                                        {1e-12, 1, 1e-3, 0, 5, 0.1}};
    Arena a = {0};
    Err err;

    for (size_t c = 0; c < sizeof weights / sizeof *weights; c++) {
        double w[6], sum = 0;
        uint64_t count[6] = {0}, closed[6], index;
        memcpy(w, weights[c], sizeof w);
        for (int i = 0; i < 6; i++) sum += w[i];
        Phase p = {.weight = w};
        CHECK_OK(mixture_plant(&a, &p, 6, &err), &err);
        double bound = 0.5 * depth_of(&p, p.root) + 0.01; /* and the rounding of weights to 2^-30 */
        for (uint64_t n = 0; n < 3000; n++) {
            uint32_t s = mixture_pick(&p, n, &index);
            CHECK(s < 6 && w[s] > 0);
            CHECK_INT(count[s], index); /* the closed form counts as counting does */
            count[s]++;
            memset(closed, 0, sizeof closed);
            mixture_count(&p, n + 1, closed);
            CHECK(memcmp(count, closed, sizeof count) == 0);
            for (int i = 0; i < 6; i++) CHECK(fabs((double)count[i] - w[i] / sum * (double)(n + 1)) <= bound);
        }
    }
    arena_clear(&a);
}

TEST(mixture_far_out)
{
    double w[3] = {3, 2, 1};
    uint64_t count[3] = {0}, index, far = UINT64_C(1) << 47;
    Arena a = {0};
    Phase p = {.weight = w};
    Err err;

    CHECK_OK(mixture_plant(&a, &p, 3, &err), &err);
    mixture_count(&p, far, count);
    CHECK(count[0] + count[1] + count[2] == far);
    for (uint64_t n = far; n < far + 600; n++) {
        uint32_t s = mixture_pick(&p, n, &index);
        CHECK(index == count[s]++);
    }
    arena_clear(&a);
}

/* --- whole directories */

enum { VOCAB = 70000, EOS = 0 };

static Span no_bytes(const void *ctx, uint32_t id)
{
    (void)ctx, (void)id;
    return (Span){NULL, 0};
}

/* A directory of streams of about n_tokens[i] tokens in i + 1 shards; token j of stream i is j % 60000 + 1 (or eos). */
static TokensDir *make_dir(const char *const *names, const uint64_t *n_tokens, uint32_t n)
{
    ShardSpec spec = {.vocab_size = VOCAB, .eos_id = EOS, .tokenizer_id = {1, 1}, .key = {2, 2}};
    const char *dir = check_tmpdir();
    StreamPlan plan[8];
    TokensDir *t;
    char path[512];
    Err err;

    snprintf(path, sizeof path, "%s/vocab.bin", dir);
    CHECK_OK(vocab_write(path, VOCAB, EOS, spec.tokenizer_id, no_bytes, NULL, &err), &err);
    for (uint32_t i = 0; i < n; i++) {
        plan[i] = (StreamPlan){.name = names[i], .n_shards = i + 1};
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        CHECK_OK(store_mkdirs(path, &err), &err);
        for (uint32_t k = 0; k <= i; k++) {
            uint64_t begin = n_tokens[i] * k / (i + 1), end = n_tokens[i] * (k + 1) / (i + 1);
            ShardWriter *w;
            snprintf(path, sizeof path, "%s/%s/shard-%06u.tok", dir, names[i], k);
            CHECK_OK(shardwriter_open(&w, path, &spec, &err), &err);
            while (begin < end) { /* documents of up to 50 tokens, eos included */
                uint32_t tokens[50];
                size_t m = end - begin < 50 ? (size_t)(end - begin) : 50;
                for (size_t j = 0; j + 1 < m; j++) tokens[j] = (uint32_t)((begin + j) % 60000) + 1;
                CHECK_OK(shardwriter_add(w, &(ShardDoc){.id = SPAN_LIT("d"), .domain = span_str(names[i])}, tokens,
                                         m - 1, &err),
                         &err);
                begin += m;
            }
            CHECK_OK(shardwriter_commit(&w, NULL, &err), &err);
        }
    }
    CHECK_OK(
        tokensdir_commit(dir, spec.key, (Span){NULL, 0}, (Span){NULL, 0}, (Span){NULL, 0}, plan, n, NULL, 0, &err),
        &err);
    CHECK_OK(tokensdir_open(&t, dir, &err), &err);
    return t;
}

static const char *const names[] = {"web", "books", "code", "short"};
static const uint64_t sizes[] = {10001, 3333, 700, 9};

/* Every sample of a stream once an epoch, whatever blocks and windows; held-out ones never; what was read is what stands
 * there. */
static void reads_everything_once(const TokensDir *t, BlendSpec spec)
{
    uint32_t tokens[65], want[65], stream;
    uint64_t total = 0;
    uint8_t seen[3][1200];
    Blend *b;
    Err err;

    memset(seen, 0, sizeof seen);
    CHECK_OK(blend_open(&b, t, (Span){NULL, 0}, &spec, &err), &err);
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t all = (sizes[i] - 1) / spec.context, held = (uint64_t)((double)all * spec.heldout);
        CHECK_INT(all - held, blend_stream_samples(b, i));
        total += all - held;
    }
    CHECK_INT(0, blend_stream_samples(b, 3));
    for (uint64_t s = 0; s < 3 * total; s++) {
        BlendPick p = blend_pick(b, s);
        CHECK(p.stream < 3 && p.sample < blend_stream_samples(b, p.stream));
        if (p.stream < 3 && p.sample < 1200)
            CHECK_INT(p.epoch, seen[p.stream][p.sample]++); /* all of epoch e before e + 1 */
        if (s % 37) continue;
        CHECK_OK(blend_sample(b, s, tokens, &err), &err);
        CHECK_OK(tokensdir_read(t, p.stream, p.sample * spec.context, spec.context + 1, want, &err), &err);
        CHECK_SPAN(span(want, 4 * (spec.context + 1)), span(tokens, 4 * (spec.context + 1)));
    }
    /* by size: each stream is read through three times, up to the bound of the sequence */
    for (uint32_t i = 0; i < 3; i++)
        for (uint64_t k = 0; k < blend_stream_samples(b, i); k++) CHECK(seen[i][k] >= 2 && seen[i][k] <= 4);
    for (uint64_t i = 0; i < blend_n_heldout(b); i++) {
        CHECK_OK(blend_heldout(b, i, &stream, tokens, &err), &err);
        CHECK(stream < 3);
    }
    CHECK_INT(ERR_LIMIT, blend_heldout(b, blend_n_heldout(b), &stream, tokens, &err));
    blend_close(b);
}

TEST(blend_every_sample_once_an_epoch)
{
    TokensDir *t = make_dir(names, sizes, 4);
    static const uint64_t block_bytes[] = {0, 1, 100, 333, 1000, 4000, UINT64_MAX};
    static const uint32_t windows[] = {0, 1, 2, 3, 7, 1000};

    for (size_t k = 0; k < sizeof block_bytes / sizeof *block_bytes; k++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
            reads_everything_once(
                t, (BlendSpec){.context = 16, .seed = k, .block_bytes = block_bytes[k], .window = windows[w]});
    reads_everything_once(t, (BlendSpec){.context = 16, .heldout = 0.1, .block_bytes = 333, .window = 3});
    reads_everything_once(t, (BlendSpec){.context = 64, .heldout = 0.5, .block_bytes = 333, .window = 2});
    reads_everything_once(t, (BlendSpec){.context = 9, .heldout = 0.25});
    tokensdir_close(t);
}

/* With small windows, consecutive picks of a stream come from few blocks: that is what windows are for. */
TEST(blend_windows_keep_reads_together)
{
    static const uint64_t one_size[] = {20001};
    TokensDir *t = make_dir(names, one_size, 1);
    BlendSpec spec = {
        .context = 10, .block_bytes = (10 * 17 * 10 + 7) / 8, .window = 4}; /* 10 samples a block, 40 a window */
    Blend *b;
    Err err;

    CHECK_OK(blend_open(&b, t, (Span){NULL, 0}, &spec, &err), &err);
    CHECK_INT(2000, blend_stream_samples(b, 0));
    for (uint64_t window = 0; window < 50; window++) {
        uint64_t blocks[4];
        int n_blocks = 0;
        for (uint64_t s = window * 40; s < window * 40 + 40; s++) {
            uint64_t block = blend_pick(b, s).sample / 10;
            int k = 0;
            while (k < n_blocks && blocks[k] != block) k++;
            CHECK(k < 4);
            if (k == n_blocks && k < 4) blocks[n_blocks++] = block;
        }
        CHECK_INT(4, n_blocks);
    }
    blend_close(b);
    tokensdir_close(t);
}

/* Order, seed, and names: a pick depends on nothing else. */
TEST(blend_picks_are_pure)
{
    TokensDir *t = make_dir(names, sizes, 4), *fewer = make_dir(names, sizes, 1);
    BlendSpec spec = {.context = 16, .seed = 5}, other = {.context = 16, .seed = 6};
    BlendPick forward[500];
    Blend *a, *b, *c;
    Err err;
    int same = 0;

    CHECK_OK(blend_open(&a, t, (Span){NULL, 0}, &spec, &err), &err);
    CHECK_OK(blend_open(&b, t, (Span){NULL, 0}, &spec, &err), &err);
    CHECK_OK(blend_open(&c, t, (Span){NULL, 0}, &other, &err), &err);
    for (uint64_t s = 0; s < 500; s++) forward[s] = blend_pick(a, s);
    for (uint64_t s = 500; s-- > 0;) {
        BlendPick p = blend_pick(b, s), q = blend_pick(c, s);
        CHECK(p.stream == forward[s].stream && p.sample == forward[s].sample && p.epoch == forward[s].epoch);
        CHECK(q.stream == p.stream);
        same += q.sample == p.sample;
    }
    CHECK(same < 25);
    blend_close(b);
    /* a stream's own order is the same when it is alone */
    CHECK_OK(blend_open(&b, fewer, (Span){NULL, 0}, &spec, &err), &err);
    for (uint64_t s = 0, k = 0; s < 500; s++)
        if (forward[s].stream == 0) CHECK_INT(forward[s].sample, blend_pick(b, k++).sample);
    blend_close(a);
    blend_close(b);
    blend_close(c);
    tokensdir_close(t);
    tokensdir_close(fewer);
}

TEST(blend_phases)
{
    static const char mixture[] = "{\"format\":\"tamis-mixture\",\"version\":1,\"domains\":[{\"name\":\"gone\","
                                  "\"docs\":0,\"text_bytes\":0}],\"phases\":["
                                  "{\"from\":0,\"to\":1600,\"weights\":{\"web\":1,\"short\":5,\"gone\":1}},"
                                  "{\"from\":1600,\"to\":4801,\"weights\":{\"web\":1,\"books\":3}},"
                                  "{\"from\":4801,\"to\":null,\"weights\":{\"code\":2,\"books\":2}}]}";
    TokensDir *t = make_dir(names, sizes, 4);
    BlendSpec spec = {.context = 16};
    uint64_t count[4] = {0}, next[4] = {0}, n_samples;
    Blend *b;
    Err err;

    CHECK_OK(blend_open(&b, t, span_str(mixture), &spec, &err), &err);
    for (uint64_t s = 0; s < 701; s++) {
        BlendPick p = blend_pick(b, s);
        if (s == 100) CHECK(count[0] == 100); /* 1600 tokens of 16: the stream that is too short has no weight */
        if (s == 301)
            CHECK(count[0] >= 149 && count[0] <= 151 && count[1] >= 150 && count[1] <= 152); /* 4801 rounded up */
        n_samples = blend_stream_samples(b, p.stream);
        CHECK_INT(next[p.stream] / n_samples, p.epoch); /* counted through across phases */
        next[p.stream]++;
        count[p.stream]++;
    }
    CHECK(count[2] >= 199 && count[2] <= 201 && count[3] == 0);
    blend_close(b);
    tokensdir_close(t);
}

TEST(blend_refuses)
{
    static const struct {
        const char *phases, *want;
    } cases[] = {
        {"[{\"from\":0,\"weights\":{\"nowhere\":1}}]",
         "mixture.json: a weight for nowhere, but there is no such stream"},
        {"[{\"from\":0,\"weights\":{\"web\":-1}}]", "mixture.json: the weight of web is not a number from 0 on"},
        {"[{\"from\":0,\"weights\":{\"web\":0}}]", "mixture.json: a phase in which no stream has weight"},
        {"[{\"from\":0}]", "mixture.json: a phase without weights"},
        {"[{\"from\":5,\"weights\":{\"web\":1}}]",
         "mixture.json: a phase must begin at token 0, where the one before ends"},
        {"[{\"from\":0,\"to\":0,\"weights\":{\"web\":1}}]",
         "mixture.json: a phase ends at token 0, where it begins or before"},
        {"[{\"from\":0,\"weights\":{\"web\":1}},{\"from\":1,\"weights\":{\"web\":1}}]",
         "mixture.json: a phase behind one that lasts for ever"},
        {"[]", "mixture.json: 1 to 1024 phases expected"},
        {"[{\"from\":0,\"weights\":{\"short\":1}}]", "no stream with weight has a sample of 17 tokens"},
    };
    TokensDir *t = make_dir(names, sizes, 4);
    BlendSpec spec = {.context = 16}, bad = {.context = 0};
    Blend *b;
    Err err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        snprintf(text, sizeof text, "{\"format\":\"tamis-mixture\",\"version\":1,\"phases\":%s}", cases[i].phases);
        ErrCode rc = blend_open(&b, t, span_str(text), &spec, &err);
        CHECK(rc == ERR_DATA || rc == ERR_LIMIT);
        CHECK_STR(cases[i].want, err.msg);
        CHECK(b == NULL);
    }
    CHECK_INT(ERR_USAGE, blend_open(&b, t, (Span){NULL, 0}, &bad, &err));
    CHECK_INT(ERR_DATA, blend_open(&b, t, SPAN_LIT("{}"), &spec, &err));
    tokensdir_close(t);
}

/* --- the directory itself */

TEST(tokensdir_reads_across_shards)
{
    TokensDir *t = make_dir(names, sizes, 4);
    static uint32_t all[10001], part[300];
    uint64_t local;
    uint32_t shard;
    Err err;

    CHECK_INT(4, tokensdir_n_streams(t));
    CHECK_INT(10001 + 3333 + 700 + 9, tokensdir_n_tokens(t));
    for (uint32_t s = 0; s < 4; s++) {
        const StreamInfo *info = tokensdir_stream(t, s);
        CHECK_STR(names[s], info->name);
        CHECK_INT(sizes[s], info->n_tokens);
        CHECK_INT(s + 1, info->n_shards);
        CHECK_OK(tokensdir_read(t, s, 0, (size_t)sizes[s], all, &err), &err);
        for (uint64_t i = 0; i < sizes[s]; i++) CHECK(all[i] == EOS || all[i] == i % 60000 + 1);
        for (uint64_t first = 0; first + 9 <= sizes[s]; first += 97) {
            size_t n = sizes[s] - first < 300 ? (size_t)(sizes[s] - first) : 300;
            CHECK_OK(tokensdir_read(t, s, first, n, part, &err), &err);
            CHECK_SPAN(span(all + first, 4 * n), span(part, 4 * n));
            tokensdir_locate(t, s, first, &shard, &local);
            Shard *its;
            CHECK(shard <= s);
            CHECK_OK(tokensdir_shard(t, s, shard, &its, &err), &err);
            CHECK(local < shard_n_tokens(its));
            shard_close(its);
        }
        CHECK_INT(ERR_LIMIT, tokensdir_read(t, s, sizes[s], 1, part, &err));
        CHECK_INT(ERR_LIMIT, tokensdir_read(t, s, UINT64_MAX, 2, part, &err));
    }
    tokensdir_close(t);
}

TEST(stream_names)
{
    char name[STREAM_NAME_MAX + 1], long_name[STREAM_NAME_MAX + 2];

    CHECK(stream_name(SPAN_LIT("web-en.v1_x"), name));
    CHECK_STR("web-en.v1_x", name);
    CHECK(stream_name(SPAN_LIT("../a b/\xe4\xbd\xa0"), name));
    CHECK_STR("_._a_b____", name);
    CHECK(!stream_name(SPAN_LIT(""), name));
    memset(long_name, 'x', sizeof long_name);
    CHECK(stream_name(span(long_name, STREAM_NAME_MAX), name));
    CHECK(!stream_name(span(long_name, STREAM_NAME_MAX + 1), name));
}
