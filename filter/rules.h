/* filter/rules.h - the rules in one table, and the sets made of them. Private to the room.
 *
 * A rule drops a document when a signal lies beyond its limit; rules are asked in the order of the table and the
 * first that fails gives the reason. A set says which groups of rules judge which kind of text. */
#ifndef TAMIS_FILTER_RULES_H
#define TAMIS_FILTER_RULES_H

#include "filter/signals.h"

typedef enum { RULE_BELOW, RULE_ABOVE } RuleTest; /* drop when value < limit, value > limit */
typedef enum {
    GROUP_GOPHER_QUALITY = 1,
    GROUP_GOPHER_SYMBOLS = 2,  /* of Gopher quality: what counts every mark of punctuation … */
    GROUP_ENGLISH_SYMBOLS = 4, /* … and the same counted so that good Markdown passes */
    GROUP_GOPHER_REPETITION = 8,
    GROUP_FINEWEB = 16,
    GROUP_CHINESE = 32,
    GROUP_CODE = 64
} RuleGroup;

typedef struct {
    RuleGroup group;
    const char *reason;
    SignalId signal;
    RuleTest test;
    double limit;
    double from_chars; /* the rule holds for texts of at least so many code points */
} Rule;

/* Every rule: group, reason, signal, test, limit, and the length in code points from which on it holds. */
#define RULES(X)                                                                                                           \
    /* Gopher quality, in its order (Rae et al. 2021, A1.1; reasons as datatrove names them). */                           \
    X(GOPHER_QUALITY, "gopher_short_doc", SIG_WORDS, BELOW, 50, 0)                                                         \
    X(GOPHER_QUALITY, "gopher_long_doc", SIG_WORDS, ABOVE, 100000, 0)                                                      \
    X(GOPHER_QUALITY, "gopher_below_avg_threshold", SIG_WORD_LEN, BELOW, 3, 0)                                             \
    X(GOPHER_QUALITY, "gopher_above_avg_threshold", SIG_WORD_LEN, ABOVE, 10, 0)                                            \
    X(GOPHER_SYMBOLS, "gopher_too_many_hashes", SIG_HASHES, ABOVE, 0.1, 0)                                                 \
    X(ENGLISH_SYMBOLS, "en_too_many_hashes", SIG_HASH_RUNS, ABOVE, 0.1, 0)                                                 \
    X(GOPHER_QUALITY, "gopher_too_many_ellipsis", SIG_ELLIPSES, ABOVE, 0.1, 0)                                             \
    X(GOPHER_QUALITY, "gopher_too_many_bullets", SIG_BULLETS, ABOVE, 0.9, 0)                                               \
    X(GOPHER_QUALITY, "gopher_too_many_end_ellipsis", SIG_END_DOTS, ABOVE, 0.3, 0)                                         \
    X(GOPHER_SYMBOLS, "gopher_below_alpha_threshold", SIG_ALPHA, BELOW, 0.8, 0)                                            \
    X(ENGLISH_SYMBOLS, "en_below_alpha_threshold", SIG_ALPHA_PLAIN, BELOW, 0.8, 0)                                         \
    X(GOPHER_QUALITY, "gopher_enough_stop_words", SIG_STOP_WORDS, BELOW, 2, 0)                                             \
    /* Gopher repetition (the same, table A1). */                                                                          \
    X(GOPHER_REPETITION, "dup_para_frac", SIG_DUP_PARA, ABOVE, 0.3, 0)                                                     \
    X(GOPHER_REPETITION, "dup_para_char_frac", SIG_DUP_PARA_CH, ABOVE, 0.2, 0)                                             \
    X(GOPHER_REPETITION, "dup_line_frac", SIG_DUP_LINE, ABOVE, 0.3, 0)                                                     \
    X(GOPHER_REPETITION, "dup_line_char_frac", SIG_DUP_LINE_CH, ABOVE, 0.2, 0)                                             \
    X(GOPHER_REPETITION, "top_2_gram", SIG_TOP_2, ABOVE, 0.20, 0)                                                          \
    X(GOPHER_REPETITION, "top_3_gram", SIG_TOP_3, ABOVE, 0.18, 0)                                                          \
    X(GOPHER_REPETITION, "top_4_gram", SIG_TOP_4, ABOVE, 0.16, 0)                                                          \
    X(GOPHER_REPETITION, "duplicated_5_n_grams", SIG_DUP_5, ABOVE, 0.15, 0)                                                \
    X(GOPHER_REPETITION, "duplicated_6_n_grams", SIG_DUP_6, ABOVE, 0.14, 0)                                                \
    X(GOPHER_REPETITION, "duplicated_7_n_grams", SIG_DUP_7, ABOVE, 0.13, 0)                                                \
    X(GOPHER_REPETITION, "duplicated_8_n_grams", SIG_DUP_8, ABOVE, 0.12, 0)                                                \
    X(GOPHER_REPETITION, "duplicated_9_n_grams", SIG_DUP_9, ABOVE, 0.11, 0)                                                \
    X(GOPHER_REPETITION, "duplicated_10_n_grams", SIG_DUP_10, ABOVE, 0.10, 0)                                              \
    /* FineWeb's own (Penedo et al. 2024, section 3.6). */                                                                 \
    X(FINEWEB, "line_punct_ratio", SIG_LINE_END, BELOW, 0.12, 0)                                                           \
    X(FINEWEB, "short_line_ratio", SIG_SHORT_LINE, ABOVE, 0.67, 0)                                                         \
    X(FINEWEB, "char_dup_ratio", SIG_DUP_TEXT_CH, ABOVE, 0.01, 0)                                                          \
    X(FINEWEB, "list_ratio", SIG_NEWLINES, ABOVE, 0.3, 0)                                                                  \
    /* Chinese, by characters; the kinds of rules are those of MAP-NEO's Matrix and of ChineseWebText. Limits were moved \
     * until technical articles passed that hold code blocks, tables and Latin terms. Diversity and entropy depend on length, \
     * hence their form and the length from which on they hold. */ \
    X(CHINESE, "zh_short_doc", SIG_CHARS, BELOW, 80, 0)                                                                    \
    X(CHINESE, "zh_long_doc", SIG_CHARS, ABOVE, 1000000, 0)                                                                \
    X(CHINESE, "zh_few_han", SIG_HAN, BELOW, 0.05, 0)                                                                      \
    X(CHINESE, "zh_too_many_hashes", SIG_HASH_RUNS, ABOVE, 0.1, 0)                                                         \
    X(CHINESE, "zh_too_many_ellipsis", SIG_ELLIPSES, ABOVE, 0.1, 0)                                                        \
    X(CHINESE, "zh_too_many_bullets", SIG_BULLETS, ABOVE, 0.9, 0)                                                          \
    X(CHINESE, "zh_too_many_end_ellipsis", SIG_END_DOTS, ABOVE, 0.3, 0)                                                    \
    X(CHINESE, "zh_too_many_teasers", SIG_MORE_LINES, ABOVE, 0.3, 0)                                                       \
    X(CHINESE, "zh_too_many_brackets", SIG_BRACKETS, ABOVE, 0.1, 0)                                                        \
    X(CHINESE, "zh_too_many_digits", SIG_DIGITS, ABOVE, 0.3, 0)                                                            \
    X(CHINESE, "zh_too_much_punct", SIG_PUNCT, ABOVE, 0.5, 0)                                                              \
    X(CHINESE, "zh_no_punct", SIG_PUNCT, BELOW, 0.01, 200)                                                                 \
    X(CHINESE, "zh_few_kinds", SIG_HAN_KINDS, BELOW, 0.1, 200)                                                             \
    X(CHINESE, "zh_low_entropy", SIG_HAN_ENTROPY, BELOW, 3, 200)                                                           \
    X(CHINESE, "zh_dup_para_frac", SIG_DUP_PARA, ABOVE, 0.3, 0)                                                            \
    X(CHINESE, "zh_dup_para_char_frac", SIG_DUP_PARA_CH, ABOVE, 0.3, 0)                                                    \
    X(CHINESE, "zh_dup_line_frac", SIG_DUP_LINE, ABOVE, 0.5, 0)                                                            \
    X(CHINESE, "zh_dup_line_char_frac", SIG_DUP_LINE_CH, ABOVE, 0.3, 0)                                                    \
    X(CHINESE, "zh_top_2_gram", SIG_TOP_2, ABOVE, 0.20, 0)                                                                 \
    X(CHINESE, "zh_top_3_gram", SIG_TOP_3, ABOVE, 0.18, 0)                                                                 \
    X(CHINESE, "zh_top_4_gram", SIG_TOP_4, ABOVE, 0.16, 0)                                                                 \
    X(CHINESE, "zh_duplicated_5_n_grams", SIG_DUP_5, ABOVE, 0.6, 0)                                                        \
    X(CHINESE, "zh_duplicated_10_n_grams", SIG_DUP_10, ABOVE, 0.4, 0)                                                      \
    /* Code: what tells source text from data, minified text and binaries in hexadecimal (limits of StarCoder, Li et al. \
     * 2023, appendix C). */ \
    X(CODE, "code_short_doc", SIG_CHARS, BELOW, 50, 0)                                                                     \
    X(CODE, "code_long_doc", SIG_CHARS, ABOVE, 1000000, 0)                                                                 \
    X(CODE, "code_long_line", SIG_LINE_MAX, ABOVE, 1000, 0)                                                                \
    X(CODE, "code_long_lines", SIG_LINE_MEAN, ABOVE, 100, 0)                                                               \
    X(CODE, "code_few_alnum", SIG_ALNUM, BELOW, 0.25, 0)

