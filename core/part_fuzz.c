/* A part from arbitrary bytes: opened and every frame read. */
#include "core/part.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char path[64];
static void remove_file(void) { unlink(path); }

static void read_all(PartFile *f)
{
    static PartCoder *coder;
    static Buf text;
    Err err;

    if (!coder && partcoder_new(&coder, 3, &err) != ERR_OK) abort();
    for (uint32_t i = 0; i < partfile_n_frames(f); i++) {
        if (partcoder_read(coder, f, i, &text, &err) == ERR_OK && text.n != partfile_frame(f, i).text_bytes) abort();
        if (partfile_frame_of(f, partfile_first_record(f, i)) != i) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static int fd = -1;
    PartFile *f;
    Err err;

    if (fd < 0) {
        snprintf(path, sizeof path, "/tmp/part-fuzz-XXXXXX");
        if ((fd = mkstemp(path)) < 0) abort();
        atexit(remove_file);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, p, n, 0) != (ssize_t)n) abort();
    if (partfile_open(&f, path, &err) == ERR_OK)
        read_all(f);
    else
        f = NULL;
    partfile_close(f);
    return 0;
}
