"""Near deduplication beside its peers on the same documents: time, memory, what is removed and whether it should have been.

    python3 -m venv build/bench-venv && build/bench-venv/bin/pip install -r bench/requirements.txt
    build/bench-venv/bin/python3 bench/dedup_peers.py BIN_DIR FILE.jsonl[.zst]... [--docs N] [--more N] [--runs N] [--only NAME,...]

BIN_DIR is a release build with tamis. The first N documents (1000) of every FILE, the English files together and the Chinese ones
together, go through whole runs of near deduplication, 14 bands of 8 rows over runs of five words:

  tamis         `tamis dedup -j 1`, dataset to view on disk, start of the process included
  datatrove     its four stages, one process, its own word tokenizer for the language (`en`: spaCy's rules, `zh`: jieba);
                its first stage also beside our phase sign
  rensa R, C    RMinHashDeduplicator with LSH; CMinHashDeduplicator, which compares all with all: 112 values, checked by its own estimate at .7
  datasketch    MinHash, 112 values, sha1, and MinHashLSH: a document that meets an earlier kept one is removed
  text-dedup    its script `minhash` in one process, whose words are what lies between non-letters: in Chinese a clause each

rensa and datasketch come without words: they get those of `words()` below, which are ours in Python. Peers have the texts in memory, and
their imports, tokenizers and the reading of texts are not counted. `tamis` runs between any two peers. Times are medians over --runs (3)
with least and most; the files' bytes of text over the processor time are MB/s. With --more N the fast ones (tamis, rensa R) run on the
first N documents of every FILE, too.

Pairs are judged by brute force over the same documents: the true Jaccard similarity of their sets of runs of five words, in Python and
scipy, for all pairs. `found` counts the pairs of .8 and more of which not both stay; `wrong` the removed documents that have less than .7 in common
with every document that stays. Peers compare other words, so in Chinese a little of this is a difference of opinion.

Signature files of the first 300 documents are compared with datatrove's byte for byte; status 1 when one differs. With the defaults and
four files of 1000 articles or so, about twelve minutes; datatrove takes most of them."""

import argparse
import importlib.metadata
import io
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import unicodedata

BANDS, ROWS, WORDS, SIMILAR = 14, 8, 5, 0.7
FAST = ("tamis", "rensa R")
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af"
WORD = re.compile(f"[{CJK}]|[^\\W_{CJK}]+")
DIGITS = re.compile(r"\d+")


def words(text):
    return WORD.findall(DIGITS.sub("0", unicodedata.normalize("NFKC", text).lower()))


def shingles(text):
    w = words(text)
    return {" ".join(w[i : i + WORDS]) for i in range(max(1, len(w) - WORDS + 1))}


def lines(path):
    if path.endswith(".zst"):
        with subprocess.Popen(["zstd", "-dcq", "--long=27", path], stdout=subprocess.PIPE) as process:
            yield from io.TextIOWrapper(process.stdout, encoding="utf-8")
            process.kill()
    else:
        with open(path, encoding="utf-8") as file:
            yield from file


def documents(path, n):
    for i, line in enumerate(lines(path)):
        if i == n:
            return
        d = json.loads(line)
        yield {"id": str(d["id"]), "text": d["text"], "lang": str(d.get("lang", "en"))}


# The peers: each returns a function of [(id, text)] that gives the ids which stay. What it does before is not counted.


def datatrove_config():
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    logger.remove()
    return MinhashConfig(n_grams=WORDS, num_buckets=BANDS, hashes_per_bucket=ROWS, hash_config=HashConfig(precision=64))


