#!/bin/sh
# Archives damaged at random (tests/mutate.c): no crash, no record of two seconds, memory below a bound.
#   tests/mutate.sh BIN_DIR [ITERATIONS [FILE...]]      FILEs: archives of your own; else a made crawl
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
n=${2:-400}
. "$(dirname -- "$0")/lib.sh"
if [ $# -gt 2 ]; then
    shift 2
else
    mkdir "$tmp/crawl"
    mkcrawl -n 200 -f 4 -b "$tmp/crawl" >/dev/null
    set -- "$tmp"/crawl/*
fi
most=600 # megabytes: one page may have 8 MiB and 2^20 elements
! grep -q '__asan_init\|__tsan_init' "$BIN/mutate" || most=0 # a sanitizer's own memory is not looked at
mutate -n "$n" -m "$most" "$@"
