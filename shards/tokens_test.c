#include "shards/shards.h"
#include "shards/stream_names.h"

#include "core/store.h"
#include "tests/check.h"

#include <stdlib.h>
#include <unistd.h>

static const char *listed(const void *ctx, uint32_t i) { return ((const char *const *)ctx)[i]; }

TEST(stream_names_are_found_as_by_a_walk)
{
    static const char *const names[] = {"web", "a", "we", "b", "web2", "Web", "aa"};
    enum { N = sizeof names / sizeof *names };
    StreamNames sorted;
    Arena a = {0};
    uint32_t found;
    Err err;

    CHECK_OK(streamnames_sort(&sorted, &a, listed, names, N, &err), &err);
    for (uint32_t i = 0; i < N; i++) CHECK(streamnames_find(&sorted, span_str(names[i]), &found) && found == i);
    CHECK(!streamnames_find(&sorted, SPAN_LIT("w"), &found) && !streamnames_find(&sorted, SPAN_LIT("zz"), &found) &&
          !streamnames_find(&sorted, SPAN_LIT(""), &found));
    CHECK(!streamnames_twice(&sorted));
    static const char *const twice[] = {"x", "y", "z", "y"};
    CHECK_OK(streamnames_sort(&sorted, &a, listed, twice, 4, &err), &err);
    CHECK_STR("y", streamnames_twice(&sorted));
    CHECK(streamnames_find(&sorted, SPAN_LIT("y"), &found) && found == 1);
    CHECK_OK(streamnames_sort(&sorted, &a, listed, NULL, 0, &err), &err);
    CHECK(!streamnames_twice(&sorted) && !streamnames_find(&sorted, SPAN_LIT("x"), &found));
    arena_clear(&a);
}

static Span no_bytes(const void *ctx, uint32_t id)
{
    (void)ctx, (void)id;
    return (Span){NULL, 0};
}

static const ShardSpec spec = {.vocab_size = 9, .tokenizer_id = {1, 1}, .key = {2, 2}};

static void write_vocab(const char *dir)
{
    char path[512];
    Err err;

    snprintf(path, sizeof path, "%s/vocab.bin", dir);
    CHECK_OK(vocab_write(path, spec.vocab_size, spec.eos_id, spec.tokenizer_id, no_bytes, NULL, &err), &err);
}

/* One document of `n` times the token 5. */
static void write_shard(const char *path, size_t n)
{
    static const uint32_t fives[8] = {5, 5, 5, 5, 5, 5, 5, 5};
    ShardWriter *w;
    Err err;

    CHECK_OK(shardwriter_open(&w, path, &spec, &err), &err);
    CHECK_OK(shardwriter_add(w, &(ShardDoc){.id = SPAN_LIT("i")}, fives, n, &err), &err);
    CHECK_OK(shardwriter_commit(&w, NULL, &err), &err);
}

/* More shards than stay mapped, in two streams: read back and forth, each is mapped again when it is wanted. The shards
 * are names of two files, of 4 and of 8 tokens. */
TEST(a_directory_of_more_shards_than_stay_mapped)
{
    enum { N = 2100 };
    const StreamPlan plan[] = {{.name = "fours", .n_shards = N}, {.name = "eights", .n_shards = N}};
    const char *dir = check_tmpdir();
    uint32_t tokens[8];
    char file[512], path[512];
    TokensDir *t;
    Err err;

    write_vocab(dir);
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof file, "%s/%d.tok", dir, i);
        write_shard(file, i ? 7 : 3);
        snprintf(path, sizeof path, "%s/%s", dir, plan[i].name);
        CHECK_OK(store_mkdirs(path, &err), &err);
        for (uint32_t k = 0; k < N; k++) {
            snprintf(path, sizeof path, "%s/%s/shard-%06u.tok", dir, plan[i].name, k);
            CHECK_INT(0, link(file, path));
        }
    }
    CHECK_OK(
        tokensdir_commit(dir, spec.key, (Span){NULL, 0}, (Span){NULL, 0}, (Span){NULL, 0}, plan, 2, NULL, 0, &err),
        &err);
    CHECK_OK(tokensdir_open(&t, dir, &err), &err);
    CHECK_INT(N * 12, tokensdir_n_tokens(t));
    for (uint32_t k = 0; k + 1 < N; k += 7)
        for (uint32_t i = 0; i < 2; i++) {
            const size_t n = i ? 8 : 4;
            CHECK_OK(tokensdir_read(t, i, k * n + 1, n, tokens, &err),
                     &err); /* the end of one, the first of the next */
            CHECK(tokens[0] == 5 && tokens[n - 3] == 5 && tokens[n - 2] == 0 && tokens[n - 1] == 5);
        }
    CHECK_INT(0, unlink(path)); /* the last one: mapped by the check, until its slot is wanted for another */
    CHECK_OK(tokensdir_read(t, 1, 8 * (uint64_t)(N - 1), 8, tokens, &err), &err);
    for (uint32_t k = 0; k < N; k++) CHECK_OK(tokensdir_read(t, 0, 4 * (uint64_t)k, 4, tokens, &err), &err);
    CHECK_INT(ERR_SYS, tokensdir_read(t, 1, 8 * (uint64_t)(N - 1), 8, tokens, &err));
    CHECK(strstr(err.msg, "shard-002099.tok"));
    tokensdir_close(t);
    CHECK_INT(ERR_SYS, tokensdir_open(&t, dir, &err));
    CHECK_OK(tokensdir_manifest(&t, dir, &err), &err); /* which does not look */
    tokensdir_close(t);
}

static void refused(const char *dir, ErrCode want, const char *why)
{
    TokensDir *t;
    Vocab *v;
    Err err = {0};

    CHECK_INT(want, tokensdir_open(&t, dir, &err));
    CHECK(t == NULL && strstr(err.msg, why));
    CHECK_INT(want, tokensdir_open_vocab(&v, dir, &err));
    CHECK(v == NULL && strstr(err.msg, why));
}

/* What is no tokens directory is named as what it is. */
TEST(other_directories_are_named)
{
    const char *dir = check_tmpdir();
    char manifest[512], plan[512];
    Err err;

    snprintf(manifest, sizeof manifest, "%s/manifest.json", dir);
    snprintf(plan, sizeof plan, "%s/stage.json", dir);
    refused("/nowhere/at/all", ERR_SYS, "does not exist");
    refused(dir, ERR_DATA, "it has no manifest.json");
    CHECK_OK(store_write(plan, SPAN_LIT("{\"stage\":\"tokenize\"}"), &err), &err);
    refused(dir, ERR_DATA, "tokenize has not finished");
    refused(plan, ERR_DATA, "is a file");
    CHECK_OK(store_write(plan, SPAN_LIT("{\"stage\":\"filter\"}"), &err), &err);
    refused(dir, ERR_DATA, "what filter made");
    CHECK_OK(store_write(manifest, SPAN_LIT("{\"format\":\"tamis-dataset\",\"stage\":\"dedup\"}"), &err), &err);
    refused(dir, ERR_DATA, "what dedup made");
    CHECK_OK(store_write(manifest, SPAN_LIT("{\"format\":\"tamis-tokens\",\"stage\":\"tokenize\"}"), &err), &err);
    refused(dir, ERR_DATA, "no vocab.bin");
    CHECK_OK(store_write(manifest, SPAN_LIT("{\"layers\":1}"), &err), &err);
    refused(dir, ERR_DATA, "of another kind");
}
