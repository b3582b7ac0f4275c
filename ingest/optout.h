/* ingest/optout.h - what a page asks of those who read it by machine, in the places where pages say so: <meta name="robots">
 * and its like, the header X-Robots-Tag (Robots Exclusion Protocol as search engines extended it), and TDMRep, the reservation of text and
 * data mining (W3C community group report: meta and header tdm-reservation).
 *
 * Words that speak to all robots, or to the crawler that fetched the page (CCBot), count as they stand. A crawler that reads for
 * models (GPTBot, Google-Extended …) and is told noindex or none is told noai. What is said to one search engine alone does
 * not count, but for noai. */
#ifndef TAMIS_INGEST_OPTOUT_H
#define TAMIS_INGEST_OPTOUT_H

#include "core/bytes.h"

typedef enum {
    OPT_OUT_NOINDEX, /* noindex, or none */
    OPT_OUT_NOARCHIVE,
    OPT_OUT_NOCACHE,
    OPT_OUT_NOSNIPPET,
    OPT_OUT_NOAI, /* noai, or no index for a crawler of models */
    OPT_OUT_NOIMAGEAI,
    OPT_OUT_NOML,
    OPT_OUT_TDM, /* tdm-reservation: 1 */
    OPT_OUT_N
} OptOut;
extern const char *const opt_out_names[OPT_OUT_N];

/* Those that speak of training: --respect-opt-out drops a page for one of them. */
enum { OPT_OUT_TRAINING = 1 << OPT_OUT_NOAI | 1 << OPT_OUT_NOML | 1 << OPT_OUT_TDM };

/* As bits. Of <meta name content>; a name that is no robot's gives none. */
unsigned optout_of_meta(Span name, Span content);
/* Of the value of an X-Robots-Tag: "noindex, nofollow", "gptbot: none". */
unsigned optout_of_header(Span value);

#endif
