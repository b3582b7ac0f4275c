#!/usr/bin/env python3
"""An object store on loopback that speaks enough of Amazon's S3 (API version 2006-03-01) to test against, objects in memory.

Requests to buckets that are not public must carry a valid Signature Version 4, which is computed here from the specification alone:
nothing of it is shared with the program under test. It knows path-style buckets, GET with Range, HEAD, PUT with If-None-Match: *,
multipart uploads, ListObjectsV2 in pages, DELETE, DeleteObjects, and on demand does what goes wrong on networks.

  s3_server.py --port-file FILE [--keys ID:SECRET[:TOKEN]] [--load BUCKET=DIR]... [--public BUCKET]... [--page N] [--tls CERT.pem]

Below /-/ it is told what to do and tells what it saw, unsigned, with GET:
  /-/fault?{"method":M,"path":P,"query":Q,"kind":K,...}   what befalls the next "times" requests of that method [GET] whose path ends so
                   and whose query holds that. Kinds: status (status, code, retry_after), reset, short, stall (after, seconds), lost
                   (carried out, never answered), etag (a wrong one), norange (the whole object, status 200), token (a listing that never
                   ends), keys (DeleteObjects leaves those in "keys" and says so with "code"). With "headers" names become values, or vanish (null); "server" is who it claims to be [AmazonS3]
  /-/log           requests seen, and the most connections that were open at once
  /-/forget        what was seen, and faults not met yet
  /-/uploads       open multipart uploads;  /-/age?{"seconds":S,"parts":P}   they become so much older
  /-/object/BUCKET/KEY;  /-/put?[BUCKET, KEY, TEXT];  /-/begin?[BUCKET, KEY]   an upload
Redirects: /-/to/PATH leads to /PATH, /-/loop to itself, /-/file to a file.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse
import xml.etree.ElementTree
from xml.sax.saxutils import escape

MIN_PART = 5 << 20


class Denied(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


def percent(text, safe="-_.~"):
    return urllib.parse.quote(text, safe=safe)


def verify_v4(keys, region, method, raw_path, raw_query, headers, body):
    """The signature of a request as it came, or Denied."""
    auth = headers.get("Authorization", "")
    m = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
                     r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})", auth)
    if not m:
        raise Denied(403, "AccessDenied")
    key_id, day, in_region, signed, signature = m.groups()
    if key_id not in keys:
        raise Denied(403, "InvalidAccessKeyId")
    secret, token = keys[key_id]
    if token and headers.get("x-amz-security-token") != token:
        raise Denied(403, "InvalidToken")
    if in_region != region:
        raise Denied(400, "AuthorizationHeaderMalformed")
    when = headers.get("x-amz-date", "")
    try:
        at = datetime.datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise Denied(403, "AccessDenied") from None
    if abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()) > 900 or when[:8] != day:
        raise Denied(403, "RequestTimeTooSkewed")
    names = signed.split(";")
    if names != sorted(names) or "host" not in names:
        raise Denied(403, "AccessDenied")
    if any(h.lower().startswith("x-amz-") and h.lower() not in names for h in headers):
        raise Denied(403, "AccessDenied")
    digest = hashlib.sha256(body).hexdigest()
    if headers.get("x-amz-content-sha256") != digest:
        raise Denied(400, "XAmzContentSHA256Mismatch")
    path = percent(urllib.parse.unquote(raw_path), "/-_.~")
    pairs = [p.partition("=") for p in raw_query.split("&") if p]
    query = "&".join(sorted(percent(urllib.parse.unquote(k)) + "=" + percent(urllib.parse.unquote(v)) for k, _, v in pairs))
    canon = "\n".join([method, path, query,
                       "".join(n + ":" + " ".join(headers.get(n, "").split()) + "\n" for n in names), signed, digest])
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join(["AWS4-HMAC-SHA256", when, f"{day}/{region}/s3/aws4_request", hashlib.sha256(canon.encode()).hexdigest()])
    if not hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), signature):
        raise Denied(403, "SignatureDoesNotMatch")


class Object:
    def __init__(self, body, etag=None, meta=None):
        self.body, self.meta = body, meta or {}
        self.etag = etag or hashlib.md5(body).hexdigest()


class Upload:
    def __init__(self, bucket, key, meta):
        self.bucket, self.key, self.meta, self.parts = bucket, key, meta, {}
        self.initiated = time.time()


class Store:
    def __init__(self, args):
        self.lock = threading.Lock()
        self.buckets, self.uploads, self.faults, self.log = {}, {}, [], []
        self.public = set(args.public)
        self.page, self.region, self.keys = args.page, args.region, {}
        self.open_now = self.open_most = self.n_uploads = 0
        if args.keys:
            key_id, secret, *token = args.keys.split(":")
            self.keys[key_id] = (secret, token[0] if token else None)
        for spec in args.load:
            bucket, _, top = spec.partition("=")
            objects = self.buckets.setdefault(bucket, {})
            for dirpath, _, files in os.walk(top) if top else []:
                for name in files:
                    path = os.path.join(dirpath, name)
                    with open(path, "rb") as f:
                        objects[os.path.relpath(path, top)] = Object(f.read())

    def take_fault(self, method, path, query):
        with self.lock:
            for f in self.faults:
                if f["times"] > 0 and f["method"] == method and path.endswith(f["path"]) and f["query"] in query:
                    f["times"] -= 1
                    return f
        return None


def iso(t):
    return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    counted, fault, entry = False, None, {}

    def log_message(self, *args):
        pass

    def version_string(self):
        return (self.fault or {}).get("server", "AmazonS3")

    def count(self):  # a connection, once it is used for more than control
        store = self.server.store
        if not self.counted:
            self.counted = True
            with store.lock:
                store.open_now += 1
                store.open_most = max(store.open_most, store.open_now)

    def finish(self):
        with self.server.store.lock:
            self.server.store.open_now -= self.counted
        try:
            super().finish()
        except OSError:
            pass

    # --- answers

    def reset(self):
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def answer(self, status, body=b"", headers=None):
        fault, n = self.fault or {}, len(body)
        kind = fault.get("kind")
        self.entry["status"] = status
        if kind == "lost":
            return self.reset()
        self.send_response(status)
        for name, value in {**(headers or {}), **fault.get("headers", {})}.items():
            if value is None:
                continue
            if kind == "etag" and name == "ETag":
                value = '"' + "0" * 32 + '"'
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", (headers or {}).get("content-length", str(n)))
        self.end_headers()
        if self.command == "HEAD":
            return None
        if kind in ("reset", "short", "stall"):
            self.wfile.write(body[:fault.get("after", 0)])
            self.wfile.flush()
            if kind == "reset":
                return self.reset()
            if kind == "stall":
                time.sleep(fault["seconds"])
            self.close_connection = True
            return None
        self.wfile.write(body)
        return None

    def error(self, status, code, headers=None):
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}</Message></Error>'
        self.answer(status, body.encode(), headers)

    def xml(self, inner, root):
        self.answer(200, f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                         f"{inner}</{root}>".encode(), {"Content-Type": "application/xml"})

    # --- requests

    def handle_one(self):
        raw_path, _, raw_query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if raw_path.startswith("/-/"):
            self.fault, self.entry = None, {}
            return self.control(raw_path[3:], urllib.parse.unquote(raw_query))
        self.count()
        store = self.server.store
        self.entry = {"method": self.command, "path": raw_path, "query": raw_query, "range": self.headers.get("Range"),
                      "agent": self.headers.get("User-Agent"), "signed": "Authorization" in self.headers, "time": time.time()}
        with store.lock:
            store.log.append(self.entry)
        self.fault = store.take_fault(self.command, raw_path, raw_query)
        if self.fault and self.fault["kind"] == "status":
            extra = {"Retry-After": str(self.fault["retry_after"])} if "retry_after" in self.fault else {}
            return self.error(self.fault["status"], self.fault.get("code", "SlowDown"), extra)
        bucket, _, key = urllib.parse.unquote(raw_path[1:]).partition("/")
        query = dict(urllib.parse.parse_qsl(raw_query, keep_blank_values=True))
        try:
            if not (self.command in ("GET", "HEAD") and bucket in store.public and "Authorization" not in self.headers):
                verify_v4(store.keys, store.region, self.command, raw_path, raw_query, self.headers, body)
            if bucket not in store.buckets:
                raise Denied(404, "NoSuchBucket")
            return self.serve(bucket, key, query, body)
        except Denied as e:
            return self.error(e.status, e.code)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_one

    def serve(self, bucket, key, query, body):
        method = self.command
        if not key:
            if method == "POST" and "delete" in query:
                return self.delete_objects(bucket, body)
            if method != "GET":
                return self.error(405, "MethodNotAllowed")
            if "uploads" in query:
                return self.list_uploads(bucket, query)
            return self.list(bucket, query)
        if method in ("GET", "HEAD"):
            return self.list_parts(query) if "uploadId" in query else self.get(bucket, key)
        if method == "PUT":
            return self.put_part(query, body) if "uploadId" in query else self.put(bucket, key, body)
        if method == "POST" and "uploads" in query:
            return self.begin(bucket, key)
        if method == "POST":
            return self.complete(query, body)
        if "uploadId" in query:
            with self.server.store.lock:
                gone = self.server.store.uploads.pop(query["uploadId"], None)
            return self.answer(204) if gone else self.error(404, "NoSuchUpload")
        with self.server.store.lock:
            self.server.store.buckets[bucket].pop(key, None)
        return self.answer(204)

    def delete_objects(self, bucket, body):
        """As Amazon's API reference has it: the body's MD5 is wanted, 1 to 1000 keys, an element for each in the answer."""
        if "Content-MD5" not in self.headers:
            return self.error(400, "InvalidRequest")
        if self.headers["Content-MD5"] != base64.b64encode(hashlib.md5(body).digest()).decode():
            return self.error(400, "BadDigest")
        ns = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        try:
            root = xml.etree.ElementTree.fromstring(body)
        except xml.etree.ElementTree.ParseError:
            return self.error(400, "MalformedXML")
        keys = [o.findtext(ns + "Key") for o in root.findall(ns + "Object")]
        if root.tag != ns + "Delete" or not 1 <= len(keys) <= 1000 or not all(keys) or len(keys) != len(root):
            return self.error(400, "MalformedXML")
        self.entry["keys"] = keys
        fault = self.fault or {}
        inner = ""
        with self.server.store.lock:
            for key in keys:
                if key in fault.get("keys", []):
                    inner += f"<Error><Key>{escape(key)}</Key><Code>{fault['code']}</Code><Message>no</Message></Error>"
                else:
                    self.server.store.buckets[bucket].pop(key, None)
                    inner += f"<Deleted><Key>{escape(key)}</Key></Deleted>"
        return self.xml(inner, "DeleteResult")

    def meta(self):
        return {h.lower(): v for h, v in self.headers.items() if h.lower().startswith("x-amz-meta-")}

    def get(self, bucket, key):
        o = self.server.store.buckets[bucket].get(key)
        if o is None:
            return self.error(404, "NoSuchKey")
        headers = {"ETag": f'"{o.etag}"', "Accept-Ranges": "bytes", **o.meta}
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if self.command == "HEAD":
            return self.answer(200, b"", {**headers, "content-length": str(len(o.body))})
        if not m or (self.fault and self.fault["kind"] == "norange"):
            return self.answer(200, o.body, headers)
        first, last = int(m[1]), min(int(m[2] or len(o.body)), len(o.body) - 1)
        if first > last:
            return self.error(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(o.body)}"
        return self.answer(206, o.body[first:last + 1], headers)

    def put(self, bucket, key, body):
        store, o = self.server.store, Object(body, meta=self.meta())
        with store.lock:
            if self.headers.get("If-None-Match") == "*" and key in store.buckets[bucket]:
                o = None
            else:
                store.buckets[bucket][key] = o
        return self.answer(200, b"", {"ETag": f'"{o.etag}"'}) if o else self.error(412, "PreconditionFailed")

    def begin(self, bucket, key):
        store = self.server.store
        with store.lock:
            store.n_uploads += 1
            uid = base64.b64encode(f"upload {store.n_uploads}/&+".encode()).decode()  # '/', '+', '=' as Amazon's may have
            store.uploads[uid] = Upload(bucket, key, self.meta())
        self.xml(f"<Bucket>{bucket}</Bucket><Key>{escape(key)}</Key><UploadId>{escape(uid)}</UploadId>",
                 "InitiateMultipartUploadResult")

    def put_part(self, query, body):
        up, number = self.server.store.uploads.get(query["uploadId"]), int(query["partNumber"])
        if up is None or not 1 <= number <= 10000:
            return self.error(404, "NoSuchUpload")
        up.parts[number] = (body, hashlib.md5(body).hexdigest(), time.time())
        return self.answer(200, b"", {"ETag": f'"{up.parts[number][1]}"'})

    def complete(self, query, body):
        store = self.server.store
        with store.lock:
            up = store.uploads.get(query["uploadId"])
            if up is None:
                return self.error(404, "NoSuchUpload")
            wanted = re.findall(r"<Part><PartNumber>(\d+)</PartNumber><ETag>&quot;([0-9a-f]+)&quot;</ETag></Part>", body.decode())
            numbers = [int(n) for n, _ in wanted]
            if not wanted or numbers != sorted(set(numbers)):
                return self.error(400, "InvalidPartOrder")
            if any(n not in up.parts or up.parts[n][1] != tag for n, tag in zip(numbers, (t for _, t in wanted))):
                return self.error(400, "InvalidPart")
            if any(len(up.parts[n][0]) < MIN_PART for n in numbers[:-1]):
                return self.error(400, "EntityTooSmall")
            sums = b"".join(bytes.fromhex(up.parts[n][1]) for n in numbers)
            etag = f"{hashlib.md5(sums).hexdigest()}-{len(numbers)}"
            store.buckets[up.bucket][up.key] = Object(b"".join(up.parts[n][0] for n in numbers), etag, up.meta)
            del store.uploads[query["uploadId"]]
        return self.xml(f"<Key>{escape(up.key)}</Key><ETag>&quot;{etag}&quot;</ETag>", "CompleteMultipartUploadResult")

    def list(self, bucket, query):
        store, prefix, delimiter = self.server.store, query.get("prefix", ""), query.get("delimiter", "")
        limit, token = min(int(query.get("max-keys", 1000)), store.page), query.get("continuation-token")
        endless = self.fault and self.fault["kind"] == "token"
        after = base64.b64decode(token).decode() if token and not endless else ""
        name = (lambda k: urllib.parse.quote_plus(k, safe="/")) if query.get("encoding-type") == "url" else (lambda k: k)
        found = []  # (what it sorts by, element)
        with store.lock:
            for key in sorted(store.buckets[bucket], key=lambda k: k.encode()):
                if not key.startswith(prefix):
                    continue
                cut = key.find(delimiter, len(prefix)) if delimiter else -1
                shown = key if cut < 0 else key[:cut + 1]
                if shown <= after or (found and found[-1][0] == shown):
                    continue
                o = store.buckets[bucket][key]
                found.append((shown, f"<CommonPrefixes><Prefix>{escape(name(shown))}</Prefix></CommonPrefixes>" if cut >= 0 else
                              f"<Contents><Key>{escape(name(shown))}</Key><ETag>&quot;{o.etag}&quot;</ETag>"
                              f"<Size>{len(o.body)}</Size></Contents>"))
        page, more = found[:limit], endless or len(found) > limit
        inner = f"<Name>{bucket}</Name><Prefix>{escape(name(prefix))}</Prefix><IsTruncated>{str(more).lower()}</IsTruncated>"
        if endless:
            inner += "<NextContinuationToken>again</NextContinuationToken>"
        elif more:
            inner += f"<NextContinuationToken>{base64.b64encode(page[-1][0].encode()).decode()}</NextContinuationToken>"
        self.xml(inner + "".join(e for _, e in page), "ListBucketResult")

    def list_uploads(self, bucket, query):
        store, prefix = self.server.store, query.get("prefix", "")
        with store.lock:
            ups = sorted(((u, up) for u, up in store.uploads.items() if up.bucket == bucket and up.key.startswith(prefix)),
                         key=lambda e: (e[1].key, e[0]))
        after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        ups = [(u, up) for u, up in ups if (up.key, u) > after]
        more, ups = len(ups) > store.page, ups[:store.page]
        inner = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        if more:
            inner += (f"<NextKeyMarker>{escape(urllib.parse.quote_plus(ups[-1][1].key, safe='/'))}</NextKeyMarker>"
                      f"<NextUploadIdMarker>{escape(ups[-1][0])}</NextUploadIdMarker>")
        self.xml(inner + "".join(
            f"<Upload><Key>{escape(urllib.parse.quote_plus(up.key, safe='/'))}</Key><UploadId>{escape(u)}</UploadId>"
            f"<Initiated>{iso(up.initiated)}</Initiated></Upload>" for u, up in ups), "ListMultipartUploadsResult")

    def list_parts(self, query):
        up = self.server.store.uploads.get(query["uploadId"])
        if up is None:
            return self.error(404, "NoSuchUpload")
        start = int(query.get("part-number-marker", 0))
        parts = sorted(n for n in up.parts if n > start)
        inner = f"<IsTruncated>{str(len(parts) > 1).lower()}</IsTruncated>"  # a part a page
        for n in parts[:1]:
            inner += (f"<NextPartNumberMarker>{n}</NextPartNumberMarker><Part><PartNumber>{n}</PartNumber>"
                      f"<LastModified>{iso(up.parts[n][2])}</LastModified></Part>")
        return self.xml(inner, "ListPartsResult")

    # --- control

    def control(self, what, text):
        store = self.server.store
        told = json.loads(text) if text else {}
        if what == "fault":
            with store.lock:
                store.faults.append({"times": 1, "query": "", "method": "GET", **told})
            return self.answer(200)
        if what == "forget":
            with store.lock:
                store.log.clear()
                store.faults.clear()
                store.open_most = store.open_now
            return self.answer(200)
        if what == "log":
            with store.lock:
                return self.answer(200, json.dumps({"open_most": store.open_most, "requests": store.log}).encode())
        if what == "uploads":
            return self.answer(200, json.dumps([up.key for up in store.uploads.values()]).encode())
        if what == "put":
            bucket, key, text = told
            store.buckets[bucket][key] = Object(text.encode())
            return self.answer(200)
        if what == "begin":
            store.n_uploads += 1
            store.uploads[f"told {store.n_uploads}"] = Upload(told[0], told[1], {})
            return self.answer(200)
        if what == "age":
            for up in store.uploads.values():
                up.initiated -= told["seconds"]
                up.parts = {n: (b, e, t - told.get("parts", told["seconds"])) for n, (b, e, t) in up.parts.items()}
            return self.answer(200)
        if what.startswith("object/"):
            bucket, _, key = urllib.parse.unquote(what[7:]).partition("/")
            o = store.buckets.get(bucket, {}).get(key)
            return self.answer(200, o.body) if o else self.error(404, "NoSuchKey")
        if what.startswith("to/"):
            return self.answer(302, b"moved", {"Location": "/" + what[3:]})
        if what == "loop":
            return self.answer(302, b"moved", {"Location": "/-/loop"})
        if what == "file":
            return self.answer(302, b"moved", {"Location": "file:///etc/hostname"})
        return self.error(404, "NoSuchKey")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that went away


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--keys")
    parser.add_argument("--load", action="append", default=[])
    parser.add_argument("--public", action="append", default=[])
    parser.add_argument("--page", type=int, default=1000)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--tls")
    args = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    server.store = Store(args)
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(args.port_file + ".tmp", "w", encoding="ascii") as f:
        f.write(f"{server.server_address[1]}\n")
    os.rename(args.port_file + ".tmp", args.port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
