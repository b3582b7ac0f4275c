#!/bin/sh
# `tamis tokenize`, dataset in, shards out, against the sum of what it cannot do without (bench/tokenize_floor.c): processor seconds, in turn,
# medians with their spread; and the wall clock, for an idle machine. The floor is run by as many processes at once as there are threads.
#   bench/whole_process.sh [-n RUNS] [-j THREADS] [-s SHARDS] [-b BIN_DIR] TOKENIZER DATASET
#     -n   runs of each [3]    -j  threads [2]    -s  shards of each stream [4]
#     -b   where tamis and tokenize_floor are, the target of this name built [build/release]
# DATASET is written, not a view. Outputs go below $TMPDIR and are removed.
set -eu
LC_ALL=C
export LC_ALL

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
runs=3 threads=2 shards=4 bin=$top/build/release
while getopts n:j:s:b: option; do
    case $option in
    n) runs=$OPTARG ;;
    j) threads=$OPTARG ;;
    s) shards=$OPTARG ;;
    b) bin=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 2 ] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }
tokenizer=$1 dataset=$2
for program in tamis tokenize_floor; do
    [ -x "$bin/$program" ] || { echo "whole_process.sh: no $bin/$program" >&2; exit 3; }
done
[ -x /usr/bin/time ] || { echo "whole_process.sh: GNU time is missing: tools/install.sh bench/packages.txt" >&2; exit 3; }
export OMP_WAIT_POLICY=passive

work=$(mktemp -d "${TMPDIR:-/tmp}/tamis-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

cat "$dataset"/part-*.zst >/dev/null # into the page cache
i=0
while [ $i -lt "$runs" ]; do
    k=0
    while [ $k -lt "$threads" ]; do # threads share caches and cores: so do as many floors, whose mean counts
        "$bin/tokenize_floor" "$tokenizer" "$dataset"/part-*.jsonl.zst >"$work/floor.$k" &
        k=$((k + 1))
    done
    wait
    cat "$work"/floor.* | awk '/ s / {n[$1]++; s[$1] += $2} END {for (what in n) print what, s[what] / n[what]}' >>"$work/times"
    rm -rf "$work/tokens"
    /usr/bin/time -o "$work/time" -f 'user %U\nsystem %S\nwall %e\npeak_MB %M' \
        "$bin/tamis" tokenize -q -j "$threads" -s "$shards" -o "$work/tokens" -t "$tokenizer" "$dataset"
    awk '$1 == "peak_MB" {$2 /= 1024} {print} $1 == "user" {u = $2} $1 == "system" {print "process", u + $2}' "$work/time" >>"$work/times"
    i=$((i + 1))
done

echo "$("$bin/tamis" --version | head -n 1), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $threads threads, $shards shards, $runs runs"
tail -n 1 "$work/floor.0"
echo
echo "| what | median | least | most |"
echo "|---|---|---|---|"
for what in load read zstd lines encode sum user system process wall peak_MB; do
    awk -v what=$what '$1 == what {print $2}' "$work/times" | sort -n |
        awk -v what=$what '{v[NR] = $1} END {printf "| %s | %.2f | %.2f | %.2f |\n", what, v[int((NR + 1) / 2)], v[1], v[NR]}'
done
awk '$1 == "sum" {sum = $2} $1 == "process" {printf "%.3f\n", $2 / sum}' "$work/times" | sort -n |
    awk '{v[NR] = $1} END {printf "\nprocess / sum: %.2f (%.2f to %.2f)\n", v[int((NR + 1) / 2)], v[1], v[NR]}'
