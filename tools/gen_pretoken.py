#!/usr/bin/env python3
"""Writes the character classes of the pre-tokenizers: tokenize/pretoken_tables.inc, those of DeepSeek-LLM; and
tokenize/pretoken_unicode.inc, those of the chains that speak of \\p{L} and the like, from tools/pretoken_unicode.txt.

usage: tools/gen_pretoken.py > tokenize/pretoken_tables.inc
       tools/gen_pretoken.py unicode > tokenize/pretoken_unicode.inc

The classes are frozen: a tokenizer means the same text for ever, whatever later Unicode versions add. LETTERS, PUNCT
and CJK are the character classes of its three Split patterns (deepseek-ai/deepseek-llm-7b-base, tokenizer.json);
SPACE is \\s of Oniguruma in Unicode mode without CR and LF, which stand alone before \\s is looked for; NUMERIC is char::is_numeric (Nd, Nl, No) as `tokenizers` 0.23.2 has it.
"""
import os
import sys

LETTERS = """41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376-377 37B-37D 37F 386 388-38A 38C 38E-3A1
3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A
1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4
1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128
212A-212D 212F-2134 2139 213C-213F 2145-2149 214E 2183-2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2-2CF3 A640-A66D
A680-A69B A722-A76F A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3
104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943"""
PUNCT = "21-2F 3A-7E FF01-FF0F FF1A-FF5E 2018-201F 3000-3002"
CJK = "4E00-9FA5 800-4E00 AC00-D7FF"
SPACE = "9 B-C 20 85 A0 1680 2000-200A 2028-2029 202F 205F 3000"
NUMERIC = """30-39 B2-B3 B9 BC-BE 660-669 6F0-6F9 7C0-7C9 966-96F 9E6-9EF 9F4-9F9 A66-A6F AE6-AEF B66-B6F B72-B77 BE6-BF2
C66-C6F C78-C7E CE6-CEF D58-D5E D66-D78 DE6-DEF E50-E59 ED0-ED9 F20-F33 1040-1049 1090-1099 1369-137C 16EE-16F0
17E0-17E9 17F0-17F9 1810-1819 1946-194F 19D0-19DA 1A80-1A89 1A90-1A99 1B50-1B59 1BB0-1BB9 1C40-1C49 1C50-1C59 2070
2074-2079 2080-2089 2150-2182 2185-2189 2460-249B 24EA-24FF 2776-2793 2CFD 3007 3021-3029 3038-303A 3192-3195
3220-3229 3248-324F 3251-325F 3280-3289 32B1-32BF A620-A629 A6E6-A6EF A830-A835 A8D0-A8D9 A900-A909 A9D0-A9D9
A9F0-A9F9 AA50-AA59 ABF0-ABF9 FF10-FF19 10107-10133 10140-10178 1018A-1018B 102E1-102FB 10320-10323 10341 1034A 103D1-103D5 104A0-104A9
10858-1085F 10879-1087F 108A7-108AF 108FB-108FF 10916-1091B 109BC-109BD 109C0-109CF 109D2-109FF 10A40-10A48
10A7D-10A7E 10A9D-10A9F 10AEB-10AEF 10B58-10B5F 10B78-10B7F 10BA9-10BAF 10CFA-10CFF 10D30-10D39 10D40-10D49
10E60-10E7E 10F1D-10F26 10F51-10F54 10FC5-10FCB 11052-1106F 110F0-110F9 11136-1113F 111D0-111D9 111E1-111F4
112F0-112F9 11450-11459 114D0-114D9 11650-11659 116C0-116C9 116D0-116E3 11730-1173B 118E0-118F2 11950-11959
11BF0-11BF9 11C50-11C6C 11D50-11D59 11DA0-11DA9 11DE0-11DE9 11F50-11F59 11FC0-11FD4 12400-1246E 16130-16139
16A60-16A69 16AC0-16AC9 16B50-16B59 16B5B-16B61 16D70-16D79 16E80-16E96 16FF4-16FF6 1CCF0-1CCF9 1D2C0-1D2D3
1D2E0-1D2F3 1D360-1D378 1D7CE-1D7FF 1E140-1E149 1E2F0-1E2F9 1E4F0-1E4F9 1E5F1-1E5FA 1E8C7-1E8CF 1E950-1E959
1EC71-1ECAB 1ECAD-1ECAF 1ECB1-1ECB4 1ED01-1ED2D 1ED2F-1ED3D 1F100-1F10C 1FBF0-1FBF9"""

BITS = [("LETTER", LETTERS), ("PUNCT", PUNCT), ("CJK", CJK), ("SPACE", SPACE), ("NUMERIC", NUMERIC), ("NEWLINE", "A D")]
PAGE = 64         # code points a page
LIMIT = 0x20000   # nothing above has a class
CATEGORIES = ["L ", "M ", "N ", "P ", "S "]
UNI_LIMIT = 0xE0200


