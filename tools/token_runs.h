/* tools/token_runs.h - encoded documents on their way to shards, as files that outlive the process.
 *
 * A file holds all documents of consecutive parts of the input as records of the shuffle (tools/token_shuffle.h): 16-byte key and value.
 * It is published whole, so parts are encoded or not; which parts share a file is nobody's content. Records lie by
 * bucket, the top bits of their key, so that who makes some of the shards reads its slices of every file and nothing else.
 *
 * A file is never replaced, since others may be reading it: two processes that encode the same parts, by mistake or because one of them was
 * taken for dead, make two files, of which one counts.
 *
 *   DIR/encoded/BBBBBB-EEEEEE-WWWWWWWWWWWWWWWW.run of parts [B, E), W the number of who wrote it; integers little-endian
 *      segments   records {u32 bytes of the value, 16 key, value} by bucket; then for every bucket and for their end {u64 offset
 *                 from the segment's beginning, u64 XXH3-64 of the bucket's bytes (of the end: 0)}
 *      list       per segment u64 offset of its table of buckets
 *      domains    as domainset_put() has them
 *      tail       120 bytes: "TAMISENC", u32 version 2, u32 buckets, u32 B, u32 E, 16 bytes key of the job, TokenLost, u64 segments,
 *                 u64 bytes of domains, u64 offset of the list, u64 W, u64 XXH3-64 of list, domains and the tail before it */
#ifndef TAMIS_TOOLS_TOKEN_RUNS_H
#define TAMIS_TOOLS_TOKEN_RUNS_H

#include "core/exchange.h"
#include "core/hash.h"
#include "core/par.h"
#include "tools/token_line.h"
#include "tools/token_streams.h"

enum { TOKEN_RUN_BUCKETS = 4096 }; /* at most; a table of them is 64 KiB */

typedef struct {
    const char *dir;     /* borrowed */
    Hash128 key;         /* of the job */
    uint32_t partitions; /* a power of two; buckets are as many, or one for several of them */
    uint32_t n_parts;    /* of the input */
} TokenRunsSpec;

typedef struct {
    uint32_t begin, end; /* parts */
} TokenRange;

typedef struct {
    TokenRange parts;
    uint64_t writer;
} TokenRunName;

/* What became no token. On disk u64 each, in this order. */
typedef struct {
    uint64_t bytes;                 /* that the vocabulary has no token for */
    uint64_t lines[LINE_N_REASONS]; /* of files of lines, without a document, by LineReason */
} TokenLost;
enum { TOKEN_LOST_BYTES = 8 + 8 * LINE_N_REASONS };
void tokenlost_add(TokenLost *into, const TokenLost *from);
void tokenlost_put(const TokenLost *lost, uint8_t out[TOKEN_LOST_BYTES]);
TokenLost tokenlost_get(const uint8_t *p);

typedef struct {
    uint32_t run;
    uint64_t table; /* its offset in the file */
} TokenSegment;

typedef struct {
    TokenRunsSpec spec;
    TokenRunName *run; /* files that count: no part is in two of them */
    TokenSegment *segment;
    size_t n, cap, n_segments, cap_segments;
    bool *has; /* by part: encoded */
    uint32_t n_has;
    DomainSet domains; /* what went into them */
    TokenLost lost;
} TokenRuns;

/* Makes the directory and looks at what lies in it. Another job's files are passed over, damaged ones too, with a warning. Collective. */
MUST_USE ErrCode tokenruns_open(TokenRuns *r, const TokenRunsSpec *spec, const Par *par, Err *err);
/* Looks again. Collective. */
MUST_USE ErrCode tokenruns_look(TokenRuns *r, const Par *par, Err *err);
/* What each rank has published becomes known to all. *made is emptied. Collective. */
MUST_USE ErrCode tokenruns_tell(TokenRuns *r, const Par *par, Buf *made, Err *err);
void tokenruns_clear(TokenRuns *r);

/* --- writing: one file at a time. It is synced and published behind the caller's back while the next one is filled. */
typedef struct TokenRunWriter TokenRunWriter;
/* Each of `threads` threads holds up to `memory` / `threads` bytes, and one record. */
MUST_USE ErrCode tokenrun_new(TokenRunWriter **w, const TokenRuns *r, int threads, uint64_t memory, Err *err);
void tokenrun_free(TokenRunWriter *w); /* drops what is not published */
MUST_USE ErrCode tokenrun_begin(TokenRunWriter *w, TokenRange parts, Err *err);
/* Any thread, 0 <= thread < threads. */
MUST_USE ErrCode tokenrun_put(TokenRunWriter *w, int thread, const uint8_t key[EXCHANGE_KEY], Span value, Err *err);
/* The file is complete; *bytes: its size. Waits for the one before to be published. */
MUST_USE ErrCode tokenrun_end(TokenRunWriter *w, const DomainSet *domains, const TokenLost *lost, uint64_t *bytes,
                              Err *err);
/* Waits for the last one. *made: what was published, for tokenruns_tell(). */
MUST_USE ErrCode tokenrun_finish(TokenRunWriter *w, Buf *made, Err *err);

/* --- reading: gives every record of partitions [begin, end), and of some beside them, in no order; several threads. */
typedef ErrCode (*TokenRecord)(void *ctx, int thread, const uint8_t key[EXCHANGE_KEY], Span value, Err *err);
MUST_USE ErrCode tokenruns_read(const TokenRuns *r, uint32_t begin, uint32_t end, int threads, TokenRecord fn,
                                void *ctx, Err *err);

#endif
