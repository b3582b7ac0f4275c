# What reads documents or tokens says what it was given instead.
mkdir crawl
mkcrawl -n 60 -f 1 crawl >/dev/null
tamis ingest -q --keep-lang en,zh -o docs crawl
tamis bpe -q --vocab-size 300 -o tokenizer.json docs
tamis tokenize -q -t tokenizer.json -o tokens docs
mkdir run
echo '{"format":"tamis-run","version":1,"stages":[]}' >run/run.json
for input in tokens tokenizer.json crawl run nothing; do
    for verb in "dedup -o out" "filter -o out" "remix -o out" "bpe -o out.json" "tokenize -t tokenizer.json -o out"; do
        status=0
        tamis $verb $input 2>err || status=$?
        echo "${verb%% *}, status $status: $(cat err)"
    done
done
for input in docs run tokenizer.json tokens/web-en; do
    status=0
    tamis shards inspect $input 2>err || status=$?
    echo "shards, status $status: $(cat err)"
done
for wrong in "filter --rules zh" "filter --limit no_such=1" "bpe --preset gpt"; do
    status=0
    tamis $wrong -o out docs 2>err || status=$?
    echo "status $status: $(cat err)"
done
ls -d out* 2>/dev/null || echo "nothing was made"
