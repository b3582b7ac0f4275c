#include "core/stage_pipe.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>

/* Blocks go round a ring of slots: free -> read -> mapped -> free. Every thread of the team takes whatever step is open,
 * the latest first: write the oldest slot if it is mapped (one thread at a time, in ring order), map the oldest slot that
 * was read, read into the next free slot (one thread at a time). One mutex guards the ring's state, never the work. */

typedef enum { SLOT_FREE, SLOT_READ, SLOT_MAPPING, SLOT_MAPPED } SlotState;
typedef enum { SLOT_BLOCK, SLOT_PART_END, SLOT_STOP } SlotKind;

typedef struct {
    SlotState state;
    SlotKind kind;
    PartRun *run;
    StageBlock block;    /* raw input */
    uint32_t view_block; /* dataset input */
    StageSink sink;
    uint64_t charged; /* what of Pipe.held is this slot's */
    double read_s, cpu_s;
    ErrCode rc;
    Err err;
    bool damage; /* rc is the input's fault, so the part's alone */
} Slot;

typedef struct {
    void *user, *beside; /* worker_new's, the stage's and that of what is written beside it */
    bool made;
    uint32_t rows_end; /* of the block at hand: records before it were brought up by StageJudge.rows() */
    BlockReader *reader;
    PartCoder *coder;
} Worker;

typedef struct {
    const WriteSpec *spec;
    PartRun *source; /* the part blocks are read from; NULL between parts */
    PartRun *open;   /* all runs not cleared yet */
    Slot *slot;
    int n_slots;
    pthread_mutex_t lock; /* of what follows, of every slot's state, and of the list of runs */
    pthread_cond_t changed;
    uint64_t n_read, n_mapping, n_written; /* slots that entered each step; slot i % n_slots is the i-th */
    bool reading, writing;                 /* some thread is at it */
    bool all_read;
    uint64_t held, budget; /* bytes of all slots' buffers, and beyond which no further block is read */
    Worker *worker;
    int n_workers;
    Progress *progress;
    ErrCode rc; /* first failure in block order; set by the writer only */
    Err err;
    bool stop; /* under the lock: a block has failed, further work is pointless */
} Pipe;

static bool stopping(Pipe *p)
{
    pthread_mutex_lock(&p->lock);
    bool s = p->stop;
    pthread_mutex_unlock(&p->lock);
    return s;
}

/* --- read */

/* From here to the end of the step, what this thread does is the work of this part: a crash is counted against it. */
static void blame(Pipe *p, const PartRun *r)
{
    lease_blame(share_leases(p->spec->share), r ? r->part : LEASE_NO_PART);
}

/* What reading or mapping says of bytes that are not as they should be. */
static bool is_damage(ErrCode rc) { return rc == ERR_DATA || rc == ERR_LIMIT; }

/* *got false: no part is left. */
static ErrCode open_part(Pipe *p, bool *got, Err *err)
{
    PartRun *r = calloc(1, sizeof *r);
    ErrCode rc;

    if (!r) return err_nomem(err, "a part");
    if ((rc = share_next(p->spec->share, &r->part, got, err)) != ERR_OK || !*got) {
        free(r);
        return rc;
    }
    blame(p, r);
    pthread_mutex_lock(&p->lock);
    r->older = p->open;
    if (p->open) p->open->newer = r;
    p->open = r;
    pthread_mutex_unlock(&p->lock);
    p->source = r;
    return partrun_begin(r, p->spec, err);
}

static ErrCode open_input(Pipe *p, PartRun *r, Err *err)
{
    const StageJob *job = p->spec->job;

    r->stamp = stage_input_stamp(job, r->part);
    if (job->set) {
        ErrCode rc = partview_open(&r->view, job->set, r->part, err);
        return rc || !job->judge ? rc : job->judge->open(job->ctx, r->view, r->part, &r->said, err);
    }
    if (job->source->ahead) {
        size_t n;
        const uint32_t *parts = share_ahead(p->spec->share, &n);
        job->source->ahead(job->source->ctx, parts, n);
    }
    return job->source->open(job->source->ctx, r->part, &r->cursor, err);
}

