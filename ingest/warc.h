/* ingest/warc.h - WARC records (ISO 28500: 0.17, 0.18, 1.0, 1.1) out of a ByteStream, and those of ARC archives (arc.h).
 *
 * A record is a version line, header lines, a blank line, Content-Length bytes of block, two line ends. Crawlers get the
 * length wrong, so it is believed only when two line ends, a record, the end or a member's end follows; else the block goes on to the next line
 * that looks like a version line, or the next member that starts with one: it is *mended*. Where that is not in sight, behind a header without
 * a length, and where a version line or such a member stands inside a header, the record is malformed and reading goes on at the next. */
#ifndef TAMIS_INGEST_WARC_H
#define TAMIS_INGEST_WARC_H

#include "core/bytestream.h"
#include "ingest/ingest.h"

enum {
    WARC_MAX_HEAD = 64 << 10, /* bytes of header; real ones have below 2 KiB, cookies in metadata a few more */
    WARC_MAX_LINES = 1024,
    WARC_MAX_BLOCK = 32 << 20, /* bytes of a block we look into; Common Crawl cuts at 1 to 5 MiB */
    WARC_MAX_TAIL = 64         /* line ends between two records: 4 by the standard */
};

typedef enum {
    WARC_UNKNOWN,
    WARC_INFO,
    WARC_RESPONSE,
    WARC_RESOURCE,
    WARC_REQUEST,
    WARC_METADATA,
    WARC_REVISIT,
    WARC_CONVERSION
} WarcType;

/* Spans point into the head's bytes and are trimmed; absent fields are empty. The first of repeated fields counts. */
typedef struct {
    WarcType type;
    Span target_uri, date, content_type, truncated, payload_type, block_digest, payload_digest;
    bool has_length;
    bool is_arc;       /* content_type is then the page's and not the block's */
    uint64_t length;   /* of the block */
    size_t head_bytes; /* with the blank line */
} WarcHead;

typedef enum { WARC_HEAD_FINE, WARC_HEAD_CUT, WARC_HEAD_BAD } WarcHeadStatus;
/* The header at the start of `s`. CUT: `s` ends inside it. BAD: it is none, has no end, or another one starts inside it. */
WarcHeadStatus warc_head(Span s, WarcHead *out);
/* The same of a record as the reader below returns it, be it a WARC's or an ARC's. */
WarcHeadStatus record_head(Span s, WarcHead *out);

/* "WARC/d.d" at the start of `s`. */
bool warc_is_version_line(Span s);

typedef struct {
    uint64_t stored, inner; /* the record's address */
    uint64_t bytes;         /* it takes in the decompressed stream, as far as known */
    IngestReason reason;    /* why there is no block to look into; INGEST_N_REASONS when there is */
    WarcType type;          /* when there is */
    bool mended;            /* the block ends where the next record starts, not where its length says */
    Span head, block;       /* valid until the next call; head is empty for junk */
} WarcRecord;

typedef struct {
    ByteStream *s;
    size_t skip;  /* bytes of the window that the record returned last takes */
    uint64_t end; /* the first record behind this stored byte that a reader can enter at belongs to the next slice */
    bool arc;
    bool mid; /* entered in the middle: bytes before the first record are nobody's loss */
} WarcReader;

/* `begin` > 0 says that the stream was entered there. */
WarcReader warc_reader(ByteStream *s, uint64_t begin, uint64_t end);
/* *more is false at the end of the slice. */
MUST_USE ErrCode warc_next(WarcReader *r, WarcRecord *rec, bool *more, Err *err);

#endif
