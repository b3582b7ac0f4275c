/* Speed of what is done with each URL: keys, SURT, blocklists. URLs are read from standard input or made from a seed; the lists are made.
 *   url_bench [N_URLS] [N_DOMAINS] [<URLS] */
#include "core/blocklist.h"
#include "core/log.h"
#include "core/surt.h"
#include "core/url.h"

#include <stdio.h>
#include <stdlib.h>

enum { REPEATS = 5 };

static void die(const Err *err)
{
    fprintf(stderr, "url_bench: %s\n", err->msg);
    exit(3);
}

/* Some 70 bytes, of hosts of which one in 50 is listed. */
static void make_url(Buf *b, uint64_t i)
{
    const uint64_t r = mix64(i + 1);

    buf_printf(b, "https://www.site%llu.example/category-%llu/some-words-of-a-title-%llu.html?id=%llu",
               (unsigned long long)(r % 50000000), (unsigned long long)(r >> 40 & 63), (unsigned long long)(r >> 46),
               (unsigned long long)(r & 0xfffff));
}

typedef struct {
    Span *url;
    size_t n;
    Blocklist *lists;
    Buf a, b;
    uint64_t sum; /* so that nothing is left out */
} Bench;

static void keys(Bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        buf_reset(&b->a);
        b->sum += url_key(&b->a, b->url[i]) + b->a.n;
    }
}

static void surts(Bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        buf_reset(&b->a);
        b->sum += url_surt(&b->a, b->url[i]) + b->a.n;
    }
}

static void blocks(Bench *b)
{
    for (size_t i = 0; i < b->n; i++) b->sum += blocklist_find(b->lists, b->url[i], &b->a) != BLOCKLIST_N;
}

static void measure(Bench *b, const char *what, void (*fn)(Bench *))
{
    double best = 1e9, worst = 0;

    for (int i = 0; i < REPEATS; i++) {
        const double begin = thread_cpu_seconds();
        fn(b);
        const double s = thread_cpu_seconds() - begin;
        if (s < best) best = s;
        if (s > worst) worst = s;
    }
    printf("%-28s %6.2f M URLs/s (slowest of %d runs %.2f)\n", what, (double)b->n / best / 1e6, REPEATS,
           (double)b->n / worst / 1e6);
}

static void add(Bench *b, BlocklistKind kind, size_t n, const char *form, uint64_t of)
{
    Buf lines = {0};
    Err err;

    for (size_t i = 0; i < n; i++) {
        buf_printf(&lines, form, (unsigned long long)(mix64(i * 7 + 3) % of));
        buf_putc(&lines, '\n');
    }
    if (blocklist_add_lines(&b->lists, kind, buf_span(&lines), &err)) die(&err);
    buf_clear(&lines);
}

int main(int argc, char **argv)
{
    const size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000,
                 n_domains = argc > 2 ? strtoull(argv[2], NULL, 10) : 4600000;
    Bench b = {.url = calloc(n, sizeof *b.url), .n = n};
    Buf text = {0};
    Err err;

    for (size_t i = 0; i < n; i++) {
        const size_t from = text.n;
        make_url(&text, i);
        b.url[i] = span((const uint8_t *)from, text.n - from);
    }
    for (size_t i = 0; i < n; i++) b.url[i].p = text.p + (size_t)b.url[i].p;
    printf("%zu URLs of %.0f bytes\n", n, (double)text.n / (double)n);
    measure(&b, "url_key", keys);
    measure(&b, "url_surt", surts);
    add(&b, BLOCKLIST_DOMAIN, n_domains, "site%llu.example", 50000000);
    if (blocklist_seal(b.lists, &err)) die(&err);
    printf("%zu domains\n", n_domains);
    measure(&b, "blocked: domains", blocks);
    add(&b, BLOCKLIST_URL, 100000, "www.site%llu.example/a", 50000000);
    measure(&b, "... and 100,000 URLs", blocks);
    add(&b, BLOCKLIST_WORD, 2000, "word%llu", 100000);
    add(&b, BLOCKLIST_SOFT_WORD, 2000, "soft%llu", 100000);
    measure(&b, "... and 4,000 words", blocks);
    add(&b, BLOCKLIST_SUBSTRING, 500, "sub%llu", 100000);
    if (blocklist_seal(b.lists, &err)) die(&err);
    measure(&b, "... and 500 substrings", blocks);
    printf("checksum %llu\n", (unsigned long long)b.sum);
    blocklist_free(b.lists);
    free(b.url);
    buf_clear(&text);
    buf_clear(&b.a);
    buf_clear(&b.b);
    return 0;
}
