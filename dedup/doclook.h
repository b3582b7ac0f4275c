/* dedup/doclook.h - documents by their DocId, a few of them: each is a frame read for one line. Private to the room. */
#ifndef TAMIS_DEDUP_DOCLOOK_H
#define TAMIS_DEDUP_DOCLOOK_H

#include "core/dataset.h"

typedef struct {
    const DatasetSet *set;
    BlockReader *reader;
    PartView *view; /* of the last document */
} DocLook;

MUST_USE ErrCode doclook_open(DocLook *l, const DatasetSet *set, Err *err);
void doclook_close(DocLook *l);
/* *doc is valid until the next call. ERR_DATA when the set does not show such a document. */
MUST_USE ErrCode doclook_get(DocLook *l, DocId id, Doc *doc, Err *err);

#endif
