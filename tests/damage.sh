#!/bin/sh
# Parts whose input is damaged: the others are done, the verb ends with status 4 and names them, a rerun leaves them alone until the
# input's file is mended; by one process, by tasks, by two ranks. The content is then that of a run that never met damage.
#   tests/damage.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

mkdir crawl
mkcrawl -n 600 -f 6 crawl >/dev/null
tamis ingest -q -j 1 --inputs-per-part 1 -o docs crawl
tamis dedup -q -j 1 -o unique docs
tamis filter -q -j 1 -o want unique
want=$(last_field want/manifest.json content)
status_is() { # WANTED COMMAND...
    wanted=$1
    shift
    got=0
    "$@" >out 2>err || got=$?
    [ $got -eq "$wanted" ] || fail "status $got, not $wanted: $* ($(cat err))"
}
parts_in() { find "$1" -name 'part-*.cols' | wc -l; }
complete() { [ "$(last_field "$1/manifest.json" content)" = "$want" ] || fail "$1: another content"; [ ! -e "$1/leases" ] || fail "$1: leases stay"; }
# One byte in the middle of a part, and in the columns of the view above another; mend puts back what was there.
damage() {
    for file in docs/part-000001.jsonl.zst unique/part-000003.dedup.cols; do
        cp "$file" "$(basename "$file").good"
        size=$(wc -c <"$file")
        printf '\377\376\375' | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
    done
}
mend() { for file in docs/part-000001.jsonl.zst unique/part-000003.dedup.cols; do cp "$(basename "$file").good" "$file"; done; }
names_both() {
    grep -q "$1: 2 parts are damaged: 1 (unique part 1), 3 (unique part 3); part 1: .*docs/part-000001" err || fail "$1: it says: $(cat err)"
    [ "$(parts_in "$1")" -eq 4 ] || fail "$1: $(parts_in "$1") parts of 6"
    [ ! -e "$1/manifest.json" ] || fail "$1: a manifest in spite of damage"
}

damage
status_is 4 tamis filter -q -j 2 -o one unique
names_both one
[ "$(grep -c 'is damaged: ' err)" -eq 2 ] || fail "each damaged part is told of once: $(cat err)"
status_is 1 tamis status one
grep -q '^one: filter, 4 of 6 parts done, 0 running, 0 missing, 0 set aside, 2 damaged$' out &&
    grep -q '^  damaged  part 1: unique part 1: .*docs/part-000001' out &&
    grep -q '^  damaged  part 3: unique part 3: .*unique/part-000003' out || fail "status: $(cat out)"
status_is 1 tamis status --json one
grep -q '"n_damaged":2,.*"damaged":\[{"part":1,"input":"unique part 1","message":".*docs/part-000001' out || fail "status --json: $(cat out)"
status_is 1 tamis commit -q one
grep -q '4 of 6 parts are there; damaged: 1 (unique part 1), 3 (unique part 3)' err || fail "commit: $(cat err)"
status_is 4 tamis filter -q -j 2 -o one unique
names_both one
! grep -q 'is damaged: ' err || fail "a rerun tried again: $(cat err)"
status_is 4 tamis filter -q -j 2 --retry -o one unique
[ "$(grep -c 'is damaged: ' err)" -eq 2 ] || fail "--retry did not try: $(cat err)"

# An array: who has them in its share fails.
status=0
for i in 0 1 2; do tamis filter -q -j 1 -o tasks --task $i/3 unique 2>/dev/null || status=$?; done
[ $status -eq 4 ] && [ "$(parts_in tasks)" -eq 4 ] || fail "tasks: status $status, $(parts_in tasks) parts"

ranks=
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ranks=ranks
    ASAN_OPTIONS=detect_leaks=0 # Open MPI unloads its plugins, so that what they leaked has no name to suppress
    export ASAN_OPTIONS
    status_is 4 mpirun -q -n 2 tamis filter -q -j 1 -o ranks unique
    names_both ranks
fi

mend
for dir in one $ranks; do
    status_is 0 tamis filter -q -j 1 -o $dir unique
    complete $dir
done
status_is 0 tamis filter -q -j 1 -o tasks unique
complete tasks
echo "damage: one process, three tasks${ranks:+, two ranks}: named, left alone, mended: the same content"
