/* ingest/charset_detect.c - which charset bytes are in, when nobody says or what they say is wrong.
 *
 * Every candidate reads the same sample, and the one under which it is the most likely text wins: the cost of a reading is
 * the sum of -log2 of its characters' shares in text of that charset's languages (charset_costs.inc), plus NOISE bits for
 * every byte that has to be left out. The cheapest of all ways to leave bytes out is taken, so a reading that lost its step
 * at a damaged byte finds it again, and one byte in a hundred costs a charset little. */
#include "ingest/charset_detect.h"

#include "core/utf8.h"

#include "ingest/charset_costs.inc"

enum {
    NOISE = 20,       /* bits for a byte left out: one byte in a few thousand is damaged, and it could be any */
    ALONE = 4,        /* an ASCII byte beside others: a letter, a mark */
    BLANK = 2,        /* a blank or a line end */
    RARE_PAIR = 21,   /* a character that no table tells of */
    NEVER = 1 << 20,  /* no such reading */
    CASE = 6,         /* a capital behind a small letter */
    MIXED = 4,        /* of Latin charsets: two bytes above ASCII in a row; of others: a letter beside one of ASCII */
    FIRST_LOOK = 768, /* bytes of the sample that are enough when they are clear */
    CLEAR = 200,      /* bits between the best and the next that are clear */
    BELIEF = 60       /* bits that a declared charset has ahead */
};

typedef uint32_t CostFn(Span s, const void *table);

/* Of a pair table's letters, '@' is 3 bits; 'O' anything beyond 17; 'P' no character. */
static inline uint32_t table_cost(char letter)
{
    unsigned v = (unsigned)(letter - '@');

    return v < 15 ? v + 3 : v == 15 ? 19 : NEVER;
}

unsigned charset_gb_bits(uint8_t lead, uint8_t trail)
{
    return table_cost(gb_costs[(size_t)(lead - 0x81) * 190 + trail - 0x40 - (trail > 0x7f)]);
}

/* The cheapest way to the end when a step may take one to four bytes: way[k] is the cost of having read all but k bytes. */
typedef struct {
    uint32_t way[5];
} Ways;

static inline uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static inline uint32_t one_byte(uint8_t c) { return c >= 0x80 ? NOISE : c == ' ' || c == '\n' ? BLANK : ALONE; }

/* Advances over a byte whose costs as the end of one, two, three and four bytes are given. */
static inline void step(Ways *w, uint32_t one, uint32_t two, uint32_t three, uint32_t four)
{
    uint32_t c = w->way[0] + one;

    c = least(c, w->way[1] + two);
    c = least(c, w->way[2] + three);
    c = least(c, w->way[3] + four);
    w->way[3] = w->way[2];
    w->way[2] = w->way[1];
    w->way[1] = w->way[0];
    w->way[0] = c;
}

static const Ways at_start = {{0, NEVER, NEVER, NEVER, NEVER}};

static uint32_t cost_gb(Span s, const void *table)
{
    const char *costs = table;
    Ways w = at_start;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], b = i ? s.p[i - 1] : 0;
        uint32_t two = NEVER, four = NEVER;
        if (b > 0x80 && b < 0xff && c >= 0x40 && c != 0x7f && c != 0xff)
            two = table_cost(costs[(size_t)(b - 0x81) * 190 + c - 0x40 - (c > 0x7f)]);
        else if (i >= 3 && ascii_is_digit(c) && b > 0x80 && ascii_is_digit(s.p[i - 2]) && s.p[i - 3] > 0x80)
            four = RARE_PAIR;
        step(&w, one_byte(c), two, NEVER, four);
    }
    return w.way[0];
}

static uint32_t cost_big5(Span s, const void *table)
{
    const char *costs = table;
    Ways w = at_start;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], b = i ? s.p[i - 1] : 0;
        uint32_t two = NEVER;
        if (b > 0x80 && b < 0xff && c >= 0x40 && c != 0xff && (c < 0x7f || c > 0xa0))
            two = table_cost(costs[(size_t)(b - 0x81) * 157 + c - (c < 0x7f ? 0x40 : 0x62)]);
        step(&w, one_byte(c), two, NEVER, NEVER);
    }
    return w.way[0];
}

static inline uint32_t cost_94(const char *costs, unsigned row, unsigned cell)
{
    return row < 94 && cell < 94 ? table_cost(costs[row * 94 + cell]) : NEVER;
}

