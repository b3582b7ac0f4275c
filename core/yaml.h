/* core/yaml.h - recipes and configurations in YAML 1.1, through libyaml, as the tree of core/json.h: plain
 * scalars that look like null, a boolean or a number become one, the rest are strings. No tags, no anchors, no
 * duplicate keys, one document, at most YAML_MAX_BYTES. JSON is accepted too, being YAML. */
#ifndef TAMIS_CORE_YAML_H
#define TAMIS_CORE_YAML_H

#include "core/json.h"

enum { YAML_MAX_BYTES = 4 << 20 };

/* `name` (a path) goes into messages with the line. */
MUST_USE ErrCode yaml_parse(Arena *a, Span text, const char *name, Json **out, Err *err);

#endif
