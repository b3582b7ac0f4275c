/* dedup/dedup.h - exact and near duplicates: a view stage that drops all but one document of every cluster.
 *
 * Three phases, each skipped when its result is there with the same key:
 *   sign      a map stage, all ranks: per document an exact key, one key a band, a sketch. Writes the view DIR/sign, whose
 *             columns are the signatures; nothing is dropped.
 *   cluster   all ranks: documents meet by key through the exchange, step by step; every step's results are kept in
 *             DIR/passes, so that a run that was cut short goes on where it stopped. Writes DIR/clusters, one columns file a
 *             root part, and DIR/clusters/clusters.json last; DIR/passes is then deleted.
 *   judge     a map stage, all ranks: reads the clusters and what signing wrote down, but texts only for --rejected, and writes the
 *             view DIR.
 *
 * Texts are compared by their text key (core/textkey.h). Equal keys are exact duplicates. The rest are compared by shingles
 * of key tokens: MinHash values (Broder 1997) of 32 bits, h_i(x) = high half of a_i * x mod 2^64 with a_i odd (multiply-shift,
 * Dietzfelbinger et al. 1997) over a 32-bit hash of the shingle, grouped into bands of rows (Indyk & Motwani 1998): two
 * documents whose shingle sets have Jaccard similarity s share a band with chance 1 - (1 - s^rows)^bands. Documents that
 * share bands, directly or over others, form a component. A band that met is a biased witness, and components chain, so
 * every member is verified by an independent sketch (one-permutation hashing, Li, Owen & Zhang 2012; 128 bins of 8 bits):
 * going through a component in keep order, a document whose estimated similarity with a document kept before it is above
 * `verify` by three of the estimate's standard deviations is dropped as that one's duplicate. One that is within three of it, above or below,
 * goes to the likeliest of those kept, and their texts are read again: the Jaccard similarity of all shingles decides. Documents
 * kept by that second look are gone through once more in the same way, with one another and with the others kept before them; a kept
 * one behind them may fall to them, too, if nothing was dropped for it. What is kept by a second look then as well meets its like in two
 * more rounds. A component compares with at most DEDUP_MAX_LEADERS kept documents of each round, so the work stays linear; beyond them,
 * documents like none of them are kept. At a `verify` of 1 what is dropped has the same set of shingles.
 *
 * Keep order (dedup/keep.h) is total and ends in the order of input. A document of fewer key tokens than a shingle is compared exactly
 * only. The result is a function of inputs and params: not of threads, ranks, memory or the order inputs are named in.
 *
 * The steps, each among what the one before it kept and in keep order: equal text; if asked for, equal URL (url_key() of core/url.h; a
 * document without one takes no part); near. What a step drops has the step's reason, and stands for what is kept for its keeper in
 * the end.
 *
 * A window of K dumps, in order of their names among those that the inputs show, lets a document be dropped for one whose dump is at most
 * K - 1 away: of equal texts, and of equal URLs, the first of each dump in keep order goes on, and is dropped for the first that
 * this step keeps in its window; near duplicates likewise, with DEDUP_MAX_LEADERS kept documents of each dump. Where a
 * later step drops a document's keeper for one out of the document's window, the document is kept, unexamined further: so what is
 * dropped always has its keeper, which is kept, in its window. What follows a first one of its own dump shares its fate. A
 * window of 1 is each dump by itself; documents without a dump are compared with one another only.
 *
 * Columns of the view, beside `drop`: cluster (u64: DocId of the document kept for this one, its own for a kept one), and on
 * kept documents the signals dup_docs (documents it stands for, itself among them), dup_dumps and dup_hosts (distinct dumps
 * and web hosts of these; 0 when none is known), and dup_weight, how often FineWeb-2 repeats a document of such a cluster:
 * 1, 2, 3, 5, 8 and 1 times for the classes of DEDUP_SIZES (Penedo et al. 2025, "FineWeb2", section on rehydration). */
#ifndef TAMIS_DEDUP_DEDUP_H
#define TAMIS_DEDUP_DEDUP_H

#include "core/stage.h"

enum {
    DEDUP_VERSION = 5,     /* of all three phases: each reuses what the one before it left under the same key */
    DEDUP_MAX_BANDS = 200, /* a columns file holds 256 columns */
    DEDUP_MAX_VALUES = 4096,
    DEDUP_MAX_SHINGLE = 64,
    DEDUP_MAX_LEADERS = 64,
    DEDUP_MAX_WINDOW = 4096, /* dumps */
    DEDUP_LARGEST = 5,       /* clusters that are named … */
    DEDUP_GIANT = 500        /* … from this size on */
};

typedef struct {
    uint32_t bands, rows; /* bands * rows MinHash values, at most DEDUP_MAX_VALUES */
    uint32_t shingle;     /* key tokens a shingle */
    uint64_t seed;        /* picks the hash families */
    const char *keep;     /* the keep order, as dedup/keep.h has it; NULL: in order of input. Borrowed */
    uint32_t window;      /* dumps, at most DEDUP_MAX_WINDOW; 0: all are compared with all */
    bool url;             /* documents of one URL are duplicates, too */
    const char *index;    /* directory of an index of earlier dumps (dedup/index.h); NULL: none. Borrowed */
    double verify;        /* estimated similarity from which a document is a near duplicate, 0..1; steps of 1e-6 */
    bool exact_only;
    uint32_t wait_seconds; /* decides no output: with --task, for what other tasks have not done yet */
} DedupParams;
#define DEDUP_PARAMS_DEFAULT                                                            \
    {                                                                                   \
        .bands = 14, .rows = 8, .shingle = 5, .seed = 1, .keep = "first", .verify = 0.7 \
    }

/* Classes of cluster sizes: 1, 2, 3-4, 5-99, 100-999, 1000 and more. */
enum { DEDUP_SIZES = 6 };
typedef struct {
    uint64_t n_docs, n_exact, n_url, n_near; /* shown by the inputs; dropped as exact, URL and near duplicates */
    uint64_t n_clusters[DEDUP_SIZES];        /* kept documents by what they stand for */
    uint64_t n_short;                        /* compared exactly only */
    uint64_t n_largest;                      /* size of the largest cluster */
    struct {
        uint64_t docs;
        DocId keeper;
    } largest[DEDUP_LARGEST]; /* the largest first, then by keeper; docs 0: no more */
} DedupTotals;

/* ERR_USAGE names the parameter that is out of its range. */
MUST_USE ErrCode dedup_check(const DedupParams *params, Err *err);

/* Runs the stage over `in`. Collective: every rank of `par` calls it with equal arguments. `totals` and `dedup` may be NULL;
 * they are filled when totals->complete. With --task I/N a run takes its share of
 * every phase and step as far as what the others have done allows, and ends; the array is run again until the view is
 * complete. */
MUST_USE ErrCode dedup_run(const DedupParams *params, const DatasetSet *in, const char *out_dir,
                           const CommonOptions *common, const Par *par, StageTotals *totals, DedupTotals *dedup,
                           Err *err);

/* Signatures for runs with these params, to be written beside documents while their texts are at hand (StageJob.beside): such a run
 * reads no text but of pairs in doubt. Owned by the caller, freed with dedup_beside_free(). */
MUST_USE ErrCode dedup_beside_new(const DedupParams *params, StageBeside **out, Err *err);
void dedup_beside_free(StageBeside *beside);

/* `tamis dedup`, and the same with its other words (`tamis dedup rates` …). */
int dedup_verb(int argc, char **argv);
int dedup_words(int argc, char **argv);

#endif
