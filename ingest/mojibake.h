/* ingest/mojibake.h - text whose UTF-8 was read in another charset and written as UTF-8 again, turned back.
 *
 * Two readings are common: as windows-1252 or Latin-1 ("cafÃ©", "â€™", "ä¸­æ–‡"), once or twice over, and as GBK ("鏂囧瓧").
 * A page is looked at as it stands, a piece of text between two tags at a time, since often its template is whole and its
 * content is not. A piece is turned back when (nearly) all of its characters that can stand for bytes stand for well-formed
 * UTF-8 of plausible characters, and the page has enough of it that no chance or quotation explains it. What readings
 * have lost (锟斤拷) cannot be turned back; mojibake_lost() counts it. */
#ifndef TAMIS_INGEST_MOJIBAKE_H
#define TAMIS_INGEST_MOJIBAKE_H

#include "core/buf.h"

typedef enum { MOJIBAKE_LATIN, MOJIBAKE_TWICE, MOJIBAKE_GBK, MOJIBAKE_N } MojibakeKind;
extern const char *const mojibake_names[MOJIBAKE_N]; /* "windows-1252", … */

typedef struct {
    size_t n_turned[MOJIBAKE_N]; /* characters got back */
} MojibakeResult;

typedef struct Mojibake Mojibake; /* buffers and a table of one thread */
MUST_USE ErrCode mojibake_new(Mojibake **m, Err *err);
void mojibake_free(Mojibake *m);

/* *page is well-formed UTF-8. When something was turned back it then points into m, until the next call. */
MUST_USE ErrCode mojibake_repair(Mojibake *m, Span *page, MojibakeResult *r, Err *err);

/* Characters that stand for lost ones in well-formed text: U+FFFD, and its traces after further readings. */
size_t mojibake_lost(Span text);

#endif
