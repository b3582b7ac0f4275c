/* filter/rules.c - the table of rules and the table of sets. */
#include "filter/rules.h"

#include <math.h>

#define ROW(group, reason, signal, test, limit, from_chars) \
    {GROUP_##group, reason, signal, RULE_##test, limit, from_chars},
const Rule rule_table[RULE_COUNT] = {RULES(ROW)};
#undef ROW

#define ROW(name, by_kind, english, chinese, code, other) \
    {name, by_kind, {[KIND_ENGLISH] = english, [KIND_CHINESE] = chinese, [KIND_CODE] = code, [KIND_OTHER] = other}},
const RuleSet rule_sets[RULE_SET_COUNT] = {RULE_SETS(ROW)};
#undef ROW

int rules_judge(const RuleSet *set, TextKind kind, const double limit[RULE_COUNT], const double v[SIG_COUNT])
{
    for (int i = 0; i < RULE_COUNT; i++) {
        const Rule *r = &rule_table[i];
        double x = v[r->signal];
        if (!(set->groups[kind] & (unsigned)r->group) || isnan(x) || v[SIG_CHARS] < r->from_chars) continue;
        if (r->test == RULE_BELOW ? x < limit[i] : x > limit[i]) return i;
    }
    return -1;
}

int rule_find(Span reason)
{
    for (int i = 0; i < RULE_COUNT; i++)
        if (span_is(reason, rule_table[i].reason)) return i;
    return -1;
}
