/* dedup/cluster.h - the steps of clustering, on all ranks, and its result on disk. Private to the room.
 *
 * A step is a pass over records that meet by key, whose results are kept (core/pass.h), in DIR/passes:
 *   exact        text key -> (duplicate, keeper)         exact-docs   the same by duplicate
 *   band_NNN     band key -> edges                       components   (document, label) by document
 *   verify       label -> (near duplicate, keeper)       resolve      (duplicate, last keeper, kind)
 *   verdicts     the same by duplicate                   sizes        (keeper, others) by keeper
 *   places       keeper's distinct dumps and hosts       spread       the same by keeper
 *   written      the totals, when all files of the result are there
 *
 * The result lies in DIR/clusters: a columns file (core/columns.h) for every root part of the inputs, called DDDDD-PPPPPP.cols
 * by its DocIds' dataset and part number, with a value a record:
 *   verdict    u8   CLUSTER_KEPT …
 *   cluster    u64  DocId of the document kept for this one
 *   dup_docs, dup_dumps, dup_hosts  u32  as dedup.h says, on kept documents; else 0
 * and a receipt {"key":…}; then clusters.json: {"key", "n_docs", "n_exact", "n_near", "n_short", "n_largest",
 * "n_clusters":[…]}. */
#ifndef TAMIS_DEDUP_CLUSTER_H
#define TAMIS_DEDUP_CLUSTER_H

#include "dedup/doctable.h"

enum { CLUSTER_KEPT, CLUSTER_EXACT, CLUSTER_NEAR, CLUSTER_NOT_SHOWN = 255 };

/* Results of steps. */
enum {
    PAIR_BYTES = 2 * DOC_BYTES,      /* two documents */
    VERDICT_BYTES = PAIR_BYTES + 1,  /* a dropped one, its keeper, CLUSTER_EXACT or _NEAR */
    SIZE_BYTES = DOC_BYTES + 4,      /* a keeper, how many others it stands for */
    SPREAD_BYTES = DOC_BYTES + 4 + 4 /* a keeper of several, distinct dumps, distinct hosts */
};

/* All are collective and leave a step that is done in *out, which is closed even after a failure; documents named by a step
 * lie where DocTable says.
 * Groups of equal exact keys: the first by keep order is the others' keeper, which lose DOC_NEAR. */
MUST_USE ErrCode exact_find(DocTable *t, Pass **out, Err *err);
/* Documents that share a band are joined, band by band: (document, label) of all in components of several. */
MUST_USE ErrCode bands_join(const DocTable *t, Pass **out, Err *err);
/* Goes through every component in keep order: (near duplicate, keeper). */
MUST_USE ErrCode verify_components(const DocTable *t, const Pass *components, Pass **out, Err *err);
/* All dropped documents, by number. `near` NULL: only exact ones. */
MUST_USE ErrCode verdicts_find(const DocTable *t, const Pass *exact, const Pass *near, Pass **out, Err *err);
/* How many documents each keeper stands for beside itself, and on how many dumps and hosts all of them lie. */
MUST_USE ErrCode sizes_count(const DocTable *t, const Pass *verdicts, Pass **out, Err *err);
MUST_USE ErrCode spread_count(const DocTable *t, const Pass *verdicts, const Pass *sizes, Pass **out, Err *err);

typedef struct {
    const char *dir; /* of the result */
    DocTableSpec table;
} ClusterSpec;
/* All of it, from the signatures to the result. Collective. ERR_NO: other tasks of the array have not done their shares yet. */
MUST_USE ErrCode cluster_run(const DedupParams *params, const DatasetSet *in, const ClusterSpec *spec, const Par *par,
                             Err *err);

/* --- the result */
/* *found: DIR/clusters is complete and made with this key. *totals as clusters.json has them. */
MUST_USE ErrCode clusters_load(const char *dir, Hash128 key, bool *found, DedupTotals *totals, Err *err);

typedef struct {
    Columns *cols;
    DocId docid; /* of the part's first record */
    Span verdict, cluster, dup_docs, dup_dumps, dup_hosts;
} ClusterPart;
/* The file of the root part that `id` lies in. */
MUST_USE ErrCode clusterpart_open(ClusterPart *p, const char *dir, Hash128 key, DocId id, Err *err);
void clusterpart_close(ClusterPart *p);

#endif
