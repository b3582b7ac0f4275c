/* Streams in pieces, out of memory and out of a file, against the same bytes in one Buf each. */
#include "core/buf.h"
#include "core/hash.h"
#include "core/spool.h"
#include "core/store_fault.h"
#include "tests/check.h"

#include <errno.h>

enum { STREAMS = 5, PUTS = 400 };

typedef struct {
    Span want; /* what has not come yet */
    size_t largest;
} Expected;

static ErrCode take_piece(void *ctx, Span piece, Err *err)
{
    Expected *e = ctx;

    (void)err;
    CHECK(piece.n > 0 && piece.n <= e->want.n);
    if (piece.n > e->want.n) return ERR_OK;
    CHECK(span_eq(span(e->want.p, piece.n), piece));
    e->want = span_from(e->want, piece.n);
    if (piece.n > e->largest) e->largest = piece.n;
    return ERR_OK;
}

static void put_all(Spool *s, Buf *want, size_t room)
{
    uint64_t h = 1;
    Err err;

    for (int i = 0; i < PUTS; i++) {
        uint8_t bytes[3000];
        h = mix64(h + 1);
        uint32_t stream = (uint32_t)(h % (STREAMS - 1)); /* the last stays empty */
        size_t n = (h >> 8) % (h >> 60 ? 40 : sizeof bytes);
        for (size_t k = 0; k < n; k++) bytes[k] = (uint8_t)(h >> (k % 50));
        buf_put(&want[stream], bytes, n);
        CHECK_OK(spool_put(s, stream, span(bytes, n), &err), &err);
        /* tails, the chunks' places in arrays that double, the table of streams */
        CHECK(spool_held_bytes(s) <=
              STREAMS * ((room < 256 ? 256 : room) + 16 * (sizeof bytes * PUTS / room + 16) + 64));
    }
}

TEST(a_spool_gives_back_what_was_put)
{
    static const size_t rooms[] = {1, 2, 3, 64, 100, 4096, 1 << 20, SIZE_MAX / 4};

    for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++) {
        Buf want[STREAMS] = {{0}};
        Spool *s;
        Err err;
        CHECK_OK(spool_new(&s, STREAMS, rooms[r], check_tmpdir(), "a spool", &err), &err);
        put_all(s, want, rooms[r]);
        for (uint32_t i = 0; i < STREAMS; i++) {
            CHECK_INT(want[i].n, spool_bytes(s, i));
            for (int again = 0; again < 2; again++) {
                Expected e = {.want = buf_span(&want[i])};
                CHECK_OK(spool_each(s, i, take_piece, &e, &err), &err);
                CHECK_INT(0, e.want.n);
                CHECK(e.largest <= rooms[r]);
            }
            buf_clear(&want[i]);
        }
        spool_free(s);
    }
}

static ErrCode refuse(void *ctx, Span piece, Err *err)
{
    (void)piece;
    return --*(int *)ctx ? ERR_OK : err_set(err, ERR_DATA, "enough");
}

TEST(a_spool_stops_at_the_first_failure)
{
    int n = 3;
    Spool *s;
    Err err;

    CHECK_OK(spool_new(&s, 1, 4, check_tmpdir(), "a spool", &err), &err);
    CHECK_OK(spool_put(s, 0, SPAN_LIT("more than four, more than eight, more"), &err), &err);
    CHECK_INT(ERR_DATA, spool_each(s, 0, refuse, &n, &err));
    CHECK_INT(0, n);
    store_fault_arm(1, ENOSPC, true);
    CHECK_INT(ERR_SYS, spool_put(s, 0, SPAN_LIT("no room"), &err));
    store_fault_arm(0, 0, false);
    spool_free(s);
}
