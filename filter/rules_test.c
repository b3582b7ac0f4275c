/* Every rule at its limit and just beyond; sets judge by the groups they name. */
#include "filter/rules.h"

#include "tests/check.h"

#include <math.h>

/* Signals with which no rule of any set fails, for texts of any kind. */
static void good_values(double v[SIG_COUNT])
{
    static const struct {
        SignalId id;
        double v;
    } some[] = {{SIG_CHARS, 5000},       {SIG_WORDS, 800},    {SIG_WORD_LEN, 5},    {SIG_ALPHA, 0.9},
                {SIG_ALPHA_PLAIN, 0.95}, {SIG_STOP_WORDS, 6}, {SIG_LINE_END, 0.8},  {SIG_SHORT_LINE, 0.1},
                {SIG_HAN, 0.9},          {SIG_PUNCT, 0.1},    {SIG_HAN_KINDS, 0.3}, {SIG_HAN_ENTROPY, 5},
                {SIG_LINE_MEAN, 40},     {SIG_LINE_MAX, 90},  {SIG_ALNUM, 0.6}};

    for (int i = 0; i < SIG_COUNT; i++) v[i] = 0;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) v[some[i].id] = some[i].v;
}

/* A set that asks one rule's group alone. */
static RuleSet only(RuleGroup group) { return (RuleSet){"one", true, {(unsigned)group, 0, 0, 0}}; }

TEST(rules_fail_beyond_their_limit_alone)
{
    double limit[RULE_COUNT], v[SIG_COUNT];

    for (int i = 0; i < RULE_COUNT; i++) limit[i] = rule_table[i].limit;
    for (int i = 0; i < RULE_COUNT; i++) {
        const Rule *r = &rule_table[i];
        RuleSet set = only(r->group);
        double beyond = r->test == RULE_BELOW ? -1e-6 : 1e-6;
        good_values(v);
        CHECK_INT(-1, rules_judge(&set, KIND_ENGLISH, limit, v));
        v[r->signal] = r->limit;
        CHECK_INT(-1, rules_judge(&set, KIND_ENGLISH, limit, v));
        v[r->signal] = round((r->limit + beyond) * 1e6) / 1e6;
        CHECK_INT(i, rules_judge(&set, KIND_ENGLISH, limit, v));
        CHECK_INT(-1, rules_judge(&set, KIND_CODE, limit, v)); /* not its kind */
        if (r->from_chars > 0) {
            v[SIG_CHARS] = r->from_chars - 1;
            CHECK_INT(-1, rules_judge(&set, KIND_ENGLISH, limit, v));
            v[SIG_CHARS] = r->from_chars;
            CHECK_INT(i, rules_judge(&set, KIND_ENGLISH, limit, v));
        }
        v[r->signal] = NAN;
        if (r->signal != SIG_CHARS) CHECK_INT(-1, rules_judge(&set, KIND_ENGLISH, limit, v));
    }
}

TEST(rules_obey_moved_limits)
{
    double limit[RULE_COUNT], v[SIG_COUNT];
    int i = rule_find(SPAN_LIT("gopher_short_doc"));

    good_values(v);
    for (int k = 0; k < RULE_COUNT; k++) limit[k] = rule_table[k].limit;
    CHECK_INT(-1, rules_judge(&rule_sets[0], KIND_ENGLISH, limit, v));
    limit[i] = 801;
    CHECK_INT(i, rules_judge(&rule_sets[0], KIND_ENGLISH, limit, v));
    CHECK_INT(-1, rules_judge(&rule_sets[0], KIND_CHINESE, limit, v));
    CHECK_INT(-1, rule_find(SPAN_LIT("gopher_short_do")));
    CHECK_INT(-1, rule_find(SPAN_LIT("")));
}

TEST(rules_reasons_and_columns_are_well_formed)
{
    static const char *const names[] = {
#define NAME(id, name) name,
        SIGNALS(NAME)};

    for (int i = 0; i < RULE_COUNT; i++) {
        CHECK_INT(i, rule_find(span_str(rule_table[i].reason))); /* no reason twice */
        CHECK(rule_table[i].limit == round(rule_table[i].limit * 1e6) / 1e6);
    }
    for (int i = 0; i < SIG_COUNT; i++) {
        CHECK(strlen(names[i]) >= 1 && strlen(names[i]) <= 16);
        for (int j = 0; j < i; j++) CHECK(strcmp(names[i], names[j]) != 0);
        for (const char *p = names[i]; *p; p++)
            CHECK(ascii_is_lower((uint8_t)*p) || ascii_is_digit((uint8_t)*p) || *p == '_');
    }
}

/* The order of Gopher's quality rules: the first that fails gives the reason. */
TEST(rules_first_failure_wins)
{
    double limit[RULE_COUNT], v[SIG_COUNT];

    good_values(v);
    for (int k = 0; k < RULE_COUNT; k++) limit[k] = rule_table[k].limit;
    v[SIG_STOP_WORDS] = 0;
    v[SIG_DUP_5] = 0.9;
    CHECK_STR("gopher_enough_stop_words", rule_table[rules_judge(&rule_sets[1], KIND_ENGLISH, limit, v)].reason);
    v[SIG_WORDS] = 10;
    CHECK_STR("gopher_short_doc", rule_table[rules_judge(&rule_sets[1], KIND_ENGLISH, limit, v)].reason);
    v[SIG_WORDS] = 100;
    v[SIG_STOP_WORDS] = 2;
    CHECK_STR("duplicated_5_n_grams", rule_table[rules_judge(&rule_sets[1], KIND_ENGLISH, limit, v)].reason);
}
