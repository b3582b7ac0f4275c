/* tools/token_ids.h - `tamis tokenize --ids`: token ids as text on standard output. */
#ifndef TAMIS_TOOLS_TOKEN_IDS_H
#define TAMIS_TOOLS_TOKEN_IDS_H

#include "tokenize/tokenize.h"
#include "tools/token_input.h"

/* A line a document, in order of the input: {"id","ids"}, or the bare array. Encoded by `threads` threads. */
MUST_USE ErrCode tokenids_print(const Tokenizer *t, EncodeMode mode, const TokenInput *in, bool bare, int threads,
                                Err *err);

#endif
