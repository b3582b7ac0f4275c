/* tools/plan.h - what a run over many dumps will cost, before it is started: time, memory, scratch, network and storage of
 * every stage, from rates that were measured and a description of dumps and nodes.
 *
 * All numbers are PlanValues: named "section.key", each with where it comes from. Built-in ones describe 91 dumps on 256
 * nodes with the rates of bench/RESULTS.md; a calibration file and a description replace what they name. The model of a stage
 * (tools/plan.c) is a few lines: what it reads, computes, exchanges and writes. Everything is a double: an estimate, never
 * content. Bytes are bytes, times seconds, unless a name says otherwise; MB, GB and TB are powers of 1000. */
#ifndef TAMIS_TOOLS_PLAN_H
#define TAMIS_TOOLS_PLAN_H

#include "core/json.h"

typedef enum {
    PLAN_DUMPS, /* input */
    PLAN_PAGES,
    PLAN_FILES,
    PLAN_FILE_MB,
    PLAN_UNPACKED,
    PLAN_INPUTS_PER_PART,
    PLAN_NODES, /* cluster */
    PLAN_CORES,
    PLAN_MEMORY_GB,
    PLAN_SCRATCH_GB,
    PLAN_SCRATCH_MB_S,
    PLAN_NETWORK_GBIT_S,
    PLAN_STORAGE_MB_S,
    PLAN_STORAGE_TB,
    PLAN_INODES,
    PLAN_MAX_ARRAY,
    PLAN_EFFICIENCY,
    PLAN_PRICE,
    PLAN_GANG_NODES,
    PLAN_READ_MB_S, /* rates of the engines */
    PLAN_WORKER_MB,
    PLAN_RECORDS_S,
    PLAN_STEP_S,
    PLAN_EDGES_S,
    PLAN_ROUNDS,
    PLAN_INGEST_PAGE_US, /* of the stages */
    PLAN_INGEST_MB_S,
    PLAN_INGEST_KEEP,
    PLAN_INGEST_TEXT,
    PLAN_INGEST_STORED,
    PLAN_SIGN_MB_S,
    PLAN_SIGN_BANDS,
    PLAN_SIGN_SKETCH,
    PLAN_SIGN_BESIDE,
    PLAN_BAND_RECORD,
    PLAN_DEDUP_EXACT,
    PLAN_DEDUP_DROP,
    PLAN_DEDUP_AGAIN,
    PLAN_JUDGE_DOC_US,
    PLAN_JUDGE_COLUMNS,
    PLAN_FILTER_MB_S,
    PLAN_FILTER_KEEP,
    PLAN_FILTER_COLUMNS,
    PLAN_REMIX_MB_S,
    PLAN_REMIX_COLUMNS,
    PLAN_BPE_MB_S,
    PLAN_BPE_SAMPLE_MB,
    PLAN_BPE_MERGES,
    PLAN_BPE_MERGE_US,
    PLAN_BPE_WORDS,
    PLAN_TOKENIZE_MB_S,
    PLAN_TOKEN_TEXT,
    PLAN_TOKEN_BITS,
    PLAN_TOKEN_DOC,
    PLAN_N_VALUES
} PlanValue;

/* What is known of a value. */
typedef struct {
    const char *section, *key, *unit, *what;
    double fallback, min, max;
    const char *source; /* of the fallback */
} PlanDef;
extern const PlanDef plan_defs[PLAN_N_VALUES];

typedef struct {
    double v[PLAN_N_VALUES];
    const char *source[PLAN_N_VALUES]; /* a file's name where it replaced the fallback; borrowed */
} PlanValues;

void plan_defaults(PlanValues *p);
/* Takes the numbers of a mapping of sections (a description or a calibration file, YAML or JSON); `source` is kept and named
 * as where they come from. ERR_USAGE names the line of an unknown key or a value out of range. */
MUST_USE ErrCode plan_take(PlanValues *p, const Json *root, const char *path, const char *source, Err *err);

/* --- the plan */

typedef enum { PLAN_CPU, PLAN_SCRATCH, PLAN_NETWORK, PLAN_STORAGE, PLAN_RESOURCES } PlanResource;
extern const char *const plan_resource_names[PLAN_RESOURCES];

enum { PLAN_STAGES = 11, PLAN_MAX_NOTES = 32 };
typedef struct {
    const char *name, *verb;        /* "bands", "dedup" */
    double nodes;                   /* that take part */
    double core_s, serial_s;        /* seconds of cores; those of them that one core of one node spends alone */
    double wall_s;                  /* the largest of alone_s, since a stage reads, computes and writes at once */
    double alone_s[PLAN_RESOURCES]; /* what each resource would take by itself */
    PlanResource bound;             /* the one that takes longest */
    double read, write;             /* shared storage, all nodes together */
    double exchanged;               /* between nodes, all together */
    double memory, scratch;         /* a node, at most at one time */
    double beside;                  /* of that memory, what is held beside exchanges */
    double whole;                   /* memory a node with which nothing would go to scratch */
    double scratch_io;              /* a node, written and read */
    double stored, passing;         /* stays on the shared storage; is written there and deleted later */
} PlanStage;

/* How much there is of it on the way. */
typedef struct {
    double archives, unpacked, pages; /* in */
    double docs, text, stored;        /* what ingest leaves; text uncompressed, stored as parts */
    double unique_text, clean_text;   /* what dedup and filter leave */
    double unique_docs, clean_docs, tokens;
    double inputs_per_part, parts, files; /* files on the shared storage */
} PlanFlow;

typedef struct {
    PlanFlow flow;
    PlanStage stage[PLAN_STAGES];
    PlanStage total; /* sums; of memory, scratch and nodes the largest */
    char note[PLAN_MAX_NOTES][256];
    bool fits[PLAN_MAX_NOTES]; /* of note i: false, it makes the plan impossible */
    size_t n_notes;
    bool possible;
} Plan;

void plan_make(Plan *p, const PlanValues *given);

/* The share of documents that deduplication drops over this many dumps (DeepSeek LLM, arXiv 2401.02954, table 1), linear in the
 * logarithm between the published points. */
double plan_published_drop(double dumps);

/* --- calibration: what a finished run directory says of the rates. Text for people and for plan_take(). `note` (may be NULL)
 * says which machine, say. */
MUST_USE ErrCode plan_calibrate(Buf *out, const char *run_dir, const char *note, Err *err);

/* --- showing: tools/plan_print.c */
void plan_print(const Plan *plan, const PlanValues *p);
void plan_put_json(Buf *b, const Plan *plan, const PlanValues *p);

#endif
