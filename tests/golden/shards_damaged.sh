# verify looks at every shard, says of each by its path whether it is well, and ends with the status of the worst;
# inspect --doc looks at every stream, however short the others are.
awk 'BEGIN {for (i = 0; i < 12; i++) printf "{\"text\":\"a text of some words, %d\",\"source\":\"%s\"}\n", i, i % 4 ? "long" : "short"}' >a.jsonl
tamis ingest -q -o docs a.jsonl
tamis remix -q -o mixed docs
tamis bpe -q -n 300 -o tokenizer.json mixed
tamis tokenize -q -s 4 -o tokens -t tokenizer.json mixed
try() {
    status=0
    "$@" || status=$?
    echo "status $status"
}
spoil() { # FILE OFFSET
    printf 'X' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
(cd tokens && find . -name '*.tok' | sort)
try tamis shards inspect --doc 5 -n 1 tokens | grep -E '^(stream|document|no document|status)'
try tamis shards inspect --doc 50 tokens | tail -n 1
try tamis shards verify tokens
set -- $(find tokens -name '*.tok' | sort)
spoil "$2" 20                            # the header: the number of tokens
spoil "$4" $(($(wc -c <"$4") - 8 - 30)) # behind it
try tamis shards verify tokens
try tamis shards verify "$4" "$1"
try tamis shards verify "$2" "$4" "$1"
