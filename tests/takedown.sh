#!/bin/sh
# Documents removed on request, from the dataset to the tokens: `tamis dedup remove`, `tamis shards find`, `tamis shards remove`.
#   tests/takedown.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

# Three pages of each of 50 hosts; no two have a word of letters in common.
awk 'BEGIN {
    for (i = 0; i < 150; i++) {
        text = ""
        for (w = 0; w < 5 + i % 40; w++) text = text " q" letters(i) "x" letters(w)
        printf "{\"id\":\"%d\",\"text\":\"%s\",\"url\":\"http://host%d.test/page%d\"}\n", i, substr(text, 2), i % 50, i
    }
}
function letters(n, s) { for (s = ""; n > 0; n = int(n / 26)) s = s sprintf("%c", 97 + n % 26); return s "z" }' >pages.jsonl
tamis ingest -q --no-alarm -o docs pages.jsonl
tamis bpe -q --vocab-size 300 -o t.json docs
tamis tokenize -q -o tokens -t t.json --shards 4 docs
cp -r tokens before

# A host of three pages and the address of one more; the ids are those that the view lacks.
printf 'host7.test\nhttps://www.host9.test/page9?utm_source=x\nhttp://host9.test/page9#top\n' >list
tamis dedup remove -q --no-alarm --dataset docs -o view --rejected gone list 2>log
grep -q '1 entry of list without a match: https://www.host9.test/page9?utm_source=x$' log || fail "an entry of another host: $(cat log)"
ids() { tamis docs cat "$1" | sed 's/^{"id":"\([^"]*\)".*/\1/' | sort; }
ids docs >all
ids view >left
comm -23 all left >ids
sed 's/.*/"id":"&"/' ids >quoted
[ "$(wc -l <ids)" -eq 4 ] || fail "$(wc -l <ids) documents are removed"

# Entries that match nothing are named, the first ten, of a list that may begin with a byte order mark; what a terminal obeys is not passed on to it.
{ printf '\357\273\277host7.test\n'; for i in 1 2 3 4 5 6 7 8 9; do echo "nohost$i.test"; done; printf 'http://host9.test/none\nno#\033[2Jid\n# none.test\nhttp://host9.test/page9\n'; } >partly
tamis dedup remove -q --no-alarm --dataset docs -o partly-view partly 2>log
grep -q 'warning: remove: 11 entries of partly without a match: nohost1.test, .*nohost9.test, http://host9.test/none and 1 more$' log || fail "what matches nothing: $(cat log)"
printf 'host7.test\nno#\033[2Jid\n' >one
tamis dedup remove -q --no-alarm --dataset docs -o one-view one 2>log
grep -q '1 entry of one without a match: no# \[2Jid$' log || fail "one: $(cat log)"
tamis dedup remove -q --dataset docs -o one-view one 2>log && [ ! -s log ] || fail "a view that is there: $(cat log)"
tamis dedup -q --no-alarm -o known --index known.index docs
printf 'host7.test\nhttp://host9.test/page9#top\n' >there
tamis dedup remove -q --index known.index there >/dev/null 2>log && [ ! -s log ] || fail "all of the list is there: $(cat log)"
tamis dedup remove -q --index known.index there 2>log
grep -q '2 entries of there without a match: host7.test, http://host9.test/page9#top$' log || fail "a second time: $(cat log)"
for text in '\377\376h\000' 'host7.test\nh\366st.test\n'; do
    # shellcheck disable=SC2059 # bytes
    printf "$text" >other-encoding
    status=0
    tamis dedup remove --dataset docs -o other-view other-encoding 2>log || status=$?
    [ $status -eq 4 ] && grep -q 'other-encoding.*UTF-8' log || fail "another encoding: status $status, $(cat log)"
done

# Where they are, against all documents of the shards counted one after the other.
tamis shards find --list ids tokens >found
for shard in tokens/*/shard-*.tok; do
    tamis shards cat --json "$shard" | sed 's/^{"id":"\([^"]*\)".*/\1/' >names
    tamis shards cat --ids "$shard" | awk -F, '{print NF}' | paste names - |
        awk -v shard="$shard" '{begin = at; at += $2; print shard, begin, at, $1}'
done | grep -wFf ids >want
sed 's/{"shard":"\([^"]*\)","doc":[0-9]*,"begin":\([0-9]*\),"end":\([0-9]*\),"id":"\([^"]*\)"}/\1 \2 \3 \4/' found | cmp - want ||
    fail "found: $(sed 10q found), not $(cat want)"
