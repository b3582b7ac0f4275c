/* Memory that runs out anywhere: each allocation of a call fails in turn. */
#include "core/dataset_files.h"
#include "core/docscan.h"
#include "core/exchange.h"
#include "core/stage.h"
#include "core/store.h"
#include "core/textkey.h"
#include "core/yaml.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

#include <stdlib.h>

/* --- text */

static ErrCode parse_json(void *ctx, Err *err)
{
    Arena a = {0};
    Buf b = {0};
    Json *tree;
    ErrCode rc = json_parse(&a, span_str(ctx), "t.json", &tree, err);

    if (rc == ERR_OK) {
        json_put_tree(&b, tree);
        rc = buf_ok(&b, "text", err);
    }
    buf_clear(&b);
    arena_clear(&a);
    return rc;
}

/* Enough members for the table that finds a key given twice, enough bytes for several chunks of the arena. */
static char *large_json(void)
{
    Buf b = {0};

    buf_puts(&b, "{\"escaped\\n\":\"\\u4f60\\t\"");
    for (int i = 0; i < 600; i++) buf_printf(&b, ",\"key %d\":[%d,true,{\"x\":\"a longer string of text\"}]", i, i);
    buf_puts(&b, "}");
    return (char *)(uintptr_t)buf_cstr(&b);
}

TEST(json_without_memory)
{
    char *text = large_json();

    alloc_fault_each(parse_json, NULL, text);
    free(text);
}

static ErrCode parse_yaml(void *ctx, Err *err)
{
    Arena a = {0};
    Json *tree;
    ErrCode rc = yaml_parse(&a, span_str(ctx), "t.yaml", &tree, err);

    arena_clear(&a);
    return rc;
}

TEST(yaml_without_memory)
{
    char *text = large_json(); /* flow style; the parser is libyaml's, the tree ours */

    alloc_fault_each(parse_yaml, NULL, text);
    free(text);
}

static ErrCode read_line(void *ctx, Err *err)
{
    DocScratch s = {0};
    const char *why = NULL;
    Doc d;
    bool ok = doc_read(&s, span_str(ctx), &d, &why);

    docscratch_clear(&s);
    if (ok) return ERR_OK;
    CHECK_STR("no_memory", why);
    return err_nomem(err, "a line");
}

TEST(a_line_without_memory)
{
    Buf b = {0};

    buf_puts(&b, "{\"id\":\"i\",\"text\":\"a\\nb\",\"signals\":{");
    for (int i = 0; i < 100; i++) buf_printf(&b, "%s\"s%d\":%d", i ? "," : "", i, i);
    buf_puts(&b, "}");
    for (int i = 0; i < 100; i++) buf_printf(&b, ",\"x%d\": [\"%d\"]", i, i);
    buf_puts(&b, "}");
    alloc_fault_each(read_line, NULL, (void *)(uintptr_t)buf_cstr(&b));
    buf_clear(&b);
}

static ErrCode parse_options(void *ctx, Err *err)
{
    OptList keep = {0};
    const OptSpec specs[] = {OPT_LIST('k', "keep", &keep, "X", "several"), OPT_END};
    const OptVerb verb = {"test", "[options]", "Test.", specs, NULL};
    char *words[] = {"test", "-k", "a", "--keep=b", "-kc", "in", NULL};
    int first;
    ErrCode rc = options_parse(&verb, 6, words, &first, err);

    (void)ctx;
    optlist_clear(&keep);
    return rc;
}

TEST(options_without_memory) { alloc_fault_each(parse_options, NULL, NULL); }

/* --- the map engine on a part of three documents, and a view over them */

enum { TINY_PARTS = 1, TINY_DOCS = 3, TINY_LEFT = 1 /* the stage drops one, the view another */ };

static uint64_t tiny_bytes(void *ctx, uint32_t part)
{
    (void)ctx;
    return part;
}

static ErrCode tiny_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    (void)ctx, (void)part;
    *cursor = calloc(1, sizeof(int));
    return *cursor ? ERR_OK : err_nomem(err, "a cursor");
}

static ErrCode tiny_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    *end = ++*(int *)cursor > 1;
    buf_putc(&block->bytes, 'x');
    return buf_ok(&block->bytes, "a block", err);
}

