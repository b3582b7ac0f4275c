#include "tokenize/pretoken_block.h"

#define L   BYTE_LETTER
#define D   BYTE_DIGIT
#define P   BYTE_PUNCT
#define T   BYTE_TAB
#define N   BYTE_NEWLINE
#define H16 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128
const uint8_t pretoken_byte[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0,   T,   N,   T,   T,          N,   0,   0,  0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0,   0,   0,   0,   BYTE_BLANK, P,   P,   P,  P, P, P, P | BYTE_QUOTE,
    P, P, P, P, P, P, P, P, D,   D,   D,   D,   D,          D,   D,   D,  D, D, P, P,
    P, P, P, P, P, L, L, L, L,   L,   L,   L,   L,          L,   L,   L,  L, L, L, L,
    L, L, L, L, L, L, L, L, L,   L,   L,   P,   P,          P,   P,   P,  P, L, L, L,
    L, L, L, L, L, L, L, L, L,   L,   L,   L,   L,          L,   L,   L,  L, L, L, L,
    L, L, L, P, P, P, P, 0, H16, H16, H16, H16, H16,        H16, H16, H16};
