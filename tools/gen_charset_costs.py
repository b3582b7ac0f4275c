#!/usr/bin/env python3
"""Writes ingest/charset_costs.inc: how unlikely a character of each charset is, for the detector of charsets.

Counted are single characters, in the documentation of Debian 12 that is translated into many languages, unpacked
(dpkg -x) below one directory: debian-handbook, installation-guide-amd64, linux-doc-6.1, libreoffice-help-ja, -ko, -zh-cn,
-zh-tw, manpages-ja, manpages-zh, debian-reference-zh-cn, -zh-tw; and the program opencc, which tells that the traditional
and the simplified form of a character are as common.

  gen_charset_costs.py --tree DIR -o ingest/charset_costs.inc
"""
import argparse
import collections
import gzip
import html
import math
import os
import re
import subprocess

LANG = [("hans", r"zh[-_]?cn"), ("hant", r"zh[-_]?tw"), ("ja", r"ja([-_]jp)?"), ("ko", r"ko([-_]kr)?"), ("ru", r"ru([-_]ru)?"),
        ("el", r"el([-_]gr)?"), ("ar", r"ar[-_]ma"), ("tr", r"tr[-_]tr"), ("cs", r"cs([-_]cz)?"), ("pl", r"pl[-_]pl"),
        ("hr", r"hr[-_]hr"), ("ro", r"ro([-_]ro)?"), ("de", r"de([-_]de)?"), ("fr", r"fr([-_]fr)?"), ("es", r"es([-_]es)?"),
        ("it", r"it([-_]it)?"), ("pt", r"pt([-_]br)?"), ("nl", r"nl([-_]nl)?"), ("sv", r"sv([-_]se)?"), ("da", r"da([-_]dk)?"),
        ("nb", r"nb[-_]no"), ("en", r"en([-_]us)?")]
PATTERNS = [(lang, re.compile(r"(^|[/.])" + p + r"([/.]|$)", re.I)) for lang, p in LANG]
# Charsets of one byte a character, and the languages counted for them.
SINGLE = [("windows_1252", "cp1252", "de fr es it pt nl sv da nb en"), ("windows_1250", "cp1250", "cs pl hr ro"),
          ("windows_1251", "cp1251", "ru"), ("koi8_r", "koi8_r", "ru"), ("windows_1253", "cp1253", "el"),
          ("windows_1254", "cp1254", "tr"), ("windows_1256", "cp1256", "ar")]
RARE, NONE = 15, 16  # values of a pair table, as letters from '@' on; see charset_score.c


def language(path):
    for lang, pattern in PATTERNS:
        if pattern.search(path):
            return lang
    return None


def text_of(path):
    data = (gzip.open if path.endswith(".gz") else open)(path, "rb").read()
    text = data.decode("utf-8", "ignore")
    if ".html" in path or ".xhtml" in path:
        text = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", text)
        text = html.unescape(text)
    return text


def count(tree):
    """{language: Counter of characters}, ASCII left out."""
    out = collections.defaultdict(collections.Counter)
    for folder, dirs, files in os.walk(tree, followlinks=True):
        dirs.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            lang = language(path[len(tree):])
            if lang is None or os.path.islink(path) or not re.search(r"\.(html|xhtml|rst|txt|[1-9])(\.gz)?$", name):
                continue
            try:
                out[lang].update(c for c in text_of(path) if ord(c) >= 0x80)
            except (OSError, EOFError):
                pass
    return out


def simplified(chars):
    got = subprocess.run(["opencc", "-c", "t2s"], input="\n".join(chars).encode(), capture_output=True, check=True)
    return dict(zip(chars, got.stdout.decode().split("\n")))


def decoded(data, codec):
    try:
        c = data.decode(codec)
    except UnicodeDecodeError:
        return None
    return c if len(c) == 1 and not 0xE000 <= ord(c) <= 0xF8FF else None


def shares(counter, chars):
    total = sum(counter[c] for c in chars) or 1
    return {c: counter[c] / total for c in chars}


def chinese(counts, gb_chars, big5_chars):
    """Shares of characters in simplified and in traditional text, each learning from the other."""
    s_of = simplified(sorted(set(big5_chars)))
    hans, hant = counts["hans"].copy(), collections.Counter()
    for c, n in counts["hant"].items():
        hans[s_of.get(c, c)] += n
    forms = collections.defaultdict(list)
    for t, s in s_of.items():
        forms[s].append(t)
    for s, n in hans.items():
        weight = {t: counts["hant"][t] + 0.5 for t in forms.get(s, [])}
        for t, w in weight.items():
            hant[t] += n * w / sum(weight.values())
    return shares(hans, gb_chars), shares(hant, big5_chars)


