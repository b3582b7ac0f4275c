#include "ingest/warc.h"

#include "ingest/arc.h"

bool warc_is_version_line(Span s)
{
    return s.n >= 8 && memcmp(s.p, "WARC/", 5) == 0 && ascii_is_digit(s.p[5]) && s.p[6] == '.' &&
           ascii_is_digit(s.p[7]);
}

static WarcType type_of(Span v)
{
    static const struct {
        const char *name;
        WarcType type;
    } types[] = {{"response", WARC_RESPONSE},    {"request", WARC_REQUEST}, {"metadata", WARC_METADATA},
                 {"warcinfo", WARC_INFO},        {"revisit", WARC_REVISIT}, {"resource", WARC_RESOURCE},
                 {"conversion", WARC_CONVERSION}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (span_eq_nocase(v, span_str(types[i].name))) return types[i].type;
    return WARC_UNKNOWN;
}

/* Most lines are fields nobody asks for: lengths are compared first. */
static void take_field(WarcHead *h, Span name, Span value)
{
#define FIELD(name, member)                               \
    {                                                     \
        name, sizeof name - 1, offsetof(WarcHead, member) \
    }
    static const struct {
        const char *name;
        size_t n, at;
    } fields[] = {FIELD("warc-target-uri", target_uri),
                  FIELD("warc-date", date),
                  FIELD("content-type", content_type),
                  FIELD("warc-truncated", truncated),
                  FIELD("warc-block-digest", block_digest),
                  FIELD("warc-payload-digest", payload_digest),
                  FIELD("warc-identified-payload-type", payload_type)};
#undef FIELD

    if (span_eq_nocase(name, SPAN_LIT("WARC-Type"))) {
        if (h->type == WARC_UNKNOWN) h->type = type_of(value);
    } else if (span_eq_nocase(name, SPAN_LIT("Content-Length"))) {
        if (!h->has_length) h->has_length = span_to_u64(value, &h->length);
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        Span *slot = (Span *)(void *)((char *)h + fields[i].at);
        if (name.n != fields[i].n || slot->n || !span_eq_nocase(name, span(fields[i].name, fields[i].n))) continue;
        *slot = value;
    }
}

WarcHeadStatus warc_head(Span s, WarcHead *out)
{
    size_t at = 0;

    *out = (WarcHead){0};
    if (s.n >= 8 ? !warc_is_version_line(s) : !span_starts(SPAN_LIT("WARC/"), span(s.p, s.n < 5 ? s.n : 5)))
        return WARC_HEAD_BAD;
    for (int line = 0; line < WARC_MAX_LINES; line++) {
        Span rest = span_from(s, at);
        size_t n = span_find(rest, '\n');
        if (line > 0 && warc_is_version_line(rest)) return WARC_HEAD_BAD;
        if (n == rest.n || at + n >= WARC_MAX_HEAD)
            return s.n < WARC_MAX_HEAD && n == rest.n ? WARC_HEAD_CUT : WARC_HEAD_BAD;
        Span text = span_trim(span(rest.p, n));
        at += n + 1;
        if (text.n == 0) {
            out->head_bytes = at;
            return WARC_HEAD_FINE;
        }
        size_t colon = span_find(text, ':');
        /* Lines without a colon (continuations whose indent was lost, junk) are passed over. */
        if (line > 0 && colon < text.n)
            take_field(out, span_trim(span(text.p, colon)), span_trim(span_from(text, colon + 1)));
    }
    return WARC_HEAD_BAD;
}

WarcHeadStatus record_head(Span s, WarcHead *out)
{
    return span_starts(s, SPAN_LIT("WARC/")) ? warc_head(s, out) : arc_head(s, out);
}

WarcReader warc_reader(ByteStream *s, uint64_t begin, uint64_t end)
{
    /* Members are entered at one that starts with a record; plain bytes anywhere. */
    return (WarcReader){
        .s = s, .end = end, .arc = stream_is_arc(s), .mid = begin > 0 && stream_coding(s) == STREAM_PLAIN};
}

/* Whether a line that starts a record starts at `s`. */
static bool starts_record(const WarcReader *r, Span s)
{
    WarcHead h;

    return r->arc ? arc_head(s, &h) == WARC_HEAD_FINE : warc_is_version_line(s);
}

/* The first place in window bytes [from, n) where a record starts; n when there is none. */
static size_t find_record(const WarcReader *r, size_t from, size_t n)
{
    Span v = stream_view(r->s);
    size_t member = stream_next_member(r->s, from, n);
    size_t at = from ? from - 1 : 0; /* a line may start at `from` itself */

    while (at < member) {
        const uint8_t *p = memchr(v.p + at, '\n', member - at);
        if (!p) break;
        at = (size_t)(p - v.p) + 1;
        if (at < member && starts_record(r, span_from(v, at))) return at;
    }
    return member;
}

/* Drops window bytes from `from` on until a record starts at the window's first byte, or a break or the end is there.
 * *gone counts what was dropped. */
static ErrCode drop_to_record(WarcReader *r, size_t from, uint64_t *gone, Err *err)
{
    const size_t keep = r->arc ? ARC_MAX_LINE : 16; /* a record's first line may lie across two fills */
    ErrCode rc;

    for (;;) {
        if ((rc = stream_need(r->s, from + STREAM_STEP, err)) != ERR_OK) return rc;
        size_t n = stream_view(r->s).n, at = from < n ? find_record(r, from, n) : n;
        bool last = n < from + STREAM_STEP;
        size_t drop = at < n || last ? at : n - keep;
        stream_skip(r->s, drop);
        *gone += drop;
        if (at < n || last) return ERR_OK;
        from = 0;
    }
}

static IngestReason reason_of(StreamBreak b)
{
    return b == STREAM_CORRUPT ? INGEST_GZIP_CORRUPT : b == STREAM_BOMB ? INGEST_BOMB : INGEST_TRUNCATED;
}

/* A break with nothing before it: it is a record of its own. */
static ErrCode broken_member(WarcReader *r, WarcRecord *rec, Err *err)
{
    rec->reason = reason_of(stream_break(r->s, &rec->stored));
    return stream_pass(r->s, err);
}

/* What starts at the window's first byte is no record, or one whose length cannot be believed: it ends where the next
 * one starts, searched from byte `from` on, or at a break, whose reason it then has. */
static ErrCode malformed(WarcReader *r, WarcRecord *rec, size_t from, IngestReason reason, Err *err)
{
    ErrCode rc = drop_to_record(r, from, &rec->bytes, err);

    rec->reason = reason;
    rec->head = rec->block = (Span){NULL, 0};
    if (rc == ERR_OK && stream_view(r->s).n == 0 && stream_break(r->s, NULL) != STREAM_FINE) {
        rec->reason = reason_of(stream_break(r->s, NULL));
        rc = stream_pass(r->s, err);
    }
    return rc;
}

/* The first window byte in [from, n) behind a line end where a whole head stands that says what its record is and how long; n when there is
 * none. from >= 1. */
static size_t find_head(const WarcReader *r, size_t from, size_t n)
{
    Span v = stream_view(r->s);
    WarcHead h;

    for (size_t at = from - 1; at < n;) {
        const uint8_t *p = memchr(v.p + at, '\n', n - at);
        if (!p) break;
        at = (size_t)(p - v.p) + 1;
        if (at < n && record_head(span_from(v, at), &h) == WARC_HEAD_FINE && h.is_arc == r->arc && h.has_length &&
            h.type != WARC_UNKNOWN)
            return at;
    }
    return n;
}

/* A block beyond WARC_MAX_BLOCK: dropped as it streams by. A member that starts with a record ends it early, and so does a whole head of a
 * record at the start of a line: one wrong length must not swallow an archive that lies in one member or comes through a pipe, where nobody can
 * look whether the block ends well and come back. The price is that an archive inside of a giant's payload, stored as it is, reads as if it
 * were part of the archive around it. */
static ErrCode skip_large(WarcReader *r, WarcRecord *rec, const WarcHead *h, Err *err)
{
    const uint64_t total = h->head_bytes + h->length;
    const size_t head_bytes = h->head_bytes;
    ErrCode rc;

    if (total > stream_plain_left(r->s)) { /* the length is wrong or the file is cut */
        rc = malformed(r, rec, 1, INGEST_WARC_MALFORMED, err);
        if (rc == ERR_OK && stream_at_end(r->s)) rec->reason = INGEST_TRUNCATED;
        return rc;
    }
    rec->reason = INGEST_TOO_LARGE;
    while (rec->bytes < total) {
        if ((rc = stream_need(r->s, STREAM_STEP + WARC_MAX_HEAD, err)) != ERR_OK) return rc;
        const size_t n = stream_view(r->s).n, from = rec->bytes < head_bytes ? head_bytes - (size_t)rec->bytes : 1;
        if (n == 0) return malformed(r, rec, 0, INGEST_TRUNCATED, err);
        size_t step = n > WARC_MAX_HEAD ? n - WARC_MAX_HEAD : n; /* a head that starts before is whole */
        const bool last = step >= total - rec->bytes;
        if (last) step = (size_t)(total - rec->bytes);
        const size_t member = stream_next_member(r->s, rec->bytes == 0, step); /* the first one is its own */
        const size_t end = member < step ? member : last || step == n ? step : step + 1;
        const size_t at = find_head(r, from, end);
        const bool early = at < end || member < step;
        if (early) rec->reason = INGEST_WARC_MALFORMED;
        stream_skip(r->s, early ? at : step);
        rec->bytes += early ? at : step;
        if (early) return ERR_OK;
    }
    return ERR_OK;
}

/* Whether the block that ends at window byte `at` ends where a block may: before two line ends, whatever is behind them, or before the next
 * record or member. */
static bool ends_well(const WarcReader *r, size_t at)
{
    Span v = stream_view(r->s), rest = span_from(v, at);
    size_t tail = at;

    if (span_starts(rest, SPAN_LIT("\r\n\r\n")) && !r->arc) return true;
    while (tail < v.n && tail - at < WARC_MAX_TAIL && (v.p[tail] == '\r' || v.p[tail] == '\n')) tail++;
    return tail == v.n || starts_record(r, span_from(v, tail)) || stream_is_member_start(r->s, tail);
}

/* The record takes the window's first `total` bytes. */
static void accept(WarcReader *r, WarcRecord *rec, const WarcHead *h, size_t block_bytes, size_t total)
{
    Span v = stream_view(r->s);

    rec->type = h->type;
    rec->head = span(v.p, h->head_bytes);
    rec->block = span(v.p + h->head_bytes, block_bytes);
    rec->bytes = total;
    r->skip = total;
}

/* A record whose length is wrong: its block goes to where the next record starts, without the two line ends, if that is in sight. The whole of
 * a crawl can be off by two bytes (Common Crawl's of 2018-34 was, by a line end too many). In sight is STREAM_STEP behind the length, however much
 * more is in the window: where reading began and how the archive is packed must decide nothing. */
static ErrCode mend(WarcReader *r, WarcRecord *rec, const WarcHead *h, size_t total, Err *err)
{
    const size_t sight = total + STREAM_STEP;
    ErrCode rc = stream_need(r->s, sight + ARC_MAX_LINE, err); /* so that a record's first line is whole */
    Span v = stream_view(r->s);
    size_t n = v.n < sight ? v.n : sight, at, end;

    if (rc != ERR_OK) return rc;
    at = end = find_record(r, h->head_bytes, n);
    bool at_end = at == n && n < sight; /* the input ends there, or breaks */
    if (at_end && stream_break(r->s, NULL) != STREAM_FINE)
        return malformed(r, rec, h->head_bytes,
                         v.n < total ? reason_of(stream_break(r->s, NULL)) : INGEST_WARC_MALFORMED, err);
    if (at_end && v.n < total) return malformed(r, rec, h->head_bytes, INGEST_TRUNCATED, err);
    for (int i = 0; i < (r->arc ? 1 : 2) && end > h->head_bytes && v.p[end - 1] == '\n'; i++)
        end -= end - 1 > h->head_bytes && v.p[end - 2] == '\r' ? 2 : 1;
    if ((at == n && !at_end) || end == h->head_bytes || end - h->head_bytes > WARC_MAX_BLOCK)
        return malformed(r, rec, h->head_bytes, INGEST_WARC_MALFORMED, err);
    accept(r, rec, h, end - h->head_bytes, at);
    rec->mended = true;
    return ERR_OK;
}

/* The record at the window's start is the last of a member that breaks behind it, at its checksum as a rule: its bytes are all there, and nobody
 * says that they are what they were. */
static bool is_doubtful(const WarcReader *r, const WarcRecord *rec, size_t total)
{
    uint64_t stored;
    StreamBreak brk = stream_break(r->s, &stored);
    size_t n = stream_view(r->s).n;

    return (brk == STREAM_CORRUPT || brk == STREAM_CUT) && stored == rec->stored && find_record(r, total, n) == n;
}

static ErrCode read_record(WarcReader *r, WarcRecord *rec, const WarcHead *h, Err *err)
{
    size_t total = h->head_bytes + (size_t)h->length;
    ErrCode rc = stream_need(r->s, total + WARC_MAX_TAIL + (r->arc ? ARC_MAX_LINE : 8), err);
    Span v = stream_view(r->s);

    if (rc != ERR_OK) return rc;
    if (v.n < total || stream_next_member(r->s, h->head_bytes, total) < total || !ends_well(r, total))
        return mend(r, rec, h, total, err);
    if (is_doubtful(r, rec, total)) return malformed(r, rec, h->head_bytes, INGEST_GZIP_CORRUPT, err);
    accept(r, rec, h, (size_t)h->length, total);
    return ERR_OK;
}

/* Drops the line ends before a record. Too many NULs or line ends are junk like any other. */
static ErrCode skip_blank(WarcReader *r, Err *err)
{
    for (;;) {
        ErrCode rc = stream_need(r->s, WARC_MAX_HEAD, err);
        Span v = stream_view(r->s);
        size_t n = 0;

        while (n < v.n && (v.p[n] == '\r' || v.p[n] == '\n')) n++;
        stream_skip(r->s, n);
        if (rc != ERR_OK || n == 0) return rc; /* else once more: a whole head must be in sight */
    }
}

/* Whether a reader entered in front of the window would start here, at the latest: records from here on are the next slice's. Up to there,
 * whatever it is, all is this one's: members that break or start inside of a record are no place to enter. */
static ErrCode is_entry(const WarcReader *r, bool *entry, Err *err)
{
    *entry = starts_record(r, stream_view(r->s));
    return stream_coding(r->s) == STREAM_PLAIN ? ERR_OK : stream_is_entry(r->s, entry, err);
}

static ErrCode after_head(WarcReader *r, WarcRecord *rec, const WarcHead *h, Err *err)
{
    if (stream_next_member(r->s, 1, h->head_bytes) < h->head_bytes)
        return malformed(r, rec, 1, INGEST_WARC_MALFORMED, err);
    if (!h->has_length || h->length > UINT64_MAX - h->head_bytes)
        return malformed(r, rec, h->head_bytes, INGEST_WARC_MALFORMED, err);
    if (h->length > WARC_MAX_BLOCK) return skip_large(r, rec, h, err);
    return read_record(r, rec, h, err);
}

ErrCode warc_next(WarcReader *r, WarcRecord *rec, bool *more, Err *err)
{
    uint64_t nobody = 0;
    bool entry;
    WarcHead h;
    ErrCode rc;

    *rec = (WarcRecord){.reason = INGEST_N_REASONS};
    *more = false;
    stream_skip(r->s, r->skip);
    r->skip = 0;
    if (r->mid) {
        r->mid = false;
        if ((rc = drop_to_record(r, 0, &nobody, err)) != ERR_OK) return rc;
    }
    if ((rc = skip_blank(r, err)) != ERR_OK) return rc;
    Span v = stream_view(r->s);
    if (v.n == 0 && stream_at_end(r->s)) return ERR_OK;
    stream_where(r->s, 0, &rec->stored, &rec->inner);
    if (rec->stored >= r->end && ((rc = is_entry(r, &entry, err)) != ERR_OK || entry)) return rc;
    *more = true;
    if (v.n == 0) return broken_member(r, rec, err);
    switch (r->arc ? arc_head(v, &h) : warc_head(v, &h)) {
    case WARC_HEAD_BAD: return malformed(r, rec, 1, INGEST_WARC_MALFORMED, err);
    case WARC_HEAD_CUT: return malformed(r, rec, 1, INGEST_TRUNCATED, err);
    case WARC_HEAD_FINE: break;
    }
    rc = after_head(r, rec, &h, err);
    /* The block of an ARC's first record describes the file, and writers counted its lines in several ways. */
    if (h.is_arc && h.type == WARC_INFO && rec->reason == INGEST_WARC_MALFORMED) rec->reason = INGEST_WARCINFO;
    return rc;
}
