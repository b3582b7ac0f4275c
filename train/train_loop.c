/* train/train_loop.c - the run: start or resume, steps, evaluations, checkpoints, the end (train/train.h). */
#include "train/checkpoint.h"
#include "train/model.h"
#include "train/schedule.h"
#include "train/train.h"
#include "train/train_log.h"

#include "core/events.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Seconds between lines of talk on stderr. */
static const double TALK_SECONDS = 10;

typedef struct {
    const TrainConfig *c;
    const DataSource *d;
    const char *dir;
    Model *model;
    float *m, *v;      /* AdamW's moments */
    uint32_t *samples; /* micro_batch * (context + 1) */
    TrainLog *log;
    uint64_t step; /* updates done */
    double began;  /* clock at which `seconds` was 0 */
    double last_save, last_talk;
    uint64_t saved_step;
    uint64_t talk_step;
} Run;

static uint64_t step_tokens(const TrainConfig *c) { return (uint64_t)c->batch * c->model.context; }

/* --- start and resume */

static ErrCode check_memory(const TrainConfig *c, const ModelSpec *spec, Err *err)
{
    const Par par = par_alone(1);
    const uint64_t have = par_memory(&par), need = model_bytes(spec, c->micro_batch, true) + 8 * spec->n_params;

    if (need <= have) return ERR_OK;
    return err_set(err, ERR_NOMEM,
                   "training needs %" PRIu64 " MiB, there are %" PRIu64 " MiB; a smaller micro_batch needs less",
                   need >> 20, have >> 20);
}

static ErrCode run_alloc(Run *r, int threads, Err *err)
{
    ModelSpec spec = {0};
    ErrCode rc;

    if ((rc = modelspec_init(&spec, &r->c->model, err)) != ERR_OK) return rc;
    if ((rc = check_memory(r->c, &spec, err)) != ERR_OK) goto out;
    if ((rc = model_new(&r->model, &r->c->model, r->c->micro_batch, true, threads, err)) != ERR_OK) goto out;
    r->m = calloc(spec.n_params, sizeof *r->m);
    r->v = calloc(spec.n_params, sizeof *r->v);
    r->samples = malloc((size_t)r->c->micro_batch * (r->c->model.context + 1) * sizeof *r->samples);
    if (!r->m || !r->v || !r->samples) rc = err_nomem(err, "the optimizer's state");
out:
    modelspec_clear(&spec);
    return rc;
}

/* An interrupted or finished run in DIR must be this run. */
static ErrCode check_same_run(const Run *r, const CheckpointInfo *info, Err *err)
{
    const char *key = config_difference(r->c, &info->config);

    if (!hash128_eq(r->d->tokenizer_id, info->tokenizer_id))
        return err_set(err, ERR_DATA, "%s holds a run over tokens of another vocabulary; --force starts anew",
                       r->dir);
    if (key && strcmp(key, "tokens") == 0) /* what a step takes is the same, or its key were the first */
        return err_set(err, ERR_DATA,
                       "%s holds another run, of %" PRIu64 " steps (%" PRIu64 " tokens), not %" PRIu64 " (%" PRIu64
                       "): a run's length is part of its plan; --force starts anew",
                       r->dir, info->config.steps, info->config.tokens, r->c->steps, r->c->tokens);
    if (key)
        return err_set(err, ERR_DATA, "%s holds another run: its %s is %.10g, not %.10g; --force starts anew", r->dir,
                       key, config_value(&info->config, key), config_value(r->c, key));
    if (!hash128_eq(r->d->content, info->data))
        return err_set(err, ERR_DATA, "%s holds a run over other tokens; --force starts anew", r->dir);
    return ERR_OK;
}

/* Loads the newest checkpoint that is whole. A damaged one is named and passed over: the one before it leads to the same
 * weights. With none whole, the newest one's fault is returned. */
static ErrCode resume(Run *r, Err *err)
{
    uint64_t *steps;
    size_t n;
    Err first = {0};
    ErrCode rc = checkpoint_list(r->dir, &steps, &n, err), worst = ERR_OK;

    for (size_t i = n; rc == ERR_OK && i-- > 0;) {
        CheckpointInfo info;
        Err e = {0};
        ErrCode one = checkpoint_info(r->dir, steps[i], &info, &e);
        if (one == ERR_OK && (rc = check_same_run(r, &info, err)) != ERR_OK) break;
        if (one == ERR_OK) one = checkpoint_load(r->dir, steps[i], &r->model->spec, r->model->params, r->m, r->v, &e);
        if (one == ERR_OK) {
            r->step = r->saved_step = info.step;
            worst = ERR_OK;
            break;
        }
        log_warn("%s; trying an older checkpoint", e.msg);
        if (worst == ERR_OK) worst = one, first = e;
    }
    free(steps);
    if (rc == ERR_OK && worst != ERR_OK) rc = err_set(err, worst, "%s", first.msg);
    return rc;
}

