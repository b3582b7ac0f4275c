#!/bin/sh
# `tamis run --slurm` on a real Slurm, started here on pretended nodes: the same content as `tamis run` alone while a task of an
# array is killed, a job is requeued and others are told that their time is up. Needs root, munged, slurmctld and slurmd.
#   tests/slurm.sh BIN_DIR           as far as dedup, with faults
#   tests/slurm.sh BIN_DIR long      the whole chain, mpirun in place of srun, a time limit of a minute that is met; five minutes
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
if [ "${2:-}" = long ]; then long=yes last=train; else long='' last=dedup; fi
[ "$(id -u)" -eq 0 ] || { echo "skipped: slurmctld and slurmd run as root here"; exit 77; }
PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd sbatch srun; do
    command -v $program >/dev/null 2>&1 || { echo "skipped: no $program (Debian: slurm-wlm, munge)"; exit 77; }
done
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"
export ASAN_OPTIONS=detect_leaks=0 # Open MPI unloads its plugins, so that what they leaked has no name to suppress

# --- a cluster of three nodes in this directory
pids() { cat cluster/*.pid 2>/dev/null || :; }
stop_cluster() {
    [ ! -f cluster/slurm.conf ] || scancel -u root 2>/dev/null || :
    for pid in $(pids); do kill "$pid" 2>/dev/null || :; done
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        alive=
        for pid in $(pids); do ! kill -0 "$pid" 2>/dev/null || alive=yes; done
        [ -n "$alive" ] || break
        sleep 0.2
    done
    rm -rf "$tmp"
}
trap stop_cluster EXIT

start_cluster() {
    c=$tmp/cluster
    host=$(hostname -s)
    port=$((20000 + $$ % 20000))
    mkdir -p "$c/state" "$c/log"
    for n in 1 2 3; do mkdir -p "$c/spool/n$n" "$c/tmp/n$n"; done
    head -c 1024 /dev/urandom >"$c/key"
    chmod 400 "$c/key"
    munged --force --key-file="$c/key" --socket="$c/munge" --pid-file="$c/munged.pid" --log-file="$c/log/munged" --seed-file="$c/seed" 2>/dev/null ||
        skip "munged does not start here"
    # A requeued job waits for its old credential to expire. A node's TmpFS is its own: PMIx keeps its sockets there. SchedulerParameters: what was submitted runs at once.
    cat >"$c/slurm.conf" <<CONF
ClusterName=tamis
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$c/munge,cred_expire=5
SlurmctldPort=$port
SlurmctldPidFile=$c/slurmctld.pid
SlurmdPidFile=$c/%n.pid
SlurmctldLogFile=$c/log/slurmctld
SlurmdLogFile=$c/log/%n
StateSaveLocation=$c/state
SlurmdSpoolDir=$c/spool/%n
TmpFS=$c/tmp/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,max_sched_time=1
SlurmdParameters=config_overrides
SwitchType=switch/none
MailProg=/bin/true
ReturnToService=2
KillWait=5
MaxArraySize=4
CONF
    for n in 1 2 3; do
        echo "NodeName=n$n NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + n)) CPUs=4 RealMemory=8000" >>"$c/slurm.conf"
    done
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP" >>"$c/slurm.conf"
    SLURM_CONF=$c/slurm.conf
    export SLURM_CONF
    slurmctld -i -f "$SLURM_CONF" || skip "slurmctld does not start here: $(tail -n 1 "$c/log/slurmctld")"
    for n in 1 2 3; do slurmd -N n$n -f "$SLURM_CONF" || skip "slurmd does not start here: $(tail -n 1 "$c/log/n$n")"; done
    for _ in $(seq 300); do
        [ "$(sinfo --noheader --format='%t %D' 2>/dev/null)" != "idle 3" ] || return 0
        sleep 0.1
    done
    skip "the nodes do not come up here: $(sinfo 2>&1)"
}

# --- jobs of a run
id_of() { sed -n "s/^{\"name\":\"$2\",\"id\":\([0-9]*\),.*/\1/p" "$1/slurm/jobs.json" | tail -n 1; }
state_of() { squeue --noheader --format=%t --jobs="$1" 2>/dev/null | head -n 1; }
until_state() { # ID STATE: no longer than a minute
    for _ in $(seq 1200); do
        [ "$(state_of "$1")" != "$2" ] || return 0
        sleep 0.05
    done
    fail "job $1 is never $2: $(squeue 2>&1; tail -n 20 run*/slurm/log/* 2>&1)"
}
until_over() { # RUN SECONDS
    for _ in $(seq $(($2 * 10))); do
        [ -n "$(squeue --noheader 2>/dev/null)" ] || return 0
        sleep 0.1
    done
    fail "$1: still queued: $(squeue 2>&1; tail -n 20 "$1"/slurm/log/* 2>&1)"
}
until_said() { # RUN LOG: its script runs
    for _ in $(seq 1200); do
        ! grep -q '^== ' "$1/slurm/log/$2.log" 2>/dev/null || return 0
        sleep 0.05
    done
    fail "$2 never runs: $(squeue 2>&1; tail -n 20 "$1"/slurm/log/* 2>&1)"
}
said() { cat "$1"/slurm/log/"$2".*; }
same() { # RUN
    contents "$1" >have
    diff want have || fail "$1: another content: $(tail -n 5 "$1"/slurm/log/* 2>&1)"
    check_sums "$1"
    [ -s "$1/report.html" ] || fail "$1: no report"
}

mkdir crawl
mkcrawl -n 120 -f 6 -b crawl >/dev/null
cat >alone.yaml <<'RECIPE'
threads: 1
ingest: {keep-lang: "en,zh", inputs-per-part: 1}
bpe: {vocab-size: 600}
train: {config: {preset: tiny, layers: 1, d_model: 64, heads: 2, kv_heads: 1, head_dim: 32, ffn: 128, context: 64, batch: 8, steps: 12}}
RECIPE
cat alone.yaml - >slurm.yaml <<'RECIPE'
slurm:
  mem: 500
  time: 10
  jitter: 3
  retries: 2
  requeues: 3
  sbatch: ["--comment='not for a shell: $(touch touched) `touch touched`'"]
  ingest: {tasks: 6}
  dedup: {nodes: 2, tasks: 3}
  filter: {tasks: 2}
  remix: {tasks: 2}
  bpe: {tasks: 2}
  tokenize: {tasks: 2, nodes: 2}
RECIPE
tamis run -q --until $last -o alone alone.yaml crawl 2>said >/dev/null || fail "tamis run: $(cat said)"
contents alone >want
start_cluster

# 1. In a directory that needs quotes: tasks killed, one late, jobs requeued.
run="run 'one' 100%"
tamis run -q --slurm --until $last -o "$run" slurm.yaml crawl || fail "tamis run --slurm: status $?"
array=$(id_of "$run" ingest)
[ "$(grep -c '"name":"ingest"' "$run/slurm/jobs.json")" -eq 2 ] || fail "six tasks are not two arrays of at most four"
status=0
tamis run -q --slurm --until $last -o "$run" slurm.yaml crawl 2>refused || status=$?
{ [ $status -eq 3 ] && grep -q 'is queued or runs' refused; } || fail "submitted twice: status $status, $(cat refused)"
# Task 5 is the second one of the second array; it and task 1 wait for their moment within three seconds of jitter.
until_said "$run" "ingest.$((array - 1))_1"
until_said "$run" "ingest.${array}_1"
scancel --signal=USR1 --batch "$((array - 1))_1"
scancel --signal=KILL --batch "${array}_1"
dedup=$(id_of "$run" dedup)
until_state "$dedup" R
scontrol requeue "$dedup"
if [ -n "$long" ]; then
    tokenize=$(id_of "$run" tokenize)
    until_said "$run" "tokenize.$tokenize"
    sleep 0.5
    scancel --signal=USR1 --batch "$tokenize"
fi
until_over "$run" 60
same "$run"
[ ! -e touched ] || fail "a recipe's word was run by a shell"
said "$run" commit-ingest >log
grep -q 'ingest: once more the tasks 5 of 6' log || fail "what was killed is not what was done again: $(cat log)"
said "$run" ingest | grep -q 'ingest.1: stopped ahead of the time limit; requeued' || fail "task 1 was not told: $(said "$run" ingest)"
retried=$(find "$run/slurm/log" -name "ingest.*_*.log" | grep -vc -e "\.$((array - 1))_" -e "\.${array}_") || :
[ "$retried" -eq 1 ] || fail "$retried tasks were done again"
said "$run" dedup | grep -q '^== dedup.* restart 1' || fail "dedup was not requeued: $(said "$run" dedup)"
echo "slurm: a task killed, one late, a job requeued: the same content"
[ -n "$long" ] || exit 0
# A signal that meets srun before the ranks are there is lost; then the job has just ended well.
echo "slurm: tokenize under srun, told at its start: $(said "$run" tokenize | grep -c '^== ') starts"

# 2. Again over what is there: every array is one job that finds nothing to do. Then parts are lost behind the manifest's back.
tamis run -q --slurm --until $last -o "$run" slurm.yaml crawl || fail "tamis run --slurm again: status $?"
! grep -q commit- "$run/slurm/jobs.json" || fail "arrays for complete stages"
until_over "$run" 60
same "$run"

# 3. A task that fails each time: named, and nothing behind it runs.
mkdir bad
cp crawl/made-00000.warc.gz bad
ln -s missing.warc.gz bad/zz.warc.gz
sed 's/retries: 2/retries: 1/; s/ingest: {tasks: 6}/ingest: {tasks: 2}/; s/jitter: 3/jitter: 0/' slurm.yaml >bad.yaml
tamis run -q --slurm -o bad.run bad.yaml bad/made-00000.warc.gz bad/zz.warc.gz 2>refused && until_over bad.run 60
said bad.run commit-ingest >log || fail "no log: $(cat refused)"
grep -q 'ingest: .*not done' log || fail "not said what is missing: $(cat log)"
[ ! -e bad.run/unique ] || fail "dedup ran behind a failed stage"

# 4. mpirun inside the allocation, and an srun that makes every task believe it is alone.
sed 's/mem: 500/mem: 500\n  mpi: mpirun/' slurm.yaml >mpirun.yaml
rm -rf "$run/unique" "$run/tokens"
tamis run -q --slurm --until $last -o "$run" mpirun.yaml crawl || fail "tamis run --slurm with mpirun: status $?"
until_over "$run" 60
same "$run"
status=0
srun --mpi=none -n 2 --mem=100 "$BIN/tamis" dedup -o mismatched "$run/docs" >out 2>&1 || status=$?
{ [ $status -ne 0 ] && [ ! -e mismatched/manifest.json ]; } || fail "a mismatched srun ends with $status: $(cat out)"

# 5. Cancelled while it runs: nothing comes back.
rm -rf "$run/unique"
tamis run -q --slurm --until dedup -o "$run" slurm.yaml crawl || fail "tamis run --slurm to be cancelled: status $?"
dedup=$(id_of "$run" dedup)
until_said "$run" "dedup.$dedup"
sleep 0.5
scancel "$dedup"
until_over "$run" 30
! said "$run" dedup | grep -q requeued || fail "what was cancelled came back: $(said "$run" dedup)"
[ ! -e "$run/unique/manifest.json" ] || echo "slurm: dedup was over before it was cancelled"

# 6. Without MPI: dedup and tokenize as arrays of shares, round after round.
sed 's/mem: 500/mem: 500\n  mpi: none/' slurm.yaml >none.yaml
rm -rf "$run/unique" "$run/tokens"
tamis run -q --slurm --until tokenize -o "$run" none.yaml crawl || fail "tamis run --slurm without MPI: status $?"
until_over "$run" 240
contents "$run" | grep -E '^(unique|tokens)' >have
grep -E '^(unique|tokens)' want | diff - have || fail "dedup and tokenize as arrays: $(tail -n 5 "$run"/slurm/log/*)"
for verb in dedup tokenize; do
    echo "slurm: $verb without MPI in $(find "$run/slurm/log" -name "commit-$verb.*" | wc -l) rounds"
done

# 7. A time limit of a minute, with the signal half a minute ahead of it, and a stage of more than that.
sed 's/time: 10/time: 10\n  warn: 30\n  train: {time: 1}/; s/steps: 12/steps: 3000/; s/requeues: 3/requeues: 20/' slurm.yaml >limit.yaml
tamis run -q --slurm -o limit limit.yaml crawl || fail "tamis run --slurm with a limit: status $?"
until_over limit 600
said limit train >log
grep -q 'stopped ahead of the time limit; requeued' log || fail "no limit was met: $(cat log)"
[ -s limit/report.html ] || fail "a limit: no report: $(tail -n 20 log)"
echo "slurm: a time limit met $(grep -c 'requeued' log) times: $(tail -n 1 log)"

# 8. An alarm ends the chain at its stage and is no failure to be tried again; --no-alarm goes on.
sed 's/^bpe:/filter: {alarm: {drop: [0.9, 1]}}\nbpe:/' slurm.yaml >alarm.yaml
tamis run -q --slurm --until remix -o alarmed alarm.yaml crawl || fail "tamis run --slurm with an alarm: status $?"
until_over alarmed 60
said alarmed commit-filter >log
grep -q 'alarm: .*clean: .*drop' log || fail "the alarm is not said: $(cat log)"
! grep -q 'once more' log || fail "tasks were done again for an alarm: $(cat log)"
[ ! -e alarmed/mixed ] || fail "remix ran behind an alarm"
tamis run -q --slurm --no-alarm --until remix -o alarmed alarm.yaml crawl || fail "tamis run --slurm --no-alarm: status $?"
until_over alarmed 60
[ -e alarmed/mixed/manifest.json ] || fail "--no-alarm does not go on: $(tail -n 5 alarmed/slurm/log/*)"
