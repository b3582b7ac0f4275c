#!/bin/sh
# `tamis bpe`: a run that is killed or stopped goes on and ends with the same bytes; --extend keeps every id and finds the merges of
# a tokenizer trained to that size at once; less --memory changes nothing as long as the distinct words fit it, and is spoken of when
# they do not; ranks change nothing.
#   tests/bpe.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

# Words of four scripts by something like Zipf's law, and a long line of a script without a class.
awk 'BEGIN {
    srand(4)
    n[0] = split("a e i o u th st er in on re ing tion l m d", latin, " ")
    n[1] = split("的 是 不 我 人 在 有 中 国 大 学 这 那 就", han, " ")
    n[2] = split("п р и в е т с о м с ь м й م س ل ا _ ( ) { } ;", other, " ")
    for (w = 0; w < 30000; w++) {
        word[w] = ""
        kind = w % 5 < 2 ? 0 : w % 5 < 4 ? 1 : 2
        for (k = int(rand() * 8) + 1; k > 0; k--) {
            u = int(rand() * n[kind]) + 1
            word[w] = word[w] (kind == 0 ? latin[u] : kind == 1 ? han[u] : other[u])
        }
    }
    for (line = 0; line < 9000; line++) {
        text = ""
        for (k = int(rand() * 25) + 1; k > 0; k--) text = text word[int(30000 * rand() ^ 2)] (rand() < 0.8 ? " " : "")
        print text
    }
    for (k = 0; k < 4000; k++) printf "سلام "
    print ""
}' >text
vocab=6000
train() { tamis bpe -q --text -n $vocab --checkpoint-seconds 0 "$@" text; }
train -j 1 -o want.json || fail "status $?"
{ [ ! -e want.json.merges ] && [ ! -e want.json.words ]; } || fail "what was kept is still there"
[ "$(field want.json.manifest.json exact)" = true ] || fail "the manifest says that it is not exact"

# A directory that is not there is made, and one that cannot be made is named at once.
tamis bpe -q --text -n 300 -o made/in/it.json text || fail "-o made/in/it.json: status $?"
[ -e made/in/it.json ] || fail "no made/in/it.json"
status=0
tamis bpe -v --text -n 300 -o text/it.json text 2>log || status=$?
{ [ $status -eq 3 ] && grep -q 'text' log && ! grep -q 'distinct words' log; } || fail "-o below a file: status $status, $(cat log)"

# --- a special token whose text is merged anyhow, or a byte: it is that token, and none is wanting
tamis bpe --text -n 300 --special th --special a --special '<|x|>' -o special.json text 2>log
[ "$(field special.json.manifest.json n_ids)" -eq 301 ] || fail "special tokens: $(cat special.json.manifest.json)"
{ grep -q ' 2 of the added tokens are bytes or merged' log && ! grep -q 'no more pairs' log; } || fail "special tokens: $(cat log)"
echo aaaa >few
tamis bpe -q --text -n 300 --special th --special aa -o few.json few 2>log
grep -q 'no more pairs to merge: 259 tokens, 301 were wanted$' log || fail "few pairs: $(cat log)"

# Text that is packed is what it was, also among files that are not, and what is cut off is said.
head -n 4000 text >head.txt
tail -n +4001 text >tail.txt
gzip tail.txt
zstd -q text
printf '\377\000' | cat - head.txt | gzip -c >odd.gz
train_on() { tamis bpe -q --text -n 2000 -o "$@"; }
train_on plain.json -j 1 text
train_on zst.json -j 3 text.zst
train_on both.json -j 2 head.txt tail.txt.gz
{ cmp plain.json zst.json && cmp plain.json both.json; } || fail "packed text: another tokenizer"
for member in n_docs text_bytes n_words; do
    [ "$(field plain.json.manifest.json $member)" = "$(field zst.json.manifest.json $member)" ] || fail "packed text: other $member"
