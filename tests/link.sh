#!/bin/sh
# A program of somebody else's: what is installed for one, compiled and linked as pkg-config says, encodes, decodes, says where tokens
# stand. BUILD_DIR's own compiler flags (sanitizers) come in $CFLAGS.
#   tests/link.sh BUILD_DIR [CC]
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
cc=${2:-cc}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/lib.sh"
command -v pkg-config >/dev/null 2>&1 || skip "no pkg-config"
cd "$tmp"
# Another prefix than the build's, and what was put there moved elsewhere.
DESTDIR=$tmp/prefix cmake --install "$BIN" --component dev --prefix /elsewhere >install.log 2>&1 || fail "$(cat install.log)"
mv prefix moved
pc=$(find moved -name tamis-tokenize.pc)
[ -n "$pc" ] || fail "no tamis-tokenize.pc is installed"
PKG_CONFIG_PATH=$tmp/$(dirname "$pc")
export PKG_CONFIG_PATH
# Nothing of the source tree is looked at, and no other library of ours.
cp "$here/tokenize_link.c" program.c
# shellcheck disable=SC2046,SC2086 # words
$cc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror ${CFLAGS:-} program.c -o program $(pkg-config --cflags --libs tamis-tokenize) ||
    fail "the program does not link"

printf 'a line of words, and a line of them\n%.0s' 1 2 3 4 >text
printf '%s\n' 'a line 中文 of' '😀 words' >lines
tamis bpe -q --text --vocab-size 300 -o tokenizer.json text
./program tokenizer.json <lines >got
tamis tokenize --ids -t tokenizer.json <lines >ids
sed 's/\[\([0-9]*\),[0-9]*,[0-9]*\]/\1/g' got | cmp - ids || fail "other ids than tamis tokenize"
[ "$(tail -n 1 got | grep -o '^\[\[[0-9]*,0,1\]')" != "" ] || fail "offsets: $(cat got)"
echo "link: $(wc -l <got) lines"
