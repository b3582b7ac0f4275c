#include "ingest/warc_digest.h"

#include "core/digest.h"
#include "ingest/http.h"

const char *const digest_answers[DIGEST_N_ANSWERS] = {"absent", "fine", "mismatch", "unknown"};

static int hex_value(uint8_t c)
{
    c = ascii_lower(c);
    return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 4648 section 6. */
static int base32_value(uint8_t c)
{
    c = ascii_lower(c);
    return c >= 'a' && c <= 'z' ? c - 'a' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* Digits of `bits` bits each into exactly n bytes; bits left over do not count. */
static bool decode(Span text, int (*value)(uint8_t), int bits, uint8_t *out, size_t n)
{
    uint32_t held = 0;
    size_t at = 0;
    int n_held = 0;

    if (text.n != (n * 8 + (size_t)bits - 1) / (size_t)bits) return false;
    for (size_t i = 0; i < text.n; i++) {
        int v = value(text.p[i]);
        if (v < 0) return false;
        held = held << bits | (uint32_t)v;
        n_held += bits;
        if (n_held >= 8 && at < n) {
            n_held -= 8;
            out[at++] = (uint8_t)(held >> n_held);
            held &= (1u << n_held) - 1;
        }
    }
    return at == n;
}

static bool algorithm_of(Span name, DigestAlgorithm *out)
{
    static const struct {
        const char *name;
        DigestAlgorithm algorithm;
    } names[] = {{"sha1", DIGEST_SHA1},     {"sha-1", DIGEST_SHA1},     {"md5", DIGEST_MD5},
                 {"sha256", DIGEST_SHA256}, {"sha-256", DIGEST_SHA256}, {"sha512", DIGEST_SHA512},
                 {"sha-512", DIGEST_SHA512}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_eq_nocase(name, span_str(names[i].name))) return *out = names[i].algorithm, true;
    return false;
}

ErrCode digest_answer(Span field, Span bytes, DigestAnswer *answer, Err *err)
{
    uint8_t want[DIGEST_MAX_BYTES], got[DIGEST_MAX_BYTES];
    size_t colon = span_find(field, ':'), n;
    Span text = span_trim(span_from(field, colon < field.n ? colon + 1 : field.n));
    DigestAlgorithm algorithm;
    ErrCode rc;

    *answer = field.n ? DIGEST_UNKNOWN : DIGEST_ABSENT;
    if (field.n == 0 || !algorithm_of(span_trim(span(field.p, colon)), &algorithm)) return ERR_OK;
    while (text.n && text.p[text.n - 1] == '=') text.n--;
    n = digest_bytes(algorithm);
    if (!decode(text, hex_value, 4, want, n) && !decode(text, base32_value, 5, want, n)) return ERR_OK;
    if ((rc = digest_of(algorithm, bytes, got, err)) != ERR_OK) return rc;
    *answer = memcmp(want, got, n) == 0 ? DIGEST_FINE : DIGEST_MISMATCH;
    return ERR_OK;
}

/* Where the payload of an HTTP message starts. */
static size_t payload_at(Span block)
{
    for (size_t at = 0; at < block.n;) {
        size_t n = span_find(span_from(block, at), '\n');
        bool blank = n == 0 || (n == 1 && block.p[at] == '\r');
        at += n + 1;
        if (blank) return at < block.n ? at : block.n;
    }
    return block.n;
}

ErrCode warc_digests(const WarcHead *h, Span block, Buf *scratch, DigestAnswer *of_block, DigestAnswer *of_payload,
                     Err *err)
{
    bool is_http = h->type == WARC_RESPONSE || h->type == WARC_REQUEST;
    Span payload = is_http ? span_from(block, payload_at(block)) : block;
    bool cut;
    ErrCode rc;

    *of_payload = DIGEST_ABSENT;
    if ((rc = digest_answer(h->block_digest, block, of_block, err)) != ERR_OK || h->type == WARC_REVISIT) return rc;
    if ((rc = digest_answer(h->payload_digest, payload, of_payload, err)) != ERR_OK) return rc;
    if (*of_payload != DIGEST_MISMATCH || !is_http) return ERR_OK;
    buf_reset(scratch);
    if (!http_unchunk(payload, scratch, &cut)) return buf_ok(scratch, "a page's body", err);
    if ((rc = buf_ok(scratch, "a page's body", err)) != ERR_OK) return rc;
    return digest_answer(h->payload_digest, buf_span(scratch), of_payload, err);
}