static void close_cursor(const StageJob *job, PartRun *r)
{
    if (r->cursor) job->source->close(r->cursor);
    r->cursor = NULL;
}

static void close_said(const StageJob *job, PartRun *r)
{
    if (r->said) job->judge->close(r->said);
    r->said = NULL;
}

/* The next block of the part, *end when there is none. */
static ErrCode read_block(Pipe *p, PartRun *r, Slot *s, bool *end)
{
    const StageJob *job = p->spec->job;
    ErrCode rc = r->next_block ? ERR_OK : open_input(p, r, &s->err);

    if (rc != ERR_OK) return rc;
    if (job->set) {
        s->view_block = r->next_block;
        *end = r->next_block == partview_n_blocks(r->view);
    } else {
        buf_recycle(&s->block.bytes);
        buf_recycle(&s->block.items);
        s->block.part = r->part;
        s->block.index = r->next_block;
        rc = job->source->next(r->cursor, &s->block, end, &s->err);
    }
    r->next_block++;
    return rc;
}

/* Fills the slot with the next block, the end of a part, or the end of all. */
static void read_slot(Pipe *p, Slot *s)
{
    bool end = false, got;

    s->rc = ERR_OK;
    s->damage = false;
    s->kind = SLOT_STOP;
    s->run = NULL;
    if (interrupt_seen()) {
        s->rc = err_set(&s->err, ERR_INTR, "interrupted; a rerun continues after the finished parts");
        return;
    }
    if (!p->source) {
        if (stopping(p) || (s->rc = open_part(p, &got, &s->err)) != ERR_OK || !got) return;
    }
    PartRun *r = p->source;
    s->run = r;
    blame(p, r);
    r->given_up = atomic_load(&r->damaged) || (r->next_block && share_lost(p->spec->share, r->part));
    if (!r->given_up) s->rc = read_block(p, r, s, &end);
    s->damage = is_damage(s->rc);
    if (s->rc != ERR_OK && !s->damage) return;
    s->kind = end || r->given_up || s->damage ? SLOT_PART_END : SLOT_BLOCK;
    if (s->kind == SLOT_PART_END) {
        close_cursor(p->spec->job, r);
        p->source = NULL;
    }
}

/* --- map */

static ErrCode start_worker(Worker *w, const StageJob *job, Err *err)
{
    ErrCode rc;

    w->made = true;
    if ((rc = partcoder_new(&w->coder, job->level ? job->level : 3, err)) != ERR_OK) return rc;
    if (job->set && (rc = blockreader_new(&w->reader, err)) != ERR_OK) return rc;
    if (job->def->worker_new && (rc = job->def->worker_new(job->ctx, &w->user, err)) != ERR_OK) return rc;
    const StageBeside *beside = job->beside;
    return beside && beside->worker_new ? beside->worker_new(beside->ctx, &w->beside, err) : ERR_OK;
}

/* What is said of the block's records from this one on, unless it is at hand. */
static ErrCode bring_rows(const Slot *s, const StageJob *job, Worker *w, uint32_t record, uint32_t end, Err *err)
{
    const uint32_t n = end - record < STAGE_ROWS ? end - record : STAGE_ROWS;

    if (!s->run->said || record < w->rows_end) return ERR_OK;
    w->rows_end = record + n;
    return job->judge->rows(job->ctx, w->user, s->run->said, record, n, err);
}

/* No text is read. *crowded: a document may have more signals than anybody reads; then the block's texts say. */
static ErrCode judge_records(Slot *s, const StageJob *job, Worker *w, uint32_t first, uint32_t n, bool *crowded,
                             Err *err)
{
    PartView *v = s->run->view;
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < n && rc == ERR_OK; i++) {
        StageRow row = {.id_hash = 0};
        if (!partview_shows(v, first + i)) continue;
        if ((rc = bring_rows(s, job, w, first + i, first + n, err)) != ERR_OK) return rc;
        sink_row(&s->sink, i);
        rc = job->judge->row(job->ctx, w->user, s->run->said, v, first + i, &row, &s->sink, err);
        if (rc) return rc;
        *crowded = sink_is_crowded(&s->sink, row.n_signals + partview_n_signals(v));
        if (*crowded) return ERR_OK;
        sink_in_row(&s->sink, &row);
        rc = sink_judged_row(&s->sink, row, err);
    }
    return rc;
}

