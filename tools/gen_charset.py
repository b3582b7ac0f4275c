#!/usr/bin/env python3
"""Writes ingest/chinese_tables.inc. Run by hand when a mapping changes; the result is committed.

Data: the codecs gb18030, cp950 and big5hkscs of Python 3.11, and, stated below, where the WHATWG Encoding Standard
(which is what browsers do) or GB 18030-2022 say something else.

  gen_charset.py -o ingest/chinese_tables.inc
"""
import argparse

WIDTH = 192  # trails 0x40 to 0xFF; 0x7F and 0xFF are none
LEADS = range(0x80, 0x100)  # 0x80 and 0xFF are none
LEAST = 0x800  # smaller values of a table are 0, no character, or an index into the list of the others

# GB 18030-2022 gives these pairs characters of Unicode; older editions, and the codec, private ones. A3A0 is the
# standard's: pages have it for a wide blank.
GB_PAIRS = """
A3A0:3000 A6D9:FE10 A6DA:FE12 A6DB:FE11 A6DC:FE13 A6DD:FE14 A6DE:FE15 A6DF:FE16 A6EC:FE17 A6ED:FE18 A6F3:FE19 A8BC:1E3F
FE51:20087 FE52:20089 FE53:200CC FE59:9FB4 FE61:9FB5 FE66:9FB6 FE67:9FB7 FE6C:215D7 FE6D:9FB8 FE76:2298F FE7E:9FB9
FE90:9FBA FE91:241FE FEA0:9FBB
"""
GB_FOURS = {7457: 0xE7C7}  # 81 35 F4 37: what A8BC no longer is

# What the Encoding Standard has beyond cp950 and big5hkscs: HKSCS-2008 (87xx), characters that HKSCS codes twice, signs
# for controls.
BIG5_PAIRS = """
877A:3875 877B:21D53 877C:2369E 877D:26021 877E:3EEC 87A1:258DE 87A2:3AF5 87A3:7AFC 87A4:9F97 87A5:24161 87A6:2890D
87A7:231EA 87A8:20A8A 87A9:2325E 87AA:430A 87AB:8484 87AC:9F96 87AD:942F 87AE:4930 87AF:8613 87B0:5896 87B1:974A
87B2:9218 87B3:79D0 87B4:7A32 87B5:6660 87B6:6A29 87B7:889D 87B8:744C 87B9:7BC5 87BA:6782 87BB:7A2C 87BC:524F
87BD:9046 87BE:34E6 87BF:73C4 87C0:25DB9 87C1:74C6 87C2:9FC7 87C3:57B3 87C4:492F 87C5:544C 87C6:4131 87C7:2368E
87C8:5818 87C9:7A72 87CA:27B65 87CB:8B8F 87CC:46AE 87CD:26E88 87CE:4181 87CF:25D99 87D0:7BAE 87D1:224BC 87D2:9FC8
87D3:224C1 87D4:224C9 87D5:224CC 87D6:9FC9 87D7:8504 87D8:235BB 87D9:40B4 87DA:9FCA 87DB:44E1 87DC:2ADFF 87DD:62C1
87DE:706E 87DF:9FCB 8E69:7BB8 8E6F:7C06 8E7E:7CCE 8EAB:7DD2 8EB4:7E1D 8ECD:8005 8ED0:8028 8F57:83C1 8F69:84A8
8F6E:840F 8FCB:89A6 8FCC:89A9 8FFE:8D77 906D:90FD 907A:92B9 90DC:975C 90F1:97FF 91BF:9F16 9244:8503 92AF:5159
92B0:515B 92B1:515D 92B2:515E 92C8:936E 92D1:7479 9447:6D67 94CA:799B 95D9:9097 9644:975D 96ED:701E 96FC:5B28
9B76:7201 9B78:77D7 9B7B:7E87 9BC6:99D6 9BDE:91D4 9BEC:60DE 9BF6:6FB6 9C42:8F36 9C53:4FBB 9C62:71DF 9C68:9104
9C6B:9DF0 9C77:83CF 9CBC:5C10 9CBD:79E3 9CD0:5A67 9D57:8F0B 9D5A:7B51 9DC4:62D0 9EA9:6062 9EEF:75F9 9EFD:6C4A
9F60:9B2E 9F66:9F17 9FCB:50ED 9FD8:5F0C A063:880F A077:62CE A0D5:7468 A0DF:7162 A0E4:7250 A3E0:2421 C6CF:5EF4
C6D3:65E0 C6D5:7676 C6D7:96B6 C6DE:3003 C6DF:4EDD F9FE:FFED FA5F:5029 FA66:507D FABD:5305 FAC5:5344 FAD5:537F
FB48:5605 FBB8:5A77 FBF3:5E75 FBF9:5ED0 FC4F:5F58 FC6C:60A4 FCB9:6490 FCE2:6674 FCF1:675E FDB7:6C9C FDB8:6E1D
FDBB:6E2F FDF1:716E FE52:732A FE6F:745C FEAA:74E9 FEDD:7809
"""


