/* Near duplicates, round after round: what one of them refutes is compared once more in the next. */
#include "dedup/cluster.h"

#include <stdio.h>

void near_step_name(char out[NEAR_STEP_NAME], const char *name, unsigned round)
{
    snprintf(out, NEAR_STEP_NAME, round ? "%s_%u" : "%s", name, round + 1);
}

typedef struct {
    const DocTable *t;
    const Results *from[2];
    bool leaders; /* what was kept takes part, too */
    Pass *p;
} Again;

static ErrCode send_again(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    const Again *a = ctx;
    uint8_t key[EXCHANGE_KEY];
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < verdicts.n && rc == ERR_OK; at += VERDICT_BYTES) {
        const uint8_t *v = verdicts.p + at, why = v[2 * REF_BYTES];
        if (why != AGAIN_REFUTED && (!a->leaders || (why != AGAIN_TAKEN && why != AGAIN_FREE))) continue;
        doc_key(a->t, doc_get(v), key);
        rc = pass_put(a->p, lane, key, v + DOC_BYTES, VERDICT_BYTES - DOC_BYTES, err);
    }
    return rc;
}

static ErrCode send_all_again(void *ctx, Pass *p, Err *err)
{
    Again *a = ctx;
    ErrCode rc;

    a->p = p;
    rc = results_each(a->from[0], send_again, a, err);
    return rc ? rc : results_each(a->from[1], send_again, a, err);
}

/* For the round behind `round`. Of a keeper that both lists have, AGAIN_TAKEN comes before AGAIN_FREE. */
static ErrCode list_again(const DocTable *t, unsigned round, Pass *const lists[2], Pass **out, Err *err)
{
    char name[NEAR_STEP_NAME];
    const StepSpec spec = {.name = name, .value_bytes = VERDICT_BYTES - DOC_BYTES, .result_bytes = VERDICT_BYTES};
    Again a = {.t = t, .from = {pass_results(lists[0]), pass_results(lists[1])}, .leaders = round == 0};
    ErrCode rc;

    near_step_name(name, "again", round);
    rc = doctable_step(t, &spec, out, err);
    return rc ? rc : pass_run(*out, send_all_again, list_by_doc, &a, err);
}

/* ERR_NO: there is one. */
static ErrCode look_for_refuted(void *ctx, int lane, uint32_t partition, Span verdicts, Err *err)
{
    (void)ctx, (void)lane, (void)partition;
    for (size_t at = 0; at < verdicts.n; at += VERDICT_BYTES)
        if (verdicts.p[at + 2 * REF_BYTES] == AGAIN_REFUTED) return err_set(err, ERR_NO, "one is refuted");
    return ERR_OK;
}

/* Tasks of an array come to this by themselves, so each looks at all results. */
static ErrCode any_refuted(const DocTable *t, const Pass *settled, bool *any, Err *err)
{
    const Results *r = pass_results(settled);
    ErrCode rc =
        t->task.count ? results_all(r, look_for_refuted, NULL, err) : results_each(r, look_for_refuted, NULL, err);
    uint64_t n = rc == ERR_NO;

    rc = par_agree(t->par, rc == ERR_NO ? ERR_OK : rc, err);
    par_sum_u64(t->par, &n, 1);
    *any = n > 0;
    return rc;
}

ErrCode near_find(const DocTable *t, const DatasetSet *in, const Pass *components, Pass *lists[NEAR_LISTS], Err *err)
{
    Pass *again = NULL;
    bool more = true;
    ErrCode rc = ERR_OK;

    for (unsigned round = 0; round < NEAR_ROUNDS && more && rc == ERR_OK; round++) {
        Pass **own = lists + 2 * (size_t)round;
        rc = verify_components(t, components, again, round, &own[0], err);
        pass_close(again);
        again = NULL;
        if (rc == ERR_OK) rc = borderline_settle(t, in, own[0], round, &own[1], err);
        more = round + 1 < NEAR_ROUNDS;
        if (rc == ERR_OK && more) rc = any_refuted(t, own[1], &more, err);
        if (rc == ERR_OK && more) rc = list_again(t, round, own, &again, err);
    }
    pass_close(again);
    return rc;
}
