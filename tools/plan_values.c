/* The numbers of a plan: what they are called, what they are unless somebody says better, and where that comes from. */
#include "tools/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define CASE      "the case that Tamis is designed for"
#define CRAWL     "commoncrawl.org, February 2019 archive (CC-MAIN-2019-09)"
#define ASSUMED   "assumed; describe your own"
#define RESULTS   "bench/RESULTS.md, 2026-11-22, machine A"
#define RUN       "the quickstart's run, 2026-11-22, machine A"
#define TOKENIZER "bench/RESULTS.md, step 3, machine A, loaded"
#define FORMAT    "docs/formats.md"
#define PAPER     "arXiv 2401.02954"

/* clang-format off */
const PlanDef plan_defs[PLAN_N_VALUES] = {
    [PLAN_DUMPS] = {"input", "dumps", "", "crawl dumps", 91, 1, 1e6, PAPER},
    [PLAN_PAGES] = {"input", "pages", "", "pages (HTTP responses) a dump", 3e9, 1, 1e12, CASE},
    [PLAN_FILES] = {"input", "files", "", "WARC files a dump", 64000, 1, 1e9, CRAWL ": 64,000"},
    [PLAN_FILE_MB] = {"input", "file_mb", "MB", "a WARC file as stored", 1028.4, 1e-6, 1e9, CRAWL ": 59.86 TiB"},
    [PLAN_UNPACKED] = {"input", "unpacked", "x", "bytes unpacked a byte stored", 3.759, 0.1, 1000, CRAWL ": 225 TiB"},
    [PLAN_INPUTS_PER_PART] = {"input", "inputs_per_part", "", "files a part; 0: about 1 GiB of text a part", 0, 0, 1e9, CASE},
    [PLAN_NODES] = {"cluster", "nodes", "", "nodes", 256, 1, 1e6, CASE},
    [PLAN_CORES] = {"cluster", "cores", "", "cores a node", 64, 1, 1e5, ASSUMED},
    [PLAN_MEMORY_GB] = {"cluster", "memory_gb", "GB", "memory a node", 256, 0.1, 1e6, ASSUMED},
    [PLAN_SCRATCH_GB] = {"cluster", "scratch_gb", "GB", "local scratch disk a node", 1600, 0, 1e7, ASSUMED},
    [PLAN_SCRATCH_MB_S] = {"cluster", "scratch_mb_s", "MB/s", "its rate", 2000, 1, 1e7, ASSUMED},
    [PLAN_NETWORK_GBIT_S] = {"cluster", "network_gbit_s", "Gbit/s", "network a node", 25, 0.01, 1e5, ASSUMED},
    [PLAN_STORAGE_MB_S] = {"cluster", "storage_mb_s", "MB/s", "shared storage, all nodes together", 50000, 1, 1e9, ASSUMED},
    [PLAN_STORAGE_TB] = {"cluster", "storage_tb", "TB", "room for the outputs; 0: not checked", 0, 0, 1e9, ASSUMED},
    [PLAN_INODES] = {"cluster", "inodes", "", "files there may be; 0: not checked", 0, 0, 1e15, ASSUMED},
    [PLAN_MAX_ARRAY] = {"cluster", "max_array", "", "MaxArraySize of Slurm; 0: not checked", 1001, 0, 1e9, "Slurm's default"},
    [PLAN_EFFICIENCY] = {"cluster", "efficiency", "x", "rate of a core when all are at work, of one alone", 0.8, 0.01, 1, ASSUMED},
    [PLAN_PRICE] = {"cluster", "price_node_hour", "", "price of a node for an hour; 0: none", 0, 0, 1e9, ASSUMED},
    [PLAN_GANG_NODES] = {"cluster", "gang_nodes", "", "nodes of one MPI job: clustering, bpe, tokenize; 0: all", 0, 0, 1e6, CASE},
    [PLAN_READ_MB_S] = {"engine", "read_mb_s", "MB/s", "text passed over while reading parts, a core", 500, 0.001, 1e6, "zstd -d of text, 500-650 MB/s"},
    [PLAN_WORKER_MB] = {"engine", "worker_mb", "MB", "memory a thread of a map stage", 81, 0, 1e6, RESULTS ": ingest"},
    [PLAN_RECORDS_S] = {"engine", "records_s", "/s", "records exchanged, a core", 14e6, 1, 1e12, RESULTS ": 28.1 M/s, two ranks"},
    [PLAN_STEP_S] = {"engine", "step_s", "s", "an exchange on each node, beside its records", 0.003, 0, 1e6, "a small tamis dedup, machine A"},
    [PLAN_EDGES_S] = {"engine", "edges_s", "/s", "edges joined, a core", 2.5e6, 1, 1e12, RESULTS ": 10^8 in 20.3 s, two threads"},
    [PLAN_ROUNDS] = {"engine", "rounds", "", "exchanges of the components' edges", 9, 0, 100, "components_bench, random graph and chains over three ranks: 7-9"},
    [PLAN_INGEST_PAGE_US] = {"ingest", "page_us", "us", "a page, beside its bytes", 490, 0, 1e9, RESULTS ": small and large pages"},
    [PLAN_INGEST_MB_S] = {"ingest", "mb_s", "MB/s", "unpacked bytes, beside its pages", 65, 0.001, 1e6, RESULTS ": small and large pages"},
    [PLAN_INGEST_KEEP] = {"ingest", "keep", "x", "documents a page, after --keep-lang and cheap rules", 0.3663, 0, 1, CASE ": 1e11 of 2.7e11"},
    [PLAN_INGEST_TEXT] = {"ingest", "text_bytes", "B", "text a document", 3000, 1, 1e9, CASE ": a copy of 100 TB"},
    [PLAN_INGEST_STORED] = {"ingest", "stored", "x", "bytes of parts a byte of text", 0.324, 0.001, 10, RUN},
    [PLAN_SIGN_MB_S] = {"sign", "mb_s", "MB/s", "text signed, a core", 58, 0.001, 1e6, RUN},
    [PLAN_SIGN_BANDS] = {"sign", "bands", "", "bands", 14, 1, 200, "default of tamis dedup"},
    [PLAN_SIGN_SKETCH] = {"sign", "sketch", "B", "verification sketch a document", 128, 0, 1e4, FORMAT},
    [PLAN_SIGN_BESIDE] = {"sign", "beside", "B", "other columns of a signature", 65, 0, 1e4, FORMAT ": exact, tokens, bytes, dump, host, id, lang, domain, drop"},
    [PLAN_BAND_RECORD] = {"dedup", "band_record", "B", "a document in the exchange of a band", 16, 1, 1e4, CASE ": key and number"},
    [PLAN_DEDUP_EXACT] = {"dedup", "exact", "x", "exact duplicates, which leave before the bands", 0, 0, 1, "none, so that the bands' passes are the largest that can be"},
    [PLAN_DEDUP_DROP] = {"dedup", "drop", "x", "dropped as duplicates, of documents and text", NAN, 0, 1, PAPER ", table 1, by the number of dumps"},
    [PLAN_DEDUP_AGAIN] = {"dedup", "again", "x", "documents whose texts are read again, of pairs that the sketch cannot tell", 0.0113, 0, 1, "520 of 46,050 real pages"},
    [PLAN_JUDGE_DOC_US] = {"judge", "doc_us", "us", "a document judged", 0.33, 0, 1e6, "46,050 real pages, 15 ms"},
    [PLAN_JUDGE_COLUMNS] = {"judge", "columns", "B", "columns a document; twice, with the clusters", 26, 0, 1e4, FORMAT},
    [PLAN_FILTER_MB_S] = {"filter", "mb_s", "MB/s", "text judged, a core", 24.8, 0.001, 1e6, RESULTS},
    [PLAN_FILTER_KEEP] = {"filter", "keep", "x", "kept of the text", 0.2353, 0, 1, "chosen so that 2e12 tokens remain, as in " PAPER},
    [PLAN_FILTER_COLUMNS] = {"filter", "columns", "B", "columns a document, kept or not", 153, 0, 1e5, RUN},
    [PLAN_REMIX_MB_S] = {"remix", "mb_s", "MB/s", "text, a core", 83.6, 0.001, 1e6, RESULTS},
    [PLAN_REMIX_COLUMNS] = {"remix", "columns", "B", "columns a document, kept or not", 9.1, 0, 1e5, RUN},
    [PLAN_BPE_MB_S] = {"bpe", "mb_s", "MB/s", "text counted, a core", 100, 0.001, 1e6, TOKENIZER ": counting words, Chinese, English and code"},
    [PLAN_BPE_SAMPLE_MB] = {"bpe", "sample_mb", "MB", "text counted", 2147.5, 0, 1e9, "default of tamis bpe"},
    [PLAN_BPE_MERGES] = {"bpe", "merges", "", "merges", 99744, 0, 1e7, "default of tamis bpe"},
    [PLAN_BPE_MERGE_US] = {"bpe", "merge_us", "us", "a merge, one core", 750, 0, 1e9, TOKENIZER ": 150 in 319 MB, two fifths Chinese; grows with the Chinese text to the power 0.85"},
    [PLAN_BPE_WORDS] = {"bpe", "word_bytes", "B", "memory for words, a byte of the sample, one node", 2, 0, 1e4, TOKENIZER ": 610 MB of 319; Chinese alone 4.5, English 1"},
    [PLAN_TOKENIZE_MB_S] = {"tokenize", "mb_s", "MB/s", "text encoded and packed, a core", 50, 0.001, 1e6, TOKENIZER ": whole process"},
    [PLAN_TOKEN_TEXT] = {"tokenize", "token_bytes", "B", "text a token", 3.6, 0.01, 1e4, "articles with the DeepSeek-LLM vocabulary: 3.64 English, 3.51 Chinese"},
    [PLAN_TOKEN_BITS] = {"tokenize", "token_bits", "", "bits a token in a shard", 17, 16, 32, "docs/formats-shards.md, 100015 tokens"},
    [PLAN_TOKEN_DOC] = {"tokenize", "doc_bytes", "B", "a document in a shard, beside its tokens", 66, 0, 1e5, RUN},
};
/* clang-format on */

