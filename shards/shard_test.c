#include "shards/shard_format.h"
#include "shards/shards.h"

#include "core/store.h"
#include "core/store_fault.h"
#include "tests/check.h"

#include <errno.h>
#include <stdlib.h>

enum { VOCAB = 100015, EOS = 99999 };

/* Document d of a made-up shard: its length and tokens. */
static size_t doc_length(uint32_t d, uint32_t scale) { return d % 7 == 3 ? 0 : (size_t)(mix64(d) % scale); }
static uint32_t doc_token(uint32_t d, size_t i) { return (uint32_t)(mix64(((uint64_t)d << 32) + i) % (VOCAB - 16)); }

static const ShardSpec spec = {.vocab_size = VOCAB, .eos_id = EOS, .tokenizer_id = {1, 2}, .key = {3, 4}};

static void describe(uint32_t d, char id[64], ShardDoc *doc)
{
    static const char *const langs[] = {"en", "zh-Hans", ""};

    snprintf(id, 64, "dump-%u/file#%u", d % 3, d * 100);
    *doc = (ShardDoc){.doc = docid(1, d / 10, d % 10),
                      .id = span_str(id),
                      .domain = span_str(d % 2 ? "web" : "manuals"),
                      .lang = span_str(langs[d % 3])};
}

static void write_shard(const char *path, uint32_t n_docs, uint32_t scale, Hash128 *content)
{
    uint32_t *tokens = malloc(scale * sizeof *tokens);
    ShardWriter *w;
    ShardDoc doc;
    char id[64];
    Err err;

    CHECK_OK(shardwriter_open(&w, path, &spec, &err), &err);
    for (uint32_t d = 0; d < n_docs; d++) {
        size_t n = doc_length(d, scale);
        for (size_t i = 0; i < n; i++) tokens[i] = doc_token(d, i);
        describe(d, id, &doc);
        CHECK_OK(shardwriter_add(w, &doc, tokens, n, &err), &err);
    }
    CHECK_OK(shardwriter_commit(&w, content, &err), &err);
    CHECK(w == NULL);
    free(tokens);
}

static const char *in_tmpdir(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", check_tmpdir(), name);
    return path;
}

/* All of a shard, token by token and document by document, against what was written. */
static void shard_is(const Shard *s, uint32_t n_docs, uint32_t scale)
{
    uint64_t at = 0, begin, end, doc;
    ShardDoc want, got;
    uint32_t token;
    char id[64];
    Err err;

    CHECK_INT(n_docs, shard_n_docs(s));
    for (uint32_t d = 0; d < n_docs; d++) {
        size_t n = doc_length(d, scale);
        describe(d, id, &want);
        CHECK_OK(shard_doc(s, d, &got, &begin, &end, &err), &err);
        CHECK_INT(at, begin);
        CHECK_INT(at + n + 1, end);
        CHECK(want.doc == got.doc);
        CHECK_SPAN(want.id, got.id);
        CHECK_SPAN(want.domain, got.domain);
        CHECK_SPAN(want.lang, got.lang);
        for (size_t i = 0; i <= n; i++) {
            CHECK_OK(shard_read(s, at + i, 1, &token, &err), &err);
            CHECK_INT(i < n ? doc_token(d, i) : EOS, token);
        }
        CHECK_OK(shard_doc_at(s, begin, &doc, &err), &err);
        CHECK_INT(d, doc);
        CHECK_OK(shard_doc_at(s, end - 1, &doc, &err), &err);
        CHECK_INT(d, doc);
        at = end;
    }
    CHECK_INT(at, shard_n_tokens(s));
    CHECK_INT(ERR_LIMIT, shard_read(s, at, 1, &token, &err));
    CHECK_INT(ERR_LIMIT, shard_doc_at(s, at, &doc, &err));
    CHECK_INT(ERR_LIMIT, shard_doc(s, n_docs, &got, &begin, &end, &err));
    CHECK_OK(shard_read(s, at, 0, &token, &err), &err);
}