#define ONE(group, reason, signal, test, limit, from_chars) +1
enum { RULE_COUNT = 0 RULES(ONE) };
#undef ONE
extern const Rule rule_table[RULE_COUNT];

typedef struct {
    const char *name;
    bool by_kind; /* false: every text is measured and judged as if it were English, `other` languages too */
    unsigned groups[KIND_COUNT]; /* RuleGroup bits for each kind */
} RuleSet;

#define GOPHER  (GROUP_GOPHER_QUALITY | GROUP_GOPHER_SYMBOLS | GROUP_GOPHER_REPETITION)
#define ENGLISH (GROUP_GOPHER_QUALITY | GROUP_ENGLISH_SYMBOLS | GROUP_GOPHER_REPETITION)
/* Every set: name, by_kind, groups for English, Chinese, code, other. The last one only measures. */
#define RULE_SETS(X)                                                              \
    X("zh-en", true, ENGLISH, GROUP_CHINESE, GROUP_CODE, GROUP_GOPHER_REPETITION) \
    X("gopher", false, GOPHER, 0, 0, 0)                                           \
    X("fineweb", false, GOPHER | GROUP_FINEWEB, 0, 0, 0)                          \
    X("none", true, 0, 0, 0, 0)

#define ONE(name, by_kind, english, chinese, code, other) +1
enum { RULE_SET_COUNT = 0 RULE_SETS(ONE) };
#undef ONE
extern const RuleSet rule_sets[RULE_SET_COUNT];

/* The first rule of `set` that text of this kind fails, with the limits given, or -1. A NaN signal passes. */
int rules_judge(const RuleSet *set, TextKind kind, const double limit[RULE_COUNT], const double v[SIG_COUNT]);

/* Index by reason, or -1. */
int rule_find(Span reason);

#endif
