/* tools/token_encode.h - documents become tokens, once: what is encoded lies in files (tools/token_runs.h) and stays there until the
 * shards are written, whoever is killed meanwhile. */
#ifndef TAMIS_TOOLS_TOKEN_ENCODE_H
#define TAMIS_TOOLS_TOKEN_ENCODE_H

#include "tools/token_runs.h"
#include "tools/token_shuffle.h"

/* Encodes the parts that are missing in `runs`: all of them, shared out over ranks; or those of spec->task, when others may be missing
 * still. ERR_SYS when the disk has no room for what is to come, said after the first file. Collective. */
MUST_USE ErrCode tokens_encode(const ShuffleSpec *spec, TokenRuns *runs, const Par *par, Err *err);

#endif
