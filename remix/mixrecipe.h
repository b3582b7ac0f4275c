/* remix/mixrecipe.h - a recipe in memory, and the domain it gives a document. Private to the room. */
#ifndef TAMIS_REMIX_MIXRECIPE_H
#define TAMIS_REMIX_MIXRECIPE_H

#include "remix/hostmap.h"
#include "remix/remix.h"

typedef struct {
    const char *name; /* may hold {source} and {lang} */
    bool by_host;     /* asks for one of its hosts, which are in the map under the rule's number */
    const char **source, **lang;
    uint32_t n_sources, n_langs; /* 0: any */
} DomainRule;

typedef struct {
    const char *name;
    double weight;
} NamedWeight;

struct RemixRecipe {
    Arena arena; /* owns strings and lists */
    DomainRule *rule;
    uint32_t n_rules;
    const char *fallback;
    HostMap hosts;
    double alpha, epochs, max_epochs;
    const char *repeat; /* a signal; NULL: none */
    NamedWeight *weight;
    uint32_t n_weights;
    Buf params;
};

enum { RULE_WORDS = (REMIX_MAX_RULES + 63) / 64 };
/* Scratch of one thread; zero-initialise. */
typedef struct {
    char name[REMIX_MAX_NAME];
    uint64_t hit[RULE_WORDS]; /* rules one of whose hosts the document's is */
} DomainScratch;

/* The domain that a document is read from R times as often as others: its name ends in "-xR", R from 2 on. What such a name of a domain
 * says; 1 without a signal to repeat by, or where the name has no such end. */
uint32_t domain_repeat(const RemixRecipe *r, Span name);
/* The domain of a document; valid until the next call with this scratch. */
Span domain_of(const RemixRecipe *r, DomainScratch *s, const Doc *doc);

#endif
