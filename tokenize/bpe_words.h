/* tokenize/bpe_words.h - what `tamis bpe` does besides training: `tamis bpe WORD …`. A row of the table in bpe_words.c, a help text
 * and a page docs/tamis-bpe-WORD.1.md each. */
#ifndef TAMIS_TOKENIZE_BPE_WORDS_H
#define TAMIS_TOKENIZE_BPE_WORDS_H

int bpe_convert(int argc, char **argv); /* a vocabulary from one format to another */
int bpe_decode(int argc, char **argv);  /* ids to text */
int bpe_verify(int argc, char **argv);  /* whether two are the same */
int bpe_stats(int argc, char **argv);   /* what a tokenizer makes of texts */
int bpe_compare(int argc, char **argv); /* two vocabularies side by side */
int bpe_inspect(int argc, char **argv); /* a token, or a text token by token */

#endif
