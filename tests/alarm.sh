#!/bin/sh
# Alarms: a stage whose rates leave their bands stops while it works, or at its commit, publishes nothing and keeps its parts;
# --no-alarm and other bands go on from there to the content of a run without alarms. `tamis commit` and `tamis run` hold to
# the bands; those that `tamis alarms` prints for a run let that run pass.
#   tests/alarm.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

status_is() { # WANTED COMMAND...
    want=$1
    shift
    got=0
    "$@" >out 2>err || got=$?
    [ $got -eq "$want" ] || fail "status $got, not $want: $* ($(cat err))"
}
parts_in() { find "$1" -name 'part-*' ! -name '*.tmp' | wc -l; }
content() { last_field "$1/manifest.json" content; }

# Twelve parts of 3000 short texts: a filter drops them all. After four parts a third of all is gone, whatever the others are.
mkdir lines
for i in 01 02 03 04 05 06 07 08 09 10 11 12; do
    awk -v f=$i 'BEGIN {for (i = 0; i < 3000; i++) printf "{\"id\":\"%s-%d\",\"text\":\"a short line of no worth %d\",\"lang\":\"en\"}\n", f, i, i}' >lines/$i.jsonl
done
tamis ingest -q -j 2 -o short --inputs-per-part 1 lines
[ "$(parts_in short)" -eq 12 ] || fail "not twelve parts"
status_is 1 tamis filter -q -j 1 -o clean --alarm drop=0.1:0.3 short
grep -q '^tamis: .*alarm: clean: drop is 1 of 12000 documents so far, outside 0.1:0.3 whatever follows' err || fail "the alarm says: $(cat err)"
[ "$(wc -l <err)" -eq 1 ] || fail "more than a line: $(cat err)"
[ "$(parts_in clean)" -eq 4 ] || fail "it stopped after $(parts_in clean) parts"
[ ! -e clean/manifest.json ] || fail "a manifest was published"
# A task hears of it and does nothing, one with another band does its share.
status_is 1 tamis filter -q -j 1 -o clean --task 1/2 --alarm drop=0.1:0.3 short
grep -q 'alarm: clean: another process found drop outside 0.1:0.3' err || fail "the task says: $(cat err)"
[ "$(parts_in clean)" -eq 4 ] || fail "a task went on behind the alarm"
status_is 0 tamis filter -q -j 1 -o clean --task 1/2 --alarm drop=0.1:1 short
[ "$(parts_in clean)" -gt 4 ] || fail "a task with another band did nothing"
status_is 0 tamis filter -q -j 2 -o clean --alarm drop=0.1:0.9 --no-alarm short
[ ! -e clean/alarm.json ] || fail "--no-alarm leaves bands behind"
[ ! -e clean/alarm.fired ] || fail "--no-alarm leaves the alarm behind"
tamis filter -q -j 2 -o plain short
[ "$(content clean)" = "$(content plain)" ] || fail "the content differs from that of a run without alarms"
status_is 0 tamis filter -q -j 2 -o clean --alarm drop=0.1:0.9 short # it is complete: nothing to judge

# Ordered input is no sample: raw parts of English, then as many of Chinese, end in the middle of the band; outside of a narrow one eight
# parts tell.
mkdir ordered
for i in 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16; do
    awk -v f=$i 'BEGIN {l = f + 0 <= 8 ? "en" : "zh"; for (i = 0; i < 1500; i++) printf "{\"id\":\"%s-%d\",\"text\":\"a line\",\"lang\":\"%s\"}\n", f, i, l}' >ordered/$i.jsonl
done
status_is 0 tamis ingest -q -j 1 -o half --inputs-per-part 1 --alarm lang/en=0.4:0.6 ordered
status_is 1 tamis ingest -q -j 1 -o tenth --inputs-per-part 1 --alarm lang/en=0:0.1 ordered
grep -q 'lang/en is 1 of 12000 documents so far' err || fail "the alarm says: $(cat err)"
[ "$(parts_in tenth)" -eq 8 ] || fail "it stopped after $(parts_in tenth) parts"

