#!/usr/bin/env python3
"""Vocabularies in all formats against the packages that define them, on text and tables made from a seed: added tokens and their
flags, offsets and decoding against HuggingFace `tokenizers`; tiktoken files against `tiktoken`; GGUF against `gguf`.

usage: formats_hf.py BUILD_DIR [ROUNDS [TOKENIZER_JSON [TEXT]]]

With TOKENIZER_JSON a vocabulary of the field is taken instead of a trained one, with TEXT its lines instead of random ones.
"""

import json
import os
import random
import subprocess
import sys
import tempfile

import gguf
import tiktoken
from tiktoken.load import load_tiktoken_bpe
from tokenizers import Tokenizer

CHARS = " \t\u00a0\u3000\u2028aab  bB_-,.!?'0129éüø中文的龥。！アשا\u0301😀\U00010400\u200d"
MARKED = ["e\u0301", "s\u0323\u0307", "s\u0307\u0323", "\u1e0b\u0323", "\u1100\u1161\u11a8", "\u212b", "\u0344", "\u0958", "\u0301", "\u0327", "a\u05b0"]
CONTENTS = ["<s>", "<s><e>", "<|x|>", "ab", "b", "B", "éé", "ü", "中", "中文", "a b", "_", "aab", "<|", "0", "的。", " a", "b ", " ", "\u212b", "e\u0301"]


def fail(what):
    print("FAILED:", what)
    sys.exit(1)


def run(*args, text=None):
    return subprocess.run(args, input=text, stdout=subprocess.PIPE, check=True).stdout


class Programs:
    def __init__(self, build, work):
        self.tamis, self.link, self.work, self.n = os.path.join(build, "tamis"), os.path.join(build, "tokenize_link"), work, 0

    def path(self, suffix):
        self.n += 1
        return os.path.join(self.work, "%d%s" % (self.n, suffix))

    def ids(self, tokenizer, texts):
        out = run(self.tamis, "tokenize", "--ids", "-t", tokenizer, text="".join(t + "\n" for t in texts).encode())
        return [json.loads(line) for line in out.splitlines()]

    def offsets(self, tokenizer, texts):
        out = run(self.link, tokenizer, text="".join(t + "\n" for t in texts).encode())
        return [json.loads(line) for line in out.splitlines()]

    def convert(self, source, suffix, *options):
        path = self.path(suffix)
        run(self.tamis, "bpe", "convert", "-q", *options, "-o", path, source)
        return path

    def decode(self, tokenizer, ids, *options):
        out = run(self.tamis, "bpe", "decode", "--json", *options, tokenizer, text="".join(json.dumps(i) + "\n" for i in ids).encode())
        return [json.loads(line)["text"] for line in out.splitlines()]


def random_texts(rnd, n):
    def one():
        return "".join(rnd.choice(rnd.choices((CHARS, CONTENTS, MARKED), (7, 3, 1))[0]) for _ in range(rnd.randint(0, 30)))

    return [one() for _ in range(n)]


def same(what, texts, mine, theirs):
    for text, a, b in zip(texts, mine, theirs):
        if a != b:
            fail("%s: %r: %s, %s" % (what, text, a, b))
    if len(mine) != len(texts):
        fail("%s: %d of %d" % (what, len(mine), len(texts)))


