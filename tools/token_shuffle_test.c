/* Documents of a small dataset through the exchange into shards, against encoding them one after the other. */
#include "core/dataset_mixture.h"
#include "core/stage.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"
#include "tests/made_dataset.h"
#include "tokenize/pretoken.h"
#include "tools/token_runs.h"
#include "tools/token_shuffle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_PARTS = 3, PER_PART = 150, HUGE_DOC = 77, HUGE_UNITS = 120000 };

/* --- a dataset: document n of part p */

static void make_text(Buf *text, uint32_t n)
{
    static const char *const unit[] = {"tea ", "\xe8\x8c\xb6", "<|end_of_text|>", "12", "\n", " of"};
    uint64_t units = n == HUGE_DOC ? HUGE_UNITS : mix64(n) % 40;

    buf_reset(text);
    CHECK(buf_reserve(text, 1)); /* an empty text is there, not absent */
    for (uint64_t i = 0; i < units; i++) buf_puts(text, unit[mix64(n * 1000003ull + i) % 6]);
}

static bool many_domains; /* 50 of them: */
static char many_names[50][8];
static uint32_t n_made = PER_PART; /* of each part, documents that are made */

static Span domain_of(uint32_t n)
{
    static const char *const domain[] = {"web-en", "web/zh", "code"};

    if (many_domains) return span_str(many_names[n % 50]);
    return n % 10 == 9 ? (Span){NULL, 0} : span_str(domain[n % 3]);
}

static void make_doc(void *ctx, uint32_t i, Arena *a, Doc *doc)
{
    const uint32_t n = i / n_made * PER_PART + i % n_made;
    Buf text = {0};

    (void)ctx;
    make_text(&text, n);
    *doc = (Doc){.id = made_text(a, "local/tea#%" PRIu32, n),
                 .text = arena_copy(a, buf_span(&text)),
                 .domain = domain_of(n),
                 .lang = span_str(n % 2 ? "en" : "zh-Hans")};
    buf_clear(&text);
}

static TokenInput *make_input(const char *dir)
{
    const TokenInputSpec spec = {.path = &dir, .n = 1, .documents = true};
    TokenInput *in = NULL;
    Err err = {0};

    made_dataset(dir, make_doc, NULL, N_PARTS * n_made, N_PARTS);
    CHECK_OK(tokeninput_open(&in, &spec, &err), &err);
    return in;
}

/* All bytes and a few merges: the huge document gets more than 1 MiB of packed tokens. */
static Tokenizer *make_tokenizer(void)
{
    BpeParams p = *bpe_preset("tamis");
    BpeCounter *words;
    Tokenizer *t = NULL;
    Buf json = {0};
    Err err = {0};

    p.vocab_size = 258;
    CHECK_OK(bpecounter_new(&words, &pretokenizer_deepseek_llm, &err), &err);
    CHECK_OK(bpecounter_feed(words, SPAN_LIT("tea tea tea of of"), &err), &err);
    CHECK_OK(bpe_train(&p, words, &json, &err), &err);
    CHECK_OK(tokenizer_parse(&t, buf_span(&json), "tea", &err), &err);
    bpecounter_free(words);
    buf_clear(&json);
    return t;
}

static Hash128 file_hash(const char *path)
{
    Buf b = {0};
    Err err = {0};

    CHECK_OK(store_read(path, 64 << 20, &b, &err), &err);
    Hash128 h = hash128(buf_span(&b));
    buf_clear(&b);
    return h;
}

/* --- reading back */

typedef struct {
    const Tokenizer *t;
    Encoder *encoder;
    Buf text, want, got;
    uint32_t n_seen[N_PARTS * PER_PART];
    uint64_t last_id; /* of the stream, in input order */
} Reading;

