/* dedup/sign.h - the sign stage: a document's signature as columns of the view DIR/sign. Private to the room.
 *
 *   exact     2 x u64  text key's hash (low, high word)
 *   tokens    u32      key tokens          bytes   u32  bytes of text
 *   dump      u64      XXH3-64 of the dump, 0 when unknown
 *   host      u64      XXH3-64 of the URL's host (core/url.h), 0 when unknown
 *   id_hash   u64      XXH3-64 of the id           lang, domain   strings: what judging counts a document by, without its text
 *   signals   u8       how many signals the document shows, in eights, rounded up
 *   url       2 x u64  XXH3-128 of url_key() (core/url.h), 0 without one: only where URLs are compared
 *   dump_name string   the dump: only beside documents
 *   id, address        the document's id, XXH3-64 of its URL's url_key(), 0 without one: only where an index is kept (dedup/index.h)
 *   keep      n x u64  words of the keep order that are stored (dedup/keep.h), where there are any
 * and unless only exact duplicates are asked for
 *   band_000 … u64     keys of the bands; 0 in documents of fewer tokens than a shingle
 *   sketch    128 x u8 dedup/minhash.h
 * Where the documents were written with signatures beside them (dedup_beside_new(): part-%06u.sign.cols, with a receipt {unicode, version,
 * bands, rows, shingle, seed}, and url, id, address and dump_name in any case), these are taken and no text is read, unless the keep
 * order asks for words, a view shows other texts, or they are of other parameters.
 * One column a band: a pass over one band reads no other. Documents are counted by dump in the statistics (dedup/dumpnames.h). */
#ifndef TAMIS_DEDUP_SIGN_H
#define TAMIS_DEDUP_SIGN_H

#include "core/textkey.h"
#include "dedup/dedup.h"
#include "dedup/minhash.h"

#include <assert.h>

typedef enum {
    SIGN_EXACT,
    SIGN_TOKENS,
    SIGN_BYTES,
    SIGN_DUMP,
    SIGN_HOST,
    SIGN_ID_HASH,
    SIGN_SIGNALS,
    SIGN_LANG,
    SIGN_DOMAIN,
    SIGN_DUMP_NAME,
    SIGN_URL,
    SIGN_KEEP_WORDS,
    SIGN_ID,
    SIGN_ADDRESS,
    SIGN_SKETCH,
    SIGN_BANDS
} SignColumn;
enum { SIGNALS_UNIT = 8 };
static_assert((DOC_MAX_SIGNALS + SIGNALS_UNIT - 1) / SIGNALS_UNIT <= UINT8_MAX, "the column `signals`");
#define SIGN_BESIDE "sign"
extern const char *const sign_column_names[SIGN_BANDS];
/* The file of part `part` in `dir`; false: the path is too long. */
bool sign_path(char path[], size_t size, const char *dir, uint32_t part);
/* The signatures in it. */
MUST_USE ErrCode sign_open(Columns **cols, const char *dir, uint32_t part, Err *err);
void sign_band_name(char out[COL_NAME_MAX + 1], uint32_t band);

MUST_USE ErrCode sign_run(const DedupParams *params, const DatasetSet *in, const char *out_dir,
                          const CommonOptions *common, const Par *par, StageTotals *totals, Err *err);

/* XXH3-64 of url_key(); 0 without one. `key` is scratch. */
uint64_t sign_address(Buf *key, Span url);

/* Key tokens, some 32 bytes of scratch each: what a text of more has taken is given back with the next one. */
enum { SIGN_KEEP = 1 << 20 };

/* One document's signature, for tests and for whoever signs elsewhere. Scratch is zero-initialised and reused. */
typedef struct {
    TextKey key;
    uint64_t *shingle; /* n_shingles of the last document */
    uint32_t *shingle32;
    size_t n_shingles, cap;
    uint32_t *value; /* of the MinHash */
    Hash128 exact;
    uint64_t band[DEDUP_MAX_BANDS];
    uint8_t sketch[SKETCH_BINS];
} Signature;
void signature_clear(Signature *s);
/* Splits the text and fills `shingle` alone. */
MUST_USE ErrCode signature_shingles(Signature *s, uint32_t len, Span text, Err *err);
/* Without a MinHash only `key` and `exact` are made. */
MUST_USE ErrCode signature_make(Signature *s, const DedupParams *params, const MinHash *minhash, Span text, Err *err);

/* What the stage in `dir` counted, out of its stats.json, in *counters (NULL: nothing); the arena keeps it. */
MUST_USE ErrCode sign_counters(Arena *arena, const char *dir, const Json **counters, Err *err);

#endif
