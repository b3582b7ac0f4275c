#!/usr/bin/env python3
"""The fast HTML parser beside html5lib, which follows the HTML standard to the letter.

  html_oracle.py BUILD [--pages N] [--seed S] [--show K]
  html_oracle.py BUILD -C DIR --names FILE [--every K]

Without --names: N pages of mistakes are made from a seed; every word of a page is another one, so for each it is known which
block element it lies in and whether in a link. Printed: the share of words that both parsers see, that lie in the same block, that
are alike linked, and that come in the same order, and the shortest pages that differ. With it: the pages of a list (as html_parsers wants it), and the
F1 of two bags of words.

What ingest/html.h says it does otherwise is not made, or shows as a difference: text that the standard moves before its table,
formatting elements opened anew, elements never closed at the end of a page.
"""
import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile

import html5lib

SILENT = set("script style head template iframe object embed applet svg canvas audio video select option optgroup button input "
             "textarea map rt rp title meta link noembed noframes datalist".split())
BLOCK = set("address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
            "footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol option p pre section summary table "
            "tbody td tfoot th thead tr ul".split())
LIKE_PRE = {"xmp", "plaintext", "listing"}
SHORT = "div p ul ol li dl dt dd h1 h2 h3 blockquote section article pre form nav header footer".split()
INLINE = "a b i em strong span font code small u tt q abbr custom-tag label".split()
TABLE = "table tbody thead tr td th caption".split()


