#!/bin/sh
# Hostile texts and tokenizers. Documents that the patterns of a pre-tokenizer backtrack on are left out by `tamis tokenize` and `tamis bpe`
# and counted; what is made is as if they were not there. A tokenizer.json that is damaged or not to be followed: one line that
# names what is wrong, status 4, no output.
#   tests/hostile.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

awk 'BEGIN { for (i = 0; i < 60; i++) print "the cat sat on a mat and ate what the rat had left", i % 7 }' >good.txt
awk 'BEGIN { for (i = 0; i < 8000; i++) printf "a"; print "" }' >evil.txt
tamis bpe -q --text -n 280 -o base.json good.txt

# --- texts
# From every a to the end of its line and back: n^2 steps.
awk '/^  "pre_tokenizer"/ {
    skip = 1
    print "  \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?=.*y)a|[a-z]|\\\\n\"},"
    print "    \"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]},"
}
/^  "post_processor"/ { skip = 0 }
!skip' base.json >slow.json
docs() { awk '{ gsub(/\\/, "\\\\"); printf "{\"id\":\"%s-%d\",\"text\":\"%s\",\"lang\":\"en\",\"domain\":\"%s\"}\n", FILENAME, FNR, $0, FILENAME ~ /evil/ ? "e" : "g" }' "$@"; }
docs good.txt >good.jsonl
{ head -n 20 good.jsonl; docs evil.txt; tail -n +21 good.jsonl; docs evil.txt; } >mixed.jsonl
for f in good mixed; do tamis ingest -q -o $f $f.jsonl; done
tamis tokenize -q -o good.tokens -t slow.json good 2>log || fail "good: status $?, $(cat log)"
[ ! -s log ] || fail "good: $(cat log)"
! grep -q '"dropped"' good.tokens/manifest.json || fail "nothing was dropped"
for j in 1 3; do
    tamis tokenize -q -j $j -o mixed.$j -t slow.json mixed 2>log || fail "mixed: status $?, $(cat log)"
    grep -q 'tokenize: 2 documents are dropped (too_many_steps)' log || fail "mixed: $(cat log)"
    grep -q '"n_docs":60,"n_in":62,"dropped":{"too_many_steps":2}' mixed.$j/manifest.json || fail "mixed: $(cat mixed.$j/manifest.json)"
    [ "$(field mixed.$j/manifest.json n_tokens)" -eq "$(field good.tokens/manifest.json n_tokens)" ] || fail "mixed: other tokens"
    tamis shards verify -q mixed.$j >log || fail "mixed: $(cat log)"
done
tamis tokenize -v -j 2 -o mixed.v -t slow.json mixed 2>log || fail "mixed: status $?, $(cat log)"
[ "$(grep -c 'document local/mixed.jsonl#[0-9+]* is dropped: pattern (?=\.\*y)a|.* at byte [0-9]* of a text of 8000: more than 1024 steps a byte$' log)" -eq 2 ] || fail "mixed: $(cat log)"
tamis tokenize -v --ids -t slow.json mixed 2>log >ids || fail "mixed --ids: status $?, $(cat log)"
[ "$(wc -l <ids)-$(grep -c 'document local/mixed.jsonl#[0-9+]* is dropped: pattern ' log)" = 60-2 ] || fail "mixed --ids: $(cat log)"
tamis tokenize --ids -t slow.json mixed 2>log >ids
! grep -q 'is dropped: ' log || fail "mixed --ids: documents are named without -v"
[ "$(last_field mixed.1/manifest.json content)" = "$(last_field mixed.3/manifest.json content)" ] || fail "mixed: threads matter"
tamis bpe -q -n 300 --extend slow.json -o good.json good 2>log
tamis bpe -q -n 300 --extend slow.json -o mixed.json mixed 2>log || fail "bpe: status $?, $(cat log)"
grep -q 'bpe: 2 texts are left out (too_many_steps)' log || fail "bpe: $(cat log)"
grep -q '"dropped":{"too_many_steps":2}' mixed.json.manifest.json || fail "bpe: $(cat mixed.json.manifest.json)"
cmp good.json mixed.json || fail "bpe: another tokenizer"
cat evil.txt good.txt evil.txt >mixed.txt
for f in good mixed; do tamis bpe stats -q --json --text slow.json - <$f.txt >$f.stats || fail "stats: status $?"; done
sed 's/"dropped":{"too_many_steps":2},//' mixed.stats | cmp -s good.stats - || fail "stats: $(cat good.stats mixed.stats)"
! cmp -s good.stats mixed.stats || fail "stats: nothing is left out"
for verb in compare verify; do
    tamis bpe $verb -q --text slow.json slow.json - <good.txt >log || fail "$verb: status $?"
    tamis bpe $verb -q --text slow.json slow.json - <mixed.txt >verified || fail "$verb: status $?"
    grep -v '^2 texts are left out (too_many_steps)$' verified | cmp log - || fail "$verb: $(cat verified)"
    ! cmp -s log verified || fail "$verb: nothing is left out"
