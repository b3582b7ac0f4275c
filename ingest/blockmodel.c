#include "ingest/blockmodel.h"

#include "ingest/blockmodel_table.inc"

void blockmodel_judge(const ModelBatch *batch, uint8_t likely[MODEL_LANES])
{
    static const TreeTable table = {block_ends, block_nodes, block_leaves};
    int32_t sum[MODEL_LANES];

    trees_sum(&table, block_models[0], batch->of, sum);
    for (int l = 0; l < MODEL_LANES; l++) likely[l] = (uint8_t)trees_likely(sum[l]);
}
