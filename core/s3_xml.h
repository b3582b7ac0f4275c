/* core/s3_xml.h - what answers of an object store say: elements of flat XML by name, found by their tags. No element that S3 answers with
 * holds another of its own name, attributes stand on the outermost alone, and text is escaped; so no more than this is read. */
#ifndef TAMIS_CORE_S3_XML_H
#define TAMIS_CORE_S3_XML_H

#include "core/buf.h"

/* The first element `name` in *rest: what is between its tags. *rest then begins behind it. */
bool s3xml_next(Span *rest, const char *name, Span *inside);
/* Appends the text of the first element `name` in `in`, its entities decoded. False: there is none, or it is no text. */
bool s3xml_text(Span in, const char *name, Buf *out);
/* The same as a decimal number. */
bool s3xml_u64(Span in, const char *name, uint64_t *out);
/* Seconds since 1970 of "2009-10-12T17:50:30.000Z" in the first element `name`. */
bool s3xml_time(Span in, const char *name, int64_t *out);
/* Appends, escaped. */
void s3xml_put(Buf *out, Span text);
/* Decodes %XX and '+', the way listings with encoding-type=url write keys, in place. False: a key with a NUL, or bad digits. */
bool s3xml_unquote(Buf *b);

#endif
