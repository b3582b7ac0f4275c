/* core/dataset_open.h - an opened dataset and a set of them, as part_view.c walks through them. Private to core. */
#ifndef TAMIS_CORE_DATASET_OPEN_H
#define TAMIS_CORE_DATASET_OPEN_H

#include "core/dataset.h"

struct Dataset {
    const char *dir, *stage;
    Arena arena;
    Json *manifest;
    PartInfo *parts;
    uint32_t n_parts, n_bases;
    Dataset *base[DATASET_MAX_BASES];
    uint64_t n_docs, text_bytes;
    Hash128 content;
};

struct DatasetSet {
    Dataset **ds;     /* in canonical order */
    size_t n;
    uint32_t *first;  /* global number of each dataset's first part; first[n] = all */
    const char **root; /* resolved directories of the written datasets below, in the order met: dataset numbers */
    uint32_t n_roots;
    Arena arena;
};

/* The written dataset and its part that part `part` of `ds` shows, through the chain of views. */
void dataset_root_of(const Dataset *ds, uint32_t part, const Dataset **root, uint32_t *root_part);
/* Number of a written dataset within the set. */
uint32_t datasetset_root_number(const DatasetSet *set, const Dataset *root);

#endif
