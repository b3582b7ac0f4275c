/* dedup/cluster.h - the steps of clustering, on all ranks, and its result on disk. Private to the room.
 *
 * A step is a pass over records that meet by key, whose results are kept (core/pass.h), in DIR/passes:
 *   exact        text key -> verdicts                    exact-docs   the same by duplicate
 *   url          URL key -> verdicts                     url-docs     the same by duplicate
 *   band_NNN     band key -> edges                       components   (document, label) by document
 *   verify       label -> verdicts                       borderline   (document, keeper) by document
 *   settled      keeper -> verdicts                      again        by document: who is compared once more
 *   verify_2, borderline_2, settled_2, again_2 …         likewise, round after round
 *   resolve_N    verdicts with their keepers after later steps
 *   verdicts     the last of these by duplicate          sizes        (keeper, others) by keeper
 *   places       keeper's dumps and hosts                spread       the same by keeper
 *   written      the totals, when all files of the result are there
 *
 * The result lies in DIR/clusters: a columns file (core/columns.h) for every root part of the inputs, called DDDDD-PPPPPP.cols
 * by its DocIds' dataset and part number, with a value a record:
 *   verdict    u8   CLUSTER_KEPT …
 *   cluster    u64  DocId of the document kept for this one
 *   dup_docs, dup_dumps, dup_hosts  u32  as dedup.h says, on kept documents; else 0
 *   dup_first, dup_last  u32  on kept documents the first and last dump of these, by place in the list "dumps"; 65535: none known
 *   match      u64 where an index was asked: the reference there (dedup/index.h) of what a document is a duplicate of, whose `cluster` is then
 *              ~0; else ~0
 * and a receipt {"key":…}; then clusters.json: {"key", "index":{"additions", "path"} where one was asked, "n_docs", "n_exact", "n_url", "n_near", "n_short", "n_largest",
 * "n_clusters":[…], "largest":[[docs, DocId of the kept one]…], "dumps":[names in order]}. */
#ifndef TAMIS_DEDUP_CLUSTER_H
#define TAMIS_DEDUP_CLUSTER_H

#include "dedup/doctable.h"

#include <limits.h>

#define CLUSTER_INDEXED UINT64_MAX /* `cluster` of what an index held */
enum { CLUSTER_KEPT, CLUSTER_EXACT, CLUSTER_NEAR, CLUSTER_URL, CLUSTER_N, CLUSTER_NOT_SHOWN = 255 };
extern const char *const cluster_reasons[CLUSTER_N]; /* of those that drop */
enum { CLUSTERS_JSON_MAX = 4 << 20 };                /* names of dumps are most of it */

/* Results of steps. */
enum {
    PAIR_BYTES = 2 * DOC_BYTES,        /* two documents */
    VERDICT_BYTES = 2 * REF_BYTES + 1, /* a duplicate, its keeper, why: CLUSTER_EXACT … */
    /* In place of why, in a round of near duplicates, what that leaves to be compared once more: a document of which the shingles
     * said that it is not near the keeper; and one kept, its own keeper, for which others were dropped, or of which the list at hand knows
     * none. */
    AGAIN_REFUTED = 0x10,
    AGAIN_TAKEN,
    AGAIN_FREE,
    LINK_BORDERLINE = 0x40,     /* added to why: the sketch cannot tell */
    LINK_SAME_DUMP = 0x80,      /* added to why: the keeper is the first of the duplicate's dump, kept or not */
    SIZE_BYTES = DOC_BYTES + 4, /* a keeper, how many others it stands for */
    SPREAD_BYTES = DOC_BYTES + 4 + 4 + 2 + 2 /* a keeper of several: distinct dumps, hosts, first and last dump */
};

/* A result of VERDICT_BYTES. */
MUST_USE ErrCode verdict_put(ResultsOut *out, const uint8_t *ref, const uint8_t *keeper, uint8_t why, Err *err);

/* All are collective and leave a step that is done in *out, which is closed even after a failure; documents named by a step
 * lie where DocTable says.
 * Groups of equal texts, and of equal URLs among what is left; duplicates become DOC_FOUND. */
MUST_USE ErrCode exact_find(DocTable *t, Pass **out, Err *err);
MUST_USE ErrCode url_find(DocTable *t, Pass **out, Err *err);
/* Documents that share a band are joined, band by band: (document, label) of all in components of several. */
MUST_USE ErrCode bands_join(const DocTable *t, Pass **out, Err *err);
/* Near duplicates, in rounds. Verify goes through every component in keep order: a document is near one kept before it, or may
 * be (LINK_BORDERLINE). Then the texts are read again where the sketch cannot tell, and the Jaccard similarity of all shingles decides. What
 * it refutes is gone through once more (`again`, NULL in the first round): in the second round with the kept documents of its component, of
 * which those behind it may fall to it that no other was dropped for; from then on among themselves, until none is refuted or
 * NEAR_ROUNDS are over: what the last of these refutes is kept. Found are all verdicts of CLUSTER_NEAR in the lists of verify and settled, round after round. */
