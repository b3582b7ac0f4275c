/* dedup/doctable.h - the documents that are compared, as numbers: every record of every part has one, in order of input.
 * Private to the room.
 *
 * Each rank (or task of a job array) looks after a contiguous range of parts: it reads their signatures, column by column, and sends what a step
 * (core/pass.h) wants to know; one byte a record of its own is all it holds between steps. What steps find out about
 * documents comes back as results sorted by number, of which a part reads its slice. */
#ifndef TAMIS_DEDUP_DOCTABLE_H
#define TAMIS_DEDUP_DOCTABLE_H

#include "core/pass.h"
#include "dedup/dedup.h"

enum {
    DOC_SHOWN = 1, /* the inputs show it */
    DOC_NEAR = 2   /* long enough for shingles, not an exact duplicate: takes part in the bands */
};

typedef struct {
    const DedupParams *params;
    const Par *par;
    const char *sign_dir, *passes_dir;
    Hash128 key;
    uint64_t memory;     /* for steps */
    const char *scratch; /* directory for what does not fit; NULL: none */
    OptTask task;        /* of a job array, as PassSpec has it */
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
/* The same, and reads the state of this rank's records from sign_dir, a file for each part of `in`.
 * ERR_NOMEM naming --memory when what is held a record and one step do not fit in spec->memory. Collective. */
MUST_USE ErrCode doctable_open(DocTable *t, const DedupParams *params, const DatasetSet *in, const DocTableSpec *spec,
                               const Par *par, Err *err);
void doctable_clear(DocTable *t);
DocId doctable_docid(const DocTable *t, uint64_t doc);

/* The signatures of one part, for one thread. */
typedef struct {
    Columns *cols;
    uint32_t part, n;
    uint64_t first; /* number of its first record */
    uint8_t *state; /* n */
    Buf slice[3];   /* for doctable_slice(), kept from part to part */
} SignPart;
/* A column that must have this type and width. Valid until the part is left. */
MUST_USE ErrCode signpart_column(const SignPart *p, const char *name, ColType type, uint16_t width, Span *values,
                                 Err *err);
/* The part's records of results sorted by document, into p->slice[i]; valid until the next call for i. */
MUST_USE ErrCode signpart_slice(SignPart *p, const Results *r, int i, Span *records, Err *err);

/* Calls fn once for every part of this rank, parts in parallel; lane as exchange_put() wants it. The lowest part's failure wins. */
typedef ErrCode (*PartFn)(void *ctx, SignPart *part, int lane, Err *err);
MUST_USE ErrCode doctable_each_part(const DocTable *t, PartFn fn, void *ctx, Err *err);

/* Keep order as bytes that sort: what decides first, then the number of the document. `bytes`: its text. */
enum { ORDER_BYTES = 12 };
void order_put(uint8_t out[ORDER_BYTES], const DedupParams *params, uint32_t bytes, uint64_t doc);
uint64_t order_doc(const uint8_t *order); /* the document's number again */

/* Documents in records and keys: big-endian, so that byte order is numeric order. */
enum { DOC_BYTES = 8 };
void doc_put(uint8_t out[DOC_BYTES], uint64_t doc);
static inline uint64_t doc_get(const uint8_t *p) { return exchange_be64(p); }
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
enum { RECORD_MAX = 128 };
MUST_USE ErrCode list_by_doc(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err);
/* Runs step p: the results `from`, `width` bytes each and no two of one document, sorted by the document they begin with. */
MUST_USE ErrCode sort_by_doc(const DocTable *t, const Results *from, uint32_t width, Pass *p, Err *err);

/* For combiners whose values are all the same. */
void keep_one(uint8_t *acc, const uint8_t *value);

#endif
