#include "core/bytestream.h"

#include "core/gzip_in.h"
#include "core/log.h"
#include "core/lz4_in.h"
#include "core/zstd_in.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Where a member (zstd, LZ4: a frame) starts: `pos` counts decompressed bytes from the stream's start. */
typedef struct {
    uint64_t pos, stored;
} Member;

struct ByteStream {
    InFile *file; /* NULL: `bytes` are read, or standard input */
    Span bytes;
    uint64_t base; /* of them in their file: what callers see of stored places */
    bool is_stdin; /* its `size` is UINT64_MAX until its end is seen */
    bool soon;     /* of standard input: what is there is enough, unless it is compressed */
    StreamCoding coding;
    bool warc, arc;

    uint8_t *stored; /* stored bytes [stored_at, stored_at + stored_n) of the file; used_n of them are done */
    size_t stored_cap, stored_n, used_n;
    uint64_t stored_at, size;

    Buf out; /* decompressed; the window is [out_at, out.n) */
    size_t out_at;
    uint64_t out_pos; /* position of out.p[0] in the decompressed stream */

    Member *member; /* sorted; first_member is the last one at or before the window */
    size_t n_members, cap_members, first_member;
    size_t dull_from, dull_end; /* members [dull_from, dull_end) are known not to read "WARC/" */

    bool in_member; /* a member is half decompressed by steps */
    uint64_t member_in, member_out;
    StreamBreak brk;
    uint64_t begin;        /* stored: where the stream was entered, */
    uint64_t furthest;     /* how far members that broke were read */
    uint64_t broken_bytes; /* and how much was read for them in all */
    GzipIn *gzip;          /* of these the one that `coding` names */
    ZstdIn *zstd;
    Lz4In *lz4;
};

static uint64_t stored_pos(const ByteStream *s) { return s->stored_at + s->used_n; }
static Span stored_view(const ByteStream *s) { return span(s->stored + s->used_n, s->stored_n - s->used_n); }

/* It begins as something packed does, as far as it goes (coding_of()). */
static bool may_be_packed(Span v)
{
    static const uint8_t magic[][4] = {
        {0x1f, 0x8b}, {0x28, 0xb5, 0x2f, 0xfd}, {0x50, 0x2a, 0x4d, 0x18}, {0x04, 0x22, 0x4d, 0x18}};
    static const uint8_t mask[] = {0xff, 0xff, 0xf0, 0xff}; /* of the first byte */

    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        const size_t size = i == 0 ? 2 : 4, n = v.n < size ? v.n : size;
        if (n == 0 || ((v.p[0] & mask[i]) == magic[i][0] && memcmp(v.p + 1, magic[i] + 1, n - 1) == 0)) return true;
    }
    return false;
}

/* Appends n stored bytes; fewer at the end of standard input, or where some are enough. */
static ErrCode refill_stdin(ByteStream *s, size_t n, Err *err)
{
    while (n) {
        ssize_t got = read(STDIN_FILENO, s->stored + s->stored_n, n);
        if (got < 0 && errno == EINTR) {
            if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
            continue;
        }
        if (got < 0) return err_sys(err, "cannot read standard input");
        if (got == 0) {
            s->size = s->stored_at + s->stored_n;
            break;
        }
        s->stored_n += (size_t)got;
        n -= (size_t)got;
        if (s->soon && (s->stored_at || !may_be_packed(span(s->stored, s->stored_n)))) break;
    }
    return ERR_OK;
}

/* Tops the stored window up when less than half of it is left. */
static ErrCode refill(ByteStream *s, Err *err)
{
    size_t left = s->stored_n - s->used_n;
    ErrCode rc;

    if ((left && (s->soon || left >= s->stored_cap / 2)) || s->stored_at + s->stored_n == s->size) return ERR_OK;
    memmove(s->stored, s->stored + s->used_n, left);
    s->stored_at += s->used_n;
    s->used_n = 0;
    s->stored_n = left;
    if (s->is_stdin) return refill_stdin(s, s->stored_cap - left, err);
    uint64_t rest = s->size - s->stored_at - left;
    size_t n = rest < s->stored_cap - left ? (size_t)rest : s->stored_cap - left;
    if (s->file && (rc = infile_read(s->file, s->stored_at + left, s->stored + left, n, err)) != ERR_OK) return rc;
    if (!s->file) memcpy(s->stored + left, s->bytes.p + s->stored_at + left, n);
    s->stored_n += n;
    return ERR_OK;
}

