"""Ids of our encoder and of HuggingFace `tokenizers` on many strings, made and real: how many there were and which differ.

    python3 -m venv build/bench-venv && build/bench-venv/bin/pip install -r bench/requirements.txt
    build/bench-venv/bin/python3 bench/tokenizer_identity.py BIN_DIR TOKENIZER [--strings N] [--text FILE]... [--log FILE] [--jobs N]

BIN_DIR is a release build with the target encode_ids, TOKENIZER a tokenizer.json. The strings come in units of 20000 of one kind,
made from the kind and the number of the unit alone: pairs of ASCII characters around white space, apostrophes, every code point
below U+30000 between neighbours, added tokens between neighbours, random characters, words of the vocabulary, random bytes as lossy
text, and, with --text, pieces of real text, short ones, lines and pages. What is finite is taken once; the random kinds share what
is left of --strings. --log keeps a line a unit: a later call with the same arguments goes on where it stopped. Ends with status 1
when an id differed; --log then holds the strings, the first few of every unit."""

import argparse
import array
import itertools
import json
import multiprocessing
import os
import random
import struct
import subprocess
import sys

UNIT = 20000

WHITE = ["", " ", "  ", "   ", "    ", "\t", "\n", "\r", "\r\n", " \n", "\n ", " \t", "\t ", "\n\n", "\v", "\f", "\u0085", "\u00a0",
         "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", " \u3000", "\u3000 "]
ASCII = [chr(i) for i in range(128)]
QUOTES = ["'", "\u2019", "''", " '", "' ", "`"]
AFTER_QUOTE = ["s", "S", "t", "T", "d", "D", "m", "M", "ll", "LL", "lL", "re", "Re", "ve", "VE", "\u017f", "l", "r", "v", "x", "\u00e9",
               "1", " ", "\n", "'", "中", "ss", "st", "ll1", "re ", ""]
NEIGHBOURS = ["", " ", "  ", "a", "Z", "1", "_", "é", "中", "。", "\n", "\t", "\u3000", "-", "'", "א", "\u0301", "😀", "ü", "<"]
NAMED = ["\u00a0aC", "\u2029 \uA3E4", "a 〇b", "Cửa Việt", "naïve", " Ünder", "café", " “hi”", "。，！", " ！", "שלום עולם", "😀 😀", "ﾊﾝｶｸ",
         "für", " über", "a   b", "\u3000foo", "foo\u3000", "   ", " 1", "  1", "   1 ", " © ", "Äpfel", "x\u2003y", "1²½③Ⅷ〇", "\x00\x00",
         "\ufeffa", "a\u200db", "\U0001f468\u200d\U0001f469", "I'm", "I’M", "we'LL", "0'9", "\r\n\r\n a", "a\r\r\nb", " \n \n x", "\t\tx"]
# Where chains of pre-tokenizers part: kinds of white space, digits, letters of one class and of two, marks, scripts without a class.
EDGES = (" \t\r\n\u00a0\u2003\u3000\u2028\u0085\u1680aZ!-_~09\u00b2\u00bd\u3007\u2167\uff11\u00e9\u00dc\u1e00\u1ec7\u2126\u03b1中龥龦가、。"
         "\u201c\u2014！Ａａｶשا\u0301😀\U00020000\U00010400\U0001d7ceա\u00aa\u00a9\u0800\u07ff\uabf0／Ｚ：\u4000\u8fff'\u2019\u017fsS"
         "\u01c5\u02b0\u0e33\u0903\u20ac\u00ad\ue000\u0378")


def code_points():
    for cp in range(0x30000):
        if not 0xD800 <= cp < 0xE000:
            yield chr(cp)


