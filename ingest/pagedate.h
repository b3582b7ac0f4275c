/* ingest/pagedate.h - dates as pages write them -> "2024-05-01" (RFC 3339, full-date). */
#ifndef TAMIS_INGEST_PAGEDATE_H
#define TAMIS_INGEST_PAGEDATE_H

#include "core/bytes.h"

enum { PAGEDATE_BYTES = 10, PAGEDATE_FIRST_YEAR = 1990 /* the web's */ };

typedef struct {
    char day[PAGEDATE_BYTES + 1]; /* "": none */
} PageDate;

/* The first date in a value that is one: ISO 8601 and its spellings with . and /, "20240501", "2024年5月1日", RFC 5322 ("Wed, 01 May 2024"),
 * "May 1, 2024", "1 May 2024". A day of a month that has none such, or a year outside of PAGEDATE_FIRST_YEAR to
 * 2099, is no date. */
bool pagedate_read(Span s, PageDate *out);
/* A date written with its year first somewhere in a line of text. */
bool pagedate_find(Span text, PageDate *out);
/* Of a URL's path: /2024/05/01/, /2024-05/01/, /20240501/ and with .html behind. */
bool pagedate_of_url(Span url, PageDate *out);
/* The day behind a date that is one. */
void pagedate_next(PageDate *d);

#endif