stream=$(basename tokens/*/)
sed 's/.*"doc":\([0-9]*\),.*"id":"\([^"]*\)".*/\1 \2/' found | while read -r doc id; do
    tamis shards cat --stream "$stream" --doc "$doc" --json tokens | grep -qF "\"id\":\"$id\"" || fail "document $doc is not $id"
done
[ "$(tamis shards find --list ids tokens/"$stream"/shard-000001.tok 2>/dev/null | sed 's/"doc":[0-9]*,//')" = \
    "$(grep shard-000001 found | sed 's/"doc":[0-9]*,//')" ] || fail "one shard"

# Ids as JSON strings are the same; of several paths each is looked at, and one that has any is enough.
sed 's/.*/"&"/' ids >quoted-ids
tamis shards find --list quoted-ids tokens | cmp - found || fail "quoted ids"
echo '{"text":"a page of another crawl, in other words"}' >other.jsonl
tamis ingest -q --no-alarm -o others-docs other.jsonl
tamis tokenize -q -o others -t t.json others-docs
tamis shards find --list ids others tokens others | cmp - found || fail "the second of three directories"

echo '"nobody"' | cat ids - >more-ids
tamis shards find --list more-ids tokens 2>log | cmp - found || fail "with an id that is not there"
grep -q '1 entry of more-ids not in tokens: "nobody"$' log || fail "an id that is not there: $(cat log)"

# Taken out: ids and texts are nowhere, gaps are of eos, every other document is where it was and what it was.
tamis shards remove -q --list ids tokens
tamis shards verify -q tokens >/dev/null || fail "verify"
tamis shards inspect -n 0 tokens >inspected || fail "inspect"
tamis shards cat --json tokens | sed 's/^{"id":"\([^"]*\)".*/\1/' | grep . | sort | cmp - left || fail "ids in the shards"
for member in n_tokens n_docs n_in; do [ "$(field tokens/manifest.json $member)" = "$(field before/manifest.json $member)" ] || fail "$member"; done
eos=$(field before/manifest.json eos_id)
for shard in before/*/shard-*.tok; do
    tamis shards cat --json "$shard" | sed 's/^{"id":"\([^"]*\)".*/\1/' >names
    tamis shards cat --ids "$shard" | paste names - |
        awk -v eos="$eos" 'BEGIN {while ((getline id <"ids") > 0) gone[id]} $1 in gone {gsub(/[0-9]+/, eos, $2)} {print $2}' >want
    tamis shards cat --ids "tokens/${shard#before/}" | cmp - want || fail "$shard: other tokens than eos for what is gone"
    tamis shards cat --json "$shard" | grep -vFf quoted >want
    tamis shards cat --json "tokens/${shard#before/}" | grep -v '"id":""' | cmp - want || fail "$shard: other documents have changed"
done
[ "$(last_field tokens/manifest.json content)" != "$(last_field before/manifest.json content)" ] || fail "the content is as before"

# Nothing is left to find; again, and after a cut-off before the manifest was written, it ends the same.
status=0
tamis shards find --list ids tokens 2>/dev/null || status=$?
[ $status -eq 1 ] || fail "found again: status $status"
cp tokens/manifest.json done.json
cp before/manifest.json tokens/manifest.json
tamis shards remove -q --list ids tokens
cmp tokens/manifest.json done.json || fail "another manifest"
tamis shards verify -q tokens >/dev/null || fail "verify after a cut-off"

status=0
tamis shards find --list ids tokens others >nothing 2>&1 || status=$?
[ $status -eq 1 ] && grep -q 'others has none' nothing || fail "found nowhere: status $status, $(cat nothing)"

# Damage gets no sum of its own; what is no list, and no directory of tokens, is refused.
refused() { # STATUS PATTERN COMMAND...
    want=$1 pattern=$2 status=0
    shift 2
    "$@" >log 2>&1 || status=$?
    [ $status -eq "$want" ] && grep -q "$pattern" log || fail "$*: status $status, $(cat log)"
}
shard=$(sed -n '1s/.*"shard":"tokens\/\([^"]*\)".*/\1/p' found)
printf 'x' | dd of="before/$shard" bs=1 seek=450 conv=notrunc 2>/dev/null
cp "before/$shard" damaged.tok
refused 4 "before/$shard" tamis shards remove --list ids before
cmp damaged.tok "before/$shard" || fail "a damaged shard was written anew"
refused 2 'need --list' tamis shards remove tokens
refused 2 'need --list' tamis shards cat --list ids tokens
refused 2 'stream' tamis shards remove --list ids --stream "$stream" tokens
refused 2 'doc' tamis shards find --list ids --doc 0 tokens
printf '\n"a' >bad
refused 4 'bad: line 2' tamis shards find --list bad tokens
refused 3 'nowhere' tamis shards find --list nowhere tokens
refused 4 'docs' tamis shards remove --list ids docs
