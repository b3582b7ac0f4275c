"""Slow twin of `tamis bpe stats`, `compare`, `verify` and `inspect`: reads tokenizer.json by itself, encodes by the definition of BPE,
counts character by character.
  make DIR                 writes DIR/docs.jsonl and DIR/part.txt, seeded
  spoil KIND IN OUT        another tokenizer.json: swap | flag | added | normalized | nfc | ignore | template, bos, eos
  stats TOKENIZER DOCS STATS_JSON     DOCS: JSON Lines of documents, or text whose lines they are (domain given as a fourth argument)
  compare A B DOCS OUTPUT
  tree TOKENIZER ID OUTPUT
  view TOKENIZER TEXT OUTPUT          OUTPUT of inspect --text --ids --color never
The texts hold only characters for which the pre-tokenizer's seven stages come to PRETOKENS."""
import json
import random
import re
import sys

# Blanks and their words of ASCII letters; é alone, since the punctuation class holds the ASCII letters; digits one by one; 。alone.
PRETOKENS = re.compile("\n| ?[a-z]+| ?é+|。+|[の一-龥]+|[0-9]| ")


def alphabet():
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in own]
    return {**{b: chr(b) for b in own}, **{b: chr(256 + i) for i, b in enumerate(other)}}


SPELL = alphabet()
BYTE = {c: b for b, c in SPELL.items()}


class Tokenizer:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.json = json.load(f)
        self.vocab = self.json["model"]["vocab"]
        self.merges = [tuple(m) for m in self.json["model"]["merges"]]
        self.rank = {m: r for r, m in enumerate(self.merges)}
        self.added = {a["id"]: a for a in self.json["added_tokens"]}
        self.spelling = {i: s for s, i in self.vocab.items()}
        self.known = {}

    def bytes_of(self, i):
        if i in self.spelling:
            return bytes(BYTE[c] for c in self.spelling[i])
        return self.added[i]["content"].encode()

    def word(self, word):
        if word not in self.known:
            parts = [SPELL[b] for b in word.encode()]
            while True:
                best = min((self.rank[p], i) for i, p in enumerate([*zip(parts, parts[1:]), None]) if p in self.rank) \
                    if any(p in self.rank for p in zip(parts, parts[1:])) else None
                if best is None:
                    break
                left, right = self.merges[best[0]]
                i = best[1]
                parts[i:i + 2] = [left + right]
            self.known[word] = [self.vocab[p] for p in parts]
        return self.known[word]

    def encode(self, text):
        words = PRETOKENS.findall(text)
        assert "".join(words) == text
        return [i for w in words for i in self.word(w)]


def make(where):
    rng = random.Random(20241)
    words = ["".join(rng.choice("etaoinshrdlu") for _ in range(rng.randint(1, 8))) for _ in range(300)] + ["caféa", "é", "x9"]
    han = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
    with open(f"{where}/docs.jsonl", "w", encoding="utf-8") as out, open(f"{where}/part.txt", "w", encoding="utf-8") as part:
        for i in range(120):
            lang = ["en", "zh-Hans", "other", "code"][i % 4]
            lines = []
            for _ in range(rng.randint(1, 12)):
                n = rng.randint(1, 14)
                if lang == "zh-Hans":
                    line = "".join(rng.choice(han) if rng.random() < 0.9 else chr(rng.randint(0x4e00, 0x9fa5)) for _ in range(n))
                    line += rng.choice(["。", "の" + rng.choice(han), " ", ""])
                    line += " ".join(rng.sample(words, 2)) + str(rng.randint(0, 99)) if rng.random() < 0.3 else ""
                else:
                    line = " ".join(rng.choice(words) for _ in range(n)) + rng.choice(["", " ", rng.choice(han)])
                lines.append(line)
            doc = {"id": str(i), "text": "\n".join(lines), "lang": lang}
            if i % 3:
                doc["domain"] = ["a", "域"][i % 3 - 1]
            out.write(json.dumps(doc, ensure_ascii=False) + "\n")
            part.write(doc["text"] + ("\n" if i < 119 else ""))