def ranges(text):
    for word in text.split():
        lo, _, hi = word.partition("-")
        yield int(lo, 16), int(hi or lo, 16)


def char_class(text):
    """The class as the reference spells it: two neighbours without a hyphen."""
    return "".join(chr(lo) if lo == hi else chr(lo) + ("-" if hi > lo + 1 else "") + chr(hi) for lo, hi in ranges(text))


def split(pattern):
    quoted = pattern.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    return '{"type":"Split","pattern":{"Regex":"%s"},"behavior":"Isolated","invert":false}' % quoted


def pre_tokenizer():
    steps = [split("[\r\n]"), split("\\s?[" + char_class(LETTERS) + "]+"), split("\\s?[" + char_class(PUNCT) + "]+"),
             split("\\s+$"), split("[" + char_class(CJK) + "]+"), '{"type":"Digits","individual_digits":true}',
             '{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}']
    return '{"type":"Sequence","pretokenizers":[%s]}' % ",".join(steps)


def put_numbers(name, ctype, values, form="%d"):
    print("static const %s %s = {" % (ctype, name))
    line = ""
    for value in values:
        word = form % value + ","
        if len(line) + len(word) > 118:
            print(line)
            line = ""
        line += word
    print(line)
    print("};")


def paged(table):
    pages, index = {}, []
    for at in range(0, len(table), PAGE):
        index.append(pages.setdefault(tuple(table[at:at + PAGE]), len(pages)))
    return pages, index


def unicode_classes():
    """A category a code point, in the order of UNI_ in tokenize/pretoken_unicode.h; 8 is added for the CJK of DeepSeek-V3's second split."""
    table, category = [0] * UNI_LIMIT, 0
    for line in open(os.path.join(os.path.dirname(__file__), "pretoken_unicode.txt"), encoding="ascii"):
        if line[:2] in CATEGORIES:
            category = CATEGORIES.index(line[:2]) + 1
        elif line[0] != "#":
            for lo, hi in ranges(line):
                table[lo:hi + 1] = [category] * (hi + 1 - lo)
    for lo, hi in ranges(SPACE + " A D"):
        table[lo:hi + 1] = [len(CATEGORIES) + 1] * (hi + 1 - lo)
    for lo, hi in ranges("3040-30FF 4E00-9FA5"):
        table[lo:hi + 1] = [8 + c for c in table[lo:hi + 1]]
    pages, index = paged(table)
    print("/* Written by tools/gen_pretoken.py; not to be edited. clang-format off */")
    print("enum { UNI_PAGE = %d, UNI_LIMIT = 0x%x };" % (PAGE, UNI_LIMIT))
    put_numbers("uni_page[UNI_LIMIT / UNI_PAGE]", "uint16_t", index)
    put_numbers("uni_category[%d]" % (len(pages) * PAGE), "uint8_t", [c for page in pages for c in page])


def main():
    table = [0] * LIMIT
    for bit, (_, text) in enumerate(BITS):
        for lo, hi in ranges(text):
            for cp in range(lo, hi + 1):
                table[cp] |= 1 << bit
    pages, index = paged(table)
    assert len(pages) <= 256

    print("/* Written by tools/gen_pretoken.py; not to be edited. clang-format off */")
    print("enum { PRETOKEN_PAGE = %d, PRETOKEN_LIMIT = 0x%x };" % (PAGE, LIMIT))
    put_numbers("pretoken_page[PRETOKEN_LIMIT / PRETOKEN_PAGE]", "uint8_t", index)
    put_numbers("pretoken_class[%d]" % (len(pages) * PAGE), "uint8_t", [c for page in pages for c in page])
    print("#ifdef PRETOKEN_RANGES /* the same as ranges [lo, hi], in the order of the bits; 0, 0 ends a class */")
    put_numbers("pretoken_ranges[]", "uint32_t",
                [n for _, text in BITS for lo, hi in list(ranges(text)) + [(0, 0)] for n in (lo, hi)], "0x%x")
    print("#endif")
    # Non-ASCII in octal: some of these letters change when an editor normalises the file.
    units = [("\\" if c in '"\\' else "") + c if ord(c) < 128 else "".join("\\%o" % b for b in c.encode())
             for c in pre_tokenizer()]
    print("/* The member \"pre_tokenizer\" of tokenizer.json, canonical. */")
    print("static const char pretoken_json[] =")
    for at in range(0, len(units), 20):
        print('    "%s"%s' % ("".join(units[at:at + 20]), ";" if at + 20 >= len(units) else ""))


if sys.argv[1:] == ["unicode"]:
    unicode_classes()
else:
    main()
