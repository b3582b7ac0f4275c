/* core/json.h - JSON (RFC 8259): a pull scanner for hot paths, a small tree for configuration, and writing.
 *
 * Strict: no comments, no trailing commas, no NaN, well-formed UTF-8, surrogates in escapes paired, at most
 * JSON_MAX_DEPTH levels. */
#ifndef TAMIS_CORE_JSON_H
#define TAMIS_CORE_JSON_H

#include "core/buf.h"
#include "core/hash.h"

enum {
    JSON_MAX_DEPTH = 64,
    JSON_MAX_NUMBER = 1000 /* characters of one number; doubles need at most 767 digits */
};

/* --- scanner: over bytes that stay alive while it is used; UTF-8 validity is checked where strings are
 * decoded or skipped. Functions return false on malformed input and set `why` to a static phrase and `at` to
 * the place; the scanner is then spent. */
typedef struct {
    const uint8_t *p, *end;
    const char *why;
    const uint8_t *at;
    unsigned depth;     /* levels the caller has opened himself; json_skip counts on from here */
    size_t space_bytes; /* white space passed so far */
} JsonScan;
extern const char JSON_BAD_UTF8[]; /* the `why` of a string that is not UTF-8 */

JsonScan json_scan(Span text);
JsonScan json_scan_text(Span text); /* passes over a byte order mark, which editors write (RFC 8259, section 8.1) */
/* Skips white space; the next byte, or 0 at the end. */
uint8_t json_peek(JsonScan *s);
/* Skips white space and the byte c, which must be next. */
bool json_expect(JsonScan *s, uint8_t c);
/* A string, decoded. Without escapes *out points into the input, else into `scratch` (appended; `scratch` must
 * have been reserved for at least the input's size, so that it never moves). */
bool json_string(JsonScan *s, Buf *scratch, Span *out);
bool json_number(JsonScan *s, double *out);
/* null, true or false: *type is JSON_NULL or JSON_BOOL. */
typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } JsonType;
bool json_literal(JsonScan *s, JsonType *type, bool *value);
/* Any value: *raw is its bytes. Nested values are checked as strictly as read ones, but for
 * duplicate keys, which only json_parse looks for. */
bool json_skip(JsonScan *s, Span *raw);
/* True when only white space is left. */
bool json_at_end(JsonScan *s);

/* --- tree: read-only, lives in the arena (strings too). */
typedef struct Json Json;
struct Json {
    JsonType type;
    bool boolean;
    double number;
    Span string;   /* JSON_STRING: decoded, NUL-terminated; JSON_NUMBER: as written */
    Span key;      /* when it is a member of an object; NUL-terminated */
    uint32_t n;    /* children of an array or object */
    uint32_t line; /* from YAML: where its key stands, an element itself; else 0 */
    Json *child;   /* first child */
    Json *next;    /* next sibling */
};

/* Of a text as json_scan_text takes it. `name` (a path) goes into the message with the line and column. Duplicate keys
 * are refused. */
MUST_USE ErrCode json_parse(Arena *a, Span text, const char *name, Json **out, Err *err);

/* Member of an object by key; NULL when absent, when `obj` is NULL or no object. */
const Json *json_get(const Json *obj, const char *key);
/* Typed member access with a default for an absent member; a member of another type is an error naming `name`
 * and the key. */
MUST_USE ErrCode json_get_u64(const Json *obj, const char *key, uint64_t fallback, const char *name, uint64_t *out,
                              Err *err);
MUST_USE ErrCode json_get_f64(const Json *obj, const char *key, double fallback, const char *name, double *out,
                              Err *err);
MUST_USE ErrCode json_get_bool(const Json *obj, const char *key, bool fallback, const char *name, bool *out,
                               Err *err);
/* NULL when absent. The string lives as long as the tree. */
MUST_USE ErrCode json_get_str(const Json *obj, const char *key, const char *name, const char **out, Err *err);

/* --- writing. Strings: raw UTF-8, only `"`, `\` and C0 controls escaped (\b \t \n \f \r, else \u00XX). */
void json_put_string(Buf *b, Span s);
void json_put_cstr(Buf *b, const char *s);
/* At most six decimals, trailing zeros dropped, rounded half away from zero; |v| < 1e15. No exponent. -0 is 0. */
void json_put_number(Buf *b, double v);
void json_put_hash(Buf *b, Hash128 h); /* a string of 32 hexadecimal digits */
/* The tree again, canonical: no white space, members in the tree's order, numbers as written. */
void json_put_tree(Buf *b, const Json *j);

#endif
