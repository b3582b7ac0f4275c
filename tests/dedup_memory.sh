#!/bin/sh
# Deduplication of a part whose signatures are as large as the budget: the memory holds at any number of threads, and the view is the same.
#   tests/dedup_memory.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"
n=120000
grep -q '__asan_init\|__tsan_init' "$BIN/tamis" && n=20000 # a sanitizer's own memory is not looked at

awk -v n="$n" 'BEGIN {
    for (i = 0; i < n; i++) {
        page = i % 4 ? i : i / 4
        printf "{\"text\":\"page %s of words that are its own: %s %s\"}\n", letters(page + 30), letters(page * 77 + 5), letters(page * 7)
    }
}
function letters(n, s) { for (s = ""; n > 0; n = int(n / 26)) s = s sprintf("%c", 97 + n % 26); return s "z" }' >small.jsonl
tamis ingest -q --no-alarm -j 2 --signatures --inputs-per-part 1 -o docs small.jsonl
bytes=$(wc -c <docs/part-000000.sign.cols)
[ "$bytes" -gt $((n * 350)) ] || fail "signatures of $bytes bytes only"

content=
for threads in 1 2 4; do
    tamis dedup -v --no-alarm -j $threads --memory 96M -o "view.$threads" docs 2>log || fail "-j $threads: status $? $(cat log)"
    grep -q '"exact_duplicate":[1-9]' "view.$threads/manifest.json" || fail "-j $threads: nothing is dropped"
    [ "${content:=$(last_field view.1/manifest.json content)}" = "$(last_field "view.$threads/manifest.json" content)" ] ||
        fail "-j $threads: another view"
    peak=$(sed -n 's/.*, peak \([0-9]*\) MB$/\1/p' log | sort -n | tail -n 1)
    [ "$n" -lt 120000 ] || [ "${peak:-999}" -le 101 ] || fail "-j $threads: it took $peak MB of the 101 that were given"
    tamis dedup clusters --members -j $threads --memory 64M "view.$threads" >"members.$threads"
    cmp members.1 "members.$threads" || fail "-j $threads: other members"
done
[ -s members.1 ] || fail "no members"
echo "memory: $bytes bytes of signatures, $peak MB at 4 threads"
