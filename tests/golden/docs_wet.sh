# A dataset as a WET archive: records as they should be, and the same texts when it is read again.
mkdir crawl
mkcrawl -n 40 -f 1 crawl >/dev/null
tamis ingest -q -o docs crawl
tamis docs wet docs >all.warc.wet.gz
gzip -t all.warc.wet.gz && gzip -dc all.warc.wet.gz | head -n 17 | tr -d '\r' | sed 's/ [0-9]*$/ N/; s/uuid:[0-9a-f]*-[0-9a-f]*-8/uuid:X-8/; s/X-8.*>/X>/'
tamis ingest -q -o again all.warc.wet.gz
text() { tamis docs cat "$1" | sed 's/.*"text":\("\([^"\\]\|\\.\)*"\).*/\1/'; }
text docs >texts
text again >texts.again
cmp texts texts.again && echo "$(sort -u texts | wc -l) texts" | grep -c '^[1-9][0-9]* texts'
url() { tamis docs cat "$1" | sed 's/.*"url":"\([^"]*\)","date":"\([^"]*\)".*/\1 \2/'; }
url docs >urls
url again | cmp - urls && echo same URLs and dates
tamis docs wet docs | cmp - all.warc.wet.gz && echo the same again
tamis docs wet /dev/null 2>&1 | head -n 1
