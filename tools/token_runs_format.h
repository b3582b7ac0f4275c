/* tools/token_runs_format.h - what the writer and the reader of encoded documents share. */
#ifndef TAMIS_TOOLS_TOKEN_RUNS_FORMAT_H
#define TAMIS_TOOLS_TOKEN_RUNS_FORMAT_H

#include "tools/token_runs.h"

#include <limits.h>

#define RUN_MAGIC "TAMISENC"
enum {
    RUN_VERSION = 2,
    RUN_TAIL = 80 + TOKEN_LOST_BYTES,
    RUN_RECORD = 4 + EXCHANGE_KEY, /* bytes before a value */
    RUN_BUCKET = 16,               /* an entry of a segment's table */
    RUN_MAX_LISTS = 1 << 30        /* of segments and domains: 65535 domains of 100 bytes, and some */
};

uint32_t tokenrun_buckets(const TokenRunsSpec *s);
MUST_USE ErrCode tokenrun_path(const TokenRunsSpec *s, const TokenRunName *run, char out[PATH_MAX], Err *err);
/* Appends what ranks tell one another of a file. */
void tokenrun_tell_one(Buf *b, const TokenRunName *run, const TokenLost *lost, Span list, Span domains);

#endif
