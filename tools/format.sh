#!/bin/sh
# Formats the C and C++ sources with .clang-format, in place; --check only says which files it would change (status 1).
# Generated tables (*.inc) are left alone.
#   tools/format.sh [--check] [FILE...]
set -eu

cd "$(dirname -- "$0")/.."
check=false
if [ "${1:-}" = --check ]; then
    check=true
    shift
fi
command -v clang-format >/dev/null 2>&1 || { echo "format.sh: clang-format is missing: tools/install.sh tests/packages.txt" >&2; exit 3; }
[ $# -gt 0 ] || set -- $(git ls-files '*.c' '*.h' '*.cc' '*.cu')
$check || exec clang-format -i --style=file "$@"
wrong=0
for f in "$@"; do
    clang-format --style=file "$f" | cmp -s - "$f" && continue
    echo "format: $f"
    wrong=1
done
exit $wrong
