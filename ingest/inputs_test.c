#include "ingest/inputs.h"

#include "core/store.h"
#include "tests/check.h"

#include <stdio.h>

static const InputsAre archives = {0};

static void put_file(const char *dir, const char *name, size_t n)
{
    char path[512];
    Buf b = {0};
    Err err;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    CHECK_OK(store_mkdirs(path, &err), &err);
    *slash = '/';
    for (size_t i = 0; i < n; i++) buf_putc(&b, 'x');
    CHECK_OK(store_write(path, buf_span(&b), &err), &err);
    buf_clear(&b);
}

TEST(crawl_names_are_found_in_paths)
{
    CHECK_SPAN(span_str("CC-MAIN-2023-06"),
               inputs_crawl_name("crawl-data/CC-MAIN-2023-06/segments/1/warc/CC-MAIN-20230126210844-00000.warc.gz"));
    CHECK_SPAN(span_str("CC-MAIN-2014-10"), inputs_crawl_name("CC-MAIN-2014-10"));
    CHECK_INT(0, inputs_crawl_name("CC-MAIN-20230126210844-00000.warc.gz").n);
    CHECK_INT(0, inputs_crawl_name("CC-MAIN-2023-061/x").n);
    CHECK_INT(0, inputs_crawl_name("CC-MAIN-2023").n);
}

TEST(directories_are_walked_in_order_and_lists_name_bases)
{
    const char *dir = check_tmpdir();
    char list[300], text[700];
    Inputs in = {0};
    Err err = {0};

    put_file(dir, "d/b.warc.gz", 3);
    put_file(dir, "d/a/z.jsonl", 2);
    put_file(dir, "d/a/y.WARC", 1);
    put_file(dir, "d/a/notes.txt", 9);
    put_file(dir, "e/one.html", 4);
    snprintf(list, sizeof list, "%s/list", dir);
    snprintf(text, sizeof text, "# a comment\n%s/e/one.html\r\n\n", dir);
    CHECK_OK(store_write(list, span_str(text), &err), &err);
    char d[300], at[310];
    snprintf(d, sizeof d, "%s/d", dir);
    snprintf(at, sizeof at, "@%s", list);
    const char *operands[] = {d, at};
    CHECK_OK(inputs_gather(&in, operands, 2, &archives, &err), &err);
    CHECK_INT(4, in.n);
    CHECK_INT(1, in.n_skipped);
    CHECK_STR("a/y.WARC", in.input[0].name);
    CHECK_STR("a/z.jsonl", in.input[1].name);
    CHECK_STR("b.warc.gz", in.input[2].name);
    CHECK_STR("one.html", in.input[3].name);
    CHECK_STR("local", in.input[3].dump);
    CHECK_INT(INPUT_LINES, in.input[1].kind);
    CHECK_INT(INPUT_ARCHIVE, in.input[0].kind);
    CHECK_INT(3, in.input[2].size);
    inputs_clear(&in);
}

TEST(equal_names_in_one_dump_are_refused)
{
    const char *dir = check_tmpdir();
    char a[300], b[300];
    Inputs in = {0};
    Err err = {0};

    put_file(dir, "CC-MAIN-2020-05/x.warc.gz", 1);
    put_file(dir, "CC-MAIN-2020-10/x.warc.gz", 1);
    snprintf(a, sizeof a, "%s/CC-MAIN-2020-05/x.warc.gz", dir);
    snprintf(b, sizeof b, "%s/CC-MAIN-2020-10/x.warc.gz", dir);
    const char *operands[] = {a, b};
    CHECK_OK(inputs_gather(&in, operands, 2, &archives, &err), &err);
    CHECK_STR("CC-MAIN-2020-10", in.input[1].dump);
    inputs_clear(&in);
    CHECK_INT(ERR_USAGE, inputs_gather(&in, operands, 2, &(InputsAre){.dump = "one"}, &err));
    CHECK(strstr(err.msg, "x.warc.gz") && strstr(err.msg, "one"));
    inputs_clear(&in);
    const char *missing[] = {"/nowhere/at/all.warc"};
    CHECK_INT(ERR_SYS, inputs_gather(&in, missing, 1, &archives, &err));
    inputs_clear(&in);
}

static size_t gather_dir(const char *dir, const InputsAre *are, Inputs *in)
{
    Err err = {0};

    *in = (Inputs){0};
    CHECK_OK(inputs_gather(in, &dir, 1, are, &err), &err);
    return in->n;
}

