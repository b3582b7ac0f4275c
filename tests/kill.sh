#!/bin/sh
# kill -9 at random moments of `tamis run`, resumed each time: in the end the same content as a run left alone.
#   tests/kill.sh BIN_DIR [KILLS [SEED [PAGES]]]
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
kills=${2:-4} seed=${3:-1} pages=${4:-200}
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

mkdir crawl
mkcrawl -n "$pages" -f 3 -b crawl >/dev/null
small_recipe recipe.yaml
now() { date +%s.%N; }
begin=$(now)
tamis run -q -o want recipe.yaml crawl || fail "the run left alone ended with $?"
end=$(now)
contents want >want.contents
[ "$(wc -l <want.contents)" -ge 12 ] || fail "too few contents to compare"

# Moments spread over the time that a whole run takes. Every odd kill meets a run that began with nothing, every even one
# the run that resumes it, in its first third.
awk -v n="$kills" -v seed="$seed" -v t="$(echo "$end $begin" | awk '{print $1 - $2}')" \
    'BEGIN {srand(seed); for (i = 0; i < n; i++) printf "%.3f\n", i % 2 ? t * rand() / 3 : t * (i + 2 * rand()) / n}' >moments
i=0
while read -r moment; do
    i=$((i + 1))
    [ $((i % 2)) -eq 0 ] || rm -rf run
    tamis run -q -o run recipe.yaml crawl 2>/dev/null &
    pid=$!
    sleep "$moment"
    if kill -9 $pid 2>/dev/null; then hit=killed; else hit="over already"; fi
    wait $pid 2>/dev/null || :
    done_before=$(contents run | wc -l)
    if [ $((i % 2)) -eq 0 ] || [ $i -eq "$kills" ]; then
        tamis run -q -o run recipe.yaml crawl || fail "resumed after kill $i at $moment s: status $?"
        check_sums run
        contents run >run.contents
        diff want.contents run.contents || fail "kill $i at $moment s: another content"
        # What a killed stage left half-written is swept by the next one that starts; by then the system has buried it.
        tamis run -q -o run recipe.yaml crawl || fail "a second time after kill $i: status $?"
        ! find run -name '*.tmp' | grep . || fail "kill $i at $moment s: temporaries stayed behind"
    fi
    echo "kill $i at $moment s: $hit, $done_before of $(wc -l <want.contents) contents there"
done <moments
echo "kill: $kills kills, the same content"