static ErrCode read_records(Slot *s, const StageJob *job, Worker *w, uint32_t first, uint32_t n, Err *err)
{
    const bool view = job->def->kind == DATASET_VIEW;
    PartView *v = s->run->view;
    uint32_t record;
    Doc doc;
    bool end;
    ErrCode rc;

    if ((rc = blockreader_open(w->reader, v, s->view_block, err)) != ERR_OK) return rc;
    for (;;) {
        if ((rc = blockreader_next(w->reader, &doc, &record, &end, err)) != ERR_OK || end) return rc;
        if ((rc = bring_rows(s, job, w, record, first + n, err)) != ERR_OK) return rc;
        sink_in(&s->sink, doc.id, doc.text.n);
        if (view) sink_row(&s->sink, record - first);
        if ((rc = job->map(job->ctx, w->user, &doc, partview_docid(v, record), &s->sink, err)) != ERR_OK) return rc;
        if (view && (rc = sink_judged(&s->sink, &doc, err)) != ERR_OK) return rc;
    }
}

static ErrCode map_documents(Slot *s, const StageJob *job, Worker *w, Err *err)
{
    const PartView *v = s->run->view;
    const uint32_t first = partview_first_record(v, s->view_block),
                   n = partview_first_record(v, s->view_block + 1) - first,
                   rows = job->def->kind == DATASET_VIEW ? n : 0;
    bool crowded = true;
    ErrCode rc = sink_begin(&s->sink, first, rows, err);

    w->rows_end = 0;
    if (rc == ERR_OK && s->run->said && !s->sink.want_rejected) {
        rc = judge_records(s, job, w, first, n, &crowded, err);
        if (rc || !crowded) return rc;
        rc = sink_begin(&s->sink, first, rows, err);
        w->rows_end = 0;
    }
    return rc ? rc : read_records(s, job, w, first, n, err);
}

static ErrCode compress(Slot *s, const StageJob *job, Worker *w, Err *err)
{
    ErrCode rc = ERR_OK;

    if (job->def->kind == DATASET_WRITTEN)
        rc = partcoder_frames(w->coder, buf_span(&s->sink.lines), &s->sink.stored, &s->sink.frames, err);
    if (rc == ERR_OK && s->sink.want_rejected)
        rc = partcoder_frames(w->coder, buf_span(&s->sink.rejected), &s->sink.rejected_stored,
                              &s->sink.rejected_frames, err);
    return rc;
}

static void map_slot(Pipe *p, Slot *s)
{
    const StageJob *job = p->spec->job;
    Worker *w = &p->worker[omp_get_thread_num()];

    if (s->rc != ERR_OK || s->kind != SLOT_BLOCK || stopping(p) || atomic_load(&s->run->damaged)) return;
    blame(p, s->run);
    if (!w->made) s->rc = start_worker(w, job, &s->err);
    if (s->rc != ERR_OK) return;
    s->sink.beside_worker = w->beside;
    if (job->set) {
        s->rc = map_documents(s, job, w, &s->err);
    } else {
        s->rc = sink_begin(&s->sink, 0, 0, &s->err);
        if (s->rc == ERR_OK) s->rc = job->source->map(job->source->ctx, w->user, &s->block, &s->sink, &s->err);
    }
    if (s->rc == ERR_OK) s->rc = sink_finish(&s->sink, &s->err);
    if (s->rc == ERR_OK) s->rc = compress(s, job, w, &s->err);
    s->damage = is_damage(s->rc);
}

/* --- write */

static void forget_run(Pipe *p, PartRun *r, bool done)
{
    share_leave(p->spec->share, r->part, done, clock_seconds() - r->began);
    pthread_mutex_lock(&p->lock);
    if (r->newer)
        r->newer->older = r->older;
    else
        p->open = r->older;
    if (r->older) r->older->newer = r->newer;
    pthread_mutex_unlock(&p->lock);
    close_said(p->spec->job, r);
    partrun_clear(r);
    free(r);
}

