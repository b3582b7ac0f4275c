#!/usr/bin/env python3
"""Our reader of fastText's models (core/fasttext.h) and `tamis ingest --lid` against the package that defines them: models of every loss, packed
and not, are trained from texts made from a seed, and labels and probabilities of other texts compared.

usage: fasttext_lid.py BUILD_DIR [TEXTS]

The models are not the same from one processor to another, which is as well: both read the same file.
"""
import collections
import json
import os
import random
import subprocess
import sys
import tempfile

import fasttext

K = 5
NEAR = 1e-5  # labels so near to each other may change places: fastText's sums have another order
LANGS = ("en", "fr", "de", "es", "it", "pl", "sv", "zh", "ru", "eng_Latn", "gr-Latn")

TRAINING = dict(dim=10, epoch=25, lr=0.7, bucket=3000, thread=1, verbose=0)
# Each model: what training is told, what packing is told (None: not packed), and how many labels.
MODELS = {
    "softmax": (dict(loss="softmax", minn=0, maxn=0, wordNgrams=1), None, len(LANGS)),
    "softmax, characters": (dict(loss="softmax", minn=2, maxn=4, wordNgrams=1), None, len(LANGS)),
    "softmax, pairs of words": (dict(loss="softmax", minn=0, maxn=0, wordNgrams=2), None, len(LANGS)),
    "softmax, characters and three words, packed": (dict(loss="softmax", minn=1, maxn=5, wordNgrams=3), dict(), len(LANGS)),
    "tree, characters": (dict(loss="hs", minn=2, maxn=4, wordNgrams=1), None, len(LANGS)),
    "tree, characters, packed with norms": (dict(loss="hs", minn=2, maxn=4, wordNgrams=1), dict(qnorm=True), len(LANGS)),
    "tree, characters, packed and pruned": (dict(loss="hs", minn=2, maxn=4, wordNgrams=2), dict(qnorm=True, cutoff=900, dsub=3), len(LANGS)),
    "tree of 300 labels, both packed": (dict(loss="hs", minn=3, maxn=3, wordNgrams=1), dict(qnorm=True, qout=True, cutoff=1500), 300),
    "300 labels, both packed": (dict(loss="softmax", minn=2, maxn=3, wordNgrams=1), dict(qout=True), 300),
    "negative samples": (dict(loss="ns", minn=2, maxn=3, wordNgrams=1), None, len(LANGS)),
    "packed, too large to be unpacked": (dict(loss="softmax", minn=2, maxn=3, wordNgrams=1, bucket=1100000, dim=16), dict(qnorm=True, dsub=8), len(LANGS)),
    "one against all": (dict(loss="ova", minn=2, maxn=3, wordNgrams=2), dict(), len(LANGS)),
}


def fail(what):
    print("FAILED:", what)
    sys.exit(1)


class Language:
    """Words of its own and some that it shares with all."""

    def __init__(self, name, number):
        rnd = random.Random(f"language {number}")
        letters = "水火山石田土日月木禾竹米" if name == "zh" else "абвгдежзиклмно" if name == "ru" else "abcdefghijklmnopqrstuvwxyz"
        own = rnd.sample(letters, min(10, len(letters))) + (["é", "ß", "ł", "å"][number % 4:number % 4 + 1] if letters[0] == "a" else [])
        self.words = ["".join(rnd.choice(own) for _ in range(rnd.randint(2, 8))) for _ in range(60)] + ["a", "o", "data", "no"]

    def line(self, rnd):
        return " ".join(rnd.choice(self.words) for _ in range(rnd.randint(3, 14)))


def train(folder, spec, rnd):
    options, packing, n_labels = spec
    names = LANGS if n_labels == len(LANGS) else [f"l{i}" for i in range(n_labels)]
    languages = [Language(name, i) for i, name in enumerate(names)]
    path = os.path.join(folder, "lines")
    with open(path, "w", encoding="utf-8") as f:
        for _ in range(max(400, 5 * n_labels)):
            i = int(len(names) * rnd.random() ** 1.5)  # some are rare, for the tree
            f.write(f"__label__{names[i]} {languages[i].line(rnd)}\n")
        for i, name in enumerate(names):
            f.write(f"__label__{name} {languages[i].line(rnd)}\n")
    model = fasttext.train_supervised(path, **{**TRAINING, **options})
    if packing is not None:
        model.quantize(input=path, retrain="cutoff" in packing, thread=1, verbose=0, **packing)
    path = os.path.join(folder, "model")
    model.save_model(path)
    return fasttext.FastText._FastText(path), path, languages