def datatrove(language, top):
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature

    config = datatrove_config()
    signatures, buckets, removals = (os.path.join(top, name) for name in ("signatures", "buckets", "removals"))
    sign = MinhashDedupSignature(signatures, config, language=language)
    sign.word_tokenizer.word_tokenize("one two 三")

    def run(docs):
        began = used()
        sign.run(Document(text=text, id=name) for name, text in docs)
        run.signed = used() - began
        for bucket in range(BANDS):
            MinhashDedupBuckets(signatures, buckets, config=config).run(None, bucket, BANDS)
        MinhashDedupCluster(buckets, removals, config).run(None, 0, 1)
        return [d.id for d in MinhashDedupFilter(removals).run(Document(text=text, id=name) for name, text in docs)]

    return run


def rensa(kind):
    import rensa as module

    def run(docs):
        dedup = (
            module.RMinHashDeduplicator(threshold=SIMILAR, num_perm=BANDS * ROWS, use_lsh=True, num_bands=BANDS)
            if kind == "R"
            else module.CMinHashDeduplicator(threshold=SIMILAR, num_perm=BANDS * ROWS)
        )
        stays = dedup.add_pairs((name, list(shingles(text))) for name, text in docs)
        return [name for (name, _), keep in zip(docs, stays) if keep]

    return run


def datasketch():
    from datasketch import MinHash, MinHashLSH

    def run(docs):
        index, kept = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS)), []
        for name, text in docs:
            m = MinHash(num_perm=BANDS * ROWS)
            m.update_batch([s.encode() for s in shingles(text)])
            if not index.query(m):
                index.insert(name, m)
                kept.append(name)
        return kept

    return run


def text_dedup(path, top):
    from datasets import disable_progress_bars, load_from_disk
    from text_dedup.minhash import main

    disable_progress_bars()
    out = os.path.join(top, "out")
    shape = ["--ngram", str(WORDS), "--num_perm", str(BANDS * ROWS), "--b", str(BANDS), "--r", str(ROWS)]
    where = ["--path", "json", "--data_files", path, "--split", "train", "--cache_dir", os.path.join(top, "cache"), "--output", out]

    def run(docs):
        main(where + shape + ["--column", "text", "--num_proc", "1"], standalone_mode=False)
        return load_from_disk(out)["id"]

    return run


def used():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in both)


def be_peer(name, language, path, top, answer):
    run = {
        "datatrove": lambda: datatrove(language, top),
        "rensa R": lambda: rensa("R"),
        "rensa C": lambda: rensa("C"),
        "datasketch": datasketch,
        "text-dedup": lambda: text_dedup(path, top),
    }[name]()
    docs = [(d["id"], d["text"]) for d in documents(path, -1)]
    began, wall = used(), time.perf_counter()
    kept = run(docs)
    seconds = {"cpu": used() - began, "wall": time.perf_counter() - wall}
    with open(answer, "w", encoding="utf-8") as file:
        json.dump({**seconds, "kept": list(kept), "signed": getattr(run, "signed", None)}, file)