enum { NEAR_ROUNDS = 4, NEAR_LISTS = 2 * NEAR_ROUNDS, NEAR_STEP_NAME = 24 };
void near_step_name(char out[NEAR_STEP_NAME], const char *name, unsigned round);
MUST_USE ErrCode verify_components(const DocTable *t, const Pass *components, const Pass *again, unsigned round,
                                   Pass **out, Err *err);
MUST_USE ErrCode borderline_settle(const DocTable *t, const DatasetSet *in, const Pass *found, unsigned round,
                                   Pass **out, Err *err);
/* All rounds. `lists` is zero at first, and closed even after a failure. */
MUST_USE ErrCode near_find(const DocTable *t, const DatasetSet *in, const Pass *components, Pass *lists[NEAR_LISTS],
                           Err *err);
/* All dropped documents, by number. Of the steps url and near may be NULL: not taken. */
MUST_USE ErrCode verdicts_find(const DocTable *t, const Pass *exact, const Pass *url, Pass *const near[NEAR_LISTS],
                               Pass **out, Err *err);
/* How many documents each keeper stands for beside itself, and on how many dumps and hosts all of them lie. */
MUST_USE ErrCode sizes_count(const DocTable *t, const Pass *verdicts, Pass **out, Err *err);
MUST_USE ErrCode spread_count(const DocTable *t, const Pass *verdicts, const Pass *sizes, Pass **out, Err *err);

typedef struct Index Index; /* dedup/index.h */
typedef struct {
    const char *dir; /* of the result */
    Hash128 key;     /* of the result; the table's is that of steps */
    DocTableSpec table;
    Index *index; /* what is in it is left out of the steps above; NULL: none */
} ClusterSpec;
/* All of it, from the signatures to the result. Collective. ERR_NO: other tasks of the array have not done their shares yet. */
MUST_USE ErrCode cluster_run(const DedupParams *params, const DatasetSet *in, const ClusterSpec *spec, const Par *par,
                             Err *err);

/* --- the result */
/* *found: DIR/clusters is complete and made with this key. *totals as clusters.json has them. */
MUST_USE ErrCode clusters_load(const char *dir, Hash128 key, bool *found, DedupTotals *totals, Err *err);

/* Its columns; the last where an index was asked. */
typedef enum {
    RESULT_VERDICT,
    RESULT_CLUSTER,
    RESULT_DOCS,
    RESULT_DUMPS,
    RESULT_HOSTS,
    RESULT_FIRST,
    RESULT_LAST,
    N_RESULT,
    RESULT_MATCH = N_RESULT
} ResultColumn;
extern const ColumnDef cluster_columns[N_RESULT + 1];
/* The file of the root part that `id` lies in, and clusters.json. */
MUST_USE ErrCode clusters_path(char out[PATH_MAX], const char *dir, DocId id, Err *err);
MUST_USE ErrCode clusters_json_path(char out[PATH_MAX], const char *dir, Err *err);
void clusters_put_key(Buf *b, Hash128 key); /* begins its object, and that of the receipts */

/* What is known of a document. */
typedef struct {
    uint8_t verdict;
    DocId keeper;
    uint64_t match;                           /* UINT64_MAX: none */
    uint32_t docs, dumps, hosts, first, last; /* of a kept one */
} ClusterRow;

/* A part's file, for any number of threads, and some rows of one for one thread. Begin zeroed. */
typedef struct {
    Columns *cols;
    uint32_t column[N_RESULT + 1], n_columns; /* N_RESULT: no index was asked */
} ClusterFile;
typedef struct {
    uint32_t first, n;
    Buf column[N_RESULT + 1];
    bool has_match;
} ClusterRows;
MUST_USE ErrCode clusterfile_open(ClusterFile *f, const char *dir, Hash128 key, DocId id, Err *err);
void clusterfile_close(ClusterFile *f);
/* Records [first, first + n). */
MUST_USE ErrCode clusterrows_load(ClusterRows *r, const ClusterFile *f, uint32_t first, uint32_t n, Err *err);
void clusterrows_clear(ClusterRows *r);
ClusterRow clusterrows_at(const ClusterRows *r, uint32_t record); /* one of them */

/* One thread's look at whatever document, a few rows of whose file are in memory. Zero but for dir and key at first. */
typedef struct {
    const char *dir;
    Hash128 key;
    DocId part; /* of the first record of the file at hand */
    ClusterFile file;
    ClusterRows rows;
} ClusterLook;
MUST_USE ErrCode clusterlook_at(ClusterLook *l, DocId id, ClusterRow *row, Err *err);
/* The file that `id` lies in becomes the one at hand; *n: its records. */
MUST_USE ErrCode clusterlook_part(ClusterLook *l, DocId id, uint32_t *n, Err *err);
void clusterlook_clear(ClusterLook *l);

#endif