/* The result of a run that is not finished is that of an earlier one. With `all` its checkpoints go too. */
static ErrCode forget_run(const char *dir, bool all, Err *err)
{
    Arena arena = {0};
    uint64_t *steps = NULL;
    size_t n = 0;
    char *result = path_join(&arena, dir, "result.json");
    ErrCode rc = result ? store_delete(result, err) : err_nomem(err, "a path");

    if (rc == ERR_OK && all) rc = checkpoint_list(dir, &steps, &n, err);
    for (size_t i = 0; rc == ERR_OK && i < n; i++) rc = checkpoint_delete(dir, steps[i], err);
    free(steps);
    arena_clear(&arena);
    return rc;
}

static ErrCode write_config(const Run *r, Err *err)
{
    Arena arena = {0};
    Buf text = {0};
    char *path = path_join(&arena, r->dir, "config.json");
    ErrCode rc = path ? ERR_OK : err_nomem(err, "a path");

    config_put_json(&text, r->c, false);
    buf_putc(&text, '\n');
    if (rc == ERR_OK) rc = buf_ok(&text, "config.json", err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&text), err);
    buf_clear(&text);
    arena_clear(&arena);
    return rc;
}

static ErrCode run_start(Run *r, const TrainOptions *o, Err *err)
{
    ErrCode rc;

    if ((rc = store_mkdirs(r->dir, err)) != ERR_OK) return rc;
    if ((rc = store_sweep(r->dir, 0, err)) != ERR_OK) return rc;
    if ((rc = run_alloc(r, o->threads, err)) != ERR_OK) return rc;
    if (o->force && (rc = forget_run(r->dir, true, err)) != ERR_OK) return rc;
    if ((rc = resume(r, err)) != ERR_OK) return rc;
    if ((rc = forget_run(r->dir, false, err)) != ERR_OK) return rc;
    if (r->step == 0) model_init(r->model, r->c->seed);
    if ((rc = write_config(r, err)) != ERR_OK) return rc;
    if ((rc = trainlog_open(&r->log, r->dir, r->step, r->c->steps, err)) != ERR_OK) return rc;
    r->last_save = r->last_talk = clock_seconds();
    r->talk_step = r->step;
    r->began = r->last_save - trainlog_seconds(r->log);
    if (r->step > 0) log_info("train: continuing %s at step %" PRIu64 " of %" PRIu64, r->dir, r->step, r->c->steps);
    return ERR_OK;
}

static void run_clear(Run *r)
{
    trainlog_close(r->log);
    model_free(r->model);
    free(r->m);
    free(r->v);
    free(r->samples);
}

/* --- one step */

/* Gradients of the whole batch, micro-batch by micro-batch; *loss: mean nats a token. */
static ErrCode accumulate(Run *r, double *loss, Err *err)
{
    const uint32_t context = r->c->model.context, micro = r->c->micro_batch;
    const float scale = (float)(1.0 / (double)step_tokens(r->c));
    double sum = 0;
    ErrCode rc;

    for (uint32_t done = 0; done < r->c->batch; done += micro) {
        for (uint32_t b = 0; b < micro; b++) {
            const uint64_t s = r->step * r->c->batch + done + b;
            rc = datasource_sample(r->d, s, context, r->samples + (size_t)b * (context + 1), err);
            if (rc != ERR_OK) return rc;
        }
        sum += model_step(r->model, r->samples, micro, scale);
    }
    *loss = sum / (double)step_tokens(r->c);
    return ERR_OK;
}

