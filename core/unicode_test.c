/* The generated tables: known characters, properties that hold of all, and Python's unicodedata where there is one. */
#include "core/unicode.h"
#include "tests/check.h"

#include <stdlib.h>

TEST(unicode_classes_of_known_characters)
{
    static const struct {
        uint32_t cp;
        UnicodeClass want;
    } known[] = {
        {'a', UC_LETTER},   {'7', UC_DIGIT},     {' ', UC_SPACE},    {0x3000, UC_SPACE},  {0x85, UC_SPACE},
        {0x4E2D, UC_HAN},   {0x3007, UC_HAN},    {0x3005, UC_HAN},   {0x20000, UC_HAN},   {0xFA0E, UC_HAN},
        {0x3042, UC_KANA},  {0xFF71, UC_KANA},   {0x30FC, UC_KANA},  {0xAC00, UC_HANGUL}, {0x1100, UC_HANGUL},
        {0x301, UC_MARK},   {0x661, UC_DIGIT},   {0xFF11, UC_DIGIT}, {0x2160, UC_NUMBER}, {0xBD, UC_NUMBER},
        {0x3002, UC_PUNCT}, {0xFF0C, UC_PUNCT},  {'_', UC_PUNCT},    {'+', UC_SYMBOL},    {0x1F600, UC_SYMBOL},
        {0, UC_OTHER},      {0xAD, UC_OTHER},    {0xE000, UC_OTHER}, {0xD800, UC_OTHER},  {0x10FFFF, UC_OTHER},
        {0x436, UC_LETTER}, {0x2E80, UC_SYMBOL}, {0x31350, UC_HAN}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) CHECK_INT(known[i].want, unicode_class(known[i].cp));
}

static bool folds_to(uint32_t cp, const uint32_t *want, unsigned n)
{
    uint32_t got[UNICODE_FOLD_MAX];

    return unicode_fold(cp, got) == n && (n == 0 || memcmp(got, want, n * sizeof *want) == 0);
}

TEST(unicode_fold_of_known_characters)
{
    CHECK(folds_to('A', (uint32_t[]){'a'}, 1));
    CHECK(folds_to(0xE9, (uint32_t[]){'e'}, 1));
    CHECK(folds_to(0x301, NULL, 0));
    CHECK(folds_to(0xAD, NULL, 0));
    CHECK(folds_to(0xFF21, (uint32_t[]){'a'}, 1));
    CHECK(folds_to(0xDF, (uint32_t[]){'s', 's'}, 2));
    CHECK(folds_to(0x96FB, (uint32_t[]){0x7535}, 1)); /* traditional "electric" */
    CHECK(folds_to(0xF9B8, (uint32_t[]){0x96B6}, 1)); /* compatibility form of U+96B8, simplified U+96B6 */
    CHECK(folds_to(0x2460, (uint32_t[]){'1'}, 1));
    CHECK(folds_to(0xBD, (uint32_t[]){'1', 0x2044, '2'}, 3));
    CHECK(folds_to(0xAC00, (uint32_t[]){0xAC00}, 1));
    CHECK(folds_to(0x304C, (uint32_t[]){0x304B}, 1)); /* the voicing mark is Mn */
}

/* Folding is done at once: what comes out folds to itself; and nothing is longer than promised. */
TEST(unicode_fold_is_idempotent)
{
    unsigned long n_wrong = 0;

    for (uint32_t cp = 0; cp <= UNICODE_MAX; cp++) {
        uint32_t out[UNICODE_FOLD_MAX];
        if (cp >= 0xD800 && cp <= 0xDFFF) continue;
        unsigned n = unicode_fold(cp, out);
        n_wrong += n > UNICODE_FOLD_MAX;
        for (unsigned i = 0; i < n; i++) n_wrong += !folds_to(out[i], &out[i], 1);
    }
    CHECK_INT(0, n_wrong);
}

/* What a Han character folds to: its simplified form, one to one; anything else itself. */
static uint32_t simplified(uint32_t cp)
{
    uint32_t out[UNICODE_FOLD_MAX];

    return unicode_class(cp) == UC_HAN && unicode_fold(cp, out) == 1 ? out[0] : cp;
}

TEST(unicode_fold_simplifies_han_to_han)
{
    CHECK_INT(0x8111, simplified(0x8166)); /* brain */
    CHECK_INT(0x8111, simplified(0x8111));
    CHECK_INT(0x540E, simplified(0x5F8C)); /* behind -> queen, one to one without context */
    unsigned n_changed = 0;
    for (uint32_t cp = 0; cp <= UNICODE_MAX; cp++) {
        uint32_t to = simplified(cp);
        if (to == cp) continue;
        n_changed++;
        CHECK(unicode_class(to) == UC_HAN);
    }
    CHECK(n_changed > 3000);
}

TEST(unicode_han_side_knows_both_sides)
{
    CHECK_INT(-1, unicode_han_side(0x96FB));
    CHECK_INT(+1, unicode_han_side(0x7535));
    CHECK_INT(0, unicode_han_side(0x4E2D)); /* the same in both */
    CHECK_INT(0, unicode_han_side(0x540E)); /* simplified for behind, traditional for queen */
    CHECK_INT(0, unicode_han_side(0x4E7E)); /* converted, yet in GB/T 2312 */
    CHECK_INT(0, unicode_han_side('a'));
    for (uint32_t cp = 0; cp <= UNICODE_MAX; cp++) {
        int side = unicode_han_side(cp);
        if (side < 0) CHECK(simplified(cp) != cp);
    }
}

