#include "core/yaml.h"

#include "core/json_tree.h"

#include <yaml.h>

typedef struct {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool has_event;
    Arena *arena;
    const char *name;
    Err *err;
} Yaml;

static ErrCode refuse(Yaml *y, const char *why)
{
    return err_set(y->err, ERR_USAGE, "%s:%zu: %s", y->name, y->event.start_mark.line + 1, why);
}

static ErrCode next_event(Yaml *y)
{
    if (y->has_event) yaml_event_delete(&y->event);
    y->has_event = false;
    if (yaml_parser_parse(&y->parser, &y->event)) {
        y->has_event = true;
        return ERR_OK;
    }
    if (y->parser.error == YAML_MEMORY_ERROR) return err_nomem(y->err, y->name);
    const char *why = y->parser.problem ? y->parser.problem : "malformed";
    if (y->parser.error == YAML_READER_ERROR) /* these carry no line */
        return err_set(y->err, ERR_USAGE, "%s: byte %zu: %s", y->name, y->parser.problem_offset, why);
    return err_set(y->err, ERR_USAGE, "%s:%zu: %s", y->name, y->parser.problem_mark.line + 1, why);
}

/* What a plain scalar means in the core schema of YAML 1.2, numbers as JSON writes them. (YAML 1.1 reads the code of
 * Norwegian, no, as false.) */
static JsonType plain_type(Span s, bool *boolean, double *number)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const bools[] = {"false", "False", "FALSE", "true", "True", "TRUE"};

    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (span_is(s, nulls[i])) return JSON_NULL;
    for (size_t i = 0; i < sizeof bools / sizeof *bools; i++)
        if (span_is(s, bools[i])) return *boolean = i >= 3, JSON_BOOL;
    JsonScan scan = json_scan(s);
    return json_number(&scan, number) && json_at_end(&scan) ? JSON_NUMBER : JSON_STRING;
}

/* The current event, a scalar, as bytes in the arena. */
static ErrCode scalar_text(Yaml *y, Span *out)
{
    if (y->event.data.scalar.anchor) return refuse(y, "anchors are not supported");
    if (y->event.data.scalar.tag) return refuse(y, "tags are not supported");
    *out = arena_copy(y->arena, span(y->event.data.scalar.value, y->event.data.scalar.length));
    return out->p ? ERR_OK : err_nomem(y->err, y->name);
}

static ErrCode read_scalar(Yaml *y, Json **out)
{
    Json *j = *out = json_node(y->arena, JSON_STRING);
    ErrCode rc;

    if (!j) return err_nomem(y->err, y->name);
    if ((rc = scalar_text(y, &j->string)) != ERR_OK) return rc;
    if (y->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        j->type = plain_type(j->string, &j->boolean, &j->number);
    if (j->type == JSON_NULL || j->type == JSON_BOOL) j->string = (Span){NULL, 0};
    return next_event(y);
}

static ErrCode read_value(Yaml *y, unsigned depth, Json **out);

/* After the event that opens the collection, which ends with an event of type `closing`. */
static ErrCode read_members(Yaml *y, Json *parent, yaml_event_type_t closing, unsigned depth)
{
    Json **last = &parent->child;
    const Json *twice;
    ErrCode rc;

    if (depth > JSON_MAX_DEPTH) return refuse(y, "nested too deeply");
    if ((rc = next_event(y)) != ERR_OK) return rc;
    while (y->event.type != closing) {
        const uint32_t line = (uint32_t)y->event.start_mark.line + 1; /* at most YAML_MAX_BYTES */
        Span key = {NULL, 0};
        if (parent->type == JSON_OBJECT) {
            if (y->event.type != YAML_SCALAR_EVENT) return refuse(y, "a key must be a plain word or a string");
            if ((rc = scalar_text(y, &key)) != ERR_OK || (rc = next_event(y)) != ERR_OK) return rc;
        }
        if ((rc = read_value(y, depth, last)) != ERR_OK) return rc;
        (*last)->key = key;
        (*last)->line = line;
        last = &(*last)->next;
        parent->n++; /* at most YAML_MAX_BYTES */
    }
    if (parent->type == JSON_OBJECT) {
        if (!json_find_duplicate(y->arena, parent, &twice)) return err_nomem(y->err, y->name);
        if (twice)
            return err_set(y->err, ERR_USAGE, "%s:%zu: the mapping that ends here has the key %.60s twice", y->name,
                           y->event.start_mark.line + 1, (const char *)twice->key.p);
    }
    return next_event(y);
}

static ErrCode read_value(Yaml *y, unsigned depth, Json **out)
{
    bool mapping = y->event.type == YAML_MAPPING_START_EVENT;

    switch (y->event.type) {
    case YAML_SCALAR_EVENT: return read_scalar(y, out);
    case YAML_ALIAS_EVENT: return refuse(y, "aliases are not supported");
    case YAML_MAPPING_START_EVENT:
        if (y->event.data.mapping_start.anchor) return refuse(y, "anchors are not supported");
        if (y->event.data.mapping_start.tag) return refuse(y, "tags are not supported");
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (y->event.data.sequence_start.anchor) return refuse(y, "anchors are not supported");
        if (y->event.data.sequence_start.tag) return refuse(y, "tags are not supported");
        break;
    default: return refuse(y, "a value expected");
    }
    *out = json_node(y->arena, mapping ? JSON_OBJECT : JSON_ARRAY);
    if (!*out) return err_nomem(y->err, y->name);
    return read_members(y, *out, mapping ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth + 1);
}

/* The stream: at most one document. */
static ErrCode read_stream(Yaml *y, Json **out)
{
    ErrCode rc;

    if ((rc = next_event(y)) != ERR_OK || (rc = next_event(y)) != ERR_OK) return rc; /* stream start, what follows */
    if (y->event.type == YAML_STREAM_END_EVENT) {
        *out = json_node(y->arena, JSON_NULL);
        return *out ? ERR_OK : err_nomem(y->err, y->name);
    }
    if ((rc = next_event(y)) != ERR_OK) return rc; /* behind the start of the document */
    if ((rc = read_value(y, 0, out)) != ERR_OK) return rc;
    if ((rc = next_event(y)) != ERR_OK) return rc; /* behind the end of the document */
    return y->event.type == YAML_STREAM_END_EVENT ? ERR_OK : refuse(y, "more than one document");
}

ErrCode yaml_parse(Arena *a, Span text, const char *name, Json **out, Err *err)
{
    Yaml y = {.arena = a, .name = name, .err = err};
    ErrCode rc;

    *out = NULL;
    if (text.n > YAML_MAX_BYTES) return err_set(err, ERR_LIMIT, "%s: larger than %d bytes", name, YAML_MAX_BYTES);
    if (!yaml_parser_initialize(&y.parser)) return err_nomem(err, name);
    yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y.parser, text.n ? text.p : (const uint8_t *)"", text.n);
    rc = read_stream(&y, out);
    if (rc != ERR_OK) *out = NULL;
    if (y.has_event) yaml_event_delete(&y.event);
    yaml_parser_delete(&y.parser);
    return rc;
}