static ErrCode one_step(Run *r, StepLine *line, Err *err)
{
    const TrainConfig *c = r->c;
    const ModelSpec *spec = &r->model->spec;
    const int threads = r->model->ops.threads;
    const double t = clock_seconds();
    double clip = 1;
    ErrCode rc;

    if ((rc = accumulate(r, &line->loss, err)) != ERR_OK) return rc;
    line->grad_norm = gradient_norm(r->model->grads, spec->n_params, threads);
    if (!isfinite(line->loss) || !isfinite(line->grad_norm))
        return err_set(err, ERR_DATA,
                       "step %" PRIu64 ": loss %g, gradient norm %g: the run has diverged; a lower lr may help",
                       r->step + 1, line->loss, line->grad_norm);
    if (c->clip > 0 && line->grad_norm > c->clip) clip = c->clip / line->grad_norm;
    line->lr = schedule_lr(c->lr, schedule_warmup(c->warmup_steps, c->steps), r->step, c->steps);
    adamw_update(spec, &c->adamw, r->step + 1, line->lr, clip, r->model->params, r->model->grads, r->m, r->v,
                 threads);
    r->step++;
    line->step = r->step;
    line->tokens = r->step * step_tokens(c);
    line->tok_s = (double)step_tokens(c) / (clock_seconds() - t + 1e-9);
    line->seconds = clock_seconds() - r->began;
    return ERR_OK;
}

/* --- between steps */

static ErrCode save(Run *r, Err *err)
{
    const CheckpointInfo info = {.step = r->step,
                                 .samples = r->step * r->c->batch,
                                 .tokens = r->step * step_tokens(r->c),
                                 .data = r->d->content,
                                 .tokenizer_id = r->d->tokenizer_id,
                                 .config = *r->c};
    ErrCode rc;

    if (r->saved_step == r->step) return ERR_OK;
    EventSpan span = event_begin("checkpoint", NULL, 0);
    rc = checkpoint_write(r->dir, &info, &r->model->spec, r->model->params, r->m, r->v, r->c->keep, err);
    event_end(span, 0, 0);
    r->last_save = clock_seconds();
    r->saved_step = r->step;
    return rc;
}

static bool save_is_due(const Run *r)
{
    const TrainConfig *c = r->c;

    return (c->checkpoint_steps && r->step % c->checkpoint_steps == 0) ||
           (c->checkpoint_seconds > 0 && clock_seconds() - r->last_save >= c->checkpoint_seconds);
}

static ErrCode evaluate_now(Run *r, uint64_t max_samples, EvalResult *result, Err *err)
{
    EventSpan span = event_begin("evaluate", NULL, 0);
    ErrCode rc = evaluate(r->model, r->d, max_samples, result, err);
    event_end(span, result->all.tokens, 0);

    if (rc != ERR_OK) return rc;
    rc = trainlog_eval(r->log, r->step, r->step * step_tokens(r->c), result, r->d, err);
    if (rc != ERR_OK) return rc;
    log_info("train: step %" PRIu64 ", held-out loss %.4f, %.4f bits per byte", r->step, eval_loss(&result->all),
             eval_bpb(&result->all));
    return ERR_OK;
}

static void talk(Run *r, const StepLine *line)
{
    const double now = clock_seconds(), took = now - r->last_talk;

    if (took < TALK_SECONDS) return;
    const double rate = (double)(r->step - r->talk_step) / took;
    log_info("train: step %" PRIu64 " of %" PRIu64 ", loss %.4f, lr %.3g, %.0f tokens/s, %.0f s left", r->step,
             r->c->steps, line->loss, line->lr, rate * (double)step_tokens(r->c),
             (double)(r->c->steps - r->step) / rate);
    r->last_talk = now;
    r->talk_step = r->step;
}

/* Between steps; one that a signal or a kill cut short is made when the run continues, as the log lacks it. */
static ErrCode evaluate_if_due(Run *r, Err *err)
{
    EvalResult result;
    ErrCode rc;

    if (!r->c->eval_every || r->step == 0 || r->step % r->c->eval_every || !r->d->n_heldout) return ERR_OK;
    if (trainlog_evaluated(r->log) == r->step) return ERR_OK;
    rc = evaluate_now(r, r->c->eval_samples, &result, err);
    evalresult_clear(&result);
    return rc;
}

static ErrCode run_steps(Run *r, const TrainOptions *o, Err *err)
{
    ErrCode rc;

    while (r->step < r->c->steps) {
        StepLine line;

        rc = evaluate_if_due(r, err);
        if (rc != ERR_OK && rc != ERR_INTR) return rc;
        if (rc == ERR_INTR || interrupt_seen() || (o->stop_after && r->step >= o->stop_after)) {
            if ((rc = save(r, err)) != ERR_OK) return rc;
            return err_set(err, ERR_INTR, "stopped at step %" PRIu64 " of %" PRIu64 "; the same command continues",
                           r->step, r->c->steps);
        }
        if ((rc = one_step(r, &line, err)) != ERR_OK) return rc;
        if ((rc = trainlog_step(r->log, &line, err)) != ERR_OK) return rc;
        talk(r, &line);
        if (save_is_due(r) && (rc = save(r, err)) != ERR_OK) return rc;
    }
    return save(r, err);
}

