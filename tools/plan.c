/* The model: what each stage reads, computes, exchanges and writes. */
#include "tools/plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const plan_resource_names[PLAN_RESOURCES] = {"cpu", "scratch disk", "network", "shared storage"};

/* Records of dedup's steps between nodes, 16 bytes of key in each; what a step leaves of a pair; what is held of a document. */
enum {
    EXACT_RECORD = 26,
    VERDICT_RECORD = 29,
    VERDICT = 21,
    DOC_RECORD = 24,
    EDGE_RECORD = 16,
    VERIFY_HEAD = 26,
    SHINGLE_RECORD = 26,
    PAIR = 16,
    STATE = 1,
    LABEL = 8
};
enum { TOKEN_RECORD_HEAD = 104, EXCHANGED_TOKEN = 3, PART_FILES = 6 };
/* Of core/dataset.h and the identifiers of documents (docs/formats.md). */
static const double max_bases = 1024, max_datasets = 1 << 14, max_parts = 1 << 22, max_records = 1 << 28;
/* What this version sends where the design has 16 bytes: the engine's keys are of 16, a number of 8 follows. */
static const double sent_band_record = 24;
static const double part_text = 1 << 30, memory_share = 0.75;
static const double frame_text = 4 << 20; /* core/part.h */
static const double shingle_text = 5;     /* bytes of text a word, or Chinese character */

static double at_least(double a, double b) { return a > b ? a : b; }
static double at_most(double a, double b) { return a < b ? a : b; }

/* --- the flow */

static PlanFlow flow_of(const double *v)
{
    PlanFlow f = {.pages = v[PLAN_DUMPS] * v[PLAN_PAGES]};
    const double files = v[PLAN_DUMPS] * v[PLAN_FILES];

    f.archives = files * v[PLAN_FILE_MB] * 1e6;
    f.unpacked = f.archives * v[PLAN_UNPACKED];
    f.docs = f.pages * v[PLAN_INGEST_KEEP];
    f.text = f.docs * v[PLAN_INGEST_TEXT];
    f.stored = f.text * v[PLAN_INGEST_STORED];
    f.unique_docs = f.docs * (1 - v[PLAN_DEDUP_DROP]);
    f.unique_text = f.text * (1 - v[PLAN_DEDUP_DROP]);
    f.clean_docs = f.unique_docs * v[PLAN_FILTER_KEEP];
    f.clean_text = f.unique_text * v[PLAN_FILTER_KEEP];
    f.tokens = f.clean_text / v[PLAN_TOKEN_TEXT] + f.clean_docs; /* one ends each document */
    f.inputs_per_part = v[PLAN_INPUTS_PER_PART];
    if (f.inputs_per_part == 0)
        f.inputs_per_part = at_most(at_least(floor(part_text / at_least(f.text / files, 1)), 1), v[PLAN_FILES]);
    f.parts = v[PLAN_DUMPS] * ceil(v[PLAN_FILES] / f.inputs_per_part);
    f.files = PART_FILES * f.parts; /* docs, sign, clusters, unique, clean, mixed */
    return f;
}

/* --- what stages have in common */

/* Seconds of a core for n things and `bytes`, some of which are only passed over (decompressed, not looked at). */
static double cost(double n, double us, double bytes, double mb_s) { return n * us * 1e-6 + bytes / (mb_s * 1e6); }

/* A map stage holds a block or two a thread. */
static void map_memory(const double *v, PlanStage *s) { s->beside = v[PLAN_CORES] * v[PLAN_WORKER_MB] * 1e6; }

/* A view's stage reads all stored text, of which the views below show `shown`. */
static void map_view(const double *v, const PlanFlow *f, PlanStage *s, double shown, double mb_s)
{
    s->core_s = cost(0, 0, shown, mb_s) + cost(0, 0, f->text - shown, v[PLAN_READ_MB_S]);
    s->read = f->stored;
    map_memory(v, s);
}

/* `passes` exchanges of so many records, one after the other: what memory does not hold of a pass, beside s->beside, goes to
 * scratch and comes back. */
