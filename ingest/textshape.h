/* ingest/textshape.h - what a text looks like at a glance: prose has function words and ends in full stops, menus and lists of names do not. */
#ifndef TAMIS_INGEST_TEXTSHAPE_H
#define TAMIS_INGEST_TEXTSHAPE_H

#include "core/bytes.h"

enum { TEXTSHAPE_BYTES = 400 }; /* of a text are looked at: what follows says no more */

typedef struct {
    uint32_t hash;
    uint8_t words; /* and characters of Chinese, Japanese, Korean */
    uint8_t stops, digits, uppers,
        han;         /* percent: function words, digits, capitals that begin words, wide characters */
    uint8_t ending;  /* 1 the end of a sentence, 2 a colon, 3 an ellipsis or arrow, 0 other */
    uint8_t opening; /* 0 nothing, 1 a capital, 2 a small letter, 3 a digit, 4 other ASCII, 5 other */
} TextShape;
TextShape textshape_of(Span s);

#endif
