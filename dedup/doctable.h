/* dedup/doctable.h - the documents that are compared, as numbers: every record of every part has one, in order of input.
 * Private to the room.
 *
 * Each rank (or task of a job array) looks after a contiguous range of parts: it reads their signatures, so many records at a time, and sends
 * what a step (core/pass.h) wants to know; one byte a record of its own is all it holds between steps. What steps find out about
 * documents comes back as results sorted by number, of which a part reads its slice. */
#ifndef TAMIS_DEDUP_DOCTABLE_H
#define TAMIS_DEDUP_DOCTABLE_H

#include "core/pass.h"
#include "dedup/dedup.h"
#include "dedup/dumpnames.h"
#include "dedup/keep.h"

enum {
    DOC_SHOWN = 1,                  /* the inputs show it */
    DOC_LONG = 2,                   /* long enough for shingles */
    DOC_FOUND = 4,                  /* a duplicate by text or URL */
    DOC_INDEXED = 8,                /* not shown on: a duplicate of a document in an index */
    DOC_NEAR = DOC_SHOWN | DOC_LONG /* these and no other: takes part in the bands */
};

typedef struct {
    const DedupParams *params;
    const Par *par; /* `own`, once states are read */
    Par own;        /* the same with the threads that the memory is enough for */
    const char *sign_dir, *passes_dir;
    Hash128 key;
    uint64_t memory;     /* for steps */
    const char *scratch; /* directory for what does not fit; NULL: none */
    KeepOrder keep;
    DumpNames dumps;
    uint32_t order_bytes; /* of a document's place in the keep order */
    uint32_t window;      /* of several dumps; 0 where all that meet are compared */
    OptTask task;         /* of a job array, as PassSpec has it */
    uint32_t n_parts;
    uint64_t *first;     /* n_parts + 1: number of each part's first record */
    DocId *docid;        /* of each part's first record */
    uint64_t n;          /* records */
    uint32_t begin, end; /* parts of this rank, or task */
    uint8_t *state;      /* of their records: DOC_… bits */
} DocTable;

typedef struct {
    const char *sign_dir, *passes_dir, *scratch;
    Hash128 key;
    uint64_t memory; /* of this process */
    OptTask task;
} DocTableSpec;

/* The numbers alone, for steps that do not go over signatures: no state, all of spec->memory for steps. ERR_USAGE when two inputs show
 * the same root part. Collective. */
MUST_USE ErrCode doctable_number(DocTable *t, const DatasetSet *in, const DocTableSpec *spec, const Par *par,
                                 Err *err);
/* The same, and reads the state of this rank's records from sign_dir, a file for each part of `in`. Fewer threads do the work where all of
 * them would take more than spec->memory. ERR_NOMEM naming --memory when what is held a record and one step do not fit there. Collective.
 * *t is not to be copied to where it outlives this one. */
MUST_USE ErrCode doctable_open(DocTable *t, const DedupParams *params, const DatasetSet *in, const DocTableSpec *spec,
                               const Par *par, Err *err);
void doctable_clear(DocTable *t);
DocId doctable_docid(const DocTable *t, uint64_t doc);

/* Signatures of some records of a part, for one thread. */
enum { SIGNPART_RECORDS = 16 << 10, SIGNPART_COLUMNS = 8 };
typedef struct {
    uint32_t part, at, n; /* its records [at, at + n) */
    uint32_t part_records;
    Hash128 content;       /* of the root part */
    uint64_t first;        /* number of record `at` */
    uint8_t *state;        /* n */
    Buf slice[3];          /* for signpart_slice(), kept from part to part */
    struct SignHeld *held; /* private */
} SignPart;
/* Values of a column that must have this type and width. Valid until these records are left, of SIGNPART_COLUMNS columns at a time. */
MUST_USE ErrCode signpart_column(const SignPart *p, const char *name, ColType type, uint16_t width, Span *values,
                                 Err *err);
