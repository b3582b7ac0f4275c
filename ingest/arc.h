/* ingest/arc.h - the record heads of ARC archives, version 1 (Internet Archive, 1996; of version 2 what it shares), which the reader of WARC
 * records (warc.h) reads as if they were WARC's.
 *
 * A record is one line, "URL IP-address Archive-date Content-type Archive-length", a block of that length, a line end. The URL may hold
 * blanks and so may the content type, so fields are found from the end: the length is last, and the date is the last run of digits long
 * enough for one, behind something that can be an address. The first record, filedesc://, describes the file. */
#ifndef TAMIS_INGEST_ARC_H
#define TAMIS_INGEST_ARC_H

#include "ingest/warc.h"

enum {
    ARC_MAX_LINE = 16 << 10, /* the longest URL a crawler keeps, and some */
    ARC_MIN_DATE = 8,        /* digits: YYYYMMDD */
    ARC_DATE = 14,           /* ss, as it should be */
    ARC_MAX_DATE = 18        /* writers have put fractions behind it */
};

/* The head at the start of `s`: type RESPONSE, or INFO for filedesc://; without a length where that is no number. CUT: `s` ends inside of
 * what may be one. */
WarcHeadStatus arc_head(Span s, WarcHead *out);

#endif
