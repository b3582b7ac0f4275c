/* filter/signals.c - the counts of words, lines and n-grams become the numbers that rules compare. */
#include "filter/signals.h"

#include "core/unicode.h"
#include "core/utf8.h"
#include "filter/lines.h"

#include <math.h>

/* a / b rounded to 1e-6; 0 when there is nothing to divide by, so that every measure is total. */
static double ratio(uint64_t a, uint64_t b) { return b ? round((double)a / (double)b * 1e6) / 1e6 : 0; }

static void line_signals(const LineCounts *l, uint64_t n_chars, double *v)
{
    v[SIG_BULLETS] = ratio(l->n_bullets, l->n_lines);
    v[SIG_END_DOTS] = ratio(l->n_end_dots, l->n_lines);
    v[SIG_DUP_PARA] = ratio(l->n_dup_paras, l->n_paras);
    v[SIG_DUP_PARA_CH] = ratio(l->dup_para_chars, n_chars);
    v[SIG_DUP_LINE] = ratio(l->n_dup_pieces, l->n_pieces);
    v[SIG_DUP_LINE_CH] = ratio(l->dup_piece_chars, n_chars);
    v[SIG_LINE_END] = ratio(l->n_terminal, l->n_text_lines);
    v[SIG_SHORT_LINE] = ratio(l->n_short, l->n_text_lines);
    v[SIG_DUP_TEXT_CH] = ratio(l->dup_text_chars, n_chars - l->n_newlines);
    v[SIG_LINE_MAX] = (double)l->max_chars;
    v[SIG_LINE_MEAN] = ratio(l->text_line_chars, l->n_text_lines);
    v[SIG_MORE_LINES] = ratio(l->n_more, l->n_text_lines);
}

static void word_signals(const Words *w, const LineCounts *l, double *v)
{
    unsigned n_stop = 0;

    for (uint32_t bits = w->stop_words; bits; bits &= bits - 1) n_stop++;
    v[SIG_WORDS] = (double)w->n_plain;
    v[SIG_WORD_LEN] = ratio(w->plain_chars, w->n_plain);
    v[SIG_HASHES] = ratio(w->n_hash, w->n);
    v[SIG_HASH_RUNS] = ratio(w->n_hash_runs, w->n);
    v[SIG_ELLIPSES] = ratio(w->n_ellipsis, w->n);
    v[SIG_ALPHA] = ratio(w->n_alpha, w->n);
    v[SIG_ALPHA_PLAIN] = ratio(w->n_alpha, w->n_plain);
    v[SIG_STOP_WORDS] = n_stop;
    v[SIG_NEWLINES] = ratio(l->n_newlines, w->n);
}

static void han_signals(const Words *w, double *v)
{
    uint64_t n_solid = w->n_chars - w->n_space, n_text = n_solid - w->n_punct;
    double sum = 0;

    v[SIG_HAN] = ratio(w->n_han, n_text);
    v[SIG_DIGITS] = ratio(w->n_digits, n_text);
    v[SIG_PUNCT] = ratio(w->n_punct, n_solid);
    v[SIG_BRACKETS] = ratio(w->bracket_chars, n_solid);
    v[SIG_HAN_KINDS] = ratio(w->n_seen, w->n_han < HAN_KINDS_OF ? w->n_han : HAN_KINDS_OF);
    /* -sum p ln p with p = c/n is ln n - (sum c ln c)/n; the order is that of first appearance. */
    for (size_t i = 0; i < w->n_seen; i++) {
        double c = w->han_count[w->seen[i]];
        sum += c * log(c);
    }
    double n = (double)w->n_han;
    v[SIG_HAN_ENTROPY] = w->n_han ? round((log(n) - sum / n) * 1e6) / 1e6 : 0;
}

