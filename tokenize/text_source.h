/* tokenize/text_source.h - texts to look at a tokenizer with: the documents of datasets, or the lines of text files. Each text is seen
 * once, by any thread and in no order. */
#ifndef TAMIS_TOKENIZE_TEXT_SOURCE_H
#define TAMIS_TOKENIZE_TEXT_SOURCE_H

#include "core/bytes.h"
#include "core/err.h"
#include "core/options.h"

typedef struct {
    const char *const *path; /* datasets; or text files as core/lines.h reads them */
    size_t n;
    bool is_text; /* text files */
    int threads;  /* >= 1 */
} TextSource;
/* A source of the operands paths[0, n) of a verb. ERR_USAGE when there are too few or a launcher announces several tasks. */
MUST_USE ErrCode textsource_settle(TextSource *s, const char *verb, char **paths, int n, const CommonOptions *common,
                                   Err *err);

/* Valid during the call that gets it. */
typedef struct {
    Span text;         /* of a line with its end */
    Span lang, domain; /* never empty: "unknown", "default"; of a line its file's base name is the domain */
    Span id;           /* of a document; of a line its file's path */
    uint64_t line;     /* from 1 on; 0: a document */
    uint64_t order;    /* ascends with the input */
} SourceText;
typedef ErrCode (*TextEach)(void *ctx, int thread, const SourceText *text, Err *err);

/* Shows all texts: 0 <= thread < threads. The first failure of `each` or of reading ends it; ERR_INTR after a signal. */
MUST_USE ErrCode textsource_read(const TextSource *s, TextEach each, void *ctx, Err *err);

#endif
