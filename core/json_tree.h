/* core/json_tree.h - what makes trees: private to json_tree.c and yaml.c. */
#ifndef TAMIS_CORE_JSON_TREE_H
#define TAMIS_CORE_JSON_TREE_H

#include "core/json.h"

/* A node without children, key or value; NULL when there is no memory. */
Json *json_node(Arena *a, JsonType type);
/* *found: a member whose key stands earlier in the object too, or NULL. False when there is no memory. */
bool json_find_duplicate(Arena *a, const Json *object, const Json **found);

#endif
