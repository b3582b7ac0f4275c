#!/bin/sh
# What `tamis tokenize` takes: JSON Lines and plain text, packed or not, of standard input or files; each against a file of the same
# lines in another form, and against what `tamis ingest` makes of it.
#   tests/tokenize_inputs.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

# 4000 lines of text; the same as JSON Lines, ids being their numbers. Some are blank.
awk 'BEGIN { srand(7); for (n = 0; n < 4000; n++) {
    line = ""
    for (k = int(rand() * 12); k > 0; k--) line = line (k > 1 ? "water " : "茶 <|pad|>") int(rand() * 900)
    print line } }' >lines.txt
awk '{ print "{\"id\":" NR - 1 ",\"text\":\"" $0 "\\n\",\"more\":[{\"text\":1}]}" }' lines.txt >lines.jsonl
tamis bpe -q --text --vocab-size 270 -o t.json lines.txt
gzip -k lines.txt
zstd -q lines.jsonl

# --ids: an object a document, in order, for any form, number of threads and source.
tamis tokenize --ids -t t.json <lines.txt >want
[ "$(wc -l <want)" -eq 4000 ] || fail "$(wc -l <want) arrays of 4000 lines"
awk '{ print "{\"id\":" NR - 1 ",\"ids\":" $0 "}" }' want >want.jsonl
awk -v name=lines.txt '{ print "{\"id\":\"local/" name "#" NR - 1 "\",\"ids\":" $0 "}" }' want >want.txt
for threads in 1 2 7; do
    tamis tokenize --ids -t t.json -j $threads lines.jsonl | cmp - want.jsonl || fail "JSON Lines, $threads threads"
    tamis tokenize --ids -t t.json -j $threads --text lines.txt | cmp - want.txt || fail "plain text, $threads threads"
done
tamis tokenize --ids -t t.json lines.jsonl.zst | cmp - want.jsonl || fail "zstd"
tamis tokenize --ids -t t.json - <lines.jsonl | cmp - want.jsonl || fail "standard input"
tamis tokenize --ids -t t.json - <lines.jsonl.zst | cmp - want.jsonl || fail "zstd on standard input"
sed 's/lines.txt/lines.txt.gz/' want.txt >want.gz
tamis tokenize --ids -t t.json --text lines.txt.gz | cmp - want.gz || fail "gzip"
cat want.txt want.gz >want.both
tamis tokenize --ids -t t.json --text lines.txt lines.txt.gz | cmp - want.both || fail "two files"
tamis tokenize --ids --plain -t t.json lines.jsonl >plain
! cmp -s plain want.jsonl || fail "--plain changes nothing"
tamis bpe decode --lossless --keep-special --ids want.jsonl t.json | cmp - lines.txt || fail "the ids are not the text"