static void exchange(const double *v, PlanStage *s, double passes, double records, double record_bytes)
{
    const double pass = records * record_bytes / s->nodes; /* bytes a node */
    const double room = at_least(v[PLAN_MEMORY_GB] * 1e9 * memory_share - s->beside, 0);

    s->core_s += passes * (records / v[PLAN_RECORDS_S] + s->nodes * v[PLAN_STEP_S]);
    s->exchanged += passes * records * record_bytes * (s->nodes - 1) / s->nodes;
    s->memory = at_least(s->memory, s->beside + at_most(pass, room));
    s->whole = at_least(s->whole, s->beside + pass);
    if (pass <= room) return;
    s->scratch = at_least(s->scratch, pass);
    s->scratch_io += 2 * passes * pass;
}

/* --- the stages */

static void ingest(const double *v, const PlanFlow *f, PlanStage *s)
{
    s->core_s = cost(f->pages, v[PLAN_INGEST_PAGE_US], f->unpacked, v[PLAN_INGEST_MB_S]);
    s->read = f->archives;
    s->stored = f->stored;
    map_memory(v, s);
}

static void sign(const double *v, const PlanFlow *f, PlanStage *s)
{
    map_view(v, f, s, f->text, v[PLAN_SIGN_MB_S]);
    s->stored = f->docs * (8 * v[PLAN_SIGN_BANDS] + v[PLAN_SIGN_SKETCH] + v[PLAN_SIGN_BESIDE]);
}

/* Documents of one text key meet; the duplicates are brought back into order. */
static void exact(const double *v, const PlanFlow *f, PlanStage *s)
{
    const double duplicates = f->docs * v[PLAN_DEDUP_EXACT];

    s->beside = f->docs * STATE / s->nodes;
    s->read = f->docs * 28; /* columns exact, bytes, dump */
    exchange(v, s, 1, f->docs, EXACT_RECORD);
    exchange(v, s, 1, duplicates, VERDICT_RECORD);
    s->passing = 2 * duplicates * VERDICT;
}

static double near_share(const double *v) { return at_least(v[PLAN_DEDUP_DROP] - v[PLAN_DEDUP_EXACT], 0); }
/* A near duplicate meets others in every band, at the most. */
static double edges_of(const double *v, const PlanFlow *f) { return f->docs * near_share(v) * v[PLAN_SIGN_BANDS]; }
/* Members of components: at most a kept one for each that is dropped. */
static double members_of(const double *v, const PlanFlow *f) { return f->docs * at_most(2 * near_share(v), 1); }

/* A pass a band, whose column is read once; pairs that met are kept until the components are known. */
static void bands(const double *v, const PlanFlow *f, PlanStage *s)
{
    s->beside = f->docs * STATE / s->nodes;
    s->read = f->docs * 8 * v[PLAN_SIGN_BANDS];
    exchange(v, s, v[PLAN_SIGN_BANDS], f->docs * (1 - v[PLAN_DEDUP_EXACT]), v[PLAN_BAND_RECORD]);
    s->passing = edges_of(v, f) * PAIR;
}

/* Each node makes a forest of its edges, one edge a near duplicate; rounds of exchanges make stars of these. One node has all in one
 * table. */
static void components(const double *v, const PlanFlow *f, PlanStage *s)
{
    s->beside = f->docs * (LABEL + STATE) / s->nodes;
    s->read = edges_of(v, f) * PAIR;
    s->core_s = edges_of(v, f) / v[PLAN_EDGES_S];
    if (s->nodes > 1) exchange(v, s, v[PLAN_ROUNDS], f->docs * near_share(v), EDGE_RECORD);
    exchange(v, s, 1, members_of(v, f), DOC_RECORD);
    s->passing = members_of(v, f) * PAIR;
}

/* Texts of pairs that the sketch cannot tell: the frames they lie in are read, and their shingles meet. */
static void look_again(const double *v, const PlanFlow *f, PlanStage *s)
{
    const double again = v[PLAN_DEDUP_AGAIN], frame_docs = frame_text / v[PLAN_INGEST_TEXT];
    const double frames = 1 - pow(1 - again, at_least(frame_docs, 1)); /* in which at least one of them is */

    if (again == 0) return;
    s->read += frames * f->stored;
    s->core_s += cost(0, 0, frames * f->text, v[PLAN_READ_MB_S]) + cost(0, 0, again * f->text, v[PLAN_SIGN_MB_S]);
    exchange(v, s, 1, again * f->text / shingle_text, SHINGLE_RECORD);
}