static void check_document(Reading *r, const Shard *s, uint64_t k, bool in_order)
{
    ShardDoc doc;
    uint64_t begin, end, n = UINT64_MAX;
    uint32_t eos = tokenizer_eos(r->t);
    Err err = {0};

    CHECK_OK(shard_doc(s, k, &doc, &begin, &end, &err), &err);
    bool known = span_starts(doc.id, SPAN_LIT("local/tea#")) && span_to_u64(span_from(doc.id, 10), &n);
    CHECK(known && n < N_PARTS * PER_PART);
    if (!known || n >= N_PARTS * PER_PART) return;
    r->n_seen[n]++;
    CHECK_INT(docid(0, (uint32_t)n / PER_PART, (uint32_t)n % PER_PART), doc.doc);
    CHECK_SPAN(domain_of((uint32_t)n).p ? domain_of((uint32_t)n) : SPAN_LIT(DOMAIN_DEFAULT), doc.domain);
    CHECK_SPAN(n % 2 ? SPAN_LIT("en") : SPAN_LIT("zh-Hans"), doc.lang);
    CHECK(!in_order || doc.doc >= r->last_id);
    r->last_id = doc.doc;
    make_text(&r->text, (uint32_t)n);
    CHECK_OK(encode_as(r->encoder, buf_span(&r->text), ENCODE_DOCUMENT, &r->want, &err), &err);
    buf_put(&r->want, &eos, sizeof eos);
    buf_reset(&r->got);
    CHECK(buf_reserve(&r->got, (size_t)(end - begin) * 4 + 4));
    CHECK_OK(shard_read(s, begin, (size_t)(end - begin), (uint32_t *)(void *)r->got.p, &err), &err);
    r->got.n = (size_t)(end - begin) * 4;
    CHECK_SPAN(buf_span(&r->want), buf_span(&r->got));
}

static void check_stream(Reading *r, const char *dir, const char *stream, uint32_t n_shards, bool in_order)
{
    char path[700];
    Err err = {0};

    r->last_id = 0;
    for (uint32_t k = 0; k < n_shards; k++) {
        Shard *s = NULL;
        snprintf(path, sizeof path, "%s/%s/shard-%06" PRIu32 ".tok", dir, stream, k);
        CHECK_OK(shard_open(&s, path, &err), &err);
        if (!s) return;
        CHECK_OK(shard_verify(s, &err), &err);
        for (uint64_t d = 0; d < shard_n_docs(s); d++) check_document(r, s, d, in_order);
        shard_close(s);
    }
}

static void check_all(const char *dir, const Tokenizer *t, const DomainSet *domains, uint32_t n_shards, bool in_order)
{
    Reading *r = calloc(1, sizeof *r);
    Err err = {0};

    if (!r) exit(99);
    r->t = t;
    CHECK_OK(encoder_new(&r->encoder, t, &err), &err);
    for (size_t i = 0; i < domains->n; i++) check_stream(r, dir, domains->v[i].name, n_shards, in_order);
    for (uint32_t n = 0; n < N_PARTS * PER_PART; n++) CHECK_INT(1, r->n_seen[n]);
    encoder_free(r->encoder);
    buf_clear(&r->text);
    buf_clear(&r->want);
    buf_clear(&r->got);
    free(r);
}

TEST(shards_hold_every_document_once_for_any_number_of_threads)
{
    static const int threads[] = {1, 2, 7};
    TokenInput *in = make_input(check_tmpdir());
    Tokenizer *t = make_tokenizer();
    Hash128 first[2] = {{0, 0}, {0, 0}}; /* of one shard, by order */
    char path[700];
    Err err = {0};

    for (int k = 0; k < 6; k++) {
        bool in_order = k % 2;
        Par par = par_alone(threads[k / 2]);
        DomainSet domains = {0};
        TokenLost lost;
        ShuffleSpec spec = {.input = in,
                            .tokenizer = t,
                            .out_dir = check_tmpdir(),
                            .n_shards = 4,
                            .input_order = in_order,
                            .seed = 3,
                            .memory = 64 << 20};
        CHECK_OK(tokens_shuffle(&spec, &par, &domains, &lost, &err), &err);
        CHECK_INT(0, lost.bytes);
        CHECK_INT(4, domains.n);
        check_all(spec.out_dir, t, &domains, 4, in_order);
        snprintf(path, sizeof path, "%s/web_zh/shard-000002.tok", spec.out_dir);
        Hash128 h = file_hash(path);
        if (k < 2) first[k] = h;
        CHECK(hash128_eq(first[in_order], h));
        domainset_clear(&domains);
    }
    CHECK(!hash128_eq(first[0], first[1]));
    tokeninput_close(in);
    tokenizer_free(t);
}

