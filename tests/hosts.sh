#!/bin/sh
# Three hosts under one mpirun: network namespaces on a bridge, a rank each. The exchange and dedup give the content that they
# give alone. Then the link of one host is cut in the middle: the job must end by itself, and a rerun complete.
#   tests/hosts.sh BIN_DIR
# Needs root, ip (Debian: iproute2), unshare, and a kernel that lets us make namespaces and bridges.
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
[ "$(id -u)" -eq 0 ] || { echo "skipped: network namespaces are made by root"; exit 77; }
PATH=$PATH:/usr/sbin:/sbin
for program in ip unshare mpirun; do
    command -v $program >/dev/null 2>&1 || { echo "skipped: no $program"; exit 77; }
done
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"
tamis --version | grep -q 'MPI [0-9]' || skip "a build without MPI"
export ASAN_OPTIONS=detect_leaks=0 # Open MPI unloads its plugins, so that what they leaked has no name to suppress

# --- the hosts: NS h1 h2 h3 of this test, 10.N.N.1 to .3 on a bridge of its own
id=$(($$ % 10000))
net=10.$((id / 200 + 100)).$((id % 200))
bridge=tb$id
ns() { echo "tamis$id-$1"; }
remove_hosts() {
    for i in 1 2 3; do
        for pid in $(ip netns pids "$(ns $i)" 2>/dev/null); do kill -9 "$pid" 2>/dev/null || :; done
        ip netns del "$(ns $i)" 2>/dev/null || :
    done
    ip link del $bridge 2>/dev/null || :
    rm -rf "$tmp"
}
trap remove_hosts EXIT
make_hosts() {
    ip link add $bridge type bridge && ip link set $bridge up || return 1
    for i in 1 2 3; do
        ip netns add "$(ns $i)" &&
            ip link add "v$id-$i" type veth peer name eth0 netns "$(ns $i)" &&
            ip link set "v$id-$i" master $bridge up &&
            ip -n "$(ns $i)" link set lo up &&
            ip -n "$(ns $i)" addr add "$net.$i/24" dev eth0 &&
            ip -n "$(ns $i)" link set eth0 up &&
            ip netns exec "$(ns $i)" sh -c 'echo 5 >/proc/sys/net/ipv4/tcp_retries2' || return 1
    done
}
make_hosts 2>made || skip "no namespaces or bridges here: $(tail -n 1 made)"

# What ssh would be: AGENT HOST COMMAND..., in the host's namespaces.
cat >agent <<AGENT
#!/bin/sh
i=\${1##*.}
shift
exec ip netns exec tamis$id-\$i unshare --uts sh -c "hostname host\$i; \$*"
AGENT
chmod +x agent

# Ranks wait for a host that vanished as long as the kernel repeats what it sent: a quarter of an hour unless tcp_retries2 is less, 13 s with
# the 5 of these hosts. mpirun's own connections are mostly idle, and then keepalive tells it sooner, and it ends the job: 300 s + 9 x 20 s as
# Open MPI has it, 2 s + 2 x 1 s here.
over_hosts() {
    ip netns exec "$(ns 1)" unshare --uts sh -c 'hostname host1; exec "$@"' sh \
        mpirun -q --mca plm rsh --mca plm_rsh_agent "$tmp/agent" --mca btl tcp,self \
        --mca btl_tcp_if_include "$net.0/24" --mca oob_tcp_if_include "$net.0/24" \
        --mca oob_tcp_keepalive_time 2 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 2 --mca mpi_yield_when_idle 1 --host "$net.1,$net.2,$net.3" -x PATH -x LC_ALL "$@"
}

over_hosts -n 3 hostname >names 2>said || skip "mpirun does not reach the hosts: $(tail -n 3 said)"
[ "$(sort -u names | wc -l)" -eq 3 ] || fail "not three hosts: $(cat names)"

# --- the same content
exchange() { sed -n 's/.* content \([0-9a-f]*\)$/\1/p'; }
arguments="20000 100 3 1 1 64 $tmp" # three keys, a budget of 1 MiB: by way of scratch
# shellcheck disable=SC2086
"$BIN/exchange_bench" $arguments >out 2>said || fail "exchange_bench: $(cat said)"
want=$(exchange <out)
# shellcheck disable=SC2086
over_hosts -n 3 "$BIN/exchange_bench" $arguments >out 2>said || fail "exchange_bench over hosts: status $?, $(cat said)"
{ [ -n "$want" ] && [ "$(exchange <out)" = "$want" ]; } || fail "the exchange over hosts: another content"
mkdir crawl
mkcrawl -n 900 -f 6 crawl >/dev/null
tamis ingest -q --inputs-per-part 1 -o docs crawl || fail "ingest: status $?"
tamis dedup -q -j 1 --memory 100M --aggressive --verify 0.5 -o alone docs || fail "dedup: status $?"
now() { date +%s.%N; }
dedup() { over_hosts -n 3 "$BIN/tamis" dedup -q -j 1 --memory 100M --aggressive --verify 0.5 -o "$1" docs >said 2>&1; }
begin=$(now)
dedup three || fail "dedup over hosts: status $?, $(cat said)"
whole=$(echo "$(now) $begin" | awk '{print $1 - $2}')
[ "$(verdicts three)" = "$(verdicts alone)" ] || fail "dedup over hosts: another content"
echo "hosts: exchange and dedup over three hosts, the same content"

# --- a host vanishes while dedup clusters, each time a little earlier should it have been too late
left() { for i in 1 2 3; do ip netns pids "$(ns $i)"; done; }
for share in 0.2 0.1 0.03 0; do
    rm -rf cut
    dedup cut &
    job=$!
    until [ -e cut/passes ] || [ -e cut/clusters/clusters.json ]; do
        kill -0 $job 2>/dev/null || fail "dedup over hosts is over before it clusters: $(cat said)"
        sleep 0.01
    done
    sleep "$(echo "$whole $share" | awk '{print $1 * $2}')"
    ip link set "v$id-2" down
    begin=$(now)
    (sleep 60 && kill -9 $job) >/dev/null 2>&1 & # a sleep that outlives us must not hold the output that the test runner reads
    watch=$!
    status=0
    wait $job || status=$?
    kill $watch 2>/dev/null || fail "a host vanished, and the job did not end within a minute: $(cat said)"
    took=$(echo "$(now) $begin" | awk '{print $1 - $2}')
    [ "$status" -eq 0 ] || [ -e cut/manifest.json ] || break # else only the farewell was cut off
    ip link set "v$id-2" up
done
[ "$status" -ne 0 ] || fail "dedup is always over before its host vanishes"
[ ! -e cut/manifest.json ] || fail "dedup is always complete before its host vanishes"
for _ in $(seq 100); do # what runs on the host that was cut off ends too
    [ -n "$(left)" ] || break
    sleep 0.1
done
[ -z "$(left)" ] || fail "processes stayed behind: $(left | xargs ps -o pid,args -p)"
ip link set "v$id-2" up
for _ in $(seq 20); do # until the hosts know one another again
    ! over_hosts -n 3 hostname >names 2>said || break
    sleep 0.5
done
dedup cut || fail "dedup again after a host vanished: status $?, $(cat said)"
[ "$(verdicts cut)" = "$(verdicts alone)" ] || fail "dedup again after a host vanished: another content"
echo "hosts: one cut off while dedup clusters: status $status after $took s, nothing left running; again: the same content"
