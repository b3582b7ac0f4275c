#!/bin/sh
# kill -9 of random ranks of a dedup or tokenize under mpirun at random moments, started again until it is complete: the same content as
# a run left alone (of tokenize, the same bytes), and how much was done again.
#   tests/kill_ranks.sh BIN_DIR [KILLS [SEED [PAGES [RANKS [VERB]]]]]
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
kills=${2:-3} seed=${3:-1} pages=${4:-600} ranks=${5:-3} verb=${6:-dedup}
. "$(dirname -- "$0")/lib.sh"
{ tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; } || skip "no MPI here"
export ASAN_OPTIONS=detect_leaks=0 # Open MPI unloads its plugins, so that what they leaked has no name to suppress
cd "$tmp"

mkdir crawl pid
case $verb in dedup) parts=6 ;; *) parts=24 ;; esac
mkcrawl -n "$pages" -f $parts crawl >/dev/null
tamis ingest -q --inputs-per-part 1 -o docs crawl || fail "ingest: status $?"

now() { date +%s.%N; }
cpu() { # $seconds of all children that this shell has waited for
    times >times.now
    seconds=$(awk 'NR == 2 {for (i = 1; i <= 2; i++) {split($i, t, /[ms]/); s += 60 * t[1] + t[2]} printf "%.2f\n", s}' times.now)
}
# Many bands and a low threshold: most of the work is exchanges. Little memory: many files of encoded parts, and a shard at a time.
case $verb in
dedup) options="--memory 100M --aggressive --verify 0.5" ;;
tokenize)
    tamis bpe -q --vocab-size 400 -o t.json docs || fail "bpe: status $?"
    options="--memory 2M --shards 16 -t t.json"
    ;;
*) fail "kill_ranks: dedup or tokenize, not $verb" ;;
esac
# The pid of each rank is in pid/RANK.
start() { # DIR: in the background
    rm -f pid/*
    # shellcheck disable=SC2016,SC2086
    mpirun -q -n "$ranks" sh -c 'echo $$ >pid/$OMPI_COMM_WORLD_RANK.new; mv pid/$OMPI_COMM_WORLD_RANK.new pid/$OMPI_COMM_WORLD_RANK; exec "$@"' sh \
        tamis $verb -q -j 1 $options -o "$1" docs >said 2>&1 &
    job=$!
    until [ -s pid/0 ] && [ -s "pid/$((ranks - 1))" ]; do
        kill -0 $job 2>/dev/null || break
        sleep 0.01
    done
    begin=$(now)
}
content() {
    case $verb in dedup) verdicts "$1" ;; *) last_field "$1/manifest.json" content ;; esac
    (cd "$1" && find . -name '*.tok' | sort | xargs cksum)
}

# shellcheck disable=SC2086
tamis $verb -q -j 1 $options -o alone docs || fail "$verb alone: status $?"
want=$(content alone)
cpu
before=$seconds
start left
wait $job || fail "$verb with $ranks ranks: status $?, $(cat said)"
cpu
one=$(echo "$seconds $before" | awk '{printf "%.2f", $1 - $2}')
whole=$(echo "$(now) $begin" | awk '{print $1 - $2}')
[ "$(content left)" = "$want" ] || fail "$ranks ranks: another content"

# Finished files, by name and inode: what has the same inode later was kept, another one was done again.
finished() { find run -type f ! -name '*.tmp' ! -path '*/log/*' ! -path '*lease*' -exec ls -i {} + 2>/dev/null | awk '{print $2, $1}' | sort >"$1" || :; }
kept=0 again=0
compare() { # files of before that are still there
    finished after
    # shellcheck disable=SC2046
    set -- $(join before after | awk '{if ($2 == $3) k++; else r++} END {print k + 0, r + 0}')
    kept=$((kept + $1)) again=$((again + $2))
}

# Moments in shares of the time that the last complete run took: the machine is not always as fast.
awk -v n="$kills" -v seed="$seed" -v ranks="$ranks" \
    'BEGIN {srand(seed); for (i = 0; i < 9 * n; i++) printf "%.3f %d\n", rand(), int(ranks * rand())}' >moments
n_hit=0 n_starts=0 n_done=0 n_stuck=0 fresh=yes
# Ends a job that does not end by itself. Open MPI 4.1's mpirun sometimes waits for a lock of its own when all its ranks are gone.
watch_job() {
    gone=0
    for _ in $(seq 60); do
        sleep 1
        gone=$((gone + 1))
        ! ps -o stat= --ppid $job | grep -qv '^Z' || gone=0
        [ $gone -lt 5 ] || { : >stuck; break; }
    done
    kill -9 $job
}
: >before
cpu
before_all=$seconds
check_run() { # what a rank's end means: the run is complete, and right
    [ "$(content run)" = "$want" ] || fail "after $n_hit kills: another content"
    n_done=$((n_done + 1))
    rm -rf run
    : >before
    fresh=yes
}
while [ $n_hit -lt "$kills" ] && read -r share victim; do
    start run
    n_starts=$((n_starts + 1))
    sleep "$(echo "$whole $share" | awk '{print $1 * $2}')"
    hit=
    if [ -s "pid/$victim" ] && kill -9 "$(cat "pid/$victim")" 2>/dev/null; then hit=yes; fi
    watch_job 2>/dev/null &
    watch=$!
    status=0
    wait $job 2>/dev/null || status=$?
    kill $watch 2>/dev/null || [ -e stuck ] || fail "a killed rank did not end its job within a minute"
    [ ! -e stuck ] || { rm stuck; hit=yes; n_stuck=$((n_stuck + 1)); }
    [ -z "$hit" ] || n_hit=$((n_hit + 1))
    compare
    finished before
    took=$(echo "$(now) $begin" | awk '{print $1 - $2}')
    if [ $status -eq 0 ]; then
        [ -z "$fresh" ] || whole=$took
        check_run
    else
        fresh=
    fi
    [ $status -eq 0 ] || [ -n "$hit" ] || [ ! -s "pid/$victim" ] || fail "status $status of a run nobody hit: $(cat said)"
done <moments
[ $n_hit -ge "$kills" ] || fail "only $n_hit kills in $n_starts starts"
until [ $n_done -gt 0 ] && [ ! -d run ]; do
    start run
    n_starts=$((n_starts + 1))
    wait $job || fail "left alone after $n_hit kills: status $?, $(cat said)"
    compare
    check_run
done
! find . -name '*.tmp' -path './run/*' | grep . || fail "temporaries stayed behind"
cpu
echo "$seconds $before_all $one $n_done" | awk -v hit=$n_hit -v starts=$n_starts -v kept=$kept -v again=$again '{printf \
    "kill_ranks: '"$verb"': %d kills in %d starts, %d runs completed, the same content; %.1f CPU seconds for each, %.1f left alone; finished files kept %d, done again %d\n",
    hit, starts, $4, ($1 - $2) / $4, $3, kept, again}'
[ $n_stuck -eq 0 ] || echo "kill_ranks: mpirun had to be ended $n_stuck times although its ranks were gone"
