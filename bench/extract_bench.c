/* bench/extract_bench.c - pages in memory to their main text: bytes a second of every phase, and the texts for whoever scores them.
 *
 *   extract_bench [-o OUT] [-f FEATURES] [-C DIR] [-m MODE] [-n PASSES] [PAGE...]
 * Without a PAGE their names come from stdin, one a line, behind a tab the page's address; they are looked for in DIR and are of the set that
 * their first folder names. All are read before the first is timed. OUT gets a line {"file","text"} a page; FEATURES.jsonl,
 * FEATURES.i16 and FEATURES.pages.i16 the blocks of every page with their features and the pages' own (tools/train_blocks.py). Times are those of the thread on its processor, the least
 * of PASSES (1) over the set; MB are those of the page as it was served for charset, of its UTF-8 for the others. */
#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "ingest/charset.h"
#include "ingest/features.h"
#include "ingest/pagetype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHARSET, PARSE, MAIN, N_PHASES, MAX_SETS = 64 };

typedef struct {
    Span name;
    size_t bytes, utf8_bytes, n_pages;
    double seconds[N_PHASES];
} Set;

typedef struct {
    Span name, url;
    size_t at, n; /* in the bytes of all */
    size_t set;
} Page;

typedef struct {
    Page *page;
    size_t n, cap;
    Buf names, bytes;
    Set set[MAX_SETS];
    size_t n_sets;
} Pages;

typedef struct {
    Charset *charset;
    HtmlParser *html;
    HtmlTree tree;
    MainText main;
    Buf utf8, text, line;
    FILE *out, *texts, *features, *pages;
    MainMode mode;
} Worker;

static size_t set_of(Pages *all, Span name)
{
    Span own = span(name.p, span_find(name, '/'));
    size_t i = 0;

    while (i < all->n_sets && !span_eq(all->set[i].name, own)) i++;
    if (i == all->n_sets && i < MAX_SETS) all->set[all->n_sets++].name = own;
    return i < MAX_SETS ? i : MAX_SETS - 1;
}

/* `line`, a name and perhaps an address, is borrowed for as long as the pages are. */
static ErrCode add_page(Pages *all, const char *dir, Span line, Err *err)
{
    Span name = span(line.p, span_find(line, '\t')), url = span_from(line, name.n < line.n ? name.n + 1 : line.n);
    Buf path = {0};
    Page *grown = array_grow(all->page, all->n, &all->cap, sizeof *grown);
    ErrCode rc = grown ? ERR_OK : err_nomem(err, "the pages");

    if (rc != ERR_OK) return rc;
    all->page = grown;
    Page p = {.name = name, .url = url, .at = all->bytes.n, .set = set_of(all, name)};
    buf_printf(&path, "%s%s", dir ? dir : "", dir ? "/" : "");
    buf_put_span(&path, name);
    rc = buf_cstr(&path) ? store_read(buf_cstr(&path), (size_t)1 << 30, &all->bytes, err) : err_nomem(err, "a path");
    buf_clear(&path);
    p.n = all->bytes.n - p.at;
    all->page[all->n++] = p;
    all->set[p.set].bytes += p.n;
    all->set[p.set].n_pages++;
    return rc;
}

static ErrCode add_names(Pages *all, const char *dir, Err *err)
{
    uint8_t chunk[4096];
    ErrCode rc = ERR_OK;

    for (size_t n; (n = fread(chunk, 1, sizeof chunk, stdin)) > 0;) buf_put(&all->names, chunk, n);
    if ((rc = buf_ok(&all->names, "the names", err)) != ERR_OK) return rc;
    for (Span rest = buf_span(&all->names); rest.n && rc == ERR_OK;) {
        Span line = span(rest.p, span_find(rest, '\n'));
        rest = span_from(rest, line.n < rest.n ? line.n + 1 : line.n);
        if (line.n) rc = add_page(all, dir, line, err);
    }
    return rc;
}

static ErrCode run_page(Worker *w, Span body, Span url, double seconds[N_PHASES], size_t *utf8_bytes, Err *err)
{
    CharsetResult charset;
    HtmlStatus status = HTML_FINE;
    double at[N_PHASES + 1];

    buf_reset(&w->utf8);
    buf_reset(&w->text);
    at[0] = thread_cpu_seconds();
    ErrCode rc = charset_to_utf8(w->charset, body, (Span){NULL, 0}, &w->utf8, &charset, err);
    at[1] = thread_cpu_seconds();
    if (rc == ERR_OK) rc = htmlparser_parse(w->html, buf_span(&w->utf8), &w->tree, &status, err);
    at[2] = thread_cpu_seconds();
    w->main.blocks.n = 0; /* a page that is refused has none */
    w->main.url = url;
    if (rc == ERR_OK && status == HTML_FINE) rc = maintext_extract(&w->main, &w->tree, w->mode, &w->text, err);
    at[3] = thread_cpu_seconds();
    for (int i = 0; i < N_PHASES; i++) seconds[i] += at[i + 1] - at[i];
    *utf8_bytes = w->utf8.n;
    return rc;
}