/* Members meet under their component with their sketches; then dumps and hosts under what was kept. */
static void verify(const double *v, const PlanFlow *f, PlanStage *s)
{
    const double members = members_of(v, f);

    s->beside = f->docs * STATE / s->nodes;
    s->read = f->docs * (v[PLAN_SIGN_SKETCH] + 4 + 16) + members * PAIR;
    exchange(v, s, 1, members, VERIFY_HEAD + v[PLAN_SIGN_SKETCH]);
    look_again(v, f, s);
    exchange(v, s, 2, members, DOC_RECORD);
    s->passing = f->docs * near_share(v) * VERDICT;
    s->stored = f->docs * v[PLAN_JUDGE_COLUMNS]; /* clusters */
}

/* No text is read: what clusters say becomes columns. */
static void judge(const double *v, const PlanFlow *f, PlanStage *s)
{
    s->core_s = cost(f->docs, v[PLAN_JUDGE_DOC_US], 0, 1);
    s->read = f->docs * v[PLAN_JUDGE_COLUMNS];
    s->stored = f->docs * v[PLAN_JUDGE_COLUMNS];
    map_memory(v, s);
}

static void filter(const double *v, const PlanFlow *f, PlanStage *s)
{
    map_view(v, f, s, f->unique_text, v[PLAN_FILTER_MB_S]);
    s->stored = f->docs * v[PLAN_FILTER_COLUMNS];
}

static void remix(const double *v, const PlanFlow *f, PlanStage *s)
{
    map_view(v, f, s, f->clean_text, v[PLAN_REMIX_MB_S]);
    s->stored = f->docs * v[PLAN_REMIX_COLUMNS];
}

/* All pass over everything to draw the sample by id and count it; words gather on one node, which merges on one core. */
static void bpe(const double *v, const PlanFlow *f, PlanStage *s)
{
    const double sample = at_most(v[PLAN_BPE_SAMPLE_MB] * 1e6, f->clean_text);

    map_view(v, f, s, sample, v[PLAN_BPE_MB_S]);
    s->serial_s = cost(v[PLAN_BPE_MERGES], v[PLAN_BPE_MERGE_US], 0, 1);
    s->core_s += s->serial_s;
    s->beside += sample * v[PLAN_BPE_WORDS];
}

/* Documents lie on the shared storage as tokens of three bytes with their ids until all shards are made of them, as many at a time as fit. */
static void tokenize(const double *v, const PlanFlow *f, PlanStage *s)
{
    const double encoded = f->clean_docs * TOKEN_RECORD_HEAD + EXCHANGED_TOKEN * f->tokens;

    map_view(v, f, s, f->clean_text, v[PLAN_TOKENIZE_MB_S]);
    s->memory = at_least(s->memory, at_most(encoded / s->nodes, v[PLAN_MEMORY_GB] * 1e9 * memory_share));
    s->read += encoded;
    s->passing = encoded;
    s->stored = f->tokens * v[PLAN_TOKEN_BITS] / 8 + f->clean_docs * v[PLAN_TOKEN_DOC];
}

/* Who takes part: all nodes with a part each, or those of one MPI job. What makes its memory less. */
typedef enum { BY_PART, BY_GANG } Spread;
typedef enum { FEWER_THREADS, SMALLER_SAMPLE, MORE_NODES } Relief;
static const struct {
    const char *name, *verb;
    Spread spread;
    Relief relief;
    void (*model)(const double *v, const PlanFlow *f, PlanStage *s);
} stages[PLAN_STAGES] = {
    {"ingest", "ingest", BY_PART, FEWER_THREADS, ingest},
    {"sign", "dedup", BY_PART, FEWER_THREADS, sign},
    {"exact", "dedup", BY_GANG, MORE_NODES, exact},
    {"bands", "dedup", BY_GANG, MORE_NODES, bands},
    {"components", "dedup", BY_GANG, MORE_NODES, components},
    {"verify", "dedup", BY_GANG, MORE_NODES, verify},
    {"judge", "dedup", BY_PART, FEWER_THREADS, judge},
    {"filter", "filter", BY_PART, FEWER_THREADS, filter},
    {"remix", "remix", BY_PART, FEWER_THREADS, remix},
    {"bpe", "bpe", BY_GANG, SMALLER_SAMPLE, bpe},
    {"tokenize", "tokenize", BY_GANG, FEWER_THREADS, tokenize},
};

static double nodes_of(const double *v, const PlanFlow *f, Spread spread)
{
    if (spread == BY_PART) return at_most(f->parts, v[PLAN_NODES]);
    return v[PLAN_GANG_NODES] > 0 ? at_most(v[PLAN_GANG_NODES], v[PLAN_NODES]) : v[PLAN_NODES];
}

