#!/usr/bin/env python3
"""A small English and Chinese web of made-up hosts on loopback, for a crawler to go through as its proxy, and what must come of its crawl.

  site.py serve PORT_FILE LOG      serves until it is ended; a line of LOG an answer: method, status, kind, URL
  site.py check LOG DOCS MANIFEST WARC...
                                   compares documents (`tamis docs cat`) and the counts of a manifest with what was served and with
                                   the archives, which are taken apart here with zlib alone
  site.py cdxj CDX WARC            wget's index of an archive as CDXJ, its pages only

Pages are UTF-8, GB18030 named in the head of the answer, GBK named in the page; whole, chunked, gzipped, without a length; their URLs
have queries and percent signs. Beside them: redirects over hosts, pictures, styles, text, an empty page, dead links, a robots.txt.
"""
import collections
import gzip
import html
import http.server
import itertools
import json
import os
import random
import re
import sys
import urllib.parse
import zlib

EN = (("The old lighthouse keeper", "A young botanist", "Our neighbour from the valley", "The night train", "Every second winter the council",
       "A retired watchmaker", "The last ferry of the day", "My grandmother"),
      ("described", "carried", "repaired", "forgot", "painted", "counted", "measured", "returned"),
      ("the long letters from the coast", "several boxes of glass plates", "the map of the northern islands", "a collection of dried seeds",
       "the wooden bridge behind the mill", "three hundred pages of notes", "the bell above the school door", "an instrument with nine strings"),
      ("before the snow closed the road.", "while the others were still asleep.", "because nobody else had asked.", "in the summer of the great flood.",
       "with more patience than anyone expected.", "after a journey of eleven days.", "so that the children could see it.", "and never spoke of it again."))
ZH = (("山脚下的老木匠", "刚到城里的女教师", "去年秋天的考察队", "镇上唯一的邮递员", "住在河边的渔夫", "图书馆的管理员", "两位退休的工程师", "外婆"),
      ("仔细地整理了", "悄悄地带走了", "花了整整三年修好了", "在日记里描写了", "向大家介绍了", "重新测量了", "无意中发现了", "用毛笔抄写了"),
      ("那座石桥的全部图纸", "一箱从海边寄来的书信", "北方群岛的旧地图", "几百种植物的种子", "学校门口的铜钟", "祖父留下的手稿", "一架没有琴弦的古琴", "茶馆里说书人的故事"),
      ("，希望孩子们以后还能看到。", "，而其他人还在睡觉。", "，因为从来没有人问起过。", "，那是发大水的那个夏天。", "，路上一共走了十一天。", "，后来再也没有提起这件事。", "，连天气预报也没有料到。",
       "，直到大雪封住了山路。"))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 3
ROBOTS = b"User-agent: *\nDisallow: /private/\n"
N_LINKED = 31  # pages a language to which links lead
N_PAGES = N_LINKED + 8  # and those behind redirects: wget follows one before it looks whether it has been there
HOSTS = ("en.test", "zh.test")
SENTENCES = {"en": [" ".join(s) for s in itertools.product(*EN)], "zh": ["".join(s) for s in itertools.product(*ZH)]}
for sentences in SENTENCES.values():
    random.Random(1).shuffle(sentences)


def paragraphs(lang, number):
    """What the page is about: three paragraphs of four sentences; no two pages of a language share one."""
    sentences = SENTENCES[lang][12 * number:12 * number + 12]
    return [(" " if lang == "en" else "").join(sentences[i:i + 4]) for i in range(0, 12, 4)]


def path_of(lang, number):
    if number == 0:
        return "/"
    if number % 5 == 0:
        return f"/list.php?id={number}&part=a%20b"
    if number % 5 == 1 and lang == "zh":
        return f"/{urllib.parse.quote('游记')}/{number}.html"
    return f"/articles/{number}.html"


