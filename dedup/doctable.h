/* dedup/doctable.h - what rank 0 knows of every document while it clusters: flat arrays, one slot a record of a part, in
 * order of input. Private to the room. 17 bytes a record; signatures stay on disk and are read column by column. */
#ifndef TAMIS_DEDUP_DOCTABLE_H
#define TAMIS_DEDUP_DOCTABLE_H

#include "core/exchange.h"
#include "dedup/components.h"
#include "dedup/dedup.h"

enum {
    DOC_SHOWN = 1,     /* the inputs show it */
    DOC_NEAR = 2,      /* long enough for shingles, not an exact duplicate: takes part in the bands */
    DOC_CLUSTERED = 4, /* its component has other members */
    DOC_EXACT_DUP = 8,
    DOC_NEAR_DUP = 16
};

typedef struct {
    const DedupParams *params;
    const Par *par;
    const char *sign_dir;
    uint64_t memory;     /* for one exchange */
    const char *scratch; /* directory for what does not fit; NULL: none */
    uint32_t n_parts;
    uint64_t *first;  /* n_parts + 1: number of each part's first record */
    DocId *docid;     /* of each part's first record */
    Hash128 *content; /* of each root part */
    size_t n;         /* records */
    uint8_t *state;   /* n: DOC_… bits */
    uint32_t *keeper; /* n: number of the document kept for this one; its own while it is kept */
    union {
        Parent *parent;     /* while components are made */
        uint32_t *dup_docs; /* afterwards: documents a kept one stands for */
    } u;
    uint32_t *dup_dumps, *dup_hosts; /* n: distinct known ones, on kept documents */
} DocTable;

/* Reads the heads of all signature files of sign_dir, one a part of `in`. ERR_USAGE when two inputs show the same root part;
 * ERR_LIMIT beyond 2^32 - 1 records; ERR_NOMEM naming --memory when the arrays and one exchange do not fit in `memory`. */
MUST_USE ErrCode doctable_open(DocTable *t, const DedupParams *params, const DatasetSet *in, const char *sign_dir,
                               uint64_t memory, const char *scratch, const Par *par, Err *err);
void doctable_clear(DocTable *t);
DocId doctable_docid(const DocTable *t, uint32_t doc);

/* The signatures of one part, for one thread. */
typedef struct {
    Columns *cols;
    uint32_t part, n;
    uint64_t first; /* number of its first record */
} SignPart;
/* A column that must have this type and width. Valid until the part is left. */
MUST_USE ErrCode signpart_column(const SignPart *p, const char *name, ColType type, uint16_t width, Span *values,
                                 Err *err);

/* Calls fn once for every part, parts in parallel; lane as exchange_put() wants it. The lowest part's failure wins. */
typedef ErrCode (*PartFn)(void *ctx, const SignPart *part, int lane, Err *err);
MUST_USE ErrCode doctable_each_part(const DocTable *t, PartFn fn, void *ctx, Err *err);

/* Keep order as 8 bytes that sort: what decides first, then the number of the document. `bytes`: its text. */
enum { ORDER_BYTES = 8 };
void order_put(uint8_t out[ORDER_BYTES], const DedupParams *params, uint32_t bytes, uint32_t doc);
uint32_t order_doc(const uint8_t *order); /* the document's number again */

/* How to open an exchange for about n_records of value_bytes. */
void doctable_exchange(const DocTable *t, const char *name, uint64_t n_records, uint32_t value_bytes,
                       ExchangeSpec *spec);

#endif