static ErrCode write_block(Pipe *p, Slot *s)
{
    ErrCode rc = partrun_block(s->run, p->spec, &s->sink, &s->err);

    s->damage = is_damage(rc);
    leases_count(share_leases(p->spec->share), s->sink.sums.n_in, s->sink.sums.bytes_in);
    progress_add(p->progress, s->sink.sums.n_in, s->sink.sums.bytes_in);
    progress_tick(p->progress);
    return rc;
}

/* *done: published. */
static ErrCode end_part(Pipe *p, Slot *s, bool *done)
{
    ErrCode rc = partrun_end(s->run, p->spec, &s->err);

    *done = rc == ERR_OK;
    s->damage = is_damage(rc);
    return *done ? partrun_judge(s->run, p->spec, &s->err) : rc;
}

/* The lowest block that fails comes first here, whichever thread met it when: the message does not depend on them. */
static ErrCode leave_damaged(Pipe *p, Slot *s)
{
    Err why = s->err;

    atomic_store(&s->run->damaged, true);
    return share_damaged(p->spec->share, s->run->part, s->run->stamp, &why, &s->err);
}

static void write_slot(Pipe *p, Slot *s)
{
    bool done = false;

    if (p->rc != ERR_OK) return;
    if (s->run) s->run->read_s += s->read_s, s->run->cpu_s += s->cpu_s;
    blame(p, s->run);
    if (s->run && atomic_load(&s->run->damaged))
        s->rc = s->kind == SLOT_STOP ? s->rc : ERR_OK; /* what else its blocks would say is told already */
    else if (s->rc == ERR_OK && s->kind == SLOT_BLOCK)
        s->rc = write_block(p, s);
    else if (s->rc == ERR_OK && s->kind == SLOT_PART_END && !s->run->given_up)
        s->rc = end_part(p, s, &done);
    if (s->rc != ERR_OK && s->damage) s->rc = leave_damaged(p, s);
    if (s->kind == SLOT_PART_END && (s->rc == ERR_OK || done)) forget_run(p, s->run, done);
    if (s->rc != ERR_OK) {
        p->rc = s->rc;
        p->err = s->err;
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_mutex_unlock(&p->lock);
    }
}

/* --- the ring */

/* What a block that was read will yield once mapped, at most: its lines, and unless they go to columns these compressed (the bound of which
 * is their size). */
static uint64_t expected_bytes(const Pipe *p, const Slot *s)
{
    const uint64_t copies = p->spec->job->def->kind == DATASET_VIEW ? 1 : 2;

    if (s->rc != ERR_OK || s->kind != SLOT_BLOCK) return 0;
    return copies * (s->run->view ? partview_block_bytes(s->run->view, s->view_block) : (uint64_t)s->block.bytes.n);
}

static uint64_t held_bytes(Slot *s, uint64_t expected)
{
    uint64_t yield = sink_held_bytes(&s->sink);

    return s->block.bytes.cap + s->block.items.cap + (yield > expected ? yield : expected);
}

static void charge(Pipe *p, Slot *s, uint64_t bytes)
{
    p->held += bytes - s->charged;
    s->charged = bytes;
}

static void give_back(Slot *s)
{
    sink_give_back(&s->sink);
    buf_clear(&s->block.bytes);
    buf_clear(&s->block.items);
}

static Slot *slot_at(Pipe *p, uint64_t i) { return &p->slot[i % (uint64_t)p->n_slots]; }

/* Each returns false when its step is not open now; the lock is held at entry and exit, not during the work. */
static bool try_write(Pipe *p)
{
    Slot *s = slot_at(p, p->n_written);

    if (p->writing || p->n_written == p->n_read || s->state != SLOT_MAPPED) return false;
    p->writing = true;
    pthread_mutex_unlock(&p->lock);
    write_slot(p, s);
    blame(p, NULL);
    pthread_mutex_lock(&p->lock);
    if (p->held > p->budget) give_back(s); /* else the next block reuses the memory */
    charge(p, s, held_bytes(s, 0));
    s->state = SLOT_FREE;
    p->n_written++;
    p->writing = false;
    return true;
}

