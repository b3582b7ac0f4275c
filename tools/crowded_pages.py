#!/usr/bin/env python3
"""Writes pages for the training of ingest's models: on which stories stand below the main one, since sites put them there, and among some
hundred marked pages too few have them for trees to learn where a story ends; and some of the text alone, as hand-made pages are.

    crowded_pages.py DIR

It needs lxml of bench/requirements.txt. DIR holds gold.jsonl and its pages (tools/train_blocks.py). Into DIR/crowded go the pages, and of the
given and the made ones gold.jsonl and names. Behind the main element of each article, or an element around it, come in its own markup other
articles whole, or cards with titles and first words. Its gold text stays: what was added is none of it. Lines of made pages have "of", the
page each was made of, and "plain" where it is the text alone. Chance is that of the pages' names."""

import copy
import hashlib
import json
import os
import random
import re
import sys

import lxml.html
from lxml import etree

EACH = 2  # pages made of one
INLINE = ("p", "h1", "h2", "h3", "li", "span")
WIDE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


def is_wide(text):
    return len(WIDE.findall(text)) > 0.2 * len(text)


def squeeze(text):
    return re.sub(r"\s+", "", text or "")


def paragraphs(page):
    least = 15 if is_wide(page["gold"]) else 40
    return [p for p in re.split(r"\n+", page["gold"]) if len(p.strip()) >= least]


def own_text(element):
    return squeeze((element.text or "") + "".join(child.tail or "" for child in element))


def with_text(root):
    skip = ("script", "style", "noscript", "head", "title")
    return [e for e in root.iter() if isinstance(e.tag, str) and e.tag not in skip and len(own_text(e)) >= 12]


def read(path):
    with open(path, "rb") as f:
        page = f.read()
    declared = re.search(rb"charset=[\"']?([\w-]+)", page[:4096], re.I)
    for charset in ([declared.group(1).decode()] if declared else []) + ["utf-8", "gb18030"]:
        try:
            return lxml.html.document_fromstring(page.decode(charset))
        except (LookupError, UnicodeDecodeError, ValueError, etree.ParserError):
            continue
    return lxml.html.document_fromstring(page.decode("utf-8", "replace"))


def main_element(tree, gold):
    """The innermost element that holds all that the gold text quotes; None where less than half of it is found."""
    gold = squeeze(gold)
    found = [e for e in with_text(tree) if own_text(e)[:40] in gold]
    if not found or sum(len(own_text(e)) for e in found) * 2 < len(gold):
        return None
    above = [([e] + list(e.iterancestors()))[::-1] for e in found]
    depth = 0
    while all(len(path) > depth for path in above) and len({id(path[depth]) for path in above}) == 1:
        depth += 1
    return above[0][depth - 1]


def heading(chance, title, linked):
    h = etree.Element(chance.choice(["h1", "h2", "h2", "h3", "h4", "div"]))
    inner = etree.SubElement(h, "a", href=f"/x/{chance.randint(1, 9999)}.html") if linked else h
    inner.text = title
    return h


def whole_story(chance, main, page):
    """The main element with other words, as pages that scroll without end have it."""
    story, left = copy.deepcopy(main), paragraphs(page)
    title = left[0][: 24 if is_wide(left[0]) else 70]
    for e in with_text(story):
        for child in list(e):
            if e.tag in INLINE:
                e.remove(child)
            else:
                child.tail = ""
        if left:
            e.text = left.pop(0)
        elif e is not story and e.getparent() is not None:
            e.getparent().remove(e)
    out = etree.Element("div")
    out.append(heading(chance, title, chance.random() < 0.7))
    out.append(story)
    return out