static ErrCode tiny_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    (void)ctx, (void)worker;
    for (uint32_t i = 0; i < TINY_DOCS; i++) {
        char id[32];
        snprintf(id, sizeof id, "d/%u#%u", block->part, i);
        Doc doc = {.id = span_str(id), .text = SPAN_LIT("some text"), .lang = SPAN_LIT("en")};
        sink_in(sink, doc.id, doc.text.n);
        sink_count(sink, "group", span_str(id), 1, 1);
        if (i == 2) {
            sink_drop(sink, 0, doc.id, &doc);
            continue;
        }
        ErrCode rc = sink_emit(sink, &doc, err);
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

static ErrCode view_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err)
{
    (void)ctx, (void)worker, (void)err;
    sink_u32(s, 0, 0, 7);
    sink_string(s, 1, SPAN_LIT("domain"));
    if (docid_record(id) == 1) sink_drop(s, 0, doc->id, doc);
    return ERR_OK;
}

static const char *const tiny_reasons[] = {"third"};
static const ColumnDef tiny_columns[] = {{"seven", COL_U32, 1, COL_SIGNAL}, {"domain", COL_STRING, 1, COL_FIELD}};
static const StageDef tiny_def = {
    .name = "tiny", .version = 1, .kind = DATASET_WRITTEN, .reasons = tiny_reasons, .n_reasons = 1};
static const StageDef view_def = {.name = "view",
                                  .version = 1,
                                  .kind = DATASET_VIEW,
                                  .reasons = tiny_reasons,
                                  .n_reasons = 1,
                                  .columns = tiny_columns,
                                  .n_columns = 2};
static const StageSource tiny_source = {.n_parts = TINY_PARTS,
                                        .part_bytes = tiny_bytes,
                                        .open = tiny_open,
                                        .next = tiny_next,
                                        .close = free,
                                        .map = tiny_map};

typedef struct {
    char docs[300], view[300], rejected[300];
} Tiny;

static ErrCode run_written(void *ctx, Err *err)
{
    Tiny *t = ctx;
    Par par = par_alone(1);
    CommonOptions common = {.rejected = t->rejected};
    StageJob job = {.def = &tiny_def,
                    .params = SPAN_LIT("{}"),
                    .inputs = SPAN_LIT("[]"),
                    .out_dir = t->docs,
                    .source = &tiny_source,
                    .common = &common};

    return stage_run(&job, &par, NULL, err);
}

static ErrCode run_view(void *ctx, Err *err)
{
    Tiny *t = ctx;
    Par par = par_alone(1);
    CommonOptions common = {.rejected = t->rejected};
    const char *in = t->docs;
    DatasetSet *set;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc != ERR_OK) return rc;
    StageJob job = {.def = &view_def,
                    .params = SPAN_LIT("{}"),
                    .out_dir = t->view,
                    .set = set,
                    .map = view_map,
                    .common = &common};
    rc = stage_run(&job, &par, NULL, err);
    datasetset_close(set);
    return rc;
}

/* A failed run leaves no manifest or a whole one, and the same call again completes it. */
static ErrCode finish_written(void *ctx, Err *err)
{
    Tiny *t = ctx;
    ErrCode rc = run_written(ctx, err);

    if (rc == ERR_OK) rc = store_delete_tree(t->docs, 1, err);
    return rc == ERR_OK ? store_delete_tree(t->rejected, 1, err) : rc;
}

static ErrCode finish_view(void *ctx, Err *err)
{
    Tiny *t = ctx;
    ErrCode rc = run_view(ctx, err);

    if (rc == ERR_OK) rc = store_delete_tree(t->view, 1, err);
    return rc == ERR_OK ? store_delete_tree(t->rejected, 1, err) : rc;
}

static void tiny_init(Tiny *t)
{
    const char *dir = check_tmpdir();

    log_setup(LOG_QUIET, 0);
    snprintf(t->docs, sizeof t->docs, "%s/docs", dir);
    snprintf(t->view, sizeof t->view, "%s/view", dir);
    snprintf(t->rejected, sizeof t->rejected, "%s/rejected", dir);
}

TEST(a_written_stage_without_memory)
{
    Tiny t;

    tiny_init(&t);
    alloc_fault_each(run_written, finish_written, &t);
}

TEST(a_view_without_memory)
{
    Tiny t;
    Err err = {.code = ERR_OK};

    tiny_init(&t);
    CHECK_OK(run_written(&t, &err), &err);
    alloc_fault_each(run_view, finish_view, &t);
}

/* --- reading what is there */

