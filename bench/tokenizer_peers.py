"""The tokenizer beside its peers, in one run: ours and theirs in turn, one thread each, medians with least and most.

    python3 -m venv build/bench-venv && build/bench-venv/bin/pip install -r bench/requirements.txt
    TAMIS_TOKENIZERS=DIR build/bench-venv/bin/python3 bench/tokenizer_peers.py BIN_DIR TEXT... [--runs N] [--only WORD]...

BIN_DIR is a release build with tamis, encode_bench and encode_ids; TEXT are files of real text, one language each. DIR has the
vocabularies, of which those missing are left out: deepseek-llm.tokenizer.json, gpt2.vocab.json and gpt2.merges.txt,
deepseek-v3.tokenizer.json and cl100k_base.tiktoken, the last two as .zst too. --only takes encode, train, lines, or a chain's name.

Every run is a process of its own, whose tokenizer is loaded and whose text lies in memory, cut at line ends into documents of 64 KiB,
before the clock starts: all runs are cold. Times are those of the process on its processors, so that a loaded machine can be
measured. A peer too slow for --bytes in --seconds gets less text. Before a peer is timed its ids of a sample are compared with ours;
the column says how that went; where we refuse a chain the first peer is the reference. Peers make what their fastest call makes: encode_ids, tiktoken and others lists, gigatoken arrays."""

import argparse
import array
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

DOC = 65536
SAMPLE = 2 << 20
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
FILE = {"deepseek-llm": "deepseek-llm.json", "gpt2": "gpt2.json", "deepseek-v3": "deepseek-v3.json", "cl100k": "cl100k_base.tiktoken"}


def documents(path, n):
    """As encode_bench cuts them: at the first line end behind DOC bytes."""
    with open(path, "rb") as file:
        data = file.read(n)
        if file.read(1):
            data = data[: data.rfind(b"\n") + 1]  # not within a character, which str and bytes would hold differently
    docs, at = [], 0
    while at < len(data):
        end = data.find(b"\n", at + DOC) + 1 if at + DOC < len(data) else len(data)
        docs.append(data[at : end or len(data)])
        at = end or len(data)
    return docs


# --- the peers: each function loads one and gives the function to time, of a list of documents, and the one that makes lists of ids


def huggingface(chain, path):
    from tokenizers import Tokenizer

    t = Tokenizer.from_file(path)
    return lambda docs: t.encode_batch_fast(docs, add_special_tokens=False), lambda out: [e.ids for e in out]


def gigatoken(chain, path):
    import gigatoken as module

    t = module.Tokenizer.from_tiktoken(path) if path.endswith(".tiktoken") else module.Tokenizer(path)
    return lambda docs: t.encode_batch(docs, parallel=False), lambda out: out.to_list()


def ranks(chain, path):
    import tiktoken.load as load

    if chain == "cl100k":
        return CL100K, load.load_tiktoken_bpe(path)
    there = os.environ["TAMIS_TOKENIZERS"]
    return GPT2, load.data_gym_to_mergeable_bpe_ranks(os.path.join(there, "gpt2.merges.txt"), os.path.join(there, "gpt2.vocab.json"))


def tiktoken(chain, path):
    import tiktoken as module

    pattern, table = ranks(chain, path)
    t = module.Encoding(chain, pat_str=pattern, mergeable_ranks=table, special_tokens={})
    return lambda docs: [t.encode_ordinary(d) for d in docs], None


def tokendagger(chain, path):
    import tokendagger as module

    pattern, table = ranks(chain, path)
    t = module.Tokenizer(chain, pattern=pattern, mergeable_ranks=table, special_tokens={})
    return lambda docs: [t.encode_ordinary(d) for d in docs], None


def bpe_openai(chain, path):
    import bpe_openai as module

    t = module.get_encoding("cl100k_base")
    return lambda docs: [t.encode_ordinary(d) for d in docs], None


def toktok(chain, path):
    from toktok import _encoding

    t = _encoding("cl100k_base")
    return lambda docs: [t.encode_to_numpy(d) for d in docs], lambda out: [ids.tolist() for ids in out]


def quicktok(chain, path):
    import quicktok as module

    t = module.get_encoding("cl100k_base")
    return lambda docs: [t.encode_ordinary(d) for d in docs], None


def splintr(chain, path):
    import splintr as module

    t = module.from_json(path)

    def lists(out):
        return [array.array("I", out[0]).tolist()]

    return lambda docs: t.encode_batch_flat(docs), lists


def fastokens(chain, path):
    import fastokens as module

    t = module.Tokenizer.from_file(path)
    return lambda docs: [t.encode(d) for d in docs], lambda out: [e.ids for e in out]  # encode_ordinary knows no added tokens