def spoil(kind, src, dst):
    with open(src, encoding="utf-8") as f:
        t = json.load(f)
    if kind == "swap":
        m = t["model"]["merges"]
        m[7], m[8] = m[8], m[7]
    elif kind == "flag":
        t["added_tokens"][2]["rstrip"] = True
    elif kind == "added":
        t["added_tokens"].pop()
    elif kind == "normalized":
        for k in 3, 5:
            t["added_tokens"][k]["normalized"] = True
    elif kind == "nfc":
        t["normalizer"] = {"type": "NFC"}
    elif kind == "ignore":
        t["model"]["ignore_merges"] = True
    else:  # a template, or that with another token before or behind a text
        bos, eos = (["<|pad|>"] if kind == "bos" else []), "<|pad|>" if kind == "eos" else "<|end_of_text|>"
        tokens = ["<|end_of_text|>", *bos, "", eos]
        t["post_processor"] = {
            "type": "TemplateProcessing", "pair": [],
            "single": [{"SpecialToken": {"id": s, "type_id": 0}} if s else {"Sequence": {"id": "A", "type_id": 0}} for s in tokens],
            "special_tokens": {a["content"]: {"id": a["content"], "ids": [a["id"]], "tokens": [a["content"]]} for a in t["added_tokens"]}}
    with open(dst, "w", encoding="utf-8") as f:
        json.dump(t, f, ensure_ascii=False)


def documents(path, domain=None):
    """Text, language, domain of each."""
    with open(path, encoding="utf-8", newline="") as f:
        if domain:
            return [(line, "unknown", domain) for line in re.findall(r"[^\n]*\n|[^\n]+", f.read())]
        return [(d["text"], d["lang"], d.get("domain", "default")) for d in map(json.loads, f.read().split("\n")[:-1])]


def unit(c):
    return "han" if "一" <= c <= "龥" else "word" if c.isascii() and c.isalnum() or c == "é" else None


def count(tokenizer, text):
    ids = tokenizer.encode(text)
    of_byte = [c for c in text for _ in c.encode()]  # the character that each byte belongs to
    n = dict(n_docs=1, text_bytes=len(of_byte), n_tokens=len(ids), n_words=len(re.findall("[a-z0-9é]+", text)), word_tokens=0,
             n_han=sum(unit(c) == "han" for c in text), han_tokens=0, n_single=0)
    at = 0
    for i in ids:
        size = len(tokenizer.bytes_of(i))
        units = {unit(c) for c in of_byte[at:at + size]}
        n["word_tokens"] += "word" in units
        n["han_tokens"] += "han" in units
        n["n_single"] += size == 1
        at += size
    assert at == len(of_byte)
    return n, ids


def check_stats(tokenizer, docs, out, domain=None):
    t = Tokenizer(tokenizer)
    want, seen = {"languages": {}, "domains": {}, "all": {"": {}}}, set()
    for text, lang, dom in documents(docs, domain):
        n, ids = count(t, text)
        seen |= set(ids)
        for key, name in (("languages", lang), ("domains", dom), ("all", "")):
            row = want[key].setdefault(name, {})
            for k, v in n.items():
                row[k] = row.get(k, 0) + v
    with open(out, encoding="utf-8") as f:
        got = json.load(f)
    got["all"] = [{"name": "", **got["all"]}]
    for key, rows in want.items():
        assert [r["name"] for r in got[key]] == sorted(rows, key=lambda s: s.encode()), key
        for r in got[key]:
            w = rows[r["name"]]
            for k, v in w.items():
                assert r[k] == v, (key, r["name"], k, r[k], v)
            for k, a, b in (("bytes_per_token", "text_bytes", "n_tokens"), ("tokens_per_doc", "n_tokens", "n_docs"),
                            ("tokens_per_word", "word_tokens", "n_words"), ("tokens_per_han", "han_tokens", "n_han"),
                            ("single_byte_share", "n_single", "n_tokens")):
                assert r[k] is None if not w[b] else abs(r[k] - w[a] / w[b]) < 1e-6, (key, r["name"], k)
    plain = set(t.spelling) - set(t.added)
    assert (got["vocab_tokens"], got["vocab_unused"]) == (len(plain), len(plain - seen)), (got["vocab_unused"], len(plain - seen))
    assert want["all"][""]["n_han"] and want["all"][""]["n_words"] and 0 < got["vocab_unused"] < len(plain)


