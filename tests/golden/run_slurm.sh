# The jobs of a recipe, without any Slurm.
cat >recipe.yaml <<'R'
out: my run
threads: 2
slurm:
  partition: cpu
  mem: 8G
  sbatch: ["--comment='$(touch touched)'"]
  ingest: {tasks: 10, time: 2:00:00}
  dedup: {nodes: 2, tasks: 8}
ingest: {input: it's.warc.gz, keep-lang: "en,zh"}
bpe: false
tokenize: false
train: false
R
tamis run --slurm -n --max-array 8 recipe.yaml
echo
tamis run --slurm -n --until ingest -j 1 -o /x recipe.yaml
sed 's/  partition: cpu/  partition: c p u/' recipe.yaml >wrong.yaml
tamis run --slurm -n wrong.yaml 2>&1 || echo "status $?"
tamis run --slurm --force recipe.yaml 2>&1 || echo "status $?"
tamis run --max-array 3 recipe.yaml 2>&1 || echo "status $?"
tamis run --sweep ingest 'my run' 2>&1 || echo "status $?"
ls
