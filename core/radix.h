/* core/radix.h - sorts fixed-size items by the bytes they begin with.
 *
 * radix_sort() works in place, most significant byte first (McIlroy, Bostic, McIlroy 1993): one counting pass and one scatter a
 * level, insertion sort below RADIX_SMALL items. A level whose items fit the scratch is scattered through it; a larger one is
 * permuted in place, so a skewed input needs no memory of its own size.
 *
 * radix_gather() sorts what lies in several places into one: its first level takes as many bits at once as there are items to
 * tell apart, so that random keys are in order after one scatter but for buckets of two or three. */
#ifndef TAMIS_CORE_RADIX_H
#define TAMIS_CORE_RADIX_H

#include "core/bytes.h"

enum { RADIX_SMALL = 32, RADIX_MAX_WIDTH = 64 };

/* Sorts n items of `width` bytes (1 .. RADIX_MAX_WIDTH) by memcmp of their first key_bytes <= width bytes. Items with equal
 * keys end in no particular order. scratch_bytes may be 0. */
void radix_sort(uint8_t *items, size_t n, size_t width, size_t key_bytes, uint8_t *scratch, size_t scratch_bytes);

/* Sorts the items of all slices, whole items each, into `to`, which has room for them and overlaps none. key_bytes >= 8;
 * `shared` is how many leading bits all items have in common. The slices are left as they are. */
void radix_gather(uint8_t *to, const Span *slice, size_t n_slices, size_t width, size_t key_bytes, unsigned shared,
                  uint8_t *scratch, size_t scratch_bytes);

#endif
