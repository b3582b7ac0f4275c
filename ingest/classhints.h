/* ingest/classhints.h - what the words in an element's class, id and role say it is for. Words are cut at everything that
 * is no letter or digit and at a capital after a small letter; English and pinyin conventions are in one table. */
#ifndef TAMIS_INGEST_CLASSHINTS_H
#define TAMIS_INGEST_CLASSHINTS_H

#include "core/bytes.h"

typedef enum {
    HINT_CONTENT = 1 << 0, /* the body of a page */
    HINT_NAV = 1 << 1,
    HINT_SIDE = 1 << 2,
    HINT_FOOT = 1 << 3,
    HINT_HEAD = 1 << 4,
    HINT_AD = 1 << 5,
    HINT_SHARE = 1 << 6,
    HINT_RELATED = 1 << 7,
    HINT_COMMENT = 1 << 8,
    HINT_META = 1 << 9, /* author, date, tags */
    HINT_BREADCRUMB = 1 << 10,
    HINT_PAGER = 1 << 11,
    HINT_COOKIE = 1 << 12,
    HINT_MODAL = 1 << 13,
    HINT_LOGIN = 1 << 14,
    HINT_HIDDEN = 1 << 15,
    HINT_SEARCH = 1 << 16,
    HINT_CAPTION = 1 << 17,
    HINT_FORUM = 1 << 18, /* a thread, its topic, its posts */
    HINT_TITLE = 1 << 19,
    HINT_LIST = 1 << 20, /* a list of pages or goods */
    HINT_CARD = 1 << 21, /* … and one of them */
    HINT_PRODUCT = 1 << 22,
    HINT_AUTHOR = 1 << 23, /* who somebody is: profile, avatar, signature */
    HINT_WORDS = 24,       /* so many kinds come from words */
    /* What no word says and maintext.c finds out. */
    HINT_BODY = 1 << 24,     /* itemprop="articleBody" */
    HINT_PROTECTED = 1 << 25 /* holds the page's heading or article */
} Hint;

enum { HINT_SLOTS = 2048 };
/* The words by their hashes; zero-initialise. */
typedef struct {
    uint16_t word[HINT_SLOTS]; /* index + 1 */
    bool made;
} HintIndex;

/* The union over the words of one attribute. */
uint32_t class_hints(HintIndex *x, Span v);

#endif
