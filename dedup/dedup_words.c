#include "dedup/dedup_words.h"

#include "dedup/dedup.h"

#include <string.h>

static const struct {
    const char *word;
    int (*run)(int argc, char **argv);
} words[] = {{"clusters", clusters_verb}, {"index", index_verb},          {"lines", lines_verb},
             {"rates", rates_verb},       {"remove", remove_verb},        {"signatures", signatures_verb},
             {"spans", spans_verb},       {"substrings", substrings_verb}};

int dedup_words(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof words / sizeof *words; i++)
        if (strcmp(argv[1], words[i].word) == 0) return words[i].run(argc - 1, argv + 1);
    return dedup_verb(argc, argv);
}
