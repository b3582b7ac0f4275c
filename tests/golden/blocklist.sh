# Blocklists: what they drop, by kind; lines that are no entry; mistakes. Lists count by their entries.
mkdir lists
printf '{"text":"A line of text, long enough.","url":"http://%s"}\n' a.example/x b.example/y www.b.example/z c.example/casino \
    d.example/free-poker e.example/fine >lines.jsonl
echo b.example >lists/domains
printf '# a comment\na.example/x\n\nhttp://\n' >lists/urls
echo casino >lists/words
echo freepoker >lists/strings
run() {
    status=0
    tamis ingest -q -o docs "$@" 2>err || status=$?
    cat err
    echo "status $status"
}
run --block domain:lists/domains --block url:lists/urls --block word:lists/words --block substring:lists/strings lines.jsonl
tamis docs cat --format json docs | sed 's/.*"url":"\([^"]*\)".*/\1/'
grep -o '"blocked":{[^}]*}' docs/stats.json
echo again:
cp lists/domains lists/copy
run --block substring:lists/strings --block url:lists/urls --block domain:lists/copy --block word:lists/words lines.jsonl
run --block domain:lists/domains lines.jsonl
echo mistakes:
: >lists/empty
run --block domain:lists/empty lines.jsonl
run --block host:lists/domains lines.jsonl
run --block domain:lists/none lines.jsonl
echo url:
printf 'http://WWW.B.example:80/z?utm_source=1\n\nhttp://www.example.co.uk/A/\nno url\n' | tamis url --block domain:lists/domains
echo rules:
printf '{"text":"%s"}\n' short 'Letters, and enough of them: the rules that are meant look at words and lines, and this has a good many words in one line. More of them follow here, so that it is long enough for all, and then some more.' >two.jsonl
tamis ingest -q -o cheap --rules cheap two.jsonl
grep -o '"dropped":{[^}]*}' cheap/manifest.json
