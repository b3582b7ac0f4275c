/* core/digest.h - the hashes that others speak: object stores SHA-256 and HMAC (SigV4), MD5 (ETags), archives what they like. Ours is XXH3,
 * in hash.h. */
#ifndef TAMIS_CORE_DIGEST_H
#define TAMIS_CORE_DIGEST_H

#include "core/bytes.h"
#include "core/err.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 65, MD5_HEX = 33, MD5_BASE64 = 25 };

MUST_USE ErrCode sha256(Span bytes, uint8_t out[SHA256_BYTES], Err *err);
MUST_USE ErrCode hmac_sha256(Span key, Span bytes, uint8_t out[SHA256_BYTES], Err *err);
/* Lower-case digits and a NUL: out holds 2 n + 1 bytes. */
void digest_hex(char *out, const uint8_t *digest, size_t n);

/* Of these a build without libcrypto says that it is one (ERR_USAGE). */
typedef enum { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 } DigestAlgorithm;
enum { DIGEST_MAX_BYTES = 64 };
bool digest_available(void); /* a build with libcrypto */
size_t digest_bytes(DigestAlgorithm a);
MUST_USE ErrCode digest_of(DigestAlgorithm a, Span bytes, uint8_t out[DIGEST_MAX_BYTES], Err *err);

/* MD5 of bytes that come in pieces. */
typedef struct Md5 Md5;
MUST_USE ErrCode md5_new(Md5 **m, Err *err);
MUST_USE ErrCode md5_put(Md5 *m, Span bytes, Err *err);
MUST_USE ErrCode md5_hex(Md5 *m, char out[MD5_HEX], Err *err); /* of all so far; nothing may follow */
void md5_free(Md5 *m);
/* As Content-MD5 has it. */
MUST_USE ErrCode md5_base64(Span bytes, char out[MD5_BASE64], Err *err);

#endif
