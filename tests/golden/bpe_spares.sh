# bpe replaces a file only where the manifest of a tokenizer lies beside it, also with --force.
mkdir crawl
mkcrawl -n 60 -f 1 crawl >/dev/null
tamis ingest -q --keep-lang en,zh -o docs crawl
try() {
    status=0
    tamis bpe -q "$@" docs 2>&1 || status=$?
    echo "status $status"
}
echo 'mine' >notes.txt
try --vocab-size 300 -o notes.txt
try --vocab-size 300 --force -o notes.txt
try --vocab-size 300 --force -o docs
cp docs/manifest.json other.manifest.json
try --vocab-size 300 --force -o other
cmp docs/manifest.json other.manifest.json && cat notes.txt && ls
try --vocab-size 300 -o tokenizer.json
try --vocab-size 310 -o tokenizer.json
try --vocab-size 310 --force -o tokenizer.json
echo 'edited' >tokenizer.json
try --vocab-size 310 -o tokenizer.json
try --vocab-size 310 --force -o tokenizer.json
try --vocab-size 310 -o tokenizer.json
