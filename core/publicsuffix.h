/* core/publicsuffix.h - which part of a host its owner registered. libpsl is met only in publicsuffix.c. */
#ifndef TAMIS_CORE_PUBLICSUFFIX_H
#define TAMIS_CORE_PUBLICSUFFIX_H

#include "core/bytes.h"

/* The registrable domain of a host as url_host() gives it: the label ahead of its public suffix, with the suffix ("a.b.example.co.uk" ->
 * "example.co.uk"), inside `host`; empty for an address or a suffix itself. By the Public Suffix List that libpsl was built with: it changes from
 * month to month, so it is for people and their counts, and decides no output. */
Span publicsuffix_domain(Span host);

#endif
