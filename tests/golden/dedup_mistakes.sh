# Slips of the pen in what dedup is asked: each is said in a line, before work is spent or anything is written.
say() { # COMMAND...
    status=0
    "$@" >out 2>err || status=$?
    sed 's/\(check\|scratch\)\.[^ :]*/CHECK/' err
    echo "status $status"
}
{
    printf '{"id":"a","source":"web","signals":{"quality":1,"words":4},"text":"one two three four five six"}\n'
    printf '{"id":"b","source":"books","text":"other words of another text"}\n'
    awk 'BEGIN {for (i = 0; i < 600; i++) print "{\"text\":\"one text for all of them\",\"url\":\"http://h.test/" i "\"}"}'
} >docs.jsonl
tamis ingest -q --no-alarm --signatures -o docs docs.jsonl

echo "--- what no document has"
say tamis dedup -q --no-alarm -o keep --keep signal:qualty,source:web:book docs
say tamis dedup -q --no-alarm -o keep --keep signal:qualty,source:web:book docs
say tamis dedup -q --no-alarm -o kept --keep signal:quality,source:web:books docs
echo "--- options that do not go together"
say tamis dedup -o view --wait 5 docs
say tamis tokenize -o view -t none --wait 5 docs
say tamis dedup -o view --verify 0.8 --exact-only docs
say tamis dedup rates -o view --verify 0.8 --exact-only docs
echo "--- scratch that cannot be written"
for verb in 'dedup -o view' 'dedup rates -o view' 'dedup lines -o view' 'dedup index' 'dedup clusters' 'bpe -o view' 'tokenize -t none -o view'; do
    # shellcheck disable=SC2086 # words
    say tamis $verb --scratch none docs
done
say tamis dedup -o view --scratch docs.jsonl docs
echo "--- other verbs"
say tamis dedup cluster keep
say tamis dedup sapns -o view docs
say tamis dedup --url -o view lines docs
say tamis dedup --url -o view rate docs
say tamis dedup --url -o view unlike docs
echo "--- the rejected, and files of another run"
say tamis dedup -q --no-alarm -o docs2 --rejected ./docs2 docs
ls docs2
rmdir docs2
say tamis dedup -q --no-alarm -o view --rejected docs docs
ls view
tamis dedup signatures -q -o files docs
say tamis dedup signatures -b 3 -o files docs
echo "--- signatures that are damaged"
cp -r docs cut
head -c 1000 docs/part-000000.sign.cols >cut/part-000000.sign.cols
say tamis dedup -q --no-alarm -o mended cut
rm cut/part-000000.sign.cols
say tamis dedup -q --no-alarm -o mended cut
echo "--- one dump, one host"
tamis dedup --no-alarm -o again docs 2>&1 | grep ' dump'
