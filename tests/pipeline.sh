#!/bin/sh
# The whole pipe on a small made crawl with broken records in it: every stage accounts for what it read, mirrors are
# found, the shards verify, a second call leaves everything alone, another recipe is refused.
#   tests/pipeline.sh BIN_DIR [PAGES]
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
pages=${2:-300}
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

mkdir crawl
mkcrawl -n "$pages" -f 3 -b crawl >made
made() { awk -v k="$1" '$1 == k {print $2}' made; }
small_recipe recipe.yaml
tamis run -q -o run recipe.yaml crawl || fail "tamis run ended with $?"

check_sums run
check_events run
docs=$(field run/docs/manifest.json n_docs)
unique=$(field run/unique/manifest.json n_docs)
# What makes no page leaves no document; most pages do. French ones are dropped by language.
[ "$(field run/docs/manifest.json n_in)" -ge "$(made pages)" ] || fail "records are missing"
[ "$docs" -le $(($(made pages) + $(made broken))) ] || fail "more documents than pages: $docs"
[ "$docs" -ge $((($(made pages) - $(made french)) * 9 / 10)) ] || fail "too few documents: $docs of $(made pages) pages"
[ "$unique" -le $((docs - $(made exact))) ] || fail "mirrors were kept: $docs documents, $unique unique, $(made exact) mirrors"
[ "$unique" -ge $((docs - $(made exact) - $(made near) - $(made broken))) ] || fail "different texts were dropped: $docs, $unique left"

tamis shards verify run/tokens >verify.out || fail "tamis shards verify: $(cat verify.out)"
[ "$(field run/tokens/manifest.json n_docs)" -eq "$(field run/mixed/manifest.json n_docs)" ] || fail "documents were lost on the way to the shards"
tamis docs cat run/mixed >all.jsonl
[ "$(wc -l <all.jsonl)" -eq "$(field run/mixed/manifest.json n_docs)" ] || fail "docs cat and the manifest disagree"
[ -s run/ckpt/result.json ] || fail "no result.json"
first=$(field run/ckpt/result.json loss_first)
last=$(field run/ckpt/result.json loss_last)
awk -v a="$first" -v b="$last" 'BEGIN {exit !(b < a)}' || fail "the model learned nothing: $first -> $last"
for what in '<svg' 'Languages' 'Loss' 'What the model says' 'Who did what when' 'Slowest parts' 'Stages'; do
    grep -q "$what" run/report.html || fail "report.html lacks $what"
done
! grep -qiE '<script|https?://|@import' run/report.html || fail "report.html is not self-contained"

# Again: nothing changes, nothing is made anew.
contents run >before
find run -type f ! -name report.html ! -name '*.jsonl' -newer recipe.yaml -exec cksum {} + | sort >files.before
tamis run -q -o run recipe.yaml crawl || fail "the second run ended with $?"
contents run >after
cmp before after || fail "the second run changed something"
find run -type f ! -name report.html ! -name '*.jsonl' -newer recipe.yaml -exec cksum {} + | sort >files.after
diff files.before files.after || fail "the second run wrote files"

# Another crawl into the same directory is another run.
mkdir other
mkcrawl -n 20 -f 1 -s 2 other >/dev/null
status=0
tamis run -q -o run recipe.yaml other 2>refused || status=$?
[ $status -eq 4 ] || fail "another run's directory: status $status, $(cat refused)"
echo "pipeline: $docs documents, $unique unique, loss $first -> $last"
