/* `tamis url`: what the suite sees in URLs: the key that duplicates are told by, the archives' sort key, host and domain, and what blocklists say. */
#include "core/blocklist.h"
#include "core/lines.h"
#include "core/log.h"
#include "core/options.h"
#include "core/publicsuffix.h"
#include "core/surt.h"
#include "core/url.h"
#include "core/utf8.h"
#include "tools/docs.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct {
    OptList block;
    Blocklist *blocks; /* NULL: none */
    Buf key, surt, scratch;
    uint8_t host[URL_MAX_HOST];
} UrlView;

/* A field of the table: text from the crawl must neither break the row nor drive a terminal. */
static void put_field(Span s, bool last)
{
    if (s.n)
        docs_put_shown(s, true);
    else
        putchar('-');
    putchar(last ? '\n' : '\t');
}

static ErrCode view_url(UrlView *v, Span url, Err *err)
{
    const Span host = url_host(url, v->host);

    buf_reset(&v->key);
    buf_reset(&v->surt);
    url_key(&v->key, url);
    url_surt(&v->surt, url);
    if (v->key.oom || v->surt.oom) return err_nomem(err, "a URL");
    const BlocklistKind kind = v->blocks ? blocklist_find(v->blocks, url, &v->scratch) : BLOCKLIST_N;
    put_field(kind == BLOCKLIST_N ? (Span){NULL, 0} : span_str(blocklist_kinds[kind]), false);
    put_field(publicsuffix_domain(host), false);
    put_field(host, false);
    put_field(buf_span(&v->surt), false);
    put_field(buf_span(&v->key), false);
    put_field(url, true);
    if (ferror(stdout)) return err_set(err, ERR_SYS, "cannot write to standard output");
    return ERR_OK;
}

static ErrCode view_files(UrlView *v, const char *const *paths, uint32_t n, Err *err)
{
    LineFiles files = {.path = paths, .end = n, .soon = true};
    LineBlock block = {0};
    uint32_t file;
    bool end = false;
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && (rc = linefiles_next(&files, &block, &file, &end, err)) == ERR_OK && !end) {
        Span rest = buf_span(&block.bytes);
        if (block.too_long) log_warn("%s: line %" PRIu64 " is too long for a URL", paths[file], block.first_line + 1);
        while (rest.n && rc == ERR_OK) {
            const Span url = span_trim(line_take(&rest));
            if (interrupt_seen())
                rc = err_set(err, ERR_INTR, "url: interrupted");
            else
                rc = view_url(v, url, err);
        }
        fflush(stdout);
    }
    buf_clear(&block.bytes);
    linefiles_close(&files);
    return rc;
}

int url_verb(int argc, char **argv)
{
    static const char *const input = "-";
    UrlView v = {0};
    const OptSpec specs[] = {
        OPT_LIST(0, "block", &v.block, "KIND:FILE",
                 "a blocklist, as of `tamis ingest`; KIND domain, url, word, soft_word, substring"),
        OPT_END,
    };
    const OptVerb verb = {
        "url", "[options] [FILE...]",
        "Print what is seen in URLs, one a line of FILE or standard input, as a table with tabs: the kind of\n"
        "blocklist that has it, registrable domain, host, SURT, key for telling duplicates, the URL.",
        specs, "A field that is not there is \"-\"."};
    Err err = {0};
    int first = 0;

    ErrCode rc = verb_begin_alone(&verb, argc, argv, NULL, 0, argc, "FILE", &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    for (size_t i = 0; i < v.block.n && rc == ERR_OK; i++) rc = blocklist_add(&v.blocks, v.block.v[i], &err);
    if (rc == ERR_OK && v.blocks) rc = blocklist_seal(v.blocks, &err);
    if (rc == ERR_OK && first == argc) rc = view_files(&v, &input, 1, &err);
    if (rc == ERR_OK && first < argc)
        rc = view_files(&v, (const char *const *)argv + first, (uint32_t)(argc - first), &err);
    blocklist_free(v.blocks);
    optlist_clear(&v.block);
    Buf *bufs[] = {&v.key, &v.surt, &v.scratch};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_clear(bufs[i]);
    return verb_exit(rc, &err);
}
