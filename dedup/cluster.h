/* dedup/cluster.h - the phases of clustering on rank 0, and its result on disk. Private to the room.
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

/* Groups of equal exact keys: all but the first by keep order become DOC_EXACT_DUP. */
MUST_USE ErrCode exact_find(DocTable *t, Err *err);
/* Documents that share a band are joined, band by band; marks DOC_CLUSTERED. */
MUST_USE ErrCode bands_join(DocTable *t, Err *err);
/* Goes through every component in keep order and keeps or drops its members by their sketches. */
MUST_USE ErrCode verify_components(DocTable *t, Err *err);
/* Fills dup_docs, dup_dumps and dup_hosts from the final keepers. */
MUST_USE ErrCode spread_count(DocTable *t, Err *err);

/* All of it: from the signatures in sign_dir to the result in dir. Called by one rank. */
MUST_USE ErrCode cluster_run(const DedupParams *params, const DatasetSet *in, const char *sign_dir, const char *dir,
                             Hash128 key, uint64_t memory, const char *scratch, const Par *par, Err *err);

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