/* 4 threads write 4 shards of each of 50 streams; one a thread is open. */
TEST(more_streams_than_files_may_be_open)
{
    struct rlimit was, few;
    Tokenizer *t = make_tokenizer();
    Par par = par_alone(4);
    DomainSet domains = {0};
    TokenLost lost;
    Err err = {0};

    many_domains = true;
    for (unsigned i = 0; i < 50; i++) snprintf(many_names[i], sizeof many_names[0], "d%u", i);
    TokenInput *in = make_input(check_tmpdir());
    ShuffleSpec spec = {
        .input = in, .tokenizer = t, .out_dir = check_tmpdir(), .n_shards = 4, .seed = 3, .memory = 64 << 20};
    CHECK_INT(0, getrlimit(RLIMIT_NOFILE, &was));
    few = was;
    few.rlim_cur = 40;
    CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &few));
    CHECK_OK(tokens_shuffle(&spec, &par, &domains, &lost, &err), &err);
    CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &was));
    CHECK_INT(50, domains.n);
    check_all(spec.out_dir, t, &domains, 4, false);
    many_domains = false;
    domainset_clear(&domains);
    tokeninput_close(in);
    tokenizer_free(t);
}

typedef struct {
    const TokenInput *input;
    const Tokenizer *t;
    const char *out;
} Shuffling;

static ErrCode shuffle(void *ctx, Err *err)
{
    const Shuffling *s = ctx;
    const ShuffleSpec spec = {
        .input = s->input, .tokenizer = s->t, .out_dir = s->out, .n_shards = 1, .seed = 3, .memory = 64 << 20};
    Par par = par_alone(1);
    DomainSet domains = {0};
    TokenLost lost;
    ErrCode rc = tokens_shuffle(&spec, &par, &domains, &lost, err);

    domainset_clear(&domains);
    return rc;
}

/* What a failed attempt has left would be gone on from. */
static ErrCode tidy(void *ctx, Err *err)
{
    const Shuffling *s = ctx;

    return store_delete_tree(s->out, 2, err);
}

TEST(shuffling_without_memory)
{
    Tokenizer *t = make_tokenizer();

    n_made = 10;
    Shuffling s = {make_input(check_tmpdir()), t, check_tmpdir()};
    n_made = PER_PART;
    alloc_fault_each(shuffle, tidy, &s);
    tokeninput_close((TokenInput *)(uintptr_t)s.input);
    tokenizer_free(t);
}

/* Three parts, of which two can be open. */
TEST(more_parts_than_files_may_be_open)
{
    struct rlimit was, few;
    Tokenizer *t = make_tokenizer();
    Shuffling s = {make_input(check_tmpdir()), t, check_tmpdir()};
    FILE *last = tmpfile(); /* has the lowest number that is free */
    Err err = {0};

    CHECK(last && getrlimit(RLIMIT_NOFILE, &was) == 0);
    if (!last) return;
    few = was;
    few.rlim_cur = (rlim_t)fileno(last) + 3;
    CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &few));
    CHECK_OK(shuffle(&s, &err), &err);
    CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &was));
    fclose(last);
    tokeninput_close((TokenInput *)(uintptr_t)s.input);
    tokenizer_free(t);
}

/* --- what is there is not made again */

typedef struct {
    char path[700];
    Hash128 hash;
    ino_t inode;
    struct timespec made;
} File;

static ino_t inode_of(const char *path, struct timespec *made)
{
    struct stat st = {0};

    CHECK_INT(0, stat(path, &st));
    *made = st.st_mtim;
    return st.st_ino;
}

enum { N_SHARDS = 8, N_STREAMS = 4, N_FILES = N_SHARDS * N_STREAMS };
static const char *const streams[N_STREAMS] = {"code", "web-en", "web_zh", DOMAIN_DEFAULT};