static ErrCode read_view(void *ctx, Err *err)
{
    const char *in = ((Tiny *)ctx)->view;
    DocCursor *c = NULL;
    uint64_t n = 0;
    bool end = false;
    Doc doc;
    DocId id;
    ErrCode rc = doccursor_open(&c, &in, 1, err);

    while (rc == ERR_OK && (rc = doccursor_next(c, &doc, &id, &end, err)) == ERR_OK && !end) n++;
    doccursor_close(c);
    if (rc == ERR_OK) CHECK_INT(TINY_LEFT, n);
    return rc;
}

static ErrCode count_doc(void *ctx, int thread, const Doc *doc, const DocPlace *place, Err *err)
{
    (void)thread, (void)doc, (void)place, (void)err;
    ++*(int *)ctx;
    return ERR_OK;
}

static ErrCode scan_view(void *ctx, Err *err)
{
    const char *in = ((Tiny *)ctx)->view;
    const Par par = par_alone(1);
    DatasetSet *set;
    int n = 0;
    ErrCode rc = datasetset_open(&set, &in, 1, err);

    if (rc != ERR_OK) return rc;
    rc = docscan(set, &par, count_doc, &n, NULL, err);
    datasetset_close(set);
    if (rc == ERR_OK) CHECK_INT(TINY_LEFT, n);
    return rc;
}

static ErrCode commit_view(void *ctx, Err *err)
{
    uint32_t have, all;
    bool done;

    return dataset_commit(((Tiny *)ctx)->view, &done, &have, &all, err);
}

static ErrCode summarise(void *ctx, Err *err) { return stage_summary(((Tiny *)ctx)->view, err); }

TEST(reading_and_committing_without_memory)
{
    Tiny t;
    Err err = {.code = ERR_OK};

    tiny_init(&t);
    CHECK_OK(run_written(&t, &err), &err);
    CHECK_OK(run_view(&t, &err), &err);
    alloc_fault_each(read_view, NULL, &t);
    alloc_fault_each(scan_view, NULL, &t);
    alloc_fault_each(commit_view, NULL, &t);
    alloc_fault_each(summarise, NULL, &t);
}

/* --- records that meet by key */

static ErrCode sum_values(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    ErrCode rc;

    (void)thread, (void)partition;
    for (;;) {
        Span value;
        bool end;
        if ((rc = exchange_next_group(g, key, &end, err)) != ERR_OK || end) return rc;
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end) *(uint64_t *)ctx += value.n;
        if (rc != ERR_OK) return rc;
    }
}

/* *ctx: the width of a value, or UINT32_MAX. */
static ErrCode exchange_some(void *ctx, Err *err)
{
    enum { N = 300 };
    uint32_t width = *(uint32_t *)ctx;
    const ExchangeSpec spec = {.name = "test", .partitions = 4, .value_bytes = width, .memory = 64 << 20};
    const Par par = par_alone(1);
    uint64_t bytes = 0, sent = 0;
    Exchange *x;
    ErrCode rc = exchange_open(&x, &spec, &par, err);

    for (uint32_t i = 0; i < N && rc == ERR_OK; i++) {
        static const uint8_t value[900];
        uint32_t n = width == UINT32_MAX ? i * 3 : width;
        uint8_t key[EXCHANGE_KEY];
        exchange_key_u64(key, mix64(i % 50), i % 50);
        rc = exchange_put(x, 0, key, value, n, err);
        sent += n;
    }
    if (rc == ERR_OK) rc = exchange_flip(x, err);
    if (rc == ERR_OK) rc = exchange_each(x, sum_values, &bytes, err);
    exchange_close(x);
    if (rc == ERR_OK) CHECK(bytes == sent);
    return rc;
}

TEST(an_exchange_without_memory)
{
    alloc_fault_each(exchange_some, NULL, &(uint32_t){8});
    alloc_fault_each(exchange_some, NULL, &(uint32_t){UINT32_MAX});
}

static ErrCode split_text(void *ctx, Err *err)
{
    TextKey k = {0};
    ErrCode rc = textkey_split(&k, span_str(ctx), err);

    if (rc == ERR_OK) CHECK_INT(5000, k.n_tok);
    textkey_clear(&k);
    return rc;
}

TEST(a_text_key_without_memory)
{
    Buf text = {0};

    for (int i = 0; i < 2500; i++) buf_printf(&text, "word %d, ", i);
    alloc_fault_each(split_text, NULL, (void *)(uintptr_t)buf_cstr(&text));
    buf_clear(&text);
}
