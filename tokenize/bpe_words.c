#include "tokenize/bpe_words.h"

#include "tokenize/tokenize.h"

#include <string.h>

static const struct {
    const char *word;
    int (*run)(int argc, char **argv);
} words[] = {{"convert", bpe_convert}, {"decode", bpe_decode},   {"verify", bpe_verify},
             {"stats", bpe_stats},     {"compare", bpe_compare}, {"inspect", bpe_inspect}};

int bpe_words(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof words / sizeof *words; i++)
        if (strcmp(argv[1], words[i].word) == 0) return words[i].run(argc - 1, argv + 1);
    return bpe_verb(argc, argv);
}