def page(lang, number):
    """Head and body of an article that links to those behind it, to its twin and to what is no page."""
    host, other = HOSTS if lang == "en" else HOSTS[::-1]
    coding = "utf-8" if lang == "en" else ("utf-8", "gb18030", "gbk")[number % 3]
    links = [path_of(lang, n) for n in (number + 1, 2 * number + 1, 2 * number + 2) if n < N_LINKED]
    links += [f"/old/{number}", f"/gone/{number}.html", "/private/diary.html", "/notes.txt", "/empty.html"] if number % 4 == 0 and links else []
    links += [f"http://{other}{path_of('zh' if lang == 'en' else 'en', number)}"] if number < N_LINKED else []
    title = f"Report number {number}" if lang == "en" else f"第{number}号报告"
    menu = "".join(f'<li><a href="{html.escape(link)}">{"See also" if lang == "en" else "另见"}</a></li>' for link in links)
    named = f'<meta charset="{coding}">' if coding == "gbk" else ""
    text = (f'<!DOCTYPE html>\n<html lang="{lang}"><head>{named}<title>{title}</title><link rel="stylesheet" href="/style.css"></head>\n'
            f'<body><nav><ul>{menu}</ul></nav>\n<article><h1>{title}</h1>\n' +
            "".join(f"<p>{html.escape(p)}</p>\n" for p in paragraphs(lang, number)) +
            f'<img src="/pictures/{number % 3}.png" alt=""></article>\n<footer><a href="/">{host}</a></footer></body></html>\n')
    kind = "application/xhtml+xml" if lang == "en" and number % 10 == 3 else "text/html"
    return {"Content-Type": kind if coding == "gbk" else f"{kind}; charset={coding}"}, text.encode(coding), ("length", "chunked", "gzip", "close")[number % 4]


