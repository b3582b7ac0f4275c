# An output directory that holds another run: status 4 and one line; --force starts anew, but
# not over another verb's; the same again: nothing to do.
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

# The dataset of another verb: in the way, with --force too.
tamis ingest -q -o other crawl
cp -R other whole
for force in "" --force; do
    status=0
    tamis filter -q $force -o other docs || status=$?
    echo "status $status"
done
diff -r whole other && echo "the other verb's is whole"
