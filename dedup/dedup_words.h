/* dedup/dedup_words.h - `tamis dedup WORD`: what dedup does besides deduplicating. Private to the room; each takes argv with
 * argv[0] the word and returns the exit status. */
#ifndef TAMIS_DEDUP_DEDUP_WORDS_H
#define TAMIS_DEDUP_DEDUP_WORDS_H

#include "core/err.h"

/* ERR_USAGE where an operand of `tamis dedup` is no path, but one of these words or nearly so: says what may have been meant. */
MUST_USE ErrCode dedup_words_check(const char *operand, Err *err);

int clusters_verb(int argc, char **argv);   /* the clusters of a deduplicated view */
int lines_verb(int argc, char **argv);      /* texts without repeated lines or paragraphs */
int spans_verb(int argc, char **argv);      /* texts without repeated spans of sentences */
int substrings_verb(int argc, char **argv); /* texts without repeated strings of tokens */
int rates_verb(int argc, char **argv);      /* the share of duplicates over the first K dumps */
int signatures_verb(int argc, char **argv); /* as datatrove writes them */
int remove_verb(int argc, char **argv);     /* documents removed on request */
int index_verb(int argc, char **argv);      /* what an index holds; makes damaged files again */

#endif