def be_signer(language, path, top):
    """Words and signature files of datatrove."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.utils.text import simplify_text

    config = datatrove_config()
    sign = MinhashDedupSignature(os.path.join(top, "theirs"), config, language=language)
    docs = list(documents(path, 300))
    with open(os.path.join(top, "words.jsonl"), "w", encoding="utf-8") as file:
        for d in docs:
            d["tokens"] = sign.word_tokenizer.word_tokenize(simplify_text(d["text"], config.norm_config))
            file.write(json.dumps(d, ensure_ascii=False) + "\n")
    sign.run(Document(text=d["text"], id=d["id"]) for d in docs)


# What calls them.


def measured(command, env=None):
    """time(1) in between: of a process that this one starts the peak would be this one's, which is larger."""
    began = time.perf_counter()
    with tempfile.NamedTemporaryFile("r") as said:
        done = subprocess.run(["time", "-f", "%U %S %M", "-o", said.name, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
        wall = time.perf_counter() - began
        if done.returncode:
            sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")
        user, system, kb = map(float, said.read().split())
        return {"cpu": user + system, "wall": wall, "mb": kb * 1024 / 1e6}


def run_tamis(binary, top):
    view = os.path.join(top, "view")
    shutil.rmtree(view, ignore_errors=True)
    result = measured([binary, "dedup", "-q", "--no-alarm", "-j", "1", "-o", view, os.path.join(top, "data")])
    cat = subprocess.run([binary, "docs", "cat", view], check=True, stdout=subprocess.PIPE).stdout
    result["kept"] = [json.loads(line)["meta"]["id"] for line in cat.splitlines()]
    with open(os.path.join(view, "sign", "stats.json"), encoding="utf-8") as file:
        result["signed"] = json.load(file)["cpu_seconds"]
    return result


def run_peer(name, language, path):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as top:
        answer = os.path.join(top, "answer")
        env = {**os.environ, "HF_HOME": top, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
        result = measured([sys.executable, __file__, "--be", name, language, path, top, answer], env)
        with open(answer, encoding="utf-8") as file:
            return {**result, **json.load(file)}


def true_pairs(docs, least=0.5):
    """{(i, k): Jaccard} of all pairs i < k of `least` and more."""
    import numpy
    from scipy.sparse import csr_array

    number, columns, ends = {}, [], [0]
    for d in docs:
        columns.extend(number.setdefault(s, len(number)) for s in shingles(d["text"]))
        ends.append(len(columns))
    sizes = numpy.diff(ends)
    sets = csr_array((numpy.ones(len(columns), numpy.int32), columns, ends), shape=(len(docs), len(number)))
    turned, found = sets.T.tocsr(), {}
    for begin in range(0, len(docs), 256):
        common = (sets[begin : begin + 256] @ turned).tocoo()
        i, k = common.coords
        i = i + begin
        jaccard = common.data / (sizes[i] + sizes[k] - common.data)
        some = (jaccard >= least) & (i < k)
        found.update(zip(zip(i[some].tolist(), k[some].tolist()), jaccard[some].tolist()))
    return found


def judged(docs, pairs, kept):
    kept = set(kept)
    stays = [d["id"] in kept for d in docs]
    nearest = {}
    for (i, k), jaccard in pairs.items():
        for a, b in ((i, k), (k, i)):
            if stays[b]:
                nearest[a] = max(nearest.get(a, 0), jaccard)
    return {
        "removed": stays.count(False),
        "found": sum(not (stays[i] and stays[k]) for (i, k), jaccard in pairs.items() if jaccard >= 0.8),
        "wrong": sum(not stay and nearest.get(i, 0) < SIMILAR for i, stay in enumerate(stays)),
    }


def differing(ours, theirs):
    mine, others = (sorted(os.path.relpath(os.path.join(d, f), top) for d, _, files in os.walk(top) for f in files if f.endswith(".sig"))
                    for top in (ours, theirs))
    if mine != others:
        return [f"{len(mine)} files, theirs {len(others)}"], 0
    bad, size = [], 0
    for name in others:
        with open(os.path.join(ours, name), "rb") as a, open(os.path.join(theirs, name), "rb") as b:
            x, y = a.read(), b.read()
        size += len(y)
        bad += [name] if x != y else []
    return bad, size


def signatures_equal(binary, language, path, top):
    theirs, ours, data = (os.path.join(top, name) for name in ("theirs", "ours", "worded"))
    measured([sys.executable, __file__, "--be", "signer", language, path, top, ""])
    measured([binary, "ingest", "-q", "--no-alarm", "-o", data, os.path.join(top, "words.jsonl")])
    measured([binary, "dedup", "signatures", "-q", "-o", ours, data])
    bad, size = differing(ours, theirs)
    print(f"signature files as datatrove's: {size} bytes compared, {len(bad)} files differ", *bad[:5])
    return not bad and size > 0


def corpus(paths, n, top):
    """The first n documents of every path in one file, ids made unique, and the same as a dataset."""
    docs = [{**d, "id": f"{f}-{i}"} for f, path in enumerate(paths) for i, d in enumerate(documents(path, n))]
    path = os.path.join(top, "docs.jsonl")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(d, ensure_ascii=False) + "\n" for d in docs)
    return docs, path


def spread(values, digits):
    middle = statistics.median(values)
    return f"{middle:.{digits}f}" + (f" ({min(values):.{digits}f}-{max(values):.{digits}f})" if len(values) > 1 else "")


def print_table(docs, runs, pairs):
    size = sum(len(d["text"].encode()) for d in docs)
    near = sum(jaccard >= 0.8 for jaccard in pairs.values())
    best = statistics.median(r["cpu"] for r in runs["tamis"])
    print(f"\n{len(docs)} documents, {size / 1e6:.1f} MB of text" + (f", {near} pairs of .8 and more" if pairs else ""))
    print("\n| what | processor, s | MB/s | tamis is | by the clock, s | peak, MB | removed | found | wrong |\n|---|---|---|---|---|---|---|---|---|")
    for who, results in runs.items():
        cpu = [r["cpu"] for r in results]
        middle = statistics.median(cpu)
        row = judged(docs, pairs, results[0]["kept"])
        verdict = f"{row['found']} of {near} | {row['wrong']}" if pairs else "- | -"
        print(f"| {who} | {spread(cpu, 2)} | {size / 1e6 / middle:.2f} | {middle / best:.1f}x | {spread([r['wall'] for r in results], 2)}"
              f" | {max(r['mb'] for r in results):.0f} | {row['removed']} | {verdict} |")
    if "datatrove" in runs:
        ours, theirs = (statistics.median(r["signed"] for r in runs[who]) for who in ("tamis", "datatrove"))
        print(f"\nsignatures alone: tamis {ours:.3f} s of the processor, {size / 1e6 / ours:.0f} MB/s, with the sketch; datatrove"
              f" {theirs:.2f} s, {size / 1e6 / theirs:.2f} MB/s, {theirs / ours:.0f}x")
    sys.stdout.flush()


def compare(binary, language, paths, n, peers, runs, judge):
    with tempfile.TemporaryDirectory() as top:
        docs, path = corpus(paths, n, top)
        measured([binary, "ingest", "-q", "--no-alarm", "-o", os.path.join(top, "data"), path])
        found = {"tamis": []}
        for _ in range(runs):
            found["tamis"].append(run_tamis(binary, top))
            for name in peers:
                found.setdefault(name, []).append(run_peer(name, language, path))
                found["tamis"].append(run_tamis(binary, top))
        print(f"\n## {language}")
        same = signatures_equal(binary, language, path, top) if "datatrove" in peers else True
        print_table(docs, found, true_pairs(docs) if judge else {})
        return same


def main():
    if sys.argv[1:2] == ["--be"]:
        name, language, path, top, answer = sys.argv[2:]
        return be_signer(language, path, top) if name == "signer" else be_peer(name, language, path, top, answer)
    everyone = ["datatrove", "rensa R", "rensa C", "datasketch", "text-dedup"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--docs", type=int, default=1000)
    parser.add_argument("--more", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", type=lambda s: s.split(","), default=everyone)
    args = parser.parse_args()
    print("Python", sys.version.split()[0], *(f"{p} {importlib.metadata.version(p)}" for p in ("datatrove", "rensa", "datasketch", "text-dedup")), sep=", ")
    binary, languages, same = os.path.join(args.bin_dir, "tamis"), {}, True
    for path in args.files:
        language = "zh" if next(documents(path, 1))["lang"].startswith("zh") else "en"
        languages.setdefault(language, []).append(path)
    for language, paths in languages.items():
        same &= compare(binary, language, paths, args.docs, args.only, args.runs, True)
        if args.more:
            compare(binary, language, paths, args.more, [p for p in args.only if p in FAST], args.runs, False)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
