#include "core/sigv4.h"

#include "core/digest.h"

#ifdef TAMIS_CURL

#include <stdio.h>
#include <stdlib.h>

static bool is_unreserved(uint8_t c) { return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~'; }

void sigv4_encode(Buf *out, Span s, bool keep_slash)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_unreserved(s.p[i]) || (s.p[i] == '/' && keep_slash))
            buf_putc(out, s.p[i]);
        else
            buf_printf(out, "%%%02X", s.p[i]);
    }
}

/* The order of encoded text, without the text: encoded bytes compare as '%' where a byte is encoded, then by its digits,
 * which are in the order of the bytes. */
static int compare_encoded(const char *a, const char *b)
{
    for (; *a && *a == *b; a++) b++;
    bool plain_a = is_unreserved((uint8_t)*a), plain_b = is_unreserved((uint8_t)*b);
    int x = !*a ? 0 : plain_a ? (uint8_t)*a : '%', y = !*b ? 0 : plain_b ? (uint8_t)*b : '%';
    return x != y ? x - y : (uint8_t)*a - (uint8_t)*b;
}

static int compare_pairs(const void *pa, const void *pb)
{
    const SigPair *a = pa, *b = pb;
    int d = compare_encoded(a->name, b->name);

    return d ? d : compare_encoded(a->value, b->value);
}

void sigv4_query(Buf *out, SigPair *pair, size_t n)
{
    if (n) qsort(pair, n, sizeof *pair, compare_pairs);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_putc(out, '&');
        sigv4_encode(out, span_str(pair[i].name), false);
        buf_putc(out, '=');
        sigv4_encode(out, span_str(pair[i].value), false);
    }
}

/* Without spaces around it, runs of spaces inside as one. */
static void put_header_value(Buf *out, const char *value)
{
    Span v = span_trim(span_str(value));

    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] != ' ' || v.p[i - 1] != ' ') buf_putc(out, v.p[i]);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const SigPair *)a)->name, ((const SigPair *)b)->name);
}

static void put_canonical(Buf *out, const SigRequest *q, const SigPair *header, const char *signed_names)
{
    buf_printf(out, "%s\n%s\n%s\n", q->method, q->path, q->query);
    for (size_t i = 0; i < q->n_headers; i++) {
        buf_printf(out, "%s:", header[i].name);
        put_header_value(out, header[i].value);
        buf_putc(out, '\n');
    }
    buf_printf(out, "\n%s\n%s", signed_names, q->payload_sha256);
}

/* The signature of `text` under the key of that day, region and service. */
static ErrCode sign(const SigCredentials *c, const char *day, Span text, char hex[SHA256_HEX], Err *err)
{
    const char *step[] = {day, c->region, c->service, "aws4_request"};
    uint8_t key[SHA256_BYTES];
    Buf first = {0};
    ErrCode rc;

    buf_printf(&first, "AWS4%s", c->secret);
    rc = buf_ok(&first, "a signature", err);
    for (size_t i = 0; i < sizeof step / sizeof *step && rc == ERR_OK; i++)
        rc = hmac_sha256(i ? span(key, sizeof key) : buf_span(&first), span_str(step[i]), key, err);
    if (rc == ERR_OK) rc = hmac_sha256(span(key, sizeof key), text, key, err);
    if (rc == ERR_OK) digest_hex(hex, key, sizeof key);
    buf_clear(&first);
    return rc;
}

ErrCode sigv4_authorize(const SigRequest *q, const SigCredentials *c, Buf *out, Err *err)
{
    SigPair header[SIGV4_MAX_HEADERS];
    Buf canonical = {0}, names = {0}, text = {0};
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX], day[9];
    ErrCode rc;

    if (q->n_headers == 0 || q->n_headers > SIGV4_MAX_HEADERS || strlen(q->time) != 16)
        return err_set(err, ERR_LIMIT, "a request to sign has 1 to %d headers and a time", SIGV4_MAX_HEADERS);
    snprintf(day, sizeof day, "%.8s", q->time);
    memcpy(header, q->header, q->n_headers * sizeof *header);
    qsort(header, q->n_headers, sizeof *header, compare_names);
    for (size_t i = 0; i < q->n_headers; i++) buf_printf(&names, "%s%s", i ? ";" : "", header[i].name);
    const char *signed_names = buf_cstr(&names);
    if (signed_names) put_canonical(&canonical, q, header, signed_names);
    rc = signed_names ? buf_ok(&canonical, "a signature", err) : err_nomem(err, "a signature");
    if (rc == ERR_OK) rc = sha256(buf_span(&canonical), digest, err);
    if (rc != ERR_OK) goto out;
    digest_hex(hex, digest, sizeof digest);
    buf_printf(&text, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", q->time, day, c->region, c->service, hex);
    if ((rc = buf_ok(&text, "a signature", err)) == ERR_OK) rc = sign(c, day, buf_span(&text), hex, err);
    if (rc != ERR_OK) goto out;
    buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s", c->key_id,
               day, c->region, c->service, signed_names, hex);
    rc = buf_ok(out, "a signature", err);
out:
    buf_clear(&canonical);
    buf_clear(&names);
    buf_clear(&text);
    return rc;
}

#endif
