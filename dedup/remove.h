/* dedup/remove.h - documents removed on request, by URL, host or id: from an index, and from datasets by a view that leaves them out.
 * Private to the room.
 *
 * A list is text, a line an entry: what holds "://" is a URL, compared as url_key() of core/url.h does; what holds '#' behind
 * its first byte is an id, compared byte by byte; else a host, compared as url_host() gives it, and no host below it. Blank lines and those that begin with
 * '#' are passed over. Entries are compared by 64-bit hashes: of 10^11 documents and 10^5 entries, one in 2000 lists takes a document too many. */
#ifndef TAMIS_DEDUP_REMOVE_H
#define TAMIS_DEDUP_REMOVE_H

#include "dedup/dedup.h"
#include "dedup/index.h"

enum { REMOVE_URL, REMOVE_HOST, REMOVE_ID, REMOVE_KINDS };
enum { REMOVE_MAX_LIST = 1 << 30 /* bytes of a list, which is read whole */ };

typedef struct {
    uint64_t *hash[REMOVE_KINDS]; /* n of each, sorted */
    size_t n[REMOVE_KINDS];
    Hash128 content; /* of the entries, whatever their order */
} RemoveList;
/* ERR_DATA: an entry that is none, by its line. */
MUST_USE ErrCode removelist_read(RemoveList *l, const char *path, Err *err);
void removelist_clear(RemoveList *l);
/* hash: 0 for none. */
bool removelist_has(const RemoveList *l, int kind, uint64_t hash);

/* Takes all documents of the list out of the index: no lookup sees them from then on, and what DIR/docs says of them is deleted. Their
 * ids go to `ids`, a line each. Run again after a cut-off it ends the same. One process. */
MUST_USE ErrCode remove_from_index(Index *ix, const RemoveList *l, Buf *ids, uint64_t *n_docs, Err *err);

/* A view of `in` without them; reason removed_on_request. Collective. */
MUST_USE ErrCode remove_from_datasets(const RemoveList *l, const DatasetSet *in, const char *out_dir,
                                      const CommonOptions *common, const Par *par, StageTotals *totals, Err *err);

#endif
