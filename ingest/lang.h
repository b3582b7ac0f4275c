/* ingest/lang.h - the language of a text: en, zh-Hans, zh-Hant, code, other.
 *
 * Lines of programs are set apart first (codelines.h): a text that is mostly such is code, which models of n-grams take for English.
 * Of the other lines the scripts decide: Han without kana is Chinese, simplified or traditional by the characters that only
 * one of the two writes; kana is Japanese and Hangul Korean, so other. What is left is Latin or mixed, and CLD2 says, or
 * a fastText model: "en" is English, all else other. */
#ifndef TAMIS_INGEST_LANG_H
#define TAMIS_INGEST_LANG_H

#include "core/fasttext.h"

typedef enum { LANG_OTHER, LANG_EN, LANG_ZH_HANS, LANG_ZH_HANT, LANG_CODE, LANG_N } Lang;
extern const char *const lang_names[LANG_N];

enum {
    LANG_SAMPLE = 4 << 10, /* bytes looked at: all of a short text, else its start, its middle and its end */
    LANG_WORDS =
        2 << 10, /* of these, those that CLD2 or the model gets; more finds no more, and takes most of the time */
    LANG_SURE_SIDE = 3 /* characters that one side alone writes, from which on the page's own word does not count */
};

typedef struct {
    Lang lang;
    double score; /* 0..1, in hundredths: how much of the text speaks for it */
    char code[8]; /* of LANG_OTHER what it is, if that is known: "fr", "ja", "ceb"; else "" */
} LangAnswer;

/* What one thread asks. The model (core/fasttext.h) is borrowed; NULL: CLD2. */
typedef struct LangDetector LangDetector;
MUST_USE ErrCode lang_detector_new(LangDetector **d, const FastText *model, Err *err);
void lang_detector_free(LangDetector *d);

/* `text` is well-formed UTF-8. `traditional`: what its page says of itself, see below. */
LangAnswer lang_detect(LangDetector *d, Span text, bool traditional);

/* Whether a page says that its Chinese is traditional: by the lang of its <html>, else by its charset, else by its host's country. */
bool lang_says_traditional(Span html_lang, const char *charset, Span url);

/* The language a name means ("zh" is zh-Hans); false for one that is not ours. */
bool lang_of_name(Span name, Lang *lang);

/* A set of languages from "en,zh"; zh stands for both. False for an unknown name. */
bool lang_set_parse(const char *list, bool keep[LANG_N]);

#endif
