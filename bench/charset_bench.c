/* bench/charset_bench.c - how fast GB18030 and Big5 become UTF-8: our decoders beside the C library's iconv, one thread.
 * Usage: charset_bench TEXT [SECONDS], or charset_bench --detect <SAMPLES
 * TEXT is UTF-8; of each charset what it has is taken, as one text and with a tag after every tenth character, as pages have.
 * --detect names the charset of every sample, a line each; a sample is its length as four bytes, little-endian, and its bytes.
 * Prints MB/s of bytes read and of bytes written, processor time, the best of the rounds that fit in SECONDS. */
#include "core/log.h"
#include "core/store.h"
#include "core/utf8.h"
#include "ingest/charset_detect.h"
#include "ingest/chinese_bytes.h"

#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>

/* `text` in a charset, character by character, leaving out what it lacks; every `tag_every` characters a tag (0: none). */
static void encode(const char *charset, Span text, size_t tag_every, Buf *out)
{
    iconv_t cd = iconv_open(charset, "UTF-8");
    size_t n_chars = 0;

    for (size_t at = 0, n; at < text.n; at += n) {
        uint32_t cp;
        n = utf8_next(text.p + at, text.n - at, &cp);
        if (!buf_reserve(out, 64)) exit(5);
        char *in = (char *)(uintptr_t)(text.p + at), *to = (char *)out->p + out->n;
        size_t in_left = n, room = 16;
        if (iconv(cd, &in, &in_left, &to, &room) == (size_t)-1) iconv(cd, NULL, NULL, NULL, NULL);
        iconv(cd, NULL, NULL, &to, &room);
        out->n = (size_t)((uint8_t *)to - out->p);
        if (tag_every && ++n_chars % tag_every == 0) buf_puts(out, "<a href=\"/list/12345.html\">");
    }
    iconv_close(cd);
}

static size_t by_iconv(iconv_t cd, Span in, Buf *out)
{
    char *from = (char *)(uintptr_t)in.p, *to = (char *)out->p;
    size_t left = in.n, room = out->cap;

    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &from, &left, &to, &room) == (size_t)-1) return 0;
    return out->cap - room;
}

static void measure(const char *charset, const char *form, Span raw, double seconds)
{
    bool gb = charset[0] == 'G';
    iconv_t cd = iconv_open("UTF-8", charset);
    Buf out = {0};

    if (!buf_reserve(&out, raw.n * 3 + 64)) exit(5);
    for (int ours = 1; ours >= 0; ours--) {
        double best = 1e9, stop = thread_cpu_seconds() + seconds;
        size_t n = 0, n_replaced = 0;
        do {
            double t = thread_cpu_seconds();
            if (ours) {
                buf_reset(&out);
                if (gb)
                    gb18030_to_utf8(raw, SIZE_MAX, &out, &n_replaced);
                else
                    big5_to_utf8(raw, SIZE_MAX, &out, &n_replaced);
                n = out.n;
            } else {
                n = by_iconv(cd, raw, &out);
            }
            t = thread_cpu_seconds() - t;
            if (t < best) best = t;
        } while (thread_cpu_seconds() < stop);
        printf("%-10s %-5s %-5s %8.0f MB/s read %8.0f MB/s written, %zu -> %zu bytes, %zu replaced\n", charset, form,
               ours ? "ours" : "iconv", (double)raw.n / best / 1e6, (double)n / best / 1e6, raw.n, n, n_replaced);
    }
    iconv_close(cd);
    buf_clear(&out);
}

static int detect_all(void)
{
    static uint8_t bytes[1 << 20];
    uint8_t length[4];

    while (fread(length, 1, sizeof length, stdin) == sizeof length) {
        size_t n = le32_get(length);
        if (n > sizeof bytes || fread(bytes, 1, n, stdin) != n) return 4;
        puts(charset_detect(span(bytes, n)));
    }
    return 0;
}

int main(int argc, char **argv)
{
    Buf text = {0}, raw = {0};
    Err err;

    if (argc < 2) {
        fputs("usage: charset_bench TEXT [SECONDS]\n", stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--detect")) return detect_all();
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
    if (store_read(argv[1], (size_t)1 << 30, &text, &err) != ERR_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 3;
    }
    for (int k = 0; k < 4; k++) {
        const char *charset = k & 1 ? "BIG5-HKSCS" : "GB18030";
        buf_reset(&raw);
        encode(charset, buf_span(&text), k & 2 ? 10 : 0, &raw);
        measure(charset, k & 2 ? "tags" : "text", buf_span(&raw), seconds);
    }
    buf_clear(&text), buf_clear(&raw);
    return 0;
}