static bool try_map(Pipe *p)
{
    if (p->n_mapping == p->n_read) return false;
    Slot *s = slot_at(p, p->n_mapping++);
    s->state = SLOT_MAPPING;
    pthread_mutex_unlock(&p->lock);
    double cpu = thread_cpu_seconds();
    map_slot(p, s);
    s->cpu_s += thread_cpu_seconds() - cpu;
    blame(p, NULL);
    pthread_mutex_lock(&p->lock);
    charge(p, s, held_bytes(s, 0));
    s->state = SLOT_MAPPED;
    return true;
}

static bool try_read(Pipe *p)
{
    Slot *s = slot_at(p, p->n_read);

    if (p->reading || p->all_read || s->state != SLOT_FREE) return false;
    if (p->held > p->budget && p->n_read != p->n_written) return false;
    p->reading = true;
    pthread_mutex_unlock(&p->lock);
    double began = clock_seconds(), cpu = thread_cpu_seconds();
    read_slot(p, s);
    s->read_s = clock_seconds() - began;
    s->cpu_s = thread_cpu_seconds() - cpu;
    uint64_t expected = expected_bytes(p, s);
    blame(p, NULL);
    pthread_mutex_lock(&p->lock);
    charge(p, s, held_bytes(s, expected));
    s->state = SLOT_READ;
    p->all_read = s->kind == SLOT_STOP;
    p->n_read++;
    p->reading = false;
    return true;
}

static void work(Pipe *p)
{
    pthread_mutex_lock(&p->lock);
    while (!(p->all_read && p->n_written == p->n_read)) {
        if (try_write(p) || try_map(p) || try_read(p))
            pthread_cond_broadcast(&p->changed);
        else
            pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

/* --- all */

static ErrCode pipe_init(Pipe *p, int threads, Err *err)
{
    ErrCode rc;

    p->n_slots = 2 * threads + 2; /* enough that neither reader nor writer starves the mappers */
    p->n_workers = threads;
    p->slot = calloc((size_t)p->n_slots, sizeof *p->slot);
    p->worker = calloc((size_t)threads, sizeof *p->worker);
    if (!p->slot || !p->worker) return err_nomem(err, "a pipeline");
    for (int i = 0; i < p->n_slots; i++)
        if ((rc = sink_init(&p->slot[i].sink, p->spec->job, err)) != ERR_OK) return rc;
    return ERR_OK;
}

static void pipe_clear(Pipe *p)
{
    const StageDef *def = p->spec->job->def;

    while (p->open) {
        close_cursor(p->spec->job, p->open);
        forget_run(p, p->open, false);
    }
    for (int i = 0; p->slot && i < p->n_slots; i++) {
        if (p->slot[i].sink.def) sink_clear(&p->slot[i].sink);
        buf_clear(&p->slot[i].block.bytes);
        buf_clear(&p->slot[i].block.items);
    }
    for (int i = 0; p->worker && i < p->n_workers; i++) {
        Worker *w = &p->worker[i];
        blockreader_free(w->reader);
        partcoder_free(w->coder);
        if (w->user && def->worker_free) def->worker_free(w->user);
        if (w->beside && p->spec->job->beside->worker_free) p->spec->job->beside->worker_free(w->beside);
    }
    free(p->slot);
    free(p->worker);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}

ErrCode stage_pipe(const WriteSpec *spec, int threads, Progress *progress, Err *err)
{
    Pipe pipe = {.spec = spec, .progress = progress, .budget = spec->memory / 2};
    Pipe *p = &pipe;
    ErrCode rc;

    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    rc = pipe_init(p, threads, err);
    if (rc == ERR_OK) {
#pragma omp parallel num_threads(threads) default(none) shared(p)
        work(p);
        rc = p->rc;
        if (rc != ERR_OK && err) *err = p->err;
    }
    pipe_clear(p);
    return rc;
}