class Maker:
    """The strings of one tokenizer."""

    def __init__(self, tokenizer, texts):
        frame = json.load(open(tokenizer, encoding="utf-8"))
        self.added = [token["content"] for token in frame["added_tokens"]]
        letters = {}
        for byte in range(256):  # the letters of ByteLevel
            shown = 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174
            letters[chr(byte if shown else 256 + sum(1 for b in range(byte) if not (33 <= b <= 126 or 161 <= b <= 172 or b >= 174)))] = byte
        self.words = [bytes(letters.get(c, 63) for c in word).decode("utf-8", "replace") for word in sorted(frame["model"]["vocab"])]
        self.texts = [(open(path, "rb"), os.path.getsize(path)) for path in texts]
        self.finite = {"ascii": self.ascii, "apostrophes": self.apostrophes, "code points": self.code_points, "added": self.added_tokens}
        self.random = {"characters": self.characters, "words": self.vocabulary, "bytes": self.bytes}
        if texts:
            self.random["real"] = self.real

    def sizes(self):
        return {kind: sum(1 for _ in make()) for kind, make in self.finite.items()}

    def unit(self, kind, number):
        if kind in self.finite:
            return list(itertools.islice(self.finite[kind](), number * UNIT, (number + 1) * UNIT))
        if kind == "pages":
            return self.pages(random.Random(f"pages {number}"))
        rnd = random.Random(f"{kind} {number}")
        return [self.random[kind](rnd) for _ in range(UNIT)]

    def ascii(self):
        return (a + white + b for white in WHITE for a in ASCII for b in ASCII)

    def apostrophes(self):
        before = ["", "a", "I", " a", "é", "1", "中", " ", "\n", "!", "don"]
        return itertools.chain(NAMED, (a + q + b + c for a in before for q in QUOTES for b in AFTER_QUOTE for c in ["", "a", " x", "1", "'s"]))

    def code_points(self):
        return (a + c + b for c in code_points() for a, b in [("", ""), ("a", "b"), (" ", " "), ("  ", "1"), ("中", "。")])

    def added_tokens(self):
        pieces = [a + t + b for t in self.added[:100] for a in NEIGHBOURS for b in NEIGHBOURS]
        return itertools.chain(pieces, (t + u for t in self.added[:100] for u in self.added[:100]),
                               (t[:n] for t in self.added[:100] for n in range(1, len(t))))

    def characters(self, rnd):
        out = []
        for _ in range(rnd.randint(1, 12)):
            kind = rnd.random()
            if kind < 0.6:
                out.append(rnd.choice(EDGES))
            elif kind < 0.75:
                out.append(chr(rnd.randrange(1, 128)))
            else:
                cp = rnd.randrange(1, 0x110000 if kind < 0.8 else 0x3000 if kind < 0.9 else 0x30000)
                out.append(" " if 0xD800 <= cp < 0xE000 else chr(cp))
        return "".join(out)

    def vocabulary(self, rnd):
        return rnd.choice(["", "", " "]).join(rnd.choice(self.words) for _ in range(rnd.randint(1, 4)))

    def bytes(self, rnd):
        if rnd.random() < 0.5:
            return rnd.randbytes(rnd.randint(1, 12)).decode("utf-8", "replace")
        whole = self.characters(rnd).encode()
        return whole[rnd.randrange(3):len(whole) - rnd.randrange(3)].decode("utf-8", "replace")

    def piece(self, rnd, size):
        file, whole = rnd.choice(self.texts)
        file.seek(rnd.randrange(max(whole - size, 1)))
        return file.read(size).decode("utf-8", "ignore")

    def real(self, rnd):
        if rnd.random() < 0.98:
            return self.piece(rnd, rnd.randint(4, 32))
        lines = self.piece(rnd, 1000).split("\n")
        return lines[len(lines) // 2] + "\n"

    def pages(self, rnd):
        return [self.piece(rnd, 20000) for _ in range(50)]


class Ours:
    """The ids of encode_ids, of which one process runs."""

    def __init__(self, binary, tokenizer):
        self.process = subprocess.Popen([binary, tokenizer], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def encode(self, texts):
        request = [struct.pack("=I", len(texts))]
        for text in texts:
            data = text.encode()
            request += [struct.pack("=I", len(data)), data]
        self.process.stdin.write(b"".join(request))
        self.process.stdin.flush()
        out = []
        for _ in texts:
            head = self.process.stdout.read(4)
            if len(head) < 4:
                sys.exit("encode_ids ended")
            ids = array.array("I", self.process.stdout.read(4 * struct.unpack("=I", head)[0]))
            out.append(ids.tolist())
        return out


worker = None


def start(binary, tokenizer, texts):
    global worker
    from tokenizers import Tokenizer

    worker = (Maker(tokenizer, texts), Ours(binary, tokenizer), Tokenizer.from_file(tokenizer))


def compare(job):
    kind, number = job
    maker, ours, theirs = worker
    texts = maker.unit(kind, number)
    mine = ours.encode(texts)
    want = theirs.encode_batch_fast(texts, add_special_tokens=False)
    differ = [[text, a, b.ids] for text, a, b in zip(texts, mine, want) if a != b.ids]
    return {"kind": kind, "unit": number, "strings": len(texts), "bytes": sum(len(text.encode()) for text in texts),
            "ids": sum(map(len, mine)), "differ": len(differ), "first": differ[:3]}


def jobs_of(maker, args):
    sizes = maker.sizes()
    jobs = [(kind, n) for kind, size in sizes.items() for n in range(-(-size // UNIT))]
    left = max(args.strings - sum(sizes.values()), 0)
    jobs += [(kind, n) for n in range(-(-left // (UNIT * len(maker.random)))) for kind in maker.random]
    return jobs + [("pages", n) for n in range(args.pages if args.text else 0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("tokenizer")
    parser.add_argument("--strings", type=int, default=1000000)
    parser.add_argument("--pages", type=int, default=10, metavar="N", help="units of 50 pages of 20 KB")
    parser.add_argument("--text", action="append", default=[])
    parser.add_argument("--log")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

    done = {}
    if args.log and os.path.exists(args.log):
        for line in open(args.log, encoding="utf-8"):
            if line.endswith("\n"):
                unit = json.loads(line)
                done[unit["kind"], unit["unit"]] = unit
    todo = [job for job in jobs_of(Maker(args.tokenizer, args.text), args) if job not in done]
    log = open(args.log, "a", encoding="utf-8") if args.log else None
    context = (os.path.join(args.bin, "encode_ids"), args.tokenizer, args.text)
    with multiprocessing.Pool(args.jobs, start, context) as pool:
        for unit in pool.imap_unordered(compare, todo):
            done[unit["kind"], unit["unit"]] = unit
            if log:
                log.write(json.dumps(unit) + "\n")
                log.flush()
            for text, mine, want in unit["first"]:
                print(f"{unit['kind']}: {text!r}\n  ours {mine}\n  reference {want}", flush=True)
    show(done.values())


def show(units):
    import tokenizers

    print(f"tokenizers {tokenizers.__version__}\n| kind | strings | bytes | ids | differ |\n|---|---|---|---|---|")
    rows = {}
    for unit in units:
        for row in (unit["kind"], "all"):
            rows[row] = [a + unit[key] for a, key in zip(rows.get(row, [0] * 4), ("strings", "bytes", "ids", "differ"))]
    rows["all"] = rows.pop("all")
    for kind, row in rows.items():
        print(f"| {kind} | " + " | ".join(map(str, row)) + " |")
    sys.exit(1 if rows["all"][3] else 0)


if __name__ == "__main__":
    main()
