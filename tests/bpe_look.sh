#!/bin/sh
# What `tamis bpe stats`, compare, verify and inspect say of a tokenizer trained on seeded text, against a slow count.
#   tests/bpe_look.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/lib.sh"
command -v python3 >/dev/null 2>&1 || skip "no python3"
cd "$tmp"
slow() { PYTHONUTF8=1 python3 "$here/bpe_look.py" "$@"; }
slow make .
tamis ingest -q -o docs docs.jsonl
tamis bpe -q -n 700 -o a.json docs
tamis bpe -q -n 500 -o b.json --text part.txt

# --- stats: documents, lines, standard input; any number of threads
for j in 1 2 7; do tamis bpe stats -q --json -j $j a.json docs >stats.$j; done
slow stats a.json docs.jsonl stats.1
for j in 2 7; do cmp stats.1 stats.$j || fail "other stats with $j threads"; done
for j in 1 2 7; do tamis bpe stats -q --json -j $j a.json --text part.txt >lines.$j; done
slow stats a.json part.txt lines.1 part.txt
for j in 2 7; do cmp lines.1 lines.$j || fail "other stats of lines with $j threads"; done
tamis bpe stats -q --json --text a.json - <part.txt | sed 's/"stdin"/"part.txt"/' | cmp - lines.1 || fail "other stats of standard input"
tamis bpe stats -q a.json docs >table
for name in en zh-Hans code other a 域 default all; do grep -q "^$name  " table || fail "no row for $name: $(cat table)"; done
mkdir run
cp -R docs run
cp stats.1 run/tokenizer-stats.json
tamis report -q run
n=$(grep -o '"name":"zh-Hans","n_docs.*' stats.1 | sed 's/.*zh-Hans//; s/}.*//; s/.*"bytes_per_token":\([0-9]*\.[0-9][0-9][0-9]\).*/\1/')
grep -A 20 'Bytes per token, by language' run/report.html | grep -q "$(echo "$n" | cut -c1-4)" || fail "the report does not show $n bytes a token"
# Lines reach over blocks of 4 MiB: as many bytes, documents and tokens as the same text many times.
i=0
while [ $i -lt 9 ]; do cat part.txt && echo; i=$((i + 1)); done >nine.txt
head -c 1500000 nine.txt | tr -d '\n' >long.txt
for i in 1 2 3 4 5 6 7 8; do cat long.txt && echo; done >longer.txt
tamis bpe stats -q --json -j 3 --text a.json longer.txt >long.3
tamis bpe stats -q --json -j 1 --text a.json longer.txt >long.1
cmp long.1 long.3 || fail "other stats of long lines with other threads"
[ "$(field long.1 n_docs)" -eq 8 ] || fail "$(field long.1 n_docs) lines, not 8"
[ "$(field long.1 text_bytes)" -eq "$(wc -c <longer.txt)" ] || fail "bytes of long lines"
tamis bpe stats -q --json --text a.json long.txt >one
[ "$(field long.1 n_tokens)" -eq $((8 * ($(field one n_tokens) + 1))) ] || fail "tokens of long lines"

# --- compare
tamis bpe compare -q a.json b.json docs >compared
slow compare a.json b.json docs.jsonl compared
# An extended tokenizer has its added tokens in model.vocab too.
tamis bpe -q -n 730 --extend a.json -o longer.json --text part.txt
tamis bpe compare -q a.json longer.json docs >compared
slow compare a.json longer.json docs.jsonl compared
grep -q '^in common  *715 tokens, 715 of them with the same id$' compared || fail "an extended tokenizer: $(cat compared)"

