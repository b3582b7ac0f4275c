"""Extraction of the main text beside its peers on the same pages: what is kept, set against the gold text, and bytes a second.

    python3 -m venv build/bench-venv && build/bench-venv/bin/pip install -r bench/requirements.txt
    ninja -C build/release extract_bench
    TAMIS_EXTRACTION=DIR build/bench-venv/bin/python3 bench/extraction.py build/release [--peers NAME,...] [--modes NAME,...] [--runs N] [--per-page FILE]

DIR holds gold.jsonl, lines {"set","file","lang","type","url","gold"}, and the pages named there. Every tool gets the bytes of a page as they were
served, nothing of HTTP, in one thread; the peers (trafilatura, resiliparse, readability, justext; none without --peers) are timed with
their decoding and parsing, without their imports. Times are of the processor, the least of --runs (1); MB are 10^6 bytes of HTML.

A page is scored by 4-grams of tokens (a run of word characters, or one Han, kana or Hangul character), as multisets: hits, false and
missed ones are divided by their sum, so that each page weighs the same, and summed over a set; P, R, F1 come from the sums. `words` is
the mean of the F1 of single tokens. The interval is of F1, 95 % by 1000 bootstrap samples of the pages (seed 1). The folds are the halves of a set by
the first bit of the SHA-256 of the page's name: a rule that helps one and hurts the other was made for single pages. Where the pages are those that
the model of `tamis` was trained on, a line ahead of its table says so: then its rows say nothing of other pages, and what tools/train_blocks.py
--folds 5 prints is to be quoted beside the peers instead.

Texts of pages belong to others: the table holds scores alone."""

import argparse
import collections
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time

from scoring import compare, grams, groups_of, names_of, rates, shares, tokens


def score(gold, text):
    """(hit, false, missed) of the page as shares, and the F1 of its words."""
    parts = compare(grams(tokens(gold)), grams(tokens(text)))
    w = compare(*(grams(tokens(t.lower()), 1) for t in (gold, text)))
    return (*shares(parts), 2 * w[0] / (2 * w[0] + w[1] + w[2]) if sum(w) else 1.0)


def interval(rows, samples=1000):
    rng = random.Random(1)
    f = sorted(rates(rng.choices(rows, k=len(rows)))[2] for _ in range(samples))
    return f[samples // 40], f[samples - 1 - samples // 40]


def fold(name):
    return hashlib.sha256(name.encode()).digest()[0] >> 7


def decode(raw):
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    return bytes_to_str(raw, detect_encoding(raw))


def peer(name):
    """bytes -> text."""
    if name.startswith("trafilatura"):
        import trafilatura

        recall = name.endswith("recall")
        return lambda raw: trafilatura.extract(raw, favor_recall=recall) or ""
    if name == "resiliparse":
        from resiliparse.extract.html2text import extract_plain_text

        return lambda raw: extract_plain_text(decode(raw), main_content=True)
    if name == "readability":
        import lxml.html
        from readability import Document

        return lambda raw: lxml.html.fromstring(Document(decode(raw)).summary()).text_content()
    if name == "justext":
        import justext

        stop = justext.get_stoplist("English")
        return lambda raw: "\n".join(p.text for p in justext.justext(raw, stop) if not p.is_boilerplate)
    raise SystemExit(f"unknown peer {name}")


def run_peer(name, pages, directory, runs):
    extract = peer(name)
    raw = {}
    for p in pages:
        with open(os.path.join(directory, p["file"]), "rb") as f:
            raw[p["file"]] = f.read()
    texts, best, failed = {}, None, 0
    for _ in range(runs):
        began = time.process_time()
        for file, data in raw.items():
            try:
                texts[file] = extract(data)
            except Exception:  # a page that a tool cannot read is an empty text
                texts[file] = ""
                failed += 1
        took = time.process_time() - began
        best = took if best is None else min(best, took)
    if failed:
        print(f"# {name}: {failed // runs} pages failed", file=sys.stderr)
    return texts, sum(map(len, raw.values())) / 1e6 / best


def run_tamis(program, mode, pages, directory, runs):
    with tempfile.NamedTemporaryFile("w+", suffix=".jsonl") as out:
        command = [program, "-C", directory, "-o", out.name, "-n", str(runs)] + (["-m", mode] if mode else [])
        names = "".join(f"{p['file']}\t{p.get('url') or ''}\n" for p in pages)
        table = subprocess.run(command, input=names, text=True, stdout=subprocess.PIPE, check=True).stdout
        texts = {d["file"]: d["text"] for d in map(json.loads, open(out.name, encoding="utf-8"))}
    return texts, table


def trained_on(pages):
    """Whether the model in the sources was trained on these pages, as tools/train_blocks.py notes."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ingest", "blockmodel_table.inc")
    with open(source, encoding="utf-8") as f:
        return names_of(pages) in f.read(500)


def table(name, pages, texts, per_page):
    groups = collections.defaultdict(list)
    for p in pages:
        row = score(p["gold"], texts.get(p["file"], ""))
        if per_page:
            one = rates([row])
            per_page.write(f"{name}\t{p['file']}\t{fold(p['file'])}\t{one[0]:.3f}\t{one[1]:.3f}\t{one[2]:.3f}\t{row[3]:.3f}\n")
        for k in groups_of(p):
            groups[k].append((fold(p["file"]), row))
    print(f"\n{name}\n{'set':30}{'pages':>6}{'P':>7}{'R':>7}{'F1':>7}   {'95 %':12}{'fold 0':>7}{'fold 1':>7}{'words':>7}")
    for k, found in sorted(groups.items()):
        rows = [r for _, r in found]
        halves = [[r for f, r in found if f == half] for half in (0, 1)]
        p, r, f1 = rates(rows)
        low, high = interval(rows)
        sides = "".join(f"{rates(h)[2]:7.3f}" if h else "      -" for h in halves)
        words = sum(r[3] for r in rows) / len(rows)
        print(f"{k:30}{len(rows):6}{p:7.3f}{r:7.3f}{f1:7.3f}   {low:.3f}-{high:.3f} {sides}{words:7.3f}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("--peers", default="")
    parser.add_argument("--modes", default="")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--per-page")
    args = parser.parse_args()
    directory = os.environ.get("TAMIS_EXTRACTION") or sys.exit("TAMIS_EXTRACTION names no directory of pages")
    with open(os.path.join(directory, "gold.jsonl"), encoding="utf-8") as f:
        pages = [json.loads(line) for line in f]
    per_page = open(args.per_page, "w", encoding="utf-8") if args.per_page else None
    program = os.path.join(args.bin_dir, "extract_bench")
    if trained_on(pages):
        print("# tamis: TRAINED ON THESE PAGES; for pages not seen: tools/train_blocks.py --folds 5 (bench/RESULTS.md)")
    for mode in args.modes.split(",") if args.modes else [""]:
        texts, speeds = run_tamis(program, mode, pages, directory, args.runs)
        table(f"tamis {mode}".strip(), pages, texts, per_page)
        print(speeds, end="")
    for name in filter(None, args.peers.split(",")):
        texts, speed = run_peer(name, pages, directory, args.runs)
        table(name, pages, texts, per_page)
        print(f"{speed:.1f} MB/s")
    if per_page:
        per_page.close()


if __name__ == "__main__":
    main()
