/* train/checkpoint_fuzz.c - the header of a checkpoint out of any bytes. A checkpoint may come from elsewhere. */
#include "train/checkpoint.h"

#include "core/hash.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last byte says whether the header's sum is put right first (else no changed input would get past it) and whether
 * the file has the size that the header announces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CheckpointInfo info;
    Err err;

    if (size < 2 || size > 1 << 20) return 0;
    const uint8_t mode = data[size - 1];
    const size_t n = size - 1;
    uint8_t *copy = malloc(n);
    if (!copy) return 0;
    memcpy(copy, data, n);
    if (mode & 1 && n >= 96) {
        const uint64_t n_tensors = le32_get(copy + 12), n_config = le64_get(copy + 80);
        const uint64_t total = 88 + (n_config + 7) / 8 * 8 + n_tensors * 136 + 8;
        if (n_tensors < n && n_config < n && total <= n)
            le64_put(copy + total - 8, hash64(span(copy, (size_t)total - 8)));
    }
    const uint64_t whole = n + 8 + (n >= 48 ? 12 * le64_get(copy + 40) : 0);
    ErrCode rc = checkpoint_parse_header(span(copy, n), mode & 2 ? whole : (uint64_t)mode << 12, "fuzz", &info, &err);
    if (rc == ERR_OK && info.config.model.layers == 0) abort();
    free(copy);
    return 0;
}
