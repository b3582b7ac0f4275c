#!/bin/sh
# Documents that make other tools slow or wrong: 50,000 identical ones, 5,000 that share nearly every band, three of 5 MB, texts without a
# word. What stays is known beforehand; the table of clusters says the same for any number of threads and in little memory, and the
# summary shows the giant ones with samples. Damaged files of ours are named.
#   tests/dedup_hostile.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

same='one text that fifty thousand pages of a careless site have in common word for word'
awk -v same="$same" 'BEGIN {
    for (i = 0; i < 50000; i++) printf "{\"id\":\"s%d\",\"url\":\"http://h%d.test/%d\",\"text\":\"%s%s\"}\n", i, i % 3, i, same, i % 2 ? "!" : ""
}' >same.jsonl
# 60 words that are the same, and one of 5,000 at the end: of 57 shingles 56 are common, Jaccard 56/58.
awk 'BEGIN {
    for (w = 0; w < 60; w++) common = common sprintf("%c%c%c ", 97 + w % 26, 97 + int(w / 26), 122 - w % 26)
    for (i = 0; i < 5000; i++) {
        last = ""
        for (n = i; length(last) < 3; n = int(n / 26)) last = last sprintf("%c", 97 + n % 26)
        printf "{\"id\":\"b%d\",\"url\":\"http://b.test/%d\",\"text\":\"%s%s\"}\n", i, i, common, last
    }
}' >bucket.jsonl
# 5 MB of words, again in another case, and with one more word in front.
awk 'BEGIN {
    for (i = 0; i < 1000000; i++) {
        seed = (seed * 1103515245 + 12345) % 2147483648
        n = int(seed / 65536)
        printf "%c%c%c%c ", 97 + n % 26, 97 + n % 25, 97 + n % 23, 97 + n % 19
    }
}' >words
{
    printf '{"id":"l0","text":"' && cat words && printf '"}\n{"id":"l1","text":"' && tr '[:lower:]' '[:upper:]' <words
    printf '"}\n{"id":"l2","text":"another ' && cat words && printf '"}\n'
} >large.jsonl
awk 'BEGIN {
    for (i = 0; i < 4; i++) printf "{\"id\":\"d%d\",\"text\":\".\"}\n{\"id\":\"a%d\",\"text\":\"%s\"}\n{\"id\":\"p%d\",\"text\":\"?!.,%s\"}\n",
        i, i, i % 2 ? "a" : "A.", i, i % 2 ? "?" : "!"
}' >short.jsonl
tamis ingest -q --no-alarm -o docs same.jsonl bucket.jsonl large.jsonl short.jsonl
tamis dedup --no-alarm -j 2 --memory 100M -o unique docs 2>log

# Kept: 1 of the same, 1 of the bucket, 1 of the large; of the short ".", "a" and two kinds of marks.
[ "$(field unique/manifest.json n_in)" -eq 55015 ] || fail "documents were lost: $(cat log)"
[ "$(field unique/manifest.json n_docs)" -eq 7 ] || fail "other documents stay: $(cat log)"
tamis docs cat unique | sed 's/.*"dup_docs":\([0-9]*\).*/\1/' | sort -n | tr '\n' ' ' >sizes
[ "$(cat sizes)" = "2 2 3 4 4 5000 50000 " ] || fail "other clusters: $(cat sizes)"
grep -q ' 50000 documents, 1 dump, 3 hosts$' log && grep -q ' 5000 documents, 1 dump, 1 host$' log &&
    [ "$(grep -c "exact_duplicate .* \"one text that" log)" -eq 3 ] && [ "$(grep -c 'near_duplicate .*b\.test/.* "' log)" -eq 3 ] ||
    fail "the giant clusters are not shown: $(cat log)"

tamis dedup clusters --members -j 1 --memory 64M unique >one
tamis dedup clusters --members -j 3 --memory 4M unique >three
cmp one three || fail "three threads in 4 MB print another table"
[ "$(wc -l <one)" -eq 55015 ] && [ "$(grep -c '"kept":true' one)" -eq 7 ] || fail "the table is not of all documents"
tamis dedup clusters -j 1 unique >one
tamis dedup clusters -j 3 --memory 4M unique | cmp one - || fail "three threads print other clusters"
[ "$(sed 's/.*"docs":\([0-9]*\).*/\1/' one | sort -n | tr '\n' ' ')" = "$(cat sizes)" ] || fail "other clusters: $(cat one)"

refused() { # PATTERN COMMAND...
    pattern=$1 status=0
    shift
    "$@" >/dev/null 2>err || status=$?
    [ $status -eq 4 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "$pattern" err || fail "$*: status $status: $(cat err)"
}
cols=unique/clusters/00000-000000.cols
cp $cols whole
head -c 1000 whole >$cols
refused "$cols" tamis dedup clusters --members unique
cp whole $cols
printf 'damage' | dd of=$cols bs=1 seek=5000 conv=notrunc 2>/dev/null
refused "$cols" tamis dedup clusters unique
refused "$cols" tamis dedup clusters --largest 1 unique
cp whole $cols
tamis dedup clusters unique | cmp one - || fail "mended, it prints other clusters"
echo "dedup_hostile: 55015 documents, 7 stay"
