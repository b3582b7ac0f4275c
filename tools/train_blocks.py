#!/usr/bin/env python3
"""Trains the model by which ingest keeps blocks of a page (ingest/blockmodel.h) and writes ingest/blockmodel_table.inc.

    extract_bench -C DIR -f FEATURES <NAMES
    train_blocks.py [--folds K] [--write TABLE] GOLD.jsonl FEATURES       needs lightgbm and numpy of bench/requirements.txt, and diff

GOLD lines: {"set","file","lang","type","url","gold"}. A block's label is the share of its tokens that a longest common subsequence of page and
gold text holds; it weighs as many tokens as it has over those of the gold text, so that pages weigh the same. Boosted trees with random
thresholds (there are few pages: the trees must not learn them by heart), thresholds and leaves in whole numbers.

With --folds the pages of a site are held back together, one of K parts after the other, and what the others teach is scored on them
as bench/extraction.py does, with the threshold a page that maintext.c takes; nothing else says how it does on pages it has not seen."""

import argparse
import collections
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

import lightgbm
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from scoring import compare, grams, groups_of, names_of, rates, shares, tokens

LEAF, BUCKETS, MAX_LEAVES = 1024, 64, 16
PARAMS = {
    "objective": "binary",
    "extra_trees": True,
    "learning_rate": 0.15,
    "num_leaves": 15,
    "max_depth": 6,
    "min_data_in_leaf": 200,
    "lambda_l2": 5,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
    "verbose": -1,
    "num_threads": 1,
    "deterministic": True,
}


def in_common(a, b):
    """Which tokens of a are in a longest common subsequence with b."""
    if not a or not b:
        return np.zeros(len(a), np.uint8)
    with tempfile.TemporaryDirectory() as d:
        for name, tokens in (("a", a), ("b", b)):
            with open(os.path.join(d, name), "w", encoding="utf-8") as f:
                f.write("".join(t + "\n" for t in tokens))
        formats = ["--old-line-format=0", "--unchanged-line-format=1", "--new-line-format="]
        out = subprocess.run(["diff", *formats, d + "/a", d + "/b"], stdout=subprocess.PIPE, check=False).stdout
    return np.frombuffer(out, np.uint8) - ord("0")


class Page:
    def __init__(self, gold, texts, begin):
        self.gold, self.rows = gold, slice(begin, begin + len(texts))
        self.tokens = [tokens(t) for t in texts]
        self.n = np.array([len(t) for t in self.tokens], float)
        want = tokens(gold["gold"])
        self.want, self.n_want = grams(want), len(want)
        common = in_common([x for t in self.tokens for x in t], want)
        ends = np.cumsum([0] + [len(t) for t in self.tokens])
        sums = np.concatenate([[0], np.cumsum(common)])
        share = (sums[ends[1:]] - sums[ends[:-1]]) / np.maximum(self.n, 1)
        self.label = np.array([self.by_grams(t, s) for t, s in zip(self.tokens, share)])
        false = (self.n * (1 - self.label)).sum()
        self.weight = (self.n + 1) / (max(self.n_want, 50) + 0.25 * false + 10)

    def by_grams(self, own, share):
        """Single tokens are found by chance, and text out of order is missed: runs of four tell."""
        if len(own) < 8:
            return share
        hits, false, _ = compare(self.want, grams(own))
        found = hits / (hits + false)
        return min(share, found) if found < 0.3 else max(share, 0.7) if found > 0.8 else share

    def score(self, keep):
        return shares(compare(self.want, grams([x for k in np.nonzero(keep)[0] for x in self.tokens[k]])))

    def site(self):
        host = re.match(r"\w+://([^/:]+)", self.gold.get("url") or "")
        if not host:
            return self.gold["file"]
        labels = host.group(1).lower().split(".")
        return ".".join(labels[-3 if len(labels) > 2 and len(labels[-2]) <= 3 else -2 :])


def load(gold_path, prefix):
    with open(gold_path, encoding="utf-8") as f:
        gold = {d["file"]: d for d in map(json.loads, f)}
    pages, at = [], 0
    with open(prefix + ".jsonl", encoding="utf-8") as f:
        names = json.loads(next(f))
        for d in map(json.loads, f):
            pages.append(Page(gold[d["file"]], d["texts"], at))
            at += len(d["texts"])
    features = np.fromfile(prefix + ".i16", np.int16).reshape(-1, len(names))
    assert len(features) == at
    return names, features, pages


def dataset(features, pages):
    label = np.concatenate([p.label for p in pages])
    weight = np.concatenate([p.weight for p in pages])
    weight *= np.maximum(np.abs(2 * label - 1), 0.1) / weight.mean()
    data = lightgbm.Dataset(features.astype(np.float32), (label >= 0.5).astype(int), weight=weight, free_raw_data=False, params=PARAMS)
    return data.construct()


