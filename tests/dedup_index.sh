#!/bin/sh
# `tamis dedup --index`: dump after dump through an index against all dumps at once; kills, damage, other parameters, the same dump twice.
#   tests/dedup_index.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"
dumps=10

# Pages of 300 words over ten dumps: some again as they were, some in other case, some with one to three words changed, some new; so
# what is alike is so alike that the sketch alone, by which an index is asked, says what the texts say.
awk -v dumps=$dumps 'BEGIN {
    srand(7)
    for (d = 1; d <= dumps; d++) for (i = 0; i < 60; i++) {
        page = int(rand() * 90); text = ""
        n = rand() < 0.4 ? 1 + int(rand() * 3) : 0
        for (e = 1; e <= 3; e++) edit[e] = e <= n ? int(rand() * 300) : -1
        for (w = 0; w < 300; w++)
            text = text (w ? " " : "") (w == edit[1] || w == edit[2] || w == edit[3] ? "new" letters(int(rand() * 9) + 1) "x" letters(d) : "w" letters(page * 301 + w))
        if (rand() < 0.2) text = toupper(text)
        if (i % 20 == 0) text = "short " letters(page)
        printf "{\"id\":\"%d\",\"text\":\"%s\",\"url\":\"http://page%d.test/\"}\n", i, text, page >sprintf("d%02d.jsonl", d)
    }
}
function letters(n, s) { for (s = ""; n > 0; n = int(n / 26)) s = s sprintf("%c", 97 + n % 26); return s "z" }'
all=$(seq -f %02.0f 1 $dumps)
few='01 02 03 04'
for d in $all; do tamis ingest -q --no-alarm -o "docs-$d" --dump "CC-MAIN-2023-$d" "d$d.jsonl"; done
ids() { tamis docs cat "$@" | sed 's/^{"id":"\([^"]*\)".*/\1/'; }
# Adds these dumps one after another: view OUT-DD each, index INDEX.
add_all() { # DUMPS OUT INDEX OPTION...
    added=$1 out=$2 index=$3
    shift 3
    for d in $added; do tamis dedup -q --no-alarm "$@" -o "$out-$d" --index "$index" "docs-$d" || fail "$out-$d"; done
    for d in $added; do ids "$out-$d"; done >"$out.ids"
}
at_once() { # DUMPS OUT OPTION...
    dirs=$(printf ' docs-%s' $1) out=$2
    shift 2
    # shellcheck disable=SC2086 # words
    tamis dedup -q --no-alarm "$@" -o "$out" $dirs
    ids "$out" >"$out.ids"
}

# By ranks, while the rest goes on: a dump against an index, and added to it.
ranks=
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    tamis dedup -q --no-alarm -o ranks-01 --index ranks.index docs-01
    ASAN_OPTIONS=detect_leaks=0 mpirun -n 2 tamis dedup -q --no-alarm -j 1 -o ranks-02 --index ranks.index docs-02 &
    ranks=$!
fi

# Equal texts: always the same. Where all that is near shares a band: the same, too.
(at_once "$few" exact --exact-only && add_all "$few" exact-by exact.index --exact-only) &
exact=$!
(at_once "$few" near --bands 200 --rows 1 && add_all "$few" near-by near.index --bands 200 --rows 1) &
near=$!
at_once "$all" usual
add_all "$all" usual-by usual.index
wait $exact && wait $near || fail "a few dumps"
cmp exact.ids exact-by.ids || fail "equal texts"
cmp near.ids near-by.ids || fail "near texts that all share a band"
grep -q '"near_duplicate":[1-9]' near-by-04/manifest.json || fail "nothing near in the last dump"
# Else only pages may differ that have three texts at the least: two that share no band, and one between them.
sort usual.ids >a
sort usual-by.ids >b
comm -3 a b | tr -d '\t' | while read -r id; do
    page=$(tamis docs cat docs-* | grep -F "\"id\":\"$id\"" | grep -o 'page[0-9]*\.')
    n=$(cat d*.jsonl | grep -F "$page" | sed 's/.*"text":"\([^"]*\)".*/\1/' | tr '[:upper:]' '[:lower:]' | sort -u | wc -l)
    [ "$n" -ge 3 ] || fail "$id of $page, of $n texts, is kept one way and not the other"
