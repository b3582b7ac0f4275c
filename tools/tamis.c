/* tamis - the table of verbs. Everything else lives in the rooms. */
#include "core/log.h"
#include "core/options.h"
#include "dedup/dedup.h"
#include "filter/filter.h"
#include "ingest/ingest.h"
#include "remix/remix.h"
#include "shards/shards.h"
#include "tokenize/tokenize.h"
#include "tools/verbs.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} Verb;

static ErrCode make_signatures(StageBeside **out, Err *err)
{
    const DedupParams params = DEDUP_PARAMS_DEFAULT;

    return dedup_beside_new(&params, out, err);
}

static int ingest(int argc, char **argv)
{
    return ingest_verb(argc, argv, &(IngestBeside){make_signatures, dedup_beside_free});
}

static const Verb verbs[] = {
    {"ingest", ingest, "crawl records (WARC, ARC, HTML, JSON Lines) into documents"},
    {"dedup", dedup_words, "drop exact and near duplicates"},
    {"filter", filter_verb, "drop what quality rules reject"},
    {"remix", remix_verb, "mixture domains and their weights"},
    {"bpe", bpe_words, "train a byte-level BPE tokenizer"},
    {"tokenize", tokenize_verb, "documents into token shards"},
    {"shards", shards_verb, "look into token shards, verify them"},
    {"train", train_verb, "pretrain a model from token shards (tamis-train)"},
    {"run", run_verb, "all of it, from a recipe, resumable"},
    {"plan", plan_verb, "what a run will cost: time, memory, disk, network"},
    {"alarms", alarms_verb, "bands for the rates of a run that went well"},
    {"report", report_verb, "the report of a run as one HTML page"},
    {"events", events_verb, "what a run did and when: parts, phases, a trace"},
    {"docs", docs_verb, "look at documents: head, cat, show, grep, sample, wet"},
    {"url", url_verb, "what is seen in URLs: keys, domain, blocklists"},
    {"status", status_verb, "how far a dataset or a run is, while it runs"},
    {"commit", commit_verb, "finish a dataset whose parts are all there"},
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static void print_help(void)
{
    printf("usage: tamis VERB [options] ...\n"
           "Raw web crawl into a pretrained bilingual language model, one stage a verb:\n");
    for (int i = 0; i < N_VERBS; i++) printf("  %-10s %s\n", verbs[i].name, verbs[i].what);
    printf("`tamis VERB --help` says more; `tamis --version` names the libraries.\n");
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* nothing we write depends on it */
    if (argc < 2) {
        fprintf(stderr, "tamis: no verb; try tamis --help\n");
        return err_status(ERR_USAGE);
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help();
        return verb_exit(ERR_OK, NULL);
    }
    if (!strcmp(argv[1], "--version")) {
        printf("tamis " TAMIS_VERSION "\nbuilt with " TAMIS_LIBRARIES ", %s\n", par_library());
        return verb_exit(ERR_OK, NULL);
    }
    for (int i = 0; i < N_VERBS; i++)
        if (!strcmp(argv[1], verbs[i].name)) {
            interrupt_install();
            return verbs[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "tamis: no verb \"%s\"; try tamis --help\n", argv[1]);
    return err_status(ERR_USAGE);
}
