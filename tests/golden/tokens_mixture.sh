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