static bool put_line(Worker *w, FILE *f)
{
    buf_puts(&w->line, "}\n");
    return !w->line.oom && fwrite(w->line.p, 1, w->line.n, f) == w->line.n;
}

static void begin_line(Worker *w, Span name)
{
    buf_reset(&w->line);
    buf_puts(&w->line, "{\"file\":");
    json_put_string(&w->line, name);
}

/* All blocks of the page and what is known of them, for tools/train_blocks.py. */
static ErrCode put_features(Worker *w, Span name, Err *err)
{
    const BlockList *l = &w->main.blocks;
    int16_t row[FEATURE_N];
    bool ok = true;

    begin_line(w, name);
    buf_puts(&w->line, ",\"texts\":[");
    for (uint32_t k = 0; k < l->n && ok; k++) {
        if (k) buf_putc(&w->line, ',');
        json_put_string(&w->line, span(l->text.p + l->block[k].text, l->block[k].bytes));
        features_block(&w->main, &w->tree, k, row);
        ok = fwrite(row, sizeof row, 1, w->features) == 1;
    }
    buf_putc(&w->line, ']');
    int16_t page[PAGE_FEATURE_N] = {0};
    if (l->n) pagetype_features(&w->main, page);
    ok = ok && fwrite(page, sizeof page, 1, w->pages) == 1;
    return ok && put_line(w, w->texts) ? ERR_OK : err_set(err, ERR_SYS, "cannot write the features");
}

static ErrCode put_text(Worker *w, Span name, Err *err)
{
    begin_line(w, name);
    buf_puts(&w->line, ",\"text\":");
    json_put_string(&w->line, buf_span(&w->text));
    return put_line(w, w->out) ? ERR_OK : err_set(err, ERR_SYS, "cannot write the texts");
}

static ErrCode run_all(Worker *w, Pages *all, bool first, Err *err)
{
    double seconds[MAX_SETS][N_PHASES] = {{0}};
    size_t utf8_bytes;
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < all->n && rc == ERR_OK; i++) {
        const Page *p = &all->page[i];
        rc = run_page(w, span(all->bytes.p + p->at, p->n), p->url, seconds[p->set], &utf8_bytes, err);
        if (!first || rc != ERR_OK) continue;
        all->set[p->set].utf8_bytes += utf8_bytes;
        if (w->out) rc = put_text(w, p->name, err);
        if (w->texts && rc == ERR_OK) rc = put_features(w, p->name, err);
    }
    for (size_t s = 0; s < all->n_sets; s++)
        for (int i = 0; i < N_PHASES; i++)
            if (first || seconds[s][i] < all->set[s].seconds[i]) all->set[s].seconds[i] = seconds[s][i];
    return rc;
}

static double rate(size_t bytes, double seconds) { return seconds > 0 ? 1e-6 * (double)bytes / seconds : 0; }

static void print_set(const Set *s)
{
    double all = s->seconds[CHARSET] + s->seconds[PARSE] + s->seconds[MAIN];

    printf("%-16.*s %6zu %8.2f %8.1f %8.1f %8.1f %8.1f\n", (int)s->name.n, (const char *)s->name.p, s->n_pages,
           1e-6 * (double)s->bytes, rate(s->bytes, s->seconds[CHARSET]), rate(s->utf8_bytes, s->seconds[PARSE]),
           rate(s->utf8_bytes, s->seconds[MAIN]), rate(s->bytes, all));
}

static void print_rates(const Pages *all)
{
    Set sum = {.name = SPAN_LIT("all")};

    printf("%-16s %6s %8s %8s %8s %8s %8s\n", "set", "pages", "MB", "charset", "parse", "main", "all MB/s");
    for (size_t s = 0; s < all->n_sets; s++) {
        print_set(&all->set[s]);
        sum.n_pages += all->set[s].n_pages;
        sum.bytes += all->set[s].bytes;
        sum.utf8_bytes += all->set[s].utf8_bytes;
        for (int i = 0; i < N_PHASES; i++) sum.seconds[i] += all->set[s].seconds[i];
    }
    print_set(&sum);
}

