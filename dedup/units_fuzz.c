/* Arbitrary text as units of every kind: they lie in order and share out its tokens; and what is left when some are cut has the tokens
 * that were not cut, in the same order. The first byte chooses the kind, the next two what is cut. */
#include "dedup/units.h"

#include "core/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* Units lie apart, in order, and each has the tokens that begin in it, one after the other. */
static void check_units(const UnitText *u, UnitKind kind, Span text)
{
    size_t tok = 0;

    for (size_t i = 0; i < u->n; i++) {
        const Unit *unit = &u->unit[i];
        must(unit->begin < unit->end && unit->end <= text.n && unit->tok == tok);
        must(kind == UNIT_TOKEN || i == 0 ||
             u->unit[i - 1].end <= unit->begin); /* several tokens may be of one character */
        for (size_t k = 0; k < unit->n_tok; k++, tok++)
            must(u->key.tok[tok].begin >= unit->begin && u->key.tok[tok].end <= unit->end);
        must(units_words(u, unit->tok, unit->n_tok) <= unit->n_tok);
    }
    must(tok == u->key.n_tok);
}

static bool same_tokens(const UnitText *a, size_t from_a, const UnitText *b, size_t from_b, size_t n)
{
    return n == 0 || hash128_eq(units_hash(a, from_a, n), units_hash(b, from_b, n));
}

/* Of what was cut the first and the last tokens may have stayed. */
static void check_cut(const UnitText *u, UnitKind kind, Span text, UnitRange r)
{
    UnitRange gone = r;
    const UnitRange bytes = units_cut(u, text, &gone);
    UnitText left = {0};
    Buf b = {0};
    Err err;

    must(bytes.begin <= bytes.end && bytes.end <= text.n);
    must(r.begin <= gone.begin && gone.begin <= gone.end && gone.end <= r.end);
    buf_put(&b, text.p, bytes.begin);
    buf_put_span(&b, span_from(text, bytes.end));
    if (units_split(&left, kind, buf_span(&b), &err) != ERR_OK) abort();
    const size_t before = u->unit[r.begin].tok, end = u->unit[r.end - 1].tok + u->unit[r.end - 1].n_tok;
    const size_t behind = u->key.n_tok - end;
    must(left.key.n_tok >= before + behind && left.key.n_tok <= u->key.n_tok);
    const size_t stays = left.key.n_tok - before - behind;
    must(same_tokens(u, 0, &left, 0, before));
    size_t first = 0;
    while (first < stays && same_tokens(u, before, &left, before, first + 1)) first++;
    must(same_tokens(u, end - (stays - first), &left, before + first, stays - first));
    must(same_tokens(u, end, &left, before + stays, behind));
    units_clear(&left);
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static UnitText u;
    Buf text = {0};
    Err err;

    if (n < 3) return 0;
    const UnitKind kind = (UnitKind)(p[0] % 4);
    utf8_repair(&text, span(p + 3, n - 3)); /* as the text of every document is */
    if (units_split(&u, kind, buf_span(&text), &err) != ERR_OK) abort();
    check_units(&u, kind, buf_span(&text));
    if (u.n) {
        const uint32_t begin = (uint32_t)(p[1] * u.n >> 8);
        const UnitRange r = {begin, begin + 1 + (uint32_t)(p[2] * (u.n - begin) >> 8)};
        check_cut(&u, kind, buf_span(&text), r);
    }
    buf_clear(&text);
    return 0;
}
