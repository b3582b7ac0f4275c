/* Memory that runs out anywhere in writing a tokens directory and in reading it. */
#include "shards/look.h"
#include "shards/shards.h"

#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

static const ShardSpec spec = {.vocab_size = 300, .eos_id = 7, .tokenizer_id = {1, 1}, .key = {2, 2}};
static const StreamPlan plan[] = {{.name = "web", .n_shards = 2}, {.name = "books", .n_shards = 1}};

static Span a_byte(const void *ctx, uint32_t id)
{
    (void)ctx, (void)id;
    return SPAN_LIT("x");
}

static ErrCode write_shard(const char *path, Err *err)
{
    static const uint32_t tokens[400];
    ShardWriter *w;
    ErrCode rc = shardwriter_open(&w, path, &spec, err);

    for (int d = 0; d < 5 && rc == ERR_OK; d++)
        rc = shardwriter_add(w, &(ShardDoc){.id = SPAN_LIT("id"), .domain = SPAN_LIT("d"), .lang = SPAN_LIT("en")},
                             tokens, 400, err);
    if (rc == ERR_OK) return shardwriter_commit(&w, NULL, err);
    shardwriter_abandon(w);
    return rc;
}

static ErrCode write_all(void *ctx, Err *err)
{
    const char *dir = ctx;
    const Span none = {NULL, 0};
    char path[512];
    ErrCode rc;

    snprintf(path, sizeof path, "%s/vocab.bin", dir);
    rc = vocab_write(path, spec.vocab_size, spec.eos_id, spec.tokenizer_id, a_byte, NULL, err);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 0; k < plan[i].n_shards && rc == ERR_OK; k++) {
            snprintf(path, sizeof path, "%s/%s/shard-%06u.tok", dir, plan[i].name, k);
            rc = write_shard(path, err);
        }
    return rc == ERR_OK ? tokensdir_commit(dir, spec.key, none, none, none, plan, 2, NULL, 0, err) : rc;
}

static ErrCode read_all(void *ctx, Err *err)
{
    static const char mixture[] =
        "{\"format\":\"tamis-mixture\",\"version\":1,\"phases\":[{\"from\":0,\"to\":64,"
        "\"weights\":{\"web\":2}},{\"from\":64,\"to\":null,\"weights\":{\"web\":2,\"books\":1}}]}";
    const BlendSpec how = {.context = 16, .seed = 1, .heldout = 0.1};
    TokensDir *t;
    Blend *b = NULL;
    uint32_t tokens[17], stream;
    ErrCode rc = tokensdir_open(&t, ctx, err);

    if (rc == ERR_OK) rc = blend_open(&b, t, span_str(mixture), &how, err);
    for (uint64_t s = 0; s < 20 && rc == ERR_OK; s++) rc = blend_sample(b, s, tokens, err);
    if (rc == ERR_OK) rc = blend_heldout(b, 0, &stream, tokens, err);
    blend_close(b);
    tokensdir_close(t);
    return rc;
}

static ErrCode look_at_one(void *ctx, Err *err)
{
    Look l;
    ErrCode rc = look_open(&l, ctx, err);

    if (rc == ERR_OK) look_close(&l);
    return rc;
}

TEST(tokens_without_memory)
{
    const char *dir = check_tmpdir();
    char path[512];
    Err err;

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, plan[i].name);
        CHECK_OK(store_mkdirs(path, &err), &err);
    }
    alloc_fault_each(write_all, NULL, (char *)(uintptr_t)dir);
    alloc_fault_each(read_all, NULL, (char *)(uintptr_t)dir);
    snprintf(path, sizeof path, "%s/web/shard-000001.tok", dir);
    alloc_fault_each(look_at_one, NULL, path);
}
