/* tools/token_lines.h - the half of token_input.h that reads files of lines. Private to it. */
#ifndef TAMIS_TOOLS_TOKEN_LINES_H
#define TAMIS_TOOLS_TOKEN_LINES_H

#include "tools/token_input.h"

struct TokenInput {
    TokenInputSpec spec;
    TokenInputKind kind;
    DatasetSet *set; /* NULL: files */
    uint32_t n_parts;
    uint64_t *before; /* n_parts + 1 */
    uint64_t *size;   /* of files, as stored; 0: standard input */
    bool once;
};

/* The name of a file in ids. */
const char *linefile_name(const char *path);
/* ERR_DATA for a file of another kind: it is not called as JSON Lines are, and its first line is not one. */
MUST_USE ErrCode tokenlines_check(const char *path, Err *err);
/* `done` may be NULL: in no order. */
MUST_USE ErrCode tokenlines_read(const TokenInput *in, int threads, uint32_t begin, uint32_t end, TokenEach each,
                                 TokenDone done, void *ctx, LineDrops *drops, Progress *progress, Err *err);

#endif
