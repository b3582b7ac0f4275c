/* dedup/datatrove.h - MinHash signatures as datatrove makes them (datatrove 0.10.0, pipeline/dedup/minhash.py, hashes of 64 bits), file
 * for file and byte for byte where the words of a document are the same, so that a job begun there goes on here, or the reverse.
 * Private to the room.
 *
 * Words are the strings of the document's member `tokens`, which holds what datatrove's word tokenizer made of the simplified text; of
 * a document without it the text itself, cut at what Python's str.split() calls white space. A shingle is XXH64 of `len` words
 * joined by spaces. Value i is min over the shingles x of ((x a_i + b_i) mod 2^64) mod (2^61 - 1); a and b come from
 * numpy.random.RandomState(seed).randint. Documents of fewer words than a shingle have no signature.
 *
 * A file bucket_BBB/RRRRR.minhash.sig holds a record a document: `rows` values u64 and the document's number u32 among those its part
 * shows, all little-endian, sorted as numbers. signatures.json says what they were made of and with, and is there first: a directory of another run is
 * refused, since who reads the files takes all that lie there. */
#ifndef TAMIS_DEDUP_DATATROVE_H
#define TAMIS_DEDUP_DATATROVE_H

#include "core/dataset.h"
#include "core/log.h"
#include "dedup/dedup.h"

typedef struct {
    uint32_t n;
    uint64_t *a, *b;
} TroveFamily;
/* Of `seed` the lower 32 bits count, as a RandomState has no more. */
MUST_USE ErrCode trovefamily_init(TroveFamily *f, uint32_t n, uint64_t seed, Err *err);
void trovefamily_clear(TroveFamily *f);

/* Scratch of one thread: zero-initialise, reuse, trovewords_clear(). */
typedef struct {
    Buf text;    /* the words, each followed by a space */
    size_t *end; /* of n words in it, that space not counted */
    size_t n, cap;
    Buf decoded;
} TroveWords;
void trovewords_clear(TroveWords *w);
/* ERR_DATA, naming the document, when `tokens` is no array of strings. */
MUST_USE ErrCode trovewords_read(TroveWords *w, const Doc *doc, Err *err);
/* values: family->n. False: too few words. */
bool trove_sign(const TroveWords *w, const TroveFamily *family, uint32_t len, uint64_t *values);

typedef struct {
    uint64_t n_docs, n_signed;
} TroveTotals;
/* Collective. Writes the files of this rank's parts of `in` below dir, which ERR_DATA says is another run's; of params bands, rows, shingle and seed count. Each thread holds the
 * signatures of the part it is at: bands * (8 rows + 4) bytes a document. */
MUST_USE ErrCode trove_run(const DedupParams *params, const DatasetSet *in, const char *dir, const Par *par,
                           TroveTotals *totals, Err *err);

#endif
