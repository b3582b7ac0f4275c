#!/bin/sh
# Equal content of everything that deduplicates: ranks {1, 2, 3, 4} x threads {1, 2, 7} x budgets x shuffled orders of the inputs.
#   bench/dedup_equal.sh BIN_DIR [all]
# For each set of options every number of ranks with every number of threads, the budget and the order of inputs in turn; with `all` each
# of these with both budgets. What is compared: the content of the views, their documents, the members of their clusters; of an index, into
# which three dumps come in one call and three in a second, what is in it too; of rates, what they print. Then dump after dump through an index
# against all at once. Prints a table; status 1 where something differs.
# A few thousand documents in six dumps, as dedup_data.sh makes them (TAMIS_RECRAWLS: of real pages). Two to three minutes on two cores, `all`
# twice that.
# shellcheck disable=SC2015,SC2016,SC2046,SC2086,SC2317 # lists of words; code spans; functions called by name
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
all=${2:-}
. "$here/../tests/lib.sh"
. "$here/dedup_data.sh"
cd "$tmp"
tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1 || fail "this needs MPI"

dump_files files 6 600 0.6
n=0
for file in files/*; do
    n=$((n + 1))
    case $file in *.zst) zstdcat "$file" ;; *) cat "$file" ;; esac | awk 'NR <= 400' >dump-$n.jsonl
    tamis ingest -q --no-alarm --dump "DUMP-$n" -o "docs-$n" "dump-$n.jsonl"
done
n_docs=$(cat dump-?.jsonl | wc -l)
mb=$(cat dump-?.jsonl | wc -c | awk '{ printf "%.1f", $1 / 1e6 }')
echo "$n_docs documents of $n dumps, $mb MB of lines"
echo
echo '| what | runs | content | documents |'
echo '|---|---|---|---|'

bad=0
row() { echo "| $1 | $2 | $3 | $4 |"; }
shuffled() { # TURN N...: the numbers in another order
    turn=$(($1 % 4))
    shift
    case $turn in
    0) echo "$*" ;;
    1) echo "$*" | tr ' ' '\n' | sort -rn | tr '\n' ' ' ;;
    2) echo "$2 $3 $1${4:+ $5 $6 $4}" ;;
    3) echo "${4:+$6 }$3 $1 ${4:+$4 $5 }$2" ;;
    esac
}
inputs() { for i in $(shuffled "$@"); do printf 'docs-%s ' "$i"; done; }
said_of() { # VIEW: its content, its documents, its clusters if it has some
    last_field "$1/manifest.json" content
    tamis docs cat "$1" | cksum
    [ ! -d "$1/clusters" ] || tamis dedup clusters --members "$1" | cksum
}

# One run of each kind, into out/: what it says goes to `said`.
plain() { # COMMAND...
    $run "$@" -q --no-alarm $how -o out/view $(inputs "$turn" 1 2 3 4 5 6) && said_of out/view >said
}
indexed() {
    $run tamis dedup -q --no-alarm $how --index out/index -o out/first $(inputs "$turn" 1 2 3) &&
        $run tamis dedup -q --no-alarm $how --index out/index -o out/second $(inputs "$turn" 4 5 6) &&
        { said_of out/first && said_of out/second && tamis dedup index out/index | grep '^holds' && cat out/index/docs/*.cols | cksum; } >said
}
rates() { $run tamis dedup rates -q --json --at 1,2,4 $how -o out/view $(inputs "$turn" 1 2 3 4 5 6) >said; }

compare() { # NAME SMALL KIND [COMMAND...]
    name=$1 small=$2
    shift 2
    runs=0 differing='' turn=0
    rm -f want
    for ranks in 1 2 3 4; do
        for threads in 1 2 7; do
            for budget in $small 1G; do
                [ "$all" = all ] || { [ $((turn % 2)) -eq 0 ] && [ "$budget" != 1G ]; } || { [ $((turn % 2)) -eq 1 ] && [ "$budget" = 1G ]; } || continue
                run="mpirun -q -n $ranks" how="-j $threads --memory $budget"
                rm -rf out
                mkdir out
                "$@" 2>log || echo "status $?: $(cat log)" >said
                [ -f want ] || cp said want
                cmp -s said want || differing="$differing, $ranks ranks $threads threads $budget order $turn ($(head -n 1 said))"
                runs=$((runs + 1))
            done
            turn=$((turn + 1))
        done
    done
    [ -z "$differing" ] || bad=1
    row "$name" $runs "${differing:-all alike: $(head -n 1 want | cut -c 1-16)}" "$(cat out/*/manifest.json 2>/dev/null | grep -o '"n_docs":[0-9]*' | awk -F: '{ n += $2 } END { print n ? n : "-" }')"
}

# The files themselves, put into a directory in other orders. (Named one by one they are read in the order given: parts are of consecutive inputs.)
differing=''
for turn in 0 1 2 3; do
    rm -rf out in
    mkdir in
    for i in $(shuffled $turn 1 2 3 4 5 6); do cp dump-$i.jsonl in; done
    tamis ingest -q --no-alarm --inputs-per-part 2 -o out in
    said_of out >said
    [ $turn -gt 0 ] || cp said want
    cmp -s said want || differing="$differing, order $turn"
done
[ -z "$differing" ] || bad=1
row '`ingest` of a directory' 4 "${differing:-all alike: $(head -n 1 want | cut -c 1-16)}" "$(field out/manifest.json n_docs)"

compare '`dedup`' 120M plain tamis dedup
compare '`dedup --url --keep latest,longest --scope window:3`' 120M plain tamis dedup --url --keep latest,longest --scope window:3
compare '`dedup --aggressive`' 120M plain tamis dedup --aggressive
compare '`dedup --index`, twice' 120M indexed
compare '`dedup lines`' 8M plain tamis dedup lines
compare '`dedup spans`' 8M plain tamis dedup spans
compare '`dedup substrings`' 8M plain tamis dedup substrings
compare '`dedup rates`' 120M rates

# Dump after dump against all at once: equal texts always alike; the others where what is dropped shares a band with what is kept for it.
ids() { tamis docs cat "$@" | sed 's/^{"id":"\([^"]*\)".*/\1/' | sort; }
incremental() { # NAME MUST OPTION...
    name=$1 must=$2
    shift 2
    rm -rf out
    mkdir out
    for i in 1 2 3 4 5 6; do
        tamis dedup -q --no-alarm "$@" --index out/index -o out/by-$i docs-$i
        ids out/by-$i
    done | sort >by
    tamis dedup -q --no-alarm "$@" -o out/view docs-?
    ids out/view >once
    differ=$(comm -3 by once | wc -l)
    verdict="$differ documents differ of $(wc -l <by) and $(wc -l <once) kept"
    [ "$differ" -eq 0 ] || [ "$must" = may ] || { bad=1 && verdict="DIFFERS: $verdict"; }
    row "$name" 7 "$verdict" "$(wc -l <by)"
}
incremental 'dump after dump, `--exact-only`' must --exact-only
incremental 'dump after dump, `dedup`' may
if sh "$here/../tests/dedup_index.sh" "$BIN" >log 2>&1; then verdict='as documented'; else verdict="FAILED: $(tail -n 1 log)" bad=1; fi
row 'where dump after dump may differ: `tests/dedup_index.sh`' 1 "$verdict" '-'
exit $bad
