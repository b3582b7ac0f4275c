# For people a document is its text: signals are counted behind it, and shown where that is asked for.
printf '{"text":"one two three, and enough words for a text of one line","url":"http://a.test/"}\n' >a.jsonl
tamis ingest -q -o docs a.jsonl
tamis filter -q --rules none -o clean docs
tamis docs head -f pretty docs
tamis docs head -f pretty --text-bytes 13 clean
tamis docs show -s 'local/a.jsonl#0' clean | sed 's/= .*/= …/' | sed -n '1,12p'
