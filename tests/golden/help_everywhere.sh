# Every verb of the table explains itself on stdout with status 0: a usage line, then one line for each option.
for v in $(tamis --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    status=0
    tamis "$v" --help >help 2>err || status=$?
    [ ! -s err ] || { echo "$v --help writes to stderr:"; cat err; }
    grep -q "^usage: tamis[ -]$v" help && usage=yes || usage=no
    grep -q -e '-h, --help' help && listed=yes || listed=no
    tamis "$v" -h 2>&1 | cmp -s - help && short=same || short=different
    echo "$v: status $status, usage $usage, --help listed $listed, -h $short"
done
