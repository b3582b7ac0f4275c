# Shared by the tests that run the whole pipe; sourced, after BIN (the directory of tamis, tamis-train, mkcrawl) is set.
# shellcheck shell=sh
LC_ALL=C
PATH=$BIN:$PATH
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none
OMP_WAIT_POLICY=passive
LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$(dirname -- "$0")/lsan.supp:print_suppressions=0}
export LC_ALL PATH OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe \
    OMPI_MCA_hwloc_base_binding_policy OMPI_MCA_btl_vader_single_copy_mechanism OMP_WAIT_POLICY LSAN_OPTIONS

fail() { echo "FAILED: $*" >&2; exit 1; }
skip() { echo "skipped: $*"; exit 77; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tamis-pipe.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# The number or string of a member of a JSON file of ours, its first occurrence.
field() { grep -o "\"$2\": *\"\{0,1\}[^\",}]*" "$1" | head -n 1 | sed 's/^[^:]*: *"\{0,1\}//'; }
# The same, its last occurrence: `content` ends a manifest, behind those of its inputs and parts.
last_field() { grep -o "\"$2\": *\"\{0,1\}[^\",}]*" "$1" | tail -n 1 | sed 's/^[^:]*: *"\{0,1\}//'; }

# Directory and values of a columns file (core/columns.h), without the receipt behind them, which tells times, and its sums.
columns_of() { # FILE
    bytes=$((48 * $(od -An -tu4 -j12 -N4 "$1")))
    tail -c +65 "$1" | head -c $bytes
    tail -c +$((bytes + 73)) "$1" | head -c $(($(od -An -tu8 -j40 -N8 "$1") - bytes - 72))
}
# What a dedup says of all documents, not only of those that it shows; a line a file.
verdicts() { # DIR
    last_field "$1/manifest.json" content
    (cd "$1" && ls part-*.cols clusters/*.cols && for f in part-*.cols clusters/*.cols; do columns_of "$f" | cksum; done)
}

# Every stage accounts for all it read.
check_sums() { # DIR
    for stage in docs unique clean mixed; do
        m=$1/$stage/manifest.json
        [ -f "$m" ] || continue
        n_in=$(field "$m" n_in)
        n_docs=$(field "$m" n_docs)
        dropped=$(sed 's/.*"dropped":{\([^}]*\)}.*/\1/' "$m" | tr ',' '\n' | awk -F: 'NF > 1 {n += $NF} END {print n + 0}')
        [ "$n_in" -eq $((n_docs + dropped)) ] || fail "$m: $n_in in, $n_docs out, $dropped dropped"
    done
}

# What the part events of a stage say of a number, summed.
sum_events() { sed "s/.*\"$1\":\([0-9]*\).*/\1/" | awk '{n += $1} END {print n + 0}'; }
# The events tell of every part of every stage and sum up to the manifests; of a part done twice one line counts.
check_events() { # DIR
    for stage in "ingest docs" "sign unique/sign" "dedup unique" "filter clean" "remix mixed"; do
        m=$1/${stage#* }/manifest.json
        [ -f "$m" ] || fail "$m is not there"
        cat "$1"/events/*.jsonl | grep "^{\"event\":\"part\".*\"stage\":\"${stage% *}\"" |
            awk -F'"part":' '{split($2, n, ","); line[n[1]] = $0} END {for (k in line) print line[k]}' >"$tmp/parts"
        [ "$(wc -l <"$tmp/parts")" -eq "$(field "$m" n_parts)" ] ||
            fail "$m has $(field "$m" n_parts) parts, the events tell of $(wc -l <"$tmp/parts")"
        for member in n_in n_docs text_bytes; do
            [ "$(sum_events $member <"$tmp/parts")" -eq "$(field "$m" $member)" ] ||
                fail "$m: $member is $(field "$m" $member), the events sum up to $(sum_events $member <"$tmp/parts")"
        done
        dropped_of() { sed 's/.*"dropped":{\([^}]*\)}.*/\1/' | tr ',' '\n' | tr -d '"' |
            awk -F: 'NF == 2 && $2 > 0 {n[$1] += $2} END {for (k in n) print k, n[k]}' | sort; }
        dropped_of <"$tmp/parts" >"$tmp/dropped.events"
        dropped_of <"$m" | cmp - "$tmp/dropped.events" || fail "$m: what was dropped differs from the events"
    done
}

# What two runs over the same input must have in common, a line each.
contents() { # DIR
    for stage in docs unique clean mixed tokens; do
        [ ! -f "$1/$stage/manifest.json" ] || echo "$stage $(last_field "$1/$stage/manifest.json" content)"
    done
    [ ! -f "$1/unique/manifest.json" ] || for f in "$1"/unique/part-*.cols; do echo "columns $(columns_of "$f" | cksum)"; done
    [ ! -f "$1/tokenizer.json" ] || echo "tokenizer $(cksum <"$1/tokenizer.json")"
    [ ! -f "$1/mixed/mixture.json" ] || echo "mixture $(cksum <"$1/mixed/mixture.json")"
    [ ! -f "$1/ckpt/result.json" ] || for f in loss_first loss_last heldout_loss heldout_bpb steps; do
        echo "$f $(field "$1/ckpt/result.json" $f)"
    done
    for f in "$1"/ckpt/step-*.ckpt; do [ ! -f "$1/ckpt/result.json" ] || last_checkpoint=$f; done
    [ ! -f "$1/ckpt/result.json" ] || echo "weights $(cksum <"$last_checkpoint")"
}

# A recipe for a model of a few steps, so that the whole pipe takes seconds.
small_recipe() { # FILE
    cat >"$1" <<'RECIPE'
threads: 2
ingest: {keep-lang: "en,zh", inputs-per-part: 1}
bpe: {vocab-size: 600}
train: {config: {preset: tiny, layers: 1, d_model: 64, heads: 2, kv_heads: 1, head_dim: 32, ffn: 128, context: 64, batch: 8, steps: 12}}
RECIPE
}
