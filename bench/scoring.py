"""How well a text of a page agrees with its gold text: what bench/extraction.py reports and tools/train_blocks.py learns from. They say why."""

import collections
import hashlib
import re

WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
TOKEN = re.compile(f"[{WIDE}]|[^\\W{WIDE}]+")


def tokens(text):
    """Runs of word characters, and single Han, kana and Hangul characters."""
    return TOKEN.findall(text)


def grams(t, n=4):
    """The n-grams of a list of tokens as a multiset; of a shorter list, itself."""
    if len(t) < n:
        return collections.Counter([tuple(t)] if t else [])
    return collections.Counter(tuple(t[i : i + n]) for i in range(len(t) - n + 1))


def compare(want, own):
    """Of two multisets: how many hit, are false, are missed."""
    few, many = sorted((want, own), key=len)  # the left one is gone through, and blocks are small
    hits = sum((few & many).values())
    return hits, sum(own.values()) - hits, sum(want.values()) - hits


def shares(parts):
    """Hits, false and missed ones of a page, over their sum: so that pages weigh the same."""
    return [x / sum(parts) for x in parts] if sum(parts) else [1.0, 0.0, 0.0]


def rates(rows):
    """Precision, recall and F1 of a set of pages."""
    hit, false, missed = (sum(r[i] for r in rows) for i in range(3))
    p, r = hit / (hit + false) if hit + false else 0.0, hit / (hit + missed) if hit + missed else 0.0
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


def groups_of(page):
    """The sets whose figures a page of gold.jsonl is in."""
    return sorted({page["set"], f"{page['set']} {page['lang']}", f"{page['set']} {page.get('type') or page['lang']}"})


def names_of(pages):
    """By this the tables of tools/train_blocks.py say which pages its model was trained on."""
    return hashlib.sha256("\n".join(sorted(p["file"] for p in pages)).encode()).hexdigest()[:16]
