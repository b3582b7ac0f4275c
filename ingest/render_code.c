/* ingest/render_code.c - code as sites write it: <pre>, lines that are elements or end with <br>, tables with a column of line
 * numbers, and the name of its language, which is in some class or attribute near it. */
#include "ingest/render.h"

#include <stdlib.h>

enum {
    MAX_WORD = 40,
    CONTROL_BYTES = 64, /* the text of a button is no longer */
    LANGUAGE_UP = 4,    /* elements above code whose class may name its language */
    LANGUAGE_BYTES = 24
};

/* A class word in lower case without - and _, since sites differ in these alone. False: too long to be one we know. */
static bool squeeze(Span word, char out[MAX_WORD])
{
    size_t n = 0;

    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '-' || word.p[i] == '_') continue;
        if (n + 1 >= MAX_WORD) return false;
        out[n++] = (char)ascii_lower(word.p[i]);
    }
    out[n] = 0;
    return n > 0;
}

static int by_name(const void *key, const void *name) { return strcmp(key, *(const char *const *)name); }

#define IN_LIST(word, list) (bsearch(word, list, sizeof list / sizeof *list, sizeof *list, by_name) != NULL)

/* Sorted. Columns and marks that hold the number of a line. */
static const char *const gutters[] = {"aceguttercell",
                                      "blobnum",
                                      "cmgutters",
                                      "codelinenumber",
                                      "codelinenumbers",
                                      "codemirrorgutter",
                                      "codemirrorgutters",
                                      "codemirrorgutterwrapper",
                                      "codemirrorlinenumber",
                                      "codesnippetlineindex",
                                      "crayonnum",
                                      "crayonnums",
                                      "crayonnumscontent",
                                      "gutter",
                                      "highlightgutter",
                                      "hljslnn",
                                      "hljslnnumbers",
                                      "lineno",
                                      "linenodiv",
                                      "linenos",
                                      "linenum",
                                      "linenumber",
                                      "linenumbers",
                                      "linenumbersrows",
                                      "linenumberswrapper",
                                      "linenums",
                                      "ln",
                                      "lnt",
                                      "ltxtagitem",
                                      "ltxtaglistingline",
                                      "prenumbering",
                                      "reactlinenumber",
                                      "reactsyntaxhighlighterlinenumber",
                                      "rougegutter",
                                      "sourcelineno",
                                      "srclinenumbers"};
/* Sorted. Buttons and captions that tools put into their code. */
static const char *const controls[] = {"btnclipboard",    "btncopy",     "clipboardcopy", "cnblogscodetoolbar",
                                       "codebuttons",     "codecopybtn", "codetoolbar",   "copy",
                                       "copybtn",         "copybutton",  "copycode",      "copycodebtn",
                                       "copytoclipboard", "dpbar",       "hljsbutton",    "toolbar",
                                       "toolbaritem",     "tools"};
/* Sorted. Elements without a <pre> whose lines are elements or end with <br>. */
static const char *const containers[] = {"acetextlayer",
                                         "bbccode",
                                         "bbcodecode",
                                         "cmcontent",
                                         "code",
                                         "codeblock",
                                         "codecontent",
                                         "codemirrorcode",
                                         "crayonpre",
                                         "fragment",
                                         "hljsln",
                                         "jsfilelinecontainer",
                                         "lstlisting",
                                         "ltxlisting",
                                         "programlisting",
                                         "sourcecode",
                                         "syntaxhighlighter",
                                         "verbatim",
                                         "viewlines"};

static unsigned filter_bit(uint8_t first, uint8_t last) { return (first * 31u + last) & 255; }

static WordFilter filter_of(const char *const *list, size_t n)
{
    WordFilter f = {{0}};

    for (size_t i = 0; i < n; i++) {
        unsigned bit = filter_bit((uint8_t)list[i][0], (uint8_t)list[i][strlen(list[i]) - 1]);
        f.bits[bit >> 6] |= UINT64_C(1) << (bit & 63);
    }
    return f;
}
#define FILTER_OF(list) filter_of(list, sizeof list / sizeof *list)

void render_code_init(Render *r)
{
    r->gutters = FILTER_OF(gutters);
    r->controls = FILTER_OF(controls);
    r->containers = FILTER_OF(containers);
}

