/* filter/words.c - one pass over the text: words, their hashes, and the sums the rules need. */
#include "filter/words.h"

#include "core/hash.h"
#include "core/unicode.h"
#include "core/utf8.h"

#include <stdlib.h>

enum { WORDS_FIRST = 4096, BRACKET_OPEN = 0x3010, BRACKET_CLOSE = 0x3011, ELLIPSIS = 0x2026 };
static const uint64_t SOLID_SEED = 0x48414E0000000000u; /* keeps characters apart from hashed words */
/* What the splitter sees in a character. */
typedef enum { K_EDGE, K_SPACE, K_CORE, K_SOLID } Kind;

static const uint8_t kind_of_class[] = {
    [UC_OTHER] = K_EDGE,  [UC_SPACE] = K_SPACE,  [UC_LETTER] = K_CORE, [UC_HAN] = K_SOLID,
    [UC_KANA] = K_SOLID,  [UC_HANGUL] = K_SOLID, [UC_MARK] = K_CORE,   [UC_DIGIT] = K_CORE,
    [UC_NUMBER] = K_CORE, [UC_PUNCT] = K_EDGE,   [UC_SYMBOL] = K_EDGE};

/* What lies between two separators, as far as it was read. */
typedef struct {
    size_t begin;          /* first byte */
    size_t core, core_end; /* bytes of the core; equal: none yet */
    uint32_t core_chars;   /* code points of [core, core_end) */
    uint32_t tail_chars;   /* code points read since core_end */
    bool alpha;            /* the core holds a letter */
} Piece;

static bool grow(Words *w)
{
    size_t cap = w->cap ? w->cap * 2 : WORDS_FIRST;

    if ((w->full = cap > WORDS_MAX)) return false;
    uint64_t *hash = realloc(w->hash, cap * sizeof *hash);

    if (hash) w->hash = hash;
    uint32_t *chars = hash ? realloc(w->chars, (cap + 1) * sizeof *chars) : NULL;
    if (!chars) return false;
    w->chars = chars;
    w->cap = cap;
    return true;
}

static inline bool add(Words *w, uint64_t hash, uint32_t n_chars)
{
    if (w->n == w->cap && !grow(w)) return false;
    w->hash[w->n] = hash;
    w->chars[w->n + 1] = w->chars[w->n] + n_chars;
    w->n++;
    return true;
}

/* The bit of an English stop word (Rae et al. 2021, appendix A1.1), case-sensitive. */
static uint32_t stop_word(Span s)
{
    static const char *const list[] = {"the", "be", "to", "of", "and", "that", "have", "with"};

    if (s.n < 2 || s.n > 4 ||
        !(s.p[0] == 't' || s.p[0] == 'b' || s.p[0] == 'o' || s.p[0] == 'a' || s.p[0] == 'h' || s.p[0] == 'w'))
        return 0;
    for (uint32_t i = 0; i < sizeof list / sizeof *list; i++)
        if (span_is(s, list[i])) return 1u << i;
    return 0;
}

/* Words of text[from, to), which has no core: runs of one character. */
static bool add_edges(Words *w, Span text, size_t from, size_t to)
{
    while (from < to) {
        uint32_t first, cp, n = 0;
        size_t at = from;
        unsigned len = utf8_next(text.p + at, to - at, &first);
        do {
            at += len;
            n++;
        } while (at < to && (utf8_next(text.p + at, to - at, &cp), cp == first));
        if (!add(w, hash64(span(text.p + from, at - from)), n)) return false;
        from = at;
    }
    return true;
}

static bool add_piece(Words *w, Span text, Piece *p, size_t end, size_t next)
{
    bool ok = true;

    if (p->core_end > p->core) {
        Span core = span(text.p + p->core, p->core_end - p->core);
        ok = add(w, hash64(core), p->core_chars) && (p->core_end == end || add_edges(w, text, p->core_end, end));
        w->n_plain++;
        w->plain_chars += p->core_chars;
        w->n_alpha += p->alpha;
        w->stop_words |= stop_word(core);
    } else {
        ok = add_edges(w, text, p->begin, end);
    }
    *p = (Piece){.begin = next};
    return ok;
}

/* The piece ends before byte `end`, the next one begins at `next`. */
static inline bool end_piece(Words *w, Span text, Piece *p, size_t end, size_t next)
{
    if (p->begin < end) return add_piece(w, text, p, end, next);
    p->begin = next; /* it was empty */
    return true;
}

/* n_chars code points of the core in text[at, end). */
static inline bool add_core(Words *w, Span text, Piece *p, size_t at, size_t end, uint32_t n_chars, bool alpha)
{
    if (p->core_end == p->core) {
        if (p->begin < at && !add_edges(w, text, p->begin, at)) return false;
        p->core = at;
        p->tail_chars = 0;
    }
    p->core_chars += p->tail_chars + n_chars;
    p->tail_chars = 0;
    p->core_end = end;
    p->alpha = p->alpha || alpha;
    return true;
}

static bool add_solid(Words *w, uint32_t cp)
{
    uint32_t slot = cp >= HAN_FIRST && cp <= HAN_LAST ? cp - HAN_FIRST : HAN_COUNTS - 1;

    if (w->han_count[slot]++ == 0) w->seen[w->n_seen++] = slot;
    w->n_han++;
    w->n_plain++;
    w->plain_chars++;
    w->n_alpha++;
    return add(w, mix64(SOLID_SEED + cp), 1);
}

/* Marks whose number matters, wherever they stand. */
typedef struct {
    size_t dots_end;     /* where the last "..." ended */
    uint64_t bracket_at; /* solid_chars after the open bracket, 0: none is open */
} Marks;

