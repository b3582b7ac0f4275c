#!/bin/sh
# The exchange and the components over ranks 1 to 4, threads, budgets and partitions: the same content, checked against what was
# sent. Budgets of a few MiB make most records go by way of scratch, one key or three make bins that no batch may hold.
#   tests/ranks.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1 || skip "no MPI here"
export ASAN_OPTIONS=detect_leaks=0 # Open MPI unloads its plugins, so that what they leaked has no name to suppress

content() { sed -n 's/.* content \([0-9a-f]*\)$/\1/p' "$tmp/out"; }
same() { # PROGRAM "ARGUMENTS" "OTHER ARGUMENTS": the first with 1 and 4 ranks, the others with 2 and 3
    program=$1
    shift
    want=
    all_ranks="1 4"
    for arguments in "$@"; do
        for ranks in $all_ranks; do
            # shellcheck disable=SC2086
            mpirun -q -n $ranks "$BIN/$program" $arguments >"$tmp/out" 2>"$tmp/err" ||
                fail "$program $arguments with $ranks ranks: status $? $(cat "$tmp/err")"
            [ -n "$(content)" ] || fail "$program $arguments: no content"
            want=${want:-$(content)}
            [ "$want" = "$(content)" ] || fail "$program $arguments with $ranks ranks: $(content), not $want"
            n=$((n + 1))
        done
        all_ranks="2 3"
    done
}
n=0
#                     records value keys memory threads partitions scratch times senders
same exchange_bench "60000 8 1000000000 100 1 64" "60000 8 1000000000 2 2 64 $tmp"
same exchange_bench "60000 8 3 100 2 64" "60000 8 3 1 1 64 $tmp"
same exchange_bench "20000 100 500 100 1 4" "20000 100 500 1 2 4 $tmp"
same exchange_bench "20000 100 1 100 2 1" "20000 100 1 1 1 1 $tmp"
# One rank has all: it can send less at a time than the others could receive, which is no reason for scratch.
same exchange_bench "349000 8 0 26 1 8 - 1 1" "349000 8 0 26 1 8 - 1 1"
same exchange_bench "60000 8 0 1 1 64 $tmp 1 1" "60000 8 0 2 1 64 $tmp 1 2"
#                       shape nodes edges memory threads scratch
same components_bench "random 30000 25000 100 2" "random 30000 25000 1 1 $tmp"
same components_bench "far 5000 4999 100 1" "far 5000 4999 1 1 $tmp"

# The budget holds: a hundred runs of 16-byte records, then one key on scratch alone, a tenth of the records in memory at most. A
# sanitizer's own memory is not looked at.
peak() { sed -n 's/.* peak \([0-9]*\) MB.*/\1/p' "$tmp/out"; }
within() { # MIB ARGUMENTS
    budget=$1
    shift
    "$BIN/exchange_bench" "$@" >"$tmp/out" || fail "exchange_bench $*: status $?"
    grep -q '__asan_init\|__tsan_init' "$BIN/exchange_bench" || [ "$(peak)" -le $((budget * 105 / 100 + 20)) ] ||
        fail "exchange_bench $*: peak $(peak) MB with a budget of $budget MiB"
}
within 8 4000000 0 0 8 2 4096 "$tmp"
within 8 500000 100 1 8 2 64 "$tmp"

# What cannot be held is said by all ranks, with one status.
status=0
mpirun -q -n 2 "$BIN/exchange_bench" 60000 8 3 1 1 64 >"$tmp/out" 2>&1 || status=$?
[ $status -eq 5 ] || fail "records beyond the budget: status $status"
grep -q -- '--memory' "$tmp/out" || fail "records beyond the budget: $(cat "$tmp/out")"
echo "ranks: $n runs alike"
