"""The exchange and the components beside their peers, in one run: ours and theirs in turn, medians with least and most.

    python3 -m venv build/bench-venv && build/bench-venv/bin/pip install -r bench/requirements.txt
    build/bench-venv/bin/python3 bench/exchange_peers.py BIN_DIR [--records N] [--edges N] [--runs N] [--scratch DIR]

BIN_DIR is a release build with exchange_bench and components_bench. Records are the same for all: 16-byte keys, all different, and
8-byte values. Peers get fewer of them (--peer-share), which favours them: a sort costs more a record the more there are.
GNU sort reads them as lines of hexadecimal digits from a file in the page cache and writes nowhere; DuckDB has them as three
columns in memory and creates a sorted table, and, a second number, counts and sums by key. Neither checks anything or hands
groups to anybody; exchange_bench does both. "alone" is without making the records, as exchange_bench says."""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

COPY = re.compile(r"([0-9.]+) GB/s")
ALONE = re.compile(r"([0-9.]+) M records/s, alone ([0-9.]+) M records/s")
PHASES = re.compile(r"making ([0-9.]+) s, send ([0-9.]+) s, flip ([0-9.]+) s, deliver ([0-9.]+) s")
SOLVE = re.compile(r"send ([0-9.]+) s, solve ([0-9.]+) s, \d+ rounds, peak (\d+) MB, (\d+) components")

RAW = "scratch, written and read: records of 24 bytes"


