/* ingest/phrases.h - what short blocks say of themselves: phrases that stand on pages around their text, by what they belong to. */
#ifndef TAMIS_INGEST_PHRASES_H
#define TAMIS_INGEST_PHRASES_H

#include "core/bytes.h"

typedef enum {
    PHRASE_RIGHTS = 1 << 0,  /* whose the site is: copyright, licences, contact, powered by */
    PHRASE_BYLINE = 1 << 1,  /* who wrote or published it, when, where it is from */
    PHRASE_RELATED = 1 << 2, /* what else there is to read */
    PHRASE_SHARE = 1 << 3,   /* hand it on, follow us, scan this */
    PHRASE_LOGIN = 1 << 4,   /* sign in, subscribe */
    PHRASE_COMMENT = 1 << 5, /* reply, leave a comment */
    PHRASE_COOKIE = 1 << 6,  /* consent */
    PHRASE_BUY = 1 << 7,     /* baskets, prices, delivery */
    PHRASE_N = 8
} Phrase;

/* Phrases by their first two bytes; zero-initialise. */
typedef struct {
    uint8_t head[4096], next[256]; /* index + 1 of a phrase */
    bool made;
} PhraseIndex;

/* The kinds of all phrases in a text; ASCII letters in either case. */
uint32_t phrases_in(PhraseIndex *x, Span text);

#endif
