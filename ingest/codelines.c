/* Lines are told apart one by one, by how they begin, how they end and what stands between names. */
#include "ingest/codelines.h"

enum {
    MAX_COMMENT = 60, /* lines between a comment's marks: of a sample the end may be missing */
    LONG_LINE = 240,  /* a longer line is looked at this far: programs have short ones */
};

/* Words that begin lines of programs, with a blank or a bracket behind, or alone; no sentence end ends the line, and few words are in it.
 * Of `blocks` a colon ends the line. */
static const char *const sure[] = {
    "abstract",    "alias",    "begin",    "break",     "case",    "const",     "continue", "def",     "defmodule",
    "defp",        "do",       "elif",     "elseif",    "elsif",   "else",      "end",      "endif",   "endforeach",
    "endfunction", "endmacro", "endwhile", "ensure",    "enum",    "esac",      "except",   "export",  "extern",
    "fi",          "fn",       "func",     "function",  "impl",    "import",    "inline",   "int",     "let",
    "local",       "lambda",   "module",   "mod",       "my",      "namespace", "package",  "print",   "private",
    "protected",   "pub",      "public",   "raise",     "require", "rescue",    "return",   "self",    "static",
    "struct",      "sub",      "template", "then",      "throw",   "try",       "type",     "typedef", "typename",
    "union",       "unless",   "until",    "use",       "using",   "val",       "var",      "void",    "yield",
    "async",       "await",    "class",    "interface", "CREATE",  "SELECT",    "INSERT",   "UPDATE",  "DROP",
    "ALTER",       "DELETE",   "BEGIN",    "END",       "GRANT",   "SET",       "FROM",     "WHERE"};
static const char *const blocks[] = {"class", "def", "elif",  "else", "except", "finally", "for",
                                     "if",    "try", "while", "with", "case",   "default"};

static bool is_name(uint8_t c) { return ascii_is_alnum(c) || c == '_'; }

static size_t word_length(Span line)
{
    size_t n = 0;

    while (n < line.n && is_name(line.p[n])) n++;
    return n;
}

static bool in_list(Span word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)list[i][0] == word.p[0] && span_is(word, list[i])) return true;
    return false;
}
#define IN_LIST(word, list) in_list(word, list, sizeof(list) / sizeof(list)[0])

typedef struct {
    uint32_t words, operators, calls, symbols; /* words: with a blank before */
} Marks;

enum { LETTER = 1, SYMBOL = 2, LOOK = 4 }; /* LOOK: what stands beside it decides */
static const uint8_t kind_of_byte[256] = {
    ['A'] = LETTER,       ['B'] = LETTER,        ['C'] = LETTER,        ['D'] = LETTER,        ['E'] = LETTER,
    ['F'] = LETTER,       ['G'] = LETTER,        ['H'] = LETTER,        ['I'] = LETTER,        ['J'] = LETTER,
    ['K'] = LETTER,       ['L'] = LETTER,        ['M'] = LETTER,        ['N'] = LETTER,        ['O'] = LETTER,
    ['P'] = LETTER,       ['Q'] = LETTER,        ['R'] = LETTER,        ['S'] = LETTER,        ['T'] = LETTER,
    ['U'] = LETTER,       ['V'] = LETTER,        ['W'] = LETTER,        ['X'] = LETTER,        ['Y'] = LETTER,
    ['Z'] = LETTER,       ['a'] = LETTER,        ['b'] = LETTER,        ['c'] = LETTER,        ['d'] = LETTER,
    ['e'] = LETTER,       ['f'] = LETTER,        ['g'] = LETTER,        ['h'] = LETTER,        ['i'] = LETTER,
    ['j'] = LETTER,       ['k'] = LETTER,        ['l'] = LETTER,        ['m'] = LETTER,        ['n'] = LETTER,
    ['o'] = LETTER,       ['p'] = LETTER,        ['q'] = LETTER,        ['r'] = LETTER,        ['s'] = LETTER,
    ['t'] = LETTER,       ['u'] = LETTER,        ['v'] = LETTER,        ['w'] = LETTER,        ['x'] = LETTER,
    ['y'] = LETTER,       ['z'] = LETTER,        ['{'] = SYMBOL,        ['}'] = SYMBOL,        [')'] = SYMBOL,
    [']'] = SYMBOL,       [';'] = SYMBOL,        ['<'] = SYMBOL,        ['>'] = SYMBOL,        ['_'] = SYMBOL,
    ['$'] = SYMBOL,       ['*'] = SYMBOL,        ['#'] = SYMBOL,        ['@'] = SYMBOL,        ['\\'] = SYMBOL,
    ['-'] = LOOK,         ['('] = SYMBOL | LOOK, ['='] = SYMBOL | LOOK, ['&'] = SYMBOL | LOOK, ['|'] = SYMBOL | LOOK,
    ['['] = SYMBOL | LOOK};

