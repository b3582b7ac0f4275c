#!/bin/sh
# `tamis dedup signatures`: files are whole, sorted, the same for any threads and ranks, and of a document whose words are known they hold
# what datatrove 0.10.0 puts there. (bench/dedup_peers.py compares whole files with datatrove's own.)
#   tests/dedup_signatures.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

# Once as text, once as the tokens of another text: the first three values of band 0, and the document's number.
quick="the quick brown fox jumps over the lazy dog and then runs away from all of them again and again"
tokens=$(echo "$quick" | sed 's/[a-z]*/"&"/g; s/ /,/g')
printf '{"id":"a","text":"%s"}\n{"id":"b","text":"too few words"}\n{"id":"c","text":"another","tokens":[%s]}\n' "$quick" "$tokens" >known.jsonl
tamis ingest -q --no-alarm -o known known.jsonl
tamis dedup signatures -q -o known.sig known
[ "$(find known.sig -name '*.minhash.sig' | wc -l)" -eq 14 ] || fail "not one file a band"
bytes() { od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'; }
first=known.sig/bucket_000/00000.minhash.sig
[ "$(wc -c <$first)" -eq 136 ] || fail "not two records"
for doc in 0 2; do
    at=$((doc * 34))
    [ "$(bytes $first $at 24)" = 527d3d6c0a282f01b17a3d6ec95a6a00b56b49f7d3d9fa00 ] || fail "other values: $(bytes $first $at 24)"
    [ "$(bytes $first $((at + 64)) 4)" = 0${doc}000000 ] || fail "another document: $(bytes $first $((at + 64)) 4)"
done

# Of a view the documents it shows are counted: without the second of three the third is 1, not 2.
printf '{"id":"a","text":"%s"}\n{"id":"b","text":"%s"}\n{"id":"c","text":"another","tokens":[%s]}\n' "$quick" "$quick" "$tokens" >twice.jsonl
tamis ingest -q --no-alarm -o twice twice.jsonl
tamis dedup -q --exact-only -o shown twice
tamis dedup signatures -q -o shown.sig shown
first=shown.sig/bucket_000/00000.minhash.sig
[ "$(wc -c <$first)" -eq 136 ] || fail "not two records of a view"
for doc in 0 1; do [ "$(bytes $first $((doc * 34 * 2 + 64)) 4)" = 0${doc}000000 ] || fail "a view's document $doc is another"; done

mkdir crawl
mkcrawl -n 400 -f 5 -b crawl >/dev/null
tamis ingest -q --no-alarm --inputs-per-part 2 -o docs crawl/*.warc.gz 2>warnings
tamis dedup signatures -q -j 1 -o one docs
tamis dedup signatures -q -j 3 -o three docs
diff -r one three || fail "three threads write other files"
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then
    ASAN_OPTIONS=detect_leaks=0 mpirun -n 2 tamis dedup signatures -q -j 1 -o ranks docs
    diff -r one ranks || fail "two ranks write other files"
fi
[ "$(find one -name '*.minhash.sig' | wc -l)" -gt 28 ] || fail "one part only"
for f in one/bucket_0*/00000.minhash.sig; do # a line a record: words of 64 bits, big-endian, so that lines sort as numbers
    od -An -v -tx4 -w4 "$f" | awk '{sub(/ /, ""); w[NR % 17] = $1} NR % 17 == 0 {
        line = ""; for (i = 1; i < 17; i += 2) line = line w[i + 1] w[i]; print line w[0]}' >records
    [ "$(wc -l <records)" -gt 10 ] || fail "$f has too few records"
    sort -c records || fail "$f is not sorted"
done

# The same again is fine; files of two runs never lie side by side.
cp -r one before
tamis dedup signatures -q -o one docs
diff -r one before || fail "another time other files"
for other in "-s 2 -o one docs" "-b 10 -o one docs" "-o one known" "-o bare docs"; do
    [ -d bare ] || cp -r one bare
    rm -f bare/signatures.json
    status=0
    # shellcheck disable=SC2086 # words
    tamis dedup signatures -q $other 2>err || status=$?
    [ $status -eq 4 ] && grep -q 'holds .* of \(another run\|something else\)' err || fail "signatures $other: status $status, $(cat err)"
    diff -r one before || fail "signatures $other has written"
done

status=0
tamis dedup signatures -q -s 4294967296 -o none docs 2>/dev/null || status=$?
[ $status -eq 2 ] || fail "a seed of 33 bits: status $status"
echo '{"id":"a","text":"x","tokens":["x",1]}' >bad.jsonl
tamis ingest -q --no-alarm -o bad bad.jsonl
status=0
tamis dedup signatures -q -o bad.sig bad 2>err || status=$?
[ $status -eq 4 ] || fail "bad tokens: status $status"
grep -q 'tokens is no array of strings' err || fail "bad tokens: $(cat err)"
