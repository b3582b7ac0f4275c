#include "shards/look.h"

#include "core/store.h"
#include "tests/check.h"

static void shown_as(const char *want, const char *text, bool lines)
{
    Span edge = check_edge(span_str(text));
    Buf b = {0};

    look_put_text(&b, edge, lines);
    CHECK_STR(want, buf_cstr(&b));
    buf_clear(&b);
    check_edge_free(edge);
}

TEST(look_text_is_harmless)
{
    shown_as("plain \xe4\xbd\xa0 \xf0\x9f\x98\x80", "plain \xe4\xbd\xa0 \xf0\x9f\x98\x80", false);
    shown_as("a\\nb\\x09c", "a\nb\tc", false);
    shown_as("a\nb\tc\\x0d", "a\nb\tc\r", true);
    shown_as("\\x1b[31mred\\x07\\x7f", "\033[31mred\a\177", true);
    shown_as("\\xc2\\x9b\\xe2\\x80\\xae", "\xc2\x9b\xe2\x80\xae", true); /* CSI of C1, right-to-left override */
    shown_as("\\xff\\xe4\\xbdx", "\xff\xe4\xbdx", true);
}

static Span letters(const void *ctx, uint32_t id)
{
    static const char *const words[] = {"<eos>", "a", "b", "\xe4", "\xbd\xa0"};

    (void)ctx;
    return span_str(words[id]);
}

/* Two shards of three documents, document d being d times "a". */
static const char *make_dir(void)
{
    const ShardSpec spec = {.vocab_size = 5, .tokenizer_id = {1, 1}, .key = {2, 2}};
    static const uint32_t as[6] = {1, 1, 1, 1, 1, 1};
    const StreamPlan plan = {.name = "s", .n_shards = 2};
    const char *dir = check_tmpdir();
    char path[512];
    Err err;

    snprintf(path, sizeof path, "%s/vocab.bin", dir);
    CHECK_OK(vocab_write(path, 5, 0, spec.tokenizer_id, letters, NULL, &err), &err);
    snprintf(path, sizeof path, "%s/s", dir);
    CHECK_OK(store_mkdirs(path, &err), &err);
    for (uint32_t k = 0, d = 0; k < 2; k++) {
        ShardWriter *w;
        snprintf(path, sizeof path, "%s/s/shard-%06u.tok", dir, k);
        CHECK_OK(shardwriter_open(&w, path, &spec, &err), &err);
        for (int i = 0; i < 3; i++, d++)
            CHECK_OK(shardwriter_add(w, &(ShardDoc){.id = SPAN_LIT("i")}, as, d, &err), &err);
        CHECK_OK(shardwriter_commit(&w, NULL, &err), &err);
    }
    CHECK_OK(
        tokensdir_commit(dir, spec.key, (Span){NULL, 0}, (Span){NULL, 0}, (Span){NULL, 0}, &plan, 1, NULL, 0, &err),
        &err);
    return dir;
}

typedef struct {
    uint64_t next, n;
} Seen;

static ErrCode see(void *ctx, const Shard *s, uint64_t number, const ShardDoc *doc, uint64_t begin, uint64_t end,
                   Err *err)
{
    Seen *seen = ctx;

    (void)s, (void)doc, (void)err;
    CHECK_INT(seen->next++, number);
    CHECK_INT(number + 1, end - begin);
    seen->n++;
    return ERR_OK;
}

TEST(look_walks_across_shards)
{
    const char *dir = make_dir();
    char path[512];
    Look l;
    Err err;

    CHECK_OK(look_open(&l, dir, &err), &err);
    for (uint64_t first = 0; first < 6; first++)
        for (uint64_t limit = 0; limit < 8; limit++) {
            Seen seen = {.next = first};
            CHECK_OK(look_docs(&l, 0, first, limit, see, &seen, &err), &err);
            CHECK_INT(limit < 6 - first ? limit : 6 - first, seen.n);
        }
    Seen none = {0};
    CHECK_INT(ERR_LIMIT, look_docs(&l, 0, 6, 1, see, &none, &err));
    CHECK_STR("s: document 6 asked for; it has 6", err.msg);
    look_close(&l);
    snprintf(path, sizeof path, "%s/s/shard-000001.tok", dir);
    CHECK_OK(look_open(&l, path, &err), &err);
    CHECK(l.vocab && vocab_size(l.vocab) == 5);
    look_close(&l);
    CHECK_INT(ERR_SYS, look_open(&l, "/nonexistent/x", &err));
}

/* Without the fsync of store_write, which would make hundreds of writes slow. */
static void overwrite(const char *path, Span bytes)
{
    FILE *f = fopen(path, "wb");

    CHECK(f && fwrite(bytes.p, 1, bytes.n, f) == bytes.n);
    CHECK(f && fclose(f) == 0);
}

/* What opening a directory must notice: each file exchanged for its twin of another run, or gone. */
TEST(tokensdir_notices_strangers)
{
    const char *dir = make_dir();
    Buf a = {0}, b = {0}, manifest = {0};
    char first[512], second[512], path[512];
    TokensDir *t;
    Err err;

    snprintf(first, sizeof first, "%s/s/shard-000000.tok", dir);
    snprintf(second, sizeof second, "%s/s/shard-000001.tok", dir);
    snprintf(path, sizeof path, "%s/manifest.json", dir);
    CHECK_OK(store_read(first, 1 << 20, &a, &err), &err);
    CHECK_OK(store_read(second, 1 << 20, &b, &err), &err);
    CHECK_OK(store_read(path, 1 << 20, &manifest, &err), &err);
    CHECK_OK(store_write(first, buf_span(&b), &err), &err); /* the second shard in place of the first */
    CHECK_INT(ERR_DATA, tokensdir_open(&t, dir, &err));
    CHECK_OK(store_delete(first, &err), &err);
    CHECK_INT(ERR_SYS, tokensdir_open(&t, dir, &err));
    CHECK_OK(store_write(first, buf_span(&a), &err), &err);
    CHECK_OK(tokensdir_open(&t, dir, &err), &err);
    tokensdir_close(t);
    size_t stage_version =
        (size_t)(strstr(buf_cstr(&manifest), "\"stage_version\":") - (const char *)manifest.p) + 16;
    for (size_t i = 0; i + 1 < manifest.n; i++) { /* any digit of the manifest changed */
        uint8_t was = manifest.p[i];
        if (!ascii_is_digit(was) || i == stage_version) continue; /* which no shard says */
        manifest.p[i] = was == '9' ? '8' : (uint8_t)(was + 1);
        overwrite(path, buf_span(&manifest));
        CHECK_INT(ERR_DATA, tokensdir_open(&t, dir, &err));
        manifest.p[i] = was;
    }
    CHECK_OK(store_delete(path, &err), &err);
    CHECK_INT(ERR_DATA, tokensdir_open(&t, dir, &err));
    buf_clear(&a);
    buf_clear(&b);
    buf_clear(&manifest);
}
