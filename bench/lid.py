#!/usr/bin/env python3
"""Texts of known language for lid_bench: lines of documents, `source` the set and `lang` what is right.

    bench/lid.py --corpus DIR --reference lid_reference.tsv.zst --debian DIR > texts.jsonl
    build/release/lid_bench [MODEL.ftz] < texts.jsonl

--corpus: JSON Lines (.zst) named by what they hold (zh_…, en_…, code_…). --reference: lines of set, language, name, labels, text.
--debian: unpacked packages (dpkg -x PACKAGE.deb DIR/PACKAGE), of which help and manual pages and sources are taken by their names.
Texts are picked evenly; of each set come pieces of 20, 50 and 200 characters too. Needs zstd.
"""
import argparse
import gzip
import html
import json
import os
import re
import subprocess
import sys

PER_SET = 400
SHORT = (20, 50, 200)
CODE = {
    "c": (".c", ".h"), "cpp": (".cc", ".cpp", ".hpp", ".ipp"), "js": (".js",), "ts": (".ts",), "go": (".go",), "rust": (".rs",),
    "ruby": (".rb",), "lua": (".lua",), "php": (".php",), "lisp": (".lisp",), "erlang": (".erl", ".hrl"), "r": (".R",),
    "sql": (".sql",), "cmake": (".cmake",), "octave": (".m",), "css": (".css",), "ocaml": (".ml", ".mli"), "java": (".java",),
    "shell": (".sh",),
}


def evenly(items, n):
    return [items[i * len(items) // n] for i in range(n)] if len(items) > n else items


def is_of(text, lang, own=None):
    """False for what is clearly not of the language its set is of: manuals are partly untranslated, and some hold other languages."""
    letters = sum(c.isalpha() for c in text)
    wide = sum("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in text)
    if own:
        return sum(own[0] <= c <= own[1] for c in text) * 20 >= letters > 0
    return wide * 20 >= letters > 0 if lang.startswith("zh") else wide * 20 <= letters if lang == "en" else True


OWN = {"ja": "\u3040\u30ff", "ko": "\uac00\ud7af", "ru": "\u0400\u04ff", "el": "\u0370\u03ff"}


def emit(name, lang, texts, short=True):
    out = sys.stdout
    own = OWN.get(name.split(" ")[-1])
    texts = [t for t in texts if t.strip() and is_of(t, lang, own)]
    for i, text in enumerate(evenly(texts, PER_SET)):
        out.write(json.dumps({"id": f"{name}#{i}", "text": text, "source": name, "lang": lang}, ensure_ascii=False) + "\n")
        for n in SHORT if short else ():
            lines = [x.strip() for x in text[len(text) // 3:].split("\n") if len(x.strip()) >= n and is_of(x.strip()[:n], lang, own)]
            if lines:
                piece = lines[0][:n]
                out.write(json.dumps({"id": f"{name}.{n}#{i}", "text": piece, "source": f"{n} of {name}", "lang": lang}, ensure_ascii=False) + "\n")


def zstd_lines(path):
    data = subprocess.run(["zstd", "-dcq", "--long=27", path], stdout=subprocess.PIPE, check=True).stdout
    return data.decode("utf-8").split("\n")


def corpus(folder):
    for name in sorted(os.listdir(folder)):
        stem = name.split(".")[0]
        kind = stem.split("_")[0]
        texts = [json.loads(x)["text"] for x in zstd_lines(os.path.join(folder, name)) if x]
        emit(stem, {"zh": "zh-Hans"}.get(kind, kind), texts, short=kind != "code")


def ours(code):
    code = code.lower().replace("-", "_")
    if code.split("_")[0] == "en":
        return "en"
    return {"zh_cn": "zh-Hans", "zh": "zh-Hans", "zh_tw": "zh-Hant"}.get(code, "code" if code == "code" else "other")


def reference(path):
    sets = {}
    for line in zstd_lines(path):
        if line:
            where, code, _, _, text = line.split("\t", 4)
            if where == "iguide":  # others are in --corpus, or partly untranslated
                sets.setdefault((where + " " + code, ours(code)), []).append(text)
    for (name, lang), texts in sorted(sets.items()):
        emit(name, lang, texts)


def page_text(raw):
    raw = re.sub(r"(?is)<(script|style|head).*?</\1>", " ", raw)
    raw = re.sub(r"(?i)<(/?(p|div|li|tr|h\d|br|dt|dd|table))\b[^>]*>", "\n", raw)
    return "\n".join(x.strip() for x in html.unescape(re.sub(r"<[^>]*>", " ", raw)).split("\n") if x.strip())


def man_text(raw):
    raw = "\n".join(x for x in raw.split("\n") if not x.startswith((".\\\"", "'\\\"")))
    raw = re.sub(r"\\f[A-Z]|\\&|\\-", "", raw)
    return re.sub(r"(?m)^\.\w* ?", "", raw)


def files_of(folder, wanted):
    found = []
    for top, dirs, names in os.walk(folder):
        dirs.sort()
        found += [os.path.join(top, n) for n in sorted(names) if wanted(n)]
    return found


def read(path):
    data = open(path, "rb").read(1 << 20)
    data = gzip.decompress(data) if path.endswith(".gz") else data
    text = data.decode("utf-8", "replace")
    return "" if text.count("\ufffd") > 20 else text


def debian(folder):
    for lang in ("zh-cn", "zh-tw", "ja", "ko", "ru"):
        where = os.path.join(folder, "libreoffice-help-" + lang)
        pages = evenly(files_of(where, lambda n: n.endswith(".html")), PER_SET)
        emit("office help " + lang, ours(lang), [page_text(read(p)) for p in pages])
    for lang in ("zh_CN", "zh_TW", "ja", "de", "fr"):
        package = os.path.join(folder, "manpages-" + lang.split("_")[0], "usr/share/man", lang)
        pages = evenly(files_of(package, lambda n: n.endswith(".gz")), PER_SET)
        emit("manual " + lang, ours(lang), [man_text(read(p)) for p in pages], short=False)
    for name, ends in CODE.items():
        files = files_of(folder, lambda n, ends=ends: n.endswith(ends) and ".min." not in n)
        files = [p for p in files if os.path.isfile(p) and 300 < os.path.getsize(p) < 400000]
        emit("code " + name, "code", [read(p) for p in evenly(files, 200)], short=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus")
    parser.add_argument("--reference")
    parser.add_argument("--debian")
    args = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", errors="strict")
    if args.corpus:
        corpus(args.corpus)
    if args.reference:
        reference(args.reference)
    if args.debian:
        debian(args.debian)


main()
