#!/bin/sh
# The events of runs over ranks: merged they sum up to the manifests, the trace keeps the rules of its format; a log that was cut, or
# that cannot be written, changes no content.
#   tests/events.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/lib.sh"
cd "$tmp"
ranks=1 launch=
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ranks=3 launch="mpirun -q -n 3"
    export ASAN_OPTIONS=detect_leaks=0 # Open MPI unloads its plugins, so that what they leaked has no name to suppress
fi

mkdir crawl
mkcrawl -n 200 -f 4 crawl >/dev/null
with="--events run/events"
# shellcheck disable=SC2086
for verb in "ingest -o run/docs --inputs-per-part 1 --keep-lang en,zh $with crawl" "dedup -o run/unique $with run/docs" \
    "filter -o run/clean $with run/unique" "remix -o run/mixed $with run/clean"; do
    $launch tamis ${verb%% *} -q -j 1 ${verb#* } || fail "tamis ${verb%% *}: status $?"
done
check_events run

# --- the table
tamis events run >table
for stage in ingest sign dedup filter remix; do
    read -r parts _ <<END
$(sed -n "s/^$stage  *//p" table | head -n 1)
END
    [ "$parts" = 4 ] || fail "the table has $parts parts of $stage: $(cat table)"
done
grep -q "^dedup  *deliver  *exact  *" table || fail "no phase of the exchange: $(cat table)"
! grep -qE 'without an end|failed|damaged|not written' table || fail "$(head -n 3 table)"
# What a stage does not count (tokenize: bytes) is no 0.
mkdir unknown
for file in run/events/filter.*.jsonl; do sed 's/"bytes_in":[0-9]*,//' "$file" >"unknown/${file##*/}"; done
[ "$(awk '$1 == "filter" {print $9}' table | head -n 1)" != - ] || fail "no rate of a stage that counts its bytes: $(cat table)"
[ "$(tamis events unknown | awk '$1 == "filter" {print $9}' | head -n 1)" = - ] || fail "a rate of nothing: $(tamis events unknown)"

# --- the trace
tamis events -q -p trace.json run
parts=$(cat run/events/*.jsonl | grep -c '^{"event":"part"')
n=$(find run/events -name '*.jsonl' | wc -l)
if command -v python3 >/dev/null 2>&1; then
    python3 "$here/trace_rules.py" trace.json "$n" "$parts" "map sign" "deliver exact" "ingest part 3" || fail "the trace breaks a rule"
    # The rules see an end too few, time going back, and a track without a name.
    sed '0,/"ph":"E"/{/"ph":"E"/d}' trace.json >broken.json
    ! python3 "$here/trace_rules.py" broken.json "$n" "$parts" 2>/dev/null || fail "an end too few passes"
    sed '0,/"ph":"E"/s/\("ph":"E".*"ts":\)[0-9.]*/\10/' trace.json >broken.json
    ! python3 "$here/trace_rules.py" broken.json "$n" "$parts" 2>/dev/null || fail "time going back passes"
    sed '/"thread_name"/d' trace.json >broken.json
    ! python3 "$here/trace_rules.py" broken.json "$n" "$parts" 2>/dev/null || fail "a track without a name passes"
fi

# --- clocks: every rank wrote down the same collective calls
if [ $ranks -gt 1 ]; then
    for f in run/events/dedup.*; do sed -n 's/.*"barrier".*"n":\([0-9]*\).*/\1/p' "$f" | tr '\n' ' ' && echo; done | sort | uniq -c >barriers
    [ "$(sed 's/^ *\([0-9]*\) 1 2 3 .*/\1/' barriers)" = $ranks ] || fail "the ranks wrote down other barriers: $(cat barriers)"
fi

# --- a process that was killed: its last line is torn, the others are read
first=$(find run/events -name 'ingest.*' | sort | head -n 1)
size=$(($(wc -c <"$first") - 200))
head -c $size "$first" >cut.jsonl
mv cut.jsonl "$first"
tamis events run >table
grep -q '1 without an end' table || fail "the cut file: $(head -n 3 table)"
grep -q '^1 damaged lines' table || fail "the cut file: $(head -n 3 table)"

# --- no content depends on events, nor does the job on a place for them
echo >file
# shellcheck disable=SC2086
$launch tamis ingest -q -j 1 -o other/docs --inputs-per-part 1 --keep-lang en,zh --events file/events crawl 2>said ||
    fail "events without a place: status $?"
[ "$(grep -c 'no more events' said)" -eq 1 ] || fail "events without a place: $(cat said)"
[ "$(last_field run/docs/manifest.json content)" = "$(last_field other/docs/manifest.json content)" ] || fail "the content differs"
status=0
tamis events other 2>said || status=$?
[ $status -eq 1 ] || fail "a directory without events: status $status"
echo "events: $n files of $ranks ranks, $(grep -c ph trace.json) trace events"
