#include "dedup/sign.h"

#include "dedup/made_test.h"
#include "tests/check.h"

#include <stdlib.h>
#include <unistd.h>

static void make(Signature *s, const DedupParams *p, const char *text)
{
    MinHash m;
    Err err;

    CHECK_OK(minhash_init(&m, p->bands * p->rows, p->seed, &err), &err);
    CHECK_OK(signature_make(s, p, &m, span_str(text), &err), &err);
    minhash_clear(&m);
}

TEST(signature_shingles_are_the_ngrams_of_the_text_key)
{
    const char *text = "One two, three -- four FIVE six; 七 八 九 ten 11 12.";

    for (uint32_t len = 1; len < 16; len++) {
        DedupParams p = DEDUP_PARAMS_DEFAULT;
        Signature s = {0};
        p.shingle = len;
        make(&s, &p, text);
        CHECK_INT(12, s.key.n_tok);
        CHECK_INT(len <= 12 ? 12 - len + 1 : 0, s.n_shingles);
        for (size_t i = 0; i < s.n_shingles; i++) CHECK(s.shingle[i] == textkey_ngram(s.key.tok + i, len));
        signature_clear(&s);
    }
}

TEST(scratch_of_a_giant_text_is_given_back)
{
    const DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature s = {0};
    Buf text = {0};

    for (uint32_t i = 0; i <= SIGN_KEEP; i++) buf_puts(&text, "a ");
    make(&s, &p, buf_cstr(&text));
    CHECK(s.key.cap > SIGN_KEEP);
    make(&s, &p, "a few words");
    CHECK(s.key.cap < SIGN_KEEP && s.key.n_tok == 3);
    signature_clear(&s);
    buf_clear(&text);
}

TEST(signature_ignores_what_the_text_key_ignores)
{
    const DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature a = {0}, b = {0}, c = {0};

    make(&a, &p, "The quick brown fox, 12 years old, jumps over the lazy dog. 電腦。");
    make(&b, &p, "the QUICK brown fox 7 years old jumps -- over the lazy dog! 电脑");
    make(&c, &p, "the quick brown fox 7 years old jumps under the lazy dog! 电脑");
    CHECK(hash128_eq(a.exact, b.exact));
    CHECK(memcmp(a.band, b.band, p.bands * sizeof *a.band) == 0);
    CHECK(memcmp(a.sketch, b.sketch, sizeof a.sketch) == 0);
    CHECK(!hash128_eq(a.exact, c.exact));
    CHECK(memcmp(a.band, c.band, p.bands * sizeof *a.band) != 0);
    signature_clear(&a);
    signature_clear(&b);
    signature_clear(&c);
}

TEST(signature_of_another_seed_differs)
{
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature a = {0}, b = {0};

    make(&a, &p, "one two three four five six seven");
    p.seed = 2;
    make(&b, &p, "one two three four five six seven");
    CHECK(hash128_eq(a.exact, b.exact));
    for (uint32_t i = 0; i < p.bands; i++) CHECK(a.band[i] != b.band[i]);
    CHECK(memcmp(a.sketch, b.sketch, sizeof a.sketch) != 0);
    signature_clear(&a);
    signature_clear(&b);
}

/* Two bands over the same values would be the same band. */
TEST(signature_bands_differ)
{
    DedupParams p = DEDUP_PARAMS_DEFAULT;
    Signature a = {0};

    p.bands = DEDUP_MAX_BANDS;
    p.rows = 1;
    make(&a, &p, "one two three four five");
    for (uint32_t i = 1; i < p.bands; i++)
        for (uint32_t k = 0; k < i; k++) CHECK(a.band[i] != a.band[k]);
    signature_clear(&a);
}

/* --- signatures beside documents */

static ErrCode copy_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    (void)ctx, (void)worker, (void)id;
    return sink_emit(s, doc, err);
}

