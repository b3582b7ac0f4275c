/* core/blocklist.h - URLs that nobody wants, by lists of the user's (none is shipped; UT1 of the University of Toulouse has the form).
 *
 * A list is text, plain or packed, an entry a line; blank lines and lines that begin with '#' are skipped. Its kind says what an entry is:
 *   domain      a host, which stands for all hosts below it too: example.org blocks www.example.org, org blocks the country of it
 *   url         a URL, with or without its scheme, as url_key() compares them; all below it in the path too: example.org/a blocks
 *               example.org/a, example.org/a/b and example.org/a?c, not example.org/ab
 *   word        a word of the URL: it is cut at everything that is neither ASCII letter or digit nor above ASCII, escapes decoded, case apart
 *   soft_word   the same, where two different ones are needed
 *   substring   letters and digits that follow each other once all else is taken out of the URL: "freepoker" blocks free-poker.example
 *               (the last three are those of FineWeb's URL filter; Penedo et al. 2024)
 * A name with letters beyond ASCII is compared in its A-label form (IDNA 2008, RFC 5891), however the URL or the list spells it.
 *
 * Hosts, URLs and words lie in tables of 64-bit hashes: of 10^7 entries, one URL in 10^11 is blocked by mistake. */
#ifndef TAMIS_CORE_BLOCKLIST_H
#define TAMIS_CORE_BLOCKLIST_H

#include "core/buf.h"
#include "core/hash.h"

typedef enum {
    BLOCKLIST_DOMAIN,
    BLOCKLIST_URL,
    BLOCKLIST_WORD,
    BLOCKLIST_SOFT_WORD,
    BLOCKLIST_SUBSTRING,
    BLOCKLIST_N
} BlocklistKind;
extern const char *const blocklist_kinds[BLOCKLIST_N];

enum {
    BLOCKLIST_SOFT_WORDS = 2,        /* so many different soft words block */
    BLOCKLIST_MAX_ENTRY = 4 << 10,   /* bytes of an entry; longer lines are no entries */
    BLOCKLIST_MAX_ENTRIES = 1 << 28, /* of one kind */
    BLOCKLIST_MAX_STATES = 1 << 18,  /* bytes of all substrings together, a state each: at most 164 MiB */
    BLOCKLIST_MAX_URL =
        8
        << 10 /* bytes of a URL that URLs, words and substrings are looked for in; of a longer one the rest is nothing */
};

typedef struct Blocklist Blocklist;
/* `spec` is KIND:FILE; adds the file's entries. *b NULL is made. ERR_USAGE for an unknown kind; lines that are no entries are counted in a
 * warning, ERR_DATA for a file without any entry. */
MUST_USE ErrCode blocklist_add(Blocklist **b, const char *spec, Err *err);
/* The same of entries in memory, a line each; lines that are none are passed over. */
MUST_USE ErrCode blocklist_add_lines(Blocklist **b, BlocklistKind kind, Span lines, Err *err);
/* After the last one; from then on it is only read, by any number of threads. */
MUST_USE ErrCode blocklist_seal(Blocklist *b, Err *err);
void blocklist_free(Blocklist *b);
/* Of all entries: equal lists have equal ones, whatever their order and files. */
Hash128 blocklist_content(const Blocklist *b);

/* Which kind blocks the URL, the first in the order above; BLOCKLIST_N: none. */
BlocklistKind blocklist_find(const Blocklist *b, Span url, Buf *scratch);

#endif