TEST(names_tell_kinds_however_packed)
{
    static const char *const lines[] = {"a.jsonl", "b.NDJSON"},
                             *const records[] = {"a.warc", "b.arc", "c.warc.wet", "d.warc.wat"},
                             *const pages[] = {"a.html", "b.htm", "c.xhtml"}, *const others[] = {"a.txt", "gz", "a"},
                             *const packings[] = {"", ".gz", ".zst", ".LZ4"};
    char dir[300], name[64];
    Inputs in;

    snprintf(dir, sizeof dir, "%s/kinds", check_tmpdir());
    for (size_t p = 0; p < 4; p++) {
#define PUT(list)                                                  \
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {      \
        snprintf(name, sizeof name, "%s%s", list[i], packings[p]); \
        put_file(dir, name, 1);                                    \
    }
        PUT(lines) PUT(records) PUT(pages) PUT(others)
#undef PUT
    }
    CHECK_INT(4 * 6, gather_dir(dir, &(InputsAre){0}, &in));
    for (size_t i = 0; i < in.n; i++)
        CHECK_INT(strstr(in.input[i].name, ".jsonl") || strstr(in.input[i].name, ".NDJSON") ? INPUT_LINES
                                                                                            : INPUT_ARCHIVE,
                  in.input[i].kind);
    CHECK_INT(4 * 6, in.n_skipped);
    inputs_clear(&in);
    CHECK_INT(4 * 3, gather_dir(dir, &(InputsAre){.html = true}, &in));
    inputs_clear(&in);
}

/* Archives of Common Crawl's three subsets have the same base names, in an index, in a list and as operands. */
TEST(subsets_of_a_crawl_tell_their_archives_apart)
{
    static const char *const subsets[] = {"warc", "crawldiagnostics", "robotstxt"};
    char file[3][700], list[300], index[300], at[310];
    const char *dir = check_tmpdir();
    Buf text = {0}, entries = {0};
    Err err = {0};

    for (int i = 0; i < 3; i++) {
        snprintf(at, sizeof at, "%s/x.warc.gz", subsets[i]);
        put_file(dir, at, 1);
        snprintf(file[i], sizeof file[i], "%s/%s", dir, at);
        buf_printf(&text, "%s\n", file[i]);
        buf_printf(&entries, "{\"filename\":\"%s\",\"offset\":0,\"length\":1}\n", file[i]);
    }
    snprintf(list, sizeof list, "%s/list", dir);
    snprintf(index, sizeof index, "%s/index", dir);
    snprintf(at, sizeof at, "@%s", list);
    CHECK_OK(store_write(list, buf_span(&text), &err), &err);
    CHECK_OK(store_write(index, buf_span(&entries), &err), &err);
    const char *const operands[3][3] = {{file[0], file[1], file[2]}, {at}, {index}};
    for (int how = 0; how < 3; how++) {
        Inputs in = {0};
        const InputsAre are = {.cdxj = how == 2};
        CHECK_OK(inputs_gather(&in, operands[how], how == 0 ? 3 : 1, &are, &err), &err);
        CHECK_INT(3, in.n);
        CHECK_STR("crawldiagnostics/x.warc.gz", in.input[0].name);
        CHECK_STR("robotstxt/x.warc.gz", in.input[1].name);
        CHECK_STR("x.warc.gz", in.input[2].name);
        inputs_clear(&in);
    }
    buf_clear(&text), buf_clear(&entries);
}

/* Every byte of every input belongs to exactly one slice, slices are in order, and no part that holds several inputs is
 * larger than asked for. */
static void check_cut(Inputs *in, uint32_t per_part, uint64_t part_bytes)
{
    Err err = {0};
    uint32_t at = 0;

    CHECK_OK(inputs_cut(in, per_part, part_bytes, &err), &err);
    CHECK_INT(0, in->part_first[0]);
    CHECK_INT(in->n_slices, in->part_first[in->n_parts]);
    for (uint32_t i = 0; i < in->n; i++) {
        uint64_t end = 0;
        while (at < in->n_slices && in->slice[at].input == i) {
            CHECK_INT(end, in->slice[at].begin);
            end = in->slice[at++].end;
        }
        CHECK(end == UINT64_MAX);
    }
    CHECK_INT(in->n_slices, at);
    for (uint32_t k = 0; k < in->n_parts; k++) {
        uint32_t n = in->part_first[k + 1] - in->part_first[k];
        CHECK(n > 0);
        if (per_part)
            CHECK(n <= per_part);
        else
            CHECK(n == 1 || inputs_part_bytes(in, k) <= part_bytes);
    }
}

TEST(parts_cover_the_inputs)
{
    static const uint64_t sizes[] = {10, 0, 500, 499, 1, 7000, 0, 64};
    static const char *const names[] = {"a.warc", "b.warc.gz", "c.warc.zst", "d.jsonl",
                                        "e.wet",  "f.warc.gz", "g.warc",     "h.warc"};
    static const uint64_t bytes[] = {1, 63, 500, 1000, 7000, 100000};

    for (uint32_t per = 0; per < 9; per++) {
        for (size_t b = 0; b < sizeof bytes / sizeof bytes[0]; b++) {
            Input input[8];
            for (int i = 0; i < 8; i++)
                input[i] = (Input){.path = names[i],
                                   .url = names[i],
                                   .name = names[i],
                                   .dump = "local",
                                   .size = sizes[i],
                                   .kind = strstr(names[i], "json") ? INPUT_LINES : INPUT_ARCHIVE};
            Inputs in = {.input = input, .n = 8};
            check_cut(&in, per, bytes[b]);
            if (per) CHECK_INT((8 + per - 1) / per, in.n_parts);
            in.input = NULL;
            inputs_clear(&in);
        }
    }
}
