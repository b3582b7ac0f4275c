# Files of our own with wrong bytes: one line that names the file, status 4.
mkdir crawl
mkcrawl -n 20 -f 1 crawl >/dev/null
tamis ingest -q -o docs crawl
try() {
    status=0
    "$@" >out 2>err || status=$?
    grep -q "$what" err && named=named || named="not named: $(cat err)"
    echo "$what: status $status, $(wc -l <err) line, $named"
}
spoil() { # FILE OFFSET
    printf 'X' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
part=part-000000.jsonl.zst

cp -r docs a
what=$part
spoil a/$part 3000
try tamis docs cat a

cp -r docs b
size=$(wc -c <b/$part)
head -c $((size - 7)) docs/$part >b/$part
try tamis docs cat b

cp -r docs c
what=manifest.json
head -c 100 docs/manifest.json >c/manifest.json
try tamis dedup -q -o c2 c

cp -r docs d
rm d/manifest.json
what='d is not a complete dataset'
try tamis filter -q -o d2 d

tamis filter -q -o clean docs
mv docs moved
mkdir crawl2
mkcrawl -n 20 -f 1 -s 9 crawl2 >/dev/null
tamis ingest -q -o docs crawl2
what=docs
try tamis docs cat clean