# --- verify
verify() { # STATUS PATTERN ARG...: what it says, and ends with
    want=$1 pattern=$2
    shift 2
    status=0
    tamis bpe verify -q "$@" >verified 2>&1 || status=$?
    [ $status -eq "$want" ] || fail "verify $*: status $status: $(cat verified)"
    grep -q "$pattern" verified || fail "verify $*: $(cat verified)"
}
tamis bpe convert -q -f gguf -o a.gguf a.json 2>log
[ ! -s log ] || fail "a loss that is none: $(cat log)"
for same in a.json a.gguf; do verify 0 '^120 texts: the same' a.json $same docs; done
tamis bpe stats -q --json a.gguf docs | sed 's/"tokenizer_id":"[^"]*"//' >gguf.stats
sed 's/"tokenizer_id":"[^"]*"//' stats.1 | cmp - gguf.stats || fail "other stats by another format"
spoilt() { # KIND, what verify must say, in how many lines
    slow spoil "$1" a.json other.json
    verify 1 "$2" a.json other.json
    [ "$(wc -l <verified)" -eq "$3" ] || fail "verify of $1 says more: $(cat verified)"
}
spoilt swap '^merge 7: .* in a.json, .* in other.json' 3
spoilt flag '^added token 702 "<|pad|>": rstrip in other.json, not in a.json' 2
spoilt added '^token 714: "<|reserved_1|>" in a.json, none in other.json' 3
slow spoil normalized a.json other.json
tamis bpe convert -f gguf -o other.gguf other.json 2>log
grep -q 'gguf has no place for the flag normalized of 2 added tokens$' log || fail "a loss without a word: $(cat log)"
verify 1 '^added token 703 .*: normalized in other.json, not in other.gguf' other.json other.gguf
spoilt nfc '^normalizer: NFC only in other.json' 2
printf 'cafe\314\201' | tamis bpe inspect --color never --ids --text - other.json >view
printf 'caf\303\251' | tamis bpe inspect --color never --ids --text - a.json | cmp - view || fail "a text is not normalized"
printf 'cafe\314\201' | tamis bpe stats -q --json --text other.json - >nfc.stats
[ "$(field nfc.stats n_words)-$(field nfc.stats text_bytes)" = 1-6 ] || fail "stats of a text that is normalized: $(cat nfc.stats)"
tamis bpe -q -n 730 --extend a.gguf -o longer.gguf.json --text part.txt
verify 0 '^the same tokenizer: 730 ids' longer.json longer.gguf.json
verify 1 '^token 715: none in a.json, .* in longer.json' a.json longer.json
spoilt ignore '^ignore_merges: only in other.json' 2
slow spoil template a.json template.json
for put in bos:before eos:behind; do
    slow spoil ${put%:*} a.json other.json
    verify 1 "^post_processor: the tokens put ${put#*:} a text" template.json other.json
    [ "$(wc -l <verified)" -eq 2 ] || fail "verify of $put says more: $(cat verified)"
done
differ='^[0-9]* of 120 texts have other ids in b.json than in a.json; the first is local/docs.jsonl#'
verify 1 "$differ" a.json b.json docs
mv verified before
verify 1 "$differ" -j 7 a.json b.json docs
cmp before verified || fail "other differences with other threads"
verify 3 missing.json a.json missing.json

# --- inspect
tamis bpe inspect a.json 699 >card
slow tree a.json 699 card
longest=$(tamis bpe inspect a.json | sed -n 's/^longest token *\([0-9]*\) .*/\1/p')
tamis bpe inspect a.json "$longest" >card
slow tree a.json "$longest" card
tamis bpe inspect --ids --color never --text part.txt a.json >view
slow view a.json part.txt view
{ tr -cd ' -~\n' <part.txt && echo; } >plain.txt
tamis bpe inspect --color never --text - a.json <plain.txt >view
sed 's/│//g; s/\\n$//' view | cmp - plain.txt || fail "the text is not what is shown"
printf 'a\033[31mb<|pad|>\377' | tamis bpe inspect --color never --text - a.json >view
[ "$(cat view)" = 'a│\x1b│[│3│1│m│b│<|pad|>│\xff' ] || fail "controls are shown as $(cat view)"
[ "$(tamis bpe inspect a.json '\x3c|pad|>' | head -n 1)" = '702  "<|pad|>"' ] || fail "a token by its text"
head -c 65536 /dev/zero | tr '\0' a >aaa
tamis bpe -q -n 270 -o doubled.json --text aaa
tamis bpe inspect doubled.json 268 >card
{ grep -q 'and more$' card && [ "$(wc -l <card)" -lt 4120 ]; } || fail "a tree of 16383 nodes: $(wc -l <card) lines"
python3 - >long.tiktoken <<'END'
import base64
for rank in range(556):
    token = bytes([rank]) if rank < 256 else rank.to_bytes(2, "big") * 1024
    print(base64.b64encode(token).decode(), rank)
END
status=0
tamis bpe convert -q --encoding r50k_base -o long.json long.tiktoken 2>log || status=$?
{ [ $status -eq 4 ] && grep -q 'long.tiktoken: too many long tokens' log; } || fail "long tokens: status $status, $(cat log)"
status=0
tamis bpe inspect -q a.json 715 2>/dev/null || status=$?
[ $status -eq 1 ] || fail "an id that is not there: status $status"
