#!/bin/sh
# Speed and memory of every stage on one crawl: wall clock, MB/s, documents/s and peak memory, median of N runs, each
# into an empty directory (page cache warm: the first run of a stage is not counted). One line of Markdown a stage.
#   bench/stages.sh [-n RUNS] [-j THREADS] [-b BIN_DIR] [-k DIR] INPUT...
#     INPUT   WARC files or directories; none: a crawl of 3000 made pages (tests/mkcrawl.c, seed 1)
#     -n      runs of each stage, odd [5]
#     -j      threads [1]: MB/s is then MB/s a core
#     -b      where tamis and tamis-train are [build/release]
#     -k      keep the outputs here [a temporary directory, removed]
# What a MB is: ingest: the bytes of the archives as stored, and unpacked; the other stages: bytes of text read.
set -eu
LC_ALL=C
export LC_ALL

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
runs=5 threads=1 bin=$top/build/release keep=
while getopts n:j:b:k: option; do
    case $option in
    n) runs=$OPTARG ;;
    j) threads=$OPTARG ;;
    b) bin=$(CDPATH='' cd -- "$OPTARG" && pwd) ;;
    k) keep=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ -x /usr/bin/time ] || { echo "stages.sh: GNU time is missing: tools/install.sh bench/packages.txt" >&2; exit 3; }
[ -x "$bin/tamis" ] || { echo "stages.sh: no $bin/tamis: cmake --preset release && cmake --build --preset release" >&2; exit 3; }
PATH=$bin:$PATH
export OMP_NUM_THREADS="$threads" OMP_WAIT_POLICY=passive

work=${keep:-$(mktemp -d "${TMPDIR:-/tmp}/tamis-bench.XXXXXX")}
mkdir -p "$work"
[ -n "$keep" ] || trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
if [ $# -eq 0 ]; then
    mkdir -p "$work/crawl"
    mkcrawl -n 3000 -f 4 "$work/crawl" >/dev/null
    set -- "$work/crawl"
fi

field() { grep -o "\"$2\": *\"\{0,1\}[^\",}]*" "$1" | head -n 1 | sed 's/^[^:]*: *"\{0,1\}//'; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

# measure NAME OUTPUT COMMAND...: sets seconds, cpu, peak (MB)
measure() {
    name=$1 output=$2
    shift 2
    : >"$work/$name.runs"
    i=0
    while [ $i -le "$runs" ]; do # run 0 warms up
        rm -rf "$output"
        /usr/bin/time -o "$work/$name.time" -f '%e %U %S %M' "$@" >"$work/$name.log" 2>&1 || {
            tail -n 5 "$work/$name.log" >&2
            echo "stages.sh: $name failed" >&2
            exit 1
        }
        [ $i -eq 0 ] || tail -n 1 "$work/$name.time" >>"$work/$name.runs"
        i=$((i + 1))
    done
    seconds=$(awk '{print $1}' "$work/$name.runs" | median)
    cpu=$(awk '{print $2 + $3}' "$work/$name.runs" | median)
    peak=$(awk '{print $4 / 1024}' "$work/$name.runs" | median)
}
row() { # NAME BYTES DOCS
    awk -v name="$1" -v bytes="$2" -v docs="$3" -v s="$seconds" -v cpu="$cpu" -v peak="$peak" 'BEGIN {
        t = s > 0.01 ? s : 0.01
        printf "| %s | %.1f | %d | %.2f | %.2f | %.1f | %.0f | %.0f |\n", name, bytes / 1e6, docs, s, cpu, bytes / 1e6 / t, docs / t, peak }'
}

echo "$(tamis --version | head -n 1), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc --all) cores, $threads threads, 1 rank, median of $runs"
echo
echo "| stage | MB in | documents in | seconds | CPU s | MB/s | documents/s | peak MB |"
echo "|---|---|---|---|---|---|---|---|"

r=$work/run
mkdir -p "$r"
stored=$(find "$@" -type f -name '*.gz' -exec cat {} + | wc -c)
unpacked=$(find "$@" -type f -name '*.gz' -exec zcat {} + 2>/dev/null | wc -c)
measure ingest "$r/docs" tamis ingest -q -j "$threads" -o "$r/docs" --keep-lang en,zh "$@"
records=$(field "$r/docs/manifest.json" n_in)
row "ingest (stored)" "$stored" "$records"
row "ingest (unpacked)" "$unpacked" "$records"

of() { row "$1" "$(field "$2/manifest.json" text_bytes)" "$(field "$2/manifest.json" n_docs)"; }
measure dedup "$r/unique" tamis dedup -q -j "$threads" -o "$r/unique" "$r/docs"
of dedup "$r/docs"
measure filter "$r/clean" tamis filter -q -j "$threads" -o "$r/clean" "$r/unique"
of filter "$r/unique"
measure remix "$r/mixed" tamis remix -q -j "$threads" -o "$r/mixed" "$r/clean"
of remix "$r/clean"
measure bpe "$r/tokenizer.json" tamis bpe -q -j "$threads" -o "$r/tokenizer.json" --vocab-size 8192 "$r/mixed"
of "bpe (8192)" "$r/mixed"
measure tokenize "$r/tokens" tamis tokenize -q -j "$threads" -o "$r/tokens" -t "$r/tokenizer.json" "$r/mixed"
of tokenize "$r/mixed"