/* An operator between names, a name right before a parenthesis (prose has a blank there, but for the plural(s)). */
static void look_around(Marks *m, Span line, size_t i)
{
    const uint8_t next = i + 1 < line.n ? line.p[i + 1] : 0, before = i ? line.p[i - 1] : ' ';

    switch (line.p[i]) {
    case '(': m->calls += is_name(before) && i > 1 && !(next == 's' && i + 2 < line.n && line.p[i + 2] == ')'); break;
    case '=':
        m->operators += (before == ' ' && next == ' ') || next == '=' || next == '>' ||
                        (before && strchr("+-*/|&!<:~", before)) ||
                        (is_name(before) && (is_name(next) || next == '"' || next == '\''));
        break;
    case '-': m->operators += next == '>' || (before == '<' && i > 1); break;
    case '&': m->operators += next == '&'; break;
    case '|': m->operators += next == '|'; break;
    case '[': m->operators += is_name(before) && next != ' '; break;
    default: break;
    }
}

static Marks marks_of(Span line)
{
    Marks m = {0};
    uint8_t before = ' ';

    for (size_t i = 0; i < line.n; i++) {
        const uint8_t kind = kind_of_byte[line.p[i]];
        m.words += (kind & LETTER) && (before == ' ' || before >= 0x80);
        m.symbols += kind >> 1 & 1;
        if (kind & LOOK) look_around(&m, line, i);
        before = line.p[i];
    }
    return m;
}

/* What begins a comment that goes to the end of its line, or a line of a longer one. */
static bool is_comment(Span line)
{
    static const char *const marks[] = {"//", "/*", "*/", "* ", "# ",     "##", "--",
                                        "% ", "%%", ";;", "#'", "\"\"\"", "(*", "*"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (span_starts(line, span_str(marks[i])) && (marks[i][1] || line.n == 1)) return true;
    return false;
}

static bool begins_as_code(Span line, uint8_t last)
{
    static const char *const starts[] = {"#include", "#define", "#if",  "#endif", "#else",    "#pragma",
                                         "#undef",   "#!",      "@",    "$",      "-module(", "-export(",
                                         "(def",     "(let",    "(set", "(if ",   "(when ",   "(in-package "};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (span_starts(line, span_str(starts[i])))
            return line.n > 1 && last != '.' && last != ',' && last != '?' && last != '!';
    return false;
}

static bool holds(Span line, const char *two)
{
    for (size_t i = 0; i + 1 < line.n; i++)
        if (line.p[i] == (uint8_t)two[0] && line.p[i + 1] == (uint8_t)two[1]) return true;
    return false;
}

/* Perl's documentation, and Ruby's. */
static bool begins_pod(Span line)
{
    return line.p[0] == '=' && (span_starts(line, SPAN_LIT("=head")) || span_starts(line, SPAN_LIT("=item ")) ||
                                span_starts(line, SPAN_LIT("=pod")) || span_starts(line, SPAN_LIT("=begin")));
}

static bool is_commented(CodeState *state, Span line)
{
    if (begins_pod(line)) {
        state->is_pod = true;
        state->comment = MAX_COMMENT;
        return true;
    }
    if (!state->comment && !span_starts(line, SPAN_LIT("/*"))) return false;
    const bool ends =
        state->is_pod ? span_starts(line, SPAN_LIT("=cut")) || span_is(line, "=end") : holds(line, "*/");
    state->comment = ends ? 0 : state->comment ? state->comment - 1 : MAX_COMMENT;
    if (!state->comment) state->is_pod = false;
    return true;
}

/* Whether a line is code or comment by what stands around it. A fence that names no language may be an end whose beginning was not seen. */
static bool by_state(CodeState *state, Span line, LineKind *kind)
{
    const bool is_fence = span_starts(line, SPAN_LIT("```"));

    if (is_fence || state->fenced) {
        *kind = LINE_FENCED;
        if (is_fence) state->fenced = !state->fenced && line.n > 3;
        return true;
    }
    *kind = LINE_COMMENT;
    return is_commented(state, line);
}

LineKind codeline_kind(CodeState *state, Span line, bool is_han)
{
    const uint8_t last = line.p[line.n - 1];
    const size_t first = word_length(line);
    const Span word = span(line.p, first);
    LineKind kind;

    if (by_state(state, line, &kind)) return kind;
    if (!first && line.p[0] < 0x80) { /* these begin with a mark */
        if (begins_as_code(line, last)) return LINE_CODE;
        if (is_comment(line)) return LINE_COMMENT;
    }
    const Marks m = marks_of(line.n > LONG_LINE ? span(line.p, LONG_LINE) : line);
    const bool closed = last == ')' || last == '(' || last == ',' || last == ']' || last == '>' || last == '\\';
    const bool shut = last == '{' || last == '}' || (last == ';' && line.n < LONG_LINE);
    if (is_han) return shut && m.operators + m.calls ? LINE_CODE : LINE_PROSE;
    if (shut) return LINE_CODE;
    const bool dense = (m.operators + m.calls) && m.words <= 4 + 3 * (m.operators + m.calls);
    if (dense && (closed || m.operators || m.symbols >= 3)) return LINE_CODE;
    if (first && last == ':' && IN_LIST(word, blocks)) return LINE_CODE;
    if (first && (first == line.n || line.p[first] == ' ' || line.p[first] == '(') && IN_LIST(word, sure) &&
        last != '.' && last != '!' && last != '?')
        return m.words <= 5 || m.operators || m.calls ? LINE_CODE : LINE_PROSE;
    return m.words >= 4 && m.symbols * 12 <= line.n ? LINE_PROSE : LINE_OTHER;
}
