/* tools/token_input.h - what `tamis tokenize` reads, as documents in parts: datasets, whose parts these are; or text in lines, a file being a
 * part: JSON Lines, or plain text whose every line, with its end, is a text; plain, gzip or zstd; "-" is standard input.
 *
 * A line's DocId is docid(0, number of its file, number of its line), both from 0 on; its id is local/NAME#LINE, as `tamis ingest` names
 * it, NAME being the base name of the file, "stdin" of standard input. Blank lines of JSON Lines are nothing, but count. */
#ifndef TAMIS_TOOLS_TOKEN_INPUT_H
#define TAMIS_TOOLS_TOKEN_INPUT_H

#include "core/dataset.h"
#include "core/log.h"
#include "tools/token_line.h"

typedef enum { TOKEN_DATASETS, TOKEN_JSONL, TOKEN_TEXT } TokenInputKind;

typedef struct {
    const char *const *path; /* directories are datasets, files JSON Lines; all of one kind */
    size_t n;
    bool text; /* they are plain text */
    /* For shards: lines without a text to speak of are dropped, and two files of one name refused, whose ids would be the same. */
    bool documents;
} TokenInputSpec;

typedef struct TokenInput TokenInput;
/* Looks at all paths, reads nothing yet. The spec's paths are borrowed. */
MUST_USE ErrCode tokeninput_open(TokenInput **in, const TokenInputSpec *spec, Err *err);
void tokeninput_close(TokenInput *in);
TokenInputKind tokeninput_kind(const TokenInput *in);
DatasetSet *tokeninput_set(const TokenInput *in); /* NULL: files */
bool tokeninput_once(const TokenInput *in);       /* standard input is in it: nobody can read it again */
/* JSON: the inputs with their paths; and what identifies them. A file is its name and size. */
void tokeninput_describe(const TokenInput *in, Buf *inputs, Buf *contents);
uint32_t tokeninput_n_parts(const TokenInput *in);
/* Bytes of text before a part; of n_parts: all. Estimates of what is compressed or standard input. */
uint64_t tokeninput_before(const TokenInput *in, uint32_t part);

typedef struct {
    Span id, text;
    Span domain, lang; /* the domain is never empty */
    Span own_id;       /* raw JSON of a line's own id; absent without */
    DocId doc;
    uint32_t part, record;
    uint64_t before; /* about so much text lies before it; does not fall from one document to the next */
} TokenDoc;
/* With --verbose: that the pre-tokenizer gave it up, and `why`. */
void tokendoc_log_dropped(const TokenDoc *doc, const Err *why);
/* The document is valid during the call; 0 <= thread < threads. */
typedef ErrCode (*TokenEach)(void *ctx, int thread, const TokenDoc *doc, Err *err);
/* The documents of a block have been given to `thread`. One thread at a time, in order of the input. */
typedef ErrCode (*TokenDone)(void *ctx, int thread, Err *err);

/* Lines that gave no document. Zero-initialise. */
typedef struct {
    uint64_t n[LINE_N_REASONS];
    uint32_t part; /* the first of them: its file, */
    uint64_t line; /* its number from 1 on, 0: none, */
    LineReason reason;
} LineDrops;
void linedrops_add(LineDrops *into, const LineDrops *from);
/* Warns of them, if any: how many and why, and where the first is. */
void linedrops_warn(const LineDrops *d, const TokenInput *in);

/* ERR_DATA when no line gave a document, over all parts of files: JSON Lines are of another kind then, or there is no text. Where documents
 * are not asked for, nothing may come of nothing. */
MUST_USE ErrCode tokeninput_check(const TokenInput *in, const uint64_t lines[LINE_N_REASONS], uint64_t n_docs,
                                  Err *err);

/* Gives all documents of parts [begin, end), in no order. Adds to *drops. */
MUST_USE ErrCode tokeninput_scan(const TokenInput *in, int threads, uint32_t begin, uint32_t end, TokenEach each,
                                 void *ctx, LineDrops *drops, Progress *progress, Err *err);
/* The same of all parts, by blocks in order, and tokeninput_check(). Lines of standard input are given as soon as they are there. */
MUST_USE ErrCode tokeninput_show(const TokenInput *in, int threads, TokenEach each, TokenDone done, void *ctx,
                                 LineDrops *drops, Progress *progress, Err *err);

#endif
