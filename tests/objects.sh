#!/bin/sh
# Object stores and web servers, against a store of our own on loopback (s3_server.py) that checks every signature with its own code and does,
# on demand, what goes wrong on networks: what is read and published, faults, whole stages, ingest from remote archives.
#   tests/objects.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$(dirname -- "$0")/lib.sh"
command -v python3 >/dev/null 2>&1 || skip "no python3"
! tamis --version | grep -q 'no libcurl' || skip "built without libcurl"
cd "$tmp"
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY AWS_SESSION_TOKEN AWS_CA_BUNDLE AWS_ENDPOINT_URL_S3 TAMIS_CONTACT || :
TAMIS_HTTP_RETRIES=2
export TAMIS_HTTP_RETRIES

# --- the store
servers=
trap 'for s in $servers; do kill "$s" 2>/dev/null || :; done; umount "$tmp/small" 2>/dev/null || :; rm -rf "$tmp"' EXIT
start_server() { # NAME OPTION...: its port
    name=$1
    shift
    python3 "$here/s3_server.py" --port-file "$name.port" "$@" 2>"$name.err" &
    servers="$servers $!"
    n=0
    while [ ! -s "$name.port" ]; do
        n=$((n + 1))
        [ $n -lt 200 ] || fail "the server does not start: $(cat "$name.err")"
        sleep 0.05
    done
    port=$(cat "$name.port")
}
ask() { TAMIS_HTTP_STALL=60 store_probe read "http://127.0.0.1:$port/-/$1"; }
fault() { ask "fault?$1"; }
log_of() { ask log | python3 -c "import json, sys; log = json.load(sys.stdin); r = log['requests']; print($1)"; }
seen() { [ "$(log_of "$1")" = True ] || fail "$2: $(log_of r)"; } # EXPRESSION WHAT: about what the store saw
status_of() { # STATUS COMMAND...: its standard error is in `said`
    want=$1
    shift
    got=0
    "$@" >out 2>said || got=$?
    [ $got -eq "$want" ] || fail "status $got instead of $want of: $* ($(cat said))"
}
says() { grep -q -e "$1" said || fail "\"$(cat said)\" does not say \"$1\""; }

mkdir -p load/docs/sub
printf 'hello\n' >load/docs/a
printf 'odd\n' >"load/docs/sp ace+&%é=~"
printf 'below\n' >load/docs/sub/z
head -c 3000000 /dev/urandom >load/docs/big
head -c 33600000 /dev/urandom >large
mkdir crawl many stage
mkcrawl -n 200 -f 4 -b crawl >/dev/null
mkcrawl -n 800 -f 8 many >/dev/null
start_server store --keys 'AKIDTEST:secret/+x:token/+=x' --load box="$tmp/load" --load pub="$tmp/load" --load crawl="$tmp/crawl" --load many="$tmp/many" --public pub --public crawl --public many --page 2
AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=AKIDTEST AWS_SECRET_ACCESS_KEY='secret/+x' AWS_SESSION_TOKEN='token/+=x'
export AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN

# --- names and ranges
store_probe read s3://box/docs/big | cmp - load/docs/big
store_probe range s3://box/docs/big 1234567 100000 >got
tail -c +1234568 load/docs/big | head -c 100000 | cmp - got
status_of 4 store_probe range s3://box/docs/a 3 4
says truncated
[ "$(store_probe read "s3://box/docs/sp ace+&%é=~")" = odd ] || fail "an odd key"
[ "$(store_probe list s3://box/docs)" = "$(printf 'a 6\nbig 3000000\nsp ace+&%%é=~ 4\nsub/')" ] || fail "a listing"
[ -z "$(store_probe list s3://box/absent)" ] || fail "what is not there is listed"
[ "$(store_probe size s3://box/docs/sub/.././a)" = 6 ] || fail "a size"
for key in paths/one paths//two paths/../three paths/./four paths/.. paths/. paths/six/z; do ask "put?[\"box\",\"$key\",\"x\"]"; done
[ "$(store_probe list s3://box/paths)" = "$(printf 'one 1\nsix/')" ] || fail "keys that are no paths are listed"
fault '{"path":"","query":"list-type","kind":"token","times":9}'
status_of 3 store_probe list s3://box/docs
says 'without a new token'
ask forget
for yes in "exists s3://box/docs/a" "exists s3://box/docs" "is_dir s3://box/docs/" "is_dir s3://box" "create s3://box/new once"; do
    # shellcheck disable=SC2086 # two words
    status_of 0 store_probe $yes
done
for no in "exists s3://box/doc" "exists s3://box/docs/a/b" "is_dir s3://box/docs/a" "create s3://box/new twice"; do
    # shellcheck disable=SC2086
    status_of 1 store_probe $no
done
[ "$(store_probe read s3://box/new)" = once ] || fail "a second creator won"
[ "$(store_probe resolve s3://box//docs/../new/)" = s3://box/new ] || fail "a resolved path"
[ "$(store_probe relative s3://box/clean s3://box/docs)" = ../docs ] || fail "a relative path"
[ "$(store_probe relative s3://other/clean s3://box/docs)" = s3://box/docs ] || fail "a path into another bucket"
echo "names and ranges: as the files"

# --- publishing: one request, exactly a part, a byte more, several; patched at the start; nothing stays open
for n in 0 1 16777216 16777217 33600000; do
    head -c $n large >want
    store_probe write s3://box/out/o <want
    ask object/box/out/o | cmp - want || fail "an object of $n bytes"
done
store_probe write s3://box/out/o PATCHED <large
ask object/box/out/o >got
[ "$(head -c 7 got)" = PATCHED ] || fail "no patch"
tail -c +8 large >want
tail -c +8 got | cmp - want
[ "$(ask uploads)" = "[]" ] || fail "uploads stay open"
status_of 4 store_probe delete_tree s3://box/docs 0
says "deeper than a tree of ours"
store_probe exists s3://box/docs/a || fail "a tree too deep was cut"
status_of 0 store_probe delete_tree s3://box/out 0
status_of 0 store_probe delete_tree s3://box/out 0
status_of 1 store_probe exists s3://box/out
echo "publishing: whole objects, with one request and in parts"

# --- deleting: a page of keys a request; what that cannot name or has not deleted, one by one
fill() { # KEY...: below box/tree
    for key; do ask "put?[\"box\",\"tree/$key\",\"x\"]"; done
    ask forget
}
gone() {
    status_of 0 store_probe delete_tree s3://box/tree 2
    [ -z "$(store_probe list s3://box/tree)" ] || fail "$1: keys stay: $(store_probe list s3://box/tree)"
}
deletes='[e for e in r if e["method"] == "DELETE" and "/tree/" in e["path"]]'
posts='[e for e in r if e["method"] == "POST"]'
fill a 'b/c%20%26<%5C%22%C3%A9+' d%5Cu0001 e
gone "odd keys"
seen "len($deletes) == 1 and ${deletes}[0]['path'].endswith('%01') and sum(len(e['keys']) for e in $posts) == 3" "keys are not deleted together"
fill a b c d
fault '{"method":"POST","path":"/box/","query":"delete","kind":"keys","keys":["tree/b"],"code":"InternalError"}'
gone "an error for one key"
seen "len($posts) == 2 and [e['path'] for e in $deletes] == ['/box/tree/b']" "the key that was left is not tried again alone"
fill a b c d
fault '{"method":"POST","path":"/box/","query":"delete","kind":"keys","keys":["tree/b"],"code":"AccessDenied"}'
fault '{"method":"DELETE","path":"/tree/b","kind":"status","status":403,"code":"AccessDenied"}'
status_of 3 store_probe delete_tree s3://box/tree 0
says 'cannot delete s3://box/tree: HTTP 403 (AccessDenied)'
[ "$(store_probe list s3://box/tree)" = "$(printf 'b 1\nc 1\nd 1')" ] || fail "other keys than the first page's went"
for status in 501 400 405; do
    fill a b c d
    fault "{\"method\":\"POST\",\"path\":\"/box/\",\"query\":\"delete\",\"kind\":\"status\",\"status\":$status,\"code\":\"NotImplemented\",\"times\":9}"
    gone "a store without DeleteObjects ($status)"
    seen "len($posts) == 1 and len($deletes) == 4" "asked more than once for what the store does not know"
done
fill a b
fault '{"method":"POST","path":"/box/","query":"delete","kind":"lost"}'
gone "a lost answer"
echo "deleting: many keys a request, where the store can"

# --- refusals: what, where, why, and no secret
status_of 3 store_probe read s3://box/no
says 'cannot read s3://box/no: HTTP 404 (NoSuchKey)'
status_of 3 store_probe read s3://nobox/no
says NoSuchBucket
(AWS_SECRET_ACCESS_KEY=other && export AWS_SECRET_ACCESS_KEY && status_of 3 store_probe read s3://box/docs/a && says 'HTTP 403 (SignatureDoesNotMatch)')
(unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY && status_of 3 store_probe read s3://box/docs/a && says 'HTTP 403' && status_of 0 store_probe read s3://pub/docs/a)
(unset AWS_ACCESS_KEY_ID && status_of 2 store_probe read s3://pub/docs/a && says 'half a key: AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID')
(AWS_SECRET_ACCESS_KEY='' && status_of 2 store_probe read s3://pub/docs/a && says 'half a key: AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY')
status_of 2 store_probe read "http://me:secret@127.0.0.1:$port/pub/docs/a"
! grep -q secret said || fail "a secret is shown"
status_of 3 store_probe read "http://127.0.0.1:$port/pub/no?X-Amz-Signature=secret"
! grep -q secret said || fail "a secret is shown"
status_of 3 store_probe read "http://127.0.0.1:$port/-/loop"
says redirects
status_of 3 store_probe read "http://127.0.0.1:$port/-/file"
says file
status_of 3 store_probe write "http://127.0.0.1:$port/pub/x" </dev/null
[ "$(store_probe read "http://127.0.0.1:$port/-/to/pub/docs/a")" = hello ] || fail "a redirect"
echo "refusals: named"

# --- what may pass passes
ask forget
fault '{"path":"/docs/big","kind":"reset","after":1000000}'
store_probe read s3://box/docs/big | cmp - load/docs/big
seen 'len(r) == 2 and r[0]["range"] is None and 0 < int(r[1]["range"][6:-1]) <= 1000000' "not resumed where it broke"
same_day='"headers":{"ETag":null,"Last-Modified":"Thu,%2001%20Jan%202026%2000:00:00%20GMT"}'
next_day='"headers":{"ETag":null,"Last-Modified":"Fri,%2002%20Jan%202026%2000:00:00%20GMT"}'
web=http://127.0.0.1:$port/pub/docs/big
fault "{\"path\":\"/docs/big\",\"kind\":\"reset\",\"after\":1000000,$same_day}"
fault "{\"path\":\"/docs/big\",\"kind\":\"none\",$same_day}"
fault "{\"path\":\"/docs/big\",\"method\":\"HEAD\",\"kind\":\"none\",$same_day}"
store_probe read "$web" | cmp - load/docs/big || fail "no ETag, one date"
for then in "$next_day" '"headers":{"ETag":null}'; do
    ask forget
    fault "{\"path\":\"/docs/big\",\"method\":\"HEAD\",\"kind\":\"none\",\"headers\":{\"ETag\":null}}"
    fault "{\"path\":\"/docs/big\",\"kind\":\"reset\",\"after\":1000000,$then}"
    fault "{\"path\":\"/docs/big\",\"kind\":\"none\",$same_day}"
    status_of 4 store_probe read "$web"
    case $then in
    *Last*) says 'has changed while it was read' ;;
    *) says 'broke off at' ;;
    esac
done
ask forget
fault '{"path":"/docs/big","kind":"short","after":77}'
fault '{"path":"/docs/big","kind":"norange"}'
store_probe range s3://box/docs/big 5 100 >got
head -c 105 load/docs/big | tail -c 100 | cmp - got || fail "a short body, then a server without ranges"
fault '{"path":"/docs/big","kind":"stall","after":500,"seconds":3}'
TAMIS_HTTP_STALL=1 store_probe read s3://box/docs/big | cmp - load/docs/big
ask forget
fault '{"path":"/docs/a","kind":"status","status":503,"retry_after":1}'
[ "$(store_probe read s3://box/docs/a)" = hello ] || fail "503"
seen 'r[1]["time"] - r[0]["time"] >= 0.9' "Retry-After is not heeded"
ask forget
fault '{"path":"/docs/a","kind":"status","status":500,"times":9}'
status_of 3 store_probe read s3://box/docs/a
says 'HTTP 500 (SlowDown), tried 3 times'
seen 'len(r) == 3 and all(b["time"] - a["time"] >= 0.99 for a, b in zip(r[1:], r[2:]))' "more than one retry a second"
ask forget
fault '{"path":"/docs/big","kind":"reset","after":10000}'
fault '{"path":"/docs/big","kind":"etag"}'
status_of 4 store_probe read s3://box/docs/big
says 'has changed while it was read'
echo "reading: resumed, repeated, given up as it should"

# --- publishing through faults
head -c 17000000 large >want
fault '{"method":"PUT","query":"partNumber=1","path":"/f","kind":"status","status":503}'
fault '{"method":"POST","query":"uploadId","path":"/f","kind":"lost"}'
store_probe write s3://box/f <want || fail "a part refused once, and the answer to the last request lost"
ask object/box/f | cmp - want
fault '{"method":"PUT","path":"/g","kind":"lost"}'
status_of 0 store_probe create s3://box/g mine
fault '{"method":"POST","query":"uploadId","path":"/h","kind":"status","status":403,"code":"AccessDenied"}'
status_of 3 store_probe write s3://box/h <want
says 'cannot publish s3://box/h: HTTP 403 (AccessDenied)'
[ "$(ask uploads)" = "[]" ] || fail "a failed upload is not aborted"
status_of 1 store_probe exists s3://box/h
ask forget
pids=
for i in 1 2 3 4 5 6 7 8; do
    (store_probe create s3://box/race "writer $i" && echo "$i" >>winners) &
    pids="$pids $!"
done
for pid in $pids; do wait "$pid" || :; done
[ "$(wc -l <winners)" -eq 1 ] || fail "$(wc -l <winners) of 8 creators won"
[ "$(store_probe read s3://box/race)" = "writer $(cat winners)" ] || fail "another creator's text"

# A writer that is killed: nothing is visible, and the upload goes only when nothing came for it for a day.
mkfifo slow
store_probe write s3://box/dir/part-000001.x.cols <slow &
pid=$!
exec 9>slow
cat large large >&9
n=0
while [ "$(ask uploads)" != '["dir/part-000001.x.cols"]' ] || [ "$(log_of 'sum(e.get("status") == 200 and "partNumber" in e["query"] for e in r)')" -lt 1 ]; do
    n=$((n + 1))
    [ $n -lt 50 ] || fail "no upload begins"
    sleep 0.1
done
kill -9 $pid
wait $pid 2>/dev/null || :
exec 9>&-
status_of 1 store_probe exists s3://box/dir/part-000001.x.cols
store_probe sweep s3://box/dir 0
[ "$(ask uploads)" = '["dir/part-000001.x.cols"]' ] || fail "a young upload is swept"
ask 'age?{"seconds":200000,"parts":0}'
store_probe sweep s3://box/dir 0
[ "$(ask uploads)" = '["dir/part-000001.x.cols"]' ] || fail "an upload is swept to which a part has just come"
for key in film.mkv game.iso zoo.bin shard-000000.tok; do ask "begin?[\"box\",\"dir/$key\"]"; done # in pages of two
ask 'age?{"seconds":200000}'
store_probe sweep s3://box/other 0
ask uploads | grep -q part-000001 || fail "an upload elsewhere is swept"
store_probe sweep s3://box/dir 0
[ "$(ask uploads)" = '["dir/film.mkv", "dir/game.iso", "dir/zoo.bin"]' ] || fail "old uploads stay, or others' are swept: $(ask uploads)"
echo "publishing: whole or not at all, one creator wins, what a dead writer left is swept"

# --- whole stages with input and output in the store: the same content as on a disk
content_of() { store_probe read "$1/manifest.json" >manifest && last_field manifest content; }
same() { [ "$(content_of "$1")" = "$(content_of "$2")" ] || fail "$1 and $2: another content"; }
staged() { # OUT INPUT...: ingest by way of stage/, which is empty again afterwards
    out=$1
    shift
    tamis ingest -q -o "$out" --inputs-per-part 1 --stage-dir stage "$@" 2>said || fail "ingest of $*: $(cat said)"
    [ -z "$(ls stage)" ] || fail "staged files stay: $(ls stage)"
}
tamis ingest -q -o plain/docs --inputs-per-part 1 crawl 2>said || fail "ingest: $(cat said)"
tamis filter -q -o plain/clean plain/docs
tamis ingest -q -o plain/many --inputs-per-part 1 many
ask forget
staged s3://box/run/docs s3://crawl
seen 'all(e["range"] is None for e in r if "/crawl/" in e["path"])' "archives are not read whole"
tamis filter -q -o s3://box/run/clean s3://box/run/docs
same s3://box/run/docs plain/docs
same s3://box/run/clean plain/clean
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ASAN_OPTIONS=detect_leaks=0 mpirun -n 2 tamis ingest -q -o s3://box/ranks/docs --inputs-per-part 1 --stage-dir stage s3://crawl 2>said ||
        fail "two ranks: $(cat said)"
    same s3://box/ranks/docs plain/docs
fi
for task in 0 1; do tamis filter -q -o s3://box/tasks/clean --task $task/2 s3://box/run/docs; done
tamis commit s3://box/tasks/clean 2>said || fail "commit: $(cat said)"
same s3://box/tasks/clean plain/clean
tamis docs cat plain/clean >lines
tamis docs cat s3://box/run/clean | cmp - lines
[ "$(grep -o '"base":\[{"path":"[^"]*' manifest)" = '"base":[{"path":"../docs' ] || fail "a view's base is not relative"
tamis filter -o s3://box/run/clean s3://box/run/docs 2>said
says 'is up to date'
status_of 4 tamis filter -o s3://box/run/clean --rules gopher s3://box/run/docs
says 'holds another run'
echo "stages: in the store as on a disk"

# --- archives of a web server: by URL, from a list, politely
(cd crawl && for f in *; do echo "http://127.0.0.1:$port/crawl/$f?X-Amz-Signature=secret"; done) >list
ask forget
TAMIS_CONTACT=https://example.org/crawls staged web/docs --connections 2 @list
same web/docs plain/docs
seen 'all(e["agent"].startswith("tamis/") and e["agent"].endswith(" (+https://example.org/crawls)") for e in r)' "the user agent"
seen 'log["open_most"] <= 2' "more than two connections"
seen 'sum(e["method"] == "GET" for e in r) == 4' "not each archive once"
# One archive's connection is cut and the server then knows no ranges, of another it says twice that it is busy, a third comes short twice.
ask forget
set -- $(cd crawl && ls | grep gz)
fault "{\"path\":\"/$1\",\"kind\":\"reset\",\"after\":7000}"
fault "{\"path\":\"/$1\",\"kind\":\"norange\"}"
fault "{\"path\":\"/$2\",\"kind\":\"status\",\"status\":503,\"retry_after\":1,\"times\":2}"
fault "{\"path\":\"/$3\",\"kind\":\"short\",\"after\":5000,\"times\":2}"
staged web/faults @list
same web/faults plain/docs
seen 'sum(e["status"] == 503 for e in r) == 2 and sum(e["range"] is not None for e in r) >= 3' "the faults were not met"
# Lists and indexes below a place: of an index just the records it names are read, each by a range.
ls crawl | grep gz | gzip -c >warc.paths.gz
staged web/below --base-url "http://127.0.0.1:$port/crawl" @warc.paths.gz
same web/below plain/docs
tamis docs cat plain/docs >lines
python3 - >host.cdxj <<'END'
import json, os
at = {}
for line in open("lines", "rb"):
    name, _, offset = json.loads(line)["id"].rpartition("#")
    at.setdefault(os.path.basename(name), []).append(int(offset))
for name, offsets in at.items():
    ends = offsets[1:] + [os.path.getsize("crawl/" + name)]
    for begin, end in zip(offsets, ends):
        print("key 20240101 " + json.dumps({"filename": name, "offset": str(begin), "length": str(end - begin)}))
END
ask forget
for place in "http://127.0.0.1:$port/crawl" s3://crawl; do
    tamis ingest -q -o web/index --force --cdxj --base-url "$place" host.cdxj 2>said || fail "$(cat said)"
    tamis docs cat web/index | cmp - lines
done
seen 'all(e["range"] for e in r if e["method"] == "GET" and e["path"].endswith(".gz"))' "whole archives were read"
echo "http://127.0.0.1:$port/crawl/none.warc.gz?X-Amz-Signature=secret" >>list
status_of 3 tamis ingest -o web/none --stage-dir stage @list
says 'none.warc.gz: HTTP 404'
! grep -q secret said || fail "a signature is shown"
ask forget
first=$(find crawl -name '*.warc.gz' | sort | head -n 1)
fault "{\"path\":\"/$first\",\"kind\":\"reset\",\"after\":9000}"
staged faults/a s3://crawl
same faults/a plain/docs
seen 'any(e["range"] for e in r)' "not resumed"
fault "{\"path\":\"/$first\",\"kind\":\"etag\"}"
staged faults/b s3://crawl
same faults/b plain/docs
fault "{\"path\":\"/$first\",\"kind\":\"etag\",\"times\":2}"
status_of 4 tamis ingest -q -o faults/c --stage-dir stage s3://crawl
says 'and its ETag says 0000'
ask forget
fault "{\"path\":\"/$first\",\"kind\":\"etag\",\"server\":\"other\"}"
staged faults/e s3://crawl
grep -q 'may be something else' said || fail "no warning of another store's ETag"
same faults/e plain/docs
ask forget
[ -z "$(ls stage)" ] || fail "staged files stay: $(ls stage)"
# A file of at most 4 KiB each: the first archive does not fit the disk.
(trap '' XFSZ && ulimit -f 8 && status_of 3 tamis ingest -q -o s3://box/full --stage-dir stage s3://crawl && says 'cannot write stage/stage-') ||
    exit 1
# Disks for two and a half and for one and a half of them: what was fetched ahead gives room to what is read.
largest=$(find many -type f -exec wc -c {} + | grep -v total | sort -n | tail -n 1 | awk '{print $1}')
mkdir small
for round in 5/2,4 3/2,4 3/2,1; do # size,depth
    small=$((largest * ${round%,*} / 1024))k
    if [ "$(id -u)" -ne 0 ] || ! mount -t tmpfs -o size=$small tmpfs small 2>/dev/null; then break; fi
    rm -rf full
    ask forget
    status_of 0 tamis ingest -q -o full --inputs-per-part 1 --stage-dir small --stage-depth "${round#*,}" s3://many
    [ -z "$(ls small)" ] || fail "staged files stay: $(ls small)"
    umount small
    same full plain/many
    [ "$round" = 3/2,1 ] || seen 'sum(e["method"] == "GET" and "/many/made" in e["path"] for e in r) > 8' "the disk was not too small"
done
echo "archives: whole, few connections, resumed, checked"

# --- kills: in the middle of a download, and of a stage whose parts are half there
fault "{\"path\":\"/$first\",\"kind\":\"stall\",\"after\":5000,\"seconds\":30}"
tamis ingest -q -o s3://box/killed/docs --inputs-per-part 1 --stage-dir stage s3://crawl 2>/dev/null &
pid=$!
n=0
while ! find stage -type f -size +7 | grep -q .; do # 512 bytes each
    n=$((n + 1))
    [ $n -lt 100 ] || fail "no download begins"
    sleep 0.05
done
kill -9 $pid
wait $pid 2>/dev/null || :
[ -n "$(ls stage)" ] || fail "nothing to sweep"
ask forget
staged s3://box/killed/docs s3://crawl
same s3://box/killed/docs plain/docs
for signal in KILL TERM; do
    fault '{"method":"PUT","path":"/part-000002.filter.cols","kind":"status","status":503,"retry_after":30}'
    tamis filter -q -o s3://box/killed/clean s3://box/killed/docs 2>/dev/null &
    pid=$!
    n=0
    until ask log | grep -q '"status": 503'; do
        n=$((n + 1))
        [ $n -lt 100 ] || fail "the third part is not written"
        sleep 0.05
    done
    kill -$signal $pid
    got=0
    wait $pid 2>/dev/null || got=$?
    [ $signal = KILL ] || [ $got -eq 6 ] || fail "status $got after SIGTERM"
    ask forget
    status_of 1 store_probe exists s3://box/killed/clean/manifest.json
done
tamis filter -q -o s3://box/killed/clean s3://box/killed/docs
same s3://box/killed/clean plain/clean
seen 'sum(e["method"] == "PUT" and e["path"].endswith(".cols") for e in r) <= 2' "finished parts are done again"
echo "kills: a rerun goes on"

# --- a thousand keys a request
mkdir -p keys/tree
seq 1 1500 | (cd keys/tree && xargs touch)
start_server wide --keys 'AKIDTEST:secret/+x:token/+=x' --load wide="$tmp/keys"
AWS_ENDPOINT_URL=http://127.0.0.1:$port
status_of 0 store_probe delete_tree s3://wide/tree 0
status_of 1 store_probe exists s3://wide/tree
seen "[len(e['keys']) for e in $posts] == [1000, 500] and len($deletes) == 0" "not a thousand at a time"
echo "deleting: a thousand keys a request"

# --- certificates
if command -v openssl >/dev/null 2>&1 && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
    -addext subjectAltName=IP:127.0.0.1 2>/dev/null; then
    cat key.pem cert.pem >both.pem
    start_server secure --tls both.pem --load pub="$tmp/load" --public pub
    status_of 3 store_probe read "https://127.0.0.1:$port/pub/docs/a"
    says certificate
    [ "$(AWS_CA_BUNDLE=cert.pem store_probe read "https://127.0.0.1:$port/pub/docs/a")" = hello ] || fail "a certificate that is known"
    echo "certificates: checked"
fi