/* Moves the stored window to `to`. */
static ErrCode seek_stored(ByteStream *s, uint64_t to, Err *err)
{
    if (to >= s->stored_at && to <= s->stored_at + s->stored_n) {
        s->used_n = (size_t)(to - s->stored_at);
    } else {
        s->stored_at = to < s->size ? to : s->size;
        s->stored_n = s->used_n = 0;
    }
    return refill(s, err);
}

/* What an archive's record starts with: "WARC/", or the URL of an ARC. So many bytes tell. */
enum { MAX_SCHEME = 16, MARK_BYTES = MAX_SCHEME + 3 };

bool stream_starts_url(Span s, bool *cut)
{
    static const char *const alone[] = {"dns:", "whois:", "mailto:"}; /* schemes of ARCs without // behind them */
    size_t n = 0;

    if (s.n && !ascii_is_alpha(s.p[0])) return *cut = false;
    while (n < s.n && n < MAX_SCHEME && (ascii_is_alnum(s.p[n]) || s.p[n] == '+' || s.p[n] == '-' || s.p[n] == '.'))
        n++;
    *cut = n == s.n;
    if (*cut || s.p[n] != ':') return false;
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++)
        if (span_eq_nocase(span(s.p, n + 1), span_str(alone[i]))) return true;
    const Span rest = span_from(s, n + 1);
    *cut = rest.n < 2 && span_starts(SPAN_LIT("//"), rest);
    return span_starts(rest, SPAN_LIT("//"));
}

static bool starts_warc(Span v) { return span_starts(v, SPAN_LIT("WARC/")); }
static bool starts_arc(Span v)
{
    bool cut;
    return stream_starts_url(v, &cut);
}
static bool starts_record(const ByteStream *s, Span v) { return s->arc ? starts_arc(v) : starts_warc(v); }

/* The first bytes of what a member at `v` holds: *n of them, 0 when there is none. *cost: the stored bytes it took to say so, which are bounded,
 * but for zstd not by a little. */
static ErrCode peek(ByteStream *s, Span v, uint8_t out[MARK_BYTES], size_t *n, size_t *cost, Err *err)
{
    ErrCode rc = ERR_OK;

    *n = *cost = 0;
    switch (s->coding) {
    case STREAM_GZIP: rc = gzipin_peek(s->gzip, v, out, MARK_BYTES, n, err); break;
    case STREAM_ZSTD: rc = zstdin_peek(s->zstd, v, out, MARK_BYTES, n, cost, err); break;
    case STREAM_LZ4: *n = lz4in_peek(v, out, MARK_BYTES); break;
    case STREAM_PLAIN:
        *n = v.n < MARK_BYTES ? v.n : MARK_BYTES;
        if (*n) memcpy(out, v.p, *n);
        break;
    }
    return rc;
}

static int first_byte(const ByteStream *s)
{
    return s->coding == STREAM_GZIP ? 0x1f : s->coding == STREAM_ZSTD ? 0x28 : 0x04;
}

/* What the archive is, by its first member; where that is neither's (a line end, damage), by the first one behind it that is. The stored window
 * is at its start, and what is in its first half decides, wherever the stream will be entered. */
static ErrCode tell_arc(ByteStream *s, Err *err)
{
    const Span all = stored_view(s);
    size_t at = 0, n, cost;
    uint8_t head[MARK_BYTES];
    ErrCode rc;

    while ((rc = peek(s, span_from(all, at), head, &n, &cost, err)) == ERR_OK) {
        s->arc = starts_arc(span(head, n));
        if (s->arc || starts_warc(span(head, n)) || s->coding == STREAM_PLAIN) break;
        at += 1 + cost / STREAM_REREAD;
        const uint8_t *p = at < all.n ? memchr(all.p + at, first_byte(s), all.n - at) : NULL;
        if (!p || (at = (size_t)(p - all.p)) > STREAM_STORED_WINDOW / 2) break;
    }
    return rc;
}

/* The next stored place at or after `from` where a member starts with a record, or the end. Members that are none are
 * looked at again behind a share of what they cost, so that headers made to look like many cost no more than a few times
 * the file. */