def check_compare(a, b, docs, out):
    t = [Tokenizer(a), Tokenizer(b)]
    with open(out, encoding="utf-8") as f:
        said = f.read()
    # What is added is that, in model.vocab too or not.
    added = [{("added", v["content"]): i for i, v in x.added.items()} for x in t]
    tokens = [{("model", s): i for s, i in x.vocab.items() if i not in x.added} | added[k] for k, x in enumerate(t)]
    common = tokens[0].keys() & tokens[1].keys()
    same = sum(tokens[0][k] == tokens[1][k] for k in common)
    assert f"in common              {len(common)} tokens, {same} of them with the same id\n" in said
    for i, name in enumerate("AB"):
        assert f"only in {name}              {len(tokens[i]) - len(common)} tokens\n" in said
    prefix = 0
    while prefix < min(len(x.merges) for x in t) and t[0].merges[prefix] == t[1].merges[prefix]:
        prefix += 1
    shared = len(set(t[0].merges) & set(t[1].merges))
    assert f"merges                 {shared} in common, the first {prefix} are the same in order\nmerge {prefix}\n" in said
    rows = {}
    for text, lang, _ in documents(docs):
        for name in (lang, "all"):
            row = rows.setdefault(name, [0, 0, 0])
            row[0] += len(text.encode())
            for i in range(2):
                row[1 + i] += len(t[i].encode(text))
    for name, (size, na, nb) in rows.items():
        want = [name, str(size), str(na), str(nb), f"{size / na:.3f}", f"{size / nb:.3f}", f"{nb / na:.4f}"]
        assert any(line.split() == want for line in said.split("\n")), want


def check_tree(tokenizer, number, out):
    t, i = Tokenizer(tokenizer), int(number)
    made = {}
    for r, (left, right) in enumerate(t.merges):
        made.setdefault(t.vocab[left + right], r)

    def walk(i, depth):
        yield depth, i, made.get(i)
        for part in t.merges[made[i]] if i in made else ():
            yield from walk(t.vocab[part], depth + 1)

    with open(out, encoding="utf-8") as f:
        lines = f.read().split("\n")
    first = next(k for k, line in enumerate(lines) if line.startswith("  tree"))
    got = []
    for line in lines[first:]:
        m = re.fullmatch(r'(?:  tree     )?((?: {11})?[│ ├└─]*)"(.*)" (\d+)(?:, merge (\d+))?', line)
        if not m:
            break
        got.append((max(0, len(m[1]) - 11) // 3, int(m[3]), int(m[4]) if m[4] else None))
    assert got == list(walk(i, 0)), (got, list(walk(i, 0)))
    assert max(depth for depth, _, _ in got) >= 2
    users = sum(t.spelling[i] in m for m in t.merges)
    assert any(line == f"  used by  {users} merge" + ("s" if users != 1 else "") for line in lines), users


def check_view(tokenizer, text, out):
    t = Tokenizer(tokenizer)
    with open(text, encoding="utf-8", newline="") as f:
        text = f.read()
    with open(out, encoding="utf-8") as f:
        lines = f.read().split("\n")[:-1]
    pieces, ids = [], []
    for tokens, below in zip(lines[::2], lines[1::2]):
        cells, numbers = tokens.split("│"), below.split("│")
        assert len(cells) == len(numbers) and (len(tokens) <= 101 or len(cells) == 1)
        ids += map(int, numbers)
        pieces += cells
    assert ids == t.encode(text)
    for piece, i in zip(pieces, ids):  # a cell is its token, padded to the width of its id
        shown = piece.encode().decode("unicode_escape").encode("latin-1") if "\\" in piece else piece.encode()
        assert shown.startswith(t.bytes_of(i)) and not shown[len(t.bytes_of(i)):].strip(b" "), (piece, t.bytes_of(i))


if __name__ == "__main__":
    {"make": make, "spoil": spoil, "stats": check_stats, "compare": check_compare, "tree": check_tree,
     "view": check_view}[sys.argv[1]](*sys.argv[2:])
