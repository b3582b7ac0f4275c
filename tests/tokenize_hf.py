#!/usr/bin/env python3
"""`tamis bpe` and `tamis tokenize --ids` against HuggingFace `tokenizers` on text made from a seed: the same merges, the same
tokenizer.json byte for byte, the same ids, the same text back.

usage: tokenize_hf.py BUILD_DIR [ROUNDS]
"""

import json
import os
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

# Where the stages of the pre-tokenizer differ: kinds of white space, digits, letters of one class and of two, scripts without a class.
EDGES = (" \t\r\u00a0\u2003\u3000\u2028\u0085\u1680aZ!-_~09\u00b2\u00bd\u3007\u2167\uff11\u00e9\u00dc\u1e00\u1ec7\u2126\u03b1中龥龦가、。"
         "\u201c\u2014！Ａａｶשا\u0301😀\U00020000\U00010400\U0001d7ceա\u00aa\u00a9\u0800\u07ff\uabf0／Ｚ：\u4000\u8fff")
ADDED = ["ü", "ø", "<|end_of_text|>", "<|pad|>", "<|", "<\uff5cend\u2581of\u2581sentence\uff5c>"]
SCRIPTS = [(0x61, 0x7A), (0x4E00, 0x4F80), (0x430, 0x44F), (0x627, 0x64A), (0x3041, 0x3096), (0xE0, 0xF6), (0xAC00, 0xAC80)]


class Words:
    """Words of several scripts, the short list of each used by Zipf's law."""

    def __init__(self, rnd):
        self.rnd = rnd
        self.lists = [["".join(chr(rnd.randint(lo, hi)) for _ in range(rnd.randint(1, 8))) for _ in range(400)] for lo, hi in SCRIPTS]

    def word(self, script):
        return self.lists[script][min(int(self.rnd.paretovariate(0.8)) - 1, 399)]

    def line(self):
        r = self.rnd
        script = min(r.randrange(12), len(SCRIPTS) - 1) if r.random() < 0.5 else r.randrange(2)
        sep = "" if script in (1, 4) else " "
        out = []
        for _ in range(r.randint(1, 30)):
            out.append(self.word(script).capitalize() if r.random() < 0.1 else self.word(script))
            if r.random() < 0.15:
                out.append(r.choice([", ", ".", "。", "，", "!", " (", "(){\n    ", "  ", "'s", " 1984", " – ", "　"]))
        return sep.join(out)


def odd_string(rnd, words):
    out = []
    for _ in range(rnd.randint(0, 25)):
        kind = rnd.random()
        if kind < 0.5:
            out.append(rnd.choice(EDGES))
        elif kind < 0.75:
            out.append(words.word(rnd.randrange(len(SCRIPTS))))
        elif kind < 0.8:
            out.append(rnd.choice(ADDED))
        elif kind < 0.9:
            out.append(rnd.choice([" ", "  ", " the", "\u3000", "1"]))
        else:
            cp = rnd.randrange(1, 0x30000)
            out.append("\n" if cp == 10 or 0xD800 <= cp < 0xE000 else chr(cp))
    return "".join(out).replace("\n", " ")


def fail(what):
    print("FAILED:", what)
    sys.exit(1)


def check(tamis, work, seed, preset, vocab_size, more):
    rnd = random.Random(seed)
    words = Words(rnd)
    lines = [words.line() + "\n" for _ in range(1500)] + [odd_string(rnd, words) + "\n" for _ in range(500)]
    lines.append("".join(words.word(3) + " " for _ in range(500)) + "\n")  # one word of a script without a class
    lines = [line + "\n" for text in lines for line in text.split("\n")[:-1]]
    path, ours = os.path.join(work, "text"), os.path.join(work, "tokenizer.json")
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.writelines(lines)
    options = [word for key, value in more.items() for word in ("--" + key.replace("_", "-"), str(value))]
    subprocess.run([tamis, "bpe", "-q", "--force", "--text", "--preset", preset, "--vocab-size", str(vocab_size), "-o", ours] + options + [path],
                   check=True)

    with open(ours, encoding="utf-8", newline="") as f:
        written = f.read()
    loaded = Tokenizer.from_str(written)
    if loaded.to_str(pretty=True) != written:
        fail("%s: tokenizer.json is not what the reference writes" % preset)
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = loaded.pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if preset == "tamis" else []
    theirs.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False, **more))
    a, b = json.loads(written)["model"], json.loads(theirs.to_str())["model"]
    if a["merges"] != b["merges"]:
        at = next((i for i, (x, y) in enumerate(zip(a["merges"], b["merges"])) if x != y), min(len(a["merges"]), len(b["merges"])))
        fail("%s: merges differ from number %d on: %s, %s" % (preset, at, a["merges"][at:at + 2], b["merges"][at:at + 2]))
    if a["vocab"] != b["vocab"]:
        fail("%s: the vocabularies differ" % preset)

    texts = [odd_string(rnd, words) + "\n" for _ in range(4000)]
    got = subprocess.run([tamis, "tokenize", "--ids", "-t", ours], input="".join(texts).encode(), stdout=subprocess.PIPE, check=True)
    ids = [json.loads(line) for line in got.stdout.splitlines()]
    if len(ids) != len(texts):
        fail("%d lines in, %d arrays out" % (len(texts), len(ids)))
    for text, mine, want in zip(texts, ids, loaded.encode_batch_fast(texts, add_special_tokens=False)):
        if mine != want.ids:
            fail("%s: ids of %r: %s, %s" % (preset, text, mine, want.ids))
        if preset == "tamis" and loaded.decode(mine, skip_special_tokens=False) != text:
            fail("%s: %r does not come back" % (preset, text))
    lines = [json.dumps({"text": text, "id": n, "domain": "d"}, ensure_ascii=n % 2 == 0) for n, text in enumerate(texts)]
    got = subprocess.run([tamis, "tokenize", "--ids", "-t", ours, "-j", "3", "-"], input="\n".join(lines).encode(), stdout=subprocess.PIPE, check=True)
    for n, (line, mine) in enumerate(zip(got.stdout.splitlines(), ids)):
        if json.loads(line) != {"id": n, "ids": mine}:
            fail("%s: JSON line %d gives %s" % (preset, n, line))
    if len(got.stdout.splitlines()) != len(texts):
        fail("%s: %d documents of %d JSON lines" % (preset, len(got.stdout.splitlines()), len(texts)))
    print("ok %s, %d merges, %d strings %s" % (preset, len(a["merges"]), len(texts), more or ""))


def main():
    tamis = os.path.join(sys.argv[1], "tamis")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as work:
        for r in range(rounds):
            check(tamis, work, 3 * r, "tamis", 3000, {})
            check(tamis, work, 3 * r + 1, "deepseek-llm", 2500, {"max_token_length": 9})
            check(tamis, work, 3 * r + 2, "deepseek-llm", 30000, {"min_frequency": 3})


main()
