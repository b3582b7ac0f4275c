#!/usr/bin/env python3
"""How often the detector of charsets is right on short pieces of text, clean and damaged, beside uchardet.

  charset_detect.py BUILD TEXT[:CHARSET,...]...

TEXT is UTF-8, or JSON Lines with "text" (plain or .zst, read through the program zstd). CHARSET are Python's names
[gbk for each TEXT]. A piece has 40, 100 or 200 characters above ASCII in a row of the text, with what ASCII is between;
damaged: every byte is overwritten by '?', 0xFF or a blank with a chance of 1 in 100. Pieces that the charset cannot write
lose those characters. The seed is fixed. uchardet (Debian's libuchardet0) is asked where it is there.
"""
import ctypes
import json
import random
import struct
import subprocess
import sys

PIECES = 2000
SAME = {"gbk": {"gb18030", "gbk", "gb2312"}, "big5": {"big5"}, "cp932": {"shift_jis"}, "euc_jp": {"euc-jp"},
        "cp949": {"euc-kr", "uhc"}, "cp1251": {"windows-1251"}, "koi8_r": {"koi8-r"}, "cp1252": {"windows-1252", "iso-8859-1",
        "iso-8859-15"}, "utf-8": {"utf-8"}}


def read(path):
    if path.endswith(".zst"):
        data = subprocess.run(["zstdcat", "--long=27", path], capture_output=True, check=True).stdout
    else:
        data = open(path, "rb").read()
    if ".jsonl" in path:
        return [json.loads(line)["text"] for line in data.splitlines()]
    return data.decode("utf-8").split("\n\n")


def pieces(texts, n_chars, charset, rng):
    out = []
    for _ in range(20 * PIECES):
        if len(out) == PIECES:
            break
        t = rng.choice(texts)
        at = rng.randrange(len(t)) if t else 0
        piece, n = [], 0
        while at < len(t) and n < n_chars:
            piece.append(t[at])
            n += ord(t[at]) >= 0x80
            at += 1
        if n == n_chars and len(piece) < 50 * n_chars:
            out.append("".join(piece).encode(charset, "ignore"))
    return out


def damaged(data, rng):
    return bytes(rng.choice(b"?\xff ") if rng.random() < 0.01 else b for b in data)


def ours(build, samples):
    got = subprocess.run([build + "/charset_bench", "--detect"], input=b"".join(struct.pack("<I", len(s)) + s for s in samples),
                         capture_output=True, check=True)
    return got.stdout.decode().split()


def uchardet():
    try:
        lib = ctypes.CDLL("libuchardet.so.0")
    except OSError:
        return None
    lib.uchardet_new.restype = ctypes.c_void_p
    lib.uchardet_get_charset.restype = ctypes.c_char_p
    for f in (lib.uchardet_handle_data, lib.uchardet_data_end, lib.uchardet_get_charset, lib.uchardet_delete):
        f.argtypes = [ctypes.c_void_p]
    lib.uchardet_handle_data.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]

    def ask(data):
        u = lib.uchardet_new()
        lib.uchardet_handle_data(u, data, len(data))
        lib.uchardet_data_end(u)
        name = lib.uchardet_get_charset(u).decode().lower()
        lib.uchardet_delete(u)
        return name

    return ask


def main():
    build, peer = sys.argv[1], uchardet()
    print("text, charset, characters: ours clean, ours damaged; uchardet clean, damaged")
    for arg in sys.argv[2:]:
        path, _, charsets = arg.partition(":")
        texts = read(path)
        for charset in (charsets or "gbk").split(","):
            for n_chars in (40, 100, 200):
                rng = random.Random(1)
                clean = pieces(texts, n_chars, charset, rng)
                noisy = [damaged(s, rng) for s in clean]
                row = []
                for answer in (lambda s: ours(build, s), lambda s: [peer(x) for x in s] if peer else None):
                    for samples in (clean, noisy):
                        got = answer(samples)
                        row.append(f"{sum(g in SAME[charset] for g in got) / len(got):.4f}" if got else "-")
                name = path.rsplit("/", 1)[-1].split(".")[0]
                print(f"{name:30} {charset:8} {n_chars:4}  {row[0]} {row[1]}   {row[2]} {row[3]}", flush=True)


if __name__ == "__main__":
    main()