done
tamis bpe -q --text -n 300 --extend slow.json -o lines.json mixed.txt 2>log || fail "bpe of lines: status $?, $(cat log)"
cmp good.json lines.json || fail "bpe of lines: another tokenizer"
[ "$(field lines.json.manifest.json n_docs)-$(field lines.json.manifest.json too_many_steps)" = 60-2 ] || fail "bpe of lines: $(cat lines.json.manifest.json)"
text_bytes_of() { field "$1.manifest.json" text_bytes; } # of what is taken, counted once
[ "$(text_bytes_of lines.json)" -eq "$(wc -c <good.txt)" ] || fail "bpe of lines: $(text_bytes_of lines.json) bytes of text"
[ "$(text_bytes_of mixed.json)" -eq "$(text_bytes_of good.json)" ] || fail "bpe: $(text_bytes_of mixed.json) bytes of text"
# Beside much other text, a line has no more steps than its own; in every chunk, of which there are others with other threads.
for i in 0 1 2 3 4 5 6 7; do sed "s/ on / on $i /" good.txt; cat good.txt good.txt good.txt good.txt good.txt good.txt good.txt; done >much.txt
tamis bpe -q --text -n 300 --extend slow.json -o much.json much.txt 2>log || fail "much text: status $?, $(cat log)"
cat much.txt evil.txt much.txt >among.txt
for j in 1 64; do
    tamis bpe -q --text -n 300 -j $j --extend slow.json -o among.$j.json among.txt 2>log || fail "much text, -j $j: status $?, $(cat log)"
    [ "$(field among.$j.json.manifest.json too_many_steps)" = 1 ] || fail "much text, -j $j: $(cat among.$j.json.manifest.json)"
    cmp much.json among.$j.json || fail "much text, -j $j: another tokenizer"
done
# A line beyond what a document may be, of a file without blocks: the chunks in the middle of it are read once.
cp good.txt long.txt
printf '\n' | dd of=long.txt bs=1048576 seek=700 conv=notrunc 2>/dev/null
cat good.txt >>long.txt
tamis bpe -q --text -n 300 -o twice.json good.txt good.txt 2>log
for j in 1 3; do
    sh -c "tamis bpe -q --text -n 300 -j $j -o long.$j.json long.txt; echo status \$?; cat /proc/\$\$/io 2>/dev/null || :" >io 2>log
    { grep -q '^status 0$' io && grep -q 'bpe: 1 texts are left out (line_too_long)' log; } || fail "a long line: $(cat io log)"
    cmp twice.json long.$j.json || fail "a long line: another tokenizer"
    [ "$(field long.$j.json.manifest.json n_docs)-$(field long.$j.json.manifest.json line_too_long)" = 120-1 ] || fail "a long line: $(cat long.$j.json.manifest.json)"
    n=$(sed -n 's/^rchar: //p' io)
    if [ -n "$n" ]; then
        { [ "$n" -ge $((700 << 20)) ] && [ "$n" -lt $((1100 << 20)) ]; } || fail "a long line of 700 MiB: $n bytes were read"
    else
        echo "hostile texts: how much is read of a long line is not checked, /proc/PID/io cannot be read here"
    fi
