/* filter/lines.h - lines and paragraphs of a text, and what is counted of them. Private to the room. */
#ifndef TAMIS_FILTER_LINES_H
#define TAMIS_FILTER_LINES_H

#include "filter/repeats.h"

typedef struct {
    /* lines as Python's str.splitlines makes them */
    uint64_t n_lines, n_bullets, n_end_dots;
    /* pieces between runs of '\n', empty ones at the ends of the text among them; those that stood before */
    uint64_t n_pieces, n_dup_pieces, dup_piece_chars;
    /* pieces of the trimmed text between runs of two and more '\n' */
    uint64_t n_paras, n_dup_paras, dup_para_chars;
    /* lines between single '\n' that hold more than white space */
    uint64_t n_text_lines, text_line_chars, n_terminal, n_short, dup_text_chars, n_more, max_chars;
    uint64_t n_newlines;
} LineCounts;

/* short_chars: the longest line that counts as short. odd_breaks: as words_split found. */
MUST_USE ErrCode lines_count(Repeats *r, Span text, uint32_t short_chars, bool odd_breaks, LineCounts *out, Err *err);

/* Without white space (Unicode White_Space) at the ends. */
Span text_trim(Span s);

#endif
