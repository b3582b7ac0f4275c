#include "ingest/warc_digest.h"

#include "tests/check.h"

#ifdef TAMIS_CURL

TEST(digests_are_read_in_every_notation)
{
    static const struct {
        const char *field;
        DigestAnswer answer;
    } cases[] = {
        {"", DIGEST_ABSENT},
        /* of "abc": FIPS 180-4 and RFC 1321 have these */
        {"sha1:a9993e364706816aba3e25717850c26c9cd0d89d", DIGEST_FINE},
        {"SHA1:A9993E364706816ABA3E25717850C26C9CD0D89D", DIGEST_FINE},
        {"sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5", DIGEST_FINE},
        {"sha-1: vgmt4nsha2awvor6evyxqugcnsonbwe5", DIGEST_FINE},
        {"sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE6", DIGEST_MISMATCH},
        {"md5:900150983cd24fb0d6963f7d28e17f72", DIGEST_FINE},
        {"md5:SAAVBGB42JH3BVUWH56SRYL7OI======", DIGEST_FINE},
        {"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", DIGEST_FINE},
        {"sha-256:XJ4BNP4PAHH6UQKBIDPF3LRCEOYAGYNDSYLXVHFUCD7WD4QACWWQ====", DIGEST_FINE},
        {"sha512:"
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643"
         "c"
         "e80e2a9ac94fa54ca49f",
         DIGEST_FINE},
        {"sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE", DIGEST_UNKNOWN},
        {"sha1:!!!!4NSHA2AWVOR6EVYXQUGCNSONBWE5", DIGEST_UNKNOWN},
        {"sha1", DIGEST_UNKNOWN},
        {"crc32:352441c2", DIGEST_UNKNOWN},
        {":", DIGEST_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DigestAnswer a;
        Err err = {0};
        CHECK_OK(digest_answer(span_str(cases[i].field), SPAN_LIT("abc"), &a, &err), &err);
        CHECK_INT(cases[i].answer, a);
    }
}

/* The digest of "abc" as payload: behind a head, in chunks, of a resource, of a revisit; of a block with all. */
TEST(payloads_are_what_digests_speak_of)
{
    static const struct {
        WarcType type;
        const char *block;
        DigestAnswer of_payload;
    } cases[] = {
        {WARC_RESPONSE, "HTTP/1.1 200 OK\r\nA: b\r\n\r\nabc", DIGEST_FINE},
        {WARC_RESPONSE, "HTTP/1.1 200 OK\nA: b\n\nabc", DIGEST_FINE},
        {WARC_RESPONSE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", DIGEST_FINE},
        {WARC_RESPONSE, "HTTP/1.1 200 OK\r\n\r\nabd", DIGEST_MISMATCH},
        {WARC_RESPONSE, "HTTP/1.1 200 OK\r\nabc", DIGEST_MISMATCH},
        {WARC_RESPONSE, "", DIGEST_MISMATCH},
        {WARC_REQUEST, "POST / HTTP/1.1\r\n\r\nabc", DIGEST_FINE},
        {WARC_RESOURCE, "abc", DIGEST_FINE},
        {WARC_CONVERSION, "abd", DIGEST_MISMATCH},
        {WARC_REVISIT, "HTTP/1.1 200 OK\r\n\r\n", DIGEST_ABSENT}};
    Buf scratch = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WarcHead h = {.type = cases[i].type,
                      .block_digest = SPAN_LIT("md5:00000000000000000000000000000000"),
                      .payload_digest = SPAN_LIT("sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5")};
        DigestAnswer of_block, of_payload;
        Err err = {0};
        CHECK_OK(warc_digests(&h, span_str(cases[i].block), &scratch, &of_block, &of_payload, &err), &err);
        CHECK_INT(DIGEST_MISMATCH, of_block);
        CHECK_INT(cases[i].of_payload, of_payload);
    }
    buf_clear(&scratch);
}

#endif
