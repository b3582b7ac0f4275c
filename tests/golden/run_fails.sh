# A stage that fails ends the run with its status; a lock keeps a second run out.
echo 'ingest: {input: crawl, keep-lang: "en,zh"}' >recipe.yaml
status=0
tamis run -q -o run recipe.yaml || status=$?
echo "status $status"
mkdir crawl
mkcrawl -n 10 -f 1 crawl >/dev/null
printf 'ingest: {input: crawl, no-such-option: 1}\n' >recipe.yaml
status=0
tamis run -q -o run recipe.yaml || status=$?
echo "status $status"
ls run