TEST(shard_round_trip)
{
    static const struct {
        uint32_t n_docs, scale;
    } cases[] = {{0, 1}, {1, 1}, {3, 50}, {40, 300}, {9, 20000}, {2, 80000}};
    char path[512];
    Hash128 content;
    Shard *s;
    Err err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_shard(in_tmpdir(path, "s.tok"), cases[i].n_docs, cases[i].scale, &content);
        CHECK_OK(shard_open(&s, path, &err), &err);
        if (!s) continue;
        CHECK_OK(shard_verify(s, &err), &err);
        CHECK(hash128_eq(content, shard_content(s)));
        CHECK_INT(VOCAB, shard_spec(s)->vocab_size);
        CHECK_INT(EOS, shard_spec(s)->eos_id);
        CHECK_INT(17, shard_token_bits(s));
        CHECK(hash128_eq(spec.tokenizer_id, shard_spec(s)->tokenizer_id) && hash128_eq(spec.key, shard_spec(s)->key));
        shard_is(s, cases[i].n_docs, cases[i].scale);
        shard_close(s);
    }
}

/* The header as docs/formats.md has it, read with nothing but the offsets written there. */
TEST(shard_header_bytes)
{
    static const uint8_t header[48] = {
        'T',  'A',  'M', 'I', 'S', 'H',  'R', 'D', 1,    0,    0, 0,
        17,   0,    0,   0,   4,   0,    0,   0,   0,    0,    0, 0, /* version, bits, 4 tokens */
        2,    0,    0,   0,   0,   0,    0,   0,   0xaf, 0x86, 1, 0,
        0x9f, 0x86, 1,   0,   0,   0x80, 0,   0,   7,    0,    0, 0}; /* 2 documents … */
    static const uint32_t tokens[] = {1, 65536};
    /* 1, 65536, 99999, 99999 in 17 bits each, then 4 unused bits, then the eight zero bytes */
    static const uint8_t packed[] = {0x01, 0x00, 0x00, 0x00, 0x7e, 0x1a, 0xfe, 0x34, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0};
    const ShardDoc docs[] = {
        {.doc = 5, .id = SPAN_LIT("a#0"), .domain = SPAN_LIT("web"), .lang = SPAN_LIT("en")},
        {.doc = 6, .id = SPAN_LIT("b#12"), .domain = SPAN_LIT("web"), .lang = SPAN_LIT("zh-Hans")}};
    static const uint8_t names[] = {1,  0, 0, 0, 2,   0,   0,   0,   3,   0,   0,   0,   5,   0,   0,   0,
                                    12, 0, 0, 0, 'w', 'e', 'b', 'e', 'n', 'z', 'h', '-', 'H', 'a', 'n', 's'};
    static const uint8_t ids[] = {3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 'a', '#', '0', 'b', '#', '1', '2'};
    static const uint8_t meta[] = {5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                   6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
    static const uint8_t first[] = {0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0};
    const Span want[SEC_END] = {[SEC_TOKENS] = {packed, sizeof packed},
                                [SEC_DOC_FIRST] = {first, sizeof first},
                                [SEC_DOC_META] = {meta, sizeof meta},
                                [SEC_NAMES] = {names, sizeof names},
                                [SEC_IDS] = {ids, sizeof ids}};
    ShardWriter *w;
    char path[512];
    Buf file = {0};
    Err err;

    CHECK_OK(shardwriter_open(&w, in_tmpdir(path, "s.tok"), &spec, &err), &err);
    CHECK_OK(shardwriter_add(w, &docs[0], tokens, 2, &err), &err);
    CHECK_OK(shardwriter_add(w, &docs[1], tokens, 0, &err), &err);
    CHECK_INT(4, shardwriter_n_tokens(w));
    CHECK_OK(shardwriter_commit(&w, NULL, &err), &err);
    CHECK_OK(store_read(path, 1 << 20, &file, &err), &err);
    CHECK_SPAN(span(header, sizeof header), span(file.p, sizeof header));
    for (size_t k = 1; k < SEC_END; k++) {
        const uint8_t *entry = file.p + 80 + (k - 1) * 32;
        Span section = {file.p + le64_get(entry + 8), (size_t)le64_get(entry + 16)};
        CHECK_INT(k, le32_get(entry));
        CHECK_INT(0, le64_get(entry + 8) % 64);
        CHECK(hash64(section) == le64_get(entry + 24));
        if (want[k].p) CHECK_SPAN(want[k], section);
    }
    CHECK_INT(0, file.n % 64 - 8);
    CHECK(le64_get(file.p + file.n - 8) == hash64(span(file.p, 80 + 7 * 32)));
    buf_clear(&file);
}

/* Reads everything a user can reach; must not fault, whatever the bytes. Returns a hash of what was read, 0 for an error. */
static uint64_t read_all(const Shard *s)
{
    uint64_t h = 1, begin, end, doc;
    uint32_t tokens[512];
    ShardDoc d;
    Err err;

    if (shard_n_tokens(s) > 512 || shard_read(s, 0, (size_t)shard_n_tokens(s), tokens, &err) != ERR_OK) return 0;
    h = hash64_seed(span(tokens, 4 * (size_t)shard_n_tokens(s)), h);
    for (uint64_t i = 0; i < shard_n_docs(s); i++) {
        if (shard_doc(s, i, &d, &begin, &end, &err) != ERR_OK || shard_doc_at(s, begin, &doc, &err) != ERR_OK ||
            doc != i)
            return 0;
        h = mix64(h ^ hash64(d.id) ^ hash64(d.domain) << 1 ^ hash64(d.lang) << 2 ^ d.doc << 3 ^ begin << 4 ^
                  end << 5);
    }
    h = mix64(h ^ shard_spec(s)->eos_id ^ shard_spec(s)->vocab_size ^ shard_spec(s)->key.lo ^
              shard_spec(s)->tokenizer_id.lo);
    return h ? h : 1;
}

/* Every byte with one bit and with all bits turned: opening or verifying notices. */
TEST(shard_every_byte_damaged)
{
    char path[512];
    Buf file = {0};
    Shard *s;
    Err err;

    write_shard(in_tmpdir(path, "s.tok"), 4, 60, NULL);
    CHECK_OK(store_read(path, 1 << 20, &file, &err), &err);
    for (size_t i = 0; i < file.n; i++)
        for (int kind = 0; kind < 2; kind++) {
            uint8_t flip = kind ? 0xff : (uint8_t)(1u << i % 8);
            file.p[i] ^= flip;
            Span edge = check_edge(buf_span(&file));
            ErrCode rc = shard_open_bytes(&s, edge, "flipped", &err);
            if (rc == ERR_OK) {
                read_all(s);
                rc = shard_verify(s, &err);
                shard_close(s);
            }
            if (rc != ERR_DATA) fprintf(stderr, "byte %zu ^ %02x: status %d\n", i, flip, (int)rc);
            CHECK_INT(ERR_DATA, rc);
            check_edge_free(edge);
            file.p[i] ^= flip;
        }
    buf_clear(&file);
}

TEST(shard_cut_at_every_length)
{
    char path[512];
    Buf file = {0};
    Shard *s;
    Err err;

    write_shard(in_tmpdir(path, "s.tok"), 3, 40, NULL);
    CHECK_OK(store_read(path, 1 << 20, &file, &err), &err);
    for (size_t n = 0; n < file.n; n++) {
        Span edge = check_edge((Span){file.p, n});
        CHECK_INT(ERR_DATA, shard_open_bytes(&s, edge, "cut", &err));
        CHECK(s == NULL);
        check_edge_free(edge);
    }
    buf_putc(&file, 0);
    CHECK_INT(ERR_DATA, shard_open_bytes(&s, buf_span(&file), "longer", &err));
    buf_clear(&file);
}

/* Changes with every sum made right again: the rules themselves must catch them, or the reader say ERR_DATA. */
static void repair_sums(Buf *file)
{
    size_t n_sections = le32_get(file->p + 44), header = 80 + 32 * n_sections;

    for (size_t i = 0; i < n_sections; i++) {
        uint8_t *entry = file->p + 80 + 32 * i;
        if (le64_get(entry + 8) + le64_get(entry + 16) > file->n) continue;
        le64_put(entry + 24, hash64((Span){file->p + le64_get(entry + 8), (size_t)le64_get(entry + 16)}));
    }
    uint64_t sum = hash64((Span){file->p, header});
    le64_put(file->p + header, sum);
    le64_put(file->p + file->n - 8, sum);
}

TEST(shard_rules_behind_right_sums)
{
    char path[512];
    Buf file = {0}, copy = {0};
    Shard *s;
    Err err;

    write_shard(in_tmpdir(path, "s.tok"), 4, 60, NULL);
    CHECK_OK(store_read(path, 1 << 20, &file, &err), &err);
    for (size_t i = 0; i < file.n - 8; i++) {
        if (i >= 44 && i < 48) continue; /* the number of sections decides where the sums are */
        if (i == 32) continue;           /* a vocabulary of 100014 would do too */
        if (i >= 48 && i < 80) continue; /* tokenizer_id and key mean nothing by themselves */
        if (i >= 80 && i < 312 && ((i - 80) % 32 >= 24 || i >= 304)) continue; /* the sums */
        buf_reset(&copy);
        buf_put_span(&copy, buf_span(&file));
        copy.p[i] ^= (uint8_t)(1u << i % 8);
        repair_sums(&copy);
        Span edge = check_edge(buf_span(&copy));
        ErrCode rc = shard_open_bytes(&s, edge, "changed", &err);
        if (rc == ERR_OK) {
            read_all(s);
            rc = shard_verify(s, &err);
            shard_close(s);
        }
        if (rc != ERR_DATA) fprintf(stderr, "byte %zu: status %d\n", i, (int)rc);
        CHECK_INT(ERR_DATA, rc);
        check_edge_free(edge);
    }
    buf_clear(&copy);
    buf_clear(&file);
}

TEST(shard_unknown_section_is_skipped)
{
    char path[512];
    Buf file = {0}, more = {0};
    Shard *s;
    Err err;

    write_shard(in_tmpdir(path, "s.tok"), 5, 60, NULL);
    CHECK_OK(store_read(path, 1 << 20, &file, &err), &err);
    CHECK_OK(shard_open_bytes(&s, buf_span(&file), "before", &err), &err);
    uint64_t want = read_all(s);
    shard_close(s);
    /* An eighth entry moves the sum to 336 and all sections, which begin at 320, by 64; the new one comes last. */
    buf_put(&more, file.p, 80 + 7 * 32);
    for (size_t k = 0; k < 7; k++) le64_put(more.p + 80 + 32 * k + 8, le64_get(more.p + 80 + 32 * k + 8) + 64);
    uint8_t entry[32] = {0};
    le32_put(entry, 4711);
    le32_put(entry + 4, 1);
    le64_put(entry + 8, file.n - 8 + 64);
    le64_put(entry + 16, 3);
    buf_put(&more, entry, 32);
    while (more.n < 384) buf_putc(&more, 0);
    buf_put(&more, file.p + 320, file.n - 8 - 320);
    buf_puts(&more, "abc");
    while (more.n % 64) buf_putc(&more, 0);
    for (int i = 0; i < 8; i++) buf_putc(&more, 0);
    le32_put(more.p + 44, 8);
    repair_sums(&more);
    Span edge = check_edge(buf_span(&more));
    CHECK_OK(shard_open_bytes(&s, edge, "more", &err), &err);
    if (s) {
        CHECK(read_all(s) == want && want != 0);
        CHECK_OK(shard_verify(s, &err), &err);
        shard_close(s);
    }
    check_edge_free(edge);
    buf_clear(&file);
    buf_clear(&more);
}

TEST(shard_messages)
{
    char path[512];
    Buf file = {0};
    Shard *s;
    Err err;

    write_shard(in_tmpdir(path, "s.tok"), 3, 40, NULL);
    CHECK_OK(store_read(path, 1 << 20, &file, &err), &err);
    CHECK_INT(ERR_DATA, shard_open_bytes(&s, SPAN_LIT("no shard at all"), "x.tok", &err));
    CHECK_STR("x.tok: not a token shard", err.msg);
    file.p[8] = 2;
    CHECK_INT(ERR_DATA, shard_open_bytes(&s, buf_span(&file), "x.tok", &err));
    CHECK_STR("x.tok: shard version 2; this program knows 1", err.msg);
    file.p[8] = 1;
    file.p[320] ^= 1;
    CHECK_OK(shard_open_bytes(&s, buf_span(&file), "x.tok", &err), &err);
    CHECK_INT(ERR_DATA, shard_verify(s, &err));
    CHECK_STR("x.tok: block 0 of 32768 tokens differs from its sum", err.msg);
    shard_close(s);
    CHECK_INT(ERR_SYS, shard_open(&s, "/nonexistent/s.tok", &err));
    CHECK_INT(ERR_SYS, shard_open(&s, check_tmpdir(), &err));
    buf_clear(&file);
}

TEST(shard_too_many_languages)
{
    ShardWriter *w;
    char path[512], lang[16];
    ErrCode rc = ERR_OK;
    Err err;
    int n = 0;

    CHECK_OK(shardwriter_open(&w, in_tmpdir(path, "s.tok"), &spec, &err), &err);
    while (rc == ERR_OK && n < 1000) {
        snprintf(lang, sizeof lang, "l%d", n++);
        rc = shardwriter_add(w, &(ShardDoc){.id = SPAN_LIT("i"), .lang = span_str(lang)}, NULL, 0, &err);
    }
    CHECK_INT(ERR_LIMIT, rc);
    CHECK_INT(SHARD_MAX_LANGS + 1, n);
    shardwriter_abandon(w);
    bool exists;
    CHECK_OK(store_exists(path, &exists, &err), &err);
    CHECK(!exists);
}

/* The length of an id is enough to refuse it: its bytes are not looked at. */
TEST(shard_index_is_bounded)
{
    ShardWriter *w;
    char path[512];
    Err err;

    CHECK_OK(shardwriter_open(&w, in_tmpdir(path, "s.tok"), &spec, &err), &err);
    CHECK_OK(shardwriter_add(w, &(ShardDoc){.id = SPAN_LIT("i")}, NULL, 0, &err), &err);
    CHECK_INT(ERR_LIMIT, shardwriter_add(w, &(ShardDoc){.id = {(const uint8_t *)"i", (size_t)SHARD_MAX_INDEX - 32}},
                                         NULL, 0, &err));
    CHECK(strstr(err.msg, "ids of 2 documents pass the 4 GiB"));
    shardwriter_abandon(w);
}

/* One document, more than a block, so that every kind of write happens. */
static ErrCode try_to_write(const char *path, Err *err)
{
    static const uint32_t tokens[SHARD_BLOCK_TOKENS + 1];
    ShardWriter *w = NULL;
    ErrCode rc = shardwriter_open(&w, path, &spec, err);

    if (rc == ERR_OK) rc = shardwriter_add(w, &(ShardDoc){.id = SPAN_LIT("i")}, tokens, SHARD_BLOCK_TOKENS + 1, err);
    if (rc == ERR_OK) return shardwriter_commit(&w, NULL, err);
    shardwriter_abandon(w);
    return rc;
}

/* Whichever write fails, there is a whole shard under the name or nothing, and no temporary beside it. */
TEST(shard_every_write_fails)
{
    bool through = false;

    for (uint64_t n = 1; !through && n < 1000; n++) {
        const char *dir = check_tmpdir();
        StoreList names;
        char path[512];
        Shard *s;
        Err err = {0};
        snprintf(path, sizeof path, "%s/s.tok", dir);
        store_fault_arm(n, ENOSPC, true);
        ErrCode rc = try_to_write(path, &err);
        through = !store_fault_hit();
        store_fault_arm(0, 0, false);
        CHECK_INT(through ? ERR_OK : ERR_SYS, rc);
        CHECK_OK(store_list(dir, &names, &err), &err);
        bool published = names.n == 1 && strcmp(names.name[0], "s.tok") == 0;
        CHECK(published || (names.n == 0 && rc != ERR_OK));
        if (published) {
            CHECK_OK(shard_open(&s, path, &err), &err);
            CHECK_OK(shard_verify(s, &err), &err);
            shard_close(s);
        }
        storelist_clear(&names);
    }
    CHECK(through);
}
