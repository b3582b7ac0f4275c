#!/usr/bin/env python3
"""Trains the models by which ingest tells a page's type (ingest/pagetype.h) and keeps its blocks (ingest/blockmodel.h), and writes their
tables, pagetype_table.inc and blockmodel_table.inc, and confidence_table.inc: what F1 pages had of which so much was expected.

    crowded_pages.py DIR
    extract_bench -C DIR -f FEATURES <DIR/crowded/names
    train_blocks.py [--folds K] [--write TABLES] DIR/crowded/gold.jsonl FEATURES

It needs lightgbm and numpy of bench/requirements.txt, and diff. Lines of gold.jsonl: {"set","file","lang","type","url","gold"}; of names:
file, tab, url. A block's label is the share of its tokens that a longest common subsequence of page and gold text holds; it weighs as many
tokens as it has over those of the gold text, so that pages weigh the same. Boosted trees with random thresholds (there are few pages: the
trees must not learn them by heart), thresholds and leaves in whole numbers. Pages made by crowded_pages.py, whose lines have "of", teach
blocks a little, those with "plain" types, too, and are scored nowhere. A page without a type is of a forum when its set is called so, else
an article. Blocks are taught with the types of their pages as models say them that have not seen the page's site, since types will be as
uncertain on other pages.

The pages of a site are held back together, one of K (5) parts after the other, and what the others teach is scored on them as
bench/extraction.py does, with the threshold a page that maintext.c takes; nothing else says how it does on pages it has not seen."""

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
COMMON = {"objective": "binary", "max_bin": 63, "verbose": -1, "num_threads": 1, "deterministic": True, "bagging_freq": 1}
BLOCKS = {
    **COMMON,
    "extra_trees": True,
    "learning_rate": 0.15,
    "num_leaves": 15,
    "max_depth": 6,
    "min_data_in_leaf": 200,
    "lambda_l2": 5,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.7,
}
TYPES = {
    **COMMON,
    "learning_rate": 0.1,
    "num_leaves": 6,
    "max_depth": 3,
    "min_data_in_leaf": 4,
    "lambda_l2": 2,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
}
TYPE_TREES, TYPE_FOLDS, ADDRESS = 100, 5, ("url_parts", "url_service")
SHARED = {"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ne", "net", "nom", "or", "org"}  # below the domain of a country
CROWDED_WEIGHT = 0.25  # of a page that was made of another
BLOCK_TREES, BLOCK_MODELS = 120, 3  # the mean of models that chance made different is better than each


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


def f1(row):
    return 2 * row[0] / (2 * row[0] + row[1] + row[2])


class Page:
    def __init__(self, gold, texts, begin):
        self.gold, self.rows = gold, slice(begin, begin + len(texts))
        self.tokens = [tokens(t) for t in texts]
        self.n = np.array([len(t) for t in self.tokens], float)
        want = tokens(gold["gold"])
        self.want, self.n_want = grams(want), len(want)
        self.words = collections.Counter(w.lower() for w in want)
        common = in_common([x for t in self.tokens for x in t], want)
        ends = np.cumsum([0] + [len(t) for t in self.tokens])
        sums = np.concatenate([[0], np.cumsum(common)])
        share = (sums[ends[1:]] - sums[ends[:-1]]) / np.maximum(self.n, 1)
        self.label = np.array([self.by_grams(t, s) for t, s in zip(self.tokens, share)])
        false = (self.n * (1 - self.label)).sum()
        self.weight = (self.n + 1) / (max(self.n_want, 50) + 0.25 * false + 10) * (CROWDED_WEIGHT if self.made() else 1)

    def by_grams(self, own, share):
        """Single tokens are found by chance, and text out of order is missed: runs of four tell."""
        if len(own) < 8:
            return share
        hits, false, _ = compare(self.want, grams(own))
        found = hits / (hits + false)
        return min(share, found) if found < 0.3 else max(share, 0.7) if found > 0.8 else share

    def kept(self, keep):
        return [x for k in np.nonzero(keep)[0] for x in self.tokens[k]]

    def score(self, keep):
        return shares(compare(self.want, grams(self.kept(keep))))

    def f1_of_words(self, keep):
        return f1(shares(compare(self.words, collections.Counter(w.lower() for w in self.kept(keep)))))

    def made(self):
        return "of" in self.gold

    def site(self):
        host = re.match(r"\w+://([^/:]+)", self.gold.get("url") or "")
        if not host:
            return self.gold.get("of") or self.gold["file"]
        labels = host.group(1).lower().split(".")
        shared = len(labels[-1]) == 2 and len(labels) > 2 and labels[-2] in SHARED  # example.com.cn, example.co.uk
        return ".".join(labels[-3 if shared else -2 :])

    def type(self):
        return self.gold.get("type") or ("forum" if "forum" in self.gold["set"] else "article")

    def part(self, k, salt=""):
        return int(hashlib.sha256((salt + self.site()).encode()).hexdigest(), 16) % k


