#include "core/json.h"

#include "core/hash.h"
#include "core/json_tree.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <math.h>

Json *json_node(Arena *a, JsonType type)
{
    Json *j = arena_alloc(a, sizeof *j);

    if (j) *j = (Json){.type = type};
    return j;
}

/* A table of members by the hash of their key, twice as many slots as members. */
static bool find_duplicate_hashed(Arena *a, const Json *object, const Json **found)
{
    size_t n_slots = 16;

    while (n_slots < 2 * (size_t)object->n) n_slots *= 2;
    const Json **slot = arena_array(a, n_slots, sizeof *slot);
    if (!slot) return false;
    memset(slot, 0, n_slots * sizeof *slot);
    for (const Json *m = object->child; m; m = m->next) {
        size_t i = (size_t)hash64(m->key) & (n_slots - 1);
        while (slot[i] && !span_eq(slot[i]->key, m->key)) i = (i + 1) & (n_slots - 1);
        if (slot[i]) {
            *found = m;
            return true;
        }
        slot[i] = m;
    }
    return true;
}

bool json_find_duplicate(Arena *a, const Json *object, const Json **found)
{
    enum { FEW = 12 }; /* comparing all pairs is cheaper up to here */

    *found = NULL;
    if (object->n > FEW) return find_duplicate_hashed(a, object, found);
    for (const Json *m = object->child; m; m = m->next)
        for (const Json *before = object->child; before != m; before = before->next)
            if (span_eq(before->key, m->key)) *found = m;
    return true;
}

typedef struct {
    JsonScan s;
    Arena *arena;
    Buf scratch;    /* decoded strings on their way into the arena */
    Span twice_key; /* of the object that is refused for it */
} Parser;

static bool refuse(Parser *p, const uint8_t *at, const char *why)
{
    p->s.why = why;
    p->s.at = at;
    return false;
}

static const char NO_MEMORY[] = "no memory";

static bool parse_string(Parser *p, Span *out)
{
    Span decoded;

    buf_reset(&p->scratch);
    if (!json_string(&p->s, &p->scratch, &decoded)) return false;
    *out = arena_copy(p->arena, decoded);
    return out->p ? true : refuse(p, p->s.p, NO_MEMORY);
}

static bool parse_value(Parser *p, unsigned depth, Json **out);

static bool parse_members(Parser *p, Json *parent, unsigned depth)
{
    const uint8_t *begin = p->s.p;
    bool object = parent->type == JSON_OBJECT;
    uint8_t closing = object ? '}' : ']';
    const Json *twice;
    Json **last = &parent->child;

    if (depth > JSON_MAX_DEPTH) return refuse(p, begin, "nested too deeply");
    p->s.p++; /* the opening bracket */
    while (parent->n > 0 || json_peek(&p->s) != closing) {
        Span key = {NULL, 0};
        if (object && (!parse_string(p, &key) || !json_expect(&p->s, ':'))) return false;
        if (!parse_value(p, depth, last)) return false;
        (*last)->key = key;
        last = &(*last)->next;
        if (++parent->n == UINT32_MAX) return refuse(p, begin, "too many members");
        if (json_peek(&p->s) != ',') break;
        p->s.p++;
    }
    if (!json_expect(&p->s, closing)) return false;
    if (!object) return true;
    if (!json_find_duplicate(p->arena, parent, &twice)) return refuse(p, begin, NO_MEMORY);
    if (!twice) return true;
    p->twice_key = twice->key;
    return refuse(p, begin, "duplicate key in this object");
}

