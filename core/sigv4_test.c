#include "core/sigv4.h"

#include "core/digest.h"
#include "tests/check.h"

#ifdef TAMIS_CURL

/* Published in the AWS General Reference and its test suite (key AKIDEXAMPLE) and in the Amazon S3 API Reference (key
 * AKIAIOSFODNN7EXAMPLE): documentation's keys, which open nothing. */
static const SigCredentials suite = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1",
                                     "service"};
static const SigCredentials s3_example = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                          "us-east-1", "s3"};
#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void check_signature(const SigCredentials *c, const SigRequest *q, const char *want)
{
    Buf out = {0};
    Err err;

    CHECK_OK(sigv4_authorize(q, c, &out, &err), &err);
    const char *text = buf_cstr(&out), *at = text ? strstr(text, "Signature=") : NULL;
    CHECK(at != NULL);
    if (at) CHECK_STR(want, at + strlen("Signature="));
    buf_clear(&out);
}

TEST(sigv4_test_suite)
{
    const SigPair header[] = {{"x-amz-date", "20150830T123600Z"}, {"host", "example.amazonaws.com"}};
    const struct {
        const char *method, *path, *query, *want;
    } cases[] = {
        {"GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"GET", "/", "Param1=value1&Param2=value2",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"GET", "/", "Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
        {"GET", "/%E1%88%B4", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
        {"GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "",
         "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SigRequest q = {cases[i].method,   cases[i].path,     cases[i].query, header, 2,
                        SHA256_OF_NOTHING, "20150830T123600Z"};
        check_signature(&suite, &q, cases[i].want);
    }
}

/* "Examples: Signature calculations", Amazon S3 API Reference. */
TEST(sigv4_s3_examples)
{
    static const char host[] = "examplebucket.s3.amazonaws.com", date[] = "20130524T000000Z";
    static const char put_sha[] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    const SigPair get[] = {
        {"host", host}, {"range", "bytes=0-9"}, {"x-amz-content-sha256", SHA256_OF_NOTHING}, {"x-amz-date", date}};
    const SigPair put[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                           {"host", host},
                           {"x-amz-content-sha256", put_sha},
                           {"x-amz-date", date},
                           {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    const SigPair plain[] = {{"host", host}, {"x-amz-content-sha256", SHA256_OF_NOTHING}, {"x-amz-date", date}};
    SigPair list[] = {{"prefix", "J"}, {"max-keys", "2"}}, lifecycle[] = {{"lifecycle", ""}};
    Buf path = {0}, query = {0};
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    Err err;

    SigRequest q = {"GET", "/test.txt", "", get, 4, SHA256_OF_NOTHING, date};
    check_signature(&s3_example, &q, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");

    CHECK_OK(sha256(SPAN_LIT("Welcome to Amazon S3."), digest, &err), &err);
    digest_hex(hex, digest, sizeof digest);
    CHECK_STR(put_sha, hex);
    sigv4_encode(&path, SPAN_LIT("/test$file.text"), true);
    q = (SigRequest){"PUT", buf_cstr(&path), "", put, 5, put_sha, date};
    check_signature(&s3_example, &q, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

    sigv4_query(&query, lifecycle, 1);
    q = (SigRequest){"GET", "/", buf_cstr(&query), plain, 3, SHA256_OF_NOTHING, date};
    check_signature(&s3_example, &q, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    buf_reset(&query);
    sigv4_query(&query, list, 2);
    q = (SigRequest){"GET", "/", buf_cstr(&query), plain, 3, SHA256_OF_NOTHING, date};
    check_signature(&s3_example, &q, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    buf_clear(&path);
    buf_clear(&query);
}

TEST(sigv4_query_is_sorted_as_encoded)
{
    /* '-' < '0' < 'A' < '_' < 'a' < '~', and '%' (of '/', 0x2f, and of UTF-8) before all of them. */
    SigPair pair[] = {{"b", "2"},        {"~", ""},    {"a", "z"},  {"a", "/"},
                      {"a", "\xc3\xa9"}, {"A b", "+"}, {"a-", "1"}, {"/", ""}};
    Buf out = {0};

    sigv4_query(&out, pair, sizeof pair / sizeof *pair);
    CHECK_STR("%2F=&A%20b=%2B&a=%2F&a=%C3%A9&a=z&a-=1&b=2&~=", buf_cstr(&out));
    buf_clear(&out);
}

/* RFC 1321, appendix A.5. */
TEST(digest_md5_in_pieces)
{
    char hex[MD5_HEX], base64[MD5_BASE64];
    Md5 *m;
    Err err;

    CHECK_OK(md5_new(&m, &err), &err);
    CHECK_OK(md5_put(m, SPAN_LIT("message "), &err), &err);
    CHECK_OK(md5_put(m, SPAN_LIT("digest"), &err), &err);
    CHECK_OK(md5_hex(m, hex, &err), &err);
    CHECK_STR("f96b697d7cb7938d525a2f31aaf161d0", hex);
    CHECK_OK(md5_base64(SPAN_LIT("message digest"), base64, &err), &err);
    CHECK_STR("+WtpfXy3k41SWi8xqvFh0A==", base64);
    md5_free(m);
    md5_free(NULL);
}

#endif
