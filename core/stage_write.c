#include "core/stage_write.h"

#include "core/events.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { POOL_SLOTS = 1 << 14, POOL_SHARED_BYTES = 128 };

static ErrCode open_rejected(PartRun *r, const WriteSpec *spec, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = dataset_part_path(path, spec->rejected_dir, DATASET_WRITTEN, "", r->part, err);

    return rc == ERR_OK ? partwriter_open(&r->rejected, path, err) : rc;
}

static ErrCode begin_view(PartRun *r, const StageJob *job, Err *err)
{
    uint32_t ds, local;
    Buf head = {0};
    ErrCode rc;

    datasetset_locate(job->set, r->part, &ds, &local);
    r->receipt.info.base = ds;
    r->receipt.info.base_part = local;
    r->column = calloc(job->def->n_columns + 1, sizeof *r->column);
    r->pool = calloc(job->def->n_columns + 1, sizeof *r->pool);
    if (!r->column || !r->pool) return err_nomem(err, "the columns of a part");
    sink_put_head(&head, job->def, dataset_part(datasetset_at(job->set, ds), local)->content);
    if ((rc = buf_ok(&head, "a part's head", err)) == ERR_OK) hashstream_add(r->hash, buf_span(&head));
    buf_clear(&head);
    return rc;
}

ErrCode partrun_begin(PartRun *r, const WriteSpec *spec, Err *err)
{
    const StageDef *def = spec->job->def;
    char path[PATH_MAX];
    ErrCode rc;

    r->began = clock_seconds();
    snprintf(r->receipt.info.name, sizeof r->receipt.info.name, "part-%06" PRIu32, r->part);
    r->receipt.key = spec->key;
    if ((rc = hashstream_new(&r->hash, err)) != ERR_OK) return rc;
    if (def->kind == DATASET_WRITTEN) {
        if ((rc = dataset_part_path(path, spec->job->out_dir, def->kind, def->name, r->part, err)) != ERR_OK)
            return rc;
        if ((rc = partwriter_open(&r->writer, path, err)) != ERR_OK) return rc;
    } else if ((rc = begin_view(r, spec->job, err)) != ERR_OK) {
        return rc;
    }
    return spec->rejected_dir ? open_rejected(r, spec, err) : ERR_OK;
}

/* Offset of string s in the column's pool. Deterministic: blocks arrive in order. */
static uint64_t pool_put(StringPool *p, Span s)
{
    uint64_t offset = p->bytes.n, at = 0;
    uint8_t length[4];
    bool shared = s.n <= POOL_SHARED_BYTES;

    if (shared && !p->slot) p->slot = calloc(POOL_SLOTS, sizeof *p->slot);
    if (shared && p->slot) {
        for (at = hash64(s) % POOL_SLOTS; p->slot[at]; at = (at + 1) % POOL_SLOTS) {
            const uint8_t *have = p->bytes.p + p->slot[at] - 1;
            if (span_eq(span(have + 4, le32_get(have)), s)) return p->slot[at] - 1;
        }
    }
    le32_put(length, (uint32_t)s.n);
    buf_put(&p->bytes, length, sizeof length);
    buf_put_span(&p->bytes, s);
    if (shared && p->slot && !p->bytes.oom && p->n < POOL_SLOTS / 2) p->slot[at] = offset + 1, p->n++;
    return offset;
}

static ErrCode add_rows(PartRun *r, const StageDef *def, StageSink *sink, Err *err)
{
    buf_put_span(&r->drop, buf_span(&sink->drop));
    for (uint32_t c = 0; c < def->n_columns; c++) {
        if (def->columns[c].type != COL_STRING) {
            buf_put_span(&r->column[c], buf_span(&sink->column[c]));
        } else {
            for (size_t i = 0; i < sink->column[c].n; i += 8) {
                uint64_t at = le64_get(sink->column[c].p + i);
                uint8_t moved[8];
                if (at != UINT64_MAX)
                    at = pool_put(&r->pool[c], span(sink->pool.p + at + 4, le32_get(sink->pool.p + at)));
                le64_put(moved, at);
                buf_put(&r->column[c], moved, sizeof moved);
            }
            if (r->pool[c].bytes.oom) return err_nomem(err, "a column's strings");
        }
        if (r->column[c].oom) return err_nomem(err, "a column");
    }
    return buf_ok(&r->drop, "a column", err);
}

