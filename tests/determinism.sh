#!/bin/sh
# The same content for any number of threads, ranks and any split into tasks: the chain up to the shards with threads
# 1, 2, 7; with ranks 1, 3; what goes without MPI with --task I/3 and `tamis commit`.
#   tests/determinism.sh BIN_DIR [PAGES]
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
pages=${2:-240}
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

mkdir crawl
mkcrawl -n "$pages" -f 5 -b crawl >/dev/null
small_recipe recipe.yaml
n_same=0
same() { # DIR: against the first one
    check_sums "$1"
    contents "$1" >"$1.contents"
    diff want "$1.contents" || fail "$1 differs"
    n_same=$((n_same + 1))
}

for threads in 1 2 7; do
    tamis run -q --until tokenize -j $threads -o t$threads recipe.yaml crawl || fail "threads $threads: status $?"
    [ $threads -ne 1 ] || contents t1 >want
    same t$threads
done
[ "$(wc -l <want)" -ge 6 ] || fail "too few contents to compare"

# The files in another order.
# shellcheck disable=SC2046 # words
tamis ingest -q --keep-lang=en,zh --inputs-per-part=1 -o shuffled $(find crawl -type f | sort -r)
[ "$(last_field shuffled/manifest.json content)" = "$(last_field t1/docs/manifest.json content)" ] || fail "order of files: another content"

chain() { # DIR COMMAND...: all stages, each through the command given
    dir=$1
    shift
    "$@" tamis ingest -q --keep-lang=en,zh --inputs-per-part=1 -o "$dir/docs" crawl &&
        "$@" tamis dedup -q -o "$dir/unique" "$dir/docs" &&
        "$@" tamis filter -q -o "$dir/clean" "$dir/unique" &&
        "$@" tamis remix -q -o "$dir/mixed" "$dir/clean" &&
        "$@" tamis bpe -q --vocab-size=600 -o "$dir/tokenizer.json" "$dir/mixed" &&
        "$@" tamis tokenize -q --tokenizer="$dir/tokenizer.json" -o "$dir/tokens" "$dir/mixed"
}
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    for ranks in 1 3; do
        for threads in 1 2; do
            mkdir "r$ranks$threads"
            # Open MPI unloads its plugins, so that what they leaked has no name to suppress.
            ASAN_OPTIONS=detect_leaks=0 OMP_NUM_THREADS=$threads chain "r$ranks$threads" mpirun -q -n $ranks ||
                fail "ranks $ranks, threads $threads"
            same "r$ranks$threads"
        done
    done
else
    echo "determinism: no MPI here, ranks are not compared"
fi

# Keys by URL, an order of several words, a window: threads, memory, ranks.
mkdir window
for dump in a b c; do tamis ingest -q --keep-lang=en,zh --inputs-per-part=1 --dump $dump -o window/docs.$dump crawl; done
window() { # DIR COMMAND...
    window_dir=$1
    shift
    "$@" tamis dedup -q --url --scope window:2 --keep latest,signal:lines,longest -o "window/$window_dir" window/docs.* ||
        fail "dedup in a window, $window_dir: status $?"
    sed -n 's/.*"content":"\([0-9a-f]*\)".*/\1/p' "window/$window_dir/parts.jsonl" | cksum >"window/$window_dir.sum"
    [ "$window_dir" = a ] || cmp window/a.sum "window/$window_dir.sum" || fail "dedup in a window, $window_dir: another content"
}
window a env OMP_NUM_THREADS=1
window b env OMP_NUM_THREADS=5
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ASAN_OPTIONS=detect_leaks=0 window c mpirun -q -n 3
fi

mkdir tasks
task_stage() { # STAGE OPTIONS...: as three tasks, the last one first
    stage_dir=$1
    shift
    for i in 2 0 1; do tamis "$@" -q --task $i/3 -o "tasks/$stage_dir" || fail "$1 --task $i/3: status $?"; done
    tamis commit "tasks/$stage_dir" >"$stage_dir.log" 2>&1 || fail "tamis commit tasks/$stage_dir: status $?"
}
task_stage docs ingest --keep-lang=en,zh --inputs-per-part=1 crawl
for i in 2 0 1; do # at the same time, each waiting for what the others find out
    tamis dedup -q --task $i/3 --wait 120 -j 1 -o tasks/unique tasks/docs || echo "dedup --task $i/3: status $?" >>task.failures &
done
wait
[ ! -s task.failures ] || fail "$(cat task.failures)"
tamis commit tasks/unique >unique.log 2>&1 || fail "tamis commit tasks/unique: status $?"
task_stage clean filter tasks/unique
tamis remix -q -o tasks/mixed tasks/clean
tamis bpe -q --vocab-size=600 -o tasks/tokenizer.json tasks/mixed || fail "bpe: status $?"
for i in 2 0 1; do # likewise; with one shard, two of the tasks encode only
    tamis tokenize -q --task $i/3 --wait 120 -j 1 -t tasks/tokenizer.json -o tasks/tokens tasks/mixed ||
        echo "tokenize --task $i/3: status $?" >>task.failures &
done
wait
[ ! -s task.failures ] || fail "$(cat task.failures)"
[ ! -e tasks/tokens/encoded ] || fail "what was encoded stayed behind"
same tasks
rm -rf tasks/tokens
for i in 1 2 3; do # a srun that does not fit: each believes to be alone
    tamis tokenize -q -j 2 --memory 2M -t tasks/tokenizer.json -o tasks/tokens tasks/mixed 2>alone.$i ||
        echo "tokenize $i of 3 at once: status $?, $(cat alone.$i)" >>task.failures &
done
wait
[ ! -s task.failures ] || fail "$(cat task.failures)"
same tasks
echo "determinism: $n_same runs alike"
