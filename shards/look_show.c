#include "shards/look.h"

#include "core/utf8.h"

#include <inttypes.h>
#include <stdio.h>

void look_put_text(Buf *out, Span text, bool lines)
{
    while (text.n) {
        uint32_t cp;
        unsigned n = utf8_next(text.p, text.n, &cp);
        bool plain = cp != UTF8_BAD && (!utf8_is_control(cp) || (lines && (cp == '\n' || cp == '\t')));
        if (plain)
            buf_put(out, text.p, n);
        else if (!lines && cp == '\n')
            buf_puts(out, "\\n");
        else
            for (unsigned i = 0; i < n; i++) buf_printf(out, "\\x%02x", text.p[i]);
        text = span_from(text, n);
    }
}

static ErrCode flush(Buf *b, Err *err)
{
    ErrCode rc = buf_ok(b, "a line", err);

    if (rc == ERR_OK && b->n && fwrite(b->p, 1, b->n, stdout) != b->n)
        rc = err_sys(err, "cannot write to standard output");
    buf_reset(b);
    return rc;
}

/* A line a token: its place in the shard, its id, its bytes in quotes. */
static void put_token_line(Buf *b, const Vocab *v, uint64_t at, uint32_t id)
{
    buf_printf(b, "%" PRIu64 "\t%" PRIu32, at, id);
    if (v) {
        buf_puts(b, "\t\"");
        look_put_text(b, vocab_bytes(v, id), false);
        buf_putc(b, '"');
    }
    buf_putc(b, '\n');
}

/* Bytes at the end of text that begin a code point without ending it. */
static size_t unfinished(Span text)
{
    for (size_t back = 1; back <= 3 && back <= text.n; back++) {
        uint8_t c = text.p[text.n - back];
        if ((c & 0xc0) == 0x80) continue;
        size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return want > back ? back : 0;
    }
    return 0;
}

/* Text whose tokens stand on alternating grounds. A token that ends inside a character keeps the ground until a token ends
 * the character: half of one cannot be shown. `held` carries its bytes from one call to the next. */
typedef struct {
    Buf held;
    unsigned ground;
    bool color;
} Painter;

static void paint(Painter *p, Buf *out, Span token, bool last)
{
    static const char *const grounds[2] = {"\033[48;5;24m", "\033[48;5;236m"};

    buf_put_span(&p->held, token);
    if (!last && unfinished(buf_span(&p->held))) return;
    /* a line's end is painted plain, or the ground would run to the edge of the screen */
    size_t n = p->held.n, body = n;
    while (body > 0 && p->held.p[body - 1] == '\n') body--;
    if (p->color && body) buf_puts(out, grounds[p->ground++ % 2]);
    look_put_text(out, (Span){p->held.p, body}, true);
    if (p->color && body) buf_puts(out, "\033[0m");
    look_put_text(out, (Span){p->held.p + body, n - body}, true);
    buf_reset(&p->held);
}

static ErrCode show_tokens(const Shard *s, const Vocab *v, uint64_t begin, uint64_t end, const ShowStyle *style,
                           Err *err)
{
    enum { AT_ONCE = 4096 };
    uint32_t tokens[AT_ONCE];
    Painter painter = {.color = style->color};
    Buf out = {0};
    ErrCode rc = ERR_OK;

    for (uint64_t at = begin; at < end && rc == ERR_OK;) {
        size_t n = end - at < AT_ONCE ? (size_t)(end - at) : AT_ONCE;
        if ((rc = shard_read(s, at, n, tokens, err)) != ERR_OK) break;
        for (size_t i = 0; i < n; i++) {
            if (style->tokens)
                put_token_line(&out, v, at + i, tokens[i]);
            else if (v)
                paint(&painter, &out, vocab_bytes(v, tokens[i]), at + i + 1 == end);
            else
                buf_printf(&out, "%s%" PRIu32, at + i > begin ? " " : "", tokens[i]);
        }
        at += n;
        rc = flush(&out, err);
    }
    buf_clear(&out);
    buf_clear(&painter.held);
    return rc;
}

ErrCode look_show(const Shard *s, const Vocab *v, uint64_t number, const ShardDoc *doc, uint64_t begin, uint64_t end,
                  const ShowStyle *style, Err *err)
{
    uint64_t shown = style->max_tokens && end - begin > style->max_tokens ? begin + style->max_tokens : end;
    Buf out = {0};
    ErrCode rc;

    buf_printf(&out, "%sdocument %" PRIu64, style->color ? "\033[1m" : "", number);
    buf_puts(&out, "  id ");
    look_put_text(&out, doc->id, false);
    buf_puts(&out, "  domain ");
    look_put_text(&out, doc->domain, false);
    buf_puts(&out, "  lang ");
    look_put_text(&out, doc->lang, false);
    buf_printf(&out, "  tokens [%" PRIu64 ", %" PRIu64 ")%s\n", begin, end, style->color ? "\033[0m" : "");
    if ((rc = flush(&out, err)) != ERR_OK) goto out;
    if ((rc = show_tokens(s, v, begin, shown, style, err)) != ERR_OK) goto out;
    if (!style->tokens) buf_putc(&out, '\n');
    if (shown < end) buf_printf(&out, "... and %" PRIu64 " more tokens\n", end - shown);
    rc = flush(&out, err);
out:
    buf_clear(&out);
    return rc;
}