done
gzip -cd odd.gz >odd
train_on odd.json odd
train_on odd-gz.json odd.gz
cmp odd.json odd-gz.json || fail "packed text that is not UTF-8: another tokenizer"
head -c 9000 text.zst >cut.zst
status=0
train_on cut.json cut.zst 2>log || status=$?
{ [ $status -eq 4 ] && grep -q 'cut.zst at 0: cut off' log; } || fail "text cut off: status $status, $(cat log)"

# --- killed, stopped
for sig in KILL TERM; do
    # Run by itself, since a function in the background is a shell that would be killed in its place.
    tamis bpe -q --text -n $vocab --checkpoint-seconds 0 -j 2 -o again.json text 2>log &
    pid=$!
    until [ -e again.json.merges ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill -$sig $pid 2>/dev/null || :
    status=0
    wait $pid 2>/dev/null || status=$?
    [ ! -e again.json ] || fail "SIG$sig: the tokenizer was there before the signal: too little text"
    [ $sig = KILL ] || [ $status -eq 6 ] || fail "SIG$sig: status $status, $(cat log)"
    [ -e again.json.words ] || fail "SIG$sig: the words are not kept"
    tamis bpe --text -n $vocab --checkpoint-seconds 0 -j 1 -o again.json text 2>log || fail "resumed after SIG$sig: status $?"
    grep -q 'goes on from [1-9]' log || fail "resumed after SIG$sig: it began anew: $(cat log)"
    cmp want.json again.json || fail "SIG$sig: another tokenizer"
    rm again.json*
    echo "SIG$sig: the same tokenizer"
done

# A checkpoint that is damaged is named, one of another run is nobody's.
tamis bpe -q --text -n $vocab --checkpoint-seconds 0 -o again.json text & pid=$!
until [ -e again.json.merges ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -KILL $pid 2>/dev/null || :
wait $pid 2>/dev/null || :
cp again.json.words words
cp again.json.merges merges
printf x | dd of=again.json.words bs=1 seek=$(($(wc -c <words) - 5)) conv=notrunc 2>/dev/null
status=0
train -o again.json 2>log || status=$?
{ [ $status -eq 4 ] && grep -q 'again.json.words is damaged' log; } || fail "damaged words: status $status, $(cat log)"
cp words again.json.words
head -c $(($(wc -c <merges) - 8)) merges >again.json.merges
status=0
train -o again.json 2>log || status=$?
{ [ $status -eq 4 ] && grep -q 'again.json.merges is damaged' log; } || fail "merges cut off: status $status, $(cat log)"
cp merges again.json.merges
tamis bpe -q --text -n 3000 -o again.json text || fail "another run's checkpoint: status $?"
tamis bpe -q --text -n 3000 -o third.json text || fail "status $?"
cmp again.json third.json || fail "another run's checkpoint was taken"
rm again.json*
for kept in words merges; do
    echo mine >own.json.$kept
    for force in "" --force; do
        status=0
        # shellcheck disable=SC2086 # none or one
        tamis bpe -q --text -n 300 $force -o own.json text 2>log || status=$?
        { [ $status -eq 4 ] && grep -q "own.json.$kept is there and is not bpe's" log; } || fail "own.json.$kept: status $status, $(cat log)"
        [ "$(cat own.json.$kept)" = mine ] || fail "own.json.$kept was replaced"
    done
    rm own.json.$kept
done
cp words want.json.words
cp merges want.json.merges
train -o want.json || fail "up to date: status $?"
{ [ ! -e want.json.merges ] && [ ! -e want.json.words ]; } || fail "what was kept is left beside a tokenizer that is there"

# --- extended
tamis bpe -q --text -n 2000 -o small.json text
tamis bpe -q --text -n $((vocab + 15)) --extend small.json -o more.json text || fail "--extend: status $?"
# lines of model.vocab, of model.merges
vocab_of() { awk '/^    "vocab": / { on = 1; next } /^    },/ { on = 0 } on' "$1" | sed 's/,$//' | sort; }
merges_of() { awk '/^    "merges": / { on = 1 } on' "$1"; }
added_of() { awk '/"added_tokens"/ { on = 1 } /"normalizer"/ { on = 0 } on' "$1"; }
merges_of want.json >merges.want
merges_of more.json | cmp - merges.want || fail "--extend: other merges than those of one training"
vocab_of small.json >vocab.small
vocab_of more.json >vocab.more
comm -23 vocab.small vocab.more >lost
[ ! -s lost ] || fail "--extend: ids that changed: $(head -n 3 lost)"
added_of small.json >added.small
added_of more.json | cmp - added.small || fail "--extend: added tokens changed"
for f in small more; do
    printf 'the <|pad|> 中国 привет <|end_of_text|>\n' | tamis tokenize --ids -t $f.json >ids.$f || fail "tokenize with $f.json"
done
[ "$(head -c 40 ids.small | wc -c)" -gt 5 ] || fail "no ids"
# Added tokens that read as bytes: ü as one that no text has, another as what a later merge would make, which would then stand twice in
# model.vocab. They stand there in the tokenizer of the checkpoint, but not in the one that is extended.
later=$(vocab_of want.json | sed -n 's/^ *"\([^"\\]*\)": 4[0-9][0-9][0-9]$/\1/p' | grep '[^ -~]' | head -n 1)
[ -n "$later" ] || fail "no token of other letters than ASCII"
tamis bpe -q --text -n 2000 --initial-alphabet seen --special ü --special "$later" -o accents.json text || fail "--special ü: status $?"
tamis bpe -q --text -n $vocab --extend accents.json -o whole.json text || fail "--extend with ü and $later: status $?"
tamis bpe -q --text -n $vocab --checkpoint-seconds 0 --extend accents.json -o cut.json text & pid=$!
until [ -e cut.json.merges ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
kill -KILL $pid 2>/dev/null || :
wait $pid 2>/dev/null || :
tamis bpe --text -n $vocab --extend accents.json -o cut.json text 2>log || fail "--extend resumed: status $?"
grep -q 'goes on from [1-9]' log || fail "--extend resumed: it began anew: $(cat log)"
cmp whole.json cut.json || fail "--extend resumed: another tokenizer"
printf '%s\n' "ü $later" >accents
tamis tokenize --ids -t whole.json <accents | tamis bpe decode --lossless whole.json >back || fail "decode: status $?"
cmp accents back || fail "decode --lossless: other bytes"
status=0
tamis bpe -q --text -n 2015 --extend small.json -o none.json text 2>log || status=$?
{ [ $status -eq 2 ] && grep -q 'has 2015 ids already' log; } || fail "--extend by nothing: status $status, $(cat log)"

# Text that the base normalizes, and words that it does not merge, are trained on as its encoder meets them.
sed 's/"normalizers": \[\]/"normalizers": [{"type":"NFC"}]/' small.json >nfc.json
awk 'BEGIN { for (i = 0; i < 50; i++) print "cafe\314\201 re\314\201sume\314\201" }' >decomposed
awk 'BEGIN { for (i = 0; i < 50; i++) print "caf\303\251 r\303\251sum\303\251" }' >composed
tamis bpe -q --text -n 2020 --extend nfc.json -o from-nfc.json decomposed || fail "--extend of NFC: status $?"
tamis bpe -q --text -n 2020 --extend small.json -o from-small.json composed || fail "--extend: status $?"
merges_of from-nfc.json >merges.nfc
merges_of from-small.json | cmp - merges.nfc || fail "--extend of a normalizer: other merges than of the text normalized"
[ "$(wc -l <merges.nfc)" -gt "$(merges_of small.json | wc -l)" ] || fail "--extend of a normalizer: no merges"
sed 's/"ignore_merges": false/"ignore_merges": true/; s/"vocab": {/"vocab": { "qxzj": '$((vocab + 15))',/' more.json >whole.json
awk 'BEGIN { for (i = 0; i < 50; i++) print "qxzj" }' >one-word
tamis bpe -q --text -n $((vocab + 20)) --extend whole.json -o from-whole.json one-word 2>log || fail "--extend of ignore_merges: status $?, $(cat log)"
merges_of from-whole.json | cmp - merges.want || fail "--extend of ignore_merges: merges inside a word that is never merged"
echo "--extend: $((vocab - 2000)) merges more, every id as it was"

# --- memory
for memory in 100M 43M; do
    train --memory $memory -j 4 -o memory.json || fail "--memory $memory: status $?"
    cmp want.json memory.json || fail "--memory $memory: another tokenizer"
    rm memory.json*
done
status=0
train --memory 30M -o memory.json 2>log || status=$?
{ [ $status -eq 2 ] && grep -q -- '--memory is too small: 6000 tokens take at least 43M' log; } || fail "--memory 30M: status $status, $(cat log)"
# Many threads are no more than the memory has counters for: else each of them is full at once.
tamis bpe -v --text -n 300 --memory 60M -j 64 -o threads.json text 2>log || fail "--memory 60M, 64 threads: status $?"
grep -q 'words left memory 0 times' log || fail "--memory 60M, 64 threads: $(grep 'left memory' log)"
tamis bpe -q --text -n 300 -j 1 -o thread.json text || fail "status $?"
cmp thread.json threads.json || fail "--memory 60M, 64 threads: another tokenizer"
# A text file is lines, to every pre-tokenizer: of the ends of empty ones nothing is merged, whatever the chunks are.
awk 'BEGIN { for (i = 0; i < 600000; i++) print "" }' >blank
for threads in 1 64; do
    tamis bpe -q --text -n 400 --pre-tokenizer gpt2 -j $threads -o blank-$threads.json blank 2>log || fail "empty lines: status $?, $(cat log)"
    [ "$(field blank-$threads.json.manifest.json n_ids)" = 271 ] || fail "empty lines, $threads threads: $(cat blank-$threads.json.manifest.json)"
done
# Words that are all different, more than fit.
{
    cat text
    awk 'BEGIN { srand(7); for (i = 0; i < 280000; i++) printf "w%d%s%d\n", i * 7919 % 1000003, substr("abcdefghij", i % 7 + 1, 3), i }' | tr 0-9 k-t
} >many
for threads in 1 3; do
    tamis bpe --text -n $vocab --memory 43M -j $threads -o capped-$threads.json many 2>log || fail "--memory 43M: status $?"
    grep -q 'not exact: the [0-9]* rarest words' log || fail "--memory 43M: nothing said: $(cat log)"
    [ "$(field capped-$threads.json.manifest.json exact)" = false ] || fail "--memory 43M: exact, says the manifest"
    [ "$(field capped-$threads.json.manifest.json words_left_out)" -gt 0 ] || fail "--memory 43M: no words left out"
    peak=$(sed -n 's/.*tokens in .*, peak \([0-9]*\) MB$/\1/p' log)
    tamis bpe --text -n 300 -o tiny-$threads.json accents 2>log || fail "status $?"
    process=$(sed -n 's/.*tokens in .*, peak \([0-9]*\) MB$/\1/p' log)
    # A sanitizer's own memory is not looked at. 43M are 45 MB.
    [ "$process" -gt 28 ] || [ "$peak" -le 45 ] || fail "--memory 43M, $threads threads: it took $peak MB"
done
zstd -q many
tamis bpe -q --text -n $vocab --memory 43M -j 3 -o packed.json many.zst 2>log || fail "--memory 43M, packed: status $?"
cmp capped-1.json packed.json || fail "what is left out depends on packing"
cmp capped-1.json capped-3.json || fail "what is left out depends on threads"
tamis bpe --text -n $vocab --memory 100M -j 1 -o uncapped.json many 2>log || fail "status $?"
grep -q '24 GB of such text would have [0-9.]* million distinct words' log || fail "nothing projected: $(cat log)"
! cmp -s uncapped.json capped-1.json || fail "--memory 43M: the words all fit"
echo "--memory: the same, or said; $peak MB of 45"

# --- ranks
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ASAN_OPTIONS=detect_leaks=0 \
        mpirun -q -n 3 tamis bpe -q --text -n $vocab --memory 43M -j 2 -o ranks.json text || fail "3 ranks: status $?"
    cmp want.json ranks.json || fail "3 ranks: another tokenizer"
    echo "3 ranks: the same"
fi
