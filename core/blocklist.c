#include "core/blocklist.h"

#include "core/idn.h"
#include "core/keyset.h"
#include "core/lines.h"
#include "core/log.h"
#include "core/substrings.h"

#include <inttypes.h>
#include <stdlib.h>

const char *const blocklist_kinds[BLOCKLIST_N] = {"domain", "url", "word", "soft_word", "substring"};

enum {
    KEYS_URL_HOST = BLOCKLIST_SUBSTRING,
    N_KEYS
}; /* of the hosts that URL entries have: others need no look at their paths */

struct Blocklist {
    KeySet keys[N_KEYS];
    Buf strings; /* of BLOCKLIST_SUBSTRING, each with a line end */
    uint64_t n_strings;
    Substrings automaton;
    Hash128 content; /* sum over all entries, so that their order is nothing */
    Buf scratch;
};

/* ---- what of a URL is compared */

static Span host_of(Span url, uint8_t bytes[2][URL_MAX_HOST])
{
    Span host = url_host(url, bytes[0]);

    return host.p ? idn_ascii(host, bytes[1]) : host;
}

/* The url_key() of at most BLOCKLIST_MAX_URL bytes with the host in its A-label form, *host_n bytes behind the "//". The path begins at *path. */
static bool full_key(Buf *out, Span url, size_t *host_n, size_t *path)
{
    uint8_t bytes[URL_MAX_HOST];

    buf_reset(out);
    if (url.n > BLOCKLIST_MAX_URL) url.n = BLOCKLIST_MAX_URL;
    if (!url_key(out, url)) return false;
    const Span key = span_from(buf_span(out), 2), host = span(key.p, span_find(key, '/')),
               name = span(host.p, host.p[0] == '[' ? span_find(host, ']') + 1 : span_find(host, ':')),
               ascii = idn_ascii(name, bytes);
    *host_n = ascii.n;
    *path = 2 + host.n - name.n + ascii.n;
    if (ascii.p == name.p) return true;
    const size_t rest = key.n - name.n, name_n = name.n;
    if (!buf_reserve(out, ascii.n)) return false;
    memmove(out->p + 2 + ascii.n, out->p + 2 + name_n, rest);
    memcpy(out->p + 2, ascii.p, ascii.n);
    out->n = 2 + ascii.n + rest;
    return true;
}

static bool is_word_byte(uint8_t c) { return c >= 0x80 || ascii_is_alnum(c); }

/* The URL in lower case with its escapes decoded, at most BLOCKLIST_MAX_URL bytes of it. */
static Span decoded(Buf *out, Span url)
{
    buf_reset(out);
    if (url.n > BLOCKLIST_MAX_URL) url.n = BLOCKLIST_MAX_URL;
    if (!buf_reserve(out, url.n)) return (Span){NULL, 0};
    const size_t plain = span_find(url, '%');
    for (size_t i = 0; i < plain; i++) out->p[i] = ascii_lower(url.p[i]);
    out->n = plain;
    for (size_t i = plain; i < url.n; i++) {
        uint8_t c = url.p[i];
        if (c == '%' && url.n - i > 2 && ascii_hex(url.p[i + 1]) >= 0 && ascii_hex(url.p[i + 2]) >= 0) {
            c = (uint8_t)(ascii_hex(url.p[i + 1]) << 4 | ascii_hex(url.p[i + 2]));
            i += 2;
        }
        out->p[out->n++] = ascii_lower(c);
    }
    return buf_span(out);
}

/* ---- lists */

static void count_in(Blocklist *b, BlocklistKind kind, uint64_t hash)
{
    hash += (uint64_t)kind + 1;
    b->content.lo += mix64(hash);
    b->content.hi += mix64(hash ^ UINT64_MAX);
}

