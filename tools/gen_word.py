#!/usr/bin/env python3
"""Writes tokenize/word_chars.inc: the characters that `\\w` of HuggingFace `tokenizers` takes (Rust's regex, Unicode: Alphabetic,
marks, decimal digits, connectors, joiners), found by asking it for an added token with single_word beside every code point.

usage: gen_word.py >tokenize/word_chars.inc        needs tokenizers of tests/requirements.txt
"""

import tokenizers
from tokenizers import AddedToken, Tokenizer, models


def main():
    t = Tokenizer(models.BPE())
    t.add_tokens([AddedToken("\x01", single_word=True, normalized=False)])
    word = [cp != 1 and not 0xD800 <= cp < 0xE000 and not t.encode(chr(cp) + "\x01").ids for cp in range(0x110000)]
    print("/* Written by tools/gen_word.py with tokenizers %s. First and last of each range of `\\w`. */" % tokenizers.__version__)
    print("static const uint32_t word_chars[][2] = {")
    ranges, begin = [], None
    for cp in range(0x110001):
        inside = cp < 0x110000 and word[cp]
        if inside and begin is None:
            begin = cp
        elif not inside and begin is not None:
            ranges.append("{0x%X, 0x%X}," % (begin, cp - 1))
            begin = None
    for at in range(0, len(ranges), 6):
        print("    " + " ".join(ranges[at:at + 6]))
    print("};")


main()
