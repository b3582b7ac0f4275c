# Standard output that takes nothing: one line, status 3, whether it shows at once or with the last bytes.
[ -c /dev/full ] || { echo "no /dev/full here"; exit 77; }
mkdir crawl
mkcrawl -n 100 -f 1 crawl >/dev/null
tamis ingest -q -o docs crawl
try() {
    status=0
    "$@" >/dev/full 2>err || status=$?
    echo "$*: status $status, $(wc -l <err) line, $(grep -c 'cannot write to standard output: No space left on device' err)"
}
try tamis docs cat docs
try tamis docs head -n 1 docs
try tamis docs grep -c . docs
try tamis remix --help
