/* The one file that knows libcrypto. */
#include "core/digest.h"

size_t digest_bytes(DigestAlgorithm a)
{
    static const size_t sizes[] = {[DIGEST_MD5] = 16, [DIGEST_SHA1] = 20, [DIGEST_SHA256] = 32, [DIGEST_SHA512] = 64};

    return sizes[a];
}

#ifdef TAMIS_CURL

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

static ErrCode failed(Err *err) { return err_set(err, ERR_SYS, "libcrypto cannot hash"); }

ErrCode sha256(Span bytes, uint8_t out[SHA256_BYTES], Err *err)
{
    return EVP_Digest(bytes.n ? bytes.p : (const uint8_t *)"", bytes.n, out, NULL, EVP_sha256(), NULL) == 1
               ? ERR_OK
               : failed(err);
}

ErrCode digest_of(DigestAlgorithm a, Span bytes, uint8_t out[DIGEST_MAX_BYTES], Err *err)
{
    const EVP_MD *md = a == DIGEST_MD5      ? EVP_md5()
                       : a == DIGEST_SHA1   ? EVP_sha1()
                       : a == DIGEST_SHA256 ? EVP_sha256()
                                            : EVP_sha512();

    return EVP_Digest(bytes.n ? bytes.p : (const uint8_t *)"", bytes.n, out, NULL, md, NULL) == 1 ? ERR_OK
                                                                                                  : failed(err);
}

ErrCode hmac_sha256(Span key, Span bytes, uint8_t out[SHA256_BYTES], Err *err)
{
    return HMAC(EVP_sha256(), key.p, (int)key.n, bytes.p, bytes.n, out, NULL) ? ERR_OK : failed(err);
}

void digest_hex(char *out, const uint8_t *digest, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = 0;
}

struct Md5 {
    EVP_MD_CTX *ctx;
};

ErrCode md5_new(Md5 **out, Err *err)
{
    Md5 *m = calloc(1, sizeof *m);

    *out = NULL;
    if (!m) return err_nomem(err, "an MD5");
    m->ctx = EVP_MD_CTX_new();
    if (!m->ctx || EVP_DigestInit_ex(m->ctx, EVP_md5(), NULL) != 1) {
        md5_free(m);
        return failed(err);
    }
    *out = m;
    return ERR_OK;
}

ErrCode md5_put(Md5 *m, Span bytes, Err *err)
{
    return EVP_DigestUpdate(m->ctx, bytes.p, bytes.n) == 1 ? ERR_OK : failed(err);
}

ErrCode md5_hex(Md5 *m, char out[MD5_HEX], Err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (EVP_DigestFinal_ex(m->ctx, digest, NULL) != 1) return failed(err);
    digest_hex(out, digest, (MD5_HEX - 1) / 2);
    return ERR_OK;
}

ErrCode md5_base64(Span bytes, char out[MD5_BASE64], Err *err)
{
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(bytes.p, bytes.n, digest, NULL, EVP_md5(), NULL) != 1) return failed(err);
    EVP_EncodeBlock((unsigned char *)out, digest, (MD5_HEX - 1) / 2);
    return ERR_OK;
}

void md5_free(Md5 *m)
{
    if (!m) return;
    EVP_MD_CTX_free(m->ctx);
    free(m);
}

bool digest_available(void) { return true; }

#else

bool digest_available(void) { return false; }

ErrCode digest_of(DigestAlgorithm a, Span bytes, uint8_t out[DIGEST_MAX_BYTES], Err *err)
{
    (void)a, (void)bytes, (void)out;
    return err_set(err, ERR_USAGE, "this build has no libcrypto, so it knows no SHA-1");
}

#endif
