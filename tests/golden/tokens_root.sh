# Two views that show the same documents over datasets with different records: the documents' numbers, which shards hold
# and which decide their order, are others, so the shards of one are not taken for those of the other.
mkdir crawl
mkcrawl -n 150 -f 1 crawl >/dev/null
content() { tail -n 1 "$1/manifest.json" | sed 's/.*"content":"\([0-9a-f]*\)".*/\1/'; }

tamis ingest -q --keep-lang en,zh -o docs crawl
tamis filter -q -o clean docs
tamis docs cat clean >first
root=$(content docs)
tamis bpe -q --vocab-size 300 -o tokenizer.json clean
tamis tokenize -q -t tokenizer.json -o tokens clean
status=0
tamis tokenize -q -t tokenizer.json -o tokens clean || status=$?
echo "the same again: status $status"

rm -r docs clean
tamis ingest -q -o docs crawl
tamis filter -q -o clean docs
tamis docs cat clean | cmp - first && echo "the views show the same"
[ "$(content docs)" = "$root" ] || echo "what lies below is not"
tamis tokenize -q -t tokenizer.json -o tokens clean 2>err || status=$?
echo "another root: status $status, $(cat err)"
