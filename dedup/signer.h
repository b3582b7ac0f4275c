/* dedup/signer.h - what is written of each document to be compared, as columns: by the sign stage, or beside the documents by whoever
 * writes them. Private to the room. */
#ifndef TAMIS_DEDUP_SIGNER_H
#define TAMIS_DEDUP_SIGNER_H

#include "dedup/keep.h"
#include "dedup/sign.h"

typedef struct {
    const DedupParams *params;
    bool near, url, ids;
    bool beside; /* with all that any dedup may ask for, but words of a keep order */
    KeepOrder keep;
    MinHash minhash;
    uint32_t n_columns;
    ColumnDef column[SIGN_BANDS + DEDUP_MAX_BANDS];
    char name[DEDUP_MAX_BANDS][COL_NAME_MAX + 1];
    uint32_t at[SIGN_BANDS + 1]; /* the number that a column has here: some are not there; last: the first band's */
} Signer;

/* `params` is borrowed. */
MUST_USE ErrCode signer_init(Signer *s, const DedupParams *params, bool beside, Err *err);
void signer_clear(Signer *s);
/* Everything that the columns depend on, canonical JSON. */
void signer_put_params(Buf *b, const Signer *s);

/* Of one thread. Zero-initialised. */
typedef struct {
    Signature signature;
    Buf url;
} SignScratch;
void signscratch_clear(SignScratch *w);
/* Sets all columns of the sink's current document. */
MUST_USE ErrCode signer_put(const Signer *s, SignScratch *w, const Doc *doc, StageSink *sink, Err *err);

#endif