# Who talks line by line is answered line by line, also in pieces, and the first letter may be the first byte of a packed file.
mkfifo talk.fifo
tamis tokenize --ids -t t.json <talk.fifo >answers &
pid=$!
exec 3>talk.fifo
answered() { # N LINES
    tries=0
    while [ "$(wc -l <answers)" -lt "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "line $1 was not answered"
        sleep 0.1
    done
}
printf 'T' >&3
sleep 0.1
printf 'water\n' >&3
answered 1
printf 'wat' >&3
sleep 0.1
printf 'er\n\nP' >&3
answered 3
exec 3>&-
wait $pid || fail "talking: status $?"
printf 'Twater\nwater\n\nP' | tamis tokenize --ids -t t.json - --text | sed 's/.*"ids":\(.*\)}/\1/' | cmp - answers || fail "talking: $(cat answers)"

# The verbs that look at texts read the same files.
tamis bpe stats --json --text t.json lines.txt | sed 's/lines.txt/NAME/' >want.stats
[ "$(field want.stats text_bytes)" -eq "$(wc -c <lines.txt)" ] || fail "stats: $(field want.stats text_bytes) bytes"
[ "$(field want.stats n_docs)" -eq 4000 ] || fail "stats: $(field want.stats n_docs) lines"
tamis bpe stats --json --text t.json -j 3 lines.txt.gz | sed 's/lines.txt.gz/NAME/' | cmp - want.stats || fail "stats of gzip"
tamis bpe stats --json --text t.json - <lines.txt | sed 's/stdin/NAME/' | cmp - want.stats || fail "stats of standard input"

# Shards: each line that has a text once, whatever the form; as `tamis ingest` numbers lines.
tamis ingest -q -o docs lines.jsonl
tamis tokenize -q -o docs.tokens -t t.json --shards 4 docs
cat_sorted() { tamis shards cat --json "$1" | sed "s/,\"lang\":.*/}/; s/$2/NAME/" | sort; } # without the language, which only ingest guesses
cat_sorted docs.tokens lines.jsonl >want.docs
[ "$(wc -l <want.docs)" -eq "$(grep -c . lines.txt)" ] || fail "$(wc -l <want.docs) documents"
for threads in 1 3; do
    tamis tokenize -q -o jsonl.$threads -t t.json --shards 4 -j $threads lines.jsonl 2>err
    grep -q 'empty_text; the first is line [0-9]* of lines.jsonl' err || fail "blank texts are not named: $(cat err)"
    tamis shards verify -q jsonl.$threads >/dev/null || fail "shards verify"
done
[ "$(last_field jsonl.1/manifest.json content)" = "$(last_field jsonl.3/manifest.json content)" ] || fail "threads change the shards"
tamis tokenize -q -o zst -t t.json lines.jsonl.zst 2>/dev/null
tamis tokenize -q -o stdin -t t.json --order input - <lines.jsonl 2>/dev/null
tamis tokenize -q -o text -t t.json --text --shards 2 --order input lines.txt 2>/dev/null
cat_sorted jsonl.1 lines.jsonl | cmp - want.docs || fail "JSON Lines: other documents than ingest's"
cat_sorted zst lines.jsonl.zst | cmp - want.docs || fail "zstd: other documents than ingest's"
cat_sorted stdin stdin | cmp - want.docs || fail "standard input: other documents than ingest's"
cat_sorted text lines.txt | cmp - want.docs || fail "plain text: other documents than ingest's"
tamis shards cat --json text | grep -o '#[0-9]*' | tr -d '#' | sort -n -c || fail "plain text: not in order of the input"
[ "$(field text/stats.json empty_text)" -eq "$(grep -vc . lines.txt)" ] || fail "stats.json: empty_text"
grep -q "\"n_docs\":$(wc -l <want.docs),\"n_in\":4000,\"dropped\":{\"empty_text\":$((4000 - $(wc -l <want.docs)))}," text/manifest.json || fail "$(cat text/manifest.json)"

# The same command finds it done, but what standard input held is gone.
tamis tokenize -o zst -t t.json lines.jsonl.zst 2>&1 | grep -q 'up to date' || fail "zst is not up to date"
status=0
tamis tokenize -q -o stdin -t t.json --order input - <lines.jsonl 2>err || status=$?
{ [ $status -eq 4 ] && grep -q 'standard input held is gone' err; } || fail "standard input again: status $status, $(cat err)"
tamis tokenize -q --force -o stdin -t t.json --order input - <lines.jsonl 2>/dev/null
cat_sorted stdin stdin | cmp - want.docs || fail "standard input, --force"

# Two tasks over four files, of which one has blank texts only, and ranks, make what one process makes; it is the whole input that has a
# document or none.
split -l 1500 -d lines.jsonl piece.
awk '/"text":"\\n"/ { for (i = 0; i < 40; i++) print }' lines.jsonl >piece.03 # half of all
same_as_one() { # DIR
    [ "$(last_field one/manifest.json content)" = "$(last_field "$1"/manifest.json content)" ] || fail "$1: other shards"
    [ "$(field one/stats.json empty_text)" = "$(field "$1"/stats.json empty_text)" ] || fail "$1: other lines are counted"
}
tokenize_pieces() { tamis tokenize -q -t t.json --shards 2 "$@" piece.0? 2>err || fail "$*: status $?, $(cat err)"; }
tokenize_pieces -o one
for i in 0 1 0 1; do tokenize_pieces -o tasks --task $i/2; done
same_as_one tasks
for j in 1 2; do
    tokenize_pieces -o groups$j -j $j --memory 1M # a file at a time
    same_as_one groups$j
done
none() { # DIR COMMAND...: piece.03 and nothing else
    dir=$1
    shift
    status=0
    "$@" -q -o "$dir" -t t.json piece.03 2>err || status=$?
    { [ $status -eq 4 ] && grep -q 'piece.03: all texts are blank' err && [ ! -e "$dir/manifest.json" ]; } ||
        fail "blank texts only: status $status, $(cat err)"
}
none none tamis tokenize
none none tamis tokenize -j 2 # all is encoded by now
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ASAN_OPTIONS=detect_leaks=0 mpirun -q -n 2 tamis tokenize -q -j 1 -o ranks -t t.json --shards 2 piece.0? 2>err || fail "ranks: status $?, $(cat err)"
    same_as_one ranks
fi

# Lines that are none are counted with their reason, and the rest is encoded.
{ sed -n 1,10p lines.jsonl
  printf '{"text":"a\\ud800b"}\n\n{"text":7}\n{"id":"\\u0000","text":"nul \\u0000 in it"}\n{"text":\nnot json\n{"text":"\377"}\n'
  printf '{"text":"nul \000 in it"}\n{"text":"last"}'; } >odd.jsonl
tamis tokenize --ids -t t.json odd.jsonl >odd.ids 2>err
grep -q '6 lines were left out: 5 bad_json, 1 no_text; the first is line 11 of odd.jsonl (bad_json)' err || fail "odd lines: $(cat err)"
tamis tokenize -q -o odd -t t.json odd.jsonl 2>err
n=$(field odd/manifest.json n_docs)
empty=$((12 - n))
[ $empty -gt 0 ] || fail "no blank text among the odd lines"
grep -q "\"n_in\":18,\"dropped\":{\"bad_json\":5,\"no_text\":1,\"empty_text\":$empty}" odd/manifest.json || fail "odd lines: $(cat odd/manifest.json)"
[ "$(wc -l <odd.ids)" -eq 12 ] || fail "$(wc -l <odd.ids) of 12 lines"
sed -n '$s/"ids.*//p' odd.ids | grep -qx '{"id":"local/odd.jsonl#18",' || fail "the number of a line: $(tail -n 1 odd.ids)"
tamis bpe decode --lossless --ids odd.ids t.json | tail -c 15 >got
printf 'nul \000 in itlast' | cmp - got || fail "NUL in a text"
printf 'a\000\377b\n\n' | tamis tokenize --ids --text -t t.json - | tamis bpe decode --lossless t.json >got
printf 'a\000\377b\n\n' | cmp - got || fail "bytes that are no text"

# A byte order mark ahead of JSON is none of it; in plain text it is text.
{ printf '\357\273\277'; cat lines.jsonl; } >mark.jsonl
cp mark.jsonl mark
for f in mark.jsonl mark; do tamis tokenize --ids -t t.json $f 2>err | cmp - want.jsonl || fail "a byte order mark: $(cat err)"; done
{ printf '\357\273\277'; cat t.json; } >mark.json
tamis tokenize --ids -t mark.json lines.jsonl | cmp - want.jsonl || fail "a byte order mark ahead of tokenizer.json"
{ printf '\357\273\277'; cat lines.txt; } >mark.txt
tamis tokenize --ids -t t.json --text mark.txt | tamis bpe decode --lossless --keep-special t.json | cmp - mark.txt || fail "a byte order mark in plain text"

# A domain that is called as a file of the directory is none.
printf '{"text":"a","domain":"vocab.bin"}\n{"text":"b","domain":"b"}\n' >domains.jsonl
tamis tokenize -q -o domains -t t.json domains.jsonl || fail "a domain vocab.bin: status $?"
{ [ -d domains/default ] && [ -d domains/b ] && [ -f domains/vocab.bin ]; } || fail "a domain vocab.bin: $(ls domains)"

# What does not go.
refuse() { # STATUS MESSAGE COMMAND...
    want=$1 says=$2
    shift 2
    status=0
    "$@" >out 2>err </dev/null || status=$?
    { [ $status -eq "$want" ] && grep -q -e "$says" err; } || fail "$*: status $status, $(cat err)"
}
status=0
tamis tokenize --ids -t t.json - <lines.txt >out 2>err || status=$?
{ [ $status -eq 4 ] && grep -q '^tamis: stdin: no line is a JSON object' err; } || fail "text for JSON Lines: status $status, $(cat err)"
head -c 20000 lines.jsonl.zst >cut.jsonl.zst
refuse 4 'lines.txt is no JSON Lines: .* plain text wants --text' tamis tokenize -q -o no3 -t t.json lines.txt
ln -s lines.txt text.jsonl
refuse 4 'text.jsonl: no line is a JSON object with a text ([0-9]* bad_json)' tamis tokenize -q -o no -t t.json text.jsonl
refuse 4 'cut.jsonl.zst at 0: cut off' tamis tokenize -q -o no2 -t t.json cut.jsonl.zst
refuse 4 'cut.jsonl.zst at 0: cut off' tamis tokenize --ids -t t.json cut.jsonl.zst
refuse 2 'docs is a directory and lines.jsonl is not' tamis tokenize -o no3 -t t.json docs lines.jsonl
tamis bpe -q --text --vocab-size 270 --special '<|a|>' -o a.json lines.txt
refuse 4 'a.json: no end-of-document token: .*<|endoftext|> or <｜end▁of▁sentence｜>; bpe --special adds one' tamis tokenize -o no3 -t a.json lines.jsonl
# Shards of nothing are refused; ids of nothing are none.
: >nothing.jsonl
printf '\n\n' >blank.jsonl
refuse 4 'nothing.jsonl: no text in it' tamis tokenize -q -o nothing1 -t t.json nothing.jsonl
refuse 4 'stdin: no text in it' tamis tokenize -q -o nothing2 -t t.json -
refuse 4 'blank.jsonl and others: no text in it' tamis tokenize -q -o nothing3 -t t.json blank.jsonl nothing.jsonl
refuse 4 'blank.jsonl: all texts are blank' tamis tokenize -q -o nothing4 -t t.json --text blank.jsonl
[ ! -e nothing1/manifest.json ] || fail "tokens of nothing"
tamis tokenize --ids -t t.json nothing.jsonl >out || fail "--ids of nothing: status $?"
[ ! -s out ] || fail "--ids of nothing: $(cat out)"
refuse 2 'two inputs are called lines.jsonl' tamis tokenize -o no3 -t t.json lines.jsonl ./lines.jsonl
refuse 2 'standard input is named twice' tamis tokenize --ids -t t.json - -
refuse 2 'standard input is for one process' tamis tokenize -o no3 -t t.json --task 0/2 -
refuse 2 '--ids takes no -o' tamis tokenize --ids -o no3 -t t.json lines.jsonl
refuse 2 '--ids takes no --events' tamis tokenize --ids --events no3 -t t.json lines.jsonl
refuse 3 'nothere.jsonl' tamis tokenize -o no3 -t t.json nothere.jsonl
[ ! -e no3 ] || fail "a refused command left a directory"

# A directory that was complete and has lost something.
tamis tokenize -q --shards 4 -o lost -t t.json lines.jsonl
whole=$(last_field lost/manifest.json content)
rm lost/default/shard-000002.tok
refuse 4 'lost/default/shard-000002.tok is missing, cut off or of another run: --force makes lost anew' tamis tokenize --shards 4 -o lost -t t.json lines.jsonl
tamis tokenize -q --force --shards 4 -o lost -t t.json lines.jsonl 2>err || fail "a lost shard: status $?, $(cat err)"
head -c 3000 lost/default/shard-000001.tok >cut.tok && mv cut.tok lost/default/shard-000001.tok
refuse 4 'lost/default/shard-000001.tok is missing' tamis tokenize --shards 4 -o lost -t t.json lines.jsonl
tamis tokenize -q --force --shards 4 -o lost -t t.json lines.jsonl 2>err || fail "a shard cut off: status $?, $(cat err)"
tamis shards verify lost >out || fail "made anew: status $?"
[ "$(last_field lost/manifest.json content)" = "$whole" ] || fail "made anew: another content"
tamis tokenize --shards 4 -o lost -t t.json lines.jsonl 2>err
grep -q 'lost is up to date' err || fail "made anew: $(cat err)"

echo "ok: tokenize takes JSON Lines, text and standard input"
