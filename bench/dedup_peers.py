"""Signatures beside datatrove: its files and ours of the same documents and words, byte for byte, and the time that both took.

    python3 -m venv build/bench-venv && build/bench-venv/bin/pip install -r bench/requirements.txt
    build/bench-venv/bin/python3 bench/dedup_peers.py BIN_DIR FILE.jsonl[.zst]... [--docs N] [--runs N]

BIN_DIR is a release build with tamis. Of every FILE the first N documents (400) of its language are signed by datatrove's
MinhashDedupSignature, one process, its own tokenizer for the language (`en`: spaCy's rules, `zh`: jieba), and by

  compat  `tamis dedup signatures`, given the words that this tokenizer made: the files must be equal
  ours    `tamis dedup`, phase sign alone: text key, exact key, 14 band keys and sketch from the text itself

Times are of the processor, the word tokenizer's loading not counted; medians with least and most. Status 1 when a file differs."""

import argparse
import importlib.metadata
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def lines(path):
    if path.endswith(".zst"):
        with subprocess.Popen(["zstd", "-dcq", "--long=27", path], stdout=subprocess.PIPE) as process:
            yield from io.TextIOWrapper(process.stdout, encoding="utf-8")
            process.kill()
    else:
        with open(path, encoding="utf-8") as file:
            yield from file


def documents(path, n):
    found = []
    for line in lines(path):
        found.append(json.loads(line))
        if len(found) == n:
            break
    return found


def child_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def differing(ours, theirs):
    names = sorted(os.path.relpath(os.path.join(d, f), theirs) for d, _, files in os.walk(theirs) for f in files)
    mine = sorted(os.path.relpath(os.path.join(d, f), ours) for d, _, files in os.walk(ours) for f in files)
    if names != mine:
        return [f"{len(mine)} files, theirs {len(names)}"], 0
    bad, size = [], 0
    for name in names:
        with open(os.path.join(ours, name), "rb") as a, open(os.path.join(theirs, name), "rb") as b:
            x, y = a.read(), b.read()
        size += len(y)
        if x != y:
            bad.append(name)
    return bad, size


def compare(binary, path, n, runs, top):
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig
    from datatrove.utils.text import simplify_text
    from loguru import logger

    logger.remove()
    docs = documents(path, n)
    chinese = str(docs[0].get("lang", "en")).startswith("zh")
    text_bytes = sum(len(d["text"].encode()) for d in docs)
    config = MinhashConfig(hash_config=HashConfig(precision=64))
    theirs, ours, data, dedup = (os.path.join(top, name) for name in ("theirs", "ours", "data", "dedup"))
    step = MinhashDedupSignature(theirs, config, language="zh" if chinese else "en")
    tokenize = step.word_tokenizer.word_tokenize
    tokenize("one two 三")

    with open(os.path.join(top, "words.jsonl"), "w", encoding="utf-8") as file:
        for d in docs:
            words = tokenize(simplify_text(d["text"], config.norm_config))
            file.write(json.dumps({"id": d["id"], "text": d["text"], "tokens": words}, ensure_ascii=False) + "\n")
    child_seconds([binary, "ingest", "-q", "-o", data, os.path.join(top, "words.jsonl")])

    seconds = {"datatrove": [], "compat": [], "ours": []}
    for _ in range(runs):
        for folder in (theirs, ours, dedup):
            shutil.rmtree(folder, ignore_errors=True)
        began = time.process_time()
        step.run(Document(text=d["text"], id=str(d["id"])) for d in docs)
        seconds["datatrove"].append(time.process_time() - began)
        seconds["compat"].append(child_seconds([binary, "dedup", "signatures", "-q", "-j", "1", "-o", ours, data]))
        seconds["ours"].append(child_seconds([binary, "dedup", "-q", "-j", "1", "-o", dedup, data]))
    bad, size = differing(ours, theirs)

    name = os.path.basename(path)
    print(f"{name}: {len(docs)} documents, {text_bytes} bytes, {size} bytes of signatures, {len(bad)} files differ")
    print("\n| what | MB/s | seconds |\n|---|---|---|")
    for who, label in (("datatrove", "datatrove, stage 1"), ("compat", "ours, its files from its words"),
                       ("ours", "ours, all of tamis dedup")):
        middle = statistics.median(seconds[who])
        print(f"| {label} | {1e-6 * text_bytes / middle:.2f} | {middle:.2f} ({min(seconds[who]):.2f}-{max(seconds[who]):.2f}) |")
    print()
    for file in bad[:5]:
        print("differs:", file)
    return not bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--docs", type=int, default=400)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    print("datatrove", importlib.metadata.version("datatrove"), "Python", sys.version.split()[0], "\n")
    same = True
    for path in args.files:
        with tempfile.TemporaryDirectory() as top:
            same &= compare(os.path.join(args.bin_dir, "tamis"), path, args.docs, args.runs, top)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
