# Ways to name inputs: all of them give the documents that the files give.
mkdir crawl
mkcrawl -n 40 -f 3 crawl >/dev/null
run() {
    status=0
    out=$1
    shift
    tamis ingest -q -o "$out" "$@" 2>err || status=$?
    grep warning err || :
    [ "$status" -eq 0 ] || { cat err; echo "status $status"; }
}
ids() { zstdcat "$1"/part-*.zst | sed 's/.*"id":"\([^"]*\)".*/\1/' | LC_ALL=C sort; }
same() { cmp -s ids "$1.ids" && echo "$1: the same" || { echo "$1: other"; diff ids "$1.ids" | head -5; }; }

run files crawl
ids files >ids
wc -l <ids
files=$(cd crawl && ls)

echo "-- lists below a place, packed"
printf '%s\n' $files >paths
gzip -c paths >warc.paths.gz
run list --base-url crawl @warc.paths.gz
ids list >list.ids
same list
run missing @warc.paths.gz
gzip -c paths | head -c 20 >cut.gz
run cut --base-url crawl @cut.gz

echo "-- an index, read record by record"
awk -F '#' '{ n = split($1, p, "/"); print p[n], $2 }' ids | sort -k1,1 -k2,2n >places
while read -r name at; do
    size=$(wc -c <"crawl/$name")
    next=$(awk -v n="$name" -v a="$at" '$1 == n && $2 > a { print $2; exit }' places)
    length=$((${next:-$size} - at))
    echo "test,host)/ 20240101000000 {\"url\": \"x\", \"filename\": \"$name\", \"offset\": \"$at\", \"length\": $length}"
done <places | LC_ALL=C sort -r >all.cdxj
run index --cdxj --base-url crawl all.cdxj
ids index >index.ids
same index
head -n 3 all.cdxj >few.cdxj
run few --cdxj --base-url crawl few.cdxj
ids few | wc -l
echo '!nothing' >none.cdxj
run none --cdxj none.cdxj
run both --html --cdxj all.cdxj

echo "-- standard input"
first=$(printf '%s\n' $files | head -n 1)
run pipe - <"crawl/$first"
ids pipe | sed "s/#.*//" | uniq -c | sed 's/^ *[0-9]*//'
[ "$(ids pipe | wc -l)" -eq "$(grep -c "/$first#" ids)" ] && echo as many
run task --task 0/2 - <"crawl/$first"

echo "-- pages"
mkdir -p pages/a/b
p='the river rises in the hills to the north, and for most of its way it runs through open meadows, where cattle graze.'
for i in 1 2 3; do echo "<title>Page $i</title><p>On page $i $p In spring $p" >pages/a/$i.html; done
cp pages/a/1.html pages/a/b/index.HTM
echo '%PDF-1.7' >pages/a/no.html
: >pages/empty.html
gzip -c pages/a/2.html >pages/z.html.gz
echo "not a page" >pages/notes.txt
run pages --html --rejected gone pages
ids pages
zstdcat gone/*.zst | sed 's/.*"id":"\([^"]*\)".*"reason":"\([^"]*\)".*/\1 \2/'
printf 'a/1.html\na/b/index.HTM\n' >pages.list
run listed --html --base-url pages @pages.list
ids listed
run one --html pages/a/3.html
ids one

echo "-- digests"
printf 'WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Block-Digest: sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n' >fine.warc
sed 's/abc/abd/' fine.warc >wrong.warc
run digests --verify-digests fine.warc wrong.warc
grep -o '"block_digest":{[^}]*}' digests/stats.json
