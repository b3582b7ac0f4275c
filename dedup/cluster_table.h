/* dedup/cluster_table.h - the clusters of a deduplicated view as JSON Lines, for people and their scripts: one process, which reads the
 * view, its inputs and DIR/clusters. Private to the room.
 *
 * A line a cluster, in the order of the documents kept:
 *   {"id":ID, "docs":N, "dumps":N, "hosts":N, "first_dump":NAME, "last_dump":NAME}
 * ID is that of the document kept; dumps and hosts are counts of distinct ones; the names are absent when no dump is known. By members a line a
 * document, cluster after cluster, the document kept first:
 *   {"id":ID, "cluster":ID of the one kept, "docs" … as above, "kept":true} or "kept":false,"why":REASON
 * and last, in the order of an index, what that held of them: {"id":ID, "match":ID there, or [dataset, part, record] where no index is given,
 *   "kept":false,"why":REASON}
 * By size a line a cluster, the largest first, with "url" and "text" (its beginning) of the one kept, and of some others as
 *   "samples":[{"id", "url", "why", "text"}…] */
#ifndef TAMIS_DEDUP_CLUSTER_TABLE_H
#define TAMIS_DEDUP_CLUSTER_TABLE_H

#include "dedup/dedup.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CLUSTER_TABLE_MAX_LARGEST = 1000, CLUSTER_TABLE_SAMPLES = 3, CLUSTER_TABLE_TEXT = 200 /* bytes */ };

typedef struct {
    const char *dir;     /* of the view */
    uint32_t least;      /* smaller clusters are left out */
    uint32_t largest;    /* so many by size, at most CLUSTER_TABLE_MAX_LARGEST; 0: all in order */
    bool members;        /* not with largest */
    int threads;         /* that read */
    uint64_t memory;     /* for bringing members together */
    const char *index;   /* by which matches are named; NULL: none */
    const char *scratch; /* directory for what does not fit; NULL: dir */
} ClusterQuery;

MUST_USE ErrCode clusters_write(const ClusterQuery *q, FILE *out, Err *err);

/* Logs the largest clusters of the view in `dir`, as its totals name them, with counts and samples: a line a cluster, then one a document. */
MUST_USE ErrCode clusters_tell(const char *dir, const DedupTotals *n, Err *err);

#endif
