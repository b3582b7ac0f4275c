#!/bin/sh
# Installs the Debian packages of the lists given (default: tools/packages.txt beside this script) that are not
# installed yet. Needs root or sudo only when something is missing.
#   tools/install.sh [LIST...]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
[ $# -gt 0 ] || set -- "$here/packages.txt"

die() { echo "install.sh: $*" >&2; exit 3; }

command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1 ||
    die "this is no Debian system: install what $* names by hand"

missing=
for list in "$@"; do
    [ -r "$list" ] || die "cannot read $list"
    for package in $(sed 's/#.*//' "$list"); do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
        [ "$state" = installed ] || missing="$missing $package"
    done
done
if [ -z "$missing" ]; then
    echo "packages: all there"
    exit 0
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
    sudo=$(command -v sudo) || die "not root, and there is no sudo; as root: apt-get install$missing"
fi
echo "packages: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -qq update || die "apt-get update failed"
# shellcheck disable=SC2086 # a list of words
$sudo apt-get -qq install -y --no-install-recommends $missing >/dev/null || die "apt-get install failed"
echo "packages: done"
