/* Decoding token by token, and where tokens stand in a text. */
#include "core/utf8.h"
#include "tests/check.h"
#include "tokenize/bytelevel.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"

#include "core/json.h"

/* All bytes, a few merges that cut characters, an added token that is a byte's spelling, a special one. */
static Tokenizer *small(void)
{
    static const char *const merge[][2] = {
        {"\xe4", "\xb8"}, {"\xe4\xb8", "\xad"}, {"\xf0", "\x9f"}, {"a", "b"}, {" ", "ab"}};
    Buf b = {0}, vocab = {0}, merges = {0}, s[2] = {{0}, {0}};
    Tokenizer *t = NULL;
    Err err = {0};

    for (int c = 0; c < 256; c++) {
        buf_reset(&s[0]);
        bytelevel_put(&s[0], span(&(uint8_t){(uint8_t)c}, 1));
        json_put_string(&vocab, buf_span(&s[0]));
        buf_printf(&vocab, ":%d,", c);
    }
    for (unsigned i = 0; i < sizeof merge / sizeof *merge; i++) {
        buf_printf(&merges, "%s[", i ? "," : "");
        buf_reset(&s[1]);
        for (int k = 0; k < 2; k++) {
            buf_reset(&s[0]);
            bytelevel_put(&s[0], span_str(merge[i][k]));
            buf_put_span(&s[1], buf_span(&s[0]));
            json_put_string(&merges, buf_span(&s[0]));
            buf_puts(&merges, k ? "]" : ",");
        }
        json_put_string(&vocab, buf_span(&s[1]));
        buf_printf(&vocab, ":%u%s", 256 + i, i + 1 < sizeof merge / sizeof *merge ? "," : "");
    }
    buf_puts(&b, "{\"added_tokens\":[{\"id\":261,\"content\":\"\xc3\xbc\",\"normalized\":true},"
                 "{\"id\":262,\"content\":\"<s>\",\"special\":true,\"lstrip\":true}],\"pre_tokenizer\":");
    buf_put_span(&b, pretoken_spec());
    buf_printf(&b, ",\"model\":{\"type\":\"BPE\",\"vocab\":{%s}", buf_cstr(&vocab));
    buf_printf(&b, ",\"merges\":[%s]}}", buf_cstr(&merges));
    /* "ü" spells the byte FC, so it is in the vocabulary, and is an added token of that id */
    for (size_t i = 0; i + 3 < b.n; i++)
        if (memcmp(b.p + i, "261", 3) == 0 && b.p[i - 1] == ':' && i < 40) memcpy(b.p + i, "252", 3);
    for (size_t i = 0; i + 3 < b.n; i++)
        if (memcmp(b.p + i, "262", 3) == 0) memcpy(b.p + i, "261", 3);
    CHECK_OK(tokenizer_parse(&t, buf_span(&b), "small", &err), &err);
    buf_clear(&b);
    buf_clear(&vocab);
    buf_clear(&merges);
    buf_clear(&s[0]);
    buf_clear(&s[1]);
    return t;
}

/* Random ids, so mostly no UTF-8: the pieces are whole characters, together they are what all at once gives. */
TEST(a_stream_gives_whole_characters)
{
    Tokenizer *t = small();
    Buf all = {0}, pieces = {0};
    uint32_t ids[40];
    Err err = {0};

    for (uint64_t seed = 0; seed < 4000; seed++) {
        bool lossless = seed % 4 == 3;
        for (uint64_t i = 0; i < 40; i++) {
            static const uint32_t often[] = {0xe4, 0xb8, 0xad, 0xf0, 0x9f, 0x98, 0x80,
                                             256,  257,  258,  0xc3, 0xed, 261,  'a'};
            uint64_t r = mix64(seed * 64 + i);
            ids[i] = r % 8 ? often[(r >> 8) % (sizeof often / sizeof *often)] : (uint32_t)((r >> 8) % 262);
        }
        buf_reset(&all);
        buf_reset(&pieces);
        DecodeStream s = decodestream(t, lossless, true);
        for (int i = 0; i < 40; i++) {
            CHECK_OK(decodestream_put(&s, ids[i], &pieces, &err), &err);
            CHECK(lossless || utf8_valid(buf_span(&pieces)));
            CHECK(s.n_held < 4);
        }
        decodestream_end(&s, &pieces);
        if (lossless)
            CHECK_OK(decode(t, ids, 40, true, &all, &err), &err);
        else
            CHECK_OK(decode_as_reference(t, ids, 40, true, &all, &err), &err);
        CHECK_SPAN(buf_span(&all), buf_span(&pieces));
    }
    DecodeStream s = decodestream(t, false, false);
    CHECK_INT(ERR_DATA, decodestream_put(&s, 300, &pieces, &err));
    tokenizer_free(t);
    buf_clear(&all);
    buf_clear(&pieces);
}

/* A character is there with its last byte, not before and not later. */
TEST(a_stream_holds_back_begun_characters_only)
{
    static const uint32_t ids[] = {'a', 0xe4, 0xb8, 0xad, 258, 0x98, 'b', 0xe4, 'c', 0xff, 0xc3};
    static const char *const want[] = {
        "a", "", "", "\xe4\xb8\xad", "", "", "\357\277\275b", "", "\357\277\275c", "\xef\xbf\xbd", ""};
    Tokenizer *t = small();
    Buf out = {0};
    Err err = {0};
    DecodeStream s = decodestream(t, false, false);

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        buf_reset(&out);
        CHECK_OK(decodestream_put(&s, ids[i], &out, &err), &err);
        CHECK_STR(want[i], buf_cstr(&out));
    }
    buf_reset(&out);
    decodestream_end(&s, &out);
    CHECK_STR("\xef\xbf\xbd", buf_cstr(&out));
    tokenizer_free(t);
    buf_clear(&out);
}

TEST(offsets_of_a_text)
{
    /* a | space + <s> | 中 | the four bytes of 😀: two, one, one | é in two | space ab */
    static const TokenOffset want[] = {{0, 1, 0, 1},   {1, 5, 1, 5},   {5, 8, 5, 6},   {8, 10, 6, 7},  {10, 11, 6, 7},
                                       {11, 12, 6, 7}, {12, 13, 7, 8}, {13, 14, 7, 8}, {14, 17, 8, 11}};
    Tokenizer *t = small();
    Buf ids = {0}, offsets = {0}, plain = {0};
    Encoder *e;
    Err err = {0};
    Span text = SPAN_LIT("a <s>\xe4\xb8\xad\xf0\x9f\x98\x80\xc3\xa9 ab");

    CHECK_OK(encoder_new(&e, t, &err), &err);
    CHECK_OK(encode_offsets(e, text, ENCODE_ALL, &ids, &offsets, &err), &err);
    CHECK_OK(encode_as(e, text, ENCODE_ALL, &plain, &err), &err);
    CHECK_SPAN(buf_span(&plain), buf_span(&ids));
    CHECK_INT(sizeof want / sizeof *want, offsets.n / sizeof *want);
    for (size_t i = 0; i < sizeof want / sizeof *want && i < offsets.n / sizeof *want; i++) {
        TokenOffset got;
        memcpy(&got, offsets.p + i * sizeof got, sizeof got);
        CHECK_INT(want[i].begin, got.begin);
        CHECK_INT(want[i].end, got.end);
        CHECK_INT(want[i].char_begin, got.char_begin);
        CHECK_INT(want[i].char_end, got.char_end);
    }
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&ids);
    buf_clear(&offsets);
    buf_clear(&plain);
}