static ErrCode find_member(ByteStream *s, uint64_t from, Err *err)
{
    const int first = first_byte(s);
    ErrCode rc = seek_stored(s, from, err);

    while (rc == ERR_OK && s->used_n < s->stored_n) {
        uint8_t head[MARK_BYTES];
        size_t n, cost;
        Span v = stored_view(s);
        const uint8_t *p = memchr(v.p, first, v.n);
        s->used_n += p ? (size_t)(p - v.p) : v.n;
        if ((rc = refill(s, err)) != ERR_OK || !p) continue; /* a peek needs what is behind the header too */
        if ((rc = peek(s, stored_view(s), head, &n, &cost, err)) != ERR_OK || starts_record(s, span(head, n)))
            return rc;
        s->used_n += 1 + cost / STREAM_REREAD;
    }
    return rc;
}

static ErrCode note_member(ByteStream *s, Err *err)
{
    Member *room = array_grow(s->member, s->n_members, &s->cap_members, sizeof *room);

    if (!room) return err_nomem(err, "an input's members");
    s->member = room;
    s->member[s->n_members++] = (Member){s->out_pos + s->out.n, stored_pos(s)};
    s->in_member = false;
    s->member_in = s->member_out = 0;
    return ERR_OK;
}

/* Takes n_in stored bytes for n_out bytes at the end of the window; a member that gives too much becomes a break. */
static void account(ByteStream *s, size_t n_in, size_t n_out)
{
    s->used_n += n_in;
    s->out.n += n_out;
    s->member_in += n_in;
    s->member_out += n_out;
    /* Lines are bounded one by one, and corpora of near-duplicates compress this well honestly. */
    if (s->warc && s->member_out > STREAM_BOMB_BYTES && s->member_out / STREAM_BOMB_RATIO > s->member_in)
        s->brk = STREAM_BOMB;
}

/* Zero bytes up to the end of a file are padding (tapes, preallocated files), not a member. */
static bool only_padding(Span v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] != 0) return false;
    return true;
}

/* Begins a member; a gzip member that lies whole in the window is done at once. */
static ErrCode member_start(ByteStream *s, Err *err)
{
    Span v = stored_view(s);
    size_t n_in, n_out, room = STREAM_WHOLE_MEMBER;
    ErrCode rc;

    if (v.n && v.p[0] == 0 && s->stored_at + s->stored_n == s->size && only_padding(v)) {
        s->used_n = s->stored_n;
        return ERR_OK;
    }
    if ((rc = note_member(s, err)) != ERR_OK) return rc;
    s->in_member = true;
    switch (s->coding) {
    case STREAM_GZIP:
        /* deflate's best is 1:1032: what is at hand cannot give more. */
        if (v.n < STREAM_WHOLE_MEMBER / 1032) room = v.n * 1032 + 64;
        if (!buf_reserve(&s->out, room)) return err_nomem(err, "a gzip member");
        if (gzipin_whole(s->gzip, v, s->out.p + s->out.n, room, &n_in, &n_out)) {
            s->in_member = false;
            account(s, n_in, n_out);
        } else {
            gzipin_begin(s->gzip);
        }
        break;
    case STREAM_ZSTD: zstdin_begin(s->zstd); break;
    case STREAM_LZ4: lz4in_begin(s->lz4); break;
    case STREAM_PLAIN: break;
    }
    return ERR_OK;
}

static MemberStep step(ByteStream *s, size_t *n_in, size_t *n_out)
{
    Span v = stored_view(s);
    uint8_t *out = s->out.p + s->out.n;

    if (s->coding == STREAM_GZIP) return gzipin_step(s->gzip, v, out, STREAM_STEP, n_in, n_out);
    if (s->coding == STREAM_ZSTD) return zstdin_step(s->zstd, v, out, STREAM_STEP, n_in, n_out);
    return lz4in_step(s->lz4, v, out, STREAM_STEP, n_in, n_out);
}