def card(chance, tag, page, short):
    texts = paragraphs(page)
    wide = is_wide(texts[0])
    out = etree.Element(tag)
    out.append(heading(chance, texts[0][: 24 if wide else 70], True))
    body = etree.SubElement(out, chance.choice(["p", "p", "div", "span"]))
    if short:
        body.text = texts[min(1, len(texts) - 1)][: chance.choice([60, 120, 200, 400]) // (2 if wide else 1)]
    else:
        body.text = " ".join(texts[: chance.randint(1, 3)])[: 400 if wide else 1200]
    if chance.random() < 0.5:
        day, hours = f"2024-05-{chance.randint(1, 28):02}", chance.randint(1, 20)
        etree.SubElement(out, "span").text = chance.choice([day, f"{hours}小时前" if wide else f"{hours} hours ago"])
    return out


def crowd(chance, tree, page, others):
    """Puts other stories behind the page's own; False where it has no main element that others could stand beside."""
    main = main_element(tree, page["gold"])
    if main is None or main.tag in ("html", "body"):
        return False
    kind, tag = chance.choice(["whole", "whole", "cards", "cards", "teasers"]), chance.choice(["div", "div", "section", "li", "article"])
    at = main
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        if at.getparent() is not None and at.getparent().tag not in ("html", "body"):
            at = at.getparent()
    holder = etree.Element("ul" if tag == "li" and kind != "whole" else "div")
    for other in chance.sample(others, min(len(others), chance.randint(1, 3) if kind == "whole" else chance.randint(3, 12))):
        holder.append(whole_story(chance, main, other) if kind == "whole" else card(chance, tag, other, kind == "teasers"))
    at.getparent().insert(at.getparent().index(at) + 1, holder)
    return True


def plain(chance, page):
    """The text with hardly any markup around it."""
    texts = [t.strip() for t in page["gold"].split("\n") if t.strip()]
    texts = texts[: chance.choice([1, 2, 4, 8, 1000])]
    title = texts[0][: 24 if is_wide(texts[0]) else 70]
    html = etree.Element("html")
    etree.SubElement(etree.SubElement(html, "head"), "title").text = title
    at = body = etree.SubElement(html, "body")
    if chance.random() < 0.4:
        nav = etree.SubElement(body, chance.choice(["nav", "div", "ul"]))
        for word in chance.sample(["Home", "About", "Blog", "Contact", "Archive", "Links"], chance.randint(1, 5)):
            etree.SubElement(etree.SubElement(nav, "li") if nav.tag == "ul" else nav, "a", href="/" + word.lower()).text = word
    if chance.random() < 0.5:
        at = etree.SubElement(body, chance.choice(["div", "main", "article"]))
    if chance.random() < 0.7:
        etree.SubElement(at, chance.choice(["h1", "h1", "h2"])).text = title
    for text in texts:
        etree.SubElement(at, "p").text = text
    if chance.random() < 0.4:
        etree.SubElement(body, chance.choice(["footer", "p", "div"])).text = f"© {chance.randint(1998, 2024)}"
    return html, "\n".join(texts)


def write(directory, name, html):
    text = lxml.html.tostring(html, encoding="unicode", doctype="<!DOCTYPE html>")
    with open(os.path.join(directory, "crowded", name + ".html"), "w", encoding="utf-8") as f:
        f.write(re.sub(r"charset=([\"']?)[\w-]+", r"charset=\1utf-8", text))


def made_of(directory, page, others):
    """Lines of the pages made of one, which are written."""
    for i in range(EACH):
        name = hashlib.sha256(f"{i} {page['file']}".encode()).hexdigest()
        tree = read(os.path.join(directory, page["file"]))
        if not crowd(random.Random(name), tree, page, others):
            continue
        write(directory, name, tree)
        yield {**page, "file": f"crowded/{name}.html", "of": page["file"]}
    name = hashlib.sha256(f"plain {page['file']}".encode()).hexdigest()
    html, gold = plain(random.Random(name), page)
    write(directory, name, html)
    yield {**page, "file": f"crowded/{name}.html", "of": page["file"], "gold": gold, "plain": True}


def main():
    directory = sys.argv[1]
    with open(os.path.join(directory, "gold.jsonl"), encoding="utf-8") as f:
        pages = [json.loads(line) for line in f]
    articles = [p for p in pages if (p.get("type") or ("forum" if "forum" in p["set"] else "article")) == "article" and paragraphs(p)]
    os.makedirs(os.path.join(directory, "crowded"), exist_ok=True)
    for page in articles:
        others = [p for p in articles if p is not page and is_wide(p["gold"]) == is_wide(page["gold"])]
        pages += made_of(directory, page, others)
    with open(os.path.join(directory, "crowded", "gold.jsonl"), "w", encoding="utf-8") as f:
        f.writelines(json.dumps(page, ensure_ascii=False) + "\n" for page in pages)
    with open(os.path.join(directory, "crowded", "names"), "w", encoding="utf-8") as f:
        f.writelines(f"{page['file']}\t{page.get('url') or ''}\n" for page in pages)


if __name__ == "__main__":
    main()
