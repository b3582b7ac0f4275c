# The commands of a recipe, as a shell would take them.
cat >recipe.yaml <<'R'
threads: 2
ingest: {input: [my crawl/a.warc.gz, b.warc.gz], keep-lang: "en,zh"}
filter: {rules: zh-en}
bpe: {vocab-size: 8192}
train: {config: tiny}
R
tamis run --dry-run recipe.yaml
tamis run -n -o 'my run' -j 1 --until dedup recipe.yaml other.warc.gz
ls