# The filter keeps all of these, but the last part could still change that: the whole is judged at its end, again at each rerun, and
# parts stay.
mkdir crawl
mkcrawl -n 200 -f 3 crawl >/dev/null
tamis ingest -q -o docs --keep-lang en,zh --inputs-per-part 1 crawl
tamis dedup -q -o unique docs
status_is 1 tamis filter -q -o few --alarm drop=0.1:1 unique
! grep -q 'so far' err || fail "it judged before the end"
[ "$(parts_in few)" -eq 3 ] || fail "not all parts are there"
find few -name 'part-*' -exec ls -i {} + >before
status_is 1 tamis filter -q -o few --alarm drop=0.1:1 unique
status_is 1 tamis commit -q few
status_is 1 tamis status few
grep -q '^  alarm: few: .*drop outside 0.1:1' out || fail "status of a dataset kept back: $(cat out)"
status_is 0 tamis filter -q -o few --alarm drop=0:0.9 --alarm lang/en=0.1:0.9 unique
find few -name 'part-*' -exec ls -i {} + >after
cmp before after || fail "parts were made anew"
[ -e few/manifest.json ] || fail "it did not finish"
tamis status few >out && ! grep -q alarm out || fail "status of a dataset that is finished: $(cat out)"

# Tasks, then the commit by hand.
for i in 0 1; do tamis filter -q -o tasks --task $i/2 --alarm drop=0.1:1 unique 2>/dev/null || :; done
[ ! -e tasks/manifest.json ] || fail "the last task published"
status_is 1 tamis commit -q tasks
grep -q 'tasks: drop is 0 of' err || fail "tamis commit says: $(cat err)"
status_is 1 tamis filter -q -o tasks --task 0/2 unique # without a band it leaves that of the others
[ -e tasks/alarm.json ] || fail "a task without bands took those of the others away"
status_is 1 tamis commit -q tasks
status_is 0 tamis commit -q --no-alarm tasks
[ "$(content tasks)" = "$(content few)" ] || fail "the content of tasks differs"

# A group that there is not is said at the end, where groups are known.
status_is 2 tamis filter -q -o misspelt --alarm lagn/en=0:0.1 unique
grep -q 'lagn/en: nothing is counted' err || fail "a group that does not exist: $(cat err)"
status_is 2 tamis filter -q -o misspelt --alarm lang/eng=0:0.1 unique
grep -q 'lang/eng: nothing is counted under that name, but under .*en' err || fail "a name that does not exist: $(cat err)"
status_is 0 tamis filter -q -o misspelt --alarm lang/eng=0:0 unique

# Mistakes; the dedup's name is refused before it signs.
status_is 2 tamis filter -q -o x --alarm drop unique
status_is 2 tamis filter -q -o x --alarm gopher_shrt_doc=0:1 unique
status_is 2 tamis dedup -q -o x --alarm near=0:1 docs
[ ! -e x/sign ] || fail "it worked before it looked at the names"
status_is 1 tamis dedup -q -o dup --alarm near_duplicate=0.9:1 docs
status_is 0 tamis dedup -q -o dup --no-alarm docs
[ "$(content dup)" = "$(content unique)" ] || fail "the content of dedup differs"

# A recipe: the run stops behind the stage, --no-alarm goes on, and the bands of a good run let it pass.
cat >bad.yaml <<'RECIPE'
ingest: {keep-lang: "en,zh", inputs-per-part: 1}
filter: {alarm: {drop: [0.95, 1], "lang/en": [0, 1]}}
RECIPE
status_is 1 tamis run -q --until remix -o run bad.yaml crawl
grep -q 'alarm: run/clean: drop' err || fail "the run says: $(cat err)"
[ ! -e run/mixed ] || fail "the run went on behind the alarm"
status_is 0 tamis run -q --until remix --no-alarm -o run bad.yaml crawl
[ "$(content run/clean)" = "$(content few)" ] || fail "the content of the run differs"
tamis alarms run >good.yaml || fail "tamis alarms: status $?"
for rate in '"drop"' '"near_duplicate"' '"lang/en"'; do grep -q "^    $rate: \[" good.yaml || fail "no band for $rate: $(cat good.yaml)"; done
sed 's/^ingest:$/ingest:\n  keep-lang: en,zh\n  inputs-per-part: 1/' good.yaml >recipe.yaml
status_is 0 tamis run -q --until filter -o again recipe.yaml crawl
[ "$(content again/clean)" = "$(content run/clean)" ] || fail "alarms changed the content"
[ -s again/clean/alarm.json ] || fail "the bands were not used"
# Ten of a million are within the band that is made of them.
mkdir -p rare/clean
echo '{"n_in":1000000,"n_docs":999990,"dropped":{"x":10}}' >rare/clean/manifest.json
tamis alarms rare | grep -q '"drop": \[0.000000, 0.000030\]' || fail "the band of a rare drop: $(tamis alarms rare)"
mkdir french
mkcrawl -n 200 -f 1 -s 3 french >/dev/null
sed 's/keep-lang: en,zh/keep-lang: zh/' recipe.yaml >chinese.yaml
status_is 1 tamis run -q --until filter -o other chinese.yaml french
grep -q 'alarm: other/docs: ' err || fail "another mixture of languages passes: $(cat err)"
echo "alarm: passed"
