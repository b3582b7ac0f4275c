# Inputs that are damaged or hold nothing we read are named once each, in their order; a run without one record fails, is no dataset and
# reads again the next time.
mkdir crawl
mkcrawl -n 30 -f 4 crawl >/dev/null
cd crawl
set -- *.warc.gz
size=$(wc -c <"$1")
head -c $((size - 20)) "$1" >cut && mv cut "$1"
printf 'XXXXXXXX' | dd of="$2" bs=1 seek=10 conv=notrunc 2>/dev/null
: >empty.warc.gz
echo 'a note to myself' >note.warc
printf 'BZh91AY&SY, which we do not read' >old.warc
printf '{"body": "x"}\n{"body": "y"}\n' >other.jsonl
printf '\n{"text": "a good line"}\nnot json\n' >some.jsonl
cd ..
run() {
    status=0
    tamis ingest "$@" 2>err || status=$?
    grep -e warning -e 'could be read, mostly' -e 'nothing to read' err | sed 's/ at byte [1-9][0-9]*/ at byte N/' || :
    echo "status $status"
}
for j in 1 3; do run -j $j -o docs$j crawl; done
run -o docs1 crawl
run --part-bytes 2K -o cut "crawl/$1" "crawl/$2"
echo nothing:
run -o none crawl/note.warc crawl/other.jsonl crawl/empty.warc.gz
run -o none crawl/note.warc crawl/other.jsonl crawl/empty.warc.gz
echo many:
mkdir many
for i in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32; do echo note >many/$i.warc; done
run -o many1 many | tail -4
run -o empty crawl/empty.warc.gz
echo "standard input:"
run -o pipe - </dev/null
tamis status pipe || :
run -o pipe - <"crawl/$3"
tamis status pipe | sed "s,complete:.*,complete,"
run -o page --html - </dev/null
echo tasks:
run --inputs-per-part 1 --task 0/2 -o tasks crawl/note.warc crawl/empty.warc.gz
run --inputs-per-part 1 --task 1/2 -o tasks crawl/note.warc crawl/empty.warc.gz
tamis status tasks || :
echo others:
mkdir others
printf '\n<!DOCTYPE html>\n<html><p>a page</html>\n' | gzip >others/page.gz
printf '{"text": "a line"}\n' >others/lines.txt
printf 'test,host)/ 20240101000000 {"filename": "a", "offset": "0", "length": 1}\n' >others/index
printf ' CDX N b a m s k r M S V g\n' >others/old.index
printf '%%PDF-1.7\n' >others/paper
for i in page.gz lines.txt index old.index paper; do tamis ingest -q --force -o other others/$i 2>&1 | head -n 1; done
echo lists:
printf '# two lists\n\nothers/page.gz\nothers\n' >one.list
printf 'others/page.gz\n@one.list\n' >two.list
for i in one two; do tamis ingest -q --force -o other @$i.list 2>&1 || echo "status $?"; done
