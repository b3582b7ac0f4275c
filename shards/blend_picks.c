/* Test program: the picks of a blend, a line each, for tests/shards_reader.py to compare with its own.
 *   blend_picks TOKENS_DIR MIXTURE_FILE CONTEXT SEED BLOCK_BYTES WINDOW HELDOUT COUNT */
#include "core/store.h"
#include "shards/shards.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    Buf mixture = {0};
    TokensDir *t = NULL;
    Blend *b = NULL;
    Err err;

    if (argc != 9) return 2;
    const BlendSpec spec = {.context = (uint32_t)strtoul(argv[3], NULL, 10),
                            .seed = strtoull(argv[4], NULL, 10),
                            .block_bytes = strtoull(argv[5], NULL, 10),
                            .window = (uint32_t)strtoul(argv[6], NULL, 10),
                            .heldout = strtod(argv[7], NULL)};
    ErrCode rc = store_read(argv[2], 1 << 20, &mixture, &err);
    if (rc == ERR_OK) rc = tokensdir_open(&t, argv[1], &err);
    if (rc == ERR_OK) rc = blend_open(&b, t, buf_span(&mixture), &spec, &err);
    for (uint64_t s = 0, n = strtoull(argv[8], NULL, 10); rc == ERR_OK && s < n; s++) {
        BlendPick p = blend_pick(b, s);
        printf("%" PRIu32 " %" PRIu64 " %" PRIu64 "\n", p.stream, p.sample, p.epoch);
    }
    if (rc != ERR_OK) fprintf(stderr, "%s\n", err.msg);
    blend_close(b);
    tokensdir_close(t);
    buf_clear(&mixture);
    return err_status(rc);
}
