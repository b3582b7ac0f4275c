#include "dedup/made_test.h"

#include "tests/check.h"
#include "tests/made_dataset.h"

#include <inttypes.h>
#include <stdlib.h>

void corpus_clear(Corpus *c)
{
    free(c->doc);
    arena_clear(&c->arena);
}

void corpus_add(Corpus *c, const char *text, uint32_t dump, uint32_t host)
{
    static const char *const forms[] = {"http://host%u.test/page%u", "https://HOST%u.test:443/page%u#top",
                                        "http://host%u.test:80/p%%61ge%u?utm_source=x", "ftp://host%u.test/page%u"};
    char url[80];
    uint32_t i = c->n, page = (uint32_t)(mix64(i + 99) % 30), form = i % 16 < 12 ? i % 3 : 3;

    c->doc = realloc(c->doc, (c->n + 1) * sizeof *c->doc);
    snprintf(url, sizeof url, forms[form], host, page);
    c->doc[c->n++] = (Made){.text = arena_str(&c->arena, span_str(text)),
                            .url = arena_str(&c->arena, span_str(url)),
                            .dump = dump,
                            .host = host,
                            .page = form < 3 ? page : 1000 + i, /* of ftp nothing is compared */
                            .source = i % 4,
                            .quality = i % 6 ? (int)(mix64(i + 7) % 5) - 2 : NO_QUALITY};
}

static void make_doc(void *ctx, uint32_t i, Arena *a, Doc *doc)
{
    const Corpus *c = ctx;
    const Made *made = &c->doc[i];
    const Span dump = made_text(a, "CC-MAIN-2023-%02" PRIu32, made->dump % 100);
    Signal *quality = arena_array(a, 1, sizeof *quality);

    *quality = (Signal){SPAN_LIT("quality"), made->quality / 4.0};
    *doc = (Doc){.id = made_text(a, "%s/made#%" PRIu32, (const char *)dump.p, i),
                 .text = span_str(made->text),
                 .url = span_str(made->url),
                 .source = made_text(a, "s%" PRIu32, made->source),
                 .signals = quality,
                 .n_signals = made->quality != NO_QUALITY};
    if (made->dump != NO_DUMP) doc->dump = dump;
}

void write_corpus(const Corpus *c, const char *dir)
{
    made_dataset(dir, make_doc, (void *)(uintptr_t)c, c->n, c->n_parts);
}

/* --- made texts: words of a family, some of them replaced */

static void put_word(Buf *b, uint64_t h)
{
    for (int i = 0; i < 3; i++, h >>= 8) buf_printf(b, "%c%c", "bdfgklmnprst"[h % 12], "aeiou"[(h >> 4) % 5]);
    buf_putc(b, ' ');
}

char *make_text(Corpus *c, uint64_t family, uint32_t n_words, uint64_t variant, uint32_t per_mille)
{
    Buf b = {0};

    for (uint32_t w = 0; w < n_words; w++) {
        bool other = mix64(variant * 7919 + w + 1) % 1000 < per_mille;
        put_word(&b, mix64(other ? mix64(variant) + w : family * 100003 + w));
    }
    char *text = arena_str(&c->arena, buf_span(&b));
    buf_clear(&b);
    return text;
}

Corpus mixed_corpus(uint32_t n, uint32_t n_parts)
{
    Corpus c = {.n_parts = n_parts};

    for (uint32_t i = 0; i < n; i++) {
        uint64_t h = mix64(i + 1), family = h % (n / 6 + 1);
        uint32_t dump = (uint32_t)(mix64(h) % 3), host = (uint32_t)(mix64(h + 5) % 7);
        const uint32_t per_mille[] = {0, 4, 15, 30, 60, 120};
        char *text = make_text(&c, family, 60 + (uint32_t)(family % 90), i, per_mille[family % 6]);
        switch (h >> 32 & 15) {
        case 0: text[0] = (char)(text[0] - 32); break; /* another case: the same key */
        case 1: text[strlen(text) - 1] = '!'; break;
        case 2: text = make_text(&c, family, (uint32_t)(family % 5), i, 0); break; /* 0..4 words */
        case 3: text = make_text(&c, 1000000 + i, 80, i, 0); break;
        case 4: text = make_text(&c, family % 3, 5 + (uint32_t)(i % 3), i, 0); break; /* just long enough */
        default: break;
        }
        corpus_add(&c, text, dump, host);
    }
    return c;
}

Corpus corpus_of_dumps(uint32_t n, uint32_t n_parts)
{
    Corpus c = mixed_corpus(n, n_parts);

    for (uint32_t i = 0; i < n; i++) c.doc[i].dump = i % 13 ? (uint32_t)(mix64(i + 31) % 9) : NO_DUMP;
    return c;
}
