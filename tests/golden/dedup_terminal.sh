# What dedup shows of a crawl cannot drive the terminal: the samples of large clusters, the names of dumps.
awk 'BEGIN {
    for (i = 0; i < 600; i++)
        printf "{\"text\":\"\\u009b31mred\\u001b[0m \\u202eone text of %d words and more\",\"url\":\"http://h.test/\\u009b%d\"}\n", i, i
}' >a.jsonl
tamis ingest -q --no-alarm --dump "$(printf 'D\302\2332J\342\201\246')" -o docs a.jsonl
tamis dedup -o unique docs 2>&1 | grep '  kept'
tamis dedup rates -o rates docs 2>/dev/null | sed -n 's/ 600 .*/ 600/p'
