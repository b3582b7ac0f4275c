# A finished run with damage in what only the report reads: it is left out, with a word about it, and counters that cannot
# be count as none.
mkdir -p run/docs run/mixed run/tokens run/ckpt
echo '{"n_in":-3,"n_docs":1e300,"text_bytes":900,"dropped":{"x":-1,"y":1e30,"z":2}}' >run/docs/manifest.json
echo '{"counters":{"lang":{"en":[-7,1e300],"zh":["x",{}],"fr":[1]}}}' >run/docs/stats.json
echo '{"n_in":9,"n_docs":7,"text_bytes":900}' >run/mixed/manifest.json
echo '{"counters":{"domain":{"a":[7,900],"b":[-1,-1e18]},"lang":{"en":[1e99,1e19]}}}' >run/mixed/stats.json
echo '{"phases":[{"weights":{"a":1e308,"b":1e308}}]}' >run/mixed/mixture.json
echo '{"n_tokens":1e40,"streams":[{"name":"a","n_tokens":-5},{"name":"b","n_tokens":1e300}]}' >run/tokens/manifest.json
echo '{"heldout_loss":4.5,"loss_first":"x","unigram_entropy":-1}' >run/ckpt/result.json
printf '{"step":1,"loss":9.5}\n{"step":2,"lo\n{"step":1e300,"loss":-1e300}\n{"step":3,"loss":8}\n' >run/ckpt/log.jsonl
echo '{"stages":[{"verb":"ingest","runs":1e40,"seconds":1e300,"cpu_seconds":-1},{"verb":"train","runs":1,"seconds":1e9}]}' >run/run.json
tamis report run
grep -o '</html>' run/report.html
grep -ciE '[>" ,M]-?(nan|inf)' run/report.html || :