/* Notes an entry of which `key` is compared; one that is there already changes nothing. */
static ErrCode add_key(Blocklist *b, BlocklistKind kind, Span key, Err *err)
{
    const uint64_t hash = hash64(key);
    bool is_new;
    ErrCode rc;

    if (b->keys[kind].n >= BLOCKLIST_MAX_ENTRIES)
        return err_set(err, ERR_LIMIT, "a blocklist of more than %d entries", (int)BLOCKLIST_MAX_ENTRIES);
    if ((rc = keyset_add(&b->keys[kind], hash, &is_new, err)) == ERR_OK && is_new) count_in(b, kind, hash);
    return rc;
}

/* A host, which a list may write as ".example.org" or "*.example.org". */
static ErrCode add_domain(Blocklist *b, Span entry, bool *taken, Err *err)
{
    uint8_t bytes[2][URL_MAX_HOST];

    if (span_starts(entry, SPAN_LIT("*."))) entry = span_from(entry, 2);
    while (entry.n && entry.p[0] == '.') entry = span_from(entry, 1);
    buf_reset(&b->scratch);
    buf_puts(&b->scratch, "http://");
    buf_put_span(&b->scratch, entry);
    Span host = host_of(buf_span(&b->scratch), bytes);
    *taken = host.p && span_find(entry, '/') == entry.n && span_find(entry, '?') == entry.n &&
             span_find(entry, '#') == entry.n;
    return *taken ? add_key(b, BLOCKLIST_DOMAIN, host, err) : ERR_OK;
}

static ErrCode add_url(Blocklist *b, Span entry, bool *taken, Err *err)
{
    Buf url = {0};
    size_t path, host_n;
    ErrCode rc = ERR_OK;

    const Span head = span(entry.p, span_find(entry, '/'));
    if (head.n == 0 || head.p[head.n - 1] != ':') buf_puts(&url, "http://"); /* else it has a scheme */
    buf_put_span(&url, entry);
    *taken = !url.oom && full_key(&b->scratch, buf_span(&url), &host_n, &path);
    if (*taken) {
        Span key = buf_span(&b->scratch);
        while (key.n > path && key.p[key.n - 1] == '/') key.n--; /* what is below it is blocked with and without */
        rc = add_key(b, BLOCKLIST_URL, key, err);
        if (rc == ERR_OK) rc = keyset_add(&b->keys[KEYS_URL_HOST], hash64(span(key.p + 2, host_n)), NULL, err);
    }
    if (rc == ERR_OK) rc = buf_ok(&url, "a blocklist", err);
    buf_clear(&url);
    return rc;
}

/* One word: letters and digits alone. */
static ErrCode add_word(Blocklist *b, BlocklistKind kind, Span entry, bool *taken, Err *err)
{
    Span word = decoded(&b->scratch, entry);

    *taken = word.n > 0;
    for (size_t i = 0; i < word.n; i++) *taken = *taken && is_word_byte(word.p[i]);
    return *taken ? add_key(b, kind, word, err) : ERR_OK;
}

static ErrCode add_substring(Blocklist *b, Span entry, bool *taken, Err *err)
{
    Span s = decoded(&b->scratch, entry);
    const size_t from = b->strings.n;
    uint64_t hash;

    if (!buf_reserve(&b->strings, s.n + 1)) return err_nomem(err, "a blocklist");
    for (size_t i = 0; i < s.n; i++)
        if (is_word_byte(s.p[i])) b->strings.p[b->strings.n++] = s.p[i];
    *taken = b->strings.n > from;
    if (!*taken) return ERR_OK;
    if (b->strings.n - b->n_strings > BLOCKLIST_MAX_STATES)
        return err_set(err, ERR_LIMIT, "a blocklist's substrings have more than %d bytes together",
                       (int)BLOCKLIST_MAX_STATES);
    hash = hash64(span(b->strings.p + from, b->strings.n - from));
    b->strings.p[b->strings.n++] = '\n';
    b->n_strings++;
    count_in(b, BLOCKLIST_SUBSTRING,
             hash); /* one that comes twice counts twice: that costs a run done anew, no error */
    return ERR_OK;
}