TEST(unicode_terminals)
{
    static const uint32_t yes[] = {'.', '!', '?', 0x3002, 0xFF01, 0xFF1F, 0x2026, 0xFF5E, '~', 0xFF61},
                          no[] = {',', ';', ':', 0x3001, 0xFF0C, 'a', '"', 0x201D, 0, UNICODE_MAX};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) CHECK(unicode_is_terminal(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) CHECK(!unicode_is_terminal(no[i]));
}

/* For every character outside the Han blocks and the syllables that this Python knows: its general category, and the
 * fold worked out from normalisation and case folding, code points in hexadecimal. */
static const char python_says[] = "python3 - <<'END' 2>/dev/null\n"
                                  "import unicodedata as u\n"
                                  "n = u.normalize\n"
                                  "skip = lambda c: 0x3400 <= c < 0xA000 or 0xAC00 <= c < 0xE000 or 0x20000 <= c\n"
                                  "for c in range(0x30000):\n"
                                  "    s = chr(c)\n"
                                  "    if skip(c) or u.category(s) in ('Cn', 'Co', 'Cf'): continue\n"
                                  "    f = n('NFKC', n('NFKC', n('NFD', s).casefold()).casefold())\n"
                                  "    f = [x for x in n('NFD', f) if u.category(x) not in ('Mn', 'Cf')]\n"
                                  "    print('%x %s' % (c, u.category(s)), *['%x' % ord(x) for x in f])\n"
                                  "END\n";

static UnicodeClass class_by_category(const char *cat)
{
    switch (cat[0]) {
    case 'L': return UC_LETTER;
    case 'M': return UC_MARK;
    case 'N': return cat[1] == 'd' ? UC_DIGIT : UC_NUMBER;
    case 'P': return UC_PUNCT;
    case 'S': return UC_SYMBOL;
    case 'Z': return UC_SPACE;
    default: return UC_OTHER;
    }
}

/* One line of python's against the tables. */
static bool agrees(char *line)
{
    char *rest, cat[3] = {0};
    uint32_t cp = (uint32_t)strtoul(line, &rest, 16), got[UNICODE_FOLD_MAX];
    UnicodeClass class = unicode_class(cp);
    unsigned n = unicode_fold(cp, got), i = 0;
    bool fillers = false;

    memcpy(cat, rest + 1, 2);
    if (class == UC_HAN || class == UC_KANA || class == UC_HANGUL)
        class = cat[0] == 'L' || cp == 0x3007 ? class_by_category(cat) : UC_OTHER;
    if (class != class_by_category(cat) && !(cat[0] == 'C' && class == UC_SPACE)) return false;
    rest += 3;
    for (;; i++) {
        char *end;
        uint32_t want = (uint32_t)strtoul(rest, &end, 16);
        if (end == rest) break;
        rest = end;
        /* Hangul is decomposed by python alone, simplification is ours alone */
        if (unicode_class(want) == UC_HANGUL || simplified(want) != want) return true;
        fillers = fillers || want == 0x3164 || want == 0x115F || want == 0x1160 || want == 0xFFA0;
        if (i >= n || got[i] != want) return fillers;
    }
    return i == n;
}

TEST(unicode_tables_agree_with_python)
{
    FILE *f = popen(python_says, "r");
    char line[512];
    unsigned long n_seen = 0, n_wrong = 0;

    if (!f) return;
    while (fgets(line, sizeof line, f)) {
        n_seen++;
        if (!agrees(line) && n_wrong++ < 10) fprintf(stderr, "python disagrees: %s", line);
    }
    pclose(f);
    if (n_seen == 0) fprintf(stderr, "no python3: its unicodedata was not compared\n");
    CHECK_INT(0, n_wrong);
}

/* The 5401 common characters of Taiwan's standard (Big5, level 1) and those of the mainland's (GB 2312), as Python's codecs have them. */
static const char standards_say[] =
    "python3 - <<'END' 2>/dev/null\n"
    "def has(codec, c):\n"
    "    try: return len(chr(c).encode(codec)) == 2\n"
    "    except UnicodeEncodeError: return False\n"
    "for c in range(0x4E00, 0xA000):\n"
    "    common = has('big5', c) and b'\\xa4\\x40' <= chr(c).encode('big5') <= b'\\xc6\\x7e'\n"
    "    if common or has('gb2312', c): print('%x %d %d' % (c, common, has('gb2312', c)))\n"
    "END\n";

/* A common character of Taiwan that the mainland's standard lacks is a traditional one: it folds to one that this has, but for 178 of
 * 2073 that are written so everywhere and 35 whose simplified form is not common either. */
TEST(unicode_fold_simplifies_into_the_mainland_standard)
{
    static bool mainland[0xA000], taiwan[0xA000];
    FILE *f = popen(standards_say, "r");
    unsigned cp, common, gb, n = 0, n_into = 0, n_changed = 0, n_moved = 0;

    if (!f) return;
    while (fscanf(f, "%x %u %u", &cp, &common, &gb) == 3 && cp < 0xA000) taiwan[cp] = common, mainland[cp] = gb;
    pclose(f);
    for (cp = 0x4E00; cp < 0xA000; cp++) {
        const uint32_t to = simplified(cp);
        if (taiwan[cp] && !mainland[cp]) n++, n_into += to < 0xA000 && mainland[to], n_moved += to != cp;
        n_changed += mainland[cp] && !taiwan[cp] && to != cp; /* simplified already */
    }
    if (n == 0) {
        fprintf(stderr, "no python3: the standards of Taiwan and the mainland were not compared\n");
        return;
    }
    CHECK(n > 2000 && 100 * n_moved >= 90 * n); /* the others are rare, and written so everywhere */
    CHECK(100 * n_into >= 98 * n_moved);
    CHECK(n_changed <= 5);
}