def output(command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


class Table:
    """Numbers by row, in the order in which rows first came."""

    def __init__(self):
        self.rows = {}

    def add(self, row, unit, number):
        self.rows.setdefault((row, unit), []).append(number)

    def median(self, row):
        return next((statistics.median(v) for (name, _), v in self.rows.items() if name == row), None)

    def show(self):
        print("| what | median | least - most | runs |\n|---|---|---|---|")
        for (row, unit), v in self.rows.items():
            print(f"| {row} | {statistics.median(v):.4g} {unit} | {min(v):.4g} - {max(v):.4g} | {len(v)} |")

    def show_ratio(self, text, a, b):
        if self.median(a) and self.median(b):
            print(f"- {text}: {self.median(a) / self.median(b):.2f}")


def exchange(table, name, command):
    """The first exchange of a process touches its memory for the first time; the later ones find it touched."""
    lines = output(command).splitlines()
    for i, line in enumerate(lines):
        whole, alone = map(float, ALONE.search(line).groups())
        which = "first in its process" if i == 0 else "later ones"
        table.add(f"{name}, {which}", "M records/s", whole)
        table.add(f"{name}, {which}, alone", "M records/s", alone)
        for phase, seconds in zip(("making", "send", "flip", "deliver"), PHASES.search(line).groups()):
            if i > 0 and phase != "flip":
                table.add(f"{name}, {which}: {phase}", "s", float(seconds))


def ours(table, args):
    bench, n = os.path.join(args.bin, "exchange_bench"), args.records
    plenty, tenth = n * 24 * 8 >> 20, max(n * 24 // 10 >> 20, 1)
    rest = ["8", "0"]
    table.add("memory to memory, 2 threads", "GB/s", float(COPY.search(output([bench, "copy", "1000", "2"]))[1]))
    exchange(table, "in memory, 2 threads", [bench, str(n), *rest, str(plenty), "2", "4096", args.scratch, "3"])
    exchange(table, "a tenth of the memory, 2 threads", [bench, str(n), *rest, str(tenth), "2", "4096", args.scratch, "2"])
    if not shutil.which("mpirun"):
        return
    for ranks in (1, 2):
        mpi = ["mpirun", "-q", "--oversubscribe", "-n", str(ranks)]
        command = [*mpi, bench, str(n), *rest, str(plenty), "1", "4096", args.scratch, "2"]
        exchange(table, f"{ranks} rank{'s' * (ranks > 1)} of one thread", command)


def raw_scratch(table, args):
    """What scratch allows at best: the records' bytes written in order to one file there and read again, by one thread. As for the
    exchange nothing is synced: what the kernel keeps of it in memory, it keeps for both."""
    block = bytearray(os.urandom(4 << 20))
    size = args.records * 24
    with tempfile.TemporaryFile(dir=args.scratch, buffering=0) as file:
        begin = time.monotonic()
        for at in range(0, size, len(block)):
            file.write(memoryview(block)[: size - at])
        written = time.monotonic()
        file.seek(0)
        while file.readinto(block):
            pass
        read = time.monotonic()
    table.add("scratch, written in order", "MB/s", size / (written - begin) / 1e6)
    table.add("scratch, read in order", "MB/s", size / (read - written) / 1e6)
    table.add(RAW, "M records/s", args.records / (read - begin) / 1e6)


def gnu_sort(table, lines, n):
    begin = time.monotonic()
    environment = {**os.environ, "LC_ALL": "C"}
    subprocess.run(["sort", "--parallel=2", "-S", "6G", "-o", "/dev/null", lines], check=True, env=environment)
    table.add("GNU sort --parallel=2, lines", "M records/s", n / (time.monotonic() - begin) / 1e6)


def mixed(n):
    """The keys of exchange_bench: mix64(i + 1), core/hash.h."""
    import numpy

    x = numpy.arange(1, n + 1, dtype=numpy.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x ^= x >> numpy.uint64(shift)
        x *= numpy.uint64(factor)
    return x ^ (x >> numpy.uint64(31))


def duckdb_table(n):
    import duckdb
    import numpy

    hi = mixed(n)
    columns = {"hi": hi, "lo": hi * numpy.uint64(0x9E3779B97F4A7C15), "v": numpy.arange(n, dtype=numpy.uint64)}
    db = duckdb.connect(":memory:", config={"threads": 2})
    db.register("records", columns)
    db.execute("CREATE TABLE t AS SELECT * FROM records")
    return db


def duckdb_runs(table, db, n):
    begin = time.monotonic()
    db.execute("CREATE OR REPLACE TABLE s AS SELECT * FROM t ORDER BY hi, lo, v")
    sorted_at = time.monotonic()
    groups = db.execute("SELECT count(*), sum(c) FROM (SELECT count(*) c, sum(v) FROM t GROUP BY hi, lo)").fetchone()
    if groups != (n, n):
        sys.exit(f"DuckDB found {groups[0]} groups of {groups[1]} records, not {n}")
    table.add("DuckDB, 2 threads, ORDER BY into a table", "M records/s", n / (sorted_at - begin) / 1e6)
    table.add("DuckDB, 2 threads, GROUP BY", "M records/s", n / (time.monotonic() - sorted_at) / 1e6)


def our_components(table, args, shape, n):
    bench = os.path.join(args.bin, "components_bench")
    line = output([bench, shape, str(n), str(n), str(max(n * 10 >> 20, 1)), "2"])
    send, solve, peak, count = SOLVE.search(line).groups()
    table.add(f"components, {n:.0e} edges, {shape}, 2 threads", "s", float(send) + float(solve))
    table.add(f"components, {n:.0e} edges, {shape}: peak", "bytes a node", int(peak) * 1e6 / n)
    return int(count)


def edges_of(shape, n):
    import numpy

    e = numpy.arange(n, dtype=numpy.uint64)
    if shape == "chain":
        return e, (e + numpy.uint64(1)) % numpy.uint64(n)
    ends = mixed(2 * n) % numpy.uint64(n)  # mix64(2e + 1) and mix64(2e + 2), as components_bench makes them
    return ends[0::2], ends[1::2]


def scipy_components(table, shape, n, expected):
    import numpy
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = (x.astype(numpy.int32) for x in edges_of(shape, n))
    begin = time.monotonic()
    graph = coo_array((numpy.ones(n, dtype=numpy.int8), (a, b)), shape=(n, n)).tocsr()
    count, _ = connected_components(graph, directed=False)
    table.add(f"scipy connected_components, {n:.0e} edges, {shape}", "s", time.monotonic() - begin)
    if count != expected:
        sys.exit(f"scipy finds {count} components, components_bench {expected}")


def have(module):
    try:
        __import__(module)
        return True
    except ImportError:
        print(f"no {module} here: its rows are left out", file=sys.stderr)
        return False


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bin")
    options.add_argument("--records", type=int, default=50_000_000)
    options.add_argument("--edges", type=int, default=100_000_000)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--peer-share", type=int, default=5, help="peers get one record of so many, and half as many edges")
    options.add_argument("--scratch", default=None, help="a directory on a disk [a new one]")
    args = options.parse_args()
    table, n = Table(), args.records // args.peer_share
    few = args.edges // (2 * args.peer_share)

    with tempfile.TemporaryDirectory(prefix="exchange-peers.", dir=args.scratch) as directory:
        args.scratch = directory
        lines = os.path.join(directory, "lines")
        with open(lines, "wb") as file:
            subprocess.run([os.path.join(args.bin, "exchange_bench"), "hex", str(n)], check=True, stdout=file)
        has_duckdb, has_scipy = have("duckdb"), have("scipy")
        for _ in range(args.runs):
            ours(table, args)
            raw_scratch(table, args)
            gnu_sort(table, lines, n)
            if has_duckdb:
                duckdb_runs(table, duckdb_table(n), n)
            for shape in ("random", "chain"):
                our_components(table, args, shape, args.edges)
                count = our_components(table, args, shape, few)
                if has_scipy:
                    scipy_components(table, shape, few, count)
    print(f"{args.records} records of 24 bytes, peers {n}; {args.edges} edges, peers {few}\n")
    table.show()
    print()
    memory, tenth = "in memory, 2 threads, later ones", "a tenth of the memory, 2 threads, later ones"
    table.show_ratio("a tenth of the memory / in memory, alone", f"{tenth}, alone", f"{memory}, alone")
    table.show_ratio("a tenth of the memory, alone / scratch written and read", f"{tenth}, alone", RAW)
    table.show_ratio("2 ranks / 1 rank", "2 ranks of one thread, later ones", "1 rank of one thread, later ones")
    table.show_ratio("in memory / GNU sort", memory, "GNU sort --parallel=2, lines")
    print("  (GNU sort's lines are 50 bytes of hexadecimal text, compared as text; the exchange's records are 24 bytes)")
    table.show_ratio("in memory / DuckDB ORDER BY", memory, "DuckDB, 2 threads, ORDER BY into a table")


if __name__ == "__main__":
    main()