static uint32_t cost_euc_jp(Span s, const void *table)
{
    Ways w = at_start;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], b = i ? s.p[i - 1] : 0;
        uint32_t two = cost_94(table, b - 0xa1u, c - 0xa1u), three = NEVER;
        if (b == 0x8e && c > 0xa0 && c < 0xe0) two = RARE_PAIR; /* half-width katakana */
        if (i >= 2 && s.p[i - 2] == 0x8f && b > 0xa0 && c > 0xa0) three = RARE_PAIR;
        step(&w, one_byte(c), two, three, NEVER);
    }
    return w.way[0];
}

static uint32_t cost_shift_jis(Span s, const void *table)
{
    enum { HALF = 11 }; /* half-width katakana, a byte each */
    Ways w = at_start;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], b = i ? s.p[i - 1] : 0;
        uint32_t two = NEVER, one = c > 0xa0 && c < 0xe0 ? HALF : one_byte(c);
        if (((b > 0x80 && b < 0xa0) || (b > 0xdf && b < 0xfd)) && c > 0x3f && c != 0x7f && c < 0xfd) {
            unsigned row = (b - (b < 0xa0 ? 0x81u : 0xc1u)) * 2 + (c > 0x9e);
            unsigned cell = c > 0x9e ? c - 0x9fu : c - 0x40u - (c > 0x7f);
            two = row < 94 ? cost_94(table, row, cell) : RARE_PAIR;
        }
        step(&w, one, two, NEVER, NEVER);
    }
    return w.way[0];
}

static uint32_t cost_euc_kr(Span s, const void *table)
{
    Ways w = at_start;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], b = i ? s.p[i - 1] : 0;
        uint32_t two = cost_94(table, b - 0xa1u, c - 0xa1u);
        if (two == NEVER && b > 0x80 && b < 0xc7 && ((c > 0x80 && c < 0xff) || ascii_is_alpha(c)))
            two = RARE_PAIR; /* syllables that KS X 1001 lacks */
        step(&w, one_byte(c), two, NEVER, NEVER);
    }
    return w.way[0];
}

/* UTF-8 with more damage than the strict scan allows. Any character is as likely as any; its form says enough. */
static uint32_t cost_utf8(Span s, const void *table)
{
    enum { TWO = 8, THREE = 12, FOUR = 16 };
    Ways w = at_start;

    (void)table;
    for (size_t i = 0; i < s.n; i++) {
        uint32_t cp, two = NEVER, three = NEVER, four = NEVER;
        if ((s.p[i] & 0xc0) == 0x80) {
            if (i >= 1 && utf8_next(s.p + i - 1, 2, &cp) == 2 && cp != UTF8_BAD) two = TWO;
            if (i >= 2 && utf8_next(s.p + i - 2, 3, &cp) == 3 && cp != UTF8_BAD) three = THREE;
            if (i >= 3 && utf8_next(s.p + i - 3, 4, &cp) == 4 && cp != UTF8_BAD) four = FOUR;
        }
        step(&w, one_byte(s.p[i]), two, three, four);
    }
    return w.way[0];
}

/* A charset of one byte a character: cost in the low four bits, 15 none; 16 a small letter, 32 a capital. */
static inline uint32_t cost_single(Span s, const uint8_t *costs, bool latin)
{
    uint32_t sum = 0;
    unsigned before = 0; /* the class of the byte before */
    bool high_before = false;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool high = c >= 0x80;
        unsigned v = high ? costs[c - 0x80] : 0, class = high                ? v & 48
                                                         : ascii_is_lower(c) ? 16
                                                         : ascii_is_upper(c) ? 32
                                                                             : 0;
        sum += !high ? one_byte(c) : (v & 15) == 15 ? NOISE : v & 15;
        if (i > 0) {
            if (class == 32 && before == 16) sum += CASE;
            if (latin ? high && high_before : high != high_before && class && before) sum += MIXED;
        }
        before = class;
        high_before = high;
    }
    return sum;
}

static uint32_t cost_latin(Span s, const void *table) { return cost_single(s, table, true); }
static uint32_t cost_other(Span s, const void *table) { return cost_single(s, table, false); }

