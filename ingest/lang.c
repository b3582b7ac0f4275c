#include "ingest/lang.h"

#include "core/unicode.h"
#include "core/utf8.h"
#include "ingest/cld2_shim.h"
#include "ingest/codelines.h"

#include <stdlib.h>

const char *const lang_names[LANG_N] = {"other", "en", "zh-Hans", "zh-Hant", "code"};

enum { FEW_LETTERS = 20 };

bool lang_of_name(Span name, Lang *lang)
{
    for (int i = 0; i < LANG_N; i++)
        if (span_is(name, lang_names[i])) {
            *lang = (Lang)i;
            return true;
        }
    *lang = LANG_ZH_HANS;
    return span_is(name, "zh");
}

bool lang_set_parse(const char *list, bool keep[LANG_N])
{
    Span rest = span_str(list);

    for (int i = 0; i < LANG_N; i++) keep[i] = false;
    while (rest.n) {
        size_t n = span_find(rest, ',');
        Span name = span_trim(span(rest.p, n));
        Lang lang;
        rest = span_from(rest, n + 1);
        if (!lang_of_name(name, &lang)) return false;
        keep[lang] = true;
        if (span_is(name, "zh")) keep[LANG_ZH_HANT] = true;
    }
    return true;
}

/* Up to LANG_SAMPLE bytes of a text: all of a short one, else three pieces; a byte is free behind each. */
typedef struct {
    uint8_t bytes[LANG_SAMPLE + 3];
    size_t from[3], n[3];
    int n_pieces;
} Sample;

static void take_sample(Sample *s, Span text)
{
    enum { PIECE = LANG_SAMPLE / 3 };

    s->n_pieces = text.n > LANG_SAMPLE ? 3 : 1;
    for (int i = 0; i < s->n_pieces; i++) {
        const size_t from = s->n_pieces == 1 ? 0 : utf8_floor(text, (text.n - PIECE) / 2 * (size_t)i);
        const Span piece = span_from(text, from);
        s->from[i] = i ? s->from[i - 1] + s->n[i - 1] + 1 : 0;
        s->n[i] = s->n_pieces == 1 ? text.n : utf8_floor(piece, PIECE);
        if (s->n[i]) memcpy(s->bytes + s->from[i], piece.p, s->n[i]);
    }
}

typedef struct {
    uint32_t letters, han, kana, hangul, latin; /* letters: of all scripts */
    uint32_t hans, hant;                        /* characters that one side alone writes */
} Histogram;

static inline void count_character(Histogram *h, uint32_t cp)
{
    const int side = unicode_han_side(cp);

    switch (unicode_class(cp)) {
    case UC_HAN:
        h->han++;
        h->hans += side > 0;
        h->hant += side < 0;
        break;
    case UC_KANA: h->kana++; break;
    case UC_HANGUL: h->hangul++; break;
    case UC_LETTER: h->letters++; break;
    default: break;
    }
}

static void count_scripts(Histogram *h, Span s)
{
    uint32_t cp;

    for (size_t i = 0; i < s.n;) {
        if (s.p[i] < 0x80) {
            h->latin += ascii_is_alpha(s.p[i++]);
            continue;
        }
        i += utf8_next(s.p + i, s.n - i, &cp);
        if (cp != UTF8_BAD) count_character(h, cp);
    }
}

/* What a sample consists of. Its lines that are no code are moved to its front, for who judges by words. */
typedef struct {
    Histogram text, code;         /* of lines that are no code, of those that are */
    uint32_t bytes[LINE_N_KINDS]; /* of lines without the blanks around them */
    uint32_t n_code;              /* lines */
    size_t n;                     /* bytes of what is moved */
} Parts;

static void add(Histogram *to, const Histogram *h)
{
    to->letters += h->letters, to->latin += h->latin, to->han += h->han, to->kana += h->kana;
    to->hangul += h->hangul, to->hans += h->hans, to->hant += h->hant;
}

