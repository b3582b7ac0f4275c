#!/bin/sh
# `tamis plan` against a real run: rates taken from a small crawl's run give back what that run took within a factor of 1.5, and
# foresee that of a crawl three times as large within a factor of 2, in CPU seconds and in sizes. The example description is
# the built-in case. What cannot run ends with status 1.
#   tests/plan.sh BIN_DIR [PAGES]
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
pages=${2:-400}
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

run() { # DIR PAGES
    mkdir "$1.crawl"
    mkcrawl -n "$2" -f 3 "$1.crawl" >/dev/null
    small_recipe recipe.yaml
    tamis run -q --until tokenize -o "$1" recipe.yaml "$1.crawl" || fail "tamis run ended with $?"
}
# What the crawl is: files, bytes, pages (responses: what ingest counted a status of), unpacked bytes.
describe() { # DIR
    bytes=$(cat "$1.crawl"/*.warc.gz | wc -c)
    n=$(sed 's/.*"status":{\([^}]*\)}.*/\1/' "$1/docs/stats.json" | tr '[' '\n' | awk -F, 'NR > 1 {n += $1} END {print n}')
    awk -v bytes="$bytes" -v pages="$n" -v unpacked="$(field "$1/docs/stats.json" bytes_in)" 'BEGIN {
        printf "input: {dumps: 1, pages: %d, files: 3, file_mb: %.6f, unpacked: %.6f, inputs_per_part: 1}\n", pages, bytes / 3e6, unpacked / bytes
        print "cluster: {nodes: 1, cores: 2, memory_gb: 8, scratch_gb: 8, efficiency: 1}" }'
}
close_to() { # WHAT GOT WANT FACTOR
    awk -v a="$2" -v b="$3" -v f="$4" 'BEGIN {exit !(a > 0 && b > 0 && a <= b * f && b <= a * f)}' ||
        fail "$1: the plan says $2, the run $3"
    echo "plan: $1: planned $2, taken $3"
}
cpu_of_plan() { grep '"stage":"all"' "$1" | grep -o '"core_seconds":[0-9.]*' | cut -d: -f2; }
cpu_of_run() { grep -o '"cpu_seconds":[0-9.]*' "$1/run.json" | awk -F: '{n += $2} END {print n}'; }
of_flow() { grep -o "\"$2\":[0-9.e+]*" "$1" | head -n 1 | cut -d: -f2; }
compare() { # DIR FACTOR: the plan of DIR's crawl with the rates of `small` against DIR
    describe "$1" >"$1.yaml"
    tamis plan --json -r rates.json "$1.yaml" >"$1.json" || fail "tamis plan of $1: status $?"
    close_to "$1: CPU seconds" "$(cpu_of_plan "$1.json")" "$(cpu_of_run "$1")" "$2"
    close_to "$1: documents" "$(of_flow "$1.json" documents)" "$(field "$1/docs/manifest.json" n_docs)" 1.1
    close_to "$1: text behind the filter" "$(of_flow "$1.json" clean_text_bytes)" "$(field "$1/clean/manifest.json" text_bytes)" 1.2
    close_to "$1: tokens" "$(of_flow "$1.json" tokens)" "$(field "$1/tokens/manifest.json" n_tokens)" 1.2
    close_to "$1: bytes of parts" "$(of_flow "$1.json" part_bytes)" "$(cat "$1"/docs/part-*.zst | wc -c)" 1.2
    close_to "$1: bytes of signatures" "$(grep '"stage":"sign"' "$1.json" | grep -o '"stored_bytes":[0-9.]*' | cut -d: -f2)" \
        "$(cat "$1"/unique/sign/*.cols | wc -c)" 1.2
}
run small "$pages"
tamis plan --calibrate small --note 'this test' -o rates.json || fail "tamis plan --calibrate: status $?"
compare small 1.5
run large $((3 * pages))
compare large 2

# The built-in case, and the same as a file.
tamis plan --json >builtin.json || fail "the built-in plan: status $?"
tamis plan --json "$top/tools/plan91.yaml" >example.json || fail "the example's plan: status $?"
numbers() { sed 's/"source":"[^"]*"//' "$1"; }
numbers builtin.json >builtin.numbers
numbers example.json >example.numbers
diff builtin.numbers example.numbers || fail "tools/plan91.yaml is not the built-in case"
! command -v python3 >/dev/null 2>&1 || python3 -c 'import json, sys; [json.load(open(f)) for f in sys.argv[1:]]' builtin.json rates.json || fail "no JSON"

# The manual names every number.
tamis plan | sed -n '/^assumptions:/,$s/^\([a-z]*\.[a-z_]*\) .*/\1/p' >names
[ "$(wc -l <names)" -ge 40 ] || fail "a plan lists too few assumptions: $(cat names)"
while read -r name; do
    grep -q "^| \`$name\` |" "$top/docs/tamis-plan.1.md" || fail "tamis-plan.1.md does not name $name"
done <names

# What does not fit is said, with what would make it fit.
status=0
echo 'cluster: {memory_gb: 4, scratch_gb: 1}' >tight.yaml
tamis plan tight.yaml >tight.out 2>tight.err || status=$?
[ $status -eq 1 ] || fail "a plan that does not fit: status $status"
grep -q '^does not fit: bands needs .* nodes' tight.out || fail "it does not say what would make bands fit: $(cat tight.out)"
for bad in 'cluster: {cpus: 4}' 'nodes: 4' 'cluster: {nodes: many}' 'cluster: {nodes: 0}' '[1]'; do
    status=0
    echo "$bad" >bad.yaml
    tamis plan bad.yaml >/dev/null 2>bad.err || status=$?
    [ $status -eq 2 ] || fail "$bad: status $status"
done
status=0
mkdir empty
tamis plan --calibrate empty >/dev/null 2>&1 || status=$?
[ $status -eq 3 ] || fail "the rates of an empty directory: status $status"
echo "plan: passed"
