/* tools/report.h - report.html of a run directory: one page that needs nothing else, with inline SVG and no script.
 *
 * Funnel of documents and bytes, reasons for drops, languages and domains before and after, tokens per byte by stream,
 * loss curve, samples of the model in its languages, table of stages. Everything that comes from records, paths or the
 * model is escaped. A stage that has not run is left out. */
#ifndef TAMIS_TOOLS_REPORT_H
#define TAMIS_TOOLS_REPORT_H

#include "tools/rundir.h"

/* Publishes DIR/report.html; with `print`, the closing table and the page's path go to stdout. */
MUST_USE ErrCode report_write(const char *dir, bool print, Err *err);

/* --- what the trained model says (samples.c) */
typedef struct {
    const char *title, *prompt; /* prompt: UTF-8 text, static */
    Span text;                  /* the prompt and what followed; in the run's arena; may be ill-formed UTF-8 */
} ModelSample;
enum { MODEL_SAMPLES = 4, MODEL_SAMPLE_TOKENS = 120 };
/* Asks tamis-train for a continuation of prompts in the languages it was trained on (fixed seed). *n is 0 when the run has no
 * trained model. A trainer that fails costs its samples and a warning, never the report. ERR_INTR when we are asked to stop. */
MUST_USE ErrCode model_samples(RunDir *r, ModelSample *out, size_t *n, Err *err);

#endif
