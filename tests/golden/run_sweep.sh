# What the jobs do, without any Slurm: its commands are stand-ins that write down what they are asked for.
mkdir bin crawl
cat >bin/sbatch <<'C'
#!/bin/sh
n=$(($(cat last 2>/dev/null || echo 100) + 1))
echo "sbatch $*" >>calls
[ ! -e full ] || exit 1
echo $n | tee last
C
printf '#!/bin/sh\necho "scontrol $*" >>calls\necho "MaxArraySize            = 2"\n' >bin/scontrol
printf '#!/bin/sh\ncat queued 2>/dev/null\n' >bin/squeue
printf '#!/bin/sh\necho "scancel $*" >>calls\n' >bin/scancel
chmod +x bin/*
PATH=$PWD/bin:$PATH
calls() { sed 's/ --job-name=[^ ]* --output=[^ ]*//' calls; rm calls; }
mkcrawl -n 40 -f 3 crawl >/dev/null
cat >recipe.yaml <<'R'
slurm: {jitter: 0, retries: 2, ingest: {tasks: 3}}
ingest: {inputs-per-part: 1}
bpe: false
tokenize: false
train: false
R
echo "== submitted"
tamis run -q --slurm --until dedup recipe.yaml crawl
calls
cat run/slurm/jobs.json
echo "== queued"
echo 102 >queued
tamis run -q --slurm recipe.yaml crawl 2>&1 || echo "status $?"
rm queued calls
echo "== two of three tasks"
job() { SLURM_JOB_ID=7 SLURM_ARRAY_TASK_ID=$2 sh "run/slurm/$1.sh" "$3" >log 2>&1 || echo "$1: status $?"; }
job ingest 0 0
job ingest 0 2
job commit-ingest '' ''
grep -E 'parts are|once more|see to' log
calls
cat run/slurm/jobs.json
echo "== the third"
job ingest 1 0
job commit-ingest '' ''
grep 'parts are' log
[ -e calls ] || echo 'nothing submitted'
echo "== all say done, and a part is lost"
rm run/docs/manifest.json run/docs/part-000001.jsonl.zst
job commit-ingest '' ''
grep -E 'parts are|once more' log
calls
echo "== no more retries"
echo 3 >run/slurm/status/ingest.2
job commit-ingest '' ''
cat log | grep -v '^=='
echo "== bad data"
echo 4 >run/slurm/status/ingest.2
job commit-ingest '' ''
cat log | grep -v '^=='
echo "== a damaged jobs.json, one without the job, a full queue"
cp run/slurm/jobs.json kept
echo '{"format":"tamis-slurm"' >run/slurm/jobs.json
tamis run --sweep ingest run 2>&1 || echo "status $?"
echo '{"format":"tamis-slurm","jobs":[{"name":"commit-ingest","id":3,"tasks":99999999999,"output":"run/docs"}]}' >run/slurm/jobs.json
tamis run --sweep ingest run 2>&1 || echo "status $?"
echo '{"format":"x"}' >run/slurm/jobs.json
tamis run --sweep ingest run 2>&1 || echo "status $?"
rm -r run/slurm
touch full
tamis run -q --slurm recipe.yaml crawl 2>&1 || echo "status $?"