static void take_files(const char *dir, File file[N_FILES])
{
    for (uint32_t i = 0; i < N_FILES; i++) {
        File *f = &file[i];
        snprintf(f->path, sizeof f->path, "%s/%s/shard-%06" PRIu32 ".tok", dir, streams[i / N_SHARDS], i % N_SHARDS);
        f->hash = file_hash(f->path);
        f->inode = inode_of(f->path, &f->made);
    }
}

static bool is_same(const File *a, const File *b)
{
    return a->inode == b->inode && a->made.tv_sec == b->made.tv_sec && a->made.tv_nsec == b->made.tv_nsec;
}

static ErrCode run_task(const Shuffling *s, OptTask task, int threads, uint64_t memory, Err *err)
{
    const ShuffleSpec spec = {.input = s->input,
                              .tokenizer = s->t,
                              .out_dir = s->out,
                              .scratch = s->out,
                              .n_shards = N_SHARDS,
                              .seed = 3,
                              .task = task,
                              .memory = memory};
    Par par = par_alone(threads);
    DomainSet domains = {0};
    TokenLost lost;
    ErrCode rc = tokens_shuffle(&spec, &par, &domains, &lost, err);

    if (rc == ERR_OK) CHECK_INT(N_STREAMS, domains.n);
    domainset_clear(&domains);
    return rc;
}

/* The one file of encoded parts. */
static void remove_run(const char *out_dir, uint32_t begin, uint32_t end)
{
    char dir[600], path[900], head[32];
    StoreList list;
    Err err;

    snprintf(dir, sizeof dir, "%s/encoded", out_dir);
    snprintf(head, sizeof head, "%06" PRIu32 "-%06" PRIu32 "-", begin, end);
    CHECK_OK(store_list(dir, &list, &err), &err);
    CHECK_INT(1, list.n);
    CHECK_INT(0, strncmp(list.name[0], head, strlen(head)));
    snprintf(path, sizeof path, "%s/%s", dir, list.name[0]);
    CHECK_INT(0, unlink(path));
    storelist_clear(&list);
}

TEST(a_run_goes_on_where_it_stopped)
{
    static File before[N_FILES], after[N_FILES];
    const OptTask all = {0, 0};
    Tokenizer *t = make_tokenizer();
    Shuffling s = {make_input(check_tmpdir()), t, check_tmpdir()};
    uint32_t n_same = 0;
    Err err = {0};

    CHECK_OK(run_task(&s, all, 2, 8 << 20, &err), &err);
    take_files(s.out, before);
    CHECK_INT(0, unlink(before[3].path)); /* a shard, two of one partition, one that was cut */
    CHECK_INT(0, unlink(before[5].path));
    CHECK_INT(0, unlink(before[N_SHARDS + 5].path));
    CHECK_INT(0, truncate(before[2 * N_SHARDS + 6].path, 100));
    remove_run(s.out, 0, N_PARTS); /* what it held is encoded again, since something is missing */
    CHECK_OK(run_task(&s, all, 1, 4 << 20, &err), &err);
    take_files(s.out, after);
    for (uint32_t i = 0; i < N_FILES; i++) {
        CHECK(hash128_eq(before[i].hash, after[i].hash));
        n_same += is_same(&before[i], &after[i]);
    }
    CHECK_INT(N_FILES - 4, n_same);
    CHECK_OK(run_task(&s, all, 1, 4 << 20, &err), &err); /* nothing to do */
    take_files(s.out, before);
    for (uint32_t i = 0; i < N_FILES; i++) CHECK(is_same(&before[i], &after[i]));
    tokeninput_close((TokenInput *)(uintptr_t)s.input);
    tokenizer_free(t);
}