def with_added(base, rnd):
    """The same vocabulary with other added tokens and flags."""
    d = json.loads(json.dumps(base))
    vocab = d["model"]["vocab"]
    contents = rnd.sample(CONTENTS, rnd.randint(1, 8))
    d["added_tokens"] = []
    number = len(vocab)
    for content in contents:
        if content in vocab:
            number_of = vocab[content]
        else:
            number_of, number = number, number + 1
        flags = {key: rnd.random() < 0.3 for key in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        d["added_tokens"].append(dict(id=number_of, content=content, **flags))
    if rnd.random() < 0.4:
        d["normalizer"] = {"type": "NFC"}
    return d


def encode_or_panic(theirs, text):
    """None where the reference panics: two tokens take the same white space."""
    try:
        return theirs.encode(text + "\n", add_special_tokens=False)
    except BaseException as e:
        if type(e).__name__ != "PanicException":
            raise
        return None


def check_added(p, base, rnd, rounds):
    n = panics = 0
    for _ in range(rounds):
        d = with_added(base, rnd)
        path = p.path(".json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(d, f)
        theirs = Tokenizer.from_file(path)
        both = [(t, encode_or_panic(theirs, t)) for t in random_texts(rnd, 150)]
        texts, encoded = [t for t, e in both if e is not None], [e for _, e in both if e is not None]
        n += len(texts)
        panics += len(both) - len(texts)
        same("added tokens %s" % d["added_tokens"], texts, p.ids(path, texts), [e.ids for e in encoded])
        if d["normalizer"] and d["normalizer"]["type"] == "NFC":
            check_special_as_text(p, path, theirs, texts)
            continue
        same("offsets %s" % d["added_tokens"], texts, p.offsets(path, texts),
             [[[i, a, b] for i, (a, b) in zip(e.ids, e.offsets)] for e in encoded])
    print("ok added tokens: %d vocabularies, %d texts, %d more on which the reference panics" % (rounds, n, panics))


SPACES = [" ", "  ", "\t", "\u3000", "\u00a0 ", "\u2028"]


def strip_flags(rnd, content):
    return dict(content=content, single_word=rnd.random() < 0.15, lstrip=rnd.random() < 0.5, rstrip=rnd.random() < 0.5,
                normalized=rnd.random() < 0.3, special=False)


def check_strips(p, base, rnd, rounds):
    """Tokens that take white space beside tokens that are white space. The reference lets one lie in what another has taken, drops
    what nothing is left of, and panics where the two orders cross; of each there must be some."""
    taken = inside = panics = n = 0
    for _ in range(rounds):
        d = json.loads(json.dumps(base))
        contents = rnd.sample(SPACES, 3) + rnd.sample(["A", "<s>", "b ", " b", "A\t", "xx"], 3)
        size = len(d["model"]["vocab"])
        d["added_tokens"] = []
        for content in contents:
            number = d["model"]["vocab"].get(content, size)
            size += number == size
            d["added_tokens"].append(dict(id=number, **strip_flags(rnd, content)))
        if rnd.random() < 0.3:
            d["normalizer"] = {"type": "NFC"}
        path = p.path(".json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(d, f)
        theirs = Tokenizer.from_file(path)
        length = {a["id"]: len(a["content"]) for a in d["added_tokens"]}
        texts = ["".join(rnd.choice(SPACES if rnd.random() < 0.6 else ["A", "b", "<s>", "xx", "y"]) for _ in range(rnd.randint(1, 12))) for _ in range(60)]
        both = list(zip(texts, (encode_or_panic(theirs, t) for t in texts), p.ids(path, texts), p.offsets(path, texts)))
        for text, e, ids, offsets in both:
            if e is None:
                panics += 1
                continue
            n += 1
            if ids != e.ids or offsets != [[i, a, b] for i, (a, b) in zip(e.ids, e.offsets)]:
                fail("strips %s: %r: %s, %s" % (d["added_tokens"], text, offsets, list(zip(e.ids, e.offsets))))
            taken += any(b - a > length.get(i, b - a) for i, (a, b) in zip(e.ids, e.offsets))
            inside += any(b < e.offsets[k - 1][1] for k, (a, b) in enumerate(e.offsets) if k)
    if not (taken > n / 5 and inside > n / 100 and panics):
        fail("strips: of %d texts %d have taken white space, %d tokens inside it, %d panic" % (n, taken, inside, panics))
    print("ok strips: %d texts, %d of them with taken white space, %d with tokens inside it, %d more on which the reference panics" % (n, taken, inside, panics))


def check_special_as_text(p, path, theirs, texts):
    """What `tamis bpe stats` counts: special tokens are text, and tokens that are not normalized come before the normalizer."""
    theirs.encode_special_tokens = True
    want = sum(len(theirs.encode(t + "\n", add_special_tokens=False).ids) for t in texts)
    out = run(p.tamis, "bpe", "stats", "-q", "--json", "--text", path, "-", text="".join(t + "\n" for t in texts).encode())
    if json.loads(out)["all"]["n_tokens"] != want:
        fail("stats: %d tokens, %d" % (json.loads(out)["all"]["n_tokens"], want))


def check_decode(p, path, rnd):
    theirs = Tokenizer.from_file(path)
    size = theirs.get_vocab_size()
    known = [i for i in range(size) if theirs.id_to_token(i) is not None]
    ids = [[rnd.choice(known) for _ in range(rnd.randint(0, 30))] for _ in range(1000)]
    same("decode", ids, p.decode(path, ids), theirs.decode_batch(ids))
    same("decode", ids, p.decode(path, ids, "--keep-special"), theirs.decode_batch(ids, skip_special_tokens=False))
    print("ok decode: %d sequences" % len(ids))


def check_gguf(p, path, texts):
    theirs = Tokenizer.from_file(path)
    want = [e.ids for e in theirs.encode_batch([t + "\n" for t in texts], add_special_tokens=False)]
    file = p.convert(path, ".gguf", "-f", "gguf")
    fields = gguf.GGUFReader(file).fields
    with open(path, encoding="utf-8") as f:
        d = json.load(f)
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [m.split(" ", 1) for m in fields["tokenizer.ggml.merges"].contents()]
    if merges != [m.split(" ") if isinstance(m, str) else m for m in d["model"]["merges"]]:
        fail("GGUF: the merges differ")
    if tokens != [theirs.id_to_token(i) for i in range(len(tokens))]:
        fail("GGUF: the tokens differ")
    same("ids by GGUF", texts, p.ids(file, texts), want)
    back = p.convert(file, ".json")
    same("ids by HF behind GGUF", texts, [e.ids for e in Tokenizer.from_file(back).encode_batch([t + "\n" for t in texts], add_special_tokens=False)], want)

    other = p.path(".gguf")  # written by the package
    w = gguf.GGUFWriter(other, "llama")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(fields["tokenizer.ggml.pre"].contents())
    w.add_token_list(tokens)
    w.add_token_types(fields["tokenizer.ggml.token_type"].contents())
    w.add_token_merges([" ".join(m) for m in merges])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
    same("ids by the package's GGUF", texts, p.ids(other, texts), want)
    print("ok gguf: %d tokens, %d texts" % (len(tokens), len(texts)))


def check_tiktoken(p, path, texts):
    theirs = Tokenizer.from_file(path)
    file = p.convert(path, ".tiktoken", "-f", "tiktoken")
    ranks = load_tiktoken_bpe(file)
    plain = json.loads(theirs.to_str())
    plain["added_tokens"] = []
    theirs = Tokenizer.from_str(json.dumps(plain))
    enc = tiktoken.Encoding("ours", pat_str=r"[\s\S]+", mergeable_ranks=ranks, special_tokens={})
    back = p.convert(file, ".json", "--pre-tokenizer", "deepseek-llm")
    for text, mine in zip(texts, p.ids(back, texts)):
        want = []
        for _, (a, b) in theirs.pre_tokenizer.pre_tokenize_str(text + "\n"):
            want += enc._encode_single_piece((text + "\n")[a:b])
        if mine != want:
            fail("tiktoken: %r: %s, %s" % (text, mine, want))
    print("ok tiktoken: %d ranks, %d texts" % (len(ranks), len(texts)))


def check_ranks(p, rnd, rounds):
    """Ranks of no training, so that words are met that no merge makes."""
    n = 0
    for _ in range(rounds):
        words = {bytes([c]) for c in range(256)}
        while len(words) < 300:
            words.add(bytes(rnd.choice(b"abc ") for _ in range(rnd.randint(2, 6))))
        order = rnd.sample(sorted(words), len(words))
        ranks = {word: i for i, word in enumerate(order)}
        file = p.path(".tiktoken")
        with open(file, "w", encoding="ascii") as f:
            f.writelines("%s %d\n" % (tiktoken.load.base64.b64encode(w).decode(), i) for w, i in ranks.items())
        enc = tiktoken.Encoding("ours", pat_str=r"[\s\S]+", mergeable_ranks=ranks, special_tokens={})
        texts = ["".join(rnd.choice("abc") for _ in range(rnd.randint(1, 25))) for _ in range(100)]
        mine = p.ids(p.convert(file, ".json", "--pre-tokenizer", "deepseek-llm"), texts)
        same("ranks", texts, [m[:-1] for m in mine], [enc._encode_single_piece(t) for t in texts])
        n += len(texts)
    print("ok ranks: %d vocabularies, %d words" % (rounds, n))


def main():
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    rnd = random.Random(rounds)
    with tempfile.TemporaryDirectory() as work:
        p = Programs(sys.argv[1], work)
        if len(sys.argv) > 3:
            path = sys.argv[3]
        else:
            text, path = p.path(".txt"), p.path(".json")
            with open(text, "w", encoding="utf-8") as f:
                f.writelines(t + "\n" for t in random_texts(rnd, 3000))
            run(p.tamis, "bpe", "-q", "--text", "--vocab-size", "600", "-o", path, text)
        if len(sys.argv) > 4:
            with open(sys.argv[4], encoding="utf-8", errors="replace", newline="") as f:
                texts = [line.rstrip("\n") for line in f]
        else:
            texts = random_texts(rnd, 1500)
        with open(path, encoding="utf-8") as f:
            base = json.load(f)
        check_added(p, base, rnd, rounds)
        check_strips(p, base, rnd, rounds)
        check_decode(p, path, rnd)
        check_gguf(p, path, texts)
        check_tiktoken(p, path, texts)
        check_ranks(p, rnd, rounds)


main()
