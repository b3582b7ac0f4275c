/* ingest/inputs.h - operands -> the list of inputs and its cut into parts.
 *
 * With --cdxj an operand is an index (cdxj.h), whose archives are the inputs, and of them the ranges that it names; with --html it is a page
 * or a directory of such. Else an operand is a file, a directory (recursive, by bytes of the names; only names that end like an archive or JSON
 * Lines), an http(s) URL, "-" (standard input), or @LIST (one path or URL a line, blank lines and lines with # skipped); files, directories and lists may be in
 * object stores (s3://). NAME is the base name of a file or list
 * line, with crawldiagnostics/ or robotstxt/ where it is in such a directory (subsets of Common Crawl whose files are called like those of its
 * warc/), and the path inside a directory operand; two equal NAMEs in one dump would give equal ids and are refused. */
#ifndef TAMIS_INGEST_INPUTS_H
#define TAMIS_INGEST_INPUTS_H

#include "core/buf.h"
#include "core/par.h"
#include "ingest/cdxj.h"

typedef enum { INPUT_ARCHIVE, INPUT_LINES, INPUT_HTML } InputKind;

typedef struct {
    const char *path, *name, *dump; /* path: for people, of a URL without its query */
    bool has_dump;                  /* given or in the path, else "local" */
    const char *url;                /* what is opened: the path or URL as given */
    uint64_t size;                  /* stored bytes; INPUTS_SIZE_UNKNOWN of remote ones before inputs_measure() */
    InputKind kind;
    size_t first_range, n_ranges; /* of an index; n_ranges == 0: all of it. Then size is the sum of theirs */
} Input;

/* The records whose member (else themselves) start at stored bytes [begin, end) of an input; of one with ranges, just those bytes. */
typedef struct {
    uint32_t input;
    uint64_t begin, end;
} InputSlice;

typedef struct {
    Input *input;
    size_t n, cap;
    CdxjRanges ranges;
    InputSlice *slice; /* in input order */
    size_t n_slices, cap_slices;
    uint32_t *part_first; /* part k is slices [part_first[k], part_first[k + 1]) */
    uint32_t n_parts;
    size_t n_skipped; /* files in directories with other endings */
    Arena arena;
} Inputs;

enum {
    INPUTS_MAX_DEPTH = 32,     /* directories below an operand */
    INPUTS_MAX_LIST = 1 << 30, /* bytes of a list or index, unpacked: 2.5 million lines of Common Crawl's index */
    INPUTS_MAX_PARTS = 1 << 22 /* what a DocId can number */
};

#define INPUTS_SIZE_UNKNOWN UINT64_MAX
/* What operands are; all as in IngestParams. */
typedef struct {
    const char *dump, *base_url;
    bool html, cdxj;
} InputsAre;
MUST_USE ErrCode inputs_gather(Inputs *in, const char *const *operands, size_t n, const InputsAre *are, Err *err);
/* Whether one of them is standard input, which can be read once and by one process. */
bool inputs_have_stdin(const Inputs *in);
bool input_is_stdin(const Input *i);
/* Whether it comes to a local disk before it is read: remote ones do, whole, but not when ranges are asked for. */
bool input_is_staged(const Input *i);
/* Collective: asks for the sizes of remote inputs, each rank for its share, some at a time. */
MUST_USE ErrCode inputs_measure(Inputs *in, const Par *par, Err *err);
/* Cuts into parts of `inputs_per_part` consecutive inputs or, when that is 0, of at most part_bytes stored bytes: an
 * archive beyond that is cut itself. */
MUST_USE ErrCode inputs_cut(Inputs *in, uint32_t inputs_per_part, uint64_t part_bytes, Err *err);
void inputs_clear(Inputs *in);
uint64_t inputs_part_bytes(const Inputs *in, uint32_t part);
/* About how many bytes the part decompresses to: what the work is split and progress is shown by. */
uint64_t inputs_part_work(const Inputs *in, uint32_t part);

/* The first CC-MAIN-YYYY-WW in a path; empty when there is none. */
Span inputs_crawl_name(const char *path);

#endif
