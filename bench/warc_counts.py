#!/usr/bin/env python3
"""Records of every archive as Tamis counts them, and as warcio and FastWARC do.

    TAMIS_WARCS=/data/warc bench/warc_counts.py build/release/tamis

A line a file: what each reader says, with FastWARC lenient (strict_mode=False), as a pipeline would use it; "-" where a reader
cannot read the format or gives up, with the records before it did. Differences are marked; docs of ours are counted as records.
Needs bench/requirements.txt; a reader that is not installed is left out.
"""
import json
import os
import subprocess
import sys
import tempfile


def tamis(binary, path):
    with tempfile.TemporaryDirectory() as out:
        run = subprocess.run([binary, "ingest", "-q", "-o", out + "/d", path], capture_output=True, text=True)
        try:
            m = json.load(open(out + "/d/manifest.json"))
        except FileNotFoundError:
            return None, {}, run.stderr.strip()
    dropped = {k: v for k, v in m["dropped"].items() if v}
    bad = sum(dropped.get(r, 0) for r in ("warc_malformed", "gzip_corrupt", "truncated", "bomb", "unknown_format"))
    return m["n_in"] - bad, dropped, "%d bad" % bad if bad else ""


def warcio(path):
    from warcio.archiveiterator import ArchiveIterator
    n = 0
    try:
        with open(path, "rb") as f:
            for record in ArchiveIterator(f):
                record.content_stream().read()
                n += 1
    except BaseException as e:
        return n, type(e).__name__
    return n, ""


def fastwarc(path):
    from fastwarc.warc import ArchiveIterator
    n = 0
    try:
        with open(path, "rb") as f:
            for record in ArchiveIterator(f, strict_mode=False):
                record.reader.read()
                n += 1
    except BaseException as e:
        return n, type(e).__name__
    return n, ""


def main():
    binary = os.path.abspath(sys.argv[1])
    top = os.environ["TAMIS_WARCS"]
    print("%-84s %6s %14s %14s" % ("file", "tamis", "warcio", "fastwarc"))
    n_equal = n_all = 0
    for folder, dirs, names in os.walk(top):
        dirs.sort()
        for name in sorted(names):
            if not any(x in name for x in (".warc", ".arc", ".wet", ".wat")) or ".paths" in name:
                continue
            path = os.path.join(folder, name)
            ours, dropped, note = tamis(binary, path)
            theirs = []
            for reader in (warcio, fastwarc):
                try:
                    theirs.append("%d %s" % reader(path))
                except ImportError:
                    theirs.append("absent")
            n_all += 1
            equal = str(ours) in [t.strip() for t in theirs]
            n_equal += equal
            print("%-84s %6s %14s %14s%s %s" % (os.path.relpath(path, top), ours, *theirs, "" if equal else " !", note))
    print("%d files, %d as one of the others at least" % (n_all, n_equal))


if __name__ == "__main__":
    main()