def pair_table(f, name, pairs, share, levels):
    """A letter a pair. `levels`: (share of text, characters) of which any may occur."""
    p = {c: 0.85 * share.get(c, 0) for c in pairs if c}
    for part, chars in levels:
        for c in chars:
            p[c] = p.get(c, 0) + part / len(chars)
    out = ""
    for c in pairs:
        bits = -math.log2(p[c]) if c and p.get(c) else 99
        out += chr(64 + (NONE if c is None else max(0, min(RARE, round(bits) - 3))))
    strings(f, f"static const char {name}[]", out)


def strings(f, what, text, width=112):
    f.write(f"{what} =\n")
    lines = [text[i:i + width] for i in range(0, len(text), width)]
    f.write("\n".join(f'    "{line}"' for line in lines) + ";\n")


def single_table(f, name, codec, langs, counts):
    """A byte a byte from 0x80 on: bits 0-3 the cost in bits, 15 for none; bit 4 a small letter, bit 5 a capital one."""
    p = collections.Counter()
    for lang in langs:
        here = {c: n for c, n in counts[lang].items() if encodes(c, codec)}
        for c, n in here.items():
            p[c] += n / sum(here.values()) / len(langs)
    values = []
    for b in range(0x80, 0x100):
        c = decoded(bytes([b]), codec)
        cost = 15 if c is None else min(14, round(-math.log2(p[c] * 0.99 + 0.01 / 128)))
        values.append(cost | (0 if c is None else 16 if c.islower() or (c.isalpha() and not c.isupper()) else 32 if c.isupper() else 0))
    f.write(f"static const uint8_t {name}_costs[128] = {{\n    ")
    f.write(",\n    ".join(", ".join(str(v) for v in values[i:i + 32]) for i in range(0, 128, 32)) + "};\n")


def encodes(c, codec):
    try:
        c.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--tree", required=True)
    args.add_argument("-o", "--out", required=True)
    args = args.parse_args()
    counts = count(args.tree)
    print({k: sum(v.values()) for k, v in counts.items()})
    high = range(0xA1, 0xFF)
    gb = [decoded(bytes([a, b]), "gb18030") for a in range(0x81, 0xFF) for b in range(0x40, 0xFF) if b != 0x7F]
    big5 = [decoded(bytes([a, b]), "cp950") or decoded(bytes([a, b]), "big5hkscs") for a in range(0x81, 0xFF)
            for b in [*range(0x40, 0x7F), *high]]
    jis = [decoded(bytes([a, b]), "euc_jp") for a in high for b in high]
    ks = [decoded(bytes([a, b]), "euc_kr") for a in high for b in high]
    gb1 = [bytes([a, b]).decode("gb18030") for a in range(0xB0, 0xD8) for b in high if (a, b) < (0xD7, 0xFA)]
    gb2 = [bytes([a, b]).decode("gb18030") for a in range(0xD8, 0xF8) for b in high]
    big1 = [c for i, c in enumerate(big5) if c and 0xA4 <= 0x81 + i // 157 <= 0xC6 and "\u4e00" <= c <= "\u9fff"]
    big2 = [c for i, c in enumerate(big5) if c and 0xC9 <= 0x81 + i // 157 <= 0xF9 and "\u4e00" <= c <= "\u9fff"]
    jis1 = [c for i, c in enumerate(jis) if c and 15 <= i // 94 < 47]
    hangul = [c for c in ks if c and "\uac00" <= c <= "\ud7a3"]
    hans, hant = chinese(counts, {c for c in gb if c}, {c for c in big5 if c})
    both = {c: 0.95 * hans.get(c, 0) + 0.05 * hant.get(c, 0) for c in gb if c}  # GBK has the traditional forms too
    with open(args.out, "w", encoding="utf-8") as f:
        f.write("/* Written by tools/gen_charset_costs.py. Not edited by hand. */\n")
        pair_table(f, "gb_costs", gb, both, [(0.11, gb1), (0.02, gb2), (0.004, [c for c in gb if c])])
        pair_table(f, "big5_costs", big5, hant, [(0.11, big1), (0.02, big2), (0.004, [c for c in big5 if c])])
        pair_table(f, "jis_costs", jis, shares(counts["ja"], {c for c in jis if c}), [(0.1, jis1), (0.01, [c for c in jis if c])])
        pair_table(f, "ks_costs", ks, shares(counts["ko"], {c for c in ks if c}), [(0.1, hangul), (0.01, [c for c in ks if c])])
        for name, codec, langs in SINGLE:
            single_table(f, name, codec, langs.split(), counts)


if __name__ == "__main__":
    main()
