#include "dedup/slow_test.h"

#include "dedup/cluster.h"
#include "dedup/sign.h"
#include "tests/check.h"

#include <math.h>
#include <stdlib.h>

/* One entry of a list of what decides: below 0 when a comes first, 0 when it leaves that open. */
static int compare_by(const Corpus *c, const char *by, uint32_t a, uint32_t b)
{
    const Made *x = &c->doc[a], *y = &c->doc[b];
    int64_t px = x->dump, py = y->dump; /* NO_DUMP is behind all */

    if (strcmp(by, "longest") == 0) {
        px = -(int64_t)strlen(x->text);
        py = -(int64_t)strlen(y->text);
    } else if (strcmp(by, "latest") == 0) {
        px = x->dump == NO_DUMP ? 1 : -px;
        py = y->dump == NO_DUMP ? 1 : -py;
    } else if (strcmp(by, "signal:quality") == 0) {
        px = x->quality == NO_QUALITY ? NO_QUALITY : -x->quality;
        py = y->quality == NO_QUALITY ? NO_QUALITY : -y->quality;
    } else if (strcmp(by, "source:s2:s1") == 0) {
        static const int place[4] = {2, 1, 0, 2};
        px = place[x->source];
        py = place[y->source];
    } else if (strcmp(by, "earliest") != 0) {
        CHECK_STR("first", by);
        return 0;
    }
    return (px > py) - (px < py);
}

static bool comes_first(const Corpus *c, const DedupParams *p, uint32_t a, uint32_t b)
{
    char list[80], *rest = NULL;
    int d = 0;

    snprintf(list, sizeof list, "%s", p->keep);
    for (char *by = strtok_r(list, ",", &rest); by && d == 0; by = strtok_r(NULL, ",", &rest))
        d = compare_by(c, by, a, b);
    return d ? d < 0 : a < b;
}

static Signature *sign_all(const Corpus *c, const DedupParams *p)
{
    Signature *s = calloc(c->n, sizeof *s);
    MinHash m;
    Err err;

    CHECK_OK(minhash_init(&m, p->bands * p->rows, p->seed, &err), &err);
    for (uint32_t i = 0; i < c->n; i++) CHECK_OK(signature_make(&s[i], p, &m, span_str(c->doc[i].text), &err), &err);
    minhash_clear(&m);
    return s;
}

static bool one_dump(const Corpus *c, uint32_t a, uint32_t b) { return c->doc[a].dump == c->doc[b].dump; }

bool slow_in_reach(const Corpus *c, const DedupParams *p, uint32_t a, uint32_t b)
{
    int64_t x = c->doc[a].dump, y = c->doc[b].dump;

    return p->window == 0 || (x > y ? x - y : y - x) < p->window;
}

static bool share_band(const Signature *a, const Signature *b, uint32_t bands)
{
    for (uint32_t i = 0; i < bands; i++)
        if (a->band[i] == b->band[i]) return true;
    return false;
}

/* What is known of all documents while they are gone through, in keep order. */
typedef struct {
    const Corpus *c;
    const DedupParams *p;
    Signature *sign;
    uint32_t *order, *label;
    uint32_t *link;  /* the one it was dropped for; itself: not dropped */
    uint8_t *why;    /* in which step, 0: in none */
    bool *same_dump; /* it has the fate of the one in its dump that it was dropped for */
    SlowCounts n;
} Slow;

static bool same_text(const Slow *s, uint32_t a, uint32_t b)
{
    return hash128_eq(s->sign[a].exact, s->sign[b].exact);
}
static bool same_url(const Slow *s, uint32_t a, uint32_t b)
{
    return s->c->doc[a].host == s->c->doc[b].host && s->c->doc[a].page == s->c->doc[b].page;
}

