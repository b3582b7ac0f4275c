/* dedup/remove.h - documents removed on request, by URL, host or id: from an index, and from datasets by a view that leaves them out.
 * Private to the room.
 *
 * A list is text, a line an entry: a JSON string is an id; what holds "://" is a URL, compared as url_key() of core/url.h does; what holds '#' behind
 * its first byte is an id as it stands; else a host, compared as url_host() gives it (a name's xn-- form is another one), and no host below it. Ids are compared byte by byte. Blank lines and those that
 * begin with '#' are passed over. Entries are compared by 64-bit hashes: of 10^11 documents and 10^5 entries, one in 2000 lists takes a document too many. */
#ifndef TAMIS_DEDUP_REMOVE_H
#define TAMIS_DEDUP_REMOVE_H

#include "core/idlist.h"
#include "dedup/dedup.h"
#include "dedup/index.h"

enum { REMOVE_URL, REMOVE_HOST, REMOVE_ID, REMOVE_KINDS };

typedef struct {
    HashSet set[REMOVE_KINDS];
    Hash128 content; /* of the entries, whatever their order */
} RemoveList;
/* ERR_DATA: an entry that is none, by its line. */
MUST_USE ErrCode removelist_read(RemoveList *l, const char *path, Err *err);
void removelist_clear(RemoveList *l);
/* Warns of the entries that no rank has met in what it looked through since. Reads the list again. Collective. */
MUST_USE ErrCode removelist_warn(const RemoveList *l, const char *path, const Par *par, Err *err);

/* What DIR/docs knows of the list's documents; files in parallel, in order. One process. */
typedef struct {
    Buf ids;   /* id_put_line() of each */
    Buf refs;  /* u64 each, of those that lookups still see, ascending */
    Buf files; /* u32 each, ascending: those that hold rows to be deleted, of these documents or of an earlier call that was cut short */
    uint64_t n; /* documents */
} RemoveFound;
MUST_USE ErrCode remove_find(const Index *ix, const RemoveList *l, int threads, RemoveFound *f, Err *err);
void removefound_clear(RemoveFound *f);
/* Takes them out of the index: no lookup sees them from then on, and what DIR/docs says of them, their ids, too, is deleted. Both again after a cut-off it
 * ends the same. One process. */
MUST_USE ErrCode remove_take_out(Index *ix, const IndexClaim *claim, const RemoveFound *f, int threads, Err *err);

/* A view of `in` without them; reason removed_on_request. Collective. */
MUST_USE ErrCode remove_from_datasets(const RemoveList *l, const DatasetSet *in, const char *out_dir,
                                      const CommonOptions *common, const Par *par, StageTotals *totals, Err *err);

#endif