done

# Ten additions were one run of eight and two more, no entry written more than twice.
tamis dedup index usual.index >shown
[ "$(grep -c '^run ' shown)" -eq 3 ] && grep -q 'level 1: .* of 0 1 2 3 4 5 6 7$' shown || fail "runs: $(cat shown)"
kept=$(wc -l <usual-by.ids)
grep -q "^holds  *$kept documents of 10 additions" shown || fail "$kept documents stay: $(cat shown)"
# What a document was dropped for has a name: the first document of the same text that was kept.
tamis dedup clusters --members --index usual.index usual-by-10 >members
for d in $all; do tamis docs cat "usual-by-$d"; done >kept.jsonl
sed -n 's/^{"id":"\([^"]*\)","match":"\([^"]*\)","kept":false,"why":"exact_duplicate"}$/\1 \2/p' members >matches
[ "$(wc -l <matches)" -ge 10 ] || fail "$(wc -l <matches) matches of equal texts"
text_of() { grep -F "{\"id\":\"$1\"" "$2" | sed 's/.*"text":"\([^"]*\)".*/\1/' | tr '[:upper:]' '[:lower:]'; }
tamis docs cat docs-10 >last.jsonl
while read -r id match; do
    [ "$(text_of "$id" last.jsonl)" = "$(text_of "$match" kept.jsonl)" ] || fail "$id is not $match"
done <matches
grep -q '"match":"[^"]*","kept":false,"why":"near_duplicate"' members || fail "no near match in the table"

# The same for any threads, memory and ranks; again, and elsewhere, nothing is added.
content() { last_field "$1/manifest.json" content; }
cp usual.index/index.json before.json
tamis dedup -q --no-alarm -o usual-by-10 --index usual.index docs-10
tamis dedup --no-alarm -j 1 --memory 100M -o again --index usual.index docs-10 2>log
cmp before.json usual.index/index.json || fail "the index has changed"
grep -q "holds these documents" log || fail "a dump that is there is not noticed: $(cat log)"
[ "$(content again)" = "$(content usual-by-10)" ] || fail "one thread"
if [ "$ranks" ]; then
    wait "$ranks" || fail "ranks"
    [ "$(content ranks-02)" = "$(content usual-by-02)" ] || fail "ranks"
    sed 's/"out":"[^"]*"//' ranks.index/index.json >a
    tamis dedup -q --no-alarm -o two-01 --index two.index docs-01
    tamis dedup -q --no-alarm -o two-02 --index two.index docs-02
    sed 's/"out":"[^"]*"//' two.index/index.json | cmp - a || fail "the index of ranks"
fi

# Killed at any moment and run again: the same view, the same index.
cp -r usual.index killed.index
n=0
while [ $((n += 1)) -le 4 ]; do
    timeout -s KILL 0.0$((n * 5 % 12 + 1)) tamis dedup -q --no-alarm -o killed --index killed.index docs-01 docs-02 2>/dev/null || :
    tamis dedup index killed.index >/dev/null || fail "the index of a killed run"
done
tamis dedup -q --no-alarm -o killed --index killed.index docs-01 docs-02
cp -r usual.index whole.index
tamis dedup -q --no-alarm -o whole --index whole.index docs-01 docs-02
[ "$(content killed)" = "$(content whole)" ] || fail "the view of a killed run"
sed 's/"out":"[^"]*"//' killed.index/index.json >a
sed 's/"out":"[^"]*"//' whole.index/index.json >b
cmp a b || fail "the index of a killed run"

