/* tokenize/word_group.h - short words merged in step: one merge of each word a round.
 *
 * The merge that a word does next depends on ranks that lie anywhere in a large table, so one word alone waits for the memory at every merge.
 * Here every round asks for what all words need and then looks: the waits are shared. Each word's merges are those of merge_few(). */
#ifndef TAMIS_TOKENIZE_WORD_GROUP_H
#define TAMIS_TOKENIZE_WORD_GROUP_H

#include "tokenize/tokenizer.h"

enum {
    GROUP_WORDS = 16,  /* merged in step */
    GROUP_TOKENS = 15, /* of a word, before merging */
    GROUP_SLACK = 9    /* so that ids can be read eight at a time */
};

/* A word on its way. */
typedef struct {
    uint32_t id[GROUP_TOKENS + GROUP_SLACK]; /* in: what merging starts from; out: the ids */
    uint32_t n;
} GroupWord;

/* Merges each of word[0, n); n <= GROUP_WORDS, each of at most GROUP_TOKENS. */
void merge_group(const Tokenizer *t, GroupWord *word, size_t n);
/* The same without AVX2. */
void merge_group_portable(const Tokenizer *t, GroupWord *word, size_t n);

#endif
