#!/usr/bin/env python3
"""A second reader of token shards and a second blender, written from docs/formats-shards.md alone, against ours: every field of
shards, vocabulary and manifest, the tokens, and the samples a training run reads, for several contexts, windows and mixtures.

usage: shards_reader.py BUILD_DIR
"""

import functools
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

import xxhash

WORD = (1 << 64) - 1


def hash_bytes(value):
    return struct.pack("<QQ", value & WORD, value >> 64)


def mix(x):
    x &= WORD
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & WORD
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & WORD
    return x ^ x >> 31


def align(n):
    return (n + 63) // 64 * 64


class Permutation:
    def __init__(self, n, key):
        bits = (n - 1).bit_length()
        self.n, self.high_bits, self.low_bits = n, bits // 2, bits - bits // 2
        self.keys = [mix(key + r) for r in range(6)]

    def __call__(self, i):
        while True:
            low, high = i & ((1 << self.low_bits) - 1), i >> self.low_bits
            for r in (0, 2, 4):
                low ^= mix(high ^ self.keys[r]) & ((1 << self.low_bits) - 1)
                high ^= mix(low ^ self.keys[r + 1]) & ((1 << self.high_bits) - 1)
            i = high << self.low_bits | low
            if i < self.n:
                return i


def read_sections(d):
    n_sections = struct.unpack_from("<I", d, 44)[0]
    header_sum = struct.pack("<Q", xxhash.xxh3_64_intdigest(d[: 80 + 32 * n_sections]))
    assert d[80 + 32 * n_sections : 88 + 32 * n_sections] == header_sum == d[-8:]
    sections, at = {}, align(88 + 32 * n_sections)
    covered = 88 + 32 * n_sections
    for i in range(n_sections):
        kind, flags, offset, size, xxh3 = struct.unpack_from("<IIQQQ", d, 80 + 32 * i)
        body = d[offset : offset + size]
        assert offset == at and flags == 0 and kind not in sections and xxh3 == xxhash.xxh3_64_intdigest(body)
        assert not any(d[covered:offset])
        sections[kind], at, covered = body, align(offset + size), offset + size
    assert at == len(d) - 8 and not any(d[covered:at]) and sorted(sections) == [1, 2, 3, 4, 5, 6, 7]
    return sections


def read_ends(body, width, n, text_at):
    """Strings whose ends come first: n integers of `width` bytes before `text_at`."""
    ends = struct.unpack_from("<%d%s" % (n, {4: "I", 8: "Q"}[width]), body, text_at - n * width)
    text = body[text_at:]
    assert (ends[-1] if n else 0) == len(text)
    return [text[a:b].decode() for a, b in zip((0,) + ends, ends)]


