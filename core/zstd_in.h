/* core/zstd_in.h - zstd frames (RFC 8878) one after the other, with or without a dictionary: the only file of archives that knows libzstd.
 *
 * The dictionary of a WARC (IIPC "Use of Zstandard compression in WARC files" 1.0) is the content of the file's first frame, a skippable one
 * of magic number 0x184D2A5D; it may be a zstd frame itself. */
#ifndef TAMIS_CORE_ZSTD_IN_H
#define TAMIS_CORE_ZSTD_IN_H

#include "core/buf.h"
#include "core/member.h"

enum {
    ZSTDIN_MAX_WINDOW_LOG = 27, /* 128 MiB of memory at most; the standard of WARCs asks for no more than 8 MiB */
    ZSTDIN_MAX_DICTIONARY = 8 << 20, /* packed and unpacked; dictionaries have some 100 KiB */
    ZSTDIN_DICTIONARY_FRAME = 0x184D2A5D,
    ZSTDIN_SKIPPABLE_HEADER = 8, /* magic number and size */
    ZSTDIN_PEEK_BYTES =
        (128 << 10) + 64 /* a whole block must be there before its first byte is; its frame's header */
};

/* A frame or a skippable frame begins so; four bytes are looked at. */
bool zstdin_is_magic(Span in);

typedef struct ZstdIn ZstdIn;
MUST_USE ErrCode zstdin_new(ZstdIn **z, Err *err);
void zstdin_free(ZstdIn *z);

/* All frames from here on are decompressed with the dictionary in `content`, which a skippable frame holds. *taken is false where it is
 * none, or beyond the limits: frames that need it then do not decompress. */
MUST_USE ErrCode zstdin_dictionary(ZstdIn *z, Span content, bool *taken, Err *err);

/* A frame: begin, then step until it is not MEMBER_MORE. */
void zstdin_begin(ZstdIn *z);
MemberStep zstdin_step(ZstdIn *z, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out);

/* The first bytes of what a frame at `in` holds, at most cap: *n of them, 0 when no frame starts here. *cost: stored bytes that were read for
 * it, ZSTDIN_PEEK_BYTES at most. Errors: memory. */
MUST_USE ErrCode zstdin_peek(ZstdIn *z, Span in, uint8_t *out, size_t cap, size_t *n, size_t *cost, Err *err);

#endif
