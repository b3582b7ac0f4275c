/* dedup/index.h - what has been kept of all dumps so far, so that the next one is deduplicated against them without reading them
 * again. Private to the room.
 *
 * DIR is one object that counts, index.json, and what it names. It is published last and whole; what it does not name is left over
 * from an addition that was cut short, and the next one writes over it or deletes it.
 *
 *   index.json                     {format: "tamis-index", version, params, datasets: [{inputs, key, params, out, n_parts, n_docs}], runs: [{run,
 *                                  level, key, n_docs, exact_partitions, band_partitions, datasets: [N…]}], next_run, removed: {file, n}}
 *   docs/DDDDD-PPPPPP.cols         survivors of part P of dataset D (core/columns.h), a row each in order: record (u32, in the root part),
 *                                  exact (2 u64), id (string), url and host (u64, XXH3-64 of url_key() and url_host(), core/url.h), and unless only exact duplicates are looked
 *                                  for band (u64 a band), sketch (128 u8) and check (u32, the low half of XXH3-64 of record and sketch)
 *   runs/NNNNNN/exact, bands       sorted entries of some datasets' survivors (core/results.h): 16 bytes of text key, or 8 of a band's
 *                                  key, then 8 of reference; all big-endian
 *   runs/NNNNNN/filter             lines of a Bloom filter of the bands' keys, in their order: of n lines the one that `head` begins, the first key
 *                                  that belongs to it (big-endian; key k belongs to line k n / 2^64), then seven words (little-endian); word w has
 *                                  bit (mix64(k) >> 6 w) & 63 of each key. n is the partitions times (keys / partitions / 37 + 1)
 *   adding.json                    who is changing it: {what, host, pid, out, inputs} (index_claim.c)
 *   removed-NNNNNN.cols            references of documents removed on request, ascending (u64): no lookup sees them
 *
 * A reference is dataset:14 | part:22 | record:28, as in a DocId, with the dataset's number in this index, given once and for ever.
 * `params` is what signatures depend on, the Unicode tables among it; an index of others is refused.
 *
 * Runs are levels of a log-structured merge tree (O'Neil et al. 1996), tiered: an addition makes one run of level 0; when a level
 * would have INDEX_FANOUT runs they become one of the next. So each entry is written 1 + log8(additions) times at the most, and
 * there are at most 7 runs a level. A run is made by sorting the entries of its datasets' docs files through the exchange, whether it is new,
 * merged or made again because it was damaged: one function. A docs file is made from the view that was added (its signatures and
 * its `drop`), and made again from it.
 *
 * Lookup (index_find.c) takes the keys of the new documents and those of every run as sorted streams, side by side. */
#ifndef TAMIS_DEDUP_INDEX_H
#define TAMIS_DEDUP_INDEX_H

#include "core/pass.h"
#include "core/results.h"
#include "core/slab.h"
#include "dedup/cluster.h"

enum {
    INDEX_VERSION = 3,
    INDEX_FANOUT = 8,
    INDEX_MAX_MATCHES = 64, /* survivors of one band key that a document is compared with, the earliest */
    INDEX_MAX_JSON = 64 << 20,
    INDEX_MAX_RUNS = 1 << 12,
    INDEX_EXACT_BYTES = 16 + 8,
    INDEX_BAND_BYTES = 8 + 8,
    INDEX_PIECE = 64 << 10, /* of a run that is read at a time, by each thread of each run */
    INDEX_LINE_WORDS = 7,
    INDEX_LINE_BYTES = 8 + 8 * INDEX_LINE_WORDS,
    INDEX_LINE_KEYS =
        37 /* 14 bits a key with the head: of foreign keys 1 in 250 passes a run, one in 20 an index of 15 runs */
};
/* What a run is made of. */
enum { INDEX_EXACT, INDEX_BANDS, INDEX_FILTER, INDEX_KINDS };

typedef struct {
    Hash128 inputs, key; /* of what was deduplicated, and of the dedup */
    const char *out;     /* its view, where it was */
    Span params;         /* of the dedup: canonical JSON */
    bool lost;           /* index_rebuild(): a docs file can be neither read nor made again */
    uint32_t n_parts, first_file;
    uint64_t n_docs;
} IndexDataset;

typedef struct {
    uint32_t number, level;
    Hash128 key;
    uint32_t *dataset, n_datasets;
    uint64_t n_docs;
    uint32_t partitions[2];        /* of exact, and of bands and filter */
    Results *results[INDEX_KINDS]; /* NULL until runs are opened; where there are no bands there is only the first */
    char *path[INDEX_KINDS];       /* runs/NNNNNN/exact … */
    uint8_t *line;                 /* the filter's first n_loaded of n_lines, once loaded */
    uint64_t n_lines, n_loaded;
} IndexRun;

struct Index {
    const char *dir;    /* borrowed */
    const char *repair; /* what to do about damage */
    Arena arena;
    bool exists;
    Span params; /* canonical JSON */
    uint32_t bands;
    IndexDataset *dataset; /* room for one more than there are */
    uint32_t n_datasets, n_files;
    IndexRun *run; /* likewise */
    Slab *lines;   /* of filters that are loaded */
    uint32_t n_runs, next_run;
    uint32_t removed_file;
    uint64_t *removed; /* ascending */
    size_t n_removed;
    uint32_t n_prior; /* lookups see the datasets before this one */
};

