#!/bin/sh
# One of the checks that tests/run.sh makes side by side; its outcome goes to build/jobs/NAME.status, its talk to build/jobs/NAME.log.
#   tests/job.sh format | tidy | PATH/fuzz_TARGET
name=${1##*/}
log=build/jobs/$name.log
case $name in
format)
    tools/format.sh --check >"$log" 2>&1
    ;;
tidy) # every source under clang: its own warnings are errors of the `clang` preset, so nothing need be built for them
    sed -n 's/^ *"file": "\(.*\.cc*\)".*/\1/p' build/clang/compile_commands.json | sort -u >build/tidy.files
    [ -s build/tidy.files ] && xargs -n 8 clang-tidy --quiet -p build/clang <build/tidy.files >"$log" 2>/dev/null
    ;;
*) # with its seeds; finds go to build/fuzz-finds
    target=${name#fuzz_}
    mkdir -p "build/fuzz-corpus/$target" build/fuzz-finds
    "$1" -max_total_time="$FUZZ_SECONDS" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
        -artifact_prefix="build/fuzz-finds/$target-" "build/fuzz-corpus/$target" "tests/fuzz/$target" >"$log" 2>&1
    ;;
esac
echo $? >"build/jobs/$name.status"
