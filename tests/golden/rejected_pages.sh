# What --rejected shows of a record that came to no text: the page and why; of one that holds no page its id.
# response URL BLOCK
response() {
    size=$(printf "$2" | wc -c)
    printf 'WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: %s\r\nWARC-Date: 2024-05-06T07:08:09Z\r\nContent-Length: %s\r\n\r\n' "$1" "$size"
    printf "$2\r\n\r\n"
}
{
    printf 'WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2024-05-06T07:08:09Z\r\nContent-Length: 1\r\n\r\nx\r\n\r\n'
    response http://a.test/gone 'HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>nothing'
    response http://a.test/paper 'HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\nPDF'
    response http://bad.test/ 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>a page'
    response http://a.test/noai 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta name=robots content="noai, noindex"><p>a page'
    response http://a.test/short 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>A line in English is here for you to read.'
    printf 'WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 99\r\n\r\ncut'
} >crawl.warc
echo '{"text": "a line", "url": "http://bad.test/line", "date": "2024-05-06T07:08:09Z"}
{"url": "http://a.test/"}
not json' >lines.jsonl
echo bad.test >list
tamis ingest -q -o docs --keep-lang zh --respect-opt-out --block domain:list --rejected gone crawl.warc lines.jsonl 2>/dev/null
# What the models say of the one with a text is no matter here.
zstdcat gone/*.zst | sed 's/,"lang_score":.*,"reason"/,"reason"/'
