/* Added tokens in a text, as the reference finds them (huggingface/tokenizers, added_vocabulary.rs). */
#include "core/unicode.h"
#include "core/utf8.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_chars.inc"

/* --- the characters beside a token */

/* The character that ends at `at` > 0; UTF8_BAD when the bytes are none. *begin is where it begins. */
static uint32_t char_before(Span text, size_t at, size_t *begin)
{
    uint32_t cp;
    size_t b = at - 1;

    while (b > 0 && at - b < 4 && (text.p[b] & 0xC0) == 0x80) b--;
    if (utf8_next(text.p + b, at - b, &cp) == at - b && cp != UTF8_BAD) {
        *begin = b;
        return cp;
    }
    *begin = at - 1;
    return UTF8_BAD;
}

static bool is_space(uint32_t cp) { return cp <= UNICODE_MAX && unicode_class(cp) == UC_SPACE; }

static bool is_word(uint32_t cp)
{
    size_t low = 0, high = sizeof word_chars / sizeof *word_chars;

    if (cp == UTF8_BAD) return false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cp > word_chars[mid][1])
            low = mid + 1;
        else
            high = mid;
    }
    return low < sizeof word_chars / sizeof *word_chars && cp >= word_chars[low][0];
}

static bool stands_alone(Span text, size_t begin, size_t end)
{
    size_t from;
    uint32_t cp;

    if (begin > 0 && is_word(char_before(text, begin, &from))) return false;
    if (end == text.n) return true;
    utf8_next(text.p + end, text.n - end, &cp);
    return !is_word(cp);
}

/* Where the white space before `at` begins, not before `floor`. */
static size_t space_begin(Span text, size_t at, size_t floor)
{
    size_t from;

    while (at > floor && is_space(char_before(text, at, &from))) at = from;
    return at > floor ? at : floor;
}

static size_t space_end(Span text, size_t at)
{
    while (at < text.n) {
        uint32_t cp;
        unsigned n = utf8_next(text.p + at, text.n - at, &cp);
        if (!is_space(cp)) break;
        at += n;
    }
    return at;
}

/* --- the scan */

AddedScan added_scan(const Tokenizer *t, int pass, Span text, EncodeMode mode)
{
    const AddedTrie *trie = &t->added[pass];

    return (AddedScan){.t = t,
                       .reader = {.trie = trie, .text = text},
                       .skip_special = mode == ENCODE_DOCUMENT,
                       .at = trie->longest ? 0 : text.n};
}

/* False when white space that an earlier token took leaves nothing of it: the reference drops empty pieces. */
static bool take(AddedScan *s, uint32_t id, size_t begin, size_t end, AddedHit *hit)
{
    unsigned flags = s->t->flags[id];

    /* The reference's bound is the last hit's end, which may lie behind this token where white space is a token too. */
    if (flags & TOKEN_LSTRIP) begin = space_begin(s->reader.text, begin, s->done);
    if (flags & TOKEN_RSTRIP) {
        if (end >= s->run_end)
            s->run_end = space_end(s->reader.text, end); /* else it lies in that run: no second look */
        end = s->run_end;
    }
    if (begin >= end) return false;
    s->done = end;
    *hit = (AddedHit){id, begin, end};
    return true;
}

bool added_next(AddedScan *s, AddedHit *hit)
{
    const Span text = s->reader.text;

    for (size_t n; (s->at = byteset_find(&s->reader.trie->first, text, s->at)) < text.n; s->at += n) {
        uint32_t id = added_at(&s->reader, s->at, &n);
        if (id == NO_ID) n = 1;
        if (id == NO_ID) continue;
        unsigned flags = s->t->flags[id];
        if (s->skip_special && (flags & TOKEN_SPECIAL)) continue;
        if ((flags & TOKEN_SINGLE_WORD) && !stands_alone(text, s->at, s->at + n)) continue;
        if (!take(s, id, s->at, s->at + n, hit)) continue;
        s->at += n;
        return true;
    }
    added_end(s);
    return false;
}

void added_end(AddedScan *s) { addedreader_clear(&s->reader); }
