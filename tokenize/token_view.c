#include "tokenize/token_view.h"

#include "tokenize/token_text.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>

/* Backgrounds that stay apart for who sees few colours, below black letters: blue, yellow, green, pink, violet of the 256 (xterm). */
static const uint8_t background[] = {153, 229, 157, 217, 183};

/* A line on its way out. */
typedef struct {
    const TokenView *view;
    Buf tokens, ids, cell;
    size_t columns, n_cells; /* of this line */
    uint64_t n_shown;        /* of the text: the next colour */
} Line;

static ErrCode flush_line(Line *l, Err *err)
{
    ErrCode rc = buf_ok(&l->tokens, "a line", err);

    if (rc == ERR_OK) rc = buf_ok(&l->ids, "a line", err);
    if (rc == ERR_OK && l->n_cells) {
        buf_putc(&l->tokens, '\n');
        if (l->view->ids) buf_putc(&l->ids, '\n');
        fwrite(l->tokens.p, 1, l->tokens.n, stdout);
        if (l->ids.n) fwrite(l->ids.p, 1, l->ids.n, stdout);
        if (ferror(stdout)) rc = err_sys(err, "cannot write to standard output");
    }
    buf_reset(&l->tokens);
    buf_reset(&l->ids);
    l->columns = l->n_cells = 0;
    return rc;
}

/* The bar between tokens would not be told from one in the text. */
static void escape_cell(Line *l, Span bytes)
{
    const Span bar = SPAN_LIT(TOKEN_VIEW_BAR);
    size_t from = 0;

    buf_reset(&l->cell);
    for (size_t at = 0; at + bar.n <= bytes.n && !l->view->color; at++) {
        if (!span_starts(span_from(bytes, at), bar)) continue;
        token_escape(&l->cell, (Span){bytes.p + from, at - from});
        for (size_t i = 0; i < bar.n; i++) buf_printf(&l->cell, "\\x%02x", bar.p[i]);
        from = at + bar.n;
    }
    token_escape(&l->cell, span_from(bytes, from));
}

static void pad(Buf *b, size_t from, size_t to)
{
    while (from++ < to) buf_putc(b, ' ');
}

/* A token, or bytes without one. */
static ErrCode put_cell(Line *l, Span bytes, const char *id, Err *err)
{
    escape_cell(l, bytes);
    const size_t text_width = text_columns(buf_span(&l->cell)), id_width = l->view->ids ? strlen(id) : 0,
                 width = text_width > id_width ? text_width : id_width;
    ErrCode rc;

    if (l->view->ids && l->n_cells && l->columns + 1 + width > l->view->columns &&
        (rc = flush_line(l, err)) != ERR_OK)
        return rc;
    if (l->n_cells && (l->view->ids || !l->view->color)) {
        buf_puts(&l->tokens, l->view->color ? " " : TOKEN_VIEW_BAR);
        if (l->view->ids) buf_puts(&l->ids, l->view->color ? " " : TOKEN_VIEW_BAR);
        l->columns++;
    }
    if (l->view->color) buf_printf(&l->tokens, "\033[30;48;5;%um", background[l->n_shown++ % sizeof background]);
    buf_put_span(&l->tokens, buf_span(&l->cell));
    if (l->view->color) buf_puts(&l->tokens, "\033[0m");
    if (l->view->ids) {
        pad(&l->tokens, text_width, width);
        buf_puts(&l->ids, id);
        pad(&l->ids, id_width, width);
    }
    l->columns += width;
    l->n_cells++;
    return bytes.n && bytes.p[bytes.n - 1] == '\n' ? flush_line(l, err) : ERR_OK;
}

static ErrCode put_tokens(Line *l, Span text, const uint32_t *id, const TokenOffset *at, size_t n, Err *err)
{
    char name[16];
    size_t done = 0;
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < n && rc == ERR_OK; i++) {
        if (at[i].begin > done) rc = put_cell(l, (Span){text.p + done, at[i].begin - done}, "-", err);
        snprintf(name, sizeof name, "%" PRIu32, id[i]);
        if (rc == ERR_OK) rc = put_cell(l, (Span){text.p + at[i].begin, at[i].end - at[i].begin}, name, err);
        done = at[i].end;
    }
    if (rc == ERR_OK && done < text.n) rc = put_cell(l, span_from(text, done), "-", err);
    return rc == ERR_OK ? flush_line(l, err) : rc;
}

ErrCode token_view(const TokenView *v, const Tokenizer *t, Span text, Err *err)
{
    Line l = {.view = v};
    Buf ids = {0}, offsets = {0}, normalized = {0};
    Encoder *e = NULL;
    Span seen;
    ErrCode rc = encoder_new(&e, t, err);

    if (rc == ERR_OK) rc = encode_normalized(e, text, ENCODE_ALL, &ids, &offsets, &normalized, &seen, err);
    if (rc == ERR_OK)
        rc = put_tokens(&l, seen, (const uint32_t *)(const void *)ids.p, (const TokenOffset *)(const void *)offsets.p,
                        ids.n / sizeof(uint32_t), err);
    encoder_free(e);
    buf_clear(&ids);
    buf_clear(&offsets);
    buf_clear(&normalized);
    buf_clear(&l.tokens);
    buf_clear(&l.ids);
    buf_clear(&l.cell);
    return rc;
}
