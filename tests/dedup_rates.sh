#!/bin/sh
# `tamis dedup rates` against dedup run on the first K dumps alone, for every K, and the exact column against sort | uniq.
#   tests/dedup_rates.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"
dumps=5

# Pages of 200 words over five dumps: some are the same again, some in other case, some with one word changed, some new. So much alike are
# these that what belongs together shares a band, and the K dumps alone have no connection less.
awk -v dumps=$dumps 'BEGIN {
    srand(5)
    for (d = 1; d <= dumps; d++) for (i = 0; i < 120; i++) {
        page = int(rand() * 150); text = ""
        edit = rand() < 0.3 ? int(rand() * 200) : -1
        for (w = 0; w < 200; w++) text = text (w ? " " : "") (w == edit ? "new" int(rand() * 3) "x" d : "w" letters(page * 201 + w * 7))
        if (rand() < 0.2) text = toupper(text)
        printf "{\"id\":\"%d\",\"text\":\"%s\",\"url\":\"http://h%d.test/\"}\n", i, text, page >("d" d ".jsonl")
    }
}
function letters(n, s) { for (s = ""; n > 0; n = int(n / 26)) s = s sprintf("%c", 97 + n % 26); return s "z" }'
i=0
while [ $((i += 1)) -le $dumps ]; do tamis ingest -q --no-alarm -o "docs-$i" --dump "CC-MAIN-2023-0$i" "d$i.jsonl"; done
number() { grep -o "\"$2\":[0-9]*" "$1" | head -n 1 | sed 's/.*://'; }
row() { grep -o "{\"dumps\":$2,[^}]*" "$1"; } # FILE K
percent() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.6f", int(a * 1e8 / b + 0.5) / 1e6 }' | sed 's/0*$//; s/\.$//'; }

# Oldest first: both rates are those of `tamis dedup`, which keeps the first in that order.
tamis dedup rates -q --oldest --json --at 1,2,3,4 -o rates docs-* >oldest.json
k=0
while [ $((k += 1)) -le $dumps ]; do
    set --
    i=0
    while [ $((i += 1)) -le $k ]; do set -- "$@" "docs-$i"; done
    tamis dedup -q --no-alarm -o "alone-$k" "$@"
    m=alone-$k/manifest.json
    n_in=$(number "$m" n_in) exact=$(number "$m" exact_duplicate) near=$(number "$m" near_duplicate)
    [ "${exact:-0}" -gt 0 ] && [ "${near:-0}" -gt 0 ] || fail "dumps without duplicates test nothing: $(cat "$m")"
    want="{\"dumps\":$k,\"n_docs\":$n_in,\"exact_percent\":$(percent "$exact" "$n_in"),\"percent\":$(percent $((exact + near)) "$n_in")"
    [ "$(row oldest.json $k)" = "$want" ] || fail "$k dumps: $(row oldest.json $k), alone $want"
done

# Newest first: exact ones against lines without case.
tamis dedup rates -q --json --at 1,2,3,4 -o rates docs-* >newest.json
k=0
: >lines
while [ $((k += 1)) -le $dumps ]; do
    sed 's/.*"text":"\([^"]*\)".*/\1/; s/[0-9]/0/g' "d$((dumps + 1 - k)).jsonl" | tr "[:upper:]" "[:lower:]" >>lines
    n=$(wc -l <lines) kinds=$(sort -u lines | wc -l)
    row newest.json $k | grep -q "\"n_docs\":$n,\"exact_percent\":$(percent $((n - kinds)) "$n")," ||
        fail "$k newest dumps: $(row newest.json $k), $n lines of $kinds kinds"
done
[ "$(grep -o '"name":"[^"]*' newest.json | head -n 1)" = '"name":"CC-MAIN-2023-05' ] || fail "the newest is not first"

# The same for any threads and memory; in another room, the signatures of a dedup serve.
tamis dedup rates -q -j 3 --json --at 1,2,3,4 --memory 100M -o alone-5 docs-* | cmp - newest.json || fail "threads"
rm -r alone-5/sign
tamis dedup rates -q -j 1 --json --at 1,2,3,4 -o alone-5 docs-5 docs-3 docs-1 docs-2 docs-4 | cmp - newest.json || fail "order of inputs"
[ ! -e rates/rates ] || fail "steps stay behind"
tamis dedup rates -q --exact-only -o exact docs-* >table
grep -q '^    5 .*|#*  *|$' table || fail "the table: $(cat table)"
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ASAN_OPTIONS=detect_leaks=0 mpirun -n 2 tamis dedup rates -q -j 1 --json --at 1,2,3,4 -o ranks docs-* >ranks.json || fail "with ranks"
    cmp ranks.json newest.json || fail "ranks"
fi

# Mistakes.
for at in 0 2,1 1,1 "1," x "" 1,,2; do
    status=0
    tamis dedup rates -q --at "$at" -o rates docs-1 2>err || status=$?
    [ $status -eq 2 ] && grep -q -- "--at" err || fail "--at '$at': status $status, $(cat err)"
done
status=0
tamis dedup rates -q -o rates docs-1 2>err || status=$?
[ $status -eq 4 ] && grep -q -- "--force" err || fail "other inputs: status $status, $(cat err)"