/* The records' own of results sorted by document, into p->slice[i]; valid until the next call for i. */
MUST_USE ErrCode signpart_slice(SignPart *p, const Results *r, int i, Span *records, Err *err);

/* Calls fn for all records of this rank, some of a part at a time, in parallel; lane as exchange_put() wants it. The failure that comes first
 * in order of input wins. */
typedef ErrCode (*PartFn)(void *ctx, SignPart *part, int lane, Err *err);
MUST_USE ErrCode doctable_each_part(const DocTable *t, PartFn fn, void *ctx, Err *err);
/* The same, once for every part, parts in parallel: fn begins before the part's first record and takes signpart_next() to go on. */
MUST_USE ErrCode doctable_each_whole_part(const DocTable *t, PartFn fn, void *ctx, Err *err);
bool signpart_next(SignPart *p); /* false: the part is over */

/* Documents in records and keys: big-endian, so that byte order is numeric order. */
enum { DOC_BYTES = 8 };
static inline void doc_put(uint8_t out[DOC_BYTES], uint64_t doc) { be64_put(out, doc); }
static inline uint64_t doc_get(const uint8_t *p) { return be64_get(p); }
/* A document and the number of its dump (dedup/dumpnames.h), by which windows are told. */
enum { REF_BYTES = DOC_BYTES + 2 };
void ref_put(uint8_t out[REF_BYTES], uint64_t doc, uint16_t dump);
static inline uint16_t ref_dump(const uint8_t *ref) { return (uint16_t)(ref[DOC_BYTES] << 8 | ref[DOC_BYTES + 1]); }
/* Whether the one may be dropped for the other. */
static inline bool in_window(const DocTable *t, uint16_t a, uint16_t b)
{
    return t->window == 0 || (uint32_t)(a > b ? a - b : b - a) < t->window;
}

/* Keep order as bytes that sort: the words of what decides, then the document. */
enum { ORDER_MAX = 8 * KEEP_MAX + REF_BYTES };
typedef struct {
    Span bytes, dump, keep; /* columns of a part */
} OrderColumns;
MUST_USE ErrCode order_columns(const DocTable *t, const SignPart *p, OrderColumns *c, Err *err);
void order_put(uint8_t *out, const DocTable *t, const OrderColumns *c, const SignPart *p,
               size_t i); /* t->order_bytes */
static inline const uint8_t *order_ref(const DocTable *t, const uint8_t *order)
{
    return order + t->order_bytes - REF_BYTES;
}

/* A key under which documents are sorted by number and spread over all partitions. */
void doc_key(const DocTable *t, uint64_t doc, uint8_t key[EXCHANGE_KEY]);

/* A step named `name`; `share` of the memory (1: all of it, 2: half …). Collective. */
typedef struct {
    const char *name;
    uint32_t value_bytes, result_bytes;
    ExchangeCombine combine;
    uint32_t share;
    bool single; /* one partition, for few records */
    bool whole;  /* task 0 does it alone, for all */
} StepSpec;
MUST_USE ErrCode doctable_step(const DocTable *t, const StepSpec *spec, Pass **p, Err *err);

/* A PassReceive for steps under doc_key(): a result is the document and the first of its values, RECORD_MAX bytes at most. */
enum { RECORD_MAX = 256 };
MUST_USE ErrCode list_by_doc(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err);
/* The same with a result for each of its values. */
MUST_USE ErrCode list_all_by_doc(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out,
                                 Err *err);
/* Runs step p: the results `from`, `width` bytes each, by the document they begin with, received by one of these (list_by_doc: no two of
 * one document) or another. */
MUST_USE ErrCode sort_by_doc(const DocTable *t, const Results *from, uint32_t width, PassReceive receive, Pass *p,
                             Err *err);

/* For combiners whose values are all the same. */
void keep_one(uint8_t *acc, const uint8_t *value);

#endif
