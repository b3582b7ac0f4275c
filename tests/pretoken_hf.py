#!/usr/bin/env python3
"""The pre-tokenizers' cuts against HuggingFace `tokenizers` on strings made from a seed.

usage: pretoken_hf.py BUILD_DIR [STRINGS [SEED]]
"""

import json
import os
import random
import subprocess
import sys

from tokenizers import Regex, pre_tokenizers

GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
V3 = ["\\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|"
      "\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps) + [BYTES]}


CHAINS = [("gpt2", GPT2), ("cl100k", sequence(split(CL100K))), ("qwen2", sequence(split(CL100K.replace("{1,3}", "")))),
          ("deepseek-v3", sequence(*map(split, V3)))]
# Of no known name: through PCRE2.
OTHERS = [sequence(split("\\s?\\p{L}+|\\d{2}(?=\\w)|^ |\\s+$")), sequence(split("[\\s,]+", "Contiguous"), split("e", "MergedWithNext", kind="String")),
          sequence({"type": "Digits", "individual_digits": False}, {"type": "Punctuation", "behavior": "Isolated"}),
          sequence(split("a*", "MergedWithPrevious", True), {"type": "Digits", "individual_digits": True}),
          sequence(split("\\p{Han}+|(?<k>[^\\s\\p{Han}]{2,}(?#?))|(?i:'s|(?:'t)+)|[\\P{^Katakana}]|(?>\\p{Lu}*?)\\p{Ll}")),
          sequence(split("[^\r\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\r\n/]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"))]
EDGES = (" \t\r\n\n\n    \u00a0\u2003\u3000\u2028\u0085\u1680aZst!-_~'''019\u00b2\u00bd\u3007\u2167\uff11\u00e9\u00dc\u1ec7\u03b1中龥龦ーが・゠\u3099\u3097、。，：！"
         "\u201c\u2014Ａａｶשا\u0301😀\U00020000\U00010400\U0001d7ceա\u00aa\u00a9\u0e31\u093e\u200b\ufeff\x00\x01\x1f\x7f\u0378\u017f\u212a\u4dc0\u4000\u4e00\u9f7f\u9fa5\ue000+$<")
PHRASES = ["'s", "'S", "'ll", "'RE", "'ſ", "'x", " '", "I'm", "'t's", "12345", " 12", "the ", " word", "\n\n", "\r\n", "  \n ", " \n \n", "!\n", "!\n \n", "\t\t", "中文，", "。\n",
           "été", "!abc", "!abcé", "  ", "    ", "<|x|>", "e\u0301", "//", " (", "Привет ", "カタカナ・", "2024年", "한국어 ", "a" * 70, "中" * 23, " " * 66, "1" * 67]


def text_of(rnd):
    out = []
    for _ in range(rnd.choice([2, 4, 8, 12, 40])):
        kind = rnd.random()
        if kind < 0.55:
            out.append(rnd.choice(EDGES))
        elif kind < 0.9:
            out.append(rnd.choice(PHRASES))
        else:
            cp = rnd.randrange(1, 0x30000)
            out.append(chr(cp) if not 0xD800 <= cp < 0xE000 else "a")
    return "".join(out)


def old_text(rnd):
    """Without what Unicode has learnt since PCRE2's version of it."""
    while True:
        text = text_of(rnd)
        if all(ord(c) < 0x2e80 or ord(c) < 0xa000 and c.isalpha() or c in EDGES for c in text) and "\u1c89" not in text:
            return text


def theirs(spec):
    """The oracle's chain, without the mapping of bytes, so that offsets are of the text."""
    steps = spec.get("pretokenizers", [spec])
    made = []
    for s in steps:
        if s["type"] == "Split":
            (kind, pattern), = s["pattern"].items()
            behavior = {"Isolated": "isolated", "Contiguous": "contiguous", "MergedWithPrevious": "merged_with_previous",
                        "MergedWithNext": "merged_with_next"}[s["behavior"]]
            made.append(pre_tokenizers.Split(Regex(pattern) if kind == "Regex" else pattern, behavior, s["invert"]))
        elif s["type"] == "Digits":
            made.append(pre_tokenizers.Digits(s["individual_digits"]))
        elif s["type"] == "Punctuation":
            made.append(pre_tokenizers.Punctuation(s["behavior"].lower()))
        else:
            made.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=s["use_regex"]))
    return pre_tokenizers.Sequence(made)


