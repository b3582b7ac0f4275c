/* ingest/blocks_write.c - the kept blocks with Markdown's marks. */
#include "ingest/blocks.h"

enum {
    MAX_INDENT = 8, /* levels of lists that show */
    MIN_FENCE = 3
};

static void put_many(Buf *out, const char *what, unsigned n)
{
    while (n--) buf_puts(out, what);
}

static void put_marker(Buf *out, const Block *b)
{
    if (b->indent > 1) put_many(out, "  ", (b->indent > MAX_INDENT ? MAX_INDENT : b->indent) - 1u);
    if (b->number) {
        buf_put_u64(out, b->number - 1u);
        buf_puts(out, ". ");
    } else {
        buf_puts(out, "- ");
    }
}

/* A fence is longer than every run of ` that it holds. */
static unsigned fence_of(Span code)
{
    unsigned longest = MIN_FENCE - 1, run = 0;

    for (size_t i = 0; i < code.n; i++) {
        run = code.p[i] == '`' ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    return longest + 1;
}

static void put_code(Buf *out, const BlockList *list, const Block *b, Span text)
{
    unsigned fence = fence_of(text);

    put_many(out, "`", fence);
    if (b->code_bytes) buf_put(out, list->code.p + b->code, b->code_bytes);
    buf_putc(out, '\n');
    buf_put_span(out, text);
    buf_putc(out, '\n');
    put_many(out, "`", fence);
}

static void put_row(Buf *out, Span text)
{
    bool ends_empty = text.n > 1 && text.p[text.n - 1] == '|' && text.p[text.n - 2] != '\\';

    buf_puts(out, "| ");
    buf_put_span(out, text);
    buf_puts(out, ends_empty ? "  |" : " |");
}

/* below_term: its term, or another definition of it, stands before. */
static void put_block(Buf *out, const BlockList *list, const Block *b, bool below_term)
{
    Span text = span(list->text.p + b->text, b->bytes);

    if (b->kind == BLOCK_PRE && b->fenced) {
        put_code(out, list, b, text);
        return;
    }
    if (b->kind == BLOCK_ROW) {
        put_row(out, text);
        return;
    }
    if (b->kind == BLOCK_ITEM) put_marker(out, b);
    if (b->kind == BLOCK_HEADING) put_many(out, "#", b->number), buf_putc(out, ' ');
    if (below_term) buf_puts(out, ": ");
    buf_put_span(out, text);
}

/* Begins each line of out from `from` on with the mark of quotations. */
static void quote_from(Buf *out, size_t from)
{
    size_t lines = 1;

    for (size_t i = from; i < out->n; i++) lines += out->p[i] == '\n';
    if (!buf_reserve(out, 2 * lines)) return;
    size_t end = out->n, to = end + 2 * lines;
    out->n = to;
    while (end > from) {
        uint8_t c = out->p[--end];
        if (c == '\n') out->p[--to] = ' ', out->p[--to] = '>';
        out->p[--to] = c;
    }
    out->p[from] = '>';
    out->p[from + 1] = ' ';
}

/* What stands between two kept blocks. A table whose header is done gets its line here. */
static void put_between(Buf *out, const Block *before, const Block *b)
{
    bool same = before->kind == b->kind && before->quoted == b->quoted;

    if (same && b->kind == BLOCK_ROW && before->group == b->group) {
        if (before->header && !b->header) {
            buf_puts(out, "\n|");
            put_many(out, " --- |", before->number);
        }
        buf_putc(out, '\n');
    } else if (same && (b->kind == BLOCK_ITEM || (b->definition && b->group == before->group))) {
        buf_putc(out, '\n');
    } else {
        buf_puts(out, "\n\n");
    }
}

/* Old pages indent all of their text by quotations. */
static bool all_quoted(const BlockList *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->block[i].keep && !list->block[i].quoted) return false;
    return true;
}

/* The name of the language that sites show above code: the fence says it. */
static bool is_label(const BlockList *list, size_t i)
{
    const Block *b = &list->block[i], *next = b + 1;

    return b->kind == BLOCK_TEXT && i + 1 < list->n && next->keep && next->fenced && next->code_bytes &&
           span_eq_nocase(span(list->text.p + b->text, b->bytes), span(list->code.p + next->code, next->code_bytes));
}

/* Terms are short, and often links; rows of headers have few words: one whose definition, or next row, is kept is kept, too. */
static bool heads_kept(const BlockList *list, size_t i)
{
    const Block *b = &list->block[i], *next = b + 1;

    if (i + 1 >= list->n || !next->keep || next->group != b->group) return false;
    return b->kind == BLOCK_ROW ? b->header && next->kind == BLOCK_ROW
                                : next->definition && !b->definition && b->kind == BLOCK_TEXT;
}

void blocks_write(BlockList *list, Buf *out)
{
    const Block *before = NULL;
    bool quotes = !all_quoted(list);

    for (size_t i = 0; i < list->n; i++) {
        Block *b = &list->block[i];
        if (!(b->keep || heads_kept(list, i)) || is_label(list, i)) continue;
        if (before) put_between(out, before, b);
        size_t from = out->n;
        put_block(out, list, b, b->definition && before && before->group == b->group);
        if (quotes && b->quoted) quote_from(out, from);
        b->end = (uint32_t)out->n;
        before = b;
    }
}
