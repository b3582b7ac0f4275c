#!/bin/sh
# A crawl as others make theirs: wget goes through a small web on loopback (site.py), and every page that it was served is one document.
#   tests/wget.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$(dirname -- "$0")/lib.sh"
for tool in python3 wget; do command -v $tool >/dev/null 2>&1 || skip "no $tool"; done
wget --help | grep -q warc-file || skip "this wget writes no WARC files"
cd "$tmp"
unset no_proxy NO_PROXY || :

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$tmp"' EXIT
start_server() { # LOG
    [ -z "$server" ] || kill "$server"
    rm -f port
    python3 "$here/site.py" serve port "$1" 2>served.err &
    server=$!
    n=0
    while [ ! -s port ]; do
        n=$((n + 1))
        [ $n -lt 200 ] || fail "the server does not start: $(cat served.err)"
        sleep 0.05
    done
    http_proxy=http://127.0.0.1:$(cat port)/
    export http_proxy
}
crawl() { # NAME OPTION...: NAME-*.warc.gz below crawl/NAME; wget's 8 says that some links are dead
    name=$1
    shift
    mkdir -p "crawl/$name"
    got=0
    (cd "crawl/$name" && exec wget -q --no-config --no-hsts -e use_proxy=yes -r -l inf -H -D en.test,zh.test --delete-after --no-iri --tries=2 --timeout=20 \
        --warc-tempdir="$tmp" --warc-file="$name" "$@" http://en.test/) || got=$?
    [ $got -eq 8 ] || fail "wget ends with $got"
}
ingest() { # OUT INPUT...
    out=$1
    shift
    # shellcheck disable=SC2086 # an option or none
    tamis ingest -q --no-alarm $verify -o "$out" "$@" 2>said || fail "$(cat said)"
    [ ! -s said ] || fail "$(cat said)"
    tamis docs cat "$out" >"$out.jsonl"
}

verify=--verify-digests
! tamis --version | grep -q "no libcrypto" || verify=

# --- one archive with an index; some bodies gzipped, some chunked: wget stores them as they came
start_server log.whole
crawl whole --compression=auto --warc-cdx
ingest whole crawl/whole
python3 "$here/site.py" check log.whole whole.jsonl whole/manifest.json crawl/whole/whole.warc.gz

# --- the records that its index names, and only they
python3 "$here/site.py" cdxj crawl/whole/whole.cdx crawl/whole/whole.warc.gz >whole.cdxj
ingest ranges --cdxj --base-url "$tmp/crawl/whole" whole.cdxj
[ -s ranges.jsonl ] || fail "no documents of the index"
sort whole.jsonl >want
sort ranges.jsonl | cmp - want || fail "documents of the index differ from those of the archive"
echo "by wget's index: the same documents"

# --- many archives, and one of what wget says of itself
start_server log.cut
crawl cut --warc-max-size=40K
[ "$(ls crawl/cut/*.warc.gz | wc -l)" -gt 3 ] || fail "only $(ls crawl/cut)"
ingest cut crawl/cut
python3 "$here/site.py" check log.cut cut.jsonl cut/manifest.json crawl/cut/*.warc.gz

# --- a second look at pages that have not changed: revisits, to which wget 1.21 gives the block digest of no bytes
verify=
start_server log.again
crawl again --compression=auto --warc-dedup="$tmp/crawl/whole/whole.cdx"
ingest again crawl/again
[ "$(field again/manifest.json n_docs)" -eq 0 ] && [ "$(field again/manifest.json revisit)" -ge "$(field whole/manifest.json n_docs)" ] ||
    fail "of pages that have not changed: $(sed 's/.*"dropped":/"dropped":/' again/manifest.json | head -c 400)"
echo "a second crawl: $(field again/manifest.json revisit) revisits, no document"
