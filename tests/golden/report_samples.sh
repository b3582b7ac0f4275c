# The model is asked in the languages that it was trained on.
awk 'BEGIN {for (i = 0; i < 40; i++) printf "{\"text\":\"这是第%d篇中文文章，讲的是北京的天气和上海的交通情况，还有一些别的内容。\"}\n", i}' >zh.jsonl
cat >recipe.yaml <<'R'
ingest: {input: zh.jsonl}
dedup: false
filter: false
bpe: {vocab-size: 300}
train: {config: {preset: tiny, layers: 1, d_model: 64, heads: 2, kv_heads: 1, head_dim: 32, ffn: 128, context: 32, batch: 4, steps: 2}}
R
OMP_WAIT_POLICY=passive tamis run -q recipe.yaml
tr '>' '\n' <run/report.html | grep -E '^(English|Chinese)<' | sort | uniq -c