/* later: as a version would write it whose number begins with ours */
static void copy_signed(const char *in, const char *out, const DedupParams *params, bool later)
{
    static const StageDef def = {.name = "copy", .version = 1, .kind = DATASET_WRITTEN};
    const CommonOptions common = {0};
    StageBeside *beside = NULL;
    DatasetSet *set;
    Par par = par_alone(3);
    Err err;

    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(dedup_beside_new(params, &beside, &err), &err);
    char receipt[400], version[40], *behind;
    snprintf(version, sizeof version, ",\"version\":%d", DEDUP_VERSION);
    CHECK(beside->receipt.n + 2 < sizeof receipt);
    memcpy(receipt, beside->receipt.p, beside->receipt.n);
    receipt[beside->receipt.n] = 0;
    CHECK((behind = strstr(receipt, version)) != NULL);
    behind += strlen(version);
    memmove(behind + 1, behind, strlen(behind) + 1);
    *behind = '0';
    if (later) beside->receipt = span_str(receipt);
    StageJob job = {.def = &def,
                    .params = SPAN_LIT("{}"),
                    .out_dir = out,
                    .set = set,
                    .map = copy_map,
                    .beside = beside,
                    .common = &common};
    CHECK_OK(stage_run(&job, &par, NULL, &err), &err);
    dedup_beside_free(beside);
    datasetset_close(set);
}

static ErrCode sign(const char *in, const char *out, const DedupParams *params, Err *err)
{
    const CommonOptions common = {0};
    DatasetSet *set;
    Par par = par_alone(2);
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc) return rc;
    rc = sign_run(params, set, out, &common, &par, NULL, err);
    datasetset_close(set);
    return rc;
}

static void check_same_part(const char *a_dir, const char *b_dir, uint32_t part)
{
    Columns *a, *b;
    Err err;

    CHECK_OK(sign_open(&a, a_dir, part, &err), &err);
    CHECK_OK(sign_open(&b, b_dir, part, &err), &err);
    CHECK_INT(columns_count(a), columns_count(b));
    CHECK(hash128_eq(columns_part(a), columns_part(b)));
    for (uint32_t c = 0; c < columns_count(a); c++) {
        Span values[2], pool[2];
        CHECK_OK(columns_typed(a, columns_def(b, c), &values[0], &pool[0], &err), &err);
        CHECK_OK(columns_values(b, c, &values[1], &pool[1], &err), &err);
        CHECK_SPAN(values[0], values[1]);
        CHECK_SPAN(pool[0], pool[1]);
    }
    columns_close(a);
    columns_close(b);
}

static void spoil_texts(const char *dir, uint32_t n_parts)
{
    for (uint32_t p = 0; p < n_parts; p++) {
        char path[500];
        snprintf(path, sizeof path, "%s/part-%06u.jsonl.zst", dir, (unsigned)p);
        FILE *f = fopen(path, "r+");
        CHECK(f != NULL && fseek(f, 40, SEEK_SET) == 0 && fputs("not what was written", f) >= 0 && fclose(f) == 0);
    }
}

