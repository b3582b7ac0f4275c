# An unknown option: one line that names it on stderr, nothing on stdout, status 2.
for v in $(tamis --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    status=0
    tamis "$v" --no-such-option >out 2>err || status=$?
    grep -q no-such-option err && named=named || named="not named"
    echo "$v: status $status, $(wc -l <err) line on stderr, $named, $(wc -c <out) bytes on stdout"
done
