# A line from outside may bring 256 signals: one more and it is counted as bad_json, so that every stage finds room beside them.
line() {
    awk -v n="$1" 'BEGIN {
        printf "{\"id\":\"%d\",\"text\":\"One line of text from somewhere else.\",\"signals\":{", n
        for (i = 0; i < n; i++) printf "%s\"s%d\":%d", i ? "," : "", i, i
        print "}}"
    }'
}
line 256 >lines.jsonl
line 257 >>lines.jsonl
tamis ingest -q -o docs lines.jsonl
tamis filter -q --rules none -o clean docs
tamis docs cat clean | grep -c '"s255":255'
grep -o '"dropped":{[^}]*}' docs/manifest.json
