/* core/alarm.h - bands that a stage's rates must stay in: a silent 99 % drop is the classic loss.
 *
 * A band is NAME=LOW:HIGH, 0 <= LOW <= HIGH <= 1. NAME says of what:
 *   drop          documents dropped, of those that came in
 *   REASON        documents dropped for this reason of the stage (near_duplicate), of those that came in
 *   GROUP/NAME    documents counted under NAME (lang/en, domain/web-en), of all counted in that group of stats.json
 * The share of nothing is 0.
 *
 * Bands decide whether a dataset is published, never what is in it: they are not part of a stage's key. They are looked at twice.
 * While a process works, over the parts that it has finished: from ALARM_LEAST documents on, and only when the rate is
 * further outside than ALARM_SIGMAS standard deviations of a binomial of that many documents at the band's edge. (Documents of one
 * part are more alike than that; six deviations leave room for it.) And at the commit, over the whole dataset, exactly: this
 * verdict depends on the content alone. ERR_NO then: no manifest is written, the parts stay, and a run with other bands or none
 * finishes at once. The bands of the last run are in DIR/alarm.json, so that `tamis commit` holds to them too. */
#ifndef TAMIS_CORE_ALARM_H
#define TAMIS_CORE_ALARM_H

#include "core/counters.h"

enum { ALARM_MAX_BANDS = 64, ALARM_LEAST = 10000, ALARM_SIGMAS = 6 };
#define ALARM_FILE "alarm.json"

typedef struct {
    Span name; /* borrowed */
    double low, high;
} AlarmBand;
typedef struct {
    size_t n;
    AlarmBand v[ALARM_MAX_BANDS];
} AlarmBands;

/* "NAME=LOW:HIGH"; the name points into s. */
bool alarm_parse(const char *s, AlarmBand *out);
/* A name without '/' is drop or one of the reasons, else ERR_USAGE. */
MUST_USE ErrCode alarm_check(const AlarmBands *bands, const char *const *reasons, uint32_t n_reasons, Err *err);

/* Writes DIR/alarm.json; no bands: removes it. */
MUST_USE ErrCode alarm_publish(const char *dir, const AlarmBands *bands, Err *err);
/* Reads it; none: no bands. Names live in the arena. */
MUST_USE ErrCode alarm_load(Arena *a, const char *dir, AlarmBands *bands, Err *err);

/* The counts of DIR so far. */
typedef struct {
    uint64_t n_in;
    const char *const *reasons; /* n_reasons names */
    const uint64_t *dropped;    /* by reason */
    uint32_t n_reasons;
    const Counters *counters;
} AlarmCounts;
/* ERR_NO with the first band that they have left: while it works (`final` false) with the slack above, else exactly. */
MUST_USE ErrCode alarm_judge(const AlarmBands *bands, const char *dir, const AlarmCounts *counts, bool final,
                             Err *err);

#endif