static void part_piece(Parts *parts, uint8_t *p, size_t from, size_t n)
{
    CodeState state = {0};

    for (size_t i = from, len; i < from + n; i += len + 1) {
        len = span_find(span(p + i, from + n - i), '\n');
        const Span line = span_trim(span(p + i, len));
        Histogram h = {0};
        if (line.n == 0) continue;
        count_scripts(&h, line);
        h.letters += h.latin + h.han + h.kana + h.hangul;
        const LineKind kind = codeline_kind(&state, line, h.han && h.han * 3 >= h.letters);
        if (kind == LINE_OTHER && !h.han) h.letters -= h.latin / 2; /* names, menus: not yet English */
        parts->bytes[kind] += (uint32_t)line.n;
        parts->n_code += kind >= LINE_FENCED;
        add(kind >= LINE_FENCED ? &parts->code : &parts->text, &h);
        if (kind >= LINE_FENCED) continue;
        memmove(p + parts->n, line.p, line.n);
        parts->n += line.n;
        p[parts->n++] = '\n'; /* the line's own, or the byte behind the piece */
    }
}

static Parts part_sample(Sample *s)
{
    Parts parts = {0};

    for (int i = 0; i < s->n_pieces; i++) part_piece(&parts, s->bytes, s->from[i], s->n[i]);
    return parts;
}

/* Examples that are set apart count a quarter: who sets them apart writes about them. */
static uint32_t code_bytes(const Parts *p) { return p->bytes[LINE_CODE] + p->bytes[LINE_FENCED] / 4; }

/* Of programs more than of prose: pages about programming quote them, and are prose. */
static bool is_code(const Parts *p)
{
    const uint32_t code = code_bytes(p);

    return p->n_code >= 3 && code * 2 >= p->bytes[LINE_PROSE] * 3 && code * 2 >= p->bytes[LINE_OTHER];
}

/* `part` of `whole` in hundredths. */
static double share(uint64_t part, uint64_t whole) { return whole ? (double)(part * 100 / whole) / 100 : 0; }

struct LangDetector {
    const FastText *model; /* NULL: CLD2 */
    FastTextScratch *scratch;
};

ErrCode lang_detector_new(LangDetector **out, const FastText *model, Err *err)
{
    LangDetector *d = calloc(1, sizeof *d);
    ErrCode rc = ERR_OK;

    *out = NULL;
    if (!d) return err_nomem(err, "a detector of languages");
    d->model = model;
    if (model) rc = fasttext_scratch_new(&d->scratch, model, err);
    if (rc != ERR_OK)
        lang_detector_free(d);
    else
        *out = d;
    return rc;
}

void lang_detector_free(LangDetector *d)
{
    if (!d) return;
    fasttext_scratch_free(d->scratch);
    free(d);
}

/* Which of the two sides: what few characters say, the page's own word outweighs. */
static Lang side_of(const Histogram *h, bool traditional)
{
    const uint32_t most = h->hant > h->hans ? h->hant : h->hans;

    if (most < LANG_SURE_SIDE && traditional) return LANG_ZH_HANT;
    return h->hant > h->hans ? LANG_ZH_HANT : LANG_ZH_HANS;
}

/* Of a model's label what could be a code; it goes to names of counters. */
static void set_code(LangAnswer *a, Span code)
{
    size_t n = 0;

    while (n < code.n && n < sizeof a->code - 1 && ascii_is_alnum(code.p[n])) a->code[n] = (char)code.p[n], n++;
    a->code[n] = 0;
}

/* The part of a model's label that names the language: "zh" of "zh-Hans", "cmn" of "cmn_Hani". */
static Span main_part(Span label)
{
    size_t n = 0;

    while (n < label.n && label.p[n] != '-' && label.p[n] != '_') n++;
    return span(label.p, n);
}

static bool is_any(Span s, const char *const *names)
{
    while (*names)
        if (span_is(s, *names++)) return true;
    return false;
}

/* What CLD2 or the model says of a text whose script does not tell; *score in hundredths. */
static Span ask(LangDetector *d, Span s, Cld2Answer *cld2, double *score)
{
    FastTextAnswer best;

    *score = 0;
    if (!d->model) {
        cld2_detect((const char *)s.p, s.n, cld2);
        *score = (double)cld2->percent / 100;
        return span_str(cld2->code);
    }
    if (!fasttext_predict(d->model, d->scratch, s, 1, &best)) return SPAN_LIT("un");
    /* fasttext.h: the same float everywhere, so the same hundredth. */
    const int percent = (int)(best.p * 100.0f + 0.5f);
    *score = (double)(percent > 100 ? 100 : percent) / 100;
    return fasttext_label(d->model, best.label);
}

/* Chinese: a Han character says what two to three letters do, and Chinese pages quote commands and names, so 15 in 100 suffice. Kana in
 * 1 of 50 characters makes it Japanese. */
