/* core/options.h - command-line options from one table a verb: the table makes the parsing and the help text, and
 * defaults are printed from the variables themselves.
 *
 *   static const … OptSpec specs[] = {
 *       OPT_HEAD("Signatures:"),
 *       OPT_U32('b', "bands", &params.bands, "N", "LSH bands; more bands catch more pairs"),
 *       OPT_COMMON(&common), OPT_END };
 * Values are checked: numbers are decimal and whole, sizes may end in K M G T (powers of 1024). */
#ifndef TAMIS_CORE_OPTIONS_H
#define TAMIS_CORE_OPTIONS_H

#include "core/alarm.h"
#include "core/err.h"
#include "core/log.h"
#include "core/par.h"

#include <stdint.h>

typedef enum {
    OPT_T_END,
    OPT_T_HEAD, /* a line of its own in the help text */
    OPT_T_FLAG, /* bool, no argument: set to true */
    OPT_T_U32,
    OPT_T_U64,
    OPT_T_SIZE, /* uint64_t bytes: 800M, 24G */
    OPT_T_F64,
    OPT_T_STR,    /* const char *, borrowed from argv */
    OPT_T_CHOICE, /* uint32_t index into the NULL-terminated list `choices` */
    OPT_T_LIST,   /* OptList: may be given several times */
    OPT_T_TASK,   /* OptTask: I/N with 0 <= I < N */
    OPT_T_ALARM,  /* AlarmBands: NAME=LOW:HIGH, may be given several times */
    OPT_T_CHECK   /* no option: what must hold of the values together */
} OptType;

typedef struct {
    const char **v; /* owned; elements borrowed from argv */
    size_t n;
} OptList;
typedef struct {
    uint32_t index, count; /* count 0: not given */
} OptTask;

typedef struct {
    OptType type;
    char short_name;       /* 0: none */
    const char *long_name; /* NULL: none */
    void *value;
    const char *arg; /* name of the argument in the help text */
    const char *help;
    const char *const *choices;
    bool required;
    ErrCode (*check)(void *value, Err *err);
} OptSpec;

#define OPT_HEAD(text)                     \
    {                                      \
        .type = OPT_T_HEAD, .help = (text) \
    }
#define OPT_FLAG(s, l, v, h)                                                               \
    {                                                                                      \
        .type = OPT_T_FLAG, .short_name = (s), .long_name = (l), .value = (v), .help = (h) \
    }
