#!/usr/bin/env python3
"""FastWARC and warcio over the archive that bench/warc_bench.c reads: all records with their HTTP heads, one thread,

    bench/warc_peers.py FILE.warc.gz [RUNS]

whose CPU time counts. The file is read from the page cache. Medians; megabytes are 10^6 bytes of decompressed archive. Needs bench/requirements.txt.
"""
import gzip
import statistics
import sys
import time


def fastwarc(path):
    from fastwarc.warc import ArchiveIterator
    n = 0
    with open(path, "rb") as f:
        for record in ArchiveIterator(f, parse_http=True, strict_mode=False):
            n += 1
    return n


def fastwarc_blocks(path):
    from fastwarc.warc import ArchiveIterator
    n = 0
    with open(path, "rb") as f:
        for record in ArchiveIterator(f, parse_http=True, strict_mode=False):
            record.reader.read()
            n += 1
    return n


def warcio(path):
    from warcio.archiveiterator import ArchiveIterator
    n = 0
    with open(path, "rb") as f:
        for record in ArchiveIterator(f):
            record.http_headers
            n += 1
    return n


def main():
    path, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    size = 0
    with gzip.open(path) as f:
        while True:
            piece = f.read(1 << 20)
            if not piece:
                break
            size += len(piece)
    seconds = {}
    for _ in range(runs):
        for reader in (fastwarc, fastwarc_blocks, warcio):
            t = time.process_time()
            n = reader(path)
            seconds.setdefault(reader.__name__, []).append(time.process_time() - t)
    for name, s in seconds.items():
        s = statistics.median(s)
        print("%-18s %8.1f MB/s  %8.0f records/s  (%d records, %.1f MB)" % (name, size / s / 1e6, n / s, n, size / 1e6))


if __name__ == "__main__":
    main()