def check(probe, name, chain, spec, texts):
    data = b"".join(b"%d\n%s" % (len(t), t) for t in (s.encode() for s in texts))
    got = subprocess.run([probe, chain], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    oracle = theirs(spec)
    for text, line in zip(texts, got):
        want, ends = [], [0]
        for c in text:
            ends.append(ends[-1] + len(c.encode()))
        for _, (_, end) in oracle.pre_tokenize_str(text):
            if not want or want[-1] != ends[end]:
                want.append(ends[end])
        mine = [int(n) for n in line.split()]
        if mine != want:
            raw = text.encode()
            cut = lambda e: [raw[a:b].decode(errors="replace") for a, b in zip([0] + e, e)]
            print("FAILED: %s: %r: %s, reference %s" % (name or chain, text, cut(mine), cut(want)))
            sys.exit(1)
    if name:
        print("ok %s, %d strings" % (name, len(texts)))


ATOMS = ["a", "b", "é", "中", " ", "\\n", "\\s", "\\S", "\\w", "\\W", "\\d", "\\D", "\\h", "\\H", "\\p{L}", "\\P{L}", "\\p{Lu}", "\\p{^N}", "\\p{Han}", "\\P{Latin}", "[a-z]", "[^a]",
         "[\\s\\d]", "[\\P{L}b]", "[^\\p{Han}\\s]", ".", "\\x41", "\\x{e9}", "[\\u4e00-\\u9FA5]", "\\.", "[-a]", "'s", "\\A", "\\z", "\\Z", "^", "$"]
REPEATS = ["*", "+", "?", "{2}", "{1,2}", "{2,}", "*?", "+?", "??", "*+", "++", "?+", "{1,}?", "{0,1}"]
GROUPS = ["(", "(?:", "(?=", "(?!", "(?>", "(?i:", "(?<=", "(?<!", "(?x:", "(?-i:", "(?<n>"]


def pattern_of(rnd, depth):
    out = ""
    for _ in range(rnd.randint(1, 3)):
        atom = rnd.choice(GROUPS) + pattern_of(rnd, depth - 1) + ")" if depth and rnd.random() < 0.35 else rnd.choice(ATOMS)
        out += atom + (rnd.choice(REPEATS) if rnd.random() < 0.4 and atom[:3] not in ("\\A", "\\z", "\\Z", "^", "$", "(?=", "(?!", "(?<") else "")
    return out + ("|" + pattern_of(rnd, 0) if rnd.random() < 0.3 else "")


def check_patterns(probe, rnd, n):
    """Patterns of all that is followed. What either refuses is passed over, and must not be most."""
    same = 0
    for _ in range(n):
        pattern = pattern_of(rnd, 2)
        texts = ["".join(rnd.choice("aabbA é中、 \n1'sαΩ\u0301z.\r") for _ in range(rnd.randint(0, 14))) for _ in range(12)]
        try:
            Regex(pattern)
        except Exception:
            continue
        spec = sequence(split(pattern))
        if subprocess.run([probe, json.dumps(spec)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 4:
            continue
        check(probe, None, json.dumps(spec), spec, texts)
        same += 1
    if same < n / 2:
        print("FAILED: only %d of %d patterns were followed" % (same, n))
        sys.exit(1)
    print("ok %d patterns" % same)


def main():
    probe = os.path.join(sys.argv[1], "pretoken_probe")
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 6000
    rnd = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    for spec in OTHERS:
        check(probe, "a chain of no name", json.dumps(spec), spec, [old_text(rnd) for _ in range(n // 4)])
    check_patterns(probe, rnd, n // 20)
    for name, spec in CHAINS:
        texts = [text_of(rnd) for _ in range(n)]
        check(probe, name, name, spec, texts)
        check(probe, name + " as JSON", json.dumps(spec), spec, texts[:200])


main()
