#include "ingest/cdxj.h"

#include "tests/check.h"

TEST(index_lines_of_all_kinds_are_read)
{
    static const struct {
        const char *line, *file; /* NULL: no entry */
        uint64_t offset, length;
    } cases[] = {
        {"com,example)/ 20240101000000 {\"url\": \"http://e.test/\", \"filename\": \"a/x.warc.gz\", \"offset\": "
         "\"10\", "
         "\"length\": \"200\"}",
         "a/x.warc.gz", 10, 200},
        {"{\"filename\":\"x\",\"offset\":0,\"length\":1,\"more\":{\"a\":[1,\"}\"]}}", "x", 0, 1},
        {"key {\"length\":5,\"offset\":\"7\",\"filename\":\"a\\/b\"}\r", "a/b", 7, 5},
        {"", NULL, 0, 0},
        {"!cdxj 1.0", NULL, 0, 0},
        {" CDX N b a m s k r M S V g", NULL, 0, 0},
        {"com,example)/ 20240101000000", NULL, 0, 0},
        {"a b {\"offset\":0,\"length\":1}", NULL, 0, 0},
        {"a b {\"filename\":\"x\",\"length\":1}", NULL, 0, 0},
        {"a b {\"filename\":\"x\",\"offset\":0,\"length\":0}", NULL, 0, 0},
        {"a b {\"filename\":\"x\",\"offset\":-1,\"length\":1}", NULL, 0, 0},
        {"a b {\"filename\":\"x\",\"offset\":1.5,\"length\":1}", NULL, 0, 0},
        {"a b {\"filename\":\"x\\u0000y\",\"offset\":1,\"length\":1}", NULL, 0, 0},
        {"a b {\"filename\":\"x\",\"offset\":9223372036854775800,\"length\":100}", NULL, 0, 0},
        {"a b {\"filename\":\"x\",\"offset\":1,\"length\":1", NULL, 0, 0},
    };
    Buf scratch = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CdxjEntry e;
        Span edge = check_edge(span_str(cases[i].line));
        CHECK(cdxj_line(edge, &scratch, &e) == (cases[i].file != NULL));
        if (cases[i].file) {
            CHECK_SPAN(span_str(cases[i].file), e.filename);
            CHECK_INT(cases[i].offset, e.offset);
            CHECK_INT(cases[i].length, e.length);
        }
        check_edge_free(edge);
    }
    buf_clear(&scratch);
}

TEST(ranges_of_an_index_are_sorted_and_unique)
{
    CdxjRanges r = {0};
    Arena names = {0};
    Err err = {0};

    CHECK_OK(
        cdxj_add(
            &r, &names,
            SPAN_LIT(
                "{\"filename\":\"b\",\"offset\":9,\"length\":1}\n{\"filename\":\"a\",\"offset\":50,\"length\":2}\n\n"
                "{\"filename\":\"a\",\"offset\":5,\"length\":3}\nno entry\n"),
            &err),
        &err);
    CHECK_OK(cdxj_add(&r, &names, SPAN_LIT("{\"filename\":\"a\",\"offset\":5,\"length\":4}"), &err), &err);
    cdxj_seal(&r);
    CHECK_INT(3, r.n);
    CHECK_INT(1, r.n_other);
    CHECK(!strcmp(r.range[0].file, "a") && r.range[0].offset == 5 && r.range[0].length == 4);
    CHECK(!strcmp(r.range[1].file, "a") && r.range[1].offset == 50);
    CHECK(!strcmp(r.range[2].file, "b"));
    cdxj_clear(&r);
    arena_clear(&names);
}

/* An entry that names a whole file hides those of its records. */
TEST(ranges_inside_of_others_are_left_out)
{
    CdxjRanges r = {0};
    Arena names = {0};
    Err err = {0};

    CHECK_OK(cdxj_add(&r, &names,
                      SPAN_LIT("{\"filename\":\"a\",\"offset\":5,\"length\":10}\n"
                               "{\"filename\":\"a\",\"offset\":14,\"length\":9}\n"
                               "{\"filename\":\"a\",\"offset\":15,\"length\":1}\n"
                               "{\"filename\":\"a\",\"offset\":7,\"length\":2}\n"
                               "{\"filename\":\"b\",\"offset\":6,\"length\":2}\n"),
                      &err),
             &err);
    cdxj_seal(&r);
    CHECK_INT(3, r.n);
    CHECK_INT(2, r.n_inside);
    CHECK(r.range[0].offset == 5 && r.range[0].length == 10);
    CHECK(r.range[1].offset == 15 && !strcmp(r.range[1].file, "a"));
    CHECK(r.range[2].offset == 6 && !strcmp(r.range[2].file, "b"));
    cdxj_clear(&r);
    arena_clear(&names);
}
