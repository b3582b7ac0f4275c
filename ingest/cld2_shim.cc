#include "ingest/cld2_shim.h"

#include <cstdio>

#include <cld2/public/encodings.h>

#include <cld2/public/compact_lang_det.h>

/* Of a text that is short CLD2 says nothing unless its best guess is asked for; of 20 characters of English that is right in 9 of 10, not 8.
 * A word or two are no text. */
static const size_t WORD_BYTES = 16;

void cld2_detect(const char *text, size_t n, Cld2Answer *out)
{
    CLD2::CLDHints hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
    CLD2::Language language[3];
    int percent[3], text_bytes = 0;
    double score[3];
    bool reliable = false;
    CLD2::Language best = CLD2::ExtDetectLanguageSummary(text, static_cast<int>(n), true, &hints,
                                                         n < WORD_BYTES ? 0 : CLD2::kCLDFlagBestEffort, language,
                                                         percent, score, nullptr, &text_bytes, &reliable);

    if (best == CLD2::UNKNOWN_LANGUAGE) best = language[0];
    std::snprintf(out->code, sizeof out->code, "%s", CLD2::LanguageCode(best));
    out->percent = 0;
    for (int i = 0; i < 3; i++)
        if (language[i] == best) out->percent = percent[i];
    out->reliable = reliable;
}

const char *cld2_version(void) { return CLD2::DetectLanguageVersion(); }
