#!/bin/sh
# SIGTERM and SIGINT to `tamis run` while a stage runs: the stage gets it, the run ends with status 6, and a second call
# finishes with the same content as a run left alone.
#   tests/stop.sh BIN_DIR [PAGES]
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
pages=${2:-60}
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

mkdir crawl
mkcrawl -n "$pages" -f 2 crawl >/dev/null
small_recipe recipe.yaml
tamis run -q -o want recipe.yaml crawl || fail "the run left alone ended with $?"
contents want >want.contents

# What a shell runs in the background ignores SIGINT, and what a program finds ignored stays so, unless env can undo it.
if env --default-signal=INT true 2>/dev/null; then as_user='env --default-signal=INT'; else as_user=; fi
for case in TERM.ingest TERM.bpe INT.train; do
    sig=${case%.*} verb=${case#*.}
    [ $sig != INT ] || [ -n "$as_user" ] || continue
    rm -rf run
    $as_user tamis run -o run recipe.yaml crawl >out 2>log &
    pid=$!
    until grep -q "/7 tamis $verb " log; do
        kill -0 $pid 2>/dev/null || fail "over before $verb: $(cat log)"
        sleep 0.01
    done
    kill -$sig $pid
    status=0
    wait $pid || status=$?
    [ $status -eq 6 ] || fail "SIG$sig during $verb: status $status, $(cat log)"
    grep -q 'interrupted' log || fail "SIG$sig during $verb: nothing said of it: $(cat log)"
    [ ! -e run/report.html ] || fail "SIG$sig during $verb: a report of half a run"
    tamis run -q -o run recipe.yaml crawl || fail "resumed after SIG$sig during $verb: status $?"
    contents run >run.contents
    diff want.contents run.contents || fail "SIG$sig during $verb: another content"
    echo "SIG$sig during $verb: status 6, then the same content"
done
