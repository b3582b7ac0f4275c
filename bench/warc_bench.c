/* How fast archives are read: records and their HTTP heads off a gzip archive in memory, beside libdeflate alone over the same members.
 *
 *   warc_bench FILE.warc.gz [RUNS]
 *
 * Of a file that is no gzip just the records. One thread, whose CPU time counts. RUNS (5) rounds, each way in turn, so that a machine whose
 * speed wanders wanders for all; the median is told, and the median of the rounds' ratios. The floor decompresses each member whole into one
 * buffer that stays in the cache and looks at nothing. Megabytes are 10^6 bytes of decompressed archive. bench/warc_peers.py does the same
 * with FastWARC and warcio. */
#include "core/log.h"
#include "core/store.h"
#include "ingest/http.h"
#include "ingest/warc.h"

#include <inttypes.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_RUNS = 99, MEMBER = 256 << 20 };

typedef struct {
    uint64_t bytes, records, pages;
} Read;

/* Members with libdeflate, and nothing else. */
static Read floor_pass(Span stored, uint8_t *out)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    Read r = {0};

    while (stored.n) {
        size_t n_in, n_out;
        if (libdeflate_gzip_decompress_ex(d, stored.p, stored.n, out, MEMBER, &n_in, &n_out) != LIBDEFLATE_SUCCESS)
            break;
        stored = span_from(stored, n_in);
        r.bytes += n_out;
        r.records++;
    }
    libdeflate_free_decompressor(d);
    return r;
}

/* Records, and the HTTP heads of responses. */
static Read read_pass(Span stored)
{
    ByteStream *s;
    WarcRecord rec;
    Read r = {0};
    bool more = true;
    Err err = {0};

    if (stream_open_bytes(&s, stored, 0, true, &err) != ERR_OK) exit(1);
    WarcReader w = warc_reader(s, 0, UINT64_MAX);
    while (warc_next(&w, &rec, &more, &err) == ERR_OK && more) {
        HttpResponse http;
        r.bytes += rec.bytes;
        r.records++;
        if (rec.reason != INGEST_N_REASONS) continue;
        if (rec.type == WARC_RESPONSE && http_parse(rec.block, &http)) r.pages += http.status == 200;
    }
    stream_close(s);
    return r;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}
static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    double floor_s[MAX_RUNS], read_s[MAX_RUNS], ratio[MAX_RUNS];
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    Buf file = {0};
    Err err = {0};
    Read floor_r = {0}, read_r = {0};
    uint8_t *out = malloc(MEMBER);

    if (argc < 2 || runs < 1 || runs > MAX_RUNS || !out) {
        fprintf(stderr, "usage: warc_bench FILE.warc.gz [RUNS]\n");
        return 2;
    }
    if (store_read(argv[1], (size_t)8 << 30, &file, &err) != ERR_OK) {
        fprintf(stderr, "warc_bench: %s\n", err.msg);
        return 3;
    }
    const bool gzip = stream_coding_of(buf_span(&file)) == STREAM_GZIP;
    for (int i = 0; i < runs; i++) {
        double t = thread_cpu_seconds();
        if (gzip) floor_r = floor_pass(buf_span(&file), out);
        floor_s[i] = thread_cpu_seconds() - t;
        t = thread_cpu_seconds();
        read_r = read_pass(buf_span(&file));
        read_s[i] = thread_cpu_seconds() - t;
        ratio[i] = floor_s[i] / read_s[i];
    }
    double f = median(floor_s, runs), r = median(read_s, runs), bytes = (double)(gzip ? floor_r.bytes : read_r.bytes);
    if (gzip)
        printf("libdeflate alone   %8.1f MB/s  %8.0f members/s  (%" PRIu64 " members, %.1f MB)\n", bytes / f / 1e6,
               (double)floor_r.records / f, floor_r.records, bytes / 1e6);
    printf("records and heads  %8.1f MB/s  %8.0f records/s  (%" PRIu64 " records, %" PRIu64 " pages)",
           bytes / r / 1e6, (double)read_r.records / r, read_r.records, read_r.pages);
    if (gzip) printf("  %.3f of it", median(ratio, runs));
    printf("\n");
    free(out);
    buf_clear(&file);
    return 0;
}