class Maker:
    """Pages that mostly nest, with end tags left out, crossed, made up."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = self.deep = 0

    def word(self):
        self.n += 1
        mark = self.r.choice(["", "", "", "", "&amp;", "&eacute", "&#8212;", "&notin;", "&notit;", "&#x41", "&", "&bogus;", "<", "< ",
                              "&#150;", "&#0;", "&ampx"])
        return f" w{self.n}{mark} "

    def attrs(self):
        return self.r.choice(["", "", "", " class=a", " id='x y'", ' href="?a=1&copy=2"', " a b c", " /", " title='a>b'",
                              ' class="x"id=y', " =x", " a = b"])

    def inline(self, depth):
        r = self.r.random()
        if r < .5 or depth > self.deep:
            return self.word()
        if r < .55:
            return self.r.choice(["<br>", "<img alt=x>", "<!-- c -->", "<!x>", "<?y?>", "</>", "</ z>", "<wbr>", "<input>", "<!---->",
                                  "<svg><path/><g>drawn</g></svg>", "<select><option>no<option>no</select>",
                                  "<script>no</script>", "<style>no</style>", "<textarea>no</textarea>", "</br>"])
        if r < .6:
            return f"</{self.r.choice(INLINE + SHORT + TABLE)}>" if self.r.random() < .5 else self.word()
        tag = self.r.choice(INLINE)
        body = "".join(self.inline(depth + 1) for _ in range(self.r.randint(1, 3)))
        end = "" if self.r.random() < .06 else f"</{tag}>"
        return f"<{tag}{self.attrs()}>{body}{end}"

    def table(self, depth):
        rows = []
        for _ in range(self.r.randint(1, 3)):
            cells = "".join(f"<{t}{self.attrs()}>{self.flow(depth + 2)}{self.end(t)}"
                            for t in self.r.choices(["td", "th"], k=self.r.randint(1, 3)))
            rows.append(f"<tr>{cells}{self.end('tr')}")
        group = self.r.choice(["", "<tbody>", "<thead>"])
        caption = f"<caption>{self.word()}{self.end('caption')}" if self.r.random() < .2 else ""
        return f"<table{self.attrs()}>{caption}{group}{''.join(rows)}</table>"

    def end(self, tag, missing=.3):
        return "" if self.r.random() < missing else f"</{tag}>"

    def flow(self, depth):
        out = []
        for _ in range(self.r.randint(1, 4)):
            r = self.r.random()
            if depth > self.deep or r < .3:
                out.append(self.inline(depth))
            elif r < .4:
                out.append(self.table(depth))
            elif r < .6:
                out.append(f"<p{self.attrs()}>{self.inline(depth)}{self.end('p', .4)}")
            elif r < .7:
                kind = self.r.choice(["ul", "ol"])
                items = "".join(f"<li>{self.flow(depth + 2)}{self.end('li', .4)}" for _ in range(self.r.randint(1, 3)))
                out.append(f"<{kind}>{items}</{kind}>")
            elif r < .75:
                items = "".join(f"<{t}>{self.flow(depth + 2)}{self.end(t, .4)}" for t in ("dt", "dd"))
                out.append(f"<dl>{items}</dl>")
            elif r < .78:
                out.append(f"</{self.r.choice(SHORT + INLINE)}>")
            else:
                tag = self.r.choice(SHORT)
                out.append(f"<{tag}{self.attrs()}>{self.flow(depth + 1)}{self.end(tag, .05)}")
        return "".join(out)

    def page(self):
        self.n = 0
        self.deep = self.r.randint(1, 6)
        head = self.r.choice(["", "<html><head><title>no</title></head><body>", "<title>no</title>", "<html lang=en>\n<body>",
                              "<!doctype html>\n<head><meta charset=utf-8>", "<!-- c --><head></head>\n"])
        return "<!doctype html>" + head + "".join(self.flow(0) for _ in range(self.r.randint(1, 4)))


def name_of(tag):
    return tag if isinstance(tag, str) else ""


def html5_runs(page):
    """[(block, linked, text)] of the visible texts, in order."""
    root = html5lib.parse(page, treebuilder="etree", namespaceHTMLElements=False)
    out = []
    stack = [(root, "html", False, False)]
    while stack:
        node, block, link, tail = stack.pop()
        if tail:
            if node.tail:
                out.append((block, link, node.tail))
            continue
        tag = name_of(node.tag)
        inner, linked = block, link or tag == "a"
        if tag in LIKE_PRE:
            inner = "pre"
        elif tag in BLOCK:
            inner = tag
        silent = tag in SILENT or tag == "" or tag.startswith("{http://www.w3.org/2000/svg}")
        if not silent and node.text:
            out.append((inner, linked, node.text))
        for child in reversed(list(node) if not silent else []):
            stack.append((child, inner, linked, True))
            stack.append((child, inner, linked, False))
    return out


def fast_runs(build, directory, names):
    got = subprocess.run([os.path.join(build, "html_parsers"), "-C", directory, "-t", "fast"], input="\n".join(names).encode(),
                         capture_output=True, check=True)
    return [[tuple(r) for r in json.loads(line)["runs"]] for line in got.stdout.decode().split("\n") if line]


def words(runs):
    return [(w, block, link) for block, link, text in runs for w in text.split()]


def in_order(a, b):
    """Length of the longest run of words that come one behind the other in both, words being unique."""
    place = {w: i for i, w in enumerate(b)}
    tails = []
    for w in a:
        if w not in place:
            continue
        lo, hi = 0, len(tails)
        while lo < hi:
            mid = (lo + hi) // 2
            lo, hi = (mid + 1, hi) if tails[mid] < place[w] else (lo, mid)
        tails[lo:lo + 1] = [place[w]]
    return len(tails)


def made(args):
    pages = [Maker(args.seed * 1000003 + i).page() for i in range(args.pages)]
    with tempfile.TemporaryDirectory() as d:
        names = [f"{i}.html" for i in range(len(pages))]
        for name, page in zip(names, pages):
            with open(os.path.join(d, name), "w", encoding="utf-8") as f:
                f.write(page)
        fast = fast_runs(args.build, d, names)
    total = collections.Counter()
    worst = []
    for name, page, runs in zip(names, pages, fast):
        a, b = {w[0]: w for w in words(runs)}, {w[0]: w for w in words(html5_runs(page))}
        both = a.keys() & b.keys()
        wrong = {w: (a.get(w), b.get(w)) for w in a.keys() ^ b.keys()}
        total["words"] += len(a.keys() | b.keys())
        total["seen"] += len(both)
        for w in both:
            same = (a[w][1] == b[w][1], a[w][2] == b[w][2])
            total["block"] += same[0]
            total["link"] += same[1]
            if not all(same):
                wrong[w] = (a[w], b[w])
        total["order"] += in_order(list(a), list(b))
        worst.append((len(wrong) / max(1, len(both)), name, page, wrong))
    n = total["words"]
    print(f"pages {len(pages)}, words {n}: seen by both {total['seen'] / n:.4f}, in the same block {total['block'] / n:.4f}, "
          f"alike linked {total['link'] / n:.4f}, in the same order {total['order'] / n:.4f}")
    differ = sorted((w for w in worst if w[0]), key=lambda w: len(w[2]))
    print(f"pages that differ: {len(differ)}; the shortest:")
    for share, name, page, wrong in differ[:args.show]:
        print(f"--- {name}: {share:.3f}\n{page[:1000]}\n    ours, theirs: {list(wrong.values())[:6]}")


def real(args):
    names = [n.strip() for n in open(args.names) if n.strip()][:: args.every]
    sums, counts = collections.Counter(), collections.Counter()
    for name, runs in zip(names, fast_runs(args.build, args.dir, names)):
        with open(os.path.join(args.dir, name), "rb") as f:
            page = f.read()
        try:
            page = page.decode("utf-8")
        except UnicodeDecodeError:
            continue  # the charset is another test's
        a = collections.Counter(w for _, _, t in runs for w in t.split())
        b = collections.Counter(w for _, _, t in html5_runs(page) for w in t.split())
        same = sum((a & b).values())
        n = sum(a.values()) + sum(b.values())
        f1 = 2 * same / n if n else 1
        group = name.split("/")[0]
        sums[group] += f1
        counts[group] += 1
        if f1 < .98:
            print(f"{name}: {f1:.3f}; ours {list((a - b))[:8]}, theirs {list((b - a))[:8]}")
    for group in counts:
        print(f"{group:16} {counts[group]:5} pages, F1 {sums[group] / counts[group]:.4f}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--names", help="a file with one page a line, below --dir")
    p.add_argument("-C", "--dir", default=".")
    p.add_argument("--pages", type=int, default=1000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--show", type=int, default=5)
    p.add_argument("--every", type=int, default=1, help="of --names only each K-th")
    args = p.parse_args()
    sys.setrecursionlimit(10000)
    if args.names:
        real(args)
    else:
        made(args)


if __name__ == "__main__":
    main()
