#!/bin/sh
# What near deduplication finds in a dataset, in three shapes: 14 x 8, --aggressive (20 x 8) and another one, against all pairs compared.
#   bench/dedup_quality.sh BIN_DIR DATASET [SEEDS [BANDS ROWS]]
# SEEDS families of hashes (20); the other shape is 40 x 8. Prints what `dedup_quality` (its target has to be built) prints: its top comment says
# what. 46,000 documents of 319 MB take four minutes and 2 GB of memory.
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dataset=$(CDPATH='' cd -- "$2" && pwd)
. "$here/../tests/lib.sh"
cd "$tmp"
for shape in "14 8" "20 8" "${4:-40} ${5:-8}"; do
    tamis dedup -q --no-alarm --bands "${shape% *}" --rows "${shape#* }" -o "${shape% *}x${shape#* }" "$dataset"
done
"$(find "$BIN" -name dedup_quality -type f | head -n 1)" "$dataset" "${3:-20}" 14 8 14x8 20 8 20x8 "${4:-40}" "${5:-8}" "${4:-40}x${5:-8}"