done
status=0
{ echo '[1]' && head -c 268435457 /dev/zero; } | tamis bpe decode base.json >back 2>log || status=$?
{ [ $status -eq 4 ] && grep -q '^tamis: stdin: line 2 has more than 268435456 bytes$' log; } || fail "decode: status $status, $(cat log)"
[ "$(cat back)" = '"' ] || fail "decode: line 1 is $(cat back)"
echo "hostile texts: left out and counted"

# --- tokenizers
refused() { # FILE WHAT: by every verb that reads one, in one line that names the file and WHAT, without output
    for verb in "bpe convert -o out" "tokenize -o out -t" "tokenize --ids -t" "bpe verify base.json" "bpe --text -n 400 -o out --extend"; do
        input=
        case $verb in tokenize*out*) input=good ;; *text*) input=good.txt ;; esac
        status=0
        # shellcheck disable=SC2086 # words, and none or one
        tamis $verb "$1" $input <good.txt >out.stdout 2>log || status=$?
        [ $status -eq 4 ] || fail "$verb $1: status $status, $(cat log)"
        { [ "$(wc -l <log)" -eq 1 ] && grep -q "^tamis: $1: " log && grep -qF -- "$2" log; } || fail "$verb $1: $(cat log), not $2"
        [ ! -s out.stdout ] || fail "$verb $1: $(head -c 200 out.stdout)"
        { [ ! -e out ] && [ ! -e out.manifest.json ]; } || fail "$verb $1: output"
    done
}
head -c $(($(wc -c <base.json) * 2 / 3)) base.json >cut.json
refused cut.json ': line '
: >empty.json
refused empty.json 'a tiktoken or a GGUF file: it is empty'
printf '\357\273\277' | cat - base.json >mark.json
tamis bpe verify -q base.json mark.json >log 2>&1 || fail "a byte order mark: $(cat log)"
gzip -c base.json >base.json.gz
refused base.json.gz 'packed by gzip'
refused good.txt 'it is something else'
sed 's/^      "b": \([0-9]*\),$/      "b": 1,/' base.json >ids.json
refused ids.json 'model.vocab: two tokens have the id 1: " and b'
sed 's/"vocab": {/"vocab": {"b": 300,/' base.json >key.json
refused key.json 'duplicate key in this object: "b"'
sed 's/"merges": \[/"merges": [["t", "qq"],/' base.json >part.json
refused part.json 'model.merges: merge 0 has a token that is not in the vocabulary: qq'
sed 's/"merges": \[/"merges": [["b", "a"],/' base.json >result.json
refused result.json 'model.merges: merge 0 has a token that is not in the vocabulary: ba'
sed 's/"merges": \[/"merges": [["", "t"],/' base.json >cycle.json # what a merge makes is longer than its parts, unless one is empty
refused cycle.json 'model.merges: merge 0 is not a pair of tokens'
sed 's/"Digits"/"Tens"/' base.json >pre.json
refused pre.json 'pre_tokenizer: type is Tens'
sed 's/(?=\.\*y)/(?P<n>y)/' slow.json >pattern.json
refused pattern.json 'pre_tokenizer: pattern (?P<n>y)a|'
awk '/^  "added_tokens": \[/ {
    print "\"added_tokens\": [{\"id\": 280, \"content\": \"<0>\"}"
    for (i = 1; i < 1000000; i++) printf ",{\"id\":%d,\"content\":\"<%d>\"}\n", 280 + i, i
    print "], \"x\": ["
    next
} { print }' base.json >million.json
refused million.json 'added_tokens has 1000000 tokens, more than 65536'
tamis bpe convert -q -f gguf -o base.gguf base.json
head -c 3000 base.gguf >cut.gguf
refused cut.gguf ''
tamis bpe convert -q -f tiktoken -o base.tiktoken base.json 2>log
{ head -n 100 base.tiktoken && echo 'not base64 100'; } >cut.tiktoken
status=0
tamis bpe convert -q --pre-tokenizer gpt2 -o out cut.tiktoken 2>log || status=$?
{ [ $status -eq 4 ] && grep -q '^tamis: cut.tiktoken: ' log && [ ! -e out ]; } || fail "cut.tiktoken: status $status, $(cat log)"
echo "hostile tokenizers: refused by name"
