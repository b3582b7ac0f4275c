/* dedup/made_test.h - documents made for the tests of the room, and the dataset made of them. */
#ifndef TAMIS_DEDUP_MADE_TEST_H
#define TAMIS_DEDUP_MADE_TEST_H

#include "dedup/dedup.h"

enum { NO_DUMP = UINT32_MAX, NO_QUALITY = 100 };
typedef struct {
    char *text, *url;
    uint32_t dump, host;
    uint32_t page;   /* documents of one host and page have one URL, in one of its forms */
    uint32_t source; /* "sN" */
    int quality;     /* a signal */
} Made;

typedef struct {
    Made *doc;
    uint32_t n, n_parts;
    Arena arena;
} Corpus;

void corpus_clear(Corpus *c);
void corpus_add(Corpus *c, const char *text, uint32_t dump, uint32_t host);
/* n_words of family `family`, each replaced with chance per_mille / 1000. In the corpus' arena. */
char *make_text(Corpus *c, uint64_t family, uint32_t n_words, uint64_t variant, uint32_t per_mille);
/* Families of varying similarity and size, exact copies that differ in case and punctuation, loners, short and empty texts. */
Corpus mixed_corpus(uint32_t n, uint32_t n_parts);
/* The same in nine dumps, some documents without one. */
Corpus corpus_of_dumps(uint32_t n, uint32_t n_parts);

/* Document i lies in part i * n_parts / n, so that order of input is order of the array. */
void write_corpus(const Corpus *c, const char *dir);

#endif
