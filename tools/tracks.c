#include "tools/tracks.h"

typedef struct {
    double end[TRACKS_MAX_DEPTH]; /* of the intervals open now, the innermost last */
    int depth;
} Track;

static bool fits(Track *t, const TrackItem *item, bool flat)
{
    while (t->depth && t->end[t->depth - 1] <= item->begin) t->depth--;
    if (t->depth == 0) return true;
    return !flat && t->depth < TRACKS_MAX_DEPTH && item->end <= t->end[t->depth - 1];
}

int tracks_lay(TrackItem *item, size_t n, bool flat)
{
    Track track[TRACKS_MAX];
    int n_tracks = 0;

    for (size_t i = 0; i < n; i++) {
        int at = 0;
        while (at < n_tracks && !fits(&track[at], &item[i], flat)) at++;
        item[i].track = TRACK_NONE;
        if (at == TRACKS_MAX) continue;
        if (at == n_tracks) track[n_tracks++].depth = 0;
        item[i].track = at;
        item[i].depth = track[at].depth;
        track[at].end[track[at].depth++] = item[i].end;
    }
    return n_tracks;
}
