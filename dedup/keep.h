/* dedup/keep.h - the keep order: which document of a cluster stays. Private to the room.
 *
 * A list of what decides, the first first, separated by commas; what it leaves undecided the order of input decides:
 *   source:A:B…   documents of source A, then those of B, then all others
 *   signal:NAME   the larger value of that signal; without it last
 *   longest       more bytes of text
 *   earliest      the earlier dump by name; without one last
 *   latest        the later dump by name; without one last
 *   first         the order of input: at the end only, where it says nothing
 * Each of them is a 64-bit word of a document, the smaller the better, so that an order is bytes that sort. Source and signal are
 * words that signing stores (column `keep`); the others follow from columns that are there in any case. */
#ifndef TAMIS_DEDUP_KEEP_H
#define TAMIS_DEDUP_KEEP_H

#include "core/stage.h"

enum { KEEP_MAX = 8 };
typedef enum { KEEP_SOURCE, KEEP_SIGNAL, KEEP_LONGEST, KEEP_EARLIEST, KEEP_LATEST } KeepKind;

typedef struct {
    uint32_t n, n_stored; /* words; those that signing stores, in the order of the list */
    struct {
        KeepKind kind;
        Span arg; /* "A:B", NAME */
    } by[KEEP_MAX];
} KeepOrder;

/* The Spans point into `text`, which may be NULL: the order of input. ERR_USAGE says what is wrong in it. */
MUST_USE ErrCode keep_parse(KeepOrder *k, const char *text, Err *err);
/* The list again, in its one form; stored: only what signing stores. */
void keep_put(Buf *b, const KeepOrder *k, bool stored);
bool keep_needs_dumps(const KeepOrder *k);
static inline bool keep_is_stored(KeepKind kind) { return kind == KEEP_SOURCE || kind == KEEP_SIGNAL; }
/* The i-th word of a document; of a kind that is stored. */
uint64_t keep_word(const KeepOrder *k, uint32_t i, const Doc *doc);

/* Adds the document's source, its signals, to the statistics of signing where the list asks for one. */
void keep_count(const KeepOrder *k, const Doc *doc, StageSink *sink);
/* Signing is complete in `sign_dir`: warns of sources and signals in the list that no document has, and says which there are. */
void keep_warn(const KeepOrder *k, const char *sign_dir);

#endif
