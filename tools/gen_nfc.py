#!/usr/bin/env python3
"""Writes tokenize/nfc_tables.inc: Normalization Form C (Unicode Standard Annex 15) as the normalizer NFC of HuggingFace `tokenizers`
has it, which knows the characters of the Unicode version it was made with; everything is asked of it. Hangul syllables are arithmetic.

usage: gen_nfc.py >tokenize/nfc_tables.inc        needs tokenizers of tests/requirements.txt
"""

import unicodedata

import tokenizers
from tokenizers import normalizers

NFC, NFD = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str
HANGUL = range(0xAC00, 0xD7A4)
ALL = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000 and cp not in HANGUL]


def combining_class(cp, marks):
    """By how it is ordered beside marks of known classes."""
    c = chr(cp)
    below = [k for k, mark in marks if NFD(c + mark) != c + mark]  # k < class
    above = [k for k, mark in marks if NFD(mark + c) != mark + c]  # class < k
    same = [k for k, mark in marks if k not in below and k not in above]
    if not below and not above:
        return 0
    assert len(same) == 1, hex(cp)
    return same[0]


def print_rows(head, rows, n):
    print(head)
    for at in range(0, len(rows), n):
        print("    " + " ".join(rows[at:at + n]))
    print("};")


def ranges(cps):
    out = []
    for cp in cps:
        if out and out[-1][1] == cp - 1:
            out[-1][1] = cp
        else:
            out.append([cp, cp])
    return out


def main():
    known, low, high = {}, "\u0334", "\u0345"  # of classes 1 and 240, the lowest and the highest
    for cp in ALL:
        c = chr(cp)
        if unicodedata.combining(c) and NFD(c) == c and (c in low + high or NFD(high + c) != high + c):
            known.setdefault(unicodedata.combining(c), c)
    marks = sorted(known.items())
    first, last = marks[0][1], marks[-1][1]
    ccc, decomposed, pairs, slow = {}, {}, [], set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for cp in ALL:
        c = chr(cp)
        full = NFD(c)
        if full != c:
            decomposed[cp] = full
        elif NFD(last + c) != last + c or c == last or NFD(c + first) != c + first:
            ccc[cp] = combining_class(cp, marks)
    for cp, full in decomposed.items():
        if NFC(full) == chr(cp):
            left = NFC(full[:-1])
            assert len(left) == 1, hex(cp)
            pairs.append((ord(left), ord(full[-1]), cp))
            slow.add(ord(full[-1]))
    slow |= set(ccc) | {cp for cp in decomposed if NFC(chr(cp)) != chr(cp)}
    # So is what begins with a mark once it is decomposed.
    slow |= {cp for cp, full in decomposed.items() if ord(full[0]) in ccc}

    print("/* Written by tools/gen_nfc.py with tokenizers %s. */" % tokenizers.__version__)
    print_rows("/* Characters that may change or be changed: first, last. */\nstatic const uint32_t nfc_slow[][2] = {",
               ["{0x%X, 0x%X}," % (a, b) for a, b in ranges(sorted(slow))], 6)
    rows = []
    for cp in sorted(ccc):
        if rows and rows[-1][1] == cp - 1 and rows[-1][2] == ccc[cp]:
            rows[-1][1] = cp
        else:
            rows.append([cp, cp, ccc[cp]])
    print_rows("/* Canonical combining class: first, last, class. */\nstatic const uint32_t nfc_class[][3] = {",
               ["{0x%X, 0x%X, %d}," % tuple(r) for r in rows], 5)
    print_rows("/* Full canonical decomposition, padded with 0. */\nstatic const uint32_t nfc_full[][5] = {",
               ["{0x%X, %s}," % (cp, ", ".join("0x%X" % ord(x) for x in full)) for cp, full in sorted(decomposed.items())], 4)
    print_rows("/* Primary composites: first, second, both. */\nstatic const uint32_t nfc_pair[][3] = {",
               ["{0x%X, 0x%X, 0x%X}," % p for p in sorted(pairs)], 4)


main()
