# Other weights are another mixture.json over the same shards: nothing is encoded again.
mkdir crawl
mkcrawl -n 150 -f 1 crawl >/dev/null
tamis ingest -q --keep-lang en,zh -o docs crawl
tamis remix -q -o mixed docs
tamis bpe -q --vocab-size 300 -o tokenizer.json mixed
tamis tokenize -q -t tokenizer.json -o tokens mixed
before=$(cat tokens/manifest.json | cksum) mixture=$(cat tokens/mixture.json | cksum)
echo 'alpha: 0' >recipe.yaml
status=0
tamis remix -q --recipe recipe.yaml -o mixed docs || status=$?
tamis tokenize -q -t tokenizer.json -o tokens mixed || status=$?
echo "other weights: status $status"
[ "$(cat tokens/manifest.json | cksum)" = "$before" ] && echo "the same tokens"
[ "$(cat tokens/mixture.json | cksum)" = "$mixture" ] || echo "another mixture"
[ "$(cat tokens/mixture.json)" = "$(cat mixed/mixture.json)" ] && echo "that of the dataset"
tamis shards verify tokens >/dev/null && echo "verified"

# Made by tasks and committed, a view has no weights yet: whoever needs them says so.
tamis remix -q --task 0/2 -o tasks docs
tamis remix -q --task 1/2 -o tasks docs
rm -f tasks/mixture.json
tamis commit -q tasks 2>/dev/null
for verb in "bpe -o other.json" "tokenize -t tokenizer.json -o other"; do
    status=0
    tamis $verb tasks 2>&1 || status=$?
    echo "status $status"
done
tamis remix -q -o tasks docs
tamis tokenize -q -t tokenizer.json -o other tasks && echo "weighed"

# A mixture that is taken away from the dataset goes from the tokens too.
cp mixed/mixture.json docs
tamis tokenize -q -t tokenizer.json -o plain docs
[ -e plain/mixture.json ] && echo "carried over"
rm docs/mixture.json
tamis tokenize -t tokenizer.json -o plain docs 2>&1
[ -e plain/mixture.json ] || echo "gone"
