#include "tests/check.h"
#include "tools/token_streams.h"

#include <stdio.h>

TEST(domains_are_counted_and_sorted)
{
    static const char *const met[] = {"web-zh", "code", "web-en", "code", "code", "a", "web-zh"};
    DomainSet a = {0}, b = {0};
    Buf told = {0};
    DomainCount *d;
    Err err = {0};

    for (size_t i = 0; i < sizeof met / sizeof *met; i++) {
        CHECK_OK(domainset_at(i % 2 ? &a : &b, span_str(met[i]), &d, &err), &err);
        d->n_docs++;
        d->text_bytes += i;
    }
    CHECK_OK(domainset_merge(&a, &b, &err), &err);
    CHECK_INT(4, a.n);
    for (size_t i = 1; i < a.n; i++) CHECK(span_cmp(a.v[i - 1].domain, a.v[i].domain) < 0);
    CHECK_INT(3, a.v[domainset_find(&a, SPAN_LIT("code"))].n_docs);
    CHECK_INT(1 + 3 + 4, a.v[domainset_find(&a, SPAN_LIT("code"))].text_bytes);
    a.v[0].n_dropped = 2, a.v[0].n_tokens = 5;
    domainset_put(&a, &told);
    CHECK_OK(domainset_add(&a, buf_span(&told), "told", &err), &err); /* once more of all */
    CHECK(a.n == 4 && a.v[0].n_dropped == 4 && a.v[0].n_tokens == 10);
    CHECK_INT(16, a.v[domainset_find(&a, SPAN_LIT("code"))].text_bytes);
    CHECK_INT(ERR_DATA, domainset_add(&a, span(told.p, told.n - 1), "told", &err));
    CHECK(domainset_find(&a, SPAN_LIT("web")) == SIZE_MAX);
    buf_clear(&told);
    domainset_clear(&a);
    domainset_clear(&b);
}

static ErrCode name_all(const char *const *domain, size_t n, DomainSet *s, Err *err)
{
    DomainCount *d;

    *s = (DomainSet){0};
    for (size_t i = 0; i < n; i++) {
        ErrCode rc = domainset_at(s, span_str(domain[i]), &d, err);
        if (rc != ERR_OK) return rc;
    }
    return domainset_name(s, err);
}

TEST(no_domain_becomes_a_path)
{
    DomainSet s;
    Err err = {0};

    CHECK_OK(name_all((const char *[]){"../../etc", "a/b", ".", "\xe4\xb8\xad", "web-en"}, 5, &s, &err), &err);
    for (size_t i = 0; i < s.n; i++) CHECK(!strchr(s.v[i].name, '/') && s.v[i].name[0] != '.');
    domainset_clear(&s);
    CHECK_INT(ERR_DATA, name_all((const char *[]){"a/b", "a_b"}, 2, &s, &err));
    CHECK(strstr(err.msg, "a_b") != NULL);
    domainset_clear(&s);
    CHECK_INT(ERR_DATA, name_all((const char *[]){"vocab.bin"}, 1, &s, &err));
    domainset_clear(&s);
    CHECK_INT(ERR_DATA, name_all((const char *[]){""}, 1, &s, &err));
    domainset_clear(&s);
}

TEST(shards_are_known_by_their_names)
{
    static const char *const none[] = {
        "shard-00001.tok",  "shard-0000001.tok",        "shard-+00001.tok", "shard-00000a.tok",
        "Shard-000001.tok", "shard-000001.tok.h.1.tmp", "shard-000001.tmp", ""};
    uint64_t n = 0;

    CHECK(shard_number(SPAN_LIT("shard-065535.tok"), &n) && n == 65535);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) CHECK(!shard_number(span_str(none[i]), &n));
}

TEST(mixture_is_called_as_its_streams)
{
    Buf out = {0};
    Err err = {0};

    CHECK_OK(mixture_rename(SPAN_LIT("{\"format\":\"tamis-mixture\", \"domains\":[{\"name\":\"a/b\",\"docs\":1}],"
                                     "\"phases\":[{\"from\":0,\"to\":null,\"weights\":{\"a/b\":0.25,\"c\":1}}]}"),
                            "m", &out, &err),
             &err);
    CHECK_SPAN(SPAN_LIT("{\"format\":\"tamis-mixture\",\"domains\":[{\"name\":\"a_b\",\"docs\":1}],"
                        "\"phases\":[{\"from\":0,\"to\":null,\"weights\":{\"a_b\":0.25,\"c\":1}}]}"),
               buf_span(&out));
    buf_reset(&out);
    CHECK_OK(mixture_rename((Span){NULL, 0}, "m", &out, &err), &err);
    CHECK_INT(0, out.n);
    CHECK_INT(ERR_DATA, mixture_rename(SPAN_LIT("{\"phases\":"), "m", &out, &err));
    CHECK_INT(ERR_DATA,
              mixture_rename(SPAN_LIT("{\"phases\":[{\"weights\":{\"a/b\":1,\"a_b\":1}}]}"), "m", &out, &err));
    CHECK(strstr(err.msg, "share a stream") != NULL);
    CHECK_INT(ERR_DATA, mixture_rename(SPAN_LIT("{\"domains\":[{\"name\":\"\"}]}"), "m", &out, &err));
    buf_clear(&out);
}
