#include "tokenize/pretoken.h"
#include "tokenize/tokenize.h"

/* DeepSeek-LLM: begin, end, then the characters of the 13 bytes that never occur in UTF-8, as plain text
 * (deepseek-ai/deepseek-llm-7b-base, tokenizer.json). */
static const char *const deepseek_added[] = {"<\uff5cbegin\u2581of\u2581sentence\uff5c>",
                                             "<\uff5cend\u2581of\u2581sentence\uff5c>",
                                             "ø",
                                             "ö",
                                             "ú",
                                             "ÿ",
                                             "õ",
                                             "÷",
                                             "û",
                                             "ý",
                                             "À",
                                             "ù",
                                             "Á",
                                             "þ",
                                             "ü"};
static const bool deepseek_special[] = {true,  true,  false, false, false, false, false, false,
                                        false, false, false, false, false, false, false};

static const char *const tamis_added[] = {
    "<|end_of_text|>", "<|begin_of_text|>",                   /* a document ends, begins */
    "<|pad|>",                                                /* fills a batch */
    "<|fim_prefix|>",  "<|fim_middle|>",    "<|fim_suffix|>", /* fill in the middle */
    "<|system|>",      "<|user|>",          "<|assistant|>",  /* who speaks in a chat */
    "<|tool|>",        "<|end_of_turn|>",   "<|repo_name|>",
    "<|file_name|>", /* source files, joined to a repository */
    "<|reserved_0|>",  "<|reserved_1|>",
};
static const bool tamis_special[] = {true, true, true, true, true, true, true, true,
                                     true, true, true, true, true, true, true};

static const BpeParams tamis_preset = {.vocab_size = 100000,
                                       .pretokenizer = &pretokenizer_deepseek_llm,
                                       .all_bytes = true,
                                       .added = tamis_added,
                                       .added_special = tamis_special,
                                       .n_added = 15};
static const BpeParams deepseek_preset = {.vocab_size = 100000,
                                          .pretokenizer = &pretokenizer_deepseek_llm,
                                          .added = deepseek_added,
                                          .added_special = deepseek_special,
                                          .n_added = 15,
                                          .added_normalized = true};

const BpeParams *bpe_preset(const char *name)
{
    if (strcmp(name, "tamis") == 0) return &tamis_preset;
    if (strcmp(name, "deepseek-llm") == 0) return &deepseek_preset;
    return NULL;
}
