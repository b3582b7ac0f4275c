#!/bin/sh
# The manual against the programs: each verb has a page and each page a verb, a page lists the options that --help lists, spelled
# alike and with the same defaults, the reasons and limits that a page names are those of the stage, and every example runs.
#   tests/man.sh BIN_DIR
# Examples are the blocks fenced as "sh" below "## EXAMPLE". Those of the stages share one directory, in the order of the chain,
# so that one page goes on where another ended; "sh mpi" blocks run where the build has MPI. Other blocks ("text") only show.
set -eu
BIN=$(CDPATH='' cd -- "$1" && pwd)
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$(dirname -- "$0")/lib.sh"
docs=$top/docs
cd "$tmp"
n_failed=0
bad() { echo "FAILED: $*" >&2; n_failed=$((n_failed + 1)); }

page_of() { if [ "$1" = tamis ]; then echo "$docs/tamis.1.md"; else echo "$docs/tamis-$1.1.md"; fi; }

# "-o, --out DIR (required)", "-b, --bands N [14]": one line an option, from `--help` on standard input and from a page.
options_of_help() {
    awk 'function put() { if (option != "") print option given; option = given = "" }
         /^  (-[A-Za-z0-9], |    )--[a-z]/ { put(); option = substr($0, 3); sub(/^ +/, "", option); sub(/  .*/, "", option) }
         !/^  / { put() }
         option != "" && match($0, /(\[[^][]*\]|\(required\))$/) { given = " " substr($0, RSTART) }
         END { put() }' | LC_ALL=C sort
}
options_of_page() {
    awk '/^## / { inside = $0 == "## OPTIONS" }
         inside && /^- `-/ { split($0, part, "`"); sub(/:.*/, "", part[3]); print part[2] part[3] }' "$1" | LC_ALL=C sort
}
same_options() { # HELP PAGE
    options_of_help <"$1" >options.help
    options_of_page "$2" >options.page
    grep -q -e '^-h, --help$' options.help || { echo "no --help among the options of $1"; return 1; }
    diff -U 0 -L "tamis --help" -L "${2##*/}" options.help options.page
}

# --- verbs and pages
tamis --help >tamis.help
sed -n 's/^  \([a-z]*\)  *\(.*\)$/\1 \2/p' tamis.help >verbs
[ "$(wc -l <verbs)" -ge 2 ] || fail "tamis --help lists no verbs"
# What a verb does by another word behind it: `tamis bpe convert` has the page tamis-bpe-convert.1.md.
words="bpe-convert bpe-decode bpe-inspect bpe-stats bpe-compare bpe-verify dedup-clusters dedup-lines dedup-spans dedup-substrings dedup-rates dedup-index dedup-remove dedup-signatures"
{ echo tamis.1.md; sed 's/\([a-z]*\) .*/tamis-\1.1.md/' verbs; for word in $words; do echo "tamis-$word.1.md"; done; } | sort >pages.want
for f in "$docs"/tamis*.1.md; do echo "${f##*/}"; done | sort >pages.have
diff -U 0 -L "tamis --help" -L docs/ pages.want pages.have || bad "verbs and pages differ"
sed -n 's/^| \[`tamis \([a-z]*\)`\](\(.*\)) | \(.*\) |$/\1 \3/p' "$docs/tamis.1.md" >verbs.page
diff -U 0 -L "tamis --help" -L tamis.1.md verbs verbs.page || bad "tamis.1.md: its table of verbs"
while read -r page; do
    grep -q "(docs/$page)" "$top/README.md" || bad "README.md does not link docs/$page"
done <pages.want

# --- sections, options, links
n_options=0
{ cat verbs; for word in $words; do echo "$word"; done; } >verbs.all
while read -r verb _; do
    page=$(page_of "$verb")
    [ -r "$page" ] || continue
    # shellcheck disable=SC2046 # two words
    tamis $(echo "$verb" | tr - ' ') --help >"$verb.help" || fail "tamis $verb --help: status $?"
    same_options "$verb.help" "$page" || bad "${page##*/}: options differ from tamis $verb --help"
    n_options=$((n_options + $(wc -l <options.help)))
    head -n 1 "$page" | grep -qx "# tamis-$verb(1)" || bad "${page##*/}: the title is not tamis-$verb(1)"
    printf '## %s\n' NAME SYNOPSIS DESCRIPTION OPTIONS FILES 'EXIT STATUS' EXAMPLE 'SEE ALSO' >sections.want
    grep '^## ' "$page" >sections.have
    diff -U 0 -L wanted -L "${page##*/}" sections.want sections.have || bad "${page##*/}: sections"