class Data:
    """What extract_bench wrote."""

    def __init__(self, gold_path, prefix):
        with open(gold_path, encoding="utf-8") as f:
            gold = {d["file"]: d for d in map(json.loads, f)}
        self.pages, at = [], 0
        with open(prefix + ".jsonl", encoding="utf-8") as f:
            head = json.loads(next(f))
            for d in map(json.loads, f):
                self.pages.append(Page(gold[d["file"]], d["texts"], at))
                at += len(d["texts"])
        self.names, self.page_names, self.types = head["features"], head["page_features"], head["types"]
        self.features = np.fromfile(prefix + ".i16", np.int16).reshape(-1, len(self.names))
        self.page_features = np.fromfile(prefix + ".pages.i16", np.int16).reshape(-1, len(self.page_names))
        self.real = np.array([not p.made() for p in self.pages])
        self.typed = np.array([not p.made() or "plain" in p.gold for p in self.pages])
        self.type = np.array([self.types.index(p.type()) for p in self.pages])
        first, last = (self.page_names.index(name) for name in ADDRESS)
        self.address = slice(first, last + 1)
        first = self.names.index("is_" + self.types[0])
        self.is_type = slice(first, first + len(self.types))
        assert len(self.features) == at and len(self.page_features) == len(self.pages)

    def scored(self):
        return [p for p in self.pages if not p.made()]

    def part(self, k, salt=""):
        return np.array([p.part(k, salt) for p in self.pages])

    def rows(self, pages):
        """Which blocks are of pages that are marked."""
        return np.repeat(pages, [p.rows.stop - p.rows.start for p in self.pages])


def learn_types(data, mask):
    """A model a type, taught by pages as they are and plain ones. Each page is taught with its address and without: that it has none says nothing."""
    mask = mask & data.typed
    with_address = data.page_features[mask].astype(np.float32)
    without = with_address.copy()
    without[:, data.address] = -1
    both, types = np.concatenate([with_address, without]), np.concatenate([data.type[mask]] * 2)
    weight = 1 / np.sqrt(np.maximum(np.bincount(types, minlength=len(data.types)), 1))
    models = []
    for i in range(len(data.types)):
        table = lightgbm.Dataset(both, (types == i).astype(int), weight=weight[types], params=TYPES)
        models.append(lightgbm.train({**TYPES, "seed": 1}, table, TYPE_TREES))
    return models


def tell_types(models, page_features):
    p = np.stack([m.predict(page_features) for m in models], 1)
    return np.minimum((p * BUCKETS).astype(np.int16), BUCKETS - 1)


def types_unseen(data, mask):
    """Of the pages that are marked: each by models that were taught without its part of them."""
    part, told = data.part(TYPE_FOLDS, "types "), np.zeros((len(data.pages), len(data.types)), np.int16)
    for k in range(TYPE_FOLDS):
        own = mask & (part == k)
        if own.any():
            told[own] = tell_types(learn_types(data, mask & (part != k)), data.page_features[own])
    return told


def with_types(data, told):
    """The features of all blocks, with those types of their pages."""
    features = data.features.copy()
    for page, types in zip(data.pages, told):
        features[page.rows, data.is_type] = types
    return features