ErrCode partrun_block(PartRun *r, const WriteSpec *spec, StageSink *sink, Err *err)
{
    const SinkSums *s = &sink->sums;
    double began = clock_seconds(), cpu_began = thread_cpu_seconds();
    ErrCode rc = ERR_OK;

    if (spec->job->def->kind == DATASET_WRITTEN) {
        rc = partwriter_put(r->writer, buf_span(&sink->stored), (const PartFrame *)(const void *)sink->frames.p,
                            sink->frames.n / sizeof(PartFrame), err);
        r->receipt.stored_bytes += sink->stored.n;
    } else {
        rc = add_rows(r, spec->job->def, sink, err);
    }
    if (rc == ERR_OK && r->rejected)
        rc = partwriter_put(r->rejected, buf_span(&sink->rejected_stored),
                            (const PartFrame *)(const void *)sink->rejected_frames.p,
                            sink->rejected_frames.n / sizeof(PartFrame), err);
    if (rc != ERR_OK) return rc;
    hashstream_add(r->hash, buf_span(&sink->lines));
    r->receipt.info.n_in += s->n_in;
    r->receipt.info.n_docs += s->n_docs;
    r->receipt.info.text_bytes += s->text_bytes;
    r->receipt.info.id_sum += s->id_sum;
    r->receipt.info.doc_sum += s->doc_sum;
    r->receipt.dropped_id_sum += s->dropped_id_sum;
    r->receipt.bytes_in += s->bytes_in;
    for (uint32_t i = 0; i < spec->job->def->n_reasons; i++) r->receipt.dropped[i] += s->dropped[i];
    counters_merge(&r->receipt.counters, &sink->counters);
    r->write_s += clock_seconds() - began;
    r->cpu_s += thread_cpu_seconds() - cpu_began;
    return r->receipt.counters.oom ? err_nomem(err, "statistics") : ERR_OK;
}

static ErrCode write_columns(PartRun *r, const WriteSpec *spec, Span receipt, Err *err)
{
    const StageDef *def = spec->job->def;
    ColumnData data[COLS_MAX];
    char path[PATH_MAX];
    ErrCode rc;

    data[0] = (ColumnData){.def = {DROP_COLUMN, COL_U8, 1, 0}, .values = buf_span(&r->drop)};
    for (uint32_t c = 0; c < def->n_columns; c++)
        data[c + 1] = (ColumnData){
            .def = def->columns[c], .values = buf_span(&r->column[c]), .pool = buf_span(&r->pool[c].bytes)};
    if ((rc = dataset_part_path(path, spec->job->out_dir, def->kind, def->name, r->part, err)) != ERR_OK) return rc;
    return columns_write(path, r->drop.n, partview_root_content(r->view), data, def->n_columns + 1, receipt, err);
}

static void log_part(const PartRun *r, const WriteSpec *spec)
{
    const PartInfo *info = &r->receipt.info;

    if (!events_on()) return;
    event_part(&(PartEvent){.stage = spec->job->def->name,
                            .key = spec->key,
                            .part = r->part,
                            .attempt = share_attempt(spec->share, r->part),
                            .n_in = info->n_in,
                            .n_docs = info->n_docs,
                            .reasons = spec->job->def->reasons,
                            .dropped = r->receipt.dropped,
                            .n_reasons = spec->job->def->n_reasons,
                            .bytes_in = r->receipt.bytes_in,
                            .bytes_out = r->receipt.stored_bytes,
                            .text_bytes = info->text_bytes,
                            .wall_s = r->receipt.wall_s,
                            .cpu_s = r->receipt.cpu_s,
                            .read_s = r->read_s,
                            .write_s = r->write_s});
}

/* Blocks account for what they were given; this asks whether they were given all that the input's part has. */
static ErrCode check_input(const PartRun *r, const WriteSpec *spec, Err *err)
{
    const PartInfo *out = &r->receipt.info;
    uint32_t ds, local;

    if (!spec->job->set) return ERR_OK;
    datasetset_locate(spec->job->set, r->part, &ds, &local);
    const Dataset *in = datasetset_at(spec->job->set, ds);
    const PartInfo *want = dataset_part(in, local);
    if (out->n_in == want->n_docs && out->id_sum + r->receipt.dropped_id_sum == want->id_sum) return ERR_OK;
    return err_set(err, ERR_DATA,
                   "%s: part %" PRIu32 " shows %" PRIu64 " documents, its manifest says %" PRIu64
                   ", or their ids differ",
                   dataset_dir(in), local, out->n_in, want->n_docs);
}

