/* core/lz4_in.h - LZ4 frames (lz4_Frame_format 1.6.1) one after the other: the only file that knows liblz4. Block and content checksums are
 * checked where a frame has them; its content size allocates nothing. Frames that need a dictionary are refused: no archive carries one. */
#ifndef TAMIS_CORE_LZ4_IN_H
#define TAMIS_CORE_LZ4_IN_H

#include "core/buf.h"
#include "core/member.h"

enum { LZ4_MAGIC = 0x184D2204 };

typedef struct Lz4In Lz4In;
MUST_USE ErrCode lz4in_new(Lz4In **l, Err *err);
void lz4in_free(Lz4In *l);

/* A frame: begin, then step until it is not MEMBER_MORE. */
void lz4in_begin(Lz4In *l);
/* Takes from `in`, gives at most cap bytes. */
MemberStep lz4in_step(Lz4In *l, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out);

/* The first bytes of what a frame at `in` holds, at most cap, as far as they can be read off without decompressing: text
 * begins with a run of literals, and matches cannot reach before the frame. 0: no frame starts here, or none that tells. */
size_t lz4in_peek(Span in, uint8_t *out, size_t cap);

#endif
