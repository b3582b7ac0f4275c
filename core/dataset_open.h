/* core/dataset_open.h - an opened dataset and a set of them, as part_view.c walks through them. Private to core. */
#ifndef TAMIS_CORE_DATASET_OPEN_H
#define TAMIS_CORE_DATASET_OPEN_H

#include "core/dataset.h"

struct Dataset {
    const char *dir, *stage;
    const char *real; /* dir resolved: however it was spelled, one directory has one */
    uint32_t number;  /* of a written dataset below a set: its dataset number there */
    Arena arena;
    Json *manifest;
    PartInfo *parts;
    uint32_t n_parts, n_bases;
    Dataset *base[DATASET_MAX_BASES];
    uint64_t n_docs, text_bytes;
    Hash128 content;
};

struct DatasetSet {
    Dataset **ds; /* in canonical order */
    size_t n;
    uint32_t *first;      /* global number of each dataset's first part; first[n] = all */
    const Dataset **root; /* the written datasets below, each once, in the order met: dataset numbers */
    uint32_t n_roots;
};

/* The written dataset and its part that part `part` of `ds` shows, through the chain of views. */
void dataset_root_of(const Dataset *ds, uint32_t part, const Dataset **root, uint32_t *root_part);

#endif