static bool parse_value(Parser *p, unsigned depth, Json **out)
{
    uint8_t c = json_peek(&p->s);
    JsonType type = c == '"' ? JSON_STRING : c == '{' ? JSON_OBJECT : c == '[' ? JSON_ARRAY : JSON_NUMBER;
    Json *j = *out = json_node(p->arena, type);

    if (!j) return refuse(p, p->s.p, NO_MEMORY);
    if (c == '"') return parse_string(p, &j->string);
    if (c == '{' || c == '[') return parse_members(p, j, depth + 1);
    if (c == 't' || c == 'f' || c == 'n') return json_literal(&p->s, &j->type, &j->boolean);
    const uint8_t *begin = p->s.p;
    if (!json_number(&p->s, &j->number)) return false;
    j->string = arena_copy(p->arena, (Span){begin, (size_t)(p->s.p - begin)});
    return j->string.p ? true : refuse(p, begin, NO_MEMORY);
}

/* `begin` is the scanner's: the caller's text may have none. */
static ErrCode parse_error(const Parser *p, const uint8_t *begin, const char *name, Err *err)
{
    size_t line = 1, column = 1;

    if (p->s.why == NO_MEMORY || p->scratch.oom) return err_nomem(err, name);
    for (const uint8_t *q = begin; q < p->s.at; q++) {
        column++;
        if (*q == '\n') line++, column = 1;
    }
    if (p->twice_key.p) /* valid UTF-8, as all strings here */
        return err_set(err, ERR_DATA, "%s: line %zu column %zu: %s: \"%.*s\"", name, line, column, p->s.why,
                       (int)utf8_valid_prefix(span(p->twice_key.p, p->twice_key.n < 60 ? p->twice_key.n : 60)),
                       (const char *)p->twice_key.p);
    return err_set(err, ERR_DATA, "%s: line %zu column %zu: %s", name, line, column, p->s.why);
}

ErrCode json_parse(Arena *a, Span text, const char *name, Json **out, Err *err)
{
    Parser p = {.s = json_scan_text(text), .arena = a};
    const uint8_t *begin = p.s.p;
    ErrCode rc = ERR_OK;

    *out = NULL;
    if (!parse_value(&p, 0, out) || (!json_at_end(&p.s) && !refuse(&p, p.s.p, "text behind the value"))) {
        *out = NULL;
        rc = parse_error(&p, begin, name, err);
    }
    buf_clear(&p.scratch);
    return rc;
}

const Json *json_get(const Json *obj, const char *key)
{
    if (!obj || obj->type != JSON_OBJECT) return NULL;
    for (const Json *m = obj->child; m; m = m->next)
        if (span_is(m->key, key)) return m;
    return NULL;
}

static ErrCode wrong_type(const char *name, const char *key, const char *what, Err *err)
{
    return err_set(err, ERR_DATA, "%s: \"%s\" must be %s", name, key, what);
}

ErrCode json_get_u64(const Json *obj, const char *key, uint64_t fallback, const char *name, uint64_t *out, Err *err)
{
    const Json *m = json_get(obj, key);

    *out = fallback;
    if (!m || (m->type == JSON_NUMBER && span_to_u64(m->string, out))) return ERR_OK;
    return wrong_type(name, key, "a whole number from 0 to 18446744073709551615", err);
}

ErrCode json_get_f64(const Json *obj, const char *key, double fallback, const char *name, double *out, Err *err)
{
    const Json *m = json_get(obj, key);

    *out = m ? m->number : fallback;
    return m && m->type != JSON_NUMBER ? wrong_type(name, key, "a number", err) : ERR_OK;
}

ErrCode json_get_bool(const Json *obj, const char *key, bool fallback, const char *name, bool *out, Err *err)
{
    const Json *m = json_get(obj, key);

    *out = m ? m->boolean : fallback;
    return m && m->type != JSON_BOOL ? wrong_type(name, key, "true or false", err) : ERR_OK;
}

ErrCode json_get_str(const Json *obj, const char *key, const char *name, const char **out, Err *err)
{
    const Json *m = json_get(obj, key);

    *out = NULL;
    if (!m) return ERR_OK;
    if (m->type != JSON_STRING || memchr(m->string.p, 0, m->string.n))
        return wrong_type(name, key, "a string without NUL", err);
    *out = (const char *)m->string.p;
    return ERR_OK;
}
