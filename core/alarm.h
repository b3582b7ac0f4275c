/* core/alarm.h - bands that a stage's rates must stay in: a silent 99 % drop is the classic loss.
 *
 * A band is NAME=LOW:HIGH, 0 <= LOW <= HIGH <= 1. NAME says of what:
 *   drop          documents dropped, of those that came in
 *   REASON        documents dropped for this reason of the stage (near_duplicate), of those that came in
 *   GROUP/NAME    documents counted under NAME (lang/en, domain/web-en), of all counted in that group of stats.json
 * The share of nothing is 0.
 *
 * Bands decide whether a dataset is published, never what is in it: they are not part of a stage's key. They are looked at twice.
 * While a process works, whenever it has finished a part: it stops when no document that may still come could bring the rate back,
 * all of them dropped or none. (No sample of what came first says this: inputs are ordered, English crawls before Chinese ones.)
 * And at the commit, over the whole dataset, exactly: this verdict depends on the content alone. ERR_NO then: no manifest is
 * written, the parts stay, and a run with other bands or none finishes at once. The bands of the last run are in DIR/alarm.json, so
 * that `tamis commit` holds to them too; the band that stopped a process is in DIR/alarm.fired, so that the others stop. */
#ifndef TAMIS_CORE_ALARM_H
#define TAMIS_CORE_ALARM_H

#include "core/counters.h"

enum { ALARM_MAX_BANDS = 64 };
#define ALARM_FILE       "alarm.json"
#define ALARM_FIRED_FILE "alarm.fired"

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

/* Writes DIR/alarm.json where it says something else. `forget`: without bands it is removed, and an alarm that fired before is
 * forgotten; else both stay, for the other tasks of a job. */
MUST_USE ErrCode alarm_publish(const char *dir, const AlarmBands *bands, bool forget, Err *err);
/* Reads it; none: no bands. Names live in the arena. */
MUST_USE ErrCode alarm_load(Arena *a, const char *dir, AlarmBands *bands, Err *err);

/* The counts of DIR so far. */
typedef struct {
    uint64_t n_in;
    const char *const *reasons; /* n_reasons names */
    const uint64_t *dropped;    /* by reason */
    uint32_t n_reasons;
    const Counters *counters;
    double
        n_to_come; /* documents that may still come in, at most; each counts at most once in a group. 0: this is the whole */
} AlarmCounts;
/* ERR_NO with the first band that the rates can only end outside of (*left, which may be NULL). Of the whole also ERR_USAGE, when
 * documents were kept but nothing at all was counted in the group of a band, or nothing under its name although the band asks for some and
 * LOW is 0: such a band watches nothing. */
MUST_USE ErrCode alarm_judge(const AlarmBands *bands, const char *dir, const AlarmCounts *counts,
                             const AlarmBand **left, Err *err);

/* Tells the other processes at work in DIR. */
MUST_USE ErrCode alarm_fire(const char *dir, const AlarmBand *left, Err *err);
/* ERR_NO when another process has found one of these very bands left. */
MUST_USE ErrCode alarm_fired(const char *dir, const AlarmBands *bands, Err *err);

#endif
