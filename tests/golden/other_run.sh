# An output directory that holds another run: status 4 and one line; --force starts anew; the same again: nothing to do.
mkdir crawl
mkcrawl -n 10 -f 1 crawl >/dev/null
try() {
    status=0
    "$@" 2>err || status=$?
    echo "status $status, $(wc -l <err) line, $(grep -c 'docs' err) with the name"
}
try tamis ingest -q -o docs crawl
cksum docs/manifest.json >first
try tamis ingest -q -o docs crawl
cksum docs/manifest.json | cmp - first && echo same
try tamis ingest -q -o docs --keep-lang en crawl
cksum docs/manifest.json | cmp - first && echo same
try tamis ingest -q -o docs --keep-lang en --force crawl
cksum docs/manifest.json | cmp -s - first || echo other
try tamis ingest -q -o docs --force --task 0/2 crawl
cksum docs/manifest.json | cmp -s - first || echo other
try tamis filter -q -o docs docs
