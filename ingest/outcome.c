#include "ingest/outcome.h"

#include "core/bytestream.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct Outcome {
    atomic_uint_least64_t opened;    /* slices */
    atomic_uint_least64_t n_read;    /* items that are records or lines, wanted or not */
    atomic_uint_least64_t n_damaged; /* places where the file itself is broken */
    atomic_uint_least64_t first;     /* the first such place, else the first that is no record: see place_of() */
    atomic_uint_least64_t n_mismatch,
        first_mismatch; /* records whose digests are wrong, and where the first one is stored */
};

/* The input ends or breaks there, or is nothing we read. A bad record alone is counted, not warned of. */
static bool is_damage(IngestReason r)
{
    return r == INGEST_TRUNCATED || r == INGEST_GZIP_CORRUPT || r == INGEST_BOMB || r == INGEST_UNKNOWN_FORMAT;
}

bool outcome_is_unread(IngestReason r)
{
    return is_damage(r) || r == INGEST_WARC_MALFORMED || r == INGEST_BAD_JSON || r == INGEST_NO_TEXT;
}

/* A place and its reason as a number of which the least is the one to name: damage first, then by offset. */
enum { REASON_BITS = 8, UNDAMAGED_BIT = 63 };
static uint64_t place_of(IngestReason r, uint64_t stored)
{
    return (uint64_t)!is_damage(r) << UNDAMAGED_BIT | stored << REASON_BITS | (uint64_t)r;
}
static IngestReason reason_at(uint64_t place) { return (IngestReason)(place & ((1u << REASON_BITS) - 1)); }
static uint64_t stored_at(uint64_t place) { return (place & ~(UINT64_C(1) << UNDAMAGED_BIT)) >> REASON_BITS; }

ErrCode outcomes_new(Outcome **out, const Inputs *in, Err *err)
{
    Outcome *o = calloc(in->n, sizeof *o);

    *out = o;
    if (!o) return err_nomem(err, "the list of inputs");
    for (size_t i = 0; i < in->n; i++)
        atomic_init(&o[i].first, UINT64_MAX), atomic_init(&o[i].first_mismatch, UINT64_MAX);
    return ERR_OK;
}

static void add_one(atomic_uint_least64_t *n) { atomic_fetch_add_explicit(n, 1, memory_order_relaxed); }

static void lower(atomic_uint_least64_t *least, uint64_t n)
{
    uint64_t had = atomic_load_explicit(least, memory_order_relaxed);

    while (n < had &&
           !atomic_compare_exchange_weak_explicit(least, &had, n, memory_order_relaxed, memory_order_relaxed)) {
    }
}

void outcome_opened(Outcome *o, const InputSlice *s) { add_one(&o[s->input].opened); }

void outcome_item(Outcome *o, uint32_t input, IngestReason r, uint64_t stored)
{
    Outcome *i = &o[input];

    if (!outcome_is_unread(r)) {
        add_one(&i->n_read);
        return;
    }
    if (is_damage(r)) add_one(&i->n_damaged);
    lower(&i->first, place_of(r, stored));
}

void outcome_mismatch(Outcome *o, uint32_t input, uint64_t stored)
{
    add_one(&o[input].n_mismatch);
    lower(&o[input].first_mismatch, stored);
}

/* ---- the report */

/* Sums over all ranks. */
typedef struct {
    uint64_t opened, n_read, n_damaged, n_mismatch;
} Sums;
enum { N_SUMS = sizeof(Sums) / sizeof(uint64_t) };

/* An input to warn of. */
typedef struct {
    uint32_t input;
    uint64_t n;   /* places that are damaged, or records whose digests are wrong */
    bool nothing; /* not one record was read in all of it */
} Warning;

/* Picks the inputs to warn of, at most OUTCOME_MAX_LINES, and counts all of them: those that are damaged. */
static uint64_t choose_damaged(const Sums *sums, const Inputs *in, Warning w[OUTCOME_MAX_LINES])
{
    uint64_t n = 0;
    size_t slice = 0;

    for (uint32_t i = 0; i < in->n; i++) {
        uint64_t n_slices = 0;
        for (; slice < in->n_slices && in->slice[slice].input == i; slice++) n_slices++;
        bool nothing = sums[i].n_read == 0 && sums[i].opened == n_slices;
        if (!nothing && sums[i].n_damaged == 0) continue;
        if (n < OUTCOME_MAX_LINES) w[n] = (Warning){i, sums[i].n_damaged, nothing};
        n++;
    }
    return n;
}

/* Those with wrong digests. */
static uint64_t choose_mismatched(const Sums *sums, const Inputs *in, Warning w[OUTCOME_MAX_LINES])
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < in->n; i++)
        if (sums[i].n_mismatch && n++ < OUTCOME_MAX_LINES) w[n - 1] = (Warning){i, sums[i].n_mismatch, false};
    return n;
}

/* Whether the line begins like one of a CDXJ index: a key, a timestamp, an object. */
static bool is_cdxj(Span line)
{
    const size_t key = span_find(line, ' ');
    Span rest = span_from(line, key < line.n ? key + 1 : line.n);
    size_t digits = 0;

    while (digits < rest.n && ascii_is_digit(rest.p[digits])) digits++;
    return key > 0 && digits == 14 && span_starts(span_from(rest, digits), SPAN_LIT(" {"));
}

