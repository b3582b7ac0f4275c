# An input that is not there: one line that names it, status 3, nothing under a final name.
try() {
    status=0
    "$@" >out 2>err || status=$?
    grep -q 'nowhere' err && named=named || named="not named: $(cat err)"
    echo "$2: status $status, $(wc -l <err) line, $named"
}
echo '{}' >tokenizer.json
try tamis ingest -o out1 nowhere.warc.gz
try tamis dedup -o out2 nowhere
try tamis filter -o out3 nowhere
try tamis remix -o out4 nowhere
try tamis bpe -o out5.json nowhere
try tamis tokenize -o out6 -t nowhere.json nowhere
try tamis shards verify nowhere
try tamis train -c tiny -o out7 nowhere
try tamis run nowhere.yaml
try tamis report nowhere
try tamis docs head nowhere
try tamis commit nowhere
find . -name manifest.json -o -name 'out5.json'
