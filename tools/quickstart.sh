#!/bin/sh
# From nothing to a trained model on a bare Debian 12: installs the packages it needs, builds, crawls real pages of
# documentation (or takes your crawl), and runs the whole chain. A second call resumes and takes seconds.
#   tools/quickstart.sh [--dir DIR] [--warc FILE...]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=$(dirname -- "$here")
usage="usage: tools/quickstart.sh [--dir DIR] [--warc FILE...]
  --dir DIR       where the crawl and the run go [./run]
  --warc FILE...  your own WARC files instead of the crawl; everything behind it is a file"

die() { echo "quickstart.sh: $*" >&2; exit 3; }
wrong() { echo "quickstart.sh: $*" >&2; exit 2; }

dir=run
own=false
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) echo "$usage"; exit 0 ;;
    --dir) [ $# -ge 2 ] || wrong "--dir needs a directory"; dir=$2; shift 2 ;;
    --dir=*) dir=${1#--dir=}; shift ;;
    --warc) shift; own=true; break ;;
    *) wrong "unknown argument $1; try --help" ;;
    esac
done
if $own; then
    [ $# -gt 0 ] || wrong "--warc needs at least one file"
    for f in "$@"; do [ -r "$f" ] || die "cannot read $f"; done
fi

begin=$(date +%s)
"$here/install.sh"
cd "$top" # the presets are here; what the caller named is made absolute before
caller=$OLDPWD
case $dir in /*) ;; *) dir=$caller/$dir ;; esac
if [ ! -f build/release/CMakeCache.txt ]; then
    echo "build: configuring"
    mkdir -p build
    cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log >&2; die "cmake failed"; }
fi
echo "build: release"
cmake --build --preset release --target tamis tamis-train >build/release/build.log 2>&1 ||
    { tail -n 30 build/release/build.log >&2; die "the build failed; all of it is in build/release/build.log"; }
built=$(date +%s)

mkdir -p "$dir" || die "cannot make $dir"
if ! $own; then
    "$here/crawl.sh" "$dir/crawl" || exit $?
    set -- "$dir"/crawl/crawl-*.warc.gz
else
    for f in "$@"; do
        case $f in /*) ;; *) f=$caller/$f ;; esac
        set -- "$@" "$f"
        shift
    done
fi
crawled=$(date +%s)

"$top/build/release/tamis" run -o "$dir" "$here/quickstart.yaml" "$@" || exit $?
end=$(date +%s)
echo "time: packages and build $((built - begin)) s, crawl $((crawled - built)) s, run $((end - crawled)) s"
