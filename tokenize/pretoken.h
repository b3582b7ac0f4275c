/* tokenize/pretoken.h - where a text is cut before BPE: chains of splits, each as one scan.
 *
 * A chain is what the member "pre_tokenizer" of tokenizer.json describes (huggingface/tokenizers): stages of which every one cuts what
 * all earlier ones left; none protects anything from a later one. Five are written by hand, linear on every input: those of
 * DeepSeek-LLM (pretoken.c), GPT-2, cl100k with Llama 3 and Qwen 2, DeepSeek-V3 (pretoken_*.c, where their patterns stand). Any other one
 * goes through PCRE2 (pretoken_regex.h), which may take more than linear time, within limits.
 *
 * Bytes that are not well-formed UTF-8, which no pattern speaks of, are characters of no class in the chains written by hand, as
 * unassigned characters are: they stick to their like. In the others a run of them is a pretoken.
 *
 * DeepSeek-LLM's is
 *   1 [\r\n] alone   2 \s?[LETTERS]+   3 \s?[PUNCT]+   4 \s+$   5 [CJK]+   6 every numeric character alone   7 (maps bytes)
 * A pretoken ends where any stage cuts. That depends on the character before the cut, at most three behind it and, for stage 4, on the
 * rest of a run of white space that is looked through once. PUNCT holds all ASCII letters (its range :-~), so "café" is caf|é; U+3000
 * is white space, PUNCT and CJK at once. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_H
#define TAMIS_TOKENIZE_PRETOKEN_H

#include "core/json.h"

/* --- a chain: immutable, shared by any number of threads */
typedef struct Pretokenizer Pretokenizer;
extern const Pretokenizer pretokenizer_deepseek_llm;
extern const char *const pretokenizer_names[];             /* of those known by name, NULL behind the last */
const Pretokenizer *pretokenizer_named(const char *chain); /* static; NULL when there is none of that name */
/* From the member "pre_tokenizer" of the file `name`. ERR_DATA names what cannot be followed. */
MUST_USE ErrCode pretokenizer_read(const Pretokenizer **p, const Json *pre_tokenizer, const char *name, Err *err);
void pretokenizer_free(const Pretokenizer *p); /* what pretokenizer_read() gave; NULL is fine */
/* The member "pre_tokenizer", canonical JSON; lives as long as p. */
Span pretokenizer_spec(const Pretokenizer *p);
/* Do both cut every text alike? Known of chains with a name and of equal specs. */
bool pretokenizer_same(const Pretokenizer *a, const Pretokenizer *b);
/* Are many lines cut as each of them by itself, and none ever given up? */
bool pretokenizer_is_of_lines(const Pretokenizer *p);

/* --- a scan: one a thread */
typedef struct PretokenScan PretokenScan;
MUST_USE ErrCode pretokenscan_new(PretokenScan **s, const Pretokenizer *p, Err *err);
void pretokenscan_free(PretokenScan *s); /* NULL is fine */
/* The text stays the caller's and must outlive the scan of it. */
void pretokenscan_begin(PretokenScan *s, Span text);
/* Where the next pretokens end, at most `cap` >= 1, as ascending offsets in the text; *n is 0 when the text is done. The chains
 * written by hand cannot fail; of the others ERR_LIMIT names the pattern and the place at which it went too far. */
MUST_USE ErrCode pretokenscan_next(PretokenScan *s, size_t *end, size_t cap, size_t *n, Err *err);

/* --- DeepSeek-LLM's chain */
/* Classes of a character; bits. */
enum { PT_LETTER = 1, PT_PUNCT = 2, PT_CJK = 4, PT_SPACE = 8, PT_NUMERIC = 16, PT_NEWLINE = 32 };

/* Where the pretoken ends that begins at `at` < s.n; `at` must be 0 or the end of another. */
size_t pretoken_end(Span s, size_t at);

/* Class bits of a code point; 0 for UTF8_BAD. */
unsigned pretoken_class_of(uint32_t cp);

/* The member "pre_tokenizer" of tokenizer.json, canonical JSON; static. */
Span pretoken_spec(void);

#endif
