/* core/part.h - one part of a dataset: JSON Lines in standard zstd, readable by `zstdcat`, read by us in parallel
 * and at random. Version 1, in file order:
 *
 *   data frames    ordinary zstd frames (content size in the header, checksum on), each holding whole lines: at
 *                  most PART_FRAME_BYTES of text, or one larger line (at most DOC_MAX_LINE)
 *   records        skippable frame 0x184D2A50: "TAMISREC", u32 version 1, u32 n_frames, u32 lines[n_frames],
 *                  u64 XXH3-64 of all before it in this payload
 *   receipt        skippable frame 0x184D2A51: "TAMISRCP", u32 version 1, u32 n, n bytes of JSON, u64 XXH3-64
 *   seek table     skippable frame 0x184D2A5E: the zstd seekable format 0.1.0; one entry for every frame before it,
 *                  the skippable ones with decompressed size 0; checksum flag off; ends with 0x8F92EAB1
 * All integers little-endian. A part without its seek table is unfinished or cut and is refused. */
#ifndef TAMIS_CORE_PART_H
#define TAMIS_CORE_PART_H

#include "core/buf.h"
#include "core/doc.h"
#include "core/hash.h"

enum { PART_FRAME_BYTES = 4 << 20, PART_MAX_FRAMES = 1 << 20, PART_MAX_RECEIPT = 8 << 20 };

/* --- compression of one frame, in any thread. One per thread. */
typedef struct PartCoder PartCoder;
MUST_USE ErrCode partcoder_new(PartCoder **c, int level, Err *err); /* zstd level, 3 by default */
void partcoder_free(PartCoder *c);
/* Cuts `lines` (whole lines, '\n' each) into frames as above; appends the compressed frames to `out` and one
 * PartFrame each to `frames` (an array of PartFrame in a Buf). */
typedef struct {
    uint32_t stored_bytes, text_bytes; /* compressed, uncompressed */
    uint32_t n_lines;
} PartFrame;
MUST_USE ErrCode partcoder_frames(PartCoder *c, Span lines, Buf *out, Buf *frames, Err *err);

/* --- writing, in order, one thread at a time. */
typedef struct PartWriter PartWriter;
MUST_USE ErrCode partwriter_open(PartWriter **w, const char *path, Err *err);
MUST_USE ErrCode partwriter_put(PartWriter *w, Span stored, const PartFrame *frames, size_t n_frames, Err *err);
/* Writes records, receipt and seek table and publishes (outfile_commit_part). *w becomes NULL in any case. */
MUST_USE ErrCode partwriter_commit(PartWriter **w, Span receipt_json, Err *err);
void partwriter_abandon(PartWriter *w);

/* --- reading; after opening, any number of threads. */
typedef struct PartFile PartFile;
/* Checks trailer, sums and every size against the file. */
MUST_USE ErrCode partfile_open(PartFile **f, const char *path, Err *err);
void partfile_close(PartFile *f);
uint32_t partfile_n_frames(const PartFile *f);
/* Index of the first record of a frame; frame == n_frames gives the number of records. */
uint32_t partfile_first_record(const PartFile *f, uint32_t frame);
uint32_t partfile_frame_of(const PartFile *f, uint32_t record);
PartFrame partfile_frame(const PartFile *f, uint32_t frame);
Span partfile_receipt(const PartFile *f); /* valid until close */
const char *partfile_path(const PartFile *f);
/* Decompresses one frame into *text (replaced). Checks size, zstd checksum and the number of lines. */
MUST_USE ErrCode partcoder_read(PartCoder *c, PartFile *f, uint32_t frame, Buf *text, Err *err);

#endif
