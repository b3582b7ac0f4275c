/* core/member.h - what the readers of packed input (gzip_in.h, zstd_in.h, lz4_in.h) have in common: a gzip member, zstd frame or LZ4 frame
 * in pieces. */
#ifndef TAMIS_CORE_MEMBER_H
#define TAMIS_CORE_MEMBER_H

/* MEMBER_MORE with nothing taken and nothing given: the stored bytes at hand are used up. */
typedef enum { MEMBER_MORE, MEMBER_END, MEMBER_BAD, MEMBER_NO_MEMORY } MemberStep;

#endif
