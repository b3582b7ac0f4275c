#!/bin/sh
# How near deduplication scales: ranks and threads, ten times the data in the same memory, and what going by way of scratch costs.
#   bench/dedup_scale.sh BIN_DIR [ROUNDS]
# Ten datasets of dumps of the same pages, as dedup_data.sh makes them: with TAMIS_RECRAWLS 1.2 GB of the real ones, else
# 72 MB made from a seed. Ranks and threads are compared on three of the ten; memory on one and on all ten, with the least budget that
# all ten can run with and with much. Runs go in turn, ROUNDS (3) times; figures are medians, with the least and the most; a peak is that of
# the largest process. With nothing beside: made ones four minutes, real ones ten, and 1.5 GB of disk. Status 1 where a peak exceeds its
# budget, nothing went by way of scratch in the least one, or contents differ.
# shellcheck disable=SC2015,SC2016,SC2046,SC2086 # lists of words; code spans
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
rounds=${2:-3}
. "$here/../tests/lib.sh"
. "$here/dedup_data.sh"
cd "$tmp"
bad=0

dump_files files 90 1200 0.6
n=0
for file in files/*; do mkdir -p in$((n % 10)) && mv "$file" in$((n % 10)) && n=$((n + 1)); done
for n in 0 1 2 3 4 5 6 7 8 9; do tamis ingest -q --no-alarm --inputs-per-part 2 -o set$n in$n; done
rm -r files in?
sets_of() { case $1 in one) echo set0 ;; three) echo set0 set1 set2 ;; ten) echo set? ;; esac; }
sum_of() { for set in $(sets_of $1); do field $set/manifest.json $2; done | awk '{ n += $1 } END { printf "%.0f", n }'; }
megabytes() { awk -v n="$(sum_of $1 text_bytes)" 'BEGIN { printf "%.1f", n / 1e6 }'; }
for size in one three ten; do echo "$size: $(sum_of $size n_docs) documents, $(megabytes $size) MB of text, $(sum_of $size n_parts) parts"; done

# run NAME SIZE COMMAND...: a line of clock, user and system seconds and peak KB goes to NAME.times, the content to NAME.content.
run() {
    name=$1 size=$2
    shift 2
    rm -rf view events
    command time -a -o "$name.times" -f '%e %U %S %M' "$@" -q --no-alarm --events events -o view $(sets_of $size) || fail "$name: status $?"
    last_field view/manifest.json content >"$name.content"
    cat events/*.jsonl | grep -c '"spill"' >"$name.spills" || :
}
same() { cmp -s "$1.content" "$2.content" || { echo "differs: $1 and $2" && bad=1; }; }
# of NAME WHAT [DIGITS]: seconds by the clock, of the processor, or peak in MB, as median (least-most); median: that alone.
of() {
    awk -v what="$2" '{ print what == "clock" ? $1 : what == "processor" ? $2 + $3 : $4 * 1024 / 1e6 }' "$1.times" | sort -n |
        awk -v d="${3:-2}" '{ v[NR] = $1 } END { printf "%.*f", d, v[int((NR + 1) / 2)]; if (NR > 1) printf " (%.*f-%.*f)", d, v[1], d, v[NR] }'
}
median() { of "$1" "$2" 4 | sed 's/ .*//'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# Ranks and threads; and what the machine itself allows: two runs of one thread at once.
round=0
while [ $((round += 1)) -le "$rounds" ]; do
    for n in 1 2; do
        run ranks$n three mpirun -q -n $n tamis dedup -j 1
        run threads$n three tamis dedup -j $n
    done
    began=$(date +%s.%N)
    for side in left right; do tamis dedup -q --no-alarm -j 1 -o $side $(sets_of three) & done
    wait
    date +%s.%N | awk -v began="$began" '{ print $1 - began, 0, 0, 0 }' >>beside.times
    rm -r left right
done
printf '\n| three datasets | by the clock, s | MB/s of text | processor, s | peak of a process, MB | two to one |\n|---|---|---|---|---|---|\n'
for kind in ranks threads; do
    for n in 1 2; do
        gain=-
        [ $n -eq 1 ] || gain="$(ratio "$(median ${kind}1 clock)" "$(median ${kind}2 clock)")x"
        echo "| $n $kind | $(of $kind$n clock) | $(ratio "$(megabytes three)" "$(median $kind$n clock)") | $(of $kind$n processor) | $(of $kind$n peak 0) | $gain |"
        same ranks1 $kind$n
    done
done
echo "| two runs of one thread at once | $(of beside clock) | | | | $(ratio "$(median threads1 clock)" "$(median beside clock)" | awk '{ print 2 * $1 }')x |"

status=0
tamis dedup -q --no-alarm -j 2 --memory 1M -o least $(sets_of ten) 2>log || status=$?
least=$(sed -n 's/.*need --memory of at least \([0-9]*\) MiB.*/\1/p' log)
[ $status -eq 5 ] && [ -n "$least" ] || fail "no least budget: status $status, $(cat log)"
rm -r least
round=0
while [ $((round += 1)) -le "$rounds" ]; do
    for budget in "$least" 1024; do
        for size in one ten; do run $size.$budget $size tamis dedup -j 2 --memory ${budget}M --keep latest,longest; done
    done
done
printf '\n| two threads, `--keep latest,longest` | --memory, MB | peak, MB | by the clock, s | processor seconds a GB of text | spills |\n|---|---|---|---|---|---|\n'
for size in one ten; do
    for budget in "$least" 1024; do
        name=$size.$budget allowed=$(awk -v m="$budget" 'BEGIN { printf "%.0f", m * 1.048576 }')
        echo "| $size | $allowed | $(of $name peak 0) | $(of $name clock) | $(ratio "$(median $name processor)" "$(megabytes $size | awk '{ print $1 / 1000 }')") | $(cat $name.spills) |"
        awk -v allowed="$allowed" '$4 * 1024 / 1e6 > allowed { exit 1 }' $name.times || { echo "beyond --memory: $name" && bad=1; }
    done
    same "$size.$least" $size.1024
done
[ "$(cat "ten.$least.spills")" -gt 0 ] || { echo "nothing went by way of scratch" && bad=1; }
exit $bad
