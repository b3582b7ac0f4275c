# Text from a crawl cannot drive the terminal that shows it: escape sequences, C0 and C1 controls and what turns the direction of text
# become middle dots.
printf '{"text":"one\\u009b31m two\\u001b[0m\\u202e\\nthree, and enough words for a text"}\n' >a.jsonl
tamis ingest -q -o docs a.jsonl
tamis docs grep three docs
tamis docs grep -f pretty three docs | grep '31m'
# A closed output ends the pass.
status=0
tamis docs grep three docs 2>err >/dev/full || status=$?
echo "status $status: $(cut -c1-38 err)"
