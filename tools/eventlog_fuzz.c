#include "tools/eventlog.h"

#include "core/json.h"
#include "tools/event_stats.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* Two files, parted at the first zero byte. Whatever they hold is read, and times stay in order. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const Span text = {p, n};
    const size_t part = span_find(text, 0);
    EventReader *r;
    EventStats stats;
    EventLog log;
    Err err;

    must(eventreader_new(&r, &log, &err) == ERR_OK);
    must(eventreader_file(r, span(p, part), &err) == ERR_OK);
    must(eventreader_file(r, span_from(text, part + 1), &err) == ERR_OK);
    must(eventreader_end(r, &err) == ERR_OK);
    eventreader_free(r);
    for (size_t i = 0; i < log.n_spans; i++)
        must(log.span[i].begin <= log.span[i].end && log.span[i].process < log.n_processes);
    for (size_t i = 0; i < log.n_parts; i++)
        must(log.part[i].begin <= log.part[i].end && log.part[i].process < log.n_processes);
    must(eventstats_make(&stats, &log, &err) == ERR_OK);
    eventstats_clear(&stats);
    eventlog_clear(&log);
    return 0;
}
