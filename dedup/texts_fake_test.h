/* dedup/texts_fake_test.h - datasets made of texts, and views whose texts were rewritten read back and checked, for tests. */
#ifndef TAMIS_DEDUP_TEXTS_FAKE_TEST_H
#define TAMIS_DEDUP_TEXTS_FAKE_TEST_H

#include "core/stage.h"

typedef struct {
    char **text;
    uint32_t *host;
    uint32_t n, n_parts;
    Arena arena;
} Texts;
void texts_clear(Texts *t);
void texts_add(Texts *t, const char *text, uint32_t host);
/* Document i lies in part i * n_parts / n, so that order of input is order of the array. */
void texts_write(const Texts *t, const char *dir);

typedef struct {
    char **text; /* t->n, NULL: dropped */
    Hash128 content;
    Arena arena;
} LeftTexts;
void lefttexts_clear(LeftTexts *l);
/* Reads the view. Checks that its `edits` make its texts out of those of `t`. */
void lefttexts_read(LeftTexts *l, const Texts *t, const char *dir);

/* A generator of numbers below n. */
uint32_t fake_below(uint64_t *state, uint32_t n);

#endif
