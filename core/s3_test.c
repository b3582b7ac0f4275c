#include "core/s3.h"

#include "tests/alloc_fault.h"
#include "tests/check.h"

#include <stdlib.h>

#ifdef TAMIS_CURL

static void check_path(const char *path, const char *bucket, const char *key)
{
    S3Path p;
    Err err;

    CHECK_OK(s3_path(&p, path, &err), &err);
    CHECK_STR(bucket, p.bucket);
    CHECK_STR(key, p.key);
}

TEST(s3_paths)
{
    char longest[6 + 2 + S3_MAX_KEY + 2] = "s3://b/";
    S3Path p;
    Err err;

    check_path("s3://box", "box", "");
    check_path("s3://box/", "box", "");
    check_path("s3://box/a/b", "box", "a/b");
    check_path("s3://box//a/./b/..//c/", "box", "a/c");
    check_path("s3://box/clean/../docs", "box", "docs");
    check_path("s3://box/../../a..b/...", "box", "a..b/...");
    static const char *const bad[] = {"s3://", "s3:///a", "s3://b%20x/a", "s3://me:pw@host/a", "s3://.b/a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK_INT(ERR_USAGE, s3_path(&p, bad[i], &err));
    memset(longest + 7, 'k', S3_MAX_KEY);
    CHECK_OK(s3_path(&p, longest, &err), &err);
    CHECK_INT(S3_MAX_KEY, strlen(p.key));
    longest[7 + S3_MAX_KEY] = 'k';
    CHECK_INT(ERR_LIMIT, s3_path(&p, longest, &err));
}

/* The environment for one URL; "" takes a variable away. */
static void check_url(const char *endpoint, const char *region, const char *path, const char *want)
{
    Buf out = {0};
    S3Path p;
    Err err;

    setenv("AWS_ENDPOINT_URL_S3", endpoint, 1);
    setenv("AWS_REGION", region, 1);
    CHECK_OK(s3_path(&p, path, &err), &err);
    ErrCode rc = s3_url(&p, NULL, &out, &err);
    if (want) CHECK_STR(want, rc == ERR_OK ? buf_cstr(&out) : err.msg);
    if (!want) CHECK_INT(ERR_USAGE, rc);
    buf_clear(&out);
}

TEST(s3_urls)
{
    static const char *const names[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION",
                                        "AWS_DEFAULT_REGION"};
    char *before[4];

    for (int i = 0; i < 4; i++) {
        before[i] = getenv(names[i]) ? strdup(getenv(names[i])) : NULL;
        unsetenv(names[i]);
    }
    check_url("", "", "s3://box/a b/\xc3\xa9+", "https://box.s3.us-east-1.amazonaws.com/a%20b/%C3%A9%2B");
    check_url("", "eu-west-3", "s3://box", "https://box.s3.eu-west-3.amazonaws.com/");
    check_url("", "eu-west-3", "s3://my.box/a", "https://s3.eu-west-3.amazonaws.com/my.box/a");
    check_url("http://store:9000", "", "s3://box/a/b", "http://store:9000/box/a/b");
    check_url("https://store/", "", "s3://box", "https://store/box/");
    check_url("ftp://store", "", "s3://box", NULL);
    check_url("http://me:pw@store", "", "s3://box", NULL);
    check_url("http://store/path", "", "s3://box", NULL);
    for (int i = 0; i < 4; i++) {
        if (before[i])
            setenv(names[i], before[i], 1);
        else
            unsetenv(names[i]);
        free(before[i]);
    }
}

static ErrCode sign_one(void *ctx, Err *err)
{
    const SigCredentials who = {"ID", "SECRET", "us-east-1", "s3"};
    const SigPair header[] = {{"host", "store"}, {"x-amz-date", "20150830T123600Z"}};
    SigPair query[] = {{"uploads", ""}, {"prefix", "a/b"}};
    Buf out = {0}, text = {0};

    (void)ctx;
    sigv4_query(&text, query, 2);
    ErrCode rc = buf_ok(&text, "a query", err);
    if (rc == ERR_OK && !buf_cstr(&text)) rc = err_nomem(err, "a query");
    SigRequest q = {"GET", "/", (const char *)text.p, header, 2, "0", "20150830T123600Z"};
    if (rc == ERR_OK) rc = sigv4_authorize(&q, &who, &out, err);
    buf_clear(&out);
    buf_clear(&text);
    return rc;
}

TEST(sigv4_without_memory) { alloc_fault_each(sign_one, NULL, NULL); }

#endif
