/* ingest/blockmodel.h - how likely a block is main text, by its features: boosted trees that tools/train_blocks.py wrote. Whole numbers
 * only, so that it is the same everywhere. */
#ifndef TAMIS_INGEST_BLOCKMODEL_H
#define TAMIS_INGEST_BLOCKMODEL_H

#include "ingest/features.h"
#include "ingest/trees.h"

enum { MODEL_BUCKETS = TREE_BUCKETS, MODEL_LANES = TREE_LANES };

/* Features of so many blocks, feature by feature. */
typedef struct {
    int16_t of[FEATURE_N][MODEL_LANES];
} ModelBatch;

/* For each block of how many 64ths it is likely, 0 to 63: b means a probability from b/64 to (b+1)/64. */
void blockmodel_judge(const ModelBatch *batch, uint8_t likely[MODEL_LANES]);

#endif
