#!/bin/sh
# Every check of the project, as CI runs it; ends with "N passed, N failed" over all of them.
#   tests/run.sh              on a bare Debian 12 as root (or with sudo, or with the packages there already)
#   FUZZ_SECONDS=600 tests/run.sh     longer fuzzing (default 10 s a target; 0: none)
set -eu
LC_ALL=C.UTF-8
export LC_ALL

cd "$(dirname -- "$0")/.."
jobs=$(nproc)
n_passed=0 n_failed=0 n_skipped=0
begin=$(date +%s)
mkdir -p build
export FUZZ_SECONDS="${FUZZ_SECONDS:-10}"
export OMP_WAIT_POLICY=passive # several tests at a time on few cores: waiting threads must not spin
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

# Damaged files by the thousand, each read once: a disk makes most of unit.core's time out of them. So where there is plenty of memory the
# tests of `dev` have their files there (prints where); those of `release` have them on the disk, as users do.
memory_dir() {
    free_kb=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $4}')
    [ -z "${TMPDIR:-}" ] && [ "${free_kb:-0}" -gt 4194304 ] || return 0
    [ "$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)" -gt 8388608 ] || return 0
    dir=$(mktemp -d /dev/shm/t.XXXXXX) || return 0
    printf '#!/bin/sh\n' >"$dir/probe" # some of them run scripts there
    chmod +x "$dir/probe"
    if "$dir/probe" 2>/dev/null; then echo "$dir"; else rm -rf "$dir"; fi
}

ctest_preset() { # PRESET [CMAKE ARGS]: builds, runs CTest, adds its counts
    say "build $1"
    status=0
    build "$@" || status=$?
    result $status "build $1" "build/$1.log"
    [ $status -eq 0 ] || return 0
    say "tests of $1"
    log=build/$1.ctest.log
    files=${TMPDIR:-/tmp}
    [ "$1" != dev ] || files=${memory:-$files}
    # One more than there are cores: many tests wait half of the time. What keeps two cores busy says so (PROCESSORS in tests/CMakeLists.txt).
    TMPDIR=$files ctest --test-dir "build/$1" -j $((jobs + 1)) --output-on-failure --no-tests=error --timeout 300 >"$log" 2>&1 || :
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

fuzz_targets() { # builds them and prints their paths
    [ "$FUZZ_SECONDS" -gt 0 ] || return 0
    say "build fuzz" >&2
    build fuzz || return 1
    find build/fuzz -type f -name 'fuzz_*' -perm -u+x | sort
}

# Format, clang-tidy and the fuzz targets, as many at a time as there are cores.
side_by_side() {
    rm -rf build/jobs
    mkdir -p build/jobs
    status=0
    cmake --preset clang >build/clang.log 2>&1 || status=$?
    result $status "configure clang" build/clang.log
    status=0
    fuzz_targets >build/jobs/list || status=$?
    result $status "build fuzz" build/fuzz.log
    say "format, clang-tidy, $(wc -l <build/jobs/list) fuzz targets for $FUZZ_SECONDS s each"
    { echo tidy; echo format; cat build/jobs/list; } | xargs -P "$jobs" -n 1 sh tests/job.sh || :
    for name in format tidy $(sed 's:.*/::' build/jobs/list); do
        result "$(cat "build/jobs/$name.status" 2>/dev/null || echo 1)" "$name" "build/jobs/$name.log"
    done
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
memory=$(memory_dir)
trap 'rm -rf "$memory"' EXIT
ctest_preset dev
ctest_preset release -DTAMIS_WERROR=ON # the optimizer sees other warnings than dev's
side_by_side

say "$n_skipped skipped"
echo "$n_passed passed, $n_failed failed"
[ $n_failed -eq 0 ]
