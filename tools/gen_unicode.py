#!/usr/bin/env python3
"""Writes core/unicode_tables.inc. Run by hand when the pinned data changes; the result is committed.

Data: the Unicode Character Database 15.0.0 (Debian 12 package unicode-data, /usr/share/unicode), the program
opencc 1.1.6 with its t2s and s2t tables (Debian 12 packages opencc, libopencc-data), which gives one simplified
character for one traditional character when asked about characters one by one.

  gen_unicode.py [--ucd /usr/share/unicode] [--opencc opencc] -o core/unicode_tables.inc
"""
import argparse
import re
import subprocess
import sys

UCD_VERSION = "15.0.0"
OPENCC_VERSION = "1.1.6"
OPENCC_SAYS = "1.1.5"  # what the program of Debian's 1.1.6+ds1-1 prints
N = 0x110000
(OTHER, SPACE, LETTER, HAN, KANA, HANGUL, MARK, DIGIT, NUMBER, PUNCT, SYMBOL) = range(11)
LAST = 1 << 31  # marks the last code point of a fold
FOLD_SAME, FOLD_NOTHING, FOLD_FIRST = 0, 1, 2  # values of a fold entry; from FOLD_FIRST on an offset into the pool
FOLD_PAGE = 128  # UNICODE_FOLD_PAGE of core/unicode.h
SIDES_BEGIN, SIDES_END = 0x3400, 0xA000  # what a bitmap says of sides; the rest, rare, is in ranges


