#!/bin/sh
# Every check of the project, as CI runs it; ends with "N passed, N failed" over all of them.
#   tests/run.sh              on a bare Debian 12 as root (or with sudo, or with the packages there already)
#   FUZZ_SECONDS=600 tests/run.sh     longer fuzzing (default 60 s a target, two at a time; 0: none)
set -eu
LC_ALL=C.UTF-8
export LC_ALL

cd "$(dirname -- "$0")/.."
jobs=$(nproc)
fuzz_seconds=${FUZZ_SECONDS:-60}
n_passed=0 n_failed=0 n_skipped=0
begin=$(date +%s)
mkdir -p build
export OMP_WAIT_POLICY=passive # two tests at a time on few cores: waiting threads must not spin
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"

say() { echo "[$(($(date +%s) - begin)) s] $*"; }
result() { # STATUS WHAT [LOG]: counts one check
    if [ "$1" -eq 0 ]; then
        n_passed=$((n_passed + 1))
    else
        n_failed=$((n_failed + 1))
        say "FAILED: $2"
        [ -z "${3:-}" ] || tail -n 60 "$3"
    fi
}

build() { # PRESET [CMAKE ARGS]: 0 when it compiled
    preset=$1
    shift
    log=build/$preset.log
    cmake --preset "$preset" "$@" >"$log" 2>&1 && cmake --build --preset "$preset" -j "$jobs" >>"$log" 2>&1
}

ctest_preset() { # PRESET [CMAKE ARGS]: builds, runs CTest, adds its counts
    say "build $1"
    status=0
    build "$@" || status=$?
    result $status "build $1" "build/$1.log"
    [ $status -eq 0 ] || return 0
    say "tests of $1"
    log=build/$1.ctest.log
    ctest --test-dir "build/$1" -j "$jobs" --output-on-failure --no-tests=error --timeout 300 >"$log" 2>&1 || :
    line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log") || line="0% tests passed, 1 tests failed out of 1"
    failed=$(echo "$line" | awk '{print $4}')
    total=$(echo "$line" | awk '{print $NF}')
    skipped=$(grep -c '\*\*\*Skipped' "$log") || :
    n_passed=$((n_passed + total - failed - skipped))
    n_failed=$((n_failed + failed))
    n_skipped=$((n_skipped + skipped))
    echo "$line"
    [ "$skipped" -eq 0 ] || grep '(Skipped)$' "$log" || :
    [ "$failed" -eq 0 ] || { grep -vE '^ *[0-9]+/[0-9]+ .*Passed|^ *Start' "$log" | tail -n 150; }
}

fuzz_one() { # TARGET: runs with its seeds; finds go to build/fuzz-finds
    name=${1##*/fuzz_}
    corpus=build/fuzz-corpus/$name
    mkdir -p "$corpus" build/fuzz-finds
    "$1" -max_total_time="$fuzz_seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
        -artifact_prefix="build/fuzz-finds/$name-" "$corpus" "tests/fuzz/$name" >"build/fuzz-$name.log" 2>&1
}

fuzz_all() {
    [ "$fuzz_seconds" -gt 0 ] || return 0
    say "build fuzz"
    status=0
    build fuzz || status=$?
    result $status "build fuzz" build/fuzz.log
    [ $status -eq 0 ] || return 0
    set -- $(find build/fuzz -type f -name 'fuzz_*' -perm -u+x | sort)
    say "fuzzing $# targets, $fuzz_seconds s each, two at a time"
    while [ $# -gt 0 ]; do
        first=$1 second=${2:-}
        fuzz_one "$first" & pid1=$!
        pid2=
        if [ -n "$second" ]; then fuzz_one "$second" & pid2=$!; fi
        status=0
        wait $pid1 || status=$?
        result $status "fuzz ${first##*/fuzz_}" "build/fuzz-${first##*/fuzz_}.log"
        if [ -n "$pid2" ]; then
            status=0
            wait $pid2 || status=$?
            result $status "fuzz ${second##*/fuzz_}" "build/fuzz-${second##*/fuzz_}.log"
            shift
        fi
        shift
    done
}

tidy_all() { # every source under clang: its own warnings are errors of the `clang` preset, so nothing need be built for them
    say "clang and clang-tidy"
    status=0
    cmake --preset clang >build/clang.log 2>&1 || status=$?
    result $status "configure clang" build/clang.log
    [ $status -eq 0 ] || return 0
    sed -n 's/^ *"file": "\(.*\.cc*\)".*/\1/p' build/clang/compile_commands.json | sort -u >build/tidy.files
    [ -s build/tidy.files ] || status=1
    xargs -P "$jobs" -n 4 clang-tidy --quiet -p build/clang <build/tidy.files >build/tidy.log 2>/dev/null || status=$?
    echo "clang-tidy: $(wc -l <build/tidy.files) files"
    result $status clang-tidy build/tidy.log
}

venv() { # the Python oracles; without the package index their tests say so and are skipped
    want=$(cat tests/requirements*.txt | cksum)
    [ "$(cat build/venv/complete 2>/dev/null)" = "$want" ] && return 0
    rm -rf build/venv
    say "build/venv"
    python3 -m venv build/venv >build/venv.log 2>&1 &&
        for list in tests/requirements*.txt; do printf -- '-r %s\n' "$PWD/$list"; done >build/requirements.all &&
        build/venv/bin/pip install -q --disable-pip-version-check -r build/requirements.all >>build/venv.log 2>&1 &&
        echo "$want" >build/venv/complete || say "no Python oracles: $(tail -n 1 build/venv.log)"
}

tools/install.sh tools/packages.txt tests/packages.txt
venv
ctest_preset dev
ctest_preset release -DTAMIS_WERROR=ON # the optimizer sees other warnings than dev's

say "format"
status=0
tools/format.sh --check >build/format.log 2>&1 || status=$?
result $status "format (tools/format.sh mends it)" build/format.log

tidy_all
fuzz_all

say "$n_skipped skipped"
echo "$n_passed passed, $n_failed failed"
[ $n_failed -eq 0 ]
