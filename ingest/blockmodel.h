/* ingest/blockmodel.h - how likely a block is main text, by its features: boosted trees that tools/train_blocks.py wrote. Whole numbers
 * only, so that it is the same everywhere. */
#ifndef TAMIS_INGEST_BLOCKMODEL_H
#define TAMIS_INGEST_BLOCKMODEL_H

#include "ingest/features.h"

enum { MODEL_BUCKETS = 64 };

/* Of how many 64ths it is likely, 0 to 63: bucket b means a probability from b/64 to (b+1)/64. */
unsigned blockmodel_judge(const int16_t features[FEATURE_N]);

#endif