static ErrCode add_entry(Blocklist *b, BlocklistKind kind, Span entry, bool *taken, Err *err)
{
    *taken = false;
    if (entry.n > BLOCKLIST_MAX_ENTRY) return ERR_OK;
    switch (kind) {
    case BLOCKLIST_DOMAIN: return add_domain(b, entry, taken, err);
    case BLOCKLIST_URL: return add_url(b, entry, taken, err);
    case BLOCKLIST_SUBSTRING: return add_substring(b, entry, taken, err);
    default: return add_word(b, kind, entry, taken, err);
    }
}

typedef struct {
    uint64_t n_taken, n_odd, first_odd; /* first_odd: its line, from 1 on */
} Added;

static ErrCode add_lines(Blocklist *b, BlocklistKind kind, Span lines, uint64_t number, Added *added, Err *err)
{
    bool taken;
    ErrCode rc = ERR_OK;

    while (lines.n && rc == ERR_OK) {
        const Span entry = span_trim(line_take(&lines));
        number++;
        if (entry.n == 0 || entry.p[0] == '#') continue;
        rc = add_entry(b, kind, entry, &taken, err);
        added->n_taken += taken;
        if (!taken && added->n_odd++ == 0) added->first_odd = number;
    }
    return rc;
}

static ErrCode add_file(Blocklist *b, BlocklistKind kind, const char *path, Err *err)
{
    LineBlock lines = {0};
    LineFile *f = NULL;
    Added added = {0};
    bool end = false;
    ErrCode rc = linefile_open(&f, path, false, err);

    while (rc == ERR_OK && (rc = linefile_next(f, &lines, &end, err)) == ERR_OK && !end) {
        if (lines.too_long && added.n_odd++ == 0) added.first_odd = lines.first_line + 1;
        rc = add_lines(b, kind, buf_span(&lines.bytes), lines.first_line, &added, err);
    }
    if (rc == ERR_OK && added.n_taken == 0)
        rc = err_set(err, ERR_DATA, "%s: no entry for a blocklist (%s)", path, blocklist_kinds[kind]);
    if (rc == ERR_OK && added.n_odd)
        log_warn("%s: lines that are no entry (%s) and block nothing: %" PRIu64 ", the first is line %" PRIu64, path,
                 blocklist_kinds[kind], added.n_odd, added.first_odd);
    buf_clear(&lines.bytes);
    linefile_close(f);
    return rc;
}

static ErrCode make(Blocklist **out, Err *err)
{
    if (!*out) *out = calloc(1, sizeof **out);
    return *out ? ERR_OK : err_nomem(err, "a blocklist");
}

ErrCode blocklist_add(Blocklist **out, const char *spec, Err *err)
{
    const char *colon = strchr(spec, ':');
    int kind = 0;

    while (colon && kind < BLOCKLIST_N && !span_is(span(spec, (size_t)(colon - spec)), blocklist_kinds[kind])) kind++;
    if (!colon || kind == BLOCKLIST_N || !colon[1])
        return err_set(err, ERR_USAGE,
                       "%s: a blocklist is KIND:FILE, KIND one of domain, url, word, soft_word, substring", spec);
    ErrCode rc = make(out, err);
    return rc ? rc : add_file(*out, (BlocklistKind)kind, colon + 1, err);
}

ErrCode blocklist_add_lines(Blocklist **out, BlocklistKind kind, Span lines, Err *err)
{
    Added added = {0};
    ErrCode rc = make(out, err);

    return rc ? rc : add_lines(*out, kind, lines, 0, &added, err);
}

ErrCode blocklist_seal(Blocklist *b, Err *err)
{
    Span *strings = b->n_strings ? calloc(b->n_strings, sizeof *strings) : NULL, rest = buf_span(&b->strings);
    ErrCode rc = ERR_OK;

    if (b->n_strings && !strings) return err_nomem(err, "a blocklist");
    for (size_t i = 0; i < b->n_strings; i++) {
        Span line = line_take(&rest);
        strings[i] = span(line.p, line.n - 1);
    }
    if (strings) rc = substrings_build(&b->automaton, strings, b->n_strings, BLOCKLIST_MAX_STATES, err);
    free(strings);
    buf_clear(&b->strings);
    buf_clear(&b->scratch);
    return rc;
}