def properties(path, wanted):
    """{property: set of code points} of a UCD file of the form 'a..b ; property # comment'."""
    out = {w: set() for w in wanted}
    for line in open(path, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        where, prop = [x.strip() for x in line.split(";")][:2]
        if prop in out:
            first, _, last = where.partition("..")
            out[prop].update(range(int(first, 16), int(last or first, 16) + 1))
    return out


def categories_and_decompositions(ucd):
    cat, canon = ["Cn"] * N, {}
    first = None
    for line in open(ucd + "/UnicodeData.txt", encoding="utf-8"):
        f = line.rstrip("\n").split(";")
        cp = int(f[0], 16)
        if f[1].endswith(", First>"):
            first = cp
            continue
        for c in range(cp if first is None else first, cp + 1):
            cat[c] = f[2]
        first = None
        if f[5] and not f[5].startswith("<"):
            canon[cp] = [int(x, 16) for x in f[5].split()]
    return cat, canon


def casefolds(ucd):
    """NFKC_Casefold: {code point: list}, where it is not the code point itself."""
    version = open(ucd + "/DerivedNormalizationProps.txt", encoding="utf-8").readline()
    if UCD_VERSION not in version:
        sys.exit(f"{ucd}: not Unicode {UCD_VERSION}: {version.strip()}")
    out = {}
    for line in open(ucd + "/DerivedNormalizationProps.txt", encoding="utf-8"):
        f = [x.strip() for x in line.split("#")[0].split(";")]
        if len(f) >= 3 and f[1] == "NFKC_CF":
            first, _, last = f[0].partition("..")
            for cp in range(int(first, 16), int(last or first, 16) + 1):
                out[cp] = [int(x, 16) for x in f[2].split()]
    return out


def opencc(program, config, chars):
    """The image of every character of `chars`, asked one a line so that no phrase is met."""
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if OPENCC_SAYS not in version:
        sys.exit(f"{program}: not version {OPENCC_SAYS}: {version.strip()}")
    text = "".join(chr(c) + "\n" for c in chars)
    got = subprocess.run([program, "-c", config], input=text.encode(), capture_output=True, check=True)
    lines = got.stdout.decode().split("\n")[: len(chars)]
    return {c: ord(s) for c, s in zip(chars, lines) if len(s) == 1 and ord(s) != c}


def encodes(cp, codec):
    try:
        chr(cp).encode(codec)
        return True
    except UnicodeEncodeError:
        return False


def classes(cat, scripts, white):
    han, kana, hangul = scripts["Han"], scripts["Hiragana"] | scripts["Katakana"], scripts["Hangul"]
    kana_common = {0x30FC, 0xFF70}  # the long-vowel marks are of script Common
    by_letter = {"L": LETTER, "M": MARK, "P": PUNCT, "S": SYMBOL}
    out = bytearray(N)
    for cp, c in enumerate(cat):
        if cp in white:
            out[cp] = SPACE
        elif cp in (0x3005, 0x3007) or (cp in han and c[0] == "L"):
            out[cp] = HAN
        elif cp in kana_common or (cp in kana and c[0] == "L"):
            out[cp] = KANA
        elif cp in hangul and c[0] == "L":
            out[cp] = HANGUL
        elif c == "Nd":
            out[cp] = DIGIT
        elif c[0] == "N":
            out[cp] = NUMBER
        else:
            out[cp] = by_letter.get(c[0], OTHER)
    return out


def folds(cat, canon, cf, t2s):
    def decomposed(cp):
        return [x for c in canon[cp] for x in decomposed(c)] if cp in canon else [cp]

    out = {}
    for cp in range(N):
        if 0xD800 <= cp < 0xE000:
            continue
        full = [x for c in cf.get(cp, [cp]) for x in decomposed(c)]
        # Decomposing may bring up a letter with a fold of its own; none of them folds twice.
        full = [x for c in full for x in cf.get(c, [c])]
        full = [t2s.get(c, c) for c in full if cat[c] != "Mn"]
        if full != [cp]:
            out[cp] = full
    return out


def paged(values, size):
    """Two-level table: page numbers, and the distinct pages."""
    seen, pages, index = {}, [], []
    for at in range(0, N, size):
        page = tuple(values[at : at + size])
        if page not in seen:
            seen[page] = len(pages)
            pages.append(page)
        index.append(seen[page])
    return index, pages


def numbers(f, values, width=118, form=str):
    line = ""
    for v in values:
        item = form(v) + ","
        if len(line) + len(item) > width:
            f.write(line + "\n")
            line = ""
        line += item
    f.write(line + "\n")


def ranges(points):
    out = []
    for cp in sorted(points):
        if out and out[-1][1] + 1 == cp:
            out[-1][1] = cp
        else:
            out.append([cp, cp])
    return out


def write(f, cls, fold, side, terminal):
    f.write("/* Written by tools/gen_unicode.py from the Unicode Character Database " + UCD_VERSION)
    f.write(" and OpenCC " + OPENCC_VERSION + ".\n * Not edited by hand. */\n")
    f.write(f'#define UNICODE_TABLES_ID "ucd-{UCD_VERSION}+opencc-{OPENCC_VERSION}"\n')
    index, pages = paged(cls, 256)
    assert len(pages) <= 256
    f.write("const uint8_t unicode_class_page[0x1100] = {\n")
    numbers(f, index)
    f.write(f"}};\nconst uint8_t unicode_class_of[{len(pages)}][256] = {{\n")
    for p in pages:
        f.write("{\n")
        numbers(f, p)
        f.write("},\n")
    f.write("};\n")

    pool, where, entry = [0] * FOLD_FIRST, {}, [FOLD_SAME] * N
    for cp, to in sorted(fold.items()):
        key = tuple(to)
        if not key:
            entry[cp] = FOLD_NOTHING
            continue
        if key not in where:
            where[key] = len(pool)
            pool += list(key[:-1]) + [key[-1] | LAST]
        entry[cp] = where[key]
    assert len(pool) < 1 << 16 and max(map(len, fold.values())) <= 18
    index, pages = paged(entry, FOLD_PAGE)
    f.write(f"const uint16_t unicode_fold_page[{len(index)}] = {{\n")
    numbers(f, index)
    f.write(f"}};\nconst uint16_t unicode_fold_of[{len(pages)}][UNICODE_FOLD_PAGE] = {{\n")
    for p in pages:
        f.write("{\n")
        numbers(f, p)
        f.write("},\n")
    f.write(f"}};\nstatic const uint32_t fold_pool[{len(pool)}] = {{\n")
    numbers(f, pool, form=lambda v: f"0x{v:X}")
    f.write("};\n")
    f.write(f"const uint64_t unicode_han_sides[2][{(SIDES_END - SIDES_BEGIN) // 64}] = {{\n")
    for points in side:
        words = [sum(1 << bit for bit in range(64) if at + bit in points) for at in range(SIDES_BEGIN, SIDES_END, 64)]
        f.write("{\n")
        numbers(f, words, form=lambda v: f"0x{v:X}")
        f.write("},\n")
    f.write("};\n")
    rare = [[cp for cp in points if cp >= SIDES_END] for points in side]
    for name, points in (("simplified_rare", rare[0]), ("traditional_rare", rare[1]), ("terminal", terminal)):
        r = ranges(points)
        f.write(f"static const CodeRange {name}[{len(r)}] = {{\n")
        numbers(f, r, form=lambda v: f"{{0x{v[0]:X},0x{v[1]:X}}}")
        f.write("};\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ucd", default="/usr/share/unicode")
    p.add_argument("--opencc", default="opencc")
    p.add_argument("-o", "--out", required=True)
    a = p.parse_args()

    cat, canon = categories_and_decompositions(a.ucd)
    props = properties(a.ucd + "/PropList.txt", ["White_Space", "Sentence_Terminal"])
    scripts = properties(a.ucd + "/Scripts.txt", ["Han", "Hiragana", "Katakana", "Hangul"])
    han = sorted(c for c in scripts["Han"] if cat[c] == "Lo")
    t2s, s2t = opencc(a.opencc, "t2s", han), opencc(a.opencc, "s2t", han)
    # Images of images: 1:1 tables may chain; the key wants one normal form.
    for c in t2s:
        seen = {c}
        while t2s[c] in t2s and t2s[c] not in seen:
            seen.add(t2s[c])
            t2s[c] = t2s[t2s[c]]
    # Side: the character converts away from it, and the other side's national standard does not have it
    # (GB/T 2312 for simplified, Big5 for traditional): 后 or 里 belong to both.
    simplified = [c for c in s2t if not encodes(c, "big5")]
    traditional = [c for c in t2s if not encodes(c, "gb2312")]
    terminal = props["Sentence_Terminal"] | {ord(c) for c in "…～~"}
    fold = folds(cat, canon, casefolds(a.ucd), t2s)
    with open(a.out, "w", encoding="ascii") as f:
        write(f, classes(cat, scripts, props["White_Space"]), fold, (simplified, traditional), terminal)


if __name__ == "__main__":
    main()
