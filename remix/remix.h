/* remix/remix.h - mixture domains and their weights: a view stage that names each document's domain (column
 * `domain`), and `mixture.json` beside the view, which says how much of training each domain gets.
 *
 * The recipe (YAML), every key optional:
 *
 *   alpha: 0.5          # weight of a domain is proportional to (text bytes)^alpha: 1 as it comes, 0 all alike
 *   epochs: 1           # length of training the weights are made for, in passes over all text
 *   max_epochs: 4       # at that length no domain is read more often; 0: no bound
 *   default: "{source}-{lang}"     # domain of documents that no rule names
 *   domains:            # rules; the first whose conditions all hold names the domain
 *     - name: wiki      # [A-Za-z0-9._-], at most 64 bytes, {source} and {lang} stand for the document's
 *       hosts: [wikipedia.org, wikimedia.org]   # the URL's host or a domain above it
 *       hosts_file: ./wikis.txt                 # more of them, one a line, # comments; beside the recipe
 *       sources: [web]                          # any of them
 *       langs: [en, zh]                         # any of them; zh covers zh-Hans and zh-Hant
 *   repeat: dup_weight  # a signal: documents are read so many times as often (2 to REMIX_MAX_REPEAT; it is rounded down)
 *   weights:            # shares of training instead of those by alpha
 *     wiki: 0.2
 *
 * Without a recipe the domain is source-lang. A domain's name becomes the name of a directory, so what comes from a
 * document is reduced to the letters above. Weights: those given are taken as they are; what they leave of 1 is
 * shared among the other domains by alpha; a share beyond max_epochs goes to the domains that have room (water
 * filling). Given weights for all domains need not sum to 1. Shares are of text bytes, which stand for tokens.
 *
 * Repeating works by domains, too: a document whose signal is R >= 2 goes to a domain of its own, NAME-xR, whose text counts R times when
 * weights are made from bytes. With alpha 1 and bounds that leave room, each of its documents is so read R times as often as one of
 * NAME. Weights given to NAME are NAME's alone; those of NAME-xR can be given too.
 *
 * The domain column is a function of documents, rules, default and repeat alone: alpha, epochs and weights are not part of
 * the stage's key, so changing them rewrites mixture.json and nothing else. */
#ifndef TAMIS_REMIX_REMIX_H
#define TAMIS_REMIX_REMIX_H

#include "core/stage.h"

enum {
    REMIX_MAX_RULES = 1024,
    REMIX_MAX_HOSTS = 1 << 22,
    REMIX_MAX_DOMAINS = 4000,
    REMIX_MAX_NAME = 64,
    REMIX_MAX_REPEAT = 99
};

typedef struct RemixRecipe RemixRecipe;
/* path NULL: the default recipe. ERR_USAGE names what is wrong in it. */
MUST_USE ErrCode remix_recipe_load(RemixRecipe **r, const char *path, Err *err);
void remix_recipe_free(RemixRecipe *r);
/* Canonical JSON of what decides the domain column; lives as long as the recipe. */
Span remix_recipe_params(const RemixRecipe *r);

/* The stage and its map (context: a RemixRecipe), for whoever composes stages. */
extern const StageDef remix_stage;
ErrCode remix_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err);

/* Runs the stage over `in` and, once the view is complete, writes mixture.json (rank 0). Collective. `totals` may be
 * NULL. After `tamis commit` of a job array's tasks a further run finds all parts done and writes it. */
MUST_USE ErrCode remix_run(const RemixRecipe *recipe, const DatasetSet *in, const char *out_dir,
                           const CommonOptions *common, const Par *par, StageTotals *totals, Err *err);

/* Writes DIR/mixture.json (format: shards/shards.h) for the complete view DIR. More than REMIX_MAX_DOMAINS domains:
 * ERR_LIMIT. */
MUST_USE ErrCode remix_write_mixture(const RemixRecipe *recipe, const char *dir, Err *err);

/* `tamis remix` */
int remix_verb(int argc, char **argv);

#endif
