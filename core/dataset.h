/* core/dataset.h - a dataset directory: written (documents in parts) or a view (columns beside a base).
 *
 *   stage.json       the plan, written first, create-if-absent: {format, stage, stage_version, key, params, inputs, kind,
 *                    n_parts, reasons, base?}. Whoever finds another key here stops with status 4.
 *   part-%06u.jsonl.zst | part-%06u.STAGE.cols     one a part, each with a receipt inside
 *   parts.jsonl      the receipts' part lines in part order
 *   stats.json       merged counters, sizes, times, versions: never content
 *   manifest.json    last: the dataset is complete
 * manifest: {format, version, stage, stage_version, key, params, inputs:[{path, content}], base?, n_parts, n_docs,
 * text_bytes, n_in, dropped:{reason: n}, id_sum, doc_sum, content}. Contents and sums as docs/formats.md defines them.
 *
 * A view's part k shows part `part` of base number `base` (its parts.jsonl line names both), through the chain of
 * bases down to a written dataset. Readers see the same documents in the same form as if the view had been copied. */
#ifndef TAMIS_CORE_DATASET_H
#define TAMIS_CORE_DATASET_H

#include "core/columns.h"
#include "core/doc.h"
#include "core/hash.h"
#include "core/part.h"

enum {
    DATASET_FORMAT_VERSION = 1,
    DATASET_MAX_BASES = 1024, /* a view over every dump there is, with room */
    DATASET_MAX_DEPTH = 32,
    DATASET_MAX_OPEN = 1 << 14 /* datasets below one: a base that several views share is opened for each */
};

typedef struct {
    char name[24]; /* "part-000000" */
    uint64_t n_in, n_docs, text_bytes, id_sum, doc_sum;
    Hash128 content;
    uint32_t base, base_part; /* views: where it looks */
} PartInfo;

typedef struct Dataset Dataset;

/* Opens a complete dataset (manifest present) and its bases (at most DATASET_MAX_OPEN in all), checking that each base still
 * has the content the view was made over. A directory without manifest.json: ERR_DATA, "… is not a complete dataset". */
MUST_USE ErrCode dataset_open(Dataset **ds, const char *dir, Err *err);
void dataset_close(Dataset *ds);
const char *dataset_dir(const Dataset *ds);
uint32_t dataset_n_parts(const Dataset *ds);
const PartInfo *dataset_part(const Dataset *ds, uint32_t part);
uint64_t dataset_n_docs(const Dataset *ds);
uint64_t dataset_text_bytes(const Dataset *ds);
Hash128 dataset_content(const Dataset *ds); /* identifies it as an input */
bool dataset_is_view(const Dataset *ds);
const Json *dataset_manifest(const Dataset *ds); /* the parsed manifest.json; lives until close */
/* Whether `dir` is the dataset's directory or that of a base below it. Both exist. */
MUST_USE ErrCode dataset_stands_on(const Dataset *ds, const char *dir, bool *yes, Err *err);

/* --- several datasets read as one: the input of a stage. Parts are numbered through in the order given, which decides
 * the order of documents and so the DocIds: dataset number d is the d-th *root* dataset met, ordered by (dump, name) of
 * the root's manifest path as given. */
typedef struct DatasetSet DatasetSet;
MUST_USE ErrCode datasetset_open(DatasetSet **set, const char *const *dirs, size_t n, Err *err);
void datasetset_close(DatasetSet *set);
size_t datasetset_count(const DatasetSet *set);
const Dataset *datasetset_at(const DatasetSet *set, size_t i);
uint32_t datasetset_n_parts(const DatasetSet *set);
/* Which dataset and which of its parts the global part `part` is. */
void datasetset_locate(const DatasetSet *set, uint32_t part, uint32_t *dataset, uint32_t *local);
/* DocId of record 0 of the root part that the global part `part` shows, without opening the part. Two parts have the same
 * one when two inputs are views of one dataset. */