/* --- the end */

/* JSON has no NaN: a loss whose log line was lost is null. */
static void put_loss(Buf *b, const char *key, double v)
{
    if (isnan(v))
        buf_printf(b, "\"%s\":null,", key);
    else
        buf_printf(b, "\"%s\":%.9g,", key, v);
}

static ErrCode write_result(Run *r, const EvalResult *e, double unigram, Err *err)
{
    Arena arena = {0};
    Buf b = {0};
    char *path = path_join(&arena, r->dir, "result.json");
    ErrCode rc = path ? ERR_OK : err_nomem(err, "a path");

    buf_putc(&b, '{');
    put_loss(&b, "loss_first", trainlog_first_loss(r->log));
    put_loss(&b, "loss_last", trainlog_last_loss(r->log));
    if (e->all.tokens) {
        put_loss(&b, "heldout_loss", eval_loss(&e->all));
        put_loss(&b, "heldout_bpb", eval_bpb(&e->all));
        put_loss(&b, "unigram_entropy", unigram);
    }
    buf_printf(&b,
               "\"steps\":%" PRIu64 ",\"tokens\":%" PRIu64 ",\"heldout_tokens\":%" PRIu64 ",\"parameters\":%" PRIu64
               ",\"seconds\":%.3f}\n",
               r->step, r->step * step_tokens(r->c), e->all.tokens, r->model->spec.n_params,
               clock_seconds() - r->began);
    if (rc == ERR_OK) rc = buf_ok(&b, "result.json", err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    arena_clear(&arena);
    return rc;
}

static ErrCode finish(Run *r, Err *err)
{
    const uint64_t max = r->c->final_eval_samples;
    EvalResult e = {.stream = NULL};
    double unigram = 0;
    ErrCode rc = ERR_OK;

    if (r->d->n_heldout) rc = evaluate_now(r, max, &e, err);
    if (rc == ERR_OK) rc = unigram_entropy(r->d, r->c->model.context, r->step * r->c->batch, max, &unigram, err);
    if (rc == ERR_OK) rc = write_result(r, &e, unigram, err);
    if (rc == ERR_OK)
        log_info("train: done, %" PRIu64
                 " steps, loss %.4f -> %.4f, held out %.4f nats a token (unigram %.4f), %.4f bits per byte",
                 r->step, trainlog_first_loss(r->log), trainlog_last_loss(r->log), eval_loss(&e.all), unigram,
                 eval_bpb(&e.all));
    evalresult_clear(&e);
    return rc;
}

/* Finished before: result.json stands and the last checkpoint is this run's. */
static ErrCode is_finished(const Run *r, bool *finished, Err *err)
{
    Arena arena = {0};
    CheckpointInfo info;
    bool there = false;
    char *path = path_join(&arena, r->dir, "result.json");
    ErrCode rc = path ? store_exists(path, &there, err) : err_nomem(err, "a path");

    *finished = false;
    if (rc == ERR_OK && there && checkpoint_info(r->dir, r->c->steps, &info, NULL) == ERR_OK &&
        (rc = check_same_run(r, &info, err)) == ERR_OK)
        *finished = true;
    arena_clear(&arena);
    return rc;
}

ErrCode train_run(const TrainConfig *c, const DataSource *d, const char *dir, const TrainOptions *o, Err *err)
{
    /* A dataset or tokens, finished or not; a whole run; an exported model, whose config.json would be lost. */
    static const char *const foreign[] = {"manifest.json", "stage.json", "run.json", "model.safetensors", NULL};
    Run r = {.c = c, .d = d, .dir = dir};
    bool finished = false;
    ErrCode rc;

    if ((rc = train_refuse_dir(dir, foreign, err)) != ERR_OK) return rc;
    if (!o->force && (rc = is_finished(&r, &finished, err)) != ERR_OK) return rc;
    if (finished) {
        log_info("train: %s is finished", dir);
        return ERR_OK;
    }
    if ((rc = run_start(&r, o, err)) != ERR_OK) goto out;
    EventSpan span = event_begin("steps", NULL, 0);
    if ((rc = run_steps(&r, o, err)) != ERR_OK) goto out;
    event_end(span, r.step, 0);
    rc = finish(&r, err);
out:
    run_clear(&r);
    return rc;
}
