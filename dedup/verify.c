/* Near duplicates: every member of a component against the documents kept before it, by their sketches. */
#include "core/hash.h"
#include "dedup/cluster.h"
#include "dedup/sign.h"

#include <math.h>
#include <stdlib.h>

/* A member: its place in the keep order; behind the first round what is known of it, AGAIN_…, and the document it was refuted for; its sketch. */
enum { AGAIN_BYTES = 1 + DOC_BYTES };

typedef struct {
    const DocTable *t;
    const Results *labels;
    const Results *again; /* NULL: the first round */
    Pass *p;
    uint32_t sketch_at; /* in a member */
    uint32_t micro;
} Step;

/* What the round before says of `doc`, NULL: it is done with; moves through `again`, sorted by document as well. */
static const uint8_t *find_again(Span *again, uint64_t doc)
{
    while (again->n && doc_get(again->p) < doc) *again = span_from(*again, VERDICT_BYTES);
    return again->n && doc_get(again->p) == doc ? again->p : NULL;
}

/* Members of a component meet under its label, in keep order. */
static ErrCode send_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Step *s = ctx;
    OrderColumns order;
    Span sketch, labels, again = {NULL, 0};
    ErrCode rc;

    if (s->again && ((rc = signpart_slice(p, s->again, 1, &again, err)) != ERR_OK || again.n == 0)) return rc;
    if ((rc = signpart_slice(p, s->labels, 0, &labels, err)) != ERR_OK || labels.n == 0) return rc;
    if ((rc = order_columns(s->t, p, &order, err)) != ERR_OK) return rc;
    rc = signpart_column(p, sign_column_names[SIGN_SKETCH], COL_U8, SKETCH_BINS, &sketch, err);
    for (size_t at = 0; at < labels.n && rc == ERR_OK; at += PAIR_BYTES) {
        uint8_t key[EXCHANGE_KEY], member[ORDER_MAX + AGAIN_BYTES + SKETCH_BINS];
        uint64_t doc = doc_get(labels.p + at), label = doc_get(labels.p + at + DOC_BYTES);
        size_t i = (size_t)(doc - p->first);
        const uint8_t *known = s->again ? find_again(&again, doc) : NULL;
        if (s->again && !known) continue;
        exchange_key_u64(key, mix64(label), label);
        order_put(member, s->t, &order, p, i);
        if (known) {
            member[s->t->order_bytes] = known[2 * REF_BYTES];
            memcpy(member + s->t->order_bytes + 1, known + REF_BYTES, DOC_BYTES);
        }
        memcpy(member + s->sketch_at, sketch.p + SKETCH_BINS * i, SKETCH_BINS);
        rc = pass_put(s->p, lane, key, member, s->sketch_at + SKETCH_BINS, err);
    }
    return rc;
}

static ErrCode send_members(void *ctx, Pass *p, Err *err)
{
    Step *s = ctx;

    s->p = p;
    return doctable_each_part(s->t, send_part, s, err);
}

/* A kept document of a component. */
typedef struct {
    uint8_t ref[REF_BYTES], sketch[SKETCH_BINS];
    bool before; /* kept in the first round, and this is another */
    bool taken;  /* another was dropped for it, by the sketch alone */
} Leader;

/* As many as are compared with, in a window of so many for each dump; those of the first round beside these. */
typedef struct {
    Leader *v;
    size_t n, cap;
    bool unsure; /* some member's verdict is left to the texts */
} Leaders;

typedef struct {
    const uint8_t *ref, *sketch, *refuted; /* refuted: the document it is known not to be near, NULL: none */
    uint8_t again;                         /* 0: this is the first round */
} Member;

static Member member_at(const Step *s, Span v)
{
    const uint8_t *known = v.p + s->t->order_bytes;
    Member m = {.ref = order_ref(s->t, v.p), .sketch = v.p + s->sketch_at, .again = s->again ? *known : 0};

    if (m.again == AGAIN_REFUTED) m.refuted = known + 1;
    return m;
}

