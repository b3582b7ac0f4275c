/* tools/tracks.h - intervals laid out on tracks, where they follow or enclose one another but never cross: what a trace viewer and
 * a figure can draw. */
#ifndef TAMIS_TOOLS_TRACKS_H
#define TAMIS_TOOLS_TRACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACKS_MAX = 64, TRACKS_MAX_DEPTH = 32, TRACK_NONE = -1 };

typedef struct {
    double begin, end;
    const void *what; /* the caller's */
    int track;        /* 0 .. TRACKS_MAX - 1; TRACK_NONE: there was no more room */
    int depth;        /* intervals of the track around it */
} TrackItem;

/* Gives each item the first track on which it crosses none; with `flat`, on which it is alone. Items are sorted by begin, of equal
 * ones the longer first. Returns how many tracks there are. */
int tracks_lay(TrackItem *item, size_t n, bool flat);

#endif