double plan_published_drop(double dumps)
{
    static const struct {
        double dumps, drop;
    } at[] = {{1, .222}, {2, .467}, {6, .557}, {12, .699}, {16, .757}, {22, .763}, {41, .816}, {91, .898}};
    enum { N = sizeof at / sizeof *at };

    for (int i = 1; i < N; i++)
        if (dumps <= at[i].dumps) {
            const double x = log(dumps / at[i - 1].dumps) / log(at[i].dumps / at[i - 1].dumps);
            return at[i - 1].drop + (x > 0 ? x : 0) * (at[i].drop - at[i - 1].drop);
        }
    return at[N - 1].drop;
}

void plan_defaults(PlanValues *p)
{
    for (int i = 0; i < PLAN_N_VALUES; i++) {
        p->v[i] = plan_defs[i].fallback;
        p->source[i] = plan_defs[i].source;
    }
}

static int find_value(Span section, Span key)
{
    for (int i = 0; i < PLAN_N_VALUES; i++)
        if (span_is(section, plan_defs[i].section) && span_is(key, plan_defs[i].key)) return i;
    return -1;
}

static bool is_section(Span name)
{
    for (int i = 0; i < PLAN_N_VALUES; i++)
        if (span_is(name, plan_defs[i].section)) return true;
    return false;
}

