/* dedup/dumpnames.h - the dumps of all documents that are compared, numbered in order of their names. Private to the room.
 *
 * Signing counts documents by dump (DIR/sign/stats.json), so the names are known to all when it is done. */
#ifndef TAMIS_DEDUP_DUMPNAMES_H
#define TAMIS_DEDUP_DUMPNAMES_H

#include "core/buf.h"
#include "core/hash.h"

enum {
    DUMPS_MAX = 4096,       /* as many names as statistics hold */
    DUMPS_MAX_NAME = 128,   /* bytes */
    DUMPS_NONE = UINT16_MAX /* a document without a dump */
};

typedef struct {
    uint32_t n;
    bool too_many;    /* more than DUMPS_MAX, or a longer name: then none has a number */
    Span *name;       /* of dump number i */
    uint64_t *hash;   /* sorted */
    uint16_t *number; /* of hash[i] */
    Arena arena;
} DumpNames;

/* What signing counts a document's dump as; p == NULL: not at all. */
Span dumpnames_name(Span dump);
/* XXH3-64 of the name, 0 for none. */
uint64_t dumpnames_hash(Span dump);
MUST_USE ErrCode dumpnames_load(DumpNames *d, const char *sign_dir, Err *err);
void dumpnames_clear(DumpNames *d);
uint16_t dumpnames_number(const DumpNames *d, uint64_t hash);

#endif