def dataset(features, pages):
    label = np.concatenate([p.label for p in pages])
    weight = np.concatenate([p.weight for p in pages])
    weight *= np.maximum(np.abs(2 * label - 1), 0.1) / weight.mean()
    return lightgbm.Dataset(features.astype(np.float32), (label >= 0.5).astype(int), weight=weight, params=BLOCKS)


def learn_blocks(data, mask):
    features = with_types(data, types_unseen(data, mask))
    rows = data.rows(mask)
    table = dataset(features[rows], [p for p, taken in zip(data.pages, mask) if taken])
    return [lightgbm.train({**BLOCKS, "seed": seed}, table, BLOCK_TREES) for seed in range(1, BLOCK_MODELS + 1)]


def tell_blocks(models, features):
    return 1 / (1 + np.exp(-sum(m.predict(features, raw_score=True) for m in models) / len(models)))


def choose(page, p, beta2=1):
    """The blocks above the threshold where the expected F is largest, and that F (maintext.c; there the rows of a table are made alike, too)."""
    if len(p) == 0:
        return p > 0, 0.0
    beside = np.concatenate([p[:1], p, p[-1:]])
    p = (6 * p + beside[:-2] + beside[2:]) / 8
    bucket = np.minimum((p * BUCKETS).astype(int), BUCKETS - 1)
    n, hits = np.zeros(BUCKETS), np.zeros(BUCKETS)
    np.add.at(n, bucket, page.n)
    np.add.at(hits, bucket, page.n * p)
    n, hits = np.cumsum(n[::-1])[::-1], np.cumsum(hits[::-1])[::-1]
    f = (1 + beta2) * hits / np.maximum(n + beta2 * hits[0], 1e-9)
    return bucket >= np.argmax(f), f.max()


def confidence(data, p):
    """The F1 that pages had on average for every percent that was expected of them: never less for more (pool adjacent violators)."""
    found = collections.defaultdict(list)  # by percent: pages of one are not told apart by what they turned out to have
    for page in data.scored():
        kept, expected = choose(page, p[page.rows])
        found[min(int(100 * expected), 100)].append(f1(page.score(kept)))
    pools = []  # expected at most, sum of F1, pages
    for expected, own in sorted(found.items()):
        pools.append([expected, sum(own), len(own)])
        while len(pools) > 1 and pools[-2][1] / pools[-2][2] >= pools[-1][1] / pools[-1][2]:
            last = pools.pop()
            pools[-1] = [last[0], pools[-1][1] + last[1], pools[-1][2] + last[2]]
    ends, means = [0] + [e for e, _, _ in pools], [100 * s / n for _, s, n in pools]
    return [round(v) for v in np.interp(np.arange(101), [(a + b) / 2 for a, b in zip(ends, ends[1:])], means)]


def held_back(data, k):
    """How likely each block is main text, and the types of all pages, as models say it that have not seen the page's site."""
    part, p, types = data.part(k), np.zeros(len(data.features)), np.zeros((len(data.pages), len(data.types)), np.int16)
    for fold in range(k):
        mask = part != fold
        types[~mask] = tell_types(learn_types(data, mask), data.page_features[~mask])
        rows = data.rows(~mask)
        p[rows] = tell_blocks(learn_blocks(data, mask), with_types(data, types)[rows])
    return p, types


def report_types(data, types):
    print("types: right of all; what each was taken for")
    told = types.argmax(1)
    for i, name in enumerate(data.types):
        counts = np.bincount(told[(data.type == i) & data.real], minlength=len(data.types))
        print(f"  {name:16}{counts[i]:5}{counts.sum():5}   " + " ".join(f"{n} {c}" for n, c in zip(data.types, counts) if c))