# Removed on request: what is named is in the index no more, nor in the view, and comes in again with the next dump; the rest is as it was.
cp -r usual.index gone.index
id=$(ids usual-by-01 | sed -n 3p)
# shellcheck disable=SC2046 # a word each
printf '# a list\nhttps://page%s.test/?utm_source=x#top\npage%s.TEST.\n\n%s\n' $(sed 's/.*page\([0-9]*\).*/\1/' kept.jsonl | sort -u | head -n 2) "$id" >list
pages=$(sed 's/.*page\([0-9]*\).*/\1/' kept.jsonl | sort -u | head -n 2)
{ for p in $pages; do grep -F "http://page$p.test/" kept.jsonl; done; grep -F "{\"id\":\"$id\"" kept.jsonl; } | sed 's/^{"id":"\([^"]*\)".*/\1/' | sort -u >want
# Ids are printed before anything is gone: where they cannot be, nothing is. Files that a cut-off left as they were are mended by the next call.
status=0
tamis dedup remove -q --index gone.index list >/dev/full 2>err || status=$?
[ $status -eq 3 ] && [ "$(last_field gone.index/index.json n)" = 0 ] || fail "a full output: status $status, $(cat err)"
cp -r gone.index/docs docs.before
tamis dedup remove -q --index gone.index list | sort >gone
rm -r gone.index/docs
mv docs.before gone.index/docs
sed "s|^$id\$|\"&\"|" list >quoted
tamis dedup remove -q -j 1 --index gone.index quoted | sort | cmp - gone || fail "a call after a cut-off"
cmp want gone || fail "removed: $(diff want gone)"
n=$(wc -l <gone)
tamis dedup index gone.index | grep -q "^holds  *$((kept - n)) documents .* $n removed on request" || fail "what is left: $(tamis dedup index gone.index)"
[ -z "$(tamis dedup remove -q --index gone.index list)" ] || fail "removed twice"
! grep -aqwFf gone gone.index/docs/*.cols || fail "ids of removed documents lie in the index"
tamis dedup -q --no-alarm -o after --index gone.index docs-01 docs-02
tamis dedup clusters --members --index gone.index after >members
! grep -Ff gone members | grep -q '"match":"' || [ -z "$(sed -n 's/.*"match":"\([^"]*\)".*/\1/p' members | grep -Fxf gone)" ] || fail "a removed document is matched"
ids after >after.ids
grep -qFf gone after.ids || fail "what was removed does not come in again"
tamis dedup index --rebuild gone.index
tamis dedup remove -q --dataset docs-01 --dataset docs-02 -o view list
ids docs-01 docs-02 | sort >a
ids view | sort >b
tamis docs cat docs-01 docs-02 | grep -F -e "\"$id\"" $(for p in $pages; do printf ' -e http://page%s.test/' "$p"; done) | sed 's/^{"id":"\([^"]*\)".*/\1/' | sort >want
comm -23 a b | cmp - want || fail "the view: $(comm -23 a b | diff - want)"
grep -q "\"removed_on_request\":$(wc -l <want)" view/manifest.json || fail "the reason"

# Other parameters; damage is named, and made again.
refused() { # STATUS PATTERN COMMAND...
    want=$1 pattern=$2 status=0
    shift 2
    "$@" >log 2>&1 || status=$?
    [ $status -eq "$want" ] && grep -q "$pattern" log || fail "$*: status $status, $(cat log)"
}
refused 2 '"bands":14.*"bands":10' tamis dedup -o other --bands 10 --index usual.index docs-01
refused 2 'scope' tamis dedup -o other --scope dump --index usual.index docs-01
refused 2 'task' tamis dedup -o other --task 0/2 --index usual.index docs-01
refused 4 'not an index' tamis dedup index docs-01
# What is held is asked again as it was added, or not at all: another view would keep other documents than the index.
refused 2 'verify 0.7, this run has verify 0.8.*/usual-by-10' tamis dedup -o another --verify 0.8 --index usual.index docs-10
refused 2 'added with no url, keep "first", this run has keep "longest", url true' tamis dedup -o another --url --keep longest --index usual.index docs-10
[ ! -e another ] || fail "a run that was refused has begun"
# Nothing is made among others' files, or in the view.
mkdir foreign same
echo x >foreign/x.txt
for dir in docs-01 usual-by-01 foreign; do
    find $dir | sort >a
    refused 4 "$dir is no index, and .* is in it" tamis dedup -o another --index $dir docs-01
    find $dir | sort | cmp - a || fail "something was made in $dir"