/* Storage is reached over the nodes' network too. */
static void time_stage(const double *v, PlanStage *s)
{
    const double link = v[PLAN_NETWORK_GBIT_S] * 1e9 / 8;

    s->write = s->stored + s->passing;
    s->alone_s[PLAN_CPU] = (s->core_s - s->serial_s) / (s->nodes * v[PLAN_CORES] * v[PLAN_EFFICIENCY]) + s->serial_s;
    s->alone_s[PLAN_SCRATCH] = s->scratch_io / (v[PLAN_SCRATCH_MB_S] * 1e6);
    s->alone_s[PLAN_NETWORK] = (s->exchanged + s->read + s->write) / s->nodes / link;
    s->alone_s[PLAN_STORAGE] = (s->read + s->write) / (v[PLAN_STORAGE_MB_S] * 1e6);
    if (v[PLAN_NODES] == 1) s->alone_s[PLAN_NETWORK] = 0; /* its disk is its own */
    for (int i = 0; i < PLAN_RESOURCES; i++)
        if (s->alone_s[i] > s->alone_s[s->bound]) s->bound = (PlanResource)i;
    s->wall_s = s->alone_s[s->bound];
}

static void add_total(PlanStage *t, const PlanStage *s)
{
    t->nodes = at_least(t->nodes, s->nodes);
    t->memory = at_least(t->memory, s->memory);
    t->scratch = at_least(t->scratch, s->scratch);
    t->core_s += s->core_s, t->serial_s += s->serial_s, t->wall_s += s->wall_s;
    t->read += s->read, t->write += s->write, t->exchanged += s->exchanged;
    t->scratch_io += s->scratch_io, t->stored += s->stored, t->passing += s->passing;
    for (int i = 0; i < PLAN_RESOURCES; i++) t->alone_s[i] += s->alone_s[i];
}

/* --- what does not fit, and what would make it fit */

