/* core/scratch.h - files that a process uses for itself: written once, in order, read at random, gone when closed or when the
 * process ends in whatever way: they have no name, and programs that are started do not get them. */
#ifndef TAMIS_CORE_SCRATCH_H
#define TAMIS_CORE_SCRATCH_H

#include "core/bytes.h"
#include "core/err.h"

typedef struct Scratch Scratch;
/* In directory `dir`, which exists (of an object store: store_local_dir()); `what` is for messages. */
MUST_USE ErrCode scratch_open(Scratch **s, const char *dir, const char *what, Err *err);
void scratch_close(Scratch *s);
/* One more holder, which closes it too; the last one ends the file. By one thread at a time. */
Scratch *scratch_share(Scratch *s);
/* ERR_SYS naming need and have when the directory's file system has no room for so many bytes more, or for one file. Nothing is
 * reserved: it only makes the message clear and comes before time is spent. */
MUST_USE ErrCode scratch_room(const char *dir, const char *what, uint64_t bytes, Err *err);
MUST_USE ErrCode scratch_put(Scratch *s, const void *p, size_t n, Err *err); /* appends */
/* Exactly n bytes; any number of threads. Past the end: ERR_DATA. */
MUST_USE ErrCode scratch_read(Scratch *s, uint64_t offset, void *out, size_t n, Err *err);
uint64_t scratch_size(const Scratch *s);
const char *scratch_name(const Scratch *s); /* for messages: its directory and what it is */

#endif
