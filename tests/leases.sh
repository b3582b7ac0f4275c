#!/bin/sh
# Processes on one output directory: ranks that stop and that are killed, `tamis status` while they work, two jobs started by mistake, also
# when one is killed, and launchers whose tasks do not find each other. The content is always that of one process left alone.
#   tests/leases.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

mkdir crawl
mkcrawl -n 1200 -f 8 crawl >/dev/null
ingest() { dir=$1; shift; tamis ingest -q -j 1 --inputs-per-part 1 -o "$dir" "$@" crawl; }
content() { last_field "$1/manifest.json" content; }
ingest alone || fail "ingest alone: status $?"
want=$(content alone)
same() { # DIR: complete, alike, and nothing left behind
    [ "$(content "$1")" = "$want" ] || fail "$1: content $(content "$1"), not $want"
    [ ! -e "$1/leases" ] || fail "$1: leases stay: $(ls "$1/leases")"
}
# Until process PID holds a lease in DIR, or JOB has ended.
await_lease() { # DIR PID JOB
    until grep -q "\.$2\." "$1"/leases/part-?????? 2>/dev/null; do
        kill -0 "$3" 2>/dev/null || fail "$1: over before a part was seen: $(cat log)"
        sleep 0.005
    done
}

# --- status: what a stopped process was at is shown by name and part; 1 while incomplete, 0 then
status=0
tamis status nowhere >out 2>log || status=$?
[ $status -eq 3 ] || fail "status of nothing: $status"
tamis ingest -q -j 1 --inputs-per-part 1 -o one crawl 2>log &
pid=$!
await_lease one $pid $pid
kill -STOP $pid
status=0
tamis status one >out 2>log || status=$?
[ $status -eq 1 ] || fail "status of a running job: $status, $(cat log)"
grep -q '^one: ingest, [0-7] of 8 parts done, [1-8] running,' out || fail "status: $(cat out)"
grep -q "running  part [0-7] on .* pid $pid for .*: crawl/made-0000[0-7]" out || fail "status: $(cat out)"
grep -q "process  .* pid $pid: alive, " out || fail "status: $(cat out)"
tamis status --json one >out || :
grep -q '^{"kind":"dataset","dir":"one","stage":"ingest","complete":false,"n_parts":8,' out || fail "status --json: $(cat out)"
grep -q '"input":"crawl/made-0000[0-7]' out || fail "status --json: $(cat out)"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null 2>&1; then # anybody who may read it
    chmod 755 "$tmp"
    setpriv --reuid=65534 --regid=65534 --clear-groups "$BIN/tamis" status one >other 2>log || :
    grep -q "process  .* pid $pid: alive, " other || fail "status as another user: $(cat other log)"
fi
kill -CONT $pid
wait $pid || fail "a process that was stopped: status $?"
same one
tamis status one >out || fail "status of a complete dataset: $?"
grep -q '^one: ingest, complete: 8 parts, ' out || fail "status: $(cat out)"

# --- a process of another host: nobody knows, until its heartbeat was watched
mkdir -p far/leases
cp one/stage.json far
beat() { echo "{\"host\":\"far\",\"pid\":7,\"beat\":$1,\"elapsed_s\":10,\"parts\":2,\"bytes\":9000000}" >beat; mv beat far/leases/far.7.0badcafe; }
beat 1
printf 'far.7.0badcafe 1 crawl/x' >far/leases/part-000003
status_of() { # EXPIRY OPTION...
    expiry=$1
    shift
    TAMIS_LEASE_SECONDS=$expiry tamis status "$@" far >out 2>log || [ $? -eq 1 ] || fail "status of another host's job: $(cat log)"
}
status_of 60
grep -q ' 1 running, 7 missing' out && grep -q 'running  part 3 on far' out && grep -q 'far pid 7: unknown' out &&
    grep -q '^  rate ' out && ! grep -q ' left$' out || fail "status of another host's job: $(cat out)"
status_of 1 -w
grep -q ' 0 running, 8 missing' out && grep -q 'dead     part 3 on far' out && grep -q 'far pid 7: dead' out &&
    ! grep -q '^  rate ' out || fail "status --wait of another host's job that died: $(cat out)"
