#!/bin/sh
# Signatures that ingest writes beside its documents: the same dataset, the same deduplication, from texts that cannot be read.
#   tests/dedup_beside.sh BIN_DIR
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
. "$(dirname -- "$0")/lib.sh"
cd "$tmp"

# Three dumps of made pages, half of them the same in each but for a word.
awk 'BEGIN {
    srand(7)
    for (d = 1; d <= 3; d++) for (i = 0; i < 400; i++) {
        page = i % 2 ? i : d * 1000 + i; text = ""
        for (w = 0; w < 150; w++) text = text (w ? " " : "") (w == d * 9 ? "new" d : "w" letters(page * 151 + w * 7))
        printf "{\"id\":\"%d\",\"text\":\"%s\",\"url\":\"http://h%d.test/%d\"}\n", i, i % 50 ? text : "", page % 9, page >("d" d ".jsonl")
    }
}
function letters(n, s) { for (s = ""; n > 0; n = int(n / 26)) s = s sprintf("%c", 97 + n % 26); return s "z" }'
content() { last_field "$1/manifest.json" content; }
d=0
while [ $((d += 1)) -le 3 ]; do
    tamis ingest -q --no-alarm -o "plain-$d" --dump "CC-MAIN-2023-0$d" --inputs-per-part 1 "d$d.jsonl"
    tamis ingest -q --no-alarm --signatures -j $d -o "signed-$d" --dump "CC-MAIN-2023-0$d" --inputs-per-part 1 "d$d.jsonl"
    [ "$(content "plain-$d")" = "$(content "signed-$d")" ] || fail "--signatures change the documents"
done
tamis ingest -q --no-alarm -o signed-1 --dump CC-MAIN-2023-01 --inputs-per-part 1 d1.jsonl 2>err && fail "a dataset with signatures taken for one without"
grep -q "another run" err || fail "$(cat err)"

same() { # NAME OPTION...: the same view of both, and the same of one half each
    name=$1
    shift
    tamis dedup -q --no-alarm -o "$name.plain" "$@" plain-*
    tamis dedup -q --no-alarm -j 2 -o "$name.signed" "$@" signed-*
    tamis dedup -q --no-alarm -o "$name.both" "$@" plain-1 signed-2 plain-3
    for other in signed both; do
        [ "$(verdicts "$name.plain")" = "$(verdicts "$name.$other")" ] || fail "$name, $other: another view"
        for part in 0 1 2; do
            columns_of "$name.plain/sign/part-00000$part.sign.cols" >columns
            columns_of "$name.$other/sign/part-00000$part.sign.cols" | cmp - columns || fail "$name, $other: other signatures"
        done
    done
}
same usual
grep -q '"near_duplicate":[1-9]' usual.plain/manifest.json || fail "nothing is near"
same exact --exact-only
same window --url --scope window:2 --keep latest,longest
same shape --bands 10
same source --keep source:nowhere

# Now nobody can read a text: what needs none goes on, what needs them says so.
for f in signed-*/part-*.jsonl.zst; do printf 'not what was written' | dd of="$f" bs=1 seek=40 conv=notrunc 2>/dev/null; done
tamis dedup -q --no-alarm -o blind --exact-only signed-*
[ "$(content blind)" = "$(content exact.plain)" ] || fail "without texts: another view"
status=0
tamis dedup -q --no-alarm -o blind-source --keep source:a signed-* 2>err || status=$?
[ $status -eq 4 ] && grep -q 'signed-.*part-' err || fail "status $status of texts that cannot be read: $(cat err)"
for j in 1 2 3; do # pairs in doubt want both texts; whichever thread meets it, the first that is damaged is named
    status=0
    tamis dedup -q --no-alarm -j $j --verify 0.93 -o blind-near signed-* 2>err.$j || status=$?
    [ $status -eq 4 ] && grep -q 'signed-1/part-000000.jsonl.zst' err.$j && cmp err.1 err.$j || fail "status $status of pairs in doubt: $(cat err.$j)"
    rm -r blind-near
done

# Damaged signatures stop the deduplication; once they are whole again, or gone where there are texts, it goes on by itself.
tamis ingest -q --no-alarm --signatures -o whole --dump CC-MAIN-2023-01 --inputs-per-part 1 d1.jsonl
tamis dedup -q --no-alarm -o undamaged whole
cp whole/part-000000.sign.cols kept.cols
for mend in "cp kept.cols whole/part-000000.sign.cols" "rm whole/part-000000.sign.cols"; do
    head -c 1000 kept.cols >whole/part-000000.sign.cols
    for _ in 1 2; do
        status=0
        tamis dedup -q --no-alarm -o healed whole 2>err || status=$?
        [ $status -eq 4 ] && grep -q 'whole/part-000000.sign.cols' err || fail "status $status of damaged signatures: $(cat err)"
    done
    $mend
    tamis dedup -q --no-alarm -o healed whole || fail "$mend: status $?"
    [ "$(verdicts undamaged)" = "$(verdicts healed)" ] || fail "$mend: another view"
    rm -r healed
done

# A large cluster that cannot be shown: the view is complete all the same.
awk 'BEGIN {for (i = 0; i < 600; i++) printf "{\"id\":\"%d\",\"text\":\"one text for all\"}\n", i}' >same.jsonl
tamis ingest -q --no-alarm --signatures -o same same.jsonl
printf 'not what was written' | dd of=same/part-000000.jsonl.zst bs=1 seek=40 conv=notrunc 2>/dev/null
tamis dedup --no-alarm -o large same 2>err || fail "status $? of samples that cannot be read: $(cat err)"
grep -q 'warning: the largest clusters cannot be shown: .*same/part-000000' err || fail "$(cat err)"
