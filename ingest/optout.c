#include "ingest/optout.h"

const char *const opt_out_names[OPT_OUT_N] = {"noindex", "noarchive", "nocache", "nosnippet",
                                              "noai",    "noimageai", "noml",    "tdm-reservation"};

typedef enum { TO_ALL, TO_MODELS, TO_SEARCH, TO_NOBODY } Addressee;

static Addressee addressee_of(Span name)
{
    static const char *const all[] = {"robots", "ccbot"};
    static const char *const models[] = {
        "gptbot",     "chatgpt-user",      "oai-searchbot", "google-extended", "anthropic-ai",       "claudebot",
        "claude-web", "applebot-extended", "bytespider",    "perplexitybot",   "meta-externalagent", "facebookbot",
        "cohere-ai",  "diffbot",           "omgili",        "omgilibot",       "amazonbot",          "ai2bot",
        "img2dataset"};
    static const char *const search[] = {"googlebot", "googlebot-news", "bingbot",     "msnbot",
                                         "slurp",     "yandex",         "baiduspider", "360spider",
                                         "sogou",     "otherbot",       "duckduckbot", "applebot"};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (span_eq_nocase(name, span_str(all[i]))) return TO_ALL;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (span_eq_nocase(name, span_str(models[i]))) return TO_MODELS;
    for (size_t i = 0; i < sizeof search / sizeof *search; i++)
        if (span_eq_nocase(name, span_str(search[i]))) return TO_SEARCH;
    return TO_NOBODY;
}

static unsigned flag_of(Span word, Addressee to)
{
    unsigned flags = 0;

    for (int i = 0; i < OPT_OUT_TDM; i++)
        if (span_eq_nocase(word, span_str(opt_out_names[i]))) flags = 1u << i;
    if (span_eq_nocase(word, SPAN_LIT("none"))) flags = 1u << OPT_OUT_NOINDEX;
    if (to == TO_MODELS && (flags & 1u << OPT_OUT_NOINDEX)) flags = 1u << OPT_OUT_NOAI;
    if (to == TO_SEARCH || to == TO_MODELS)
        flags &= 1u << OPT_OUT_NOAI | 1u << OPT_OUT_NOIMAGEAI | 1u << OPT_OUT_NOML;
    return to == TO_NOBODY ? 0 : flags;
}

/* Words between commas, semicolons or blanks. */
static Span next_word(Span *rest)
{
    size_t from = 0, n = 0;

    while (from < rest->n && (ascii_is_space(rest->p[from]) || rest->p[from] == ',' || rest->p[from] == ';')) from++;
    *rest = span_from(*rest, from);
    while (n < rest->n && !ascii_is_space(rest->p[n]) && rest->p[n] != ',' && rest->p[n] != ';') n++;
    Span word = span(rest->p, n);
    *rest = span_from(*rest, n);
    return word;
}

static bool is_one(Span value) { return span_is(span_trim(value), "1"); }

unsigned optout_of_meta(Span name, Span content)
{
    Addressee to;
    unsigned flags = 0;
    Span word;

    name = span_trim(name);
    if (name.n > 20) return 0;
    if (span_eq_nocase(name, SPAN_LIT("tdm-reservation"))) return is_one(content) ? 1u << OPT_OUT_TDM : 0;
    if ((to = addressee_of(name)) == TO_NOBODY) return 0;
    while ((word = next_word(&content)).n) flags |= flag_of(word, to);
    return flags;
}

unsigned optout_of_header(Span value)
{
    Addressee to = TO_ALL;
    unsigned flags = 0;
    Span word;

    while ((word = next_word(&value)).n) {
        size_t colon = span_find(word, ':');
        if (ascii_is_digit(word.p[0])) continue; /* of the time that follows unavailable_after */
        if (colon == word.n) {
            flags |= flag_of(word, to);
            continue;
        }
        Addressee named = addressee_of(span(word.p, colon));
        bool has_value =
            span_eq_nocase(span(word.p, colon), SPAN_LIT("unavailable_after")) || span_starts(word, SPAN_LIT("max-"));
        if (!has_value) to = named;
        if (colon + 1 < word.n && !has_value) flags |= flag_of(span_from(word, colon + 1), to);
    }
    return flags;
}
