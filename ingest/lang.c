#include "ingest/lang.h"

#include "core/unicode.h"
#include "core/utf8.h"
#include "ingest/cld2_shim.h"

const char *const lang_names[LANG_N] = {"other", "en", "zh-Hans", "zh-Hant", "code"};

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

/* Up to LANG_SAMPLE bytes of a text: all of a short one, else three pieces. */
static size_t sample_of(Span text, uint8_t out[LANG_SAMPLE])
{
    enum { PIECE = LANG_SAMPLE / 3 - 8 };
    size_t n = 0;

    if (text.n <= LANG_SAMPLE) {
        if (text.n) memcpy(out, text.p, text.n);
        return text.n;
    }
    for (int i = 0; i < 3; i++) {
        size_t from = utf8_floor(text, (text.n - PIECE) / 2 * (size_t)i);
        Span piece = span_from(text, from);
        size_t k = utf8_floor(piece, PIECE);
        memcpy(out + n, piece.p, k);
        n += k;
        out[n++] = '\n';
    }
    return n;
}

typedef struct {
    uint32_t letters, han, kana, hangul, latin; /* letters: of all scripts */
    uint32_t hans, hant;                        /* characters that one side alone writes */
    uint32_t symbols, lines,
        code_lines; /* ASCII marks of code; lines with text; lines that end or start as code does */
    uint32_t bytes;
} Histogram;

static Histogram count_scripts(Span s)
{
    Histogram h = {.bytes = (uint32_t)s.n};
    uint32_t cp;

    for (size_t i = 0; i < s.n; i += utf8_next(s.p + i, s.n - i, &cp)) {
        utf8_next(s.p + i, s.n - i, &cp);
        if (cp < 0x80) {
            h.latin += ascii_is_alpha((uint8_t)cp);
            h.symbols += cp && strchr("{}()[];=<>_$*&|#\\", (int)cp) != NULL;
            continue;
        }
        switch (unicode_class(cp)) {
        case UC_HAN: {
            int side = unicode_han_side(cp);
            h.han++;
            h.hans += side > 0;
            h.hant += side < 0;
            break;
        }
        case UC_KANA: h.kana++; break;
        case UC_HANGUL: h.hangul++; break;
        case UC_LETTER: h.letters++; break;
        default: break;
        }
    }
    h.letters += h.latin + h.han + h.kana + h.hangul;
    return h;
}

/* A call or a declaration: a name right before a parenthesis, which prose has a blank before. */
static bool has_call(Span line)
{
    for (size_t i = 1; i < line.n; i++)
        if (line.p[i] == '(' && (ascii_is_alnum(line.p[i - 1]) || line.p[i - 1] == '_')) return true;
    return false;
}

/* "name = value", "a->b", "x += 1": operators between names, which prose does not use. */
static bool contains_assignment(Span line)
{
    for (size_t i = 1; i + 1 < line.n; i++) {
        if (line.p[i] == '=' && i + 2 < line.n && line.p[i - 1] == ' ' && line.p[i + 1] == ' ') return true;
        if ((line.p[i] == '-' || line.p[i] == '=') && line.p[i + 1] == '>') return true;
        if (line.p[i + 1] == '=' && strchr("+-*/|&!=", line.p[i])) return true;
    }
    return false;
}

/* How lines of programs start and end. */
static bool is_code_line(Span line)
{
    static const char *const starts[] = {"#include", "#define", "#if",  "#endif", "import ", "from ",  "package ",
                                         "use ",     "using ",  "//",   "/*",     "*/",      "#!",     "@",
                                         "my ",      "var ",    "let ", "const ", "static ", "return", "else",
                                         "try:",     "self.",   "$",    "sub "};
    static const char *const blocks[] = {
        "def ", "class ", "if ", "for ", "while ", "else:", "elif ", "except", "try:", "with ", "function "};
    uint8_t last = line.p[line.n - 1];

    if (last == ';' || last == '{' || last == '}') return true;
    if ((last == ')' || last == '(' || last == ',' || last == ']') && has_call(line)) return true;
    for (size_t i = 0; last == ':' && i < sizeof blocks / sizeof blocks[0]; i++)
        if (span_starts(line, span_str(blocks[i]))) return true;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (span_starts(line, span_str(starts[i])))
            return line.n < 80 && last != '.' && last != ',' && last != '?' && last != '!';
    return contains_assignment(line);
}

static void count_code(Span s, Histogram *h)
{
    while (s.n) {
        size_t n = span_find(s, '\n');
        Span line = span_trim(span(s.p, n));
        s = span_from(s, n + 1);
        if (line.n == 0) continue;
        h->lines++;
        h->code_lines += is_code_line(line);
    }
}

/* `part` of `whole` in hundredths. */
static double share(uint64_t part, uint64_t whole) { return whole ? (double)(part * 100 / whole) / 100 : 0; }

LangAnswer lang_detect(Span text)
{
    uint8_t bytes[LANG_SAMPLE];
    Span s = span(bytes, sample_of(text, bytes));
    Histogram h = count_scripts(s);
    Cld2Answer answer;

    if (h.letters == 0) return (LangAnswer){LANG_OTHER, 0};
    /* A Han character says what two to three letters do, and Chinese pages quote commands and names: 15 in 100 suffice.
     * Kana in 1 of 50 characters makes it Japanese. */
    uint64_t wide = h.han + h.kana + h.hangul;
    if (h.han && h.kana * 50 <= h.han && h.hangul * 10 <= h.han && h.han * 100 >= h.letters * 15) {
        bool hant = h.hant > h.hans && h.hant >= 3;
        return (LangAnswer){hant ? LANG_ZH_HANT : LANG_ZH_HANS,
                            share(h.han * 5 / 2, h.han * 5 / 2 + h.letters - h.han)};
    }
    count_code(s, &h);
    if (h.lines >= 3 && h.code_lines * 3 >= h.lines && h.symbols * 25 >= h.bytes)
        return (LangAnswer){LANG_CODE, share(h.code_lines, h.lines)};
    if (wide * 2 > h.letters) return (LangAnswer){LANG_OTHER, share(wide, h.letters)};
    cld2_detect((const char *)s.p, s.n, &answer);
    double score = (double)answer.percent / 100;
    if (span_is(span_str(answer.code), "en")) return (LangAnswer){LANG_EN, score};
    /* Chinese with a lot of Latin in it: names, formulas, links. */
    if (!strncmp(answer.code, "zh", 2) && h.han * 10 >= h.letters)
        return (LangAnswer){h.hant > h.hans && h.hant >= 3 ? LANG_ZH_HANT : LANG_ZH_HANS, score};
    return (LangAnswer){LANG_OTHER, score};
}
