#include "core/utf8.h"
#include "tools/docs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void put(Span s)
{
    if (s.n) fwrite(s.p, 1, s.n, stdout);
}

void docs_put_shown(Span s, bool one_line)
{
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        unsigned n = utf8_next(s.p + i, s.n - i, &cp);
        const bool blank = cp == '\n' || cp == '\t';
        if (blank && one_line)
            putchar(' ');
        else if (cp == UTF8_BAD || (utf8_is_control(cp) && !blank))
            fputs("\xc2\xb7", stdout);
        else
            put(span(s.p + i, n));
        i += n;
    }
}

static void field(const char *name, Span value, bool color)
{
    if (!value.p) return;
    printf(color ? "\033[2m%-10s\033[0m " : "%-10s ", name);
    docs_put_shown(value, false);
    putchar('\n');
}

static void print_signals(const Doc *d, bool all)
{
    if (d->n_signals && !all) printf("%-10s %u, shown by --signals\n", "signals", (unsigned)d->n_signals);
    for (uint32_t i = 0; all && i < d->n_signals; i++) {
        printf("%-10s ", i ? "" : "signals");
        docs_put_shown(d->signals[i].name, false);
        printf(" = %.6g\n", d->signals[i].value);
    }
}

static void print_pretty(const Doc *d, const DocsStyle *style, bool color)
{
    const bool cut = style->text_bytes && style->text_bytes < d->text.n;
    const size_t shown = cut ? utf8_floor(d->text, (size_t)style->text_bytes) : d->text.n;

    field("id", d->id, color);
    field("url", d->url, color);
    field("date", d->date, color);
    field("dump", d->dump, color);
    field("source", d->source, color);
    field("domain", d->domain, color);
    field("lang", d->lang, color);
    field("edits", d->edits, color);
    field("meta", d->meta, color);
    printf("%-10s %zu bytes, %zu characters\n", "text", d->text.n, utf8_count(d->text));
    docs_put_shown(span(d->text.p, shown), false);
    puts(cut ? " …" : "");
    print_signals(d, style->signals);
    putchar('\n');
}

ErrCode docs_print(const Doc *doc, const DocsStyle *style, Err *err)
{
    const bool terminal = isatty(STDOUT_FILENO);
    DocsFormat format = style->format;
    Buf line = {0};
    ErrCode rc = ERR_OK;

    if (format == DOCS_AUTO) format = terminal ? DOCS_PRETTY : DOCS_JSON;
    switch (format) {
    case DOCS_PRETTY: print_pretty(doc, style, terminal); break;
    case DOCS_TEXT:
        put(doc->text);
        putchar('\n');
        break;
    case DOCS_JSON:
    case DOCS_AUTO:
        doc_write(&line, doc);
        rc = buf_ok(&line, "a line", err);
        put(buf_span(&line));
        break;
    }
    buf_clear(&line);
    if (rc == ERR_OK && ferror(stdout)) rc = err_sys(err, "cannot write to standard output");
    return rc;
}