def report(pages, p):
    for name, beta2 in (("precision", 0.5), ("balanced", 1), ("recall", 16)):
        groups = collections.defaultdict(list)
        for page in pages:
            keep = choose(page, p[page.rows], beta2)[0]
            row = page.score(keep) + [page.f1_of_words(keep)]
            for key in groups_of(page.gold):
                groups[key].append(row)
        print(f"{name}: pages, P, R, F1, F1 of words")
        for key, rows in sorted(groups.items()):
            words = sum(r[3] for r in rows) / len(rows)
            print(f"  {key:30}{len(rows):5}" + "".join(f"{x:7.3f}" for x in (*rates(rows), words)))
        sys.stdout.flush()


def put_tree(node, nodes, leaves, of):
    """Nodes as (threshold, feature, mask of the leaves that remain where the value is greater)."""
    if "leaf_value" in node:
        leaves.append(round(node["leaf_value"] * LEAF / of))
        return
    assert node["decision_type"] == "<="
    at, first = len(nodes), len(leaves)
    nodes.append(None)
    put_tree(node["left_child"], nodes, leaves, of)
    left = (1 << len(leaves)) - (1 << first)
    put_tree(node["right_child"], nodes, leaves, of)
    nodes[at] = (int(np.floor(node["threshold"])), node["split_feature"], 0xFFFF & ~left)


def trees_of(models):
    """The trees of their mean as lists of nodes and of leaves; one that is a single leaf says the same of all and counts for nothing."""
    for model in models:
        for tree in model.dump_model()["tree_info"]:
            nodes, leaves = [], []
            put_tree(tree["tree_structure"], nodes, leaves, len(models))
            if nodes:
                yield nodes, leaves + [0] * (MAX_LEAVES - len(leaves))


def write_array(f, kind, name, rows):
    f.write(f"static const {kind} {name}[] = {{\n")
    line = "   "
    for row in rows:
        if len(line) + len(row) > 130:
            f.write(line + "\n")
            line = "   "
        line += f" {row},"
    f.write(line + "\n};\n")


def write_models(path, prefix, enum, names, models, pages):
    """Each the mean of some, one after the other; the ends of a model's trees count from its own first node."""
    ends, nodes, leaves, heads = [], [], [], []
    for mean in models:
        first_tree, first_node = len(ends), len(nodes)
        for own_nodes, own_leaves in trees_of(mean):
            nodes += own_nodes
            leaves += own_leaves
            ends.append(len(nodes) - first_node)
        heads.append("{%d, %d, %d}" % (first_tree, len(ends) - first_tree, first_node))
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* Written by tools/train_blocks.py; trees.h says what it means.\n")
        f.write(f" * Trained on {len(pages)} pages, SHA-256 of their names {names_of([p.gold for p in pages])}. */\n/* clang-format off */\n")
        write_array(f, "TreeModelAt", prefix + "_models", heads)
        write_array(f, "uint16_t", prefix + "_ends", [str(v) for v in ends])
        write_array(f, "TreeNode", prefix + "_nodes", ["{%d, %s_%s, 0x%x}" % (t, enum, names[i], mask) for t, i, mask in nodes])
        write_array(f, "int16_t", prefix + "_leaves", [str(v) for v in leaves])
        f.write("/* clang-format on */\n")


def write_confidence(path, percents):
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* Written by tools/train_blocks.py; clang-format off */\n")
        write_array(f, "uint8_t", "confidence", [str(v) for v in percents])
        f.write("/* clang-format on */\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold")
    parser.add_argument("features")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--write")
    args = parser.parse_args()
    data = Data(args.gold, args.features)
    p, types = held_back(data, args.folds)
    report_types(data, types)
    report(data.scored(), p)
    if args.write:
        everything = np.ones(len(data.pages), bool)
        for name, prefix, enum, names, models in (
            ("pagetype_table.inc", "type", "PAGE_FEATURE", data.page_names, [[m] for m in learn_types(data, everything)]),
            ("blockmodel_table.inc", "block", "FEATURE", data.names, [learn_blocks(data, everything)]),
        ):
            write_models(os.path.join(args.write, name), prefix, enum, names, models, data.scored())
        write_confidence(os.path.join(args.write, "confidence_table.inc"), confidence(data, p))


if __name__ == "__main__":
    main()
