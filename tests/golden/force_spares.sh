# --force replaces a run of its own kind; what else a directory holds is never deleted.
mkdir crawl
mkcrawl -n 60 -f 1 crawl >/dev/null
tamis ingest -q --keep-lang en,zh -o docs crawl
tamis bpe -q --vocab-size 300 -o tokenizer.json docs
tamis tokenize -q -t tokenizer.json -o tokens docs
try() {
    status=0
    "$@" 2>err || status=$?
    echo "status $status: $(cat err)"
}
try tamis tokenize -q --force -t tokenizer.json -o docs docs
try tamis filter -q --force -o tokens docs
tamis docs cat docs >/dev/null && tamis shards verify tokens >/dev/null && echo "both are whole"
tamis docs cat docs | head -n 1 | wc -l
