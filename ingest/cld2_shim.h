/* ingest/cld2_shim.h - CLD2 (Sites 2013, Debian's libcld2), a C++ library, behind a C function. */
#ifndef TAMIS_INGEST_CLD2_SHIM_H
#define TAMIS_INGEST_CLD2_SHIM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    char code[16]; /* "en", "zh", "zh-Hant", "un" … */
    int percent;   /* of the text's bytes, 0..100 */
    bool reliable;
} Cld2Answer;

/* The most frequent language of n bytes of well-formed UTF-8. Any thread. */
void cld2_detect(const char *text, size_t n, Cld2Answer *out);
/* The version of its data. */
const char *cld2_version(void);

#ifdef __cplusplus
}
#endif

#endif
