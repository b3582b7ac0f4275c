/* core/store_s3.h - private to core/store_s3*.c: objects of a store that speaks S3.
 *
 * What is read again after it was written is what was written: Amazon's store has been consistent so since 2020, and those that speak its
 * language are. An object appears whole or not at all:
 *   - up to S3_PART_BYTES with one PUT, whose SHA-256 is signed, so that the store refuses what was changed on the way
 *   - else as a multipart upload, parts of S3_PART_BYTES each (the last may be smaller), of which the first is sent last so that its bytes
 *     can be patched; nothing is visible before the request that completes it, and a failure aborts it. A process that is killed leaves
 *     an upload behind, which store_sweep() aborts once nothing has come for it for a day by the store's own clock: by then no writer lives
 *   - store_create() puts with "If-None-Match: *", which the store must know (Amazon's does since August 2024)
 * Many keys go with DeleteObjects, a thousand a request. What such a request cannot name, and what the store does not say it has deleted, gets
 * a DELETE of its own, whose answer then says why not; a store that does not know DeleteObjects gets nothing else.
 * A request whose answer is lost may have been carried out. So what is published carries x-amz-meta-tamis-writer, a number of its
 * writer's own, and where the repeated request is told that it comes too late, the number says who was first. */
#ifndef TAMIS_CORE_STORE_S3_H
#define TAMIS_CORE_STORE_S3_H

#include "core/s3.h"
#include "core/store_backend.h"

enum {
    S3_PART_BYTES = STORE_PATCH_BYTES, /* Amazon wants 5 MiB .. 5 GiB; memory per file written is twice this */
    S3_MAX_PARTS = 10000,              /* Amazon's limit: objects of 156 GiB */
    S3_DELETE_MAX = 1000               /* Amazon's limit: keys of one DeleteObjects */
};

MUST_USE ErrCode s3_out_open(OutFile **f, const char *path, Err *err);
MUST_USE ErrCode s3_out_put(OutFile *f, const void *p, size_t n, Err *err);
MUST_USE ErrCode s3_out_patch(OutFile *f, uint64_t offset, const void *p, size_t n, Err *err);
MUST_USE ErrCode s3_out_commit(OutFile *f, Err *err);
void s3_out_abandon(OutFile *f);
MUST_USE ErrCode s3_create(const char *path, Span bytes, bool *created, Err *err);

/* Deletes a key (NULL: that of the path) or n of them; what is gone already is fine. *singly is set once the store has shown that it does not
 * know DeleteObjects, and then heeded. */
MUST_USE ErrCode s3_delete_key(const S3Path *at, const char *key, Err *err);
MUST_USE ErrCode s3_delete_keys(const S3Path *at, const char *const *key, size_t n, bool *singly, Err *err);

/* Aborts an upload; what is gone already is fine. */
MUST_USE ErrCode s3_abort(const S3Path *at, const char *key, const char *upload_id, Err *err);

#endif