done
refused 2 'same/ cannot be the view and the index' tamis dedup -o same --index ./same/ docs-01
# A view's matches are of the index that it was compared with, whatever was added to that since.
refused 4 'usual-by-10 was compared with the index .*/usual.index, not with near.index' tamis dedup clusters --members --index near.index usual-by-10
tamis dedup -q --no-alarm -o swapped --index swapped.index docs-02
refused 4 'usual-by-02 was compared with' tamis dedup clusters --members --index swapped.index usual-by-02
refused 4 'usual was made without an index' tamis dedup clusters --members --index usual.index usual
tamis dedup clusters --members --index usual.index usual-by-10 >members
tamis dedup clusters --members --index whole.index usual-by-10 | cmp - members || fail "ids of an index that has grown"
printf 'page1.test\n/path\n' >bad
refused 4 'line 2' tamis dedup remove --index usual.index bad
refused 2 'task' tamis dedup remove --index usual.index --dataset docs-01 -o view-2 --task 0/2 list
refused 2 'VIEW' tamis dedup remove --dataset docs-01 bad

# Cut short between two steps (files of the index are away), then documents are removed, then it is run again: as if they had been removed
# before. The claim names the process that goes on with it, and another command for the same view does not take it away.
cp -r usual.index cut.index
mv cut.index/docs cut.docs
refused 3 'cut.index/docs/' tamis dedup -o cut --no-alarm --index cut.index docs-01 docs-02
[ -e cut/passes/index-pairs ] && [ ! -e cut/clusters/clusters.json ] || fail "the cut is not between two steps"
# shellcheck disable=SC2016 # of that shell
refused 3 'cut.index/docs/' sh -c 'echo $$ >pid; exec tamis dedup -o cut --no-alarm --index cut.index docs-01 docs-02'
[ "$(field cut.index/adding.json pid)" = "$(cat pid)" ] || fail "the claim is of process $(field cut.index/adding.json pid), not of $(cat pid)"
cp cut.index/adding.json claim
refused 4 'another run' tamis dedup -o cut --no-alarm --index cut.index docs-03
cmp claim cut.index/adding.json || fail "a command that was refused has changed the claim"
mv cut.docs cut.index/docs
tamis dedup remove -q --index cut.index list | sort | cmp - gone || fail "removed in between"
cmp claim cut.index/adding.json || fail "the claim has not come back"
tamis dedup -q --no-alarm -o cut --index cut.index docs-01 docs-02 || fail "run again after a removal"
[ "$(content cut)" = "$(content after)" ] || fail "a removal in between makes a difference"
sed 's/"out":"[^"]*"//' cut.index/index.json >a
sed 's/"out":"[^"]*"//' gone.index/index.json | cmp - a || fail "the index after a removal in between"

cp -r usual.index damaged.index
yes damage | dd of="$(echo damaged.index/runs/000007/exact/*.res)" bs=1500 count=1 conv=notrunc 2>/dev/null
refused 4 'runs/000007/exact/.* at [0-9]*: damaged; tamis dedup index --rebuild damaged.index makes' tamis dedup -q --no-alarm -o other --index damaged.index docs-01 docs-02
for f in damaged.index/runs/000007/bands/*.res damaged.index/docs/00003-000000.cols; do printf 'damage' | dd of="$f" bs=1 seek=300 conv=notrunc 2>/dev/null; done
rm -r damaged.index/runs/000009/exact
refused 4 'damaged.index/runs/000009/exact is damaged.*tamis dedup index --rebuild damaged.index makes' tamis dedup -q --no-alarm -o other --index damaged.index docs-01 docs-02
tamis dedup index --rebuild damaged.index 2>log || fail "rebuild: $(cat log)"
grep -q '"out":"[^"]*/other"' damaged.index/adding.json || fail "the claim of a job that was cut short"
grep -q '1 docs files and 2 runs were made again' log || fail "rebuild: $(cat log)"
tamis dedup -q --no-alarm -o other --index damaged.index docs-01 docs-02
[ "$(content other)" = "$(content whole)" ] || fail "what was made again differs"
sed 's/"level":0,\("key":"[^"]*","n_docs":\)[0-9]*/"level":0,\12000000000000000/' damaged.index/index.json >a
cmp -s a damaged.index/index.json && fail "no run of level 0"
cp damaged.index/index.json b
cp a damaged.index/index.json
refused 4 'too many documents' tamis dedup index damaged.index
cp b damaged.index/index.json
printf 'damage' | dd of=damaged.index/index.json bs=1 seek=100 conv=notrunc 2>/dev/null
refused 4 'index.json' tamis dedup index damaged.index

