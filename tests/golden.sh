#!/bin/sh
# One command-line golden: runs golden/NAME.sh in a fresh directory with the built programs first in PATH, and compares
# stdout, stderr and the exit status with NAME.out, NAME.err and NAME.status (absent: empty, 0).
#   tests/golden.sh BIN_DIR NAME          BIN_DIR holds tamis, tamis-train, mkcrawl
#   tests/golden.sh -u BIN_DIR NAME       writes what came out as the new expectation, to be looked at before a commit
# A script that cannot test here prints why and ends with 77. The directory's path is shown as DIR.
set -eu
LC_ALL=C
export LC_ALL
update=false
[ "$1" != -u ] || { update=true; shift; }
bin=$(CDPATH='' cd -- "$1" && pwd)
name=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/golden
[ -r "$here/$name.sh" ] || { echo "golden.sh: no $here/$name.sh" >&2; exit 3; }

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tamis-golden.XXXXXX")
cleanup() {
    [ ! -f "$tmp/mounted" ] || umount "$tmp/files/full" 2>/dev/null || :
    chmod -R u+rwx "$tmp" 2>/dev/null || :
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir "$tmp/files"
chmod 755 "$tmp" # another user has to reach it in one of the scripts
PATH=$bin:$PATH
GOLDEN_TMP=$tmp
export PATH GOLDEN_TMP
unset OMPI_COMM_WORLD_SIZE PMI_SIZE SLURM_NTASKS || :

status=0
(cd "$tmp/files" && sh -eu "$here/$name.sh") >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
if [ $status -eq 77 ]; then
    echo "skipped: $(cat "$tmp/out")"
    exit 77
fi
for f in out err; do sed "s|$tmp/files|DIR|g" "$tmp/$f" >"$tmp/$f.plain"; done
echo $status >"$tmp/status.plain"
if $update; then
    for f in out err status; do
        rm -f "$here/$name.$f"
        [ ! -s "$tmp/$f.plain" ] || [ "$f $status" = "status 0" ] || cp "$tmp/$f.plain" "$here/$name.$f"
    done
    exit 0
fi
failed=0
for f in out err status; do
    want=$here/$name.$f
    if [ ! -f "$want" ]; then
        want=$tmp/none
        [ $f = status ] && echo 0 >"$want" || : >"$want"
    fi
    diff -u "$want" "$tmp/$f.plain" || { echo "golden $name: $f differs"; failed=1; }
done
exit $failed