void blocklist_free(Blocklist *b)
{
    if (!b) return;
    for (int i = 0; i < N_KEYS; i++) keyset_clear(&b->keys[i]);
    substrings_clear(&b->automaton);
    buf_clear(&b->strings);
    buf_clear(&b->scratch);
    free(b);
}

Hash128 blocklist_content(const Blocklist *b) { return b->content; }

/* ---- lookup */

/* The host and all that it lies below. */
static bool has_domain(const Blocklist *b, Span host)
{
    enum { MAX_LABELS = 128 }; /* URL_MAX_HOST has no more */
    uint64_t hash[MAX_LABELS];
    int n = 0;

    for (; host.n && n < MAX_LABELS; host = host_parent(host)) {
        hash[n] = hash64(host);
        keyset_prefetch(&b->keys[BLOCKLIST_DOMAIN], hash[n++]);
    }
    while (n > 0)
        if (keyset_has(&b->keys[BLOCKLIST_DOMAIN], hash[--n])) return true;
    return false;
}

/* The key and all of its beginnings that end before a '/', '?' or '&'. */
static bool has_url(const Blocklist *b, Span url, Buf *scratch)
{
    size_t host_n, path;

    if (!full_key(scratch, url, &host_n, &path)) return false;
    const Span key = buf_span(scratch);
    for (size_t n = path; n <= key.n; n++) {
        if (n < key.n && key.p[n] != '/' && key.p[n] != '?' && key.p[n] != '&') continue;
        if (keyset_has(&b->keys[BLOCKLIST_URL], hash64(span(key.p, n)))) return true;
    }
    return false;
}

/* The kind of the first word that blocks; `url` is decoded. */
static BlocklistKind find_word(const Blocklist *b, Span url)
{
    uint64_t first_soft = 0;
    int n_soft = 0;

    for (size_t i = 0, n; i < url.n; i += n + 1) {
        for (n = 0; i + n < url.n && is_word_byte(url.p[i + n]);) n++;
        if (n == 0) continue;
        const uint64_t hash = hash64(span(url.p + i, n));
        if (keyset_has(&b->keys[BLOCKLIST_WORD], hash)) return BLOCKLIST_WORD;
        if (n_soft >= BLOCKLIST_SOFT_WORDS || !keyset_has(&b->keys[BLOCKLIST_SOFT_WORD], hash)) continue;
        n_soft += n_soft == 0 || hash != first_soft;
        if (n_soft == 1) first_soft = hash;
    }
    return n_soft >= BLOCKLIST_SOFT_WORDS ? BLOCKLIST_SOFT_WORD : BLOCKLIST_N;
}

static bool has_substring(const Blocklist *b, Span url)
{
    uint32_t state = 0;

    for (size_t i = 0; i < url.n; i++)
        if (is_word_byte(url.p[i]) && substrings_step(&b->automaton, &state, url.p[i])) return true;
    return false;
}

BlocklistKind blocklist_find(const Blocklist *b, Span url, Buf *scratch)
{
    uint8_t bytes[2][URL_MAX_HOST];
    BlocklistKind word = BLOCKLIST_N;

    if (b->keys[BLOCKLIST_DOMAIN].n + b->keys[BLOCKLIST_URL].n) {
        const Span host = host_of(url, bytes);
        if (host.p && has_domain(b, host)) return BLOCKLIST_DOMAIN;
        if (host.p && keyset_has(&b->keys[KEYS_URL_HOST], hash64(host)) && has_url(b, url, scratch))
            return BLOCKLIST_URL;
    }
    if (b->keys[BLOCKLIST_WORD].n + b->keys[BLOCKLIST_SOFT_WORD].n + b->automaton.n_states == 0) return BLOCKLIST_N;
    url = decoded(scratch, url);
    if (b->keys[BLOCKLIST_WORD].n + b->keys[BLOCKLIST_SOFT_WORD].n) word = find_word(b, url);
    return word != BLOCKLIST_N                              ? word
           : b->automaton.n_states && has_substring(b, url) ? BLOCKLIST_SUBSTRING
                                                            : BLOCKLIST_N;
}