static void slow_step(Slow *s, uint8_t why, bool (*same)(const Slow *s, uint32_t a, uint32_t b))
{
    for (uint32_t i = 0; i < s->c->n; i++) {
        uint32_t doc = s->order[i];
        if (s->why[doc]) continue;
        for (uint32_t k = 0; k < i && s->p->window > 1 && !s->why[doc]; k++) { /* the first of its dump */
            uint32_t other = s->order[k];
            if ((s->why[other] && s->why[other] != why) || !same(s, doc, other) || !one_dump(s->c, doc, other))
                continue;
            s->link[doc] = other;
            s->why[doc] = why;
            s->same_dump[doc] = true;
        }
        for (uint32_t k = 0; k < i && !s->why[doc]; k++) { /* the first in reach that stays */
            uint32_t other = s->order[k];
            if (s->why[other] || !same(s, doc, other) || !slow_in_reach(s->c, s->p, doc, other)) continue;
            s->link[doc] = other;
            s->why[doc] = why;
        }
    }
}

static bool takes_part(const Slow *s, uint32_t i) { return !s->why[i] && s->sign[i].n_shingles > 0; }

static void slow_components(Slow *s) /* labels spread */
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < s->c->n; i++)
            for (uint32_t k = 0; k < i; k++) {
                if (!takes_part(s, i) || !takes_part(s, k) || s->label[i] == s->label[k]) continue;
                if (s->p->window == 1 && !one_dump(s->c, i, k)) continue;
                if (!share_band(&s->sign[i], &s->sign[k], s->p->bands)) continue;
                s->label[i] = s->label[k] = s->label[i] < s->label[k] ? s->label[i] : s->label[k];
                changed = true;
            }
    }
}

static bool has_shingle(const Signature *s, uint64_t shingle, size_t below)
{
    for (size_t i = 0; i < below; i++)
        if (s->shingle[i] == shingle) return true;
    return false;
}

static double slow_jaccard(const Signature *a, const Signature *b)
{
    double common = 0, all = 0;

    for (size_t i = 0; i < a->n_shingles; i++) {
        if (has_shingle(a, a->shingle[i], i)) continue;
        all++;
        common += has_shingle(b, a->shingle[i], b->n_shingles);
    }
    for (size_t i = 0; i < b->n_shingles; i++)
        all += !has_shingle(b, b->shingle[i], i) && !has_shingle(a, b->shingle[i], a->n_shingles);
    return common / all;
}

/* What the first round leaves to the second. */
typedef struct {
    bool *takes_part;
    bool *leader;      /* kept, and compared with */
    bool *taken;       /* a leader that others may have been dropped for */
    uint32_t *refuted; /* whom the document was refuted for; itself: none */
} Round;

static bool slow_compared(const Round *before, uint32_t doc, uint32_t other)
{
    return before && (before->refuted[doc] != doc ? before->refuted[doc] == other : before->refuted[other] == other);
}

/* The one that `doc`, which stands at `at` in the keep order, is dropped for by the sketch; itself: none. */
static uint32_t slow_likely(Slow *s, const Round *before, const Round *r, uint32_t at, bool *sure,
                            uint32_t *n_leaders)
{
    const uint32_t micro = (uint32_t)(s->p->verify * 1e6 + 0.5);
    uint32_t doc = s->order[at], likely = doc, margin;
    int32_t best = -1;

    for (uint32_t k = 0; k < at; k++) {
        uint32_t other = s->order[k];
        if (!r->leader[other] || s->label[other] != s->label[doc]) continue;
        if (!before || before->refuted[other] != other) *n_leaders += s->p->window < 2 || one_dump(s->c, doc, other);
        if (!slow_in_reach(s->c, s->p, doc, other) || slow_compared(before, doc, other)) continue;
        int32_t e = sketch_estimate(s->sign[other].sketch, s->sign[doc].sketch, micro, &margin);
        if (e < (int32_t)micro - (int32_t)margin) continue;
        *sure = e >= (int32_t)(micro + margin);
        if (*sure) return other;
        if (e <= best) continue;
        best = e;
        likely = other;
    }
    return likely;
}

