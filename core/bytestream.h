/* core/bytestream.h - an input as one run of decompressed bytes, with a window that grows on demand, the stored place of
 * every byte, and a way past damage.
 *
 * The coding is told by the first stored bytes: gzip (RFC 1952, any number of members), zstd or LZ4 (any number of frames; the first of a
 * zstd WARC may hold a dictionary), else plain. A frame is called a member here, too. gzip members decompress whole with libdeflate when
 * they are small, else in pieces with zlib. Where a member turns out
 * corrupt, cut or a bomb, the stream ends in a *break*: what came before is delivered, the caller passes the break, and
 * the stream goes on at the next stored member whose content starts with a record (lines: at the end), which is
 * "WARC/", in an archive that starts with a URL a URL: an ARC. What was
 * read of a corrupt member may have run into good ones behind it, so the search starts right behind its header; headers
 * made to nest would so be read again and again, wherefore what broken members have cost is bounded (STREAM_REREAD). */
#ifndef TAMIS_CORE_BYTESTREAM_H
#define TAMIS_CORE_BYTESTREAM_H

#include "core/store.h"

enum {
    STREAM_STORED_WINDOW = 4 << 20, /* stored bytes at hand: a member within them may decompress in one call */
    STREAM_WHOLE_MEMBER = 4 << 20,  /* … to at most this much */
    STREAM_STEP = 1 << 20,          /* decompressed at a time otherwise */
    STREAM_MAX_NEED = 512 << 20,    /* no caller asks for more at once */
    /* A member beyond both is a bomb: pages deflate to 1:4 to 1:20, and deflate ends at 1:1032. */
    STREAM_BOMB_BYTES = 64 << 20,
    STREAM_BOMB_RATIO = 200,
    /* Stored bytes read for members that broke, as a multiple of how far the stream has come: damage costs a member or
     * two a place. Beyond it the search goes on behind all that was read. */
    STREAM_REREAD = 16
};

typedef enum { STREAM_FINE, STREAM_CORRUPT, STREAM_CUT, STREAM_BOMB } StreamBreak;
typedef enum { STREAM_PLAIN, STREAM_GZIP, STREAM_ZSTD, STREAM_LZ4 } StreamCoding;

/* Of what begins so; four bytes are enough. */
StreamCoding stream_coding_of(Span head);

typedef struct ByteStream ByteStream;

/* `path` as in messages. The stream starts at the first place from stored byte `begin` on that it can be entered: `begin`
 * itself for 0, one byte earlier for plain bytes (whether a line starts at `begin` then shows), else the next member as
 * above. `warc` says whether breaks are skipped so. */
MUST_USE ErrCode stream_open(ByteStream **s, const char *path, uint64_t begin, bool warc, Err *err);
/* Standard input from where it stands, to be read once; its stored places count from where it stood. `soon`: where it is plain,
 * each read takes what is there, as from a terminal; how much the window then holds is nobody's content. */
MUST_USE ErrCode stream_open_stdin(ByteStream **s, bool soon, bool warc, Err *err);
/* The same over bytes in memory, which must outlive the stream. */
MUST_USE ErrCode stream_open_bytes(ByteStream **s, Span bytes, uint64_t begin, bool warc, Err *err);
/* The same over bytes that are part of a file, from its byte `base` on: stored places are the file's. */
MUST_USE ErrCode stream_open_range(ByteStream **s, Span bytes, uint64_t base, bool warc, Err *err);
void stream_close(ByteStream *s);
StreamCoding stream_coding(const ByteStream *s);
/* Of an archive: it starts with a URL, as an ARC does, be it behind members that say nothing. */
bool stream_is_arc(const ByteStream *s);

/* Tries to have n <= STREAM_MAX_NEED bytes in the window. Fewer are there only before a break or the end. Errors are the
 * system's alone. */
MUST_USE ErrCode stream_need(ByteStream *s, size_t n, Err *err);
/* The window: valid until the next need, skip or pass. */
Span stream_view(const ByteStream *s);
/* Drops n bytes of the window. */
void stream_skip(ByteStream *s, size_t n);

/* The break right behind the window, STREAM_FINE when there is none (yet), and where the broken member starts. */
StreamBreak stream_break(const ByteStream *s, uint64_t *stored);
/* Goes past the break; the window must be empty. */
MUST_USE ErrCode stream_pass(ByteStream *s, Err *err);
/* No byte and no break behind the window. True only after a need that came short. */
bool stream_at_end(const ByteStream *s);

/* Bytes from the window's start to the end of a plain input; UINT64_MAX when compressed. */
uint64_t stream_plain_left(const ByteStream *s);

/* Where byte `at` of the window is stored: the start of its member or frame and the offset in what that decompresses to;
 * for plain bytes the place itself and 0. at may be the window's length only while more bytes follow it. */
void stream_where(const ByteStream *s, size_t at, uint64_t *stored, uint64_t *inner);
/* The first member start in window bytes [from, end) where a record starts; end when there is none. */
size_t stream_next_member(ByteStream *s, size_t from, size_t end);
bool stream_is_member_start(const ByteStream *s, size_t at);
/* Whether a stream opened in front of the window's first byte would be entered here: it is asked the same of the stored bytes. Not of plain
 * bytes or standard input. */
MUST_USE ErrCode stream_is_entry(ByteStream *s, bool *entry, Err *err);

/* A URL as ARCs begin their records with: a scheme in either case, "://" or one that has none. *cut: `s` ends before it shows. */
bool stream_starts_url(Span s, bool *cut);

#endif