static double raw_work(const StageSource *source, uint32_t part)
{
    return (double)source->part_bytes(source->ctx, part) + 1;
}

/* How many documents the job may still bring beyond those of this process, at most. Datasets know how many they hold. Of raw input
 * bytes are known: documents are taken to lie at most TALLY_DENSER times as dense in the rest. *known false: nobody can say. */
static double docs_to_come(const StageJob *job, StageTally *t, bool *known)
{
    enum { TALLY_PARTS = 8, TALLY_DENSER = 4 };
    const double n_in = (double)t->sum.info.n_in;

    *known = job->set || (t->n_parts >= TALLY_PARTS && n_in > 0);
    if (!*known) return 0;
    if (job->set) return (double)datasetset_n_docs(job->set) - n_in;
    if (t->all_work == 0)
        for (uint32_t i = 0; i < job->source->n_parts; i++) t->all_work += raw_work(job->source, i);
    return TALLY_DENSER * n_in / t->work * (t->all_work - t->work);
}

static ErrCode add_to_tally(StageTally *t, const PartRun *r, const StageJob *job, Err *err)
{
    t->n_parts++;
    if (!job->set) t->work += raw_work(job->source, r->part);
    t->sum.info.n_in += r->receipt.info.n_in;
    for (uint32_t i = 0; i < job->def->n_reasons; i++) t->sum.dropped[i] += r->receipt.dropped[i];
    counters_merge(&t->sum.counters, &r->receipt.counters);
    return t->sum.counters.oom ? err_nomem(err, "statistics") : ERR_OK;
}

ErrCode partrun_judge(const PartRun *r, const WriteSpec *spec, Err *err)
{
    const StageJob *job = spec->job;
    const AlarmBands *bands = &job->common->alarm;
    const AlarmBand *left = NULL;
    StageTally *t = spec->tally;
    bool known;
    ErrCode rc;

    if (bands->n == 0) return ERR_OK;
    if ((rc = add_to_tally(t, r, job, err)) != ERR_OK) return rc;
    const double to_come = docs_to_come(job, t, &known);
    const AlarmCounts counts = {.n_in = t->sum.info.n_in,
                                .reasons = job->def->reasons,
                                .dropped = t->sum.dropped,
                                .n_reasons = job->def->n_reasons,
                                .counters = &t->sum.counters,
                                .n_to_come = to_come};
    if (known) rc = alarm_judge(bands, job->out_dir, &counts, &left, err);
    if (rc == ERR_NO && alarm_fire(job->out_dir, left, NULL) != ERR_OK)
        log_debug("%s: the other processes are not told of the alarm", job->out_dir);
    return rc == ERR_OK ? alarm_fired(job->out_dir, bands, err) : rc;
}

ErrCode partrun_end(PartRun *r, const WriteSpec *spec, Err *err)
{
    const StageDef *def = spec->job->def;
    Buf receipt = {0};
    ErrCode rc = check_input(r, spec, err);

    if (rc != ERR_OK) return rc;
    r->receipt.info.content = hashstream_digest(r->hash);
    r->receipt.wall_s = clock_seconds() - r->began;
    r->receipt.cpu_s = r->cpu_s;
    receipt_put_json(&receipt, &r->receipt, def->reasons, def->n_reasons);
    if ((rc = buf_ok(&receipt, "a receipt", err)) != ERR_OK) goto out;
    if (r->rejected && (rc = partwriter_commit(&r->rejected, SPAN_LIT("{}"), err)) != ERR_OK) goto out;
    if (def->kind == DATASET_WRITTEN)
        rc = partwriter_commit(&r->writer, buf_span(&receipt), err);
    else
        rc = write_columns(r, spec, buf_span(&receipt), err);
    if (rc == ERR_OK) log_part(r, spec);
out:
    buf_clear(&receipt);
    return rc;
}

void partrun_clear(PartRun *r, const StageDef *def)
{
    partwriter_abandon(r->writer);
    partwriter_abandon(r->rejected);
    hashstream_free(r->hash);
    receipt_clear(&r->receipt);
    buf_clear(&r->drop);
    for (uint32_t c = 0; c < def->n_columns; c++) {
        if (r->column) buf_clear(&r->column[c]);
        if (r->pool) buf_clear(&r->pool[c].bytes), free(r->pool[c].slot);
    }
    free(r->column);
    free(r->pool);
    partview_close(r->view);
    r->writer = r->rejected = NULL;
    r->view = NULL;
}
