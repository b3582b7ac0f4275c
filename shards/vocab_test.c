#include "core/store.h"
#include "shards/shards.h"
#include "tests/check.h"

static Span word_of(const void *ctx, uint32_t id)
{
    const char *const *words = ctx;

    return span_str(words[id]);
}

static const char *const words[] = {"a", "", "\xe4\xbd\xa0", "longer token", "\xff"};
static const Hash128 tokenizer = {7, 8};

static void write_vocab(char path[512], Buf *file)
{
    Err err;

    snprintf(path, 512, "%s/vocab.bin", check_tmpdir());
    CHECK_OK(vocab_write(path, 5, 1, tokenizer, word_of, words, &err), &err);
    buf_reset(file);
    CHECK_OK(store_read(path, 1 << 20, file, &err), &err);
}

TEST(vocab_round_trip)
{
    char path[512];
    Buf file = {0};
    Vocab *v;
    Err err;

    write_vocab(path, &file);
    CHECK_INT(40 + 6 * 8 + 17 + 8, file.n);
    CHECK_OK(vocab_open(&v, path, &err), &err);
    CHECK_INT(5, vocab_size(v));
    CHECK_INT(1, vocab_eos(v));
    CHECK(hash128_eq(tokenizer, vocab_tokenizer_id(v)));
    for (uint32_t i = 0; i < 5; i++) CHECK_SPAN(span_str(words[i]), vocab_bytes(v, i));
    CHECK_INT(0, vocab_bytes(v, 5).n);
    CHECK_INT(0, vocab_bytes(v, UINT32_MAX).n);
    vocab_close(v);
    CHECK_INT(ERR_SYS, vocab_open(&v, "/nonexistent/vocab.bin", &err));
    buf_clear(&file);
}

TEST(vocab_damaged)
{
    char path[512];
    Buf file = {0};
    Vocab *v;
    Err err;

    write_vocab(path, &file);
    for (size_t n = 0; n < file.n; n++) {
        Span edge = check_edge((Span){file.p, n});
        CHECK_INT(ERR_DATA, vocab_open_bytes(&v, edge, "cut", &err));
        check_edge_free(edge);
    }
    for (size_t i = 0; i < file.n; i++) {
        file.p[i] ^= (uint8_t)(1u << i % 8);
        CHECK_INT(ERR_DATA, vocab_open_bytes(&v, buf_span(&file), "flipped", &err));
        file.p[i] ^= (uint8_t)(1u << i % 8);
    }
    /* right sum, wrong content: everything but the tokenizer's id and the text of tokens is checked */
    for (size_t i = 8; i < 40 + 6 * 8; i++) {
        if (i >= 16 && i < 20) continue; /* another eos may be right too */
        if (i >= 24 && i < 40) continue;
        file.p[i] ^= 0x80;
        le64_put(file.p + file.n - 8, hash64((Span){file.p, file.n - 8}));
        Span edge = check_edge(buf_span(&file));
        CHECK_INT(ERR_DATA, vocab_open_bytes(&v, edge, "changed", &err));
        check_edge_free(edge);
        file.p[i] ^= 0x80;
    }
    buf_clear(&file);
}
