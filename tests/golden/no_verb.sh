# No verb and an unknown one: one line, status 2.
for v in '' nonsense; do
    status=0
    tamis $v || status=$?
    echo "status $status"
done
