/* dedup/clusters_verb.c - `tamis dedup clusters`. */
#include "core/options.h"
#include "dedup/cluster_table.h"
#include "dedup/dedup_words.h"

static const char after[] =
    "A line a cluster: id of the document kept, docs, dumps, hosts, first_dump, last_dump. With --members a line a\n"
    "document, cluster after cluster: id, cluster (the id of the one kept), the same counts, kept, and why it was "
    "not.\n"
    "With --largest also the URL and the beginning of the text, and three of the documents dropped for it.";

static ErrCode settle(void *query, Err *err)
{
    const ClusterQuery *q = query;

    if (q->largest > CLUSTER_TABLE_MAX_LARGEST)
        return err_set(err, ERR_USAGE, "dedup clusters: --largest is at most %d", CLUSTER_TABLE_MAX_LARGEST);
    if (q->largest && q->members)
        return err_set(err, ERR_USAGE, "dedup clusters: --largest and --members exclude one another");
    return ERR_OK;
}

int clusters_verb(int argc, char **argv)
{
    ClusterQuery q = {.least = 2};
    CommonOptions common = {0};
    const OptSpec specs[] = {
        OPT_FLAG(0, "members", &q.members, "a line a document, not a cluster"),
        OPT_STR(0, "index", &q.index, "DIR",
                "for --members: the index that was asked, which knows the ids of matches"),
        OPT_U32(0, "least", &q.least, "N", "leave out clusters of fewer documents"),
        OPT_U32(0, "largest", &q.largest, "N", "the N largest only, with samples; 0: all, in input order"),
        OPT_HEAD("Running:"),
        OPT_COMMON_THREADS(&common),
        OPT_SIZE(0, "memory", &common.memory, "SIZE", "budget: 800M, 24G; 0: 3/4 of what is free"),
        OPT_COMMON_SCRATCH(&common),
        OPT_CHECK(settle, &q),
        OPT_END,
    };
    const OptVerb verb = {.name = "dedup clusters",
                          .usage = "[options] DIR",
                          .what =
                              "The clusters of duplicates that tamis dedup found, as JSON Lines. DIR: what it made.",
                          .specs = specs,
                          .after = after};
    Err err = {0};
    int first;

    ErrCode rc = verb_begin_alone(&verb, argc, argv, NULL, 1, 1, "one directory", &first, &err);
    if (rc == ERR_OK && common.threads > PAR_MAX_THREADS)
        rc = err_set(&err, ERR_USAGE, "dedup clusters: --threads is at most %d", PAR_MAX_THREADS);
    if (rc == ERR_OK) rc = common_scratch(&common, &err);
    if (rc != ERR_OK) return verb_exit(rc == ERR_NO ? ERR_OK : rc, &err);
    q.dir = argv[first];
    const Par par = par_alone((int)common.threads);
    q.threads = par.threads;
    q.memory = common_memory(&common, &par);
    q.scratch = common.scratch;
    return verb_exit(clusters_write(&q, stdout, &err), &err);
}