static ErrCode member_more(ByteStream *s, Err *err)
{
    size_t n_in, n_out;

    if (!s->in_member) return member_start(s, err);
    if (!buf_reserve(&s->out, STREAM_STEP)) return err_nomem(err, "a packed input");
    switch (step(s, &n_in, &n_out)) {
    case MEMBER_NO_MEMORY: return err_nomem(err, "a reader of packed input");
    case MEMBER_BAD: s->brk = STREAM_CORRUPT; break;
    case MEMBER_END: s->in_member = false; break;
    case MEMBER_MORE:
        if (n_in == 0 && n_out == 0) s->brk = STREAM_CUT;
        break;
    }
    account(s, n_in, n_out);
    return ERR_OK;
}

static ErrCode plain_more(ByteStream *s, Err *err)
{
    Span v = stored_view(s);

    buf_put_span(&s->out, v);
    s->used_n += v.n;
    return buf_ok(&s->out, "an input", err);
}

/* All stored bytes are used and no decoder holds any back. */
static bool stored_done(const ByteStream *s)
{
    return s->used_n == s->stored_n && s->stored_at + s->stored_n == s->size && !s->in_member;
}

/* Makes room: the bytes before the window go, and with them the members that end before it. */
static void compact(ByteStream *s)
{
    if (s->out_at < s->out.n - s->out_at) return;
    memmove(s->out.p, s->out.p + s->out_at, s->out.n - s->out_at);
    s->out_pos += s->out_at;
    s->out.n -= s->out_at;
    s->out_at = 0;
    if (s->first_member) {
        memmove(s->member, s->member + s->first_member, (s->n_members - s->first_member) * sizeof *s->member);
        s->n_members -= s->first_member;
        s->dull_from -= s->dull_from < s->first_member ? s->dull_from : s->first_member;
        s->dull_end -= s->dull_end < s->first_member ? s->dull_end : s->first_member;
        s->first_member = 0;
    }
}

ErrCode stream_need(ByteStream *s, size_t n, Err *err)
{
    ErrCode rc = ERR_OK;

    while (s->out.n - s->out_at < n && s->brk == STREAM_FINE && rc == ERR_OK) {
        if (s->out_at) compact(s);
        if ((rc = refill(s, err)) != ERR_OK || stored_done(s)) break;
        rc = s->coding == STREAM_PLAIN ? plain_more(s, err) : member_more(s, err);
    }
    return rc;
}

Span stream_view(const ByteStream *s)
{
    return s->out.p ? span(s->out.p + s->out_at, s->out.n - s->out_at) : (Span){NULL, 0};
}

void stream_skip(ByteStream *s, size_t n)
{
    s->out_at += n;
    while (s->first_member + 1 < s->n_members && s->member[s->first_member + 1].pos <= s->out_pos + s->out_at)
        s->first_member++;
}

StreamBreak stream_break(const ByteStream *s, uint64_t *stored)
{
    if (stored) *stored = s->base + (s->n_members ? s->member[s->n_members - 1].stored : 0);
    return s->brk;
}

/* Where the search for the next member starts after one that broke: behind its header, or behind all that was read where
 * the member is fine but too large, or where reading again has cost enough. */
static uint64_t after_break(ByteStream *s, uint64_t member, StreamBreak brk)
{
    uint64_t read_to = stored_pos(s);

    s->broken_bytes += read_to - member;
    if (read_to > s->furthest) s->furthest = read_to;
    return brk == STREAM_BOMB || s->broken_bytes / STREAM_REREAD > s->furthest - s->begin ? s->furthest : member + 1;
}

ErrCode stream_pass(ByteStream *s, Err *err)
{
    uint64_t at;
    StreamBreak brk = stream_break(s, &at);

    at -= s->base;
    s->brk = STREAM_FINE;
    s->in_member = false;
    if (s->warc && s->coding != STREAM_PLAIN) {
        uint64_t from = after_break(s, at, brk);
        if (s->is_stdin && from < s->stored_at) from = s->stored_at; /* what is gone is gone */
        return find_member(s, from, err);
    }
    if (s->is_stdin) s->size = s->stored_at + s->stored_n;
    return seek_stored(s, s->size, err);
}

bool stream_at_end(const ByteStream *s) { return s->out_at == s->out.n && s->brk == STREAM_FINE && stored_done(s); }

/* The last member that starts at or before decompressed position pos. */
static const Member *member_at(const ByteStream *s, uint64_t pos)
{
    size_t lo = s->first_member, hi = s->n_members;

    while (lo + 1 < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->member[mid].pos <= pos)
            lo = mid;
        else
            hi = mid;
    }
    return &s->member[lo];
}