/* --- index.c: the manifest */
/* Collective. An index that is not there is empty, and DIR is, too, or is not there; `params` NULL: it must be there. ERR_USAGE when it was
 * made with others. */
MUST_USE ErrCode index_load(Index *ix, const char *dir, const DedupParams *params, const Par *par, Err *err);
void index_clear(Index *ix);
/* Publishes what ix holds. One rank. */
MUST_USE ErrCode index_publish(const Index *ix, Err *err);
MUST_USE ErrCode index_publish_removed(Index *ix, Err *err);
bool index_is_removed(const Index *ix, DocId ref);
/* Stands for the datasets that lookups see. */
Hash128 index_state(const Index *ix);
/* Whether lookups once saw what `state` stands for: references from then are of this index. */
bool index_had_state(const Index *ix, Hash128 state);
/* `key` of a job for what it finds on its way: another one once other documents are removed, of which lookups say nothing. */
Hash128 index_steps_key(const Index *ix, Hash128 key);
/* Hashes what is to be deduplicated; where a dataset of these inputs is in the index, lookups see those before it. *held: it is. */
MUST_USE ErrCode index_find_inputs(Index *ix, const DatasetSet *in, Hash128 *inputs, bool *held, Err *err);
/* That dataset; NULL: the inputs are not in it. */
const IndexDataset *index_held(const Index *ix);
/* ERR_USAGE naming what differs: the inputs are in it, and were added by a dedup with other parameters, which kept other documents. */
MUST_USE ErrCode index_check_held(const Index *ix, Span params, Err *err);
/* Adds to a message what to do. */
void index_add_repair(const Index *ix, Err *err);
/* Fills run->path[]. */
MUST_USE ErrCode index_name_run(Index *ix, IndexRun *run, Err *err);
MUST_USE ErrCode index_path(char out[], size_t size, const char *dir, const char *rest, Err *err);

/* --- index_docs.c: survivors in the order of input */
typedef struct {
    Columns *cols;
    DocId first; /* reference of record 0 */
    uint32_t n;
    Span record, check, id, id_pool; /* as IndexDocsUse says */
} IndexDocs;
/* What is loaded: `record` and what a lookup compares or names, or it alone. DOCS_ALL and DOCS_NAMES load nothing: all columns, or those that a
 * document is known by, are checked, to be read in pieces. */
typedef enum { DOCS_ALL, DOCS_SKETCHES, DOCS_IDS, DOCS_NAMES, DOCS_RECORDS } IndexDocsUse;
/* The file that was last asked for stays open. */
typedef struct {
    IndexDocsUse use;
    bool open;
    uint32_t row;
    IndexDocs docs;
    uint32_t first_row; /* of sketches */
    Buf sketches;
} IndexDocsCursor;
MUST_USE ErrCode indexdocs_open(IndexDocs *d, const Index *ix, uint32_t dataset, uint32_t part, IndexDocsUse use,
                                Err *err);
/* By its number, of ix->n_files; says what to do about damage. */
MUST_USE ErrCode indexdocs_open_file(IndexDocs *d, const Index *ix, uint32_t file, IndexDocsUse use, Err *err);
void indexdocs_close(IndexDocs *d);
/* The row of a reference's record; false: it is not there. */
bool indexdocs_row(const IndexDocs *d, DocId ref, uint32_t *row);
/* Opens the file of a reference, any number, and finds c->row. *found false: it has none. */
MUST_USE ErrCode indexdocs_seek(IndexDocsCursor *c, const Index *ix, DocId ref, bool *found, Err *err);
void indexdocs_leave(IndexDocsCursor *c);
/* The sketch of c->row, for DOCS_SKETCHES. Of a file a few rows are read, which "check" vouches for. Valid until the cursor moves. */
MUST_USE ErrCode indexdocs_sketch(IndexDocsCursor *c, const Index *ix, const uint8_t **sketch, Err *err);
MUST_USE ErrCode indexdocs_id(const IndexDocs *d, uint32_t row, Span *id, Err *err);
/* Of rows [first, first + n) the text keys, 16 bytes each as the column `exact` has them, or the keys of all bands, alone in *keys. */
MUST_USE ErrCode indexdocs_keys(const IndexDocs *d, const Index *ix, bool bands, uint32_t first, uint32_t n,
                                Buf *keys, Err *err);
/* Of all ranks. */
typedef struct {
    uint64_t docs, written, lost; /* documents; files */
} IndexDocsCount;
/* Writes all files of a dataset from its view, but for what was removed. Collective. `damaged_only`: those that can be read stay, and those
 * that the view does not give any more are lost, which is no error. */
MUST_USE ErrCode indexdocs_write(const Index *ix, uint32_t dataset, bool damaged_only, const Par *par,
                                 IndexDocsCount *count, Err *err);
/* Writes a file of `d` again, without the rows that are removed. */
MUST_USE ErrCode indexdocs_purge(const Index *ix, const IndexDocs *d, Err *err);