def read_shard(path, manifest):
    d = open(path, "rb").read()
    version, bits, n_tokens, n_docs, vocab_size, eos, block, _ = struct.unpack_from("<IIQQIIII", d, 8)
    assert d[:8] == b"TAMISHRD" and version == 1 and block == 32768
    assert bits == max(16, (vocab_size - 1).bit_length())
    assert (vocab_size, eos) == (manifest["vocab_size"], manifest["eos_id"])
    assert d[48:64] == hash_bytes(int(manifest["tokenizer_id"], 16)) and d[64:80] == hash_bytes(int(manifest["key"], 16))
    s = read_sections(d)
    packed = int.from_bytes(s[1], "little")
    assert len(s[1]) == (n_tokens * bits + 7) // 8 + 8 and packed >> (n_tokens * bits) == 0
    tokens = [int.from_bytes(s[1][i * bits // 8 : i * bits // 8 + 8], "little") >> (i * bits % 8) & ((1 << bits) - 1) for i in range(n_tokens)]
    plain = struct.pack("<%dI" % n_tokens, *tokens)
    sums = struct.unpack("<%dQ" % (len(s[2]) // 8), s[2])
    assert list(sums) == [xxhash.xxh3_64_intdigest(plain[i : i + 4 * block]) for i in range(0, len(plain), 4 * block)]
    first = struct.unpack("<%dQ" % (n_docs + 1), s[3])
    assert first[0] == 0 and first[-1] == n_tokens and all(a < b and tokens[b - 1] == eos for a, b in zip(first, first[1:]))
    n_domains, n_langs = struct.unpack_from("<II", s[5])
    names = read_ends(s[5], 4, n_domains + n_langs, 8 + 4 * (n_domains + n_langs))
    ids = read_ends(s[6], 8, n_docs, 8 * n_docs)
    docs = []
    for i in range(n_docs):
        _, domain, lang, zero = struct.unpack_from("<QHB5s", s[4], 16 * i)
        assert zero == bytes(5)
        docs.append((ids[i], names[domain], names[n_domains + lang], tokens[first[i] : first[i + 1]]))
    content = xxhash.xxh3_128_intdigest(plain + s[3] + s[4] + s[5] + s[6])
    assert s[7] == hash_bytes(content)
    return tokens, docs, content, bits


def read_vocab(path, manifest):
    d = open(path, "rb").read()
    version, n, eos, zero = struct.unpack_from("<IIII", d, 8)
    assert d[:8] == b"TAMISVOC" and version == 1 and zero == 0 and (n, eos) == (manifest["vocab_size"], manifest["eos_id"])
    assert d[24:40] == hash_bytes(int(manifest["tokenizer_id"], 16)) and d[-8:] == struct.pack("<Q", xxhash.xxh3_64_intdigest(d[:-8]))
    offsets = struct.unpack_from("<%dQ" % (n + 1), d, 40)
    text = d[48 + 8 * n : -8]
    assert offsets[0] == 0 and offsets[-1] == len(text)
    return [text[a:b] for a, b in zip(offsets, offsets[1:])]


def read_directory(path):
    manifest = json.load(open(path + "/manifest.json"))
    content = xxhash.xxh3_128(hash_bytes(int(manifest["tokenizer_id"], 16)))
    streams = []
    for entry in manifest["streams"]:
        content.update(entry["name"].encode() + b"\0" + struct.pack("<I", entry["n_shards"]))
        stream = {"name": entry["name"], "tokens": [], "docs": []}
        for k, shard in enumerate(entry["shards"]):
            tokens, docs, own, stream["bits"] = read_shard("%s/%s/shard-%06d.tok" % (path, entry["name"], k), manifest)
            assert own == int(shard["content"], 16) and (len(tokens), len(docs)) == (shard["n_tokens"], shard["n_docs"])
            stream["tokens"] += tokens
            stream["docs"] += docs
            content.update(hash_bytes(own))
        assert (len(stream["tokens"]), len(stream["docs"])) == (entry["n_tokens"], entry["n_docs"])
        streams.append(stream)
    assert content.intdigest() == int(manifest["content"], 16)
    return manifest, streams, read_vocab(path + "/vocab.bin", manifest)


def left(n, a, b):
    return n // (a + b) * a + (2 * (n % (a + b)) * a + a + b) // (2 * (a + b))


def plant(units):
    """A tree over [(stream, units)]: a stream, or (left sum, right sum, left tree, right tree)."""
    if len(units) == 1:
        return units[0][0]
    total = sum(u for _, u in units)
    cut = min(range(1, len(units)), key=lambda c: abs(2 * sum(u for _, u in units[:c]) - total))
    a = sum(u for _, u in units[:cut])
    return a, total - a, plant(units[:cut]), plant(units[cut:])


def phase_tree(weights):
    running = [0.0]
    for w in weights:
        running.append(running[-1] + w)
    scaled = [int(r / running[-1] * 2**30 + 0.5) for r in running]
    units = [b - a for a, b in zip(scaled, scaled[1:])]
    largest = units.index(max(units))
    for i, w in enumerate(weights):
        if w > 0 and units[i] == 0:
            units[i], units[largest] = 1, units[largest] - 1
    return plant([(i, u) for i, u in enumerate(units) if u])


def pick_stream(tree, n):
    while isinstance(tree, tuple):
        a, b, left_tree, right_tree = tree
        before = left(n, a, b)
        tree, n = (left_tree, before) if left(n + 1, a, b) > before else (right_tree, n - before)
    return tree, n


@functools.lru_cache(64)
def block_order(n, key):
    permutation = Permutation(n, key)
    return [permutation(q) for q in range(n)]


def place_in_stream(stream, m, context, seed, block_bytes, window, epoch, j):
    block = min(m, max(1, 8 * (block_bytes or 64 << 20) // (stream["bits"] * context)))
    n_blocks = -(-m // block)
    missing = n_blocks * block - m
    window = min(window or n_blocks, n_blocks)
    h = xxhash.xxh3_64_intdigest(stream["name"].encode(), seed)
    order = block_order(n_blocks, mix(h ^ mix(2 * epoch)))
    short = order.index(n_blocks - 1) // window
    for v in range(-(-n_blocks // window)):
        blocks = order[v * window : (v + 1) * window]
        n = len(blocks) * block - (missing if v == short else 0)
        if j < n:
            break
        j -= n
    blocks.sort(key=lambda b: b == n_blocks - 1)  # stable: only the short block moves, to the end
    at = Permutation(n, mix(mix(h ^ mix(2 * epoch + 1)) + v))(j)
    return blocks[at // block] * block + at % block


def blend(streams, mixture, context, seed, block_bytes, window, share, count):
    train = []
    for stream in streams:
        n = (len(stream["tokens"]) - 1) // context if stream["tokens"] else 0
        held = int(n * share)
        train.append(n - (1 if held == 0 and share > 0 and n >= 2 else held))
    phases = [(0, [float(m) for m in train])]
    if mixture:
        phases = [(p["from"], [p["weights"].get(s["name"], 0) if m else 0 for s, m in zip(streams, train)]) for p in mixture["phases"]]
    trees = [phase_tree(w) for _, w in phases]
    begins = [-(-p // context) for p, _ in phases]
    given = [0] * len(streams)
    phase = 0
    for s in range(count):
        while phase + 1 < len(phases) and begins[phase + 1] <= s:
            phase += 1
        i, _ = pick_stream(trees[phase], s - begins[phase])
        epoch, j = divmod(given[i], train[i])  # counted, where ours has a closed form
        given[i] += 1
        yield "%d %d %d" % (i, place_in_stream(streams[i], train[i], context, seed, block_bytes, window, epoch, j), epoch)


def make_tokens(tamis, work):
    """Documents in two languages from a seed, through the pipe."""
    rnd = random.Random(1)
    with open(work + "/made.jsonl", "w") as f:
        for i in range(400):
            zh = i % 2
            words = ["".join(chr(rnd.randrange(*((0x4E00, 0x4F00) if zh else (97, 115)))) for _ in range(rnd.randint(1, 7))) for _ in range(rnd.randint(5, 200))]
            text = ("，" if zh else " ").join(words)
            f.write(json.dumps({"id": str(i), "text": text, "source": "made", "lang": "zh" if zh else "en"}, ensure_ascii=False) + "\n")
    for args in (
        ["ingest", "-o", "docs", "made.jsonl"],
        ["remix", "-o", "mixed", "docs"],
        ["bpe", "-o", "tokenizer.json", "--vocab-size", "600", "mixed"],
        ["tokenize", "-o", "tokens", "-t", "tokenizer.json", "--shards", "2", "mixed"],
    ):
        subprocess.run([tamis] + args, cwd=work, check=True, stderr=subprocess.PIPE)
    return work + "/tokens"


def main():
    build = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        path = make_tokens(build + "/tamis", work)
        manifest, streams, vocab = read_directory(path)
        assert len(streams) == 2, [s["name"] for s in streams]
        for s in streams:
            out = subprocess.run([build + "/tamis", "shards", "cat", "--json", "--stream", s["name"], path], check=True, stdout=subprocess.PIPE).stdout
            lines = [json.loads(line) for line in out.decode().splitlines()]
            want = [(i, domain, lang, b"".join(vocab[t] for t in tokens[:-1]).decode()) for i, domain, lang, tokens in s["docs"]]
            assert [(d["id"], d["domain"], d["lang"], d["text"]) for d in lines] == want
        a, b = (s["name"] for s in streams)
        phased = {"format": "tamis-mixture", "version": 1, "phases": [
            {"from": 0, "to": 5000, "weights": {a: 1}}, {"from": 5000, "to": 20001, "weights": {a: 0.3, b: 1e-11}}, {"from": 20001, "to": None, "weights": {a: 1, b: 2.5}}]}
        n = 0
        for mixture in (None, phased):
            for context, seed, block_bytes, window, share in ((16, 7, 0, 0, 0), (64, 1, 3000, 3, 0.1), (33, 2**63 + 5, 1, 5, 0.05), (100, 3, 2500, 1, 0.5)):
                mixture_file = work + "/mixture.json"
                open(mixture_file, "w").write(json.dumps(mixture) if mixture else "")
                args = [context, seed, block_bytes, window, share, 3000]
                ours = subprocess.run([build + "/blend_picks", path, mixture_file] + [str(x) for x in args], check=True, stdout=subprocess.PIPE).stdout
                theirs = list(blend(streams, mixture, *args))
                assert ours.decode().splitlines() == theirs, (mixture, args)
                n += len(theirs)
        print("%d documents and %d samples read alike" % (sum(len(s["docs"]) for s in streams), n))


main()
