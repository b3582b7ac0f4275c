/* tools/verbs.h - the verbs that join rooms or belong to none. Each takes argv with argv[0] the verb's own name and
 * returns the exit status (docs: 0 done, 1 no, 2 usage, 3 system, 4 data or limit, 5 memory, 6 interrupted). */
#ifndef TAMIS_TOOLS_VERBS_H
#define TAMIS_TOOLS_VERBS_H

int run_verb(int argc, char **argv);      /* the whole chain of a recipe, stage by stage, then the report */
int report_verb(int argc, char **argv);   /* report.html of a run directory */
int events_verb(int argc, char **argv);   /* what a run did and when: tables, a trace */
int docs_verb(int argc, char **argv);     /* look at the documents of any dataset or view */
int status_verb(int argc, char **argv);   /* how far a dataset or a run is */
int commit_verb(int argc, char **argv);   /* a full set of receipts into a manifest */
int plan_verb(int argc, char **argv);     /* what a run will cost */
int alarms_verb(int argc, char **argv);   /* bands for the rates of a run */
int url_verb(int argc, char **argv);      /* what is seen in URLs: keys, host, domain, blocklists */
int tokenize_verb(int argc, char **argv); /* documents into token shards */
int train_verb(int argc, char **argv);    /* becomes tamis-train, the second binary */

#endif
