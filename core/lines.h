/* core/lines.h - the lines of a text file in blocks of whole lines: plain, gzip or zstd, told by the first bytes, or standard input. */
#ifndef TAMIS_CORE_LINES_H
#define TAMIS_CORE_LINES_H

#include "core/store.h"

enum {
    LINES_BLOCK_BYTES = 4 << 20, /* about so much a block, or one longer line */
    LINES_MAX_BYTES = 256 << 20  /* of a line, without its end: as of a document */
};

typedef struct {
    Buf bytes;           /* lines with their ends; the last one of the file may lack it */
    uint64_t first_line; /* its number, from 0 on */
    uint64_t begin;      /* offset in the decompressed text */
    bool too_long;       /* instead of bytes: line first_line is longer than LINES_MAX_BYTES and was passed over */
} LineBlock;

/* Whether a file is to be read from its beginning to its end. */
MUST_USE ErrCode lines_are_packed(InFile *f, bool *packed, Err *err);

typedef struct LineFile LineFile;
/* "-": standard input. `soon`: a block of it has the lines that are there and waits for no more, so that who talks line by line is answered;
 * blocks are cut otherwise each time. */
MUST_USE ErrCode linefile_open(LineFile **f, const char *path, bool soon, Err *err);
void linefile_close(LineFile *f);
/* Replaces *b; *end: there are no more lines, and *b is empty. ERR_DATA where the file does not decompress. */
MUST_USE ErrCode linefile_next(LineFile *f, LineBlock *b, bool *end, Err *err);

/* Files one behind the other. Set path, end and soon; zero the rest. */
typedef struct {
    const char *const *path;
    uint32_t at, end; /* path[at] is read, path[end] is not */
    bool soon;        /* as of linefile_open() */
    LineFile *file;   /* NULL: not open yet */
} LineFiles;
/* The same over all of them; *file: the number of the block's path, also of one that failed. */
MUST_USE ErrCode linefiles_next(LineFiles *l, LineBlock *b, uint32_t *file, bool *end, Err *err);
void linefiles_close(LineFiles *l);

/* Takes the first line off *rest, with its end. */
Span line_take(Span *rest);

#endif