def answers():
    """Every URL that is there: kind, status, head, body, how it is sent."""
    site = {}
    for lang, host in zip(("en", "zh"), HOSTS):
        root = f"http://{host}"
        other = ("zh", f"http://{HOSTS[1]}") if lang == "en" else ("en", f"http://{HOSTS[0]}")
        for number in range(N_PAGES):
            site[root + path_of(lang, number)] = ("page", 200, *page(lang, number))
        for number in range(0, N_LINKED - 1, 4):
            new_lang, new_root = other if number % 8 == 4 else (lang, root)
            head = {"Location": new_root + path_of(new_lang, N_LINKED + number // 4), "Content-Type": "text/html"}
            site[f"{root}/old/{number}"] = ("redirect", 301 + number % 8 // 4, head, b"<p>Moved to another place.</p>", "length")
        for number in range(3):
            site[f"{root}/pictures/{number}.png"] = ("picture", 200, {"Content-Type": "image/png"}, PNG, "length")
        site[root + "/style.css"] = ("style", 200, {"Content-Type": "text/css"}, b"p { color: black }\n", "length")
        site[root + "/notes.txt"] = ("text", 200, {"Content-Type": "text/plain"}, b"notes\n", "length")
        site[root + "/empty.html"] = ("empty", 200, {"Content-Type": "text/html"}, b"", "length")
        site[root + "/robots.txt"] = ("robots", 200, {"Content-Type": "text/plain"}, ROBOTS, "length")
        site[root + "/private/diary.html"] = ("private", 200, {"Content-Type": "text/html"}, b"<p>Not for crawlers.</p>", "length")
    return site


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one go: else each waits for the other's acknowledgement

    def do_GET(self):
        nothing = ("dead", 404, {"Content-Type": "text/html"}, b"<p>There is no such page here.</p>", "length")
        kind, status, head, body, way = self.server.site.get(self.path, nothing)
        if way == "gzip" and "gzip" not in self.headers.get("Accept-Encoding", ""):
            way = "length"
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        if way == "gzip":
            body = gzip.compress(body, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        if way == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            pieces = [body[i:i + 700] for i in range(0, len(body), 700)] + [b""]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        elif way == "close":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.log.write(f"{self.command} {status} {kind} {self.path}\n")
        self.server.log.flush()

    def log_message(self, *args):
        pass


def serve(port_file, log):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = answers()
    with open(log, "w", encoding="utf-8") as server.log:
        with open(port_file + ".tmp", "w", encoding="ascii") as f:
            f.write(f"{server.server_address[1]}\n")
        os.rename(port_file + ".tmp", port_file)
        server.serve_forever()


def fail(what):
    sys.exit(f"FAILED: {what}")


def records_of(path):
    """Offset, type, URL and status (of what is no answer: whether it has bytes) of every record of an archive of a gzip member each."""
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        member = zlib.decompressobj(31)
        head, _, block = member.decompress(data[at:]).partition(b"\r\n\r\n")
        if not member.eof:
            fail(f"{path}: no member at {at}")
        fields = dict(re.findall(r"^([^:\r]+): *([^\r]*)", head.decode(), re.M))
        what = block[9:12].decode() if fields["WARC-Type"] == "response" else "empty" if fields["Content-Length"] == "0" else "whole"
        yield at, fields["WARC-Type"], fields.get("WARC-Target-URI", "").strip("<>"), what
        at = len(data) - len(member.unused_data)


def check(log, docs, manifest, *warcs):
    with open(log, encoding="utf-8") as f:
        served = collections.Counter(tuple(line.split()[2:]) for line in f)
    if any(kind == "private" for kind, _ in served):
        fail("the crawler does not obey robots.txt, which is not what is tested here")
    places, kinds = {}, collections.Counter()
    for warc in warcs:
        for at, kind, url, status in records_of(warc):
            kinds[kind if kind != "resource" else f"{kind} {status}"] += 1
            if kind == "response":
                places[url] = f"local/{os.path.basename(warc)}#{at}"
    site = answers()
    want = {url for url in site if site[url][0] == "page"}
    if want != {url for kind, url in served if kind == "page"} or set(served.values()) != {1}:
        fail(f"the crawler did not fetch every page once: {len(want)} pages, {served}")

    seen = set()
    numbers = {f"http://{host}{path_of(lang, n)}": (lang, n) for lang, host in zip(("en", "zh"), HOSTS) for n in range(N_PAGES)}
    with open(docs, encoding="utf-8") as f:
        for doc in map(json.loads, f):
            url = doc["url"]
            if url in seen or url not in want:
                fail(f"{url} is a document " + ("twice" if url in seen else "though no page"))
            seen.add(url)
            lang, number = numbers[url]
            if doc["text"].split("\n\n")[-3:] != paragraphs(lang, number):
                fail(f"{url}: {doc['text']!r}")
            if doc["lang"] != ("en" if lang == "en" else "zh-Hans"):
                fail(f"{url} is {doc['lang']}")
            if doc["id"] != places[url]:
                fail(f"{url} is {doc['id']}, its record is at {places[url]}")
    if seen != want:
        fail(f"no documents: {sorted(want - seen)}")

    with open(manifest, encoding="utf-8") as f:
        said = json.load(f)
    of_kind = collections.Counter(kind for kind, _ in served)
    dropped = {"request": kinds["request"], "warcinfo": kinds["warcinfo"], "metadata": kinds["metadata"], "revisit": kinds["revisit"],
               "http_status": of_kind["redirect"] + of_kind["dead"], "no_payload": of_kind["empty"] + kinds["resource empty"],
               "not_html": of_kind["picture"] + of_kind["style"] + of_kind["text"] + of_kind["robots"] + kinds["resource whole"]}
    got = {reason: n for reason, n in said["dropped"].items() if n}
    if got != {reason: n for reason, n in dropped.items() if n}:
        fail(f"dropped {got}, not {dropped}")
    if said["n_in"] != sum(kinds.values()) or said["n_docs"] != len(want):
        fail(f"{said['n_in']} records in, {said['n_docs']} out of {sum(kinds.values())}, {len(want)}")
    if sum(served.values()) != kinds["response"]:
        fail(f"{sum(served.values())} answers, but {kinds}")
    print(f"{len(want)} pages of {sum(kinds.values())} records; {got}")


def cdxj(index, warc):
    """Its first line names the columns, `CDX` and a letter each; lengths are not among them."""
    starts = [at for at, _, _, _ in records_of(warc)] + [os.path.getsize(warc)]
    lengths = {begin: end - begin for begin, end in zip(starts, starts[1:])}
    pages = {url for url, answer in answers().items() if answer[0] == "page"}
    with open(index, encoding="utf-8") as f:
        columns = next(f).split()[1:]
        for line in f:
            row = dict(zip(columns, line.split()))
            if row["a"] in pages:
                at = int(row["V"])
                print("-", row["b"], json.dumps({"url": row["a"], "filename": row["g"], "offset": str(at), "length": str(lengths[at])}))


if __name__ == "__main__":
    {"serve": serve, "check": check, "cdxj": cdxj}[sys.argv[1]](*sys.argv[2:])