/* Each against those kept before it in its component; some are kept without being compared with. */
static void slow_round(Slow *s, const Round *before, Round *r)
{
    const double least = round(s->p->verify * 1e6) / 1e6;
    bool *unsure = calloc(s->c->n + 1, 1);

    for (uint32_t i = 0; i < s->c->n; i++) {
        uint32_t doc = s->order[i], n_leaders = 0;
        bool sure = false, old = before && before->leader[doc];
        r->refuted[doc] = doc;
        if (!r->takes_part[doc]) continue;
        uint32_t other = old && before->taken[doc] ? doc : slow_likely(s, before, r, i, &sure, &n_leaders);
        s->link[doc] = other;
        if (other != doc) {
            s->why[doc] = CLUSTER_NEAR;
            r->taken[other] |= sure;
            unsure[doc] = !sure;
        } else {
            r->leader[doc] = old || n_leaders < DEDUP_MAX_LEADERS;
        }
        if (n_leaders > s->n.most_leaders) s->n.most_leaders = n_leaders;
    }
    for (uint32_t i = 0; i < s->c->n; i++) {
        if (!unsure[i]) continue;
        s->n.n_unsure++;
        if (slow_jaccard(&s->sign[i], &s->sign[s->link[i]]) >= least) {
            r->taken[s->link[i]] = true;
            continue;
        }
        s->why[i] = 0;
        r->refuted[i] = s->link[i];
        s->link[i] = i;
        s->n.n_refuted++;
    }
    for (uint32_t i = 0; before && i < s->c->n; i++) {
        if (!r->takes_part[i] || !s->why[i]) continue;
        s->n.n_again += before->refuted[i] != i;
        s->n.n_freed += before->leader[i];
    }
    free(unsure);
}

static Round round_new(uint32_t n)
{
    return (Round){calloc(n + 1, 1), calloc(n + 1, 1), calloc(n + 1, 1), calloc(n + 1, sizeof(uint32_t))};
}

static void round_clear(Round *r)
{
    free(r->takes_part);
    free(r->leader);
    free(r->taken);
    free(r->refuted);
}

/* In the second round those that were refuted meet the leaders of the first; then, as long as there are some, one another. */
static void slow_near(Slow *s)
{
    Round last = round_new(s->c->n);
    uint32_t left = 1;

    for (uint32_t i = 0; i < s->c->n; i++) last.takes_part[i] = takes_part(s, i);
    slow_round(s, NULL, &last);
    for (uint32_t round = 1; round < NEAR_ROUNDS && left; round++) {
        Round next = round_new(s->c->n);
        left = 0;
        for (uint32_t i = 0; i < s->c->n; i++) {
            left += last.refuted[i] != i;
            last.leader[i] &= round == 1;
            next.takes_part[i] = last.leader[i] || last.refuted[i] != i;
        }
        if (left) s->n.rounds = round + 1;
        slow_round(s, &last, &next);
        round_clear(&last);
        last = next;
    }
    round_clear(&last);
}

static uint32_t slow_keeper(const Slow *s, uint32_t doc)
{
    if (!s->why[doc]) return doc;
    uint32_t keeper = slow_keeper(s, s->link[doc]);
    return s->same_dump[doc] || slow_in_reach(s->c, s->p, doc, keeper) ? keeper : doc;
}

void slow_dedup(const Corpus *c, const DedupParams *p, uint8_t *verdict, uint32_t *keeper, SlowCounts *counts)
{
    Slow s = {.c = c,
              .p = p,
              .sign = sign_all(c, p),
              .order = calloc(c->n, 4),
              .label = calloc(c->n, 4),
              .link = calloc(c->n, 4),
              .why = calloc(c->n, 1),
              .same_dump = calloc(c->n, 1)};

    for (uint32_t i = 0; i < c->n; i++) { /* keep order, by insertion */
        uint32_t at = i;
        for (; at > 0 && comes_first(c, p, i, s.order[at - 1]); at--) s.order[at] = s.order[at - 1];
        s.order[at] = i;
        s.link[i] = s.label[i] = i;
    }
    slow_step(&s, CLUSTER_EXACT, same_text);
    if (p->url) slow_step(&s, CLUSTER_URL, same_url);
    if (!p->exact_only) {
        slow_components(&s);
        slow_near(&s);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        keeper[i] = slow_keeper(&s, i);
        verdict[i] = keeper[i] == i ? 0 : s.why[i];
    }
    *counts = s.n;
    for (uint32_t i = 0; i < c->n; i++) signature_clear(&s.sign[i]);
    free(s.sign);
    free(s.label);
    free(s.order);
    free(s.link);
    free(s.why);
    free(s.same_dump);
}
