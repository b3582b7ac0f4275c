#include "shards/shards.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Opens the bytes as they are and with their sum made right; every token must then be readable. */
static void open_and_read(Span bytes)
{
    volatile uint8_t sink = 0;
    Vocab *v;
    Err err;

    if (vocab_open_bytes(&v, bytes, "input", &err) != ERR_OK) return;
    if (vocab_eos(v) >= vocab_size(v)) abort();
    for (uint32_t id = 0; id < vocab_size(v); id++) {
        Span s = vocab_bytes(v, id);
        if (s.n) sink = (uint8_t)(sink ^ s.p[0] ^ s.p[s.n - 1]);
    }
    vocab_close(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    open_and_read((Span){p, n});
    if (n < 8) return 0;
    uint8_t *copy = malloc(n);
    if (!copy) return 0;
    memcpy(copy, p, n);
    le64_put(copy + n - 8, hash64((Span){copy, n - 8}));
    open_and_read((Span){copy, n});
    free(copy);
    return 0;
}