static void note(Plan *p, bool fits, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void note(Plan *p, bool fits, const char *fmt, ...)
{
    va_list ap;

    if (!fits) p->possible = false;
    if (p->n_notes == PLAN_MAX_NOTES) return;
    p->fits[p->n_notes] = fits;
    va_start(ap, fmt);
    vsnprintf(p->note[p->n_notes++], sizeof *p->note, fmt, ap);
    va_end(ap);
}

static void advise_memory(Plan *p, const double *v, const PlanStage *s, Relief relief)
{
    const double room = v[PLAN_MEMORY_GB] * 1e9 * memory_share, thread = v[PLAN_WORKER_MB] * 1e6;
    const double sample = (room - v[PLAN_CORES] * thread) / at_least(v[PLAN_BPE_WORDS], 1e-3);
    char advice[64];

    if (relief == MORE_NODES)
        snprintf(advice, sizeof advice, "take %.0f nodes", ceil(s->nodes * s->memory / room));
    else if (relief == SMALLER_SAMPLE && sample >= 1 << 20)
        snprintf(advice, sizeof advice, "give --sample-bytes %.0fM", floor(sample / (1 << 20)));
    else
        snprintf(advice, sizeof advice, "give -j %.0f%s", at_least(floor(room / thread), 1),
                 relief == SMALLER_SAMPLE ? " and a smaller --sample-bytes" : "");
    note(p, false, "%s needs %.1f GB of memory on each node, which has %.1f GB: %s, or take nodes of %.1f GB",
         s->name, s->memory / 1e9, v[PLAN_MEMORY_GB], advice, s->memory / memory_share / 1e9);
}

static void check_stage(Plan *p, const double *v, const PlanStage *s, Relief relief)
{
    const double memory = v[PLAN_MEMORY_GB] * 1e9, scratch = v[PLAN_SCRATCH_GB] * 1e9;

    if (s->memory > memory) advise_memory(p, v, s, relief);
    if (s->scratch > scratch)
        note(
            p, false,
            "%s needs %.0f GB of scratch on each node, which has %.0f GB: take %.0f nodes, or a larger --scratch, or "
            "nodes of %.0f GB of memory, which need none",
            s->name, s->scratch / 1e9, v[PLAN_SCRATCH_GB],
            ceil(s->nodes * at_most(s->scratch / scratch, s->whole / (memory * memory_share))),
            s->whole / memory_share / 1e9);
    else if (s->scratch > 0)
        note(p, true,
             "%s does not fit into memory: %.0f GB of each node go to its scratch, and it is slower for that; nodes "
             "of %.0f GB of memory "
             "would need no scratch",
             s->name, s->scratch / 1e9, s->whole / memory_share / 1e9);
}

static void check_limits(Plan *p, const double *v)
{
    const PlanFlow *f = &p->flow;
    const double dump_parts = f->parts / v[PLAN_DUMPS], part_docs = f->docs / f->parts;

    if (dump_parts > max_parts)
        note(p, false, "%.0f parts a dump, at most %.0f: ingest --inputs-per-part %.0f makes it fit", dump_parts,
             max_parts, ceil(v[PLAN_FILES] / max_parts));
    if (part_docs > max_records)
        note(p, false, "%.3g documents a part, at most %.3g: ingest --inputs-per-part %.0f makes it fit", part_docs,
             max_records, at_least(floor(f->inputs_per_part * max_records / part_docs), 1));
    if (v[PLAN_DUMPS] > max_datasets)
        note(p, false, "%.0f dumps, at most %.0f: several in one dataset fit", v[PLAN_DUMPS], max_datasets);
    else if (v[PLAN_DUMPS] > max_bases)
        note(p, false, "a view over %.0f dumps, at most %.0f: several dumps in one dataset fit", v[PLAN_DUMPS],
             max_bases);
    if (v[PLAN_INODES] > 0 && f->files > v[PLAN_INODES])
        note(p, false,
             "%.3g files on the shared storage, and %.3g may be: ingest --inputs-per-part %.0f makes it fit",
             f->files, v[PLAN_INODES], ceil(f->inputs_per_part * f->files / v[PLAN_INODES]));
    if (v[PLAN_STORAGE_TB] > 0 && p->total.stored > v[PLAN_STORAGE_TB] * 1e12)
        note(p, false, "%.1f TB stay on the shared storage and there is room for %.1f: %.0f dumps would fit",
             p->total.stored / 1e12, v[PLAN_STORAGE_TB],
             floor(v[PLAN_DUMPS] * v[PLAN_STORAGE_TB] * 1e12 / p->total.stored));
    if (v[PLAN_BAND_RECORD] < sent_band_record)
        note(p, true,
             "%g bytes a document in a band's exchange are the design's; this version sends %g, which "
             "dedup.band_record %g plans",
             v[PLAN_BAND_RECORD], sent_band_record, sent_band_record);
    if (f->parts < v[PLAN_NODES])
        note(p, true,
             "%.0f parts keep only as many of %.0f nodes busy: ingest --inputs-per-part below %.0f makes more",
             f->parts, v[PLAN_NODES], f->inputs_per_part);
    if (v[PLAN_MAX_ARRAY] > 0 && v[PLAN_NODES] > v[PLAN_MAX_ARRAY] - 1)
        note(p, true, "%.0f tasks are more than one array of Slurm takes (%.0f): split them into %.0f arrays",
             v[PLAN_NODES], v[PLAN_MAX_ARRAY] - 1, ceil(v[PLAN_NODES] / (v[PLAN_MAX_ARRAY] - 1)));
}

void plan_make(Plan *p, const PlanValues *given)
{
    double v[PLAN_N_VALUES];

    memcpy(v, given->v, sizeof v);
    if (isnan(v[PLAN_DEDUP_DROP])) v[PLAN_DEDUP_DROP] = plan_published_drop(v[PLAN_DUMPS]);
    *p = (Plan){.flow = flow_of(v), .possible = true, .total = {.name = "all", .verb = "all"}};
    for (int i = 0; i < PLAN_STAGES; i++) {
        PlanStage *s = &p->stage[i];
        *s = (PlanStage){
            .name = stages[i].name, .verb = stages[i].verb, .nodes = nodes_of(v, &p->flow, stages[i].spread)};
        stages[i].model(v, &p->flow, s);
        s->memory = at_least(s->memory, s->beside);
        time_stage(v, s);
        add_total(&p->total, s);
        check_stage(p, v, s, stages[i].relief);
    }
    for (int i = 0; i < PLAN_RESOURCES; i++)
        if (p->total.alone_s[i] > p->total.alone_s[p->total.bound]) p->total.bound = (PlanResource)i;
    check_limits(p, v);
}
