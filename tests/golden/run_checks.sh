# Every section's keys and values are checked by its verb before the first stage starts: one line with the place in the
# recipe, status 2, and no stage has left anything.
try() { # LINES...
    printf '%s\n' 'ingest: {input: crawl}' "$@" >recipe.yaml
    for dry in '' -n; do
        status=0
        tamis run $dry recipe.yaml >out || status=$?
        echo "status $status, $(wc -l <out) lines"
    done
    [ ! -d run ] || ls run
    rm -rf run
}
mkdir crawl
try 'train:' '  threads: 1' '  confg: x'
try 'bpe:' '  vocab-size: lots'
try 'bpe: {vocab-size: 100000000}'
try 'dedup: {exact-only: 1}'
try 'filter: {rules: true, other: keep}'
try 'filter: {rule: zh-en}'
try 'dedup:' '  bands: 0'
try 'filter:' '  other: keep' '  limit: [no_such_rule=3]'
try 'remix:' '  recipe: no-such-file.yaml'
try 'bpe: {vocab-size: 100}'
try 'tokenize: {shards: 3}'
try 'train:' '  config: {preset: tiny, layrs: 1}'
# A number that a message holds blames no other key of that value.
try 'train:' '  steps: 2' '  set: [batch=3, micro_batch=2]'
try 'bpe: false'
try 'tokenize: false'
# What an operand looks like does not make it an option.
printf 'ingest: {input: -x}\n' >recipe.yaml
tamis run -q recipe.yaml || echo "status $?"
rm -rf run
# A mapping is looked at too, before it is needed.
printf 'ingest: {input: crawl}\nremix:\n  recipe:\n    alfa: 1\n' >recipe.yaml
tamis run -q recipe.yaml || echo "status $?"
ls run
for bad in 'keep-lang: fr' 'part-bytes: 0'; do
    printf 'ingest:\n  input: crawl\n  %s\n' "$bad" >recipe.yaml
    tamis run -q recipe.yaml || echo "status $?"
done
printf 'ingest: {input: crawl}\ntrain:\n  steps: 0\n' >recipe.yaml
tamis run -q recipe.yaml || echo "status $?"
