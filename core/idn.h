/* core/idn.h - internationalised host names. libidn2 is met only in idn.c. */
#ifndef TAMIS_CORE_IDN_H
#define TAMIS_CORE_IDN_H

#include "core/url.h"

/* A host as url_host() gives it in its A-label form (IDNA 2008 after UTS 46's mapping, RFC 5891): itself where it is ASCII or no name that can be
 * registered. Written to `out` when it changes. */
Span idn_ascii(Span host, uint8_t out[URL_MAX_HOST]);

#endif