/* What to do about an input that is taken for an archive and looks like something else: "" unless its first bytes tell. */
static const char *advice(Span head)
{
    static const char *const page[] = {"<!doctype", "<html", "<?xml", "<head", "<title"};

    head = span_trim(head);
    for (size_t i = 0; i < sizeof page / sizeof *page; i++)
        if (head.n >= strlen(page[i]) && span_eq_nocase(span(head.p, strlen(page[i])), span_str(page[i])))
            return " (it begins like HTML, which --html reads)";
    if (is_cdxj(head)) return " (it begins like CDXJ, which --cdxj reads)";
    if (span_starts(head, SPAN_LIT("CDX "))) return " (it begins like CDX; --cdxj reads CDXJ only)";
    if (span_starts(head, SPAN_LIT("{")))
        return " (it begins like JSON; names of JSON Lines end in .jsonl or .ndjson)";
    return "";
}

/* The same, from the file: where it is at hand, for a message needs no download. */
static const char *advice_on(const Input *i)
{
    enum { LOOK = 512 }; /* bytes: a key of an index is a URL */
    ByteStream *s = NULL;
    const char *said = "";
    Err err;

    if (i->kind != INPUT_ARCHIVE || i->n_ranges || input_is_stdin(i) || store_is_remote(i->url)) return said;
    if (stream_open(&s, i->url, 0, false, &err) != ERR_OK) return said;
    if (stream_need(s, LOOK, &err) == ERR_OK) said = advice(stream_view(s));
    stream_close(s);
    return said;
}

static void warn_damaged(const Input *i, const Warning *w, uint64_t place)
{
    const char *what = w->nothing ? "not one record could be read: " : "", *unit = "byte";
    uint64_t at = stored_at(place);
    char more[64] = "";

    if (place == UINT64_MAX) {
        log_warn("%s: holds no record", i->path);
        return;
    }
    if (i->kind == INPUT_LINES) unit = "line", at++; /* people count lines from 1 */
    if (w->n > 1) snprintf(more, sizeof more, ", the first of %" PRIu64 " such places", w->n);
    log_warn("%s: %s%s at %s %" PRIu64 "%s%s", i->path, what, ingest_reasons[reason_at(place)], unit, at, more,
             w->nothing && at == 0 ? advice_on(i) : "");
}

static void warn_mismatched(const Input *i, const Warning *w, uint64_t stored)
{
    log_warn("%s: the digests of %" PRIu64 " records are not those of their bytes, first at byte %" PRIu64, i->path,
             w->n, stored);
}

/* Prints the chosen ones. What the ranks found first lies in one table, a row a rank, so that a sum is an exchange. */
static ErrCode say(const Outcome *o, const Inputs *in, const Warning *w, uint64_t n, bool damaged, const Par *par,
                   Err *err)
{
    size_t lines = n < OUTCOME_MAX_LINES ? (size_t)n : OUTCOME_MAX_LINES, ranks = (size_t)par->n_ranks;
    uint64_t *first = calloc(ranks * OUTCOME_MAX_LINES, sizeof *first);
    ErrCode rc = par_agree(par, first ? ERR_OK : err_nomem(err, "the list of inputs"), err);

    if (rc == ERR_OK) {
        for (size_t k = 0; k < lines; k++)
            first[(size_t)par->rank * OUTCOME_MAX_LINES + k] =
                atomic_load(damaged ? &o[w[k].input].first : &o[w[k].input].first_mismatch);
        par_sum_u64(par, first, ranks * OUTCOME_MAX_LINES);
        for (size_t k = 0; k < lines; k++) {
            uint64_t least = UINT64_MAX;
            for (size_t r = 0; r < ranks; r++)
                if (first[r * OUTCOME_MAX_LINES + k] < least) least = first[r * OUTCOME_MAX_LINES + k];
            (damaged ? warn_damaged : warn_mismatched)(&in->input[w[k].input], &w[k], least);
        }
        if (n > lines)
            log_warn("%" PRIu64 " more inputs %s", n - lines,
                     damaged ? "are damaged or hold no record" : "have records whose digests are wrong");
    }
    free(first);
    return rc;
}

ErrCode outcomes_report(const Outcome *o, const Inputs *in, const Par *par, Err *err)
{
    Warning w[OUTCOME_MAX_LINES];
    Sums *sums = malloc(in->n * sizeof *sums);
    ErrCode rc = par_agree(par, sums ? ERR_OK : err_nomem(err, "the list of inputs"), err);

    if (rc == ERR_OK) {
        for (size_t i = 0; i < in->n; i++)
            sums[i] = (Sums){atomic_load(&o[i].opened), atomic_load(&o[i].n_read), atomic_load(&o[i].n_damaged),
                             atomic_load(&o[i].n_mismatch)};
        par_sum_u64(par, (uint64_t *)sums, in->n * N_SUMS);
        uint64_t n = choose_damaged(sums, in, w);
        if (n) rc = say(o, in, w, n, true, par, err);
        n = choose_mismatched(sums, in, w);
        if (n && rc == ERR_OK) rc = say(o, in, w, n, false, par, err);
    }
    free(sums);
    return rc;
}