static ErrCode gram_signals(SignalScratch *s, TextKind kind, double *v, Err *err)
{
    const Words *w = &s->words;
    RepeatedGrams g;
    /* Words of alphabets are joined by a space; a Chinese text is nearly all characters, which are not. Its white space is
     * layout, so it does not dilute the shares. */
    uint32_t gap = kind == KIND_CHINESE ? 0 : 1;
    uint64_t n_chars = kind == KIND_CHINESE ? w->n_chars - w->n_space : w->n_chars;
    ErrCode rc = repeats_grams(&s->repeats, w, gap, &g, err);

    if (rc != ERR_OK) return rc;
    for (int n = TOP_GRAM_FIRST; n <= TOP_GRAM_LAST; n++)
        v[SIG_TOP_2 + n - TOP_GRAM_FIRST] = ratio(g.top[n], n_chars);
    for (int n = DUP_GRAM_FIRST; n <= DUP_GRAM_LAST; n++)
        v[SIG_DUP_5 + n - DUP_GRAM_FIRST] = ratio(g.dup[n], n_chars);
    return ERR_OK;
}

/* Signals that only texts of one kind have. */
static bool has_signal(TextKind kind, SignalId i)
{
    if (i <= SIG_CHARS) return true;
    if (i >= SIG_LINE_MAX) return kind == KIND_CODE;
    if (kind == KIND_CODE) return false;
    if (i >= SIG_HAN) return kind == KIND_CHINESE;
    return kind == KIND_ENGLISH || kind == KIND_OTHER || (i != SIG_STOP_WORDS && i != SIG_NEWLINES);
}

static ErrCode measure(SignalScratch *s, Span text, TextKind kind, double v[SIG_COUNT], Err *err)
{
    const Words *w = &s->words;
    LineCounts lines;
    ErrCode rc;

    for (int i = 0; i < SIG_COUNT; i++) v[i] = 0;
    if ((rc = words_split(&s->words, text, err)) != ERR_OK) return rc;
    if ((rc = lines_count(&s->repeats, text, SHORT_LINE_CHARS, w->odd_breaks, &lines, err)) != ERR_OK) return rc;
    v[SIG_CHARS] = (double)w->n_chars;
    line_signals(&lines, w->n_chars, v);
    word_signals(w, &lines, v);
    if (kind == KIND_CHINESE) han_signals(w, v);
    if (kind == KIND_CODE)
        v[SIG_ALNUM] = ratio(w->n_letters + w->n_han + w->n_digits, w->n_chars);
    else if ((rc = gram_signals(s, kind, v, err)) != ERR_OK)
        return rc;
    for (int i = 0; i < SIG_COUNT; i++)
        if (!has_signal(kind, (SignalId)i)) v[i] = NAN;
    return ERR_OK;
}

ErrCode signals_measure(SignalScratch *s, Span text, TextKind kind, double v[SIG_COUNT], Err *err)
{
    ErrCode rc = measure(s, text, kind, v, err);

    if (s->words.cap > SIGNALS_KEEP || s->repeats.cap > SIGNALS_KEEP) signals_clear(s);
    return rc;
}

void signals_clear(SignalScratch *s)
{
    words_clear(&s->words);
    repeats_clear(&s->repeats);
}

enum { GUESS_BYTES = 64 << 10 };

/* By the script of the first 64 KiB: Chinese when a fifth of the letters are Han. A page of mostly English code or
 * links with Chinese around it lies well above that, an English page that quotes some Chinese below. */
static TextKind guess_kind(Span text)
{
    uint64_t n_han = 0, n_letters = 0;

    text.n = utf8_floor(text, GUESS_BYTES);
    for (size_t at = 0; at < text.n;) {
        uint32_t cp;
        at += utf8_next(text.p + at, text.n - at, &cp);
        if (cp == UTF8_BAD) continue;
        UnicodeClass class = unicode_class(cp);
        n_han += class == UC_HAN;
        n_letters += class == UC_LETTER;
    }
    return n_han * 4 >= n_letters && n_han ? KIND_CHINESE : KIND_ENGLISH;
}

TextKind text_kind(Span lang, Span text)
{
    if (lang.p == NULL) return guess_kind(text);
    if (span_is(lang, "en")) return KIND_ENGLISH;
    if (span_is(lang, "zh-Hans") || span_is(lang, "zh-Hant") || span_is(lang, "zh")) return KIND_CHINESE;
    if (span_is(lang, "code")) return KIND_CODE;
    return KIND_OTHER;
}