/* What is made of the texts, and what lay beside them, is the same in all columns; and where it lies there, texts are not even looked at. */
TEST(signatures_beside_documents_are_those_of_their_texts)
{
    enum { N_PARTS = 4 };
    static const struct {
        DedupParams params;
        bool beside;
    } cases[] = {{DEDUP_PARAMS_DEFAULT, true},
                 {{.bands = 14, .rows = 8, .shingle = 5, .seed = 1, .keep = "longest,latest", .url = true}, true},
                 {{.bands = 14, .rows = 8, .shingle = 5, .seed = 1, .index = "some", .window = 2}, true},
                 {{.shingle = 5, .seed = 1, .exact_only = true, .url = true}, true},
                 {{.bands = 14, .rows = 8, .shingle = 5, .seed = 2}, false},
                 {{.bands = 20, .rows = 8, .shingle = 5, .seed = 1}, false},
                 {{.bands = 14, .rows = 8, .shingle = 5, .seed = 1, .keep = "signal:quality"}, false}};
    const char *dir = check_tmpdir();
    char docs[400], copy[400], want[400], got[400];
    Corpus c = corpus_of_dumps(900, N_PARTS);

    snprintf(docs, sizeof docs, "%s/docs", dir);
    snprintf(copy, sizeof copy, "%s/copy", dir);
    write_corpus(&c, docs);
    copy_signed(docs, copy, &cases[0].params, false);
    spoil_texts(copy, N_PARTS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Err err = {.code = ERR_OK};
        snprintf(want, sizeof want, "%s/want%zu", dir, i);
        snprintf(got, sizeof got, "%s/got%zu", dir, i);
        CHECK_OK(sign(docs, want, &cases[i].params, &err), &err);
        ErrCode rc = sign(copy, got, &cases[i].params, &err);
        CHECK_INT(cases[i].beside ? ERR_OK : ERR_DATA, rc);
        for (uint32_t p = 0; p < N_PARTS && cases[i].beside; p++) check_same_part(want, got, p);
    }
    corpus_clear(&c);
}

TEST(signatures_of_another_version_are_made_anew)
{
    DedupParams params = DEDUP_PARAMS_DEFAULT;
    const char *dir = check_tmpdir();
    char docs[400], copy[400], out[400];
    Corpus c = corpus_of_dumps(100, 1);

    snprintf(docs, sizeof docs, "%s/docs", dir);
    write_corpus(&c, docs);
    for (int i = 0; i < 4; i++) {
        Err err = {.code = ERR_OK};
        bool later = i % 2;
        params.exact_only = i > 1; /* asks for less than there is */
        snprintf(copy, sizeof copy, "%s/copy%d", dir, i);
        snprintf(out, sizeof out, "%s/out%d", dir, i);
        copy_signed(docs, copy, &(DedupParams)DEDUP_PARAMS_DEFAULT, later);
        spoil_texts(copy, 1);
        CHECK_INT(later ? ERR_DATA : ERR_OK, sign(copy, out, &params, &err));
    }
    corpus_clear(&c);
}

/* Cut files are named; what belongs to other documents is passed over. */
TEST(damaged_and_foreign_signatures_beside_documents)
{
    const DedupParams params = DEDUP_PARAMS_DEFAULT;
    const char *dir = check_tmpdir();
    char docs[400], copy[400], other[400], view[400], path[500], second[500];
    Corpus c = corpus_of_dumps(200, 2);
    Err err = {.code = ERR_OK};

    snprintf(docs, sizeof docs, "%s/docs", dir);
    snprintf(copy, sizeof copy, "%s/copy", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    write_corpus(&c, docs);
    copy_signed(docs, copy, &params, false);
    snprintf(path, sizeof path, "%s/part-000000.sign.cols", copy);
    snprintf(second, sizeof second, "%s/part-000001.sign.cols", copy);
    CHECK_INT(0, rename(second, path)); /* of the other part; the second has none */
    snprintf(view, sizeof view, "%s/view", dir);
    CHECK_OK(sign(docs, other, &params, &err), &err);
    CHECK_OK(sign(copy, view, &params, &err), &err);
    for (uint32_t p = 0; p < 2; p++) check_same_part(other, view, p);
    CHECK_INT(0, truncate(path, 1000));
    snprintf(view, sizeof view, "%s/view2", dir);
    CHECK_INT(ERR_DATA, sign(copy, view, &params, &err));
    CHECK(strstr(err.msg, "part-000000.sign.cols") != NULL);
    CHECK_INT(ERR_DATA, sign(copy, view, &params, &err)); /* it is damaged still */
    CHECK_INT(0, unlink(path));
    CHECK_OK(sign(copy, view, &params, &err), &err);
    for (uint32_t p = 0; p < 2; p++) check_same_part(other, view, p);
    corpus_clear(&c);
}