# What cannot be made again is said, the rest is; once the view has its signatures again, all is.
cp -r whole.index lost.index
for f in 00003 00010; do printf 'damage' | dd of=lost.index/docs/$f-000000.cols bs=1 seek=300 conv=notrunc 2>/dev/null; done
rm -r lost.index/runs/000009/exact lost.index/runs/000010/exact
mv whole/sign whole.sign
refused 4 'lost.index is not whole: 1 docs files and 1 runs' tamis dedup index --rebuild lost.index
[ "$(grep -c '; made again$' log)" -eq 2 ] && grep -q '00010-000000.cols.* cannot be made again: .*whole/sign/' log && grep -q "delete $PWD/whole/manifest.json" log &&
    grep -q '000010/exact is damaged.* cannot be made again before' log && ! grep -q -e '--rebuild lost' log || fail "rebuild without sign/: $(cat log)"
rm whole/manifest.json
tamis dedup -q --no-alarm -o whole --index lost.index docs-01 docs-02
tamis dedup index --rebuild lost.index 2>log || fail "rebuild with sign/ again: $(cat log)"
grep -q '1 docs files and 1 runs were made again' log || fail "rebuild with sign/ again: $(cat log)"
for f in docs/00003-000000.cols docs/00010-000000.cols; do cmp whole.index/$f lost.index/$f || fail "$f was made again otherwise"; done

# One job at a time: the second one is refused at once, naming the first, until that has ended or was given up; remove and --rebuild, too.
cp -r whole.index claimed.index
claim() { # OUT PID
    printf '{"what":"dedup","host":"elsewhere","pid":%s,"out":"%s","inputs":"%032d"}\n' "$2" "$1" 0 >claimed.index/adding.json
}
mkdir first
: >first/stage.json
claim "$PWD/first" 7
for other in "dedup -o second --no-alarm --index claimed.index docs-03 docs-04" "dedup remove --index claimed.index list" "dedup index --rebuild claimed.index"; do
    # shellcheck disable=SC2086 # words
    refused 4 "dedup of $PWD/first (process 7 of elsewhere)" tamis $other
done
[ ! -e second/sign ] || fail "the second job has begun"
tamis dedup index claimed.index | grep -q "^claimed .*$PWD/first" || fail "the claim is not shown"
rm -r first
tamis dedup index --rebuild claimed.index 2>log || fail "given up: $(cat log)"
[ ! -e claimed.index/adding.json ] || fail "a claim is left"
printf '{"what":"remove","host":"%s","pid":%d,"out":"","inputs":"%032d"}\n' "$(uname -n)" "$(sh -c 'echo $$')" 0 >claimed.index/adding.json
tamis dedup remove -q --index claimed.index list >removed || fail "a claim whose process has ended"
# A killed job holds its place for itself alone.
rm -rf held.index
timeout -s KILL 0.05 tamis dedup -q --no-alarm -o held-1 --index held.index docs-0* 2>/dev/null || :
if [ -e held.index/adding.json ] && [ -e held-1/stage.json ]; then
    refused 4 "held-1" tamis dedup -o held-2 --no-alarm --index held.index docs-10
fi
tamis dedup -q --no-alarm -o held-1 --index held.index docs-0*
tamis dedup -q --no-alarm -o held-2 --index held.index docs-10
[ ! -e held.index/adding.json ] || fail "a claim is left"
printf '{}' >held.index/adding.json
refused 4 'adding.json is damaged' tamis dedup -o held-3 --index held.index docs-01
