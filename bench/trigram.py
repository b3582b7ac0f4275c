#!/usr/bin/env python3
"""Interpolated modified Kneser-Ney trigram (Chen & Goodman 1999) over token shards: what counting alone reaches on the
held-out split that `tamis train` measures. Pure Python, one pass over the tokens that `tamis shards cat --ids` prints.

usage: trigram.py TAMIS TOKENS_DIR CKPT_DIR      (CKPT_DIR/config.json gives context and held-out share)

Training text: every stream's training samples, whole (a model trained for less than an epoch has seen less than this).
Held-out text: every stream's held-out samples; each sample's first token is context only, as for the model. Contexts do
not reach over a sample's edge, as the model's do not. Prints nats a token and bits a byte.
"""

import collections
import json
import math
import struct
import subprocess
import sys

tamis, tokens_dir, ckpt_dir = sys.argv[1:4]
config = json.load(open(f"{ckpt_dir}/config.json"))
T, share = config["context"], config["heldout"]
manifest = json.load(open(f"{tokens_dir}/manifest.json"))


def vocabulary():
    d = open(f"{tokens_dir}/vocab.bin", "rb").read()
    n, eos = struct.unpack_from("<II", d, 12)
    at = struct.unpack_from(f"<{n + 1}Q", d, 40)
    length = [at[i + 1] - at[i] for i in range(n)]
    length[eos] = 0  # predicted, but no bytes of text
    return length


def stream_tokens(name):
    out = subprocess.run([tamis, "shards", "cat", "--ids", "--stream", name, tokens_dir], check=True, capture_output=True)
    tokens = []
    for line in out.stdout.splitlines():
        tokens += json.loads(line)
    return tokens


train, heldout = [], []  # lists of runs of tokens
for stream in manifest["streams"]:
    tokens = stream_tokens(stream["name"])
    n = max(len(tokens) - 1, 0) // T
    kept_out = math.floor(n * share)
    if share > 0 and n >= 2:
        kept_out = max(kept_out, 1)
    train.append(tokens[: (n - kept_out) * T + 1])
    heldout += [tokens[i * T : i * T + T + 1] for i in range(n - kept_out, n)]

length = vocabulary()
V = len(length)


class Level:
    """Counts of one order: of the n-gram, and per context the total and how many continuations occur 1, 2, 3+ times."""

    def __init__(self, counts):
        self.counts = counts
        self.total = collections.Counter()
        self.kinds = {}
        n = [0] * 5
        for gram, c in counts.items():
            context = gram[:-1]
            self.total[context] += c
            self.kinds.setdefault(context, [0, 0, 0])[min(c, 3) - 1] += 1
            if c <= 4:
                n[c] += 1
        y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
        self.discount = [max(0.0, k - (k + 1) * y * n[k + 1] / n[k]) if n[k] else 0.5 for k in (1, 2, 3)]

    def probability(self, gram, lower):
        context = gram[:-1]
        total = self.total.get(context, 0)
        if not total:
            return lower
        c = self.counts.get(gram, 0)
        d, kinds = self.discount, self.kinds[context]
        seen = max(c - d[min(c, 3) - 1], 0.0) if c else 0.0
        return (seen + sum(a * b for a, b in zip(d, kinds)) * lower) / total


trigrams = collections.Counter()
for run in train:
    trigrams.update(zip(run, run[1:], run[2:]))
bigrams, unigrams = collections.Counter(), collections.Counter()
for gram in trigrams:  # continuation counts: in how many different contexts
    bigrams[gram[1:]] += 1
for gram in bigrams:
    unigrams[gram[1:]] += 1
levels = [Level(unigrams), Level(bigrams), Level(trigrams)]

nats, n_tokens, n_bytes = 0.0, 0, 0
for sample in heldout:
    for t in range(1, len(sample)):
        p = levels[0].probability((sample[t],), 1.0 / V)
        p = levels[1].probability((sample[t - 1], sample[t]), p)
        if t >= 2:
            p = levels[2].probability((sample[t - 2], sample[t - 1], sample[t]), p)
        nats -= math.log(p)
        n_tokens += 1
        n_bytes += length[sample[t]]

print(
    json.dumps(
        {
            "train_tokens": sum(map(len, train)),
            "heldout_tokens": n_tokens,
            "trigram_heldout_loss": round(nats / n_tokens, 4),
            "trigram_heldout_bpb": round(nats / math.log(2) / n_bytes, 4),
        }
    )
)
