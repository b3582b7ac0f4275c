/* dedup/cut.h - what `tamis dedup lines`, `spans` and `substrings` share: texts are read for units that meet by key, what is found to repeat
 * comes back sorted by document, and a view is written whose texts are without it. Private to the room.
 *
 * Two phases, each of which goes on where it stopped:
 *   find   all ranks (or tasks): passes over the texts (core/pass.h), whose results lie in DIR/passes until the view is complete.
 *          Documents are numbers in order of input (dedup/doctable.h); a place is a document and a position in it, and places sort in
 *          order of input, so that "the first" means the same to everybody.
 *   write  a map stage: reads its documents' slice of what was found, cuts the units and tells so: the document's line is replaced, its
 *          `edits` gain {"stage":NAME,"version":V,"cut":[KEEP,CUT,KEEP,CUT…]} (lengths in bytes of the text before it: so many stay, so many
 *          go, and so on; the rest stays), two signals count units and bytes cut. A document of which no key token is left is dropped. */
#ifndef TAMIS_DEDUP_CUT_H
#define TAMIS_DEDUP_CUT_H

#include "core/stage.h"
#include "dedup/doctable.h"
#include "dedup/strings.h"
#include "dedup/units.h"

enum { AT_BYTES = 4, PLACE_BYTES = DOC_BYTES + AT_BYTES }; /* a position; document and position: big-endian */
static inline void at_put(uint8_t out[AT_BYTES], uint32_t at)
{
    for (int i = 0; i < AT_BYTES; i++) out[i] = (uint8_t)(at >> (24 - 8 * i));
}
static inline uint32_t at_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One thread's scratch. */
typedef struct {
    UnitText units;
    int lane;                 /* as pass_put() wants it */
    ResultsCursor found;      /* private: its way through results; */
    Buf slice;                /* a document's records */
    Buf ranges;               /* UnitRange: units that a document loses */
    Buf work;                 /* for who finds them */
    Buf text, edits, lengths; /* private: what is left */
} CutScratch;
void cutscratch_clear(CutScratch *w);

/* --- finding */
typedef struct {
    DocTable docs;
    const DatasetSet *in;
    const char *name;
} CutTable;

/* Calls fn for every document that this rank (or task) looks after, from all threads (core/docscan.h). */
typedef ErrCode (*CutDocFn)(void *ctx, CutScratch *w, const Doc *doc, uint64_t number, Err *err);
MUST_USE ErrCode cut_each_doc(const CutTable *t, CutDocFn fn, void *ctx, Err *err);
/* The document's records of results that are sorted by document, `width` bytes each. Valid until the next call. Memory holds them and a piece
 * of the results, of however many records. Quick where numbers rise. */
MUST_USE ErrCode cut_slice(CutScratch *w, const Results *r, uint32_t width, uint64_t number, Span *records, Err *err);
/* Sends the place (number, at) under key. */
MUST_USE ErrCode cut_put(CutScratch *w, Pass *p, Hash128 key, uint64_t number, uint32_t at, Err *err);

/* A step whose records of `width` bytes, each beginning with a document, are those of `from` sorted by document and the rest. A
 * receive of list_all_by_doc() keeps all of them; cut_merge() takes records of a document and a range and joins ranges that touch. */
MUST_USE ErrCode cut_sort(const CutTable *t, const char *name, const Results *from, uint32_t width,
                          PassReceive receive, Pass **out, Err *err);
ErrCode cut_merge(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err);

/* --- the whole */
typedef struct {
    const char *name;       /* of the stage */
    const char *units;      /* what it cuts, in statistics: "lines" */
    const char *columns[2]; /* signals: units cut, bytes cut */
    uint32_t version;
    UnitKind kind;
    void *ctx;
    uint32_t width; /* of the records that `find` ends with */
    /* Leaves the step with what is to be cut, sorted by document, in *out, which is closed even after a failure. Collective. */
    ErrCode (*find)(void *ctx, const CutTable *t, Pass **out, Err *err);
    /* Puts the ranges of units that the document loses into w->ranges, in order and not touching. w->units has its text. */
    ErrCode (*ranges)(void *ctx, CutScratch *w, const Doc *doc, Span records, StageSink *sink, Err *err);
} CutStage;
static inline void cut_range(CutScratch *w, uint32_t begin, uint32_t end)
{
    const UnitRange r = {begin, end};
    buf_put(&w->ranges, &r, sizeof r);
}

/* Runs the stage over `in`. Collective. `params`: canonical JSON. With --task a run takes its share as far as what others have done allows.
 * `totals` and `cut` may be NULL; *cut is told of a complete view. */
MUST_USE ErrCode cut_run(const CutStage *stage, Span params, const DatasetSet *in, const char *out_dir,
                         const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut, Err *err);

#endif
