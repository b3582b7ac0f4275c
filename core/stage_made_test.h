/* core/stage_made_test.h - a dataset whose documents are a function of their numbers, and stages over it, for tests. */
#ifndef TAMIS_CORE_STAGE_MADE_TEST_H
#define TAMIS_CORE_STAGE_MADE_TEST_H

#include "core/stage.h"

/* Part 3 is empty. Number r of part p is 100000 p + r. */
enum { MADE_PARTS = 5, MADE_BLOCKS = 4, MADE_PER_BLOCK = 60 };
/* Record r as a document; false: it is one that is dropped. */
bool made_doc(uint32_t r, Doc *doc, char id[32], char text[600]);
uint64_t made_bytes(void *ctx, uint32_t part);
extern const StageDef made_plain_def;
extern const StageSource made_source,
    made_with_more; /* the second: a short document more at the front of each part */
ErrCode made(const char *dir, int threads, CommonOptions common, const char *params, StageTotals *t, Err *err);
ErrCode made_from(const StageSource *source, const char *dir, int threads, CommonOptions common, const char *params,
                  StageTotals *t, Err *err);
/* Content of one part, by one loop; adds its documents. */
Hash128 made_slow_part(uint32_t part, uint64_t *n_docs);

/* Drops what is shorter than `least`, and joins two signals and a domain. */
extern const StageDef made_judge_def;
ErrCode made_judge_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err);
ErrCode made_judge_with(const StageDef *def, StageMap map, CommonOptions common, const char *in, const char *out,
                        int threads, uint32_t least, StageTotals *t, Err *err);
ErrCode made_judge(const char *in, const char *out, int threads, uint32_t least, StageTotals *t, Err *err);

extern const StageDef made_copy_def;
ErrCode made_copy_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *s, Err *err);

#endif
