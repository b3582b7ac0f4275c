#include "dedup/texts_fake_test.h"

#include "core/json.h"
#include "tests/check.h"
#include "tests/made_dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t fake_below(uint64_t *state, uint32_t n) { return (uint32_t)((mix64(++*state) >> 32) * n >> 32); }

void texts_clear(Texts *t)
{
    free(t->text);
    free(t->host);
    arena_clear(&t->arena);
}

void texts_add(Texts *t, const char *text, uint32_t host)
{
    t->text = realloc(t->text, (t->n + 1) * sizeof *t->text);
    t->host = realloc(t->host, (t->n + 1) * sizeof *t->host);
    t->text[t->n] = arena_str(&t->arena, span_str(text));
    t->host[t->n++] = host;
}

static void make_doc(void *ctx, uint32_t i, Arena *a, Doc *doc)
{
    const Texts *t = ctx;

    doc->id = made_text(a, "local/made#%" PRIu32, i);
    doc->text = span_str(t->text[i]);
    doc->url = made_text(a, "http://host%" PRIu32 ".test/", t->host[i]);
}

void texts_write(const Texts *t, const char *dir)
{
    made_dataset(dir, make_doc, (void *)(uintptr_t)t, t->n, t->n_parts);
}

/* --- reading back */

void lefttexts_clear(LeftTexts *l)
{
    free(l->text);
    arena_clear(&l->arena);
}

/* `before` without what the last of the edits says; the whole where there are none. */
static void check_edits(const char *before, Span edits, Span after)
{
    Arena arena = {0};
    Buf made = {0};
    Json *list = NULL;
    const Json *last = NULL, *cut;
    Span rest = span_str(before);
    Err err;

    if (edits.p) CHECK_OK(json_parse(&arena, edits, "edits", &list, &err), &err);
    for (const Json *j = list ? list->child : NULL; j; j = j->next) last = j;
    cut = last ? json_get(last, "cut") : NULL;
    for (const Json *j = cut ? cut->child : NULL; j; j = j->next->next) {
        CHECK(j->next && j->number + j->next->number <= (double)rest.n && j->next->number > 0);
        buf_put(&made, rest.p, (size_t)j->number);
        rest = span_from(rest, (size_t)j->number + (size_t)j->next->number);
    }
    buf_put_span(&made, rest);
    CHECK_SPAN(after, buf_span(&made));
    buf_clear(&made);
    arena_clear(&arena);
}

static void read_part(LeftTexts *l, const Texts *t, DatasetSet *set, uint32_t part, BlockReader *reader)
{
    PartView *v = NULL;
    uint32_t record;
    bool end;
    Doc doc;
    Err err;

    CHECK_OK(partview_open(&v, set, part, &err), &err);
    for (uint32_t b = 0; b < partview_n_blocks(v); b++) {
        CHECK_OK(blockreader_open(reader, v, b, &err), &err);
        for (;;) {
            CHECK_OK(blockreader_next(reader, &doc, &record, &end, &err), &err);
            if (end) break;
            const uint32_t i = made_first(t->n, t->n_parts, part) + record;
            l->text[i] = arena_str(&l->arena, doc.text);
            check_edits(t->text[i], doc.edits, doc.text);
        }
    }
    partview_close(v);
}

void lefttexts_read(LeftTexts *l, const Texts *t, const char *dir)
{
    BlockReader *reader = NULL;
    DatasetSet *set = NULL;
    Err err;

    *l = (LeftTexts){.text = calloc(t->n + (size_t)1, sizeof *l->text)};
    CHECK_OK(datasetset_open(&set, &dir, 1, &err), &err);
    CHECK_OK(blockreader_new(&reader, &err), &err);
    l->content = dataset_content(datasetset_at(set, 0));
    for (uint32_t part = 0; part < t->n_parts; part++) read_part(l, t, set, part, reader);
    blockreader_free(reader);
    datasetset_close(set);
}
