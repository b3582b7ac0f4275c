/* tools/recipe.h - a recipe (YAML) into the command lines of the chain.
 *
 *   out: run                      # the run directory; `-o` wins; default "run"
 *   threads: 2                    # -j of every stage; `-j` wins
 *   ingest:                       # one section a verb; its keys are the verb's long options
 *     input: [crawl/x.warc.gz]    # operands of the first stage; patterns of glob(7) are expanded, sorted by bytes
 *     keep-lang: en,zh
 *   dedup: false                  # switched off: the next stage reads what the one before wrote
 *   filter: {rules: zh-en}
 *   remix: {recipe: ./mix.yaml}   # "./" and "../" in front: beside the recipe; else as on the command line
 *   bpe: {vocab-size: 8192}
 *   tokenize: {}                  # a section left out runs with defaults too
 *   train: {config: tiny}
 *
 * A value true is a flag, false and null leave the option out, a list repeats it, `alarm` maps rates to bands (core/alarm.h) as in
 * {drop: [0.2, 0.6], lang/en: [0.3, 0.9]}, and any other mapping becomes a file
 * OUT/VERB.KEY.yaml (JSON, which is YAML) whose path is the value. Outputs and inputs are wired here and may not be
 * given: OUT/docs, OUT/unique, OUT/clean, OUT/mixed, OUT/tokenizer.json, OUT/tokens, OUT/ckpt. A stage whose maker is
 * switched off says itself what it reads: tokenize by `tokenizer`, train by `input`. A section `slurm` is kept as it is, for
 * tools/slurm.h.
 *
 * Messages begin with FILE:LINE. */
#ifndef TAMIS_TOOLS_RECIPE_H
#define TAMIS_TOOLS_RECIPE_H

#include "core/json.h"
#include "core/options.h"

enum { RECIPE_STAGES = 7, RECIPE_MAX_ARGS = 65536 };

typedef struct {
    const char *verb;     /* "ingest" */
    const char *output;   /* "OUT/docs" */
    const char *finished; /* the file that exists once the stage is complete */
    const char **argv;    /* "tamis", the verb, …; NULL behind the last */
    size_t argc, cap;
    const Json *section; /* NULL: left out of the recipe */
} RecipeStage;

typedef struct {
    const char *path; /* of a file that a mapping in the recipe becomes */
    Span bytes;
} RecipeFile;

typedef struct {
    Arena arena;
    const char *path, *out_dir;
    RecipeStage stage[RECIPE_STAGES]; /* in order, those switched on */
    size_t n;
    RecipeFile file[RECIPE_STAGES * 4];
    size_t n_files;
    const Json *slurm; /* the section, NULL: none */
} Recipe;

/* What the command line of `tamis run` says over the recipe's head. */
typedef struct {
    const char *out_dir;      /* NULL: the recipe's */
    const char *until;        /* NULL, or the verb behind which to stop */
    const char *const *input; /* n_input operands instead of `input:`; not expanded */
    size_t n_input;
    uint32_t threads; /* 0: the recipe's */
    bool force, quiet;
    bool no_alarm; /* of stages that have an `alarm` */
} RecipeOverrides;

/* Reads `path`, checks what the wiring needs; nothing is written. ERR_USAGE names the section and key that is wrong. */
MUST_USE ErrCode recipe_load(Recipe *r, const char *path, const RecipeOverrides *over, Err *err);
/* Writes the files of mappings; a file that already holds the same bytes stays untouched. */
MUST_USE ErrCode recipe_write_files(const Recipe *r, Err *err);
void recipe_clear(Recipe *r);

/* Asks every stage's verb whether it would take its options, before the first of them works for hours. Files of mappings must
 * be there, or are left out of the question (`files` false). */
MUST_USE ErrCode recipe_check(const Recipe *r, bool files, Err *err);

/* The command as a shell would take it, "tamis ingest -o 'my run/docs' …", without a newline. */
void recipe_command(const RecipeStage *s, Buf *out);
/* One word as a shell takes it back: in single quotes wherever it holds more than letters, digits and _@%+=:,./- */
void recipe_put_word(Buf *out, const char *word);

/* The wiring, for readers of a run directory: the name below OUT of a verb's output, NULL for an unknown verb. */
const char *recipe_output_name(const char *verb);
/* The verb at position i of the whole chain, i < RECIPE_STAGES. */
const char *recipe_verb(size_t i);

#endif