static ErrCode add_leader(Leaders *l, const Member *m, Err *err)
{
    Leader *room = array_grow(l->v, l->n, &l->cap, sizeof *room);

    if (!room) return err_nomem(err, "the kept documents of a component");
    l->v = room;
    room += l->n++;
    *room = (Leader){.before = m->again && !m->refuted};
    memcpy(room->ref, m->ref, REF_BYTES);
    memcpy(room->sketch, m->sketch, SKETCH_BINS);
    return ERR_OK;
}

/* Whether it is known already that the two are not near, or which of them is. */
static bool compared_before(const Member *m, const Leader *l)
{
    if (m->refuted) return memcmp(m->refuted, l->ref, DOC_BYTES) == 0;
    return m->again && l->before;
}

/* A leader that it surely is like, the first of them; or else the one it is most like of those it may be like, which the texts
 * decide. */
static ErrCode judge_member(const Step *s, Leaders *leaders, const Member *m, ResultsOut *out, Err *err)
{
    const uint16_t dump = ref_dump(m->ref);
    uint32_t n_alike = 0; /* leaders that share one limit with it */
    const Leader *likely = NULL;
    int32_t best = -1;

    for (size_t i = 0; i < leaders->n && m->again != AGAIN_TAKEN; i++) {
        Leader *l = &leaders->v[i];
        uint32_t margin;
        n_alike += !l->before && (s->t->window == 0 || ref_dump(l->ref) == dump);
        if (!in_window(s->t, ref_dump(l->ref), dump) || compared_before(m, l)) continue;
        int64_t estimate = sketch_estimate(l->sketch, m->sketch, s->micro, &margin);
        if (estimate >= (int64_t)s->micro + margin) {
            l->taken = true;
            return verdict_put(out, m->ref, l->ref, CLUSTER_NEAR, err);
        }
        if (estimate <= best || estimate < (int64_t)s->micro - margin) continue;
        best = (int32_t)estimate;
        likely = l;
    }
    if (likely) {
        leaders->unsure = true;
        return verdict_put(out, m->ref, likely->ref, CLUSTER_NEAR | LINK_BORDERLINE, err);
    }
    if (n_alike >= DEDUP_MAX_LEADERS && (m->refuted || !m->again)) return ERR_OK;
    return add_leader(leaders, m, err);
}

/* What the second round compares with, too, should there be one. */
static ErrCode put_leaders(const Leaders *l, ResultsOut *out, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < l->n && rc == ERR_OK; i++)
        rc = verdict_put(out, l->v[i].ref, l->v[i].ref, l->v[i].taken ? AGAIN_TAKEN : AGAIN_FREE, err);
    return rc;
}

static ErrCode judge_components(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out,
                                Err *err)
{
    const Step *s = ctx;
    uint8_t key[EXCHANGE_KEY];
    Leaders leaders = {0};
    Span v;
    bool end;
    ErrCode rc = ERR_OK;

    (void)thread, (void)partition;
    while (rc == ERR_OK && (rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        leaders.n = 0;
        leaders.unsure = false;
        while (rc == ERR_OK && (rc = exchange_next_value(g, &v, &end, err)) == ERR_OK && !end) {
            const Member m = member_at(s, v);
            rc = judge_member(s, &leaders, &m, out, err);
        }
        if (rc == ERR_OK && !s->again && leaders.unsure) rc = put_leaders(&leaders, out, err);
    }
    free(leaders.v);
    return rc;
}

ErrCode verify_components(const DocTable *t, const Pass *components, const Pass *again, unsigned round, Pass **out,
                          Err *err)
{
    const uint32_t sketch_at = t->order_bytes + (again ? AGAIN_BYTES : 0);
    char name[NEAR_STEP_NAME];
    const StepSpec spec = {.name = name, .value_bytes = sketch_at + SKETCH_BINS, .result_bytes = VERDICT_BYTES};
    Step s = {.t = t,
              .labels = pass_results(components),
              .again = again ? pass_results(again) : NULL,
              .sketch_at = sketch_at,
              .micro = (uint32_t)lround(t->params->verify * 1e6)};
    ErrCode rc;

    near_step_name(name, "verify", round);
    rc = doctable_step(t, &spec, out, err);
    return rc ? rc : pass_run(*out, send_members, judge_components, &s, err);
}