static bool class_among(Span class, const WordFilter *f, const char *const *list, size_t n)
{
    char word[MAX_WORD];
    Span w;

    while ((w = class_word(&class)).n) {
        unsigned bit = filter_bit(ascii_lower(w.p[0]), ascii_lower(w.p[w.n - 1]));
        if ((f->bits[bit >> 6] >> (bit & 63) & 1) && squeeze(w, word) &&
            bsearch(word, list, n, sizeof *list, by_name))
            return true;
    }
    return false;
}
#define CLASS_AMONG(class, r, list) class_among(class, &(r)->list, list, sizeof list / sizeof *list)

/* ---- what begins a code block */

typedef struct {
    bool pre, br, blocks, nested; /* <pre>, <br>, blocks that may be lines, headings and paragraphs that may not */
    unsigned line_ends;           /* inside its text, at most 2 */
    bool too_long;
} Inside;

static void look_at_text(Span s, Inside *in)
{
    Span text = span_trim(s);

    s.n = (size_t)(text.p - s.p) + text.n; /* line ends behind the last word are none inside */
    for (size_t at = 0; text.n && in->line_ends < 2 && (at += span_find(span_from(s, at), '\n')) < s.n; at++)
        in->line_ends++;
}

/* What is looked at ahead comes off a page's budget, so that nested elements cost no square. False: it is spent. */
static bool spend(Render *r, uint32_t node)
{
    uint64_t cost = 1 + (r->t->node[node].tag == HTML_TEXT ? r->t->node[node].text_bytes / 64 : 0);

    if (r->scan_left < cost) return false;
    r->scan_left -= cost;
    return true;
}

Span render_class_above(Render *r, uint32_t i)
{
    Span class = html_attr(r->t, i, HTML_CLASS);
    uint64_t cost = 1 + class.n / 64;

    if (r->scan_left < cost) return (Span){NULL, 0};
    r->scan_left -= cost;
    return class;
}

static Inside look_inside(Render *r, uint32_t i)
{
    const HtmlTree *t = r->t;
    Inside in = {0};

    for (uint32_t k = i + 1; k < t->node[i].end; k++) {
        HtmlTag tag = (HtmlTag)t->node[k].tag;
        if (!spend(r, k)) {
            in.too_long = true;
            return in;
        }
        in.pre |= tag == HTML_pre;
        in.br |= tag == HTML_br;
        in.nested |= tag == HTML_p || (tag >= HTML_h1 && tag <= HTML_h6) || tag == HTML_form || tag == HTML_article;
        in.blocks |= blocks_is_block(tag) && tag != HTML_td;
        if (tag == HTML_TEXT) look_at_text(html_text(t, k), &in);
        if (in.pre || in.nested) return in;
    }
    return in;
}

/* Whether a table has one or two rows. All of its cells may ask. */
static bool has_few_rows(Render *r, uint32_t table)
{
    uint32_t rows = 0;

    if (table == r->counted) return r->few_rows;
    r->counted = table;
    r->few_rows = false;
    for (uint32_t k = table + 1; k < r->t->node[table].end && rows < 3; k++) {
        if (!spend(r, k)) return false;
        rows += r->t->node[k].tag == HTML_tr;
    }
    return r->few_rows = rows < 3;
}

static uint32_t up_to(const HtmlTree *t, uint32_t i, HtmlTag tag)
{
    while (i && t->node[i].tag != tag) i = t->node[i].parent;
    return i;
}

/* Whether a class makes an element one of code without <pre>. */
static bool may_hold_code(Render *r, uint32_t i, HtmlTag tag)
{
    const HtmlTree *t = r->t;
    Span class = html_attr(t, i, HTML_CLASS), above;

    switch (tag) {
    case HTML_div:
    case HTML_section:
    case HTML_figure:
    case HTML_table: return class.n >= 4 && CLASS_AMONG(class, r, containers);
    case HTML_td: /* beside a column of numbers, or below the word "Code:"; in larger tables it is a column of codes */
        return class.n >= 4 && class_has(class, "code") && has_few_rows(r, up_to(t, i, HTML_table));
    case HTML_ol: /* of old highlighters, which call it by the language; of Discuz */
        if (class.n > 3 && span_starts(class, SPAN_LIT("dp-"))) return true;
        above = render_class_above(r, t->node[t->node[i].parent].parent);
        return class_has(above, "blockcode") || class_has(render_class_above(r, t->node[i].parent), "blockcode");
    default: return false;
    }
}

