# Site rules: what they do to pages and are counted as, what the plan says of them, mistakes.
record() { # URL: its page is on stdin
    printf 'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n' >block
    cat >>block
    printf 'WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\nWARC-Target-URI: %s\r\nWARC-Date: 2024-05-06T07:08:09Z\r\nContent-Length: %d\r\n\r\n' \
        "$1" "$(wc -c <block)"
    cat block
    printf '\r\n\r\n'
}
page() {
    printf '<title>%s</title><div class=menu><a href=1>Home</a> <a href=2>Products</a></div><div id=body><h1>The river</h1>
<p class=stamp>Seen in the hills (2024-05-01)</p><p>The river rises in the hills to the north, and for most of its way it runs through open meadows, where cattle
graze in summer and geese rest in winter.</p><aside class=note>Bring boots.</aside><p class=promo>In spring the water comes up over the banks,
sometimes as far as the road, so buy a boat of ours while there are some.</p></div><div class=footer>Opening hours: nine to five.</div>' "$1"
}
{
    page Plain | record http://plain.example/
    page Main | record http://www.main.example/a/1
    page Moved | record http://moved.example/
    page More | record https://more.example/
} >pages.warc
cat >rules <<'END'
# HOST[/PATH] ACTION SELECTOR
main.example/a/   main   #body > p:not
END
run() {
    status=0
    tamis ingest -q -o "$@" pages.warc 2>err || status=$?
    cat err
    echo "status $status"
}
run docs --site-rules rules
cat >rules <<'END'
# HOST[/PATH] ACTION SELECTOR
main.example/a/   main   #body > p, .note
main.example      drop   .promo
main.example      title  h1
main.example      date   .stamp
moved.example     main   div.article
more.example      drop   p.promo, p.stamp
more.example      keep   .footer
END
run docs --site-rules rules
tamis docs cat --format json docs | sed 's/"type":"[a-z]*","confidence":[0-9.]*/"type":T,"confidence":C/; s/.*"text":\(".*"\),"url":"\([^"]*\)".*"meta":/\2 \1 /' >lines
sed 's/ ".*" {/ {/' lines
echo text:
grep main.example lines | grep -o '".*" '
grep more.example lines | grep -o 'buy a boat\|Seen in\|graze in summer\|Opening hours.*five'
[ "$(grep plain.example lines | grep -o '"The river.*" ')" = "$(grep moved.example lines | grep -o '"The river.*" ')" ] && echo as without rules
grep -o '"site_rules":{[^}]*}' docs/stats.json
grep -o '"site_rules":"[0-9a-f]*"' docs/stage.json
echo again:
sed '1d; s/more.example  /more.example /' rules >copy
run docs --site-rules rules
run docs --site-rules copy
echo modes:
run wide --site-rules rules --mode all
tamis docs cat --format json wide | grep -o '"by":.*'
echo mistakes:
mistake() {
    printf "$1\n" >rules
    run none --site-rules rules
}
mistake ''
mistake '# nothing'
mistake 'a.example main p\na.example hide p'
mistake 'a.example main my-article'
mistake 'a.example main [data-id]'
mistake 'https://a.example main p'
mistake "a.example main $(head -c 5000 /dev/zero | tr '\0' p)"
mistake "$(for i in 1 2 3 4 5 6; do echo "*/$i drop $(for k in 1 2 3 4 5 6 7 8 9 10; do printf 'p p p p p p p p p p p p p p p p p p p p '; done)"; done)"
run none --site-rules absent
