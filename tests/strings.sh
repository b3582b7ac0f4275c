#!/bin/sh
# Repeated strings are cut alike by any number of threads and ranks, in any budget, by tasks of an array and after a kill; a written copy
# of the view is the view.
#   tests/strings.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

# Documents that share lines: the numbers are those of a generator, so that every run makes the same ones.
for part in 0 1 2 3 4; do
    awk -v part=$part 'BEGIN {
        seed = 7 + part
        for (doc = 0; doc < 300; doc++) {
            text = ""
            for (line = 0; line < 12; line++) {
                seed = (seed * 1103515245 + 12345) % 2147483648
                n = int(seed / 65536) % 400
                text = text sprintf("%s%d line %s of those that several documents have in common, in words and order. Then a %s more.\\n",
                    line % 5 == 4 ? "\\n" : "", n, n % 7 ? "number" n % 26 : "own" part "x" doc, n % 3 ? "word" : "sentence")
            }
            for (d = 0; d < 10; d++) gsub(d, substr("abcdefghij", d + 1, 1), text)
            printf "{\"text\":\"%s\",\"url\":\"http://host%d.test/%d\"}\n", text, doc % 5, doc
        }
    }' >part$part.jsonl
done
tamis ingest -q --inputs-per-part=1 -o docs part?.jsonl || fail "ingest: status $?"

mpi=false
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then mpi=true; fi
n_same=0
same() { # NAME DIR
    [ -f "$2/manifest.json" ] || fail "$2 is not complete"
    [ ! -e "$2/passes" ] || fail "$2/passes stayed behind"
    [ "$(last_field "$2/manifest.json" content)" = "$(cat "$1.want")" ] || fail "$2 differs"
    n_same=$((n_same + 1))
}
cut_by() { # NAME COMMAND...: all ways to run it
    name=$1
    shift
    "$@" -j 1 -o "$name.1" docs 2>"$name.log" || fail "$name: status $? $(cat "$name.log")"
    grep -q '^tamis: cut: [1-9]' "$name.log" || fail "$name cuts nothing: $(cat "$name.log")"
    last_field "$name.1/manifest.json" content >"$name.want"
    "$@" -q -j 2 --memory 6M -o "$name.2" docs || fail "$name with little memory: status $?"
    same "$name" "$name.2"
    if $mpi; then
        ASAN_OPTIONS=detect_leaks=0 mpirun -q -n 2 "$@" -q -j 1 -o "$name.ranks" docs || fail "$name with ranks: status $?"
        same "$name" "$name.ranks"
    fi
    for round in 1 2 3 4 5 6 7 8; do # as far as it goes, until it is complete
        for i in 1 0; do "$@" -q -j 1 --task $i/2 -o "$name.tasks" docs || fail "$name --task $i/2: status $?"; done
        [ ! -f "$name.tasks/manifest.json" ] || break
        [ "$round" -lt 8 ] || fail "$name: the tasks do not end"
    done
    same "$name" "$name.tasks"
    "$@" -q -j 1 -o "$name.killed" docs & # killed wherever it is then
    pid=$!
    while [ ! -d "$name.killed/passes" ] && kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill -9 $pid 2>/dev/null || :
    wait $pid 2>/dev/null || :
    "$@" -q -j 2 -o "$name.killed" docs || fail "$name after a kill: status $?"
    same "$name" "$name.killed"
    # Written out, the view is what was shown.
    tamis docs cat "$name.1" >"$name.jsonl"
    [ "$(grep -c "\"edits\":\[{\"stage\":\"$name\"" "$name.jsonl")" -gt 0 ] || fail "$name: no document tells of its edits"
}

cut_by lines tamis dedup lines
cut_by spans tamis dedup spans
cut_by substrings tamis dedup substrings --tokens 20
tamis dedup lines -o again lines.1 2>again.log || fail "lines again: status $?"
grep -q '^tamis: cut: 0 lines' again.log || fail "lines again cut more: $(cat again.log)"
tamis dedup lines -q -w host -n 3 --all -o boilerplate lines.1 || fail "a view of a view: status $?"
tamis filter -q --rules none -o filtered lines.1 || fail "a filter over texts that were cut: status $?"
tamis docs cat filtered | sed 's/.*"text":"\([^"]*\)".*/\1/' >filtered.txt
tamis docs cat lines.1 | sed 's/.*"text":"\([^"]*\)".*/\1/' | cmp - filtered.txt || fail "another view shows other texts"

# Every document of one part of 32 MB is written anew, and the memory holds. A sanitizer's own is not looked at.
if ! grep -q '__asan_init\|__tsan_init' "$BIN/tamis"; then
    awk 'BEGIN {
        for (doc = 0; doc < 1500; doc++) {
            printf "{\"text\":\"a line that all the documents have in common, and which is long enough to be one that counts"
            for (line = 0; line < 100; line++)
                printf "\\ndocument %d has a line %d that nobody else has, and it goes on for long enough that there is much to hold, and then for some more, so that lines are not the most of what is sent about and kept: texts are, %d",
                    doc, line, doc * 100 + line
            printf "\"}\n"
        }
    }' | tr 0-9 k-t >large.jsonl
    tamis ingest -q -o large large.jsonl || fail "ingest of large texts: status $?"
    tamis dedup lines -j 1 --memory 16M -o large.lines large 2>large.log || fail "large texts: status $? $(cat large.log)"
    grep -q ', in 1499 documents$' large.log || fail "large texts: $(cat large.log)"
    [ "$(wc -c <large.lines/part-000000.lines.cols)" -gt 30000000 ] || fail "large texts: the view is small"
    peak=$(sed -n 's/.* MB\/s, peak \([0-9]*\) MB$/\1/p' large.log | tail -n 1)
    [ "${peak:-99}" -le 55 ] || fail "large texts: it took $peak MB, of which 17 were given and some 30 are the program"
    tamis docs cat large.lines | wc -c >large.bytes
    [ "$(cat large.bytes)" -gt 30000000 ] || fail "large texts: $(cat large.bytes) bytes are shown"
fi
echo "strings: $n_same runs alike"