/* Lines of CodeMirror, doxygen's fragments and the like are elements; <div class="code"> with one line is none of a block. */
bool render_is_code(Render *r, uint32_t i)
{
    HtmlTag tag = (HtmlTag)r->t->node[i].tag;

    if (tag == HTML_pre) {
        r->soft = false;
        return true;
    }
    if (tag != HTML_code && !may_hold_code(r, i, tag)) return false;
    Inside in = look_inside(r, i);
    if (in.pre || in.nested || in.too_long) return false;
    r->soft = in.br || in.blocks;
    return r->soft || in.line_ends >= 2;
}

bool render_is_inline_code(const Render *r, uint32_t i)
{
    const HtmlTree *t = r->t;

    if (r->code || r->inline_code) return false;
    for (uint32_t k = i + 1; k < t->node[i].end && k < i + 8; k++)
        if (t->node[k].tag == HTML_TEXT && span_trim(html_text(t, k)).n)
            return span_find(html_text(t, k), '`') == t->node[k].text_bytes;
    return false;
}

/* ---- what of it nobody wrote */

/* Whether an element's text is digits, blanks and marks, or none at all. */
static bool is_numbers(Render *r, uint32_t i)
{
    const HtmlTree *t = r->t;

    for (uint32_t k = i + 1; k < t->node[i].end; k++) {
        if (!spend(r, k)) return false;
        if (t->node[k].tag != HTML_TEXT) continue;
        Span s = html_text(t, k);
        for (size_t at = 0; at < s.n; at++)
            if (ascii_is_alpha(s.p[at]) || s.p[at] > 0xc2) return false;
    }
    return true;
}

static bool is_short(const HtmlTree *t, uint32_t i)
{
    uint32_t bytes = 0;

    for (uint32_t k = i + 1; k < t->node[i].end; k++) {
        if (k > i + 16) return false;
        if (t->node[k].tag == HTML_TEXT) bytes += t->node[k].text_bytes;
    }
    return bytes <= CONTROL_BYTES;
}

bool render_is_gutter(Render *r, uint32_t i)
{
    const HtmlNode *n = &r->t->node[i];
    Span class = html_attr(r->t, i, HTML_CLASS);

    if (class.n < 2) return false;
    if (!r->code) /* a column of numbers beside code */
        return n->tag == HTML_td && !r->row && CLASS_AMONG(class, r, gutters) && is_numbers(r, i);
    if (CLASS_AMONG(class, r, gutters)) return is_numbers(r, i);
    return CLASS_AMONG(class, r, controls) && is_short(r->t, i);
}

/* ---- its lines */

static bool is_line(HtmlTag tag)
{
    return blocks_is_block(tag) && tag != HTML_td && tag != HTML_th && tag != HTML_tbody && tag != HTML_table &&
           tag != HTML_thead;
}

static void end_line(Render *r)
{
    Buf *text = &r->out->text;

    if (!render_has_text(r))
        buf_reset(&r->out->indent);
    else if (text->p[text->n - 1] != '\n')
        buf_putc(text, '\n');
}

/* Spans that are lines by their style: some tools write no line end between them. */
static bool follows_its_like(const HtmlTree *t, uint32_t i)
{
    uint32_t before = i - 1; /* of a sibling's subtree */
    HtmlTag tag = (HtmlTag)t->node[i].tag;

    if (t->node[i].parent == before || (tag != HTML_span && tag != HTML_code)) return false;
    while (t->node[before].parent != t->node[i].parent) before = t->node[before].parent;
    if (t->node[before].tag != tag) return false;
    if (tag == HTML_code) return t->node[before].end == i && t->node[t->node[i].parent].tag == HTML_pre;
    Span class = html_attr(t, i, HTML_CLASS);
    return class_has(class, "line") || class_has(class, "token-line") || class_has(class, "code-line");
}

