/* tools/token_plan.h - what a run of `tamis tokenize` is, and that its directory is this run's: stage.json, written first, holds its key. */
#ifndef TAMIS_TOOLS_TOKEN_PLAN_H
#define TAMIS_TOOLS_TOKEN_PLAN_H

#include "tools/token_input.h"

typedef struct {
    const char *out; /* the directory; borrowed */
    bool force;      /* replaces another run's */
    bool once;       /* the input cannot be read again: what is there is always another run's */
    Buf params, inputs,
        mixture; /* JSON; the mixture with its domains called as their streams, empty where there is none */
    Hash128 key;
    Arena names;
} TokenPlan;

/* Settles what follows from p->params and the input. out and force are set, the rest is zero. */
MUST_USE ErrCode tokenplan_make(TokenPlan *p, const TokenInput *in, Err *err);
void tokenplan_clear(TokenPlan *p);
/* "DIR/NAME", or NULL when there is no memory. */
char *tokenplan_path(TokenPlan *p, const char *name);
/* Makes the directory ours, or says that it is another's (ERR_DATA). *done when the tokens are there. */
MUST_USE ErrCode tokenplan_claim(TokenPlan *p, bool *done, Err *err);
/* Weights may have been changed since the tokens were made, or taken away since a run that was stopped: mixture.json becomes what the
 * dataset has now. */
MUST_USE ErrCode tokenplan_refresh_mixture(TokenPlan *p, Err *err);

#endif