static ErrCode take_number(PlanValues *p, const Json *section, const Json *j, const char *path, const char *source,
                           Err *err)
{
    const int i = find_value(section->key, j->key);

    if (i < 0)
        return err_set(err, ERR_USAGE, "%s:%" PRIu32 ": %s has no %s; docs/tamis-plan.1.md lists what there is", path,
                       j->line, (const char *)section->key.p, (const char *)j->key.p);
    const PlanDef *d = &plan_defs[i];
    if (j->type != JSON_NUMBER || !(j->number >= d->min && j->number <= d->max))
        return err_set(err, ERR_USAGE, "%s:%" PRIu32 ": %s.%s is a number from %g to %g", path, j->line, d->section,
                       d->key, d->min, d->max);
    p->v[i] = j->number;
    p->source[i] = source;
    return ERR_OK;
}

ErrCode plan_take(PlanValues *p, const Json *root, const char *path, const char *source, Err *err)
{
    ErrCode rc = ERR_OK;

    if (root->type != JSON_OBJECT) return err_set(err, ERR_USAGE, "%s: a mapping of sections is wanted", path);
    for (const Json *s = root->child; s && rc == ERR_OK; s = s->next) {
        if (span_is(s->key, "format") || span_is(s->key, "version") || span_is(s->key, "source")) continue;
        if (!is_section(s->key))
            return err_set(err, ERR_USAGE,
                           "%s:%" PRIu32 ": no section %s; there are input, cluster, engine and the stages", path,
                           s->line, (const char *)s->key.p);
        if (s->type != JSON_OBJECT && s->type != JSON_NULL)
            return err_set(err, ERR_USAGE, "%s:%" PRIu32 ": %s is a mapping of numbers", path, s->line,
                           (const char *)s->key.p);
        for (const Json *j = s->child; j && rc == ERR_OK; j = j->next) rc = take_number(p, s, j, path, source, err);
    }
    return rc;
}