PEERS = {
    "tokenizers": (huggingface, ("deepseek-llm", "gpt2", "deepseek-v3")),
    "gigatoken": (gigatoken, ("deepseek-llm", "gpt2", "deepseek-v3", "cl100k")),
    "tiktoken": (tiktoken, ("gpt2", "cl100k")),
    "bpe-openai": (bpe_openai, ("cl100k",)),
    "tokendagger": (tokendagger, ("gpt2", "cl100k")),
    "toktok-rs": (toktok, ("cl100k",)),
    "quicktok-v1": (quicktok, ("cl100k",)),
    "splintr-rs": (splintr, ("deepseek-llm", "gpt2", "deepseek-v3")),
    "fastokens": (fastokens, ("deepseek-llm", "gpt2", "deepseek-v3")),
}
TRAINERS = ("tokenizers", "gigabpe", "rustbpe", "bpeasy")


def digest(ids):
    flat = array.array("I")
    for one in ids:
        flat.extend(one)
    return hashlib.sha256(flat.tobytes()).hexdigest()


def peak_mb():
    """Of this process; getrusage counts in what its parent held when it began."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1e3


def child_encode(peer, chain, path, text, n, check):
    """One run of a peer, in its own process."""
    docs = documents(text, int(n))
    size = sum(map(len, docs))
    if peer != "gigatoken":  # which takes bytes
        docs = [d.decode("utf-8", "replace") for d in docs]
    encode, lists = PEERS[peer][0](chain, path)
    began = time.process_time()
    out = encode(docs)
    seconds = time.process_time() - began
    answer = {"seconds": seconds, "bytes": size, "peak": peak_mb()}
    if check == "check":
        answer["digest"] = digest(lists(out) if lists else out)
    print(json.dumps(answer))


def deepseek_chain(path):
    from tokenizers import Regex, pre_tokenizers

    steps = []
    for step in json.load(open(path, encoding="utf-8"))["pre_tokenizer"]["pretokenizers"]:
        if step["type"] == "Split":
            steps.append(pre_tokenizers.Split(Regex(step["pattern"]["Regex"]), "isolated"))
        elif step["type"] == "Digits":
            steps.append(pre_tokenizers.Digits(True))
        else:
            steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    return pre_tokenizers.Sequence(steps)


def child_train(peer, path, text, vocab):
    vocab = int(vocab)
    if peer == "gigabpe":
        import gigabpe

        run = lambda: gigabpe.train_bpe([text], vocab, special_tokens=[], pretokenizer="bytelevel", threads=1)
    elif peer == "rustbpe":
        import rustbpe

        run = lambda: rustbpe.Tokenizer().train_from_iterator(iter(open(text, encoding="utf-8", newline="\n")), vocab)
    elif peer == "bpeasy":
        import bpeasy

        run = lambda: bpeasy.train_bpe(iter(open(text, encoding="utf-8", newline="\n")), GPT2, 128, vocab)
    else:
        from tokenizers import Tokenizer, models, trainers

        t = Tokenizer(models.BPE())
        t.pre_tokenizer = deepseek_chain(path)
        run = lambda: t.train_from_iterator(open(text, encoding="utf-8", newline="\n"), trainers.BpeTrainer(vocab_size=vocab, show_progress=False))
    began = time.process_time()
    run()
    print(json.dumps({"seconds": time.process_time() - began, "peak": peak_mb()}))


def child(*words):
    """The answer of a child process; a line of text when there is none."""
    run = subprocess.run([sys.executable, __file__, "--child", *map(str, words)], capture_output=True, text=True)
    if run.returncode == 0:
        return json.loads(run.stdout.splitlines()[-1])
    return (run.stderr.strip().splitlines() or ["no message"])[-1][:90]


# --- ours


def our_digest(args, tokenizer, docs):
    request = b"".join([struct.pack("=I", len(docs))] + [struct.pack("=I", len(d)) + d for d in docs])
    run = subprocess.run([os.path.join(args.bin, "encode_ids"), tokenizer], input=request, capture_output=True)
    if run.returncode:
        return None, run.stderr.decode().strip()
    words, flat, at = array.array("I", run.stdout), array.array("I"), 0
    for _ in docs:
        flat.extend(words[at + 1 : at + 1 + words[at]])
        at += 1 + words[at]
    return hashlib.sha256(flat.tobytes()).hexdigest(), None


def our_rates(args, tokenizer, text, passes=3):
    out = subprocess.run([os.path.join(args.bin, "encode_bench"), tokenizer, text, str(DOC), str(passes)], capture_output=True, text=True, check=True).stdout
    return {line.split("  ")[0].strip(): float(re.search(r"([0-9.]+) MB/s", line)[1]) for line in out.splitlines()}


class Table:
    """Numbers by row, in the order in which rows first came."""

    def __init__(self, *columns):
        self.rows, self.notes = {}, {}
        print("| " + " | ".join(("what", *columns, "runs", "note")) + " |\n|" + "---|" * (len(columns) + 3))

    def add(self, row, *numbers, note=""):
        self.rows.setdefault(row, []).append(numbers)
        self.notes[row] = note

    def show(self):
        for row, runs in self.rows.items():
            cells = ["-" if c[0] is None else f"{statistics.median(c):.4g} ({min(c):.4g}-{max(c):.4g})" for c in zip(*runs)]
            print(f"| {row} | " + " | ".join(cells) + f" | {len(runs)} | {self.notes[row]} |", flush=True)


def affordable(args, got, run, size):
    """Bytes for a run of at most --seconds; what a peer spends once must not make it look slow, so the sample grows."""
    while got["bytes"] * 4 < size and got["seconds"] * 4 < args.seconds:
        got = run(4 * got["bytes"])
    return min(size, max(int(got["bytes"] / got["seconds"] * args.seconds), SAMPLE))


def encode_chain(args, work, chain, text):
    """All who take this chain, on one text."""
    tokenizer, name = os.path.join(work, FILE[chain]), os.path.basename(text)
    piece = os.path.join(work, "piece")
    with open(text, "rb") as source, open(piece, "wb") as file:
        data = source.read(args.bytes)
        file.write(data[: data.rfind(b"\n") + 1])
    size = os.path.getsize(piece)
    mine, why = our_digest(args, tokenizer, documents(piece, SAMPLE))
    table = Table("MB/s", "peak MB")
    if mine is None:
        print(f"| {chain}, {name}: ours | {why} | | | |")
    share, reference = {}, (mine, "ours")
    for peer in (p for p, (_, chains) in PEERS.items() if chain in chains):
        got = child("encode", peer, chain, tokenizer, piece, SAMPLE, "check")
        if isinstance(got, str):
            print(f"| {chain}, {name}: {peer} | not run: {got} | | | |", flush=True)
            continue
        if reference[0] is None:
            reference = got["digest"], peer
        note = f"ids as {reference[1]}" if got["digest"] == reference[0] else f"OTHER IDS than {reference[1]}"
        share[peer] = affordable(args, got, lambda n: child("encode", peer, chain, tokenizer, piece, n, ""), size), note
    for _ in range(args.runs):
        if mine is not None:
            rates = our_rates(args, tokenizer, piece)
            table.add(f"{chain}, {name}: ours, cold", rates["cold"], None, note=f"{size / 1e6:.0f} MB")
            table.add(f"{chain}, {name}: ours, warm", rates["warm"], None)
            table.add(f"{chain}, {name}: ours, scan alone", rates["scan alone"], None)
        for peer, (n, note) in share.items():
            got = child("encode", peer, chain, tokenizer, piece, n, "")
            if not isinstance(got, str):
                table.add(f"{chain}, {name}: {peer}", got["bytes"] / got["seconds"] / 1e6, got["peak"], note=f"{note}, {n / 1e6:.0f} MB")
    table.show()


def lines(args, work):
    """One line that grows: how the time grows with it, ours and the reference's."""
    tokenizer = os.path.join(work, FILE["deepseek-llm"])
    units = {"spaces": (b" ", b"1", 10000), "letters": (b"abcdefghij", b"", 100000), "arabic": ("السلام ".encode(), b"", 100000)}
    table = Table("ns a byte at N", "ns a byte at 2N", "time(2N) / time(N)")
    for _ in range(args.runs):
        for what, (unit, tail, theirs) in units.items():
            n = 100000 if what == "arabic" else 1000000
            at = [1e3 / our_rates(args, tokenizer, f"{what}:{size}", 5)["warm"] for size in (n, 2 * n)]
            table.add(f"{what}: ours, N = {n}", *at, 2 * at[1] / at[0])
            at = []
            for size in (theirs, 2 * theirs):
                path = os.path.join(work, "line")
                with open(path, "wb") as file:
                    file.write(unit * (size // len(unit)) + tail)
                at.append(child("encode", "tokenizers", "deepseek-llm", tokenizer, path, 1 << 30, ""))
            at = [1e9 * a["seconds"] / a["bytes"] for a in at]
            table.add(f"{what}: tokenizers, N = {theirs}", *at, 2 * at[1] / at[0])
    table.show()


def our_training(args, work, text, vocab):
    """Seconds on the processor and peak MB of the whole process."""
    out = os.path.join(work, "ours.json")
    command = [os.path.join(args.bin, "tamis"), "bpe", "-q", "--force", "--text", "--preset", "deepseek-llm", "-j", "1"]
    command += ["-n", str(vocab), "-o", out, text]
    run = subprocess.run(["/usr/bin/time", "-f", "%U %S %M", *command], capture_output=True, text=True, check=True)
    user, system, peak = map(float, run.stderr.split()[-3:])
    return user + system, peak / 1e3


def train(args, work):
    """Scan and count are a training of few merges; the rest of a training is merging."""
    tokenizer = os.path.join(work, FILE["deepseek-llm"])
    piece = os.path.join(work, "corpus")
    share = args.train_bytes // len(args.texts)
    with open(piece, "wb") as file:
        for text in args.texts:
            with open(text, "rb") as source:
                data = source.read(share)
            file.write(data[: data.rfind(b"\n") + 1])
    size = os.path.getsize(piece)
    note = {"tokenizers": "the same chain", "gigabpe": "GPT-2's chain", "rustbpe": "its default chain", "bpeasy": "GPT-2's chain"}
    print(f"\nTraining on {size / 1e6:.1f} MB of {', '.join(map(os.path.basename, args.texts))}, {args.vocab} tokens\n")
    table = Table("count, s", "MB/s", "merge, s", "peak MB")
    for _ in range(args.runs):
        (few, _), (all_of_it, peak) = our_training(args, work, piece, 300), our_training(args, work, piece, args.vocab)
        table.add("training: ours", few, size / few / 1e6, all_of_it - few, peak, note="whole process; DeepSeek-LLM's chain")
        for peer in TRAINERS:
            got = [child("train", peer, tokenizer, piece, vocab) for vocab in (300, args.vocab)]
            if isinstance(got[0], str) or isinstance(got[1], str):
                print(f"| training: {peer} | not run: {got[0]} | | | | | |")
                continue
            few, all_of_it = got[0]["seconds"], got[1]["seconds"]
            table.add(f"training: {peer}", few, size / few / 1e6, all_of_it - few, got[1]["peak"], note=note[peer])
    table.show()


def prepare(work):
    """The vocabularies as the peers want them; the chains there are."""
    there = os.environ.get("TAMIS_TOKENIZERS") or sys.exit("TAMIS_TOKENIZERS is not set")
    for name, target in (("deepseek-llm.tokenizer.json", "deepseek-llm.json"), ("deepseek-v3.tokenizer.json", "deepseek-v3.json"),
                         ("cl100k_base.tiktoken", "cl100k_base.tiktoken")):
        source = os.path.join(there, name)
        if os.path.exists(source):
            shutil.copy(source, os.path.join(work, target))
        elif os.path.exists(source + ".zst"):
            subprocess.run(["zstd", "-q", "-d", source + ".zst", "-o", os.path.join(work, target)], check=True)
    if os.path.exists(os.path.join(there, "gpt2.merges.txt")):
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers

        t = Tokenizer(models.BPE.from_file(os.path.join(there, "gpt2.vocab.json"), os.path.join(there, "gpt2.merges.txt")))
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        t.decoder = decoders.ByteLevel()
        t.save(os.path.join(work, FILE["gpt2"]))
    return [chain for chain, file in FILE.items() if os.path.exists(os.path.join(work, file))]


def versions(args):
    names = [*PEERS, *(name for name in TRAINERS if name not in PEERS)]
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    tamis = subprocess.run([os.path.join(args.bin, "tamis"), "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    print(f"{tamis}; {', '.join(found)}; Python {sys.version.split()[0]}\n", flush=True)


def main():
    if sys.argv[1:2] == ["--child"]:
        return {"encode": child_encode, "train": child_train}[sys.argv[2]](*sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bytes", type=int, default=100000000, help="of a text that is encoded")
    parser.add_argument("--seconds", type=float, default=10, help="of one run of a slow peer")
    parser.add_argument("--train-bytes", type=int, default=20000000)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--only", action="append", default=[])
    args = parser.parse_args()
    os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as work:
        chains = prepare(work)
        versions(args)
        for chain in chains:
            if not args.only or "encode" in args.only or chain in args.only:
                for text in args.texts:
                    encode_chain(args, work, chain, text)
                    print()
        if "deepseek-llm" in chains and (not args.only or "lines" in args.only):
            lines(args, work)
        if "deepseek-llm" in chains and (not args.only or "train" in args.only):
            train(args, work)


if __name__ == "__main__":
    main()
