/* ingest/ingest_verb.c - `tamis ingest`. */
#include "ingest/html.h"
#include "ingest/ingest.h"
#include "ingest/maintext.h"
#include "ingest/siterules.h"

static const char after[] =
    "INPUT: WARC, WET or ARC archive (plain, gzip, zstd, LZ4), JSON Lines of documents (same), directory, or @LIST "
    "of\n"
    "inputs; also s3://BUCKET/KEY and http(s) URLs, and - for an archive on standard input.\n"
    "Archives are cut into parts of --part-bytes.\n"
    "A record that yields no document is counted by its reason; --rejected shows them one by one.\n"
    "Inputs that break off, do not decompress or hold no record are named; status 4 when not one record could be "
    "read.";

static ErrCode settle(void *params, Err *err) { return ingest_check(params, err); }

int ingest_verb(int argc, char **argv, const IngestBeside *signatures)
{
    IngestParams params = INGEST_PARAMS_DEFAULT;
    CommonOptions common = {0};
    StageBeside *beside = NULL;
    Blocklist *blocks = NULL;
    OptList block = {0};
    SiteRules *site_rules = NULL;
    FastText *lid = NULL;
    const char *out = NULL, *lid_path = NULL, *rules_path = NULL;
    bool sign = false;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the dataset goes here (created)"),
        OPT_STR(0, "dump", &params.dump, "NAME", "the crawl of all inputs; else CC-MAIN-… of the path, else local"),
        OPT_STR('l', "keep-lang", &params.keep_lang, "LIST",
                "keep these of en,zh,zh-Hans,zh-Hant,code,other; else all"),
        OPT_STR(0, "lid", &lid_path, "FILE", "tell languages by this fastText model, not by CLD2"),
        OPT_LIST(0, "block", &block, "KIND:FILE",
                 "drop URLs of a list; KIND domain, url, word, soft_word, substring; repeatable"),
        OPT_CHOICE(0, "rules", &params.rules, ingest_rules, "SET",
                   "cheap: drop texts that rules of filter hardly ever keep"),
        OPT_STR(0, "site-rules", &rules_path, "FILE",
                "main text of sites by these rules of yours: HOST[/PATH] ACTION SELECTOR a line"),
        OPT_CHOICE(0, "mode", &params.mode, maintext_modes, "MODE",
                   "of main text: precision, balanced, recall or all"),
        OPT_CHOICE(0, "parser", &params.parser, html_parser_names, "NAME",
                   "of HTML: fast, or libxml2 to compare with"),
        OPT_STR(0, "source", &params.source, "NAME", "what kind of place it is from; else web, for lines their own"),
        OPT_U32(0, "inputs-per-part", &params.inputs_per_part, "K", "consecutive inputs a part; 0: by bytes"),
        OPT_SIZE(0, "part-bytes", &params.part_bytes, "SIZE", "stored bytes of input a part"),
        OPT_FLAG(0, "html", &params.html, "INPUT is HTML files or directories of such, each file a page"),
        OPT_FLAG(0, "cdxj", &params.cdxj, "INPUT is CDXJ indexes: read the records they name, by byte ranges"),
        OPT_STR(0, "base-url", &params.base_url, "URL",
                "names in lists and indexes are relative to this URL or directory"),
        OPT_FLAG(0, "verify-digests", &params.verify_digests,
                 "compare records with their WARC-Block-Digest and WARC-Payload-Digest; report what differs"),
        OPT_FLAG(0, "respect-opt-out", &params.respect_opt_out,
                 "drop pages that ask not to be trained on or indexed"),
        OPT_FLAG(0, "signatures", &sign, "write what dedup compares beside the documents, so that it reads no text"),
        OPT_STR(0, "stage-dir", &params.stage_dir, "DIR",
                "remote inputs come to this disk first; else $TMPDIR or /tmp"),
        OPT_U32(0, "stage-depth", &params.stage_depth, "N", "remote inputs fetched ahead of the one being read"),
        OPT_SIZE(0, "stage-bytes", &params.stage_bytes, "SIZE", "and their bytes at most; 0: no bound"),
        OPT_U32(0, "connections", &params.connections, "N", "to servers, over all ranks"),
        OPT_COMMON_STAGE(&common),
        OPT_STR(0, "rejected", &common.rejected, "DIR", "write what is dropped, with its reason"),
        OPT_CHECK(settle, &params),
        OPT_END,
    };
    const OptVerb verb = {.name = "ingest",
                          .usage = "[options] -o DIR INPUT...",
                          .what = "Turn web archives into documents: HTTP, charset, main text, language.",
                          .specs = specs,
                          .after = after};
    Par par = {0};
    Err err = {0};
    int first = 0;

    ErrCode rc = verb_begin(&verb, argc, argv, &common, &par, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc != ERR_OK) goto out;
    StageTotals totals = {0};
    if (sign && (rc = signatures->make(&beside, &err)) != ERR_OK) goto out;
    params.beside = beside;
    for (size_t i = 0; i < block.n && rc == ERR_OK; i++) rc = blocklist_add(&blocks, block.v[i], &err);
    if (rc == ERR_OK && blocks) rc = blocklist_seal(blocks, &err);
    if (rc == ERR_OK && lid_path) rc = fasttext_open(&lid, lid_path, &err);
    if (rc == ERR_OK && rules_path) rc = siterules_read(&site_rules, rules_path, &err);
    if ((rc = par_agree(&par, rc, &err)) != ERR_OK) goto out;
    params.block = blocks;
    params.sites = site_rules;
    params.lid = lid;
    rc = ingest_run(&params, (const char *const *)argv + first, (size_t)(argc - first), out, &common, &par, &totals,
                    &err);
    if (rc == ERR_OK && totals.complete && !totals.up_to_date && par.rank == 0 && !common.quiet)
        rc = stage_summary(out, &err);
out:
    signatures->free(beside);
    blocklist_free(blocks);
    siterules_free(site_rules);
    fasttext_free(lid);
    optlist_clear(&block);
    par_stop(&par);
    return verb_exit(rc, &err);
}
