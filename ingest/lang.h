/* ingest/lang.h - the language of a text: en, zh-Hans, zh-Hant, code, other.
 *
 * The scripts decide first: mostly Han without kana is Chinese, simplified or traditional by the characters that only one
 * of the two writes; kana is Japanese and Hangul Korean, so other. Then source code, which language models of
 * n-grams take for English, is told by its punctuation and words. What is left is Latin or mixed, and CLD2 says. */
#ifndef TAMIS_INGEST_LANG_H
#define TAMIS_INGEST_LANG_H

#include "core/bytes.h"

typedef enum { LANG_OTHER, LANG_EN, LANG_ZH_HANS, LANG_ZH_HANT, LANG_CODE, LANG_N } Lang;
extern const char *const lang_names[LANG_N];

enum { LANG_SAMPLE = 8 << 10 }; /* bytes looked at: the start, the middle and the end of longer texts */

typedef struct {
    Lang lang;
    double score; /* 0..1, in hundredths: how much of the text speaks for it */
} LangAnswer;

/* `text` is well-formed UTF-8. */
LangAnswer lang_detect(Span text);

/* The language a name means ("zh" is zh-Hans); false for one that is not ours. */
bool lang_of_name(Span name, Lang *lang);

/* A set of languages from "en,zh"; zh stands for both. False for an unknown name. */
bool lang_set_parse(const char *list, bool keep[LANG_N]);

#endif