def keep(page, p, beta2=1):
    """Above the threshold where the expected F is largest (maintext.c; there the rows of a table are made alike, too)."""
    if len(p) == 0:
        return p > 0
    beside = np.concatenate([p[:1], p, p[-1:]])
    p = (6 * p + beside[:-2] + beside[2:]) / 8
    bucket = np.minimum((p * BUCKETS).astype(int), BUCKETS - 1)
    n, hits = np.zeros(BUCKETS), np.zeros(BUCKETS)
    np.add.at(n, bucket, page.n)
    np.add.at(hits, bucket, page.n * p)
    n, hits = np.cumsum(n[::-1])[::-1], np.cumsum(hits[::-1])[::-1]
    return bucket >= np.argmax((1 + beta2) * hits / np.maximum(n + beta2 * hits[0], 1e-9))


def held_back(features, pages, n_trees, k, seeds):
    rows = np.concatenate([np.full(p.rows.stop - p.rows.start, int(hashlib.sha256(p.site().encode()).hexdigest(), 16) % k) for p in pages])
    data, p = dataset(features, pages), np.zeros(len(features))
    for fold in range(k):
        for seed in range(1, seeds + 1):
            model = lightgbm.train({**PARAMS, "seed": seed}, data.subset(np.nonzero(rows != fold)[0]), n_trees)
            p[rows == fold] += model.predict(features[rows == fold]) / seeds
    return p


def report(pages, p):
    for name, beta2 in (("precision", 0.5), ("balanced", 1), ("recall", 16)):
        groups = collections.defaultdict(list)
        for page in pages:
            row = page.score(keep(page, p[page.rows], beta2))
            for key in groups_of(page.gold):
                groups[key].append(row)
        print(name)
        for key, rows in sorted(groups.items()):
            print(f"  {key:30}{len(rows):5}" + "".join(f"{x:7.3f}" for x in rates(rows)))
        sys.stdout.flush()


def put_tree(node, nodes, leaves):
    """Nodes as (threshold, feature, mask of the leaves that remain where the value is greater)."""
    if "leaf_value" in node:
        leaves.append(round(node["leaf_value"] * LEAF))
        return
    assert node["decision_type"] == "<="
    at, first = len(nodes), len(leaves)
    nodes.append(None)
    put_tree(node["left_child"], nodes, leaves)
    left = (1 << len(leaves)) - (1 << first)
    put_tree(node["right_child"], nodes, leaves)
    nodes[at] = (int(np.floor(node["threshold"])), node["split_feature"], 0xFFFF & ~left)


def write_table(path, model, names, pages):
    nodes, leaves, ends = [], [], []
    for tree in model.dump_model()["tree_info"]:
        own_nodes, own_leaves = [], []
        put_tree(tree["tree_structure"], own_nodes, own_leaves)
        if not own_nodes:
            continue  # a tree that is one leaf says the same of all
        nodes += own_nodes
        leaves += own_leaves + [0] * (MAX_LEAVES - len(own_leaves))
        ends.append(len(nodes))
    bounds = [round(np.log(i / (BUCKETS - i)) * LEAF) for i in range(1, BUCKETS)]
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* Written by tools/train_blocks.py; blockmodel.c says what it means.\n")
        f.write(f" * Trained on {len(pages)} pages, SHA-256 of their names {names_of([p.gold for p in pages])}. */\n/* clang-format off */\n")
        for kind, name, rows in (
            ("uint16_t", "tree_ends", [str(v) for v in ends]),
            ("ModelNode", "nodes", ["{%d, FEATURE_%s, 0x%x}" % (t, names[i], mask) for t, i, mask in nodes]),
            ("int16_t", "leaves", [str(v) for v in leaves]),
            ("int32_t", "bounds", [str(v) for v in bounds]),
        ):
            f.write(f"static const {kind} {name}[] = {{\n")
            line = "   "
            for row in rows:
                if len(line) + len(row) > 130:
                    f.write(line + "\n")
                    line = "   "
                line += f" {row},"
            f.write(line + "\n};\n")
        f.write("/* clang-format on */\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold")
    parser.add_argument("features")
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--trees", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--write")
    args = parser.parse_args()
    names, features, pages = load(args.gold, args.features)
    if args.folds:
        report(pages, held_back(features, pages, args.trees, args.folds, args.seeds))
    if args.write:
        write_table(args.write, lightgbm.train({**PARAMS, "seed": 1}, dataset(features, pages), args.trees), names, pages)


if __name__ == "__main__":
    main()
