/* ingest/warc_digest.h - WARC-Block-Digest and WARC-Payload-Digest (ISO 28500 sections 5.8, 5.9) against the bytes they speak of. */
#ifndef TAMIS_INGEST_WARC_DIGEST_H
#define TAMIS_INGEST_WARC_DIGEST_H

#include "core/bytes.h"
#include "core/err.h"
#include "ingest/warc.h"

/* UNKNOWN: in an algorithm or a notation that we do not know. */
typedef enum { DIGEST_ABSENT, DIGEST_FINE, DIGEST_MISMATCH, DIGEST_UNKNOWN, DIGEST_N_ANSWERS } DigestAnswer;
extern const char *const digest_answers[DIGEST_N_ANSWERS];

/* "sha1:3EF4GH5…" with md5, sha1, sha256 or sha512, in base 32 or hexadecimal of any case, against `bytes`. */
MUST_USE ErrCode digest_answer(Span field, Span bytes, DigestAnswer *answer, Err *err);

/* Both digests of a record, of which `h` is the head. A payload is what follows the HTTP head, in a response or request; crawlers took its
 * digest with the chunks of the transfer coding or without: either will do. That of a revisit is of bytes elsewhere. `scratch` is written. */
MUST_USE ErrCode warc_digests(const WarcHead *h, Span block, Buf *scratch, DigestAnswer *of_block,
                              DigestAnswer *of_payload, Err *err);

#endif