/* All parts of the input in one file, of one record. */
static void write_record(const char *out_dir, Span value)
{
    const Par par = par_alone(1);
    const uint8_t key[EXCHANGE_KEY] = {1};
    char dir[600];
    TokenRunWriter *w;
    TokenRuns r;
    DomainSet domains = {0};
    DomainCount *count;
    uint64_t bytes;
    Buf made = {0};
    Err err = {0};

    snprintf(dir, sizeof dir, "%s/encoded", out_dir);
    const TokenRunsSpec spec = {.dir = dir, .partitions = N_SHARDS, .n_parts = N_PARTS};
    CHECK_OK(domainset_at(&domains, SPAN_LIT("code"), &count, &err), &err);
    CHECK_OK(tokenruns_open(&r, &spec, &par, &err), &err);
    CHECK_OK(tokenrun_new(&w, &r, 1, 1 << 20, &err), &err);
    CHECK_OK(tokenrun_begin(w, (TokenRange){0, N_PARTS}, &err), &err);
    CHECK_OK(tokenrun_put(w, 0, key, value, &err), &err);
    CHECK_OK(tokenrun_end(w, &domains, &(TokenLost){0}, &bytes, &err), &err);
    CHECK_OK(tokenrun_finish(w, &made, &err), &err);
    buf_clear(&made);
    domainset_clear(&domains);
    tokenrun_free(w);
    tokenruns_clear(&r);
}

/* Sums that fit do not make a document of what is none. */
TEST(records_that_are_no_documents_are_refused)
{
    static const struct {
        size_t n;
        uint8_t byte; /* every one behind the number of the chunk */
        const char *says;
    } odd[] = {{0, 0, "chunk of a document"},   {3, 0, "chunk of a document"},  {4, 0, "head of a document"},
               {27, 0, "head of a document"},   {28, 1, "head of a document"},  {400, 255, "head of a document"},
               {1000, 1, "head of a document"}, {31, 0, "tokens of a document"}};
    Tokenizer *t = make_tokenizer();
    TokenInput *in = make_input(check_tmpdir());

    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const Shuffling s = {in, t, check_tmpdir()};
        uint8_t *value = malloc(odd[i].n + 1);
        Err err = {0};
        CHECK(value != NULL);
        if (!value) break;
        memset(value, odd[i].byte, odd[i].n);
        memset(value, 0, odd[i].n < TOKEN_CHUNK_HEAD ? odd[i].n : TOKEN_CHUNK_HEAD);
        write_record(s.out, span(value, odd[i].n));
        CHECK_INT(ERR_DATA, run_task(&s, (OptTask){0, 0}, 1, 8 << 20, &err));
        CHECK(strstr(err.msg, odd[i].says) && strstr(err.msg, s.out));
        free(value);
    }
    tokeninput_close(in);
    tokenizer_free(t);
}

/* Tasks of arrays of several sizes, each started until nothing is missing; what others have left is taken as it is. */
TEST(tasks_make_what_one_makes)
{
    static File want[N_FILES], got[N_FILES];
    const OptTask all = {0, 0};
    Tokenizer *t = make_tokenizer();
    TokenInput *in = make_input(check_tmpdir());
    Shuffling alone = {in, t, check_tmpdir()}, s = {in, t, check_tmpdir()};
    Err err = {0};

    CHECK_OK(run_task(&alone, all, 1, 64 << 20, &err), &err);
    take_files(alone.out, want);
    CHECK_INT(ERR_NO, run_task(&s, (OptTask){1, 2}, 1, 8 << 20, &err));
    CHECK(strstr(err.msg, "parts encoded") != NULL);
    for (uint32_t i = 0; i < 3; i++) CHECK_INT(ERR_NO, run_task(&s, (OptTask){2 - i, 3}, 2, 8 << 20, &err));
    CHECK(strstr(err.msg, "shards of each stream") != NULL);
    CHECK_INT(ERR_NO, run_task(&s, (OptTask){2, 3}, 1, 8 << 20, &err));
    CHECK_OK(run_task(&s, (OptTask){1, 3}, 7, 8 << 20, &err), &err);
    take_files(s.out, got);
    for (uint32_t i = 0; i < N_FILES; i++) CHECK(hash128_eq(want[i].hash, got[i].hash));
    tokeninput_close(in);
    tokenizer_free(t);
}
