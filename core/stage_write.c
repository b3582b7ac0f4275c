#include "core/stage_write.h"

#include "core/events.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* An eighth of the memory is for the columns of the part that is written: half is for blocks, the rest for what stage.h says. Less than
 * the least would only write in small pieces. */
enum { COLUMNS_SHARE = 8, COLUMNS_LEAST = 1 << 20 };

static ErrCode open_rejected(PartRun *r, const WriteSpec *spec, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = dataset_part_path(path, spec->rejected_dir, DATASET_WRITTEN, "", r->part, err);

    return rc == ERR_OK ? partwriter_open(&r->rejected, path, err) : rc;
}

static ErrCode open_columns(PartRun *r, const WriteSpec *spec, Err *err)
{
    const StageDef *def = spec->job->def;
    const StageBeside *beside = spec->job->beside;
    const char *scratch = spec->job->common->scratch;
    const uint64_t memory = spec->memory / COLUMNS_SHARE;
    const ColumnDef *own = beside ? beside->columns : def->columns;
    const uint32_t n_own = beside ? beside->n_columns : def->n_columns;
    ColumnDef all[COLS_MAX];
    uint32_t n = 0;

    if (!beside) all[n++] = (ColumnDef){DROP_COLUMN, COL_U8, 1, 0};
    for (uint32_t c = 0; c < n_own; c++) all[n++] = own[c];
    return columnswriter_new(&r->columns, all, n, memory > COLUMNS_LEAST ? memory : COLUMNS_LEAST,
                             scratch ? scratch : spec->job->out_dir, err);
}

static ErrCode begin_view(PartRun *r, const WriteSpec *spec, Err *err)
{
    const StageJob *job = spec->job;
    uint32_t ds, local;
    Buf head = {0};
    ErrCode rc;

    datasetset_locate(job->set, r->part, &ds, &local);
    r->receipt.info.base = ds;
    r->receipt.info.base_part = local;
    if ((rc = open_columns(r, spec, err)) != ERR_OK) return rc;
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
        if (spec->job->beside && (rc = open_columns(r, spec, err)) != ERR_OK) return rc;
    } else if ((rc = begin_view(r, spec, err)) != ERR_OK) {
        return rc;
    }
    return spec->rejected_dir ? open_rejected(r, spec, err) : ERR_OK;
}

static ErrCode add_rows(PartRun *r, StageSink *sink, Err *err)
{
    const uint32_t first = sink->def->kind == DATASET_VIEW; /* behind `drop` */
    ErrCode rc = first ? columnswriter_values(r->columns, 0, buf_span(&sink->drop), err) : ERR_OK;

    r->n_rows += sink->n_rows;
    for (uint32_t c = 0; c < sink->n_columns && rc == ERR_OK; c++) {
        const Span values = buf_span(&sink->column[c]);
        if (sink->columns[c].type != COL_STRING) {
            rc = columnswriter_values(r->columns, first + c, values, err);
            continue;
        }
        for (size_t i = 0; i < values.n && rc == ERR_OK; i += 8) {
            const uint64_t at = le64_get(values.p + i);
            Span string = {NULL, 0};
            if (at != UINT64_MAX) string = span(sink->pool.p + at + 4, le32_get(sink->pool.p + at));
            rc = columnswriter_string(r->columns, first + c, string, err);
        }
    }
    return rc;
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
    }
    if (rc == ERR_OK && r->columns) rc = add_rows(r, sink, err);
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

static ErrCode write_columns(PartRun *r, const WriteSpec *spec, const char *name, Hash128 root, Span receipt,
                             Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = dataset_part_path(path, spec->job->out_dir, DATASET_VIEW, name, r->part, err);

    return rc ? rc : columnswriter_commit(r->columns, path, r->n_rows, root, receipt, err);
}

/* What lies beside the part first: where the part is, it is. */
static ErrCode write_part(PartRun *r, const WriteSpec *spec, Span receipt, Err *err)
{
    const StageBeside *beside = spec->job->beside;
    ErrCode rc = ERR_OK;

    if (beside) rc = write_columns(r, spec, beside->name, r->receipt.info.content, beside->receipt, err);
    return rc ? rc : partwriter_commit(&r->writer, receipt, err);
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
        rc = write_part(r, spec, buf_span(&receipt), err);
    else
        rc = write_columns(r, spec, def->name, partview_root_content(r->view), buf_span(&receipt), err);
    if (rc == ERR_OK) log_part(r, spec);
out:
    buf_clear(&receipt);
    return rc;
}

void partrun_clear(PartRun *r)
{
    partwriter_abandon(r->writer);
    partwriter_abandon(r->rejected);
    hashstream_free(r->hash);
    receipt_clear(&r->receipt);
    columnswriter_free(r->columns);
    partview_close(r->view);
    r->writer = r->rejected = NULL;
    r->view = NULL;
}