/* Characters so far that are no white space. */
static uint64_t solid_chars(const Words *w) { return w->n_chars - w->n_space; }

static void count_edge(Words *w, Span text, Marks *m, size_t at, uint32_t cp)
{
    switch (cp) {
    case '#':
        w->n_hash++;
        w->n_hash_runs += at == 0 || text.p[at - 1] != '#';
        break;
    case '.':
        if (at >= m->dots_end + 2 && text.p[at - 1] == '.' && text.p[at - 2] == '.') {
            w->n_ellipsis++;
            m->dots_end = at + 1;
        }
        break;
    case ELLIPSIS: w->n_ellipsis++; break;
    case BRACKET_OPEN: m->bracket_at = solid_chars(w); break;
    case BRACKET_CLOSE:
        if (m->bracket_at) w->bracket_chars += solid_chars(w) - 1 - m->bracket_at;
        m->bracket_at = 0;
        break;
    default: break;
    }
}

/* An ASCII letter or digit stands at `at`: takes the run of them. Returns where it ends. */
static inline size_t ascii_run_end(Words *w, Span text, size_t at, size_t *n_letters)
{
    size_t end = at, letters = 0;

    while (end < text.n) {
        unsigned n = text.n - end >= 8 ? ascii_leading_letters(le64_get(text.p + end)) : ascii_is_alpha(text.p[end]);
        letters += n;
        end += n;
        if (n) continue; /* also after the last of a word: then n is 0 at once */
        if (!ascii_is_digit(text.p[end])) break;
        end++;
    }
    w->n_chars += end - at;
    w->n_letters += letters;
    w->n_digits += end - at - letters;
    *n_letters = letters;
    return end;
}

/* One code point that is no ASCII letter or digit. */
static bool take(Words *w, Span text, Piece *p, Marks *m, size_t at, unsigned len, uint32_t cp)
{
    UnicodeClass class = unicode_class(cp);

    w->n_chars++;
    switch (kind_of_class[class]) {
    case K_SPACE:
        w->n_space++;
        if (cp == '\n')
            m->bracket_at = 0;
        else if (words_is_break(cp))
            w->odd_breaks = true;
        return end_piece(w, text, p, at, at + len);
    case K_SOLID: return end_piece(w, text, p, at, at + len) && add_solid(w, cp);
    case K_CORE:
        w->n_letters += class == UC_LETTER;
        w->n_digits += class == UC_DIGIT;
        return add_core(w, text, p, at, at + len, 1, class == UC_LETTER);
    default:
        w->n_punct++;
        p->tail_chars++;
        if (cp < 0x20 && words_is_break(cp)) w->odd_breaks = true;
        count_edge(w, text, m, at, cp);
        return true;
    }
}

/* U+4E00..U+9FFF, all of them Han: what Chinese text mostly is. */
static inline bool is_common_han(Span text, size_t at, uint32_t *cp)
{
    if (text.p[at] < 0xE4 || text.p[at] > 0xE9 || text.n - at < 3) return false;
    *cp = (text.p[at] & 0x0Fu) << 12 | (text.p[at + 1] & 0x3Fu) << 6 | (text.p[at + 2] & 0x3Fu);
    return *cp >= 0x4E00;
}

static bool start(Words *w)
{
    for (size_t i = 0; i < w->n_seen; i++) w->han_count[w->seen[i]] = 0;
    *w = (Words){.hash = w->hash, .chars = w->chars, .cap = w->cap, .han_count = w->han_count, .seen = w->seen};
    if (!w->han_count) w->han_count = calloc(HAN_COUNTS, sizeof *w->han_count);
    if (!w->seen) w->seen = malloc(HAN_COUNTS * sizeof *w->seen);
    if (!w->han_count || !w->seen || (!w->cap && !grow(w))) return false;
    w->chars[0] = 0;
    return true;
}

ErrCode words_split(Words *w, Span text, Err *err)
{
    Piece piece = {0};
    Marks marks = {0};
    bool ok = start(w);

    if (text.n > WORDS_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "a text of %zu bytes is more than is measured (%d)", text.n, WORDS_MAX_BYTES);
    for (size_t at = 0; ok && at < text.n;) {
        uint32_t cp;
        if (ascii_is_alnum(text.p[at])) {
            size_t n_letters, end = ascii_run_end(w, text, at, &n_letters);
            ok = add_core(w, text, &piece, at, end, (uint32_t)(end - at), n_letters > 0);
            at = end;
            continue;
        }
        if (text.p[at] == ' ') {
            w->n_chars++;
            w->n_space++;
            ok = end_piece(w, text, &piece, at, at + 1);
            at++;
            continue;
        }
        if (is_common_han(text, at, &cp)) {
            w->n_chars++;
            ok = end_piece(w, text, &piece, at, at + 3) && add_solid(w, cp);
            at += 3;
            continue;
        }
        unsigned len = utf8_next(text.p + at, text.n - at, &cp);
        if (cp == UTF8_BAD) cp = 0xFFFD; /* no document has any; a caller's mistake must not read past a table */
        ok = take(w, text, &piece, &marks, at, len, cp);
        at += len;
    }
    ok = ok && end_piece(w, text, &piece, text.n, text.n);
    if (w->full) return err_set(err, ERR_LIMIT, "a text has more than %d words", WORDS_MAX);
    return ok ? ERR_OK : err_nomem(err, "the words of a text");
}

void words_clear(Words *w)
{
    free(w->hash);
    free(w->chars);
    free(w->han_count);
    free(w->seen);
    *w = (Words){0};
}
