/* Memory that runs out anywhere in the stage: each allocation of a run over every kind of input fails in turn. */
#include "ingest/ingest.h"

#include "core/store.h"
#include "ingest/siterules.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"
#include "tests/packing.h"

#include <zstd.h>

typedef struct {
    const char *in, *out, *below;
} Places;

#define PROSE "The river rises in the hills, and for most of its way it runs through meadows, where cattle graze. "

static void put_response(Buf *out, const char *headers, Span body)
{
    Buf http = {0}, raw = {0};

    buf_printf(&http, "HTTP/1.1 200 OK\r\n%s\r\n", headers);
    buf_put_span(&http, body);
    pack_record(&raw, "response", "http://a.test/", buf_span(&http), http.n);
    pack_gzip(out, buf_span(&raw));
    buf_clear(&http), buf_clear(&raw);
}

static void save(const char *dir, const char *name, Buf *bytes)
{
    char path[512];
    Err err = {0};

    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_OK(store_write(path, buf_span(bytes), &err), &err);
    buf_clear(bytes);
}

/* Pages in each content coding, in several charsets, with tables and JSON-LD; a corrupt member; lines; a zstd archive. */
static void make_inputs(const char *dir)
{
    Span page = SPAN_LIT("<title>t</title><h1>A river</h1><p>" PROSE PROSE "<ul><li>" PROSE
                         "</ul><table><tr><td>a<td>b<tr><td>c"
                         "<td>d</table>");
    Buf archive = {0}, gz = {0}, zst = {0}, lines = {0};
    size_t bound = ZSTD_compressBound(page.n);

    pack_gzip(&gz, page);
    CHECK(buf_reserve(&zst, bound));
    zst.n = ZSTD_compress(zst.p, bound, page.p, page.n, 1);
    put_response(&archive, "Content-Type: text/html\r\n", page);
    put_response(&archive, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", buf_span(&gz));
    put_response(&archive, "Content-Type: text/html\r\nContent-Encoding: deflate\r\n", span(gz.p + 10, gz.n - 18));
    put_response(&archive, "Content-Type: text/html\r\nContent-Encoding: zstd\r\n", buf_span(&zst));
    put_response(&archive, "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n",
                 SPAN_LIT("5\r\n<p>no\r\n0\r\n\r\n"));
    put_response(&archive, "Content-Type: text/html; charset=koi8-r\r\n",
                 SPAN_LIT("<p>\xf0\xd2\xc9\xd7\xc5\xd4 " PROSE));
    put_response(
        &archive, "Content-Type: text/html\r\n",
        SPAN_LIT("<script type='application/ld+json'>{\"articleBody\":\"" PROSE PROSE "\"}</script><p>Loading"));
    size_t at = archive.n;
    put_response(&archive, "Content-Type: text/html\r\n", page);
    archive.p[at + 12] ^= 0xff;
    put_response(&archive, "Content-Type: text/html\r\n", page);
    save(dir, "a.warc.gz", &archive);
    buf_puts(&lines, "{\"id\":7,\"text\":\"" PROSE "\",\"meta\":{\"a\":1}}\n{\"text\":1}\n");
    save(dir, "b.jsonl", &lines);
    buf_reset(&gz);
    pack_record(&gz, "conversion", NULL, SPAN_LIT(PROSE), sizeof PROSE - 1);
    CHECK(buf_reserve(&archive, ZSTD_compressBound(gz.n)));
    archive.n = ZSTD_compress(archive.p, archive.cap, gz.p, gz.n, 1);
    save(dir, "c.wet.zst", &archive);
    save(dir, "d.warc.lz4", (pack_lz4(&archive, buf_span(&gz)), &archive));
    pack_arc_version(&archive);
    pack_arc(&archive, "http://a.test/", "text/html", page);
    save(dir, "e.arc", &archive);
    pack_zstd_dictionary(&archive, SPAN_LIT("\x37\xa4\x30\xec no dictionary, whatever it says"));
    pack_zstd(&archive, buf_span(&gz), (Span){NULL, 0});
    save(dir, "f.warc.zst", &archive);
    buf_clear(&gz), buf_clear(&zst);
}

static ErrCode run_all(void *ctx, Err *err)
{
    const Places *at = ctx;
    IngestParams params = INGEST_PARAMS_DEFAULT;
    const CommonOptions common = {.quiet = true, .memory = 1 << 30};
    Par par = par_alone(1);
    StageTotals t = {0};
    SiteRules *sites;
    ErrCode rc = siterules_parse(&sites, "rules", SPAN_LIT("a.test/ main ul, p\n* drop td\n* title h1\n"), err);

    params.sites = sites;
    if (rc == ERR_OK) rc = ingest_run(&params, &at->in, 1, at->out, &common, &par, &t, err);
    if (rc == ERR_OK) CHECK(t.complete && t.n_in == 16 && t.n_docs == 13);
    siterules_free(sites);
    return rc;
}

static ErrCode start_over(void *ctx, Err *err) { return store_delete_tree(((const Places *)ctx)->out, 1, err); }

TEST(ingest_without_memory)
{
    Places at = {check_tmpdir(), check_tmpdir(), NULL};

    log_setup(LOG_QUIET, 0);
    make_inputs(at.in);
    alloc_fault_each(run_all, start_over, &at);
}

static ErrCode run_index(void *ctx, Err *err)
{
    const Places *at = ctx;
    IngestParams params = INGEST_PARAMS_DEFAULT;
    const CommonOptions common = {.quiet = true, .memory = 1 << 30};
    Par par = par_alone(1);
    StageTotals t = {0};

    params.cdxj = params.verify_digests = true;
    params.base_url = at->below;
    ErrCode rc = ingest_run(&params, &at->in, 1, at->out, &common, &par, &t, err);
    if (rc == ERR_OK) CHECK(t.complete && t.n_in == 2 && t.n_docs == 2);
    return rc;
}

static ErrCode run_pages(void *ctx, Err *err)
{
    const Places *at = ctx;
    IngestParams params = INGEST_PARAMS_DEFAULT;
    const CommonOptions common = {.quiet = true, .memory = 1 << 30};
    Par par = par_alone(1);
    StageTotals t = {0};

    params.html = true;
    params.base_url = at->below;
    ErrCode rc = ingest_run(&params, &at->in, 1, at->out, &common, &par, &t, err);
    if (rc == ERR_OK) CHECK(t.complete && t.n_in == 2 && t.n_docs == 2);
    return rc;
}

TEST(indexes_and_pages_without_memory)
{
    const char *dir = check_tmpdir();
    char index[300], list[300];
    Places by_index = {index, check_tmpdir(), dir}, by_list = {list, check_tmpdir(), dir};
    Buf b = {0}, raw = {0};

    log_setup(LOG_QUIET, 0);
    snprintf(index, sizeof index, "%s/x.cdxj", dir);
    snprintf(list, sizeof list, "@%s/list.gz", dir);
    pack_record(&raw, "conversion", NULL, SPAN_LIT(PROSE), sizeof PROSE - 1);
    pack_gzip(&b, buf_span(&raw));
    size_t n = b.n;
    pack_gzip(&b, buf_span(&raw));
    save(dir, "x.warc.gz", &b);
    for (size_t i = 0; i < 2; i++)
        buf_printf(&b, "k t {\"filename\":\"x.warc.gz\",\"offset\":\"%zu\",\"length\":%zu}\n", i * n, n);
    save(dir, "x.cdxj", &b);
    alloc_fault_each(run_index, start_over, &by_index);
    buf_puts(&b, "<p>" PROSE);
    save(dir, "1.html", &b);
    buf_puts(&b, "<p>" PROSE PROSE);
    save(dir, "2.html", &b);
    pack_gzip(&b, SPAN_LIT("1.html\n2.html\n"));
    save(dir, "list.gz", &b);
    alloc_fault_each(run_pages, start_over, &by_list);
    buf_clear(&b), buf_clear(&raw);
}