done <verbs.all
for f in "$docs"/*.md; do
    grep -o ']([^)#]*' "$f" | sed 's/](//' >links || :
    while read -r link; do
        case $link in http*) ;; *) [ -z "$link" ] || [ -e "$docs/$link" ] || bad "${f##*/} links $link, which is not there" ;; esac
    done <links
done

# The comparison sees an option too few, one too many, and another default.
page=$(page_of dedup)
grep -v -e '--quiet' "$page" >fewer.md
sed 's/^- `-q, --quiet`/&: an option\n- `--other`/' "$page" >more.md
sed 's/^\(- `[^`]*`\) \[.*\]:/\1 [another]:/' "$page" >default.md
for f in fewer more default; do
    ! cmp -s "$page" $f.md || fail "$f.md is the page itself"
    ! same_options dedup.help $f.md >/dev/null || fail "the comparison passes a page with such options: $f"
done
[ $n_failed -eq 0 ] || fail "$n_failed mismatches"

# --- examples
example() { # PAGE KIND: its blocks
    awk -v fence="\`\`\`$2" '/^## / { inside = $0 == "## EXAMPLE" }
        /^```/ { block = inside && !block && $0 == fence; next } block' "$1"
}
mpi=false
if tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1; then mpi=true; fi
n_examples=0
run_example() { # VERB
    example "$(page_of "$1")" sh >"$1.sh"
    [ -s "$1.sh" ] || fail "the page of $1 has no example"
    sh -eu "$1.sh" >"$1.log" 2>&1 </dev/null || fail "the example of $1: status $?
$(tail -n 20 "$1.log")"
    example "$(page_of "$1")" "sh mpi" >"$1.mpi.sh"
    # Open MPI unloads its plugins, so that what they leaked has no name to suppress.
    ! $mpi || ASAN_OPTIONS=detect_leaks=0 sh -eu "$1.mpi.sh" >"$1.log" 2>&1 </dev/null || fail "the example of $1 with ranks: status $?
$(tail -n 20 "$1.log")"
    n_examples=$((n_examples + 1))
}
mkdir crawl
mkcrawl -n 300 -f 3 -b crawl >/dev/null
for verb in ingest dedup dedup-lines dedup-spans dedup-substrings dedup-clusters dedup-rates dedup-index dedup-remove dedup-signatures filter remix bpe bpe-convert bpe-decode bpe-inspect bpe-stats bpe-compare bpe-verify tokenize shards train docs url status commit run plan alarms report events; do run_example $verb; done
[ $n_examples -eq "$(wc -l <verbs.all)" ] || fail "$n_examples examples of $(wc -l <verbs) verbs"
mkdir alone
cd alone
ln -s ../crawl crawl
run_example tamis
cd ..

# --- reasons and limits that the stages know
reasons() { sed 's/.*"reasons":\[\([^]]*\)\].*/\1/' "$1" | tr -d '"' | tr ',' '\n'; }
limits() { sed 's/.*"limits":{\([^}]*\)}.*/\1/' "$1" | tr -d '"' | tr ',:' '\n '; }
for stage in "ingest docs" "dedup unique" "dedup-lines lines" "dedup-spans spans" "dedup-substrings strings" "filter clean"; do
    page=$(page_of "${stage% *}")
    reasons "run/${stage#* }/stage.json" >reasons
    [ "$(wc -l <reasons)" -ge 2 ] || fail "no reasons in run/${stage#* }/stage.json"
    while read -r reason; do
        grep -q "^| \`$reason\` " "$page" || bad "${page##*/} does not explain the reason $reason"
    done <reasons
done
limits run/clean/stage.json >limits
[ "$(wc -l <limits)" -ge 2 ] || fail "no limits in run/clean/stage.json"
while read -r reason limit; do
    grep -q "^| \`$reason\` .* $limit |" "$(page_of filter)" || bad "tamis-filter.1.md: the limit of $reason is $limit"
done <limits
[ $n_failed -eq 0 ] || fail "$n_failed mismatches"
echo "man: $(wc -l <pages.want) pages, $n_options options, $n_examples examples$($mpi || echo ', none with ranks')"
