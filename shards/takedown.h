/* shards/takedown.h - documents found in shards by their ids, and taken out of them in place. Private to the verb.
 *
 * A document that is taken out stays as a gap: its tokens become eos, its id and DocId nothing, and every other token stays where it was, with the
 * counts of shards and streams; so what a sample of training is made of changes only where the document was. */
#ifndef TAMIS_SHARDS_TAKEDOWN_H
#define TAMIS_SHARDS_TAKEDOWN_H

#include "core/idlist.h"
#include "shards/look.h"

/* A line an id, as it is or as a JSON string, as `tamis dedup remove` prints them; blank lines are passed over. Ids are told by 64-bit hashes. */
MUST_USE ErrCode takedown_read(HashSet *list, const char *path, Err *err);
/* Warns of those that were not met in `where` since. Reads the list again. */
MUST_USE ErrCode takedown_warn(const HashSet *list, const char *path, const char *where, Err *err);

/* A line of JSON on stdout for each document of the list: {"shard":FILE,"doc":number in its stream,"begin":B,"end":E,"id":ID}, tokens [B, E) of the
 * shard, eos included. */
MUST_USE ErrCode takedown_find(const Look *l, const char *stream, const HashSet *list, uint64_t *n_docs, Err *err);
/* Writes the shards that hold documents of the list anew without them, and the manifest. Run again after a cut-off it ends the same. */
MUST_USE ErrCode takedown_remove(const char *dir, const HashSet *list, uint64_t *n_docs, uint64_t *n_shards,
                                 Err *err);

#endif