def odd_text(rnd, languages):
    """Lines of a language, mixtures, and what tokenizers trip over. fastText reads one line, so without line ends."""
    kind = rnd.randrange(8)
    text = rnd.choice(languages).line(rnd)
    if kind == 1:
        text += " " + rnd.choice(languages).line(rnd)
    elif kind == 2:
        text = text.upper() + "!? 123,45"
    elif kind == 3:
        text = "\t" + text.replace(" ", rnd.choice(["\t", "  ", "\v", "\f", "\r", "\0", "\u00a0", "\u3000"]), 2) + " "
    elif kind == 4:
        text = " ".join([text, rnd.choice(["__label__en", "__label__none", "__label__", "<s>", "<", ">"]), "data"])
    elif kind == 5:
        text = "".join(chr(rnd.choice([rnd.randrange(33, 127), rnd.randrange(0xa0, 0x2000), rnd.randrange(0x4e00, 0x9fff), rnd.randrange(0x1f300, 0x1f600)]))
                       for _ in range(rnd.randint(1, 30)))
    elif kind == 6:
        text = rnd.choice(["", " ", "a", "data data data", "é", "x" * 3000, text.replace(" ", ""), " ".join([text] * 60)])
    return text


def theirs(model, text, k=K):
    return [(label[len("__label__"):], p) for p, label in model.f.predict(text + "\n", k, 0.0, "strict")]


def compare(name, text, want, got):
    """The same labels with the same probabilities; labels as near as rounding is may stand in another order. Below 1e-5 a tree is not searched."""
    if any(p > 2e-5 for _, p in want[len(got):] + got[len(want):]):
        fail(f"{name}: {text!r}: {got}, reference {want}")
    far = 0.0
    for (label, p), (_, q) in zip(got, want):
        of_label = dict(want).get(label, want[-1][1])  # not among them only by a tie with the last
        far = max(far, abs(p - q), abs(p - of_label))
    if far > NEAR:
        fail(f"{name}: {text!r}: {got}, reference {want}")
    return far


def check_reader(probe, name, model, path, texts, chosen):
    data = b"".join(b"%d\n%s" % (len(t), t) for t in (s.encode() for s in texts))
    lines = subprocess.run([probe, path, str(K)], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    if len(lines) != len(texts) + 1:
        fail(f"{name}: {len(lines) - 1} answers to {len(texts)} texts")
    far = 0.0
    for text, line in zip(texts, lines):
        fields = line.split(" ")
        chosen[fields[0]] += 1
        far = max(far, compare(name, text, theirs(model, text), [(a, float(b)) for a, b in zip(fields[::2], fields[1::2])]))
    return far


def check_verb(tamis, name, model, path, texts, folder):
    """Latin texts of letters and blanks, of which --lid decides the language; en is English, all else other, with its code."""
    wet, out = os.path.join(folder, "texts.wet"), os.path.join(folder, "docs")
    with open(wet, "wb") as f:
        for i, text in enumerate(texts):
            body = text.encode()
            f.write(b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.test/%d\r\nContent-Type: text/plain\r\n"
                    b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (i, len(body), body))
    subprocess.run([tamis, "ingest", "-q", "--no-alarm", "--lid", path, "-o", out, wet], check=True)
    docs = [json.loads(line) for line in subprocess.run([tamis, "docs", "cat", out], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()]
    if [doc["text"] for doc in docs] != texts:
        fail(f"{name}: {len(docs)} documents of {len(texts)} texts, or with other texts")
    for doc in docs:
        (label, p), (_, second) = theirs(model, doc["text"], 2)
        code = label.split("_")[0].split("-")[0]
        want = ("en", None) if code in ("en", "eng") else ("other", code)
        got = (doc["lang"], doc.get("meta", {}).get("lid"))
        if got != want and p - second > NEAR or abs(doc["lang_score"] - min(p, 1)) > 0.005 + NEAR:
            fail(f"{name}: {doc['text']!r}: {got} {doc['lang_score']}, reference {want} {p}")
    return sum(doc["lang"] == "en" for doc in docs)


def main():
    build = sys.argv[1]
    n_texts = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    for i, (name, spec) in enumerate(MODELS.items()):
        rnd = random.Random(i)
        with tempfile.TemporaryDirectory() as folder:
            model, path, languages = train(folder, spec, rnd)
            chosen = collections.Counter()
            far = check_reader(os.path.join(build, "fasttext_probe"), name, model, path, [odd_text(rnd, languages) for _ in range(n_texts)], chosen)
            print(f"ok {name}: {n_texts} texts, {len(chosen)} labels, probabilities within {far:.1e}")
            if len(chosen) < 6:
                fail(f"{name}: only {chosen}, so it learnt nothing to compare")
            if spec[2] == len(LANGS) and i % 2 == 1:
                latin = [x for x, lang in zip(languages, LANGS) if lang not in ("zh", "ru")]
                texts = [" ".join(rnd.choice(latin).line(rnd) for _ in range(2)) for _ in range(n_texts // 4)]
                english = check_verb(os.path.join(build, "tamis"), name, model, path, texts, folder)
                print(f"ok {name}: ingest --lid, {len(texts)} texts, {english} English")


main()
