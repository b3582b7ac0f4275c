#include "ingest/html_entity.h"

#include "core/utf8.h"

typedef struct {
    uint16_t name; /* in entity_names */
    uint8_t n;
    uint8_t legacy; /* known without its ';' too */
    uint8_t n_utf8, utf8[HTML_ENTITY_BYTES];
} Entity;

#include "ingest/html_entities.inc"

static const Entity *find(const uint8_t *name, size_t n)
{
    uint32_t h = 0;

    for (size_t i = 0; i < n; i++) h = h * 31 + name[i];
    for (uint32_t at = h * 0x9E3779B1u >> (32 - ENTITY_SLOT_BITS);; at = (at + 1) & ((1u << ENTITY_SLOT_BITS) - 1)) {
        if (!entity_slots[at]) return NULL;
        const Entity *e = &entities[entity_slots[at] - 1];
        if (e->n == n && memcmp(entity_names + e->name, name, n) == 0) return e;
    }
}

static size_t give(const Entity *e, uint8_t *out, size_t *n_out, size_t n)
{
    memcpy(out, e->utf8, HTML_ENTITY_BYTES);
    *n_out = e->n_utf8;
    return n;
}

static size_t named(const uint8_t *p, bool in_attribute, uint8_t *out, size_t *n_out)
{
    const Entity *e;
    size_t n = 0;

    while (n < ENTITY_LONGEST && ascii_is_alnum(p[1 + n])) n++;
    if (n >= 2 && p[1 + n] == ';' && (e = find(p + 1, n))) return give(e, out, n_out, n + 2);
    for (size_t k = n < ENTITY_LEGACY_LONGEST ? n : ENTITY_LEGACY_LONGEST; k >= 2; k--) {
        e = find(p + 1, k);
        if (!e || !e->legacy) continue;
        uint8_t next = p[1 + k];
        if (in_attribute && (next == '=' || ascii_is_alnum(next))) return 0;
        return give(e, out, n_out, k + 1);
    }
    return 0;
}

/* What numbers mean that are no characters of a page: 128 to 159 are windows-1252's, controls are blanks. */
static uint32_t character_of(uint32_t cp)
{
    static const uint16_t windows_1252[32] = {0x20AC, ' ',    0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                              0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, ' ',    0x017D, ' ',
                                              ' ',    0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                              0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, ' ',    0x017E, 0x0178};

    if (cp >= 0x80 && cp <= 0x9F) return windows_1252[cp - 0x80];
    if (cp == 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) return 0xFFFD;
    if (cp < ' ' && cp != '\t' && cp != '\n' && cp != '\r') return ' ';
    return cp;
}

static size_t numeric(const uint8_t *p, uint8_t *out, size_t *n_out)
{
    bool hex = (p[2] | 0x20) == 'x';
    size_t from = hex ? 3 : 2, i = from;
    uint32_t cp = 0;

    for (;; i++) {
        int digit = hex ? ascii_hex(p[i]) : ascii_is_digit(p[i]) ? p[i] - '0' : -1;
        if (digit < 0) break;
        if (cp <= 0x10FFFF) cp = cp * (hex ? 16 : 10) + (uint32_t)digit;
    }
    if (i == from) return 0;
    *n_out = utf8_put(out, character_of(cp));
    return i + (p[i] == ';');
}

size_t html_entity(const uint8_t *p, bool in_attribute, uint8_t out[HTML_ENTITY_BYTES], size_t *n_out)
{
    return p[1] == '#' ? numeric(p, out, n_out) : named(p, in_attribute, out, n_out);
}