/* In the order in which they win ties. `ahead`: bits that a charset must be better by, since it is rare on the web. */
typedef struct {
    const char *name;
    CostFn *cost;
    const void *table;
    uint32_t ahead;
} Candidate;
static const Candidate candidates[] = {{"windows-1252", cost_latin, windows_1252_costs, 0},
                                       {"gb18030", cost_gb, gb_costs, 0},
                                       {"utf-8", cost_utf8, NULL, 0},
                                       {"big5", cost_big5, big5_costs, 0},
                                       {"shift_jis", cost_shift_jis, jis_costs, 4},
                                       {"euc-jp", cost_euc_jp, jis_costs, 4},
                                       {"euc-kr", cost_euc_kr, ks_costs, 4},
                                       {"windows-1251", cost_other, windows_1251_costs, 4},
                                       {"koi8-r", cost_other, koi8_r_costs, 8},
                                       {"windows-1250", cost_latin, windows_1250_costs, 12},
                                       {"windows-1254", cost_latin, windows_1254_costs, 12},
                                       {"windows-1253", cost_other, windows_1253_costs, 8},
                                       {"windows-1256", cost_other, windows_1256_costs, 8}};
enum { N_CANDIDATES = sizeof candidates / sizeof candidates[0] };

/* The end of a tag that starts at body.p[i], or i where it has none nearby: then it is no tag. */
static size_t end_of_tag(Span body, size_t i)
{
    enum { MAX_TAG = 4 << 10 };
    size_t left = body.n - i;
    Span s = span(body.p + i, left < MAX_TAG ? left : MAX_TAG);
    size_t n = span_find(s, '>');

    return n < s.n ? i + n : i;
}

/* Bytes above ASCII outside of tags, with one ASCII byte on either side, since it may belong to them; blanks for what lies
 * between. */
static size_t sample_of(Span body, uint8_t out[CHARSET_SAMPLE])
{
    size_t n = 0;

    for (size_t i = 0; i < body.n && n + 3 < CHARSET_SAMPLE; i++) {
        uint8_t c = body.p[i];
        if (c == '<') {
            i = end_of_tag(body, i);
            continue;
        }
        if (c < 0x80 && (n == 0 || out[n - 1] < 0x80)) continue;
        if (c >= 0x80 && (n == 0 || out[n - 1] < 0x80) && i > 0) {
            uint8_t b = body.p[i - 1];
            if (n && out[n - 1] != ' ') out[n++] = ' ';
            if (b < 0x80 && b != '>' && b > ' ') out[n++] = b;
        }
        out[n++] = c;
    }
    return n;
}

static bool is_multibyte(const Candidate *c) { return c->cost != cost_latin && c->cost != cost_other; }

/* The cheapest candidate for s, and by how much the next one costs more. A believed one has BELIEF bits ahead, and then only
 * charsets of several bytes a character stand against it. */
static const Candidate *cheapest(Span s, const char *believed, uint32_t *margin)
{
    const Candidate *best = NULL;
    uint32_t first = UINT32_MAX, second = UINT32_MAX;

    for (int i = 0; i < N_CANDIDATES; i++) {
        const Candidate *c = &candidates[i];
        bool is_believed = believed && !strcmp(c->name, believed);
        if (believed && !is_believed && !is_multibyte(c)) continue;
        uint32_t cost = c->cost(s, c->table) + (is_believed ? 0 : believed ? BELIEF : c->ahead);
        if (cost < first) {
            second = first;
            first = cost;
            best = c;
        } else if (cost < second) {
            second = cost;
        }
    }
    *margin = second - first;
    return best;
}

static const char *detect(Span body, const char *believed)
{
    uint8_t bytes[CHARSET_SAMPLE];
    Span s = span(bytes, sample_of(body, bytes));
    uint32_t margin = 0;
    const Candidate *best = NULL;

    if (s.n == 0) return believed ? believed : "windows-1252";
    if (s.n > FIRST_LOOK) best = cheapest(span(s.p, FIRST_LOOK), believed, &margin);
    if (margin < CLEAR) best = cheapest(s, believed, &margin);
    return best->name;
}

const char *charset_detect(Span body) { return detect(body, NULL); }

bool charset_believable(Span body, const char *declared)
{
    for (int i = 0; i < N_CANDIDATES; i++)
        if (!strcmp(candidates[i].name, declared)) return !strcmp(detect(body, declared), declared);
    return true;
}