/* --- index_claim.c: one job at a time changes an index */
typedef struct {
    const char *dir; /* borrowed */
    Buf text;        /* of DIR/adding.json; empty: nothing is claimed */
    Buf aside; /* of another's, or of an earlier call's, which comes back at the end unless indexclaim_begin() was called */
} IndexClaim;
typedef struct {
    const char *what, *host, *out; /* out: "" but for a dedup, whose view it is */
    uint64_t pid;
    Hash128 inputs;
} IndexClaimant;
/* ERR_DATA naming who else is at work. `out` NULL: the claim ends with this process. One rank. */
MUST_USE ErrCode indexclaim_take(IndexClaim *claim, const Index *ix, const char *what, const char *out,
                                 Hash128 inputs, Err *err);
/* What an earlier call for the same directory claimed is gone on with now. */
void indexclaim_begin(IndexClaim *claim);
/* Whether it still is ours; ERR_DATA. */
MUST_USE ErrCode indexclaim_check(const IndexClaim *claim, Err *err);
/* over: nobody needs to go on with what was claimed. */
void indexclaim_end(IndexClaim *claim, bool over);
MUST_USE ErrCode indexclaim_look(const Index *ix, Arena *a, IndexClaimant *c, bool *there, Err *err);

/* --- index_run.c */
typedef struct {
    const Par *par;
    uint64_t memory;
    const char *scratch;
    const IndexClaim *claim; /* of rank 0, looked at before anything is published; NULL: none */
    Span params;             /* of what index_add() adds, as JSON, borrowed */
} IndexWork;
/* Makes the run, or what is missing of it. Collective. */
MUST_USE ErrCode indexrun_build(const Index *ix, IndexRun *run, const IndexWork *work, Err *err);
/* One kind of one, whole or not. Collective. */
MUST_USE ErrCode indexrun_open(const Index *ix, IndexRun *run, int kind, const Par *par, Err *err);
void indexrun_close(IndexRun *run);
/* All runs, for reading: ERR_DATA naming one that is not whole. Collective. */
MUST_USE ErrCode indexruns_open(Index *ix, const Par *par, Err *err);
void indexruns_close(Index *ix);
/* Adds the survivors of the complete dedup in `out_dir`, of n_parts parts, as one dataset and publishes. Collective. */
MUST_USE ErrCode index_add(Index *ix, const char *out_dir, uint32_t n_parts, Hash128 inputs, Hash128 key,
                           const IndexWork *work, Err *err);
/* Makes again what cannot be read. ERR_DATA, after all the rest, where something cannot be made again. Collective. */
MUST_USE ErrCode index_rebuild(Index *ix, const IndexWork *work, uint32_t *n_runs, uint64_t *n_files, Err *err);

/* --- index_filter.c */
/* Makes the filter of a run whose bands are there, or what is missing of it. Collective. */
MUST_USE ErrCode indexfilter_build(const Index *ix, IndexRun *run, const Par *par, Err *err);
/* The filters of all open runs, or of the lower keys as much as fits. indexruns_close() frees them. */
MUST_USE ErrCode indexfilters_load(Index *ix, uint64_t memory, uint64_t *taken, Err *err);
static inline uint64_t indexrun_line(uint64_t key, uint64_t n_lines)
{
    return (uint64_t)((__uint128_t)key * n_lines >> 64);
}
/* The bits of a line that a key sets, a word of the head in front, so that a line is asked whole, by vectors: the same for all runs. */
typedef struct {
    uint64_t word[1 + INDEX_LINE_WORDS];
} IndexMask;
static inline IndexMask index_mask(uint64_t key)
{
    const uint64_t mixed = mix64(key);
    IndexMask m = {{0}};

    for (int w = 0; w < INDEX_LINE_WORDS; w++) m.word[1 + w] = UINT64_C(1) << (mixed >> (6 * w) & 63);
    return m;
}
static inline bool indexline_has(const uint8_t *line, const IndexMask *m)
{
    uint64_t missing = 0;

    for (int w = 0; w < 1 + INDEX_LINE_WORDS; w++) missing |= m->word[w] & ~le64_get(line + 8 * w);
    return missing == 0;
}
/* False: the run has no such band key. m: its mask. */
static inline bool indexrun_may_hold(const IndexRun *run, uint64_t key, const IndexMask *m)
{
    const uint64_t line = indexrun_line(key, run->n_lines);

    return line >= run->n_loaded || indexline_has(run->line + line * INDEX_LINE_BYTES, m);
}

/* Of n <= INDEX_BATCH band keys those that some run may have. */
enum { INDEX_BATCH = 64 };
void index_may_hold(const Index *ix, const uint64_t *key, uint32_t n, bool *may);

/* --- index_find.c */
/* Documents of `t` that the index holds: (document, reference), PAIR_BYTES each, by document; those with an equal text in found[0], near
 * ones of the rest in found[1], which stays NULL where only equal texts are looked for. They are marked DOC_INDEXED and take part in no
 * other step. Collective. */
MUST_USE ErrCode index_find(DocTable *t, Index *ix, Pass *found[2], Err *err);

#endif