/* NULL stays NULL. */
static ErrCode create(FILE **f, const char *path, const char *suffix, Err *err)
{
    char name[4096];

    if (!path) return ERR_OK;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    *f = fopen(name, "w");
    return *f ? ERR_OK : err_set(err, ERR_SYS, "cannot write %s", name);
}

typedef struct {
    const char *out, *features, *dir;
    int passes;
    MainMode mode;
} Options;

static void put_names(Buf *out, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        buf_putc(out, i ? ',' : '[');
        json_put_cstr(out, names[i]);
    }
    buf_putc(out, ']');
}

static ErrCode start(Worker *w, const Options *o, Err *err)
{
    ErrCode rc = charset_new(&w->charset, err);

    if (rc == ERR_OK) rc = htmlparser_new(&w->html, HTML_PARSER_FAST, err);
    if (rc == ERR_OK) rc = create(&w->out, o->out, "", err);
    if (rc == ERR_OK) rc = create(&w->texts, o->features, ".jsonl", err);
    if (rc == ERR_OK) rc = create(&w->features, o->features, ".i16", err);
    if (rc == ERR_OK) rc = create(&w->pages, o->features, ".pages.i16", err);
    if (rc != ERR_OK || !w->texts) return rc;
    buf_puts(&w->line, "{\"features\":");
    put_names(&w->line, feature_names, FEATURE_N);
    buf_puts(&w->line, ",\"page_features\":");
    put_names(&w->line, page_feature_names, PAGE_FEATURE_N);
    buf_puts(&w->line, ",\"types\":");
    put_names(&w->line, page_type_names, PAGE_N_TYPES);
    buf_puts(&w->line, "}\n");
    fwrite(w->line.p, 1, w->line.n, w->texts);
    return buf_ok(&w->line, "a line", err);
}

static ErrCode stop(Worker *w, ErrCode rc, Err *err)
{
    FILE *files[] = {w->out, w->texts, w->features, w->pages};
    Buf *bufs[] = {&w->utf8, &w->text, &w->line};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i] && (ferror(files[i]) | fclose(files[i])) != 0 && rc == ERR_OK)
            rc = err_set(err, ERR_SYS, "cannot write the output");
    charset_free(w->charset);
    htmlparser_free(w->html);
    htmltree_clear(&w->tree);
    maintext_clear(&w->main);
    for (size_t i = 0; i < 3; i++) buf_clear(bufs[i]);
    return rc;
}

static ErrCode run(int argc, char **argv, const Options *o, Err *err)
{
    Worker w = {.mode = o->mode};
    Pages all = {0};
    ErrCode rc = start(&w, o, err);

    if (rc == ERR_OK && argc == 0) rc = add_names(&all, o->dir, err);
    for (int i = 0; i < argc && rc == ERR_OK; i++) rc = add_page(&all, o->dir, span_str(argv[i]), err);
    for (int i = 0; i < o->passes && rc == ERR_OK; i++) rc = run_all(&w, &all, i == 0, err);
    rc = stop(&w, rc, err);
    if (rc == ERR_OK) print_rates(&all);
    buf_clear(&all.names);
    buf_clear(&all.bytes);
    free(all.page);
    return rc;
}

static bool take_mode(Options *o, const char *name)
{
    for (int i = 0; i <= MAINTEXT_ALL; i++) {
        if (strcmp(name, maintext_modes[i]) != 0) continue;
        o->mode = (MainMode)i;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    Options o = {.passes = 1, .mode = MAINTEXT_BALANCED};
    bool usage = false;
    int c;
    Err err;

    while ((c = getopt(argc, argv, "o:f:C:m:n:")) != -1) {
        if (c == 'o') o.out = optarg;
        if (c == 'f') o.features = optarg;
        if (c == 'C') o.dir = optarg;
        if (c == 'm') usage |= !take_mode(&o, optarg);
        if (c == 'n') o.passes = atoi(optarg);
        usage |= c == '?';
    }
    if (usage || o.passes < 1) {
        fputs("usage: extract_bench [-o OUT] [-f FEATURES] [-C DIR] [-m MODE] [-n PASSES] [PAGE...]\n", stderr);
        return 2;
    }
    ErrCode rc = run(argc - optind, argv + optind, &o, &err);
    if (rc) fprintf(stderr, "extract_bench: %s\n", err.msg);
    return rc ? err_status(rc) : 0;
}
