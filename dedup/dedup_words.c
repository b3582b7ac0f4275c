#include "dedup/dedup_words.h"

#include "dedup/dedup.h"

#include "core/options.h"
#include "core/store.h"

#include <string.h>

static const struct {
    const char *word;
    int (*run)(int argc, char **argv);
} words[] = {{"clusters", clusters_verb}, {"index", index_verb},          {"lines", lines_verb},
             {"rates", rates_verb},       {"remove", remove_verb},        {"signatures", signatures_verb},
             {"spans", spans_verb},       {"substrings", substrings_verb}};

enum { N_WORDS = sizeof words / sizeof *words, FAR = 3, LONGEST = 16 };

/* Letters to be put in, taken out or changed (Levenshtein), of words of at most LONGEST of them; FAR: many. */
static unsigned distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    unsigned row[LONGEST + 1], left, corner, up;

    if (n > LONGEST || m > LONGEST) return FAR;
    for (unsigned j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 0; i < n; i++) {
        corner = row[0];
        row[0] = left = (unsigned)i + 1;
        for (size_t j = 0; j < m; j++) {
            up = row[j + 1];
            corner += a[i] != b[j];
            left = left < up ? left + 1 : up + 1;
            row[j + 1] = left = corner < left ? corner : left;
            corner = up;
        }
    }
    return row[m];
}

ErrCode dedup_words_check(const char *operand, Err *err)
{
    const char *near = NULL;
    unsigned least = FAR;
    bool there = false;

    for (size_t i = 0; i < N_WORDS; i++) {
        const unsigned d = distance(operand, words[i].word);
        if (d < least) least = d, near = words[i].word;
    }
    if (!near || (store_exists(operand, &there, err) == ERR_OK && there)) return ERR_OK;
    return least ? err_set(err, ERR_USAGE, "dedup: no verb or dataset '%s'; did you mean `tamis dedup %s`?", operand,
                           near)
                 : err_set(err, ERR_USAGE, "dedup: no dataset '%s'; a verb comes first: `tamis dedup %s`", operand,
                           near);
}

int dedup_words(int argc, char **argv)
{
    Err err;

    for (size_t i = 0; argc > 1 && i < N_WORDS; i++)
        if (strcmp(argv[1], words[i].word) == 0) return words[i].run(argc - 1, argv + 1);
    if (argc > 1 && argv[1][0] != '-' && dedup_words_check(argv[1], &err) != ERR_OK)
        return verb_exit(ERR_USAGE, &err);
    return dedup_verb(argc, argv);
}