void render_open_in_code(Render *r, uint32_t i)
{
    HtmlTag tag = (HtmlTag)r->t->node[i].tag;

    if (tag == HTML_br) {
        if (render_has_text(r))
            buf_putc(&r->out->text, '\n');
        else
            buf_reset(&r->out->indent);
        r->after_line = r->soft;
    } else if (is_line(tag) || follows_its_like(r->t, i)) {
        end_line(r);
    }
}

/* An empty line is an element too, if none was opened in it. */
void render_close_in_code(Render *r, const OpenElement *e)
{
    const HtmlTree *t = r->t;

    if (!is_line((HtmlTag)t->node[e->node].tag)) return;
    bool leaf = t->node[e->node].end <= e->node + 3; /* at most a <span> with a blank */
    if (leaf && r->out->text.n == e->text && render_has_text(r))
        buf_putc(&r->out->text, '\n');
    else
        end_line(r);
    r->after_line = true;
}

/* ---- its language */

/* Sorted. Words that name a language wherever they stand in the class of code. */
static const char *const languages[] = {
    "actionscript", "ada",       "apache",       "applescript", "arduino",    "asm",    "assembly",   "awk",
    "bash",         "basic",     "bat",          "batch",       "c",          "c#",     "c++",        "clojure",
    "cmake",        "cobol",     "coffeescript", "cpp",         "cs",         "csharp", "css",        "cuda",
    "cython",       "d",         "dart",         "delphi",      "diff",       "docker", "dockerfile", "dos",
    "elisp",        "elixir",    "elm",          "erb",         "erlang",     "f#",     "fortran",    "fsharp",
    "glsl",         "go",        "golang",       "gradle",      "graphql",    "groovy", "haml",       "haskell",
    "hcl",          "hs",        "html",         "http",        "ini",        "java",   "javascript", "jinja",
    "js",           "json",      "jsx",          "julia",       "kotlin",     "kt",     "latex",      "less",
    "lisp",         "lua",       "makefile",     "markdown",    "matlab",     "mysql",  "nasm",       "nginx",
    "nix",          "objc",      "objective-c",  "objectivec",  "ocaml",      "octave", "pascal",     "perl",
    "pgsql",        "php",       "plsql",        "postgresql",  "powershell", "proto",  "protobuf",   "ps1",
    "puppet",       "py",        "python",       "python3",     "qml",        "r",      "rb",         "rs",
    "rst",          "ruby",      "rust",         "sass",        "scala",      "scheme", "scss",       "sh",
    "shell",        "smalltalk", "solidity",     "sql",         "svelte",     "swift",  "tcl",        "terraform",
    "tex",          "toml",      "ts",           "tsx",         "typescript", "vb",     "vb.net",     "vbnet",
    "vbscript",     "verilog",   "vhdl",         "vim",         "vue",        "xhtml",  "xml",        "yaml",
    "yml",          "zig",       "zsh"};
/* Sorted. Values that name none. */
static const char *const no_languages[] = {
    "auto",        "console-output", "default",     "false",    "hljs",   "ipython3", "literal-block", "no-highlight",
    "nohighlight", "none",           "notranslate", "null",     "output", "plain",    "plaintext",     "raw",
    "text",        "true",           "txt",         "undefined"};

/* Takes a language's name, in lower case; false when it is none. */
static bool take_language(Render *r, Span name, bool known)
{
    char low[LANGUAGE_BYTES + 1];
    Buf *code = &r->out->code;

    if (name.n == 0 || name.n > LANGUAGE_BYTES) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!ascii_is_alnum(c) && c != '+' && c != '#' && c != '-' && c != '.' && c != '_') return false;
        low[i] = (char)ascii_lower(c);
    }
    low[name.n] = 0;
    if (IN_LIST(low, no_languages) || (known && !IN_LIST(low, languages))) return false;
    r->now.code = (uint32_t)code->n;
    r->now.code_bytes = (uint8_t)name.n;
    buf_put(code, low, name.n);
    return true;
}