status_of 1 -w --json
grep -q '"n_running":0,"n_missing":8,' out && grep -q '"running":\[\]' out && ! grep -q eta_s out || fail "status --json: $(cat out)"
(sleep 0.3; beat 2) &
status_of 60 -w
wait $!
grep -q 'far pid 7: alive' out && grep -q ' left$' out || fail "status --wait of another host's job: $(cat out)"

# --- two jobs on one directory; the same with other parameters is refused, also with --force
tamis ingest -q -j 1 --inputs-per-part 1 --events events -o two crawl 2>log &
pid=$!
await_lease two $pid $pid
kill -STOP $pid
status=0
ingest two --keep-lang en 2>out || status=$?
[ $status -eq 4 ] || fail "a second job with other parameters: status $status, $(cat out)"
status=0
ingest two --keep-lang en --force 2>out || status=$?
[ $status -eq 4 ] || fail "a second job with --force: status $status, $(cat out)"
grep -q 'at work here' out || fail "a second job with --force: $(cat out)"
tamis ingest -q -j 1 --inputs-per-part 1 --events events -o two crawl 2>out &
second=$!
await_lease two $second $second
kill -CONT $pid
wait $pid || fail "the first of two jobs: status $?, $(cat log)"
wait $second || fail "the second of two jobs: status $?, $(cat out)"
same two
for p in $pid $second; do
    grep -q '"event":"part"' events/*."$p".jsonl || fail "one of two jobs did nothing: $(ls events)"
done
n=$(cat events/*.jsonl | grep -c '"event":"part"')
[ "$n" -eq 8 ] || fail "two jobs did $n parts of 8"

# --- two jobs of which one is killed, at a part that the other had planned to do
tamis ingest -q -j 1 --inputs-per-part 1 -o three crawl 2>log &
pid=$!
await_lease three $pid $pid
kill -STOP $pid
tamis ingest -q -j 1 --inputs-per-part 1 -o three crawl 2>out &
second=$!
await_lease three $second $second
kill -STOP $second
kill -CONT $pid
until grep -q "\.$pid\." three/leases/part-00000[3-7] 2>/dev/null; do
    kill -0 $pid 2>/dev/null || fail "three: over before a part was seen: $(cat log)"
done
kill -9 $pid
wait $pid || :
tamis status three >shown || :
grep -q "pid $pid: dead" shown && ! grep -q "running .* pid $pid " shown || fail "status of a killed job: $(cat shown)"
kill -CONT $second
i=0
while kill -0 $second 2>/dev/null; do
    i=$((i + 1))
    [ $i -lt 400 ] || { kill -9 $second; fail "the second of two jobs waits for the first, which was killed: $(tamis status three)"; }
    sleep 0.05
done
wait $second || fail "the second of two jobs, when the first was killed: status $?, $(cat out)"
same three

# --- dedup while it signs, in a directory of its own: seen at work too
tamis dedup -q -j 1 -o signing alone 2>log &
pid=$!
await_lease signing/sign $pid $pid
kill -STOP $pid
status=0
tamis dedup -q --force --shingle 4 -o signing alone 2>out || status=$?
[ $status -eq 4 ] && grep -q 'at work here' out || fail "--force while another dedup signs: status $status, $(cat out)"
kill -CONT $pid
wait $pid || fail "dedup that was stopped: status $?, $(cat log)"

# --- dedup while it clusters, before it has parts: seen at work too
i=0
while :; do
    i=$((i + 1))
    [ $i -lt 30 ] || fail "dedup was never seen clustering"
    rm -rf near
    tamis dedup -q -o near alone 2>log &
    pid=$!
    until grep -qs '"role":"clustering"' near/leases/*; do kill -0 $pid 2>/dev/null || break; done
    kill -STOP $pid 2>/dev/null || { wait $pid || fail "dedup: status $?, $(cat log)"; continue; }
    ! grep -qs '"role":"clustering"' near/leases/* || break
    kill -CONT $pid
    wait $pid || fail "dedup: status $?, $(cat log)"
done
tamis status near >out || :
grep -q " pid $pid (clustering): alive" out || fail "status of dedup: $(cat out)"
status=0
tamis dedup -q --force --shingle 4 -o near alone 2>out || status=$?
[ $status -eq 4 ] && grep -q 'at work here' out || fail "a second dedup with --force: status $status, $(cat out)"
kill -CONT $pid
wait $pid || fail "dedup that was stopped: status $?, $(cat log)"

# --- tokenize likewise
tamis bpe -q -o near.json --vocab-size 400 alone
i=0
while :; do
    i=$((i + 1))
    [ $i -lt 30 ] || fail "tokenize was never seen at work"
    rm -rf near
    tamis tokenize -q -t near.json -o near alone 2>log &
    pid=$!
    until grep -qs '"role":"tokenizing"' near/leases/*; do kill -0 $pid 2>/dev/null || break; done
    kill -STOP $pid 2>/dev/null || { wait $pid || fail "tokenize: status $?, $(cat log)"; continue; }
    ! grep -qs '"role":"tokenizing"' near/leases/* || break
    kill -CONT $pid
    wait $pid || fail "tokenize: status $?, $(cat log)"
done
status=0
tamis tokenize -q --force --shards 2 -t near.json -o near alone 2>out || status=$?
[ $status -eq 4 ] && grep -q 'at work here' out || fail "a second tokenize with --force: status $status, $(cat out)"
kill -CONT $pid
wait $pid || fail "tokenize that was stopped: status $?, $(cat log)"

# --- a launcher whose tasks do not find each other: none of them may work as if it were alone
export ASAN_OPTIONS=detect_leaks=0 # Open MPI unloads its plugins, so that what they leaked has no name to suppress
tamis filter -q -o clean alone
tamis remix -q -o mixed clean
tamis bpe -q -o t.json --vocab-size 400 mixed
for verb in "ingest -o m1 crawl" "filter -o m2 alone" "remix -o m3 clean" "dedup -o m4 alone" "bpe -o m5 mixed" \
    "tokenize -o m6 -t t.json mixed"; do
    for launcher in "SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=1" PMI_SIZE=3; do
        case $launcher$verb in PMI*filter* | PMI*dedup* | SLURM*) ;; *) continue ;; esac
        status=0
        # shellcheck disable=SC2086
        env $launcher tamis $verb >out 2>log || status=$?
        [ $status -eq 2 ] || fail "$launcher tamis $verb: status $status, $(cat log)"
        grep -q 'announces 3 tasks but MPI sees one\|not of 3 under a launcher' log || fail "$launcher tamis $verb: $(cat log)"
    done
done
for dir in m1 m2 m3 m4 m5 m6; do [ ! -e $dir ] || fail "$dir was written"; done

# --- ranks: one stops for longer than the expiry, one is killed
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    export TAMIS_LEASE_SECONDS=1
    ranks() { # DIR: three ranks in the background, their pids in pid.RANK
        rm -f pid.*
        # shellcheck disable=SC2016
        mpirun -q -n 3 sh -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec "$@"' sh \
            tamis ingest -q -j 1 --inputs-per-part 1 -o "$1" crawl >log 2>&1 &
        job=$!
        until [ -s pid.1 ]; do sleep 0.01; done
        await_lease "$1" "$(cat pid.1)" $job
    }
    ranks stopped
    kill -STOP "$(cat pid.1)" || fail "over before a rank was stopped"
    i=0 # its parts are done by the others
    until [ "$(find stopped -name 'part-*.zst' | wc -l)" -eq 8 ]; do
        i=$((i + 1))
        [ $i -lt 3000 ] || fail "nobody took over from the rank that was stopped: $(tamis status stopped)"
        sleep 0.01
    done
    kill -CONT "$(cat pid.1)" || :
    wait $job || fail "ranks of which one was stopped: status $?, $(cat log)"
    same stopped

    ranks killed
    kill -9 "$(cat pid.1)" 2>/dev/null || :
    ! wait $job || [ -f killed/manifest.json ] || fail "ranks of which one was killed ended well with parts missing"
    ingest killed 2>log || fail "after a rank was killed: status $?, $(cat log)"
    same killed
    echo "leases: status, two jobs, one killed, dedup, 6 verbs under mismatched launchers, ranks stopped and killed: the same content"
else
    echo "leases: status, two jobs, one killed, dedup, 6 verbs under mismatched launchers: the same content; no MPI here"
fi
