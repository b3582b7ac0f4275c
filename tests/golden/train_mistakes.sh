# Each prints one line and the status of its kind.
try() { echo "+ $*"; "$@" 2>&1 || echo "status $?"; }
printf 'layers: 3\nlearning_rate: 1\n' >bad.yaml
printf 'layers: 3\nd_model: [\n' >broken.yaml
try tamis-train -o ckpt
try tamis-train tokens
try tamis-train -o ckpt nowhere
try tamis-train -c bad.yaml -o ckpt nowhere
try tamis-train -c broken.yaml --plan
try tamis-train -c missing.yaml --plan
try tamis-train --plan --set layers=0
try tamis-train --plan --set heads=3 --set kv_heads=2
try tamis-train --plan --set lr
try tamis-train --plan --generate ckpt
try tamis-train --generate ckpt
try tamis-train --generate ckpt --tokens-dir nowhere
try tamis-train --plan --steps many
try tamis-train --plan -c small
try tamis-train --generate ckpt --tokens-dir nowhere surplus
try tamis-train --export-hf ckpt
try tamis-train --check-options -c small
try tamis-train --check-options --set batch=3 --set micro_batch=2
try tamis-train --check-options --set batch=4 --set micro_batch=2
try tamis-train --check-options --steps 0
try tamis-train --check-options --tokens 0
try tamis-train --check-options --steps 0 --tokens 1000
try tamis-train -o s3://bucket/ckpt tokens