void stream_where(const ByteStream *s, size_t at, uint64_t *stored, uint64_t *inner)
{
    uint64_t pos = s->out_pos + s->out_at + at;

    *inner = 0;
    if (s->coding == STREAM_PLAIN) {
        *stored = pos;
    } else if (s->n_members == 0) {
        *stored = stored_pos(s);
    } else {
        const Member *m = member_at(s, pos);
        *stored = m->stored;
        *inner = pos - m->pos;
    }
    *stored += s->base;
}

size_t stream_next_member(ByteStream *s, size_t from, size_t end)
{
    Span v = stream_view(s);
    uint64_t base = s->out_pos + s->out_at;

    if (s->n_members == 0) return end;
    size_t m = (size_t)(member_at(s, base + from) - s->member);
    m += s->member[m].pos < base + from;
    if (m < s->dull_from || m > s->dull_end) s->dull_from = s->dull_end = m;
    for (m = s->dull_end; m < s->n_members; m++) {
        size_t at = (size_t)(s->member[m].pos - base);
        if (at >= end) break;
        if (starts_record(s, span_from(v, at))) return at;
        if (v.n - at >= MARK_BYTES) s->dull_end = m + 1; /* else it may yet become one */
    }
    return end;
}

bool stream_is_member_start(const ByteStream *s, size_t at)
{
    uint64_t pos = s->out_pos + s->out_at + at;

    return s->n_members && member_at(s, pos)->pos == pos;
}

ErrCode stream_is_entry(ByteStream *s, bool *entry, Err *err)
{
    enum { MOST = ZSTDIN_PEEK_BYTES }; /* no other coding looks at as much */
    uint8_t head[MARK_BYTES];
    size_t n, cost;
    Buf again = {0};
    ErrCode rc = ERR_OK;

    *entry = false;
    if (s->is_stdin || !stream_is_member_start(s, 0)) return ERR_OK;
    const uint64_t at = member_at(s, s->out_pos + s->out_at)->stored, left = s->size - at;
    const size_t want = left < MOST ? (size_t)left : MOST;
    Span v = span(NULL, 0);
    if (!s->file) {
        v = span(s->bytes.p + at, want);
    } else if (at >= s->stored_at && at + want <= s->stored_at + s->stored_n) {
        v = span(s->stored + (at - s->stored_at), want);
    } else if (!buf_reserve(&again, want)) {
        return err_nomem(err, "an input");
    } else {
        rc = infile_read(s->file, at, again.p, want, err);
        v = span(again.p, want);
    }
    if (rc == ERR_OK) rc = peek(s, v, head, &n, &cost, err);
    *entry = rc == ERR_OK && starts_record(s, span(head, n));
    buf_clear(&again);
    return rc;
}

StreamCoding stream_coding_of(Span head)
{
    if (head.n >= 2 && head.p[0] == 0x1f && head.p[1] == 0x8b) return STREAM_GZIP;
    if (zstdin_is_magic(head)) return STREAM_ZSTD;
    if (head.n >= 4 && le32_get(head.p) == LZ4_MAGIC) return STREAM_LZ4;
    return STREAM_PLAIN;
}

/* The dictionary of a WARC, where the file starts with its frame. Whatever is not well with it shows in the frames that need it. */
static ErrCode take_dictionary(ByteStream *s, Err *err)
{
    Span v = stored_view(s);
    Buf content = {0};
    bool taken;
    ErrCode rc = ERR_OK;

    if (v.n < ZSTDIN_SKIPPABLE_HEADER || le32_get(v.p) != ZSTDIN_DICTIONARY_FRAME) return ERR_OK;
    size_t left = le32_get(v.p + 4);
    if (left > ZSTDIN_MAX_DICTIONARY) return ERR_OK; /* skipped like any other */
    s->used_n += ZSTDIN_SKIPPABLE_HEADER;
    while (rc == ERR_OK && left && !content.oom && s->used_n < s->stored_n) {
        v = stored_view(s);
        if (v.n > left) v.n = left;
        buf_put_span(&content, v);
        s->used_n += v.n;
        left -= v.n;
        rc = refill(s, err);
    }
    if (rc == ERR_OK) rc = buf_ok(&content, "a zstd dictionary", err);
    if (rc == ERR_OK && left == 0) rc = zstdin_dictionary(s->zstd, buf_span(&content), &taken, err);
    if (rc == ERR_OK && left) { /* cut inside of it: a break with nothing before it */
        s->brk = STREAM_CUT;
        s->in_member = true;
    }
    buf_clear(&content);
    return rc;
}