static bool is_near_chinese(const Histogram *h)
{
    return h->han && h->kana * 50 <= h->han && h->hangul * 10 <= h->han;
}
static bool is_chinese(const Histogram *h) { return is_near_chinese(h) && h->han * 100 >= h->letters * 15; }

static LangAnswer by_words(LangDetector *d, Span s, const Histogram *h, bool traditional)
{
    static const char *const english[] = {"en", "eng", NULL};
    LangAnswer a = {.lang = LANG_OTHER};
    Cld2Answer cld2;
    const Span label = ask(d, s, &cld2, &a.score), code = main_part(label);

    if (is_any(code, english))
        a.lang = LANG_EN;
    else if (is_near_chinese(h) && h->han * 12 >= h->letters)
        a.lang = side_of(h, traditional); /* with a lot of Latin in it that is no English: names, formulas, links */
    else if (!span_is(code, "un"))        /* CLD2's word for what it does not know */
        set_code(&a, code);
    return a;
}

LangAnswer lang_detect(LangDetector *d, Span text, bool traditional)
{
    Sample s;

    take_sample(&s, text);
    const Parts parts = part_sample(&s);
    const uint32_t code = code_bytes(&parts), prose = parts.bytes[LINE_PROSE];
    if (is_code(&parts)) return (LangAnswer){.lang = LANG_CODE, .score = share(code, code + prose)};

    Histogram h = parts.text;
    Span words = span(s.bytes, parts.n);
    if (h.letters < FEW_LETTERS) { /* what is left of little code says nothing: all of it, then */
        add(&h, &parts.code);
        words = span(text.p, utf8_floor(text, text.n < LANG_WORDS ? text.n : LANG_WORDS));
    }
    if (h.letters == 0) return (LangAnswer){.lang = LANG_OTHER};
    if (is_chinese(&h))
        return (LangAnswer){side_of(&h, traditional), share(h.han * 5 / 2, h.han * 5 / 2 + h.letters - h.han), ""};
    const uint64_t wide = h.han + h.kana + h.hangul;
    if (wide * 2 > h.letters) {
        LangAnswer a = {.lang = LANG_OTHER, .score = share(wide, h.letters)};
        set_code(&a, h.hangul > h.kana ? SPAN_LIT("ko") : SPAN_LIT("ja"));
        return a;
    }
    return by_words(d, span(words.p, utf8_floor(words, words.n < LANG_WORDS ? words.n : LANG_WORDS)), &h,
                    traditional);
}

/* --- what a page says of itself */

static bool is_sub(Span sub, const char *const *names)
{
    while (*names)
        if (span_eq_nocase(sub, span_str(*names++))) return true;
    return false;
}

/* +1 for a tag of traditional Chinese ("zh-TW", "zh-Hant-HK"), -1 for one of simplified, 0 for another. */
static int tag_side(Span tag)
{
    static const char *const hant[] = {"hant", "tw", "hk", "mo", "cht", NULL}, *const hans[] = {"hans", "cn", "sg",
                                                                                                "chs", NULL};
    Span sub = main_part(tag);

    if (!span_eq_nocase(sub, SPAN_LIT("zh"))) return 0;
    while (tag.n > sub.n) {
        tag = span_from(tag, sub.n + 1);
        sub = main_part(tag);
        if (is_sub(sub, hant)) return 1;
        if (is_sub(sub, hans)) return -1;
    }
    return 0;
}

/* The host's last label. */
static Span country(Span url)
{
    size_t n = 0, from;

    while (n + 3 <= url.n && memcmp(url.p + n, "://", 3) != 0) n++;
    Span host = span_from(url, n + 3);
    for (n = 0; n < host.n && host.p[n] != '/' && host.p[n] != ':' && host.p[n] != '?' && host.p[n] != '#';) n++;
    for (from = n; from && host.p[from - 1] != '.';) from--;
    return n ? span(host.p + from, n - from) : host;
}

bool lang_says_traditional(Span html_lang, const char *charset, Span url)
{
    static const char *const places[] = {"tw", "hk", "mo", NULL};
    const int side = tag_side(span_trim(html_lang));

    if (side) return side > 0;
    if (charset && span_starts(span_str(charset), SPAN_LIT("big5"))) return true;
    return is_sub(country(url), places);
}