DocId datasetset_docid(const DatasetSet *set, uint32_t part);
/* Records of that root part, likewise. */
uint64_t datasetset_n_records(const DatasetSet *set, uint32_t part);
/* Appends the path of the i-th file that the global part `part` is read from: those of the views, the newest first, then that of
 * the written dataset. False: there are fewer. */
bool datasetset_part_file(const DatasetSet *set, uint32_t part, uint32_t i, Buf *path);
uint64_t datasetset_n_docs(const DatasetSet *set);
uint64_t datasetset_text_bytes(const DatasetSet *set);

/* --- reading one part. Open is for one thread; reading blocks is for any number. */
typedef struct PartView PartView;
MUST_USE ErrCode partview_open(PartView **v, const DatasetSet *set, uint32_t part, Err *err);
void partview_close(PartView *v);
uint32_t partview_n_blocks(const PartView *v);                     /* frames of the root part */
uint32_t partview_n_records(const PartView *v);                    /* of the root part */
uint32_t partview_first_record(const PartView *v, uint32_t block); /* block == n_blocks gives n_records */
uint64_t partview_block_bytes(const PartView *v, uint32_t block);  /* bytes of the block's lines, before reading */
const char *partview_root_path(const PartView *v);                 /* of its file */
bool partview_shows(const PartView *v, uint32_t record);
uint32_t partview_n_signals(const PartView *v); /* columns of signals in the chain, those of one name each */
bool partview_rewrites(const PartView *v);      /* some view of the chain shows other texts than the root part has */
/* The domain that a view gives the record; p NULL: none does. Lives until close. */
MUST_USE ErrCode partview_domain(const PartView *v, uint32_t record, Span *domain, Err *err);
/* The root part's content: what columns beside it must name. */
Hash128 partview_root_content(const PartView *v);
/* DocId of record r of the root part, dataset numbered within the set. */
DocId partview_docid(const PartView *v, uint32_t record);
/* An earlier stage's column for this part, anywhere in the chain of views, newest first: *cols and *column. ERR_DATA
 * when no view of the chain has it. The Columns belong to the view. */
MUST_USE ErrCode partview_column(PartView *v, const char *name, Columns **cols, uint32_t *column, Err *err);

/* One thread's scratch for reading blocks. */
typedef struct BlockReader BlockReader;
MUST_USE ErrCode blockreader_new(BlockReader **r, Err *err);
void blockreader_free(BlockReader *r);
/* Starts on a block: reads, decompresses, checks. */
MUST_USE ErrCode blockreader_open(BlockReader *r, PartView *v, uint32_t block, Err *err);
/* The next document of the block that the view shows. *end when there is none; then *doc is unset. The document is valid
 * until the next call. *record is its index in the root part. Signals and domain are joined already. */
MUST_USE ErrCode blockreader_next(BlockReader *r, Doc *doc, uint32_t *record, bool *end, Err *err);
/* Passes over the block's records before `record`, whose lines are not looked into. */
void blockreader_skip_to(BlockReader *r, uint32_t record);

/* --- all documents of a set in order, for small readers (docs verbs, tests). One thread. */
typedef struct DocCursor DocCursor;
MUST_USE ErrCode doccursor_open(DocCursor **c, const char *const *dirs, size_t n, Err *err);
MUST_USE ErrCode doccursor_next(DocCursor *c, Doc *doc, DocId *id, bool *end, Err *err);
void doccursor_close(DocCursor *c);

/* --- writing the plan and the manifest (used by core/stage.c and `tamis commit`). */
typedef enum { DATASET_WRITTEN, DATASET_VIEW } DatasetKind;
/* Collects the receipts under `dir` and, when every part has one with the plan's key, publishes parts.jsonl, stats.json
 * and manifest.json. *done says whether the dataset is complete now; *n_have how many parts are there. Anybody may call
 * it, any number of times. Checks n_in = n_docs + sum of dropped. ERR_NO when the rates of the whole have left the bands that the last
 * run was given (core/alarm.h). */
MUST_USE ErrCode dataset_commit(const char *dir, bool *done, uint32_t *n_have, uint32_t *n_parts, Err *err);

#endif