def pairs(text):
    return {int(a, 16): int(b, 16) for a, b in (x.split(":") for x in text.split())}


def decoded(data, codec):
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def gb_pair(lead, trail):
    return decoded(bytes([lead, trail]), "gb18030")


def big5_pair(lead, trail):
    """cp950 where it is no private character, else big5hkscs; the rows C6A1 to C7FC are ETEN's as HKSCS has them."""
    pair = lead << 8 | trail
    if 0xA3C0 <= pair <= 0xA3DF:
        return chr(0x2400 + pair - 0xA3C0)
    if not 0xC6A1 <= pair <= 0xC7FC:
        c = decoded(bytes([lead, trail]), "cp950")
        if c and not 0xE000 <= ord(c) <= 0xF8FF:
            return c
    return decoded(bytes([lead, trail]), "big5hkscs")


def two_bytes(f, name, pair, stated):
    """A row of WIDTH values a lead: the code point where that is three bytes of UTF-8, else an index, see LEAST. The list
    holds code points, or two of them, 16 bits each."""
    table, others = [], [0]
    for lead in LEADS:
        for trail in range(0x40, 0x40 + WIDTH):
            none = lead in (0x80, 0xFF) or trail in (0x7F, 0xFF)
            text = None if none else chr(stated[lead << 8 | trail]) if lead << 8 | trail in stated else pair(lead, trail)
            cps = [ord(c) for c in text] if text else [0]
            assert not 0xD800 <= cps[0] <= 0xDFFF
            if cps == [0]:
                table.append(0)
            elif len(cps) == 1 and LEAST <= cps[0] <= 0xFFFF:
                table.append(cps[0])
            else:
                assert len(cps) == 1 or (len(cps) == 2 and max(cps) <= 0xFFFF)
                table.append(len(others))
                others.append(cps[0] if len(cps) == 1 else cps[0] << 16 | cps[1])
    assert len(others) <= LEAST
    f.write(f"static const uint16_t {name}_two[{len(table)}] = {{\n")
    numbers(f, table)
    f.write(f"static const uint32_t {name}_other[{len(others)}] = {{\n")
    numbers(f, others)


def four_bytes(f):
    """Runs of the basic plane in the order of their four bytes: first place, first code point."""
    cp = []
    for n in range(39420):
        data = bytes([0x81 + n // 12600, 0x30 + n // 1260 % 10, 0x81 + n // 10 % 126, 0x30 + n % 10])
        c = decoded(data, "gb18030")
        cp.append(GB_FOURS.get(n, ord(c) if c else 0))
    runs = [(0, cp[0])] + [(n, cp[n]) for n in range(1, len(cp)) if cp[n] != (cp[n - 1] + 1 if cp[n - 1] else 0)]
    f.write(f"enum {{ GB_FOUR_BMP = {len(cp)}, GB_N_RUNS = {len(runs)} }};\n")
    f.write("static const uint16_t gb_run_at[GB_N_RUNS] = {\n")
    numbers(f, [n for n, c in runs])
    f.write("static const uint16_t gb_run_cp[GB_N_RUNS] = {\n")
    numbers(f, [c for n, c in runs])


def numbers(f, values, width=118):
    """Values with commas; `0,` repeated is what empty rows are."""
    line = ""
    for v in values:
        if len(line) + len(str(v)) + 1 > width:
            f.write(line + "\n")
            line = ""
        line += f"{v},"
    f.write(line + "\n};\n")


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("-o", "--out", required=True)
    out = args.parse_args().out
    with open(out, "w", encoding="utf-8") as f:
        f.write("/* Written by tools/gen_charset.py from Python's codecs and the differences it states. Not edited by hand. */\n")
        two_bytes(f, "gb", gb_pair, pairs(GB_PAIRS))
        four_bytes(f)
        two_bytes(f, "big5", big5_pair, pairs(BIG5_PAIRS))


if __name__ == "__main__":
    main()
