/* core/idlist.h - lists of documents, text with a line an entry: how a line names an id, and sets of what a list names. */
#ifndef TAMIS_CORE_IDLIST_H
#define TAMIS_CORE_IDLIST_H

#include "core/buf.h"

enum { IDLIST_MAX_BYTES = 1 << 30 /* of a list, which is read whole */ };

/* Appends a line that names the id, and nothing else, wherever lists are read: as it is, if it holds a '#', else as a JSON string. That also
 * where it holds "://" or what is no text, or begins with '"' or '#', begins or ends with white space; what a terminal obeys is
 * escaped, so that a line stays one and no terminal obeys it. */
void id_put_line(Buf *b, Span id);
/* Whether a trimmed line is a JSON string; *id: what it says, in the line or in `scratch`, else the line itself. *bad: it begins as one and is none. */
bool id_is_quoted(Span line, Buf *scratch, Span *id, bool *bad);

/* Calls fn for every line that is not blank, without the white space around it; `number` from 1. A byte order mark of UTF-8 is passed over;
 * ERR_DATA: text of another encoding. */
typedef ErrCode (*ListLine)(void *ctx, Span line, uint64_t number, Err *err);
MUST_USE ErrCode list_each(const char *path, ListLine fn, void *ctx, Err *err);

/* 64-bit hashes; 0 stands for nothing and is in no set. */
typedef struct {
    uint64_t *hash; /* n of them, ascending */
    uint64_t *seen; /* once hashset_watch() was called: not 0 where hashset_mark() met one */
    size_t n;
} HashSet;
/* Takes the buffer of hashes, in any order, which buf_ok() has seen. */
void hashset_take(HashSet *s, Buf *hashes);
void hashset_clear(HashSet *s);
bool hashset_has(const HashSet *s, uint64_t hash);
/* From then on hashset_mark() notes what it meets. */
MUST_USE ErrCode hashset_watch(HashSet *s, Err *err);
/* hashset_has(), from any thread. */
bool hashset_mark(const HashSet *s, uint64_t hash);
/* It is in the set, and was not met. */
bool hashset_is_missing(const HashSet *s, uint64_t hash);

/* Entries of a list that nothing was found for, for one warning: how many, and the first ones. Begin zeroed. */
typedef struct {
    uint64_t n;
    Buf first;
} ListMissing;
void listmissing_add(ListMissing *m, Span line);
/* "WHO: N entries of LIST WHAT: …", and clears. */
MUST_USE ErrCode listmissing_warn(ListMissing *m, const char *who, const char *list, const char *what, Err *err);

#endif
