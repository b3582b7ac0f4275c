/* core/yaml.h - recipes and configurations in YAML 1.1, through libyaml, as the tree of core/json.h: plain
 * scalars that look like null (also nothing, ~), a boolean (true, false) or a number (as JSON writes it) become one, the
 * rest are strings: yes, no, on and off too, so that `no` is Norwegian. Keys are strings. No tags, no anchors, no
 * duplicate keys, one document (none is null), at most YAML_MAX_BYTES (ERR_LIMIT). JSON is accepted too, being YAML. */
#ifndef TAMIS_CORE_YAML_H
#define TAMIS_CORE_YAML_H

#include "core/json.h"

enum { YAML_MAX_BYTES = 4 << 20 };

/* `name` (a path) goes into messages with the line, as NAME:LINE. Malformed: ERR_USAGE, since recipes are written by the user. */
MUST_USE ErrCode yaml_parse(Arena *a, Span text, const char *name, Json **out, Err *err);

#endif