static ErrCode new_decoder(ByteStream *s, Err *err)
{
    switch (s->coding) {
    case STREAM_GZIP: return gzipin_new(&s->gzip, err);
    case STREAM_LZ4: return lz4in_new(&s->lz4, err);
    case STREAM_ZSTD: {
        ErrCode rc = zstdin_new(&s->zstd, err);
        return rc == ERR_OK ? take_dictionary(s, err) : rc;
    }
    case STREAM_PLAIN: break;
    }
    return ERR_OK;
}

/* Opens over s->file or s->bytes, of which s->size is set; takes s. */
static ErrCode start(ByteStream **out, ByteStream *s, uint64_t begin, Err *err)
{
    ErrCode rc = ERR_OK;

    s->begin = begin < s->size ? begin : s->size;
    s->stored_cap = s->size < STREAM_STORED_WINDOW ? (size_t)s->size : STREAM_STORED_WINDOW;
    s->stored = malloc(s->stored_cap + 1);
    rc = s->stored ? refill(s, err) : err_nomem(err, "an input");
    if (rc == ERR_OK) {
        s->coding = stream_coding_of(stored_view(s));
        rc = new_decoder(s, err);
    }
    if (rc == ERR_OK && s->warc) rc = tell_arc(s, err);
    if (rc == ERR_OK && begin > 0) {
        rc = s->coding != STREAM_PLAIN ? find_member(s, begin, err) : seek_stored(s, begin - 1, err);
        if (s->coding == STREAM_PLAIN) s->out_pos = begin - 1 < s->size ? begin - 1 : s->size;
    }
    if (rc != ERR_OK)
        stream_close(s);
    else
        *out = s;
    return rc;
}

ErrCode stream_open(ByteStream **out, const char *path, uint64_t begin, bool warc, Err *err)
{
    ByteStream *s = calloc(1, sizeof *s);
    ErrCode rc;

    *out = NULL;
    if (!s) return err_nomem(err, "an input");
    s->warc = warc;
    if ((rc = infile_open(&s->file, path, err)) != ERR_OK) {
        stream_close(s);
        return rc;
    }
    s->size = infile_size(s->file);
    return start(out, s, begin, err);
}

ErrCode stream_open_stdin(ByteStream **out, bool soon, bool warc, Err *err)
{
    ByteStream *s = calloc(1, sizeof *s);

    *out = NULL;
    if (!s) return err_nomem(err, "an input");
    s->is_stdin = true;
    s->warc = warc;
    s->soon = soon;
    s->size = UINT64_MAX;
    return start(out, s, 0, err);
}

ErrCode stream_open_bytes(ByteStream **out, Span bytes, uint64_t begin, bool warc, Err *err)
{
    ByteStream *s = calloc(1, sizeof *s);

    *out = NULL;
    if (!s) return err_nomem(err, "an input");
    s->warc = warc;
    s->bytes = bytes;
    s->size = bytes.n;
    return start(out, s, begin, err);
}

ErrCode stream_open_range(ByteStream **out, Span bytes, uint64_t base, bool warc, Err *err)
{
    ErrCode rc = stream_open_bytes(out, bytes, 0, warc, err);

    if (rc == ERR_OK) (*out)->base = base;
    return rc;
}

void stream_close(ByteStream *s)
{
    if (!s) return;
    if (s->file) infile_close(s->file);
    gzipin_free(s->gzip);
    zstdin_free(s->zstd);
    lz4in_free(s->lz4);
    free(s->stored);
    free(s->member);
    buf_clear(&s->out);
    free(s);
}

uint64_t stream_plain_left(const ByteStream *s)
{
    return s->coding == STREAM_PLAIN ? s->size - (s->out_pos + s->out_at) : UINT64_MAX;
}

StreamCoding stream_coding(const ByteStream *s) { return s->coding; }

bool stream_is_arc(const ByteStream *s) { return s->arc; }