static bool of_class(Render *r, Span class, bool near)
{
    static const struct {
        const char *prefix;
        bool known; /* other words begin so: only names from the list */
    } prefixes[] = {{"language-", false},
                    {"lang-", true},
                    {"highlight-source-", false},
                    {"mw-highlight-lang-", false},
                    {"sourceCode-", true},
                    {"src-", true},
                    {"highlight-", true},
                    {"brush:", false},
                    {"code-snippet__", true},
                    {"dp-", true},
                    {"lst-", true}};
    Span word;
    bool brush = false;

    while ((word = class_word(&class)).n) {
        if (word.p[word.n - 1] == ';') word.n--;
        if (brush) return take_language(r, span(word.p, span_find(word, ';')), false);
        brush = span_is(word, "brush:");
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
            Span p = span_str(prefixes[i].prefix), rest = span_from(word, p.n);
            if (!span_starts(word, p)) continue;
            if (take_language(r, span(rest.p, span_find(rest, ';')), prefixes[i].known)) return true;
        }
        if (near && take_language(r, word, true)) return true;
    }
    return false;
}

static bool of_element(Render *r, uint32_t i, bool near)
{
    const HtmlTree *t = r->t;
    Span class = render_class_above(r, i);

    if (take_language(r, html_attr(t, i, HTML_DATA_LANG), false)) return true;
    if (near && take_language(r, html_attr(t, i, HTML_LANG), true)) return true;
    return class.n && of_class(r, class, near || class_has(class, "highlight"));
}

/* Above the code only what holds nothing else may speak of it; "highlight" and "code" elements do. */
static void find_language(Render *r)
{
    const HtmlTree *t = r->t;
    uint32_t i = r->code;

    if (of_element(r, i, true)) return;
    for (uint32_t k = i + 1; k < t->node[i].end && k < i + 4; k++)
        if (t->node[k].tag == HTML_code && of_element(r, k, true)) return;
    for (unsigned up = 0; up < LANGUAGE_UP && i; up++) {
        i = t->node[i].parent;
        if (t->node[i].end - i > 2 * (t->node[r->code].end - r->code) + 64) return;
        if (of_element(r, i, false)) return;
    }
}

/* Prose in <pre>, as mail archives and old texts have it: nothing says that it is code, and one letter in 25 at most is a sign
 * that prose has not. */
static bool is_prose(const Render *r)
{
    const HtmlTree *t = r->t;
    Span s = span(r->out->text.p + r->now.text, r->out->text.n - r->now.text);
    size_t signs = 0, letters = 0;

    if (t->node[r->code].tag != HTML_pre || r->now.code_bytes || r->now.sentences + r->now.commas < 2) return false;
    for (uint32_t k = r->code + 1; k < t->node[r->code].end && k < r->code + 4; k++)
        if (t->node[k].tag == HTML_code || t->node[k].tag == HTML_span) return false;
    for (size_t i = 0; i < s.n; i++) {
        letters += ascii_is_alpha(s.p[i]) || s.p[i] > 0xc0;
        signs += s.p[i] < 0x80 && s.p[i] > ' ' && strchr("{}[]<>=;$#&*/\\|_@+%^~`", s.p[i]) != NULL;
    }
    return signs * 25 < letters;
}

/* Takes off a column of numbers that cnblogs writes into the text: each line begins with the one after the last line's. */
static void drop_numbers(Render *r)
{
    Buf *text = &r->out->text;
    uint8_t *p = text->p + r->now.text, *end = text->p + text->n, *to = p;
    unsigned lines = 0;

    for (int pass = 0; pass < 2; pass++) {
        lines = 0;
        for (uint8_t *at = p; at < end;) {
            unsigned v = 0, n_digits = 0;
            uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
            line_end = line_end ? line_end + 1 : end;
            while (at < line_end && *at == ' ') at++;
            for (; at < line_end && ascii_is_digit(*at) && n_digits < 6; at++, n_digits++) v = v * 10 + (*at - '0');
            if (pass == 0 && v != ++lines) return;
            if (at < line_end && *at == ' ') at++;
            if (pass == 1) {
                memmove(to, at, (size_t)(line_end - at));
                to += line_end - at;
            }
            at = line_end;
        }
        if (lines < 2 && pass == 0) return;
    }
    text->n = (size_t)(to - text->p);
}

void render_finish_code(Render *r)
{
    Span above = render_class_above(r, r->t->node[r->code].parent);

    if (class_has(above, "cnblogs_code")) drop_numbers(r);
    find_language(r);
    r->now.fenced = !is_prose(r);
}