#define OPT_U32(s, l, v, a, h)                                                                        \
    {                                                                                                 \
        .type = OPT_T_U32, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
#define OPT_U64(s, l, v, a, h)                                                                        \
    {                                                                                                 \
        .type = OPT_T_U64, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
#define OPT_SIZE(s, l, v, a, h)                                                                        \
    {                                                                                                  \
        .type = OPT_T_SIZE, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
#define OPT_F64(s, l, v, a, h)                                                                        \
    {                                                                                                 \
        .type = OPT_T_F64, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
#define OPT_STR(s, l, v, a, h)                                                                        \
    {                                                                                                 \
        .type = OPT_T_STR, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
#define OPT_NEED(s, l, v, a, h)                                                                        \
    {                                                                                                  \
        .type = OPT_T_STR, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h), \
        .required = true                                                                               \
    }
#define OPT_CHOICE(s, l, v, c, a, h)                                                                         \
    {                                                                                                        \
        .type = OPT_T_CHOICE, .short_name = (s), .long_name = (l), .value = (v), .choices = (c), .arg = (a), \
        .help = (h)                                                                                          \
    }
#define OPT_LIST(s, l, v, a, h)                                                                        \
    {                                                                                                  \
        .type = OPT_T_LIST, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
#define OPT_TASK(s, l, v, a, h)                                                                        \
    {                                                                                                  \
        .type = OPT_T_TASK, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
#define OPT_ALARM(s, l, v, a, h)                                                                        \
    {                                                                                                   \
        .type = OPT_T_ALARM, .short_name = (s), .long_name = (l), .value = (v), .arg = (a), .help = (h) \
    }
/* What the table cannot say of the values: f(v, err), called once all are parsed, also by --check-options. It may settle
 * what follows from them, and read files the user wrote; inputs may not be there yet. */
#define OPT_CHECK(f, v)                                 \
    {                                                   \
        .type = OPT_T_CHECK, .value = (v), .check = (f) \
    }
#define OPT_END           \
    {                     \
        .type = OPT_T_END \
    }

/* What every verb that runs a stage takes. */
typedef struct {
    uint32_t threads;     /* -j; 0: the cores we may use */
    uint64_t memory;      /* --memory; 0: 3/4 of what is free */
    OptTask task;         /* --task I/N */
    bool force;           /* --force */
    bool retry;           /* --retry */
    const char *rejected; /* --rejected DIR; NULL: none */
    const char *scratch;  /* --scratch DIR; NULL: the output's directory */
    const char *events;   /* --events DIR; NULL: none */
    bool quiet, verbose;
    AlarmBands alarm; /* --alarm NAME=LOW:HIGH… */
    bool no_alarm;    /* --no-alarm: as if there were none */
} CommonOptions;
#define OPT_COMMON_TALK(c)                                          \
    OPT_FLAG('q', "quiet", &(c)->quiet, "no progress, no summary"), \
        OPT_FLAG('v', "verbose", &(c)->verbose, "say more")
#define OPT_COMMON_THREADS(c) \
    OPT_U32('j', "threads", &(c)->threads, "N", "OpenMP threads per process; 0: the cores we may use")
#define OPT_COMMON_SCRATCH(c) \
    OPT_STR(0, "scratch", &(c)->scratch, "DIR", "what does not fit --memory goes here; else to the output's DIR")
#define OPT_COMMON_EVENTS(c) OPT_STR(0, "events", &(c)->events, "DIR", "write what is done and when to files in DIR")
#define OPT_COMMON_STAGE(c)                                                                                   \
    OPT_COMMON_THREADS(c),                                                                                    \
        OPT_SIZE(0, "memory", &(c)->memory, "SIZE", "budget per process: 800M, 24G; 0: 3/4 of what is free"), \
        OPT_TASK(0, "task", &(c)->task, "I/N", "do only share I of N of the parts (a job array)"),            \
        OPT_FLAG(0, "force", &(c)->force, "start anew although DIR holds another run; not with --task"),      \
        OPT_FLAG(0, "retry", &(c)->retry, "try parts again that crashed or were damaged"),                    \
        OPT_ALARM(0, "alarm", &(c)->alarm, "BAND",                                                            \
                  "NAME=LOW:HIGH: stop when this rate leaves the band; repeatable"),                          \
        OPT_FLAG(0, "no-alarm", &(c)->no_alarm, "go on whatever the rates are"), OPT_COMMON_EVENTS(c),        \
        OPT_CHECK(common_check, c), OPT_COMMON_TALK(c)
/* Of OPT_COMMON_STAGE: tasks that start together would wipe what the first of them has done. *value is the CommonOptions. */
MUST_USE ErrCode common_check(void *value, Err *err);
/* ERR_SYS unless --scratch, where it is given, is a directory that can be written: to be known before hours of work, not when something does
 * not fit. verb_begin() asks; verbs that begin otherwise ask themselves. */
MUST_USE ErrCode common_scratch(const CommonOptions *c, Err *err);
/* Bytes that --memory grants this process; without it 3/4 of what is free. */
uint64_t common_memory(const CommonOptions *c, const Par *par);

typedef struct {
    const char *name;  /* "dedup" */
    const char *usage; /* "[options] -o DIR INPUT..." */
    const char *what;  /* one or two sentences */
    const OptSpec *specs;
    const char *after; /* closing lines of the help text; may be NULL */
} OptVerb;

/* Parses argv (argv[0] is the verb). Operands are moved to *operands .. argc. Returns ERR_OK; ERR_USAGE with the
 * message in err; ERR_NO, with lists cleared, after --help was printed to stdout or --check-options found nothing wrong (the
 * caller ends with verb_exit(ERR_OK)). These two need no entry. Long names are given in full, since the next option would change
 * what an abbreviation means; a value that begins with "--" needs '='. Only flags and lists may be given twice. */
MUST_USE ErrCode options_parse(const OptVerb *verb, int argc, char **argv, int *operands, Err *err);
void options_help(const OptVerb *verb);
void optlist_clear(OptList *l);
/* 800M, 24G, 4096 -> bytes. */
bool parse_size(const char *s, uint64_t *bytes);

/* The beginning of a verb that takes operands: parses, refuses a call without operands, starts ranks and logging,
 * installs the signal handlers. ERR_NO after --help. On success the caller ends with par_stop() and verb_exit(). */
MUST_USE ErrCode verb_begin(const OptVerb *verb, int argc, char **argv, const CommonOptions *common, Par *par,
                            int *operands, Err *err);

/* The same for a verb that is one process, without ranks and events: refuses fewer operands than `least` and more than `most` with what is
 * `wanted`. common NULL: the verb is neither quiet nor verbose. The caller ends with verb_exit(). */
MUST_USE ErrCode verb_begin_alone(const OptVerb *verb, int argc, char **argv, const CommonOptions *common, int least,
                                  int most, const char *wanted, int *operands, Err *err);

/* The end of a verb: prints the message of a failure, flushes stdout and gives the exit status. A message is one line: output
 * that could not be written is named where nothing else failed. */
int verb_exit(ErrCode rc, const Err *err);

#endif
